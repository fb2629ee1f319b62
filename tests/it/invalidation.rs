//! Invalidation of cached translations: by page, by process, of the kernel, of everything. Page table entries are changed under a vCPU that has used them, as another vCPU would,
//! and until it is told it goes on as before: so it is known that something was cached. Afterwards it must follow the new entries, whatever of its translations it kept.

use crate::embedded::accelerators;
use spapr::accel::AccelKind;
use spapr::accel::Exit;
use spapr::accel::Fp;
use spapr::accel::Parts;
use spapr::accel::Vcpu;
use spapr::isa::cpu_model;
use spapr::isa::regs::Lpcr;
use spapr::isa::regs::Msr;
use spapr::isa::spr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::mmu::partition::Scope;
use spapr::units::Ra;
use std::sync::Arc;

const KERNEL: u64 = 0xc000_0000_0000_0000;
const TREE: u64 = 0x10_0000;
const LEAVES: u64 = TREE + 0x3_0000;
const VALID: u64 = 1 << 63;
const LEAF: u64 = 1 << 62;
/// Referenced, changed, and all rights.
const ALL: u64 = 0x187;
const PRIVILEGED: u64 = 8;
const PID: u32 = 5;

/// Where code lies that jumps to [`FAR`], loads from [`DATA`] and stores beside it, again and again.
const CODE: u64 = 0x1_0000;
const FAR: u64 = 0x2_0000;
const DATA: u64 = 0x3_0000;
/// Pages that [`FAR`] and [`DATA`] are mapped to instead.
const INSTEAD: u64 = 0x3_0000;

struct World {
    memory: Arc<GuestMemory>,
    partition: Arc<Partition>,
    vcpu: Box<dyn Vcpu>,
}

impl World {
    fn new(kind: AccelKind, base: u64) -> World {
        let memory = Arc::new(GuestMemory::new(4 << 20).unwrap());
        let put = |at: u64, v: u64| memory.write_u64(Ra(at), v).unwrap();
        for pid in [0, u64::from(PID)] {
            put(TREE + 16 * pid, 2 << 61 | 5 << 5 | (TREE + 0x1_0000) | 13);
        }
        put(TREE + 0x1_0000, VALID | (TREE + 0x2_0000) | 9);
        put(TREE + 0x2_0000, VALID | (TREE + 0x2_1000) | 9);
        put(TREE + 0x2_1000, VALID | LEAVES | 5);
        // b +0x10000; then nops; at FAR: li r5,1 (or 2); ld r6,0(r4); stw r5,8(r4); b -0x1000c.
        memory.write_u32(Ra(CODE), 0x4801_0000).unwrap();
        for (page, value) in [(FAR, 1u32), (FAR + INSTEAD, 2)] {
            for (k, word) in [0x38a0_0000 | value, 0xe8c4_0000, 0x90a4_0008, 0x4bfe_fff4].into_iter().enumerate() {
                memory.write_u32(Ra(page + 4 * k as u64), word).unwrap();
            }
        }
        put(DATA, 1);
        put(DATA + INSTEAD, 2);
        let partition = Arc::new(Partition::new(memory.clone()));
        let parts = Parts::lone(cpu_model::by_name("power9_v2.2").unwrap(), partition.clone());
        let mut vcpu = kind.create(parts, Fp::default()).unwrap();
        let s = vcpu.state_mut();
        s.spr[spr::LPCR] = Lpcr::HR | Lpcr::UPRT | Lpcr::GTSE;
        s.spr[spr::PIDR] = u64::from(PID);
        s.msr = Msr(Msr::SF | Msr::IR | Msr::DR | if base == 0 { Msr::PR } else { 0 });
        (s.nip, s.gpr[4], s.dec_expiry) = (base + CODE, base + DATA, i64::MAX as u64);
        let world = World { memory, partition, vcpu };
        [CODE, FAR, DATA].into_iter().for_each(|page| world.map(page, page, base));
        world.partition.set_process_table(TREE);
        world
    }

    /// Maps a page of the kernel's quadrant, or of the process.
    fn map(&self, page: u64, to: u64, base: u64) {
        let rights = if base == 0 { ALL } else { ALL | PRIVILEGED };
        self.memory.write_u64(Ra(LEAVES + 8 * (page >> 16)), VALID | LEAF | to | rights).unwrap();
    }

    /// What code and data said in the next rounds.
    fn look(&mut self) -> (u64, u64) {
        assert_eq!(self.vcpu.run(Some(5 * 40)).unwrap(), Exit::Budget);
        (self.vcpu.state().gpr[5], self.vcpu.state().gpr[6])
    }
}

/// Where it runs, what is invalidated, and which pages that must reach.
const CASES: &[(u64, Scope, &[u64])] = &[
    (0, Scope::All, &[FAR, DATA]),
    (0, Scope::Process(PID), &[FAR, DATA]),
    (0, Scope::Page { pid: PID, ea: DATA, shift: 16 }, &[DATA]),
    (0, Scope::Page { pid: PID, ea: FAR, shift: 16 }, &[FAR]),
    (0, Scope::Page { pid: PID, ea: 0, shift: 21 }, &[FAR, DATA]),
    (KERNEL, Scope::All, &[FAR, DATA]),
    (KERNEL, Scope::Process(0), &[FAR]),
    (KERNEL, Scope::Process(0), &[DATA]),
    (KERNEL, Scope::Process(0), &[FAR, DATA]),
];

#[test]
fn what_is_invalidated_is_followed_and_nothing_sooner() {
    for kind in accelerators() {
        for (k, &(base, scope, pages)) in CASES.iter().enumerate() {
            let mut w = World::new(kind, base);
            let at = format!("case {k}: {scope:x?} on {}", kind.name());
            assert_eq!(w.look(), (1, 1), "{at}");
            // Others first, which must neither be lost nor help.
            w.partition.request_invalidation(Scope::Process(9));
            w.partition.request_invalidation(Scope::Page { pid: 9, ea: 0x100_0000, shift: 16 });
            assert_eq!(w.look(), (1, 1), "{at}");
            for (round, to) in [INSTEAD, 0, INSTEAD].into_iter().enumerate() {
                let before = w.look();
                pages.iter().for_each(|page| w.map(*page, page + to, base));
                assert_eq!(w.look(), before, "{at}, round {round}: nothing was cached");
                w.partition.request_invalidation(scope);
                let said = |page: u64| if pages.contains(&page) && to != 0 { 2 } else { 1 };
                assert_eq!(w.look(), (said(FAR), said(DATA)), "{at}, round {round}");
            }
            // The last store went where it should.
            let data = DATA + if pages.contains(&DATA) { INSTEAD } else { 0 };
            assert_eq!(w.memory.read_u32(Ra(data + 8)), Ok(w.vcpu.state().gpr[5] as u32), "{at}");
        }
    }
}

#[test]
fn a_page_that_is_taken_away_is_missed() {
    for kind in accelerators() {
        for (base, scope) in [(0, Scope::Page { pid: PID, ea: DATA, shift: 16 }), (KERNEL, Scope::Process(0))] {
            let mut w = World::new(kind, base);
            assert_eq!(w.look(), (1, 1));
            w.memory.write_u64(Ra(LEAVES + 8 * (DATA >> 16)), 0).unwrap();
            w.partition.request_invalidation(scope);
            w.vcpu.run(Some(10)).unwrap();
            assert_eq!(w.vcpu.state().spr[spr::DAR], base + DATA, "{}", kind.name());
        }
    }
}
