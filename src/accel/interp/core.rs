//! The interpreting vCPU as instruction functions see it: architected registers, memory, and how to fail.

use crate::accel::Exit;
use crate::accel::Parts;
use crate::accel::interp::Step;
use crate::accel::interp::Trap;
use crate::accel::interp::access::Overwritten;
use crate::accel::interp::stops::Stops;
use crate::accel::interp::tlb::Tlb;
use crate::clock;
use crate::clock::VirtualClock;
use crate::cpu::CpuState;
use crate::cpu::Cr;
use crate::cpu::interrupt::Interrupt;
use crate::cpu::state::EQ;
use crate::cpu::state::GT;
use crate::cpu::state::LT;
use crate::cpu::timebase;
use crate::isa::Insn;
use crate::isa::cpu_model::CpuModel;
use crate::isa::regs::Msr;
use crate::isa::regs::SRR1_ILLEGAL;
use crate::isa::regs::SRR1_PRIVILEGED;
use crate::isa::vectors::Vector;
use crate::mmu;
use crate::mmu::partition::Partition;
use crate::mmu::partition::Scope;
use crate::mmu::partition::Seen;
use crate::random::Seeded;
use crate::signal::Signals;
use crate::units::CpuIndex;
use crate::units::VcpuId;
use std::ops::Deref;
use std::ops::DerefMut;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// The time of so many instructions.
fn counted(instructions: u64) -> Duration {
    Duration::from_nanos(instructions.saturating_mul(clock::INSTRUCTION.as_nanos() as u64))
}

/// One interpreting vCPU.
pub struct Core {
    pub(in crate::accel) state: CpuState,
    /// The model that is executed.
    pub model: &'static CpuModel,
    /// Dense index.
    pub index: CpuIndex,
    /// Guest-visible id (PIR, TIR, doorbells).
    pub id: VcpuId,
    /// Mask of effective addresses: all ones, or the low word in 32-bit mode (MSR\[SF\] off).
    pub ea_mask: u64,
    /// MSR\[LE\].
    pub little_endian: bool,
    /// Set by [`Core::raise`]: what [`Trap::Interrupt`] means.
    pub(in crate::accel) interrupt: Option<Interrupt>,
    /// Set by [`Core::exit`]: what [`Trap::Exit`] means.
    pub(in crate::accel) exiting: Option<Exit>,
    /// Answers to loads outside RAM that the instruction being repeated has already had, and how many it has used again.
    pub(in crate::accel) mmio: super::access::Mmio,
    /// Software TLB.
    pub(in crate::accel) tlb: Tlb,
    /// Page tables and RAM, shared with the other vCPUs.
    pub partition: Arc<Partition>,
    /// How far this vCPU followed invalidations.
    pub(in crate::accel) seen: Arc<Seen>,
    /// What other threads tell this vCPU.
    pub signals: Arc<Signals>,
    clock: Arc<VirtualClock>,
    /// Where time comes from while guest code runs.
    origin: Option<Origin>,
    /// Time is counted.
    pub(in crate::accel) counted: bool,
    /// With counted time: when so many instructions are executed the decrementer is due.
    pub(in crate::accel) due_at: u64,
    /// Where random numbers come from; `None`: from the host.
    pub random: Option<Seeded>,
    /// What stores overwrite, while somebody wants to undo them. The TLB is to be without entries meanwhile ([`Tlb::select_none`]).
    pub(in crate::accel) overwritten: Option<Overwritten>,
    /// Where the user wants it to stop.
    pub(in crate::accel) stops: Stops,
    /// Instructions executed.
    pub(in crate::accel) instructions: u64,
    /// Signals that matter with MSR\[EE\] as it is.
    pub(in crate::accel) poll_mask: u32,
    /// Instructions until the decrementer must be looked at again.
    pub(in crate::accel) slice: i64,
    /// Pending work that only this vCPU knows of, in the word of the signals.
    pub(in crate::accel) local: u32,
    /// The present instruction stored to decoded code, or made translations be forgotten: its block ends with it, so that the next instruction is the one that is there now.
    pub(in crate::accel) code_changed: bool,
    /// What translated code keeps beside the registers.
    pub(in crate::accel) words: Words,
    /// Signals of the other vCPUs with their ids, for doorbells and broadcasts; shared by the machine.
    pub others: Arc<Vec<(VcpuId, Arc<Signals>)>>,
}

/// Where time comes from while guest code runs.
enum Origin {
    /// The host: an instant, and virtual time then.
    Host(Instant, Duration),
    /// Instructions: virtual time when the first number of them was executed.
    Counted(u64, Duration),
}

/// [`Words::branch`]: none since CFAR was brought up to date.
pub(in crate::accel) const NO_BRANCH: u32 = u32::MAX;
/// [`Words::branch`]: the branch is in the page of `branch_page`.
pub(in crate::accel) const FAR_BRANCH: u32 = 0x1000;

/// Entries of [`Words::steps_of`]; more than there are functions.
const STEPS_OF: usize = 4096;

/// Words that translated code (`accel::tcg`) works on besides the registers; the interpreter knows of the fuel alone.
#[derive(Default)]
pub(in crate::accel) struct Words {
    /// Instructions that translated code may still execute before it comes back.
    pub(in crate::accel) fuel: i64,
    /// Fuel taken away by [`Core::look_soon`]: not executed.
    pub(in crate::accel) cut: i64,
    /// The fuel that translated code was given; 0 while none runs.
    pub(in crate::accel) given: i64,
    /// Instructions of the present block after the present one, which are taken off the fuel already; right while an interpreter function is called.
    pub(in crate::accel) refund: i64,
    /// Effective address of the page being executed.
    pub(in crate::accel) page: u64,
    /// The last branch taken, for CFAR: offset in its page, or [`NO_BRANCH`]; with [`FAR_BRANCH`] in the page of `branch_page`, else in `page`.
    pub(in crate::accel) branch: u32,
    /// See `branch`.
    pub(in crate::accel) branch_page: u64,
    /// CR fields with SO as it is: less, greater, equal. Made by [`Words::follow_so`].
    pub(in crate::accel) orders: [u32; 3],
    /// Host address of the jump cache.
    pub(in crate::accel) jumps: u64,
    /// The host's stack pointer as translated code is entered: calls of the guest that have not returned lie below.
    pub(in crate::accel) stack: u64,
    /// Host address of RAM's page flags, less the page number of RAM's first host page.
    pub(in crate::accel) flags: u64,
    /// Whether the reservation is what follows, instead of [`CpuState::reservation`].
    pub(in crate::accel) reserved: bool,
    /// Bytes reserved; 0: none.
    pub(in crate::accel) reserved_bytes: u32,
    /// Effective address of the reservation.
    pub(in crate::accel) reserved_at: u64,
    /// What was there, as the host reads it.
    pub(in crate::accel) reserved_value: u64,
    /// The site that is being looked up for.
    pub(in crate::accel) site: u64,
    /// By kind of site, where in its list the next one that is filled is to be entered; see `accel::tcg::sites`.
    pub(in crate::accel) filled: [u64; 6],
    /// The last floating-point instructions whose part of FPSCR is not computed yet: see `accel::tcg::fp`. Byte 0 what it computes, byte 1 FPCC of a comparison
    /// after it, byte 2 the integer of a conversion after it.
    pub(in crate::accel) last: u32,
    /// The operands of byte 0 of `last`.
    pub(in crate::accel) operands: [u64; 3],
    /// The operand of byte 2 of `last`.
    pub(in crate::accel) converted: u64,
    /// Floating-point templates are wanted.
    pub(in crate::accel) host_fp: bool,
    /// What vector templates need in storage.
    pub(in crate::accel) constants: [[u64; 2]; 10],
    /// Instructions executed by their interpreter functions.
    pub(in crate::accel) steps: u64,
    /// Those by function: address and count, found by hashing; a power of two of entries.
    pub(in crate::accel) steps_of: Box<[(usize, u64)]>,
    /// A panic on its way over translated frames.
    pub(in crate::accel) panic: Option<Box<dyn std::any::Any + Send>>,
}

impl Words {
    /// Follows XER\[SO\], which every compare copies.
    pub(in crate::accel) fn follow_so(&mut self, so: u8) {
        // SO is the first byte of a field; it seldom changes.
        if self.orders[0] != Cr::spread(so | LT) {
            self.orders = [LT, GT, EQ].map(|bit| Cr::spread(so | bit));
        }
    }
}

impl Deref for Core {
    type Target = CpuState;
    #[inline(always)]
    fn deref(&self) -> &CpuState {
        &self.state
    }
}

impl DerefMut for Core {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut CpuState {
        &mut self.state
    }
}

impl Core {
    /// A vCPU with all registers zero.
    pub fn new(p: Parts) -> Core {
        let seen = p.partition.join(p.signals.clone());
        let counted = p.clock.is_counted();
        let mut core = Core {
            state: CpuState::default(),
            model: p.model,
            index: p.index,
            id: p.id,
            ea_mask: u64::MAX,
            little_endian: false,
            interrupt: None,
            exiting: None,
            mmio: super::access::Mmio::default(),
            tlb: Tlb::new(p.partition.memory.clone()),
            partition: p.partition,
            seen,
            signals: p.signals,
            clock: p.clock,
            origin: None,
            counted,
            due_at: u64::MAX,
            random: None,
            overwritten: None,
            stops: Stops::default(),
            instructions: 0,
            poll_mask: 0,
            slice: 0,
            local: 0,
            code_changed: false,
            words: Words { branch: NO_BRANCH, steps_of: vec![(0, 0); STEPS_OF].into(), ..Words::default() },
            others: p.others,
        };
        core.recontext();
        core
    }

    /// Prepares an interrupt; `return Err(c.raise(…))`. It is delivered after the function returns.
    #[cold]
    pub fn raise(&mut self, i: Interrupt) -> Trap {
        self.interrupt = Some(i);
        Trap::Interrupt
    }

    /// Prepares to leave guest code; `return Err(c.exit(…))`. NIP is where it goes on.
    #[cold]
    pub fn exit(&mut self, exit: Exit) -> Trap {
        self.exiting = Some(exit);
        Trap::Exit
    }

    /// An illegal-instruction program interrupt (what a hypervisor makes of emulation assistance, ISA III).
    #[cold]
    pub fn illegal(&mut self) -> Step {
        Err(self.raise(Interrupt::new(Vector::Program, SRR1_ILLEGAL)))
    }

    /// A privileged-instruction program interrupt.
    #[cold]
    pub fn privileged(&mut self) -> Step {
        Err(self.raise(Interrupt::new(Vector::Program, SRR1_PRIVILEGED)))
    }

    /// (RA|0).
    #[inline(always)]
    pub fn ra0(&self, i: Insn) -> u64 {
        if i.ra() == 0 { 0 } else { self.state.gpr[i.ra()] }
    }

    /// Effective address (RA|0) + (RB).
    #[inline(always)]
    pub fn ea_x(&self, i: Insn) -> u64 {
        self.ra0(i).wrapping_add(self.state.gpr[i.rb()])
    }

    /// Effective address (RA|0) + D.
    #[inline(always)]
    pub fn ea_d(&self, i: Insn) -> u64 {
        self.ra0(i).wrapping_add(i.si())
    }

    /// Sets CR field `n`.
    #[inline(always)]
    pub fn set_cr(&mut self, n: usize, value: u8) {
        self.state.cr.set_field(n, value);
    }

    /// CR0 from a result, as record forms set it: compared with zero in the present mode, and SO (ISA I 2.3.1).
    #[inline(always)]
    pub fn record(&mut self, result: u64) {
        let v = if self.ea_mask == u64::MAX { result as i64 } else { i64::from(result as i32) };
        let so = self.state.xer.so;
        self.state.cr.set_field(
            0,
            so | match v.cmp(&0) {
                std::cmp::Ordering::Less => LT,
                std::cmp::Ordering::Greater => GT,
                std::cmp::Ordering::Equal => EQ,
            },
        );
    }

    /// Virtual time.
    pub fn now(&self) -> Duration {
        match self.origin {
            Some(Origin::Host(host, then)) => then + host.elapsed(),
            Some(Origin::Counted(from, then)) => then + counted(self.executed() - from),
            None => self.clock.now(),
        }
    }

    /// Instructions executed before the present one.
    fn executed(&self) -> u64 {
        let w = &self.words;
        // In translated code all of the present block are taken off the fuel.
        let inside = if w.given == 0 { 0 } else { w.given - w.fuel - w.cut - w.refund - 1 };
        self.instructions.wrapping_add_signed(inside)
    }

    /// Looks at the decrementer: whether it is due, and with counted time when it will be.
    pub(in crate::accel) fn look_at_decrementer(&mut self) -> bool {
        let now = self.now();
        let ticks = timebase::ticks_until_decrementer(&self.state, now);
        if self.counted {
            let wait = clock::duration(clock::ticks(now).saturating_add(ticks)).saturating_sub(now);
            let instructions = wait.as_nanos().div_ceil(clock::INSTRUCTION.as_nanos());
            let instructions = u64::try_from(instructions).unwrap_or(u64::MAX);
            self.due_at = if ticks == 0 { u64::MAX } else { self.instructions.saturating_add(instructions.max(1)) };
        }
        ticks == 0
    }

    /// How many instructions may be executed before the decrementer is due.
    #[inline(always)]
    pub(in crate::accel) fn until_due(&self) -> u64 {
        self.due_at.saturating_sub(self.instructions).max(1)
    }

    /// The timebase (ISA II, TB).
    pub fn timebase(&self) -> u64 {
        timebase::timebase(&self.state, self.now())
    }

    /// Entering guest code: takes the clock's origin, so that reading time needs no lock.
    pub(in crate::accel) fn attach_clock(&mut self) {
        self.origin = if self.counted {
            Some(Origin::Counted(self.instructions, self.clock.now()))
        } else {
            self.clock.origin().map(|(host, then)| Origin::Host(host, then))
        };
    }

    /// The virtual time of the machine, in timebase ticks without the guest's offset.
    pub fn clock_ticks(&self) -> u64 {
        clock::ticks(self.now())
    }

    /// Leaving guest code: the clock may be stopped and started again before the next run.
    pub(in crate::accel) fn detach_clock(&mut self) {
        if self.counted {
            self.clock.set(self.now());
        }
        self.origin = None;
    }

    /// Whether the vCPU is in problem state.
    #[inline(always)]
    pub fn problem_state(&self) -> bool {
        self.state.msr.has(Msr::PR)
    }

    /// Recomputes everything derived from MSR, PIDR, LPCR, AMR, IAMR, FSCR and the SLB generation. To be called after any of them changed, by an
    /// instruction that ends its block.
    pub fn recontext(&mut self) {
        let msr = self.state.msr;
        self.ea_mask = if msr.has(Msr::SF) { u64::MAX } else { 0xffff_ffff };
        self.little_endian = msr.has(Msr::LE);
        self.poll_mask = super::run::poll_mask(msr);
        self.select();
    }

    /// Chooses the TLB's contexts anew.
    fn select(&mut self) {
        let decode = super::block::mode(self);
        let tables = mmu::tables(&self.state, self.model);
        self.tlb.select(&self.state, decode, tables);
        if self.tlb.tired() {
            self.look_soon();
        }
    }

    /// Forgets this vCPU's cached translations within `scope`; whether there may have been any.
    pub fn forget(&mut self, scope: Scope) -> bool {
        match scope {
            Scope::All => self.tlb.flush(),
            Scope::Process(0) if self.tlb.forget_kernel(&self.partition) => {}
            Scope::Process(0) => self.tlb.flush(),
            Scope::Process(pid) if !self.tlb.forget_process(pid) => return false,
            Scope::Page { ea, shift, .. } if self.tlb.forget_page(ea, shift) => {}
            Scope::Page { pid, .. } if !self.tlb.forget_process(pid) => return false,
            Scope::Process(_) | Scope::Page { .. } => {}
        }
        self.select();
        self.look_soon();
        true
    }

    /// Begins anew with the TLB's context numbers if they run out. Between two blocks only.
    pub(in crate::accel) fn renumber(&mut self) {
        if self.tlb.tired() {
            self.tlb.renumber();
            self.select();
        }
    }

    /// Flushes if another vCPU invalidated translations since the last look.
    pub(in crate::accel) fn catch_up(&mut self) {
        if let Some((seen, now)) = self.seen.behind(&self.partition) {
            for scope in self.partition.scopes_since(seen, now).unwrap_or_else(|| vec![Scope::All]) {
                self.forget(scope);
            }
            self.seen.caught_up(now);
        }
    }

    /// Waits until no vCPU uses a translation from before the last invalidation that any vCPU asked for (tlbsync, ISA III).
    pub fn wait_for_shoot_down(&mut self) {
        self.catch_up();
        self.partition.wait_for_invalidation(Some(&self.seen));
    }

    /// The SLB changed so that cached translations may be wrong.
    pub fn slb_changed(&mut self) {
        self.tlb.slb_changed();
        self.recontext();
    }

    /// The decrementer changed, or time passed: look again soon.
    pub fn rearm_decrementer(&mut self) {
        self.look_soon();
        self.local = 0;
    }

    /// Makes the run loop look at everything that may interrupt guest code when the present block ends.
    pub(in crate::accel) fn look_soon(&mut self) {
        self.slice = 0;
        self.words.cut += std::mem::take(&mut self.words.fuel);
    }
}
