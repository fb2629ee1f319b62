//! Rotates and shifts of elements (ISA I 6.9). Amounts are taken modulo the element's width.
//!
//! The quadword forms (3.1) find their amounts in the low bits of VRB's *first* doubleword.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::a;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::binary;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::set;
use crate::accel::interp::vector::lanes::whole;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vrlb", |c, i| binary::<u8>(c, i, |a, b| a.rotate_left(u32::from(b & 7)))),
    ("vrlh", |c, i| binary::<u16>(c, i, |a, b| a.rotate_left(u32::from(b & 15)))),
    ("vrlw", |c, i| binary::<u32>(c, i, |a, b| a.rotate_left(b & 31))),
    ("vrld", |c, i| binary::<u64>(c, i, |a, b| a.rotate_left(b as u32 & 63))),
    ("vrlq", |c, i| whole(c, i, |a, b| a.rotate_left(quad_amount(b)))),
    ("vslb", |c, i| binary::<u8>(c, i, |a, b| a << (b & 7))),
    ("vslh", |c, i| binary::<u16>(c, i, |a, b| a << (b & 15))),
    ("vslw", |c, i| binary::<u32>(c, i, |a, b| a << (b & 31))),
    ("vsld", |c, i| binary::<u64>(c, i, |a, b| a << (b & 63))),
    ("vslq", |c, i| whole(c, i, |a, b| a << quad_amount(b))),
    ("vsrb", |c, i| binary::<u8>(c, i, |a, b| a >> (b & 7))),
    ("vsrh", |c, i| binary::<u16>(c, i, |a, b| a >> (b & 15))),
    ("vsrw", |c, i| binary::<u32>(c, i, |a, b| a >> (b & 31))),
    ("vsrd", |c, i| binary::<u64>(c, i, |a, b| a >> (b & 63))),
    ("vsrq", |c, i| whole(c, i, |a, b| a >> quad_amount(b))),
    ("vsrab", |c, i| binary::<i8>(c, i, |a, b| a >> (b & 7))),
    ("vsrah", |c, i| binary::<i16>(c, i, |a, b| a >> (b & 15))),
    ("vsraw", |c, i| binary::<i32>(c, i, |a, b| a >> (b & 31))),
    ("vsrad", |c, i| binary::<i64>(c, i, |a, b| a >> (b & 63))),
    ("vsraq", |c, i| whole(c, i, |a, b| ((a as i128) >> quad_amount(b)) as u128)),
    ("vrlwmi", |c, i| insert(c, i, word)),
    ("vrlwnm", |c, i| binary::<u32>(c, i, |a, b| { let (rotated, mask) = word(a, b); rotated & mask })),
    ("vrldmi", |c, i| insert(c, i, doubleword)),
    ("vrldnm", |c, i| binary::<u64>(c, i, |a, b| { let (rotated, mask) = doubleword(a, b); rotated & mask })),
    ("vrlqmi", |c, i| insert(c, i, quadword)),
    ("vrlqnm", |c, i| whole(c, i, |a, b| { let (rotated, mask) = quadword(a, b); rotated & mask })),
];

/// The amount of a quadword shift: bits 57:63 of VRB.
fn quad_amount(b: u128) -> u32 {
    (b >> 64) as u32 & 127
}

/// Ones from bit `first` to bit `last` (from the most significant), wrapping around, of an element of `bits`.
fn mask(first: u32, last: u32, bits: u32) -> u128 {
    let all = u128::MAX >> (128 - bits);
    let from = all >> first;
    let to = (all << (bits - 1 - last)) & all;
    if first <= last { from & to } else { from | to }
}

/// A word rotated, and the mask: begin, end and amount are bits 11:15, 19:23 and 27:31 of VRB's word.
fn word(a: u32, b: u32) -> (u32, u32) {
    (a.rotate_left(b & 31), mask((b >> 16) & 31, (b >> 8) & 31, 32) as u32)
}

/// A doubleword rotated, and the mask: bits 42:47, 50:55 and 58:63.
fn doubleword(a: u64, b: u64) -> (u64, u64) {
    let b = b as u32;
    (a.rotate_left(b & 63), mask((b >> 16) & 63, (b >> 8) & 63, 64) as u64)
}

/// A quadword rotated, and the mask: bits 41:47, 49:55 and 57:63.
fn quadword(a: u128, b: u128) -> (u128, u128) {
    let b = (b >> 64) as u32;
    (a.rotate_left(b & 127), mask((b >> 16) & 127, (b >> 8) & 127, 128))
}

/// vrlwmi, vrldmi, vrlqmi: the rotated element where the mask is one, VRT's elsewhere (ISA 3.0, I 6.9).
#[inline(always)]
fn insert<T>(c: &mut Core, i: Insn, f: impl Fn(T, T) -> (T, T)) -> Step
where
    T: Lane + std::ops::BitAnd<Output = T> + std::ops::BitOr<Output = T> + std::ops::Not<Output = T>,
{
    let (a, b, t) = (a::<T>(c, i), b::<T>(c, i), T::split(c.vr(i.frt())));
    let v = build::<T>(|k| {
        let (rotated, mask) = f(a.as_ref()[k], b.as_ref()[k]);
        (rotated & mask) | (t.as_ref()[k] & !mask)
    });
    set(c, i, v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_wrap_around() {
        assert_eq!(mask(0, 31, 32), 0xffff_ffff);
        assert_eq!(mask(30, 1, 32), 0xc000_0003);
        assert_eq!(mask(4, 7, 64), 0x0f00_0000_0000_0000);
        assert_eq!(mask(127, 0, 128), (1 << 127) | 1);
    }
}
