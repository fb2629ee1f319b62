//! Fixed-point arithmetic, logic, rotates and moves (ISA I, chapter 3): one function per row.

use crate::accel::interp::Run;

/// The functions of this chapter.
pub const FUNCTIONS: &[(&str, Run)] = &[];
