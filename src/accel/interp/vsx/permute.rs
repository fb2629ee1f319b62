//! Moves, logic, permutes, splats, extracts and inserts of vector-scalar registers (ISA I 7.6).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vsx::set;
use crate::cpu::state::EQ;
use crate::cpu::state::LT;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    // Moves.
    ("mfvsrd", |c, i| { c.gpr[i.ra()] = c.vsr[i.xt()].0[0]; Ok(()) }),
    ("mfvsrwz", |c, i| { c.gpr[i.ra()] = c.vsr[i.xt()].0[0] & 0xffff_ffff; Ok(()) }),
    ("mfvsrld", |c, i| { c.gpr[i.ra()] = c.vsr[i.xt()].0[1]; Ok(()) }),
    ("mtvsrd", |c, i| set(c, i, Vsr([c.gpr[i.ra()], 0]))),
    ("mtvsrwa", |c, i| set(c, i, Vsr([c.gpr[i.ra()] as i32 as u64, 0]))),
    ("mtvsrwz", |c, i| set(c, i, Vsr([c.gpr[i.ra()] as u32 as u64, 0]))),
    ("mtvsrws", |c, i| set(c, i, Vsr::from_words([c.gpr[i.ra()] as u32; 4]))),
    ("mtvsrdd", |c, i| set(c, i, Vsr([c.ra0(i), c.gpr[i.rb()]]))),
    // Logical.
    ("xxland", |c, i| whole(c, i, |a, b| a & b)),
    ("xxlandc", |c, i| whole(c, i, |a, b| a & !b)),
    ("xxlor", |c, i| whole(c, i, |a, b| a | b)),
    ("xxlxor", |c, i| whole(c, i, |a, b| a ^ b)),
    ("xxlnor", |c, i| whole(c, i, |a, b| !(a | b))),
    ("xxlorc", |c, i| whole(c, i, |a, b| a | !b)),
    ("xxlnand", |c, i| whole(c, i, |a, b| !(a & b))),
    ("xxleqv", |c, i| whole(c, i, |a, b| !(a ^ b))),
    ("xxsel", |c, i| { let mask = c.vsr[i.xc()].value(); whole(c, i, |a, b| (a & !mask) | (b & mask)) }),
    ("xvtlsbb", xvtlsbb),
    // Permutes.
    ("xxpermdi", |c, i| { let dm = i.field(22, 23) as usize; set(c, i, Vsr([c.vsr[i.xa()].0[dm >> 1], c.vsr[i.xb()].0[dm & 1]])) }),
    ("xxsldwi", |c, i| { let n = i.field(22, 23); whole(c, i, |a, b| if n == 0 { a } else { (a << (32 * n)) | (b >> (128 - 32 * n)) }) }),
    ("xxmrghw", |c, i| { let (a, b) = (c.vsr[i.xa()].words(), c.vsr[i.xb()].words()); set(c, i, Vsr::from_words([a[0], b[0], a[1], b[1]])) }),
    ("xxmrglw", |c, i| { let (a, b) = (c.vsr[i.xa()].words(), c.vsr[i.xb()].words()); set(c, i, Vsr::from_words([a[2], b[2], a[3], b[3]])) }),
    ("xxperm", |c, i| permute(c, i, |index| index)),
    ("xxpermr", |c, i| permute(c, i, |index| 31 - index)),
    ("xxspltw", |c, i| { let v = c.vsr[i.xb()].words()[i.field(14, 15) as usize]; set(c, i, Vsr::from_words([v; 4])) }),
    ("xxspltib", |c, i| { let v = i.field(13, 20) as u8; set(c, i, Vsr::from_bytes([v; 16])) }),
    ("xxbrh", |c, i| reversed(c, i, u16::swap_bytes)),
    ("xxbrw", |c, i| reversed(c, i, u32::swap_bytes)),
    ("xxbrd", |c, i| reversed(c, i, u64::swap_bytes)),
    ("xxbrq", |c, i| reversed(c, i, u128::swap_bytes)),
    ("xxextractuw", xxextractuw), ("xxinsertw", xxinsertw), ("lxvkq", lxvkq),
    ("xxgenpcvbm", control::<i8, 1>), ("xxgenpcvhm", control::<i16, 2>), ("xxgenpcvwm", control::<i32, 4>), ("xxgenpcvdm", control::<i64, 8>),
];

/// XT ← f(XA, XB).
#[inline(always)]
fn whole(c: &mut Core, i: Insn, f: impl Fn(u128, u128) -> u128) -> Step {
    let v = f(c.vsr[i.xa()].value(), c.vsr[i.xb()].value());
    set(c, i, Vsr::new(v))
}

/// xxbrh and its kin: the bytes of each element of XB reversed (ISA 3.0 I 7.6).
#[inline(always)]
fn reversed<T: Lane>(c: &mut Core, i: Insn, f: fn(T) -> T) -> Step {
    let b = T::split(c.vsr[i.xb()]);
    set(c, i, build::<T>(|k| f(b.as_ref()[k])))
}

/// xvtlsbb: bit 0 of BF if the last bits of all bytes are ones, bit 2 if all are zeros (ISA 3.1 I 7.6).
fn xvtlsbb(c: &mut Core, i: Insn) -> Step {
    const LAST: u128 = u128::MAX / 255;
    c.set_cr(
        i.bf(),
        match c.vsr[i.xb()].value() & LAST {
            LAST => LT,
            0 => EQ,
            _ => 0,
        },
    );
    Ok(())
}

/// xxperm, xxpermr: each byte of XB picks one of the 32 bytes of XA and XT (ISA 3.0 I 7.6).
#[inline(always)]
fn permute(c: &mut Core, i: Insn, place: impl Fn(usize) -> usize) -> Step {
    let mut both = [0u8; 32];
    both[..16].copy_from_slice(&c.vsr[i.xa()].bytes());
    both[16..].copy_from_slice(&c.vsr[i.xt()].bytes());
    let picked = c.vsr[i.xb()].bytes().map(|x| both[place(usize::from(x & 31))]);
    set(c, i, Vsr::from_bytes(picked))
}

/// xxextractuw: four bytes of XB to the end of doubleword 0. Out of range they wrap around, as under QEMU (ISA 3.0 I 7.6).
fn xxextractuw(c: &mut Core, i: Insn) -> Step {
    let (b, at) = (c.vsr[i.xb()].bytes(), i.field(12, 15) as usize);
    let v = (at..at + 4).fold(0, |v, k| (v << 8) | u64::from(b[k & 15]));
    set(c, i, Vsr([v, 0]))
}

/// xxinsertw: word 1 of XB over four bytes of XT. Out of range only those that exist, as under QEMU (ISA 3.0 I 7.6).
fn xxinsertw(c: &mut Core, i: Insn) -> Step {
    let (mut t, word) = (c.vsr[i.xt()].bytes(), c.vsr[i.xb()].words()[1].to_be_bytes());
    let at = i.field(12, 15) as usize;
    t[at..].iter_mut().zip(word).for_each(|(t, b)| *t = b);
    set(c, i, Vsr::from_bytes(t))
}

/// lxvkq: a quad-precision constant; selectors without one are illegal (ISA 3.1 I 7.6).
fn lxvkq(c: &mut Core, i: Insn) -> Step {
    let uim = i.field(16, 20);
    let high: u64 = match uim & 15 {
        // Minus zero is the only zero.
        0 if uim == 16 => 0,
        1 => 0x3fff_0000,
        2 => 0x4000_0000,
        3 => 0x4000_8000,
        4 => 0x4001_0000,
        5 => 0x4001_4000,
        6 => 0x4001_8000,
        7 => 0x4001_c000,
        8 => 0x7fff_0000,
        // The quiet NaN has no negative.
        9 if uim == 9 => 0x7fff_8000,
        _ => return c.illegal(),
    };
    set(c, i, Vsr([(high | if uim & 16 != 0 { 0x8000_0000 } else { 0 }) << 32, 0]))
}

/// xxgenpcvbm and its kin: the control for vperm or vpermr that expands to or compresses from the elements whose sign is set in VRB (ISA 3.1).
///
/// IMM bit 1 counts from the right, for little-endian use; IMM bit 0 compresses, leaving zeros in bytes not needed.
fn control<T: Lane + PartialOrd, const BYTES: usize>(c: &mut Core, i: Insn) -> Step {
    let imm = i.field(11, 15);
    if imm > 3 {
        return c.illegal();
    }
    let b = T::split(c.vr(i.frb()));
    let count = 16 / BYTES;
    let (mut bytes, mut next) = ([0u8; 16], 0);
    let place = |n: usize| if imm & 2 != 0 { 15 - n } else { n };
    for k in 0..count {
        let element = if imm & 2 != 0 { count - 1 - k } else { k };
        let chosen = b.as_ref()[element] < T::ZERO;
        for n in 0..BYTES {
            let (here, there) = (k * BYTES + n, next * BYTES + n);
            match (imm & 1, chosen) {
                (0, true) => bytes[place(here)] = there as u8,
                (0, false) => bytes[place(here)] = 0x10 + here as u8,
                (_, true) => bytes[place(there)] = here as u8,
                (_, false) => {}
            }
        }
        next += usize::from(chosen);
    }
    set(c, i, Vsr::from_bytes(bytes))
}
