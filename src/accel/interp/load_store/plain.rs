//! Loads and stores of one integer (ISA I 3.3.2, 3.3.3, 3.3.5).
//!
//! The functions differ in three ways: the address (D, DS or X form), the integer's type, and whether RA is updated; the helpers take
//! them apart. An update happens after the access, so that an access that fails leaves the registers alone.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::access::Scalar;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("lbz", |c, i| load(c, i, c.ea_d(i), byte)), ("lbzu", |c, i| load_update(c, i, c.ea_d(i), byte)),
    ("lhz", |c, i| load(c, i, c.ea_d(i), half)), ("lhzu", |c, i| load_update(c, i, c.ea_d(i), half)),
    ("lha", |c, i| load(c, i, c.ea_d(i), signed_half)), ("lhau", |c, i| load_update(c, i, c.ea_d(i), signed_half)),
    ("lwz", |c, i| load(c, i, c.ea_d(i), word)), ("lwzu", |c, i| load_update(c, i, c.ea_d(i), word)),
    ("lwa", |c, i| load(c, i, ea_ds(c, i), signed_word)),
    ("ld", |c, i| load(c, i, ea_ds(c, i), double)), ("ldu", |c, i| load_update(c, i, ea_ds(c, i), double)),
    ("lbzx", |c, i| load(c, i, c.ea_x(i), byte)), ("lbzux", |c, i| load_update(c, i, c.ea_x(i), byte)),
    ("lhzx", |c, i| load(c, i, c.ea_x(i), half)), ("lhzux", |c, i| load_update(c, i, c.ea_x(i), half)),
    ("lhax", |c, i| load(c, i, c.ea_x(i), signed_half)), ("lhaux", |c, i| load_update(c, i, c.ea_x(i), signed_half)),
    ("lwzx", |c, i| load(c, i, c.ea_x(i), word)), ("lwzux", |c, i| load_update(c, i, c.ea_x(i), word)),
    ("lwax", |c, i| load(c, i, c.ea_x(i), signed_word)), ("lwaux", |c, i| load_update(c, i, c.ea_x(i), signed_word)),
    ("ldx", |c, i| load(c, i, c.ea_x(i), double)), ("ldux", |c, i| load_update(c, i, c.ea_x(i), double)),
    ("lhbrx", |c, i| load(c, i, c.ea_x(i), |v: u16| u64::from(v.swap_bytes()))),
    ("lwbrx", |c, i| load(c, i, c.ea_x(i), |v: u32| u64::from(v.swap_bytes()))),
    ("ldbrx", |c, i| load(c, i, c.ea_x(i), u64::swap_bytes)),
    ("stb", |c, i| c.store(c.ea_d(i), rs(c, i) as u8)), ("stbu", |c, i| store_update(c, i, c.ea_d(i), rs(c, i) as u8)),
    ("sth", |c, i| c.store(c.ea_d(i), rs(c, i) as u16)), ("sthu", |c, i| store_update(c, i, c.ea_d(i), rs(c, i) as u16)),
    ("stw", |c, i| c.store(c.ea_d(i), rs(c, i) as u32)), ("stwu", |c, i| store_update(c, i, c.ea_d(i), rs(c, i) as u32)),
    ("std", |c, i| c.store(ea_ds(c, i), rs(c, i))), ("stdu", |c, i| store_update(c, i, ea_ds(c, i), rs(c, i))),
    ("stbx", |c, i| c.store(c.ea_x(i), rs(c, i) as u8)), ("stbux", |c, i| store_update(c, i, c.ea_x(i), rs(c, i) as u8)),
    ("sthx", |c, i| c.store(c.ea_x(i), rs(c, i) as u16)), ("sthux", |c, i| store_update(c, i, c.ea_x(i), rs(c, i) as u16)),
    ("stwx", |c, i| c.store(c.ea_x(i), rs(c, i) as u32)), ("stwux", |c, i| store_update(c, i, c.ea_x(i), rs(c, i) as u32)),
    ("stdx", |c, i| c.store(c.ea_x(i), rs(c, i))), ("stdux", |c, i| store_update(c, i, c.ea_x(i), rs(c, i))),
    ("sthbrx", |c, i| c.store(c.ea_x(i), (rs(c, i) as u16).swap_bytes())),
    ("stwbrx", |c, i| c.store(c.ea_x(i), (rs(c, i) as u32).swap_bytes())),
    ("stdbrx", |c, i| c.store(c.ea_x(i), rs(c, i).swap_bytes())),
];

fn byte(v: u8) -> u64 {
    u64::from(v)
}
fn half(v: u16) -> u64 {
    u64::from(v)
}
fn signed_half(v: u16) -> u64 {
    i64::from(v as i16) as u64
}
fn word(v: u32) -> u64 {
    u64::from(v)
}
fn signed_word(v: u32) -> u64 {
    i64::from(v as i32) as u64
}
fn double(v: u64) -> u64 {
    v
}

#[inline(always)]
fn rs(c: &Core, i: Insn) -> u64 {
    c.gpr[i.rt()]
}

/// Effective address (RA|0) + DS.
#[inline(always)]
fn ea_ds(c: &Core, i: Insn) -> u64 {
    c.ra0(i).wrapping_add(i.ds())
}

/// RT ← what is at `ea`, extended.
#[inline(always)]
fn load<T: Scalar>(c: &mut Core, i: Insn, ea: u64, extend: fn(T) -> u64) -> Step {
    c.gpr[i.rt()] = extend(c.load(ea)?);
    Ok(())
}

/// The same, then RA ← EA. With RA = 0 or RA = RT the form is invalid: an illegal instruction, as under QEMU.
#[inline(always)]
fn load_update<T: Scalar>(c: &mut Core, i: Insn, ea: u64, extend: fn(T) -> u64) -> Step {
    if i.ra() == 0 || i.ra() == i.rt() {
        return c.illegal();
    }
    c.gpr[i.rt()] = extend(c.load(ea)?);
    c.gpr[i.ra()] = ea & c.ea_mask;
    Ok(())
}

/// Stores, then RA ← EA. RA = 0 is an invalid form.
#[inline(always)]
fn store_update<T: Scalar>(c: &mut Core, i: Insn, ea: u64, v: T) -> Step {
    if i.ra() == 0 {
        return c.illegal();
    }
    c.store(ea, v)?;
    c.gpr[i.ra()] = ea & c.ea_mask;
    Ok(())
}
