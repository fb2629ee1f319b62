//! Arithmetic, comparison and conversion of decimal data (ISA I 5.6).

use super::Datum;
use super::Env;
use super::Kind;
use super::Layout;
use super::Rounding;
use super::invalid;
use super::propagate;
use super::round::Exact;
use super::round::Tail;
use super::round::append_zeros;
use super::round::digits_of;
use super::round::round;
use super::round::value_of;
use crate::softfp::Flags;
use crate::softfp::Integer;
use crate::softfp::Relation;
use crate::softfp::Rounded;
use crate::softfp::Sign;
use crate::softfp::Signals;
use std::cmp::Ordering;

fn exact(d: &Datum) -> Exact {
    Exact { sign: d.sign, exponent: d.exponent, digits: digits_of(d.coefficient), tail: Tail::Zero }
}

/// The sign of an exact zero sum of unlike signs.
fn sign_of_cancellation(env: &Env) -> Sign {
    if env.rounding == Rounding::Down { Sign::Negative } else { Sign::Positive }
}

/// `a + b`; ideal is the smaller exponent.
pub fn add(a: &Datum, b: &Datum, layout: &Layout, env: &Env) -> Rounded<Datum> {
    if let Some(nan) = propagate(&[*a, *b]) {
        return nan;
    }
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Infinity) if a.sign != b.sign => invalid(Flags::VXISI),
        (Kind::Infinity, _) => Rounded::exact(Datum::infinity(a.sign)),
        (_, Kind::Infinity) => Rounded::exact(Datum::infinity(b.sign)),
        _ => {
            let ideal = a.exponent.min(b.exponent);
            round(sum(a, b, layout, env), ideal, layout, env)
        }
    }
}

/// `a - b`. A NaN in `b` keeps its sign.
pub fn sub(a: &Datum, b: &Datum, layout: &Layout, env: &Env) -> Rounded<Datum> {
    add(a, &b.negated_unless_nan(), layout, env)
}

fn sum(a: &Datum, b: &Datum, layout: &Layout, env: &Env) -> Exact {
    match (a.coefficient, b.coefficient) {
        (0, 0) if a.sign != b.sign => return Exact { sign: sign_of_cancellation(env), ..exact(a) },
        (_, 0) => return exact(a),
        (0, _) => return exact(b),
        _ => {}
    }
    let (high, low) = if a.exponent >= b.exponent { (a, b) } else { (b, a) };
    let (mut x, mut y) = (exact(high), exact(low));
    let distance = (high.exponent - low.exponent) as usize;
    // Beyond this shift the lower operand is less than one unit of a result that has more digits than the precision.
    let reach = layout.digits as usize + 3;
    let shift = if distance > reach + layout.digits as usize { reach } else { distance };
    append_zeros(&mut x.digits, shift);
    x.exponent -= shift as i32;
    if shift < distance {
        y.digits.clear();
        x.tail = Tail::Nonzero;
    }
    if x.sign == y.sign {
        x.digits = plus(&x.digits, &y.digits);
        return x;
    }
    if x.tail == Tail::Nonzero {
        x.digits = minus(&x.digits, &[1]);
        return x;
    }
    match compare_digits(&x.digits, &y.digits) {
        Ordering::Equal => Exact { digits: Vec::new(), sign: sign_of_cancellation(env), ..x },
        Ordering::Greater => Exact { digits: minus(&x.digits, &y.digits), ..x },
        Ordering::Less => Exact { digits: minus(&y.digits, &x.digits), sign: y.sign, ..x },
    }
}

/// Compares digit lists without leading zeros.
fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let at = |v: &[u8], k: usize| v.get(k).copied().unwrap_or(0);
    let mut carry = 0;
    let digit = |k| {
        let d = at(a, k) + at(b, k) + carry;
        carry = d / 10;
        d % 10
    };
    (0..a.len().max(b.len()) + 1).map(digit).collect()
}

/// `a - b` for `a >= b`.
fn minus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let digit = |k: usize| {
        let d = 10 + a[k] - b.get(k).copied().unwrap_or(0) - borrow;
        borrow = u8::from(d < 10);
        d % 10
    };
    (0..a.len()).map(digit).collect()
}

/// `a * b`; ideal is the sum of the exponents.
pub fn mul(a: &Datum, b: &Datum, layout: &Layout, env: &Env) -> Rounded<Datum> {
    if let Some(nan) = propagate(&[*a, *b]) {
        return nan;
    }
    let sign = a.sign ^ b.sign;
    if a.kind == Kind::Infinity || b.kind == Kind::Infinity {
        return if a.is_zero() || b.is_zero() { invalid(Flags::VXIMZ) } else { Rounded::exact(Datum::infinity(sign)) };
    }
    let (x, y) = (digits_of(a.coefficient), digits_of(b.coefficient));
    let mut columns = vec![0u32; x.len() + y.len() + 1];
    for (k, d) in x.iter().enumerate() {
        y.iter().enumerate().for_each(|(j, e)| columns[k + j] += u32::from(*d) * u32::from(*e));
    }
    let mut carry = 0;
    let digit = |column: &u32| {
        let v = column + carry;
        carry = v / 10;
        (v % 10) as u8
    };
    let exponent = a.exponent + b.exponent;
    let product = Exact { sign, exponent, digits: columns.iter().map(digit).collect(), tail: Tail::Zero };
    round(product, exponent, layout, env)
}

/// `a / b`; ideal is the difference of the exponents.
pub fn div(a: &Datum, b: &Datum, layout: &Layout, env: &Env) -> Rounded<Datum> {
    if let Some(nan) = propagate(&[*a, *b]) {
        return nan;
    }
    let sign = a.sign ^ b.sign;
    match (a.kind, b.kind) {
        (Kind::Infinity, Kind::Infinity) => return invalid(Flags::VXIDI),
        (Kind::Infinity, _) => return Rounded::exact(Datum::infinity(sign)),
        (_, Kind::Infinity) => return Rounded::exact(Datum::finite(sign, layout.lowest(), 0)),
        _ if a.coefficient == 0 && b.coefficient == 0 => return invalid(Flags::VXZDZ),
        _ if b.coefficient == 0 => return Rounded { value: Datum::infinity(sign), flags: Flags::ZERO_DIVIDE },
        _ => {}
    }
    let ideal = a.exponent - b.exponent;
    let extra = layout.digits + 2 + b.digits();
    let mut numerator = digits_of(a.coefficient);
    append_zeros(&mut numerator, extra as usize);
    let mut rest = 0;
    let mut digit = |d: &u8| {
        rest = rest * 10 + u128::from(*d);
        let q = rest / b.coefficient;
        rest %= b.coefficient;
        q as u8
    };
    let mut digits: Vec<u8> = numerator.iter().rev().map(&mut digit).collect();
    digits.reverse();
    let tail = if rest == 0 { Tail::Zero } else { Tail::Nonzero };
    round(Exact { sign, exponent: ideal - extra, digits, tail }, ideal, layout, env)
}

/// Compares by value.
pub fn compare(a: &Datum, b: &Datum, signals: Signals) -> Rounded<Relation> {
    if a.is_nan() || b.is_nan() {
        let signalling = a.kind == Kind::SignallingNan || b.kind == Kind::SignallingNan;
        let flags = (Flags::VXSNAN & signalling) | (Flags::VXVC & (signals == Signals::OnAny));
        return Rounded { value: Relation::Unordered, flags };
    }
    // Signed rank of the kind, then the magnitude: exponent of the first digit, digits from the first on.
    let rank = |d: &Datum| match (d.kind, d.coefficient) {
        (Kind::Finite, 0) => 0,
        (Kind::Finite, _) => 1,
        _ => 2,
    };
    let signed = |d: &Datum| if d.sign == Sign::Negative { -rank(d) } else { rank(d) };
    let magnitude = |d: &Datum| {
        let (digits, full) = (d.digits(), 38);
        (d.exponent + digits, d.coefficient * 10u128.pow((full - digits) as u32))
    };
    let ordering = signed(a).cmp(&signed(b)).then_with(|| match (rank(a), a.sign) {
        (1, Sign::Positive) => magnitude(a).cmp(&magnitude(b)),
        (1, Sign::Negative) => magnitude(b).cmp(&magnitude(a)),
        _ => Ordering::Equal,
    });
    Rounded::exact(match ordering {
        Ordering::Less => Relation::Less,
        Ordering::Equal => Relation::Equal,
        Ordering::Greater => Relation::Greater,
    })
}

/// Gives a number the exponent `exponent`, rounding by `rounding`; VXCVI if it has too many digits for that (dqua, drintx …).
pub fn quantize(d: &Datum, exponent: i32, layout: &Layout, rounding: Rounding) -> Rounded<Datum> {
    if d.coefficient == 0 {
        return Rounded::exact(Datum { exponent, ..*d });
    }
    let mut x = exact(d);
    if d.exponent >= exponent {
        if d.digits() + d.exponent - exponent > layout.digits {
            return invalid(Flags::VXCVI);
        }
        append_zeros(&mut x.digits, (d.exponent - exponent) as usize);
        return Rounded::exact(Datum::finite(d.sign, exponent, value_of(&x.digits)));
    }
    let flags = x.shorten(exponent - d.exponent, rounding);
    if x.digits.len() as i32 > layout.digits {
        return invalid(Flags::VXCVI);
    }
    Rounded { value: Datum::finite(d.sign, exponent, value_of(&x.digits)), flags }
}

/// Rounds a finite number to another format; ideal is its own exponent. Specials pass through.
pub fn convert(d: &Datum, layout: &Layout, env: &Env) -> Rounded<Datum> {
    match d.kind {
        Kind::Finite => round(exact(d), d.exponent, layout, env),
        Kind::Infinity => Rounded::exact(Datum::infinity(d.sign)),
        Kind::QuietNan | Kind::SignallingNan => propagate(&[*d]).expect("a NaN propagates"),
    }
}

/// Converts from a signed integer; ideal is exponent 0.
pub fn from_integer(n: i128, layout: &Layout, env: &Env) -> Rounded<Datum> {
    let sign = if n < 0 { Sign::Negative } else { Sign::Positive };
    round(Exact { sign, exponent: 0, digits: digits_of(n.unsigned_abs()), tail: Tail::Zero }, 0, layout, env)
}

/// Converts to a signed integer of 64 or 128 bits. What does not fit gives the nearest limit, a NaN the smallest value, with VXCVI.
pub fn to_integer(d: &Datum, to: Integer, rounding: Rounding) -> Rounded<i128> {
    let (lowest, highest) = if to == Integer::I128 { (i128::MIN, i128::MAX) } else { (i64::MIN.into(), i64::MAX.into()) };
    let limit = if d.sign == Sign::Negative { lowest } else { highest };
    let saturated = Rounded { value: limit, flags: Flags::VXCVI };
    match d.kind {
        Kind::QuietNan => return Rounded { value: lowest, flags: Flags::VXCVI },
        Kind::SignallingNan => return Rounded { value: lowest, flags: Flags::VXCVI | Flags::VXSNAN },
        Kind::Infinity => return saturated,
        Kind::Finite if d.coefficient == 0 => return Rounded::exact(0),
        Kind::Finite if d.exponent + d.digits() > 39 => return saturated,
        Kind::Finite => {}
    }
    let mut x = exact(d);
    append_zeros(&mut x.digits, d.exponent.max(0) as usize);
    let flags = x.shorten(-d.exponent, rounding);
    // 39 digits may exceed 128 bits.
    let magnitude = x.digits.iter().rev().try_fold(0u128, |v, d| v.checked_mul(10)?.checked_add((*d).into()));
    let signed = magnitude.and_then(|m| match d.sign {
        Sign::Positive => i128::try_from(m).ok(),
        Sign::Negative => 0i128.checked_sub_unsigned(m),
    });
    match signed {
        Some(value) if (lowest..=highest).contains(&value) => Rounded { value, flags },
        _ => saturated,
    }
}
