//! Addresses, invalid forms and byte orders; results of the permutes are recorded lines.

use crate::accel::interp::recorded::cpu;
use crate::accel::interp::recorded::repeat;
use crate::accel::interp::recorded::step;
use crate::cpu::state::Vsr;
use crate::isa::regs::Msr;

#[test]
fn recorded_lines_repeat() {
    repeat(include_str!("../../../../tests/golden/prefixed.txt"), 40);
}

/// `op rt, displacement(ra), R` with the given prefix.
fn image(prefix: u64, opcode: u64, rt: u64, ra: u64, displacement: i64) -> u64 {
    let d = displacement as u64;
    ((prefix | ((d >> 16) & 0x3_ffff)) << 32) | (opcode << 26) | (rt << 21) | (ra << 16) | (d & 0xffff)
}

const MLS: u64 = 0x0600_0000;
const EIGHT: u64 = 0x0400_0000;
const PCREL: u64 = 1 << 20;

#[test]
fn addresses_are_relative_to_a_register_zero_or_the_instruction() {
    let mut interp = cpu();
    let c = interp.core();
    (c.cia, c.gpr[0], c.gpr[3]) = (0x1000, 99, 5);
    for (prefix, ra, si, want) in [(MLS, 3, -6, u64::MAX), (MLS, 0, 7, 7), (MLS | PCREL, 0, -16, 0xff0), (MLS, 3, 1 << 32, (1 << 32) + 5)] {
        assert!(!step(c, image(prefix, 14, 4, ra, si)));
        assert_eq!(c.gpr[4], want, "{prefix:x} {ra} {si}");
    }
    assert!(step(c, image(MLS | PCREL, 14, 4, 3, 0)), "R with a base register is an invalid form");
    assert!(step(c, image(EIGHT, 56, 4, 4, 0)), "plq into its base register is an invalid form");
}

#[test]
fn quadwords_and_pairs_keep_their_order() {
    for (order, word) in [(0, 0x0011_2233), (Msr::LE, 0x3322_1100)] {
        let mut interp = cpu();
        let c = interp.core();
        c.msr = Msr(c.msr.0 & !Msr::LE | order);
        c.recontext();
        for k in 0..32u8 {
            c.store::<u8>(0x2000 + u64::from(k), k.wrapping_mul(17)).unwrap();
        }
        c.gpr[3] = 0x2000;
        assert!(!step(c, image(EIGHT, 56, 4, 3, 0)));
        let first = c.load::<u64>(0x2000).unwrap();
        assert_eq!((c.gpr[4], c.gpr[5]), (first, c.load::<u64>(0x2008).unwrap()), "plq does not swap");
        assert!(!step(c, image(EIGHT, 60, 4, 3, 0x40)));
        assert_eq!(c.load::<u64>(0x2040).unwrap(), first);
        assert!(!step(c, image(MLS, 32, 6, 3, 0)));
        assert_eq!(c.gpr[6], word);
        // plxvp and pstxvp of vs2 and vs3.
        assert!(!step(c, image(EIGHT, 58, 2, 3, 0)));
        let at = |n: u64| 0x2000 + if order == 0 { n } else { 16 - n };
        let [first, second] = [at(0), at(16)].map(|ea| Vsr::new(c.load::<u128>(ea).unwrap()));
        assert_eq!((c.vsr[2], c.vsr[3]), (first, second));
        assert!(!step(c, image(EIGHT, 62, 2, 3, 0x80)));
        assert_eq!(c.load::<u128>(0x2080).unwrap(), c.load::<u128>(0x2000).unwrap());
    }
}

#[test]
fn plxv_needs_the_facility_of_its_register() {
    let mut interp = cpu();
    let c = interp.core();
    c.gpr[3] = 0x2000;
    c.msr = Msr(c.msr.0 & !Msr::VEC);
    assert!(!step(c, image(EIGHT, 50, 1, 3, 0)));
    assert!(step(c, image(EIGHT, 51, 1, 3, 0)));
}
