//! Runs that can be repeated: the same seed and the same input give the same run to the last instruction, on every accelerator.

use crate::embedded::PATIENCE;
use crate::embedded::accelerators;
use crate::embedded::settings;
use spapr::accel::AccelKind;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::vm::Options;
use spapr::vm::Status;
use spapr::vm::StopReason;
use spapr::vm::Vm;
use std::time::Duration;

/// What the threads of the guest do to each other, and what takes time and chance.
const COMMANDS: [&str; 9] = ["ids", "ipi 0", "tb", "tick", "hcall 0x300", "rtas get-time-of-day/8", "wait 300", "count 1000000", "verify"];

fn machine(accel: AccelKind, seed: u64, settings: &Settings) -> Vm {
    Vm::new(check(settings).unwrap(), Options { accel, icount: Some(seed), ..Options::default() }).unwrap()
}

fn said(vm: &Vm) -> String {
    String::from_utf8_lossy(&vm.consoles()[0].output(0, 1 << 20)).into_owned()
}

/// Runs until the guest has said `prompts` prompts, and stands at the instruction that completed the last.
fn until_prompt(vm: &Vm, prompts: usize) {
    while said(vm).matches("\n> ").count() < prompts {
        vm.resume_until_output(None).unwrap();
        assert_eq!(vm.wait(Some(PATIENCE)), Status::Paused, "{}", said(vm));
        assert_eq!(vm.status().1, StopReason::Output);
    }
}

#[derive(PartialEq, Eq, Debug)]
struct Run {
    said: String,
    instructions: Vec<u64>,
    time: Duration,
    digest: [u8; 32],
    run: [u8; 32],
}

/// Instructions of a session's end, at once and in pieces between which the machine is looked at.
const WHOLE: &[u64] = &[100_000];
/// See [`WHOLE`].
const PIECES: &[u64] = &[1, 77, 29_922, 70_000];

/// A whole session, typed while the guest stands.
fn session(accel: AccelKind, seed: u64, settings: &Settings, end: &[u64]) -> Run {
    let vm = machine(accel, seed, settings);
    for (n, command) in COMMANDS.iter().enumerate() {
        until_prompt(&vm, n + 1);
        vm.input(0, format!("{command}\n").as_bytes());
    }
    until_prompt(&vm, COMMANDS.len() + 1);
    assert_eq!(said(&vm).matches("\nok\n").count(), COMMANDS.len(), "{}", said(&vm));
    vm.input(0, b"loop\n");
    for portion in end {
        vm.resume_for(*portion).unwrap();
        assert_eq!(vm.wait(Some(PATIENCE)), Status::Paused);
        let _ = vm.digest().unwrap();
    }
    Run {
        said: said(&vm),
        instructions: vm.instructions().unwrap(),
        time: vm.with_machine(|m| m.clock.now()),
        digest: vm.digest().unwrap(),
        run: vm.run_digest().unwrap(),
    }
}

#[test]
fn a_session_repeats_to_the_last_instruction_on_every_accelerator() {
    for (order, smp) in [("be", "1"), ("le", "4"), ("be", "8,cores=2,threads=4")] {
        let s = settings(order, "power9", smp);
        let first = session(AccelKind::Interp, 7, &s, WHOLE);
        for accel in accelerators() {
            let again = session(accel, 7, &s, PIECES);
            assert_eq!(again, first, "{order} {smp} on {}", accel.name());
        }
        assert_ne!(session(AccelKind::software(), 8, &s, WHOLE).digest, first.digest, "the seed is in what the guest was given");
    }
}

#[test]
fn forks_of_a_repeatable_machine_are_alike() {
    let vm = machine(AccelKind::software(), 1, &settings("le", "power9", "4"));
    until_prompt(&vm, 1);
    let snapshot = vm.snapshot().unwrap();
    let ends = accelerators().map(|accel| {
        let fork = snapshot.fork(Some(accel)).unwrap();
        fork.input(0, b"ipi 1\n");
        until_prompt(&fork, 1);
        (said(&fork), fork.digest().unwrap(), fork.run_digest().unwrap())
    });
    let ends: Vec<_> = ends.collect();
    assert!(ends.iter().all(|end| *end == ends[0]));
}

#[test]
fn a_machine_in_the_hosts_time_says_that_it_does_not_repeat() {
    let vm = Vm::new(check(&settings("be", "power9", "1")).unwrap(), Options::default()).unwrap();
    let refused = vm.run_digest().unwrap_err().to_string();
    assert!(refused.contains("icount=True"), "{refused}");
    assert!(vm.resume_until_output(None).is_err());
}

#[test]
fn an_idle_guest_is_paused_and_closed_like_any_other() {
    let vm = machine(AccelKind::software(), 0, &settings("be", "power9", "2"));
    until_prompt(&vm, 1);
    vm.resume().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    vm.pause();
    assert_eq!(vm.status(), (Status::Paused, StopReason::User));
    vm.input(0, b"off\n");
    vm.resume().unwrap();
    assert_eq!(vm.wait(Some(PATIENCE)), Status::Shutdown);
    vm.close();
}
