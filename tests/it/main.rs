//! One binary for all integration tests.
mod cas;
mod cas_requests;
mod differential;
mod fdt;
mod fuzz_smoke;
mod hcall;
mod insn;
mod objdump;
mod oracle;
mod platform;
mod rtas;
mod smp;
mod versions;
mod vm;
mod vsmt_cells;
