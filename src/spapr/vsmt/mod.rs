//! VSMT: how far apart the vcpu ids of consecutive cores are.
//!
//! A guest with t threads per core could number its vcpus 0, 1, 2, …; instead thread 0 of core n has the id `n * vsmt`, where
//! `vsmt` is at least t. The ids are the guest's interrupt server numbers, its device tree, its connectors, and KVM's
//! names for the vcpus; two machines whose ids differ cannot exchange a guest, though nothing in QEMU's migration stream says so.
//!
//! [`Vsmt`] is the only place that turns a core and a thread into a [`VcpuId`] and back. It is made by [`decide()`] alone, which
//! goes through QEMU's checks (`steps`) under a code base's rules (`rules`) and says why not when the answer is no.

mod decide;
pub mod rules;
mod steps;

#[cfg(test)]
mod tests;

pub use decide::Asked;
pub use decide::Decision;
pub use decide::Outcome;
pub use decide::decide;

use crate::units::CoreId;
use crate::units::CpuIndex;
use crate::units::DrcIndex;
use crate::units::VcpuId;

/// Type bits of a CPU's dynamic-reconfiguration connector (PAPR, DRC type CPU).
const DRC_CPU: u32 = 1 << 28;

/// Who chose the spacing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Origin {
    /// Stopped before it was chosen.
    None,
    /// The user.
    User,
    /// The kernel's own.
    Host,
    /// The larger of the kernel's own and the guest's threads.
    HostOrThreads,
    /// 8, always.
    Eight,
    /// The larger of 8 and the guest's threads.
    EightOrThreads,
    /// The guest's threads.
    Threads,
}

impl Origin {
    /// As the golden tables and users read it.
    pub fn text(self) -> &'static str {
        match self {
            Origin::None => "none",
            Origin::User => "user",
            Origin::Host => "default: host",
            Origin::HostOrThreads => "default: max(host,threads)",
            Origin::Eight => "default: 8",
            Origin::EightOrThreads => "default: max(8,threads)",
            Origin::Threads => "default: threads",
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

/// The numbering of a machine's vcpus.
///
/// Invariants, held by [`decide`]: threads and stride are powers of two, `threads <= stride`, and every id is below 2^28
/// (connectors have no more bits).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vsmt {
    stride: u32,
    threads: u32,
    cpus: u32,
    max_cpus: u32,
    origin: Origin,
    kernel_mode: u32,
}

impl Vsmt {
    /// The mode: the distance between the ids of thread 0 of consecutive cores.
    pub fn stride(&self) -> u32 {
        self.stride
    }

    /// Threads per core.
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// Who chose the mode.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The mode the kernel is in; 1 without one. It may be a divisor of [`Vsmt::stride`] where the kernel refused more.
    pub fn kernel_mode(&self) -> u32 {
        self.kernel_mode
    }

    /// Room for vcpus (`maxcpus`).
    pub fn max_cpus(&self) -> u32 {
        self.max_cpus
    }

    /// The id of a vcpu.
    ///
    /// # Panics
    /// When the machine has no room for such a vcpu: an index comes from the machine itself, never from a guest.
    pub fn vcpu_id(&self, cpu: CpuIndex) -> VcpuId {
        assert!(cpu.0 < self.max_cpus, "vcpu {} of a machine with room for {}", cpu.0, self.max_cpus);
        VcpuId(cpu.0 / self.threads * self.stride + cpu.0 % self.threads)
    }

    /// The vcpu with this id; `None` for an id that lies in a gap or beyond the last (guests may ask for any).
    pub fn cpu_index(&self, id: VcpuId) -> Option<CpuIndex> {
        let (core, thread) = (id.0 / self.stride, id.0 % self.stride);
        let index = core.checked_mul(self.threads)?.checked_add(thread)?;
        (thread < self.threads && index < self.max_cpus).then_some(CpuIndex(index))
    }

    /// The id of a thread of a core: its interrupt server number.
    pub fn server(&self, core: CoreId, thread: u32) -> VcpuId {
        assert!(thread < self.threads, "thread {thread} of a core with {}", self.threads);
        self.vcpu_id(CpuIndex(core.0 * self.threads + thread))
    }

    /// The id of a core: its thread 0's, which its device tree node and its connector bear.
    pub fn core_id(&self, core: CoreId) -> VcpuId {
        self.server(core, 0)
    }

    /// The core a vcpu belongs to.
    pub fn core_of(&self, cpu: CpuIndex) -> CoreId {
        CoreId(cpu.0 / self.threads)
    }

    /// Which thread of its core a vcpu is.
    pub fn thread_of(&self, cpu: CpuIndex) -> u32 {
        cpu.0 % self.threads
    }

    /// Cores that the machine has room for.
    pub fn max_cores(&self) -> u32 {
        self.max_cpus.div_ceil(self.threads)
    }

    /// The connector index of a core. (QEMU looks `ibm,my-drc-index` up by another number and finds the wrong connector, or none,
    /// when vsmt and threads differ; here it is the id of thread 0, as in `ibm,drc-indexes`.)
    pub fn drc(&self, core: CoreId) -> DrcIndex {
        DrcIndex(DRC_CPU | self.core_id(core).0)
    }

    /// The core behind a connector index.
    pub fn core_of_drc(&self, drc: DrcIndex) -> Option<CoreId> {
        let id = VcpuId(drc.0 ^ DRC_CPU);
        let index = self.cpu_index(id)?;
        (self.thread_of(index) == 0).then(|| self.core_of(index))
    }

    /// One more than the highest interrupt server number: what `ibm,interrupt-server-ranges` says, and how many servers XIVE
    /// provides for.
    pub fn max_server_number(&self) -> u32 {
        servers(self.max_cpus, self.stride, self.threads)
    }

    /// The ids of the vcpus present at the start, by index.
    pub fn vcpu_ids(&self) -> impl Iterator<Item = VcpuId> + '_ {
        (0..self.cpus).map(|index| self.vcpu_id(CpuIndex(index)))
    }
}

/// `ceil(max_cpus * stride / threads)`, saturating.
fn servers(max_cpus: u32, stride: u32, threads: u32) -> u32 {
    let number = (u64::from(max_cpus) * u64::from(stride)).div_ceil(u64::from(threads));
    u32::try_from(number).unwrap_or(u32::MAX)
}
