//! `_spapr.Ram` and `_spapr.RamView`: guest RAM by copy, or in place.
//!
//! A view is Python's buffer protocol over guest memory, read-only. It is exact and free of races because it exists only while no
//! vCPU runs: `Held` counts views and refuses to let the machine go on while there are any.
// UNSAFETY: Python's buffer protocol hands out a raw pointer; see docs/safety.md.
#![expect(unsafe_code, reason = "Python's buffer protocol hands out a raw pointer")]

use std::ffi::c_int;
use std::sync::Arc;

use pyo3::Bound;
use pyo3::PyErr;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::ffi;
use pyo3::prelude::pyclass;
use pyo3::prelude::pymethods;
use pyo3::types::PyBytes;

use crate::error::Error;
use crate::memory::GuestMemory;
use crate::python::held::Held;
use crate::units::Ra;

/// Guest RAM.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Ram(Arc<Held>);

impl Ram {
    pub(super) fn new(held: Arc<Held>) -> Ram {
        Ram(held)
    }
}

fn outside(memory: &GuestMemory, at: u64, len: u64) -> Error {
    Error::Memory { at, len, ram: memory.size() }
}

#[pymethods]
impl Ram {
    /// Bytes of RAM.
    fn size(&self) -> PyResult<u64> {
        Ok(self.0.vm("ram.size")?.memory().size())
    }

    /// Copies bytes out, also while vCPUs run.
    fn read<'py>(&self, py: Python<'py>, at: u64, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        let vm = self.0.vm("ram.read")?;
        if !vm.memory().contains(Ra(at), size as u64) {
            return Err(outside(vm.memory(), at, size as u64).into());
        }
        PyBytes::new_with(py, size, |to| vm.memory().read(Ra(at), to).map_err(|_| outside(vm.memory(), at, size as u64).into()))
    }

    /// Copies bytes in, also while vCPUs run.
    fn write(&self, at: u64, data: &[u8]) -> PyResult<()> {
        let vm = self.0.vm("ram.write")?;
        Ok(vm.memory().write(Ra(at), data).map_err(|_| outside(vm.memory(), at, data.len() as u64))?)
    }

    /// Shows bytes in place, read-only, while no vCPU runs.
    fn view(&self, at: u64, size: usize) -> PyResult<RamView> {
        let vm = self.0.vm("ram.view")?;
        if !vm.memory().contains(Ra(at), size as u64) {
            return Err(outside(vm.memory(), at, size as u64).into());
        }
        Ok(RamView { held: Arc::clone(&self.0), at, size })
    }
}

/// A range of guest RAM as a buffer.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct RamView {
    held: Arc<Held>,
    at: u64,
    size: usize,
}

#[pymethods]
impl RamView {
    /// Fills in a buffer request (PEP 3118).
    unsafe fn __getbuffer__(this: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let RamView { held, at, size } = this.get();
        let vm = held.view()?;
        let keep = Box::new(Arc::clone(vm.memory()));
        let Some(start) = keep.host(Ra(*at), *size as u64) else {
            held.view_ends();
            return Err(outside(&keep, *at, *size as u64).into());
        };
        // SAFETY: `view` is the caller's to be filled in, or null, which FillInfo refuses. `start` is valid for `size` bytes, as `host`
        // has checked, for as long as `keep` lives: until `__releasebuffer__`. The buffer is read-only, and no vCPU writes to it, since
        // `Held::view` has counted it.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, this.as_ptr(), start.cast(), *size as ffi::Py_ssize_t, 1, flags) };
        if filled != 0 {
            held.view_ends();
            return Err(PyErr::fetch(this.py()));
        }
        // SAFETY: FillInfo succeeded, so `view` is not null; `internal` is the exporter's own.
        unsafe { (*view).internal = Box::into_raw(keep).cast() };
        Ok(())
    }

    /// Ends a buffer.
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: Python releases a buffer once, with the `view` that `__getbuffer__` filled in.
        drop(unsafe { Box::from_raw((*view).internal.cast::<Arc<GuestMemory>>()) });
        self.held.view_ends();
    }
}
