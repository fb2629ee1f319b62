//! Vector-scalar extension (ISA I, chapter 7): one row per instruction.

use crate::isa::table::Row;

/// The rows of this chapter.
pub const ROWS: &[Row] = &[];
