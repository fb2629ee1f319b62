//! System and privileged instructions (ISA II, III): one function per row.

use crate::accel::interp::Run;

/// The functions of this chapter.
pub const FUNCTIONS: &[(&str, Run)] = &[];
