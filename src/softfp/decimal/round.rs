//! Rounding an exact decimal result: ideal exponents, precision, underflow, overflow (ISA I 5.5).

use super::Datum;
use super::Layout;
use crate::softfp::Flags;
use crate::softfp::Rounded;
use crate::softfp::Sign;

/// How an inexact result becomes representable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the nearest, ties to an even last digit.
    NearestEven,
    /// Toward zero.
    TowardZero,
    /// Toward plus infinity.
    Up,
    /// Toward minus infinity.
    Down,
    /// To the nearest, ties away from zero.
    NearestAway,
    /// To the nearest, ties toward zero.
    NearestTowardZero,
    /// Away from zero.
    Away,
    /// Toward zero, but a last digit of 0 or 5 is increased if anything was lost, so that a second rounding is harmless.
    Shorter,
}

impl Rounding {
    /// The mode that FPSCR's three-bit field DRN selects; higher bits are ignored.
    pub const fn from_drn(drn: u64) -> Rounding {
        match drn & 7 {
            0 => Rounding::NearestEven,
            1 => Rounding::TowardZero,
            2 => Rounding::Up,
            3 => Rounding::Down,
            4 => Rounding::NearestAway,
            5 => Rounding::NearestTowardZero,
            6 => Rounding::Away,
            _ => Rounding::Shorter,
        }
    }

    /// Whether the magnitude is increased: `first` is the first lost digit, `rest` what followed it.
    fn increments(self, sign: Sign, last: u8, first: u8, rest: Tail) -> bool {
        let more = rest == Tail::Nonzero;
        let lost = first != 0 || more;
        match self {
            Rounding::NearestEven => first > 5 || first == 5 && (more || last & 1 == 1),
            Rounding::TowardZero => false,
            Rounding::Up => lost && sign == Sign::Positive,
            Rounding::Down => lost && sign == Sign::Negative,
            Rounding::NearestAway => first >= 5,
            Rounding::NearestTowardZero => first > 5 || first == 5 && more,
            Rounding::Away => lost,
            Rounding::Shorter => lost && (last == 0 || last == 5),
        }
    }
}

/// What of the machine's state a result depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Env {
    /// The rounding mode.
    pub rounding: Rounding,
    /// Overflow exceptions are enabled: the result's exponent is reduced by [`Layout::adjust`].
    pub oe: bool,
    /// Underflow exceptions are enabled: the result's exponent is increased as much.
    pub ue: bool,
}

/// Whether something smaller than the last digit is left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Zero,
    Nonzero,
}

/// An exact finite result: digits (last one first) times `10^exponent`, and a tail. With a tail there are more digits than any precision.
#[derive(Clone, Debug)]
pub(super) struct Exact {
    pub sign: Sign,
    pub exponent: i32,
    pub digits: Vec<u8>,
    pub tail: Tail,
}

/// The digits of an integer, last one first, without leading zeros.
pub(super) fn digits_of(mut n: u128) -> Vec<u8> {
    let mut digits = Vec::new();
    while n != 0 {
        digits.push((n % 10) as u8);
        n /= 10;
    }
    digits
}

/// The inverse, for at most 38 digits.
pub(super) fn value_of(digits: &[u8]) -> u128 {
    digits.iter().rev().fold(0, |v, d| v * 10 + u128::from(*d))
}

/// Multiplies by a power of ten.
pub(super) fn append_zeros(digits: &mut Vec<u8>, count: usize) {
    digits.splice(0..0, std::iter::repeat_n(0, count));
}

impl Exact {
    fn len(&self) -> i32 {
        self.digits.len() as i32
    }

    /// Drops the last `count` digits and the tail, rounding. May make one digit more than were left.
    pub fn shorten(&mut self, count: i32, rounding: Rounding) -> Flags {
        let count = count.max(0) as usize;
        let digit = |k: usize| self.digits.get(k).copied().unwrap_or(0);
        let first = if count == 0 { 0 } else { digit(count - 1) };
        let more = self.tail == Tail::Nonzero || self.digits.iter().take(count.saturating_sub(1)).any(|d| *d != 0);
        let rest = if more { Tail::Nonzero } else { Tail::Zero };
        let up = rounding.increments(self.sign, digit(count), first, rest);
        self.digits.drain(..count.min(self.digits.len()));
        self.exponent += count as i32;
        self.tail = Tail::Zero;
        if up {
            match self.digits.iter().position(|d| *d != 9) {
                Some(k) => {
                    self.digits[..k].fill(0);
                    self.digits[k] += 1;
                }
                None => {
                    self.digits.fill(0);
                    self.digits.push(1);
                }
            }
        }
        (Flags::INEXACT & (first != 0 || more)) | (Flags::ROUNDED_UP & up)
    }

    /// Brings an exact result's exponent as near to the ideal one as the precision allows.
    fn approach(&mut self, ideal: i32, precision: i32) {
        let room = (precision - self.len()).min(self.exponent - ideal).max(0);
        append_zeros(&mut self.digits, room as usize);
        self.exponent -= room;
        let zeros = self.digits.iter().take_while(|d| **d == 0).count() as i32;
        let surplus = zeros.min(ideal - self.exponent).max(0);
        self.digits.drain(..surplus as usize);
        self.exponent += surplus;
    }
}

/// Rounds to a format. Tiny is decided before rounding, overflow after it.
pub(super) fn round(mut x: Exact, ideal: i32, layout: &Layout, env: &Env) -> Rounded<Datum> {
    while x.digits.last() == Some(&0) {
        x.digits.pop();
    }
    if x.digits.is_empty() && x.tail == Tail::Zero {
        return Rounded::exact(Datum::finite(x.sign, ideal.clamp(layout.lowest(), layout.highest()), 0));
    }
    if x.tail == Tail::Zero {
        x.approach(ideal, layout.digits);
    }
    let tiny = x.exponent + x.len() - 1 < layout.emin();
    let mut drop = x.len() - layout.digits;
    let mut flags = Flags::NONE;
    if tiny && env.ue {
        flags = Flags::UNDERFLOW;
    } else if tiny {
        drop = drop.max(layout.lowest() - x.exponent);
    }
    let what = x.shorten(drop, env.rounding);
    if x.len() > layout.digits {
        x.shorten(1, Rounding::TowardZero);
    }
    flags |= what | (Flags::UNDERFLOW & (tiny && what.has(Flags::INEXACT)));
    if tiny && env.ue {
        x.exponent += layout.adjust;
    }
    if x.exponent + x.len() - 1 > layout.emax() {
        if !env.oe {
            return overflow(x.sign, flags, layout, env);
        }
        x.exponent -= layout.adjust;
        flags |= Flags::OVERFLOW;
    }
    let beyond = (x.exponent - layout.highest()).clamp(0, layout.digits - x.len());
    append_zeros(&mut x.digits, beyond as usize);
    Rounded { value: Datum::finite(x.sign, x.exponent - beyond, value_of(&x.digits)), flags }
}

/// The result of a disabled overflow.
fn overflow(sign: Sign, flags: Flags, layout: &Layout, env: &Env) -> Rounded<Datum> {
    let to_infinity = match env.rounding {
        Rounding::NearestEven | Rounding::NearestAway | Rounding::NearestTowardZero | Rounding::Away => true,
        Rounding::TowardZero | Rounding::Shorter => false,
        Rounding::Up => sign == Sign::Positive,
        Rounding::Down => sign == Sign::Negative,
    };
    let flags = flags.without(Flags::ROUNDED_UP) | Flags::OVERFLOW | Flags::INEXACT;
    if to_infinity {
        return Rounded { value: Datum::infinity(sign), flags: flags | Flags::ROUNDED_UP };
    }
    Rounded { value: Datum::finite(sign, layout.highest(), 10u128.pow(layout.digits as u32) - 1), flags }
}
