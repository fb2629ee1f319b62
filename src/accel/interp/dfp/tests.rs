//! Recorded lines, and where the recording machine departs from the book.

use crate::accel::interp::recorded::cpu;
use crate::accel::interp::recorded::repeat;
use crate::accel::interp::recorded::step;
use crate::isa::regs::Fpscr;

#[test]
fn recorded_lines_repeat() {
    repeat(include_str!("../../../../tests/golden/dfp.txt"), 100);
}

/// `op f2, f4, f6` in the DFP Long (59) or Extended (63) opcode.
const fn image(opcode: u64, op: u64) -> u64 {
    (opcode << 26) | (2 << 21) | (4 << 16) | (6 << 11) | (op << 1)
}

const ONE: u64 = 0x2238_0000_0000_0001;
const SHORT_SNAN: u64 = 0x7e00_0005;
const DADD: u64 = image(59, 2);
const DDIV: u64 = image(59, 546);

#[test]
fn a_short_signalling_nan_passes_through_both_conversions() {
    let mut interp = cpu();
    let c = interp.core();
    c.fpscr = Fpscr(Fpscr::VE);
    c.set_fpr(6, SHORT_SNAN);
    assert!(!step(c, image(59, 258) & !(31 << 16)));
    assert_eq!(c.fpr(2), 0x7e00_0000_0000_0005);
    assert_eq!(c.fpscr.0, Fpscr::VE | Fpscr::FU);
    let long = c.fpr(2);
    c.set_fpr(6, long);
    assert!(!step(c, image(59, 770) & !(31 << 16)));
    assert_eq!(c.fpr(2), SHORT_SNAN);
}

#[test]
fn a_quad_rounded_to_long_is_in_the_even_register() {
    let mut interp = cpu();
    let c = interp.core();
    c.set_fpr(6, 0x2208_0000_0000_0000);
    c.set_fpr(7, 1);
    assert!(!step(c, image(63, 770) & !(31 << 16)));
    assert_eq!((c.fpr(2), c.fpr(3)), (ONE, 0));
}

#[test]
fn enabled_exceptions_keep_the_target_or_adjust_it() {
    let mut interp = cpu();
    let c = interp.core();
    c.fpscr = Fpscr(Fpscr::ZE);
    (0..3).for_each(|n| c.set_fpr(2 * n + 2, [7, ONE, 0x2238_0000_0000_0000][n]));
    assert!(step(c, DDIV));
    assert_eq!((c.fpr(2), c.fpscr.has(Fpscr::ZX)), (7, true));
    c.fpscr = Fpscr(Fpscr::OE);
    let largest = 0x77fc_ff3f_cff3_fcff;
    c.set_fpr(4, largest);
    c.set_fpr(6, largest);
    assert!(step(c, DADD));
    assert!(c.fpscr.has(Fpscr::OX));
    assert_ne!(c.fpr(2), 0x7800_0000_0000_0000, "not infinity but a number with a smaller exponent");
}

#[test]
fn the_eight_rounding_modes_come_from_drn() {
    let mut interp = cpu();
    let c = interp.core();
    // 10^16 - 1 plus 0.5 has 17 digits.
    let (all_nines, half) = (0x6e38_ff3f_cff3_fcff, 0x2234_0000_0000_0005);
    let carried = 0x263c_0000_0000_0000;
    for (drn, up) in [true, false, true, false, true, false, true, false].into_iter().enumerate() {
        c.fpscr = Fpscr((drn as u64) << 32);
        c.set_fpr(4, all_nines);
        c.set_fpr(6, half);
        assert!(!step(c, DADD));
        assert_eq!(c.fpr(2), if up { carried } else { all_nines }, "DRN {drn}");
    }
}
