//! Trees built in guest memory by hand: every page size, right and fault.

use super::*;
use crate::cpu::CpuState;
use crate::isa::cpu_model::by_name;
use crate::isa::regs::Lpcr;
use crate::isa::vectors::Vector;
use crate::mmu;
use crate::mmu::partition::Partition;
use std::sync::Arc;

const TABLE: u64 = 0x1_0000;
const ROOT: u64 = 0x2_0000;
/// Linux's shape: 52 bits as 13 + 9 + 9 + 9 + 12; RTS 21.
const ENTRY: u64 = (2 << 61) | (5 << 5) | ROOT | 13;
const ALL: u64 = EAA_READ | EAA_WRITE | EAA_EXECUTE;

struct World {
    partition: Partition,
    state: CpuState,
}

impl World {
    /// PID 3 has a tree at `ROOT`; the process table holds 256 entries.
    fn new() -> World {
        let partition = Partition::new(Arc::new(GuestMemory::new(4 << 20).unwrap()));
        partition.set_process_table(TABLE);
        let mut state = CpuState { msr: Msr(Msr::SF | Msr::IR | Msr::DR), ..Default::default() };
        state.spr[spr::LPCR] = Lpcr::HR | Lpcr::UPRT;
        state.spr[spr::PIDR] = 3;
        let w = World { partition, state };
        w.put(TABLE + 3 * 16, ENTRY);
        w
    }

    fn put(&self, at: u64, value: u64) {
        self.partition.memory.write_u64(Ra(at), value).unwrap();
    }

    fn pte(&self, at: u64) -> u64 {
        self.partition.memory.read_u64(Ra(at)).unwrap()
    }

    /// Maps effective page 0x4020_1000 through three directories to a 4 KiB page with `bits`; gives where the entry is.
    fn map_4k(&self, bits: u64) -> u64 {
        self.put(ROOT, VALID | 0x4_0000 | 9);
        self.put(0x4_0000 + 8, VALID | 0x4_1000 | 9);
        self.put(0x4_1000 + 8, VALID | 0x4_2000 | 9);
        self.put(0x4_2000 + 8, VALID | LEAF | 0x12_3000 | bits);
        0x4_2008
    }

    fn go(&self, ea: u64, access: Access) -> Result<Translation, Fault> {
        let cx = Context { state: &self.state, model: by_name("power9_v2.2").unwrap(), partition: &self.partition };
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
fn every_page_size_maps_its_whole_page() {
    let w = World::new();
    w.map_4k(ALL);
    assert_eq!(w.go(0x4020_1abc, Access::Load).map(|t| (t.ra, t.page_shift)), Ok((Ra(0x12_3abc), 12)));
    w.put(0x4_1000 + 16, VALID | LEAF | 0x7f20_0000 | ALL);
    assert_eq!(w.go(0x4051_2345, Access::Load).map(|t| (t.ra, t.page_shift)), Ok((Ra(0x7f31_2345), 21)));
    w.put(0x4_0000 + 16, VALID | LEAF | 0x1_c000_0000 | ALL);
    assert_eq!(w.go(0x8123_4567, Access::Load).map(|t| (t.ra, t.page_shift)), Ok((Ra(0x1_c123_4567), 30)));
    // 64 KiB pages: the last directory has 5 bits.
    w.put(0x4_1000 + 24, VALID | 0x4_3000 | 5);
    w.put(0x4_3000 + 31 * 8, VALID | LEAF | 0x5_0000 | ALL);
    assert_eq!(w.go(0x407f_4321, Access::Load).map(|t| (t.ra, t.page_shift)), Ok((Ra(0x5_4321), 16)));
}

#[test]
fn quadrants_choose_the_process() {
    let mut w = World::new();
    w.map_4k(ALL);
    w.put(TABLE, ENTRY);
    assert!(w.go(0xc000_0000_4020_1000, Access::Load).is_ok());
    w.state.spr[spr::PIDR] = 4;
    assert!(w.go(0xc000_0000_4020_1000, Access::Load).is_ok());
    assert_eq!(w.go(0x4020_1000, Access::Load), Err(data(Dsisr::BADCONFIG)));
    w.state.spr[spr::PIDR] = 256;
    assert_eq!(w.go(0x4020_1000, Access::Load), Err(data(Dsisr::NOPTE)));
    for ea in [0x4000_0000_4020_1000, 0x8000_0000_4020_1000, 0xc010_0000_0000_0000] {
        assert_eq!(w.go(ea, Access::Load), Err(Fault { vector: Vector::DataSegment, status: 0 }));
        assert_eq!(w.go(ea, Access::Fetch), Err(Fault { vector: Vector::InstructionSegment, status: 0 }));
    }
}

#[test]
fn a_tree_that_means_nothing_is_a_fault() {
    let w = World::new();
    let leaf = w.map_4k(ALL);
    w.put(leaf, 0);
    assert_eq!(w.go(0x4020_1000, Access::Store), Err(data(Dsisr::NOPTE)));
    assert_eq!(w.go(0x4020_1000, Access::Fetch), Err(instruction(Dsisr::NOPTE)));
    for (at, entry, status) in [
        (leaf, VALID | 0x4_2000 | 9, Dsisr::BADCONFIG),
        (0x4_1008, VALID | 0x4_2000 | 4, Dsisr::BADCONFIG),
        (0x4_1008, VALID | 0x4_2000 | 10, Dsisr::BADCONFIG),
        (0x4_1008, VALID | 0x0fff_ffff_ffff_ff00 | 9, Dsisr::NOPTE),
        (ROOT, VALID | LEAF | ALL, Dsisr::BADCONFIG),
        (TABLE + 48, 0, Dsisr::BADCONFIG),
        (TABLE + 48, ROOT | 31, Dsisr::BADCONFIG),
    ] {
        w.map_4k(ALL);
        w.put(at, entry);
        assert_eq!(w.go(0x4020_1000, Access::Load), Err(data(status)), "{at:#x}: {entry:#x}");
    }
    w.partition.set_process_table(0x8000_0000);
    assert_eq!(w.go(0x4020_1000, Access::Load), Err(data(Dsisr::NOPTE)));
}

#[test]
fn rights_follow_authority_privilege_and_keys() {
    let (read, write, fetch) = (Access::Load, Access::Store, Access::Fetch);
    let (prot, key) = (data(Dsisr::PROTFAULT), data(Dsisr::KEYFAULT));
    const PR: u64 = Msr::PR;
    for (bits, pr, amr, iamr, access, want) in [
        (EAA_READ, 0, 0, 0, read, Ok(())),
        (EAA_READ, 0, 0, 0, write, Err(prot)),
        (EAA_READ, 0, 0, 0, fetch, Err(instruction(SRR1_NOEXEC))),
        (EAA_WRITE, 0, 0, 0, read, Ok(())),
        (EAA_EXECUTE, 0, 0, 0, fetch, Ok(())),
        (EAA_EXECUTE, 0, 0, 0, read, Err(prot)),
        (EAA_EXECUTE | ATT_NI_IO, 0, 0, 0, fetch, Err(instruction(SRR1_NOEXEC))),
        (ALL | EAA_PRIVILEGED, PR, 0, 0, read, Err(prot)),
        (ALL | EAA_PRIVILEGED, PR, 0, 0, fetch, Err(instruction(Dsisr::PROTFAULT))),
        (ALL | EAA_PRIVILEGED, 0, 3, 3, write, Ok(())),
        (ALL | EAA_PRIVILEGED, 0, 3, 3, fetch, Ok(())),
        (ALL, 0, 1, 0, read, Err(key)),
        (ALL, 0, 2, 0, read, Ok(())),
        (ALL, 0, 2, 0, write, Err(key)),
        (ALL, 0, 0, 1, fetch, Err(instruction(Dsisr::KEYFAULT))),
        (ALL, PR, 3, 3, write, Ok(())),
        (ALL, PR, 3, 3, fetch, Ok(())),
    ] {
        let mut w = World::new();
        w.map_4k(bits);
        w.state.msr.0 |= pr;
        (w.state.spr[spr::AMR], w.state.spr[spr::IAMR]) = (amr << 62, iamr << 62);
        assert_eq!(w.go(0x4020_1000, access).map(|_| ()), want, "{bits:#x} pr {pr:#x} amr {amr} iamr {iamr} {access:?}");
    }
}

#[test]
fn r_and_c_are_set_as_the_access_demands() {
    let w = World::new();
    let leaf = w.map_4k(ALL);
    assert_eq!(w.go(0x4020_1000, Access::Load).map(|t| t.writable), Ok(Writable::AskAgain));
    assert_eq!(w.pte(leaf) & (R | C), R);
    assert_eq!(w.go(0x4020_1000, Access::Store).map(|t| t.writable), Ok(Writable::Yes));
    assert_eq!(w.pte(leaf) & (R | C), R | C);
    assert_eq!(w.go(0x4020_1000, Access::Load).map(|t| t.writable), Ok(Writable::Yes));
    let leaf = w.map_4k(EAA_READ);
    assert!(w.go(0x4020_1000, Access::Store).is_err());
    assert_eq!(w.pte(leaf) & (R | C), 0);
}
