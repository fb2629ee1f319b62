//! Rotates and shifts (ISA I 3.3.14).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::bits::mask64;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("rlwinm", |c, i| { let r = turn32(c, i, i.sh5()) & mask32(i); c.put_ra(i, r) }),
    ("rlwnm", |c, i| { let r = turn32(c, i, c.gpr[i.rb()] as u32 & 31) & mask32(i); c.put_ra(i, r) }),
    ("rlwimi", |c, i| { let r = turn32(c, i, i.sh5()); insert(c, i, r, mask32(i)) }),
    ("rldicl", |c, i| { let r = turn64(c, i, i.sh6()) & mask64(i.mb6(), 63); c.put_ra(i, r) }),
    ("rldicr", |c, i| { let r = turn64(c, i, i.sh6()) & mask64(0, i.mb6()); c.put_ra(i, r) }),
    ("rldic", |c, i| { let r = turn64(c, i, i.sh6()) & mask64(i.mb6(), 63 - i.sh6()); c.put_ra(i, r) }),
    ("rldimi", |c, i| { let r = turn64(c, i, i.sh6()); insert(c, i, r, mask64(i.mb6(), 63 - i.sh6())) }),
    ("rldcl", |c, i| { let r = turn64(c, i, c.gpr[i.rb()] as u32 & 63) & mask64(i.mb6(), 63); c.put_ra(i, r) }),
    ("rldcr", |c, i| { let r = turn64(c, i, c.gpr[i.rb()] as u32 & 63) & mask64(0, i.mb6()); c.put_ra(i, r) }),
    ("slw", slw), ("srw", srw), ("sld", sld), ("srd", srd),
    ("sraw", |c, i| sra_word(c, i, c.gpr[i.rb()] as u32 & 63)),
    ("srawi", |c, i| sra_word(c, i, i.sh5())),
    ("srad", |c, i| sra_double(c, i, c.gpr[i.rb()] as u32 & 127)),
    ("sradi", |c, i| sra_double(c, i, i.sh6())),
    ("extswsli", extswsli),
];

/// The mask of MB and ME of a word rotate; it wraps around, through the high word too.
#[inline(always)]
fn mask32(i: Insn) -> u64 {
    mask64(i.mb5() + 32, i.me5() + 32)
}

/// The low word of RS rotated, in both halves.
#[inline(always)]
fn turn32(c: &Core, i: Insn, n: u32) -> u64 {
    let w = u64::from((c.gpr[i.rt()] as u32).rotate_left(n));
    (w << 32) | w
}

#[inline(always)]
fn turn64(c: &Core, i: Insn, n: u32) -> u64 {
    c.gpr[i.rt()].rotate_left(n)
}

/// RA ← `r` under the mask, RA elsewhere.
#[inline(always)]
fn insert(c: &mut Core, i: Insn, r: u64, mask: u64) -> Step {
    let v = (r & mask) | (c.gpr[i.ra()] & !mask);
    c.put_ra(i, v)
}

/// slw: the low word shifted left by RB\[58:63\]; 32 and more give 0.
fn slw(c: &mut Core, i: Insn) -> Step {
    let n = c.gpr[i.rb()] as u32 & 63;
    let r = (c.gpr[i.rt()] as u32).checked_shl(n).unwrap_or(0);
    c.put_ra(i, u64::from(r))
}

/// srw: the low word shifted right.
fn srw(c: &mut Core, i: Insn) -> Step {
    let n = c.gpr[i.rb()] as u32 & 63;
    let r = (c.gpr[i.rt()] as u32).checked_shr(n).unwrap_or(0);
    c.put_ra(i, u64::from(r))
}

/// sld: shifted left by RB\[57:63\]; 64 and more give 0.
fn sld(c: &mut Core, i: Insn) -> Step {
    let n = c.gpr[i.rb()] as u32 & 127;
    let r = c.gpr[i.rt()].checked_shl(n).unwrap_or(0);
    c.put_ra(i, r)
}

/// srd: shifted right.
fn srd(c: &mut Core, i: Insn) -> Step {
    let n = c.gpr[i.rb()] as u32 & 127;
    let r = c.gpr[i.rt()].checked_shr(n).unwrap_or(0);
    c.put_ra(i, r)
}

/// RA ← `s` shifted right arithmetically; CA and CA32 ← whether it is negative and ones were lost.
#[inline(always)]
fn arithmetic(c: &mut Core, i: Insn, s: i64, n: u32) -> Step {
    let r = s >> n.min(63);
    let lost = if n > 63 { s } else { s & !(u64::MAX << n) as i64 };
    c.set_carry(if s < 0 && lost != 0 { u64::MAX } else { 0 });
    c.put_ra(i, r as u64)
}

/// sraw, srawi: the low word, sign-extended.
#[inline(always)]
fn sra_word(c: &mut Core, i: Insn, n: u32) -> Step {
    arithmetic(c, i, i64::from(c.gpr[i.rt()] as i32), n)
}

/// srad, sradi.
#[inline(always)]
fn sra_double(c: &mut Core, i: Insn, n: u32) -> Step {
    arithmetic(c, i, c.gpr[i.rt()] as i64, n)
}

/// extswsli: RA ← EXTS(low word of RS) << SH.
fn extswsli(c: &mut Core, i: Insn) -> Step {
    let r = (i64::from(c.gpr[i.rt()] as i32) as u64) << i.sh6();
    c.put_ra(i, r)
}
