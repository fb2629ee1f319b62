//! Conversions: between formats, to and from integers, to integral values; and the register formats of single-precision loads and stores.

use super::Env;
use super::Flags;
use super::Rounded;
use super::Rounding;
use super::format::Double;
use super::format::Format;
use super::format::Number;
use super::format::Operand;
use super::format::Sign;
use super::format::Single;
use super::format::infinity;
use super::format::pack;
use super::format::propagate;
use super::format::unpack;
use super::format::zero;
use super::round::increments;
use super::round::round;
use super::round::shift_right_jam;

/// Converts between formats, rounding if the target is narrower (`frsp`, `xscvdpqp`, `xscvdphp` …). Signalling NaNs become quiet.
pub fn convert<S: Format, D: Format>(a: S::Bits, env: &Env) -> Rounded<D::Bits> {
    let a = unpack::<S>(a);
    match a {
        Operand::Nan { .. } => propagate::<D>(&[a]).expect("a NaN propagates"),
        Operand::Zero(sign) => Rounded::exact(zero::<D>(sign)),
        Operand::Infinity(sign) => Rounded::exact(infinity::<D>(sign)),
        Operand::Finite(n) => round::<D>(n, env),
    }
}

/// The register image of a single in storage: `lfs`'s DOUBLE(x) (section 4.6.2). Signalling NaNs stay signalling.
pub fn load_single(word: u32) -> u64 {
    let sign = u64::from(word >> 31) << 63;
    match unpack::<Single>(word) {
        Operand::Finite(n) => pack::<Double>(n),
        Operand::Zero(_) => sign,
        Operand::Infinity(_) | Operand::Nan { .. } => sign | (0x7ff << 52) | (u64::from(word & 0x7f_ffff) << 29),
    }
}

/// The single that `stfs` stores: SINGLE(x) (section 4.6.3). No rounding: bits that do not fit are cut off, wherever they were.
pub fn store_single(register: u64) -> u32 {
    let exponent = (register >> 52) & 0x7ff;
    if exponent > 896 || register << 1 == 0 {
        return ((register >> 32) as u32 & 0xc000_0000) | ((register >> 29) as u32 & 0x3fff_ffff);
    }
    let sign = (register >> 32) as u32 & 0x8000_0000;
    if exponent < 874 {
        // The book leaves this undefined; the processors and QEMU give a denormal whose bits were all shifted out.
        return sign;
    }
    let significand = (1 << 23) | ((register >> 29) as u32 & 0x7f_ffff);
    sign | (significand >> (897 - exponent))
}

/// Rounds to an integral value in the same format (`frin`, `xsrdpic`, `xsrqpi` …).
///
/// INEXACT and ROUNDED_UP are reported; most instructions ignore them. Zero results keep the operand's sign.
pub fn round_to_integral<F: Format>(bits: F::Bits, rounding: Rounding) -> Rounded<F::Bits> {
    let operand = unpack::<F>(bits);
    match operand {
        Operand::Nan { .. } => propagate::<F>(&[operand]).expect("a NaN propagates"),
        Operand::Zero(_) | Operand::Infinity(_) => Rounded::exact(bits),
        Operand::Finite(n) if n.exponent >= F::PRECISION as i32 - 1 => Rounded::exact(bits),
        Operand::Finite(n) => {
            let whole = magnitude(n, rounding);
            whole.map(|m| if m == 0 { zero::<F>(n.sign) } else { pack::<F>(normalized(n.sign, m)) })
        }
    }
}

/// The magnitude of a number less than 2^128, rounded to an integer.
fn magnitude(n: Number, rounding: Rounding) -> Rounded<u128> {
    let (whole, tail) = match n.exponent {
        127 => (n.significand, 0),
        0..=126 => (n.significand >> (127 - n.exponent), n.significand << (n.exponent + 1)),
        _ => (0, shift_right_jam(n.significand, (-1 - n.exponent) as u32)),
    };
    if tail == 0 {
        return Rounded::exact(whole);
    }
    let up = increments(rounding, n.sign, whole, tail);
    let flags = Flags::INEXACT | (Flags::ROUNDED_UP & up);
    // An inexact magnitude has at most 113 bits: the sum cannot run over.
    Rounded { value: whole + up as u128, flags }
}

/// A nonzero integer as a number.
fn normalized(sign: Sign, magnitude: u128) -> Number {
    let shift = magnitude.leading_zeros();
    Number { sign, exponent: 127 - shift as i32, significand: magnitude << shift }
}

/// An integer type that numbers are converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Integer {
    I32,
    U32,
    I64,
    U64,
    I128,
    U128,
}

impl Integer {
    /// The smallest value's magnitude and the largest value.
    const fn limits(self) -> (u128, u128) {
        match self {
            Integer::I32 => (1 << 31, (1 << 31) - 1),
            Integer::U32 => (0, u32::MAX as u128),
            Integer::I64 => (1 << 63, (1 << 63) - 1),
            Integer::U64 => (0, u64::MAX as u128),
            Integer::I128 => (1 << 127, (1 << 127) - 1),
            Integer::U128 => (0, u128::MAX),
        }
    }
}

/// Converts to an integer, two's complement, sign-extended to 128 bits (`fctid`, `xscvqpuwz` …).
///
/// What does not fit after rounding gives the nearest limit, a NaN the smallest value; both are VXCVI, and a signalling NaN VXSNAN too.
pub fn to_integer<F: Format>(bits: F::Bits, to: Integer, rounding: Rounding) -> Rounded<u128> {
    let (lowest, highest) = to.limits();
    let saturated = |sign| match sign {
        Sign::Positive => Rounded { value: highest, flags: Flags::VXCVI },
        Sign::Negative => Rounded { value: lowest.wrapping_neg(), flags: Flags::VXCVI },
    };
    let operand = unpack::<F>(bits);
    match operand {
        Operand::Zero(_) => Rounded::exact(0),
        Operand::Infinity(sign) => saturated(sign),
        Operand::Nan { .. } => {
            let flags = Flags::VXCVI | (Flags::VXSNAN & operand.is_signalling());
            Rounded { value: lowest.wrapping_neg(), flags }
        }
        Operand::Finite(n) if n.exponent > 127 => saturated(n.sign),
        Operand::Finite(n) => {
            let whole = magnitude(n, rounding);
            let limit = if n.sign == Sign::Positive { highest } else { lowest };
            match n.sign {
                _ if whole.value > limit => saturated(n.sign),
                Sign::Positive => whole,
                Sign::Negative => whole.map(u128::wrapping_neg),
            }
        }
    }
}

/// Converts from a signed integer (`fcfid`, `xscvsdqp`, `xscvsqqp` …).
pub fn from_signed<D: Format>(value: i128, env: &Env) -> Rounded<D::Bits> {
    match value {
        0 => Rounded::exact(zero::<D>(Sign::Positive)),
        1.. => round::<D>(normalized(Sign::Positive, value.unsigned_abs()), env),
        _ => round::<D>(normalized(Sign::Negative, value.unsigned_abs()), env),
    }
}

/// Converts from an unsigned integer (`fcfidu`, `xscvudqp` …).
pub fn from_unsigned<D: Format>(value: u128, env: &Env) -> Rounded<D::Bits> {
    if value == 0 { Rounded::exact(zero::<D>(Sign::Positive)) } else { round::<D>(normalized(Sign::Positive, value), env) }
}

/// `a * 2^by`, rounded to the target (VMX's `vcfsx`, `vctsxs`, DFP-free scaling).
pub fn scale<S: Format, D: Format>(a: S::Bits, by: i32, env: &Env) -> Rounded<D::Bits> {
    match unpack::<S>(a) {
        Operand::Finite(n) => round::<D>(Number { exponent: n.exponent.saturating_add(by), ..n }, env),
        Operand::Zero(_) | Operand::Infinity(_) | Operand::Nan { .. } => convert::<S, D>(a, env),
    }
}
