//! Multiplication, multiply-add, division, and sums across elements (ISA I 6.9).
//!
//! Division by zero and the one overflowing signed division have undefined results. Ours are QEMU's: quotient a and remainder 0, except that
//! the extended divisions of words give 0.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::a;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::binary;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::clamp;
use crate::accel::interp::vector::lanes::saturating;
use crate::accel::interp::vector::lanes::set;
use crate::accel::interp::vector::lanes::ternary;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    // Products of the even or odd elements, full width.
    ("vmuleub", |c, i| even(c, i, |a: u8, b| u16::from(a) * u16::from(b))),
    ("vmuleuh", |c, i| even(c, i, |a: u16, b| u32::from(a) * u32::from(b))),
    ("vmuleuw", |c, i| even(c, i, |a: u32, b| u64::from(a) * u64::from(b))),
    ("vmuleud", |c, i| even(c, i, |a: u64, b| u128::from(a) * u128::from(b))),
    ("vmulesb", |c, i| even(c, i, |a: i8, b| i16::from(a) * i16::from(b))),
    ("vmulesh", |c, i| even(c, i, |a: i16, b| i32::from(a) * i32::from(b))),
    ("vmulesw", |c, i| even(c, i, |a: i32, b| i64::from(a) * i64::from(b))),
    ("vmulesd", |c, i| even(c, i, |a: i64, b| i128::from(a) * i128::from(b))),
    ("vmuloub", |c, i| odd(c, i, |a: u8, b| u16::from(a) * u16::from(b))),
    ("vmulouh", |c, i| odd(c, i, |a: u16, b| u32::from(a) * u32::from(b))),
    ("vmulouw", |c, i| odd(c, i, |a: u32, b| u64::from(a) * u64::from(b))),
    ("vmuloud", |c, i| odd(c, i, |a: u64, b| u128::from(a) * u128::from(b))),
    ("vmulosb", |c, i| odd(c, i, |a: i8, b| i16::from(a) * i16::from(b))),
    ("vmulosh", |c, i| odd(c, i, |a: i16, b| i32::from(a) * i32::from(b))),
    ("vmulosw", |c, i| odd(c, i, |a: i32, b| i64::from(a) * i64::from(b))),
    ("vmulosd", |c, i| odd(c, i, |a: i64, b| i128::from(a) * i128::from(b))),
    // Low and high halves of products.
    ("vmuluwm", |c, i| binary::<u32>(c, i, u32::wrapping_mul)),
    ("vmulld", |c, i| binary::<u64>(c, i, u64::wrapping_mul)),
    ("vmulhuw", |c, i| binary::<u32>(c, i, |a, b| ((u64::from(a) * u64::from(b)) >> 32) as u32)),
    ("vmulhsw", |c, i| binary::<i32>(c, i, |a, b| ((i64::from(a) * i64::from(b)) >> 32) as i32)),
    ("vmulhud", |c, i| binary::<u64>(c, i, |a, b| ((u128::from(a) * u128::from(b)) >> 64) as u64)),
    ("vmulhsd", |c, i| binary::<i64>(c, i, |a, b| ((i128::from(a) * i128::from(b)) >> 64) as i64)),
    // Multiply-add of halfwords.
    ("vmladduhm", |c, i| ternary::<u16>(c, i, |a, b, d| a.wrapping_mul(b).wrapping_add(d))),
    ("vmhaddshs", |c, i| multiply_add_high(c, i, 0)),
    ("vmhraddshs", |c, i| multiply_add_high(c, i, 0x4000)),
    // Multiply-sums.
    ("vmsumubm", |c, i| multiply_sum::<u8, u8, 4>(c, i, |sum| (sum as u32, false))),
    ("vmsummbm", |c, i| multiply_sum::<i8, u8, 4>(c, i, |sum| (sum as u32, false))),
    ("vmsumuhm", |c, i| multiply_sum::<u16, u16, 2>(c, i, |sum| (sum as u32, false))),
    ("vmsumshm", |c, i| multiply_sum::<i16, i16, 2>(c, i, |sum| (sum as u32, false))),
    ("vmsumuhs", |c, i| multiply_sum::<u16, u16, 2>(c, i, |sum| clamp(sum, u32::MIN, u32::MAX))),
    ("vmsumshs", |c, i| multiply_sum_signed(c, i)),
    ("vmsumudm", |c, i| { let v = doubleword_sum(c, i).0; set(c, i, Vsr::new(v)) }),
    ("vmsumcud", |c, i| { let v = doubleword_sum(c, i).1; set(c, i, Vsr::new(v)) }),
    // Sums across elements.
    ("vsum4ubs", |c, i| { let (a, b) = (a::<u8>(c, i), b::<u32>(c, i)); saturating::<u32>(c, i, |k| clamp(total(&a[4 * k..4 * k + 4]) + i128::from(b[k]), u32::MIN, u32::MAX)) }),
    ("vsum4sbs", |c, i| { let (a, b) = (a::<i8>(c, i), b::<i32>(c, i)); saturating::<i32>(c, i, |k| clamp(total(&a[4 * k..4 * k + 4]) + i128::from(b[k]), i32::MIN, i32::MAX)) }),
    ("vsum4shs", |c, i| { let (a, b) = (a::<i16>(c, i), b::<i32>(c, i)); saturating::<i32>(c, i, |k| clamp(total(&a[2 * k..2 * k + 2]) + i128::from(b[k]), i32::MIN, i32::MAX)) }),
    ("vsum2sws", |c, i| { let (a, b) = (a::<i32>(c, i), b::<i32>(c, i)); saturating::<i32>(c, i, |k| if k & 1 == 0 { (0, false) } else { clamp(total(&a[k - 1..=k]) + i128::from(b[k]), i32::MIN, i32::MAX) }) }),
    ("vsumsws", |c, i| { let (a, b) = (a::<i32>(c, i), b::<i32>(c, i)); saturating::<i32>(c, i, |k| if k < 3 { (0, false) } else { clamp(total(&a) + i128::from(b[3]), i32::MIN, i32::MAX) }) }),
    // Division.
    ("vdivuw", |c, i| binary::<u32>(c, i, |a, b| a.checked_div(b).unwrap_or(a))),
    ("vdivsw", |c, i| binary::<i32>(c, i, |a, b| a.checked_div(b).unwrap_or(a))),
    ("vdivud", |c, i| binary::<u64>(c, i, |a, b| a.checked_div(b).unwrap_or(a))),
    ("vdivsd", |c, i| binary::<i64>(c, i, |a, b| a.checked_div(b).unwrap_or(a))),
    ("vdivuq", |c, i| binary::<u128>(c, i, |a, b| a.checked_div(b).unwrap_or(a))),
    ("vdivsq", |c, i| binary::<i128>(c, i, |a, b| a.checked_div(b).unwrap_or(a))),
    ("vmoduw", |c, i| binary::<u32>(c, i, |a, b| a.checked_rem(b).unwrap_or(0))),
    ("vmodsw", |c, i| binary::<i32>(c, i, |a, b| a.checked_rem(b).unwrap_or(0))),
    ("vmodud", |c, i| binary::<u64>(c, i, |a, b| a.checked_rem(b).unwrap_or(0))),
    ("vmodsd", |c, i| binary::<i64>(c, i, |a, b| a.checked_rem(b).unwrap_or(0))),
    ("vmoduq", |c, i| binary::<u128>(c, i, |a, b| a.checked_rem(b).unwrap_or(0))),
    ("vmodsq", |c, i| binary::<i128>(c, i, |a, b| a.checked_rem(b).unwrap_or(0))),
    ("vdiveuw", |c, i| binary::<u32>(c, i, |a, b| (u64::from(a) << 32).checked_div(u64::from(b)).unwrap_or(0) as u32)),
    ("vdivesw", |c, i| binary::<i32>(c, i, |a, b| (i64::from(a) << 32).checked_div(i64::from(b)).unwrap_or(0) as i32)),
    ("vdiveud", |c, i| binary::<u64>(c, i, |a, b| (u128::from(a) << 64).checked_div(u128::from(b)).map_or(a, |q| q as u64))),
    ("vdivesd", |c, i| binary::<i64>(c, i, |a, b| (i128::from(a) << 64).checked_div(i128::from(b)).map_or(a, |q| q as i64))),
    ("vdiveuq", |c, i| binary::<u128>(c, i, |a, b| if b == 0 { a } else { extended_quotient(a, b) })),
    ("vdivesq", |c, i| binary::<i128>(c, i, signed_extended_quotient)),
];

/// VRT ← f of the even elements of VRA and VRB.
#[inline(always)]
fn even<N: Lane, W: Lane>(c: &mut Core, i: Insn, f: impl Fn(N, N) -> W) -> Step {
    let (a, b) = (a::<N>(c, i), b::<N>(c, i));
    set(c, i, build::<W>(|k| f(a.as_ref()[2 * k], b.as_ref()[2 * k])))
}

/// VRT ← f of the odd elements of VRA and VRB.
#[inline(always)]
fn odd<N: Lane, W: Lane>(c: &mut Core, i: Insn, f: impl Fn(N, N) -> W) -> Step {
    let (a, b) = (a::<N>(c, i), b::<N>(c, i));
    set(c, i, build::<W>(|k| f(a.as_ref()[2 * k + 1], b.as_ref()[2 * k + 1])))
}

/// vmhaddshs, vmhraddshs: the high 17 bits of the product, rounded or not, plus VRC, saturated (ISA I 6.9).
fn multiply_add_high(c: &mut Core, i: Insn, rounding: i32) -> Step {
    let (a, b, d) = (a::<i16>(c, i), b::<i16>(c, i), i16::split(c.vr(i.frc())));
    saturating::<i16>(c, i, |k| {
        let high = (i32::from(a[k]) * i32::from(b[k]) + rounding) >> 15;
        clamp(i128::from(high + i32::from(d[k])), i16::MIN, i16::MAX)
    })
}

/// The sum of some elements.
fn total<T: Copy + Into<i128>>(elements: &[T]) -> i128 {
    elements.iter().map(|x| (*x).into()).sum()
}

/// The exact sums of the N products under each word, without VRC.
#[inline(always)]
fn products<A: Lane + Into<i128>, B: Lane + Into<i128>, const N: usize>(c: &Core, i: Insn) -> [i128; 4] {
    let (a, b) = (a::<A>(c, i), b::<B>(c, i));
    std::array::from_fn(|w| (w * N..w * N + N).map(|k| a.as_ref()[k].into() * b.as_ref()[k].into()).sum())
}

/// vmsumubm and its kin: the products under each word, plus VRC's word (ISA I 6.9).
#[inline(always)]
fn multiply_sum<A, B, const N: usize>(c: &mut Core, i: Insn, f: impl Fn(i128) -> (u32, bool)) -> Step
where
    A: Lane + Into<i128>,
    B: Lane + Into<i128>,
{
    let (sums, d) = (products::<A, B, N>(c, i), u32::split(c.vr(i.frc())));
    saturating::<u32>(c, i, |k| f(sums[k] + i128::from(d[k])))
}

/// vmsumshs: as the others, with a signed VRC (ISA I 6.9).
fn multiply_sum_signed(c: &mut Core, i: Insn) -> Step {
    let (sums, d) = (products::<i16, i16, 2>(c, i), i32::split(c.vr(i.frc())));
    saturating::<i32>(c, i, |k| clamp(sums[k] + i128::from(d[k]), i32::MIN, i32::MAX))
}

/// vmsumudm, vmsumcud: both products of doublewords plus VRC, modulo 2^128, and what was carried out (0 to 2).
fn doubleword_sum(c: &Core, i: Insn) -> (u128, u128) {
    let (a, b) = (a::<u64>(c, i), b::<u64>(c, i));
    let product = |k: usize| u128::from(a[k]) * u128::from(b[k]);
    let (once, first) = product(0).overflowing_add(product(1));
    let (twice, second) = once.overflowing_add(c.vr(i.frc()).value());
    (twice, u128::from(first) + u128::from(second))
}

/// The low 128 bits of `a * 2^128 / b`, `b` not zero.
fn extended_quotient(a: u128, b: u128) -> u128 {
    let (mut rest, mut quotient) = (a % b, 0);
    for _ in 0..128 {
        let carried = rest >> 127 != 0;
        rest <<= 1;
        quotient <<= 1;
        if carried || rest >= b {
            rest = rest.wrapping_sub(b);
            quotient |= 1;
        }
    }
    quotient
}

/// The low 128 bits of the signed quotient; a where it is undefined because of b.
fn signed_extended_quotient(a: i128, b: i128) -> i128 {
    if b == 0 || (a == i128::MIN && b == -1) {
        return a;
    }
    let magnitude = extended_quotient(a.unsigned_abs(), b.unsigned_abs()) as i128;
    if (a < 0) != (b < 0) { magnitude.wrapping_neg() } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_quotients_of_quadwords() {
        assert_eq!(extended_quotient(1, 2), 1 << 127);
        assert_eq!(extended_quotient(5, 7), (((5u128 << 120) / 7) << 8) | ((((5u128 << 120) % 7) << 8) / 7));
        assert_eq!(signed_extended_quotient(-1, 4), -(1 << 126));
    }
}
