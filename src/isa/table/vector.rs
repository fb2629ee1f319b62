//! Vector (VMX) instructions (ISA I, chapter 6): one row per instruction.

use crate::isa::table::Row;

/// The rows of this chapter.
pub const ROWS: &[Row] = &[];
