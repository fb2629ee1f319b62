//! One binary for all integration tests.
mod versions;
mod vsmt_cells;
