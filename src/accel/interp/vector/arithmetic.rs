//! Integer addition and subtraction, averages, differences, extrema, signs (ISA I 6.9.1).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::binary;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::saturating_binary;
use crate::accel::interp::vector::lanes::ternary;
use crate::accel::interp::vector::lanes::unary;
use crate::accel::interp::vector::lanes::whole;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    // Modulo.
    ("vaddubm", |c, i| binary::<u8>(c, i, u8::wrapping_add)),
    ("vadduhm", |c, i| binary::<u16>(c, i, u16::wrapping_add)),
    ("vadduwm", |c, i| binary::<u32>(c, i, u32::wrapping_add)),
    ("vaddudm", |c, i| binary::<u64>(c, i, u64::wrapping_add)),
    ("vadduqm", |c, i| whole(c, i, u128::wrapping_add)),
    ("vsububm", |c, i| binary::<u8>(c, i, u8::wrapping_sub)),
    ("vsubuhm", |c, i| binary::<u16>(c, i, u16::wrapping_sub)),
    ("vsubuwm", |c, i| binary::<u32>(c, i, u32::wrapping_sub)),
    ("vsubudm", |c, i| binary::<u64>(c, i, u64::wrapping_sub)),
    ("vsubuqm", |c, i| whole(c, i, u128::wrapping_sub)),
    // Saturating.
    ("vaddubs", |c, i| saturating_binary::<u8>(c, i, |a, b| (a.saturating_add(b), a.overflowing_add(b).1))),
    ("vadduhs", |c, i| saturating_binary::<u16>(c, i, |a, b| (a.saturating_add(b), a.overflowing_add(b).1))),
    ("vadduws", |c, i| saturating_binary::<u32>(c, i, |a, b| (a.saturating_add(b), a.overflowing_add(b).1))),
    ("vaddsbs", |c, i| saturating_binary::<i8>(c, i, |a, b| (a.saturating_add(b), a.overflowing_add(b).1))),
    ("vaddshs", |c, i| saturating_binary::<i16>(c, i, |a, b| (a.saturating_add(b), a.overflowing_add(b).1))),
    ("vaddsws", |c, i| saturating_binary::<i32>(c, i, |a, b| (a.saturating_add(b), a.overflowing_add(b).1))),
    ("vsububs", |c, i| saturating_binary::<u8>(c, i, |a, b| (a.saturating_sub(b), a.overflowing_sub(b).1))),
    ("vsubuhs", |c, i| saturating_binary::<u16>(c, i, |a, b| (a.saturating_sub(b), a.overflowing_sub(b).1))),
    ("vsubuws", |c, i| saturating_binary::<u32>(c, i, |a, b| (a.saturating_sub(b), a.overflowing_sub(b).1))),
    ("vsubsbs", |c, i| saturating_binary::<i8>(c, i, |a, b| (a.saturating_sub(b), a.overflowing_sub(b).1))),
    ("vsubshs", |c, i| saturating_binary::<i16>(c, i, |a, b| (a.saturating_sub(b), a.overflowing_sub(b).1))),
    ("vsubsws", |c, i| saturating_binary::<i32>(c, i, |a, b| (a.saturating_sub(b), a.overflowing_sub(b).1))),
    // Carries. A subtraction's carry is the carry of a + !b + 1: set when nothing was borrowed.
    ("vaddcuw", |c, i| binary::<u32>(c, i, |a, b| u32::from(a.overflowing_add(b).1))),
    ("vaddcuq", |c, i| whole(c, i, |a, b| u128::from(a.overflowing_add(b).1))),
    ("vsubcuw", |c, i| binary::<u32>(c, i, |a, b| u32::from(a >= b))),
    ("vsubcuq", |c, i| whole(c, i, |a, b| u128::from(a >= b))),
    ("vaddeuqm", |c, i| ternary::<u128>(c, i, |a, b, d| sum(a, b, d).0)),
    ("vaddecuq", |c, i| ternary::<u128>(c, i, |a, b, d| sum(a, b, d).1)),
    ("vsubeuqm", |c, i| ternary::<u128>(c, i, |a, b, d| sum(a, !b, d).0)),
    ("vsubecuq", |c, i| ternary::<u128>(c, i, |a, b, d| sum(a, !b, d).1)),
    // Average, absolute difference.
    ("vavgub", |c, i| binary::<u8>(c, i, |a, b| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8)),
    ("vavguh", |c, i| binary::<u16>(c, i, |a, b| ((u32::from(a) + u32::from(b) + 1) >> 1) as u16)),
    ("vavguw", |c, i| binary::<u32>(c, i, |a, b| ((u64::from(a) + u64::from(b) + 1) >> 1) as u32)),
    ("vavgsb", |c, i| binary::<i8>(c, i, |a, b| ((i16::from(a) + i16::from(b) + 1) >> 1) as i8)),
    ("vavgsh", |c, i| binary::<i16>(c, i, |a, b| ((i32::from(a) + i32::from(b) + 1) >> 1) as i16)),
    ("vavgsw", |c, i| binary::<i32>(c, i, |a, b| ((i64::from(a) + i64::from(b) + 1) >> 1) as i32)),
    ("vabsdub", |c, i| binary::<u8>(c, i, u8::abs_diff)),
    ("vabsduh", |c, i| binary::<u16>(c, i, u16::abs_diff)),
    ("vabsduw", |c, i| binary::<u32>(c, i, u32::abs_diff)),
    // Extrema.
    ("vmaxub", |c, i| binary::<u8>(c, i, u8::max)),
    ("vmaxuh", |c, i| binary::<u16>(c, i, u16::max)),
    ("vmaxuw", |c, i| binary::<u32>(c, i, u32::max)),
    ("vmaxud", |c, i| binary::<u64>(c, i, u64::max)),
    ("vmaxsb", |c, i| binary::<i8>(c, i, i8::max)),
    ("vmaxsh", |c, i| binary::<i16>(c, i, i16::max)),
    ("vmaxsw", |c, i| binary::<i32>(c, i, i32::max)),
    ("vmaxsd", |c, i| binary::<i64>(c, i, i64::max)),
    ("vminub", |c, i| binary::<u8>(c, i, u8::min)),
    ("vminuh", |c, i| binary::<u16>(c, i, u16::min)),
    ("vminuw", |c, i| binary::<u32>(c, i, u32::min)),
    ("vminud", |c, i| binary::<u64>(c, i, u64::min)),
    ("vminsb", |c, i| binary::<i8>(c, i, i8::min)),
    ("vminsh", |c, i| binary::<i16>(c, i, i16::min)),
    ("vminsw", |c, i| binary::<i32>(c, i, i32::min)),
    ("vminsd", |c, i| binary::<i64>(c, i, i64::min)),
    // Signs.
    ("vnegw", |c, i| unary::<i32>(c, i, i32::wrapping_neg)),
    ("vnegd", |c, i| unary::<i64>(c, i, i64::wrapping_neg)),
    ("vextsb2w", |c, i| unary::<i32>(c, i, |b| i32::from(b as i8))),
    ("vextsh2w", |c, i| unary::<i32>(c, i, |b| i32::from(b as i16))),
    ("vextsb2d", |c, i| unary::<i64>(c, i, |b| i64::from(b as i8))),
    ("vextsh2d", |c, i| unary::<i64>(c, i, |b| i64::from(b as i16))),
    ("vextsw2d", |c, i| unary::<i64>(c, i, |b| i64::from(b as i32))),
    ("vextsd2q", |c, i| unary::<i128>(c, i, |b| i128::from(b as i64))),
    // Logical.
    ("vand", |c, i| whole(c, i, |a, b| a & b)),
    ("vandc", |c, i| whole(c, i, |a, b| a & !b)),
    ("vnand", |c, i| whole(c, i, |a, b| !(a & b))),
    ("vor", |c, i| whole(c, i, |a, b| a | b)),
    ("vorc", |c, i| whole(c, i, |a, b| a | !b)),
    ("vnor", |c, i| whole(c, i, |a, b| !(a | b))),
    ("vxor", |c, i| whole(c, i, |a, b| a ^ b)),
    ("veqv", |c, i| whole(c, i, |a, b| !(a ^ b))),
    // Status and control.
    ("mfvscr", mfvscr), ("mtvscr", mtvscr),
];

/// a + b + the low bit of `d`, and its carry.
fn sum(a: u128, b: u128, d: u128) -> (u128, u128) {
    let (once, first) = a.overflowing_add(b);
    let (twice, second) = once.overflowing_add(d & 1);
    (twice, u128::from(first | second))
}

/// mfvscr: VRT ← VSCR in the last word, the others cleared (ISA I 6.3.2).
fn mfvscr(c: &mut Core, i: Insn) -> Step {
    let vscr = c.vscr;
    c.set_vr(i.frt(), build::<u128>(|_| u128::from(vscr)));
    Ok(())
}

/// mtvscr: VSCR ← the last word of VRB; reserved bits stay zero (ISA I 6.3.2).
fn mtvscr(c: &mut Core, i: Insn) -> Step {
    use crate::accel::interp::vector::lanes::NJ;
    use crate::accel::interp::vector::lanes::SAT;
    c.vscr = b::<u32>(c, i)[3] & (NJ | SAT);
    Ok(())
}
