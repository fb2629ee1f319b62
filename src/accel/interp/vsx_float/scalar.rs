//! Scalar VSX arithmetic in double and single precision: doubleword 0 of the operands to doubleword 0 of the target.

use super::Extreme;
use super::a;
use super::b;
use super::extreme;
use super::extreme_as_c;
use super::extreme_as_java;
use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::fpscr;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::softfp;
use crate::softfp::Double;
use crate::softfp::Env;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Fused;
use crate::softfp::Rounded;
use crate::softfp::Rounding;
use crate::softfp::SingleInDouble;

const SIGN: u64 = 1 << 63;

/// The functions of this file (ISA I 7.6.3).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("xsabsdp",    |c, i| moved(c, i, |_, b| b & !SIGN)),
    ("xsnabsdp",   |c, i| moved(c, i, |_, b| b | SIGN)),
    ("xsnegdp",    |c, i| moved(c, i, |_, b| b ^ SIGN)),
    ("xscpsgndp",  |c, i| moved(c, i, |a, b| (a & SIGN) | (b & !SIGN))),
    ("xsadddp",    |c, i| two::<Double>(c, i, softfp::add::<Double, Double>)),
    ("xsaddsp",    |c, i| two::<SingleInDouble>(c, i, softfp::add::<Double, SingleInDouble>)),
    ("xssubdp",    |c, i| two::<Double>(c, i, softfp::sub::<Double, Double>)),
    ("xssubsp",    |c, i| two::<SingleInDouble>(c, i, softfp::sub::<Double, SingleInDouble>)),
    ("xsmuldp",    |c, i| two::<Double>(c, i, softfp::mul::<Double, Double>)),
    ("xsmulsp",    |c, i| two::<SingleInDouble>(c, i, softfp::mul::<Double, SingleInDouble>)),
    ("xsdivdp",    |c, i| two::<Double>(c, i, softfp::div::<Double, Double>)),
    ("xsdivsp",    |c, i| two::<SingleInDouble>(c, i, softfp::div::<Double, SingleInDouble>)),
    ("xssqrtdp",   |c, i| one::<Double>(c, i, softfp::sqrt::<Double, Double>)),
    ("xssqrtsp",   |c, i| one::<SingleInDouble>(c, i, softfp::sqrt::<Double, SingleInDouble>)),
    ("xsredp",     |c, i| one::<Double>(c, i, softfp::reciprocal::<Double, Double>)),
    ("xsresp",     |c, i| one::<SingleInDouble>(c, i, softfp::reciprocal::<Double, SingleInDouble>)),
    ("xsrsqrtedp", |c, i| one::<Double>(c, i, softfp::reciprocal_square_root::<Double, Double>)),
    ("xsrsqrtesp", |c, i| one::<SingleInDouble>(c, i, softfp::reciprocal_square_root::<Double, SingleInDouble>)),
    ("xsrsp",      |c, i| one::<SingleInDouble>(c, i, softfp::convert::<Double, SingleInDouble>)),
    ("xsmaddadp",  |c, i| fused_a::<Double>(c, i, Fused::Add)),
    ("xsmaddmdp",  |c, i| fused_m::<Double>(c, i, Fused::Add)),
    ("xsmsubadp",  |c, i| fused_a::<Double>(c, i, Fused::Sub)),
    ("xsmsubmdp",  |c, i| fused_m::<Double>(c, i, Fused::Sub)),
    ("xsnmaddadp", |c, i| fused_a::<Double>(c, i, Fused::NegativeAdd)),
    ("xsnmaddmdp", |c, i| fused_m::<Double>(c, i, Fused::NegativeAdd)),
    ("xsnmsubadp", |c, i| fused_a::<Double>(c, i, Fused::NegativeSub)),
    ("xsnmsubmdp", |c, i| fused_m::<Double>(c, i, Fused::NegativeSub)),
    ("xsmaddasp",  |c, i| fused_a::<SingleInDouble>(c, i, Fused::Add)),
    ("xsmaddmsp",  |c, i| fused_m::<SingleInDouble>(c, i, Fused::Add)),
    ("xsmsubasp",  |c, i| fused_a::<SingleInDouble>(c, i, Fused::Sub)),
    ("xsmsubmsp",  |c, i| fused_m::<SingleInDouble>(c, i, Fused::Sub)),
    ("xsnmaddasp", |c, i| fused_a::<SingleInDouble>(c, i, Fused::NegativeAdd)),
    ("xsnmaddmsp", |c, i| fused_m::<SingleInDouble>(c, i, Fused::NegativeAdd)),
    ("xsnmsubasp", |c, i| fused_a::<SingleInDouble>(c, i, Fused::NegativeSub)),
    ("xsnmsubmsp", |c, i| fused_m::<SingleInDouble>(c, i, Fused::NegativeSub)),
    ("xsrdpi",     |c, i| to_integral(c, i, Rounding::NearestAway)),
    ("xsrdpim",    |c, i| to_integral(c, i, Rounding::Down)),
    ("xsrdpip",    |c, i| to_integral(c, i, Rounding::Up)),
    ("xsrdpiz",    |c, i| to_integral(c, i, Rounding::TowardZero)),
    ("xsrdpic",    |c, i| one::<Double>(c, i, |b, env| softfp::round_to_integral::<Double>(b, env.rounding))),
    ("xsmaxdp",    |c, i| chosen(c, i, |a, b| extreme::<Double>(a, b, Extreme::Larger))),
    ("xsmindp",    |c, i| chosen(c, i, |a, b| extreme::<Double>(a, b, Extreme::Smaller))),
    ("xsmaxcdp",   |c, i| chosen(c, i, |a, b| extreme_as_c::<Double>(a, b, Extreme::Larger))),
    ("xsmincdp",   |c, i| chosen(c, i, |a, b| extreme_as_c::<Double>(a, b, Extreme::Smaller))),
    ("xsmaxjdp",   |c, i| chosen(c, i, |a, b| extreme_as_java(a, b, Extreme::Larger))),
    ("xsminjdp",   |c, i| chosen(c, i, |a, b| extreme_as_java(a, b, Extreme::Smaller))),
];

/// Sign manipulation: FPSCR is neither read nor written.
#[inline(always)]
fn moved(c: &mut Core, i: Insn, f: fn(u64, u64) -> u64) -> Step {
    c.vsr[i.xt()] = Vsr([f(a(c, i), b(c, i)), 0]);
    Ok(())
}

/// The end of every instruction whose result FPRF describes.
#[inline]
fn finish<D: Format<Bits = u64>>(c: &mut Core, i: Insn, result: Rounded<u64>) -> Step {
    let verdict = fpscr::scalar::<D>(c, &result);
    if verdict.writes() {
        c.vsr[i.xt()] = Vsr([result.value, 0]);
    }
    verdict.finish(c)
}

#[inline(always)]
fn one<D: Format<Bits = u64>>(c: &mut Core, i: Insn, f: impl Fn(u64, &Env) -> Rounded<u64>) -> Step {
    let result = f(b(c, i), &fpscr::env(c));
    finish::<D>(c, i, result)
}

#[inline(always)]
fn two<D: Format<Bits = u64>>(c: &mut Core, i: Insn, f: impl Fn(u64, u64, &Env) -> Rounded<u64>) -> Step {
    let result = f(a(c, i), b(c, i), &fpscr::env(c));
    finish::<D>(c, i, result)
}

/// The A forms: XT is the addend, XA * XB ± XT.
fn fused_a<D: Format<Bits = u64>>(c: &mut Core, i: Insn, form: Fused) -> Step {
    let result = softfp::fused::<Double, D>(a(c, i), b(c, i), c.vsr[i.xt()].0[0], form, &fpscr::env(c));
    finish::<D>(c, i, result)
}

/// The M forms: XT is a factor, XA * XT ± XB.
fn fused_m<D: Format<Bits = u64>>(c: &mut Core, i: Insn, form: Fused) -> Step {
    let result = softfp::fused::<Double, D>(a(c, i), c.vsr[i.xt()].0[0], b(c, i), form, &fpscr::env(c));
    finish::<D>(c, i, result)
}

/// Rounding to an integral value by a fixed mode, which is never inexact for FPSCR.
fn to_integral(c: &mut Core, i: Insn, rounding: Rounding) -> Step {
    let mut result = softfp::round_to_integral::<Double>(b(c, i), rounding);
    result.flags = result.flags.without(Flags::INEXACT | Flags::ROUNDED_UP);
    finish::<Double>(c, i, result)
}

/// Maximum and minimum: of FPSCR only VXSNAN is touched.
fn chosen(c: &mut Core, i: Insn, f: fn(u64, u64) -> Rounded<u64>) -> Step {
    let result = f(a(c, i), b(c, i));
    let verdict = fpscr::vector(c, result.flags);
    if verdict.writes() {
        c.vsr[i.xt()] = Vsr([result.value, 0]);
    }
    verdict.finish(c)
}
