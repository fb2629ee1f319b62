//! Saved state in Python: values as dictionaries, `_spapr.Snapshot`, `_spapr.Stream`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use pyo3::Bound;
use pyo3::IntoPyObject;
use pyo3::Py;
use pyo3::PyAny;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::prelude::PyDictMethods;
use pyo3::prelude::pyclass;
use pyo3::prelude::pymethods;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;
use pyo3::types::PyList;

use crate::error::Error;
use crate::python::accel::settle;
use crate::python::held::Held;
use crate::python::vm::Vm;
use crate::spapr::spec::Settings;
use crate::state::Value;
use crate::vm::inspect;
use crate::vm::inspect::Shown;

/// A value as Python has it: `None`, `bool`, `int`, `str`, `bytes`, `list`, `dict`.
pub(super) fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Nothing => py.None().into_bound(py),
        Value::Flag(v) => v.into_pyobject(py)?.to_owned().into_any(),
        Value::Int(v) => v.into_pyobject(py)?.into_any(),
        Value::Text(v) => v.into_pyobject(py)?.into_any(),
        Value::Bytes(v) => PyBytes::new(py, v).into_any(),
        Value::List(items) => PyList::new(py, items.iter().map(|v| object(py, v)).collect::<PyResult<Vec<_>>>()?)?.into_any(),
        Value::Map(fields) => {
            let to = PyDict::new(py);
            for (name, value) in fields {
                to.set_item(name, object(py, value)?)?;
            }
            to.into_any()
        }
    })
}

/// A section: name, instance, fields.
pub(super) type Section = (String, u32, Py<PyAny>);

pub(super) fn sections(py: Python<'_>, all: &[Shown]) -> PyResult<Vec<Section>> {
    all.iter().map(|s| Ok((s.name.clone(), s.instance, object(py, &s.value)?.unbind()))).collect()
}

/// What a machine was built from, by the names of `spapr.MachineConfig`.
pub(super) fn settings<'py>(py: Python<'py>, s: &Settings) -> PyResult<Bound<'py, PyDict>> {
    let to = PyDict::new(py);
    let nodes: Vec<(Option<u64>, Vec<u32>)> = s.nodes.iter().map(|n| (n.memory, n.cores.clone())).collect();
    to.set_item("machine", &s.machine)?;
    to.set_item("cpu", &s.cpu)?;
    to.set_item("smp", (s.smp.cpus, s.smp.sockets, s.smp.cores, s.smp.threads, s.smp.maxcpus))?;
    to.set_item("memory", s.memory)?;
    to.set_item("maxmem", s.maxmem)?;
    to.set_item("numa", nodes)?;
    to.set_item("numa_distances", &s.distances)?;
    to.set_item("vsmt", s.vsmt)?;
    to.set_item("ruleset", &s.ruleset)?;
    to.set_item("host", &s.host)?;
    to.set_item("caps", &s.caps)?;
    to.set_item("ic_mode", &s.ic_mode)?;
    to.set_item("max_cpu_compat", &s.max_cpu_compat)?;
    to.set_item("resize_hpt", &s.resize_hpt)?;
    to.set_item("kernel_addr", s.kernel_addr)?;
    to.set_item("kernel", s.kernel.as_ref().map(|p| p.to_string_lossy().into_owned()))?;
    to.set_item("initrd", s.initrd.as_ref().map(|p| p.to_string_lossy().into_owned()))?;
    to.set_item("append", &s.append)?;
    to.set_item("name", &s.name)?;
    to.set_item("uuid", &s.uuid)?;
    to.set_item("host_model", &s.host_model)?;
    to.set_item("host_serial", &s.host_serial)?;
    to.set_item("vtys", &s.vtys)?;
    to.set_item("nvram_bytes", s.nvram_bytes)?;
    to.set_item("rtc_base", s.rtc_base)?;
    to.set_item("rng", s.rng)?;
    Ok(to)
}

/// A machine's state at one moment, in memory.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Snapshot(Mutex<Option<Arc<crate::vm::Snapshot>>>);

impl Snapshot {
    pub(super) fn new(of: crate::vm::Snapshot) -> Snapshot {
        Snapshot(Mutex::new(Some(Arc::new(of))))
    }
}

#[pymethods]
impl Snapshot {
    /// Makes a machine that goes on from here. It stands until it is resumed.
    fn fork(&self, py: Python<'_>, accel: Option<&str>) -> PyResult<Vm> {
        let snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let snapshot = snapshot.ok_or_else(|| Error::Snapshot {
            doing: "fork".into(),
            problem: "the snapshot is closed".into(),
            hint: "fork before close(), or take another snapshot".into(),
        })?;
        let accel = accel.map(|name| settle(name, &snapshot.spec().settings)).transpose()?;
        let vm = py.detach(|| snapshot.fork(accel.map(|(kind, _)| kind)))?;
        Ok(Vm::of(Held::new(vm)))
    }

    /// Lets the frozen memory go. Machines that were forked keep theirs.
    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A difference: path, this side's value, the other's.
type Difference = (String, Py<PyAny>, Py<PyAny>);

/// An opened stream.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Stream(inspect::Stream);

#[pymethods]
impl Stream {
    /// Opens a stream and checks all of it.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Stream> {
        Ok(Stream(py.detach(|| inspect::Stream::open(&path))?))
    }

    /// Name, instance and fields of every section.
    fn sections(&self, py: Python<'_>) -> PyResult<Vec<Section>> {
        sections(py, self.0.sections())
    }

    /// Which memory there is, and how many bytes of it are not zero.
    fn memory(&self) -> Vec<(String, u64)> {
        self.0.memory()
    }

    /// Bytes of a memory; zero where there are none.
    fn read<'py>(&self, py: Python<'py>, name: &str, at: u64, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.read(name, at, size)?))
    }

    /// Entries of a hash table that are not zero: number, both doublewords, and log2 of the base and actual page size.
    #[allow(clippy::type_complexity, reason = "read once, by the facade")]
    fn hash_table(&self, py: Python<'_>, name: &str) -> PyResult<Vec<(u64, u64, u64, Option<(u32, u32)>)>> {
        let entries = py.detach(|| self.0.hash_table(name))?;
        Ok(entries.into_iter().map(|(ptex, e)| (ptex, e.v, e.r, e.page_shifts())).collect())
    }

    /// What differs from another stream, at most `most` places.
    fn diff(&self, py: Python<'_>, other: &Stream, most: usize) -> PyResult<Vec<Difference>> {
        let found = py.detach(|| self.0.diff(&other.0, most))?;
        let side = |v: &Option<Value>| v.as_ref().map_or(Ok(py.None()), |v| Ok::<_, pyo3::PyErr>(object(py, v)?.unbind()));
        found.into_iter().map(|d| Ok((d.path, side(&d.left)?, side(&d.right)?))).collect()
    }
}
