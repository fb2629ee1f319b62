//! Invalidation of cached translations (ISA III 6.9.3, TLB management).
//!
//! What is process-scoped forgets the process: its contexts in the software TLB get new numbers, whatever page was named, because large pages are split there and
//! filling again is cheap. Everything else forgets everything. tlbie only asks; tlbsync waits until every vCPU has followed, so that a guest that
//! invalidates a range page by page waits once.

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::isa::regs::Lpcr;
use crate::isa::spr;
use crate::mmu::partition::Scope;

/// Whether the partition may shoot down translations by itself: LPCR\[GTSE\]; before ISA 3.0 only the hypervisor could.
fn allowed(c: &Core) -> bool {
    c.model.isa >= Isa::V3_0 && Lpcr(c.spr[spr::LPCR]).has(Lpcr::GTSE)
}

/// What an invalidation names: one process when it is radix (R), process-scoped (PRS) and by page or PID (IS 0 and 1), and the PID, in RS's high word, is not the
/// kernel's.
fn scope(c: &Core, i: Insn) -> Scope {
    let (process_scoped, radix) = (i.field(14, 14) != 0, i.field(15, 15) != 0);
    let is = (c.gpr[i.rb()] >> 10) & 3;
    let pid = (c.gpr[i.rt()] >> 32) as u32;
    if process_scoped && radix && is < 2 && pid != 0 { Scope::Process(pid) } else { Scope::All }
}

/// tlbie: on all threads. The request reaches this vCPU too, which follows it at the end of the block.
pub(super) fn tlbie(c: &mut Core, i: Insn) -> Step {
    if !allowed(c) {
        return c.illegal();
    }
    c.partition.request_invalidation(scope(c, i));
    Ok(())
}

/// tlbiel: on this thread.
pub(super) fn tlbiel(c: &mut Core, i: Insn) -> Step {
    let scope = scope(c, i);
    c.forget(scope);
    Ok(())
}

/// tlbsync: waits until what tlbie asked for is done everywhere.
pub(super) fn tlbsync(c: &mut Core, _: Insn) -> Step {
    c.wait_for_shoot_down();
    Ok(())
}
