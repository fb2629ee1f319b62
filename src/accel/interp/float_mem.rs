//! Floating-point loads and stores (ISA I 4.6.2 to 4.6.4): registers hold doubles, storage holds singles, doubles, words and pairs.
//!
//! Single precision is only a format of storage: `lfs` widens exactly and `stfs` narrows by cutting bits off, neither touches FPSCR.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::Trap;
use crate::isa::Insn;
use crate::softfp::load_single;
use crate::softfp::store_single;

/// The functions of these sections.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("lfs",    |c, i| load(c, i, c.ea_d(i), single)),
    ("lfsu",   |c, i| update(c, i, c.ea_d(i), |c, i, ea| load(c, i, ea, single))),
    ("lfsx",   |c, i| load(c, i, c.ea_x(i), single)),
    ("lfsux",  |c, i| update(c, i, c.ea_x(i), |c, i, ea| load(c, i, ea, single))),
    ("lfd",    |c, i| load(c, i, c.ea_d(i), double)),
    ("lfdu",   |c, i| update(c, i, c.ea_d(i), |c, i, ea| load(c, i, ea, double))),
    ("lfdx",   |c, i| load(c, i, c.ea_x(i), double)),
    ("lfdux",  |c, i| update(c, i, c.ea_x(i), |c, i, ea| load(c, i, ea, double))),
    ("lfiwax", |c, i| load(c, i, c.ea_x(i), |c, ea| Ok(c.load::<u32>(ea)? as i32 as u64))),
    ("lfiwzx", |c, i| load(c, i, c.ea_x(i), |c, ea| Ok(c.load::<u32>(ea)?.into()))),
    ("stfs",   |c, i| put_single(c, i, c.ea_d(i))),
    ("stfsu",  |c, i| update(c, i, c.ea_d(i), put_single)),
    ("stfsx",  |c, i| put_single(c, i, c.ea_x(i))),
    ("stfsux", |c, i| update(c, i, c.ea_x(i), put_single)),
    ("stfd",   |c, i| put_double(c, i, c.ea_d(i))),
    ("stfdu",  |c, i| update(c, i, c.ea_d(i), put_double)),
    ("stfdx",  |c, i| put_double(c, i, c.ea_x(i))),
    ("stfdux", |c, i| update(c, i, c.ea_x(i), put_double)),
    ("stfiwx", |c, i| c.store::<u32>(c.ea_x(i), c.fpr(i.frt()) as u32)),
    ("lfdp",   |c, i| load_pair(c, i, c.ra0(i).wrapping_add(i.ds()))),
    ("lfdpx",  |c, i| load_pair(c, i, c.ea_x(i))),
    ("stfdp",  |c, i| store_pair(c, i, c.ra0(i).wrapping_add(i.ds()))),
    ("stfdpx", |c, i| store_pair(c, i, c.ea_x(i))),
];

/// FRT ← what `read` finds at `ea`.
#[inline(always)]
fn load(c: &mut Core, i: Insn, ea: u64, read: fn(&mut Core, u64) -> Result<u64, Trap>) -> Step {
    let value = read(c, ea)?;
    c.set_fpr(i.frt(), value);
    Ok(())
}

/// A single in storage, as a register holds it.
pub fn single(c: &mut Core, ea: u64) -> Result<u64, Trap> {
    Ok(load_single(c.load::<u32>(ea)?))
}

/// A double in storage.
pub fn double(c: &mut Core, ea: u64) -> Result<u64, Trap> {
    c.load::<u64>(ea)
}

/// Stores FRS as a single.
pub fn put_single(c: &mut Core, i: Insn, ea: u64) -> Step {
    let word = store_single(c.fpr(i.frt()));
    c.store::<u32>(ea, word)
}

/// Stores FRS.
pub fn put_double(c: &mut Core, i: Insn, ea: u64) -> Step {
    let value = c.fpr(i.frt());
    c.store::<u64>(ea, value)
}

/// The update forms: RA ← EA after the access succeeded. RA = 0 is an invalid form.
#[inline(always)]
fn update(c: &mut Core, i: Insn, ea: u64, access: fn(&mut Core, Insn, u64) -> Step) -> Step {
    if i.ra() == 0 {
        return c.illegal();
    }
    access(c, i, ea)?;
    c.gpr[i.ra()] = ea;
    Ok(())
}

/// lfdp, lfdpx: an even-odd pair from a quadword, the even register being the number's more significant half. An odd FRTp is an invalid form.
fn load_pair(c: &mut Core, i: Insn, ea: u64) -> Step {
    if i.frt() & 1 != 0 {
        return c.illegal();
    }
    let pair = c.load::<u128>(ea)?;
    c.set_fpr(i.frt(), (pair >> 64) as u64);
    c.set_fpr(i.frt() + 1, pair as u64);
    Ok(())
}

/// stfdp, stfdpx: an even-odd pair to a quadword.
fn store_pair(c: &mut Core, i: Insn, ea: u64) -> Step {
    if i.frt() & 1 != 0 {
        return c.illegal();
    }
    let pair = (u128::from(c.fpr(i.frt())) << 64) | u128::from(c.fpr(i.frt() + 1));
    c.store::<u128>(ea, pair)
}
