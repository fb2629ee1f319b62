//! Recorded lines, and the cases where the recording machine is not to be trusted.

use crate::accel::interp::recorded::cpu;
use crate::accel::interp::recorded::repeat;
use crate::accel::interp::recorded::step;
use crate::cpu::state::Vsr;
use crate::isa::regs::Fpscr;

#[test]
fn recorded_lines_repeat() {
    repeat(include_str!("../../../../tests/golden/vsx_float.txt"), 600);
}

const SNAN: u64 = 0x7ff0_0000_0000_0001;
/// vs1 from vs2 and vs3.
const XVADDDP: u64 = 0xf022_1b00;
const XSADDDP: u64 = 0xf022_1900;
const XSCMPGEDP: u64 = 0xf022_1898;
/// v1 from v3: R = 0, RMC = 3, the rounding mode of FPSCR.
const XSRQPI_RN: u64 = 0xfc20_1e0a;

#[test]
fn an_enabled_exception_keeps_the_target() {
    let mut interp = cpu();
    let c = interp.core();
    for image in [XVADDDP, XSADDDP, XSCMPGEDP] {
        c.fpscr = Fpscr(Fpscr::VE);
        (c.vsr[1], c.vsr[2]) = (Vsr([7, 8]), Vsr([SNAN, 0]));
        assert!(step(c, image), "{image:x} interrupts");
        assert_eq!(c.vsr[1], Vsr([7, 8]), "{image:x}");
        assert_eq!(c.fpscr.0, Fpscr::VE | Fpscr::FX | Fpscr::FEX | Fpscr::VX | Fpscr::VXSNAN, "{image:x}: VXSNAN hides VXVC");
    }
}

#[test]
fn an_enabled_inexact_exception_keeps_a_vector_but_not_a_scalar() {
    let mut interp = cpu();
    let c = interp.core();
    for (image, kept) in [(XVADDDP, true), (XSADDDP, false)] {
        c.fpscr = Fpscr(Fpscr::XE);
        (c.vsr[1], c.vsr[2], c.vsr[3]) = (Vsr([7, 8]), Vsr([0x3ff0_0000_0000_0000; 2]), Vsr([1; 2]));
        assert!(step(c, image));
        assert_eq!(c.vsr[1] == Vsr([7, 8]), kept);
    }
}

#[test]
fn a_quad_rounds_to_integral_by_the_current_mode() {
    let mut interp = cpu();
    let c = interp.core();
    let half = 0x3ffe << 112;
    for (rn, want) in [(0, 0), (1, 0), (2, 0x3fff << 112), (3, 0)] {
        c.fpscr = Fpscr(rn);
        c.vsr[35] = Vsr::new(half);
        assert!(!step(c, XSRQPI_RN));
        assert_eq!(c.vsr[33].value(), want, "RN {rn}");
    }
}
