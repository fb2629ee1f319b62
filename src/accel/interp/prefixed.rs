//! Prefixed instructions (ISA 3.1): one function per row.

use crate::accel::interp::Run;

/// The functions of this chapter.
pub const FUNCTIONS: &[(&str, Run)] = &[];
