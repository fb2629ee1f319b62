//! Decimal floating point (ISA I, chapter 5): one function per row.

use crate::accel::interp::Run;

/// The functions of this chapter.
pub const FUNCTIONS: &[(&str, Run)] = &[];
