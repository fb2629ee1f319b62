//! Outer products against plain arithmetic, masks, saturation, and exceptions that interrupt after the accumulator was written.

use crate::accel::interp::recorded::cpu;
use crate::accel::interp::recorded::step;
use crate::cpu::state::Vsr;
use crate::isa::regs::Fpscr;

/// `op a1, vs34, vs35` with the eight bits that distinguish the forms.
fn image(op: u64) -> u64 {
    (59 << 26) | (1 << 23) | (2 << 16) | (3 << 11) | (op << 3) | 6
}

/// The masked form.
fn masked(op: u64, rows: u64, columns: u64, products: u64) -> u64 {
    ((0x0790_0000 | (products << 8) | (rows << 4) | columns) << 32) | image(op)
}

const XVF32GER: u64 = 0x1b;
const XVF32GERNP: u64 = 0x5a;
const XVI8GER4: u64 = 3;
const XVI16GER2SPP: u64 = 0x2a;
const ONE: u32 = 0x3f80_0000;

#[test]
fn rows_belong_to_a_and_columns_to_b() {
    let mut interp = cpu();
    let c = interp.core();
    let float = |n: u32| (n as f32).to_bits();
    c.vsr[34] = Vsr::from_words([1, 2, 3, 4].map(float));
    c.vsr[35] = Vsr::from_words([10, 20, 30, 40].map(float));
    assert!(!step(c, image(XVF32GER)));
    assert_eq!(c.vsr[6].words(), [30, 60, 90, 120].map(float));
    assert!(!step(c, masked(XVF32GER, 0b1010, 0b0001, 0)));
    assert_eq!((c.vsr[4].words(), c.vsr[5]), ([0, 0, 0, float(40)], Vsr::default()));
    c.vsr[4] = Vsr::from_words([float(5); 4]);
    assert!(!step(c, image(XVF32GERNP)));
    assert_eq!(c.vsr[4].words(), [-5f32, -15., -25., -35.].map(f32::to_bits));
}

#[test]
fn bytes_are_signed_times_unsigned() {
    let mut interp = cpu();
    let c = interp.core();
    (c.vsr[34], c.vsr[35]) = (Vsr::from_words([0xff01_0000; 4]), Vsr::from_words([0xff02_0000; 4]));
    assert!(!step(c, image(XVI8GER4)));
    assert_eq!(c.vsr[7].words(), [(-253i32) as u32; 4]);
    assert!(!step(c, masked(XVI8GER4, 0xf, 0xf, 0x40)), "the second product alone");
    assert_eq!(c.vsr[7].words(), [2; 4]);
}

#[test]
fn saturation_is_recorded() {
    let mut interp = cpu();
    let c = interp.core();
    (c.vsr[34], c.vsr[35]) = (Vsr::from_words([0x8000_8000; 4]), Vsr::from_words([0x8000_8000, 0x7fff_7fff, 0, 1]));
    c.vsr[4] = Vsr::default();
    assert!(!step(c, image(XVI16GER2SPP)));
    assert_eq!(c.vsr[4].words(), [0x7fff_ffff, 0x8001_0000, 0, 0xffff_8000]);
    assert_eq!(c.vscr & 1, 1);
}

#[test]
fn an_enabled_exception_interrupts_after_the_accumulator_was_written() {
    let mut interp = cpu();
    let c = interp.core();
    c.fpscr = Fpscr(Fpscr::VE);
    (c.vsr[34], c.vsr[35]) = (Vsr::from_words([0x7f80_0001, ONE, ONE, ONE]), Vsr::from_words([ONE; 4]));
    assert!(step(c, image(XVF32GER)));
    assert_eq!((c.vsr[4].words(), c.vsr[5].words()), ([0x7fc0_0001; 4], [ONE; 4]));
    assert!(c.fpscr.has(Fpscr::VXSNAN) && c.fpscr.has(Fpscr::FEX));
}

#[test]
fn accumulators_are_registers() {
    let mut interp = cpu();
    let c = interp.core();
    c.vsr[4..9].fill(Vsr([1, 2]));
    let [xxmfacc, xxmtacc, xxsetaccz] = [0, 1, 3].map(|op| (31 << 26) | (1 << 23) | (op << 16) | (177 << 1));
    assert!(!step(c, xxmfacc) && !step(c, xxmtacc));
    assert_eq!(c.vsr[4..9], [Vsr([1, 2]); 5]);
    assert!(!step(c, xxsetaccz));
    assert_eq!(c.vsr[4..9], [Vsr::default(), Vsr::default(), Vsr::default(), Vsr::default(), Vsr([1, 2])]);
}
