//! VSX floating point (ISA I, chapter 7): one function per row, in files by the shape of the operands.
//!
//! The arithmetic is [`crate::softfp`]'s and the exceptions are [`super::fpscr`]'s, as for the scalar chapter. Three kinds differ in where a
//! result goes: scalars to doubleword 0 (doubleword 1 becomes zero, which before 3.1 was undefined), vectors to all elements or, when an
//! enabled exception occurs, to none; quads to a vector register.

pub mod compare;
pub mod convert;
pub mod parts;
pub mod quad;
pub mod scalar;
pub mod vector;

use crate::accel::interp::Core;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::softfp::Class;
use crate::softfp::Double;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Relation;
use crate::softfp::Rounded;
use crate::softfp::Sign;
use crate::softfp::Signals;
use crate::softfp::Single;
use crate::softfp::classify;
use crate::softfp::compare as compare_numbers;
use crate::softfp::quieten;

/// A format that fills a vector register with elements.
pub(super) trait Lane: Format {
    /// Elements in a register.
    const COUNT: usize;
    /// Element `k`, counted from the most significant.
    fn get(v: Vsr, k: usize) -> Self::Bits;
    /// Puts a value into element `k`, which is zero before.
    fn put(v: &mut Vsr, k: usize, bits: Self::Bits);
}

impl Lane for Double {
    const COUNT: usize = 2;
    #[inline(always)]
    fn get(v: Vsr, k: usize) -> u64 {
        v.0[k]
    }
    #[inline(always)]
    fn put(v: &mut Vsr, k: usize, bits: u64) {
        v.0[k] = bits;
    }
}

impl Lane for Single {
    const COUNT: usize = 4;
    #[inline(always)]
    fn get(v: Vsr, k: usize) -> u32 {
        (v.0[k / 2] >> (32 - 32 * (k % 2))) as u32
    }
    #[inline(always)]
    fn put(v: &mut Vsr, k: usize, bits: u32) {
        v.0[k / 2] |= u64::from(bits) << (32 - 32 * (k % 2));
    }
}

/// Doubleword 0 of operand A.
#[inline(always)]
fn a(c: &Core, i: Insn) -> u64 {
    c.vsr[i.xa()].0[0]
}

/// Doubleword 0 of operand B.
#[inline(always)]
fn b(c: &Core, i: Insn) -> u64 {
    c.vsr[i.xb()].0[0]
}

/// Whether the bits are a NaN of either kind.
fn is_nan<F: Format>(bits: F::Bits) -> bool {
    matches!(classify::<F>(bits).1, Class::QuietNan | Class::SignallingNan)
}

/// Which of two numbers an instruction wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Extreme {
    Larger,
    Smaller,
}

impl Extreme {
    /// Picks one of two comparable numbers; plus zero counts as larger than minus zero.
    fn pick<F: Format>(self, a: F::Bits, b: F::Bits) -> F::Bits {
        let a_is_smaller = match compare_numbers::<F>(a, b, Signals::OnSignalling).value {
            Relation::Less => true,
            Relation::Equal => classify::<F>(a).0 == Sign::Negative,
            Relation::Greater | Relation::Unordered => false,
        };
        if a_is_smaller == (self == Extreme::Smaller) { a } else { b }
    }
}

/// What signalling NaNs among the operands are reported as.
fn signalling<F: Format>(a: F::Bits, b: F::Bits) -> Flags {
    compare_numbers::<F>(a, b, Signals::OnSignalling).flags
}

/// IEEE 754-2008's maxNum and minNum: a number wins over a quiet NaN, a signalling NaN becomes quiet and wins (xsmaxdp, xvmindp …).
fn extreme<F: Format>(a: F::Bits, b: F::Bits, which: Extreme) -> Rounded<F::Bits> {
    let flags = signalling::<F>(a, b);
    let value = match (classify::<F>(a).1, classify::<F>(b).1) {
        (Class::SignallingNan, _) => quieten::<F>(a),
        (Class::QuietNan, Class::QuietNan | Class::SignallingNan) => a,
        (Class::QuietNan, _) => b,
        (_, Class::SignallingNan) => quieten::<F>(b),
        (_, Class::QuietNan) => a,
        _ => which.pick::<F>(a, b),
    };
    Rounded { value, flags }
}

/// C's `a > b ? a : b` and its mirror image: B unless A is strictly more extreme, so B for any NaN (xsmaxcdp, xsmincqp …).
fn extreme_as_c<F: Format>(a: F::Bits, b: F::Bits, which: Extreme) -> Rounded<F::Bits> {
    let compared = compare_numbers::<F>(a, b, Signals::OnSignalling);
    let wanted = match which {
        Extreme::Larger => Relation::Greater,
        Extreme::Smaller => Relation::Less,
    };
    Rounded { value: if compared.value == wanted { a } else { b }, flags: compared.flags }
}

/// Java's `Math.max` and `Math.min`: a NaN wins, the first of two; zeros are ordered (xsmaxjdp, xsminjdp).
fn extreme_as_java(a: u64, b: u64, which: Extreme) -> Rounded<u64> {
    let value = if is_nan::<Double>(a) {
        a
    } else if is_nan::<Double>(b) {
        b
    } else {
        which.pick::<Double>(a, b)
    };
    Rounded { value, flags: signalling::<Double>(a, b) }
}

#[cfg(test)]
mod tests;
