//! Breakpoints and watchpoints: they stop before the instruction, change nothing, and leave other code and data at full speed.

use crate::embedded::Guest;
use crate::embedded::PATIENCE;
use crate::embedded::accelerators;
use crate::embedded::settings;
use spapr::accel::AccelKind;
use spapr::accel::Exit;
use spapr::accel::Fp;
use spapr::accel::Parts;
use spapr::accel::Vcpu;
use spapr::accel::Watch;
use spapr::accel::Watched;
use spapr::isa::cpu_model;
use spapr::isa::regs::Msr;
use spapr::memory::GuestMemory;
use spapr::mmu::Access;
use spapr::mmu::partition::Partition;
use spapr::units::CpuIndex;
use spapr::units::Ea;
use spapr::units::Ra;
use spapr::vm::Status;
use spapr::vm::StopReason;
use std::sync::Arc;

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x2_0000;
/// addi r3,r3,1; stw r3,0(r4); lwz r5,0(r4); addi r4,r4,4; bdnz; b .
const LOOP: [u32; 6] = [0x3863_0001, 0x9064_0000, 0x80a4_0000, 0x3884_0004, 0x4200_fff0, 0x4800_0000];

fn looping(kind: AccelKind, times: u64) -> (Box<dyn Vcpu>, Arc<GuestMemory>) {
    let memory = Arc::new(GuestMemory::new(32 << 20).unwrap());
    LOOP.iter().enumerate().for_each(|(k, word)| memory.write_u32(Ra(CODE + 4 * k as u64), *word).unwrap());
    let model = cpu_model::by_name("power9_v2.2").unwrap();
    let mut vcpu = kind.create(Parts::lone(model, Arc::new(Partition::new(memory.clone()))), Fp::default()).unwrap();
    let s = vcpu.state_mut();
    (s.msr, s.nip, s.ctr, s.gpr[4], s.dec_expiry) = (Msr(Msr::SF), CODE, times, DATA, i64::MAX as u64);
    (vcpu, memory)
}

#[test]
fn a_breakpoint_stops_each_time_and_changes_nothing() {
    for kind in accelerators() {
        let (mut vcpu, _) = looping(kind, 5);
        vcpu.set_breakpoints(&[CODE + 12, CODE + 20]);
        for n in 1..=5 {
            assert_eq!(vcpu.run(Some(1000)).unwrap(), Exit::Breakpoint, "{}", kind.name());
            assert_eq!((vcpu.state().nip, vcpu.state().gpr[3], vcpu.instructions()), (CODE + 12, n, 5 * n - 2));
        }
        assert_eq!(vcpu.run(Some(1000)).unwrap(), Exit::Breakpoint);
        assert_eq!((vcpu.state().nip, vcpu.instructions()), (CODE + 20, 25));
        vcpu.set_breakpoints(&[]);
        assert_eq!(vcpu.run(Some(10)).unwrap(), Exit::Budget);
    }
}

#[test]
fn the_start_of_a_tight_loop_stops_each_time() {
    for kind in accelerators() {
        let (mut vcpu, memory) = looping(kind, 1000);
        // addi r20,r20,1; addi r20,r20,1; bdnz; with registers that have no fixed place in the host
        [0x3a94_0001, 0x3a94_0001, 0x4200_fff8]
            .iter()
            .enumerate()
            .for_each(|(k, w)| memory.write_u32(Ra(CODE + 4 * k as u64), *w).unwrap());
        assert_eq!(vcpu.run(Some(300)).unwrap(), Exit::Budget);
        vcpu.set_breakpoints(&[CODE]);
        for n in 101..200 {
            assert_eq!(vcpu.run(Some(1000)).unwrap(), Exit::Breakpoint, "{}", kind.name());
            assert_eq!((vcpu.state().nip, vcpu.state().gpr[20]), (CODE, 2 * n));
        }
    }
}

#[test]
fn a_breakpoint_is_seen_where_a_budget_or_a_step_ended() {
    for kind in accelerators() {
        let (mut vcpu, _) = looping(kind, 5);
        vcpu.set_breakpoints(&[CODE + 8]);
        assert_eq!(vcpu.run(Some(2)).unwrap(), Exit::Budget);
        assert_eq!(vcpu.run(Some(1)).unwrap(), Exit::Breakpoint, "{}", kind.name());
        assert_eq!(vcpu.instructions(), 2);
    }
}

#[test]
fn code_without_breakpoints_stays_in_translated_code() {
    for kind in accelerators() {
        let (mut vcpu, _) = looping(kind, 1_000_000);
        // At the same place of another page.
        vcpu.set_breakpoints(&[DATA + 12]);
        assert_eq!(vcpu.run(Some(1_000_000)).unwrap(), Exit::Budget);
        let entries = vcpu.counts().iter().find(|(name, _)| name == "entries into translated code").map_or(0, |(_, n)| *n);
        assert!(entries < 200, "{entries} entries on {}", kind.name());
    }
}

#[test]
fn a_watchpoint_stops_before_the_access() {
    let watched = [(Watched::Stores, Access::Store, CODE + 4, 22), (Watched::Loads, Access::Load, CODE + 8, 23)];
    for (kind, (of, access, nip, before)) in accelerators().flat_map(|kind| watched.map(|w| (kind, w))) {
        let (mut vcpu, memory) = looping(kind, 0x1000);
        // The page is known by now.
        assert_eq!(vcpu.run(Some(2)).unwrap(), Exit::Budget);
        vcpu.set_watches(&[Watch { at: Ea(DATA + 18), len: 1, of }]);
        let hit = Exit::Watchpoint { at: Ea(DATA + 16), bytes: 4, access };
        assert_eq!(vcpu.run(Some(100_000)).unwrap(), hit, "{}", kind.name());
        assert_eq!((vcpu.state().nip, vcpu.instructions()), (nip, before - 1));
        assert_eq!(memory.read_u32(Ra(DATA + 16)).unwrap(), if access == Access::Store { 0 } else { 5 });
        // It is made when the vCPU runs on, and nothing stops any more.
        assert_eq!(vcpu.run(Some(0x1000 * 5 - (before - 1))).unwrap(), Exit::Budget);
        assert_eq!((vcpu.state().gpr[3], vcpu.state().ctr), (0x1000, 0));
        assert_eq!(memory.read_u32(Ra(DATA + 0x3ffc)).unwrap(), 0x1000);
    }
}

#[test]
fn a_guest_is_stopped_by_what_it_touches() {
    for accel in accelerators() {
        let mut g = Guest::on(accel, &settings("be", "power9", "2")).boots();
        let info = g.ask("info");
        let at = info.split("scratch addr=0x").nth(1).unwrap().split_whitespace().next().unwrap();
        let at = u64::from_str_radix(at, 16).unwrap();
        g.vm.pause();
        g.vm.set_watchpoints(&[Watch { at: Ea(at), len: 1, of: Watched::Stores }]).unwrap();
        g.vm.resume().unwrap();
        g.vm.input(0, format!("poke {at:#x} 0x12000000 4\n").as_bytes());
        assert_eq!(g.vm.wait(Some(PATIENCE)), Status::Paused);
        assert_eq!(g.vm.status().1, StopReason::Watchpoint { cpu: 0, at: Ea(at), bytes: 1, access: Access::Store }, "{}", accel.name());
        assert_eq!(g.vm.memory().read_u32(Ra(at)).unwrap(), 0);
        let nip = g.vm.cpu_state(CpuIndex(0)).unwrap().nip;
        // An interrupt may come first.
        let steps = (0..100_000).take_while(|_| {
            g.vm.step(CpuIndex(0)).unwrap();
            g.vm.cpu_state(CpuIndex(0)).unwrap().nip != nip + 4
        });
        assert!(steps.count() < 100_000);
        assert_eq!(g.vm.memory().read_u32(Ra(at)).unwrap(), 0x1200_0000);
        g.vm.resume().unwrap();
        g.expect("ok\n> ");
    }
}
