//! From what happened in an operation to FPSCR: sticky bits, summaries, FR, FI, FPRF, and whether an interrupt follows.
//!
//! Scalar floating point, VSX scalar and VSX vector instructions all end here, so that each rule is written once. They differ in what else
//! they record and in what an enabled exception does to the target:
//!
//! | kind of instruction | FR, FI | FPRF | target kept when these are enabled |
//! |---|---|---|---|
//! | [`scalar`]: result is a number | yes | class of the result | invalid operation, zero divide |
//! | [`integer`]: converts to an integer | yes | undefined; see there | invalid operation |
//! | [`comparison`] | no | FPCC | - |
//! | [`vector`], all elements together | no | no | any |
//!
//! A typical instruction:
//!
//! ```text
//! let result = softfp::add::<Double, Double>(a, b, &fpscr::env(c));
//! let verdict = fpscr::scalar::<Double>(c, &result);
//! if verdict.writes() { c.set_fpr(i.frt(), result.value); }
//! verdict.finish(c)
//! ```
//!
//! The interrupt comes last on purpose: unlike other interrupts, a floating-point enabled exception reports an instruction that did
//! complete (ISA I 4.4: FPSCR, CR1 and, for overflow, underflow and inexact, the target are written).

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::cpu::interrupt::Interrupt;
use crate::isa::regs::Fpscr;
use crate::isa::regs::Msr;
use crate::isa::regs::SRR1_FP;
use crate::isa::vectors::Vector;
use crate::softfp::Class;
use crate::softfp::Env;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Relation;
use crate::softfp::Rounded;
use crate::softfp::Rounding;
use crate::softfp::Sign;
use crate::softfp::classify;

/// All causes of the invalid operation exception; VX is their union.
pub const INVALID: u64 =
    Fpscr::VXSNAN | Fpscr::VXISI | Fpscr::VXIDI | Fpscr::VXZDZ | Fpscr::VXIMZ | Fpscr::VXVC | Fpscr::VXSOFT | Fpscr::VXSQRT | Fpscr::VXCVI;
/// The exception bits: those that set FX when they go from 0 to 1.
pub const EXCEPTIONS: u64 = INVALID | Fpscr::OX | Fpscr::UX | Fpscr::ZX | Fpscr::XX;
/// C and FPCC: the five bits of FPRF.
pub const FPRF: u64 = Fpscr::C | FPCC;
/// FL, FG, FE, FU.
pub const FPCC: u64 = Fpscr::FL | Fpscr::FG | Fpscr::FE | Fpscr::FU;
/// FPRF of a NaN.
const NAN: u64 = 0b10001;
/// Position of FPRF's and FPCC's last bit.
const FPRF_SHIFT: u32 = 12;

/// Which FPSCR exception bit each event is.
#[rustfmt::skip] // One event per line.
const BITS: [(Flags, u64); 12] = [
    (Flags::INEXACT,     Fpscr::XX),
    (Flags::OVERFLOW,    Fpscr::OX),
    (Flags::UNDERFLOW,   Fpscr::UX),
    (Flags::ZERO_DIVIDE, Fpscr::ZX),
    (Flags::VXSNAN,      Fpscr::VXSNAN),
    (Flags::VXISI,       Fpscr::VXISI),
    (Flags::VXIDI,       Fpscr::VXIDI),
    (Flags::VXZDZ,       Fpscr::VXZDZ),
    (Flags::VXIMZ,       Fpscr::VXIMZ),
    (Flags::VXVC,        Fpscr::VXVC),
    (Flags::VXSQRT,      Fpscr::VXSQRT),
    (Flags::VXCVI,       Fpscr::VXCVI),
];

/// What FPSCR says about how to compute.
#[inline]
pub fn env(c: &Core) -> Env {
    env_of(c.fpscr)
}

/// The same with another rounding mode than RN's (`xsrdpi`, `fctidz`, the round-to-odd forms).
#[inline]
pub fn env_with(c: &Core, rounding: Rounding) -> Env {
    Env { rounding, ..env(c) }
}

fn env_of(fpscr: Fpscr) -> Env {
    Env { rounding: Rounding::from_rn(fpscr.0), oe: fpscr.has(Fpscr::OE), ue: fpscr.has(Fpscr::UE) }
}

/// What follows from an operation's exceptions.
#[must_use = "an enabled exception may keep the target and must interrupt"]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    keeps_target: bool,
    interrupts: bool,
}

impl Verdict {
    /// Nothing happened that matters.
    pub const QUIET: Verdict = Verdict { keeps_target: false, interrupts: false };

    /// Whether the target register is written.
    #[inline(always)]
    pub fn writes(self) -> bool {
        !self.keeps_target
    }

    /// The instruction's end: the program interrupt if an enabled exception occurred and MSR\[FE0,FE1\] let it through.
    ///
    /// To be called after everything else was written. All modes but "ignored" act as the precise one.
    #[inline]
    pub fn finish(self, c: &mut Core) -> Step {
        if self.interrupts && c.msr.has(Msr::FE0 | Msr::FE1) {
            return Err(c.raise(Interrupt::new(Vector::Program, SRR1_FP)));
        }
        Ok(())
    }
}

/// Records a scalar result: exceptions, FR, FI and FPRF. `F` is the format whose class FPRF tells
/// ([`crate::softfp::SingleInDouble`] for single-precision results in a register).
#[inline]
pub fn scalar<F: Format>(c: &mut Core, result: &Rounded<F::Bits>) -> Verdict {
    let verdict = rounded(&mut c.fpscr, result.flags);
    if verdict.writes() {
        set_fprf(&mut c.fpscr, fprf::<F>(result.value));
    }
    verdict
}

/// Records a scalar result whose class is known (decimal numbers): exceptions, FR, FI and FPRF.
pub fn classified(c: &mut Core, flags: Flags, class: (Sign, Class)) -> Verdict {
    let verdict = rounded(&mut c.fpscr, flags);
    if verdict.writes() {
        set_fprf(&mut c.fpscr, fprf_of(class));
    }
    verdict
}

/// Records a conversion to an integer: exceptions, FR and FI. FPRF, which the book leaves undefined, is what QEMU makes of it: not
/// changed, except that a conversion that has no result shows as a NaN.
#[inline]
pub fn integer(c: &mut Core, flags: Flags) -> Verdict {
    let verdict = rounded(&mut c.fpscr, flags);
    if flags.has(Flags::VXCVI) && verdict.writes() {
        set_fprf(&mut c.fpscr, NAN);
    }
    verdict
}

/// The same for the VSX conversions (`xscvdpsxds` …), which leave FPRF alone in any case.
#[inline]
pub fn integer_vsx(c: &mut Core, flags: Flags) -> Verdict {
    rounded(&mut c.fpscr, flags)
}

/// Records the exceptions of all elements of a vector instruction, and nothing else. Any enabled one keeps the whole target.
#[inline]
pub fn vector(c: &mut Core, flags: Flags) -> Verdict {
    let enabled = raise(&mut c.fpscr, flags);
    Verdict { keeps_target: enabled != 0, interrupts: enabled != 0 }
}

/// Records a scalar comparison: FPCC and exceptions. The caller puts [`Relation`] into the CR field, which is written in any case.
pub fn comparison(c: &mut Core, result: Rounded<Relation>) -> Verdict {
    compared(&mut c.fpscr, result)
}

fn compared(fpscr: &mut Fpscr, result: Rounded<Relation>) -> Verdict {
    let mut flags = result.flags;
    if flags.has(Flags::VXSNAN) && fpscr.has(Fpscr::VE) {
        flags = flags.without(Flags::VXVC);
    }
    fpscr.0 = (fpscr.0 & !FPCC) | ((result.value as u64) << FPRF_SHIFT);
    let enabled = raise(fpscr, flags);
    Verdict { keeps_target: false, interrupts: enabled != 0 }
}

/// Exceptions, FR and FI of a scalar operation.
fn rounded(fpscr: &mut Fpscr, flags: Flags) -> Verdict {
    fpscr.0 &= !(Fpscr::FR | Fpscr::FI);
    if flags == Flags::NONE {
        return Verdict::QUIET;
    }
    let enabled = raise(fpscr, flags);
    fpscr.0 |= if flags.has(Flags::INEXACT) { Fpscr::FI } else { 0 };
    fpscr.0 |= if flags.has(Flags::ROUNDED_UP) { Fpscr::FR } else { 0 };
    Verdict { keeps_target: enabled & (INVALID | Fpscr::ZX) != 0, interrupts: enabled != 0 }
}

/// Sets the sticky bits of `flags`, FX and the summaries; gives those of the bits whose exception is enabled.
fn raise(fpscr: &mut Fpscr, flags: Flags) -> u64 {
    let caused = BITS.iter().filter(|(flag, _)| flags.has(*flag)).fold(0, |bits, (_, bit)| bits | bit);
    set_exceptions(fpscr, caused);
    caused & enabled(*fpscr)
}

/// Sets exception bits, FX if any of them was 0, and the summaries.
pub(super) fn set_exceptions(fpscr: &mut Fpscr, bits: u64) {
    if bits & EXCEPTIONS & !fpscr.0 != 0 {
        fpscr.0 |= Fpscr::FX;
    }
    fpscr.0 |= bits;
    summarize(fpscr);
}

/// The exception bits whose exceptions are enabled.
const fn enabled(fpscr: Fpscr) -> u64 {
    (if fpscr.has(Fpscr::VE) { INVALID } else { 0 })
        | (if fpscr.has(Fpscr::OE) { Fpscr::OX } else { 0 })
        | (if fpscr.has(Fpscr::UE) { Fpscr::UX } else { 0 })
        | (if fpscr.has(Fpscr::ZE) { Fpscr::ZX } else { 0 })
        | (if fpscr.has(Fpscr::XE) { Fpscr::XX } else { 0 })
}

/// Recomputes VX and FEX, which no instruction sets by itself.
pub(super) fn summarize(fpscr: &mut Fpscr) {
    fpscr.0 &= !(Fpscr::VX | Fpscr::FEX);
    if fpscr.has(INVALID) {
        fpscr.0 |= Fpscr::VX;
    }
    if fpscr.has(enabled(*fpscr)) {
        fpscr.0 |= Fpscr::FEX;
    }
}

/// What follows from FPSCR having been written as a register (`mtfsf`, `mtfsb1` …): an interrupt if FEX came out as 1.
pub(super) fn written(fpscr: Fpscr) -> Verdict {
    Verdict { keeps_target: false, interrupts: fpscr.has(Fpscr::FEX) }
}

fn set_fprf(fpscr: &mut Fpscr, value: u64) {
    fpscr.0 = (fpscr.0 & !FPRF) | (value << FPRF_SHIFT);
}

/// The five bits C, FL, FG, FE, FU that tell a result's class (ISA I, figure "Floating-Point Result Flags").
pub fn fprf<F: Format>(bits: F::Bits) -> u64 {
    fprf_of(classify::<F>(bits))
}

/// The same from a class.
pub fn fprf_of(class: (Sign, Class)) -> u64 {
    match class {
        (_, Class::QuietNan) => NAN,
        // Only decimal conversions to and from DFP Short have such a result.
        (_, Class::SignallingNan) => 0b00001,
        (Sign::Negative, Class::Infinity) => 0b01001,
        (Sign::Negative, Class::Normal) => 0b01000,
        (Sign::Negative, Class::Denormal) => 0b11000,
        (Sign::Negative, Class::Zero) => 0b10010,
        (Sign::Positive, Class::Zero) => 0b00010,
        (Sign::Positive, Class::Denormal) => 0b10100,
        (Sign::Positive, Class::Normal) => 0b00100,
        (Sign::Positive, Class::Infinity) => 0b00101,
    }
}

/// CR1 ← FX, FEX, VX, OX: what the record form of a floating-point instruction does.
#[inline]
pub fn record(c: &mut Core) {
    c.set_cr(1, (c.fpscr.0 >> 28) as u8 & 15);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL_ENABLED: u64 = Fpscr::VE | Fpscr::OE | Fpscr::UE | Fpscr::ZE | Fpscr::XE;

    #[test]
    fn sticky_bits_set_the_summaries() {
        let mut fpscr = Fpscr(Fpscr::VE);
        assert_eq!(rounded(&mut fpscr, Flags::INEXACT | Flags::ROUNDED_UP), Verdict::QUIET);
        assert_eq!(fpscr, Fpscr(Fpscr::VE | Fpscr::FX | Fpscr::XX | Fpscr::FI | Fpscr::FR));
        fpscr = Fpscr(fpscr.0 & !Fpscr::FX);
        assert_eq!(rounded(&mut fpscr, Flags::INEXACT), Verdict::QUIET);
        assert_eq!(fpscr, Fpscr(Fpscr::VE | Fpscr::XX | Fpscr::FI), "FX only when a bit goes from 0 to 1");
        assert_eq!(rounded(&mut fpscr, Flags::VXISI), Verdict { keeps_target: true, interrupts: true });
        assert_eq!(fpscr, Fpscr(Fpscr::VE | Fpscr::XX | Fpscr::FX | Fpscr::FEX | Fpscr::VX | Fpscr::VXISI));
    }

    #[test]
    fn enabled_overflow_keeps_a_vector_but_not_a_scalar() {
        let mut fpscr = Fpscr(ALL_ENABLED);
        assert_eq!(rounded(&mut fpscr, Flags::OVERFLOW), Verdict { keeps_target: false, interrupts: true });
        assert_eq!(raise(&mut fpscr, Flags::OVERFLOW), Fpscr::OX);
    }

    #[test]
    fn an_enabled_signalling_nan_hides_the_ordered_comparison() {
        let result = Rounded { value: Relation::Unordered, flags: Flags::VXSNAN | Flags::VXVC };
        let mut fpscr = Fpscr(Fpscr::VE | Fpscr::C);
        assert!(compared(&mut fpscr, result).writes());
        assert_eq!(fpscr, Fpscr(Fpscr::VE | Fpscr::C | Fpscr::FU | Fpscr::FX | Fpscr::FEX | Fpscr::VX | Fpscr::VXSNAN));
        fpscr = Fpscr(0);
        assert_eq!(compared(&mut fpscr, result), Verdict::QUIET);
        assert!(fpscr.has(Fpscr::VXVC) && fpscr.has(Fpscr::VXSNAN));
    }
}
