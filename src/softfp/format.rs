//! The formats, and the one shape in which all arithmetic is done.
//!
//! A format is a type with constants, so that every operation is compiled once per format with its shifts known.

use super::Flags;
use super::Rounded;

/// A sign; not a bool, so that no call passes a bare `true`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Plus.
    Positive,
    /// Minus.
    Negative,
}

impl std::ops::Not for Sign {
    type Output = Sign;
    fn not(self) -> Sign {
        match self {
            Sign::Positive => Sign::Negative,
            Sign::Negative => Sign::Positive,
        }
    }
}

impl std::ops::BitXor for Sign {
    type Output = Sign;
    fn bitxor(self, other: Sign) -> Sign {
        if self == other { Sign::Positive } else { Sign::Negative }
    }
}

/// A binary interchange format: its range and precision, and the layout that holds it.
pub trait Format {
    /// The unsigned integer that holds a number of this format.
    type Bits: Copy + Eq + std::fmt::Debug + std::fmt::LowerHex;
    /// Significant bits, the hidden one included.
    const PRECISION: u32;
    /// The exponent of the smallest normal number.
    const EMIN: i32;
    /// The exponent of the largest number.
    const EMAX: i32 = 1 - Self::EMIN;
    /// Bits of the layout's exponent field.
    const EXPONENT_BITS: u32;
    /// Bits of the layout's fraction field.
    const FRACTION_BITS: u32;
    /// By how much an enabled overflow or underflow changes the exponent (section 4.4.3.1: 192 for single, 1536 for double).
    const ADJUST: i32;
    /// The bits in the low end of a `u128`.
    fn widen(bits: Self::Bits) -> u128;
    /// The low bits of a `u128`.
    fn narrow(wide: u128) -> Self::Bits;
}

macro_rules! formats {
    ($($(#[$meta:meta])* $name:ident: $bits:ty, precision $p:literal, emin $emin:literal, layout $e:literal + $f:literal, adjust $a:literal;)*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy, Debug)]
            pub enum $name {}
            impl Format for $name {
                type Bits = $bits;
                const PRECISION: u32 = $p;
                const EMIN: i32 = $emin;
                const EXPONENT_BITS: u32 = $e;
                const FRACTION_BITS: u32 = $f;
                const ADJUST: i32 = $a;
                #[inline(always)]
                fn widen(bits: $bits) -> u128 {
                    bits as u128
                }
                #[inline(always)]
                fn narrow(wide: u128) -> $bits {
                    wide as $bits
                }
            }
        )*
    };
}

formats! {
    /// IEEE binary16, which Power only converts to and from.
    Half: u16, precision 11, emin -14, layout 5 + 10, adjust 24;
    /// bfloat16: the upper half of a single (POWER10).
    Bfloat16: u16, precision 8, emin -126, layout 8 + 7, adjust 192;
    /// IEEE binary32.
    Single: u32, precision 24, emin -126, layout 8 + 23, adjust 192;
    /// A binary32 number in binary64 layout: how a floating point register holds a single-precision result (section 4.3.5.1).
    SingleInDouble: u64, precision 24, emin -126, layout 11 + 52, adjust 192;
    /// IEEE binary64.
    Double: u64, precision 53, emin -1022, layout 11 + 52, adjust 1536;
    /// A number of double-extended precision (64 significant bits) in binary128 layout: what `xsrqpxp` makes.
    QuadToExtended: u128, precision 64, emin -16382, layout 15 + 112, adjust 24576;
    /// IEEE binary128.
    Quad: u128, precision 113, emin -16382, layout 15 + 112, adjust 24576;
}

/// What kind of datum some bits are (section 4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Zero.
    Zero,
    /// Denormalized: nonzero, and less than the format's smallest normal number.
    Denormal,
    /// Normalized.
    Normal,
    /// Infinity.
    Infinity,
    /// Quiet NaN.
    QuietNan,
    /// Signalling NaN.
    SignallingNan,
}

/// A finite nonzero number: `significand / 2^127 * 2^exponent`, with bit 127 of the significand set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number {
    pub sign: Sign,
    pub exponent: i32,
    pub significand: u128,
}

/// An operand taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    Zero(Sign),
    Finite(Number),
    Infinity(Sign),
    /// The fraction is left-aligned: its first bit, at bit 127, is the quiet bit.
    Nan {
        sign: Sign,
        fraction: u128,
    },
}

/// The bit that makes a NaN quiet, in [`Operand::Nan`]'s alignment.
const QUIET: u128 = 1 << 127;

impl Operand {
    pub(super) fn is_nan(self) -> bool {
        matches!(self, Operand::Nan { .. })
    }

    pub(super) fn is_signalling(self) -> bool {
        matches!(self, Operand::Nan { fraction, .. } if fraction & QUIET == 0)
    }

    pub(super) fn is_zero(self) -> bool {
        matches!(self, Operand::Zero(_))
    }

    pub(super) fn sign(self) -> Sign {
        match self {
            Operand::Zero(sign) | Operand::Infinity(sign) | Operand::Nan { sign, .. } => sign,
            Operand::Finite(number) => number.sign,
        }
    }

    /// The operand with the other sign, except for NaNs, whose sign no arithmetic changes.
    pub(super) fn negated_unless_nan(self) -> Operand {
        match self {
            Operand::Zero(sign) => Operand::Zero(!sign),
            Operand::Infinity(sign) => Operand::Infinity(!sign),
            Operand::Finite(n) => Operand::Finite(Number { sign: !n.sign, ..n }),
            Operand::Nan { .. } => self,
        }
    }
}

const fn exponent_mask<F: Format>() -> u128 {
    (1 << F::EXPONENT_BITS) - 1
}

const fn bias<F: Format>() -> i32 {
    (1 << (F::EXPONENT_BITS - 1)) - 1
}

/// Takes the bits apart.
#[inline]
pub(super) fn unpack<F: Format>(bits: F::Bits) -> Operand {
    let wide = F::widen(bits);
    let field = (wide >> F::FRACTION_BITS) & exponent_mask::<F>();
    let aligned = wide << (128 - F::FRACTION_BITS);
    let sign = if (wide >> (F::FRACTION_BITS + F::EXPONENT_BITS)) & 1 == 0 { Sign::Positive } else { Sign::Negative };
    if field == exponent_mask::<F>() {
        return if aligned == 0 { Operand::Infinity(sign) } else { Operand::Nan { sign, fraction: aligned } };
    }
    if field != 0 {
        return Operand::Finite(Number { sign, exponent: field as i32 - bias::<F>(), significand: (1 << 127) | (aligned >> 1) });
    }
    if aligned == 0 {
        return Operand::Zero(sign);
    }
    let shift = aligned.leading_zeros();
    Operand::Finite(Number { sign, exponent: -bias::<F>() - shift as i32, significand: aligned << shift })
}

#[inline]
fn assemble<F: Format>(sign: Sign, field: u128, fraction: u128) -> F::Bits {
    let sign = (sign == Sign::Negative) as u128;
    F::narrow((sign << (F::EXPONENT_BITS + F::FRACTION_BITS)) | ((field & exponent_mask::<F>()) << F::FRACTION_BITS) | fraction)
}

/// Zero with a sign.
pub(super) fn zero<F: Format>(sign: Sign) -> F::Bits {
    assemble::<F>(sign, 0, 0)
}

/// Infinity with a sign.
pub(super) fn infinity<F: Format>(sign: Sign) -> F::Bits {
    assemble::<F>(sign, exponent_mask::<F>(), 0)
}

/// The finite number of largest magnitude.
pub(super) fn largest<F: Format>(sign: Sign) -> F::Bits {
    pack::<F>(Number { sign, exponent: F::EMAX, significand: u128::MAX << (128 - F::PRECISION) })
}

/// Packs a number that the format can hold exactly. Exponents beyond the layout's wrap, as adjusted ones may.
#[inline]
pub(super) fn pack<F: Format>(n: Number) -> F::Bits {
    let smallest = 1 - bias::<F>();
    if n.exponent < smallest {
        let fraction = (n.significand >> (127 - F::FRACTION_BITS)) >> (smallest - n.exponent).min(127);
        return assemble::<F>(n.sign, 0, fraction);
    }
    let fraction = (n.significand << 1) >> (128 - F::FRACTION_BITS);
    assemble::<F>(n.sign, (n.exponent + bias::<F>()) as u128, fraction)
}

/// The quiet NaN that an invalid operation makes: positive, only the quiet bit set (section 4.3.2).
pub fn default_nan<F: Format>() -> F::Bits {
    nan::<F>(Sign::Positive, QUIET)
}

/// A quiet NaN with the leading bits of `fraction`; what does not fit the precision is cut off.
pub(super) fn nan<F: Format>(sign: Sign, fraction: u128) -> F::Bits {
    let kept = (fraction | QUIET) >> (129 - F::PRECISION) << (129 - F::PRECISION);
    assemble::<F>(sign, exponent_mask::<F>(), kept >> (128 - F::FRACTION_BITS))
}

/// The result if any operand is a NaN: the first of them in the given order, made quiet (section 4.3.2: A, then B, then C).
#[inline]
pub(super) fn propagate<F: Format>(operands: &[Operand]) -> Option<Rounded<F::Bits>> {
    let first = operands.iter().copied().find(|o| o.is_nan())?;
    let Operand::Nan { sign, fraction } = first else { return None };
    let signalling = operands.iter().any(|o| o.is_signalling());
    Some(Rounded { value: nan::<F>(sign, fraction), flags: Flags::VXSNAN & signalling })
}

/// The default NaN with the reason for it.
pub(super) fn invalid<F: Format>(cause: Flags) -> Rounded<F::Bits> {
    Rounded { value: default_nan::<F>(), flags: cause }
}

/// Sign and class of some bits. For [`SingleInDouble`], "denormal" is single's: FPRF tells the class in the target precision.
pub fn classify<F: Format>(bits: F::Bits) -> (Sign, Class) {
    let operand = unpack::<F>(bits);
    let class = match operand {
        Operand::Zero(_) => Class::Zero,
        Operand::Infinity(_) => Class::Infinity,
        Operand::Finite(n) if n.exponent < F::EMIN => Class::Denormal,
        Operand::Finite(_) => Class::Normal,
        Operand::Nan { fraction, .. } if fraction & QUIET == 0 => Class::SignallingNan,
        Operand::Nan { .. } => Class::QuietNan,
    };
    (operand.sign(), class)
}

/// A signalling NaN made quiet; anything else as it is. Unlike [`super::convert`] this never changes another bit.
pub fn quieten<F: Format>(bits: F::Bits) -> F::Bits {
    if unpack::<F>(bits).is_signalling() { F::narrow(F::widen(bits) | (1 << (F::FRACTION_BITS - 1))) } else { bits }
}
