//! What a vCPU is made of, whichever accelerator runs it.

use crate::accel::AccelKind;
use crate::accel::Fp;
use crate::accel::Vcpu;
use crate::accel::interp::Interp;
use crate::accel::kvm;
use crate::clock::VirtualClock;
use crate::error::Error;
use crate::error::Result;
use crate::isa::cpu_model::CpuModel;
use crate::mmu::partition::Partition;
use crate::signal::Signals;
use crate::units::CpuIndex;
use crate::units::VcpuId;
use std::sync::Arc;

/// What a vCPU is made of.
pub struct Parts {
    /// The model to execute.
    pub model: &'static CpuModel,
    /// Dense index.
    pub index: CpuIndex,
    /// Guest-visible id.
    pub id: VcpuId,
    /// Shared translation state.
    pub partition: Arc<Partition>,
    /// The vCPU's signals.
    pub signals: Arc<Signals>,
    /// The machine's clock.
    pub clock: Arc<VirtualClock>,
    /// Every vCPU of the machine.
    pub others: Arc<Vec<(VcpuId, Arc<Signals>)>>,
}

impl Parts {
    /// A vCPU that is alone: index and id 0, no other to signal, a clock that stands. For whoever runs instructions without a machine.
    pub fn lone(model: &'static CpuModel, partition: Arc<Partition>) -> Parts {
        Parts {
            model,
            index: CpuIndex(0),
            id: VcpuId(0),
            partition,
            signals: Arc::default(),
            clock: Arc::default(),
            others: Arc::default(),
        }
    }
}

impl AccelKind {
    /// Every accelerator of our own, the fastest first; KVM is the host's.
    pub const ALL: [AccelKind; 2] = [AccelKind::Tcg, AccelKind::Interp];

    /// The name that users write.
    pub fn name(self) -> &'static str {
        match self {
            AccelKind::Interp => "interp",
            AccelKind::Tcg => "tcg",
            AccelKind::Kvm => "kvm",
        }
    }

    /// The fastest of our own that this host can run.
    pub fn software() -> AccelKind {
        AccelKind::ALL.into_iter().find(|kind| kind.refusal().is_none()).unwrap_or(AccelKind::Interp)
    }

    /// Why this host cannot run it, if so.
    pub fn refusal(self) -> Option<Error> {
        match self {
            AccelKind::Interp => None,
            AccelKind::Tcg => tcg_refusal(),
            AccelKind::Kvm => kvm::probe().err(),
        }
    }

    /// A vCPU of this accelerator, with all registers zero; `fp` is the translator's.
    ///
    /// # Errors
    /// This host cannot run it, or gives no memory for it.
    ///
    /// # Panics
    /// For KVM, whose vCPUs are made by their virtual machine ([`crate::accel::kvm::KvmVm::vcpu`]).
    pub fn create(self, parts: Parts, fp: Fp) -> Result<Box<dyn Vcpu>> {
        match self {
            AccelKind::Interp => Ok(Box::new(Interp::new(parts))),
            AccelKind::Tcg => tcg(parts, fp),
            AccelKind::Kvm => unreachable!("KVM's vCPUs are made by their virtual machine"),
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn tcg(parts: Parts, fp: Fp) -> Result<Box<dyn Vcpu>> {
    use crate::accel::tcg;
    Ok(Box::new(tcg::Tcg::new(parts, tcg::Options { fp, ..tcg::Options::default() })?))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn tcg_refusal() -> Option<Error> {
    crate::accel::tcg::refusal()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn tcg(_: Parts, _: Fp) -> Result<Box<dyn Vcpu>> {
    Err(tcg_refusal().expect("there is no translator for this host"))
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn tcg_refusal() -> Option<Error> {
    Some(Error::Accel {
        accel: "tcg".into(),
        problem: format!("it makes code for x86-64 on Linux, and this host is {} on {}", std::env::consts::ARCH, std::env::consts::OS),
        hint: "use accel=\"interp\", or leave it out".into(),
    })
}
