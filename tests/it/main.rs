//! One binary for all integration tests.
mod cas;
mod differential;
mod hcall;
mod objdump;
mod platform;
mod rtas;
mod versions;
mod vsmt_cells;
