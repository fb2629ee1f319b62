//! A machine as migration's [`Subject`]: where the memories, the sections and the stop of a machine come together.
//!
//! The source is stopped under a lock ([`Lock::Leaving`]) that only the migration itself takes away: nobody resumes, resets or steps a machine whose state is on its way, and no timer
//! or key press changes it. A destination is built without being started ([`Vm::incoming`]) and stands under [`Lock::Awaiting`] until a guest has arrived.

use crate::accel::AccelKind;
use crate::error::Error;
use crate::error::Reason;
use crate::error::Result;
use crate::memory::GuestMemory;
use crate::migrate::Gone;
use crate::migrate::Handle;
use crate::migrate::Options as MigrateOptions;
use crate::migrate::Progress;
use crate::migrate::Ran;
use crate::migrate::Subject;
use crate::migrate::Used;
use crate::migrate::link::Link;
use crate::migrate::link::Unix;
use crate::migrate::message::RegionKind;
use crate::migrate::source;
use crate::migrate::source::Open;
use crate::migrate::source::Way;
use crate::migrate::target;
use crate::migrate::target::Door;
use crate::mmu::hpt;
use crate::mmu::hpt::Hpt;
use crate::signal;
use crate::spapr::boot::ImageStore;
use crate::spapr::compat;
use crate::spapr::compat::Weight;
use crate::spapr::saved::Shifts;
use crate::spapr::saved::Tables;
use crate::spapr::saved::header::Header;
use crate::spapr::spec::MachineSpec;
use crate::state::Packed;
use crate::state::Section;
use crate::state::Sections;
use crate::state::stream::Frame;
use crate::state::stream::StreamReader;
use crate::state::stream::StreamWriter;
use crate::units::CpuIndex;
use crate::vm::Options;
use crate::vm::Shared;
use crate::vm::Status;
use crate::vm::StopReason;
use crate::vm::Vm;
use crate::vm::control::Lock;
use crate::vm::lock;
use crate::vm::saved::HPT;
use crate::vm::saved::HPT_PREPARED;
use crate::vm::saved::RAM;
use crate::vm::saved::check_description;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a guest that is held back runs at a time.
const RUNS: Duration = Duration::from_millis(10);

/// The names of large memory in a stream, and what migration calls them.
const KINDS: [(&str, RegionKind); 3] = [(RAM, RegionKind::Ram), (HPT, RegionKind::Hpt), (HPT_PREPARED, RegionKind::HptPrepared)];

/// How much the vCPUs are held back.
#[derive(Default)]
pub(super) struct Throttle {
    percent: AtomicU8,
    /// Counts the turns: each vCPU rests once in every one.
    turn: AtomicU32,
    /// A thread makes turns.
    ticking: AtomicBool,
}

impl Throttle {
    fn rest(&self) -> Option<Duration> {
        let percent = u32::from(self.percent.load(Ordering::Relaxed)).min(99);
        (percent > 0).then(|| RUNS * percent / (100 - percent))
    }
}

impl Vm {
    /// Builds a machine for a guest that arrives by migration. It does not run before one has.
    ///
    /// # Errors
    /// What the images or the host refuse.
    pub fn incoming(spec: MachineSpec, options: Options) -> Result<Vm> {
        let images = Arc::new(ImageStore::read(&spec)?);
        let memory = Arc::new(GuestMemory::new(spec.ram)?);
        let shared = Shared::build(spec, options, images, memory)?;
        shared.images.forget();
        shared.control.set_lock(Lock::Awaiting);
        shared.control.become_status(Status::InMigrate, StopReason::None);
        Vm::with_threads(shared)
    }

    /// Moves the guest over the connections of `way`.
    ///
    /// # Errors
    /// [`Error::Migration`]; the guest is here unless it says otherwise.
    pub fn migrate(&self, way: &mut dyn Way, options: &MigrateOptions, handle: &Handle) -> Result<Progress> {
        if let Some(refusal) = self.shared.control.refusal("migrate") {
            return Err(refusal);
        }
        self.shared.has_its_interrupts("migrate")?;
        source::run(&Moving::new(&self.shared), way, options, handle)
    }

    /// Receives a guest from whoever comes to `door`.
    ///
    /// # Errors
    /// [`Error::Migration`]: the guest does not run here. [`Error::State`]: this machine was not made for that ([`Vm::incoming`]).
    pub fn receive(&self, door: &mut dyn Door, stall: Duration, handle: &Handle) -> Result<Progress> {
        let moving = Moving::new(&self.shared);
        self.shared.control.begin_receiving()?;
        let received = target::run(&moving, door, stall, handle);
        self.shared.control.end_receiving();
        received
    }

    /// Moves the guest to another machine of this process; how it went for both.
    pub fn migrate_to(&self, to: &Vm, connections: u8, options: &MigrateOptions, handle: &Handle) -> (Result<Progress>, Result<Progress>) {
        let pairs = (0..connections.max(1)).map(|_| Unix::pair()).collect::<std::io::Result<Vec<_>>>();
        let pairs = match pairs {
            Ok(pairs) => pairs,
            Err(source) => return (Err(Error::Host { doing: "make a socket pair".into(), source }), Ok(Progress::default())),
        };
        let (mut mine, mut theirs) = (Vec::<Box<dyn Link>>::new(), Vec::<Box<dyn Link>>::new());
        for (a, b) in pairs {
            mine.push(Box::new(a));
            theirs.push(Box::new(b));
        }
        let other = Handle::new(None);
        std::thread::scope(|s| {
            let receiver = s.spawn(|| to.receive(&mut theirs.into_iter(), options.stall, &other));
            let sent = self.migrate(&mut Open(mine), options, handle);
            let internal =
                || Error::State { doing: "migrate".into(), problem: "the receiving thread panicked".into(), hint: "report it".into() };
            (sent, receiver.join().unwrap_or_else(|_| Err(internal())))
        })
    }

    /// Lets a guest run here again of which it was not known whether the destination runs it ([`crate::error::MigrationEnd::Unconfirmed`]). Whoever calls this knows that it does not.
    ///
    /// # Errors
    /// The machine cannot run for another reason.
    pub fn resume_unconfirmed(&self) -> Result<()> {
        self.shared.control.unlock(Lock::Unconfirmed);
        self.shared.resume(None)
    }
}

/// A machine while it moves.
struct Moving {
    shared: Arc<Shared>,
    /// Hash tables that were placed and are not taken over yet.
    placed: Mutex<Vec<(RegionKind, Hpt)>>,
}

impl Moving {
    fn new(shared: &Arc<Shared>) -> Moving {
        Moving { shared: shared.clone(), placed: Mutex::default() }
    }

    /// The tables that arrived, if they are of the sizes that the sections speak of.
    fn tables(&self, shifts: Shifts) -> Result<Tables> {
        let mut placed = std::mem::take(&mut *lock(&self.placed));
        let mut take = |kind: RegionKind, shift: Option<u32>| {
            let at = placed.iter().rposition(|(k, hpt)| *k == kind && Some(hpt.shift()) == shift);
            match (shift, at) {
                (None, _) => Ok(None),
                (Some(_), Some(at)) => Ok(Some(placed.swap_remove(at).1)),
                (Some(shift), None) => {
                    let bad = crate::state::Bad::field("hpt_shift", format!("no table of 2^{shift} bytes has arrived"));
                    Err(crate::state::refusal("mmu", bad))
                }
            }
        };
        Ok(Tables { hpt: take(RegionKind::Hpt, shifts.hpt)?.map(Arc::new), prepared: take(RegionKind::HptPrepared, shifts.prepared)? })
    }
}

impl Subject for Moving {
    fn describe(&self) -> Result<Vec<u8>> {
        let header = Packed::new(0, &Header::of(&self.shared.describe()));
        Ok([&header.version.to_be_bytes()[..], &header.bytes].concat())
    }

    fn judge(&self, description: &[u8]) -> std::result::Result<Vec<String>, Vec<Reason>> {
        let unreadable = |problem: String| {
            vec![Reason {
                code: "description".into(),
                problem,
                hint: "use the same version of spapr on both sides".into(),
                ..Reason::default()
            }]
        };
        let Some((version, bytes)) = description.split_first_chunk::<2>() else {
            return Err(unreadable("the description is empty".into()));
        };
        let version = u16::from_be_bytes(*version);
        let header = Packed { name: Header::NAME.into(), instance: 0, version, ancillary: false, bytes: bytes.to_vec() };
        let header = header.unpack::<Header>().map_err(|e| unreadable(e.to_string()))?;
        let source = header.describe().map_err(|bad| unreadable(format!("{}: {}", bad.field, bad.problem)))?;
        let judgement = compat::check(&source, &self.shared.describe());
        let of = |weight| judgement.reasons.iter().filter(move |r| r.weight == weight);
        let refusals: Vec<Reason> = of(Weight::Refuses)
            .map(|r| Reason {
                code: r.code.name().to_string(),
                setting: r.setting.to_string(),
                source: r.source.to_string(),
                destination: r.destination.to_string(),
                problem: r.problem.to_string(),
                hint: r.change.to_string(),
            })
            .collect();
        if refusals.is_empty() { Ok(of(Weight::Warns).map(ToString::to_string).collect()) } else { Err(refusals) }
    }

    fn regions(&self) -> Vec<(RegionKind, Arc<GuestMemory>)> {
        let kind = |name: &str| KINDS.iter().find(|k| k.0 == name).map(|k| k.1);
        self.shared.large_memory().into_iter().filter_map(|(name, memory)| Some((kind(name)?, memory))).collect()
    }

    fn place(&self, kind: RegionKind, bytes: u64) -> std::result::Result<(Arc<GuestMemory>, Used), String> {
        let memory = &self.shared.memory;
        if kind == RegionKind::Ram {
            if bytes != memory.size() {
                return Err(format!("RAM of {bytes:#x} bytes arrives, and this machine has {:#x}", memory.size()));
            }
            return Ok((memory.clone(), self.shared.control.use_memory()));
        }
        let largest = lock(&self.shared.machine).hpt_shift_of(self.shared.spec.maxmem) + 1;
        let shift = bytes.trailing_zeros();
        if !bytes.is_power_of_two() || shift < hpt::SHIFT_MIN || shift > largest {
            return Err(format!("a hash table of {bytes:#x} bytes arrives, and this machine has at most 2^{largest}"));
        }
        let table = Hpt::new(shift).map_err(|e| e.to_string())?;
        let memory = table.bytes().clone();
        let mut placed = lock(&self.placed);
        // A table that the guest replaced on the way is of no use any more.
        placed.retain(|(k, _)| *k != kind);
        placed.push((kind, table));
        Ok((memory, Used::No))
    }

    fn can_wait(&self) -> Result<()> {
        match self.shared.options.accel {
            AccelKind::Interp | AccelKind::Tcg => Ok(()),
            AccelKind::Kvm => Err(Error::Accel {
                accel: "kvm".into(),
                problem: "the kernel runs this guest, and would not wait for pages that follow it (post-copy)".into(),
                hint: "leave post-copy out, or use accel=\"tcg\" or accel=\"interp\" on the destination".into(),
            }),
        }
    }

    fn settle(&self) {
        self.shared.partition.settle();
    }

    fn stop(&self) -> Result<Ran> {
        self.shared.leave()
    }

    fn go_on(&self, ran: Ran) {
        self.shared.control.unlock(Lock::Leaving);
        if ran == Ran::Yes {
            let left = lock(&self.shared.control.budget).map(|b| b.left);
            if let Err(e) = self.shared.resume(left) {
                log::error!(target: "spapr.migrate", "the guest could not go on after a migration that failed: {e}");
            }
        }
    }

    fn throttle(&self, percent: u8) {
        self.shared.throttle.percent.store(percent, Ordering::Relaxed);
        if percent > 0 && !self.shared.throttle.ticking.swap(true, Ordering::AcqRel) {
            let shared = self.shared.clone();
            std::thread::spawn(move || shared.make_turns());
        }
    }

    fn save(&self) -> Result<Vec<u8>> {
        let held = self.shared.settle("migrate")?;
        let saved = self.shared.save(&held)?;
        drop(held);
        let host = |source| Error::Host { doing: "write the state".into(), source };
        let mut to = StreamWriter::new(Vec::new(), &saved.header).map_err(host)?;
        for section in &saved.sections {
            to.section(section).map_err(host)?;
        }
        to.finish().map_err(host)
    }

    fn load(&self, state: &[u8]) -> Result<()> {
        let mut from = StreamReader::open(state)?;
        check_description(&from.header().unpack()?, &self.shared.describe())?;
        let mut sections = Sections::default();
        while let Some(frame) = from.next_frame()? {
            match frame {
                Frame::Section(section) => sections.add(section)?,
                Frame::Chunk { name, .. } => {
                    return Err(crate::state::refusal(name, crate::state::Bad::new("memory does not come with the state")));
                }
            }
        }
        from.at_end()?;
        let held = self.shared.settle("take a guest over")?;
        self.shared.load(&held, &sections, |shifts| self.tables(shifts))?;
        // Whatever the host's kernel does not take is said before the source lets go.
        self.shared.partition.enter_hpt()
    }

    fn start(&self, stopped_for: Duration, ran: Ran) -> Result<()> {
        self.shared.control.arrive()?;
        if ran == Ran::No {
            return Ok(());
        }
        // The time that the guest stood still has passed for it.
        self.shared.clock.set(self.shared.clock.now().saturating_add(stopped_for));
        self.shared.resume(None)
    }

    fn moved(&self, gone: Gone) {
        match gone {
            Gone::Surely => {
                self.shared.control.become_status(Status::PostMigrate, StopReason::User);
                self.shared.control.unlock(Lock::Leaving);
            }
            Gone::Perhaps => self.shared.control.set_lock(Lock::Unconfirmed),
        }
    }
}

impl Shared {
    /// Stops the machine for a migration's last phase, with nothing on its way.
    fn leave(&self) -> Result<Ran> {
        let ran = loop {
            if let Some(ran) = self.control.try_leave(&self.clock)? {
                break ran;
            }
            // A reset that the guest asked for is being done.
            std::thread::yield_now();
        };
        self.signals.iter().for_each(|s| s.raise(signal::KICK));
        // A timer that was being looked at is done when the machine is free; the next one sees the lock.
        drop(lock(&self.machine));
        let settled = self.settle("migrate").map(drop);
        if let Err(e) = settled {
            self.control.unlock(Lock::Leaving);
            if ran == Ran::Yes {
                self.resume(None)?;
            }
            return Err(e);
        }
        Ok(ran)
    }

    /// Kicks every vCPU at the end of each turn, for as long as they are held back.
    fn make_turns(&self) {
        while let Some(rest) = self.throttle.rest() {
            std::thread::sleep(RUNS + rest);
            self.throttle.turn.fetch_add(1, Ordering::Relaxed);
            self.signals.iter().for_each(|s| s.raise(signal::KICK));
        }
        self.throttle.ticking.store(false, Ordering::Release);
    }

    /// A vCPU that is held back rests once in each turn; `rested` is its last one.
    pub(super) fn rest(&self, cpu: CpuIndex, rested: &mut u32) {
        let turn = self.throttle.turn.load(Ordering::Relaxed);
        if let (Some(rest), true) = (self.throttle.rest(), turn != *rested) {
            self.signals[cpu.0 as usize].wait(signal::KICK, Some(rest));
        }
        *rested = turn;
    }
}
