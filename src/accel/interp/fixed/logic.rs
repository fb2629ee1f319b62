//! Logic, sign extension, counting of zeros and bytes (ISA I 3.3.13, 3.3.16).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("andi.", |c, i| immediate_record(c, i, i.ui())),
    ("andis.", |c, i| immediate_record(c, i, i.ui() << 16)),
    ("ori", |c, i| immediate(c, i, c.gpr[i.rt()] | i.ui())),
    ("oris", |c, i| immediate(c, i, c.gpr[i.rt()] | (i.ui() << 16))),
    ("xori", |c, i| immediate(c, i, c.gpr[i.rt()] ^ i.ui())),
    ("xoris", |c, i| immediate(c, i, c.gpr[i.rt()] ^ (i.ui() << 16))),
    ("and", |c, i| logic(c, i, |s, b| s & b)),
    ("andc", |c, i| logic(c, i, |s, b| s & !b)),
    ("nand", |c, i| logic(c, i, |s, b| !(s & b))),
    ("or", |c, i| logic(c, i, |s, b| s | b)),
    ("orc", |c, i| logic(c, i, |s, b| s | !b)),
    ("nor", |c, i| logic(c, i, |s, b| !(s | b))),
    ("xor", |c, i| logic(c, i, |s, b| s ^ b)),
    ("eqv", |c, i| logic(c, i, |s, b| !(s ^ b))),
    ("extsb", |c, i| of_one(c, i, |s| i64::from(s as i8) as u64)),
    ("extsh", |c, i| of_one(c, i, |s| i64::from(s as i16) as u64)),
    ("extsw", |c, i| of_one(c, i, |s| i64::from(s as i32) as u64)),
    ("cntlzw", |c, i| of_one(c, i, |s| u64::from((s as u32).leading_zeros()))),
    ("cntlzd", |c, i| of_one(c, i, |s| u64::from(s.leading_zeros()))),
    ("cnttzw", |c, i| of_one(c, i, |s| u64::from((s as u32).trailing_zeros()))),
    ("cnttzd", |c, i| of_one(c, i, |s| u64::from(s.trailing_zeros()))),
    ("popcntb", |c, i| bytewise(c, i, |b| b.count_ones() as u8)),
    ("popcntw", |c, i| halves(c, i, u32::count_ones)),
    ("popcntd", |c, i| plain(c, i, |s| u64::from(s.count_ones()))),
    ("prtyw", |c, i| halves(c, i, |w| (w & 0x0101_0101).count_ones() & 1)),
    ("prtyd", |c, i| plain(c, i, |s| u64::from((s & 0x0101_0101_0101_0101).count_ones() & 1))),
    ("cmpb", cmpb),
    ("brh", |c, i| plain(c, i, |s| ((s & 0x00ff_00ff_00ff_00ff) << 8) | ((s >> 8) & 0x00ff_00ff_00ff_00ff))),
    ("brw", |c, i| plain(c, i, |s| s.swap_bytes().rotate_left(32))),
    ("brd", |c, i| plain(c, i, u64::swap_bytes)),
];

#[inline(always)]
fn logic(c: &mut Core, i: Insn, f: fn(u64, u64) -> u64) -> Step {
    let r = f(c.gpr[i.rt()], c.gpr[i.rb()]);
    c.put_ra(i, r)
}

/// An immediate form without record bit.
#[inline(always)]
fn immediate(c: &mut Core, i: Insn, r: u64) -> Step {
    c.gpr[i.ra()] = r;
    Ok(())
}

/// andi., andis.: RA ← (RS) & mask, recorded.
#[inline(always)]
fn immediate_record(c: &mut Core, i: Insn, mask: u64) -> Step {
    let r = c.gpr[i.rt()] & mask;
    c.gpr[i.ra()] = r;
    c.record(r);
    Ok(())
}

/// RA ← f(RS), with a record form.
#[inline(always)]
fn of_one(c: &mut Core, i: Insn, f: fn(u64) -> u64) -> Step {
    let r = f(c.gpr[i.rt()]);
    c.put_ra(i, r)
}

/// RA ← f(RS), without.
#[inline(always)]
fn plain(c: &mut Core, i: Insn, f: fn(u64) -> u64) -> Step {
    c.gpr[i.ra()] = f(c.gpr[i.rt()]);
    Ok(())
}

/// RA ← f of each word of RS.
#[inline(always)]
fn halves(c: &mut Core, i: Insn, f: fn(u32) -> u32) -> Step {
    let s = c.gpr[i.rt()];
    c.gpr[i.ra()] = (u64::from(f((s >> 32) as u32)) << 32) | u64::from(f(s as u32));
    Ok(())
}

/// RA ← f of each byte of RS.
#[inline(always)]
fn bytewise(c: &mut Core, i: Insn, f: fn(u8) -> u8) -> Step {
    c.gpr[i.ra()] = u64::from_be_bytes(c.gpr[i.rt()].to_be_bytes().map(f));
    Ok(())
}

/// cmpb: each byte of RA ← 0xff if the bytes of RS and RB are equal, else 0.
fn cmpb(c: &mut Core, i: Insn) -> Step {
    let (s, b) = (c.gpr[i.rt()].to_be_bytes(), c.gpr[i.rb()].to_be_bytes());
    c.gpr[i.ra()] = u64::from_be_bytes(std::array::from_fn(|k| if s[k] == b[k] { 0xff } else { 0 }));
    Ok(())
}
