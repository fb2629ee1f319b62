//! `ibm,pa-features`: which processor features the guest may use (PAPR, attribute 0).
//!
//! The property is a length, a type byte and attribute bytes. It is written here as the features it stands for, by attribute byte and bit, and
//! what an edition adds to the one before, so that a reader can see what each bit says.

use crate::spapr::caps::Cap;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::Level;
use crate::spapr::devtree::IsaKnowledge;
use crate::spapr::devtree::Negotiated;
use crate::spapr::spec::MachineSpec;

/// Attribute bytes that POWER7 and later share: 0 has MMU, SLB, run-latch, FPU; 1 data-address-breakpoint, no-execute, large pages; 2 and 5 cache and
/// ISA categories.
const SINCE_POWER7: &[(usize, u8)] = &[(0, 0xf6), (1, 0x1f), (2, 0xc7), (5, 0xc0)];
/// ISA 2.07: little-endian (5), unaligned little-endian (6), 16 vector, 18 vector-scalar, 20 decimal reservation … Not in it: strong access ordering
/// (byte 4), transactional memory (22, by cap-htm).
const POWER8: &[(usize, u8)] = &[(3, 0xc0), (5, 0xf0), (6, 0x80), (16, 0x80), (18, 0x80), (20, 0x80)];
/// ISA 3.00: 40 is radix; every even byte from 42 on is one of its facilities. Not in it: 36, and copy-paste (38).
const POWER9: &[(usize, u8)] = &[
    (24, 0x80),
    (26, 0x80),
    (28, 0x80),
    (32, 0x80),
    (34, 0xc0),
    (40, 0x80),
    (42, 0x80),
    (44, 0x80),
    (46, 0x80),
    (48, 0x80),
    (50, 0x80),
    (52, 0x80),
    (54, 0x80),
    (56, 0x80),
    (58, 0x80),
    (60, 0x80),
    (62, 0x80),
];
/// ISA 3.10: MMA and prefixed instructions (68), BHRB-less tracing (72).
const POWER10: &[(usize, u8)] = &[(68, 0xce), (72, 0x80)];

/// Attribute byte that says radix.
const RADIX: usize = 40;

/// Attribute bytes in each edition's property.
const LENGTHS: [(Level, usize); 4] = [(Level::V2_06, 6), (Level::V2_07, 24), (Level::V3_00, 66), (Level::V3_10, 74)];

/// The property's bytes; `None` for processors that have none (970, POWER5+).
pub fn pa_features(spec: &MachineSpec, now: &Negotiated) -> Option<Vec<u8>> {
    let limit: Option<&CompatMode> = now.compat;
    let (level, len) = LENGTHS.into_iter().rev().find(|(l, _)| spec.cpu.offers(*l, limit))?;
    let mut bytes = vec![0u8; len + 2];
    bytes[0] = len as u8;
    let editions: [(Level, &[(usize, u8)]); 4] =
        [(Level::V2_06, SINCE_POWER7), (Level::V2_07, POWER8), (Level::V3_00, POWER9), (Level::V3_10, POWER10)];
    for (at, value) in editions.iter().filter(|(l, _)| *l <= level).flat_map(|(_, bits)| bits.iter()) {
        bytes[at + 2] = *value;
    }
    let mut or = |at: usize, bit: u8| {
        if at < len {
            bytes[at + 2] |= bit;
        }
    };
    if spec.caps.get(Cap::HptMaxPageSize) >= 16 {
        or(1, 0x20);
    }
    // On a host that is only modelled there is an emulator underneath, which has no transactions: the capability is granted, and the guest not told.
    if level >= Level::V2_07 && spec.caps.on(Cap::Htm) && !spec.host.is_kvm() {
        or(22, 0x80);
    }
    if level >= Level::V3_10 && spec.caps.on(Cap::Dawr1) {
        or(64, 0x80);
    }
    if level >= Level::V3_00 && now.knows_isa_3 == IsaKnowledge::Older {
        bytes[RADIX + 2] &= !0x80;
    }
    Some(bytes)
}
