//! Branches and condition register logic (ISA I, chapter 2): one function per row.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::spr::facility;
use crate::isa::Insn;
use crate::isa::regs::Fscr;
use crate::isa::spr;

/// The functions of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("b", b), ("bc", bc), ("bclr", bclr), ("bcctr", bcctr), ("bctar", bctar),
    ("crand", |c, i| cr_logic(c, i, |a, b| a & b)),
    ("crnand", |c, i| cr_logic(c, i, |a, b| !(a & b))),
    ("cror", |c, i| cr_logic(c, i, |a, b| a | b)),
    ("crxor", |c, i| cr_logic(c, i, |a, b| a ^ b)),
    ("crnor", |c, i| cr_logic(c, i, |a, b| !(a | b))),
    ("creqv", |c, i| cr_logic(c, i, |a, b| !(a ^ b))),
    ("crandc", |c, i| cr_logic(c, i, |a, b| a & !b)),
    ("crorc", |c, i| cr_logic(c, i, |a, b| a | !b)),
    ("mcrf", mcrf),
];

/// Goes to `target`, with the link register set if the instruction asks for it.
#[inline(always)]
fn branch(c: &mut Core, i: Insn, target: u64) {
    if i.lk() != 0 {
        c.lr = c.nip;
    }
    c.nip = target & c.ea_mask;
    c.spr[spr::CFAR] = c.cia;
}

/// b: unconditional branch (ISA I 2.4).
fn b(c: &mut Core, i: Insn) -> Step {
    let target = if i.aa() != 0 { i.li() } else { c.cia.wrapping_add(i.li()) };
    branch(c, i, target);
    Ok(())
}

/// The CTR half of a branch condition: decrements when BO says so (BO bit 2 clear).
#[inline(always)]
fn ctr_ok(c: &mut Core, bo: u32) -> bool {
    if bo & 4 != 0 {
        return true;
    }
    c.ctr = c.ctr.wrapping_sub(1);
    (c.ctr & c.ea_mask != 0) ^ (bo & 2 != 0)
}

/// The CR half of a branch condition.
#[inline(always)]
fn cr_ok(c: &Core, bo: u32, bi: usize) -> bool {
    bo & 0x10 != 0 || (c.cr.bit(bi) != 0) == (bo & 8 != 0)
}

/// bc: conditional branch, relative or absolute (ISA I 2.4).
fn bc(c: &mut Core, i: Insn) -> Step {
    let ctr = ctr_ok(c, i.bo());
    if ctr && cr_ok(c, i.bo(), i.bi()) {
        let target = if i.aa() != 0 { i.bd() } else { c.cia.wrapping_add(i.bd()) };
        branch(c, i, target);
    } else if i.lk() != 0 {
        c.lr = c.nip;
    }
    Ok(())
}

/// bclr: conditional branch to the link register (ISA I 2.4).
fn bclr(c: &mut Core, i: Insn) -> Step {
    let target = c.lr & !3;
    let ctr = ctr_ok(c, i.bo());
    if ctr && cr_ok(c, i.bo(), i.bi()) {
        branch(c, i, target);
    } else if i.lk() != 0 {
        c.lr = c.nip;
    }
    Ok(())
}

/// bcctr: conditional branch to the count register; the forms that decrement CTR are invalid and act as if they did not (ISA I 2.4).
fn bcctr(c: &mut Core, i: Insn) -> Step {
    let target = c.ctr & !3;
    if i.bo() & 4 == 0 {
        // An invalid form that server processors carry out as "test, then decrement". Linux flushes the count cache with it (BO = 2, CTR not
        // 0: never taken), so it has to do what they do (departs: the book leaves it undefined; QEMU does the same).
        let taken = (c.ctr & c.ea_mask != 0) ^ (i.bo() & 2 != 0);
        c.ctr = c.ctr.wrapping_sub(1);
        return if taken { indirect(c, i, target) } else { not_taken(c, i) };
    }
    indirect(c, i, target)
}

/// bctar: conditional branch to the target address register (ISA I 2.4).
fn bctar(c: &mut Core, i: Insn) -> Step {
    if c.problem_state() && !Fscr(c.spr[spr::FSCR]).has(Fscr::TAR) {
        return Err(facility(c, Fscr::IC_TAR));
    }
    let target = c.spr[spr::TAR] & !3;
    let ctr = ctr_ok(c, i.bo());
    if ctr { indirect(c, i, target) } else { not_taken(c, i) }
}

fn indirect(c: &mut Core, i: Insn, target: u64) -> Step {
    if cr_ok(c, i.bo(), i.bi()) {
        branch(c, i, target);
        return Ok(());
    }
    not_taken(c, i)
}

fn not_taken(c: &mut Core, i: Insn) -> Step {
    if i.lk() != 0 {
        c.lr = c.nip;
    }
    Ok(())
}

#[inline(always)]
fn cr_logic(c: &mut Core, i: Insn, f: fn(u8, u8) -> u8) -> Step {
    let v = f(c.cr.bit(i.ba()), c.cr.bit(i.bb())) & 1;
    c.cr.set_bit(i.bt(), v);
    Ok(())
}

/// mcrf: copies a CR field (ISA I 2.5.2).
fn mcrf(c: &mut Core, i: Insn) -> Step {
    c.set_cr(i.bf(), c.cr.field(i.bfa()));
    Ok(())
}
