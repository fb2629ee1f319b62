//! Instructions from recorded lines, and the cases where the recording machine is not to be trusted.

use crate::accel::Parts;
use crate::accel::interp::Core;
use crate::accel::interp::Interp;
use crate::accel::interp::Step;
use crate::accel::interp::function;
use crate::cpu::state::Cr;
use crate::isa::Insn;
use crate::isa::cpu_model;
use crate::isa::decode::decode;
use crate::isa::regs::Fpscr;
use crate::isa::regs::Msr;
use crate::memory::GuestMemory;
use crate::mmu::partition::Partition;
use std::sync::Arc;

fn cpu(model: &str) -> Interp {
    let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
    Interp::new(Parts::lone(cpu_model::by_name(model).unwrap(), Arc::new(Partition::new(memory))))
}

/// Runs one instruction image on the registers as they are.
fn step(c: &mut Core, image: u32) -> Step {
    let insn = Insn(image.into());
    let row = decode(insn).unwrap_or_else(|| panic!("no row for {image:08x}"));
    function(row).unwrap()(c, insn)
}

/// Runs one image with f1 to f4 and FPSCR given; what becomes of f1, FPSCR, CR, and whether it interrupts.
fn run(c: &mut Core, image: u32, fpscr: u64, f: [u64; 4]) -> [u64; 4] {
    c.msr = Msr(Msr::FE0);
    c.fpscr = Fpscr(0);
    c.set_fpr(0, fpscr);
    let mtfsf_all = 0xfffe_058e;
    let _preset_may_interrupt = step(c, mtfsf_all);
    f.iter().enumerate().for_each(|(n, bits)| c.set_fpr(n + 1, *bits));
    c.cr = Cr::unpack(0x1234_5678);
    let interrupts = step(c, image).is_err();
    [c.fpr(1), c.fpscr.0, c.cr.pack().into(), interrupts.into()]
}

#[test]
fn recorded_lines_repeat() {
    let mut interp = cpu("power9_v2.2");
    let lines = include_str!("../../../../tests/golden/float.txt").lines().filter(|l| !l.starts_with('#'));
    let mut count = 0;
    for line in lines {
        let (before, after) = line.split_once(" = ").unwrap();
        let numbers = |s: &str| s.split(' ').map(|w| u64::from_str_radix(w, 16).unwrap()).collect::<Vec<_>>();
        let (before, after) = (numbers(before), numbers(after));
        let got = run(interp.core(), before[0] as u32, before[1], before[2..].try_into().unwrap());
        assert_eq!(got[..], after[..], "{line}: {got:x?}");
        count += 1;
    }
    assert!(count > 250, "the recording shrank to {count} lines");
}

const ONE: u64 = 0x3ff0_0000_0000_0000;
const MINUS: u64 = 1 << 63;
const MAX: u64 = 0x7fef_ffff_ffff_ffff;
const ULP: u64 = 0x3ca0_0000_0000_0000;
const SNAN: u64 = 0x7ff0_0000_0000_0001;
/// f1 from f2, f4 and f3; f1 from f2 and f3; f1 from f3.
const FNMADD: u32 = 0xfc22_193e;
const FADD_RECORD: u32 = 0xfc22_182b;
const FADDS: u32 = 0xec22_182a;
const FRE: u32 = 0xfc20_1830;
const FCFIDS: u32 = 0xec20_1e9c;
const FCFID: u32 = 0xfc20_1e9c;
const FCMPU: u32 = 0xfe82_1800;

#[test]
fn fnmadd_rounds_before_it_negates() {
    let mut interp = cpu("power9_v2.2");
    let up = Fpscr::RN0;
    // 1 * 1 + 2^-53 rounds up to 1 + 2^-52, then becomes negative.
    let [value, fpscr, ..] = run(interp.core(), FNMADD, up, [0, ONE, ULP, ONE]);
    assert_eq!(value, MINUS | (ONE + 1));
    assert_eq!(fpscr, up | Fpscr::FX | Fpscr::XX | Fpscr::FR | Fpscr::FI | Fpscr::FL);
}

#[test]
fn an_enabled_invalid_operation_keeps_the_target_and_sets_cr1() {
    let mut interp = cpu("power9_v2.2");
    let stale = Fpscr::VE | Fpscr::FI | Fpscr::FR | Fpscr::FE;
    let [value, fpscr, cr, interrupts] = run(interp.core(), FADD_RECORD, stale, [7, SNAN, ONE, 0]);
    assert_eq!(value, 7);
    assert_eq!(fpscr, Fpscr::VE | Fpscr::FE | Fpscr::FX | Fpscr::FEX | Fpscr::VX | Fpscr::VXSNAN);
    assert_eq!((cr, interrupts), (0x1e34_5678, 1));
}

#[test]
fn an_enabled_inexact_exception_writes_the_target() {
    let mut interp = cpu("power9_v2.2");
    let [value, fpscr, _, interrupts] = run(interp.core(), FCFID, Fpscr::XE, [7, 0, i64::MAX as u64, 0]);
    assert_eq!((value, interrupts), (0x43e0_0000_0000_0000, 1));
    assert_eq!(fpscr, Fpscr::XE | Fpscr::FX | Fpscr::FEX | Fpscr::XX | Fpscr::FR | Fpscr::FI | Fpscr::FG);
}

#[test]
fn fprf_tells_the_class_in_the_target_precision() {
    let mut interp = cpu("power9_v2.2");
    let single_denormal = 0x3800_0000_0000_0000;
    let [value, fpscr, ..] = run(interp.core(), FADDS, 0, [0, single_denormal, 0, 0]);
    assert_eq!((value, fpscr), (single_denormal, Fpscr::C | Fpscr::FG));
    let [_, fpscr, ..] = run(interp.core(), FCFIDS, Fpscr::FU, [0, 0, u64::MAX, 0]);
    assert_eq!(fpscr, Fpscr::FL);
}

#[test]
fn fx_is_set_only_by_a_bit_that_changes() {
    let mut interp = cpu("power9_v2.2");
    let [_, fpscr, ..] = run(interp.core(), FADDS, Fpscr::XX | Fpscr::OX, [0, MAX, ONE, 0]);
    assert_eq!(fpscr & Fpscr::FX, 0);
    let [value, fpscr, ..] = run(interp.core(), FRE, 0, [0, 0, MINUS, 0]);
    assert_eq!((value, fpscr), (0xfff0_0000_0000_0000, Fpscr::FX | Fpscr::ZX | Fpscr::FL | Fpscr::FU));
}

#[test]
fn comparison_leaves_fr_fi_and_c() {
    let mut interp = cpu("power9_v2.2");
    let before = Fpscr::FR | Fpscr::FI | Fpscr::C;
    let [_, fpscr, cr, _] = run(interp.core(), FCMPU, before, [0, ONE, MAX, 0]);
    assert_eq!((fpscr, cr), (before | Fpscr::FL, 0x1234_5878));
}

#[test]
fn nothing_interrupts_while_fe0_and_fe1_are_off() {
    let mut interp = cpu("power9_v2.2");
    let c = interp.core();
    c.fpscr = Fpscr(Fpscr::VE);
    c.set_fpr(2, SNAN);
    assert!(step(c, FADD_RECORD).is_ok());
    assert!(c.fpscr.has(Fpscr::FEX));
}

#[test]
fn the_newer_forms_of_mffs_are_mffs_before_3_0() {
    let (mffsl, all) = (0xfc38_048e, Fpscr::XX | Fpscr::FX | Fpscr::RN1);
    assert_eq!(run(cpu("power8_v2.0").core(), mffsl, all, [0; 4])[0], all);
    assert_eq!(run(cpu("power9_v2.2").core(), mffsl, all, [0; 4])[0], Fpscr::RN1);
}

/// D-form images on f1 with base r3.
fn d_form(opcode: u32, displacement: u16) -> u32 {
    (opcode << 26) | (1 << 21) | (3 << 16) | u32::from(displacement)
}

#[test]
fn singles_widen_and_narrow_in_both_byte_orders() {
    let (lfs, lfsu, stfs, stfd) = (48, 49, 52, 54);
    for (order, first_byte) in [(0, 0x80), (Msr::LE, 0x01)] {
        let mut interp = cpu("power9_v2.2");
        let c = interp.core();
        c.msr = Msr(Msr::SF | order);
        c.recontext();
        c.gpr[3] = 0x1000;
        c.set_fpr(1, 0xb6a0_0000_0000_0000);
        step(c, d_form(stfs, 8)).unwrap();
        assert_eq!(c.load::<u32>(0x1008).unwrap(), 0x8000_0001);
        assert_eq!(c.load::<u8>(0x1008).unwrap(), first_byte);
        c.set_fpr(1, 0);
        step(c, d_form(lfs, 8)).unwrap();
        assert_eq!(c.fpr(1), 0xb6a0_0000_0000_0000);
        step(c, d_form(lfsu, 8)).unwrap();
        assert_eq!(c.gpr[3], 0x1008);
        step(c, d_form(stfd, 0x10)).unwrap();
        assert_eq!(c.load::<u64>(0x1018).unwrap(), 0xb6a0_0000_0000_0000);
    }
}

#[test]
fn pairs_are_quadwords_and_words_extend() {
    let mut interp = cpu("power9_v2.2");
    let c = interp.core();
    c.msr = Msr(Msr::SF | Msr::LE);
    c.recontext();
    c.gpr[3] = 0x2000;
    c.store::<u128>(0x2010, (1 << 64) | 0xffff_fffe).unwrap();
    let lfdp_f2 = (57 << 26) | (2 << 21) | (3 << 16) | 0x10;
    step(c, lfdp_f2).unwrap();
    assert_eq!((c.fpr(2), c.fpr(3)), (1, 0xffff_fffe));
    let stfdp_f2 = (61 << 26) | (2 << 21) | (3 << 16) | 0x20;
    step(c, stfdp_f2).unwrap();
    assert_eq!(c.load::<u128>(0x2020).unwrap(), (1 << 64) | 0xffff_fffe);
    assert!(step(c, lfdp_f2 | (1 << 21)).is_err(), "an odd register pair is an invalid form");
    c.gpr[4] = 0x10;
    let x_form = |xo: u32| (31 << 26) | (1 << 21) | (3 << 16) | (4 << 11) | (xo << 1);
    step(c, x_form(855)).unwrap();
    assert_eq!(c.fpr(1), 0xffff_ffff_ffff_fffe, "lfiwax");
    step(c, x_form(887)).unwrap();
    assert_eq!(c.fpr(1), 0xffff_fffe, "lfiwzx");
    c.gpr[4] = 0x40;
    step(c, x_form(983)).unwrap();
    assert_eq!(c.load::<u64>(0x2040).unwrap(), 0xffff_fffe, "stfiwx writes a word");
}
