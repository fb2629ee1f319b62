//! What a vCPU is made of, whichever accelerator runs it.

use crate::accel::AccelKind;
use crate::accel::Vcpu;
use crate::accel::interp::Interp;
use crate::clock::VirtualClock;
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
    /// A vCPU of this accelerator, with all registers zero.
    pub fn create(self, parts: Parts) -> Box<dyn Vcpu> {
        match self {
            AccelKind::Interp => Box::new(Interp::new(parts)),
        }
    }
}
