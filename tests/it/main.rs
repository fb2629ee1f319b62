//! One binary for all integration tests.
mod objdump;
mod versions;
mod vsmt_cells;
