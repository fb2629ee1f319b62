//! What floating-point templates leave undone: FPSCR is brought up to date when somebody looks.
//!
//! The host's unit computes the results; what it does not compute is FPSCR. Of its bits, a program depends on few and seldom, so they are made
//! later, exactly, by the arithmetic of [`crate::softfp`]:
//!
//! * XX (and FX with it) is the host's own sticky flag, PE in MXCSR, which is clear whenever translated code is entered;
//! * FR, FI and FPRF tell about the last instruction that sets them, which is remembered with its operands (`Words::last`) and computed again;
//!   a conversion to an integer sets FR and FI alone, a comparison FPCC alone, and are remembered beside it;
//! * OX, UX, ZX and the invalid operations never are left undone: templates give up for results that could go with one of them, and the interpreter's function
//!   does the instruction. So they do while FPSCR enables an exception or rounds other than to nearest.
//!
//! [`settle`] is called when translated code comes back, and before any instruction of a floating-point or vector facility is done by its function.

use crate::accel::interp::Core;
use crate::accel::interp::fpscr;
use crate::isa::regs::Fpscr;
use crate::softfp;
use crate::softfp::Double;
use crate::softfp::Env;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Fused;
use crate::softfp::Integer;
use crate::softfp::Rounded;
use crate::softfp::Rounding;
use crate::softfp::SingleInDouble;

/// The control bits of FPSCR, in its low byte, that must all be clear for a template: VE, OE, UE, ZE, XE and RN. (NI changes nothing here.)
pub const CONTROLS: u8 = 0xfb;

/// In byte 0 of `Words::last`: the instruction, by what it computes from the operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Last {
    /// a + b.
    Add = 1,
    /// a - b.
    Sub,
    /// a * b.
    Mul,
    /// a / b.
    Div,
    /// The square root of a.
    Sqrt,
    /// a * b + c.
    MulAdd,
    /// a * b - c.
    MulSub,
    /// -(a * b + c).
    NegMulAdd,
    /// -(a * b - c).
    NegMulSub,
    /// a, rounded.
    Round,
    /// a, a signed integer.
    Signed,
    /// a is the result, which is exact.
    Exact,
}

/// Added to [`Last`] when the result is rounded to single precision.
pub const SINGLE: u8 = 0x40;

/// In byte 2 of `Words::last`: the integer converted to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum To {
    /// Signed doubleword.
    I64 = 1,
    /// Unsigned doubleword.
    U64,
    /// Signed word.
    I32,
    /// Unsigned word.
    U32,
}

/// Added to [`To`] when rounding is toward zero, not to nearest.
pub const TRUNCATED: u8 = 0x40;

/// The environment in which all templates compute.
const ENV: Env = Env::with_rounding(Rounding::NearestEven);

/// In the host's MXCSR: a result was inexact.
const INEXACT: u32 = 0x20;

/// Brings FPSCR up to date; `mxcsr` has the host's flags since they were cleared.
pub fn settle(c: &mut Core, mxcsr: u32) {
    if mxcsr & INEXACT != 0 && !c.fpscr.has(Fpscr::XX) {
        c.fpscr.0 |= Fpscr::XX | Fpscr::FX;
    }
    if c.words.last != 0 {
        settle_last(c);
    }
}

#[cold]
fn settle_last(c: &mut Core) {
    let [last, fpcc, to, _] = std::mem::take(&mut c.words.last).to_le_bytes();
    if last != 0 {
        let (flags, fprf) = again(last, c.words.operands);
        c.fpscr.0 &= !fpscr::FPRF;
        c.fpscr.0 |= fprf << 12;
        rounded(&mut c.fpscr, flags);
    }
    if to != 0 {
        let rounding = if to & TRUNCATED != 0 { Rounding::TowardZero } else { Rounding::NearestEven };
        let integer = [Integer::I64, Integer::U64, Integer::I32, Integer::U32][usize::from((to & !TRUNCATED) - 1)];
        let flags = softfp::to_integer::<Double>(c.words.converted, integer, rounding).flags;
        rounded(&mut c.fpscr, flags);
    }
    if fpcc != 0 {
        c.fpscr.0 = (c.fpscr.0 & !fpscr::FPCC) | (u64::from(fpcc) << 12);
    }
}

/// FR and FI.
fn rounded(fpscr: &mut Fpscr, flags: Flags) {
    fpscr.0 &= !(Fpscr::FR | Fpscr::FI);
    fpscr.0 |= if flags.has(Flags::INEXACT) { Fpscr::FI } else { 0 };
    fpscr.0 |= if flags.has(Flags::ROUNDED_UP) { Fpscr::FR } else { 0 };
}

/// Flags and FPRF of an instruction.
fn again(last: u8, operands: [u64; 3]) -> (Flags, u64) {
    if last & SINGLE != 0 { compute::<SingleInDouble>(last & !SINGLE, operands) } else { compute::<Double>(last, operands) }
}

fn compute<F: Format<Bits = u64>>(last: u8, [a, b, c]: [u64; 3]) -> (Flags, u64) {
    let fused = |form| softfp::fused::<Double, F>(a, b, c, form, &ENV);
    let is = |l: Last| last == l as u8;
    let result = if is(Last::Add) {
        softfp::add::<Double, F>(a, b, &ENV)
    } else if is(Last::Sub) {
        softfp::sub::<Double, F>(a, b, &ENV)
    } else if is(Last::Mul) {
        softfp::mul::<Double, F>(a, b, &ENV)
    } else if is(Last::Div) {
        softfp::div::<Double, F>(a, b, &ENV)
    } else if is(Last::Sqrt) {
        softfp::sqrt::<Double, F>(a, &ENV)
    } else if is(Last::MulAdd) {
        fused(Fused::Add)
    } else if is(Last::MulSub) {
        fused(Fused::Sub)
    } else if is(Last::NegMulAdd) {
        fused(Fused::NegativeAdd)
    } else if is(Last::NegMulSub) {
        fused(Fused::NegativeSub)
    } else if is(Last::Round) {
        softfp::convert::<Double, F>(a, &ENV)
    } else if is(Last::Signed) {
        softfp::from_signed::<F>((a as i64).into(), &ENV)
    } else {
        Rounded::exact(a)
    };
    (result.flags, fpscr::fprf::<F>(result.value))
}

/// Exponents of results that no exception but the inexact one goes with, whatever was computed: above the smallest normal number's, so that a result that
/// was rounded up to it is not among them.
pub const LEAST_EXPONENT: u64 = 2;

const fn doubles(v: u64) -> [u64; 2] {
    [v; 2]
}
const fn singles(v: u32) -> [u64; 2] {
    [((v as u64) << 32) | v as u64; 2]
}

/// Shifted left by one, a double's exponent begins at bit 53, a single's at bit 24.
const INFINITE: (u64, u32) = (0x7ff << 53, 0xff << 24);
const LEAST: (u64, u32) = (LEAST_EXPONENT << 53, (LEAST_EXPONENT as u32) << 24);
const TOP: (u64, u32) = (1 << 63, 1 << 31);

/// What vector templates need in storage: for each number the same in every element.
///
/// The tests of ranges are pairs: what is added to an element shifted left by one (so that its sign is gone), and what is then less, as a signed number, for all that
/// are outside.
pub const CONSTANTS: [[u64; 2]; 10] = [
    doubles(TOP.0),
    singles(TOP.1),
    doubles(TOP.0.wrapping_sub(LEAST.0)),
    doubles((INFINITE.0 - LEAST.0 - 1).wrapping_add(TOP.0)),
    singles(TOP.1.wrapping_sub(LEAST.1)),
    singles((INFINITE.1 - LEAST.1 - 1).wrapping_add(TOP.1)),
    doubles(TOP.0),
    doubles((INFINITE.0 - 1).wrapping_add(TOP.0)),
    singles(TOP.1),
    singles((INFINITE.1 - 1).wrapping_add(TOP.1)),
];
/// In [`CONSTANTS`]: sign bits of doubles.
pub const SIGN64: usize = 0;
/// In [`CONSTANTS`]: sign bits of singles.
pub const SIGN32: usize = 1;
/// In [`CONSTANTS`]: the range of normal numbers from [`LEAST_EXPONENT`] on; two more for singles.
pub const NORMAL: usize = 2;
/// In [`CONSTANTS`]: the range of everything finite; two more for singles.
pub const FINITE: usize = 6;
