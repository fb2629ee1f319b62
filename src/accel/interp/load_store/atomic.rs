//! Reservations, and atomic updates of memory (ISA II 4.5, 4.6.2).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::access::Scalar;
use crate::accel::interp::load_store::multiple::pair;
use crate::cpu::state::EQ;
use crate::isa::Insn;
use crate::mmu::Access;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("lbarx", reserve::<u8>), ("lharx", reserve::<u16>), ("lwarx", reserve::<u32>), ("ldarx", reserve::<u64>), ("lqarx", lqarx),
    ("stbcx.", conditional::<u8>), ("sthcx.", conditional::<u16>), ("stwcx.", conditional::<u32>), ("stdcx.", conditional::<u64>),
    ("stqcx.", stqcx),
    ("lwat", update_load::<u32>), ("ldat", update_load::<u64>), ("stwat", update_store::<u32>), ("stdat", update_store::<u64>),
];

/// lbarx, lharx, lwarx, ldarx: RT ← what is at EA, and a reservation.
fn reserve<T: Scalar>(c: &mut Core, i: Insn) -> Step {
    let v: T = c.load_reserve(c.ea_x(i))?;
    c.gpr[i.rt()] = v.widen() as u64;
    Ok(())
}

/// lqarx: a register pair. An odd RT, or one that is RA or RB, is an invalid form.
fn lqarx(c: &mut Core, i: Insn) -> Step {
    if !i.rt().is_multiple_of(2) || i.rt() == i.ra() || i.rt() == i.rb() {
        return c.illegal();
    }
    let v: u128 = c.load_reserve(c.ea_x(i))?;
    c.gpr[i.rt()] = (v >> 64) as u64;
    c.gpr[i.rt() + 1] = v as u64;
    Ok(())
}

/// CR0 ← 0b00 || stored || SO.
fn told<T: Scalar>(c: &mut Core, ea: u64, v: T) -> Step {
    let stored = c.store_conditional(ea, v)?;
    let so = c.xer.so;
    c.set_cr(0, so | if stored { EQ } else { 0 });
    Ok(())
}

/// stbcx. … stdcx.: stores if the reservation still holds.
fn conditional<T: Scalar>(c: &mut Core, i: Insn) -> Step {
    let v = T::narrow(u128::from(c.gpr[i.rt()]));
    told(c, c.ea_x(i), v)
}

/// stqcx.: a register pair.
fn stqcx(c: &mut Core, i: Insn) -> Step {
    if !i.rt().is_multiple_of(2) {
        return c.illegal();
    }
    let v = pair(c, i.rt());
    told(c, c.ea_x(i), v)
}

/// `v` with the sign of a `T`, widened.
fn signed<T: Scalar>(v: T) -> i128 {
    let unused = 128 - 8 * T::BYTES as u32;
    ((v.widen() << unused) as i128) >> unused
}

/// The operations that lwat, ldat and stwat, stdat share: function codes 0 to 7.
fn combine<T: Scalar>(code: u32, m: T, r: T) -> T {
    let (x, y) = (m.widen(), r.widen());
    match code {
        0 => T::narrow(x.wrapping_add(y)),
        1 => T::narrow(x ^ y),
        2 => T::narrow(x | y),
        3 => T::narrow(x & y),
        4 => T::narrow(x.max(y)),
        5 => T::narrow(signed(m).max(signed(r)) as u128),
        6 => T::narrow(x.min(y)),
        _ => T::narrow(signed(m).min(signed(r)) as u128),
    }
}

/// lwat, ldat: RT ← old memory; memory ← a function of it, RT+1 and RT+2. An unknown function code is an illegal instruction, as under QEMU.
fn update_load<T: Scalar>(c: &mut Core, i: Insn) -> Step {
    let ea = c.ra0(i);
    let operand = |c: &Core, n: usize| T::narrow(u128::from(c.gpr[(i.rt() + n) % 32]));
    let (one, two) = (operand(c, 1), operand(c, 2));
    let old = match i.nb() {
        code @ 0..=7 => c.update_atomic(ea, |m| combine(code, m, one))?,
        8 => c.update_atomic(ea, |_| one)?,
        16 => c.update_atomic(ea, |m| if m == one { m } else { two })?,
        24 => return bounded(c, i, ea.wrapping_add(T::BYTES), |m, bound| if m == bound { None } else { Some(step::<T>(m, 1)) }),
        25 => return bounded(c, i, ea.wrapping_add(T::BYTES), |m, bound| if m == bound { Some(step::<T>(m, 1)) } else { None }),
        28 => return bounded(c, i, ea.wrapping_sub(T::BYTES), |m, bound| if m == bound { None } else { Some(step::<T>(m, -1)) }),
        _ => return c.illegal(),
    };
    c.gpr[i.rt()] = old.widen() as u64;
    Ok(())
}

fn step<T: Scalar>(m: T, by: i128) -> T {
    T::narrow((m.widen() as i128).wrapping_add(by) as u128)
}

/// Increment or decrement against a bound that lies beside the operand: RT ← old memory, or only the sign bit if there was no update.
fn bounded<T: Scalar>(c: &mut Core, i: Insn, beside: u64, f: fn(T, T) -> Option<T>) -> Step {
    let ea = c.ra0(i);
    // Both must lie in one aligned block of 32 bytes (ISA II 4.5.1).
    if (ea ^ beside) & !31 != 0 {
        return Err(c.misaligned(ea & c.ea_mask));
    }
    let bound: T = c.load(beside)?;
    let old = c.update_atomic(ea, |m| f(m, bound).unwrap_or(m))?;
    c.gpr[i.rt()] = if f(old, bound).is_some() { old.widen() as u64 } else { 1 << (8 * T::BYTES - 1) };
    Ok(())
}

/// stwat, stdat: memory ← a function of it and RS; code 24 stores two equal neighbours together.
fn update_store<T: Scalar>(c: &mut Core, i: Insn) -> Step {
    let ea = c.ra0(i);
    let v = T::narrow(u128::from(c.gpr[i.rt()]));
    match i.nb() {
        code @ 0..=7 => c.update_atomic(ea, |m| combine(code, m, v)).map(|_| ()),
        24 => {
            let beside = ea.wrapping_add(T::BYTES);
            if (ea ^ beside) & !31 != 0 {
                return Err(c.misaligned(ea & c.ea_mask));
            }
            c.probe(ea, Access::Store)?;
            let other: T = c.load(beside)?;
            let old = c.update_atomic(ea, |m| if m == other { v } else { m })?;
            if old == other { c.store(beside, v) } else { Ok(()) }
        }
        _ => c.illegal(),
    }
}
