//! Invalidation of cached translations (ISA III 6.9.3, TLB management).
//!
//! Software TLBs are cheap to fill again and large pages are split in them, so every form invalidates everything: tlbiel here, tlbie everywhere. tlbie
//! only asks; tlbsync waits until every vCPU has followed, so that a guest that invalidates a range page by page waits once.

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::isa::regs::Lpcr;
use crate::isa::spr;

/// Whether the partition may shoot down translations by itself: LPCR\[GTSE\]; before ISA 3.0 only the hypervisor could.
fn allowed(c: &Core) -> bool {
    c.model.isa >= Isa::V3_0 && Lpcr(c.spr[spr::LPCR]).has(Lpcr::GTSE)
}

/// tlbie: on all threads. The request reaches this vCPU too, which follows it at the end of the block.
pub(super) fn tlbie(c: &mut Core, _: Insn) -> Step {
    if !allowed(c) {
        return c.illegal();
    }
    c.partition.request_invalidation();
    Ok(())
}

/// tlbiel: on this thread.
pub(super) fn tlbiel(c: &mut Core, _: Insn) -> Step {
    c.flush_tlb();
    Ok(())
}

/// tlbsync: waits until what tlbie asked for is done everywhere.
pub(super) fn tlbsync(c: &mut Core, _: Insn) -> Step {
    c.wait_for_shoot_down();
    Ok(())
}
