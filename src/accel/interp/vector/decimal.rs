//! Signed and unsigned decimal integers of 31 and 32 digits (ISA I 6.17).
//!
//! A decimal integer has a digit in each nibble and its sign in the last one. CR6 gets less, greater, equal and, in bit 3, overflow. An operand
//! that is not a number makes CR6 0b0001; the book leaves VRT undefined then, and here it keeps its value, except that additions and
//! subtractions make it all ones (as under QEMU, whose conversions instead give what they had converted until then).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::set;
use crate::accel::interp::vector::lanes::whole;
use crate::cpu::state::EQ;
use crate::cpu::state::GT;
use crate::cpu::state::LT;
use crate::cpu::state::SO;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::softfp::Sign;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vmul10uq", |c, i| whole(c, i, |a, _| times_ten(a, 0).0)),
    ("vmul10cuq", |c, i| whole(c, i, |a, _| times_ten(a, 0).1)),
    ("vmul10euq", |c, i| whole(c, i, |a, b| times_ten(a, b & 15).0)),
    ("vmul10ecuq", |c, i| whole(c, i, |a, b| times_ten(a, b & 15).1)),
    ("bcdadd.", |c, i| { let n = a(c, i).and_then(|a| Some(sum(a, b(c, i)?))); total(c, i, n) }),
    ("bcdsub.", |c, i| { let n = a(c, i).and_then(|a| Some(sum(a, b(c, i)?.negated()))); total(c, i, n) }),
    ("bcdcfn.", |c, i| { let n = from_national(c.vr(i.frb())); finish(c, i, n) }),
    ("bcdcfz.", |c, i| { let n = from_zoned(c.vr(i.frb()), ps(i)); finish_plain(c, i, n) }),
    ("bcdctn.", bcdctn), ("bcdctz.", bcdctz),
    ("bcdcfsq.", bcdcfsq), ("bcdctsq.", bcdctsq), ("bcdcpsgn.", bcdcpsgn),
    ("bcdsetsgn.", |c, i| { let n = b(c, i); finish(c, i, n) }),
    ("bcds.", |c, i| { let n = b(c, i).map(|b| b.shifted(amount(c, i), Dropped::Cut)); finish(c, i, n) }),
    ("bcdsr.", |c, i| { let n = b(c, i).map(|b| b.shifted(amount(c, i), Dropped::Rounded)); finish(c, i, n) }),
    ("bcdtrunc.", |c, i| { let n = b(c, i).map(|b| b.truncated(length(c, i))); finish(c, i, n) }),
    ("bcdus.", bcdus), ("bcdutrunc.", bcdutrunc),
];

/// Digits of a signed number.
const DIGITS: u32 = 31;

/// A packed decimal number taken apart.
#[derive(Clone, Copy)]
struct Number {
    sign: Sign,
    /// The digits as nibbles, the last in the low nibble; at most 31.
    digits: u128,
    /// The digits are only the last ones of a larger number.
    overflow: bool,
    /// How the number before truncation compares with zero, where that is what CR6 tells.
    nonzero: bool,
}

/// What becomes of digits shifted out to the right.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dropped {
    Cut,
    Rounded,
}

/// The PS bit: which sign code a positive result gets.
fn ps(i: Insn) -> u32 {
    i.field(22, 22)
}

/// a * 10 + digit: the low 128 bits and the carry.
fn times_ten(a: u128, digit: u128) -> (u128, u128) {
    let low = (a & u128::from(u64::MAX)) * 10 + digit;
    let high = (a >> 64) * 10 + (low >> 64);
    ((high << 64) | (low & u128::from(u64::MAX)), high >> 64)
}

/// Whether every nibble is a decimal digit.
fn all_digits(nibbles: u128) -> bool {
    const SIXES: u128 = u128::MAX / 15 * 6;
    const EIGHTS: u128 = u128::MAX / 15 * 8;
    // A nibble above 9 has its top bit and one of the next two.
    let top = nibbles & EIGHTS;
    (top >> 1) & nibbles & SIXES == 0 && (top >> 2) & nibbles & SIXES == 0
}

/// The digits of an integer.
fn to_digits(mut value: u128) -> u128 {
    (0..32).fold(0, |v, k| {
        let digit = value % 10;
        value /= 10;
        v | (digit << (4 * k))
    })
}

/// The integer of some digits.
fn to_integer(digits: u128) -> u128 {
    (0..32).rev().fold(0u128, |v, k| v.wrapping_mul(10).wrapping_add((digits >> (4 * k)) & 15))
}

impl Number {
    fn new(sign: Sign, digits: u128) -> Number {
        Number { sign, digits, overflow: false, nonzero: digits != 0 }
    }

    /// A packed number; `None` if a digit or the sign is none.
    fn unpack(v: Vsr) -> Option<Number> {
        let v = v.value();
        let sign = match v & 15 {
            0xa | 0xc | 0xe | 0xf => Sign::Positive,
            0xb | 0xd => Sign::Negative,
            _ => return None,
        };
        all_digits(v >> 4).then(|| Number::new(sign, v >> 4))
    }

    /// The last 31 digits of an integer of any size.
    fn of(sign: Sign, magnitude: u128) -> Number {
        let limit = 10u128.pow(DIGITS);
        Number { sign, digits: to_digits(magnitude % limit), overflow: magnitude >= limit, nonzero: magnitude != 0 }
    }

    fn from_integer(v: i128) -> Number {
        Number::of(if v < 0 { Sign::Negative } else { Sign::Positive }, v.unsigned_abs())
    }

    fn negated(self) -> Number {
        Number { sign: !self.sign, ..self }
    }

    fn integer(self) -> i128 {
        let magnitude = to_integer(self.digits) as i128;
        if self.sign == Sign::Negative { -magnitude } else { magnitude }
    }

    /// Packed, with the preferred sign.
    fn pack(self, ps: u32) -> Vsr {
        let sign = match (self.sign, ps) {
            (Sign::Negative, _) => 0xd,
            (Sign::Positive, 0) => 0xc,
            (Sign::Positive, _) => 0xf,
        };
        Vsr::new((self.digits << 4) | sign)
    }

    /// CR6's bits.
    fn condition(self) -> u8 {
        let order = match (self.nonzero, self.sign) {
            (false, _) => EQ,
            (true, Sign::Negative) => LT,
            (true, Sign::Positive) => GT,
        };
        order | if self.overflow { SO } else { 0 }
    }

    /// Only the last `length` digits. CR6 goes on comparing the whole number with zero, here and in `shifted` (ISA I 6.17.3).
    fn truncated(self, length: u32) -> Number {
        if length >= DIGITS {
            return self;
        }
        let kept = self.digits & ((1 << (4 * length)) - 1);
        Number { digits: kept, overflow: kept != self.digits, ..self }
    }

    /// Shifted left by `by` digits, or right if it is negative.
    fn shifted(self, by: i32, dropped: Dropped) -> Number {
        if by >= 0 {
            let (digits, overflow) = shifted_left(self.digits, by.unsigned_abs(), DIGITS);
            return Number { digits, overflow, ..self };
        }
        let n = by.unsigned_abs();
        let digits = self.digits.checked_shr(4 * n).unwrap_or(0);
        let last_out = self.digits.checked_shr(4 * (n - 1)).unwrap_or(0) & 15;
        let up = dropped == Dropped::Rounded && last_out >= 5;
        let digits = if up { to_digits(to_integer(digits) + 1) } else { digits };
        Number { digits, ..self }
    }
}

/// `digits` shifted left by `n` digits in a register of `width`, and whether digits other than zero were lost.
fn shifted_left(digits: u128, n: u32, width: u32) -> (u128, bool) {
    if n >= width {
        return (0, digits != 0);
    }
    let kept = if n == 0 && width == 32 { u128::MAX } else { (1 << (4 * (width - n))) - 1 };
    ((digits & kept) << (4 * n), digits & !kept != 0)
}

/// VRA as a number.
fn a(c: &Core, i: Insn) -> Option<Number> {
    Number::unpack(c.vr(i.fra()))
}

/// VRB as a number.
fn b(c: &Core, i: Insn) -> Option<Number> {
    Number::unpack(c.vr(i.frb()))
}

/// The shift amount: byte 7 of VRA, signed.
fn amount(c: &Core, i: Insn) -> i32 {
    i32::from(c.vr(i.fra()).0[0] as i8)
}

/// The length to truncate to: halfword 3 of VRA.
fn length(c: &Core, i: Insn) -> u32 {
    u32::from(c.vr(i.fra()).0[0] as u16)
}

/// bcdadd., bcdsub.: CR6 tells about the unbounded sum; a sum of zero is positive.
fn sum(a: Number, b: Number) -> Number {
    Number::from_integer(a.integer() + b.integer())
}

/// Sets VRT and CR6, or says that an operand was invalid.
fn finish(c: &mut Core, i: Insn, n: Option<Number>) -> Step {
    let packed = n.map(|n| n.pack(ps(i)));
    conclude(c, i, packed, n.map_or(SO, Number::condition))
}

/// As `finish` for a sum, which is all ones where it is none.
fn total(c: &mut Core, i: Insn, n: Option<Number>) -> Step {
    finish(c, i, n)?;
    n.map_or_else(|| set(c, i, Vsr::new(u128::MAX)), |_| Ok(()))
}

/// bcdcfsq.: from a signed quadword; one of more than 31 digits is an overflow without a result (ISA 3.0).
fn bcdcfsq(c: &mut Core, i: Insn) -> Step {
    let n = Number::from_integer(c.vr(i.frb()).value() as i128);
    let packed = if n.overflow { None } else { Some(n.pack(ps(i))) };
    conclude(c, i, packed, n.condition())
}

/// As `finish`, where PS means something else and the sign codes are 0b1100 and 0b1101.
fn finish_plain(c: &mut Core, i: Insn, n: Option<Number>) -> Step {
    let packed = n.map(|n| n.pack(0));
    conclude(c, i, packed, n.map_or(SO, Number::condition))
}

fn conclude(c: &mut Core, i: Insn, v: Option<Vsr>, condition: u8) -> Step {
    c.set_cr(6, condition);
    v.map_or(Ok(()), |v| set(c, i, v))
}

/// bcdcfn.: seven characters U+0030 to U+0039 and a sign U+002B or U+002D.
fn from_national(v: Vsr) -> Option<Number> {
    let halves = v.halves();
    let sign = match halves[7] {
        0x2b => Sign::Positive,
        0x2d => Sign::Negative,
        _ => return None,
    };
    let digits = halves[..7].iter().try_fold(0, |v, h| (0x30..=0x39).contains(h).then(|| (v << 4) | u128::from(h & 15)))?;
    Some(Number::new(sign, digits))
}

/// bcdctn.: the last seven digits as characters (ISA 3.0).
fn bcdctn(c: &mut Core, i: Insn) -> Step {
    let Some(n) = b(c, i) else { return conclude(c, i, None, SO) };
    let mut halves: [u16; 8] = std::array::from_fn(|k| 0x30 | ((n.digits << 4) >> (4 * (7 - k))) as u16 & 15);
    halves[7] = if n.sign == Sign::Negative { 0x2d } else { 0x2b };
    let overflow = if n.digits >> 28 != 0 { SO } else { 0 };
    conclude(c, i, Some(Vsr::from_halves(halves)), n.condition() | overflow)
}

/// bcdcfz.: sixteen zoned digits. PS=0: zones of 3, negative if bit 1 of the last zone is set; PS=1: zones of F, the usual sign codes.
fn from_zoned(v: Vsr, ps: u32) -> Option<Number> {
    let bytes = v.bytes();
    let zone = if ps == 0 { 0x3 } else { 0xf };
    let code = bytes[15] >> 4;
    let sign = match (ps, code) {
        (0, _) if code & 4 != 0 => Sign::Negative,
        (0, _) => Sign::Positive,
        (_, 0..=9) => return None,
        (_, 0xb | 0xd) => Sign::Negative,
        (_, _) => Sign::Positive,
    };
    let valid = bytes[..15].iter().all(|x| x >> 4 == zone);
    let digits = bytes.iter().fold(0, |v, x| (v << 4) | u128::from(x & 15));
    (valid && all_digits(digits)).then(|| Number::new(sign, digits))
}

/// bcdctz.: the last sixteen digits in zones (ISA 3.0).
fn bcdctz(c: &mut Core, i: Insn) -> Step {
    let Some(n) = b(c, i) else { return conclude(c, i, None, SO) };
    let (zone, positive, negative) = if ps(i) == 0 { (0x30, 0x30, 0x70) } else { (0xf0, 0xc0, 0xd0) };
    let mut bytes: [u8; 16] = std::array::from_fn(|k| zone | (n.digits >> (4 * (15 - k))) as u8 & 15);
    bytes[15] = bytes[15] & 15 | if n.sign == Sign::Negative { negative } else { positive };
    let overflow = if n.digits >> 64 != 0 { SO } else { 0 };
    conclude(c, i, Some(Vsr::from_bytes(bytes)), n.condition() | overflow)
}

/// bcdctsq.: to a signed quadword (ISA 3.0).
fn bcdctsq(c: &mut Core, i: Insn) -> Step {
    let n = b(c, i);
    conclude(c, i, n.map(|n| Vsr::new(n.integer() as u128)), n.map_or(SO, Number::condition))
}

/// bcdcpsgn.: VRA's digits with VRB's sign code (ISA 3.0).
fn bcdcpsgn(c: &mut Core, i: Insn) -> Step {
    let sign = c.vr(i.frb()).value() & 15;
    let n = a(c, i).and_then(|a| Some(Number { sign: b(c, i)?.sign, ..a }));
    conclude(c, i, n.map(|n| Vsr::new((n.digits << 4) | sign)), n.map_or(SO, Number::condition))
}

/// CR6 of an unsigned operation: what the digits of its source are.
fn unsigned_condition(digits: u128, overflow: u8) -> u8 {
    overflow | if digits == 0 { EQ } else { GT }
}

/// bcdus.: 32 digits shifted by byte 7 of VRA, left or right (ISA 3.0).
fn bcdus(c: &mut Core, i: Insn) -> Step {
    let (digits, by) = (c.vr(i.frb()).value(), amount(c, i));
    if !all_digits(digits) {
        return conclude(c, i, None, SO);
    }
    let n = by.unsigned_abs();
    let (v, lost) = if by >= 0 { shifted_left(digits, n, 32) } else { (digits.checked_shr(4 * n).unwrap_or(0), false) };
    conclude(c, i, Some(Vsr::new(v)), unsigned_condition(digits, if lost { SO } else { 0 }))
}

/// bcdutrunc.: the last digits of 32, as many as halfword 3 of VRA says (ISA 3.0).
fn bcdutrunc(c: &mut Core, i: Insn) -> Step {
    let (digits, length) = (c.vr(i.frb()).value(), length(c, i));
    if !all_digits(digits) {
        return conclude(c, i, None, SO);
    }
    let v = if length >= 32 { digits } else { digits & ((1 << (4 * length)) - 1) };
    conclude(c, i, Some(Vsr::new(v)), unsigned_condition(digits, if v != digits { SO } else { 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_pack_and_add() {
        let packed = |n: i128| Number::from_integer(n).pack(0).value();
        assert_eq!(packed(-120), 0x120d);
        let total = sum(Number::from_integer(999), Number::from_integer(-1000));
        assert_eq!((total.pack(0).value(), total.condition()), (0x1d, LT));
        let big = sum(Number::from_integer(10i128.pow(31) - 1), Number::from_integer(1));
        assert_eq!((big.pack(1).value(), big.condition()), (0xf, GT | SO));
        assert!(!all_digits(0xa) && !all_digits(0xc0) && all_digits(0x9876_5432));
    }

    #[test]
    fn digits_shift_and_round() {
        let n = Number::from_integer(1250);
        assert_eq!(n.shifted(-1, Dropped::Cut).pack(0).value(), 0x125c);
        assert_eq!(n.shifted(-2, Dropped::Rounded).pack(0).value(), 0x13c);
        assert_eq!(n.shifted(28, Dropped::Cut).condition(), GT | SO);
        assert_eq!((n.shifted(-9, Dropped::Cut).pack(0).value(), n.shifted(-9, Dropped::Cut).condition()), (0xc, GT));
        assert_eq!(times_ten(u128::MAX, 9).1, 9);
    }
}
