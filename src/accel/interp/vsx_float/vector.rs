//! Vector VSX arithmetic: the same on every element, exceptions of all elements together.

use super::Extreme;
use super::Lane;
use super::extreme;
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
use crate::softfp::Fused;
use crate::softfp::Rounded;
use crate::softfp::Rounding;
use crate::softfp::Single;

const SIGN: u64 = 1 << 63;
const SIGN32: u32 = 1 << 31;

/// The functions of this file (ISA I 7.6.3).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("xvabsdp",     |c, i| moved::<Double>(c, i, |_, b| b & !SIGN)),
    ("xvnabsdp",    |c, i| moved::<Double>(c, i, |_, b| b | SIGN)),
    ("xvnegdp",     |c, i| moved::<Double>(c, i, |_, b| b ^ SIGN)),
    ("xvcpsgndp",   |c, i| moved::<Double>(c, i, |a, b| (a & SIGN) | (b & !SIGN))),
    ("xvadddp",     |c, i| two::<Double>(c, i, softfp::add::<Double, Double>)),
    ("xvsubdp",     |c, i| two::<Double>(c, i, softfp::sub::<Double, Double>)),
    ("xvmuldp",     |c, i| two::<Double>(c, i, softfp::mul::<Double, Double>)),
    ("xvdivdp",     |c, i| two::<Double>(c, i, softfp::div::<Double, Double>)),
    ("xvsqrtdp",    |c, i| one::<Double>(c, i, softfp::sqrt::<Double, Double>)),
    ("xvredp",      |c, i| one::<Double>(c, i, softfp::reciprocal::<Double, Double>)),
    ("xvrsqrtedp",  |c, i| one::<Double>(c, i, softfp::reciprocal_square_root::<Double, Double>)),
    ("xvmaddadp",   |c, i| fused_a::<Double>(c, i, Fused::Add)),
    ("xvmaddmdp",   |c, i| fused_m::<Double>(c, i, Fused::Add)),
    ("xvmsubadp",   |c, i| fused_a::<Double>(c, i, Fused::Sub)),
    ("xvmsubmdp",   |c, i| fused_m::<Double>(c, i, Fused::Sub)),
    ("xvnmaddadp",  |c, i| fused_a::<Double>(c, i, Fused::NegativeAdd)),
    ("xvnmaddmdp",  |c, i| fused_m::<Double>(c, i, Fused::NegativeAdd)),
    ("xvnmsubadp",  |c, i| fused_a::<Double>(c, i, Fused::NegativeSub)),
    ("xvnmsubmdp",  |c, i| fused_m::<Double>(c, i, Fused::NegativeSub)),
    ("xvrdpi",      |c, i| to_integral::<Double>(c, i, Rounding::NearestAway)),
    ("xvrdpim",     |c, i| to_integral::<Double>(c, i, Rounding::Down)),
    ("xvrdpip",     |c, i| to_integral::<Double>(c, i, Rounding::Up)),
    ("xvrdpiz",     |c, i| to_integral::<Double>(c, i, Rounding::TowardZero)),
    ("xvrdpic",     |c, i| one::<Double>(c, i, |b, env| softfp::round_to_integral::<Double>(b, env.rounding))),
    ("xvmaxdp",     |c, i| two::<Double>(c, i, |a, b, _| extreme::<Double>(a, b, Extreme::Larger))),
    ("xvmindp",     |c, i| two::<Double>(c, i, |a, b, _| extreme::<Double>(a, b, Extreme::Smaller))),
    ("xvabssp",     |c, i| moved::<Single>(c, i, |_, b| b & !SIGN32)),
    ("xvnabssp",    |c, i| moved::<Single>(c, i, |_, b| b | SIGN32)),
    ("xvnegsp",     |c, i| moved::<Single>(c, i, |_, b| b ^ SIGN32)),
    ("xvcpsgnsp",   |c, i| moved::<Single>(c, i, |a, b| (a & SIGN32) | (b & !SIGN32))),
    ("xvaddsp",     |c, i| two::<Single>(c, i, softfp::add::<Single, Single>)),
    ("xvsubsp",     |c, i| two::<Single>(c, i, softfp::sub::<Single, Single>)),
    ("xvmulsp",     |c, i| two::<Single>(c, i, softfp::mul::<Single, Single>)),
    ("xvdivsp",     |c, i| two::<Single>(c, i, softfp::div::<Single, Single>)),
    ("xvsqrtsp",    |c, i| one::<Single>(c, i, softfp::sqrt::<Single, Single>)),
    ("xvresp",      |c, i| one::<Single>(c, i, softfp::reciprocal::<Single, Single>)),
    ("xvrsqrtesp",  |c, i| one::<Single>(c, i, softfp::reciprocal_square_root::<Single, Single>)),
    ("xvmaddasp",   |c, i| fused_a::<Single>(c, i, Fused::Add)),
    ("xvmaddmsp",   |c, i| fused_m::<Single>(c, i, Fused::Add)),
    ("xvmsubasp",   |c, i| fused_a::<Single>(c, i, Fused::Sub)),
    ("xvmsubmsp",   |c, i| fused_m::<Single>(c, i, Fused::Sub)),
    ("xvnmaddasp",  |c, i| fused_a::<Single>(c, i, Fused::NegativeAdd)),
    ("xvnmaddmsp",  |c, i| fused_m::<Single>(c, i, Fused::NegativeAdd)),
    ("xvnmsubasp",  |c, i| fused_a::<Single>(c, i, Fused::NegativeSub)),
    ("xvnmsubmsp",  |c, i| fused_m::<Single>(c, i, Fused::NegativeSub)),
    ("xvrspi",      |c, i| to_integral::<Single>(c, i, Rounding::NearestAway)),
    ("xvrspim",     |c, i| to_integral::<Single>(c, i, Rounding::Down)),
    ("xvrspip",     |c, i| to_integral::<Single>(c, i, Rounding::Up)),
    ("xvrspiz",     |c, i| to_integral::<Single>(c, i, Rounding::TowardZero)),
    ("xvrspic",     |c, i| one::<Single>(c, i, |b, env| softfp::round_to_integral::<Single>(b, env.rounding))),
    ("xvmaxsp",     |c, i| two::<Single>(c, i, |a, b, _| extreme::<Single>(a, b, Extreme::Larger))),
    ("xvminsp",     |c, i| two::<Single>(c, i, |a, b, _| extreme::<Single>(a, b, Extreme::Smaller))),
];

/// The end of every vector instruction: exceptions, and the target unless one of them is enabled.
#[inline]
pub(super) fn finish(c: &mut Core, i: Insn, value: Vsr, flags: Flags) -> Step {
    let verdict = fpscr::vector(c, flags);
    if verdict.writes() {
        c.vsr[i.xt()] = value;
    }
    verdict.finish(c)
}

/// Element by element; exceptions are collected.
#[inline(always)]
fn each<F: Lane>(c: &mut Core, i: Insn, f: impl Fn(usize) -> Rounded<F::Bits>) -> Step {
    let (mut value, mut flags) = (Vsr::default(), Flags::NONE);
    for k in 0..F::COUNT {
        let result = f(k);
        F::put(&mut value, k, result.value);
        flags |= result.flags;
    }
    finish(c, i, value, flags)
}

/// Sign manipulation: FPSCR is neither read nor written.
#[inline(always)]
fn moved<F: Lane>(c: &mut Core, i: Insn, f: fn(F::Bits, F::Bits) -> F::Bits) -> Step {
    two::<F>(c, i, |a, b, _| Rounded::exact(f(a, b)))
}

#[inline(always)]
fn one<F: Lane>(c: &mut Core, i: Insn, f: impl Fn(F::Bits, &Env) -> Rounded<F::Bits>) -> Step {
    let (b, env) = (c.vsr[i.xb()], fpscr::env(c));
    each::<F>(c, i, |k| f(F::get(b, k), &env))
}

#[inline(always)]
fn two<F: Lane>(c: &mut Core, i: Insn, f: impl Fn(F::Bits, F::Bits, &Env) -> Rounded<F::Bits>) -> Step {
    let (a, b, env) = (c.vsr[i.xa()], c.vsr[i.xb()], fpscr::env(c));
    each::<F>(c, i, |k| f(F::get(a, k), F::get(b, k), &env))
}

/// The A forms: XT is the addend, XA * XB ± XT.
fn fused_a<F: Lane>(c: &mut Core, i: Insn, form: Fused) -> Step {
    fused::<F>(c, i, c.vsr[i.xb()], c.vsr[i.xt()], form)
}

/// The M forms: XT is a factor, XA * XT ± XB.
fn fused_m<F: Lane>(c: &mut Core, i: Insn, form: Fused) -> Step {
    fused::<F>(c, i, c.vsr[i.xt()], c.vsr[i.xb()], form)
}

fn fused<F: Lane>(c: &mut Core, i: Insn, factor: Vsr, addend: Vsr, form: Fused) -> Step {
    let (a, env) = (c.vsr[i.xa()], fpscr::env(c));
    each::<F>(c, i, |k| softfp::fused::<F, F>(F::get(a, k), F::get(factor, k), F::get(addend, k), form, &env))
}

/// Rounding to integral values by a fixed mode, which is never inexact for FPSCR.
fn to_integral<F: Lane>(c: &mut Core, i: Insn, rounding: Rounding) -> Step {
    one::<F>(c, i, |b, _| {
        let result = softfp::round_to_integral::<F>(b, rounding);
        Rounded { flags: result.flags.without(Flags::INEXACT | Flags::ROUNDED_UP), ..result }
    })
}
