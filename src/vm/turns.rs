//! Repeatable runs: one thread runs the vCPUs in turn, in counted time.
//!
//! A vCPU's turn ends after [`TURN`] instructions, or when it has nothing to execute. Time passes with the instructions of whoever has the turn; when nobody has
//! anything to execute it leaps to the next decrementer or watchdog. What other threads do (a pause, a budget's end, a look at registers) may end a call of [`Vcpu::run`] anywhere, but never a turn, so
//! it leaves no trace in what the guest does. A guest is free of the host in everything but what is typed at it and what is asked of it by name (`nmi`, a
//! power button): give it that while it stands, and the run can be repeated.
//!
//! [`Vcpu::run`]: crate::accel::Vcpu::run

use crate::accel::AccelKind;
use crate::accel::Exit;
use crate::clock;
use crate::clock::VirtualClock;
use crate::cpu::CpuState;
use crate::error::Error;
use crate::error::Result;
use crate::random::Seeded;
use crate::signal;
use crate::signal::Signals;
use crate::spapr::spec::MachineSpec;
use crate::units::CpuIndex;
use crate::vm::Halt;
use crate::vm::Options;
use crate::vm::Shared;
use crate::vm::control::Status;
use crate::vm::control::StopReason;
use crate::vm::control::Want;
use crate::vm::exits::Next;
use crate::vm::lock;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Instructions of a turn.
const TURN: u64 = 20_000;
/// A leap of time over more than this waits as long in the host's time before it is made: an idle guest costs nothing. What the guest sees is the same.
const PACED: Duration = Duration::from_millis(10);
/// Longest wait; then it is looked again.
const LONGEST: Duration = Duration::from_secs(3600);
/// What the real-time clock shows at the start, unless the user says: the beginning of 2000, in seconds since 1970.
const RTC_START: i64 = 946_684_800;

/// The machine's clock, and a real-time clock that does not follow the host's where time is counted.
///
/// # Errors
/// The accelerator does not count instructions.
pub(super) fn clock(options: &Options, spec: &mut MachineSpec) -> Result<VirtualClock> {
    if options.icount.is_none() {
        return Ok(VirtualClock::default());
    }
    if options.accel == AccelKind::Kvm {
        return Err(Error::Accel {
            accel: "kvm".into(),
            problem: "KVM does not count instructions (icount)".into(),
            hint: "use accel=\"tcg\" or accel=\"interp\", or leave icount out".into(),
        });
    }
    spec.rtc_base.get_or_insert(RTC_START);
    Ok(VirtualClock::counted())
}

/// Whose turn it is, and what happened so far.
struct Turn {
    cpu: usize,
    /// Instructions left of it.
    left: u64,
    /// Of all exits so far.
    digest: blake3::Hasher,
}

/// What the thread of the turns shares with commands.
pub(super) struct Turns {
    turn: Mutex<Turn>,
    bell: Arc<Bell>,
    /// Somebody waits for the guest's words.
    listening: AtomicBool,
}

/// Wakes the thread when no vCPU has anything to execute.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    fn ring(&self) {
        *lock(&self.rung) = true;
        self.heard.notify_all();
    }

    /// Forgets that it rang.
    fn reset(&self) {
        *lock(&self.rung) = false;
    }

    /// Waits until it rings, or `timeout` is over (`false`).
    fn wait(&self, timeout: Duration) -> bool {
        let rung = lock(&self.rung);
        *self.heard.wait_timeout_while(rung, timeout, |rung| !*rung).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Turns {
    /// For the vCPUs with these signals.
    pub(super) fn new(signals: &[Arc<Signals>], options: &Options) -> Turns {
        let bell = Arc::new(Bell::default());
        if options.icount.is_some() {
            for s in signals {
                let bell = bell.clone();
                s.watch(move |_| bell.ring());
            }
        }
        let turn = Turn { cpu: 0, left: TURN, digest: blake3::Hasher::new() };
        Turns { turn: Mutex::new(turn), bell, listening: AtomicBool::new(false) }
    }

    /// The machine pauses when the guest says something, from now on.
    pub(super) fn listen(&self) {
        self.listening.store(true, Ordering::SeqCst);
    }

    /// It does not.
    pub(super) fn ignore(&self) {
        self.listening.store(false, Ordering::SeqCst);
    }
}

impl Turn {
    /// Enters an exit, or the end of a turn (`None`).
    fn enter(&mut self, executed: u64, now: Duration, s: &CpuState, exit: Option<Exit>) {
        let kind = match exit {
            None => 0,
            Some(Exit::Hcall { .. }) => 1,
            Some(Exit::HcallFromProblemState) => 2,
            Some(Exit::MmioRead { .. }) => 3,
            Some(Exit::MmioWrite { .. }) => 4,
            Some(Exit::SystemReset) => 5,
            Some(Exit::Halted) => 6,
            // Those are of the host's making, and never entered.
            Some(Exit::Kicked | Exit::Budget | Exit::Breakpoint | Exit::Watchpoint { .. }) => return,
        };
        let words =
            [kind, self.cpu as u64, executed, now.as_nanos() as u64, s.nip, s.msr.0, s.lr, s.ctr, s.xer.pack(), u64::from(s.cr.pack())];
        words.iter().chain(&s.gpr).for_each(|word| {
            self.digest.update(&word.to_be_bytes());
        });
    }
}

impl Shared {
    /// Has the vCPUs' random numbers come from the seed, as of a moment.
    pub(super) fn seed_vcpus(&self, now: Duration) {
        let Some(seed) = self.options.icount else { return };
        let seed = seed ^ (now.as_nanos() as u64).rotate_left(32);
        for (k, slot) in self.slots.iter().enumerate() {
            lock(slot).vcpu.seed(Seeded::new(seed, k as u64 + 1));
        }
    }

    /// The same for a machine that goes on from a saved state, platform included. How far the sequences were is not saved: they begin anew, alike for all that go on from there.
    pub(super) fn seed_at(&self, now: Duration) {
        let Some(seed) = self.options.icount else { return };
        self.seed_vcpus(now);
        lock(&self.machine).go_on_from(Seeded::new(seed ^ (now.as_nanos() as u64).rotate_left(32), 0));
    }

    fn needs_icount(&self, doing: &str) -> Result<()> {
        if self.options.icount.is_some() {
            return Ok(());
        }
        Err(Error::State {
            doing: doing.into(),
            problem: "the run cannot be repeated".into(),
            hint: "make the machine with icount=True".into(),
        })
    }

    /// See [`super::Vm::resume_until_output`].
    pub(super) fn resume_until_output(&self, budget: Option<u64>) -> Result<()> {
        self.needs_icount("run until the guest says something")?;
        self.turns.listen();
        self.let_run(budget)
    }

    /// See [`super::Vm::run_digest`].
    pub(super) fn run_digest(&self) -> Result<[u8; 32]> {
        self.needs_icount("compute the digest of the run")?;
        self.stopped("compute the digest of the run", |s| *lock(&s.turns.turn).digest.finalize().as_bytes())
    }

    /// The thread.
    pub(super) fn turns_thread(&self) {
        let mut rested = 0;
        while self.control.wait_to_run(&self.clock) {
            while self.control.want() == Want::Run {
                self.signals.iter().for_each(|s| {
                    s.lower(signal::KICK);
                });
                if self.control.want() != Want::Run {
                    break;
                }
                self.rest(CpuIndex(0), &mut rested);
                let mut turn = lock(&self.turns.turn);
                while self.take_turn(&mut turn) == Next::Go {}
            }
        }
    }

    /// Whether a vCPU has something to execute.
    fn ready(&self, k: usize) -> bool {
        let cpu = CpuIndex(k as u32);
        let mut slot = lock(&self.slots[k]);
        self.apply_changes(cpu, &mut slot);
        if slot.halt != Halt::No {
            self.wake(cpu, &mut slot);
        }
        slot.halt == Halt::No
    }

    /// Runs whoever is next to the end of its turn.
    fn take_turn(&self, turn: &mut Turn) -> Next {
        if lock(&self.machine).next_deadline().is_some_and(|due| due <= self.clock.now()) {
            self.tick();
        }
        if self.control.want() != Want::Run {
            return Next::Park;
        }
        let n = self.slots.len();
        self.turns.bell.reset();
        let Some(k) = (0..n).map(|d| (turn.cpu + d) % n).find(|k| self.ready(*k)) else { return self.idle() };
        if k != turn.cpu {
            (turn.cpu, turn.left) = (k, TURN);
        }
        let next = self.execute(turn, CpuIndex(k as u32));
        if turn.left == 0 {
            (turn.cpu, turn.left) = ((k + 1) % n, TURN);
        }
        next
    }

    /// Runs a vCPU for the rest of its turn at most.
    fn execute(&self, turn: &mut Turn, cpu: CpuIndex) -> Next {
        let mut slot = lock(&self.slots[cpu.0 as usize]);
        while turn.left > 0 && slot.halt == Halt::No {
            let budget = lock(&self.control.budget).map(|b| b.left);
            if budget == Some(0) {
                self.stop(Status::Paused, StopReason::Budget);
                return Next::Park;
            }
            let may = budget.unwrap_or(u64::MAX).min(turn.left);
            let before = slot.vcpu.instructions();
            let exit = match slot.vcpu.run(Some(may)) {
                Ok(exit) => exit,
                Err(e) => {
                    self.stop(Status::InternalError, StopReason::Internal(e.to_string()));
                    return Next::Park;
                }
            };
            let executed = slot.vcpu.instructions();
            // Where every fetch fails nothing is executed, and yet the turn must end.
            let used = if exit == Exit::Budget && executed == before { may } else { executed - before };
            turn.left = turn.left.saturating_sub(used);
            if let Some(budget) = lock(&self.control.budget).as_mut() {
                budget.left = budget.left.saturating_sub(used);
            }
            let next = match exit {
                Exit::Budget => {
                    if turn.left == 0 {
                        turn.enter(executed, self.clock.now(), slot.vcpu.state(), None);
                    }
                    Next::Go
                }
                Exit::Kicked => {
                    self.signals[cpu.0 as usize].lower(signal::KICK);
                    // Another vCPU may want a change, too.
                    self.apply_changes(cpu, &mut slot);
                    if self.control.want() == Want::Run { Next::Go } else { Next::Park }
                }
                exit @ (Exit::Hcall { .. }
                | Exit::HcallFromProblemState
                | Exit::MmioRead { .. }
                | Exit::MmioWrite { .. }
                | Exit::SystemReset
                | Exit::Halted
                | Exit::Breakpoint
                | Exit::Watchpoint { .. }) => {
                    turn.enter(executed, self.clock.now(), slot.vcpu.state(), Some(exit));
                    let said = self.said();
                    let next = self.handle(cpu, &mut slot, exit);
                    if next != Next::Park && self.turns.listening.load(Ordering::SeqCst) && self.said() != said {
                        self.stop(Status::Paused, StopReason::Output);
                        return Next::Park;
                    }
                    next
                }
            };
            match next {
                Next::Go => {}
                Next::Yield => turn.left = 0,
                Next::Park => return Next::Park,
            }
        }
        Next::Go
    }

    /// Bytes that the guest has said so far.
    fn said(&self) -> u64 {
        self.consoles.iter().map(|c| c.output_len()).sum()
    }

    /// Nobody has anything to execute: lets time leap to where somebody has, or waits for the host.
    fn idle(&self) -> Next {
        let now = self.clock.now();
        let wakes = self.slots.iter().filter_map(|slot| {
            let slot = lock(slot);
            (slot.halt == Halt::Ceded).then(|| clock::duration(clock::ticks(now).saturating_add(slot.vcpu.ticks_until_decrementer())))
        });
        let next = wakes.chain(lock(&self.machine).next_deadline()).min();
        let wait = next.map_or(LONGEST, |at| at.saturating_sub(now));
        if (next.is_none() || wait > PACED) && self.turns.bell.wait(wait.min(LONGEST)) {
            return if self.control.want() == Want::Run { Next::Go } else { Next::Park };
        }
        if let Some(at) = next.filter(|_| wait <= LONGEST) {
            self.clock.set(at.max(now));
        }
        Next::Go
    }
}
