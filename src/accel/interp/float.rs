//! Scalar binary floating point (ISA I, chapter 4): one function per row, apart from loads and stores (`float_mem`).
//!
//! The arithmetic is [`crate::softfp`]'s, the exceptions are [`super::fpscr`]'s; what remains here is which operands go where. The `s`
//! forms compute from the same double operands and round once to single, which is the target format [`SingleInDouble`].

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::fpscr;
use crate::accel::interp::fpscr::FPRF;
use crate::bits::ibm;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::isa::regs::Fpscr;
use crate::softfp;
use crate::softfp::Double;
use crate::softfp::Env;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Fused;
use crate::softfp::Integer;
use crate::softfp::Relation;
use crate::softfp::Rounded;
use crate::softfp::Rounding;
use crate::softfp::Signals;
use crate::softfp::SingleInDouble;

const SIGN: u64 = 1 << 63;

/// The functions of this chapter. One-line bodies say everything there is to say: ISA I 4.6.5 to 4.6.9, in the book's order.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("fmr",      |c, i| moved(c, i, |_, b| b)),
    ("fneg",     |c, i| moved(c, i, |_, b| b ^ SIGN)),
    ("fabs",     |c, i| moved(c, i, |_, b| b & !SIGN)),
    ("fnabs",    |c, i| moved(c, i, |_, b| b | SIGN)),
    ("fcpsgn",   |c, i| moved(c, i, |a, b| (a & SIGN) | (b & !SIGN))),
    ("fmrgew",   |c, i| merged(c, i, |a, b| (a >> 32 << 32) | (b >> 32))),
    ("fmrgow",   |c, i| merged(c, i, |a, b| (a << 32) | (b << 32 >> 32))),
    ("fadd",     |c, i| ab::<Double>(c, i, softfp::add::<Double, Double>)),
    ("fadds",    |c, i| ab::<SingleInDouble>(c, i, softfp::add::<Double, SingleInDouble>)),
    ("fsub",     |c, i| ab::<Double>(c, i, softfp::sub::<Double, Double>)),
    ("fsubs",    |c, i| ab::<SingleInDouble>(c, i, softfp::sub::<Double, SingleInDouble>)),
    ("fmul",     |c, i| ac::<Double>(c, i, softfp::mul::<Double, Double>)),
    ("fmuls",    |c, i| ac::<SingleInDouble>(c, i, softfp::mul::<Double, SingleInDouble>)),
    ("fdiv",     |c, i| ab::<Double>(c, i, softfp::div::<Double, Double>)),
    ("fdivs",    |c, i| ab::<SingleInDouble>(c, i, softfp::div::<Double, SingleInDouble>)),
    ("fsqrt",    |c, i| b::<Double>(c, i, softfp::sqrt::<Double, Double>)),
    ("fsqrts",   |c, i| b::<SingleInDouble>(c, i, softfp::sqrt::<Double, SingleInDouble>)),
    ("fre",      |c, i| b::<Double>(c, i, softfp::reciprocal::<Double, Double>)),
    ("fres",     |c, i| b::<SingleInDouble>(c, i, softfp::reciprocal::<Double, SingleInDouble>)),
    ("frsqrte",  |c, i| b::<Double>(c, i, softfp::reciprocal_square_root::<Double, Double>)),
    ("frsqrtes", |c, i| b::<SingleInDouble>(c, i, softfp::reciprocal_square_root::<Double, SingleInDouble>)),
    ("ftdiv",    ftdiv),
    ("ftsqrt",   ftsqrt),
    ("fmadd",    |c, i| fused::<Double>(c, i, Fused::Add)),
    ("fmadds",   |c, i| fused::<SingleInDouble>(c, i, Fused::Add)),
    ("fmsub",    |c, i| fused::<Double>(c, i, Fused::Sub)),
    ("fmsubs",   |c, i| fused::<SingleInDouble>(c, i, Fused::Sub)),
    ("fnmadd",   |c, i| fused::<Double>(c, i, Fused::NegativeAdd)),
    ("fnmadds",  |c, i| fused::<SingleInDouble>(c, i, Fused::NegativeAdd)),
    ("fnmsub",   |c, i| fused::<Double>(c, i, Fused::NegativeSub)),
    ("fnmsubs",  |c, i| fused::<SingleInDouble>(c, i, Fused::NegativeSub)),
    ("frsp",     |c, i| b::<SingleInDouble>(c, i, softfp::convert::<Double, SingleInDouble>)),
    ("fctid",    |c, i| to_integer(c, i, Integer::I64, None)),
    ("fctidz",   |c, i| to_integer(c, i, Integer::I64, Some(Rounding::TowardZero))),
    ("fctidu",   |c, i| to_integer(c, i, Integer::U64, None)),
    ("fctiduz",  |c, i| to_integer(c, i, Integer::U64, Some(Rounding::TowardZero))),
    ("fctiw",    |c, i| to_integer(c, i, Integer::I32, None)),
    ("fctiwz",   |c, i| to_integer(c, i, Integer::I32, Some(Rounding::TowardZero))),
    ("fctiwu",   |c, i| to_integer(c, i, Integer::U32, None)),
    ("fctiwuz",  |c, i| to_integer(c, i, Integer::U32, Some(Rounding::TowardZero))),
    ("fcfid",    |c, i| b::<Double>(c, i, |b, env| softfp::from_signed::<Double>((b as i64).into(), env))),
    ("fcfids",   |c, i| b::<SingleInDouble>(c, i, |b, env| softfp::from_signed::<SingleInDouble>((b as i64).into(), env))),
    ("fcfidu",   |c, i| b::<Double>(c, i, |b, env| softfp::from_unsigned::<Double>(b.into(), env))),
    ("fcfidus",  |c, i| b::<SingleInDouble>(c, i, |b, env| softfp::from_unsigned::<SingleInDouble>(b.into(), env))),
    ("frin",     |c, i| to_integral(c, i, Rounding::NearestAway)),
    ("friz",     |c, i| to_integral(c, i, Rounding::TowardZero)),
    ("frip",     |c, i| to_integral(c, i, Rounding::Up)),
    ("frim",     |c, i| to_integral(c, i, Rounding::Down)),
    ("fcmpu",    |c, i| compare(c, i, Signals::OnSignalling)),
    ("fcmpo",    |c, i| compare(c, i, Signals::OnAny)),
    ("fsel",     fsel),
    ("mffs",     mffs),
    ("mffsce",   mffsce),
    ("mffscdrn", |c, i| mffs_and_set(c, i, DRN, c.fpr(i.frb()))),
    ("mffscdrni", |c, i| mffs_and_set(c, i, DRN, u64::from(i.field(18, 20)) << 32)),
    ("mffscrn",  |c, i| mffs_and_set(c, i, RN, c.fpr(i.frb()))),
    ("mffscrni", |c, i| mffs_and_set(c, i, RN, u64::from(i.field(19, 20)))),
    ("mffsl",    mffsl),
    ("mcrfs",    mcrfs),
    ("mtfsfi",   mtfsfi),
    ("mtfsf",    mtfsf),
    ("mtfsb0",   mtfsb0),
    ("mtfsb1",   mtfsb1),
];

/// CR1, if the record bit is set.
#[inline(always)]
fn record(c: &mut Core, i: Insn) {
    if i.rc() != 0 {
        fpscr::record(c);
    }
}

/// Moves: FRT from FRA and FRB without looking at FPSCR (ISA I 4.6.5).
#[inline(always)]
fn moved(c: &mut Core, i: Insn, f: fn(u64, u64) -> u64) -> Step {
    let value = f(c.fpr(i.fra()), c.fpr(i.frb()));
    c.set_fpr(i.frt(), value);
    record(c, i);
    Ok(())
}

/// Merges of words; bit 31, where other moves have Rc, is reserved (ISA I 4.6.5).
#[inline(always)]
fn merged(c: &mut Core, i: Insn, f: fn(u64, u64) -> u64) -> Step {
    let value = f(c.fpr(i.fra()), c.fpr(i.frb()));
    c.set_fpr(i.frt(), value);
    Ok(())
}

/// The end of every instruction with a floating-point result: FPSCR, FRT unless it is kept, CR1, interrupt.
#[inline]
fn finish<D: Format<Bits = u64>>(c: &mut Core, i: Insn, result: Rounded<u64>) -> Step {
    let verdict = fpscr::scalar::<D>(c, &result);
    if verdict.writes() {
        c.set_fpr(i.frt(), result.value);
    }
    record(c, i);
    verdict.finish(c)
}

/// FRT from FRB.
#[inline(always)]
fn b<D: Format<Bits = u64>>(c: &mut Core, i: Insn, f: impl Fn(u64, &Env) -> Rounded<u64>) -> Step {
    let result = f(c.fpr(i.frb()), &fpscr::env(c));
    finish::<D>(c, i, result)
}

/// FRT from FRA and FRB.
#[inline(always)]
fn ab<D: Format<Bits = u64>>(c: &mut Core, i: Insn, f: impl Fn(u64, u64, &Env) -> Rounded<u64>) -> Step {
    let result = f(c.fpr(i.fra()), c.fpr(i.frb()), &fpscr::env(c));
    finish::<D>(c, i, result)
}

/// FRT from FRA and FRC.
#[inline(always)]
fn ac<D: Format<Bits = u64>>(c: &mut Core, i: Insn, f: impl Fn(u64, u64, &Env) -> Rounded<u64>) -> Step {
    let result = f(c.fpr(i.fra()), c.fpr(i.frc()), &fpscr::env(c));
    finish::<D>(c, i, result)
}

/// FRT from FRA * FRC and FRB (ISA I 4.6.6.2).
#[inline(always)]
fn fused<D: Format<Bits = u64>>(c: &mut Core, i: Insn, form: Fused) -> Step {
    let result = softfp::fused::<Double, D>(c.fpr(i.fra()), c.fpr(i.frc()), c.fpr(i.frb()), form, &fpscr::env(c));
    finish::<D>(c, i, result)
}

/// ftdiv: would a software division of FRA by FRB need care (ISA I 4.6.6.1)?
fn ftdiv(c: &mut Core, i: Insn) -> Step {
    c.set_cr(i.bf(), softfp::test_divide::<Double>(c.fpr(i.fra()), c.fpr(i.frb())));
    Ok(())
}

/// ftsqrt: would a software square root of FRB need care (ISA I 4.6.6.1)?
fn ftsqrt(c: &mut Core, i: Insn) -> Step {
    c.set_cr(i.bf(), softfp::test_square_root::<Double>(c.fpr(i.frb())));
    Ok(())
}

/// Conversions to integers, by RN or as given (ISA I 4.6.7.2). The upper word of a 32-bit result is undefined; here it is the sign's.
fn to_integer(c: &mut Core, i: Insn, to: Integer, rounding: Option<Rounding>) -> Step {
    let rounding = rounding.unwrap_or(fpscr::env(c).rounding);
    let result = softfp::to_integer::<Double>(c.fpr(i.frb()), to, rounding);
    let verdict = fpscr::integer(c, result.flags);
    if verdict.writes() {
        c.set_fpr(i.frt(), result.value as u64);
    }
    record(c, i);
    verdict.finish(c)
}

/// Rounding to an integral value, which is never inexact for FPSCR (ISA I 4.6.7.3).
fn to_integral(c: &mut Core, i: Insn, rounding: Rounding) -> Step {
    let mut result = softfp::round_to_integral::<Double>(c.fpr(i.frb()), rounding);
    result.flags = result.flags.without(Flags::INEXACT | Flags::ROUNDED_UP);
    finish::<Double>(c, i, result)
}

/// fcmpu, fcmpo: FRA against FRB into a CR field and FPCC (ISA I 4.6.8).
fn compare(c: &mut Core, i: Insn, signals: Signals) -> Step {
    let result = softfp::compare::<Double>(c.fpr(i.fra()), c.fpr(i.frb()), signals);
    c.set_cr(i.bf(), result.value as u8);
    fpscr::comparison(c, result).finish(c)
}

/// fsel: FRC if FRA is not less than zero, else FRB, also for a NaN; FPSCR is untouched (ISA I 4.6.9).
fn fsel(c: &mut Core, i: Insn) -> Step {
    let relation = softfp::compare::<Double>(c.fpr(i.fra()), 0, Signals::OnSignalling).value;
    let from = match relation {
        Relation::Greater | Relation::Equal => i.frc(),
        Relation::Less | Relation::Unordered => i.frb(),
    };
    let value = c.fpr(from);
    c.set_fpr(i.frt(), value);
    record(c, i);
    Ok(())
}

/// Decimal rounding mode, FPSCR 29:31.
const DRN: u64 = ibm(29) | ibm(30) | ibm(31);
/// Binary rounding mode.
const RN: u64 = Fpscr::RN0 | Fpscr::RN1;
/// VE to RN: all that controls.
const CONTROLS: u64 = ENABLES | Fpscr::NI | RN;
/// The exception enables.
const ENABLES: u64 = Fpscr::VE | Fpscr::OE | Fpscr::UE | Fpscr::ZE | Fpscr::XE;
/// Bits that can be written at all: not the summaries FEX and VX, not the reserved ones.
const WRITABLE: u64 = (DRN | 0xffff_ffff) & !(Fpscr::FEX | Fpscr::VX | ibm(52));

/// mffs: FRT ← FPSCR (ISA I 4.6.10).
fn mffs(c: &mut Core, i: Insn) -> Step {
    let value = c.fpscr.0;
    c.set_fpr(i.frt(), value);
    record(c, i);
    Ok(())
}

/// Before 3.0 the field that distinguishes the newer forms was reserved, and all of them are `mffs`. The C library counts on it.
fn only_mffs(c: &Core) -> bool {
    c.model.isa < Isa::V3_0
}

/// mffsce: mffs, and all exceptions are disabled (ISA I 4.6.10).
fn mffsce(c: &mut Core, i: Insn) -> Step {
    if only_mffs(c) {
        return mffs(c, i);
    }
    let value = c.fpscr.0;
    c.set_fpr(i.frt(), value);
    write(c, ENABLES, 0);
    Ok(())
}

/// mffscdrn[i], mffscrn[i]: the control bits, and a new rounding mode (ISA I 4.6.10).
fn mffs_and_set(c: &mut Core, i: Insn, mask: u64, value: u64) -> Step {
    if only_mffs(c) {
        return mffs(c, i);
    }
    let old = c.fpscr.0 & (DRN | CONTROLS);
    c.set_fpr(i.frt(), old);
    write(c, mask, value);
    Ok(())
}

/// mffsl: the bits that are neither sticky nor summaries (ISA I 4.6.10).
fn mffsl(c: &mut Core, i: Insn) -> Step {
    if only_mffs(c) {
        return mffs(c, i);
    }
    let value = c.fpscr.0 & (DRN | Fpscr::FR | Fpscr::FI | FPRF | CONTROLS);
    c.set_fpr(i.frt(), value);
    Ok(())
}

/// Replaces the bits of `mask`, as far as they can be written, and recomputes the summaries.
fn write(c: &mut Core, mask: u64, value: u64) {
    let mask = mask & WRITABLE;
    c.fpscr.0 = (c.fpscr.0 & !mask) | (value & mask);
    fpscr::summarize(&mut c.fpscr);
}

/// The end of the instructions that write FPSCR: CR1, and an interrupt if FEX is (still) set.
fn written(c: &mut Core, i: Insn) -> Step {
    record(c, i);
    fpscr::written(c.fpscr).finish(c)
}

/// The four bits of FPSCR field `n` (0 to 15), counted from the most significant.
const fn field_mask(n: usize) -> u64 {
    0xf << (60 - 4 * n)
}

/// mcrfs: copies a field of FPSCR's low word to CR and clears its exception bits (ISA I 4.6.10).
fn mcrfs(c: &mut Core, i: Insn) -> Step {
    let field = 8 + i.bfa();
    c.set_cr(i.bf(), (c.fpscr.0 >> (60 - 4 * field)) as u8 & 15);
    write(c, field_mask(field) & (fpscr::EXCEPTIONS | Fpscr::FX), 0);
    Ok(())
}

/// Which half of FPSCR a W bit selects, as a number of fields to skip.
fn half(i: Insn) -> usize {
    if i.field(15, 15) != 0 { 0 } else { 8 }
}

/// mtfsfi: a field from an immediate (ISA I 4.6.10).
fn mtfsfi(c: &mut Core, i: Insn) -> Step {
    let field = half(i) + i.bf();
    write(c, field_mask(field), u64::from(i.field(16, 19)) << (60 - 4 * field));
    written(c, i)
}

/// mtfsf: fields from FRB, or with L all of it (ISA I 4.6.10).
fn mtfsf(c: &mut Core, i: Insn) -> Step {
    let value = c.fpr(i.frb());
    let all = i.field(6, 6) != 0;
    let fields = (0..8).filter(|n| i.flm() & (0x80 >> n) != 0);
    let mask = fields.fold(0, |mask, n| mask | field_mask(half(i) + n));
    write(c, if all { u64::MAX } else { mask }, value);
    written(c, i)
}

/// mtfsb0: clears one bit of the low word (ISA I 4.6.10).
fn mtfsb0(c: &mut Core, i: Insn) -> Step {
    write(c, ibm(32 + i.bt() as u32), 0);
    record(c, i);
    Ok(())
}

/// mtfsb1: sets one bit of the low word; an exception bit that was 0 sets FX (ISA I 4.6.10).
fn mtfsb1(c: &mut Core, i: Insn) -> Step {
    fpscr::set_exceptions(&mut c.fpscr, ibm(32 + i.bt() as u32) & WRITABLE);
    written(c, i)
}

#[cfg(test)]
mod tests;
