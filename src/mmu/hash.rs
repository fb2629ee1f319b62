//! Hashed translation: segment, page table entry, protection (ISA III, hashed page table translation).
//!
//! What a partition's guest feels of it: segment interrupts without an SLB entry, storage interrupts without a page table entry or against its
//! protection, and R and C bits that its hcalls report. The table itself is [`crate::mmu::hpt`].

use crate::isa::Isa;
use crate::isa::regs::Dsisr;
use crate::isa::regs::Msr;
use crate::isa::regs::SRR1_NOEXEC;
use crate::isa::spr;
use crate::isa::vectors::Vector;
use crate::mmu::Access;
use crate::mmu::Context;
use crate::mmu::Fault;
use crate::mmu::Holds;
use crate::mmu::Rights;
use crate::mmu::Translation;
use crate::mmu::Writable;
use crate::mmu::hpt::Hpte;
use crate::mmu::hpt::Noted;
use crate::mmu::slb;
use crate::mmu::slb::Segment;
use crate::units::Ea;
use crate::units::Ra;

/// Finds the SLB entry and then the page table entry of `ea`.
pub fn translate(cx: &Context<'_>, ea: Ea, access: Access) -> Result<Translation, Fault> {
    let entry = slb::find(cx.state, cx.model, ea.0).map(|i| cx.state.slb[i]);
    let Some(segment) = entry.and_then(|e| Segment::new(e.vsid)) else { return Err(Fault::segment(access)) };
    if access == Access::Fetch && segment.vsid & slb::SLB_N != 0 {
        return Err(Fault { vector: Vector::InstructionStorage, status: SRR1_NOEXEC });
    }
    let Some(hpt) = cx.partition.hpt() else { return Err(Fault::storage(access, Dsisr::NOPTE)) };
    loop {
        let Some((ptex, e, shift)) = hpt.find(&segment, ea.0) else { return Err(Fault::storage(access, Dsisr::NOPTE)) };
        let rights = permitted(cx, &segment, e, access)?;
        let bits = if access == Access::Store { Hpte::R | Hpte::C } else { Hpte::R };
        if hpt.note_access(ptex, e, bits) == Noted::Changed {
            continue;
        }
        let page = (1u64 << shift) - 1;
        let changed = (e.r | bits) & Hpte::C != 0;
        return Ok(Translation {
            ra: Ra((e.r & Hpte::RPN & !page) | (ea.0 & page)),
            page_shift: shift.min(segment.sizes.shift),
            writable: if rights.store && changed { Writable::Yes } else { Writable::AskAgain },
            holds: Holds::ForProcess,
        });
    }
}

/// What page protection and the keys leave of `access`, as rights, or the fault (ISA III, storage protection).
fn permitted(cx: &Context<'_>, segment: &Segment, e: Hpte, access: Access) -> Result<Rights, Fault> {
    let page = page_protection(cx, segment, e);
    let keys = key_protection(cx, e);
    let guarded = e.r & (Hpte::N | Hpte::G) != 0;
    let mut status = 0;
    if access == Access::Fetch && guarded {
        status |= SRR1_NOEXEC;
    } else if !page.allow(access) {
        status |= Dsisr::PROTFAULT;
    }
    if !keys.allow(access) {
        status |= Dsisr::KEYFAULT;
    }
    if status != 0 {
        return Err(Fault::storage(access, status));
    }
    Ok(Rights { load: page.load && keys.load, store: page.store && keys.store, fetch: page.fetch && keys.fetch && !guarded })
}

/// Page protection by PP and the segment's key (ISA III, basic storage protection).
fn page_protection(cx: &Context<'_>, segment: &Segment, e: Hpte) -> Rights {
    let key = if cx.state.msr.has(Msr::PR) { slb::SLB_KP } else { slb::SLB_KS };
    let (read, write) = match (segment.vsid & key != 0, e.pp()) {
        (false, 0..=2) | (true, 2) => (true, true),
        (false, 3 | 6) | (true, 1 | 3) => (true, false),
        // With key 1, PP 110 gives nothing: it is for privileged state alone.
        _ => (false, false),
    };
    Rights { load: read, store: write, fetch: read }
}

/// Virtual page class keys: AMR for data, IAMR for instructions (ISA III, virtual page class key protection).
fn key_protection(cx: &Context<'_>, e: Hpte) -> Rights {
    let field = |register: usize, since: Isa| {
        let held = if cx.model.isa >= since { cx.state.spr[register] } else { 0 };
        held >> (2 * (31 - e.key())) & 3
    };
    let (amr, iamr) = (field(spr::AMR, Isa::V2_06), field(spr::IAMR, Isa::V2_07));
    Rights { load: amr & 1 == 0, store: amr & 2 == 0, fetch: iamr & 1 == 0 }
}

#[cfg(test)]
mod tests;
