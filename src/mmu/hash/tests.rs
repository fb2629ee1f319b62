//! Hashed page tables filled by hand: every page size, protection, key and fault.

use super::*;
use crate::cpu::CpuState;
use crate::cpu::SlbEntry;
use crate::isa::cpu_model::by_name;
use crate::memory::GuestMemory;
use crate::mmu;
use crate::mmu::hpt::Hpt;
use crate::mmu::hpt::SHIFT_MIN;
use crate::mmu::partition::Partition;
use crate::mmu::slb::SLB_B_1T;
use crate::mmu::slb::SLB_KP;
use crate::mmu::slb::SLB_KS;
use crate::mmu::slb::SLB_N;
use crate::mmu::slb::SLB_V;
use std::sync::Arc;

const EA: u64 = 0x1234_5678;
const VSID: u64 = 0x53_0000_0000;

struct World {
    partition: Partition,
    hpt: Arc<Hpt>,
    state: CpuState,
    model: &'static str,
}

#[derive(Clone, Copy)]
enum Hash {
    Primary,
    Secondary,
}

impl World {
    /// An empty table, and SLB entry 2 for `EA` with `vsid` (which has the keys and page size).
    fn new(vsid: u64) -> World {
        let partition = Partition::new(Arc::new(GuestMemory::new(1 << 20).unwrap()));
        let hpt = Arc::new(Hpt::new(SHIFT_MIN).unwrap());
        partition.set_hpt(Some(hpt.clone()));
        let mut state = CpuState { msr: Msr(Msr::SF | Msr::IR | Msr::DR), ..Default::default() };
        state.slb[2] = SlbEntry { esid: (EA & slb::SLB_ESID) | SLB_V, vsid };
        World { partition, hpt, state, model: "power8_v2.0" }
    }

    /// Enters a page for `EA` in `slot`; gives its ptex.
    fn enter(&self, hash: Hash, slot: u64, v: u64, r: u64) -> u64 {
        let segment = Segment::new(self.state.slb[2].vsid).unwrap();
        let (group, h) = match hash {
            Hash::Primary => (segment.hash(EA), 0),
            Hash::Secondary => (!segment.hash(EA), Hpte::SECONDARY),
        };
        let group = self.hpt.lock((group & self.hpt.group_mask()) * 8);
        group.set(slot, Hpte { v: segment.tag(EA) | v | h | Hpte::VALID, r });
        group.first() + slot
    }

    fn go(&self, ea: u64, access: Access) -> Result<Translation, Fault> {
        let cx = Context { state: &self.state, model: by_name(self.model).unwrap(), partition: &self.partition };
        mmu::translate(&cx, Ea(ea), access)
    }
}

fn data(status: u64) -> Fault {
    Fault { vector: Vector::DataStorage, status }
}
fn instruction(status: u64) -> Fault {
    Fault { vector: Vector::InstructionStorage, status }
}

#[test]
fn every_page_size_is_found() {
    for (llp, v, r, want, shift) in [
        (0x000, 0, 0x5_4000, 0x5_4678, 12),
        (0x000, Hpte::LARGE, 0x5_7000, 0x5_5678, 12),
        (0x000, Hpte::LARGE, 0x503_8000, 0x534_5678, 12),
        (0x110, Hpte::LARGE, 0x5_1000, 0x5_5678, 16),
        (0x110, Hpte::LARGE, 0x500_8000, 0x534_5678, 16),
        (0x100, Hpte::LARGE, 0x500_0000, 0x534_5678, 24),
        (0x120, Hpte::LARGE, 0x4_0000_3000, 0x4_1234_5678, 34),
    ] {
        for size in [0, SLB_B_1T] {
            if size == 0 && llp == 0x120 {
                continue;
            }
            let w = World::new(VSID | llp | size);
            w.enter(Hash::Primary, 3, v, r);
            let got = w.go(EA, Access::Load).map(|t| (t.ra, t.page_shift));
            assert_eq!(got, Ok((Ra(want), shift)), "L|LP {llp:#x} r {r:#x} B {size:#x}");
        }
    }
}

#[test]
fn the_secondary_group_is_searched_last_and_strange_sizes_are_skipped() {
    let w = World::new(VSID | 0x110);
    w.enter(Hash::Secondary, 7, Hpte::LARGE, 0x8_1000);
    assert_eq!(w.go(EA, Access::Load).map(|t| t.ra), Ok(Ra(0x8_5678)));
    w.enter(Hash::Primary, 1, Hpte::LARGE, 0x9_5000);
    assert_eq!(w.go(EA, Access::Load).map(|t| t.ra), Ok(Ra(0x8_5678)));
    w.enter(Hash::Primary, 2, Hpte::LARGE, 0x9_1000);
    assert_eq!(w.go(EA, Access::Load).map(|t| t.ra), Ok(Ra(0x9_5678)));
}

#[test]
fn what_is_missing_says_what() {
    let mut w = World::new(VSID);
    assert_eq!(w.go(EA, Access::Store), Err(data(Dsisr::NOPTE)));
    assert_eq!(w.go(EA, Access::Fetch), Err(instruction(Dsisr::NOPTE)));
    assert_eq!(w.go(EA + (1 << 28), Access::Load), Err(Fault { vector: Vector::DataSegment, status: 0 }));
    assert_eq!(w.go(EA + (1 << 28), Access::Fetch), Err(Fault { vector: Vector::InstructionSegment, status: 0 }));
    w.partition.set_hpt(None);
    assert_eq!(w.go(EA, Access::Load), Err(data(Dsisr::NOPTE)));
    w.state.msr = Msr(Msr::SF);
    assert_eq!(w.go(0xc000_0000_0000_1234, Access::Load).map(|t| t.ra), Ok(Ra(0x1234)));
}

#[test]
fn page_protection_follows_pp_and_the_segments_key() {
    // For each PP: read and write with key 0, then with key 1.
    for (pp, want) in [
        (0, (true, true, false, false)),
        (1, (true, true, true, false)),
        (2, (true, true, true, true)),
        (3, (true, false, true, false)),
        (4, (false, false, false, false)),
        (5, (false, false, false, false)),
        (6, (true, false, false, false)),
        (7, (false, false, false, false)),
    ] {
        let r = 0x5000 | (pp & 3) | if pp & 4 != 0 { Hpte::PP0 } else { 0 };
        // Privileged with Ks 0 and Kp 1, then problem state.
        let mut w = World::new(VSID | SLB_KP);
        w.enter(Hash::Primary, 0, 0, r);
        let tried = |w: &World| (w.go(EA, Access::Load), w.go(EA, Access::Store));
        let privileged = tried(&w);
        w.state.msr.0 |= Msr::PR;
        let problem = tried(&w);
        for (got, may) in [(privileged.0, want.0), (privileged.1, want.1), (problem.0, want.2), (problem.1, want.3)] {
            assert_eq!(got.map(|_| ()), if may { Ok(()) } else { Err(data(Dsisr::PROTFAULT)) }, "PP {pp}");
        }
    }
    let w = World::new(VSID | SLB_KS);
    w.enter(Hash::Primary, 0, 0, 0x5000);
    assert_eq!(w.go(EA, Access::Load), Err(data(Dsisr::PROTFAULT)));
}

#[test]
fn execution_needs_a_page_and_a_segment_that_allow_it() {
    for (vsid, r, want) in [
        (0, 2, Ok(())),
        (0, 2 | Hpte::N, Err(instruction(SRR1_NOEXEC))),
        (0, 2 | Hpte::G, Err(instruction(SRR1_NOEXEC))),
        (SLB_N, 2, Err(instruction(SRR1_NOEXEC))),
        (SLB_KS, 0, Err(instruction(Dsisr::PROTFAULT))),
    ] {
        let w = World::new(VSID | vsid);
        w.enter(Hash::Primary, 0, 0, 0x5000 | r);
        assert_eq!(w.go(EA, Access::Fetch).map(|_| ()), want, "vsid {vsid:#x} r {r:#x}");
    }
}

#[test]
fn keys_block_what_the_masks_say_where_the_model_has_them() {
    const KEY_3: u64 = 3 << 9;
    let field = |bits: u64| bits << (2 * (31 - 3));
    for (model, amr, iamr, access, want) in [
        ("power8_v2.0", 2, 0, Access::Load, Ok(())),
        ("power8_v2.0", 2, 0, Access::Store, Err(data(Dsisr::KEYFAULT))),
        ("power8_v2.0", 1, 0, Access::Load, Err(data(Dsisr::KEYFAULT))),
        ("power8_v2.0", 3, 0, Access::Fetch, Ok(())),
        ("power8_v2.0", 0, 1, Access::Fetch, Err(instruction(Dsisr::KEYFAULT))),
        ("power7_v2.3", 0, 1, Access::Fetch, Ok(())),
        ("970_v2.2", 3, 1, Access::Store, Ok(())),
    ] {
        let mut w = World::new(VSID);
        w.model = model;
        w.enter(Hash::Primary, 0, 0, 0x5002 | KEY_3);
        (w.state.spr[spr::AMR], w.state.spr[spr::IAMR]) = (field(amr), field(iamr));
        assert_eq!(w.go(EA, access).map(|_| ()), want, "{model} amr {amr} iamr {iamr} {access:?}");
    }
}

#[test]
fn r_and_c_are_set_as_the_access_demands() {
    let w = World::new(VSID);
    let ptex = w.enter(Hash::Primary, 5, Hpte::DIRTY, 0x5002);
    assert_eq!(w.go(EA, Access::Load).map(|t| t.writable), Ok(Writable::AskAgain));
    assert_eq!(w.hpt.get(ptex).r, 0x5102);
    assert_eq!(w.go(EA, Access::Store).map(|t| t.writable), Ok(Writable::Yes));
    assert_eq!(w.hpt.get(ptex).r, 0x5182);
    let w = World::new(VSID);
    let ptex = w.enter(Hash::Primary, 5, 0, 0x5003);
    assert!(w.go(EA, Access::Store).is_err());
    assert_eq!(w.hpt.get(ptex).r, 0x5003);
}

#[test]
fn walkers_never_pair_halves_of_two_entries() {
    let w = World::new(VSID);
    let ptex = w.enter(Hash::Primary, 0, 0, 0x1_0002);
    let v = w.hpt.get(ptex).v;
    let hpt = w.hpt.clone();
    let writer = std::thread::spawn(move || {
        for n in 0..20_000u64 {
            // Another page's entry, then ours again: r tells them apart.
            let other = Hpte { v: v ^ (1 << 40), r: 0x2_0002 };
            hpt.lock(ptex).set(0, if n % 2 == 0 { other } else { Hpte { v, r: 0x1_0002 } });
        }
    });
    while !writer.is_finished() {
        if let Ok(t) = w.go(EA, Access::Load) {
            assert_eq!(t.ra, Ra(0x1_0678));
        }
    }
    writer.join().unwrap();
}
