//! `_spapr.Matrix`: the engine behind `spapr.Matrix`, numbers in numpy arrays.

use numpy::PyArray1;
use numpy::PyReadonlyArray1;
use pyo3::Bound;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::prelude::FromPyObject;
use pyo3::prelude::PyAnyMethods;
use pyo3::prelude::pyclass;
use pyo3::prelude::pymethods;
use pyo3::types::PyAny;

use crate::error::Error;
use crate::python::compat::Row;
use crate::python::compat::rows;
use crate::python::config::PyConfig;
use crate::python::config::PyNode;
use crate::python::config::PySmp;
use crate::python::config::items;
use crate::spapr::compat::matrix;
use crate::spapr::compat::matrix::Axis;
use crate::spapr::compat::matrix::Change;
use crate::spapr::compat::matrix::Scope;
use crate::spapr::spec::Settings;

/// An axis as Python gives it: `both`, `source` or `destination`; the setting; its values in the form that a configuration holds.
type Given<'py> = (String, String, Vec<Bound<'py, PyAny>>);

/// A product of axes over a source and a destination.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Matrix(matrix::Matrix);

/// What came of cells: verdicts, first reasons (255: none), and all reasons, a bit each.
type Outcomes<'py> = (Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<u8>>, Bound<'py, PyArray1<u64>>);

#[pymethods]
impl Matrix {
    /// A matrix over two configurations.
    #[new]
    fn new(source: PyConfig, destination: PyConfig, axes: Vec<Given<'_>>) -> PyResult<Matrix> {
        let axes = axes.into_iter().map(axis).collect::<PyResult<Vec<Axis>>>()?;
        Ok(Matrix(matrix::Matrix::new(Settings::from(source), Settings::from(destination), axes)?))
    }

    /// How many cells there are.
    #[getter]
    fn cells(&self) -> u64 {
        self.0.cells()
    }

    /// What comes of these cells.
    fn check<'py>(&self, py: Python<'py>, cells: PyReadonlyArray1<'py, i64>) -> PyResult<Outcomes<'py>> {
        let array = cells.as_array();
        let known = |&cell: &i64| u64::try_from(cell).ok().filter(|&cell| cell < self.0.cells()).ok_or(cell);
        let cells: Result<Vec<u64>, i64> = array.iter().map(known).collect();
        let cells = cells.map_err(|cell| no_cell(cell, self.0.cells()))?;
        let outcomes = py.detach(|| self.0.check(&cells));
        let verdicts = outcomes.iter().map(|outcome| outcome.verdict as u8);
        let firsts = outcomes.iter().map(|outcome| outcome.first.map_or(u8::MAX, |code| code as u8));
        Ok((
            PyArray1::from_iter(py, verdicts),
            PyArray1::from_iter(py, firsts),
            PyArray1::from_iter(py, outcomes.iter().map(|outcome| outcome.codes)),
        ))
    }

    /// What comes of one cell, in words, as `check` of its two configurations.
    fn explain(&self, cell: i64) -> PyResult<(&'static str, Vec<Row>)> {
        match u64::try_from(cell) {
            Ok(at) if at < self.0.cells() => Ok(rows(self.0.explain(at))),
            Ok(_) | Err(_) => Err(no_cell(cell, self.0.cells()).into()),
        }
    }
}

fn no_cell(cell: i64, cells: u64) -> Error {
    Error::config("cell", format!("there is no cell {cell}"), format!("use 0 to {}", cells - 1))
}

fn axis((scope, setting, values): Given<'_>) -> PyResult<Axis> {
    let scope = match scope.as_str() {
        "both" => Scope::Both,
        "source" => Scope::Source,
        _ => Scope::Destination,
    };
    Ok(Axis { scope, values: values.iter().map(|value| change(&setting, value)).collect::<PyResult<Vec<Change>>>()? })
}

/// A change that sets a field to what Python gives.
fn set<'py, T>(value: &Bound<'py, PyAny>, set: fn(&mut Settings, T)) -> PyResult<Change>
where
    T: Clone + Send + Sync + 'static + for<'a> FromPyObject<'a, 'py>,
{
    let value: T = value.extract().map_err(Into::into)?;
    Ok(Box::new(move |settings| set(settings, value.clone())))
}

/// What a value of a setting's axis changes.
fn change(setting: &str, value: &Bound<'_, PyAny>) -> PyResult<Change> {
    match setting {
        "machine" => set(value, |s, v| s.machine = v),
        "cpu" => set(value, |s, v| s.cpu = v),
        "memory" => set(value, |s, v| s.memory = v),
        "maxmem" => set(value, |s, v| s.maxmem = v),
        "vsmt" => set(value, |s, v| s.vsmt = v),
        "ruleset" => set(value, |s, v| s.ruleset = v),
        "host" => set(value, |s, v| s.host = v),
        "ic_mode" => set(value, |s, v| s.ic_mode = v),
        "max_cpu_compat" => set(value, |s, v| s.max_cpu_compat = v),
        "resize_hpt" => set(value, |s, v| s.resize_hpt = v),
        "uuid" => set(value, |s, v| s.uuid = v),
        "vtys" => set(value, |s, v| s.vtys = v),
        "nvram_bytes" => set(value, |s, v| s.nvram_bytes = v),
        "rng" => set(value, |s, v| s.rng = v),
        "numa_distances" => set(value, |s, v| s.distances = v),
        "cpus" => set(value, |s, v| s.smp.cpus = v),
        "sockets" => set(value, |s, v| s.smp.sockets = v),
        "cores" => set(value, |s, v| s.smp.cores = v),
        "threads" => set(value, |s, v| s.smp.threads = v),
        "maxcpus" => set(value, |s, v| s.smp.maxcpus = v),
        "smp" => {
            let smp = value.extract::<PySmp>()?.into();
            Ok(Box::new(move |settings| settings.smp = smp))
        }
        "numa" => {
            let nodes: Vec<_> = value.extract::<Vec<PyNode>>()?.into_iter().map(Into::into).collect();
            Ok(Box::new(move |settings| settings.nodes.clone_from(&nodes)))
        }
        "caps" => {
            let caps = items(value)?;
            Ok(Box::new(move |settings| settings.caps.clone_from(&caps)))
        }
        other => match other.strip_prefix("cap-") {
            Some(name) => {
                let cap = (name.to_string(), value.extract::<String>()?);
                Ok(Box::new(move |settings| {
                    settings.caps.retain(|(have, _)| have.strip_prefix("cap-").unwrap_or(have) != cap.0);
                    settings.caps.push(cap.clone());
                }))
            }
            None => Err(Error::config(other, "no axis can change that", "use a setting of the machine that migration depends on").into()),
        },
    }
}
