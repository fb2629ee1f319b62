//! `spapr.explain` and the names that it knows.

use numpy::PyArray1;
use pyo3::Bound;
use pyo3::Py;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::prelude::pyclass;
use pyo3::prelude::pyfunction;

use crate::spapr::explain::Question;
use crate::spapr::version::Version;
use crate::spapr::vsmt::rules::RULES;

/// What would happen; the fields are those of `spapr.Explanation`.
#[pyclass(frozen, get_all, module = "spapr._spapr")]
pub struct Answer {
    ruleset: &'static str,
    outcome: &'static str,
    qemu_outcome: &'static str,
    vsmt: Option<u32>,
    origin: &'static str,
    vcpu_ids: Py<PyArray1<u32>>,
    max_server_number: Option<u32>,
    advertised_servers: Option<u32>,
    ic_mode: Option<&'static str>,
    kernel_mode: Option<u32>,
    message: String,
    hint: String,
}

/// Asks what a machine comes to, without starting anything.
#[pyfunction]
#[pyo3(signature = (*, ruleset=None, machine, host, threads, vsmt=None, cpus=None, max_cpus=None, ic_mode=None, cpu=None, max_cpu_compat=None))]
#[allow(clippy::too_many_arguments, reason = "they are keyword arguments of one Python call")]
pub fn explain(
    py: Python<'_>,
    ruleset: Option<&str>,
    machine: &str,
    host: &str,
    threads: u32,
    vsmt: Option<i64>,
    cpus: Option<u32>,
    max_cpus: Option<u32>,
    ic_mode: Option<&str>,
    cpu: Option<&str>,
    max_cpu_compat: Option<&str>,
) -> PyResult<Answer> {
    let question = Question { ruleset, machine, host, threads, vsmt, cpus, max_cpus, ic_mode, cpu, max_cpu_compat };
    let answer = crate::spapr::explain::explain(&question)?;
    let ids: Bound<'_, PyArray1<u32>> = PyArray1::from_vec(py, answer.vcpu_ids);
    Ok(Answer {
        ruleset: answer.ruleset,
        outcome: answer.outcome,
        qemu_outcome: answer.qemu_outcome,
        vsmt: answer.vsmt,
        origin: answer.origin,
        vcpu_ids: ids.unbind(),
        max_server_number: answer.max_server_number,
        advertised_servers: answer.advertised_servers,
        ic_mode: answer.ic.map(|ic| ic.name()),
        kernel_mode: answer.kernel_mode,
        message: answer.message,
        hint: answer.hint,
    })
}

/// The names of the rulesets, oldest first.
#[pyfunction]
pub fn rulesets() -> Vec<&'static str> {
    RULES.iter().map(|rules| rules.name).collect()
}

/// The machine versions, newest first.
#[pyfunction]
pub fn machine_versions() -> Vec<String> {
    Version::all().map(|version| version.to_string()).collect()
}
