//! The instruction set, for those who make up instructions: `spapr.testing.strategies`.

use pyo3::prelude::pyfunction;

use crate::isa::cpu_model::MODELS;

use crate::isa::table::Traits;
use crate::isa::table::rows;

/// Each instruction: mnemonic, the bits that are fixed, what they are, and whether it is privileged, ends a run of instructions, or is 64 bits long.
#[pyfunction]
pub fn instruction_rows() -> Vec<(&'static str, u64, u64, bool, bool, bool)> {
    let privileged = |traits: Traits| traits.has(Traits::PRIVILEGED) || traits.has(Traits::HYPERVISOR);
    rows().map(|r| (r.name, r.mask, r.value, privileged(r.traits), r.traits.has(Traits::ENDS), r.is_prefixed())).collect()
}

/// The names of the processor models.
#[pyfunction]
pub fn cpu_models() -> Vec<&'static str> {
    MODELS.iter().map(|model| model.name).collect()
}
