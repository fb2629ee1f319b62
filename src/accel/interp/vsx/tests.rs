//! Vector accesses to storage in both byte orders: what lies where, for images made from the rows.

use crate::accel::interp::Core;
use crate::accel::interp::recorded::cpu;
use crate::accel::interp::recorded::step;
use crate::cpu::state::Vsr;
use crate::isa::regs::Msr;
use crate::isa::table::rows;

const STEPS: u128 = 0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f;

/// Which way round the guest runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Big,
    Little,
}

/// A vCPU with the bytes 00 01 02 … 3f at 0x1000, r4 = 0x1000, r5 = `index`.
fn with_bytes(c: &mut Core, order: Order, index: u64) {
    c.msr = if order == Order::Little { c.msr.with(Msr::LE) } else { c.msr.without(Msr::LE) };
    c.recontext();
    (0..64).for_each(|n| assert!(c.store::<u8>(0x1000 + n, n as u8).is_ok()));
    (c.gpr[4], c.gpr[5]) = (0x1000, index);
}

/// The image of an X-form access of register 34 (VR 2) at r4 + r5.
fn image(name: &str) -> u64 {
    let row = rows().find(|r| r.name == name).unwrap();
    let upper = u64::from(row.operands.starts_with('x'));
    row.value | (2 << 21) | (4 << 16) | (5 << 11) | upper
}

fn loaded(name: &str, order: Order, index: u64) -> u128 {
    let mut cpu = cpu();
    let c = cpu.core();
    with_bytes(c, order, index);
    c.vsr[34] = Vsr::new(u128::MAX);
    assert!(!step(c, image(name)), "{name} interrupted");
    c.vsr[34].value()
}

/// The sixteen bytes from 0x1000 on after a store of bytes a0 a1 … af; what was not stored reads 00 01 02 ….
fn stored(name: &str, order: Order, index: u64) -> u128 {
    let mut cpu = cpu();
    let c = cpu.core();
    with_bytes(c, order, index);
    c.vsr[34] = Vsr::new(STEPS | 0xa0a0_a0a0_a0a0_a0a0_a0a0_a0a0_a0a0_a0a0);
    assert!(!step(c, image(name)), "{name} interrupted");
    (0..16).fold(0, |v, n| (v << 8) | u128::from(c.load::<u8>(0x1000 + n).unwrap_or(0xee)))
}

#[test]
fn whole_vectors_and_vectors_of_elements() {
    let reversed = u128::from_le_bytes(STEPS.to_be_bytes());
    for (name, little) in [
        ("lvx", reversed),
        ("lxvx", reversed),
        ("lxvd2x", 0x0706_0504_0302_0100_0f0e_0d0c_0b0a_0908),
        ("lxvw4x", 0x0302_0100_0706_0504_0b0a_0908_0f0e_0d0c),
        ("lxvh8x", 0x0100_0302_0504_0706_0908_0b0a_0d0c_0f0e),
        ("lxvb16x", STEPS),
    ] {
        assert_eq!(loaded(name, Order::Big, 0), STEPS, "{name}");
        assert_eq!(loaded(name, Order::Little, 0), little, "{name}");
        let store = format!("st{}", &name[1..]);
        let high = 0xa0a0_a0a0_a0a0_a0a0_a0a0_a0a0_a0a0_a0a0;
        assert_eq!(stored(&store, Order::Big, 0), STEPS | high, "{store}");
        assert_eq!(stored(&store, Order::Little, 0), little | high, "{store}");
    }
    // VMX drops the low bits of the address, VSX takes it as it is.
    assert_eq!(loaded("lvx", Order::Big, 9), STEPS);
    assert_eq!(loaded("lxvx", Order::Big, 1) >> 120, 1);
}

#[test]
fn elements_go_where_their_address_says() {
    let rest = u128::MAX;
    assert_eq!(loaded("lvebx", Order::Big, 1), rest ^ (0xfe << 112));
    assert_eq!(loaded("lvebx", Order::Little, 1), rest ^ (0xfe << 8));
    assert_eq!(loaded("lvehx", Order::Big, 3), rest ^ (0xfdfc << 96));
    assert_eq!(loaded("lvehx", Order::Little, 3), rest ^ (0xfcfd << 16));
    assert_eq!(loaded("lvewx", Order::Big, 7) >> 64 & 0xffff_ffff, 0x0405_0607);
    assert_eq!(loaded("lvewx", Order::Little, 7) >> 32 & 0xffff_ffff, 0x0706_0504);
    assert_eq!(stored("stvewx", Order::Big, 5) >> 64 & 0xffff_ffff, 0xa4a5_a6a7);
    assert_eq!(stored("stvewx", Order::Little, 5) >> 64 & 0xffff_ffff, 0xabaa_a9a8);
    assert_eq!(loaded("lvsl", Order::Big, 3) >> 112, 0x0304);
    assert_eq!(loaded("lvsr", Order::Little, 3) >> 112, 0x0d0e);
}

#[test]
fn scalars_and_rightmost_elements() {
    assert_eq!(loaded("lxsiwzx", Order::Big, 0), 0x0001_0203 << 64);
    assert_eq!(loaded("lxsihzx", Order::Little, 2), 0x0302 << 64);
    assert_eq!(loaded("lxvdsx", Order::Big, 8), 0x0809_0a0b_0c0d_0e0f_0809_0a0b_0c0d_0e0f);
    assert_eq!(loaded("lxvrwx", Order::Big, 4), 0x0405_0607);
    assert_eq!(loaded("lxvrwx", Order::Little, 4), 0x0706_0504);
    assert_eq!(stored("stxsiwx", Order::Big, 0) >> 96, 0xa4a5_a6a7);
    assert_eq!(stored("stxvrhx", Order::Little, 0) >> 112, 0xafae);
}

#[test]
fn lengths_are_in_the_first_byte() {
    // r4 + r5 is not the address here: RA alone is.
    let three = 3 << 56;
    assert_eq!(loaded("lxvl", Order::Big, three), 0x102 << 104);
    assert_eq!(loaded("lxvl", Order::Little, three), 0x02_0100);
    assert_eq!(loaded("lxvll", Order::Little, three), 0x102 << 104);
    assert_eq!(loaded("lxvl", Order::Big, 0xff << 56), STEPS);
    assert_eq!(stored("stxvl", Order::Big, three) >> 96, 0xa0a1_a203);
    assert_eq!(stored("stxvl", Order::Little, three) >> 96, 0xafae_ad03);
    assert_eq!(stored("stxvll", Order::Little, three) >> 96, 0xa0a1_a203);
    assert_eq!(stored("stxvl", Order::Little, 0), STEPS);
}

#[test]
fn pairs_are_numbers_of_256_bits() {
    for (order, low, high) in [(Order::Big, 0x20, 0x30), (Order::Little, 0x3f, 0x2f)] {
        let mut cpu = cpu();
        let c = cpu.core();
        with_bytes(c, order, 0x20);
        // lxvpx vs34: Tp is 1 and TX is 1.
        let row = rows().find(|r| r.name == "lxvpx").unwrap();
        assert!(!step(c, row.value | (1 << 22) | (1 << 21) | (4 << 16) | (5 << 11)));
        assert_eq!((c.vsr[34].value() >> 120, c.vsr[35].value() >> 120), (low, high), "{order:?}");
    }
}
