//! Loads, stores, and the permute controls that align unaligned data (ISA I 6.7).
//!
//! A vector's address is truncated to its size. In little-endian mode the quadword is reversed as a whole, so that element 0 comes from the
//! highest address; an element access therefore touches the element that the whole-vector access at that address would put the data in.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::access::Scalar;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::set;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("lvx", lvx), ("lvxl", lvx), ("stvx", stvx), ("stvxl", stvx),
    ("lvebx", load_element::<u8>), ("lvehx", load_element::<u16>), ("lvewx", load_element::<u32>),
    ("stvebx", store_element::<u8>), ("stvehx", store_element::<u16>), ("stvewx", store_element::<u32>),
    ("lvsl", |c, i| { let sh = c.ea_x(i) as u8 & 15; set(c, i, build::<u8>(|k| sh + k as u8)) }),
    ("lvsr", |c, i| { let sh = c.ea_x(i) as u8 & 15; set(c, i, build::<u8>(|k| 16 - sh + k as u8)) }),
];

/// lvx, lvxl: load a vector from the quadword that contains the address (ISA I 6.7.2).
fn lvx(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_x(i) & !15;
    let v = c.load::<u128>(ea)?;
    set(c, i, Vsr::new(v))
}

/// stvx, stvxl: store a vector to the quadword that contains the address (ISA I 6.7.3).
fn stvx(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_x(i) & !15;
    let v = c.vr(i.frt()).value();
    c.store(ea, v)
}

/// The element of an aligned quadword that an address falls on.
fn element<T: Scalar>(c: &Core, ea: u64) -> usize {
    let from_start = ((ea & 15) / T::BYTES) as usize;
    if c.little_endian { (16 / T::BYTES as usize) - 1 - from_start } else { from_start }
}

/// lvebx, lvehx, lvewx: load one element; the others are undefined by the book, and kept here (ISA I 6.7.2).
fn load_element<T: Scalar + Lane>(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_x(i) & !(T::BYTES - 1);
    let v = c.load::<T>(ea)?;
    let mut lanes = T::split(c.vr(i.frt()));
    lanes.as_mut()[element::<T>(c, ea)] = v;
    set(c, i, T::join(lanes))
}

/// stvebx, stvehx, stvewx: store one element (ISA I 6.7.3).
fn store_element<T: Scalar + Lane>(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_x(i) & !(T::BYTES - 1);
    let v = T::split(c.vr(i.frt())).as_ref()[element::<T>(c, ea)];
    c.store(ea, v)
}
