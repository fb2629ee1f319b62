//! Merges, splats, permutes, selection, and shifts of the whole register (ISA I 6.8.2 to 6.8.6).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::a;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::set;
use crate::accel::interp::vector::lanes::ternary;
use crate::accel::interp::vector::lanes::whole;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vmrghb", merge_high::<u8>), ("vmrghh", merge_high::<u16>), ("vmrghw", merge_high::<u32>),
    ("vmrglb", merge_low::<u8>), ("vmrglh", merge_low::<u16>), ("vmrglw", merge_low::<u32>),
    ("vmrgew", |c, i| { let (a, b) = (a::<u32>(c, i), b::<u32>(c, i)); set(c, i, Vsr::from_words([a[0], b[0], a[2], b[2]])) }),
    ("vmrgow", |c, i| { let (a, b) = (a::<u32>(c, i), b::<u32>(c, i)); set(c, i, Vsr::from_words([a[1], b[1], a[3], b[3]])) }),
    ("vspltb", splat::<u8>), ("vsplth", splat::<u16>), ("vspltw", splat::<u32>),
    ("vspltisb", |c, i| { let v = immediate(i) as i8; set(c, i, build::<i8>(|_| v)) }),
    ("vspltish", |c, i| { let v = immediate(i) as i16; set(c, i, build::<i16>(|_| v)) }),
    ("vspltisw", |c, i| { let v = immediate(i); set(c, i, build::<i32>(|_| v)) }),
    ("vperm", |c, i| permute(c, i, |index| index)),
    ("vpermr", |c, i| permute(c, i, |index| 31 - index)),
    ("vpermxor", vpermxor),
    ("vsel", |c, i| ternary::<u128>(c, i, |a, b, mask| (a & !mask) | (b & mask))),
    ("vsl", |c, i| whole(c, i, |a, b| a << (b & 7))),
    ("vsr", |c, i| whole(c, i, |a, b| a >> (b & 7))),
    ("vslo", |c, i| whole(c, i, |a, b| a << (b & 0x78))),
    ("vsro", |c, i| whole(c, i, |a, b| a >> (b & 0x78))),
    ("vsldoi", |c, i| { let n = 8 * i.field(22, 25); whole(c, i, |a, b| double_left(a, b, n)) }),
    ("vsldbi", |c, i| { let n = i.field(23, 25); whole(c, i, |a, b| double_left(a, b, n)) }),
    ("vsrdbi", |c, i| { let n = i.field(23, 25); whole(c, i, |a, b| if n == 0 { b } else { (b >> n) | (a << (128 - n)) }) }),
    ("vslv", vslv), ("vsrv", vsrv),
    ("vclrlb", |c, i| { let keep = kept_bits(c, i); clear(c, i, if keep == 0 { 0 } else { u128::MAX >> (128 - keep) }) }),
    ("vclrrb", |c, i| { let keep = kept_bits(c, i); clear(c, i, if keep == 0 { 0 } else { u128::MAX << (128 - keep) }) }),
];

/// vmrghb, vmrghh, vmrghw: the first halves of VRA and VRB, interleaved (ISA I 6.8.2).
fn merge_high<T: Lane>(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (a::<T>(c, i), b::<T>(c, i));
    set(c, i, build::<T>(|k| if k & 1 == 0 { a.as_ref()[k / 2] } else { b.as_ref()[k / 2] }))
}

/// vmrglb, vmrglh, vmrglw: the second halves (ISA I 6.8.2).
fn merge_low<T: Lane>(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (a::<T>(c, i), b::<T>(c, i));
    let half = a.as_ref().len() / 2;
    set(c, i, build::<T>(|k| if k & 1 == 0 { a.as_ref()[half + k / 2] } else { b.as_ref()[half + k / 2] }))
}

/// vspltb, vsplth, vspltw: one element of VRB everywhere (ISA I 6.8.3).
fn splat<T: Lane>(c: &mut Core, i: Insn) -> Step {
    let b = b::<T>(c, i);
    let v = b.as_ref()[i.field(11, 15) as usize & (b.as_ref().len() - 1)];
    set(c, i, build::<T>(|_| v))
}

/// The signed five-bit immediate of vspltisb and its kin.
fn immediate(i: Insn) -> i32 {
    ((i.field(11, 15) << 27) as i32) >> 27
}

/// vperm, vpermr: each byte of VRC picks one of the 32 bytes of VRA and VRB (ISA I 6.8.4).
#[inline(always)]
fn permute(c: &mut Core, i: Insn, place: impl Fn(usize) -> usize) -> Step {
    let mut both = [0u8; 32];
    both[..16].copy_from_slice(&c.vr(i.fra()).bytes());
    both[16..].copy_from_slice(&c.vr(i.frb()).bytes());
    let control = c.vr(i.frc()).bytes();
    set(c, i, Vsr::from_bytes(control.map(|x| both[place(usize::from(x & 31))])))
}

/// vpermxor: the exclusive or of a byte of VRA and one of VRB, picked by the halves of VRC's byte (ISA I 6.11).
fn vpermxor(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (a::<u8>(c, i), b::<u8>(c, i));
    let control = c.vr(i.frc()).bytes();
    set(c, i, Vsr::from_bytes(control.map(|x| a[usize::from(x >> 4)] ^ b[usize::from(x & 15)])))
}

/// The high half of `a || b` shifted left by less than 128.
fn double_left(a: u128, b: u128, n: u32) -> u128 {
    if n == 0 { a } else { (a << n) | (b >> (128 - n)) }
}

/// vslv: each byte of VRA and its successor shifted left by the amount in VRB's byte (ISA 3.0, I 6.8.6).
fn vslv(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (a::<u8>(c, i), b::<u8>(c, i));
    set(
        c,
        i,
        build::<u8>(|k| {
            let pair = (u16::from(a[k]) << 8) | a.get(k + 1).map_or(0, |x| u16::from(*x));
            ((pair << (b[k] & 7)) >> 8) as u8
        }),
    )
}

/// vsrv: each byte of VRA and its predecessor shifted right by the amount in VRB's byte (ISA 3.0, I 6.8.6).
fn vsrv(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (a::<u8>(c, i), b::<u8>(c, i));
    set(
        c,
        i,
        build::<u8>(|k| {
            let before = if k == 0 { 0 } else { u16::from(a[k - 1]) << 8 };
            ((before | u16::from(a[k])) >> (b[k] & 7)) as u8
        }),
    )
}

/// How many bits vclrlb and vclrrb keep: RB bytes, at most all.
fn kept_bits(c: &Core, i: Insn) -> u32 {
    c.gpr[i.rb()].min(16) as u32 * 8
}

/// VRT ← VRA & mask.
fn clear(c: &mut Core, i: Insn, mask: u128) -> Step {
    let v = c.vr(i.fra()).value() & mask;
    set(c, i, Vsr::new(v))
}
