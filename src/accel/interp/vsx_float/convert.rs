//! Conversions between double, single, half, bfloat16 and integers, scalar and vector.
//!
//! A single or word result of a doubleword goes to both words of it, as the processors do; the book once left the second undefined.
//! Conversions to integers round toward zero.

use super::b;
use super::vector;
use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::fpscr;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::softfp;
use crate::softfp::Bfloat16;
use crate::softfp::Double;
use crate::softfp::Env;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Half;
use crate::softfp::Integer;
use crate::softfp::Rounded;
use crate::softfp::Rounding;
use crate::softfp::Single;
use crate::softfp::SingleInDouble;

/// The functions of this file (ISA I 7.6.3).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("xscvdpsp",    |c, i| scalar::<Single>(c, i, softfp::convert::<Double, Single>, twice)),
    ("xscvdphp",    |c, i| scalar::<Half>(c, i, softfp::convert::<Double, Half>, u64::from)),
    ("xscvspdp",    |c, i| scalar::<Double>(c, i, |b, env| softfp::convert::<Single, Double>(high(b), env), |v| v)),
    ("xscvhpdp",    |c, i| scalar::<Double>(c, i, |b, env| softfp::convert::<Half, Double>(b as u16, env), |v| v)),
    ("xscvdpspn",   |c, i| quiet(c, i, |b| twice(softfp::store_single(b)))),
    ("xscvspdpn",   |c, i| quiet(c, i, |b| softfp::load_single(high(b)))),
    ("xscvsxddp",   |c, i| scalar::<Double>(c, i, |b, env| softfp::from_signed::<Double>((b as i64).into(), env), |v| v)),
    ("xscvsxdsp",   |c, i| scalar::<SingleInDouble>(c, i, |b, env| softfp::from_signed::<SingleInDouble>((b as i64).into(), env), |v| v)),
    ("xscvuxddp",   |c, i| scalar::<Double>(c, i, |b, env| softfp::from_unsigned::<Double>(b.into(), env), |v| v)),
    ("xscvuxdsp",   |c, i| scalar::<SingleInDouble>(c, i, |b, env| softfp::from_unsigned::<SingleInDouble>(b.into(), env), |v| v)),
    ("xscvdpsxds",  |c, i| integer(c, i, |b| double(b, Integer::I64).map(|v| v as u64))),
    ("xscvdpsxws",  |c, i| integer(c, i, |b| double(b, Integer::I32).map(|v| twice(v as u32)))),
    ("xscvdpuxds",  |c, i| integer(c, i, |b| double(b, Integer::U64).map(|v| v as u64))),
    ("xscvdpuxws",  |c, i| integer(c, i, |b| double(b, Integer::U32).map(|v| twice(v as u32)))),
    ("xvcvdpsp",    |c, i| doublewords(c, i, |b, env| softfp::convert::<Double, Single>(b, env).map(twice))),
    ("xvcvspdp",    |c, i| doublewords(c, i, |b, env| softfp::convert::<Single, Double>(high(b), env))),
    ("xvcvdpsxds",  |c, i| doublewords(c, i, |b, _| double(b, Integer::I64).map(|v| v as u64))),
    ("xvcvdpsxws",  |c, i| doublewords(c, i, |b, _| double(b, Integer::I32).map(|v| twice(v as u32)))),
    ("xvcvdpuxds",  |c, i| doublewords(c, i, |b, _| double(b, Integer::U64).map(|v| v as u64))),
    ("xvcvdpuxws",  |c, i| doublewords(c, i, |b, _| double(b, Integer::U32).map(|v| twice(v as u32)))),
    ("xvcvspsxds",  |c, i| doublewords(c, i, |b, _| single(high(b), Integer::I64).map(|v| v as u64))),
    ("xvcvspuxds",  |c, i| doublewords(c, i, |b, _| single(high(b), Integer::U64).map(|v| v as u64))),
    ("xvcvspsxws",  |c, i| words(c, i, |b, _| single(b, Integer::I32).map(|v| v as u32))),
    ("xvcvspuxws",  |c, i| words(c, i, |b, _| single(b, Integer::U32).map(|v| v as u32))),
    ("xvcvsxddp",   |c, i| doublewords(c, i, |b, env| softfp::from_signed::<Double>((b as i64).into(), env))),
    ("xvcvuxddp",   |c, i| doublewords(c, i, |b, env| softfp::from_unsigned::<Double>(b.into(), env))),
    ("xvcvsxdsp",   |c, i| doublewords(c, i, |b, env| softfp::from_signed::<Single>((b as i64).into(), env).map(twice))),
    ("xvcvuxdsp",   |c, i| doublewords(c, i, |b, env| softfp::from_unsigned::<Single>(b.into(), env).map(twice))),
    ("xvcvsxwdp",   |c, i| doublewords(c, i, |b, env| softfp::from_signed::<Double>((high(b) as i32).into(), env))),
    ("xvcvuxwdp",   |c, i| doublewords(c, i, |b, env| softfp::from_unsigned::<Double>(high(b).into(), env))),
    ("xvcvsxwsp",   |c, i| words(c, i, |b, env| softfp::from_signed::<Single>((b as i32).into(), env))),
    ("xvcvuxwsp",   |c, i| words(c, i, |b, env| softfp::from_unsigned::<Single>(b.into(), env))),
    ("xvcvhpsp",    |c, i| words(c, i, |b, env| softfp::convert::<Half, Single>(b as u16, env))),
    ("xvcvsphp",    |c, i| words(c, i, |b, env| softfp::convert::<Single, Half>(b, env).map(u32::from))),
    ("xvcvspbf16",  |c, i| words(c, i, |b, env| softfp::convert::<Single, Bfloat16>(b, env).map(u32::from))),
    ("xvcvbf16spn", |c, i| words(c, i, |b, _| Rounded::exact(b << 16))),
];

/// Word 0 of a doubleword.
fn high(doubleword: u64) -> u32 {
    (doubleword >> 32) as u32
}

/// A word in both words of a doubleword.
fn twice(word: u32) -> u64 {
    (u64::from(word) << 32) | u64::from(word)
}

fn double(bits: u64, to: Integer) -> Rounded<u128> {
    softfp::to_integer::<Double>(bits, to, Rounding::TowardZero)
}

fn single(bits: u32, to: Integer) -> Rounded<u128> {
    softfp::to_integer::<Single>(bits, to, Rounding::TowardZero)
}

/// Doubleword 0 to a number, whose class FPRF tells, placed by `place`.
#[inline(always)]
fn scalar<D: Format>(c: &mut Core, i: Insn, f: impl Fn(u64, &Env) -> Rounded<D::Bits>, place: fn(D::Bits) -> u64) -> Step {
    let result = f(b(c, i), &fpscr::env(c));
    let verdict = fpscr::scalar::<D>(c, &result);
    if verdict.writes() {
        c.vsr[i.xt()] = Vsr([place(result.value), 0]);
    }
    verdict.finish(c)
}

/// Without looking at FPSCR.
fn quiet(c: &mut Core, i: Insn, f: fn(u64) -> u64) -> Step {
    c.vsr[i.xt()] = Vsr([f(b(c, i)), 0]);
    Ok(())
}

/// Doubleword 0 to an integer.
fn integer(c: &mut Core, i: Insn, f: fn(u64) -> Rounded<u64>) -> Step {
    let result = f(b(c, i));
    let verdict = fpscr::integer_vsx(c, result.flags);
    if verdict.writes() {
        c.vsr[i.xt()] = Vsr([result.value, 0]);
    }
    verdict.finish(c)
}

/// Doubleword by doubleword.
#[inline(always)]
fn doublewords(c: &mut Core, i: Insn, f: impl Fn(u64, &Env) -> Rounded<u64>) -> Step {
    let (source, env) = (c.vsr[i.xb()].0, fpscr::env(c));
    let results = source.map(|d| f(d, &env));
    vector::finish(c, i, Vsr(results.map(|r| r.value)), results[0].flags | results[1].flags)
}

/// Word by word.
#[inline(always)]
fn words(c: &mut Core, i: Insn, f: impl Fn(u32, &Env) -> Rounded<u32>) -> Step {
    let (source, env) = (c.vsr[i.xb()].words(), fpscr::env(c));
    let results = source.map(|w| f(w, &env));
    let flags = results.iter().fold(Flags::NONE, |flags, r| flags | r.flags);
    vector::finish(c, i, Vsr::from_words(results.map(|r| r.value)), flags)
}
