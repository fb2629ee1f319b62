//! Digits and exponents of decimal numbers: to and from binary-coded decimal, taken out, put in, shifted.

use super::bits;
use super::finish;
use super::get;
use super::put;
use super::put_bits;
use super::record;
use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::softfp::Flags;
use crate::softfp::Rounded;
use crate::softfp::Sign;
use crate::softfp::decimal::Datum;
use crate::softfp::decimal::EXTENDED;
use crate::softfp::decimal::Kind;
use crate::softfp::decimal::LONG;
use crate::softfp::decimal::Layout;
use crate::softfp::decimal::encode;

/// The functions of this file (ISA I 5.6.6).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("ddedpd",  |c, i| ddedpd(c, i, &LONG)),
    ("ddedpdq", |c, i| ddedpd(c, i, &EXTENDED)),
    ("denbcd",  |c, i| denbcd(c, i, &LONG)),
    ("denbcdq", |c, i| denbcd(c, i, &EXTENDED)),
    ("dxex",    |c, i| dxex(c, i, &LONG)),
    ("dxexq",   |c, i| dxex(c, i, &EXTENDED)),
    ("diex",    |c, i| diex(c, i, &LONG)),
    ("diexq",   |c, i| diex(c, i, &EXTENDED)),
    ("dscli",   |c, i| shifted(c, i, &LONG, |coefficient, scale| coefficient * scale)),
    ("dscliq",  |c, i| shifted_left_extended(c, i)),
    ("dscri",   |c, i| shifted(c, i, &LONG, |coefficient, scale| coefficient / scale)),
    ("dscriq",  |c, i| shifted(c, i, &EXTENDED, |coefficient, scale| coefficient / scale)),
];

/// ddedpd: the last digits as BCD; SP selects no sign, C and D, or F and D.
fn ddedpd(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let b = get(c, layout, i.frb());
    let (mut image, mut at) = match (i.field(11, 12), b.sign) {
        (0 | 1, _) => (0, 0),
        (_, Sign::Negative) => (0xd, 4),
        (2, Sign::Positive) => (0xc, 4),
        (_, Sign::Positive) => (0xf, 4),
    };
    let mut rest = b.coefficient;
    while at < layout.bits {
        image |= (rest % 10) << at;
        rest /= 10;
        at += 4;
    }
    put_bits(c, layout, i.frt(), image);
    record(c, i);
    Ok(())
}

/// denbcd: BCD, signed or not, to a number with exponent 0; a bad digit or sign is an invalid operation.
fn denbcd(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let image = bits(c, layout, i.frb());
    let (sign, start) = match (i.field(11, 11), image & 0xf) {
        (0, _) => (Some(Sign::Positive), 0),
        (_, 0xa | 0xc | 0xe | 0xf) => (Some(Sign::Positive), 1),
        (_, 0xb | 0xd) => (Some(Sign::Negative), 1),
        _ => (None, 1),
    };
    let nibbles = (start..layout.bits / 4).rev().map(|k| (image >> (4 * k)) & 0xf);
    let coefficient = nibbles.into_iter().try_fold(0u128, |v, d| if d < 10 { Some(v * 10 + d) } else { None });
    let result = match (sign, coefficient) {
        (Some(sign), Some(n)) => Rounded::exact(Datum::finite(sign, 0, n)),
        _ => Rounded { value: Datum::NAN, flags: Flags::VXCVI },
    };
    finish(c, i, layout, result)
}

/// dxex: the biased exponent; -1 for infinity, -2 and -3 for quiet and signalling NaNs.
fn dxex(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let b = get(c, layout, i.frb());
    let exponent = match b.kind {
        Kind::Finite => i64::from(b.exponent + layout.bias()),
        Kind::Infinity => -1,
        Kind::QuietNan => -2,
        Kind::SignallingNan => -3,
    };
    c.set_fpr(i.frt(), exponent as u64);
    record(c, i);
    Ok(())
}

/// diex: FRB with the exponent in FRA, the inverse of dxex; what dxex cannot give makes a quiet NaN.
fn diex(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let (exponent, b) = (c.fpr(i.fra()) as i64, get(c, layout, i.frb()));
    let kind = match exponent {
        -1 => Kind::Infinity,
        -3 => Kind::SignallingNan,
        e if (0..=i64::from(layout.max_biased())).contains(&e) => Kind::Finite,
        _ => Kind::QuietNan,
    };
    let value = Datum { kind, exponent: if kind == Kind::Finite { exponent as i32 - layout.bias() } else { 0 }, ..b };
    // A special result has FRB's declets, canonical or not; a number is canonical.
    let declets = if kind == Kind::Finite { 0 } else { layout.declets() };
    let image = (encode(&value, layout) & !declets) | (bits(c, layout, i.frb()) & declets);
    put_bits(c, layout, i.frt(), image);
    record(c, i);
    Ok(())
}

/// The end of the shifts, which leave FPSCR alone.
fn finish_shift(c: &mut Core, i: Insn, layout: &Layout, value: Datum) -> Step {
    put(c, layout, i.frt(), &value);
    record(c, i);
    Ok(())
}

/// dscli, dscri: digits that do not fit are lost, an infinity's and a NaN's included. The significand shifted by SH digits, sign, kind and exponent kept.
fn shifted(c: &mut Core, i: Insn, layout: &Layout, f: fn(u128, u128) -> u128) -> Step {
    let a = get(c, layout, i.fra());
    let count = i.field(16, 21);
    let limit = 10u128.pow(layout.digits as u32);
    let coefficient = if count < layout.digits as u32 { f(a.coefficient, 10u128.pow(count)) % limit } else { 0 };
    finish_shift(c, i, layout, Datum { coefficient, ..a })
}

/// dscliq: the digits that stay are cut out before the shift, so that 128 bits suffice.
fn shifted_left_extended(c: &mut Core, i: Insn) -> Step {
    let a = get(c, &EXTENDED, i.fra());
    let count = i.field(16, 21);
    let coefficient = match 34u32.checked_sub(count) {
        Some(kept) => a.coefficient % 10u128.pow(kept) * 10u128.pow(count),
        None => 0,
    };
    finish_shift(c, i, &EXTENDED, Datum { coefficient, ..a })
}
