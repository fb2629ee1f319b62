//! Start, pause, reset, end: what is wanted, what is, and who waits for it.

use crate::clock::VirtualClock;
use crate::dev::ResetKind;
use crate::error::Error;
use crate::error::Result;
use crate::migrate::Ran;
use crate::migrate::Used;
use crate::mmu::Access;
use crate::signal;
use crate::units::Ea;
use crate::vm::Shared;
use crate::vm::lock;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;
use std::time::Instant;

/// What a machine is doing; the names are QEMU's run states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Built, never run.
    Prelaunch,
    /// vCPUs may run.
    Running,
    /// Stopped by the user, a budget or a breakpoint.
    Paused,
    /// The guest powered off.
    Shutdown,
    /// The guest reported its own end.
    GuestPanicked,
    /// The guest suspended itself (ibm,suspend-me).
    Suspended,
    /// A watchdog expired with no action but to stop.
    Watchdog,
    /// This monitor failed.
    InternalError,
    /// It waits for a guest.
    InMigrate,
    /// Its guest runs elsewhere.
    PostMigrate,
}

impl Status {
    /// All of them.
    pub const ALL: [Status; 10] = [
        Status::Prelaunch,
        Status::Running,
        Status::Paused,
        Status::Shutdown,
        Status::GuestPanicked,
        Status::Suspended,
        Status::Watchdog,
        Status::InternalError,
        Status::InMigrate,
        Status::PostMigrate,
    ];

    /// QEMU's name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Prelaunch => "prelaunch",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Shutdown => "shutdown",
            Status::GuestPanicked => "guest-panicked",
            Status::Suspended => "suspended",
            Status::Watchdog => "watchdog",
            Status::InternalError => "internal-error",
            Status::InMigrate => "inmigrate",
            Status::PostMigrate => "postmigrate",
        }
    }

    /// Whether only a reset lets it run again.
    pub fn ended(self) -> bool {
        match self {
            Status::Shutdown | Status::GuestPanicked | Status::InternalError | Status::Watchdog | Status::PostMigrate => true,
            Status::Prelaunch | Status::Running | Status::Paused | Status::Suspended | Status::InMigrate => false,
        }
    }
}

/// Why the machine is not running.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StopReason {
    /// It runs, or never ran.
    None,
    /// The user asked.
    User,
    /// The instruction budget is used up.
    Budget,
    /// This vCPU reached a breakpoint.
    Breakpoint(u32),
    /// A vCPU is about to make an access that is watched.
    Watchpoint {
        /// Dense index of the vCPU.
        cpu: u32,
        /// Effective address.
        at: Ea,
        /// Bytes.
        bytes: u8,
        /// Load or store.
        access: Access,
    },
    /// The guest said something, and somebody listened.
    Output,
    /// The guest's doing, with its words if it gave any.
    Guest(String),
    /// A fault of this monitor, with a description.
    Internal(String),
}

/// What the vCPU threads should do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Want {
    Run,
    Pause,
    Close,
}

/// Why nobody but a migration may let the machine run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lock {
    /// Anybody may.
    Free,
    /// Its state is on its way to another one.
    Leaving,
    /// It waits for a guest.
    Awaiting,
    /// A guest is arriving.
    Arriving,
    /// Its guest may run elsewhere.
    Unconfirmed,
}

impl Lock {
    /// What stands in the way, and what to do about it.
    fn words(self) -> Option<(&'static str, &'static str)> {
        match self {
            Lock::Free => None,
            Lock::Leaving => Some(("the guest is on its way to another machine", "wait for the migration to end, or cancel it")),
            Lock::Awaiting => {
                Some(("the machine waits for a guest (incoming=True)", "migrate one to it, or make a machine without incoming"))
            }
            Lock::Arriving => Some(("a guest is arriving", "wait for the migration to end")),
            Lock::Unconfirmed => Some((
                "the guest may run on the destination of a migration whose end was not confirmed",
                "look there first; if it does not run there, resume(force=True)",
            )),
        }
    }
}

struct Inner {
    want: Want,
    lock: Lock,
    /// RAM may hold something else than zeros.
    used: bool,
    status: Status,
    reason: StopReason,
    /// vCPU threads that are not parked.
    active: usize,
    /// A reset is to be done by the service thread.
    reset: bool,
    /// Commands that look at stopped vCPUs; none may start while it is not zero.
    holds: usize,
}

/// Instructions that all vCPUs together may still execute.
#[derive(Clone, Copy)]
pub(super) struct Budget {
    /// Given to nobody yet.
    pub(super) left: u64,
    /// Given to vCPUs that are executing.
    pub(super) taken: u64,
}

/// The state that commands and threads share.
pub(super) struct Control {
    inner: Mutex<Inner>,
    changed: Condvar,
    /// What is left of the instruction budget, if there is one.
    pub(super) budget: Mutex<Option<Budget>>,
    threads: usize,
}

/// While it lives, no vCPU enters guest code.
pub(super) struct Hold<'a>(&'a Control);

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        self.0.get().holds -= 1;
        self.0.changed.notify_all();
    }
}

impl Control {
    pub(super) fn new(threads: usize) -> Control {
        Control {
            inner: Mutex::new(Inner {
                want: Want::Pause,
                lock: Lock::Free,
                used: false,
                status: Status::Prelaunch,
                reason: StopReason::None,
                active: 0,
                reset: false,
                holds: 0,
            }),
            changed: Condvar::new(),
            budget: Mutex::new(None),
            threads,
        }
    }

    fn get(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    pub(super) fn status(&self) -> (Status, StopReason) {
        let i = self.get();
        (i.status, i.reason.clone())
    }

    pub(super) fn want(&self) -> Want {
        self.get().want
    }

    /// Blocks while the machine is not to run. `false`: the thread is to end. The last one that parks stops the clock: while any vCPU is in guest code, all
    /// must read the same time.
    pub(super) fn wait_to_run(&self, clock: &VirtualClock) -> bool {
        let mut i = self.get();
        i.active -= 1;
        if i.active == 0 && i.want != Want::Run && !i.reset {
            clock.stop();
        }
        self.changed.notify_all();
        while i.want == Want::Pause || (i.holds > 0 && i.want == Want::Run) {
            i = self.changed.wait(i).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        if i.want == Want::Close {
            return false;
        }
        i.active += 1;
        true
    }

    /// A thread begins; it counts as active until it parks.
    pub(super) fn thread_starts(&self) {
        self.get().active += 1;
    }

    /// A thread ends without parking.
    pub(super) fn thread_dies(&self) {
        let mut i = self.get();
        i.active = i.active.saturating_sub(1);
        i.want = Want::Close;
        drop(i);
        self.changed.notify_all();
    }

    pub(super) fn wait_stopped(&self, timeout: Option<Duration>) -> Status {
        let deadline = timeout.map(|t| Instant::now() + t);
        let mut i = self.get();
        while i.status == Status::Running {
            i = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(i).unwrap_or_else(std::sync::PoisonError::into_inner),
                Some(left) if left.is_zero() => break,
                Some(left) => self.changed.wait_timeout(i, left).unwrap_or_else(std::sync::PoisonError::into_inner).0,
            };
        }
        i.status
    }

    /// Keeps vCPUs from starting, once all are parked; `None` when the machine runs.
    pub(super) fn hold(&self) -> Option<Hold<'_>> {
        let mut i = self.get();
        if i.want == Want::Run {
            return None;
        }
        i.holds += 1;
        while i.active > 0 {
            i = self.changed.wait(i).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        Some(Hold(self))
    }

    /// As [`Control::hold`], and no reset is left to be done.
    pub(super) fn hold_settled(&self) -> Option<Hold<'_>> {
        loop {
            let held = self.hold()?;
            let i = self.get();
            if !i.reset || i.want == Want::Close {
                drop(i);
                return Some(held);
            }
            drop(i);
            drop(held);
            std::thread::yield_now();
        }
    }

    /// Why the machine may not run, for `doing`.
    pub(super) fn refusal(&self, doing: &str) -> Option<Error> {
        let i = self.get();
        let (problem, hint) = i.lock.words()?;
        Some(Error::State { doing: doing.into(), problem: problem.into(), hint: hint.into() })
    }

    /// Whether nothing may change the machine.
    pub(super) fn locked(&self) -> bool {
        self.get().lock != Lock::Free
    }

    pub(super) fn set_lock(&self, lock: Lock) {
        self.get().lock = lock;
    }

    /// Takes `lock` away, if it is that.
    pub(super) fn unlock(&self, lock: Lock) {
        let mut i = self.get();
        if i.lock == lock {
            i.lock = Lock::Free;
        }
        drop(i);
        self.changed.notify_all();
    }

    /// A guest is coming; refused where none is expected.
    pub(super) fn begin_receiving(&self) -> Result<()> {
        let mut i = self.get();
        let refuse =
            |problem: &str, hint: &str| Err(Error::State { doing: "receive a guest".into(), problem: problem.into(), hint: hint.into() });
        match i.lock {
            _ if i.want == Want::Close => refuse("the machine is closed", "make a new Machine"),
            Lock::Awaiting => {
                i.lock = Lock::Arriving;
                Ok(())
            }
            Lock::Arriving => refuse("a guest is arriving already", "wait for it, or use another machine"),
            Lock::Free | Lock::Leaving | Lock::Unconfirmed => {
                refuse("the machine was not made to receive one", "make it with Machine(…, incoming=True)")
            }
        }
    }

    /// The guest has come, or has not and may yet.
    pub(super) fn end_receiving(&self) {
        let mut i = self.get();
        if i.lock == Lock::Arriving {
            i.lock = Lock::Awaiting;
            (i.status, i.reason) = (Status::InMigrate, StopReason::None);
        }
    }

    /// The guest is complete and may run.
    pub(super) fn arrive(&self) -> Result<()> {
        let mut i = self.get();
        if i.want == Want::Close || i.lock != Lock::Arriving {
            let (problem, hint) = ("the machine was closed meanwhile".into(), "make a new Machine".into());
            return Err(Error::State { doing: "run the guest".into(), problem, hint });
        }
        i.lock = Lock::Free;
        Ok(())
    }

    /// Whether RAM may hold something by now; from now on it does.
    pub(super) fn use_memory(&self) -> Used {
        if std::mem::replace(&mut self.get().used, true) { Used::Yes } else { Used::No }
    }

    /// Stops the machine under [`Lock::Leaving`] and says whether it ran; `None` while a reset is being done. The vCPUs are still to be kicked.
    pub(super) fn try_leave(&self, clock: &VirtualClock) -> Result<Option<Ran>> {
        let mut i = self.get();
        let refuse =
            |problem: String| Err(Error::State { doing: "migrate".into(), problem, hint: "there is no guest to move any more".into() });
        if i.want == Want::Close {
            return refuse("the machine was closed".into());
        }
        if i.status.ended() {
            return refuse(format!("the guest has ended (status {:?})", i.status.name()));
        }
        if i.reset {
            return Ok(None);
        }
        i.lock = Lock::Leaving;
        if i.want != Want::Run {
            return Ok(Some(Ran::No));
        }
        i.want = Want::Pause;
        (i.status, i.reason) = (Status::Paused, StopReason::User);
        if i.active == 0 {
            clock.stop();
        }
        drop(i);
        self.changed.notify_all();
        Ok(Some(Ran::Yes))
    }

    /// A machine that is held gets the status that a saved state says.
    pub(super) fn become_status(&self, status: Status, reason: StopReason) {
        let mut i = self.get();
        (i.status, i.reason) = (status, reason);
        drop(i);
        self.changed.notify_all();
    }

    /// The service thread's wait: until there is a reset to do (`Some(true)`), `timeout` has passed (`Some(false)`), or the end (`None`).
    pub(super) fn wait_for_service(&self, timeout: Option<Duration>) -> Option<Service> {
        let mut i = self.get();
        let deadline = timeout.map(|t| Instant::now() + t);
        loop {
            if i.want == Want::Close {
                return None;
            }
            if i.reset && i.active == 0 {
                return Some(Service::Reset);
            }
            i = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
                None => self.changed.wait(i).unwrap_or_else(std::sync::PoisonError::into_inner),
                Some(left) if left.is_zero() => return Some(Service::Timer),
                Some(left) => self.changed.wait_timeout(i, left).unwrap_or_else(std::sync::PoisonError::into_inner).0,
            };
            if deadline.is_none() && !i.reset && i.want != Want::Close {
                return Some(Service::Timer);
            }
        }
    }

    /// Wakes the service thread to look at its timers again.
    pub(super) fn nudge(&self) {
        self.changed.notify_all();
    }
}

/// What the service thread has to do.
pub(super) enum Service {
    /// All vCPUs are parked: reset the machine and let it run.
    Reset,
    /// Look at the timers.
    Timer,
}

impl Shared {
    pub(super) fn resume(&self, budget: Option<u64>) -> Result<()> {
        self.turns.ignore();
        self.let_run(budget)
    }

    fn kick(&self) {
        self.signals.iter().for_each(|s| s.raise(signal::KICK));
    }

    pub(super) fn let_run(&self, budget: Option<u64>) -> Result<()> {
        if budget.is_some() {
            self.needs_counting("count instructions", "leave max_instructions out")?;
        }
        let mut i = self.control.get();
        let refuse = |problem: String, hint: &str| Err(Error::State { doing: "run".into(), problem, hint: hint.into() });
        if i.want == Want::Close {
            return refuse("the machine is closed".into(), "make a new Machine");
        }
        if let Some((problem, hint)) = i.lock.words() {
            return refuse(problem.into(), hint);
        }
        if i.status == Status::PostMigrate {
            return refuse("the guest runs on the destination of a migration".into(), "reset() starts another one here from its images");
        }
        if i.status.ended() {
            return refuse(format!("the machine has ended (status {:?})", i.status.name()), "reset() it first, or make a new Machine");
        }
        if i.want == Want::Run {
            return Ok(());
        }
        self.partition.enter_hpt()?;
        *lock(&self.control.budget) = budget.map(|left| Budget { left, taken: 0 });
        self.signals.iter().for_each(|s| {
            s.lower(signal::KICK);
        });
        self.clock.start();
        i.want = Want::Run;
        i.status = Status::Running;
        i.reason = StopReason::None;
        drop(i);
        self.control.changed.notify_all();
        Ok(())
    }

    /// Asks for a stop without waiting; the first reason wins.
    pub(super) fn stop(&self, status: Status, reason: StopReason) {
        let mut i = self.control.get();
        // While the guest resets itself nothing is wanted to run, yet it would run on afterwards.
        if i.want == Want::Run || (i.reset && i.want == Want::Pause && i.status == Status::Running) {
            i.want = Want::Pause;
            i.status = status;
            i.reason = reason;
            // Else guest time stands still when the last vCPU has parked.
            if i.active == 0 {
                self.clock.stop();
            }
        }
        drop(i);
        self.kick();
        self.control.changed.notify_all();
    }

    pub(super) fn pause(&self) {
        self.stop(Status::Paused, StopReason::User);
        let mut i = self.control.get();
        while (i.active > 0 || i.reset) && i.want == Want::Pause {
            i = self.control.changed.wait(i).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// The guest asked for a reset: the service thread does it when all vCPUs are parked.
    pub(super) fn request_reset(&self) {
        let mut i = self.control.get();
        if i.want == Want::Run {
            i.want = Want::Pause;
            i.reset = true;
        }
        drop(i);
        self.kick();
        self.control.changed.notify_all();
    }

    /// The service thread's half of a guest's reset.
    pub(super) fn finish_reset(&self) {
        let booted = self.boot(ResetKind::Guest);
        let mut i = self.control.get();
        if i.reset {
            i.reset = false;
            if let Err(e) = booted {
                (i.status, i.reason) = (Status::InternalError, StopReason::Internal(e.to_string()));
            } else if i.status == Status::Running {
                self.signals.iter().for_each(|s| {
                    s.lower(signal::KICK);
                });
                i.want = Want::Run;
            }
        }
        drop(i);
        self.control.changed.notify_all();
    }

    pub(super) fn reset(&self) -> Result<()> {
        if let Some(refusal) = self.control.refusal("reset") {
            return Err(refusal);
        }
        let ran = self.control.want() == Want::Run;
        self.pause();
        let Some(held) = self.control.hold() else { return Ok(()) };
        self.boot(ResetKind::Cold)?;
        let mut i = self.control.get();
        i.reset = false;
        i.status = Status::Paused;
        i.reason = StopReason::User;
        drop(i);
        drop(held);
        if ran {
            self.resume(None)?;
        }
        Ok(())
    }

    pub(super) fn close(&self) {
        // vCPUs that wait for pages of a guest that moved before its memory never get them.
        self.memory.give_up_absent();
        self.pause();
        self.control.get().want = Want::Close;
        self.control.changed.notify_all();
        self.kick();
        self.consoles.iter().for_each(|c| c.close());
    }

    /// How many vCPU threads there are.
    pub(super) fn threads(&self) -> usize {
        self.control.threads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spapr::spec::Settings;
    use crate::spapr::spec::check;
    use crate::vm::Options;
    use crate::vm::Vm;

    #[test]
    fn a_pause_during_the_guests_own_reset_is_not_lost() {
        let caps = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken")].map(|(n, v)| (n.into(), v.into())).to_vec();
        let kernel = Some("python/spapr/guests/embedded-be.elf".into());
        let settings = Settings { memory: 256 << 20, kernel, caps, ..Settings::default() };
        let vm = Vm::new(check(&settings).unwrap(), Options::default()).unwrap();
        for _ in 0..20 {
            vm.resume().unwrap();
            vm.shared.request_reset();
            vm.pause();
            let (status, reason) = vm.status();
            assert_eq!((status, reason), (Status::Paused, StopReason::User));
            assert!(!vm.shared.control.get().reset && vm.shared.control.want() == Want::Pause);
        }
        vm.close();
    }
}
