//! Effective to real: the partition's view of its own address translation.
//!
//! [`translate`] chooses real mode, the hashed page table (through the SLB) or the process-scoped radix tree, as MSR, LPCR and the edition
//! say, and gives either a [`Translation`] or the [`Fault`] that becomes an interrupt. It keeps no cache: the accelerators' TLBs do, and
//! [`partition::Partition`] tells them when to forget.

pub mod hash;
pub mod hpt;
pub mod partition;
pub mod radix;
pub mod saved;
pub mod slb;

use crate::cpu::CpuState;
use crate::isa::Isa;
use crate::isa::cpu_model::CpuModel;
use crate::isa::regs::Lpcr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::isa::vectors::Vector;
use crate::units::Ea;
use crate::units::Ra;
use partition::Partition;

/// What an access wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// Read data.
    Load,
    /// Write data.
    Store,
    /// Execute.
    Fetch,
}

/// A successful translation, good for the whole page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Translation {
    /// Real address of the byte asked for.
    pub ra: Ra,
    /// log2 of the page size within which the same translation holds.
    pub page_shift: u32,
    /// Whether stores are allowed *and* the change bit is already set, so that a TLB may let stores pass without asking again.
    pub writable: Writable,
    /// Whom it holds for.
    pub holds: Holds,
}

/// How long a cached translation holds while the page tables stay as they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holds {
    /// Whatever PIDR, AMR and IAMR are.
    Always,
    /// While they stay as they are.
    ForProcess,
}

/// Whether a cached translation may serve stores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Writable {
    /// Yes.
    Yes,
    /// No, or not before the change bit is set.
    AskAgain,
}

/// A failed translation, with what the handler will read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Which interrupt.
    pub vector: Vector,
    /// DSISR for data interrupts, SRR1 bits for instruction interrupts.
    pub status: u64,
}

impl Fault {
    /// No segment: the address is outside every SLB entry, or outside the radix tree (ISA III, data and instruction segment interrupts).
    pub(crate) fn segment(access: Access) -> Fault {
        let vector = match access {
            Access::Fetch => Vector::InstructionSegment,
            Access::Load | Access::Store => Vector::DataSegment,
        };
        Fault { vector, status: 0 }
    }

    /// A storage interrupt with these DSISR or SRR1 bits.
    pub(crate) fn storage(access: Access, status: u64) -> Fault {
        let vector = match access {
            Access::Fetch => Vector::InstructionStorage,
            Access::Load | Access::Store => Vector::DataStorage,
        };
        Fault { vector, status }
    }
}

/// What a page lets its user do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rights {
    pub(crate) load: bool,
    pub(crate) store: bool,
    pub(crate) fetch: bool,
}

impl Rights {
    pub(crate) fn allow(self, access: Access) -> bool {
        match access {
            Access::Load => self.load,
            Access::Store => self.store,
            Access::Fetch => self.fetch,
        }
    }
}

/// What a translation depends on besides the page tables.
pub struct Context<'a> {
    /// The vCPU's registers: MSR, LPCR, PIDR, AMR, IAMR, SLB.
    pub state: &'a CpuState,
    /// The model: edition, SLB size.
    pub model: &'static CpuModel,
    /// Page tables and RAM.
    pub partition: &'a Partition,
}

/// Which kind of tables translates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tables {
    /// The hashed page table, through the SLB.
    Hash,
    /// Radix trees.
    Radix,
}

/// The tables that translate for a vCPU in this state.
pub fn tables(state: &CpuState, model: &CpuModel) -> Tables {
    if model.isa >= Isa::V3_0 && Lpcr(state.spr[spr::LPCR]).has(Lpcr::HR) { Tables::Radix } else { Tables::Hash }
}

/// Translates one access. Sets R and C bits in the page table as the access demands.
pub fn translate(cx: &Context<'_>, ea: Ea, access: Access) -> Result<Translation, Fault> {
    let relocate = match access {
        Access::Fetch => Msr::IR,
        Access::Load | Access::Store => Msr::DR,
    };
    if !cx.state.msr.has(relocate) {
        // Real mode of a partition: the top four bits are ignored (ISA III, real addressing mode).
        return Ok(Translation { ra: Ra(ea.0 & 0x0fff_ffff_ffff_ffff), page_shift: 24, writable: Writable::Yes, holds: Holds::Always });
    }
    match tables(cx.state, cx.model) {
        Tables::Radix => radix::translate(cx, ea, access),
        Tables::Hash => hash::translate(cx, ea, access),
    }
}
