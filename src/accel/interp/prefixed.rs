//! Prefixed instructions (ISA 3.1): one function per row, apart from the matrix-multiply ones (`mma`).
//!
//! Loads and stores are their word forms with a 34-bit displacement and, with R, an address relative to the instruction; R with a base
//! register is an invalid form.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::Trap;
use crate::accel::interp::float_mem::double;
use crate::accel::interp::float_mem::put_double;
use crate::accel::interp::float_mem::put_single;
use crate::accel::interp::float_mem::single;
use crate::cpu::interrupt::Interrupt;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::isa::regs::Msr;
use crate::isa::vectors::Vector;
use crate::mmu::Access;
use crate::softfp::load_single;
use crate::softfp::store_single;

/// The functions of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("pnop",       |_, _| Ok(())),
    ("paddi",      paddi),
    ("plbz",       |c, i| load(c, i, |c, ea| Ok(c.load::<u8>(ea)?.into()))),
    ("plhz",       |c, i| load(c, i, |c, ea| Ok(c.load::<u16>(ea)?.into()))),
    ("plha",       |c, i| load(c, i, |c, ea| Ok(c.load::<u16>(ea)? as i16 as u64))),
    ("plwz",       |c, i| load(c, i, |c, ea| Ok(c.load::<u32>(ea)?.into()))),
    ("plwa",       |c, i| load(c, i, |c, ea| Ok(c.load::<u32>(ea)? as i32 as u64))),
    ("pld",        |c, i| load(c, i, |c, ea| c.load::<u64>(ea))),
    ("plq",        plq),
    ("pstb",       |c, i| { let ea = ea(c, i)?; c.store(ea, c.gpr[i.rt()] as u8) }),
    ("psth",       |c, i| { let ea = ea(c, i)?; c.store(ea, c.gpr[i.rt()] as u16) }),
    ("pstw",       |c, i| { let ea = ea(c, i)?; c.store(ea, c.gpr[i.rt()] as u32) }),
    ("pstd",       |c, i| { let ea = ea(c, i)?; c.store(ea, c.gpr[i.rt()]) }),
    ("pstq",       pstq),
    ("plfs",       |c, i| load_fpr(c, i, single)),
    ("plfd",       |c, i| load_fpr(c, i, double)),
    ("pstfs",      |c, i| { let ea = ea(c, i)?; put_single(c, i, ea) }),
    ("pstfd",      |c, i| { let ea = ea(c, i)?; put_double(c, i, ea) }),
    ("plxsd",      |c, i| load_vr(c, i, |c, ea| c.load::<u64>(ea))),
    ("plxssp",     |c, i| load_vr(c, i, |c, ea| Ok(load_single(c.load::<u32>(ea)?)))),
    ("pstxsd",     |c, i| { let ea = ea(c, i)?; c.store(ea, c.vr(i.frt()).0[0]) }),
    ("pstxssp",    |c, i| { let ea = ea(c, i)?; c.store(ea, store_single(c.vr(i.frt()).0[0])) }),
    ("plxv",       plxv),
    ("pstxv",      pstxv),
    ("plxvp",      plxvp),
    ("pstxvp",     pstxvp),
    ("xxspltidp",  |c, i| splat(c, i, load_single)),
    ("xxspltiw",   |c, i| splat(c, i, |imm| (u64::from(imm) << 32) | u64::from(imm))),
    ("xxsplti32dx", xxsplti32dx),
    ("xxblendvb",  |c, i| blend(c, i, 8)),
    ("xxblendvh",  |c, i| blend(c, i, 16)),
    ("xxblendvw",  |c, i| blend(c, i, 32)),
    ("xxblendvd",  |c, i| blend(c, i, 64)),
    ("xxpermx",    xxpermx),
    ("xxeval",     xxeval),
];

/// (RA|0) or the instruction's address.
fn base(c: &mut Core, i: Insn) -> Result<u64, Trap> {
    match (i.pcrel(), i.ra()) {
        (false, _) => Ok(c.ra0(i)),
        (true, 0) => Ok(c.cia),
        (true, _) => {
            c.illegal()?;
            Ok(0)
        }
    }
}

/// The effective address.
fn ea(c: &mut Core, i: Insn) -> Result<u64, Trap> {
    Ok(base(c, i)?.wrapping_add(i.d34()))
}

/// paddi: RT ← (RA|0) + SI, or CIA + SI (ISA I 3.3).
fn paddi(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = ea(c, i)?;
    Ok(())
}

#[inline(always)]
fn load(c: &mut Core, i: Insn, read: fn(&mut Core, u64) -> Result<u64, Trap>) -> Step {
    let ea = ea(c, i)?;
    c.gpr[i.rt()] = read(c, ea)?;
    Ok(())
}

/// plq: unlike lq, the even register has the doubleword at EA in both byte orders. RTp equal to RA is an invalid form.
fn plq(c: &mut Core, i: Insn) -> Step {
    if i.rt() == i.ra() {
        return c.illegal();
    }
    let ea = ea(c, i)?;
    let value = c.load_atomic::<u128>(ea)?;
    let (low, high) = (value as u64, (value >> 64) as u64);
    let (even, odd) = if c.little_endian { (low, high) } else { (high, low) };
    c.gpr[i.rt()] = even;
    c.gpr[i.rt() + 1] = odd;
    Ok(())
}

/// pstq: the inverse of plq.
fn pstq(c: &mut Core, i: Insn) -> Step {
    let ea = ea(c, i)?;
    let (even, odd) = (u128::from(c.gpr[i.rt()]), u128::from(c.gpr[i.rt() + 1]));
    let value = if c.little_endian { (odd << 64) | even } else { (even << 64) | odd };
    c.store_atomic(ea, value)
}

fn load_fpr(c: &mut Core, i: Insn, read: fn(&mut Core, u64) -> Result<u64, Trap>) -> Step {
    let ea = ea(c, i)?;
    let value = read(c, ea)?;
    c.set_fpr(i.frt(), value);
    Ok(())
}

/// Doubleword 0 of VRT; doubleword 1 becomes zero.
fn load_vr(c: &mut Core, i: Insn, read: fn(&mut Core, u64) -> Result<u64, Trap>) -> Step {
    let ea = ea(c, i)?;
    let value = read(c, ea)?;
    c.set_vr(i.frt(), Vsr([value, 0]));
    Ok(())
}

/// The facility of plxv and pstxv: VSX for registers 0 to 31, vector for the others.
fn available(c: &mut Core, i: Insn) -> Step {
    let (needed, vector) = if i.pxt() < 32 { (Msr::VSX, Vector::VsxUnavailable) } else { (Msr::VEC, Vector::VectorUnavailable) };
    if c.msr.has(needed) { Ok(()) } else { Err(c.raise(Interrupt::new(vector, 0))) }
}

/// plxv: a quadword.
fn plxv(c: &mut Core, i: Insn) -> Step {
    available(c, i)?;
    let ea = ea(c, i)?;
    c.vsr[i.pxt()] = Vsr::new(c.load::<u128>(ea)?);
    Ok(())
}

/// pstxv: a quadword.
fn pstxv(c: &mut Core, i: Insn) -> Step {
    available(c, i)?;
    let ea = ea(c, i)?;
    let value = c.vsr[i.pxt()].value();
    c.store(ea, value)
}

/// Where the registers of a pair lie: 32 bytes are one number, so in little-endian order the first register comes last.
fn pair(c: &Core, ea: u64) -> [u64; 2] {
    let next = ea.wrapping_add(16);
    if c.little_endian { [next, ea] } else { [ea, next] }
}

/// plxvp: a pair of quadwords.
fn plxvp(c: &mut Core, i: Insn) -> Step {
    let ea = ea(c, i)?;
    let [first, second] = pair(c, ea);
    let (first, second) = (c.load::<u128>(first)?, c.load::<u128>(second)?);
    c.vsr[i.xtp()] = Vsr::new(first);
    c.vsr[i.xtp() + 1] = Vsr::new(second);
    Ok(())
}

/// pstxvp: a pair of quadwords; nothing is stored unless both can be.
fn pstxvp(c: &mut Core, i: Insn) -> Step {
    let ea = ea(c, i)?;
    c.probe(ea, Access::Store)?;
    c.probe(ea.wrapping_add(31), Access::Store)?;
    let [first, second] = pair(c, ea);
    let values = [c.vsr[i.xtp()].value(), c.vsr[i.xtp() + 1].value()];
    c.store(first, values[0])?;
    c.store(second, values[1])
}

/// Both doublewords from the immediate. For xxspltidp a single that is denormal, which the book leaves undefined, is widened exactly.
fn splat(c: &mut Core, i: Insn, f: fn(u32) -> u64) -> Step {
    c.vsr[i.xt_8rr()] = Vsr([f(i.imm32()); 2]);
    Ok(())
}

/// xxsplti32dx: word IX of both doublewords; the other words stay.
fn xxsplti32dx(c: &mut Core, i: Insn) -> Step {
    let (shift, imm) = if i.field(14, 14) == 0 { (32, i.imm32()) } else { (0, i.imm32()) };
    for d in &mut c.vsr[i.xt_8rr()].0 {
        *d = (*d & !(0xffff_ffff << shift)) | (u64::from(imm) << shift);
    }
    Ok(())
}

/// xxblendv…: each element from XB where the first bit of XC's is 1, else from XA.
fn blend(c: &mut Core, i: Insn, bits: u32) -> Step {
    let one_each = u128::MAX / (u128::MAX >> (128 - bits));
    let first_bits = (c.vsr[i.xc()].value() >> (bits - 1)) & one_each;
    let mask = first_bits * (u128::MAX >> (128 - bits));
    c.vsr[i.xt()] = Vsr::new((c.vsr[i.xa()].value() & !mask) | (c.vsr[i.xb()].value() & mask));
    Ok(())
}

/// xxpermx: bytes of XA || XB chosen by XC's low five bits where its high three equal the immediate, else zero.
fn xxpermx(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (c.vsr[i.xa()].bytes(), c.vsr[i.xb()].bytes());
    let section = i.prefix_field(29, 31) as u8;
    c.vsr[i.xt()] = Vsr::from_bytes(c.vsr[i.xc()].bytes().map(|control| match (control >> 5 == section, control & 31) {
        (false, _) => 0,
        (true, n @ 0..16) => a[usize::from(n)],
        (true, n) => b[usize::from(n) - 16],
    }));
    Ok(())
}

/// xxeval: any function of three bits, whose truth table is the immediate with the all-zero case first.
fn xxeval(c: &mut Core, i: Insn) -> Step {
    let [a, b, d] = [i.xa(), i.xb(), i.xc()].map(|r| c.vsr[r].value());
    let table = i.prefix_field(24, 31);
    let minterm = |n: u32| {
        let pick = |bit: u32, v: u128| if n & bit != 0 { v } else { !v };
        pick(4, a) & pick(2, b) & pick(1, d)
    };
    let value = (0..8).filter(|n| table & (0x80 >> n) != 0).fold(0, |v, n| v | minterm(n));
    c.vsr[i.xt()] = Vsr::new(value);
    Ok(())
}

#[cfg(test)]
mod tests;
