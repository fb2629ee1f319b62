//! Decimal floating point (ISA I, chapter 5): one row per instruction.

use crate::isa::table::Row;

/// The rows of this chapter.
pub const ROWS: &[Row] = &[];
