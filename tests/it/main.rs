//! One binary for all integration tests.
mod vsmt_cells;
