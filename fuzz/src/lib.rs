//! The bodies of the fuzz targets, as a library for them. The test suite includes the same files by path (tests/it/fuzz_smoke.rs), so that every
//! `cargo test` runs them on fixed inputs without libFuzzer.

pub mod bodies;
