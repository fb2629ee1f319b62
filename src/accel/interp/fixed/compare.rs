//! Compares, traps and selection (ISA I 3.3.10 to 3.3.12).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::cpu::interrupt::Interrupt;
use crate::cpu::state::EQ;
use crate::cpu::state::GT;
use crate::cpu::state::LT;
use crate::isa::Insn;
use crate::isa::regs::SRR1_TRAP;
use crate::isa::vectors::Vector;
use std::cmp::Ordering;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("cmpi", |c, i| signed(c, i, i.si())),
    ("cmp", |c, i| signed(c, i, c.gpr[i.rb()])),
    ("cmpli", |c, i| unsigned(c, i, i.ui())),
    ("cmpl", |c, i| unsigned(c, i, c.gpr[i.rb()])),
    ("cmprb", cmprb), ("cmpeqb", cmpeqb),
    ("twi", |c, i| trap_word(c, i, i.si())),
    ("tw", |c, i| trap_word(c, i, c.gpr[i.rb()])),
    ("tdi", |c, i| trap_double(c, i, i.si())),
    ("td", |c, i| trap_double(c, i, c.gpr[i.rb()])),
    ("isel", isel),
    ("setbc", |c, i| set_if(c, i, 1, 0)),
    ("setbcr", |c, i| set_if(c, i, 0, 1)),
    ("setnbc", |c, i| set_if(c, i, u64::MAX, 0)),
    ("setnbcr", |c, i| set_if(c, i, 0, u64::MAX)),
];

/// CR field BF ← the order, and SO.
#[inline(always)]
fn compared(c: &mut Core, i: Insn, order: Ordering) -> Step {
    let bit = match order {
        Ordering::Less => LT,
        Ordering::Greater => GT,
        Ordering::Equal => EQ,
    };
    let so = c.xer.so;
    c.set_cr(i.bf(), bit | so);
    Ok(())
}

/// cmp, cmpi: signed, of words or (L = 1) doublewords.
#[inline(always)]
fn signed(c: &mut Core, i: Insn, b: u64) -> Step {
    let a = c.gpr[i.ra()];
    let order = if i.l() != 0 { (a as i64).cmp(&(b as i64)) } else { (a as i32).cmp(&(b as i32)) };
    compared(c, i, order)
}

/// cmpl, cmpli: unsigned.
#[inline(always)]
fn unsigned(c: &mut Core, i: Insn, b: u64) -> Step {
    let a = c.gpr[i.ra()];
    let order = if i.l() != 0 { a.cmp(&b) } else { (a as u32).cmp(&(b as u32)) };
    compared(c, i, order)
}

/// cmprb: CR\[BF\] GT ← whether the low byte of RA lies in the range of RB's low halfword, or (L = 1) in that of the halfword above.
fn cmprb(c: &mut Core, i: Insn) -> Step {
    let b = (c.gpr[i.rb()] as u32).to_be_bytes();
    let v = c.gpr[i.ra()] as u8;
    let inside = (b[3]..=b[2]).contains(&v) || (i.l() != 0 && (b[1]..=b[0]).contains(&v));
    c.set_cr(i.bf(), if inside { GT } else { 0 });
    Ok(())
}

/// cmpeqb: CR\[BF\] GT ← whether the low byte of RA is among the bytes of RB.
fn cmpeqb(c: &mut Core, i: Insn) -> Step {
    let found = c.gpr[i.rb()].to_be_bytes().contains(&(c.gpr[i.ra()] as u8));
    c.set_cr(i.bf(), if found { GT } else { 0 });
    Ok(())
}

/// Traps if an order that TO names holds: bits from the left <, >, =, unsigned <, unsigned >.
#[inline(always)]
fn trap(c: &mut Core, to: u32, signed: Ordering, unsigned: Ordering) -> Step {
    let held = match signed {
        Ordering::Less => 16,
        Ordering::Greater => 8,
        Ordering::Equal => 4,
    } | match unsigned {
        Ordering::Less => 2,
        Ordering::Greater => 1,
        Ordering::Equal => 0,
    };
    if to & held != 0 { Err(c.raise(Interrupt::new(Vector::Program, SRR1_TRAP))) } else { Ok(()) }
}

/// tw, twi: traps on words.
fn trap_word(c: &mut Core, i: Insn, b: u64) -> Step {
    let (a, b) = (c.gpr[i.ra()] as u32, b as u32);
    trap(c, i.to(), (a as i32).cmp(&(b as i32)), a.cmp(&b))
}

/// td, tdi: traps on doublewords.
fn trap_double(c: &mut Core, i: Insn, b: u64) -> Step {
    let a = c.gpr[i.ra()];
    trap(c, i.to(), (a as i64).cmp(&(b as i64)), a.cmp(&b))
}

/// isel: RT ← (RA|0) if CR bit BC is set, else (RB).
fn isel(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = if c.cr.bit(i.rc_field()) != 0 { c.ra0(i) } else { c.gpr[i.rb()] };
    Ok(())
}

/// setbc and its kin: RT ← one value if CR bit BI is set, else the other.
fn set_if(c: &mut Core, i: Insn, set: u64, clear: u64) -> Step {
    c.gpr[i.rt()] = if c.cr.bit(i.bi()) != 0 { set } else { clear };
    Ok(())
}
