//! The threads: one per vCPU, and one that serves the machine.

use crate::accel::Exit;
use crate::clock;
use crate::error::Error;
use crate::error::Result;
use crate::signal;
use crate::units::CpuIndex;
use crate::vm::Halt;
use crate::vm::Shared;
use crate::vm::control::Service;
use crate::vm::control::Status;
use crate::vm::control::StopReason;
use crate::vm::control::Want;
use crate::vm::exits::Next;
use crate::vm::lock;
use std::sync::Arc;
use std::time::Duration;

/// Instructions taken from a shared budget at a time.
const PORTION: u64 = 10_000;
/// How long a vCPU that found nothing left waits before it looks whether others gave something back.
const TAKEN_WAIT: Duration = Duration::from_micros(200);
/// Stack of a vCPU thread: nothing recurses.
const STACK_BYTES: usize = 1 << 20;

/// What a vCPU gets of the instruction budget.
enum Share {
    /// There is none.
    Unlimited,
    /// So many instructions.
    Of(u64),
    /// Nothing: other vCPUs run on the rest.
    AllTaken,
    /// Nothing: all has been executed.
    AllUsed,
}

/// Starts the threads. They park at once.
pub(super) fn spawn(shared: &Arc<Shared>) -> Result<()> {
    let host = |source| Error::Host { doing: "start a vCPU thread".into(), source };
    for k in 0..shared.threads() {
        shared.control.thread_starts();
        let s = shared.clone();
        let builder = std::thread::Builder::new().name(format!("vcpu {k}")).stack_size(STACK_BYTES);
        let counted = shared.options.icount.is_some();
        let run = move |s: &Shared| if counted { s.turns_thread() } else { s.vcpu_thread(CpuIndex(k as u32)) };
        builder.spawn(move || guarded(&s, run)).map_err(|e| {
            // It counts as active, and will never park.
            shared.control.thread_dies();
            host(e)
        })?;
    }
    let s = shared.clone();
    let builder = std::thread::Builder::new().name("spapr service".into()).stack_size(STACK_BYTES);
    builder.spawn(move || guarded(&s, Shared::service_thread)).map_err(host)?;
    Ok(())
}

/// A fault of ours ends this machine, not the process.
fn guarded(shared: &Shared, run: impl FnOnce(&Shared)) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(shared))) {
        let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
        shared.stop(Status::InternalError, StopReason::Internal(text.unwrap_or_else(|| "a vCPU thread panicked".into())));
        shared.control.thread_dies();
    }
}

impl Shared {
    fn vcpu_thread(&self, cpu: CpuIndex) {
        let mut rested = 0;
        while self.control.wait_to_run(&self.clock) {
            while self.control.want() == Want::Run {
                self.signals[cpu.0 as usize].lower(signal::KICK);
                if self.control.want() != Want::Run {
                    break;
                }
                self.rest(cpu, &mut rested);
                self.turn(cpu);
            }
        }
    }

    /// Runs one vCPU until it must park or was kicked.
    fn turn(&self, cpu: CpuIndex) {
        let mut slot = lock(&self.slots[cpu.0 as usize]);
        loop {
            self.apply_changes(cpu, &mut slot);
            if slot.halt != Halt::No {
                let (halt, ticks) = (slot.halt, slot.vcpu.ticks_until_decrementer());
                drop(slot);
                self.sleep(cpu, halt, ticks);
                slot = lock(&self.slots[cpu.0 as usize]);
                self.wake(cpu, &mut slot);
                if self.signals[cpu.0 as usize].pending() & signal::KICK != 0 {
                    return;
                }
                continue;
            }
            let budget = match self.take_budget() {
                Share::Unlimited => None,
                Share::Of(n) => Some(n),
                Share::AllUsed => {
                    self.stop(Status::Paused, StopReason::Budget);
                    return;
                }
                Share::AllTaken => {
                    // Others run on what is left and may give some of it back.
                    drop(slot);
                    self.signals[cpu.0 as usize].wait(signal::KICK, Some(TAKEN_WAIT));
                    return;
                }
            };
            let before = slot.vcpu.instructions();
            let exit = match slot.vcpu.run(budget) {
                Ok(exit) => exit,
                Err(e) => return self.stop(Status::InternalError, StopReason::Internal(e.to_string())),
            };
            let used = if exit == Exit::Budget { u64::MAX } else { slot.vcpu.instructions() - before };
            self.return_budget(budget, used);
            let next = match exit {
                Exit::Kicked => Next::Park,
                Exit::Budget => Next::Go,
                exit @ (Exit::Hcall { .. }
                | Exit::HcallFromProblemState
                | Exit::MmioRead { .. }
                | Exit::MmioWrite { .. }
                | Exit::SystemReset
                | Exit::Halted
                | Exit::Breakpoint
                | Exit::Watchpoint { .. }) => self.handle(cpu, &mut slot, exit),
            };
            match next {
                Next::Go => {}
                Next::Yield => std::thread::yield_now(),
                Next::Park => return,
            }
        }
    }

    fn take_budget(&self) -> Share {
        let mut budget = lock(&self.control.budget);
        let Some(budget) = budget.as_mut() else { return Share::Unlimited };
        let share = budget.left.min(PORTION);
        match (share, budget.taken) {
            (0, 0) => Share::AllUsed,
            (0, _) => Share::AllTaken,
            (share, _) => {
                budget.left -= share;
                budget.taken += share;
                Share::Of(share)
            }
        }
    }

    fn return_budget(&self, taken: Option<u64>, used: u64) {
        if let (Some(taken), Some(budget)) = (taken, lock(&self.control.budget).as_mut()) {
            budget.taken -= taken;
            budget.left += taken.saturating_sub(used);
        }
    }

    /// Sleeps as the halt demands, or until kicked. The slot is not locked meanwhile.
    fn sleep(&self, cpu: CpuIndex, halt: Halt, decrementer_ticks: u64) {
        let always = signal::KICK | signal::SYSTEM_RESET;
        let (bits, timeout) = match halt {
            Halt::No => return,
            Halt::Ceded => (
                always | signal::EXTERNAL | signal::DOORBELL | signal::PROD,
                Some(clock::duration(decrementer_ticks.min(clock::TIMEBASE_HZ * 3600))),
            ),
            Halt::AwaitsProd => (always | signal::PROD, None),
            Halt::Stopped => (signal::KICK, None),
        };
        self.signals[cpu.0 as usize].wait(bits, timeout);
    }

    /// Ends a halt whose condition is met.
    pub(super) fn wake(&self, cpu: CpuIndex, slot: &mut crate::vm::Slot) {
        let signals = &self.signals[cpu.0 as usize];
        let pending = signals.pending();
        let awake = match slot.halt {
            Halt::No => true,
            Halt::Ceded => {
                let by_signal = pending & (signal::EXTERNAL | signal::DOORBELL | signal::PROD | signal::SYSTEM_RESET) != 0;
                by_signal || slot.vcpu.ticks_until_decrementer() == 0
            }
            Halt::AwaitsProd => pending & (signal::PROD | signal::SYSTEM_RESET) != 0,
            Halt::Stopped => false,
        };
        if awake && slot.halt != Halt::No {
            signals.lower(signal::PROD);
            slot.halt = Halt::No;
            self.note_running(cpu);
        }
    }

    /// Resets, and timers.
    fn service_thread(&self) {
        loop {
            // Counted time passes with the guest's turns, and whatever has a time is done between them.
            let counted = self.clock.is_counted();
            let deadline = if counted { None } else { lock(&self.machine).next_deadline() };
            let now = self.clock.now();
            let timeout = deadline.map(|d| d.saturating_sub(now).max(Duration::from_millis(1)));
            match self.control.wait_for_service(timeout) {
                None => return,
                Some(Service::Reset) => self.finish_reset(),
                Some(Service::Timer) if counted => {}
                Some(Service::Timer) => self.tick(),
            }
        }
    }
}
