//! One binary for all integration tests.
mod cas;
mod differential;
mod fuzz_smoke;
mod hcall;
mod insn;
mod objdump;
mod platform;
mod rtas;
mod versions;
mod vm;
mod vsmt_cells;
