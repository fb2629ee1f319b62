//! Fixed-point arithmetic, logic, rotates and moves (ISA I, chapter 3): one row per instruction.

use crate::isa::table::Row;

/// The rows of this chapter.
pub const ROWS: &[Row] = &[];
