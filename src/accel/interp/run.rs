//! The interpreter's run loop: blocks, pending interrupts, time, exits.

use crate::accel::Exit;
use crate::accel::Parts;
use crate::accel::Reply;
use crate::accel::Vcpu;
use crate::accel::Watch;
use crate::accel::interp::Core;
use crate::accel::interp::Trap;
use crate::accel::interp::block::CodeCache;
use crate::accel::interp::stops::Here;
use crate::cpu::CpuState;
use crate::cpu::interrupt;
use crate::cpu::interrupt::Interrupt;
use crate::cpu::timebase;
use crate::error::Result;
use crate::isa::regs::Msr;
use crate::isa::vectors::Vector;
use crate::mmu::partition::Scope;
use crate::random::Seeded;
use crate::signal;
use crate::signal::Signals;
use crate::units::CpuIndex;
use crate::units::VcpuId;
use std::sync::Arc;

/// Instructions between two looks at the clock: about 50 µs, the precision of the decrementer.
const SLICE: i64 = 4096;
/// Bits in [`Core::local`]: the decrementer is negative.
pub(super) const DECREMENTER: u32 = 1 << 16;
const _: () = assert!(DECREMENTER > signal::PROD, "local bits share a word with the signals");

/// The signals that interrupt a vCPU whose MSR is `msr`.
pub(super) fn poll_mask(msr: Msr) -> u32 {
    let always = signal::FLUSH | signal::KICK | signal::SYSTEM_RESET;
    if msr.has(Msr::EE) { always | signal::EXTERNAL | signal::DOORBELL | DECREMENTER } else { always }
}

/// What executes guest code between two looks at whatever may interrupt it. The loop around it, pending interrupts, time and exits are the same for
/// every engine, and where instructions are to be taken one by one (trace, breakpoints, an access outside RAM being repeated) the loop interprets.
pub(in crate::accel) trait Engine {
    /// Instructions between two looks at the clock.
    const SLICE: i64;

    /// Executes at most `limit` instructions; gives how many it did. `Ok(0)`: it did none, and the loop is to look at the clock first.
    fn stretch(&mut self, cpu: &mut Interp, limit: u64) -> std::result::Result<u64, (u64, Trap)>;
}

/// The engine that interprets: block by block.
struct Interpreting;

impl Engine for Interpreting {
    const SLICE: i64 = SLICE;

    #[inline(always)]
    fn stretch(&mut self, cpu: &mut Interp, limit: u64) -> std::result::Result<u64, (u64, Trap)> {
        cpu.block(limit)
    }
}

/// An interpreting vCPU.
pub struct Interp {
    pub(in crate::accel) core: Core,
    code: CodeCache,
}

impl Interp {
    /// A vCPU with all registers zero.
    pub fn new(parts: Parts) -> Interp {
        Interp { core: Core::new(parts), code: CodeCache::default() }
    }

    /// The vCPU as instruction functions see it, for tests of single instructions.
    pub fn core(&mut self) -> &mut Core {
        &mut self.core
    }

    /// Delivers or leaves: what a failed step comes to.
    fn settle(&mut self, trap: Trap) -> Option<Exit> {
        let c = &mut self.core;
        match trap {
            Trap::Interrupt => {
                let i = c.interrupt.take().expect("a trap is raised with its interrupt");
                interrupt::deliver(c, i);
                c.recontext();
                None
            }
            Trap::Exit => {
                let exit = c.exiting.take().expect("an exit is prepared before it is returned");
                match exit {
                    Exit::MmioRead { .. } | Exit::MmioWrite { .. } => c.nip = c.cia,
                    Exit::Watchpoint { .. } => {
                        // It has not been executed.
                        c.nip = c.cia;
                        c.instructions -= 1;
                        c.stops.reported(c.cia);
                    }
                    Exit::Hcall { .. }
                    | Exit::HcallFromProblemState
                    | Exit::SystemReset
                    | Exit::Halted
                    | Exit::Kicked
                    | Exit::Budget
                    | Exit::Breakpoint => {}
                }
                Some(exit)
            }
        }
    }

    /// Looks at everything that may interrupt guest code.
    #[cold]
    fn attend(&mut self, slice: i64) -> Option<Exit> {
        let c = &mut self.core;
        c.renumber();
        if c.slice <= 0 {
            c.slice = slice;
            let due = c.look_at_decrementer();
            c.local = if due { c.local | DECREMENTER } else { c.local & !DECREMENTER };
        }
        let pending = (c.signals.pending() | c.local) & c.poll_mask;
        if pending & signal::FLUSH != 0 {
            c.signals.lower(signal::FLUSH);
        }
        c.catch_up();
        if pending & signal::KICK != 0 {
            return Some(Exit::Kicked);
        }
        let vector = if pending & signal::SYSTEM_RESET != 0 {
            c.signals.lower(signal::SYSTEM_RESET);
            return Some(Exit::SystemReset);
        } else if pending & signal::EXTERNAL != 0 {
            Vector::External
        } else if pending & DECREMENTER != 0 {
            Vector::Decrementer
        } else if pending & signal::DOORBELL != 0 {
            c.signals.lower(signal::DOORBELL);
            Vector::Doorbell
        } else {
            return None;
        };
        interrupt::deliver(c, Interrupt::after(vector));
        c.recontext();
        None
    }

    /// Runs one block, or its first `limit` instructions. Gives the number of instructions executed.
    #[inline(always)]
    pub(in crate::accel) fn block(&mut self, limit: u64) -> std::result::Result<u64, (u64, Trap)> {
        let c = &mut self.core;
        let block = self.code.find(c).map_err(|t| (0, t))?;
        let n = (block.ops.len() as u64).min(limit);
        let mut pc = c.nip;
        for (k, op) in block.ops[..n as usize].iter().enumerate() {
            c.cia = pc;
            pc = pc.wrapping_add(op.insn.len());
            c.nip = pc;
            if let Err(trap) = (op.run)(c, op.insn) {
                return Err((k as u64 + 1, trap));
            }
            if std::mem::take(&mut c.code_changed) {
                return Ok(k as u64 + 1);
            }
        }
        Ok(n)
    }

    /// Takes a trace interrupt after an instruction that ran with MSR\[SE\] (ISA III, trace).
    #[cold]
    fn trace(&mut self, before: Msr, branched: Branched) {
        if before.has(Msr::SE) || (before.has(Msr::BE) && branched == Branched::Yes) {
            interrupt::deliver(&mut self.core, Interrupt { srr1: crate::bits::ibm(33), ..Interrupt::after(Vector::Trace) });
            self.core.recontext();
        }
    }

    /// [`Vcpu::run`] with `engine`.
    pub(in crate::accel) fn run_with(&mut self, engine: &mut impl Engine, budget: Option<u64>) -> Exit {
        self.core.attach_clock();
        self.core.recontext();
        self.core.slice = 0;
        self.core.seen.enter();
        self.core.catch_up();
        let exit = self.run_inner(engine, budget.unwrap_or(u64::MAX));
        self.core.seen.leave();
        self.core.detach_clock();
        exit
    }

    fn run_inner<E: Engine>(&mut self, engine: &mut E, budget: u64) -> Exit {
        let mut left = budget;
        loop {
            let c = &mut self.core;
            // An instruction that a device has answered is finished first: an interrupt in between would lose the answer, or give it to another one.
            let repeating = !c.mmio.done.is_empty();
            if !repeating && ((c.signals.pending() | c.local) & c.poll_mask != 0 || c.slice <= 0) {
                if let Some(exit) = self.attend(E::SLICE) {
                    return exit;
                }
                continue;
            }
            if left == 0 && !repeating {
                return Exit::Budget;
            }
            let tracing = c.msr.0 & (Msr::SE | Msr::BE) != 0;
            let passing = c.stops.any()
                && match c.stops.look(c.nip) {
                    Here::Stop if !repeating => return Exit::Breakpoint,
                    Here::Stop | Here::Pass => true,
                    Here::Go => c.stops.passes(),
                };
            let singly = tracing || repeating || passing;
            let (before, from, limit) = (c.msr, c.nip, left.min(c.until_due()));
            let stretch = if singly { self.block(1) } else { engine.stretch(self, limit) };
            let (n, trap) = match stretch {
                Ok(n) => (n, None),
                Err((n, trap)) => (n, Some(trap)),
            };
            // A fetch that fails costs one too: a guest whose interrupt handlers cannot be fetched would never use its budget up.
            left = left.saturating_sub(if trap.is_some() { n.max(1) } else { n });
            self.core.instructions += n;
            self.core.slice -= n as i64 + 1;
            if self.core.instructions >= self.core.due_at {
                self.core.slice = 0;
            }
            let exit = trap.and_then(|t| self.settle(t));
            if passing && !matches!(exit, Some(Exit::MmioRead { .. } | Exit::MmioWrite { .. })) {
                self.core.stops.passed();
            }
            if repeating && exit.is_none() {
                self.core.mmio.done.clear();
                self.core.mmio.used = 0;
            }
            if tracing && trap.is_none() {
                let branched = if self.core.nip == from.wrapping_add(4) { Branched::No } else { Branched::Yes };
                self.trace(before, branched);
            }
            if let Some(exit) = exit {
                return exit;
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Branched {
    Yes,
    No,
}

impl Vcpu for Interp {
    fn index(&self) -> CpuIndex {
        self.core.index
    }

    fn id(&self) -> VcpuId {
        self.core.id
    }

    fn run(&mut self, budget: Option<u64>) -> Result<Exit> {
        Ok(self.run_with(&mut Interpreting, budget))
    }

    fn complete(&mut self, reply: Reply) {
        let c = &mut self.core;
        match reply {
            Reply::Nothing => {}
            Reply::Stored => c.mmio.done.push(0),
            Reply::Loaded(v) => c.mmio.done.push(v),
            Reply::Hcall { status, out, count } => {
                c.gpr[3] = status as u64;
                c.gpr[4..4 + count].copy_from_slice(&out[..count]);
            }
        }
        c.mmio.used = 0;
    }

    fn half_done(&self) -> bool {
        !self.core.mmio.done.is_empty()
    }

    fn abandon(&mut self) {
        self.core.mmio.done.clear();
        self.core.mmio.used = 0;
    }

    fn take(&mut self, vector: Vector) {
        interrupt::deliver(&mut self.core, Interrupt::after(vector));
    }

    fn state(&self) -> &CpuState {
        &self.core
    }

    fn state_mut(&mut self) -> &mut CpuState {
        &mut self.core
    }

    fn instructions(&self) -> u64 {
        self.core.instructions
    }

    fn signals(&self) -> &Arc<Signals> {
        &self.core.signals
    }

    fn ticks_until_decrementer(&self) -> u64 {
        timebase::ticks_until_decrementer(&self.core, self.core.now())
    }

    fn timebase(&self) -> u64 {
        self.core.timebase()
    }

    fn seed(&mut self, sequence: Seeded) {
        self.core.random = Some(sequence);
    }

    fn set_breakpoints(&mut self, at: &[u64]) {
        self.core.stops.set_breakpoints(at, self.core.state.nip);
        self.code.clear();
    }

    fn set_watches(&mut self, watches: &[Watch]) {
        self.core.stops.set_watches(watches);
        self.core.forget(Scope::All);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::cpu_model;
    use crate::isa::regs::Lpcr;
    use crate::isa::spr;
    use crate::memory::GuestMemory;
    use crate::mmu::partition::Partition;

    #[test]
    fn a_budget_ends_a_storm_of_failing_fetches() {
        let mut vcpu = Interp::new(Parts::lone(
            cpu_model::by_name("power9_v2.2").unwrap(),
            Arc::new(Partition::new(Arc::new(GuestMemory::new(1 << 20).unwrap()))),
        ));
        let s = vcpu.state_mut();
        // Instruction translation stays on in the handlers, and nothing translates.
        s.msr = Msr(Msr::SF | Msr::IR | Msr::DR);
        s.spr[spr::LPCR] = Lpcr::AIL0 | Lpcr::AIL1;
        s.dec_expiry = i64::MAX as u64;
        assert_eq!(vcpu.run(Some(1000)).unwrap(), Exit::Budget);
        assert_eq!(vcpu.instructions(), 0);
    }
}
