//! `spapr.MachineConfig` to and from the machine's own types.
//!
//! Read by attribute, so that the dataclass stays the one definition of what a user may write. A checked machine goes back as a
//! dictionary of the same names, every default filled in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::FromPyObject;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::prelude::Bound;
use pyo3::prelude::PyAnyMethods;
use pyo3::prelude::PyDictMethods;
use pyo3::prelude::pyfunction;
use pyo3::types::PyAny;
use pyo3::types::PyDict;

use crate::error::Error;
use crate::python::accel::Way;
use crate::python::accel::settle;
use crate::spapr::caps::Cap;
use crate::spapr::host::HOSTS;
use crate::spapr::smp::SmpSettings;
use crate::spapr::spec::MachineSpec;
use crate::spapr::spec::NodeSettings;
use crate::spapr::spec::Settings;
use crate::spapr::spec::check;
use crate::spapr::version::IrqNumbers;

#[derive(FromPyObject)]
pub(super) struct PySmp {
    cpus: Option<u32>,
    sockets: Option<u32>,
    cores: Option<u32>,
    threads: Option<u32>,
    maxcpus: Option<u32>,
}

#[derive(FromPyObject)]
pub(super) struct PyNode {
    memory: Option<u64>,
    cores: Vec<u32>,
}

/// The attributes of `spapr.MachineConfig`.
#[derive(FromPyObject)]
pub struct PyConfig {
    pub(super) accel: String,
    pub(super) icount: bool,
    pub(super) seed: u64,
    machine: String,
    cpu: Option<String>,
    smp: PySmp,
    memory: u64,
    maxmem: Option<u64>,
    numa: Vec<PyNode>,
    numa_distances: Vec<(u32, u32, u8)>,
    vsmt: Option<i64>,
    ruleset: Option<String>,
    host: Option<String>,
    #[pyo3(from_py_with = items)]
    caps: Vec<(String, String)>,
    ic_mode: Option<String>,
    max_cpu_compat: Option<String>,
    resize_hpt: Option<String>,
    kernel_addr: Option<u64>,
    kernel: Option<PathBuf>,
    initrd: Option<PathBuf>,
    append: String,
    name: Option<String>,
    uuid: Option<String>,
    host_model: Option<String>,
    host_serial: Option<String>,
    vtys: Vec<Option<u32>>,
    nvram_bytes: Option<u64>,
    rtc_base: Option<i64>,
    rng: bool,
}

impl From<PySmp> for SmpSettings {
    fn from(py: PySmp) -> SmpSettings {
        let PySmp { cpus, sockets, cores, threads, maxcpus } = py;
        SmpSettings { cpus, sockets, cores, threads, maxcpus }
    }
}

impl From<PyNode> for NodeSettings {
    fn from(py: PyNode) -> NodeSettings {
        NodeSettings { memory: py.memory, cores: py.cores }
    }
}

/// The items of a Python mapping.
pub(super) fn items(mapping: &Bound<'_, PyAny>) -> PyResult<Vec<(String, String)>> {
    mapping.call_method0("items")?.try_iter()?.map(|item| item?.extract()).collect()
}

impl From<PyConfig> for Settings {
    fn from(py: PyConfig) -> Settings {
        Settings {
            machine: py.machine,
            cpu: py.cpu,
            smp: py.smp.into(),
            memory: py.memory,
            maxmem: py.maxmem,
            nodes: py.numa.into_iter().map(NodeSettings::from).collect(),
            distances: py.numa_distances,
            vsmt: py.vsmt,
            ruleset: py.ruleset,
            host: py.host,
            caps: py.caps,
            ic_mode: py.ic_mode,
            max_cpu_compat: py.max_cpu_compat,
            resize_hpt: py.resize_hpt,
            kernel_addr: py.kernel_addr,
            kernel: py.kernel,
            initrd: py.initrd,
            append: py.append,
            name: py.name,
            uuid: py.uuid,
            host_model: py.host_model,
            host_serial: py.host_serial,
            vtys: py.vtys,
            nvram_bytes: py.nvram_bytes,
            rtc_base: py.rtc_base,
            rng: py.rng,
        }
    }
}

/// Checks a configuration: a dictionary of the settled values, and what is odd but starts as `(setting, message, hint)`.
#[pyfunction]
#[allow(clippy::type_complexity, reason = "read once, by the facade")]
pub fn resolve(py: Python<'_>, config: PyConfig) -> PyResult<(Bound<'_, PyDict>, Vec<(String, String, String)>)> {
    let accel = Way::of(&config)?.name;
    let settings = Settings::from(config);
    // An accelerator that is not here is for whoever makes the machine to refuse; the settings can be settled all the same.
    let spec = match settle(&accel, &settings) {
        Ok((_, spec)) => spec,
        Err(Error::Accel { .. }) => check(&settings)?,
        Err(other) => return Err(other.into()),
    };
    let settled = settled(py, &spec)?;
    Ok((settled, spec.warnings.into_iter().map(|w| (w.setting, w.message, w.hint)).collect()))
}

fn settled<'py>(py: Python<'py>, spec: &MachineSpec) -> PyResult<Bound<'py, PyDict>> {
    let caps: BTreeMap<&str, String> = Cap::all().map(|cap| (cap.name(), spec.caps.text(cap))).collect();
    let nodes: Vec<(u64, Vec<u32>)> = spec.nodes.iter().map(|n| (n.memory, n.cpus.iter().map(|c| c.0).collect())).collect();
    let vcpu_ids: Vec<u32> = spec.vsmt.vcpu_ids().map(|id| id.0).collect();
    let smp = &spec.smp;
    let to = PyDict::new(py);
    to.set_item("machine", spec.version.to_string())?;
    to.set_item("cpu", spec.cpu.name)?;
    to.set_item("smp", (smp.cpus, smp.sockets, smp.cores, smp.threads, smp.maxcpus))?;
    to.set_item("memory", spec.ram)?;
    to.set_item("maxmem", spec.maxmem)?;
    to.set_item("numa", nodes)?;
    // As for ic-mode: what was no option then is none now, so that the settled machine can be asked for again.
    to.set_item("vsmt", spec.ruleset.rules().settable.then(|| spec.vsmt.stride()))?;
    to.set_item("stride", spec.vsmt.stride())?;
    to.set_item("ruleset", spec.ruleset.name())?;
    // A host that has no name of its own is wherever the machine is made.
    to.set_item("host", HOSTS.iter().any(|host| host.name == spec.host.name).then_some(spec.host.name))?;
    to.set_item("caps", caps)?;
    // Versions with legacy interrupt numbers do not have the option, not even for its only value.
    let ic_mode = match spec.compat.irq_numbers {
        IrqNumbers::Legacy => None,
        IrqNumbers::Fixed => Some(spec.ic.name()),
    };
    to.set_item("ic_mode", ic_mode)?;
    to.set_item("max_cpu_compat", spec.max_compat.map(|mode| mode.name))?;
    to.set_item("resize_hpt", spec.resize_hpt.name())?;
    to.set_item("kernel_addr", spec.kernel_addr)?;
    to.set_item("vtys", spec.vtys.iter().map(|at| at.0).collect::<Vec<u32>>())?;
    to.set_item("nvram_bytes", spec.nvram_bytes)?;
    to.set_item("vcpu_ids", vcpu_ids)?;
    Ok(to)
}
