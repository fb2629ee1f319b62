//! Loads and stores of vector-scalar registers (ISA I 7.6).
//!
//! A vector of elements (`lxvd2x`, `lxvw4x` …) keeps its elements in the order of their addresses, so in little-endian mode it is the
//! quadword as `lxvx` sees it with the elements in reverse. Every access is therefore one of 16 bytes, which is all or nothing. A scalar load
//! clears the rest of its register.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::access::Scalar;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vsx::set;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::mmu::Access;
use crate::softfp::load_single;
use crate::softfp::store_single;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("lxv", |c, i| { let v = c.load::<u128>(ea_dq(c, i))?; c.vsr[i.xt_dq()] = Vsr::new(v); Ok(()) }),
    ("stxv", |c, i| { let v = c.vsr[i.xt_dq()].value(); c.store::<u128>(ea_dq(c, i), v) }),
    ("lxvx", load_elements::<u128>), ("stxvx", store_elements::<u128>),
    ("lxvd2x", load_elements::<u64>), ("stxvd2x", store_elements::<u64>),
    ("lxvw4x", load_elements::<u32>), ("stxvw4x", store_elements::<u32>),
    ("lxvh8x", load_elements::<u16>), ("stxvh8x", store_elements::<u16>),
    ("lxvb16x", load_elements::<u8>), ("stxvb16x", store_elements::<u8>),
    ("lxvdsx", splat::<u64>), ("lxvwsx", splat::<u32>),
    ("lxsdx", |c, i| { let v = c.load::<u64>(c.ea_x(i))?; scalar(c, i, v) }),
    ("lxsiwax", |c, i| { let v = c.load::<u32>(c.ea_x(i))?; scalar(c, i, v as i32 as u64) }),
    ("lxsiwzx", |c, i| { let v = c.load::<u32>(c.ea_x(i))?; scalar(c, i, u64::from(v)) }),
    ("lxsihzx", |c, i| { let v = c.load::<u16>(c.ea_x(i))?; scalar(c, i, u64::from(v)) }),
    ("lxsibzx", |c, i| { let v = c.load::<u8>(c.ea_x(i))?; scalar(c, i, u64::from(v)) }),
    ("lxsspx", |c, i| { let v = c.load::<u32>(c.ea_x(i))?; scalar(c, i, load_single(v)) }),
    ("stxsdx", |c, i| c.store::<u64>(c.ea_x(i), c.vsr[i.xt()].0[0])),
    ("stxsiwx", |c, i| c.store::<u32>(c.ea_x(i), c.vsr[i.xt()].0[0] as u32)),
    ("stxsihx", |c, i| c.store::<u16>(c.ea_x(i), c.vsr[i.xt()].0[0] as u16)),
    ("stxsibx", |c, i| c.store::<u8>(c.ea_x(i), c.vsr[i.xt()].0[0] as u8)),
    ("stxsspx", |c, i| c.store::<u32>(c.ea_x(i), store_single(c.vsr[i.xt()].0[0]))),
    ("lxsd", |c, i| { let v = c.load::<u64>(ea_ds(c, i))?; c.set_vr(i.frt(), Vsr([v, 0])); Ok(()) }),
    ("lxssp", |c, i| { let v = c.load::<u32>(ea_ds(c, i))?; c.set_vr(i.frt(), Vsr([load_single(v), 0])); Ok(()) }),
    ("stxsd", |c, i| c.store::<u64>(ea_ds(c, i), c.vr(i.frt()).0[0])),
    ("stxssp", |c, i| c.store::<u32>(ea_ds(c, i), store_single(c.vr(i.frt()).0[0]))),
    ("lxvl", |c, i| load_length(c, i, justified_left)), ("lxvll", |c, i| load_length(c, i, |_| true)),
    ("stxvl", |c, i| store_length(c, i, justified_left)), ("stxvll", |c, i| store_length(c, i, |_| true)),
    ("lxvrbx", load_rightmost::<u8>), ("lxvrhx", load_rightmost::<u16>), ("lxvrwx", load_rightmost::<u32>), ("lxvrdx", load_rightmost::<u64>),
    ("stxvrbx", store_rightmost::<u8>), ("stxvrhx", store_rightmost::<u16>), ("stxvrwx", store_rightmost::<u32>), ("stxvrdx", store_rightmost::<u64>),
    ("lxvp", |c, i| load_pair(c, i.xtp(), ea_dq(c, i))), ("lxvpx", |c, i| load_pair(c, i.xtp(), c.ea_x(i))),
    ("stxvp", |c, i| store_pair(c, i.xtp(), ea_dq(c, i))), ("stxvpx", |c, i| store_pair(c, i.xtp(), c.ea_x(i))),
];

/// (RA|0) + the DQ-form displacement.
fn ea_dq(c: &Core, i: Insn) -> u64 {
    c.ra0(i).wrapping_add(i.dq())
}

/// (RA|0) + the DS-form displacement.
fn ea_ds(c: &Core, i: Insn) -> u64 {
    c.ra0(i).wrapping_add(i.ds())
}

/// XT ← a scalar in doubleword 0.
fn scalar(c: &mut Core, i: Insn, v: u64) -> Step {
    set(c, i, Vsr([v, 0]))
}

/// Between a quadword of storage and its elements in the order of their addresses.
#[inline(always)]
fn in_address_order<T: Lane>(c: &Core, v: Vsr) -> Vsr {
    if !c.little_endian {
        return v;
    }
    let mut lanes = T::split(v);
    lanes.as_mut().reverse();
    T::join(lanes)
}

/// lxvx, lxvd2x, lxvw4x, lxvh8x, lxvb16x (ISA I 7.6).
fn load_elements<T: Lane>(c: &mut Core, i: Insn) -> Step {
    let v = c.load::<u128>(c.ea_x(i))?;
    let v = in_address_order::<T>(c, Vsr::new(v));
    set(c, i, v)
}

/// stxvx, stxvd2x, stxvw4x, stxvh8x, stxvb16x (ISA I 7.6).
fn store_elements<T: Lane>(c: &mut Core, i: Insn) -> Step {
    let v = in_address_order::<T>(c, c.vsr[i.xt()]);
    c.store::<u128>(c.ea_x(i), v.value())
}

/// lxvdsx, lxvwsx: one element everywhere (ISA I 7.6).
fn splat<T: Lane + Scalar>(c: &mut Core, i: Insn) -> Step {
    let v = c.load::<T>(c.ea_x(i))?;
    set(c, i, build::<T>(|_| v))
}

/// Whether the bytes of lxvl and stxvl are the first of the register.
fn justified_left(c: &Core) -> bool {
    !c.little_endian
}

/// How many bytes RB says: its first byte, at most 16.
fn length(c: &Core, i: Insn) -> usize {
    (c.gpr[i.rb()] >> 56).min(16) as usize
}

/// lxvl, lxvll: as many bytes as RB says from (RA|0) on, the rest cleared. lxvl puts them where lxvx would (ISA 3.0 I 7.6).
fn load_length(c: &mut Core, i: Insn, left: fn(&Core) -> bool) -> Step {
    let (ea, mut bytes) = (c.ra0(i), [0u8; 16]);
    let left = left(c);
    for k in 0..length(c, i) {
        bytes[if left { k } else { 15 - k }] = c.load::<u8>(ea.wrapping_add(k as u64))?;
    }
    set(c, i, Vsr::from_bytes(bytes))
}

/// stxvl, stxvll: the opposite; nothing is stored unless all can be (ISA 3.0 I 7.6).
fn store_length(c: &mut Core, i: Insn, left: fn(&Core) -> bool) -> Step {
    let (ea, bytes, n) = (c.ra0(i), c.vsr[i.xt()].bytes(), length(c, i));
    let left = left(c);
    if n > 0 {
        c.probe(ea, Access::Store)?;
        c.probe(ea.wrapping_add(n as u64 - 1), Access::Store)?;
    }
    for k in 0..n {
        c.store::<u8>(ea.wrapping_add(k as u64), bytes[if left { k } else { 15 - k }])?;
    }
    Ok(())
}

/// lxvrbx and its kin: one element at the right end, the rest cleared (ISA 3.1 I 7.6).
fn load_rightmost<T: Scalar>(c: &mut Core, i: Insn) -> Step {
    let v = c.load::<T>(c.ea_x(i))?;
    set(c, i, Vsr::new(v.widen()))
}

/// stxvrbx and its kin: the rightmost element (ISA 3.1 I 7.6).
fn store_rightmost<T: Scalar>(c: &mut Core, i: Insn) -> Step {
    let v = T::narrow(c.vsr[i.xt()].value());
    c.store::<T>(c.ea_x(i), v)
}

/// Which register of a pair is at the lower address: the pair is one number of 256 bits, in little-endian mode reversed as a whole.
fn order(c: &Core, first: usize) -> [usize; 2] {
    if c.little_endian { [first + 1, first] } else { [first, first + 1] }
}

/// lxvp, lxvpx and plxvp: a pair of registers (ISA 3.1 I 7.6).
pub fn load_pair(c: &mut Core, first: usize, ea: u64) -> Step {
    let low = c.load::<u128>(ea)?;
    let high = c.load::<u128>(ea.wrapping_add(16))?;
    let at = order(c, first);
    c.vsr[at[0]] = Vsr::new(low);
    c.vsr[at[1]] = Vsr::new(high);
    Ok(())
}

/// stxvp, stxvpx and pstxvp: a pair of registers; nothing is stored unless all can be (ISA 3.1 I 7.6).
pub fn store_pair(c: &mut Core, first: usize, ea: u64) -> Step {
    let [low, high] = order(c, first).map(|n| c.vsr[n].value());
    c.probe(ea, Access::Store)?;
    c.probe(ea.wrapping_add(31), Access::Store)?;
    c.store::<u128>(ea, low)?;
    c.store::<u128>(ea.wrapping_add(16), high)
}
