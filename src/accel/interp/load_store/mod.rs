//! Fixed-point loads and stores, and storage control (ISA I 3.3, ISA II): one function per row, one file per subject.

pub mod atomic;
pub mod cache;
pub mod multiple;
pub mod plain;
