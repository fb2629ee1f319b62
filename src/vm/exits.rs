//! What becomes of an exit: the machine decides under its lock, and its decisions about vCPUs are carried out here.

use crate::accel::Exit;
use crate::accel::Reply;
use crate::dev::bus::BusError;
use crate::error::Error;
use crate::error::Result;
use crate::isa::regs::Lpcr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::isa::vectors::Vector;
use crate::signal;
use crate::spapr::hcall;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::Change;
use crate::spapr::hcall::Dispatched;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::Values;
use crate::spapr::hcall::Who;
use crate::spapr::machine::Cause;
use crate::spapr::machine::MachineEvent;
use crate::spapr::machine::RunState;
use crate::spapr::rtas::ResetEntry;
use crate::units::CpuIndex;
use crate::units::Ra;
use crate::vm::Halt;
use crate::vm::Shared;
use crate::vm::Slot;
use crate::vm::control::Status;
use crate::vm::control::StopReason;
use crate::vm::lock;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

/// Whether the vCPU goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    Go,
    Park,
    /// It goes on, but others may come first.
    Yield,
}

/// A change of a vCPU, on its way to it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    change: Change,
    /// What start-cpu copies from the caller.
    from: Inherited,
}

/// Registers that a started vCPU gets from the one that starts it.
#[derive(Clone, Copy, Debug, Default)]
struct Inherited {
    lpcr: u64,
    tb_offset: u64,
}

/// Stray accesses that are logged.
const STRAYS_LOGGED: u32 = 16;
/// LPCR bits that start-cpu copies.
const LPCR_INHERITED: u64 = Lpcr::ILE | Lpcr::AIL0 | Lpcr::AIL1 | Lpcr::UPRT | Lpcr::HR | Lpcr::GTSE;

/// A hypercall as recorded for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HcallRecord {
    /// Dense index of the calling vCPU.
    pub cpu: u32,
    /// r3.
    pub number: u64,
    /// r4 to r12.
    pub args: [u64; 9],
    /// What it came to: r3 after the call; `None` if it did not return.
    pub status: Option<i64>,
}

/// The last hypercalls, when the user wants them.
#[derive(Default)]
pub(super) struct HcallLog {
    on: AtomicBool,
    ring: Mutex<(usize, VecDeque<HcallRecord>)>,
}

impl HcallLog {
    pub(super) fn record(&self, capacity: usize) {
        let mut ring = lock(&self.ring);
        ring.0 = capacity;
        ring.1.truncate(capacity);
        self.on.store(capacity > 0, Ordering::Relaxed);
    }

    pub(super) fn take(&self) -> Vec<HcallRecord> {
        lock(&self.ring).1.drain(..).collect()
    }

    fn note(&self, cpu: CpuIndex, number: u64, args: [u64; 9], outcome: &Outcome) {
        if !self.on.load(Ordering::Relaxed) {
            return;
        }
        let status = match outcome {
            Outcome::Return(h, _) | Outcome::Event(_, h) | Outcome::OnVcpus { status: h, .. } => Some(*h as i64),
            Outcome::Cede | Outcome::AwaitProd | Outcome::Yield => Some(0),
            Outcome::StopSelf | Outcome::Again(_) => None,
        };
        let mut ring = lock(&self.ring);
        if ring.1.len() >= ring.0 {
            ring.1.pop_front();
        }
        ring.1.push_back(HcallRecord { cpu: cpu.0, number, args, status });
    }
}

fn reply(status: H, values: Values) -> Reply {
    Reply::Hcall { status: status as i64, out: values.regs, count: values.count }
}

impl Shared {
    /// Carries out `exit` of the vCPU in `slot`.
    pub(super) fn handle(&self, cpu: CpuIndex, slot: &mut Slot, exit: Exit) -> Next {
        match exit {
            Exit::Hcall { number, args } => self.hcall(cpu, slot, number, args),
            Exit::HcallFromProblemState => {
                slot.vcpu.complete(reply(H::Privilege, Values::default()));
                Next::Go
            }
            Exit::MmioRead { at, width } => {
                // Nothing answers: all ones, as an absent device reads.
                let value = lock(&self.machine).mmio_read(cpu, at, width).unwrap_or_else(|e| self.stray(cpu, at, e));
                slot.vcpu.complete(Reply::Loaded(value));
                Next::Go
            }
            Exit::MmioWrite { at, width, value } => {
                if let Err(e) = lock(&self.machine).mmio_write(cpu, at, width, value) {
                    self.stray(cpu, at, e);
                }
                slot.vcpu.complete(Reply::Stored);
                Next::Go
            }
            Exit::SystemReset => {
                let entry = lock(&self.machine).system_reset_entry(cpu, slot.vcpu.state().gpr[3]);
                slot.vcpu.take(Vector::SystemReset);
                if let ResetEntry::Handler { entry, r3 } = entry {
                    let s = slot.vcpu.state_mut();
                    s.nip = entry.0;
                    s.gpr[3] = r3;
                }
                Next::Go
            }
            Exit::Halted => {
                slot.halt = Halt::Ceded;
                Next::Go
            }
            Exit::Breakpoint => {
                self.stop(Status::Paused, StopReason::Breakpoint(cpu.0));
                Next::Park
            }
            Exit::Watchpoint { at, bytes, access } => {
                self.stop(Status::Paused, StopReason::Watchpoint { cpu: cpu.0, at, bytes, access });
                Next::Park
            }
            Exit::Kicked | Exit::Budget => Next::Go,
        }
    }

    /// An access that no device answers, named in the log a bounded number of times.
    fn stray(&self, cpu: CpuIndex, at: Ra, e: BusError) -> u64 {
        if self.strays.fetch_add(1, Ordering::Relaxed) < STRAYS_LOGGED {
            log::warn!(target: "spapr.vm", "vCPU {} accessed {:#x}, where nothing answers ({e:?})", cpu.0, at.0);
        }
        u64::MAX
    }

    fn hcall(&self, cpu: CpuIndex, slot: &mut Slot, number: u64, args: [u64; 9]) -> Next {
        let caller = Caller { cpu, msr: slot.vcpu.msr() };
        let (outcome, deadline_moved) = {
            let mut machine = lock(&self.machine);
            let before = machine.next_deadline();
            let outcome = hcall::dispatch(&mut machine, caller, number, args);
            (outcome, machine.next_deadline() != before)
        };
        if deadline_moved {
            self.control.nudge();
        }
        self.log.note(cpu, number, args, &outcome);
        match outcome {
            Outcome::Return(status, values) => slot.vcpu.complete(reply(status, values)),
            Outcome::Cede => {
                slot.vcpu.state_mut().msr.0 |= Msr::EE;
                slot.vcpu.complete(reply(H::Success, Values::default()));
                slot.halt = Halt::Ceded;
            }
            Outcome::AwaitProd => {
                slot.vcpu.complete(reply(H::Success, Values::default()));
                slot.halt = Halt::AwaitsProd;
            }
            Outcome::Yield => {
                slot.vcpu.complete(reply(H::Success, Values::default()));
                return Next::Yield;
            }
            Outcome::OnVcpus { who, change, status } => {
                slot.vcpu.complete(reply(status, Values::default()));
                self.change_vcpus(cpu, slot, who, change);
            }
            Outcome::StopSelf => {
                slot.halt = Halt::Stopped;
                if lock(&self.machine).vcpus.iter().all(|v| v.run == RunState::Stopped) {
                    // Only a vCPU could start another one: nobody is left, and whoever waits for the guest is told.
                    let text = "every vCPU has stopped itself (RTAS stop-self), so nothing is left to run".to_string();
                    self.stop(Status::GuestPanicked, StopReason::Guest(text));
                    return Next::Park;
                }
            }
            Outcome::Again(regs) => {
                let s = slot.vcpu.state_mut();
                s.nip = s.nip.wrapping_sub(4);
                s.gpr[3] = number;
                s.gpr[4..12].copy_from_slice(&regs);
            }
            Outcome::Event(event, status) => {
                slot.vcpu.complete(reply(status, Values::default()));
                return self.event(event);
            }
        }
        Next::Go
    }

    /// Something that concerns the whole machine.
    pub(super) fn event(&self, event: MachineEvent) -> Next {
        match event {
            MachineEvent::Shutdown(Cause::Guest) => self.stop(Status::Shutdown, StopReason::Guest("the guest powered off".into())),
            MachineEvent::Shutdown(Cause::Watchdog) => {
                self.stop(Status::Shutdown, StopReason::Guest("a watchdog powered the guest off".into()))
            }
            MachineEvent::Reset(_) => self.request_reset(),
            MachineEvent::Panicked(text) => self.stop(Status::GuestPanicked, StopReason::Guest(text)),
            MachineEvent::Suspended => self.stop(Status::Suspended, StopReason::Guest("the guest suspended itself".into())),
            MachineEvent::SystemReset => {
                self.signals.iter().for_each(|s| s.raise(signal::SYSTEM_RESET));
                return Next::Go;
            }
        }
        Next::Park
    }

    /// Changes vCPUs, and returns when all of them are changed.
    fn change_vcpus(&self, caller: CpuIndex, slot: &mut Slot, who: Who, change: Change) {
        let s = slot.vcpu.state();
        let pending = Pending { change, from: Inherited { lpcr: s.spr[spr::LPCR], tb_offset: s.tb_offset } };
        let all = || (0..self.slots.len() as u32).map(CpuIndex);
        let targets: Vec<CpuIndex> = match who {
            Who::Caller => vec![caller],
            Who::One(cpu) => vec![cpu],
            Who::All => all().collect(),
            Who::Others => all().filter(|c| *c != caller).collect(),
        };
        for t in &targets {
            lock(&self.changes[t.0 as usize]).push(pending);
            if *t != caller {
                self.signals[t.0 as usize].raise(signal::KICK);
            }
        }
        for t in targets {
            loop {
                // Two callers may wait for each other: each goes on applying what the other wants of it.
                self.apply_changes(caller, slot);
                if lock(&self.changes[t.0 as usize]).is_empty() {
                    break;
                }
                match self.slots[t.0 as usize].try_lock() {
                    Ok(mut other) => self.apply_changes(t, &mut other),
                    Err(_) => std::thread::yield_now(),
                }
            }
        }
    }

    /// Applies what others want of this vCPU.
    pub(super) fn apply_changes(&self, cpu: CpuIndex, slot: &mut Slot) {
        let mut queue = lock(&self.changes[cpu.0 as usize]);
        for p in queue.drain(..) {
            self.apply(cpu, slot, p);
        }
    }

    fn apply(&self, cpu: CpuIndex, slot: &mut Slot, p: Pending) {
        let s = slot.vcpu.state_mut();
        match p.change {
            Change::Lpcr { mask, value } => s.spr[spr::LPCR] = (s.spr[spr::LPCR] & !mask) | (value & mask),
            Change::Sprs(values) => values.iter().for_each(|(n, v)| s.spr[*n & 1023] = *v),
            Change::EnableExternal => s.msr.0 |= Msr::EE,
            Change::Compat(pvr) => s.spr[spr::PCR] = crate::isa::cpu_model::pcr(pvr),
            Change::SystemReset => self.signals[cpu.0 as usize].raise(signal::SYSTEM_RESET),
            Change::Start { entry, argument } => {
                s.spr[spr::LPCR] = (s.spr[spr::LPCR] & !LPCR_INHERITED) | (p.from.lpcr & LPCR_INHERITED);
                s.tb_offset = p.from.tb_offset;
                s.msr = Msr(Msr::SF | Msr::ME);
                s.nip = entry;
                (s.gpr[1], s.gpr[3], s.gpr[4]) = (0, argument, 0);
                s.spr[spr::PSSCR] &= !(1 << 20);
                slot.halt = Halt::No;
                // Its thread may be asleep; it looks again.
                self.signals[cpu.0 as usize].raise(signal::KICK);
            }
        }
    }

    /// A vCPU that had given its processor away runs again.
    pub(super) fn note_running(&self, cpu: CpuIndex) {
        lock(&self.machine).set_dispatched(cpu, Dispatched::Yes);
    }

    /// Watchdogs and whatever else has a time.
    pub(super) fn tick(&self) {
        let mut machine = lock(&self.machine);
        if self.control.locked() {
            return;
        }
        let event = machine.tick();
        drop(machine);
        if let Some(event) = event {
            self.event(event);
        }
    }

    /// One instruction of one vCPU, on the caller's thread.
    pub(super) fn step(&self, cpu: CpuIndex) -> Result<()> {
        let refuse = |problem: &str, hint: &str| Err(Error::State { doing: "step".into(), problem: problem.into(), hint: hint.into() });
        self.needs_counting("execute one instruction", "pause() and resume() instead")?;
        if let Some(refusal) = self.control.refusal("step") {
            return Err(refusal);
        }
        let Some(_held) = self.control.hold() else { return refuse("the machine is running", "pause() it first") };
        if self.control.status().0.ended() {
            return refuse("the machine has ended", "reset() it first");
        }
        let mut slot = lock(&self.slots[cpu.0 as usize]);
        if slot.halt != Halt::No {
            return refuse("the vCPU is halted and has nothing to execute", "step another one, or resume() the machine");
        }
        let before = slot.vcpu.instructions();
        self.signals[cpu.0 as usize].lower(signal::KICK);
        self.clock.start();
        // An exit belongs to the instruction: it is carried out with it.
        while slot.vcpu.instructions() == before || slot.vcpu.state().nip == slot.vcpu.state().cia {
            let exit = slot.vcpu.run(Some(1))?;
            if matches!(exit, Exit::Breakpoint | Exit::Watchpoint { .. }) {
                // Who steps has seen it, and wants it executed.
                continue;
            }
            if exit == Exit::Budget || self.handle(cpu, &mut slot, exit) == Next::Park || slot.halt != Halt::No {
                break;
            }
        }
        self.clock.stop();
        Ok(())
    }
}
