//! The three interchange formats and densely packed decimal: three digits in ten bits ("declets").

use super::Datum;
use super::Kind;
use crate::softfp::Sign;
use std::sync::OnceLock;

/// An interchange format; everything follows from three numbers (IEEE 754, 3.5.2).
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// Bits of storage.
    pub bits: u32,
    /// Digits of precision.
    pub digits: i32,
    /// Bits of the exponent continuation field.
    continuation: u32,
    /// By how much an enabled overflow or underflow changes the exponent.
    pub adjust: i32,
}

/// DFP Short: 7 digits in 32 bits, a storage format.
pub const SHORT: Layout = Layout { bits: 32, digits: 7, continuation: 6, adjust: 192 };
/// DFP Long: 16 digits in 64 bits.
pub const LONG: Layout = Layout { bits: 64, digits: 16, continuation: 8, adjust: 576 };
/// DFP Extended: 34 digits in 128 bits.
pub const EXTENDED: Layout = Layout { bits: 128, digits: 34, continuation: 12, adjust: 9216 };

impl Layout {
    /// What is added to an exponent to store it.
    pub const fn bias(&self) -> i32 {
        3 * (1 << (self.continuation - 1)) + self.digits - 2
    }
    /// The largest stored exponent.
    pub const fn max_biased(&self) -> i32 {
        3 * (1 << self.continuation) - 1
    }
    /// The smallest exponent of the last digit.
    pub const fn lowest(&self) -> i32 {
        -self.bias()
    }
    /// The largest exponent of the last digit.
    pub const fn highest(&self) -> i32 {
        self.max_biased() - self.bias()
    }
    /// The largest exponent of the first digit.
    pub const fn emax(&self) -> i32 {
        self.highest() + self.digits - 1
    }
    /// The smallest exponent of the first digit of a normal number.
    pub const fn emin(&self) -> i32 {
        1 - self.emax()
    }
    /// Mask of the trailing significand field.
    pub const fn declets(&self) -> u128 {
        (1 << self.trailing()) - 1
    }
    /// Bits of the trailing significand field.
    const fn trailing(&self) -> u32 {
        self.bits - 6 - self.continuation
    }
}

/// The three digits of a declet, as a number. All 1024 patterns mean something.
fn digits_of(declet: u16) -> u16 {
    let b = |n: u32| (declet >> n) & 1;
    let three = |n: u32| (declet >> n) & 7;
    let (high, middle) = (8 + b(7), 8 + b(4));
    let two_and = |n: u32, last: u16| (((declet >> n) & 3) << 1) | last;
    let [x, y, z] = match (b(3), (declet >> 1) & 3, (declet >> 5) & 3) {
        (0, ..) => [three(7), three(4), three(0)],
        (_, 0, _) => [three(7), three(4), 8 + b(0)],
        (_, 1, _) => [three(7), middle, two_and(5, b(0))],
        (_, 2, _) => [high, three(4), two_and(8, b(0))],
        (_, _, 0) => [high, middle, two_and(8, b(0))],
        (_, _, 1) => [high, two_and(8, b(4)), 8 + b(0)],
        (_, _, 2) => [three(7), middle, 8 + b(0)],
        _ => [high, middle, 8 + b(0)],
    };
    100 * x + 10 * y + z
}

/// The canonical declet of three digits: the smallest pattern.
fn declet_of(digits: u16) -> u16 {
    static TABLE: OnceLock<[u16; 1000]> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut t = [0; 1000];
        (0..1024).rev().for_each(|declet| t[usize::from(digits_of(declet))] = declet);
        t
    });
    table[usize::from(digits)]
}

/// Takes the low `layout.bits` bits apart.
pub fn decode(bits: u128, layout: &Layout) -> Datum {
    let trailing = layout.trailing();
    let sign = if (bits >> (layout.bits - 1)) & 1 == 0 { Sign::Positive } else { Sign::Negative };
    let combination = (bits >> (layout.bits - 6)) as u32 & 31;
    let continuation = (bits >> trailing) as u32 & ((1 << layout.continuation) - 1);
    let declets = (0..trailing / 10).rev();
    let coefficient = declets.fold(0u128, |v, k| v * 1000 + u128::from(digits_of((bits >> (10 * k)) as u16 & 0x3ff)));
    let (top, first) = match combination {
        0..24 => (combination >> 3, combination & 7),
        24..30 => ((combination >> 1) & 3, 8 + (combination & 1)),
        30 => return Datum { sign, kind: Kind::Infinity, exponent: 0, coefficient },
        _ => {
            let quiet = continuation >> (layout.continuation - 1) == 0;
            return Datum { sign, kind: if quiet { Kind::QuietNan } else { Kind::SignallingNan }, exponent: 0, coefficient };
        }
    };
    let exponent = ((top << layout.continuation) | continuation) as i32 - layout.bias();
    let scale = 10u128.pow(layout.digits as u32 - 1);
    Datum::finite(sign, exponent, u128::from(first) * scale + coefficient)
}

/// Puts a datum together, canonically. A special one keeps the digits that fit the trailing significand field, the last ones.
pub fn encode(datum: &Datum, layout: &Layout) -> u128 {
    let scale = 10u128.pow(layout.digits as u32 - 1);
    let first = (datum.coefficient / scale) as u32 % 10;
    let biased = (datum.exponent + layout.bias()).clamp(0, layout.max_biased()) as u32;
    let (top, continuation) = (biased >> layout.continuation, biased & ((1 << layout.continuation) - 1));
    let signalling = 1 << (layout.continuation - 1);
    let (combination, continuation) = match datum.kind {
        Kind::Finite if first < 8 => ((top << 3) | first, continuation),
        Kind::Finite => (24 | (top << 1) | (first & 1), continuation),
        Kind::Infinity => (30, 0),
        Kind::QuietNan => (31, 0),
        Kind::SignallingNan => (31, signalling),
    };
    let trailing = layout.trailing();
    let (mut rest, mut significand) = (datum.coefficient % scale, 0);
    for k in 0..trailing / 10 {
        significand |= u128::from(declet_of((rest % 1000) as u16)) << (10 * k);
        rest /= 1000;
    }
    let sign = u128::from(datum.sign == Sign::Negative) << (layout.bits - 1);
    sign | (u128::from(combination) << (layout.bits - 6)) | (u128::from(continuation) << trailing) | significand
}
