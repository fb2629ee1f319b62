//! Comparisons and tests of decimal numbers: into a CR field and FPCC.

use super::get;
use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::fpscr;
use crate::isa::Insn;
use crate::softfp::Class;
use crate::softfp::Sign;
use crate::softfp::Signals;
use crate::softfp::decimal;
use crate::softfp::decimal::Datum;
use crate::softfp::decimal::EXTENDED;
use crate::softfp::decimal::Kind;
use crate::softfp::decimal::LONG;
use crate::softfp::decimal::Layout;
use std::cmp::Ordering;

/// The functions of this file (ISA I 5.6.2, 5.6.3).
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("dcmpu",    |c, i| compare(c, i, &LONG, Signals::OnSignalling)),
    ("dcmpuq",   |c, i| compare(c, i, &EXTENDED, Signals::OnSignalling)),
    ("dcmpo",    |c, i| compare(c, i, &LONG, Signals::OnAny)),
    ("dcmpoq",   |c, i| compare(c, i, &EXTENDED, Signals::OnAny)),
    ("dtstdc",   |c, i| matched(c, i, &LONG, class_bit)),
    ("dtstdcq",  |c, i| matched(c, i, &EXTENDED, class_bit)),
    ("dtstdg",   |c, i| matched(c, i, &LONG, group_bit)),
    ("dtstdgq",  |c, i| matched(c, i, &EXTENDED, group_bit)),
    ("dtstex",   |c, i| exponents(c, i, &LONG)),
    ("dtstexq",  |c, i| exponents(c, i, &EXTENDED)),
    ("dtstsf",   |c, i| { let wanted = c.fpr(i.fra()) & 0x3f; significance(c, i, &LONG, wanted) }),
    ("dtstsfq",  |c, i| { let wanted = c.fpr(i.fra()) & 0x3f; significance(c, i, &EXTENDED, wanted) }),
    ("dtstsfi",  |c, i| significance(c, i, &LONG, i.field(10, 15).into())),
    ("dtstsfiq", |c, i| significance(c, i, &EXTENDED, i.field(10, 15).into())),
];

fn compare(c: &mut Core, i: Insn, layout: &Layout, signals: Signals) -> Step {
    let result = decimal::compare(&get(c, layout, i.fra()), &get(c, layout, i.frb()), signals);
    c.set_cr(i.bf(), result.value as u8);
    fpscr::comparison(c, result).finish(c)
}

/// Four bits into the CR field and FPCC.
fn answer(c: &mut Core, i: Insn, field: u8) -> Step {
    c.set_cr(i.bf(), field);
    c.fpscr.0 = (c.fpscr.0 & !fpscr::FPCC) | (u64::from(field) << 12);
    Ok(())
}

/// The bit of the data class mask that selects an operand.
fn class_bit(d: &Datum, layout: &Layout) -> u32 {
    match d.class(layout) {
        Class::Zero => 0x20,
        Class::Denormal => 0x10,
        Class::Normal => 8,
        Class::Infinity => 4,
        Class::QuietNan => 2,
        Class::SignallingNan => 1,
    }
}

/// The bit of the data group mask: by kind, whether the exponent is the smallest or largest, and whether the first digit is zero.
fn group_bit(d: &Datum, layout: &Layout) -> u32 {
    let extreme = d.exponent == layout.lowest() || d.exponent == layout.highest();
    match (d.class(layout), extreme) {
        (Class::Zero, false) => 0x20,
        (Class::Zero, true) => 0x10,
        (Class::Denormal, _) | (Class::Normal, true) => 8,
        (Class::Normal, false) if d.digits() < layout.digits => 4,
        (Class::Normal, false) => 2,
        (Class::Infinity | Class::QuietNan | Class::SignallingNan, _) => 1,
    }
}

/// dtstdc, dtstdg: the sign and whether the mask selects FRA.
fn matched(c: &mut Core, i: Insn, layout: &Layout, bit: fn(&Datum, &Layout) -> u32) -> Step {
    let a = get(c, layout, i.fra());
    let matches = if bit(&a, layout) & i.field(16, 21) != 0 { 2 } else { 0 };
    answer(c, i, matches | if a.sign == Sign::Negative { 8 } else { 0 })
}

/// dtstex: compares exponents; specials are equal to their like and unordered with anything else.
fn exponents(c: &mut Core, i: Insn, layout: &Layout) -> Step {
    let (a, b) = (get(c, layout, i.fra()), get(c, layout, i.frb()));
    let both = |f: fn(&Datum) -> bool| f(&a) && f(&b);
    let field = if both(Datum::is_nan) || both(|d| d.kind == Kind::Infinity) {
        2
    } else if !both(|d| d.kind == Kind::Finite) {
        1
    } else {
        order(a.exponent.cmp(&b.exponent))
    };
    answer(c, i, field)
}

/// A CR field's bit for an ordering.
fn order(o: Ordering) -> u8 {
    match o {
        Ordering::Less => 8,
        Ordering::Greater => 4,
        Ordering::Equal => 2,
    }
}

/// dtstsf: compares a wanted number of digits with FRB's; wanting none counts as more than any.
fn significance(c: &mut Core, i: Insn, layout: &Layout, wanted: u64) -> Step {
    let b = get(c, layout, i.frb());
    let field = match (b.kind, wanted) {
        (Kind::Finite, 0) => 4,
        (Kind::Finite, _) => order((wanted as i32).cmp(&b.digits())),
        _ => 1,
    };
    answer(c, i, field)
}
