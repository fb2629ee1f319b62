//! Decimal floating point (ISA I, chapter 5): one function per row.
//!
//! DFP Long numbers are in FPRs, DFP Extended ones in even-odd pairs of them, the even one first. The arithmetic is
//! [`crate::softfp::decimal`]'s and the exceptions are [`super::fpscr`]'s; here it is decided which operands go where. Arithmetic, rounding
//! and conversion are in this file, tests in `test`, encodings in `encoding`.

pub mod encoding;
pub mod test;

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::fpscr;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::isa::regs::Fpscr;
use crate::softfp::Class;
use crate::softfp::Flags;
use crate::softfp::Integer;
use crate::softfp::Rounded;
use crate::softfp::Sign;
use crate::softfp::decimal;
use crate::softfp::decimal::Datum;
use crate::softfp::decimal::EXTENDED;
use crate::softfp::decimal::Env;
use crate::softfp::decimal::Kind;
use crate::softfp::decimal::LONG;
use crate::softfp::decimal::Layout;
use crate::softfp::decimal::Rounding;
use crate::softfp::decimal::SHORT;
use crate::softfp::decimal::decode;
use crate::softfp::decimal::encode;

/// The functions of this file (ISA I 5.6).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("dadd",     |c, i| two(c, i, &LONG, decimal::add)),
    ("daddq",    |c, i| two(c, i, &EXTENDED, decimal::add)),
    ("dsub",     |c, i| two(c, i, &LONG, decimal::sub)),
    ("dsubq",    |c, i| two(c, i, &EXTENDED, decimal::sub)),
    ("dmul",     |c, i| two(c, i, &LONG, decimal::mul)),
    ("dmulq",    |c, i| two(c, i, &EXTENDED, decimal::mul)),
    ("ddiv",     |c, i| two(c, i, &LONG, decimal::div)),
    ("ddivq",    |c, i| two(c, i, &EXTENDED, decimal::div)),
    ("dqua",     |c, i| dqua(c, i, &LONG)),
    ("dquaq",    |c, i| dqua(c, i, &EXTENDED)),
    ("dquai",    |c, i| dquai(c, i, &LONG)),
    ("dquaiq",   |c, i| dquai(c, i, &EXTENDED)),
    ("drrnd",    |c, i| drrnd(c, i, &LONG)),
    ("drrndq",   |c, i| drrnd(c, i, &EXTENDED)),
    ("drintx",   |c, i| to_integral(c, i, &LONG, Flags::NONE)),
    ("drintxq",  |c, i| to_integral(c, i, &EXTENDED, Flags::NONE)),
    ("drintn",   |c, i| to_integral(c, i, &LONG, Flags::INEXACT | Flags::ROUNDED_UP)),
    ("drintnq",  |c, i| to_integral(c, i, &EXTENDED, Flags::INEXACT | Flags::ROUNDED_UP)),
    ("dctdp",    dctdp),
    ("drsp",     drsp),
    ("dctqpq",   dctqpq),
    ("drdpq",    drdpq),
    ("dcffix",   |c, i| { let r = decimal::from_integer((c.fpr(i.frb()) as i64).into(), &LONG, &env(c)); finish(c, i, &LONG, r) }),
    ("dcffixq",  |c, i| { let r = decimal::from_integer((c.fpr(i.frb()) as i64).into(), &EXTENDED, &env(c)); finish(c, i, &EXTENDED, r) }),
    ("dcffixqq", |c, i| { let r = decimal::from_integer(c.vr(i.frb()).value() as i128, &EXTENDED, &env(c)); finish_without_record(c, i, &EXTENDED, r) }),
    ("dctfix",   |c, i| dctfix(c, i, &LONG)),
    ("dctfixq",  |c, i| dctfix(c, i, &EXTENDED)),
    ("dctfixqq", dctfixqq),
];

/// The number in FPR `n`, or in the pair that begins there.
fn get(c: &Core, layout: &Layout, n: usize) -> Datum {
    decode(bits(c, layout, n), layout)
}

fn bits(c: &Core, layout: &Layout, n: usize) -> u128 {
    if layout == &EXTENDED { (u128::from(c.fpr(n)) << 64) | u128::from(c.fpr(n + 1)) } else { c.fpr(n).into() }
}

fn put(c: &mut Core, layout: &Layout, n: usize, value: &Datum) {
    put_bits(c, layout, n, encode(value, layout));
}

fn put_bits(c: &mut Core, layout: &Layout, n: usize, bits: u128) {
    if layout == &EXTENDED {
        c.set_fpr(n, (bits >> 64) as u64);
        c.set_fpr(n + 1, bits as u64);
    } else {
        c.set_fpr(n, bits as u64);
    }
}

/// FPSCR's decimal rounding mode.
fn drn(c: &Core) -> Rounding {
    Rounding::from_drn(c.fpscr.0 >> 32)
}

fn env(c: &Core) -> Env {
    Env { rounding: drn(c), oe: c.fpscr.has(Fpscr::OE), ue: c.fpscr.has(Fpscr::UE) }
}

/// The rounding that a two-bit field selects: "primary" encoding (dqua, drrnd, drintx with R = 0).
fn primary(c: &Core, i: Insn) -> Rounding {
    match i.field(21, 22) {
        0 => Rounding::NearestEven,
        1 => Rounding::TowardZero,
        2 => Rounding::NearestAway,
        _ => drn(c),
    }
}

/// The same in "secondary" encoding (drintx with R = 1).
fn secondary(i: Insn) -> Rounding {
    match i.field(21, 22) {
        0 => Rounding::Up,
        1 => Rounding::Down,
        2 => Rounding::Away,
        _ => Rounding::NearestTowardZero,
    }
}

fn record(c: &mut Core, i: Insn) {
    if i.rc() != 0 {
        fpscr::record(c);
    }
}

/// The class FPRF tells.
fn class(value: &Datum, layout: &Layout) -> (Sign, Class) {
    (value.sign, value.class(layout))
}

/// The end of most instructions: FPSCR, target, CR1, interrupt.
fn finish(c: &mut Core, i: Insn, layout: &Layout, result: Rounded<Datum>) -> Step {
    let verdict = fpscr::classified(c, result.flags, class(&result.value, layout));
    if verdict.writes() {
        put(c, layout, i.frt(), &result.value);
    }
    record(c, i);
    verdict.finish(c)
}

/// The same for forms without a record bit.
fn finish_without_record(c: &mut Core, i: Insn, layout: &Layout, result: Rounded<Datum>) -> Step {
    let verdict = fpscr::classified(c, result.flags, class(&result.value, layout));
    if verdict.writes() {
        put(c, layout, i.frt(), &result.value);
    }
    verdict.finish(c)
}

type Binary = fn(&Datum, &Datum, &Layout, &Env) -> Rounded<Datum>;

fn two(c: &mut Core, i: Insn, layout: &Layout, f: Binary) -> Step {
    let result = f(&get(c, layout, i.fra()), &get(c, layout, i.frb()), layout, &env(c));
    finish(c, i, layout, result)
}

/// Quantizes a number or passes a special operand on.
fn quantized(d: &Datum, exponent: i32, layout: &Layout, rounding: Rounding) -> Rounded<Datum> {
    match d.kind {
        Kind::Finite if !(layout.lowest()..=layout.highest()).contains(&exponent) => Rounded { value: Datum::NAN, flags: Flags::VXCVI },
        Kind::Finite => decimal::quantize(d, exponent, layout, rounding),
        Kind::Infinity => Rounded { value: Datum::NAN, flags: Flags::VXCVI },
        Kind::QuietNan | Kind::SignallingNan => special(d),
    }
}

/// An infinity as it is, a NaN made quiet.
fn special(d: &Datum) -> Rounded<Datum> {
    match d.kind {
        Kind::SignallingNan => Rounded { value: Datum { kind: Kind::QuietNan, ..*d }, flags: Flags::VXSNAN },
        Kind::Infinity => Rounded::exact(Datum::infinity(d.sign)),
        Kind::QuietNan | Kind::Finite => Rounded::exact(*d),
    }
}

/// dqua: FRB with the exponent of FRA; two infinities give one, a single one is invalid.
fn dqua(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let (a, b) = (get(c, layout, i.fra()), get(c, layout, i.frb()));
    let result = match (a.kind, b.kind) {
        (Kind::SignallingNan, _) => special(&a),
        (_, Kind::SignallingNan) => special(&b),
        (Kind::QuietNan, _) => special(&a),
        (Kind::Infinity, Kind::Infinity) => special(&b),
        (Kind::Infinity, Kind::Finite) => Rounded { value: Datum::NAN, flags: Flags::VXCVI },
        _ => quantized(&b, a.exponent, layout, primary(c, i)),
    };
    finish(c, i, layout, result)
}

/// dquai: FRB with the exponent TE, a signed immediate.
fn dquai(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let exponent = ((i.field(11, 15) << 27) as i32) >> 27;
    let b = get(c, layout, i.frb());
    let result = quantized(&b, exponent, layout, primary(c, i));
    finish(c, i, layout, result)
}

/// drrnd: FRB rounded to as many digits as the low six bits of FRA say, if it has more.
fn drrnd(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let wanted = (c.fpr(i.fra()) & 0x3f) as i32;
    let b = get(c, layout, i.frb());
    let result = if b.kind != Kind::Finite {
        special(&b)
    } else if wanted == 0 || b.digits() <= wanted {
        Rounded::exact(b)
    } else {
        let mut r = decimal::quantize(&b, b.exponent + b.digits() - wanted, layout, primary(c, i));
        if r.value.digits() > wanted {
            r.value = Datum { exponent: r.value.exponent + 1, coefficient: r.value.coefficient / 10, ..r.value };
        }
        if r.value.exponent > layout.highest() { Rounded { value: Datum::NAN, flags: Flags::VXCVI } } else { r }
    };
    finish(c, i, layout, result)
}

/// drintx, drintn: FRB rounded to an integral value; drintn reports no inexactness.
fn to_integral(c: &mut Core, i: Insn, layout: &Layout, ignored: Flags) -> Step {
    let rounding = if i.field(15, 15) == 0 { primary(c, i) } else { secondary(i) };
    let b = get(c, layout, i.frb());
    let has_fraction = b.kind == Kind::Finite && b.exponent < 0;
    let mut result = if has_fraction { decimal::quantize(&b, 0, layout, rounding) } else { special(&b) };
    result.flags = result.flags.without(ignored);
    finish(c, i, layout, result)
}

/// dctdp: DFP Short in the low word of FRB to DFP Long; a storage format, so a signalling NaN stays one and nothing is an exception.
fn dctdp(c: &mut Core, i: Insn) -> Step {
    let value = decode(c.fpr(i.frb()).into(), &SHORT);
    let value = if value.kind == Kind::Infinity { Datum::infinity(value.sign) } else { value };
    finish(c, i, &LONG, Rounded::exact(value))
}

/// drsp: DFP Long rounded to DFP Short in the low word of FRT; a signalling NaN stays one.
fn drsp(c: &mut Core, i: Insn) -> Step {
    let value = get(c, &LONG, i.frb());
    let result = if value.is_nan() { Rounded::exact(value) } else { decimal::convert(&value, &SHORT, &env(c)) };
    let verdict = fpscr::classified(c, result.flags, class(&result.value, &SHORT));
    if verdict.writes() {
        let image = encode(&result.value, &SHORT) as u64;
        c.set_fpr(i.frt(), image);
    }
    record(c, i);
    verdict.finish(c)
}

/// dctqpq: DFP Long to DFP Extended.
fn dctqpq(c: &mut Core, i: Insn) -> Step {
    let result = decimal::convert(&get(c, &LONG, i.frb()), &EXTENDED, &env(c));
    finish(c, i, &EXTENDED, result)
}

/// drdpq: DFP Extended rounded to DFP Long in FRTp; the odd register becomes zero.
fn drdpq(c: &mut Core, i: Insn) -> Step {
    let result = decimal::convert(&get(c, &EXTENDED, i.frb()), &LONG, &env(c));
    let verdict = fpscr::classified(c, result.flags, class(&result.value, &LONG));
    if verdict.writes() {
        put_bits(c, &EXTENDED, i.frt(), encode(&result.value, &LONG) << 64);
    }
    record(c, i);
    verdict.finish(c)
}

/// dctfix, dctfixq: to a 64-bit integer by DRN. FPRF, which the book leaves undefined, stays.
fn dctfix(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let result = decimal::to_integer(&get(c, layout, i.frb()), Integer::I64, drn(c));
    let verdict = fpscr::integer_vsx(c, result.flags);
    if verdict.writes() {
        c.set_fpr(i.frt(), result.value as u64);
    }
    record(c, i);
    verdict.finish(c)
}

/// dctfixqq: to a 128-bit integer in a vector register (ISA 3.1).
fn dctfixqq(c: &mut Core, i: Insn) -> Step {
    let result = decimal::to_integer(&get(c, &EXTENDED, i.frb()), Integer::I128, drn(c));
    let verdict = fpscr::integer_vsx(c, result.flags);
    if verdict.writes() {
        c.set_vr(i.frt(), Vsr::new(result.value as u128));
    }
    verdict.finish(c)
}

#[cfg(test)]
mod tests;
