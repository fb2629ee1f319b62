//! A whole machine's state, but for RAM and hash tables: what is saved of it, when it may be, and how a fresh machine becomes it.
//!
//! A machine is saved between two exits, with every vCPU parked. What may be on its way then is finished first: an instruction that a device has answered, a change that
//! one vCPU wants of another, a reset that the guest asked for. So nothing but the sections below says what the machine is.
//!
//! A machine that is to become what was saved is built from the same settings, and has not run. The sections are decoded and checked against it one by one; RAM and the
//! entries of the hash tables are the caller's to move ([`Vm::memory`], [`Vm::hash_tables`]), because a fork shares them, a checkpoint reads them from a file
//! and a migration sends them while the guest still runs.

use crate::accel::AccelKind;
use crate::accel::Exit;
use crate::accel::Kept;
use crate::cpu::CpuState;
use crate::cpu::saved::SavedCpu;
use crate::error::Error;
use crate::error::Result;
use crate::isa::spr;
use crate::memory::GuestMemory;
use crate::signal;
use crate::spapr;
use crate::spapr::compat;
use crate::spapr::compat::Description;
use crate::spapr::saved::Shifts;
use crate::spapr::saved::Tables;
use crate::spapr::saved::header::Header;
use crate::spapr::saved::negotiated_mode;
use crate::spapr::saved::settings::SavedSettings;
use crate::state::Bad;
use crate::state::Field;
use crate::state::Kind;
use crate::state::Packed;
use crate::state::Section;
use crate::state::Sections;
use crate::state::Value;
use crate::state::kind;
use crate::state::refusal;
use crate::state::saved;
use crate::state::title;
use crate::units::CpuIndex;
use crate::vm::Halt;
use crate::vm::Shared;
use crate::vm::Status;
use crate::vm::StopReason;
use crate::vm::Vm;
use crate::vm::control::Hold;
use crate::vm::inspect::Shown;
use crate::vm::lock;
use std::sync::Arc;
use std::time::Duration;

/// Large memory: RAM.
pub const RAM: &str = "ram";
/// Large memory: the hash table in use.
pub const HPT: &str = "hpt";
/// Large memory: the hash table that waits for H_RESIZE_HPT_COMMIT.
pub const HPT_PREPARED: &str = "hpt-prepared";

saved! {
    /// What a vCPU does, and what waits for it.
    SavedVcpu = "vcpu" version 1 {
        /// `no`, `ceded`, `awaits-prod`, `stopped`.
        0 halt: String,
        /// A doorbell is pending.
        1 doorbell: bool,
        /// A system reset interrupt is pending.
        2 system_reset: bool,
        /// H_PROD was called for it.
        3 prod: bool,
    }
    /// Virtual time.
    SavedClock = "clock" version 1 {
        /// Nanoseconds that the machine has run.
        0 virtual_ns: u64,
    }
    /// What the machine did when it was saved.
    SavedRun = "run" version 1 {
        /// QEMU's name of the run state.
        0 status: String,
        /// What the guest said of it.
        1 text: String,
    }
    /// Which images the guest was started from.
    SavedImages = "images" version 1 {
        /// BLAKE3 of what they place.
        0 digest: [u8; 32],
    }
}

const HALTS: [(&str, Halt); 4] = [("no", Halt::No), ("ceded", Halt::Ceded), ("awaits-prod", Halt::AwaitsProd), ("stopped", Halt::Stopped)];

impl SavedVcpu {
    fn of(halt: Halt, signals: u32) -> SavedVcpu {
        let word = HALTS.iter().find(|(_, h)| *h == halt).map_or("no", |(word, _)| word);
        let up = |bit| signals & bit != 0;
        SavedVcpu { halt: word.into(), doorbell: up(signal::DOORBELL), system_reset: up(signal::SYSTEM_RESET), prod: up(signal::PROD) }
    }

    fn halt(&self) -> std::result::Result<Halt, Bad> {
        let row = HALTS.iter().find(|(word, _)| *word == self.halt);
        row.map(|(_, halt)| *halt).ok_or_else(|| Bad::field("halt", format!("{:?} is no kind of halt", self.halt)))
    }

    fn signals(&self) -> u32 {
        let bit = |up, bit| if up { bit } else { 0 };
        bit(self.doorbell, signal::DOORBELL) | bit(self.system_reset, signal::SYSTEM_RESET) | bit(self.prod, signal::PROD)
    }
}

impl SavedRun {
    fn of((status, reason): (Status, StopReason)) -> SavedRun {
        let status = if status == Status::Running { Status::Paused } else { status };
        let text = match reason {
            StopReason::Guest(text) | StopReason::Internal(text) => text,
            StopReason::None
            | StopReason::User
            | StopReason::Budget
            | StopReason::Breakpoint(_)
            | StopReason::Watchpoint { .. }
            | StopReason::Output => String::new(),
        };
        SavedRun { status: status.name().into(), text }
    }

    fn status(&self) -> std::result::Result<(Status, StopReason), Bad> {
        let status = Status::ALL.into_iter().find(|s| s.name() == self.status && *s != Status::Running);
        let status = status.ok_or_else(|| Bad::field("status", format!("{:?} is no state of a machine that stands", self.status)))?;
        let reason = match (status, self.text.as_str()) {
            (Status::Prelaunch, _) => StopReason::None,
            (_, "") => StopReason::User,
            (Status::InternalError, text) => StopReason::Internal(text.into()),
            (_, text) => StopReason::Guest(text.into()),
        };
        Ok((status, reason))
    }
}

/// The state of a machine, but for RAM and hash tables.
#[derive(Clone, Debug)]
pub struct SavedMachine {
    /// What goes before everything else.
    pub header: Header,
    /// The rest, in the order in which it is written.
    pub sections: Vec<Packed>,
}

/// Large memory of a machine, with the name of its chunks in a stream.
pub type Large = (&'static str, Arc<GuestMemory>);

impl Vm {
    /// The machine as far as another one must agree, with what its guest has chosen by now.
    pub fn describe(&self) -> Description {
        self.shared.describe()
    }

    /// All state but RAM and hash tables.
    ///
    /// # Errors
    /// The machine runs.
    pub fn save(&self) -> Result<SavedMachine> {
        let held = self.shared.settle("save the state")?;
        self.shared.save(&held)
    }

    /// Becomes what was saved, but for RAM and the entries of the hash tables ([`Vm::hash_tables`] are then of the right size, and empty).
    ///
    /// # Errors
    /// The machine runs, or the state does not fit it; what is wrong is named. It then cannot run before it is reset.
    pub fn load(&self, sections: &Sections) -> Result<()> {
        let held = self.shared.settle("load a state")?;
        self.shared.load(&held, sections, Tables::empty)
    }

    /// Memory that is not in the sections: RAM, and hash tables if there are any.
    pub fn large_memory(&self) -> Vec<Large> {
        self.shared.large_memory()
    }

    /// Every section in words. Large memory is not among them.
    ///
    /// # Errors
    /// The machine runs.
    pub fn state(&self) -> Result<Vec<Shown>> {
        let saved = self.save()?;
        let header = Shown { name: Header::NAME.into(), instance: 0, value: saved.header.show() };
        let rest = saved.sections.iter().map(|s| Ok(Shown { name: s.name.clone(), instance: s.instance, value: show(s)? }));
        std::iter::once(Ok(header)).chain(rest).collect()
    }

    /// What two machines have in common exactly if they are in the same state: a digest of registers, devices, RAM and hash tables. It does not depend on
    /// the accelerator, on caches, or on whether the machine is paused by the user or by a budget.
    ///
    /// # Errors
    /// The machine runs, or the host does not tell which pages are used.
    pub fn digest(&self) -> Result<[u8; 32]> {
        let held = self.shared.settle("compute the digest")?;
        let saved = self.shared.save(&held)?;
        let mut hash = blake3::Hasher::new();
        let apart = [SavedSettings::NAME, SavedImages::NAME, SavedRun::NAME];
        for s in saved.sections.iter().filter(|s| !apart.contains(&s.name.as_str())) {
            hash.update(&[s.name.len() as u8]);
            hash.update(s.name.as_bytes());
            hash.update(&s.instance.to_be_bytes());
            hash.update(&(s.bytes.len() as u64).to_be_bytes());
            hash.update(&s.bytes);
        }
        for (name, memory) in self.shared.large_memory() {
            hash.update(name.as_bytes());
            memory.for_each_data(|at, data| {
                for (n, page) in data.chunks(4096).enumerate() {
                    hash.update(&(at.0 + n as u64 * 4096).to_be_bytes());
                    hash.update(page);
                }
                Ok::<(), Error>(())
            })?;
            hash.update(&[0xff; 8]);
        }
        Ok(*hash.finalize().as_bytes())
    }
}

/// A section in words, by its name.
///
/// # Errors
/// It cannot be read, or nobody knows it.
pub fn show(section: &Packed) -> Result<Value> {
    match kinds().find(|kind| kind.name == section.name) {
        Some(kind) => (kind.show)(section),
        None => {
            let bad = Bad::new("this spapr does not know it").advising("use the spapr that wrote it, or a later one");
            Err(refusal(section.title(), bad))
        }
    }
}

/// Every kind of section there is.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().chain(spapr::saved::KINDS)
}

const KINDS: &[Kind] = &[kind::<SavedImages>(), kind::<SavedRun>(), kind::<SavedClock>(), kind::<SavedVcpu>(), kind::<SavedCpu>()];

/// Refuses a state of another machine than `here`, in the words of the rules that predict it.
///
/// # Errors
/// Every reason, joined.
pub fn check_description(header: &Header, here: &Description) -> Result<()> {
    let source = header.clone().describe().map_err(|bad| refusal(Header::NAME, bad))?;
    let judgement = compat::check(&source, here);
    let mut refusals = judgement.refusals();
    let Some(first) = refusals.next() else { return Ok(()) };
    let more = refusals.map(|r| format!("; {}: {}", r.setting, r.problem)).collect::<String>();
    Err(Error::Stream {
        section: Header::NAME.into(),
        field: first.setting.to_string(),
        problem: format!("{}{more}", first.problem),
        hint: first.change.clone(),
    })
}

impl Shared {
    pub(super) fn describe(&self) -> Description {
        let accel = self.options.accel.name();
        Description { accel: accel.into(), ..lock(&self.machine).describe() }
    }

    pub(super) fn large_memory(&self) -> Vec<Large> {
        let machine = lock(&self.machine);
        let mut all = vec![(RAM, Arc::clone(&self.memory))];
        all.extend(self.partition.hpt().map(|hpt| (HPT, Arc::clone(hpt.bytes()))));
        let prepared = machine.prepared_hpt.as_ref().and_then(|p| p.table.as_ref());
        all.extend(prepared.map(|hpt| (HPT_PREPARED, Arc::clone(hpt.bytes()))));
        all
    }

    /// Refuses where the interrupt controller's state is not here.
    ///
    /// # Errors
    /// The kernel keeps it.
    pub(super) fn has_its_interrupts(&self, doing: &str) -> Result<()> {
        if !lock(&self.machine).intc.is_hosts() {
            return Ok(());
        }
        Err(Error::Snapshot {
            doing: doing.into(),
            problem: "the kernel keeps this machine's interrupt controller (kernel-irqchip=on), whose state is not fetched from it".into(),
            hint: "use accel=\"kvm\" without it for a machine that is to be saved, forked or moved".into(),
        })
    }

    /// Holds a stopped machine with nothing on its way.
    ///
    /// # Errors
    /// It runs.
    pub(super) fn settle(&self, doing: &str) -> Result<Hold<'_>> {
        if self.memory.lacks_pages() {
            return Err(Error::Snapshot {
                doing: doing.into(),
                problem: "pages of the guest are still on the machine that it came from (post-copy)".into(),
                hint: "wait until the migration is complete".into(),
            });
        }
        self.has_its_interrupts(doing)?;
        let held = self.control.hold_settled().ok_or_else(|| Error::Snapshot {
            doing: doing.into(),
            problem: "the machine is running".into(),
            hint: "pause() it first".into(),
        })?;
        for (k, slot) in self.slots.iter().enumerate() {
            let cpu = CpuIndex(k as u32);
            let mut slot = lock(slot);
            self.apply_changes(cpu, &mut slot);
            while slot.vcpu.half_done() {
                let exit = slot.vcpu.run(Some(0))?;
                if !matches!(exit, Exit::Kicked | Exit::Budget) {
                    self.handle(cpu, &mut slot, exit);
                }
            }
            slot.vcpu.fetch()?;
            if let Some(kept) = slot.vcpu.kept()? {
                self.signals[k].lower(signal::DOORBELL);
                self.signals[k].raise(if kept.doorbell { signal::DOORBELL } else { 0 });
                lock(&self.machine).vcpu_mut(cpu).set_kept(&kept);
            }
        }
        self.partition.fetch_hpt()?;
        Ok(held)
    }

    /// Has the accelerator look anew where the areas lie that it fills for the guest: the pages there are others than before.
    pub(super) fn renew_kept(&self, _: &Hold<'_>) -> Result<()> {
        for slot in &self.slots {
            let mut slot = lock(slot);
            if let Some(kept) = slot.vcpu.kept()? {
                slot.vcpu.set_kept(&kept)?;
            }
        }
        Ok(())
    }

    /// All state but RAM and hash tables, of a machine that is held.
    pub(super) fn save(&self, _: &Hold<'_>) -> Result<SavedMachine> {
        let virtual_ns = u64::try_from(self.clock.now().as_nanos()).unwrap_or(u64::MAX);
        let mut sections = vec![
            Packed::new(0, &SavedSettings::from(&self.spec.settings)),
            Packed::new(0, &SavedImages { digest: self.images.digest() }),
            Packed::new(0, &SavedRun::of(self.control.status())),
            Packed::new(0, &SavedClock { virtual_ns }),
        ];
        for (k, slot) in self.slots.iter().enumerate() {
            let slot = lock(slot);
            sections.push(Packed::new(k as u32, &SavedVcpu::of(slot.halt, self.signals[k].pending())));
            sections.push(Packed::new(k as u32, &SavedCpu::from(slot.vcpu.state())));
        }
        sections.extend(lock(&self.machine).save());
        Ok(SavedMachine { header: Header::of(&self.describe()), sections })
    }

    /// Becomes what was saved; see [`Vm::load`].
    pub(super) fn load(&self, _: &Hold<'_>, from: &Sections, tables: impl FnOnce(Shifts) -> Result<Tables>) -> Result<()> {
        let loaded = self.load_all(from, tables);
        match &loaded {
            Ok((status, reason)) => self.control.become_status(*status, reason.clone()),
            Err(e) => self.control.become_status(Status::InternalError, StopReason::Internal(format!("a state could not be loaded: {e}"))),
        }
        loaded.map(|_| ())
    }

    fn load_all(&self, from: &Sections, tables: impl FnOnce(Shifts) -> Result<Tables>) -> Result<(Status, StopReason)> {
        // What is not the machine's own state was used, or will not be.
        for name in [SavedSettings::NAME, SavedImages::NAME] {
            let _ = from.get(name, 0);
        }
        let clock: SavedClock = from.take(0)?;
        let run: SavedRun = from.take(0)?;
        let status = run.status().map_err(|bad| refusal(SavedRun::NAME, bad))?;
        // A guest in a compatibility mode may have come from another processor that has the mode.
        let own_pvr = negotiated_mode(from)?.is_none();
        let mut vcpus = Vec::new();
        for k in 0..self.slots.len() as u32 {
            let (vcpu, cpu): (SavedVcpu, SavedCpu) = (from.take(k)?, from.take(k)?);
            let halt = vcpu.halt().map_err(|bad| refusal(title(SavedVcpu::NAME, k), bad))?;
            let state = cpu
                .to_state()
                .and_then(|s| self.check_identity(k as usize, s, own_pvr.then_some(self.spec.cpu.pvr)))
                .map_err(|bad| refusal(title(SavedCpu::NAME, k), bad))?;
            vcpus.push((halt, vcpu.signals(), state));
        }
        // The machine's own part is the last that can fail but for leftovers, which change nothing.
        let mut machine = lock(&self.machine);
        let tables = tables(machine.shifts_of(from)?)?;
        machine.restore(from, tables)?;
        machine.configure_loaded(vcpus.first().map_or(0, |(.., s)| s.spr[spr::LPCR]))?;
        drop(machine);
        from.all_taken()?;
        self.clock.set(Duration::from_nanos(clock.virtual_ns));
        for (k, (halt, signals, state)) in vcpus.into_iter().enumerate() {
            let mut slot = lock(&self.slots[k]);
            lock(&self.changes[k]).clear();
            slot.vcpu.abandon();
            *slot.vcpu.state_mut() = state;
            let doorbell = signals & signal::DOORBELL != 0;
            let kept = Kept { doorbell, ..lock(&self.machine).vcpu(CpuIndex(k as u32)).kept() };
            slot.vcpu.set_kept(&kept)?;
            slot.vcpu.commit()?;
            // Where the kernel wakes who sleeps, nobody here would hear of it: the guest wakes once for nothing, as it must be ready to.
            let asleep = halt == Halt::Ceded && self.options.accel == AccelKind::Kvm;
            slot.halt = if asleep { Halt::No } else { halt };
            self.signals[k].lower(signal::DOORBELL | signal::SYSTEM_RESET | signal::PROD);
            self.signals[k].raise(signals);
        }
        self.partition.invalidate(None);
        self.seed_at(Duration::from_nanos(clock.virtual_ns));
        Ok(status)
    }

    /// Registers that say which processor and which vCPU this is: they must be this machine's. Where no `pvr` is wanted, it becomes this machine's.
    fn check_identity(&self, k: usize, mut s: CpuState, pvr: Option<u32>) -> std::result::Result<CpuState, Bad> {
        let id = self.spec.vsmt.vcpu_id(CpuIndex(k as u32)).0;
        if pvr.is_none() {
            s.spr[spr::PVR] = u64::from(self.spec.cpu.pvr);
        }
        for (name, number, here) in [("PVR", spr::PVR, self.spec.cpu.pvr), ("PIR", spr::PIR, id)] {
            if s.spr[number] != u64::from(here) {
                let problem = format!("{name} is {:#x}, and this machine's is {here:#x}", s.spr[number]);
                return Err(Bad::field(format!("spr.{name}"), problem).advising("use the cpu and the vsmt of the machine that was saved"));
            }
        }
        Ok(s)
    }

    /// Does something with a machine that stands, which runs again afterwards if it ran before, for the rest of its budget.
    pub(super) fn while_settled<T>(&self, doing: &str, act: impl FnOnce(&Hold<'_>) -> Result<T>) -> Result<T> {
        // Computed once, and not while the guest stands.
        self.images.digest();
        let ran = self.control.status().0 == Status::Running;
        let done = loop {
            self.pause();
            if ran && self.control.status().0 == Status::Running {
                // A reset that the guest asked for is being done, and the machine runs on after it.
                std::thread::yield_now();
                continue;
            }
            break self.settle(doing).and_then(|held| act(&held));
        };
        if ran && self.control.status() == (Status::Paused, StopReason::User) {
            let left = lock(&self.control.budget).map(|b| b.left);
            let resumed = self.resume(left);
            return done.and_then(|done| resumed.map(|()| done));
        }
        done
    }
}
