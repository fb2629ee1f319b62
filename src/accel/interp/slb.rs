//! Instructions of the segment lookaside buffer (ISA III 6.9.3).
//!
//! Failed lookups are not cached, so an entry that appears needs nothing; one that changes or goes takes the cached translations made under the
//! buffer with it ([`Core::slb_changed`]).

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::cpu::SlbEntry;
use crate::cpu::state::EQ;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::mmu::slb;
use crate::mmu::slb::SLB_B;
use crate::mmu::slb::SLB_C;
use crate::mmu::slb::SLB_ESID;
use crate::mmu::slb::SLB_V;
use crate::mmu::slb::Segment;

/// The index that RB of slbmte, slbmfee and slbmfev holds, if there is such an entry.
fn index(c: &Core, rb: u64) -> Option<usize> {
    let n = (rb & 0xfff) as usize;
    (n < c.model.slb_entries).then_some(n)
}

/// slbmte: writes an entry. What the book leaves undefined (no such entry, reserved bits, unknown sizes) is an illegal instruction, as on QEMU.
pub(super) fn slbmte(c: &mut Core, i: Insn) -> Step {
    let (rs, rb) = (c.gpr[i.rt()], c.gpr[i.rb()]);
    let esid = rb & !0xfff;
    let known = esid & !(SLB_ESID | SLB_V) == 0 && Segment::new(rs).is_some() && (c.model.one_tib_segments || rs & SLB_B == 0);
    let Some(n) = index(c, rb).filter(|_| known) else { return c.illegal() };
    let new = SlbEntry { esid, vsid: rs };
    let old = std::mem::replace(&mut c.slb[n], new);
    if old.esid & SLB_V != 0 && old != new {
        c.slb_changed();
    }
    Ok(())
}

/// slbmfev: reads the second half of an entry.
pub(super) fn slbmfev(c: &mut Core, i: Insn) -> Step {
    let Some(n) = index(c, c.gpr[i.rb()]) else { return c.illegal() };
    c.gpr[i.rt()] = c.slb[n].vsid;
    Ok(())
}

/// slbmfee: reads the first half of an entry.
pub(super) fn slbmfee(c: &mut Core, i: Insn) -> Step {
    let Some(n) = index(c, c.gpr[i.rb()]) else { return c.illegal() };
    c.gpr[i.rt()] = c.slb[n].esid;
    Ok(())
}

/// slbfee.: the second half of the entry for an address; CR0\[EQ\] says whether there is one.
pub(super) fn slbfee(c: &mut Core, i: Insn) -> Step {
    let found = slb::find(c, c.model, c.gpr[i.rb()]);
    c.gpr[i.rt()] = found.map_or(0, |n| c.slb[n].vsid);
    c.set_cr(0, c.xer.so | if found.is_some() { EQ } else { 0 });
    Ok(())
}

/// slbie, and slbieg as far as it reaches this thread: invalidates the entry for an address.
pub(super) fn slbie(c: &mut Core, i: Insn) -> Step {
    if let Some(n) = slb::find(c, c.model, c.gpr[i.rb()]) {
        c.slb[n].esid &= !SLB_V;
        c.slb_changed();
    }
    Ok(())
}

/// slbia: invalidates all entries but the first; from ISA 3.0 on IH may choose others.
pub(super) fn slbia(c: &mut Core, i: Insn) -> Step {
    let ih = if c.model.isa >= Isa::V3_0 { i.field(8, 10) } else { 0 };
    match ih {
        // Only what was cached from entries; nothing is cached from other than the present ones.
        7 => {}
        3 => invalidate(c, 0, |e| e.vsid & SLB_C != 0),
        4 => invalidate(c, 0, |_| true),
        _ => invalidate(c, 1, |_| true),
    }
    Ok(())
}

/// slbiag: invalidates all entries.
pub(super) fn slbiag(c: &mut Core, _: Insn) -> Step {
    invalidate(c, 0, |_| true);
    Ok(())
}

/// Invalidates the valid entries from index `from` on that are `which`.
fn invalidate(c: &mut Core, from: usize, which: fn(&SlbEntry) -> bool) {
    let mut gone = false;
    for e in c.slb[from..].iter_mut().filter(|e| e.esid & SLB_V != 0 && which(e)) {
        e.esid &= !SLB_V;
        gone = true;
    }
    if gone {
        c.slb_changed();
    }
}
