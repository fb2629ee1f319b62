//! One vCPU in the kernel, as an [`crate::accel::Vcpu`].

use crate::accel::Area;
use crate::accel::Exit;
use crate::accel::Kept;
use crate::accel::Parts;
use crate::accel::Reply;
use crate::accel::Vcpu;
use crate::accel::kvm::exit;
use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::bytes;
use crate::accel::kvm::line::Line;
use crate::accel::kvm::one_reg::Registers;
use crate::accel::kvm::refused;
use crate::accel::kvm::sys;
use crate::accel::kvm::vm::KvmVm;
use crate::clock;
use crate::clock::VirtualClock;
use crate::cpu::CpuState;
use crate::cpu::interrupt;
use crate::cpu::interrupt::Interrupt;
use crate::cpu::timebase;
use crate::error::Error;
use crate::error::Result;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::isa::vectors::Vector;
use crate::signal;
use crate::signal::Signals;
use crate::units::CpuIndex;
use crate::units::Ra;
use crate::units::VcpuId;
use std::cell::Cell;
use std::cell::OnceCell;
use std::os::fd::AsFd;
use std::sync::Arc;

/// The registers as they were fetched, and as somebody changed them.
struct Copy {
    fetched: Option<Box<CpuState>>,
    state: Box<CpuState>,
}

/// What the kernel takes from `kvm_run` with the next KVM_RUN.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// Nothing.
    No,
    /// r3 to r12, which are not given yet.
    Hcall,
    /// r3 to r12, or the answer to an access outside RAM.
    Answer,
}

/// A vCPU.
pub struct KvmVcpu {
    vm: Arc<KvmVm>,
    line: Arc<Line>,
    index: CpuIndex,
    id: VcpuId,
    signals: Arc<Signals>,
    clock: Arc<VirtualClock>,
    /// The registers, while somebody looks at them between two runs.
    copy: OnceCell<Copy>,
    /// Registers that the kernel does not keep, as they were last.
    kept: Box<CpuState>,
    /// What the kernel waits to hear when it next runs.
    pending: Cell<Pending>,
    /// The base that time was last set with, and the kernel's offset.
    time: Cell<Option<(u64, u64)>>,
    /// What went wrong where nothing could be returned; the next run says it.
    trouble: Cell<Option<Error>>,
}

impl KvmVcpu {
    pub(super) fn new(vm: Arc<KvmVm>, line: Arc<Line>, parts: Parts) -> KvmVcpu {
        let watcher = Arc::downgrade(&line);
        parts.signals.watch(move |signals| {
            if let Some(line) = watcher.upgrade() {
                line.follow(signals);
            }
        });
        let mut kept = Box::<CpuState>::default();
        kept.spr[spr::PIR] = u64::from(parts.id.0);
        KvmVcpu {
            vm,
            line,
            index: parts.index,
            id: parts.id,
            signals: parts.signals,
            clock: parts.clock,
            copy: OnceCell::new(),
            kept,
            pending: Cell::new(Pending::No),
            time: Cell::new(None),
            trouble: Cell::new(None),
        }
    }

    pub(super) fn registers(&self) -> Registers<'_> {
        Registers { kernel: &*self.vm.kernel, vcpu: &self.line.fd }
    }

    /// Lets the kernel take the answer to the last exit, without running the guest.
    fn settle(&self) -> Result<()> {
        if self.pending.get() == Pending::Answer {
            self.pending.set(Pending::No);
            self.line.immediate_exit(1);
            let settled = self.vm.kernel.call(self.line.fd.as_fd(), &sys::RUN, Arg::None);
            self.line.immediate_exit(0);
            match settled {
                Err(libc::EINTR) => {}
                // A second half of the access, or a fault in it: it is for the next run to tell.
                Ok(_) => return Err(super::cannot("a load from outside RAM has a second half; run the machine on, then look".into())),
                Err(e) => return Err(refused(&sys::RUN, e)),
            }
        }
        Ok(())
    }

    fn fetch(&self) -> Result<Copy> {
        self.settle()?;
        let mut s = self.kept.clone();
        self.registers().fetch(&mut s)?;
        // Time that was set while the clock stood has not reached the kernel.
        if let Some((base, offset)) = self.time.get() {
            s.tb_offset = offset.wrapping_add(base);
            if let Some(expiry) = self.registers().get(sys::REG_DEC_EXPIRY)? {
                s.dec_expiry = expiry as u64;
            }
        }
        if let Some(vtb) = self.standing().then(|| self.registers().get(sys::REG_VTB)).transpose()?.flatten() {
            s.vtb_offset = (vtb as u64).wrapping_sub(clock::ticks(self.clock.now()));
        }
        Ok(Copy { fetched: Some(s.clone()), state: s })
    }

    /// Whether guest time stands still: only then is the virtual timebase, which the kernel counts by itself, a distance from it.
    fn standing(&self) -> bool {
        self.clock.origin().is_none()
    }

    fn look(&self) -> &Copy {
        self.copy.get_or_init(|| {
            self.fetch().unwrap_or_else(|e| {
                log::error!(target: "spapr.accel.kvm", "vCPU {}: its registers cannot be read: {e}", self.index.0);
                self.trouble.set(Some(e));
                Copy { fetched: None, state: self.kept.clone() }
            })
        })
    }

    /// Writes back what was changed, and sets the time if the clock has been started anew.
    fn write_back(&mut self) -> Result<()> {
        let base = self.vm.base(&self.clock);
        let moved = base.is_some() && self.time.get().map(|(base, _)| base) != base;
        if self.copy.get().is_none() && !moved {
            return Ok(());
        }
        self.look();
        let Some(copy) = self.copy.take() else { return Ok(()) };
        if let Some(e) = self.trouble.take() {
            return Err(e);
        }
        if self.pending.get() != Pending::No {
            // The kernel takes these over what is written back. (The answer to an access was settled when somebody looked.)
            exit::returned(&self.line.page, copy.state.gpr[3] as i64, &copy.state.gpr[4..13]);
        }
        let registers = self.registers();
        registers.store(copy.fetched.as_deref(), &copy.state)?;
        let changed =
            copy.fetched.as_ref().is_none_or(|old| old.tb_offset != copy.state.tb_offset || old.dec_expiry != copy.state.dec_expiry);
        if let Some(base) = base.filter(|_| moved || changed) {
            let offset = self.vm.offset(base, copy.state.tb_offset);
            registers.set(sys::REG_TB_OFFSET, u128::from(offset))?;
            registers.set(sys::REG_DEC_EXPIRY, u128::from(copy.state.dec_expiry))?;
            self.time.set(Some((base, offset)));
        } else if changed && base.is_none() {
            self.time.set(None);
        }
        let vtb = copy.state.vtb_offset;
        if self.standing() && copy.fetched.as_ref().is_none_or(|old| old.vtb_offset != vtb) {
            registers.set(sys::REG_VTB, u128::from(clock::ticks(self.clock.now()).wrapping_add(vtb)))?;
        }
        self.kept = copy.state;
        Ok(())
    }

    fn enter(&mut self) -> Result<Exit> {
        loop {
            let wanted = self.line.enter(&self.signals).map_err(|e| refused(&sys::INTERRUPT, e))?;
            if wanted & signal::KICK != 0 {
                return Ok(Exit::Kicked);
            }
            if wanted & signal::SYSTEM_RESET != 0 {
                self.signals.lower(signal::SYSTEM_RESET);
                return Ok(Exit::SystemReset);
            }
            self.write_back()?;
            let done = self.vm.kernel.call(self.line.fd.as_fd(), &sys::RUN, Arg::None);
            // Whatever it returned for, the answer to the exit before has been taken.
            self.pending.set(Pending::No);
            match done {
                Ok(_) => {
                    if let Some(exit) = exit::decode(&self.line.page)? {
                        if matches!(exit, Exit::Hcall { .. }) {
                            self.pending.set(Pending::Hcall);
                        }
                        return Ok(exit);
                    }
                }
                Err(libc::EINTR | libc::EAGAIN) => {}
                Err(e) => return Err(refused(&sys::RUN, e)),
            }
        }
    }
}

/// An area as the kernel moves it: two doublewords, the address first.
fn halves(v: u128) -> (u64, u64) {
    let b = v.to_ne_bytes();
    let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|k| b[at + k]));
    (half(0), half(8))
}

/// The reverse.
fn joined((at, bytes): Area) -> u128 {
    let mut b = [0; 16];
    b[..8].copy_from_slice(&at.0.to_ne_bytes());
    b[8..].copy_from_slice(&u64::from(bytes).to_ne_bytes());
    u128::from_ne_bytes(b)
}

fn set_doorbell(r: &Registers<'_>, kept: &Kept) -> Result<()> {
    r.set(sys::REG_DPDES, u128::from(kept.doorbell)).map(drop)
}

fn unsupported(problem: &str, hint: &str) -> Error {
    Error::Accel { accel: "kvm".into(), problem: problem.into(), hint: hint.into() }
}

impl Vcpu for KvmVcpu {
    fn index(&self) -> CpuIndex {
        self.index
    }

    fn id(&self) -> VcpuId {
        self.id
    }

    fn run(&mut self, budget: Option<u64>) -> Result<Exit> {
        if budget.is_some() {
            return Err(unsupported("KVM does not count instructions", "leave max_instructions out, or use accel=\"interp\""));
        }
        if let Some(e) = self.trouble.take() {
            return Err(e);
        }
        let exit = self.enter();
        self.line.leave();
        if let Some((_, offset)) = self.time.get() {
            self.vm.note_time(offset);
        }
        exit
    }

    fn complete(&mut self, reply: Reply) {
        match reply {
            Reply::Nothing => {}
            Reply::Stored => self.pending.set(Pending::Answer),
            Reply::Loaded(value) => {
                exit::loaded(&self.line.page, value);
                self.pending.set(Pending::Answer);
            }
            Reply::Hcall { status, out, count } => {
                exit::returned(&self.line.page, status, &out[..count]);
                self.pending.set(Pending::Answer);
                if let Some(copy) = self.copy.get_mut() {
                    // Somebody looked before the answer was there.
                    copy.state.gpr[3] = status as u64;
                    copy.state.gpr[4..4 + count].copy_from_slice(&out[..count]);
                }
            }
        }
    }

    fn half_done(&self) -> bool {
        // The kernel finishes it as soon as somebody looks at the registers.
        false
    }

    fn abandon(&mut self) {
        if let Err(e) = self.settle() {
            log::debug!(target: "spapr.accel.kvm", "vCPU {}: an access is given up: {e}", self.index.0);
        }
    }

    fn take(&mut self, vector: Vector) {
        interrupt::deliver(self.state_mut(), Interrupt::after(vector));
    }

    fn msr(&self) -> Msr {
        if let Some(copy) = self.copy.get() {
            return copy.state.msr;
        }
        let mut r = sys::Regs::default();
        match self.vm.kernel.call(self.line.fd.as_fd(), &sys::GET_REGS, Arg::Bytes(bytes(&mut r))) {
            Ok(_) => Msr(r.msr),
            Err(_) => self.state().msr,
        }
    }

    fn state(&self) -> &CpuState {
        &self.look().state
    }

    fn state_mut(&mut self) -> &mut CpuState {
        self.look();
        &mut self.copy.get_mut().expect("it was just looked at").state
    }

    fn instructions(&self) -> u64 {
        0
    }

    fn signals(&self) -> &Arc<Signals> {
        &self.signals
    }

    fn ticks_until_decrementer(&self) -> u64 {
        timebase::ticks_until_decrementer(self.state(), self.clock.now())
    }

    fn timebase(&self) -> u64 {
        clock::ticks(self.clock.now()).wrapping_add(self.state().tb_offset)
    }

    fn fetch(&mut self) -> Result<()> {
        self.look();
        match self.trouble.take() {
            None => Ok(()),
            Some(e) => {
                self.copy.take();
                Err(e)
            }
        }
    }

    fn commit(&mut self) -> Result<()> {
        self.write_back()?;
        let Some(name) = self.registers().mismatch(&self.kept)? else { return Ok(()) };
        let problem = format!("vCPU {}: the kernel does not keep {name} as it was set", self.index.0);
        Err(unsupported(&problem, "use accel=\"interp\" for this guest, or a host with the processor that it comes from"))
    }

    fn kept(&self) -> Result<Option<Kept>> {
        let r = self.registers();
        let area = |id| Ok::<_, Error>(r.get(id)?.map(halves).filter(|(at, _)| *at != 0).map(|(at, bytes)| (Ra(at), bytes as u32)));
        let vpa = r.get(sys::REG_VPA_ADDR)?.map(|at| at as u64).filter(|at| *at != 0);
        let doorbell = r.get(sys::REG_DPDES)?.is_some_and(|bits| bits & 1 != 0);
        Ok(Some(Kept { vpa: vpa.map(Ra), slb_shadow: area(sys::REG_VPA_SLB)?, dtl: area(sys::REG_VPA_DTL)?, doorbell }))
    }

    fn set_kept(&mut self, kept: &Kept) -> Result<()> {
        let r = self.registers();
        // The kernel forgets, and looks anew where the areas lie, even if they lie where they did. It takes the others only beside a VPA.
        for id in [sys::REG_VPA_DTL, sys::REG_VPA_SLB, sys::REG_VPA_ADDR] {
            r.set(id, 0)?;
        }
        let Some(vpa) = kept.vpa else { return set_doorbell(&r, kept) };
        r.set(sys::REG_VPA_ADDR, u128::from(vpa.0))?;
        for (id, area) in [(sys::REG_VPA_SLB, kept.slb_shadow), (sys::REG_VPA_DTL, kept.dtl)] {
            if let Some((at, bytes)) = area {
                r.set(id, joined((at, bytes)))?;
            }
        }
        set_doorbell(&r, kept)
    }

    fn set_breakpoints(&mut self, at: &[u64]) {
        let refusal = || unsupported("breakpoints are not offered under KVM", "use accel=\"interp\"");
        self.trouble.set((!at.is_empty()).then(refusal));
    }
}
