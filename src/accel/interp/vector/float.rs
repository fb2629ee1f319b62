//! Single-precision floating point (ISA I 6.10): always to nearest, without exceptions or status.
//!
//! With VSCR\[NJ\], denormal operands and results are zeros of the same sign. The estimates are better than the book asks for: vrefp and
//! vrsqrtefp are the quotient and root rounded to nearest, as under QEMU; vexptefp and vlogefp are computed in integers, so that every
//! host gives the same bits, and are off by one in the last place at most.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::compare::record;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::NJ;
use crate::accel::interp::vector::lanes::a;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::saturating;
use crate::accel::interp::vector::lanes::set;
use crate::cpu::state::EQ;
use crate::isa::Insn;
use crate::softfp;
use crate::softfp::Double;
use crate::softfp::Env;
use crate::softfp::Flags;
use crate::softfp::Fused;
use crate::softfp::Integer;
use crate::softfp::Relation;
use crate::softfp::Rounding;
use crate::softfp::Signals;
use crate::softfp::Single;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vaddfp", |c, i| binary(c, i, |a, b| softfp::add::<Single, Single>(a, b, &NEAREST).value)),
    ("vsubfp", |c, i| binary(c, i, |a, b| softfp::sub::<Single, Single>(a, b, &NEAREST).value)),
    ("vmaddfp", |c, i| fused(c, i, Fused::Add)),
    ("vnmsubfp", |c, i| fused(c, i, Fused::NegativeSub)),
    ("vmaxfp", |c, i| binary(c, i, |a, b| extremum(a, b, Relation::Greater))),
    ("vminfp", |c, i| binary(c, i, |a, b| extremum(a, b, Relation::Less))),
    ("vrfin", |c, i| unary(c, i, |b| softfp::round_to_integral::<Single>(b, Rounding::NearestEven).value)),
    ("vrfiz", |c, i| unary(c, i, |b| softfp::round_to_integral::<Single>(b, Rounding::TowardZero).value)),
    ("vrfip", |c, i| unary(c, i, |b| softfp::round_to_integral::<Single>(b, Rounding::Up).value)),
    ("vrfim", |c, i| unary(c, i, |b| softfp::round_to_integral::<Single>(b, Rounding::Down).value)),
    ("vctsxs", |c, i| to_integers(c, i, Integer::I32)),
    ("vctuxs", |c, i| to_integers(c, i, Integer::U32)),
    ("vcfsx", |c, i| from_integers(c, i, |x| i128::from(x as i32))),
    ("vcfux", |c, i| from_integers(c, i, i128::from)),
    ("vrefp", |c, i| unary(c, i, |b| softfp::reciprocal::<Single, Single>(b, &NEAREST).value)),
    ("vrsqrtefp", |c, i| unary(c, i, |b| softfp::reciprocal_square_root::<Single, Single>(b, &NEAREST).value)),
    ("vexptefp", |c, i| unary(c, i, power_of_two)),
    ("vlogefp", |c, i| unary(c, i, logarithm)),
    ("vcmpeqfp", |c, i| compare(c, i, |r| r == Relation::Equal)),
    ("vcmpgefp", |c, i| compare(c, i, |r| r == Relation::Equal || r == Relation::Greater)),
    ("vcmpgtfp", |c, i| compare(c, i, |r| r == Relation::Greater)),
    ("vcmpbfp", vcmpbfp),
];

const NEAREST: Env = Env::with_rounding(Rounding::NearestEven);
const SIGN: u32 = 1 << 31;
const INFINITY: u32 = 0x7f80_0000;
const DEFAULT_NAN: u32 = 0x7fc0_0000;

/// The zero of the same sign, for denormals in non-Java mode.
#[inline(always)]
fn flushed(vscr: u32, x: u32) -> u32 {
    if vscr & NJ != 0 && x & INFINITY == 0 { x & SIGN } else { x }
}

/// VRT ← f(VRB).
#[inline(always)]
fn unary(c: &mut Core, i: Insn, f: impl Fn(u32) -> u32) -> Step {
    let (b, vscr) = (b::<u32>(c, i), c.vscr);
    set(c, i, build::<u32>(|k| flushed(vscr, f(flushed(vscr, b[k])))))
}

/// VRT ← f(VRA, VRB).
#[inline(always)]
fn binary(c: &mut Core, i: Insn, f: impl Fn(u32, u32) -> u32) -> Step {
    let (a, b, vscr) = (a::<u32>(c, i), b::<u32>(c, i), c.vscr);
    set(c, i, build::<u32>(|k| flushed(vscr, f(flushed(vscr, a[k]), flushed(vscr, b[k])))))
}

/// vmaddfp, vnmsubfp: ±(VRA × VRC ± VRB) (ISA I 6.10).
fn fused(c: &mut Core, i: Insn, form: Fused) -> Step {
    let (a, b, d, vscr) = (a::<u32>(c, i), b::<u32>(c, i), u32::split(c.vr(i.frc())), c.vscr);
    let v = build::<u32>(|k| {
        let (a, b, d) = (flushed(vscr, a[k]), flushed(vscr, b[k]), flushed(vscr, d[k]));
        flushed(vscr, softfp::fused::<Single, Single>(a, d, b, form, &NEAREST).value)
    });
    set(c, i, v)
}

fn relation(a: u32, b: u32) -> Relation {
    softfp::compare::<Single>(a, b, Signals::OnSignalling).value
}

/// vmaxfp, vminfp: `a` if it stands in this relation to `b`; of two zeros the positive is the greater; a NaN prevails (ISA I 6.10).
fn extremum(a: u32, b: u32, wanted: Relation) -> u32 {
    match relation(a, b) {
        // A sum with a NaN is that NaN, made quiet.
        Relation::Unordered => softfp::add::<Single, Single>(a, b, &NEAREST).value,
        Relation::Equal if wanted == Relation::Greater => a & b,
        Relation::Equal => a | b,
        r @ (Relation::Less | Relation::Greater) => {
            if r == wanted {
                a
            } else {
                b
            }
        }
    }
}

/// VRT ← ones where the relation of VRA to VRB is the wanted one.
#[inline(always)]
fn compare(c: &mut Core, i: Insn, f: impl Fn(Relation) -> bool) -> Step {
    let (a, b, vscr) = (a::<u32>(c, i), b::<u32>(c, i), c.vscr);
    let v = build::<u32>(|k| if f(relation(flushed(vscr, a[k]), flushed(vscr, b[k]))) { !0 } else { 0 });
    record(c, i, v);
    set(c, i, v)
}

/// vcmpbfp: bit 0 of an element says that a > b, bit 1 that a < -b, a NaN sets both; CR6 bit 2 that all were in bounds (ISA I 6.10).
fn vcmpbfp(c: &mut Core, i: Insn) -> Step {
    let (a, b, vscr) = (a::<u32>(c, i), b::<u32>(c, i), c.vscr);
    let v = build::<u32>(|k| {
        let (a, b) = (flushed(vscr, a[k]), flushed(vscr, b[k]));
        let above = matches!(relation(a, b), Relation::Greater | Relation::Unordered);
        let below = matches!(relation(a, b ^ SIGN), Relation::Less | Relation::Unordered);
        (u32::from(above) << 31) | (u32::from(below) << 30)
    });
    if i.field(21, 21) != 0 {
        c.set_cr(6, if v.value() == 0 { EQ } else { 0 });
    }
    set(c, i, v)
}

/// vctsxs, vctuxs: VRB × 2^UIM toward zero, saturated; a NaN gives 0 (ISA I 6.10).
fn to_integers(c: &mut Core, i: Insn, to: Integer) -> Step {
    let (b, by) = (b::<u32>(c, i), i.field(11, 15) as i32);
    saturating::<u32>(c, i, |k| {
        if b[k] & !SIGN > INFINITY {
            return (0, false);
        }
        // A double holds every single times 2^31.
        let scaled = softfp::scale::<Single, Double>(b[k], by, &NEAREST).value;
        let v = softfp::to_integer::<Double>(scaled, to, Rounding::TowardZero);
        (v.value as u32, v.flags.has(Flags::VXCVI))
    })
}

/// vcfsx, vcfux: VRB ÷ 2^UIM (ISA I 6.10).
fn from_integers(c: &mut Core, i: Insn, value: impl Fn(u32) -> i128) -> Step {
    let (b, by) = (b::<u32>(c, i), i.field(11, 15) as i32);
    let v = build::<u32>(|k| {
        let rounded = softfp::from_signed::<Single>(value(b[k]), &NEAREST).value;
        softfp::scale::<Single, Single>(rounded, -by, &NEAREST).value
    });
    set(c, i, v)
}

/// The fixed-point unit of the two functions below.
const ONE: u128 = 1 << 62;

/// `value / 2^62 * 2^exponent` as a single.
fn single(value: i128, exponent: i32) -> u32 {
    let wide = softfp::from_signed::<Double>(value, &NEAREST).value;
    softfp::scale::<Double, Single>(wide, exponent - 62, &NEAREST).value
}

/// vexptefp: 2^b (ISA I 6.10), as the product of the roots 2^(2^-k) whose bits are set in b's fraction.
fn power_of_two(b: u32) -> u32 {
    if b & !SIGN > INFINITY {
        return softfp::quieten::<Single>(b);
    }
    // Beyond these bounds the result overflows or is nothing anyway.
    let scaled = softfp::scale::<Single, Double>(b, 40, &NEAREST).value;
    let fixed = softfp::to_integer::<Double>(scaled, Integer::I64, Rounding::Down).value as i64;
    let fixed = fixed.clamp(-300 << 40, 300 << 40);
    let (mut root, mut product) = (ONE << 1, ONE);
    for k in 1..=40 {
        root = (root << 62).isqrt();
        if fixed >> (40 - k) & 1 != 0 {
            product = (product * root) >> 62;
        }
    }
    single(product as i128, (fixed >> 40) as i32)
}

/// vlogefp: the binary logarithm (ISA I 6.10), a bit per squaring.
fn logarithm(b: u32) -> u32 {
    if b & !SIGN > INFINITY {
        return softfp::quieten::<Single>(b);
    }
    if b & !SIGN == 0 {
        return INFINITY | SIGN;
    }
    if b & SIGN != 0 {
        return DEFAULT_NAN;
    }
    if b == INFINITY {
        return b;
    }
    let wide = softfp::scale::<Single, Double>(b, 0, &NEAREST).value;
    let exponent = (wide >> 52) as i128 - 1023;
    let mut x = ((1u128 << 52) | u128::from(wide & ((1 << 52) - 1))) << 10;
    let mut fraction = 0i128;
    for _ in 0..56 {
        x = (x * x) >> 62;
        fraction <<= 1;
        if x >= ONE << 1 {
            x >>= 1;
            fraction |= 1;
        }
    }
    single((exponent << 62) + (fraction << 6), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_good() {
        for x in [0.5f32, 1.0, 1.5, 3.0, 10.0, 1e-3, 1e30, 1.2e-38, 1.0000001] {
            let log = f32::from_bits(logarithm(x.to_bits()));
            assert!((log - x.log2()).abs() <= x.log2().abs() * 2e-7, "{x}: {log}");
        }
        for x in [0.0f32, 0.5, -0.5, 1.0, 3.75, -10.3, 100.1, -126.5] {
            let power = f32::from_bits(power_of_two(x.to_bits()));
            assert!((power / x.exp2() - 1.0).abs() < 3e-7, "{x}: {power}");
        }
        assert_eq!(power_of_two(INFINITY), INFINITY);
        assert_eq!(power_of_two(INFINITY | SIGN), 0);
        assert_eq!(power_of_two(1e9f32.to_bits()), INFINITY);
    }

    #[test]
    fn extrema_order_zeros() {
        assert_eq!(extremum(0, SIGN, Relation::Greater), 0);
        assert_eq!(extremum(0, SIGN, Relation::Less), SIGN);
    }
}
