//! Machines saved, made again and forked: the same digest, and a guest that goes on.

use crate::embedded::Guest;
use crate::embedded::PATIENCE;
use crate::embedded::accelerators;
use crate::embedded::settings;
use spapr::isa::regs::Msr;
use spapr::mmu::hpt::Hpte;
use spapr::spapr::hcall;
use spapr::spapr::hcall::Caller;
use spapr::spapr::hcall::H;
use spapr::spapr::machine::NmiHandlers;
use spapr::spapr::spec::Settings;
use spapr::state::Value;
use spapr::state::bulk::Compression;
use spapr::units::CpuIndex;
use spapr::units::Ra;
use spapr::vm::Status;
use spapr::vm::StopReason;
use spapr::vm::Vm;

fn with_ic(ic: &str, cpu: &str, smp: &str) -> Settings {
    Settings { ic_mode: Some(ic.into()), ..settings("le", cpu, smp) }
}

/// The machines that the tests below go through: each interrupt controller, old and new processors, threads.
fn machines() -> Vec<Settings> {
    vec![
        settings("be", "power7", "1"),
        with_ic("xics", "power8", "4,cores=2,threads=2"),
        with_ic("xics", "power9", "2"),
        with_ic("xive", "power9", "4,cores=2,threads=2"),
        with_ic("dual", "power10", "2"),
        Settings { machine: "pseries-2.12".into(), ..settings("be", "power8", "4") },
        Settings {
            maxmem: Some(1 << 30),
            smp: spapr::spapr::smp::SmpSettings::parse("2,maxcpus=8").unwrap(),
            ..settings("be", "power9", "2")
        },
    ]
}

#[test]
fn a_machine_made_from_its_stream_has_the_same_digest_and_goes_on() {
    for (n, s) in machines().iter().enumerate() {
        let mut g = Guest::booted(s);
        g.vm.input(0, b"dirty start 2000 4\n");
        g.expect("\n> ");
        g.vm.pause();
        let time = g.vm.timebase(CpuIndex(0)).unwrap();
        let compression = if n % 2 == 0 { Compression::None } else { Compression::Lz4 };
        let bytes = g.stream(compression);
        let mut copy = Guest::from_stream(&bytes).unwrap_or_else(|e| panic!("machine {n}: {e}"));
        assert_eq!(copy.vm.digest().unwrap(), g.vm.digest().unwrap(), "machine {n}");
        assert_eq!(copy.vm.status(), (Status::Paused, StopReason::User));
        assert_eq!(copy.vm.timebase(CpuIndex(0)).unwrap(), time);
        assert_eq!(copy.stream(compression), bytes, "machine {n}: saved again it is the same stream");
        for guest in [&mut g, &mut copy] {
            guest.vm.resume().unwrap();
            for command in ["ids", "tick", "tb", "count 1000", "dirty"] {
                assert!(guest.ask(command).contains("ok"), "machine {n}, {command}");
            }
            assert!(guest.ask("dirty").contains("running=1"));
        }
        assert!(copy.vm.consoles()[0].output_len() < g.vm.consoles()[0].output_len(), "the copy's console is its own");
        copy.vm.input(0, b"off\n");
        assert_eq!(copy.vm.wait(Some(PATIENCE)), Status::Shutdown);
    }
}

#[test]
fn a_machine_goes_from_one_accelerator_to_another() {
    for s in [with_ic("xics", "power8", "2"), with_ic("xive", "power9", "4,cores=2,threads=2")] {
        let mut g = Guest::booted(&s);
        g.vm.input(0, b"dirty start 2000 4\n");
        g.expect("\n> ");
        for turn in 0..3 {
            for accel in accelerators() {
                g.vm.pause();
                let bytes = g.stream(Compression::Lz4);
                let copy = Guest::of(Vm::load_stream(&bytes[..], accel).unwrap());
                assert_eq!(copy.vm.digest().unwrap(), g.vm.digest().unwrap());
                // The same through memory.
                let mut fork = Guest::of(g.vm.snapshot().unwrap().fork(Some(accel)).unwrap());
                assert_eq!(copy.vm.digest().unwrap(), fork.vm.digest().unwrap());
                fork.vm.resume().unwrap();
                assert!(fork.ask("tick").contains("ok"));
                g = copy;
                g.vm.resume().unwrap();
                assert!(g.ask(&format!("count {turn}")).contains("ok"));
                assert!(g.ask("verify").contains("bad=0"));
            }
        }
    }
}

#[test]
fn a_machine_that_never_ran_or_has_ended_is_saved_as_that() {
    let fresh = Guest::new(&settings("be", "power9", "2"));
    let mut copy = Guest::from_stream(&fresh.stream(Compression::Lz4)).unwrap();
    assert_eq!(copy.vm.status().0, Status::Prelaunch);
    copy.vm.resume().unwrap();
    copy.expect("> ");
    copy.vm.input(0, b"panic\n");
    assert_eq!(copy.vm.wait(Some(PATIENCE)), Status::GuestPanicked);
    let ended = Guest::from_stream(&copy.stream(Compression::None)).unwrap();
    assert_eq!(ended.vm.status(), copy.vm.status());
    assert!(ended.vm.resume().is_err());
    ended.vm.reset().unwrap();
    let mut again = ended;
    again.vm.resume().unwrap();
    again.expect("> ");
}

#[test]
fn a_running_machine_is_not_saved() {
    let g = Guest::booted(&settings("be", "power9", "1"));
    assert!(g.vm.save().unwrap_err().to_string().contains("the machine is running; pause() it first"));
    assert!(g.vm.digest().is_err());
}

#[test]
fn every_instruction_of_a_boot_is_a_place_to_stop() {
    // In the middle of firmware's calls, of device accesses and of other vCPUs' starts.
    for s in [with_ic("xive", "power9", "2"), with_ic("xics", "power8", "2")] {
        let mut g = Guest::new(&s);
        for step in [1u64, 50, 333, 777, 1501, 2003, 4999, 7001].into_iter().cycle().take(40) {
            g.vm.resume_for(step).unwrap();
            g.vm.wait(Some(PATIENCE));
            let bytes = g.stream(Compression::Lz4);
            let copy = Guest::from_stream(&bytes).unwrap();
            assert_eq!(copy.vm.digest().unwrap(), g.vm.digest().unwrap());
            g = copy;
        }
        g.vm.resume().unwrap();
        g.ask("ids");
        assert!(g.ask("tick").contains("ok"));
    }
}

#[test]
fn forks_go_their_own_ways() {
    let mut g = Guest::booted(&settings("le", "power9", "2"));
    let snapshot = g.vm.snapshot().unwrap();
    assert_eq!(g.vm.status().0, Status::Running, "a snapshot does not stop the machine");
    assert!(g.ask("ids").contains("ok"));
    let mut forks: Vec<Guest> = (0..3).map(|_| Guest::of(snapshot.fork(None).unwrap())).collect();
    let digests: Vec<_> = forks.iter().map(|f| f.vm.digest().unwrap()).collect();
    assert!(digests.iter().all(|d| *d == digests[0]));
    g.vm.pause();
    assert_ne!(g.vm.digest().unwrap(), digests[0]);
    for (n, f) in forks.iter_mut().enumerate() {
        assert_eq!(f.vm.consoles()[0].output_len(), 0);
        f.vm.memory().write(Ra(0x300_0000), &[n as u8; 100]).unwrap();
        f.vm.resume().unwrap();
        assert!(f.ask(&format!("count {}", n + 1)).contains(&format!("count {}", n + 1)));
    }
    // A fork of a fork; parents and snapshots go first.
    let second = forks[1].vm.snapshot().unwrap();
    let mut byte = [0];
    g.vm.memory().read(Ra(0x300_0000), &mut byte).unwrap();
    assert_eq!(byte, [0]);
    drop((g, forks, snapshot));
    let mut grandchild = Guest::of(second.fork(None).unwrap());
    drop(second);
    grandchild.vm.memory().read(Ra(0x300_0000), &mut byte).unwrap();
    assert_eq!(byte, [1]);
    grandchild.vm.resume().unwrap();
    assert!(grandchild.ask("ids").contains("ok"));
    grandchild.vm.reset().unwrap();
    grandchild.expect("> ");
}

#[test]
fn a_snapshot_of_a_snapshots_fork_is_the_same_machine() {
    let g = Guest::booted(&settings("be", "power8", "2"));
    let mut digest = None;
    let mut vm = g.vm.clone();
    vm.pause();
    for _ in 0..20 {
        let snapshot = vm.snapshot().unwrap();
        vm = snapshot.fork(None).unwrap();
        let now = vm.digest().unwrap();
        assert_eq!(*digest.get_or_insert(now), now);
    }
}

#[test]
fn typed_input_is_not_lost() {
    let mut g = Guest::booted(&settings("be", "power9", "1"));
    g.vm.pause();
    let commands = "count 5\n".repeat(100);
    g.vm.input(0, commands.as_bytes());
    let mut copy = Guest::from_stream(&g.stream(Compression::None)).unwrap();
    for guest in [&mut g, &mut copy] {
        guest.vm.resume().unwrap();
        for _ in 0..100 {
            assert!(guest.expect("\n> ").contains("count 5"));
        }
    }
}

fn field<'a>(value: &'a Value, name: &str) -> &'a Value {
    let Value::Map(fields) = value else { panic!("{value:?} has no fields") };
    &fields.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("no {name} in {value:?}")).1
}

#[test]
fn state_is_shown_by_name() {
    let g = Guest::booted(&with_ic("xive", "power9", "2"));
    g.vm.pause();
    let state = g.vm.state().unwrap();
    let section = |name: &str| {
        let (name, instance) = name.split_once(' ').map_or((name, 0), |(n, i)| (n, i.parse().unwrap()));
        &state.iter().find(|s| s.name == name && s.instance == instance).unwrap_or_else(|| panic!("no section {name}")).value
    };
    assert_eq!(field(section("header"), "cpu"), &Value::Text("power9_v2.2".into()));
    assert_eq!(field(field(section("cpu 1"), "spr"), "PIR"), &Value::Int(1));
    let ids = |v: &Value| matches!(v, Value::List(l) if l.len() == 2);
    assert!(ids(field(section("xive"), "contexts")));
    assert!(ids(field(section("platform"), "vcpus")));
}

/// A hypercall of vCPU 0, as a guest would make it.
fn hcall(g: &Guest, number: u64, args: &[u64]) {
    let mut all = [0; 9];
    all[..args.len()].copy_from_slice(args);
    let caller = Caller { cpu: CpuIndex(0), msr: Msr(Msr::SF | Msr::ME) };
    let outcome = g.vm.with_machine(|m| hcall::dispatch(m, caller, number, all));
    assert_eq!(outcome, H::Success.into(), "hypercall {number:#x}");
}

#[test]
fn everything_that_a_guest_registers_is_saved() {
    // A hash guest in the middle of a resize, with areas, events, timers and a clock of its own.
    let g = Guest::booted(&with_ic("xics", "power8", "2"));
    g.vm.pause();
    let vpa = 0x400_0000;
    g.vm.memory().write_u16(Ra(vpa + 4), 640).unwrap();
    g.vm.memory().write_u32(Ra(vpa + 0x1004), 256).unwrap();
    hcall(&g, 0xdc, &[1 << 45, 0, vpa]);
    hcall(&g, 0xdc, &[3 << 45, 0, vpa + 0x1000]);
    hcall(&g, 0x36c, &[0, 19]);
    hcall(&g, 0x45c, &[0x101, 1, 60_000]);
    g.vm.powerdown();
    g.vm.with_machine(|m| {
        m.rtc.offset_ns = -5_000_000_000_000_000_000_000;
        m.nvram.store(100, b"kept").unwrap();
        m.prepared_hpt.as_ref().unwrap().table.as_ref().unwrap().lock(0x1234).set(5, Hpte { v: 0x77 | Hpte::VALID, r: 0x9000 });
        m.partition.set_process_table(0x1234_0005);
        m.nmi = Some(NmiHandlers { system_reset: Ra(0x100), machine_check: Ra(0x200) });
    });
    let copy = Guest::from_stream(&g.stream(Compression::None)).unwrap();
    assert_eq!(copy.vm.digest().unwrap(), g.vm.digest().unwrap());
    let state = copy.vm.state().unwrap();
    let platform = &state.iter().find(|s| s.name == "platform").unwrap().value;
    assert_eq!(field(field(platform, "prepared_hpt"), "shift"), &Value::Int(19));
    assert_eq!(field(platform, "rtc_offset_ns"), &Value::Int(-5_000_000_000_000_000_000_000));
    let Value::List(events) = field(platform, "events") else { panic!("{platform:?}") };
    assert_eq!(events.len(), 1);
    copy.vm.with_machine(|m| {
        assert_eq!(m.vcpus[0].vpa, Some(Ra(vpa)));
        assert_eq!(m.vcpus[0].slb_shadow.unwrap().bytes, 256);
        assert!(m.next_deadline().is_some());
        assert_eq!(m.nvram.fetch(100, 4), Ok(&b"kept"[..]));
        assert_eq!(m.prepared_hpt.as_ref().unwrap().table.as_ref().unwrap().get(0x1235).r, 0x9000);
        assert_eq!(m.partition.process_table(), 0x1234_0005);
        assert_eq!(m.nmi.unwrap().machine_check, Ra(0x200));
    });
    // The same through a fork, which has its own copy of the table that is prepared.
    let fork = g.vm.snapshot().unwrap().fork(None).unwrap();
    assert_eq!(fork.digest().unwrap(), g.vm.digest().unwrap());
    hcall(&g, 0x370, &[0, 19]);
    assert_ne!(fork.digest().unwrap(), g.vm.digest().unwrap());
    hcall(&Guest::of(fork), 0x370, &[0, 19]);
}
