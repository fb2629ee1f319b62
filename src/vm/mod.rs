//! A running machine: threads, and the commands that reach them.
//!
//! [`Vm`] is a handle; cloning it is cheap. Each vCPU has a host thread ([`run`]) that takes its slot, runs guest code and hands every exit to the machine under
//! one lock ([`exits`]). Commands from outside go through [`control`]: they say what is wanted and kick the vCPUs; a vCPU that is not in guest code holds no
//! lock, so a paused machine can be read and changed freely. A service thread does what needs all vCPUs stopped (reset) and what has a time
//! (watchdogs).

mod boot;
pub mod checkpoint;
mod control;
mod exits;
pub mod inspect;
pub mod kvm;
mod migrate;
mod run;
pub mod saved;
mod snapshot;
mod turns;

pub use checkpoint::CheckpointOptions;
pub use checkpoint::Checkpointed;
pub use control::Status;
pub use control::StopReason;
pub use saved::SavedImages;
pub use saved::SavedMachine;
pub use saved::SavedRun;
pub use saved::SavedVcpu;
pub use snapshot::Snapshot;

pub use crate::spapr::firmware::Firmware;

use crate::accel::AccelKind;
use crate::accel::Fp;
use crate::accel::Irqchip;
use crate::accel::Parts;
use crate::accel::Vcpu;
use crate::accel::Watch;
use crate::clock::VirtualClock;
use crate::cpu::CpuState;
use crate::dev::ResetKind;
use crate::dev::chardev::Chardev;
use crate::error::Error;
use crate::error::Result;
use crate::fdt::Tree;
use crate::isa::cpu_model;
use crate::memory::GuestMemory;
use crate::mmu::partition::Partition;
use crate::random::Seeded;
use crate::signal;
use crate::signal::Signals;
use crate::spapr::boot::ImageStore;
use crate::spapr::machine::Machine;
use crate::spapr::spec::MachineSpec;
use crate::units::CpuIndex;
use crate::units::VcpuId;
use control::Control;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Settings of the run that are not part of the machine.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What runs guest code.
    pub accel: AccelKind,
    /// How the translator computes floating point.
    pub fp: Fp,
    /// Who keeps the interrupt controller under KVM.
    pub irqchip: Irqchip,
    /// How the guest is entered.
    pub firmware: Firmware,
    /// Everything is repeatable: time is counted, the vCPUs take turns, and random numbers come from this seed. `None`: vCPUs run beside each other, in the
    /// host's time.
    pub icount: Option<u64>,
    /// One translated block in about so many is compared with the interpreter.
    pub self_check: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            accel: AccelKind::software(),
            fp: Fp::default(),
            irqchip: Irqchip::default(),
            firmware: Firmware::Both,
            icount: None,
            self_check: None,
        }
    }
}

/// Why a halted vCPU is not running guest code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Halt {
    /// It runs.
    No,
    /// H_CEDE: until an interrupt or H_PROD.
    Ceded,
    /// H_CONFER to itself or H_JOIN: until H_PROD.
    AwaitsProd,
    /// Not started, or RTAS stop-self: until start-cpu.
    Stopped,
}

/// One vCPU and what its thread needs to know about it.
struct Slot {
    vcpu: Box<dyn Vcpu>,
    halt: Halt,
}

/// A machine and its threads.
#[derive(Clone)]
pub struct Vm {
    shared: Arc<Shared>,
    /// Ends the threads with the last handle.
    _life: Arc<Life>,
}

struct Life(Arc<Shared>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.close();
    }
}

struct Shared {
    spec: MachineSpec,
    options: Options,
    memory: Arc<GuestMemory>,
    partition: Arc<Partition>,
    clock: Arc<VirtualClock>,
    signals: Vec<Arc<Signals>>,
    slots: Vec<Mutex<Slot>>,
    changes: Vec<Mutex<Vec<exits::Pending>>>,
    machine: Mutex<Machine>,
    images: Arc<ImageStore>,
    consoles: Vec<Arc<Chardev>>,
    control: Control,
    log: exits::HcallLog,
    /// Accesses that no device answered.
    strays: AtomicU32,
    throttle: migrate::Throttle,
    turns: turns::Turns,
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Vm {
    /// Builds a machine and loads its images; nothing runs yet.
    ///
    /// # Errors
    /// What the images or the host refuse.
    pub fn new(spec: MachineSpec, options: Options) -> Result<Vm> {
        let images = Arc::new(ImageStore::read(&spec)?);
        let memory = Arc::new(GuestMemory::new(spec.ram)?);
        let shared = Shared::build(spec, options, images, memory)?;
        shared.boot(ResetKind::Cold)?;
        Vm::with_threads(shared)
    }

    /// Starts the threads of a machine. They park at once.
    fn with_threads(shared: Arc<Shared>) -> Result<Vm> {
        let vm = Vm { _life: Arc::new(Life(shared.clone())), shared };
        run::spawn(&vm.shared)?;
        Ok(vm)
    }

    /// What was asked for, settled.
    pub fn spec(&self) -> &MachineSpec {
        &self.shared.spec
    }

    /// Guest RAM.
    pub fn memory(&self) -> &Arc<GuestMemory> {
        &self.shared.memory
    }

    /// Lets the vCPUs run. Does nothing when they do.
    ///
    /// # Errors
    /// The machine has ended (shutdown, panic): reset it first; or it is closed.
    pub fn resume(&self) -> Result<()> {
        self.shared.resume(None)
    }

    /// As [`Vm::resume`], but pauses again when `instructions` have been executed by all vCPUs together.
    ///
    /// # Errors
    /// As for [`Vm::resume`].
    pub fn resume_for(&self, instructions: u64) -> Result<()> {
        self.shared.resume(Some(instructions))
    }

    /// As [`Vm::resume`] or [`Vm::resume_for`], but pauses again after the instruction with which the guest says something on a terminal. With counted time alone.
    ///
    /// # Errors
    /// As for [`Vm::resume`], and time is not counted.
    pub fn resume_until_output(&self, instructions: Option<u64>) -> Result<()> {
        self.shared.resume_until_output(instructions)
    }

    /// A digest of what the guest did so far: every exit, with the registers and the time then. Equal for two runs exactly if they were the same up to here, on
    /// whichever accelerator.
    ///
    /// # Errors
    /// The machine runs, or time is not counted.
    pub fn run_digest(&self) -> Result<[u8; 32]> {
        self.shared.run_digest()
    }

    /// Stops all vCPUs and waits until none is in guest code. Does nothing when they are stopped.
    pub fn pause(&self) {
        self.shared.pause();
    }

    /// Restarts the machine from its images, and pauses or runs it as it was. A machine that had ended runs again only when resumed.
    ///
    /// # Errors
    /// The host has no memory for a hash table.
    pub fn reset(&self) -> Result<()> {
        self.shared.reset()
    }

    /// Asks the guest to shut down (an EPOW event).
    pub fn powerdown(&self) {
        lock(&self.shared.machine).system_powerdown();
    }

    /// Raises a system reset interrupt on every vCPU (`nmi`).
    pub fn nmi(&self) {
        self.shared.signals.iter().for_each(|s| s.raise(signal::SYSTEM_RESET));
    }

    /// Ends the machine's threads. Memory and registers stay readable; it never runs again.
    pub fn close(&self) {
        self.shared.close();
    }

    /// What the machine is doing, and why it stopped if it did.
    pub fn status(&self) -> (Status, StopReason) {
        self.shared.control.status()
    }

    /// Waits until the machine is not running, at most `timeout`; its status then.
    pub fn wait(&self, timeout: Option<Duration>) -> Status {
        self.shared.control.wait_stopped(timeout)
    }

    /// Executes one instruction of one vCPU of a paused machine, with its exit, if it has one, carried out.
    ///
    /// # Errors
    /// The machine runs, or has ended, or the vCPU is halted.
    pub fn step(&self, cpu: CpuIndex) -> Result<()> {
        self.shared.step(cpu)
    }

    /// The host ends of the virtual terminals, in the order of the settings.
    pub fn consoles(&self) -> &[Arc<Chardev>] {
        &self.shared.consoles
    }

    /// Types `bytes` on a terminal; how many of them fitted the queue.
    pub fn input(&self, console: usize, bytes: &[u8]) -> usize {
        let taken = self.shared.consoles[console].push_input(bytes);
        let mut machine = lock(&self.shared.machine);
        if !self.shared.control.locked() {
            machine.poll_input();
        }
        taken
    }

    /// A copy of a vCPU's registers.
    ///
    /// # Errors
    /// The machine runs.
    pub fn cpu_state(&self, cpu: CpuIndex) -> Result<Box<CpuState>> {
        self.shared.stopped("read registers", |s| Box::new(lock(&s.slots[cpu.0 as usize]).vcpu.state().clone()))
    }

    /// Changes a vCPU's registers.
    ///
    /// # Errors
    /// The machine runs.
    pub fn change_cpu(&self, cpu: CpuIndex, change: impl FnOnce(&mut CpuState)) -> Result<()> {
        self.shared.stopped("write registers", |s| change(lock(&s.slots[cpu.0 as usize]).vcpu.state_mut()))
    }

    /// A vCPU's timebase.
    ///
    /// # Errors
    /// The machine runs.
    pub fn timebase(&self, cpu: CpuIndex) -> Result<u64> {
        self.shared.stopped("read the timebase", |s| lock(&s.slots[cpu.0 as usize]).vcpu.timebase())
    }

    /// Whether and why a vCPU is halted.
    ///
    /// # Errors
    /// The machine runs.
    pub fn halt(&self, cpu: CpuIndex) -> Result<Halt> {
        self.shared.stopped("read a vCPU's run state", |s| lock(&s.slots[cpu.0 as usize]).halt)
    }

    /// Instructions executed by each vCPU.
    ///
    /// # Errors
    /// The machine runs.
    pub fn instructions(&self) -> Result<Vec<u64>> {
        self.shared.stopped("count instructions", |s| s.slots.iter().map(|slot| lock(slot).vcpu.instructions()).collect())
    }

    /// What the accelerator counted about itself, of all vCPUs together: names for people, and counts.
    ///
    /// # Errors
    /// The machine runs.
    pub fn accel_counts(&self) -> Result<Vec<(String, u64)>> {
        self.shared.stopped("count what the accelerator did", |s| {
            let mut all: Vec<(String, u64)> = Vec::new();
            for (name, n) in s.slots.iter().flat_map(|slot| lock(slot).vcpu.counts()) {
                match all.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += n,
                    None => all.push((name, n)),
                }
            }
            all
        })
    }

    /// Translates a vCPU's effective address for a data load, without setting R or C bits that were not set.
    ///
    /// # Errors
    /// The machine runs, or the host's kernel does not tell its hash table.
    pub fn translate(&self, cpu: CpuIndex, ea: u64) -> Result<Option<u64>> {
        self.shared.stopped("translate an address", |s| {
            s.partition.fetch_hpt()?;
            let slot = lock(&s.slots[cpu.0 as usize]);
            let model = cpu_model::by_name(s.spec.cpu.name).expect("checked when built");
            let cx = crate::mmu::Context { state: slot.vcpu.state(), model, partition: &s.partition };
            let at = crate::mmu::translate(&cx, crate::units::Ea(ea), crate::mmu::Access::Load);
            Ok(at.ok().map(|t| t.ra.0))
        })?
    }

    /// The device tree as the guest has it now.
    pub fn device_tree(&self) -> Tree {
        lock(&self.shared.machine).device_tree()
    }

    /// Addresses at which a vCPU stops the machine before executing.
    ///
    /// # Errors
    /// The machine runs.
    pub fn set_breakpoints(&self, at: &[u64]) -> Result<()> {
        if !at.is_empty() {
            self.shared.needs_counting("stop at breakpoints", "leave them out")?;
        }
        self.shared.stopped("set breakpoints", |s| s.slots.iter().for_each(|slot| lock(slot).vcpu.set_breakpoints(at)))
    }

    /// Accesses at which a vCPU stops the machine before making them.
    ///
    /// # Errors
    /// The machine runs, or a range is empty.
    pub fn set_watchpoints(&self, watches: &[Watch]) -> Result<()> {
        if !watches.is_empty() {
            self.shared.needs_counting("watch accesses", "leave watchpoints out")?;
        }
        if let Some(w) = watches.iter().find(|w| w.len == 0) {
            return Err(Error::config("watchpoints", format!("the one at {:#x} has no bytes", w.at.0), "watch at least one byte"));
        }
        self.shared.stopped("set watchpoints", |s| s.slots.iter().for_each(|slot| lock(slot).vcpu.set_watches(watches)))
    }

    /// Starts or ends the recording of hypercalls, of which at most `capacity` are kept (0: off).
    pub fn record_hcalls(&self, capacity: usize) {
        self.shared.log.record(capacity);
    }

    /// Takes the hypercalls recorded so far, oldest first.
    pub fn take_hcalls(&self) -> Vec<HcallRecord> {
        self.shared.log.take()
    }

    /// The machine, between two exits. For inspection; nothing else may be waited for inside `look`.
    pub fn with_machine<T>(&self, look: impl FnOnce(&mut Machine) -> T) -> T {
        look(&mut lock(&self.shared.machine))
    }
}

pub use exits::HcallRecord;

impl Shared {
    /// A machine over `memory`, its vCPUs with all registers zero, without threads.
    fn build(mut spec: MachineSpec, options: Options, images: Arc<ImageStore>, memory: Arc<GuestMemory>) -> Result<Arc<Shared>> {
        let partition = Arc::new(Partition::new(memory.clone()));
        let kvm = match options.accel {
            AccelKind::Interp | AccelKind::Tcg => None,
            AccelKind::Kvm => Some(kvm::create(&spec, &memory, &partition, options.irqchip)?),
        };
        if kvm.is_some() {
            kvm::limit(&mut spec, &partition)?;
        }
        let clock = Arc::new(turns::clock(&options, &mut spec)?);
        let ids: Vec<VcpuId> = (0..spec.smp.cpus).map(|i| spec.vsmt.vcpu_id(CpuIndex(i))).collect();
        let signals: Vec<Arc<Signals>> = ids.iter().map(|_| Arc::new(Signals::default())).collect();
        let others = Arc::new(ids.iter().copied().zip(signals.iter().cloned()).collect::<Vec<_>>());
        let model = cpu_model::by_name(spec.cpu.name).expect("every CPU of the platform's table has a model");
        let mut machine = Machine::new(spec.clone(), memory.clone(), partition.clone(), signals.clone(), clock.clone())?;
        let consoles = machine.consoles();
        let slots = (0..spec.smp.cpus).map(CpuIndex).map(|index| {
            let id = ids[index.0 as usize];
            let parts = Parts {
                model,
                index,
                id,
                partition: partition.clone(),
                signals: signals[index.0 as usize].clone(),
                clock: clock.clone(),
                others: others.clone(),
            };
            let vcpu: Box<dyn Vcpu> = match &kvm {
                Some(kvm) => Box::new(kvm.vcpu(parts)?),
                None => options.accel.create(parts, options.fp)?,
            };
            Ok(Mutex::new(Slot { vcpu, halt: Halt::Stopped }))
        });
        let slots = slots.collect::<Result<Vec<_>>>()?;
        if let Some(kvm) = kvm.filter(|_| options.irqchip == Irqchip::Kernel) {
            machine.intc.set_host(Arc::new(kvm::Irqs(kvm)))?;
        }
        if let Some(seed) = options.icount {
            machine.seed(Seeded::new(seed, 0))?;
        }
        let shared = Shared {
            slots,
            changes: ids.iter().map(|_| Mutex::default()).collect(),
            control: Control::new(if options.icount.is_some() { 1 } else { ids.len() }),
            log: exits::HcallLog::default(),
            strays: AtomicU32::new(0),
            throttle: migrate::Throttle::default(),
            turns: turns::Turns::new(&signals, &options),
            machine: Mutex::new(machine),
            spec,
            options,
            memory,
            partition,
            clock,
            signals,
            images,
            consoles,
        };
        shared.seed_vcpus(Duration::ZERO);
        shared.start_self_check()?;
        Ok(Arc::new(shared))
    }

    /// Has the vCPUs check themselves, if that was wanted.
    fn start_self_check(&self) -> Result<()> {
        let Some(every) = self.options.self_check else { return Ok(()) };
        if self.slots.len() > 1 && self.options.icount.is_none() {
            let problem = format!("self-check={every} stores twice, which {} vCPUs beside each other would see", self.slots.len());
            return Err(Error::config("accel", problem, "use smp=1, or icount=True, with which vCPUs take turns"));
        }
        self.slots.iter().for_each(|slot| lock(slot).vcpu.self_check(every));
        Ok(())
    }

    /// Refuses what takes an accelerator of our own, which sees every instruction.
    fn needs_counting(&self, what: &str, instead: &str) -> Result<()> {
        match self.options.accel {
            AccelKind::Interp | AccelKind::Tcg => Ok(()),
            AccelKind::Kvm => Err(Error::Accel {
                accel: "kvm".into(),
                problem: format!("KVM does not {what}"),
                hint: format!("{instead}, or use accel=\"interp\""),
            }),
        }
    }

    /// Runs `look` while no vCPU is in guest code, and none can enter.
    fn stopped<T>(&self, doing: &str, look: impl FnOnce(&Shared) -> T) -> Result<T> {
        let _held = self.control.hold().ok_or_else(|| Error::State {
            doing: doing.into(),
            problem: "the machine is running".into(),
            hint: "pause() it first".into(),
        })?;
        Ok(look(self))
    }
}
