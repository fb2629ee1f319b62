//! Whole machines, from Rust: the embedded guest is booted, talked to, stopped, looked at and made to misbehave.

use crate::embedded::Guest;
use crate::embedded::PATIENCE;
use crate::embedded::accelerators;
use crate::embedded::settings;
use spapr::spapr::spec::Settings;
use spapr::units::CpuIndex;
use spapr::vm::Halt;
use spapr::vm::Status;
use spapr::vm::StopReason;
use std::time::Duration;
use std::time::Instant;

impl Guest {
    fn ends_as(&self, status: Status) -> StopReason {
        assert_eq!(self.vm.wait(Some(PATIENCE)), status);
        self.vm.status().1
    }
}

#[test]
fn the_guest_boots_in_both_byte_orders_on_every_family() {
    for accel in accelerators() {
        for (order, cpu) in ["be", "le"].into_iter().flat_map(|order| ["power7", "power8", "power9", "power10"].map(|cpu| (order, cpu))) {
            let mut g = Guest::on(accel, &settings(order, cpu, "1")).boots();
            assert!(g.ask("ids").contains("ok"), "{} {order} {cpu}", accel.name());
            g.vm.input(0, b"off\n");
            g.ends_as(Status::Shutdown);
        }
    }
}

#[test]
fn the_guest_reports_the_vcpu_ids_of_the_spec() {
    for (vsmt, smp) in [(8, "8,cores=2,threads=4"), (4, "8,cores=2,threads=4"), (8, "4"), (2, "4,cores=2,threads=2")] {
        let s = Settings { vsmt: Some(vsmt), ..settings("be", "power9", smp) };
        let mut g = Guest::new(&s);
        g.vm.resume().unwrap();
        let boot = g.expect("> ");
        let servers: Vec<u32> = boot
            .lines()
            .filter_map(|l| l.strip_prefix("cpu reg=")?.split_once("servers="))
            .flat_map(|(_, list)| list.split(',').map(|n| n.trim().parse().unwrap()).collect::<Vec<u32>>())
            .collect();
        let ids: Vec<u32> = g.vm.spec().vsmt.vcpu_ids().map(|id| id.0).collect();
        assert_eq!(servers, ids[..servers.len()], "{boot}");
        assert!(boot.contains(&format!("threads up={}", servers.len())), "{boot}");
    }
}

#[test]
fn interrupts_of_each_kind_arrive() {
    for ic in ["xics", "xive"] {
        let s = Settings { ic_mode: Some(ic.into()), vsmt: Some(8), ..settings("le", "power9", "4,cores=2,threads=2") };
        let mut g = Guest::booted(&s);
        assert!(g.ask("ipi 9").contains("ok"), "{ic}");
        g.vm.nmi();
        let tick = g.ask("tick");
        assert!(tick.contains("sreset=1"), "{ic}: {tick}");
    }
}

#[test]
fn a_paused_machine_can_be_read_and_its_time_stands_still() {
    let g = Guest::booted(&settings("be", "power9", "2"));
    assert!(g.vm.cpu_state(CpuIndex(0)).is_err(), "a running machine's registers are moving");
    g.vm.pause();
    assert_eq!(g.vm.status(), (Status::Paused, StopReason::User));
    let before = g.vm.timebase(CpuIndex(0)).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(g.vm.timebase(CpuIndex(0)).unwrap(), before);
    assert_ne!(g.vm.cpu_state(CpuIndex(0)).unwrap().nip, 0);
    let mut g = g;
    g.vm.resume().unwrap();
    assert!(g.ask("tb").contains("ok"));
}

#[test]
fn a_budget_is_kept_to_the_instruction() {
    let g = Guest::new(&settings("be", "power8", "1"));
    for (n, total) in [(1u64, 1u64), (999, 1000), (12_345, 13_345)] {
        g.vm.resume_for(n).unwrap();
        assert_eq!(g.ends_as(Status::Paused), StopReason::Budget);
        assert_eq!(g.vm.instructions().unwrap()[0], total);
    }
}

#[test]
fn a_budget_is_shared_and_used_up_by_several_vcpus() {
    let mut g = Guest::booted(&settings("be", "power9", "4"));
    g.vm.input(0, b"loop\n");
    g.expect("looping");
    g.vm.pause();
    // The other vCPUs sleep, and wake for a few instructions at each tick of their decrementers.
    for n in [1u64, 17, 1000, 9999, 25_000].into_iter().cycle().take(200) {
        let before: u64 = g.vm.instructions().unwrap().iter().sum();
        g.vm.resume_for(n).unwrap();
        assert_eq!(g.ends_as(Status::Paused), StopReason::Budget);
        assert_eq!(g.vm.instructions().unwrap().iter().sum::<u64>() - before, n);
    }
}

#[test]
fn stepping_and_breakpoints_stop_where_they_should() {
    let g = Guest::new(&settings("be", "power9", "1"));
    let entry = g.vm.cpu_state(CpuIndex(0)).unwrap().nip;
    g.vm.step(CpuIndex(0)).unwrap();
    let second = g.vm.cpu_state(CpuIndex(0)).unwrap().nip;
    assert_ne!(second, entry);
    g.vm.step(CpuIndex(0)).unwrap();
    let third = g.vm.cpu_state(CpuIndex(0)).unwrap().nip;
    g.vm.reset().unwrap();
    assert_eq!(g.vm.cpu_state(CpuIndex(0)).unwrap().nip, entry);
    g.vm.set_breakpoints(&[third]).unwrap();
    g.vm.resume().unwrap();
    assert_eq!(g.ends_as(Status::Paused), StopReason::Breakpoint(0));
    assert_eq!(g.vm.cpu_state(CpuIndex(0)).unwrap().nip, third);
}

#[test]
fn guests_end_themselves_and_never_the_monitor() {
    let s = settings("be", "power9", "2");
    let mut g = Guest::booted(&s);
    g.vm.input(0, b"panic\n");
    assert!(matches!(g.ends_as(Status::GuestPanicked), StopReason::Guest(_)));
    assert!(g.vm.resume().is_err(), "an ended machine does not run on");
    g.vm.reset().unwrap();
    g.vm.resume().unwrap();
    g.expect("> ");
    g.vm.input(0, b"reboot\n");
    g.expect("spapr-guest");
    g.expect("> ");
    g.vm.input(0, b"loop\n");
    std::thread::sleep(Duration::from_millis(50));
    g.vm.pause();
    assert_eq!(g.vm.halt(CpuIndex(0)).unwrap(), Halt::No);
    g.vm.reset().unwrap();
    g.vm.resume().unwrap();
    g.expect("> ");
    g.vm.input(0, b"stopall\n");
    assert!(matches!(g.ends_as(Status::GuestPanicked), StopReason::Guest(text) if text.contains("stop-self")));
}

#[test]
fn unknown_and_hostile_hypercalls_are_answered() {
    let mut g = Guest::booted(&settings("le", "power10", "1"));
    for (call, status) in [
        ("hcall 0x7f0", "r3=0xfffffffffffffffe"),
        ("hcall 0xf001 0x4000000 0x4000000 0 0x80000000 0", "r3="),
        ("hcall 0xf000 0xfffffffffffffff0", "r3="),
        ("hcall 0xdc 0x200000000000 0 0xffffffffffffff80", "r3=0xfffffffffffffffc"),
    ] {
        let begin = Instant::now();
        let answer = g.ask(call);
        assert!(answer.contains(status), "{call}: {answer}");
        assert!(begin.elapsed() < PATIENCE);
    }
}

#[test]
fn several_machines_run_in_one_process() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let mut g = Guest::booted(&settings("be", "power9", "2"));
                assert!(g.ask("count 1000").contains("ok"));
                g.vm.close();
                assert!(g.vm.resume().is_err());
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
}
