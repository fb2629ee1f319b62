//! Fixed-point loads and stores, and storage control (ISA I 3.3, ISA II): one function per row.

use crate::accel::interp::Run;

/// The functions of this chapter.
pub const FUNCTIONS: &[(&str, Run)] = &[];
