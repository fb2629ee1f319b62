//! `spapr.HOSTS`, `spapr.probe_host()`, and a host's kernel to ask call by call.

use std::sync::Mutex;
use std::sync::PoisonError;

use pyo3::Bound;
use pyo3::PyErr;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::PyDictMethods;
use pyo3::prelude::pyclass;
use pyo3::prelude::pyfunction;
use pyo3::prelude::pymethods;
use pyo3::types::PyDict;

use crate::error::Error;
use crate::spapr::caps::Cap;
use crate::spapr::host::Grants;
use crate::spapr::host::HOSTS;
use crate::spapr::host::HostProfile;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;
use crate::spapr::host::kernel;
use crate::spapr::host::probe;
use crate::spapr::host::probe::Facts;
use crate::spapr::options::MmuModes;

/// The host profiles: the fields of `spapr.HostProfile`.
#[pyfunction]
pub fn hosts(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    HOSTS.iter().map(|host| profile(py, host)).collect()
}

fn profile<'py>(py: Python<'py>, host: &HostProfile) -> PyResult<Bound<'py, PyDict>> {
    let to = PyDict::new(py);
    let (kind, vcores, threads) = match host.kind {
        Kind::Emulated { max_threads } => ("emulation", None, Some(max_threads)),
        Kind::Hv(Vcores::Strict) => ("kvm-hv", Some("strict"), None),
        Kind::Hv(Vcores::Loose) => ("kvm-hv", Some("loose"), None),
        Kind::Pr => ("kvm-pr", None, None),
    };
    let cpu = host.processor();
    let modes: Vec<u32> = host.modes().collect();
    to.set_item("name", host.name)?;
    to.set_item("about", host.about)?;
    to.set_item("kind", kind)?;
    to.set_item("linux", host.linux)?;
    to.set_item("cpu", cpu.map(|cpu| cpu.name))?;
    to.set_item("pvr", cpu.map(|cpu| cpu.pvr))?;
    to.set_item("compat_modes", cpu.map_or_else(Vec::new, |cpu| cpu.modes(None).map(|mode| mode.name).collect()))?;
    to.set_item("default_smt", host.smt)?;
    to.set_item("settable_modes", modes.iter().rev().filter(|mode| host.set_smt(**mode).is_ok()).collect::<Vec<_>>())?;
    to.set_item("possible", if host.is_kvm() { host.possible } else { 0 })?;
    to.set_item("vcores", vcores)?;
    to.set_item("max_threads", threads)?;
    to.set_item("vcpu_id_end", host.is_kvm().then_some(host.vcpu_id_end))?;
    to.set_item("max_vcpus", host.is_kvm().then_some(host.vcpus_max))?;
    to.set_item("mmu", mmu(host.mmu))?;
    to.set_item("caps", if host.is_kvm() { ceilings(&host.grants) } else { Vec::new() })?;
    Ok(to)
}

/// The highest level of each capability in which a kernel has a say.
fn ceilings(grants: &Grants) -> Vec<(&'static str, String)> {
    let said = |cap: &Cap| grants.ceiling(*cap) != u8::MAX;
    Cap::all().filter(said).map(|cap| (cap.name(), cap.text(grants.ceiling(cap)))).collect()
}

fn mmu(modes: MmuModes) -> Vec<&'static str> {
    [("hash", modes.hash), ("radix", modes.radix)].into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect()
}

/// What this machine is: the fields of `spapr.HostReport`.
#[pyfunction]
pub fn probe_host(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let found = probe::here();
    let to = PyDict::new(py);
    to.set_item("architecture", found.architecture)?;
    to.set_item("linux", found.linux)?;
    to.set_item("kvm", found.kvm)?;
    to.set_item("profile", found.profile.name)?;
    to.set_item("facts", found.facts.map(|facts| facts_of(py, &facts)).transpose()?)?;
    Ok(to)
}

fn facts_of<'py>(py: Python<'py>, facts: &Facts) -> PyResult<Bound<'py, PyDict>> {
    let to = PyDict::new(py);
    for (name, number) in [
        ("pvr", facts.pvr),
        ("default_smt", facts.smt),
        ("possible", facts.possible),
        ("max_vcpus", facts.vcpus_max),
        ("vcpu_id_end", facts.vcpu_id_end),
    ] {
        to.set_item(name, number)?;
    }
    to.set_item("pr", facts.pr)?;
    to.set_item("mmu", mmu(facts.mmu))?;
    to.set_item("caps", ceilings(&facts.grants))?;
    Ok(to)
}

/// What a kernel answers as a virtual machine is set up, with its errnos.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct KvmModel(Mutex<kernel::Vm>);

impl KvmModel {
    fn with<T>(&self, ask: impl FnOnce(&mut kernel::Vm) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn refused(errno: i32, call: &str) -> PyErr {
    PyOSError::new_err((errno, format!("{call}: {}", std::io::Error::from_raw_os_error(errno))))
}

#[pymethods]
impl KvmModel {
    /// KVM_CREATE_VM on a host of that name.
    #[new]
    fn new(host: &str) -> PyResult<KvmModel> {
        let profile = HostProfile::named(host)?;
        let vm = kernel::Vm::new(profile);
        let none = || Error::config("host", format!("{host} has no KVM"), "use a host whose kind is kvm-hv or kvm-pr");
        Ok(KvmModel(Mutex::new(vm.ok_or_else(none)?)))
    }

    /// KVM_CAP_PPC_SMT of the machine.
    #[getter]
    fn smt(&self) -> u32 {
        self.with(|vm| vm.smt())
    }

    /// KVM_CAP_PPC_SMT_POSSIBLE.
    #[getter]
    fn possible(&self) -> u32 {
        self.with(|vm| vm.possible())
    }

    /// KVM_CAP_MAX_VCPU_ID.
    #[getter]
    fn vcpu_id_end(&self) -> u32 {
        self.with(|vm| vm.vcpu_id_end())
    }

    /// KVM_ENABLE_CAP(KVM_CAP_PPC_SMT); an `OSError` with the kernel's errno if it is refused.
    #[pyo3(signature = (mode, flags=0))]
    fn enable_smt(&self, mode: u64, flags: u64) -> PyResult<()> {
        self.with(|vm| vm.enable_smt(mode, flags))
            .map_err(|errno| refused(errno, &format!("KVM_ENABLE_CAP(KVM_CAP_PPC_SMT, {mode}, {flags})")))
    }

    /// KVM_CREATE_VCPU; an `OSError` with the kernel's errno if it is refused.
    fn create_vcpu(&self, id: u32) -> PyResult<()> {
        self.with(|vm| vm.create_vcpu(id)).map_err(|errno| refused(errno, &format!("KVM_CREATE_VCPU({id})")))
    }
}
