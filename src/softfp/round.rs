//! Rounding an exact result to a format: the one place that knows tininess, overflow and adjusted exponents (section 4.4).

use super::Env;
use super::Flags;
use super::Rounded;
use super::Rounding;
use super::format::Format;
use super::format::Number;
use super::format::Sign;
use super::format::infinity;
use super::format::largest;
use super::format::pack;
use super::format::zero;

/// `value >> by`, with bit 0 set if any one-bit was lost.
#[inline]
pub(super) fn shift_right_jam(value: u128, by: u32) -> u128 {
    match by {
        0 => value,
        1..=127 => (value >> by) | ((value << (128 - by) != 0) as u128),
        _ => (value != 0) as u128,
    }
}

/// Does `rounding` increase the magnitude? `odd`: the last kept bit is one; `tail`: the lost bits, left-aligned in 128.
#[inline]
pub(super) fn increments(rounding: Rounding, sign: Sign, last_kept: u128, tail: u128) -> bool {
    const HALF: u128 = 1 << 127;
    match rounding {
        Rounding::NearestEven => tail > HALF || (tail == HALF && last_kept & 1 == 1),
        Rounding::NearestAway => tail >= HALF,
        Rounding::TowardZero => false,
        Rounding::Up => tail != 0 && sign == Sign::Positive,
        Rounding::Down => tail != 0 && sign == Sign::Negative,
        Rounding::Odd => tail != 0 && last_kept & 1 == 0,
    }
}

/// Rounds to `F`. `n.significand`'s bit 127 is set; its bit 0 may be jammed.
///
/// Tiny is decided before rounding, overflow after it. With UE (OE) set a tiny (overflowing) result is rounded as if the exponent had no
/// bound, and comes back with the exponent adjusted (sections 4.4.3 and 4.4.4).
#[inline]
pub(super) fn round<F: Format>(mut n: Number, env: &Env) -> Rounded<F::Bits> {
    let tiny = n.exponent < F::EMIN;
    let mut flags = Flags::TINY & tiny;
    let mut denormal_shift = 0;
    if tiny && env.ue {
        n.exponent += F::ADJUST;
        flags |= Flags::UNDERFLOW;
    } else if tiny {
        denormal_shift = (F::EMIN - n.exponent) as u32;
        n.significand = shift_right_jam(n.significand, denormal_shift);
        n.exponent = F::EMIN;
    }
    let (carried, what) = round_significand::<F>(&mut n, env.rounding);
    flags |= what;
    if denormal_shift > 0 {
        return Rounded { value: pack_denormal::<F>(n, carried), flags: flags | (Flags::UNDERFLOW & flags.has(Flags::INEXACT)) };
    }
    if !tiny && n.exponent > F::EMAX {
        return overflow::<F>(n, flags, env);
    }
    Rounded { value: pack::<F>(n), flags }
}

/// Whether the increment ran over the top of the significand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carry {
    None,
    Out,
}

/// Cuts the significand to the precision, in place.
#[inline]
fn round_significand<F: Format>(n: &mut Number, rounding: Rounding) -> (Carry, Flags) {
    let drop = 128 - F::PRECISION;
    let tail = n.significand << F::PRECISION;
    let kept = n.significand >> drop;
    if tail == 0 {
        return (Carry::None, Flags::NONE);
    }
    let up = increments(rounding, n.sign, kept, tail);
    let kept = kept + up as u128;
    let flags = Flags::INEXACT | (Flags::ROUNDED_UP & up);
    if kept >> F::PRECISION != 0 {
        n.significand = 1 << 127;
        n.exponent += 1;
        return (Carry::Out, flags);
    }
    n.significand = kept << drop;
    (Carry::None, flags)
}

/// Packs what was rounded at the denormal position; the significand need not be normalized any more.
fn pack_denormal<F: Format>(n: Number, carried: Carry) -> F::Bits {
    if n.significand == 0 {
        return zero::<F>(n.sign);
    }
    if carried == Carry::Out {
        return pack::<F>(n);
    }
    let shift = n.significand.leading_zeros();
    pack::<F>(Number { exponent: n.exponent - shift as i32, significand: n.significand << shift, ..n })
}

/// The result of an overflow, disabled (section 4.4.3.2) or enabled (4.4.3.1).
#[cold]
fn overflow<F: Format>(n: Number, flags: Flags, env: &Env) -> Rounded<F::Bits> {
    if env.oe {
        let value = pack::<F>(Number { exponent: n.exponent - F::ADJUST, ..n });
        return Rounded { value, flags: flags | Flags::OVERFLOW };
    }
    let to_infinity = match env.rounding {
        Rounding::NearestEven | Rounding::NearestAway => true,
        Rounding::TowardZero | Rounding::Odd => false,
        Rounding::Up => n.sign == Sign::Positive,
        Rounding::Down => n.sign == Sign::Negative,
    };
    let flags = flags.without(Flags::ROUNDED_UP) | Flags::OVERFLOW | Flags::INEXACT;
    if to_infinity {
        return Rounded { value: infinity::<F>(n.sign), flags: flags | Flags::ROUNDED_UP };
    }
    Rounded { value: largest::<F>(n.sign), flags }
}
