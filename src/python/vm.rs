//! `_spapr.Vm` and `_spapr.Console`: a machine's life, and the host end of its terminals.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::Bound;
use pyo3::PyAny;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::prelude::PyAnyMethods;
use pyo3::prelude::pyclass;
use pyo3::prelude::pymethods;
use pyo3::types::PyBytes;
use pyo3::types::PyDict;

use crate::accel::Watch;
use crate::accel::Watched;
use crate::mmu::Access;
use crate::python::accel::Way;
use crate::python::accel::settle;
use crate::python::config::PyConfig;
use crate::python::cpu::Cpu;
use crate::python::held::Held;
use crate::python::journal;
use crate::python::migrate;
use crate::python::migrate::Migration;
use crate::python::migrate::Wishes;
use crate::python::ram::Ram;
use crate::python::state::Section;
use crate::python::state::Snapshot;
use crate::python::state::sections;
use crate::python::state::settings;
use crate::spapr::compat::Description;
use crate::spapr::compat::Side;
use crate::spapr::hcall;
use crate::spapr::machine::Machine;
use crate::spapr::spec::Settings;
use crate::state::bulk::Compression;
use crate::state::file::Durability;
use crate::units::CpuIndex;
use crate::units::Ea;
use crate::vm::CheckpointOptions;
use crate::vm::Status;
use crate::vm::StopReason;

/// A machine and its threads.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Vm(Arc<Held>);

/// A hypercall as recorded: vCPU, number, arguments, r3 after it.
type Hcall = (u32, u64, [u64; 9], Option<i64>);

impl Vm {
    /// The machine and what its guest has chosen so far, as the rules of compatibility see it.
    pub(super) fn side(&self) -> PyResult<Side> {
        let look = |m: &mut Machine| Side::Starts(Box::new(Description::now(m, "")), m.spec.warnings.clone());
        Ok(self.0.vm("check")?.with_machine(look))
    }
}

/// A Python timeout in seconds; what no clock can hold is for ever.
fn duration(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|s| Duration::try_from_secs_f64(s.max(0.0)).ok())
}

impl Vm {
    pub(super) fn of(held: Arc<Held>) -> Vm {
        Vm(held)
    }

    pub(super) fn held(&self) -> &Arc<Held> {
        &self.0
    }
}

#[pymethods]
impl Vm {
    /// Builds a machine and loads its images; nothing runs yet.
    #[new]
    fn new(py: Python<'_>, config: PyConfig) -> PyResult<Vm> {
        journal::install();
        let wishes = Way::of(&config)?;
        let settings = Settings::from(config);
        let vm = py.detach(|| {
            let (options, spec) = wishes.settle(&settings)?;
            crate::vm::Vm::new(spec, options)
        })?;
        Ok(Vm(Held::new(vm)))
    }

    /// Builds a machine for a guest that arrives by migration.
    #[staticmethod]
    fn incoming(py: Python<'_>, config: PyConfig) -> PyResult<Vm> {
        journal::install();
        let wishes = Way::of(&config)?;
        let settings = Settings::from(config);
        let vm = py.detach(|| {
            let (options, spec) = wishes.settle(&settings)?;
            crate::vm::Vm::incoming(spec, options)
        })?;
        Ok(Vm(Held::new(vm)))
    }

    /// Begins to move the guest: to another machine, or to an address.
    fn migrate(&self, to: &Bound<'_, PyAny>, wishes: Wishes) -> PyResult<Migration> {
        match to.cast::<Vm>() {
            Ok(vm) => migrate::to_machine(self, vm.get(), &wishes),
            Err(_) => migrate::to_address(self, &to.extract::<String>()?, &wishes),
        }
    }

    /// Lets a guest run that may run elsewhere, of which the user knows better.
    fn resume_unconfirmed(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.unwatched("run", crate::vm::Vm::resume_unconfirmed))
    }

    /// Lets the vCPUs run, at most for so many instructions of all together.
    fn resume(&self, py: Python<'_>, instructions: Option<u64>) -> PyResult<()> {
        py.detach(|| {
            self.0.unwatched("run", |vm| match instructions {
                None => vm.resume(),
                Some(count) => vm.resume_for(count),
            })
        })
    }

    /// The same, until the guest says something too.
    fn resume_until_output(&self, py: Python<'_>, instructions: Option<u64>) -> PyResult<()> {
        py.detach(|| self.0.unwatched("run", |vm| vm.resume_until_output(instructions)))
    }

    /// BLAKE3 of what the guest did so far.
    fn run_digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let vm = self.0.vm("run_digest")?;
        Ok(PyBytes::new(py, &py.detach(|| vm.run_digest())?))
    }

    /// Stops all vCPUs.
    fn pause(&self, py: Python<'_>) -> PyResult<()> {
        let vm = self.0.vm("pause")?;
        py.detach(|| vm.pause());
        Ok(())
    }

    /// Starts the machine from its images again.
    fn reset(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.unwatched("reset", crate::vm::Vm::reset))
    }

    /// Asks the guest to shut down.
    fn powerdown(&self) -> PyResult<()> {
        self.0.vm("shutdown")?.powerdown();
        Ok(())
    }

    /// Raises a system reset interrupt on every vCPU.
    fn nmi(&self) -> PyResult<()> {
        self.0.vm("nmi")?.nmi();
        Ok(())
    }

    /// Ends the machine; the consoles' logs stay.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        Ok(py.detach(|| self.0.close())?)
    }

    /// QEMU's name of the run state; why the machine stopped, in one word; and what is said of it.
    fn status(&self) -> PyResult<(&'static str, &'static str, String)> {
        let (status, reason) = self.0.status()?;
        let (why, text) = match reason {
            StopReason::None => ("none", String::new()),
            StopReason::User => ("user", String::new()),
            StopReason::Budget => ("instructions", String::new()),
            StopReason::Watchpoint { cpu, at, bytes, access } => {
                let what = if access == Access::Store { "stores" } else { "loads" };
                ("watchpoint", format!("cpu {cpu} {what} {bytes} bytes at {:#x}", at.0))
            }
            StopReason::Output => ("output", String::new()),
            StopReason::Breakpoint(cpu) => ("breakpoint", format!("cpu {cpu}")),
            StopReason::Guest(text) => ("guest", text),
            StopReason::Internal(text) => ("internal-error", text),
        };
        Ok((status.name(), why, text))
    }

    /// Waits until the machine does not run; whether it came to that.
    fn wait(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let vm = self.0.vm("wait")?;
        let stopped = self.0.patiently(py, duration(timeout), |left| Ok((vm.wait(Some(left)) != Status::Running).then_some(())))?;
        Ok(stopped.is_some())
    }

    /// Executes one instruction of one vCPU.
    fn step(&self, py: Python<'_>, cpu: u32) -> PyResult<()> {
        py.detach(|| self.0.unwatched("step", |vm| vm.step(CpuIndex(cpu))))
    }

    /// How many terminals there are.
    fn consoles(&self) -> usize {
        self.0.consoles()
    }

    /// A terminal.
    fn console(&self, index: usize) -> Console {
        Console { held: Arc::clone(&self.0), index }
    }

    /// A copy of a vCPU's registers.
    fn cpu(&self, py: Python<'_>, cpu: u32) -> PyResult<Cpu> {
        let vm = self.0.vm("read registers")?;
        Ok(py.detach(|| Cpu::read(&vm, CpuIndex(cpu)))?)
    }

    /// Changes a register of a vCPU.
    fn set_register(&self, cpu: u32, name: &str, value: u64) -> PyResult<()> {
        let vm = self.0.vm("write registers")?;
        Ok(Cpu::write(&vm, CpuIndex(cpu), name, value)?)
    }

    /// Guest RAM.
    fn ram(&self) -> Ram {
        Ram::new(Arc::clone(&self.0))
    }

    /// The guest real address of a vCPU's effective address; None if it has no translation.
    fn translate(&self, cpu: u32, ea: u64) -> PyResult<Option<u64>> {
        Ok(self.0.vm("translate")?.translate(CpuIndex(cpu), ea)?)
    }

    /// Instructions executed by each vCPU.
    fn instructions(&self) -> PyResult<Vec<u64>> {
        Ok(self.0.vm("count instructions")?.instructions()?)
    }

    /// What the accelerator counted about itself.
    fn accel_stats(&self) -> PyResult<Vec<(String, u64)>> {
        Ok(self.0.vm("accel_stats")?.accel_counts()?)
    }

    /// The device tree as the guest has it now, as text.
    fn dts(&self) -> PyResult<String> {
        Ok(self.0.vm("dts")?.device_tree().to_dts())
    }

    /// The device tree as the guest has it now, flattened.
    fn dtb<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.0.vm("dtb")?.device_tree().to_dtb()))
    }

    /// Name, instance and fields of every section of the machine's state.
    fn state(&self, py: Python<'_>) -> PyResult<Vec<Section>> {
        let vm = self.0.vm("state")?;
        sections(py, &py.detach(|| vm.state())?)
    }

    /// BLAKE3 of registers, devices, RAM and hash tables.
    fn state_digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let vm = self.0.vm("state_digest")?;
        Ok(PyBytes::new(py, &py.detach(|| vm.digest())?))
    }

    /// Freezes the machine's state.
    fn snapshot(&self, py: Python<'_>) -> PyResult<Snapshot> {
        let vm = self.0.vm("snapshot")?;
        Ok(Snapshot::new(py.detach(|| vm.snapshot())?))
    }

    /// Writes the machine's state to a file: bytes of memory that were not zero, bytes of the file.
    fn save_checkpoint(&self, py: Python<'_>, path: PathBuf, compress: Option<&str>, durability: &str) -> PyResult<(u64, u64)> {
        let vm = self.0.vm("save_checkpoint")?;
        let options = CheckpointOptions { compression: Compression::named(compress)?, durability: Durability::named(durability)? };
        let done = py.detach(|| vm.save_checkpoint(&path, options))?;
        Ok((done.memory_bytes, done.file_bytes))
    }

    /// Makes a machine from a file, and says from which settings: the file's, or those given.
    #[staticmethod]
    fn load_checkpoint<'py>(py: Python<'py>, path: PathBuf, accel: &str, config: Option<PyConfig>) -> PyResult<(Vm, Bound<'py, PyDict>)> {
        journal::install();
        let given = config.map(Settings::from);
        let choose = |saved: &Settings| settle(accel, given.as_ref().unwrap_or(saved));
        let vm = py.detach(|| crate::vm::Vm::load_checkpoint_on(&path, &choose))?;
        let settings = settings(py, &vm.spec().settings)?;
        Ok((Vm(Held::new(vm)), settings))
    }

    /// The addresses at which the machine stops.
    fn set_breakpoints(&self, at: Vec<u64>) -> PyResult<()> {
        Ok(self.0.vm("breakpoints")?.set_breakpoints(&at)?)
    }

    /// The accesses at which the machine stops: first byte, bytes, loads, stores.
    fn set_watchpoints(&self, ranges: Vec<(u64, u64, bool, bool)>) -> PyResult<()> {
        let watch = |(at, len, loads, stores)| {
            let of = match (loads, stores) {
                (true, false) => Watched::Loads,
                (false, true) => Watched::Stores,
                (true, true) | (false, false) => Watched::Both,
            };
            Watch { at: Ea(at), len, of }
        };
        let watches: Vec<Watch> = ranges.into_iter().map(watch).collect();
        Ok(self.0.vm("watchpoints")?.set_watchpoints(&watches)?)
    }

    /// Records hypercalls, the last `capacity` of them; 0 ends it.
    fn record_hcalls(&self, capacity: usize) -> PyResult<()> {
        self.0.vm("trace")?.record_hcalls(capacity);
        Ok(())
    }

    /// Takes the hypercalls recorded so far.
    fn take_hcalls(&self) -> PyResult<Vec<Hcall>> {
        Ok(self.0.vm("trace")?.take_hcalls().into_iter().map(|r| (r.cpu, r.number, r.args, r.status)).collect())
    }
}

/// The host end of a terminal.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Console {
    held: Arc<Held>,
    index: usize,
}

#[pymethods]
impl Console {
    /// Bytes of output so far.
    fn size(&self) -> PyResult<u64> {
        Ok(self.held.console(self.index)?.output_len())
    }

    /// Up to `most` bytes of the output from a position.
    fn output<'py>(&self, py: Python<'py>, start: u64, most: usize) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.held.console(self.index)?.output(start, most)))
    }

    /// Waits for output beyond `seen`; how much there is then. `seen` itself: nothing will follow. None: the time is over.
    fn wait(&self, py: Python<'_>, seen: u64, timeout: Option<f64>) -> PyResult<Option<u64>> {
        self.held.wait_output(py, self.index, seen, duration(timeout))
    }

    /// Types bytes; how many were taken.
    fn input(&self, py: Python<'_>, data: &[u8]) -> PyResult<usize> {
        let vm = self.held.vm("console.write")?;
        Ok(py.detach(|| vm.input(self.index, data)))
    }
}

/// The name of a hypercall; None for an unknown number.
#[pyo3::prelude::pyfunction]
pub fn hcall_name(number: u64) -> Option<&'static str> {
    hcall::TABLE.binary_search_by_key(&number, |row| row.number).ok().map(|row| hcall::TABLE[row].name)
}
