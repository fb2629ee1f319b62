//! Running guest code: the contract between an accelerator and whoever runs a machine.
//!
//! A [`Vcpu`] runs until something needs the machine and returns an [`Exit`], a value; the run loop answers with
//! [`Vcpu::complete`] and runs it again. Nothing ever calls back out of guest code, so there is one run loop for every accelerator, exits can be
//! recorded and replayed, and no lock is held while guest code runs.

pub mod interp;
pub mod kvm;
mod parts;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod tcg;

pub use interp::stops::Watch;
pub use interp::stops::Watched;
pub use parts::Parts;

use crate::cpu::CpuState;
use crate::error::Result;
use crate::isa::regs::Msr;
use crate::isa::vectors::Vector;
use crate::mmu::Access;
use crate::random::Seeded;
use crate::signal::Signals;
use crate::units::CpuIndex;
use crate::units::Ea;
use crate::units::Ra;
use crate::units::VcpuId;
use crate::units::Width;
use std::sync::Arc;

/// Which way guest code is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AccelKind {
    /// The interpreter: the executable specification.
    Interp,
    /// The translator; on x86-64 hosts.
    Tcg,
    /// The host's hypervisor.
    Kvm,
}

/// How the translator computes floating-point instructions. Results and FPSCR are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Fp {
    /// By the interpreter's functions, in integers.
    Exact,
    /// By the host's floating-point unit, as far as it can.
    #[default]
    Host,
}

impl Fp {
    /// The choice of this name.
    pub fn by_name(name: &str) -> Option<Fp> {
        match name {
            "exact" => Some(Fp::Exact),
            "host" => Some(Fp::Host),
            _ => None,
        }
    }
}

/// Who keeps the interrupt controller of a machine that KVM runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Irqchip {
    /// The monitor, as of any machine: it can be saved, moved and looked at.
    #[default]
    Monitor,
    /// The host's kernel: no exit for an interrupt.
    Kernel,
}

impl Irqchip {
    /// The choice of QEMU's word for it (`kernel-irqchip=…`).
    pub fn by_name(name: &str) -> Option<Irqchip> {
        match name {
            "off" => Some(Irqchip::Monitor),
            "on" => Some(Irqchip::Kernel),
            _ => None,
        }
    }
}

/// Why a vCPU stopped running guest code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// `sc 1` in privileged state: r3 is the number, r4 to r12 the arguments. NIP is past the instruction.
    Hcall {
        /// r3.
        number: u64,
        /// r4 to r12.
        args: [u64; 9],
    },
    /// `sc 1` in problem state: the platform answers H_PRIVILEGE.
    HcallFromProblemState,
    /// A load from outside RAM; answered by [`Reply::Loaded`].
    MmioRead {
        /// Guest real address.
        at: Ra,
        /// Bytes.
        width: Width,
    },
    /// A store outside RAM. `value` is the number in the guest's byte order, as big-endian devices see it.
    MmioWrite {
        /// Guest real address.
        at: Ra,
        /// Bytes.
        width: Width,
        /// The value.
        value: u64,
    },
    /// A system reset interrupt is to be taken; the platform says where its handler is, then [`Vcpu::take`] and go on.
    SystemReset,
    /// A `stop`/`nap`-like instruction that a partition may use: wait for a signal.
    Halted,
    /// [`crate::signal::KICK`] was raised; it is still up.
    Kicked,
    /// The instruction budget is used up, by instructions or by fetches that fail again and again.
    Budget,
    /// A breakpoint that the user set was reached; NIP is its address.
    Breakpoint,
    /// An access that the user watches is about to be made by the instruction at NIP, which has not begun.
    Watchpoint {
        /// Effective address of the access.
        at: Ea,
        /// Bytes.
        bytes: u8,
        /// Load or store.
        access: Access,
    },
}

/// The answer to an [`Exit`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// Nothing to hand over; go on.
    Nothing,
    /// The store of [`Exit::MmioWrite`] is done.
    Stored,
    /// What the load of [`Exit::MmioRead`] reads.
    Loaded(u64),
    /// Registers that an hcall returns: r3, and r4 on for as many as are given.
    Hcall {
        /// r3.
        status: i64,
        /// r4 to r11 for the first `count`; the rest keep their values.
        out: [u64; 8],
        /// How many of `out` are written.
        count: usize,
    },
}

/// An area of the guest's that its hypervisor fills: its first byte and its length.
pub type Area = (Ra, u32);

/// What an accelerator that answers hypercalls by itself keeps of a vCPU besides the registers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Kept {
    /// Virtual processor area.
    pub vpa: Option<Ra>,
    /// SLB shadow buffer.
    pub slb_shadow: Option<Area>,
    /// Dispatch trace log.
    pub dtl: Option<Area>,
    /// A doorbell is pending.
    pub doorbell: bool,
}

/// One virtual CPU.
pub trait Vcpu: Send {
    /// Dense index.
    fn index(&self) -> CpuIndex;
    /// Guest-visible id.
    fn id(&self) -> VcpuId;
    /// Runs guest code until something needs the machine. `budget` bounds the instructions executed and the failed
    /// fetches together (`None`: no bound).
    fn run(&mut self, budget: Option<u64>) -> Result<Exit>;
    /// Answers the last exit.
    fn complete(&mut self, reply: Reply);
    /// Whether an instruction is half done: it was answered ([`Reply::Loaded`], [`Reply::Stored`]) and waits to run again with the answers, which are state
    /// beside the registers. [`Vcpu::run`] finishes it before it looks at anything else, whatever the budget.
    fn half_done(&self) -> bool;
    /// Forgets the answers of an instruction that is half done, as a reset does.
    fn abandon(&mut self);
    /// Takes an asynchronous interrupt: SRR0, SRR1, MSR and NIP become the handler's.
    fn take(&mut self, vector: Vector);
    /// Registers, consistent while the vCPU is not in [`Vcpu::run`].
    fn state(&self) -> &CpuState;
    /// The machine state register alone, where that is cheaper than all of them.
    fn msr(&self) -> Msr {
        self.state().msr
    }
    /// Registers, for change. What the vCPU derives from them it derives anew when it next runs; page tables and SLB changes need
    /// an invalidation through the partition besides.
    fn state_mut(&mut self) -> &mut CpuState;
    /// Instructions executed so far.
    fn instructions(&self) -> u64;
    /// How other threads reach this vCPU.
    fn signals(&self) -> &Arc<Signals>;
    /// Ticks (512 MHz) until the decrementer wants attention, 0 when it does; for a vCPU about to sleep.
    fn ticks_until_decrementer(&self) -> u64;
    /// The guest's timebase now.
    fn timebase(&self) -> u64;
    /// What the accelerator counted about itself, named for people; the names may change.
    fn counts(&self) -> Vec<(String, u64)> {
        Vec::new()
    }
    /// Has the guest's random numbers come from this sequence instead of the host. Does nothing where an accelerator makes none.
    fn seed(&mut self, _: Seeded) {}
    /// Brings [`Vcpu::state`] up to date where the registers are kept elsewhere.
    ///
    /// # Errors
    /// They cannot be read; what [`Vcpu::state`] gives is then not the guest's state.
    fn fetch(&mut self) -> Result<()> {
        Ok(())
    }
    /// Lets what was changed take effect at once where the registers are kept elsewhere, and looks whether it did.
    ///
    /// # Errors
    /// A register is not as it was set.
    fn commit(&mut self) -> Result<()> {
        Ok(())
    }
    /// What the accelerator keeps in the machine's place, as it is now; `None`: it keeps nothing.
    ///
    /// # Errors
    /// It cannot be read.
    fn kept(&self) -> Result<Option<Kept>> {
        Ok(None)
    }
    /// Sets what the accelerator keeps in the machine's place.
    ///
    /// # Errors
    /// It is not accepted.
    fn set_kept(&mut self, _: &Kept) -> Result<()> {
        Ok(())
    }
    /// Has one block in about `every` compared with the interpreter; [`Vcpu::run`] fails when something differs. Nobody else may store to RAM meanwhile. Does nothing where there is nothing to compare.
    fn self_check(&mut self, _every: u64) {}
    /// Addresses (effective) at which [`Exit::Breakpoint`] is wanted.
    fn set_breakpoints(&mut self, at: &[u64]);
    /// Accesses at which [`Exit::Watchpoint`] is wanted. Does nothing where an accelerator cannot see accesses.
    fn set_watches(&mut self, _: &[Watch]) {}
}
