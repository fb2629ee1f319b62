//! Element masks as bits of a general purpose register (ISA 3.1), and null-terminated strings.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::set;
use crate::accel::interp::vector::lanes::unary;
use crate::cpu::state::EQ;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("mtvsrbm", |c, i| { let bits = c.gpr[i.rb()]; expand::<u8>(c, i, bits) }),
    ("mtvsrhm", |c, i| { let bits = c.gpr[i.rb()]; expand::<u16>(c, i, bits) }),
    ("mtvsrwm", |c, i| { let bits = c.gpr[i.rb()]; expand::<u32>(c, i, bits) }),
    ("mtvsrdm", |c, i| { let bits = c.gpr[i.rb()]; expand::<u64>(c, i, bits) }),
    ("mtvsrqm", |c, i| { let bits = c.gpr[i.rb()]; expand::<u128>(c, i, bits) }),
    ("mtvsrbmi", |c, i| expand::<u8>(c, i, u64::from((i.field(16, 25) << 6) | (i.field(11, 15) << 1) | i.field(31, 31)))),
    ("vexpandbm", |c, i| unary::<i8>(c, i, |x| x >> 7)),
    ("vexpandhm", |c, i| unary::<i16>(c, i, |x| x >> 15)),
    ("vexpandwm", |c, i| unary::<i32>(c, i, |x| x >> 31)),
    ("vexpanddm", |c, i| unary::<i64>(c, i, |x| x >> 63)),
    ("vexpandqm", |c, i| unary::<i128>(c, i, |x| x >> 127)),
    ("vextractbm", |c, i| { c.gpr[i.rt()] = signs(b::<i8>(c, i)); Ok(()) }),
    ("vextracthm", |c, i| { c.gpr[i.rt()] = signs(b::<i16>(c, i)); Ok(()) }),
    ("vextractwm", |c, i| { c.gpr[i.rt()] = signs(b::<i32>(c, i)); Ok(()) }),
    ("vextractdm", |c, i| { c.gpr[i.rt()] = signs(b::<i64>(c, i)); Ok(()) }),
    ("vextractqm", |c, i| { c.gpr[i.rt()] = signs(b::<i128>(c, i)); Ok(()) }),
    ("vcntmbb", |c, i| count(c, i, b::<i8>(c, i), 56)),
    ("vcntmbh", |c, i| count(c, i, b::<i16>(c, i), 57)),
    ("vcntmbw", |c, i| count(c, i, b::<i32>(c, i), 58)),
    ("vcntmbd", |c, i| count(c, i, b::<i64>(c, i), 59)),
    ("vstribl", string_left::<u8>), ("vstrihl", string_left::<u16>),
    ("vstribr", string_right::<u8>), ("vstrihr", string_right::<u16>),
];

/// VRT ← ones in the elements whose bit is one; the last element's bit is the least significant.
fn expand<T: Lane>(c: &mut Core, i: Insn, bits: u64) -> Step {
    let last = (128 / T::BITS - 1) as usize;
    set(c, i, build::<T>(|k| if (bits >> (last - k)) & 1 != 0 { T::ONES } else { T::ZERO }))
}

/// The sign bits of all elements, the last one's least significant.
fn signs<T: Copy + PartialOrd + Default>(elements: impl AsRef<[T]>) -> u64 {
    elements.as_ref().iter().fold(0, |v, x| (v << 1) | u64::from(*x < T::default()))
}

/// vcntmbb and its kin: how many elements have the sign bit MP, at the top of RT (ISA 3.1).
fn count<T: Copy + PartialOrd + Default>(c: &mut Core, i: Insn, elements: impl AsRef<[T]>, shift: u32) -> Step {
    let ones = u64::from(signs(elements.as_ref()).count_ones());
    let all = elements.as_ref().len() as u64;
    c.gpr[i.rt()] = if i.field(15, 15) != 0 { ones } else { all - ones } << shift;
    Ok(())
}

/// CR6 of the string instructions' record forms: bit 2, a null was found.
fn record_null(c: &mut Core, i: Insn, found: Option<usize>) {
    if i.field(21, 21) != 0 {
        c.set_cr(6, if found.is_some() { EQ } else { 0 });
    }
}

/// vstribl, vstrihl: the elements before the first null, the others cleared (ISA 3.1).
fn string_left<T: Lane + PartialEq>(c: &mut Core, i: Insn) -> Step {
    let b = b::<T>(c, i);
    let null = b.as_ref().iter().position(|x| *x == T::ZERO);
    record_null(c, i, null);
    set(c, i, build::<T>(|k| if null.is_some_and(|n| k >= n) { T::ZERO } else { b.as_ref()[k] }))
}

/// vstribr, vstrihr: the elements after the last null, the others cleared (ISA 3.1).
fn string_right<T: Lane + PartialEq>(c: &mut Core, i: Insn) -> Step {
    let b = b::<T>(c, i);
    let null = b.as_ref().iter().rposition(|x| *x == T::ZERO);
    record_null(c, i, null);
    set(c, i, build::<T>(|k| if null.is_some_and(|n| k <= n) { T::ZERO } else { b.as_ref()[k] }))
}
