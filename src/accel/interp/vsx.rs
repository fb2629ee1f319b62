//! Vector-scalar extension (ISA I, chapter 7): one function per row.

use crate::accel::interp::Run;

/// The functions of this chapter.
pub const FUNCTIONS: &[(&str, Run)] = &[];
