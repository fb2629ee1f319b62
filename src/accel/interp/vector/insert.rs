//! Moving single elements between vectors, and between a vector and a general purpose register (ISA I 6.8).
//!
//! An index that would leave the vector is undefined by the book. Inserts then leave the target alone here, and extracts say what they give. "Left"
//! indexes count bytes from the most significant end to the element's first byte, "right" ones from the least significant end to its last.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::set;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vextractub", extract::<1>), ("vextractuh", extract::<2>), ("vextractuw", extract::<4>), ("vextractd", extract::<8>),
    ("vextublx", |c, i| to_gpr(c, i, 8, left)), ("vextubrx", |c, i| to_gpr(c, i, 8, right)),
    ("vextuhlx", |c, i| to_gpr(c, i, 16, left)), ("vextuhrx", |c, i| to_gpr(c, i, 16, right)),
    ("vextuwlx", |c, i| to_gpr(c, i, 32, left)), ("vextuwrx", |c, i| to_gpr(c, i, 32, right)),
    ("vextdubvlx", |c, i| double::<1>(c, i, |x| x)), ("vextdubvrx", |c, i| double::<1>(c, i, |x| 31 - x)),
    ("vextduhvlx", |c, i| double::<2>(c, i, |x| x)), ("vextduhvrx", |c, i| double::<2>(c, i, |x| 30 - x)),
    ("vextduwvlx", |c, i| double::<4>(c, i, |x| x)), ("vextduwvrx", |c, i| double::<4>(c, i, |x| 28 - x)),
    ("vextddvlx", |c, i| double::<8>(c, i, |x| x)), ("vextddvrx", |c, i| double::<8>(c, i, |x| 24 - x)),
    ("vinsertb", from_vector::<1>), ("vinserth", from_vector::<2>), ("vinsertw", from_vector::<4>), ("vinsertd", from_vector::<8>),
    ("vinsw", |c, i| { let v = c.gpr[i.rb()]; put::<4>(c, i, uim(i), v) }),
    ("vinsd", |c, i| { let v = c.gpr[i.rb()]; put::<8>(c, i, uim(i), v) }),
    ("vinsblx", |c, i| from_gpr::<1>(c, i, |x| x)), ("vinsbrx", |c, i| from_gpr::<1>(c, i, |x| 15 - x)),
    ("vinshlx", |c, i| from_gpr::<2>(c, i, |x| x)), ("vinshrx", |c, i| from_gpr::<2>(c, i, |x| 14 - x)),
    ("vinswlx", |c, i| from_gpr::<4>(c, i, |x| x)), ("vinswrx", |c, i| from_gpr::<4>(c, i, |x| 12 - x)),
    ("vinsdlx", |c, i| from_gpr::<8>(c, i, |x| x)), ("vinsdrx", |c, i| from_gpr::<8>(c, i, |x| 8 - x)),
    ("vinsbvlx", |c, i| by_gpr::<1>(c, i, |x| x)), ("vinsbvrx", |c, i| by_gpr::<1>(c, i, |x| 15 - x)),
    ("vinshvlx", |c, i| by_gpr::<2>(c, i, |x| x)), ("vinshvrx", |c, i| by_gpr::<2>(c, i, |x| 14 - x)),
    ("vinswvlx", |c, i| by_gpr::<4>(c, i, |x| x)), ("vinswvrx", |c, i| by_gpr::<4>(c, i, |x| 12 - x)),
];

/// The byte index in the instruction.
fn uim(i: Insn) -> i64 {
    i64::from(i.field(12, 15))
}

/// The byte index in RA: bits 60:63.
fn ra_index(c: &Core, i: Insn) -> i64 {
    (c.gpr[i.ra()] & 15) as i64
}

/// N bytes from `at` on, as an integer.
fn get<const N: usize>(bytes: &[u8], at: i64) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    Some(bytes.get(at..at + N)?.iter().fold(0, |v, b| (v << 8) | u64::from(*b)))
}

/// VRT's N bytes from `at` on ← the low bytes of `value`.
fn put<const N: usize>(c: &mut Core, i: Insn, at: i64, value: u64) -> Step {
    let mut bytes = c.vr(i.frt()).bytes();
    if let Some(place) = usize::try_from(at).ok().and_then(|at| bytes.get_mut(at..at + N)) {
        place.copy_from_slice(&value.to_be_bytes()[8 - N..]);
    }
    set(c, i, Vsr::from_bytes(bytes))
}

/// The element of VRB that ends at byte 7, the last of doubleword 0.
fn source<const N: usize>(c: &Core, i: Insn) -> u64 {
    c.vr(i.frb()).0[0] & (u64::MAX >> (64 - 8 * N))
}

/// vextractub, …uh, …uw, vextractd: bytes of VRB to the end of doubleword 0, the rest cleared. Out of range, index 0 (as QEMU).
fn extract<const N: usize>(c: &mut Core, i: Insn) -> Step {
    let bytes = c.vr(i.frb()).bytes();
    let v = get::<N>(&bytes, uim(i)).or_else(|| get::<N>(&bytes, 0)).unwrap_or(0);
    set(c, i, Vsr([v, 0]))
}

/// How far an element of `bits` at a left index is from the right, modulo the register.
fn left(index: u32, bits: u32) -> u32 {
    (128 - bits).wrapping_sub(8 * index) & 127
}

/// The same for a right index.
fn right(index: u32, _: u32) -> u32 {
    8 * index
}

/// vextublx and its kin: RT ← the element of VRB at the index in RA. What is missing out of range is the sign of VRB, as under QEMU.
fn to_gpr(c: &mut Core, i: Insn, bits: u32, distance: fn(u32, u32) -> u32) -> Step {
    let shifted = (c.vr(i.frb()).value() as i128) >> distance(ra_index(c, i) as u32, bits);
    c.gpr[i.rt()] = shifted as u64 & ((1 << bits) - 1);
    Ok(())
}

/// vextdubvlx and its kin: bytes of VRA || VRB at the index in RC to the end of VRT's doubleword 0.
fn double<const N: usize>(c: &mut Core, i: Insn, place: impl Fn(i64) -> i64) -> Step {
    let mut both = [0u8; 32];
    both[..16].copy_from_slice(&c.vr(i.fra()).bytes());
    both[16..].copy_from_slice(&c.vr(i.frb()).bytes());
    let v = get::<N>(&both, place((c.gpr[i.rc_field()] & 31) as i64)).unwrap_or(0);
    set(c, i, Vsr([v, 0]))
}

/// vinsertb, vinserth, vinsertw, vinsertd: the element of VRB before byte 8 into VRT at the immediate index.
fn from_vector<const N: usize>(c: &mut Core, i: Insn) -> Step {
    let v = source::<N>(c, i);
    put::<N>(c, i, uim(i), v)
}

/// vinsblx and its kin: the low bytes of RB into VRT at the index in RA.
fn from_gpr<const N: usize>(c: &mut Core, i: Insn, place: impl Fn(i64) -> i64) -> Step {
    let (at, v) = (place(ra_index(c, i)), c.gpr[i.rb()]);
    put::<N>(c, i, at, v)
}

/// vinsbvlx and its kin: the element of VRB before byte 8 into VRT at the index in RA.
fn by_gpr<const N: usize>(c: &mut Core, i: Insn, place: impl Fn(i64) -> i64) -> Step {
    let (at, v) = (place(ra_index(c, i)), source::<N>(c, i));
    put::<N>(c, i, at, v)
}
