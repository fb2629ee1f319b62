//! Who may touch which SPR, and the registers that are more than storage.

use super::*;
use crate::accel::interp::system::tests::core;
use crate::accel::interp::system::tests::raised;
use crate::accel::interp::system::tests::step;
use crate::isa::regs::Msr;
use crate::isa::regs::SRR1_ILLEGAL;
use crate::isa::regs::SRR1_PRIVILEGED;

fn number(n: usize) -> u32 {
    ((n as u32 & 31) << 16) | ((n as u32 >> 5) << 11)
}
fn mfspr_3(n: usize) -> u32 {
    0x7c60_02a6 | number(n)
}
fn mtspr_3(n: usize) -> u32 {
    0x7c60_03a6 | number(n)
}

fn read(c: &mut Core, n: usize) -> u64 {
    step(c, mfspr_3(n)).unwrap();
    c.gpr[3]
}
fn write(c: &mut Core, n: usize, v: u64) {
    c.gpr[3] = v;
    step(c, mtspr_3(n)).unwrap();
}

#[test]
fn access_follows_privilege_and_number() {
    enum Want {
        Ok,
        Nothing,
        Interrupt(u64),
    }
    use Want::*;
    for (model, problem, word, want) in [
        ("power9_v2.2", false, mfspr_3(spr::LPCR), Nothing),
        ("power9_v2.2", false, mtspr_3(spr::HFSCR), Nothing),
        ("power9_v2.2", false, mfspr_3(1000), Nothing),
        ("power9_v2.2", false, mfspr_3(999), Nothing),
        ("power9_v2.2", false, mfspr_3(0), Interrupt(SRR1_ILLEGAL)),
        ("power9_v2.2", false, mtspr_3(6), Interrupt(SRR1_ILLEGAL)),
        ("power9_v2.2", false, mtspr_3(spr::PVR), Nothing),
        ("power9_v2.2", true, mfspr_3(spr::SRR0), Interrupt(SRR1_PRIVILEGED)),
        ("power9_v2.2", true, mfspr_3(spr::LPCR), Interrupt(SRR1_PRIVILEGED)),
        ("power9_v2.2", true, mfspr_3(999), Interrupt(SRR1_ILLEGAL)),
        ("power9_v2.2", true, mfspr_3(1008), Interrupt(SRR1_PRIVILEGED)),
        ("power9_v2.2", true, mtspr_3(spr::USPRG3), Interrupt(SRR1_ILLEGAL)),
        ("power9_v2.2", true, mfspr_3(spr::USPRG3), Ok),
        ("power9_v2.2", true, mfspr_3(spr::RESERVED_808), Ok),
        ("power9_v2.2", false, mfspr_3(spr::HASHKEYR), Nothing),
        ("power10_v2.0", false, mfspr_3(spr::HASHKEYR), Ok),
        ("power8_v2.0", false, mfspr_3(spr::WORT), Ok),
        ("power9_v2.2", false, mfspr_3(spr::WORT), Nothing),
    ] {
        let mut c = core(model);
        c.spr.fill(0x77);
        c.gpr[3] = 0x5555;
        if problem {
            c.msr.0 |= Msr::PR;
        }
        match want {
            Ok => step(&mut c, word).unwrap(),
            Nothing => {
                step(&mut c, word).unwrap();
                assert_eq!(c.gpr[3], 0x5555, "{model} {word:08x}");
                assert!(c.spr.iter().all(|v| *v == 0x77), "{model} {word:08x}");
            }
            Interrupt(bits) => assert_eq!(raised(&mut c, word), (Vector::Program, bits), "{model} {word:08x}"),
        }
    }
}

#[test]
fn problem_state_needs_its_facilities() {
    for (n, bit, cause) in [
        (spr::DSCR_U, Fscr::DSCR, Fscr::IC_DSCR),
        (spr::TAR, Fscr::TAR, Fscr::IC_TAR),
        (spr::BESCR, Fscr::EBB, Fscr::IC_EBB),
        (spr::EBBHR, Fscr::EBB, Fscr::IC_EBB),
    ] {
        let mut c = core("power9_v2.2");
        c.msr.0 |= Msr::PR;
        for word in [mfspr_3(n), mtspr_3(n)] {
            assert_eq!(raised(&mut c, word), (Vector::FacilityUnavailable, 0));
            assert_eq!(c.spr[spr::FSCR], cause << 56);
        }
        c.spr[spr::FSCR] = bit;
        write(&mut c, n, 0x10);
        c.gpr[3] = 0;
        assert_eq!(read(&mut c, n), 0x10);
    }
    let mut c = core("power8_v2.0");
    assert_eq!(raised(&mut c, mfspr_3(spr::TEXASR)), (Vector::FacilityUnavailable, 0));
    assert_eq!(c.spr[spr::FSCR] >> 56, Fscr::IC_TM);
}

#[test]
fn authority_masks_limit_each_other() {
    let mut c = core("power9_v2.2");
    write(&mut c, spr::UAMOR, 0xf0);
    write(&mut c, spr::AMR, 0x1234);
    c.msr.0 |= Msr::PR;
    write(&mut c, spr::AMR_U, 0xffff);
    assert_eq!(read(&mut c, spr::AMR_U), 0x12f4);
    c.msr.0 &= !Msr::PR;
    c.spr[spr::AMOR] = 0xff;
    write(&mut c, spr::IAMR, u64::MAX);
    assert_eq!(read(&mut c, spr::IAMR), 0xff);
}

#[test]
fn a_new_pid_selects_other_translations() {
    let mut c = core("power9_v2.2");
    c.msr.0 |= Msr::DR;
    c.recontext();
    let before = c.tlb.data;
    write(&mut c, spr::PIDR, 7);
    assert_ne!(c.tlb.data, before);
    write(&mut c, spr::PIDR, 0);
    assert_eq!(c.tlb.data, before);
}

#[test]
fn the_decrementer_has_the_width_that_lpcr_says() {
    let mut c = core("power9_v2.2");
    write(&mut c, spr::DEC, 0xffff_fff0);
    assert_eq!(read(&mut c, spr::DEC) >> 4, 0xfff_ffff);
    c.spr[spr::LPCR] |= Lpcr::LD;
    write(&mut c, spr::DEC, 0x12_3456_0000_0000);
    let left = read(&mut c, spr::DEC);
    assert!((0x12_3455_0000_0000..=0x12_3456_0000_0000).contains(&left), "{left:#x}");
    write(&mut c, spr::DEC, 0x80_0000_0000_0000);
    assert!((read(&mut c, spr::DEC) as i64) < 0);
}

#[test]
fn views_of_other_registers() {
    let mut c = core("power9_v2.2");
    write(&mut c, spr::SPRG3, 9);
    assert_eq!(read(&mut c, spr::USPRG3), 9);
    write(&mut c, spr::XER, 0xe000_0041);
    assert_eq!((read(&mut c, spr::XER), c.xer.so), (0xe000_0041, 1));
    write(&mut c, spr::PPR32, 0xc_0000);
    assert_eq!(read(&mut c, spr::PPR), 0xc_0000 << 32);
    write(&mut c, spr::BESCR, 1);
    write(&mut c, spr::BESCRSU, 0x8000_0000);
    assert_eq!(read(&mut c, spr::BESCR), (1 << 63) | 1);
    write(&mut c, spr::BESCRR, 1);
    assert_eq!(read(&mut c, spr::BESCRSU), 0x8000_0000);
    c.spr[spr::TIR] = 1;
    write(&mut c, spr::CTRL_W, 1);
    assert_eq!(read(&mut c, spr::CTRL_R), 0x201);
    assert_eq!((read(&mut c, spr::PIR), read(&mut c, spr::PVR)), (4, 0x4e1202));
    c.clock_ticks();
    c.tb_offset = 0x1234 << 32;
    assert_eq!(read(&mut c, spr::TBU), 0x1234);
}

#[test]
fn pmcc_guards_the_performance_monitor() {
    let mut c = core("power9_v2.2");
    c.spr[spr::PMC1] = 5;
    c.msr.0 |= Msr::PR;
    assert_eq!(read(&mut c, spr::UPMC1), 5);
    assert_eq!(raised(&mut c, mtspr_3(spr::UPMC1)), (Vector::Program, SRR1_ILLEGAL));
    c.spr[spr::MMCR0] = 1 << 18;
    assert_eq!(raised(&mut c, mfspr_3(spr::UPMC1)), (Vector::FacilityUnavailable, 0));
    c.spr[spr::MMCR0] = 3 << 18;
    write(&mut c, spr::UPMC1, 6);
    assert_eq!(c.spr[spr::PMC1], 6);
    write(&mut c, spr::UMMCR0, u64::MAX);
    assert_eq!(c.spr[spr::MMCR0], (3 << 18) | UMMCR0);
    assert_eq!(raised(&mut c, mfspr_3(spr::UPMC5)), (Vector::FacilityUnavailable, 0));
}
