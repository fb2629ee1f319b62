//! Matrix-multiply assist (ISA 3.1 I): one row per instruction.

use crate::isa::table::Row;

/// The rows of this chapter.
pub const ROWS: &[Row] = &[];
