//! Exponents and significands taken out of numbers and put into them; FPSCR is never involved.

use super::Lane;
use super::b;
use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::softfp::Double;
use crate::softfp::Format;
use crate::softfp::Quad;
use crate::softfp::Single;

/// The functions of this file (ISA I 7.6.3).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("xsxexpdp", |c, i| to_gpr(c, i, exponent::<Double>)),
    ("xsxsigdp", |c, i| to_gpr(c, i, significand::<Double>)),
    ("xsiexpdp", xsiexpdp),
    ("xsxexpqp", xsxexpqp),
    ("xsxsigqp", xsxsigqp),
    ("xsiexpqp", xsiexpqp),
    ("xvxexpdp", |c, i| each::<Double>(c, i, |_, b| exponent::<Double>(b))),
    ("xvxexpsp", |c, i| each::<Single>(c, i, |_, b| exponent::<Single>(b))),
    ("xvxsigdp", |c, i| each::<Double>(c, i, |_, b| significand::<Double>(b))),
    ("xvxsigsp", |c, i| each::<Single>(c, i, |_, b| significand::<Single>(b))),
    ("xviexpdp", |c, i| each::<Double>(c, i, |a, b| combined::<Double>(a.into(), b.into()))),
    ("xviexpsp", |c, i| each::<Single>(c, i, |a, b| combined::<Single>(a.into(), b.into()))),
];

const fn exponent_mask<F: Format>() -> u128 {
    (1 << F::EXPONENT_BITS) - 1
}

fn exponent<F: Format>(bits: F::Bits) -> u128 {
    (F::widen(bits) >> F::FRACTION_BITS) & exponent_mask::<F>()
}

/// The fraction with its implicit bit, which is 0 for zeros, denormals, infinities and NaNs.
fn significand<F: Format>(bits: F::Bits) -> u128 {
    let e = exponent::<F>(bits);
    let implicit = u128::from(e != 0 && e != exponent_mask::<F>());
    (implicit << F::FRACTION_BITS) | (F::widen(bits) & ((1 << F::FRACTION_BITS) - 1))
}

/// Sign and fraction of `number` with another exponent field.
fn combined<F: Format>(number: u128, exponent: u128) -> u128 {
    let field = exponent_mask::<F>() << F::FRACTION_BITS;
    (number & !field) | ((exponent << F::FRACTION_BITS) & field)
}

fn to_gpr(c: &mut Core, i: Insn, f: fn(u64) -> u128) -> Step {
    c.gpr[i.rt()] = f(b(c, i)) as u64;
    Ok(())
}

/// xsiexpdp: a double from sign and fraction in RA and exponent in RB.
fn xsiexpdp(c: &mut Core, i: Insn) -> Step {
    let value = combined::<Double>(c.gpr[i.ra()].into(), c.gpr[i.rb()].into());
    c.vsr[i.xt()] = Vsr([value as u64, 0]);
    Ok(())
}

/// xsxexpqp: the exponent goes to doubleword 0.
fn xsxexpqp(c: &mut Core, i: Insn) -> Step {
    let value = exponent::<Quad>(c.vr(i.frb()).value());
    c.set_vr(i.frt(), Vsr([value as u64, 0]));
    Ok(())
}

/// xsxsigqp: the significand fills the register.
fn xsxsigqp(c: &mut Core, i: Insn) -> Step {
    let value = significand::<Quad>(c.vr(i.frb()).value());
    c.set_vr(i.frt(), Vsr::new(value));
    Ok(())
}

/// xsiexpqp: a quad from sign and fraction in VRA and the exponent in doubleword 0 of VRB.
fn xsiexpqp(c: &mut Core, i: Insn) -> Step {
    let value = combined::<Quad>(c.vr(i.fra()).value(), c.vr(i.frb()).0[0].into());
    c.set_vr(i.frt(), Vsr::new(value));
    Ok(())
}

fn each<F: Lane>(c: &mut Core, i: Insn, f: fn(F::Bits, F::Bits) -> u128) -> Step {
    let (a, b) = (c.vsr[i.xa()], c.vsr[i.xb()]);
    let mut value = Vsr::default();
    for k in 0..F::COUNT {
        F::put(&mut value, k, F::narrow(f(F::get(a, k), F::get(b, k))));
    }
    c.vsr[i.xt()] = value;
    Ok(())
}
