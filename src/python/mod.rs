//! The Python face: the extension module `spapr._spapr`.
//!
//! Nothing here decides anything. Configuration objects are read and written by their attributes, long calls let other Python
//! threads run and answer signals, errors become the exceptions of `spapr.errors`. What a user meets is the facade in
//! `python/spapr`; these names are its private machinery and may change with it.

use pyo3::prelude::pymodule;

mod accel;
mod compat;
mod config;
mod cpu;
mod errors;
mod explain;
mod held;
mod hosts;
mod isa;
mod journal;
mod matrix;
mod migrate;
mod ram;
mod state;
mod vm;

#[pymodule]
mod _spapr {
    #[pymodule_export]
    use super::compat::check_pair;
    #[pymodule_export]
    use super::compat::compat_names;
    #[pymodule_export]
    use super::compat::remedy;
    #[pymodule_export]
    use super::config::resolve;
    #[pymodule_export]
    use super::cpu::Cpu;
    #[pymodule_export]
    use super::cpu::disassemble;
    #[pymodule_export]
    use super::cpu::msr_fields;
    #[pymodule_export]
    use super::cpu::spr_names;
    #[pymodule_export]
    use super::explain::Answer;
    #[pymodule_export]
    use super::explain::explain;
    #[pymodule_export]
    use super::explain::machine_versions;
    #[pymodule_export]
    use super::explain::rulesets;
    #[pymodule_export]
    use super::hosts::KvmModel;
    #[pymodule_export]
    use super::hosts::hosts;
    #[pymodule_export]
    use super::hosts::probe_host;
    #[pymodule_export]
    use super::isa::cpu_models;
    #[pymodule_export]
    use super::isa::instruction_rows;
    #[pymodule_export]
    use super::journal::take_log;
    #[pymodule_export]
    use super::matrix::Matrix;
    #[pymodule_export]
    use super::migrate::Incoming;
    #[pymodule_export]
    use super::migrate::Migration;
    #[pymodule_export]
    use super::ram::Ram;
    #[pymodule_export]
    use super::ram::RamView;
    #[pymodule_export]
    use super::state::Snapshot;
    #[pymodule_export]
    use super::state::Stream;
    #[pymodule_export]
    use super::vm::Console;
    #[pymodule_export]
    use super::vm::Vm;
    #[pymodule_export]
    use super::vm::hcall_name;

    /// Version of the package.
    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");
}
