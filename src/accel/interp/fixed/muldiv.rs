//! Multiplication and division (ISA I 3.3.9).
//!
//! A division by zero, or of the most negative number by -1, has no defined result; as under QEMU the plain divisions then give the dividend, the remainders 0,
//! the extended divisions 0. Where the book leaves the high word of a word result undefined, it is zero for divisions and high multiplications.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("mulli", mulli), ("mullw", mullw), ("mulld", mulld),
    ("mulhw", |c, i| c.put_rt(i, ((sword(c, i.ra()) * sword(c, i.rb())) as u64) >> 32)),
    ("mulhwu", |c, i| c.put_rt(i, (word(c, i.ra()) * word(c, i.rb())) >> 32)),
    ("mulhd", |c, i| c.put_rt(i, ((sdouble(c, i.ra()) * sdouble(c, i.rb())) >> 64) as u64)),
    ("mulhdu", |c, i| c.put_rt(i, ((double(c, i.ra()) * double(c, i.rb())) >> 64) as u64)),
    ("maddhd", maddhd), ("maddhdu", maddhdu), ("maddld", maddld),
    ("divw", divw), ("divwu", divwu), ("divd", divd), ("divdu", divdu),
    ("divwe", divwe), ("divweu", divweu), ("divde", divde), ("divdeu", divdeu),
    ("modsw", modsw), ("moduw", moduw), ("modsd", modsd), ("modud", modud),
];

fn word(c: &Core, n: usize) -> u64 {
    c.gpr[n] & 0xffff_ffff
}
fn sword(c: &Core, n: usize) -> i64 {
    i64::from(c.gpr[n] as i32)
}
fn double(c: &Core, n: usize) -> u128 {
    u128::from(c.gpr[n])
}
fn sdouble(c: &Core, n: usize) -> i128 {
    i128::from(c.gpr[n] as i64)
}

/// mulli: RT ← low doubleword of (RA) × EXTS(SI).
fn mulli(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = c.gpr[i.ra()].wrapping_mul(i.si());
    Ok(())
}

/// RT ← `result`; if asked for, OV and OV32 are set unless there is a result that `fits`.
#[inline(always)]
fn put_checked(c: &mut Core, i: Insn, result: u64, fits: Option<()>) -> Step {
    if i.oe() != 0 {
        c.set_overflow(if fits.is_none() { u64::MAX } else { 0 });
    }
    c.put_rt(i, result)
}

/// mullw: RT ← product of the low words, whole; OV if it does not fit a word.
fn mullw(c: &mut Core, i: Insn) -> Step {
    let p = sword(c, i.ra()) * sword(c, i.rb());
    put_checked(c, i, p as u64, i32::try_from(p).ok().map(|_| ()))
}

/// mulld: RT ← low doubleword of the product; OV if it does not fit.
fn mulld(c: &mut Core, i: Insn) -> Step {
    let p = sdouble(c, i.ra()) * sdouble(c, i.rb());
    put_checked(c, i, p as u64, i64::try_from(p).ok().map(|_| ()))
}

/// maddhd: RT ← high doubleword of (RA) × (RB) + EXTS(RC).
fn maddhd(c: &mut Core, i: Insn) -> Step {
    let v = (sdouble(c, i.ra()) * sdouble(c, i.rb())).wrapping_add(sdouble(c, i.rc_field()));
    c.gpr[i.rt()] = (v >> 64) as u64;
    Ok(())
}

/// maddhdu: RT ← high doubleword of (RA) × (RB) + (RC), unsigned.
fn maddhdu(c: &mut Core, i: Insn) -> Step {
    let v = double(c, i.ra()) * double(c, i.rb()) + double(c, i.rc_field());
    c.gpr[i.rt()] = (v >> 64) as u64;
    Ok(())
}

/// maddld: RT ← low doubleword of (RA) × (RB) + (RC).
fn maddld(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = c.gpr[i.ra()].wrapping_mul(c.gpr[i.rb()]).wrapping_add(c.gpr[i.rc_field()]);
    Ok(())
}

/// RT ← the quotient, or `otherwise` with OV when there is none.
#[inline(always)]
fn quotient(c: &mut Core, i: Insn, q: Option<u64>, otherwise: u64) -> Step {
    put_checked(c, i, q.unwrap_or(otherwise), q.map(|_| ()))
}

/// divw: signed words.
fn divw(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (c.gpr[i.ra()] as i32, c.gpr[i.rb()] as i32);
    quotient(c, i, a.checked_div(b).map(|q| u64::from(q as u32)), u64::from(a as u32))
}

/// divwu: unsigned words.
fn divwu(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (word(c, i.ra()), word(c, i.rb()));
    quotient(c, i, a.checked_div(b), a)
}

/// divd: signed doublewords.
fn divd(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (c.gpr[i.ra()] as i64, c.gpr[i.rb()] as i64);
    quotient(c, i, a.checked_div(b).map(|q| q as u64), a as u64)
}

/// divdu: unsigned doublewords.
fn divdu(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (c.gpr[i.ra()], c.gpr[i.rb()]);
    quotient(c, i, a.checked_div(b), a)
}

/// divwe: ((RA) low word || 32 zeros) / (RB) low word, signed.
fn divwe(c: &mut Core, i: Insn) -> Step {
    let q = (sword(c, i.ra()) << 32).checked_div(sword(c, i.rb())).filter(|q| *q == i64::from(*q as i32));
    quotient(c, i, q.map(|q| q as u64), 0)
}

/// divweu: ((RA) low word || 32 zeros) / (RB) low word, unsigned.
fn divweu(c: &mut Core, i: Insn) -> Step {
    let q = (word(c, i.ra()) << 32).checked_div(word(c, i.rb())).filter(|q| *q >> 32 == 0);
    quotient(c, i, q, 0)
}

/// divde: ((RA) || 64 zeros) / (RB), signed.
fn divde(c: &mut Core, i: Insn) -> Step {
    let q = (sdouble(c, i.ra()) << 64).checked_div(sdouble(c, i.rb())).filter(|q| *q == i128::from(*q as i64));
    quotient(c, i, q.map(|q| q as u64), 0)
}

/// divdeu: ((RA) || 64 zeros) / (RB), unsigned.
fn divdeu(c: &mut Core, i: Insn) -> Step {
    let q = (double(c, i.ra()) << 64).checked_div(double(c, i.rb())).filter(|q| *q >> 64 == 0);
    quotient(c, i, q.map(|q| q as u64), 0)
}

/// modsw: signed remainder of words, sign-extended.
fn modsw(c: &mut Core, i: Insn) -> Step {
    let r = (c.gpr[i.ra()] as i32).checked_rem(c.gpr[i.rb()] as i32);
    c.gpr[i.rt()] = r.map_or(0, |r| i64::from(r) as u64);
    Ok(())
}

/// moduw: unsigned remainder of words.
fn moduw(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = word(c, i.ra()).checked_rem(word(c, i.rb())).unwrap_or(0);
    Ok(())
}

/// modsd: signed remainder.
fn modsd(c: &mut Core, i: Insn) -> Step {
    let r = (c.gpr[i.ra()] as i64).checked_rem(c.gpr[i.rb()] as i64);
    c.gpr[i.rt()] = r.map_or(0, |r| r as u64);
    Ok(())
}

/// modud: unsigned remainder.
fn modud(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = c.gpr[i.ra()].checked_rem(c.gpr[i.rb()]).unwrap_or(0);
    Ok(())
}
