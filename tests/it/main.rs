//! One binary for all integration tests.
mod differential;
mod objdump;
mod versions;
mod vsmt_cells;
