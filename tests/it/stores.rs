//! Stores across the end of a page: both pages have flags, and both must be looked at, whichever way the store takes.

use crate::embedded::accelerators;
use spapr::accel::Exit;
use spapr::accel::Fp;
use spapr::accel::Parts;
use spapr::isa::cpu_model;
use spapr::isa::regs::Msr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::sync::Arc;

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;

/// By name: the instruction that stores at r4, and how many bytes of it reach into the page.
const STORES: &[(&str, u32, u64)] = &[
    ("sth", 0xb0a4_0000, 1),
    ("stw", 0x90a4_0000, 2),
    ("std", 0xf8a4_0000, 4),
    ("stdx", 0x7ca0_212a, 7),
    ("stwbrx", 0x7ca0_252c, 3),
    ("stfd", 0xd8a4_0000, 4),
    ("stxvd2x", 0x7ca0_2798, 8),
    ("stxvw4x", 0x7ca0_2718, 12),
    ("stxv", 0xf4a4_0005, 8),
];

#[test]
fn a_page_that_is_armed_is_noted_by_code_that_has_stored_there_before() {
    for kind in accelerators() {
        let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
        // stw r5,0(r4); b -4.
        for (k, word) in [0x90a4_0000, 0x4bff_fffc].into_iter().enumerate() {
            memory.write_u32(Ra(CODE + 4 * k as u64), word).unwrap();
        }
        let partition = Arc::new(Partition::new(memory.clone()));
        let model = cpu_model::by_name("power9_v2.2").unwrap();
        let mut vcpu = kind.create(Parts::lone(model, partition.clone()), Fp::default()).unwrap();
        let s = vcpu.state_mut();
        (s.msr, s.nip, s.gpr[4], s.dec_expiry) = (Msr(Msr::SF), CODE, DATA, i64::MAX as u64);
        let mut go = || assert_eq!(vcpu.run(Some(20)).unwrap(), Exit::Budget);
        go();
        memory.start_log().unwrap();
        let dirty = || memory.take_dirty().unwrap().iter().collect::<Vec<u64>>();
        assert!(dirty().is_empty());
        for round in 0..3 {
            go();
            assert_eq!(dirty(), [DATA >> 12], "{}, round {round}", kind.name());
        }
        memory.stop_log();
        go();
        assert!(dirty().is_empty());
    }
}

#[test]
fn both_pages_of_a_store_are_noted() {
    for kind in accelerators() {
        for &(name, store, over) in STORES {
            let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
            // Once at the start of a page, so that where it stores is known, then across the end of the next one: add r4,r4,r6; bdnz; b .
            for (k, word) in [store, 0x7c84_3214, 0x4200_fff8, 0x4800_0000].into_iter().enumerate() {
                memory.write_u32(Ra(CODE + 4 * k as u64), word).unwrap();
            }
            let model = cpu_model::by_name("power9_v2.2").unwrap();
            let mut vcpu = kind.create(Parts::lone(model, Arc::new(Partition::new(memory.clone()))), Fp::default()).unwrap();
            let s = vcpu.state_mut();
            (s.msr, s.nip, s.ctr) = (Msr(Msr::SF | Msr::FP | Msr::VEC | Msr::VSX), CODE, 2);
            (s.gpr[4], s.gpr[6], s.dec_expiry) = (DATA, 0x2000 - over, i64::MAX as u64);
            memory.start_log().unwrap();
            assert_eq!(vcpu.run(Some(10)).unwrap(), Exit::Budget);
            let dirty: Vec<u64> = memory.take_dirty().unwrap().iter().collect();
            assert_eq!(dirty, [0x20, 0x21, 0x22], "{name} on {}", kind.name());
            memory.stop_log();
        }
    }
}
