//! Exact IEEE 754 decimal arithmetic in densely packed encoding, with Power's exceptions (ISA I, chapter 5).
//!
//! The sibling of the binary code, and built like it: operations make an exact result, one function rounds it ([`round`]). It differs in
//! two ways. A decimal number's exponent is part of its value's *representation*: 1.0 and 1.00 are equal but distinct, and every operation has an
//! ideal exponent that its result gets if that is exact and fits. And speed hardly matters, so an exact result is a list of decimal digits,
//! which makes "drop the last n digits" and "append zeros" what they are on paper.

mod format;
mod ops;
mod round;

#[cfg(test)]
mod tests;

pub use format::EXTENDED;
pub use format::LONG;
pub use format::Layout;
pub use format::SHORT;
pub use format::decode;
pub use format::encode;
pub use ops::add;
pub use ops::compare;
pub use ops::convert;
pub use ops::div;
pub use ops::from_integer;
pub use ops::mul;
pub use ops::quantize;
pub use ops::sub;
pub use ops::to_integer;
pub use round::Env;
pub use round::Rounding;

use crate::softfp::Class;
use crate::softfp::Flags;
use crate::softfp::Rounded;
use crate::softfp::Sign;

/// What kind of datum a decimal number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, zero included.
    Finite,
    /// Infinity.
    Infinity,
    /// Quiet NaN.
    QuietNan,
    /// Signalling NaN.
    SignallingNan,
}

/// A decimal datum taken apart. `coefficient * 10^exponent` if finite; else the exponent is 0 and the coefficient is what the trailing
/// significand field held (a NaN's payload).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datum {
    /// The sign.
    pub sign: Sign,
    /// Number, infinity or NaN.
    pub kind: Kind,
    /// Exponent of the last digit.
    pub exponent: i32,
    /// All digits as an integer.
    pub coefficient: u128,
}

impl Datum {
    /// A finite number.
    pub const fn finite(sign: Sign, exponent: i32, coefficient: u128) -> Datum {
        Datum { sign, kind: Kind::Finite, exponent, coefficient }
    }
    /// Infinity with a clear significand.
    pub const fn infinity(sign: Sign) -> Datum {
        Datum { sign, kind: Kind::Infinity, exponent: 0, coefficient: 0 }
    }
    /// The quiet NaN of an invalid operation.
    pub const NAN: Datum = Datum { sign: Sign::Positive, kind: Kind::QuietNan, exponent: 0, coefficient: 0 };

    /// Whether this is a NaN of either kind.
    pub const fn is_nan(&self) -> bool {
        matches!(self.kind, Kind::QuietNan | Kind::SignallingNan)
    }
    /// Whether this is a finite zero.
    pub const fn is_zero(&self) -> bool {
        matches!(self.kind, Kind::Finite) && self.coefficient == 0
    }
    /// Significant digits: none for zero.
    pub const fn digits(&self) -> i32 {
        match self.coefficient.checked_ilog10() {
            Some(n) => n as i32 + 1,
            None => 0,
        }
    }
    /// The class FPRF and `dtstdc` tell.
    pub const fn class(&self, layout: &Layout) -> Class {
        match self.kind {
            Kind::QuietNan => Class::QuietNan,
            Kind::SignallingNan => Class::SignallingNan,
            Kind::Infinity => Class::Infinity,
            Kind::Finite if self.coefficient == 0 => Class::Zero,
            Kind::Finite if self.exponent + self.digits() - 1 < layout.emin() => Class::Denormal,
            Kind::Finite => Class::Normal,
        }
    }
    /// The datum with the other sign, except for NaNs.
    fn negated_unless_nan(self) -> Datum {
        if self.is_nan() { self } else { Datum { sign: !self.sign, ..self } }
    }
}

/// The result if any operand is a NaN: the first signalling one, else the first, made quiet.
fn propagate(operands: &[Datum]) -> Option<Rounded<Datum>> {
    let signalling = operands.iter().find(|o| o.kind == Kind::SignallingNan);
    let nan = signalling.or_else(|| operands.iter().find(|o| o.is_nan()))?;
    Some(Rounded { value: Datum { kind: Kind::QuietNan, ..*nan }, flags: Flags::VXSNAN & signalling.is_some() })
}

/// The default NaN with the reason for it.
fn invalid(cause: Flags) -> Rounded<Datum> {
    Rounded { value: Datum::NAN, flags: cause }
}
