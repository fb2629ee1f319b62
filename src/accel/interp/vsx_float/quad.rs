//! Quad precision (ISA 3.0 and 3.1): arithmetic and conversions on vector registers. The `o` forms (bit 31) round to odd.

use super::Extreme;
use super::extreme_as_c;
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
use crate::softfp::Integer;
use crate::softfp::Quad;
use crate::softfp::QuadToExtended;
use crate::softfp::Rounded;
use crate::softfp::Rounding;

const SIGN: u128 = 1 << 127;

/// The functions of this file (ISA I 7.6.3).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("xsabsqp",   |c, i| moved(c, i, |_, b| b & !SIGN)),
    ("xsnabsqp",  |c, i| moved(c, i, |_, b| b | SIGN)),
    ("xsnegqp",   |c, i| moved(c, i, |_, b| b ^ SIGN)),
    ("xscpsgnqp", |c, i| moved(c, i, |a, b| (a & SIGN) | (b & !SIGN))),
    ("xsaddqp",   |c, i| two(c, i, softfp::add::<Quad, Quad>)),
    ("xssubqp",   |c, i| two(c, i, softfp::sub::<Quad, Quad>)),
    ("xsmulqp",   |c, i| two(c, i, softfp::mul::<Quad, Quad>)),
    ("xsdivqp",   |c, i| two(c, i, softfp::div::<Quad, Quad>)),
    ("xssqrtqp",  |c, i| finish::<Quad>(c, i, softfp::sqrt::<Quad, Quad>(b(c, i), &env(c, i)), Vsr::new)),
    ("xsmaddqp",  |c, i| fused(c, i, Fused::Add)),
    ("xsmsubqp",  |c, i| fused(c, i, Fused::Sub)),
    ("xsnmaddqp", |c, i| fused(c, i, Fused::NegativeAdd)),
    ("xsnmsubqp", |c, i| fused(c, i, Fused::NegativeSub)),
    ("xsmaxcqp",  |c, i| chosen(c, i, Extreme::Larger)),
    ("xsmincqp",  |c, i| chosen(c, i, Extreme::Smaller)),
    ("xsrqpi",    |c, i| to_integral(c, i, Flags::INEXACT | Flags::ROUNDED_UP)),
    ("xsrqpix",   |c, i| to_integral(c, i, Flags::NONE)),
    ("xsrqpxp",   xsrqpxp),
    ("xscvqpdp",  |c, i| finish::<Double>(c, i, softfp::convert::<Quad, Double>(b(c, i), &env(c, i)), |v| Vsr([v, 0]))),
    ("xscvdpqp",  |c, i| finish::<Quad>(c, i, softfp::convert::<Double, Quad>(first(c, i), &fpscr::env(c)), Vsr::new)),
    ("xscvsdqp",  |c, i| finish::<Quad>(c, i, softfp::from_signed::<Quad>((first(c, i) as i64).into(), &fpscr::env(c)), Vsr::new)),
    ("xscvudqp",  |c, i| finish::<Quad>(c, i, softfp::from_unsigned::<Quad>(first(c, i).into(), &fpscr::env(c)), Vsr::new)),
    ("xscvsqqp",  |c, i| finish::<Quad>(c, i, softfp::from_signed::<Quad>(b(c, i) as i128, &fpscr::env(c)), Vsr::new)),
    ("xscvuqqp",  |c, i| finish::<Quad>(c, i, softfp::from_unsigned::<Quad>(b(c, i), &fpscr::env(c)), Vsr::new)),
    ("xscvqpsdz", |c, i| integer(c, i, Integer::I64)),
    ("xscvqpudz", |c, i| integer(c, i, Integer::U64)),
    ("xscvqpswz", |c, i| integer(c, i, Integer::I32)),
    ("xscvqpuwz", |c, i| integer(c, i, Integer::U32)),
    ("xscvqpsqz", |c, i| integer(c, i, Integer::I128)),
    ("xscvqpuqz", |c, i| integer(c, i, Integer::U128)),
];

fn a(c: &Core, i: Insn) -> u128 {
    c.vr(i.fra()).value()
}

fn b(c: &Core, i: Insn) -> u128 {
    c.vr(i.frb()).value()
}

/// Doubleword 0 of VRB.
fn first(c: &Core, i: Insn) -> u64 {
    c.vr(i.frb()).0[0]
}

/// FPSCR's environment, with the rounding that bit 31 asks for.
fn env(c: &Core, i: Insn) -> Env {
    if i.field(31, 31) != 0 { fpscr::env_with(c, Rounding::Odd) } else { fpscr::env(c) }
}

/// Sign manipulation.
fn moved(c: &mut Core, i: Insn, f: fn(u128, u128) -> u128) -> Step {
    let value = f(a(c, i), b(c, i));
    c.set_vr(i.frt(), Vsr::new(value));
    Ok(())
}

/// The end of every instruction whose result FPRF describes.
fn finish<D: Format>(c: &mut Core, i: Insn, result: Rounded<D::Bits>, place: fn(D::Bits) -> Vsr) -> Step {
    let verdict = fpscr::scalar::<D>(c, &result);
    if verdict.writes() {
        c.set_vr(i.frt(), place(result.value));
    }
    verdict.finish(c)
}

fn two(c: &mut Core, i: Insn, f: fn(u128, u128, &Env) -> Rounded<u128>) -> Step {
    let result = f(a(c, i), b(c, i), &env(c, i));
    finish::<Quad>(c, i, result, Vsr::new)
}

/// VRA * VRB ± VRT.
fn fused(c: &mut Core, i: Insn, form: Fused) -> Step {
    let result = softfp::fused::<Quad, Quad>(a(c, i), b(c, i), c.vr(i.frt()).value(), form, &env(c, i));
    finish::<Quad>(c, i, result, Vsr::new)
}

/// xsmaxcqp, xsmincqp: of FPSCR only VXSNAN is touched.
fn chosen(c: &mut Core, i: Insn, which: Extreme) -> Step {
    let result = extreme_as_c::<Quad>(a(c, i), b(c, i), which);
    let verdict = fpscr::vector(c, result.flags);
    if verdict.writes() {
        c.set_vr(i.frt(), Vsr::new(result.value));
    }
    verdict.finish(c)
}

/// The rounding that R (bit 15) and RMC (bits 21 and 22) select. R = 0 with RMC 1 or 2 is reserved.
fn selected(c: &Core, i: Insn) -> Rounding {
    match (i.field(15, 15), i.field(21, 22)) {
        (0, 0) => Rounding::NearestAway,
        (0, 3) => fpscr::env(c).rounding,
        (0, _) => Rounding::NearestEven,
        (_, rmc) => Rounding::from_rn(rmc.into()),
    }
}

/// xsrqpi[x]: rounds to an integral value; the x form reports inexactness.
fn to_integral(c: &mut Core, i: Insn, ignored: Flags) -> Step {
    let result = softfp::round_to_integral::<Quad>(b(c, i), selected(c, i));
    let result = Rounded { flags: result.flags.without(ignored), ..result };
    finish::<Quad>(c, i, result, Vsr::new)
}

/// xsrqpxp: rounds to the 64 significant bits of double-extended precision.
fn xsrqpxp(c: &mut Core, i: Insn) -> Step {
    let env = fpscr::env_with(c, selected(c, i));
    let result = softfp::convert::<Quad, QuadToExtended>(b(c, i), &env);
    finish::<Quad>(c, i, result, Vsr::new)
}

/// Rounds toward zero to an integer: doublewords and words, extended, in doubleword 0, quadwords in the whole register.
fn integer(c: &mut Core, i: Insn, to: Integer) -> Step {
    let result = softfp::to_integer::<Quad>(b(c, i), to, Rounding::TowardZero);
    let verdict = fpscr::integer_vsx(c, result.flags);
    if verdict.writes() {
        let value = match to {
            Integer::I128 | Integer::U128 => Vsr::new(result.value),
            Integer::I32 | Integer::U32 | Integer::I64 | Integer::U64 => Vsr([result.value as u64, 0]),
        };
        c.set_vr(i.frt(), value);
    }
    verdict.finish(c)
}
