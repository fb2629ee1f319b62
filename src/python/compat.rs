//! `spapr.check`: may this guest move there?

use pyo3::Bound;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::prelude::PyAnyMethods;
use pyo3::prelude::PyDictMethods;
use pyo3::prelude::pyfunction;
use pyo3::types::PyAny;
use pyo3::types::PyDict;

use crate::python::config::PyConfig;
use crate::python::vm::Vm;
use crate::spapr::compat::Code;
use crate::spapr::compat::Judgement;
use crate::spapr::compat::Reason;
use crate::spapr::compat::Side;
use crate::spapr::compat::Verdict;
use crate::spapr::compat::judge;
use crate::spapr::compat::mend;
use crate::spapr::spec::Settings;

/// A reason: the fields of `spapr.Reason` in their order, from `code` to `qemu_message`.
pub(super) type Row = (String, &'static str, String, String, String, String, String, &'static str, String);

/// Compares a source and a destination, each a configuration or a machine: the verdict, and the reasons.
#[pyfunction]
#[pyo3(name = "check")]
pub fn check_pair(source: &Bound<'_, PyAny>, destination: &Bound<'_, PyAny>) -> PyResult<(&'static str, Vec<Row>)> {
    Ok(rows(judge(&side(source)?, &side(destination)?)))
}

/// The explicit `vsmt` with which a guest of one configuration moves to another, if it does not without.
#[pyfunction]
pub fn remedy(source: PyConfig, destination: PyConfig) -> Option<String> {
    mend(&Settings::from(source), &Settings::from(destination)).map(|remedy| remedy.to_string())
}

/// A configuration's side, or a machine's with what its guest has chosen.
fn side(of: &Bound<'_, PyAny>) -> PyResult<Side> {
    if let Ok(vm) = of.cast::<Vm>() {
        return vm.get().side();
    }
    Ok(Side::of(&Settings::from(of.extract::<PyConfig>()?)))
}

pub(super) fn rows(judgement: Judgement) -> (&'static str, Vec<Row>) {
    (judgement.verdict.text(), judgement.reasons.into_iter().map(row).collect())
}

fn row(reason: Reason) -> Row {
    let (outcome, message) = (reason.qemu.outcome(), reason.qemu.message().to_string());
    let Reason { code, weight, setting, source, destination, problem, change, .. } = reason;
    (code.name().into_owned(), weight.text(), setting.into_owned(), source, destination, problem, change, outcome, message)
}

/// The verdicts and the codes of reasons, each in the order of their numbers.
#[pyfunction]
pub fn compat_names(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let to = PyDict::new(py);
    to.set_item("verdicts", Verdict::ALL.map(Verdict::text))?;
    to.set_item("codes", Code::all().map(|code| code.name().into_owned()).collect::<Vec<_>>())?;
    Ok(to)
}
