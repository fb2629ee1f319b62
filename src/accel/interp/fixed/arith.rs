//! Addition and subtraction (ISA I 3.3.9). Everything is `a + b + carry in`: a subtraction adds the complement of RA.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::isa::Isa;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("addi", addi), ("addis", addis), ("addpcis", addpcis),
    ("addic", addic), ("addic.", addic_record), ("subfic", subfic),
    ("add", |c, i| sum(c, i, c.gpr[i.ra()], c.gpr[i.rb()], 0)),
    ("subf", |c, i| sum(c, i, !c.gpr[i.ra()], c.gpr[i.rb()], 1)),
    ("neg", |c, i| sum(c, i, !c.gpr[i.ra()], 0, 1)),
    ("addc", |c, i| carrying(c, i, c.gpr[i.ra()], c.gpr[i.rb()], 0)),
    ("subfc", |c, i| carrying(c, i, !c.gpr[i.ra()], c.gpr[i.rb()], 1)),
    ("adde", |c, i| extended(c, i, c.gpr[i.ra()], c.gpr[i.rb()])),
    ("subfe", |c, i| extended(c, i, !c.gpr[i.ra()], c.gpr[i.rb()])),
    ("addme", |c, i| extended(c, i, c.gpr[i.ra()], u64::MAX)),
    ("subfme", |c, i| extended(c, i, !c.gpr[i.ra()], u64::MAX)),
    ("addze", |c, i| extended(c, i, c.gpr[i.ra()], 0)),
    ("subfze", |c, i| extended(c, i, !c.gpr[i.ra()], 0)),
    ("addex", addex),
];

/// addi: RT ← (RA|0) + EXTS(SI).
fn addi(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = c.ra0(i).wrapping_add(i.si());
    Ok(())
}

/// addis: RT ← (RA|0) + EXTS(SI || 0x0000).
fn addis(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = c.ra0(i).wrapping_add(i.si() << 16);
    Ok(())
}

/// addpcis: RT ← NIA + EXTS(D || 0x0000).
fn addpcis(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = c.nip.wrapping_add(i.si_dx() << 16);
    Ok(())
}

/// The sum, and at each bit the carry out of it.
#[inline(always)]
fn add(a: u64, b: u64, carry: u64) -> (u64, u64) {
    let r = a.wrapping_add(b).wrapping_add(carry);
    (r, (a & b) | ((a | b) & !r))
}

/// At each bit, whether a sum that ended there overflowed: the operands agree in sign and the result does not.
#[inline(always)]
fn overflows(a: u64, b: u64, r: u64) -> u64 {
    (a ^ r) & (b ^ r)
}

/// RT ← a + b + carry; OV if asked for.
#[inline(always)]
fn sum(c: &mut Core, i: Insn, a: u64, b: u64, carry: u64) -> Step {
    let r = a.wrapping_add(b).wrapping_add(carry);
    if i.oe() != 0 {
        c.set_overflow(overflows(a, b, r));
    }
    c.put_rt(i, r)
}

/// RT ← a + b + carry; CA; OV if asked for.
#[inline(always)]
fn carrying(c: &mut Core, i: Insn, a: u64, b: u64, carry: u64) -> Step {
    let (r, carries) = add(a, b, carry);
    c.set_carry(carries);
    if i.oe() != 0 {
        c.set_overflow(overflows(a, b, r));
    }
    c.put_rt(i, r)
}

/// RT ← a + b + CA; CA; OV if asked for.
#[inline(always)]
fn extended(c: &mut Core, i: Insn, a: u64, b: u64) -> Step {
    let carry = u64::from(c.xer.ca);
    carrying(c, i, a, b, carry)
}

/// RT ← a + EXTS(SI) + carry; CA.
#[inline(always)]
fn immediate(c: &mut Core, i: Insn, a: u64, carry: u64) -> u64 {
    let (r, carries) = add(a, i.si(), carry);
    c.set_carry(carries);
    c.gpr[i.rt()] = r;
    r
}

/// addic: RT ← (RA) + EXTS(SI), with carry.
fn addic(c: &mut Core, i: Insn) -> Step {
    immediate(c, i, c.gpr[i.ra()], 0);
    Ok(())
}

/// addic.: addic that records.
fn addic_record(c: &mut Core, i: Insn) -> Step {
    let r = immediate(c, i, c.gpr[i.ra()], 0);
    c.record(r);
    Ok(())
}

/// subfic: RT ← ¬(RA) + EXTS(SI) + 1, with carry.
fn subfic(c: &mut Core, i: Insn) -> Step {
    immediate(c, i, !c.gpr[i.ra()], 1);
    Ok(())
}

/// addex: RT ← (RA) + (RB) + OV, with OV and OV32 as the carries (CY = 0; the other values are reserved: illegal, as under QEMU).
fn addex(c: &mut Core, i: Insn) -> Step {
    if i.field(21, 22) != 0 {
        return c.illegal();
    }
    let (r, carries) = add(c.gpr[i.ra()], c.gpr[i.rb()], u64::from(c.xer.ov));
    let low = (carries >> 31) as u8 & 1;
    c.xer.ov = if c.ea_mask == u64::MAX { (carries >> 63) as u8 } else { low };
    if c.model.isa >= Isa::V3_0 {
        c.xer.ov32 = low;
    }
    c.gpr[i.rt()] = r;
    Ok(())
}
