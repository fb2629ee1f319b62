//! Moves between general registers, CR and XER; random numbers (ISA I 3.3.9, 3.3.17).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::cpu::state::Cr;
use crate::cpu::state::GT;
use crate::cpu::state::LT;
use crate::isa::Insn;
use crate::random::Source;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("mfcr", mfcr), ("mfocrf", mfocrf), ("mtcrf", mtcrf), ("mtocrf", mtocrf),
    ("mcrxr", mcrxr), ("mcrxrx", mcrxrx), ("setb", setb), ("darn", darn),
];

/// mfcr: RT ← CR.
fn mfcr(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = u64::from(c.cr.pack());
    Ok(())
}

/// The CR field that a mask with one bit names.
fn one_field(i: Insn) -> Option<usize> {
    let m = i.fxm();
    (m.count_ones() == 1).then(|| 7 - m.trailing_zeros() as usize)
}

/// mfocrf: RT ← one field of CR in its place, the rest 0. With several fields named RT is undefined: it stays.
fn mfocrf(c: &mut Core, i: Insn) -> Step {
    if let Some(n) = one_field(i) {
        c.gpr[i.rt()] = u64::from(c.cr.field(n)) << (28 - 4 * n);
    }
    Ok(())
}

/// mtcrf: the CR fields that FXM names ← (RS).
fn mtcrf(c: &mut Core, i: Insn) -> Step {
    let from = Cr::unpack(c.gpr[i.rt()] as u32);
    for n in (0..8).filter(|n| i.fxm() & (0x80 >> n) != 0) {
        c.set_cr(n, from.field(n));
    }
    Ok(())
}

/// mtocrf: one CR field ← (RS). With several fields named CR is undefined: it stays.
fn mtocrf(c: &mut Core, i: Insn) -> Step {
    if let Some(n) = one_field(i) {
        c.set_cr(n, Cr::unpack(c.gpr[i.rt()] as u32).field(n));
    }
    Ok(())
}

/// mcrxr: CR\[BF\] ← SO, OV, CA, 0; then those are cleared (ISA 2.01 I).
fn mcrxr(c: &mut Core, i: Insn) -> Step {
    c.set_cr(i.bf(), (c.xer.so << 3) | (c.xer.ov << 2) | (c.xer.ca << 1));
    (c.xer.so, c.xer.ov, c.xer.ca) = (0, 0, 0);
    Ok(())
}

/// mcrxrx: CR\[BF\] ← OV, OV32, CA, CA32.
fn mcrxrx(c: &mut Core, i: Insn) -> Step {
    c.set_cr(i.bf(), (c.xer.ov << 3) | (c.xer.ov32 << 2) | (c.xer.ca << 1) | c.xer.ca32);
    Ok(())
}

/// setb: RT ← -1, 1 or 0 for less, greater, neither in CR\[BFA\].
fn setb(c: &mut Core, i: Insn) -> Step {
    let f = c.cr.field(i.bfa());
    c.gpr[i.rt()] = if f & LT != 0 { u64::MAX } else { u64::from(f & GT != 0) };
    Ok(())
}

/// darn: RT ← a random number of 32 bits (L = 0) or 64 (L = 1, 2); all ones says that there is none.
fn darn(c: &mut Core, i: Insn) -> Step {
    let mut bytes = [0; 8];
    let got = match &mut c.random {
        Some(sequence) => {
            bytes = sequence.next().to_ne_bytes();
            Ok(())
        }
        None => Source::host().and_then(|mut host| host.fill(&mut bytes)),
    };
    let random = u64::from_ne_bytes(bytes);
    c.gpr[i.rt()] = match (got, i.field(14, 15)) {
        (Ok(()), 0) => random & 0xffff_ffff,
        // All ones is kept for the error.
        (Ok(()), 1 | 2) => random.min(u64::MAX - 1),
        _ => u64::MAX,
    };
    Ok(())
}
