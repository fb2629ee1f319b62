//! Integer compares (ISA I 6.9). Record forms set CR6: bit 0 all elements true, bit 2 none.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::binary;
use crate::cpu::state::EQ;
use crate::cpu::state::GT;
use crate::cpu::state::LT;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use std::cmp::Ordering;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vcmpequb", |c, i| compare(c, i, |a: u8, b| a == b)),
    ("vcmpequh", |c, i| compare(c, i, |a: u16, b| a == b)),
    ("vcmpequw", |c, i| compare(c, i, |a: u32, b| a == b)),
    ("vcmpequd", |c, i| compare(c, i, |a: u64, b| a == b)),
    ("vcmpequq", |c, i| compare(c, i, |a: u128, b| a == b)),
    ("vcmpgtub", |c, i| compare(c, i, |a: u8, b| a > b)),
    ("vcmpgtuh", |c, i| compare(c, i, |a: u16, b| a > b)),
    ("vcmpgtuw", |c, i| compare(c, i, |a: u32, b| a > b)),
    ("vcmpgtud", |c, i| compare(c, i, |a: u64, b| a > b)),
    ("vcmpgtuq", |c, i| compare(c, i, |a: u128, b| a > b)),
    ("vcmpgtsb", |c, i| compare(c, i, |a: i8, b| a > b)),
    ("vcmpgtsh", |c, i| compare(c, i, |a: i16, b| a > b)),
    ("vcmpgtsw", |c, i| compare(c, i, |a: i32, b| a > b)),
    ("vcmpgtsd", |c, i| compare(c, i, |a: i64, b| a > b)),
    ("vcmpgtsq", |c, i| compare(c, i, |a: i128, b| a > b)),
    ("vcmpneb", |c, i| compare(c, i, |a: u8, b| a != b)),
    ("vcmpneh", |c, i| compare(c, i, |a: u16, b| a != b)),
    ("vcmpnew", |c, i| compare(c, i, |a: u32, b| a != b)),
    ("vcmpnezb", |c, i| compare(c, i, |a: u8, b| a != b || a == 0 || b == 0)),
    ("vcmpnezh", |c, i| compare(c, i, |a: u16, b| a != b || a == 0 || b == 0)),
    ("vcmpnezw", |c, i| compare(c, i, |a: u32, b| a != b || a == 0 || b == 0)),
    ("vcmpuq", |c, i| { let o = c.vr(i.fra()).value().cmp(&c.vr(i.frb()).value()); field(c, i, o) }),
    ("vcmpsq", |c, i| { let o = (c.vr(i.fra()).value() as i128).cmp(&(c.vr(i.frb()).value() as i128)); field(c, i, o) }),
];

/// VRT ← ones where `f` holds of VRA's and VRB's elements.
#[inline(always)]
fn compare<T: Lane>(c: &mut Core, i: Insn, f: impl Fn(T, T) -> bool) -> Step {
    binary::<T>(c, i, |a, b| if f(a, b) { T::ONES } else { T::ZERO })?;
    record(c, i, c.vr(i.frt()));
    Ok(())
}

/// CR6 of a compare's result, if the instruction asks for it: 0b1000 all true, 0b0010 all false.
#[inline(always)]
pub fn record(c: &mut Core, i: Insn, v: Vsr) {
    if i.field(21, 21) != 0 {
        c.set_cr(
            6,
            match v.value() {
                0 => EQ,
                u128::MAX => LT,
                _ => 0,
            },
        );
    }
}

/// vcmpuq, vcmpsq: CR field BF from a quadword comparison (ISA 3.1).
fn field(c: &mut Core, i: Insn, o: Ordering) -> Step {
    c.set_cr(
        i.bf(),
        match o {
            Ordering::Less => LT,
            Ordering::Greater => GT,
            Ordering::Equal => EQ,
        },
    );
    Ok(())
}
