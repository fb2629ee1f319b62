//! Add, subtract, multiply, divide, square root and the fused forms (section 4.6.6).
//!
//! Each function sorts out NaNs, infinities and zeros with the causes of invalid operations that FPSCR tells apart, makes the exact result of
//! two finite numbers, and rounds it once. `S` is the format of the operands, `D` that of the result.

use super::Env;
use super::Flags;
use super::Rounded;
use super::Rounding;
use super::format::Format;
use super::format::Number;
use super::format::Operand;
use super::format::Sign;
use super::format::infinity;
use super::format::invalid;
use super::format::propagate;
use super::format::unpack;
use super::format::zero;
use super::round::round;
use super::round::shift_right_jam;
use super::wide;
use super::wide::U256;

/// `a + b`.
pub fn add<S: Format, D: Format>(a: S::Bits, b: S::Bits, env: &Env) -> Rounded<D::Bits> {
    sum::<D>(unpack::<S>(a), unpack::<S>(b), env)
}

/// `a - b`. A NaN in `b` keeps its sign.
pub fn sub<S: Format, D: Format>(a: S::Bits, b: S::Bits, env: &Env) -> Rounded<D::Bits> {
    sum::<D>(unpack::<S>(a), unpack::<S>(b).negated_unless_nan(), env)
}

fn sum<D: Format>(a: Operand, b: Operand, env: &Env) -> Rounded<D::Bits> {
    match (a, b) {
        (Operand::Finite(a), Operand::Finite(b)) => match sum_of_numbers(a, b) {
            Some(exact) => round::<D>(exact, env),
            None => Rounded::exact(zero::<D>(sign_of_cancellation(env))),
        },
        _ => match propagate::<D>(&[a, b]) {
            Some(nan) => nan,
            None => special_sum::<D>(a, b, env),
        },
    }
}

/// `a + b` when at least one is zero or infinity and none is a NaN.
fn special_sum<D: Format>(a: Operand, b: Operand, env: &Env) -> Rounded<D::Bits> {
    match (a, b) {
        (Operand::Infinity(x), Operand::Infinity(y)) if x != y => invalid::<D>(Flags::VXISI),
        (Operand::Infinity(sign), _) | (_, Operand::Infinity(sign)) => Rounded::exact(infinity::<D>(sign)),
        (Operand::Zero(x), Operand::Zero(y)) => {
            let sign = if x == y { x } else { sign_of_cancellation(env) };
            Rounded::exact(zero::<D>(sign))
        }
        (Operand::Finite(n), _) | (_, Operand::Finite(n)) => round::<D>(n, env),
        (Operand::Nan { .. }, _) | (_, Operand::Nan { .. }) => unreachable!("NaNs were propagated before"),
    }
}

/// The sign of an exact zero difference: plus, except when rounding toward minus infinity (section 4.3.3).
fn sign_of_cancellation(env: &Env) -> Sign {
    if env.rounding == Rounding::Down { Sign::Negative } else { Sign::Positive }
}

/// The larger magnitude first.
fn ordered(a: Number, b: Number) -> (Number, Number) {
    if (a.exponent, a.significand) >= (b.exponent, b.significand) { (a, b) } else { (b, a) }
}

/// The exact sum, jammed; `None` for exactly zero.
///
/// Right for operands that leave at least two zero bits at the bottom: if more than one bit of the smaller is shifted out, a subtraction
/// cancels at most one leading bit, so the jammed bit stays below the rounding position.
fn sum_of_numbers(a: Number, b: Number) -> Option<Number> {
    let (big, small) = ordered(a, b);
    let aligned = shift_right_jam(small.significand, (big.exponent - small.exponent) as u32);
    if big.sign == small.sign {
        let (sum, carry) = big.significand.overflowing_add(aligned);
        if !carry {
            return Some(Number { significand: sum, ..big });
        }
        return Some(Number { significand: (1 << 127) | (sum >> 1) | (sum & 1), exponent: big.exponent + 1, ..big });
    }
    let difference = big.significand - aligned;
    if difference == 0 {
        return None;
    }
    let shift = difference.leading_zeros();
    Some(Number { significand: difference << shift, exponent: big.exponent - shift as i32, ..big })
}

/// `a * b`.
pub fn mul<S: Format, D: Format>(a: S::Bits, b: S::Bits, env: &Env) -> Rounded<D::Bits> {
    let (a, b) = (unpack::<S>(a), unpack::<S>(b));
    if let (Operand::Finite(a), Operand::Finite(b)) = (a, b) {
        return round::<D>(product::<S>(a, b), env);
    }
    if let Some(nan) = propagate::<D>(&[a, b]) {
        return nan;
    }
    let sign = a.sign() ^ b.sign();
    match (a, b) {
        (Operand::Infinity(_), Operand::Zero(_)) | (Operand::Zero(_), Operand::Infinity(_)) => invalid::<D>(Flags::VXIMZ),
        (Operand::Infinity(_), _) | (_, Operand::Infinity(_)) => Rounded::exact(infinity::<D>(sign)),
        _ => Rounded::exact(zero::<D>(sign)),
    }
}

/// The product: exact if `S` has at most 64 bits of precision, else jammed.
#[inline]
fn product<S: Format>(a: Number, b: Number) -> Number {
    let sign = a.sign ^ b.sign;
    let exponent = a.exponent + b.exponent + 1;
    if S::PRECISION <= 64 {
        let significand = (a.significand >> 64) * (b.significand >> 64);
        let shift = significand.leading_zeros();
        return Number { sign, exponent: exponent - shift as i32, significand: significand << shift };
    }
    let (wide, shift) = U256::product(a.significand, b.significand).normalized();
    Number { sign, exponent: exponent - shift as i32, significand: wide.jammed() }
}

/// `a / b`.
pub fn div<S: Format, D: Format>(a: S::Bits, b: S::Bits, env: &Env) -> Rounded<D::Bits> {
    ratio::<S, D>(unpack::<S>(a), unpack::<S>(b), env)
}

fn ratio<S: Format, D: Format>(a: Operand, b: Operand, env: &Env) -> Rounded<D::Bits> {
    if let (Operand::Finite(a), Operand::Finite(b)) = (a, b) {
        return round::<D>(quotient::<S>(a, b), env);
    }
    if let Some(nan) = propagate::<D>(&[a, b]) {
        return nan;
    }
    let sign = a.sign() ^ b.sign();
    match (a, b) {
        (Operand::Infinity(_), Operand::Infinity(_)) => invalid::<D>(Flags::VXIDI),
        (Operand::Zero(_), Operand::Zero(_)) => invalid::<D>(Flags::VXZDZ),
        (Operand::Infinity(_), _) => Rounded::exact(infinity::<D>(sign)),
        (_, Operand::Zero(_)) => Rounded { value: infinity::<D>(sign), flags: Flags::ZERO_DIVIDE },
        _ => Rounded::exact(zero::<D>(sign)),
    }
}

/// The quotient, jammed.
#[inline]
fn quotient<S: Format>(a: Number, b: Number) -> Number {
    let sign = a.sign ^ b.sign;
    let q = if S::PRECISION <= 62 {
        // 127 bits over 64 bits: a quotient of 63 or 64 bits.
        let (n, d) = (a.significand >> 1, b.significand >> 64);
        let q = n / d;
        (q << 63) | (q * d != n) as u128
    } else {
        wide::quotient(a.significand, b.significand)
    };
    let shift = q.leading_zeros();
    Number { sign, exponent: a.exponent - b.exponent + 1 - shift as i32, significand: q << shift }
}

/// The square root.
pub fn sqrt<S: Format, D: Format>(a: S::Bits, env: &Env) -> Rounded<D::Bits> {
    let a = unpack::<S>(a);
    match a {
        Operand::Nan { .. } => propagate::<D>(&[a]).expect("a NaN propagates"),
        Operand::Zero(sign) => Rounded::exact(zero::<D>(sign)),
        Operand::Infinity(Sign::Negative) | Operand::Finite(Number { sign: Sign::Negative, .. }) => invalid::<D>(Flags::VXSQRT),
        Operand::Infinity(sign) => Rounded::exact(infinity::<D>(sign)),
        Operand::Finite(n) => round::<D>(root::<S>(n), env),
    }
}

/// The square root, jammed.
fn root<S: Format>(n: Number) -> Number {
    // sqrt(s * 2^e) with e even, or sqrt(s/2 * 2^(e+1)): the radicand's first bit is at 126 (value s in [1,2)) or 127 (2s in [2,4)).
    let radicand = if n.exponent & 1 == 0 { n.significand >> 1 } else { n.significand };
    let significand = if S::PRECISION <= 60 {
        let root = radicand.isqrt();
        (root << 64) | (root * root != radicand) as u128
    } else {
        wide::root(radicand) << 9
    };
    Number { sign: Sign::Positive, exponent: n.exponent >> 1, significand }
}

/// Which of the four fused forms: the sign of the addend, and whether the rounded result is negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fused {
    /// `a * c + b` (`fmadd`).
    Add,
    /// `a * c - b` (`fmsub`).
    Sub,
    /// `-(a * c + b)` (`fnmadd`); a NaN keeps its sign.
    NegativeAdd,
    /// `-(a * c - b)` (`fnmsub`); a NaN keeps its sign.
    NegativeSub,
}

/// `a * c ± b`, rounded once, negated or not after rounding. Of several NaNs the first in the order a, b, c is propagated.
///
/// Infinity times zero is VXIMZ even when `b` is a NaN, which then still is the result.
pub fn fused<S: Format, D: Format>(a: S::Bits, c: S::Bits, b: S::Bits, form: Fused, env: &Env) -> Rounded<D::Bits> {
    let (a, c, b) = (unpack::<S>(a), unpack::<S>(c), unpack::<S>(b));
    let b = match form {
        Fused::Add | Fused::NegativeAdd => b,
        Fused::Sub | Fused::NegativeSub => b.negated_unless_nan(),
    };
    let result = multiply_add::<S, D>(a, c, b, env);
    match form {
        Fused::Add | Fused::Sub => result,
        Fused::NegativeAdd | Fused::NegativeSub => result.map(|bits| match unpack::<D>(bits) {
            Operand::Nan { .. } => bits,
            Operand::Zero(_) | Operand::Finite(_) | Operand::Infinity(_) => {
                D::narrow(D::widen(bits) ^ (1 << (D::EXPONENT_BITS + D::FRACTION_BITS)))
            }
        }),
    }
}

fn multiply_add<S: Format, D: Format>(a: Operand, c: Operand, b: Operand, env: &Env) -> Rounded<D::Bits> {
    if let (Operand::Finite(a), Operand::Finite(c), Operand::Finite(b)) = (a, c, b) {
        let exact = if S::PRECISION <= 62 { sum_of_numbers(product::<S>(a, c), b) } else { wide_multiply_add(a, c, b) };
        return match exact {
            Some(exact) => round::<D>(exact, env),
            None => Rounded::exact(zero::<D>(sign_of_cancellation(env))),
        };
    }
    let infinity_times_zero = matches!((a, c), (Operand::Infinity(_), Operand::Zero(_)) | (Operand::Zero(_), Operand::Infinity(_)));
    let flags = Flags::VXIMZ & infinity_times_zero;
    if let Some(nan) = propagate::<D>(&[a, b, c]) {
        return Rounded { flags: nan.flags | flags, ..nan };
    }
    if infinity_times_zero {
        return invalid::<D>(flags);
    }
    let sign = a.sign() ^ c.sign();
    let product = match (a, c) {
        (Operand::Finite(a), Operand::Finite(c)) => Operand::Finite(product::<S>(a, c)),
        (Operand::Infinity(_), _) | (_, Operand::Infinity(_)) => Operand::Infinity(sign),
        _ => Operand::Zero(sign),
    };
    sum::<D>(product, b, env)
}

/// `a * c + b`, jammed, for precisions whose product does not fit 128 bits.
fn wide_multiply_add(a: Number, c: Number, b: Number) -> Option<Number> {
    let (product, shift) = U256::product(a.significand, c.significand).normalized();
    let (sign, exponent) = (a.sign ^ c.sign, a.exponent + c.exponent + 1 - shift as i32);
    let addend = U256 { high: b.significand, low: 0 };
    let product_is_big = (exponent, product) >= (b.exponent, addend);
    let (big, big_sign, top) = if product_is_big { (product, sign, exponent) } else { (addend, b.sign, b.exponent) };
    let (small, bottom) = if product_is_big { (addend, b.exponent) } else { (product, exponent) };
    let aligned = small.shift_right_jam((top - bottom) as u32);
    if sign == b.sign {
        let (sum, carry) = big.add(aligned);
        if !carry {
            return Some(Number { sign, exponent: top, significand: sum.jammed() });
        }
        let halved = sum.shift_right_jam(1);
        return Some(Number { sign, exponent: top + 1, significand: halved.jammed() | (1 << 127) });
    }
    let difference = big.sub(aligned);
    if difference == (U256 { high: 0, low: 0 }) {
        return None;
    }
    let (difference, shift) = difference.normalized();
    Some(Number { sign: big_sign, exponent: top - shift as i32, significand: difference.jammed() })
}

/// `1 / a`, correctly rounded: the answer of `fre`, which may be off by one part in 256 (section 4.6.6.1).
///
/// FR, FI and XX are undefined after an estimate; here they are those of the division, as QEMU has it.
pub fn reciprocal<S: Format, D: Format>(a: S::Bits, env: &Env) -> Rounded<D::Bits> {
    let one = Operand::Finite(Number { sign: Sign::Positive, exponent: 0, significand: 1 << 127 });
    let a = unpack::<S>(a);
    if a.is_nan() { propagate::<D>(&[a]).expect("a NaN propagates") } else { ratio::<S, D>(one, a, env) }
}

/// `1 / sqrt(a)`, rounded twice: the answer of `frsqrte`, which may be off by one part in 32. Zero is a zero-divide, not an invalid operation.
pub fn reciprocal_square_root<S: Format, D: Format>(a: S::Bits, env: &Env) -> Rounded<D::Bits> {
    let root = sqrt::<S, S>(a, env);
    let result = reciprocal::<S, D>(root.value, env);
    Rounded { value: result.value, flags: root.flags.without(Flags::ROUNDED_UP) | result.flags }
}
