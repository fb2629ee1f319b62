//! Invalidation of cached translations (ISA III 6.9.3, TLB management).
//!
//! What is process-scoped forgets a page of the process, or the process: then its contexts in the software TLB get new numbers. Everything else forgets everything. tlbie only asks; tlbsync waits until every vCPU has followed, so that a guest that
//! invalidates a range page by page waits once.

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::isa::regs::Lpcr;
use crate::isa::spr;
use crate::mmu;
use crate::mmu::Tables;
use crate::mmu::partition::Scope;

/// Whether the partition may shoot down translations by itself: LPCR\[GTSE\]; before ISA 3.0 only the hypervisor could.
fn allowed(c: &Core) -> bool {
    c.model.isa >= Isa::V3_0 && Lpcr(c.spr[spr::LPCR]).has(Lpcr::GTSE)
}

/// What an invalidation names: one process when it is radix (R), process-scoped (PRS) and by PID (IS 1, the PID in RS's high word), or one of its pages when it is by page (IS 0) and
/// only of translations (RIC 0).
fn scope(c: &Core, i: Insn) -> Scope {
    let (ric, process_scoped, radix) = (i.field(12, 13), i.field(14, 14) != 0, i.field(15, 15) != 0);
    let (rb, pid) = (c.gpr[i.rb()], (c.gpr[i.rt()] >> 32) as u32);
    // The actual page size's encoding (PAPR, `ibm,processor-radix-AP-encodings`).
    let shift = match (rb >> 5) & 7 {
        0 => Some(12),
        5 => Some(16),
        1 => Some(21),
        2 => Some(30),
        _ => None,
    };
    match ((rb >> 10) & 3, shift) {
        _ if !process_scoped || !radix || mmu::tables(c, c.model) != Tables::Radix => Scope::All,
        (0, Some(shift)) if ric == 0 && pid != 0 => Scope::Page { pid, ea: rb >> shift << shift, shift },
        (0 | 1, _) => Scope::Process(pid),
        _ => Scope::All,
    }
}

/// tlbie: on all threads. The request reaches this vCPU too, which follows it at the end of the block.
pub(super) fn tlbie(c: &mut Core, i: Insn) -> Step {
    if !allowed(c) {
        return c.illegal();
    }
    c.partition.request_invalidation(scope(c, i));
    Ok(())
}

/// tlbiel: on this thread. Linux names each of 128 sets in turn, and after the first there is nothing to forget: then translated code goes on.
pub(super) fn tlbiel(c: &mut Core, i: Insn) -> Step {
    let scope = scope(c, i);
    let forgot = c.forget(scope);
    c.code_changed |= forgot;
    Ok(())
}

/// tlbsync: waits until what tlbie asked for is done everywhere.
pub(super) fn tlbsync(c: &mut Core, _: Insn) -> Step {
    c.wait_for_shoot_down();
    Ok(())
}
