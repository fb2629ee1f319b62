//! Fixed-point loads and stores, and storage control (ISA I 3.3, ISA II): one row per instruction.

use crate::isa::table::Row;

/// The rows of this chapter.
pub const ROWS: &[Row] = &[];
