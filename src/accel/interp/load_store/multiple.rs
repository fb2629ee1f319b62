//! Loads and stores of several registers: multiple words, strings, quadwords (ISA I 3.3.4, 3.3.6, 3.3.7).
//!
//! What is loaded is collected first and written to the registers when all of it is there, so that an access that fails half-way changes none.
//! Multiple and string instructions raise an alignment interrupt in little-endian mode (ISA I 3.3.6, 3.3.7).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("lmw", lmw), ("stmw", stmw),
    ("lswi", |c, i| load_string(c, i, c.ra0(i), string_bytes(i))),
    ("lswx", lswx),
    ("stswi", |c, i| store_string(c, i, c.ra0(i), string_bytes(i))),
    ("stswx", |c, i| store_string(c, i, c.ea_x(i), u64::from(c.xer.count))),
    ("lq", lq), ("stq", stq),
];

/// lmw: RT to r31 ← consecutive words.
fn lmw(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_d(i);
    if c.little_endian {
        return Err(c.misaligned(ea & c.ea_mask));
    }
    let mut registers = c.gpr;
    for (k, r) in registers[i.rt()..].iter_mut().enumerate() {
        *r = u64::from(c.load::<u32>(ea.wrapping_add(4 * k as u64))?);
    }
    c.gpr = registers;
    Ok(())
}

/// stmw: consecutive words ← low words of RS to r31.
fn stmw(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_d(i);
    if c.little_endian {
        return Err(c.misaligned(ea & c.ea_mask));
    }
    for n in i.rt()..32 {
        c.store(ea.wrapping_add(4 * (n - i.rt()) as u64), c.gpr[n] as u32)?;
    }
    Ok(())
}

/// The length that NB encodes: 0 stands for 32.
fn string_bytes(i: Insn) -> u64 {
    if i.nb() == 0 { 32 } else { u64::from(i.nb()) }
}

/// Whether register `n` is among those that `bytes` bytes from RT on fill.
fn filled(i: Insn, bytes: u64, n: usize) -> bool {
    ((n + 32 - i.rt()) % 32) < bytes.div_ceil(4) as usize
}

/// lswx: the length is in XER. A register of the address among those loaded is an invalid form.
fn lswx(c: &mut Core, i: Insn) -> Step {
    let bytes = u64::from(c.xer.count);
    if bytes > 0 && filled(i, bytes, i.rb()) {
        return c.illegal();
    }
    load_string(c, i, c.ea_x(i), bytes)
}

/// Registers from RT on, wrapping to r0 ← `bytes` bytes, four to a register, left-justified in the low word.
fn load_string(c: &mut Core, i: Insn, ea: u64, bytes: u64) -> Step {
    if c.little_endian {
        return Err(c.misaligned(ea & c.ea_mask));
    }
    if bytes > 0 && i.ra() != 0 && filled(i, bytes, i.ra()) {
        return c.illegal();
    }
    let mut words = [0u32; 32];
    for k in 0..bytes {
        let b: u8 = c.load(ea.wrapping_add(k))?;
        words[k as usize / 4] |= u32::from(b) << (24 - 8 * (k % 4));
    }
    for (k, w) in words[..bytes.div_ceil(4) as usize].iter().enumerate() {
        c.gpr[(i.rt() + k) % 32] = u64::from(*w);
    }
    Ok(())
}

/// `bytes` bytes ← the low words of the registers from RS on.
fn store_string(c: &mut Core, i: Insn, ea: u64, bytes: u64) -> Step {
    if c.little_endian {
        return Err(c.misaligned(ea & c.ea_mask));
    }
    for k in 0..bytes {
        let w = c.gpr[(i.rt() + k as usize / 4) % 32] as u32;
        c.store(ea.wrapping_add(k), (w >> (24 - 8 * (k % 4))) as u8)?;
    }
    Ok(())
}

/// lq: RT || RT+1 ← a quadword, atomically. An odd RT, or RT = RA, is an invalid form.
fn lq(c: &mut Core, i: Insn) -> Step {
    if !i.rt().is_multiple_of(2) || i.rt() == i.ra() {
        return c.illegal();
    }
    let v: u128 = c.load_atomic(c.ra0(i).wrapping_add(i.dq()))?;
    c.gpr[i.rt()] = (v >> 64) as u64;
    c.gpr[i.rt() + 1] = v as u64;
    Ok(())
}

/// stq: a quadword ← RS || RS+1, atomically.
fn stq(c: &mut Core, i: Insn) -> Step {
    if !i.rt().is_multiple_of(2) {
        return c.illegal();
    }
    let v = pair(c, i.rt());
    c.store_atomic(c.ra0(i).wrapping_add(i.ds()), v)
}

/// Registers `n` and `n + 1` as one number.
pub(super) fn pair(c: &Core, n: usize) -> u128 {
    (u128::from(c.gpr[n]) << 64) | u128::from(c.gpr[n + 1])
}
