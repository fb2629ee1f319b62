//! Narrowing two vectors into one and widening half a vector (ISA I 6.8.1).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::a;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::clamp;
use crate::accel::interp::vector::lanes::saturating;
use crate::accel::interp::vector::lanes::set;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vpkuhum", |c, i| pack(c, i, |x: u16| (x as u8, false))),
    ("vpkuwum", |c, i| pack(c, i, |x: u32| (x as u16, false))),
    ("vpkudum", |c, i| pack(c, i, |x: u64| (x as u32, false))),
    ("vpkuhus", |c, i| pack(c, i, |x: u16| clamp(i128::from(x), u8::MIN, u8::MAX))),
    ("vpkuwus", |c, i| pack(c, i, |x: u32| clamp(i128::from(x), u16::MIN, u16::MAX))),
    ("vpkudus", |c, i| pack(c, i, |x: u64| clamp(i128::from(x), u32::MIN, u32::MAX))),
    ("vpkshus", |c, i| pack(c, i, |x: i16| clamp(i128::from(x), u8::MIN, u8::MAX))),
    ("vpkswus", |c, i| pack(c, i, |x: i32| clamp(i128::from(x), u16::MIN, u16::MAX))),
    ("vpksdus", |c, i| pack(c, i, |x: i64| clamp(i128::from(x), u32::MIN, u32::MAX))),
    ("vpkshss", |c, i| pack(c, i, |x: i16| clamp(i128::from(x), i8::MIN, i8::MAX))),
    ("vpkswss", |c, i| pack(c, i, |x: i32| clamp(i128::from(x), i16::MIN, i16::MAX))),
    ("vpksdss", |c, i| pack(c, i, |x: i64| clamp(i128::from(x), i32::MIN, i32::MAX))),
    ("vpkpx", |c, i| pack(c, i, |x: u32| (pixel(x), false))),
    ("vupkhsb", |c, i| unpack_high(c, i, |x: i8| i16::from(x))),
    ("vupkhsh", |c, i| unpack_high(c, i, |x: i16| i32::from(x))),
    ("vupkhsw", |c, i| unpack_high(c, i, |x: i32| i64::from(x))),
    ("vupklsb", |c, i| unpack_low(c, i, |x: i8| i16::from(x))),
    ("vupklsh", |c, i| unpack_low(c, i, |x: i16| i32::from(x))),
    ("vupklsw", |c, i| unpack_low(c, i, |x: i32| i64::from(x))),
    ("vupkhpx", |c, i| unpack_high(c, i, colour)),
    ("vupklpx", |c, i| unpack_low(c, i, colour)),
];

/// Narrows the elements of VRA, then those of VRB; `f` says whether it had to saturate.
#[inline(always)]
fn pack<W: Lane, N: Lane>(c: &mut Core, i: Insn, f: impl Fn(W) -> (N, bool)) -> Step {
    let (a, b) = (a::<W>(c, i), b::<W>(c, i));
    let half = a.as_ref().len();
    saturating::<N>(c, i, |k| f(if k < half { a.as_ref()[k] } else { b.as_ref()[k - half] }))
}

/// Widens the first half of VRB.
#[inline(always)]
fn unpack_high<N: Lane, W: Lane>(c: &mut Core, i: Insn, f: impl Fn(N) -> W) -> Step {
    let b = b::<N>(c, i);
    set(c, i, build::<W>(|k| f(b.as_ref()[k])))
}

/// Widens the second half of VRB.
#[inline(always)]
fn unpack_low<N: Lane, W: Lane>(c: &mut Core, i: Insn, f: impl Fn(N) -> W) -> Step {
    let b = b::<N>(c, i);
    let half = b.as_ref().len() / 2;
    set(c, i, build::<W>(|k| f(b.as_ref()[half + k])))
}

/// 8:8:8:8 to 1:5:5:5 (vpkpx): the last bit of the first byte, the first five bits of the others.
fn pixel(w: u32) -> u16 {
    (((w >> 9) & 0xfc00) | ((w >> 6) & 0x3e0) | ((w >> 3) & 0x1f)) as u16
}

/// 1:5:5:5 to 8:8:8:8 (vupkhpx): the first bit extended with its sign, the others with zeros.
fn colour(h: u16) -> u32 {
    let h = u32::from(h);
    let top = if h & 0x8000 != 0 { 0xff00_0000 } else { 0 };
    top | (((h >> 10) & 0x1f) << 16) | (((h >> 5) & 0x1f) << 8) | (h & 0x1f)
}
