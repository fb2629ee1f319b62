//! Whole machines that move: the embedded guest, under load, from machine to machine.

use crate::embedded;
use crate::embedded::Guest;
use crate::embedded::PATIENCE;
use spapr::error::Error;
use spapr::error::MigrationEnd;
use spapr::migrate::Handle;
use spapr::migrate::Options as MigrateOptions;
use spapr::migrate::Status as MigrateStatus;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::units::CpuIndex;
use spapr::vm::Options;
use spapr::vm::Status;
use spapr::vm::Vm;
use std::time::Duration;
use std::time::Instant;

fn settings(ic_mode: &str, cpu: &str, smp: &str) -> Settings {
    Settings { ic_mode: Some(ic_mode.into()), ..embedded::settings("be", cpu, smp) }
}

fn incoming(s: &Settings) -> Vm {
    Vm::incoming(check(s).unwrap(), Options::default()).unwrap()
}

/// The guest, wherever it is: each machine that it comes to has a console of its own.
impl Guest {
    /// Moves it to a machine of `s`; the one that it left.
    fn moves(&mut self, s: &Settings, connections: u8, options: &MigrateOptions) -> Vm {
        let to = incoming(s);
        let (sent, received) = self.vm.migrate_to(&to, connections, options, &Handle::new(Some(PATIENCE)));
        assert_eq!(sent.unwrap().status, MigrateStatus::Completed);
        received.unwrap();
        self.seen = 0;
        std::mem::replace(&mut self.vm, to)
    }
}

#[test]
fn a_guest_under_load_moves_again_and_again() {
    for (ic, cpu, smp) in [("xics", "power8", "4,threads=2"), ("xive", "power9", "4"), ("dual", "power10", "2,threads=2")] {
        let s = settings(ic, cpu, smp);
        let mut g = Guest::booted(&s);
        let threads = s.smp.cpus.unwrap_or(1);
        g.ask("dirty start 2000 16");
        let mut writes = 0;
        for n in 0..8 {
            let options = MigrateOptions { downtime: Duration::from_millis(100), ..MigrateOptions::default() };
            let old = g.moves(&s, 1 + n % 3, &options);
            assert_eq!((old.status().0, g.vm.status().0), (Status::PostMigrate, Status::Running));
            assert!(old.resume().unwrap_err().to_string().contains("runs on the destination"));
            let text = g.ask("dirty");
            let now: u64 = text.split("since-start=").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
            assert!(now >= writes && text.contains("running=1"), "{text}");
            writes = now;
            // Every thread takes interrupts.
            let ids = g.ask("ids");
            assert_eq!(ids.matches("state=running").count() as u32, threads, "{ids}");
        }
        assert!(writes > 0);
        let verified = g.ask("verify");
        assert!(verified.contains("bad=0") && verified.contains("ok"), "{verified}");
        g.vm.close();
    }
}

#[test]
fn a_paused_guest_is_the_same_there_and_stays_paused() {
    let s = settings("dual", "power9", "2");
    let mut g = Guest::booted(&s);
    g.ask("dirty start 1000 16");
    g.vm.pause();
    let (before, tb) = (g.vm.digest().unwrap(), g.vm.timebase(CpuIndex(0)).unwrap());
    let old = g.moves(&s, 2, &MigrateOptions::default());
    assert_eq!(g.vm.status().0, Status::Paused);
    assert_eq!((g.vm.digest().unwrap(), g.vm.timebase(CpuIndex(0)).unwrap()), (before, tb));
    assert_eq!(old.status().0, Status::PostMigrate);
    g.vm.resume().unwrap();
    g.ask("ids");
    // The one that it left can begin a new life.
    old.reset().unwrap();
    old.resume().unwrap();
    let mut again = Guest { vm: old, seen: 0 };
    again.expect("> ");
}

#[test]
fn time_goes_on_and_the_time_of_the_move_has_passed() {
    let s = settings("dual", "power9", "1");
    let mut g = Guest::booted(&s);
    g.vm.pause();
    let before = g.vm.timebase(CpuIndex(0)).unwrap();
    g.vm.resume().unwrap();
    let began = Instant::now();
    g.moves(&s, 1, &MigrateOptions::default());
    g.vm.pause();
    let passed = g.vm.timebase(CpuIndex(0)).unwrap() - before;
    // Not less than the time outside, less what resuming takes; the guest's clock is the host's while it runs, and catches up the rest.
    assert!(passed <= spapr::clock::ticks(began.elapsed() + Duration::from_secs(1)), "{passed}");
    assert!(passed > 0);
}

#[test]
fn another_machine_is_refused_with_reasons_and_the_guest_stays() {
    let s = settings("dual", "power9", "4,threads=4");
    let mut g = Guest::booted(&s);
    for (other, code) in [
        (Settings { vsmt: Some(8), ..settings("dual", "power9", "4,threads=4") }, "vsmt-differs"),
        (settings("xive", "power9", "4,threads=4"), "ic-mode-differs"),
        (settings("dual", "power9", "2,threads=2"), "cpus-differ"),
        (Settings { memory: 512 << 20, ..settings("dual", "power9", "4,threads=4") }, "memory-differs"),
    ] {
        let to = incoming(&other);
        let (sent, received) = g.vm.migrate_to(&to, 1, &MigrateOptions::default(), &Handle::new(None));
        for e in [sent, received] {
            let Err(Error::Migration { end: MigrationEnd::Incompatible, reasons, .. }) = e else { panic!("{code}: {e:?}") };
            assert!(reasons.iter().any(|r| r.code == code), "{code}: {reasons:?}");
        }
        assert_eq!((g.vm.status().0, to.status().0), (Status::Running, Status::InMigrate));
        assert!(to.resume().unwrap_err().to_string().contains("waits for a guest"));
    }
    g.ask("ids");
}

#[test]
fn a_guest_moves_before_its_memory() {
    let s = settings("xive", "power9", "2");
    let mut g = Guest::booted(&s);
    // Untouched pages cost nothing: with the window written, the first round is long enough for the guest to write in it again.
    g.ask("dirty 20000 1 64");
    g.ask("dirty start 20000 64");
    let options = MigrateOptions { postcopy_after: Some(0), downtime: Duration::ZERO, ..MigrateOptions::default() };
    // On a busy host the guest may have written nothing between two looks: then there is nothing to follow, and it moves once more.
    let followed = (0..50).any(|_| {
        let to = incoming(&s);
        let (sent, received) = g.vm.migrate_to(&to, 2, &options, &Handle::new(Some(PATIENCE)));
        received.unwrap();
        let old = std::mem::replace(&mut g, Guest { vm: to, seen: 0 });
        assert_eq!(old.vm.status().0, Status::PostMigrate);
        sent.unwrap().postcopy_bytes > 0
    });
    assert!(followed);
    g.ask("ids");
    assert!(g.ask("dirty").contains("running=1"));
}

#[test]
fn a_guest_that_ends_or_a_machine_that_closes_ends_the_migration() {
    let s = settings("dual", "power9", "1");
    let mut g = Guest::booted(&s);
    let (to, handle) = (incoming(&s), Handle::new(None));
    // Slow, so that there is time for it.
    let options = MigrateOptions { bandwidth: Some(1 << 20), downtime: Duration::from_millis(1), ..MigrateOptions::default() };
    g.ask("dirty start 4000 32");
    let vm = g.vm.clone();
    let (sent, received) = std::thread::scope(|t| {
        let moving = t.spawn(|| vm.migrate_to(&to, 1, &options, &handle));
        while handle.progress().transferred < 100_000 {
            std::thread::sleep(Duration::from_millis(5));
        }
        g.vm.input(0, b"off\n");
        g.vm.wait(Some(PATIENCE));
        moving.join().unwrap()
    });
    let text = sent.unwrap_err().to_string();
    assert!(text.contains("the guest has ended"), "{text}");
    assert!(received.is_err());
    assert_eq!((g.vm.status().0, to.status().0), (Status::Shutdown, Status::InMigrate));
}
