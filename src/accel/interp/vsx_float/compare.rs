//! Comparisons, data-class tests, and the tests that come before software division and square root.

use super::Lane;
use super::a;
use super::b;
use super::is_nan;
use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::fpscr;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::isa::regs::Fpscr;
use crate::softfp;
use crate::softfp::Class;
use crate::softfp::Double;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Quad;
use crate::softfp::Relation;
use crate::softfp::Rounded;
use crate::softfp::Sign;
use crate::softfp::Signals;
use crate::softfp::Single;
use crate::softfp::SingleInDouble;
use crate::softfp::classify;
use crate::softfp::load_single;
use crate::softfp::store_single;

/// The functions of this file (ISA I 7.6.3).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("xscmpudp",   |c, i| to_cr(c, i, softfp::compare::<Double>(a(c, i), b(c, i), Signals::OnSignalling))),
    ("xscmpodp",   |c, i| to_cr(c, i, softfp::compare::<Double>(a(c, i), b(c, i), Signals::OnAny))),
    ("xscmpuqp",   |c, i| to_cr(c, i, softfp::compare::<Quad>(va(c, i), vb(c, i), Signals::OnSignalling))),
    ("xscmpoqp",   |c, i| to_cr(c, i, softfp::compare::<Quad>(va(c, i), vb(c, i), Signals::OnAny))),
    ("xscmpexpdp", |c, i| to_cr(c, i, exponents::<Double>(a(c, i), b(c, i)))),
    ("xscmpexpqp", |c, i| to_cr(c, i, exponents::<Quad>(va(c, i), vb(c, i)))),
    ("xscmpeqdp",  |c, i| mask_double(c, i, Test::Equal)),
    ("xscmpgtdp",  |c, i| mask_double(c, i, Test::Greater)),
    ("xscmpgedp",  |c, i| mask_double(c, i, Test::GreaterOrEqual)),
    ("xscmpeqqp",  |c, i| mask_quad(c, i, Test::Equal)),
    ("xscmpgtqp",  |c, i| mask_quad(c, i, Test::Greater)),
    ("xscmpgeqp",  |c, i| mask_quad(c, i, Test::GreaterOrEqual)),
    ("xvcmpeqdp",  |c, i| mask_each::<Double>(c, i, Test::Equal)),
    ("xvcmpgtdp",  |c, i| mask_each::<Double>(c, i, Test::Greater)),
    ("xvcmpgedp",  |c, i| mask_each::<Double>(c, i, Test::GreaterOrEqual)),
    ("xvcmpeqsp",  |c, i| mask_each::<Single>(c, i, Test::Equal)),
    ("xvcmpgtsp",  |c, i| mask_each::<Single>(c, i, Test::Greater)),
    ("xvcmpgesp",  |c, i| mask_each::<Single>(c, i, Test::GreaterOrEqual)),
    ("xstdivdp",   |c, i| tested(c, i, softfp::test_divide::<Double>(a(c, i), b(c, i)))),
    ("xstsqrtdp",  |c, i| tested(c, i, softfp::test_square_root::<Double>(b(c, i)))),
    ("xvtdivdp",   |c, i| tested(c, i, any::<Double>(c, i, softfp::test_divide::<Double>))),
    ("xvtdivsp",   |c, i| tested(c, i, any::<Single>(c, i, softfp::test_divide::<Single>))),
    ("xvtsqrtdp",  |c, i| tested(c, i, any::<Double>(c, i, |_, b| softfp::test_square_root::<Double>(b)))),
    ("xvtsqrtsp",  |c, i| tested(c, i, any::<Single>(c, i, |_, b| softfp::test_square_root::<Single>(b)))),
    ("xststdcdp",  |c, i| class_to_cr::<Double>(c, i, b(c, i), 0)),
    ("xststdcsp",  |c, i| class_to_cr::<SingleInDouble>(c, i, b(c, i), not_single(b(c, i)))),
    ("xststdcqp",  |c, i| class_to_cr::<Quad>(c, i, vb(c, i), 0)),
    ("xvtstdcdp",  class_each::<Double>),
    ("xvtstdcsp",  class_each::<Single>),
];

fn va(c: &Core, i: Insn) -> u128 {
    c.vr(i.fra()).value()
}

fn vb(c: &Core, i: Insn) -> u128 {
    c.vr(i.frb()).value()
}

/// A relation into a CR field and FPCC.
fn to_cr(c: &mut Core, i: Insn, result: Rounded<Relation>) -> Step {
    c.set_cr(i.bf(), result.value as u8);
    fpscr::comparison(c, result).finish(c)
}

/// Compares exponent fields; NaNs are unordered, and nothing is an exception.
fn exponents<F: Format>(a: F::Bits, b: F::Bits) -> Rounded<Relation> {
    if is_nan::<F>(a) || is_nan::<F>(b) {
        return Rounded::exact(Relation::Unordered);
    }
    let exponent = |x| (F::widen(x) >> F::FRACTION_BITS) & ((1 << F::EXPONENT_BITS) - 1);
    Rounded::exact(match exponent(a).cmp(&exponent(b)) {
        std::cmp::Ordering::Less => Relation::Less,
        std::cmp::Ordering::Equal => Relation::Equal,
        std::cmp::Ordering::Greater => Relation::Greater,
    })
}

/// What an instruction that makes a mask asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
}

impl Test {
    /// The answer; only the tests of order object to quiet NaNs, and an enabled VXSNAN hides VXVC.
    fn ask<F: Format>(self, a: F::Bits, b: F::Bits, fpscr: Fpscr) -> Rounded<bool> {
        let signals = if self == Test::Equal { Signals::OnSignalling } else { Signals::OnAny };
        let result = softfp::compare::<F>(a, b, signals);
        let hidden = Flags::VXVC & (result.flags.has(Flags::VXSNAN) && fpscr.has(Fpscr::VE));
        let value = match self {
            Test::Equal => result.value == Relation::Equal,
            Test::Greater => result.value == Relation::Greater,
            Test::GreaterOrEqual => matches!(result.value, Relation::Greater | Relation::Equal),
        };
        Rounded { value, flags: result.flags.without(hidden) }
    }
}

fn mask_double(c: &mut Core, i: Insn, test: Test) -> Step {
    let result = test.ask::<Double>(a(c, i), b(c, i), c.fpscr);
    let verdict = fpscr::vector(c, result.flags);
    if verdict.writes() {
        c.vsr[i.xt()] = Vsr([if result.value { u64::MAX } else { 0 }, 0]);
    }
    verdict.finish(c)
}

fn mask_quad(c: &mut Core, i: Insn, test: Test) -> Step {
    let result = test.ask::<Quad>(va(c, i), vb(c, i), c.fpscr);
    let verdict = fpscr::vector(c, result.flags);
    if verdict.writes() {
        c.set_vr(i.frt(), Vsr::new(if result.value { u128::MAX } else { 0 }));
    }
    verdict.finish(c)
}

/// xvcmp…: a mask for each element; with Rc (bit 21) CR6 tells "all" and "none", from the mask even if an exception keeps the target.
fn mask_each<F: Lane>(c: &mut Core, i: Insn, test: Test) -> Step {
    let (a, b) = (c.vsr[i.xa()], c.vsr[i.xb()]);
    let (mut mask, mut flags) = (Vsr::default(), Flags::NONE);
    for k in 0..F::COUNT {
        let result = test.ask::<F>(F::get(a, k), F::get(b, k), c.fpscr);
        flags |= result.flags;
        if result.value {
            F::put(&mut mask, k, F::narrow(u128::MAX));
        }
    }
    let verdict = fpscr::vector(c, flags);
    if verdict.writes() {
        c.vsr[i.xt()] = mask;
    }
    if i.field(21, 21) != 0 {
        c.set_cr(
            6,
            match mask.value() {
                0 => 2,
                u128::MAX => 8,
                _ => 0,
            },
        );
    }
    verdict.finish(c)
}

/// A test's four bits into a CR field; FPSCR is untouched.
fn tested(c: &mut Core, i: Insn, field: u8) -> Step {
    c.set_cr(i.bf(), field);
    Ok(())
}

/// The union of the tests of all elements.
fn any<F: Lane>(c: &Core, i: Insn, f: fn(F::Bits, F::Bits) -> u8) -> u8 {
    let (a, b) = (c.vsr[i.xa()], c.vsr[i.xb()]);
    (0..F::COUNT).fold(0, |bits, k| bits | f(F::get(a, k), F::get(b, k)))
}

/// The bit of a data class mask (DCMX) that selects some bits' class; none for normal numbers.
fn class_bit<F: Format>(bits: F::Bits) -> u32 {
    match classify::<F>(bits) {
        (_, Class::QuietNan | Class::SignallingNan) => 0x40,
        (Sign::Positive, Class::Infinity) => 0x20,
        (Sign::Negative, Class::Infinity) => 0x10,
        (Sign::Positive, Class::Zero) => 8,
        (Sign::Negative, Class::Zero) => 4,
        (Sign::Positive, Class::Denormal) => 2,
        (Sign::Negative, Class::Denormal) => 1,
        (_, Class::Normal) => 0,
    }
}

/// Bit 3 of xststdcsp's answer: the double is not the image of any single.
fn not_single(bits: u64) -> u8 {
    u8::from(load_single(store_single(bits)) != bits)
}

/// xststdc…: sign, 0, match and `last` into a CR field and FPCC.
fn class_to_cr<F: Format>(c: &mut Core, i: Insn, bits: F::Bits, last: u8) -> Step {
    let sign = if classify::<F>(bits).0 == Sign::Negative { 8 } else { 0 };
    let matches = if class_bit::<F>(bits) & i.field(9, 15) != 0 { 2 } else { 0 };
    let field = sign | matches | last;
    c.set_cr(i.bf(), field);
    c.fpscr.0 = (c.fpscr.0 & !fpscr::FPCC) | (u64::from(field) << 12);
    Ok(())
}

/// xvtstdcdp, xvtstdcsp: a mask for each element. The class mask is split: dc (bit 25), dm (bit 29), dx (bits 11 to 15).
fn class_each<F: Lane>(c: &mut Core, i: Insn) -> Step {
    let wanted = (i.field(25, 25) << 6) | (i.field(29, 29) << 5) | i.field(11, 15);
    let b = c.vsr[i.xb()];
    let mut mask = Vsr::default();
    for k in (0..F::COUNT).filter(|k| class_bit::<F>(F::get(b, *k)) & wanted != 0) {
        F::put(&mut mask, k, F::narrow(u128::MAX));
    }
    c.vsr[i.xt()] = mask;
    Ok(())
}
