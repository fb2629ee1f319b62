//! Saved state: the format's golden files, machines saved and made again, forks, checkpoints, and streams that somebody spoiled.

mod checkpoint;
mod hostile;
mod machine;
mod schema;

use spapr::accel::AccelKind;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::state::bulk::Compression;
use spapr::vm::Options;
use spapr::vm::Vm;
use spapr::vm::checkpoint::write_stream;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

/// Longest wait for anything; a guest answers in milliseconds, a busy host may not.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine with the embedded guest and how far its console was read.
struct Guest {
    vm: Vm,
    seen: u64,
}

fn settings(order: &str, cpu: &str, smp: &str) -> Settings {
    let caps = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")];
    Settings {
        cpu: Some(cpu.into()),
        smp: SmpSettings::parse(smp).unwrap(),
        memory: 256 << 20,
        kernel: Some(PathBuf::from(format!("python/spapr/guests/embedded-{order}.elf"))),
        caps: caps.map(|(n, v)| (n.into(), v.into())).to_vec(),
        ..Settings::default()
    }
}

impl Guest {
    fn new(settings: &Settings) -> Guest {
        Guest::of(Vm::new(check(settings).unwrap(), Options::default()).unwrap())
    }

    fn of(vm: Vm) -> Guest {
        Guest { vm, seen: 0 }
    }

    fn booted(settings: &Settings) -> Guest {
        let mut g = Guest::new(settings);
        g.vm.resume().unwrap();
        g.expect("> ");
        g
    }

    /// Waits for `text` on the console; gives everything up to and with it.
    fn expect(&mut self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let new = String::from_utf8_lossy(&self.vm.consoles()[0].output(self.seen, 1 << 20)).into_owned();
            if let Some(at) = new.find(text) {
                self.seen += (at + text.len()) as u64;
                return new[..at + text.len()].to_string();
            }
            assert!(begin.elapsed() < PATIENCE, "no {text:?} in {new:?} (status {:?})", self.vm.status());
            self.vm.consoles()[0].wait_output(self.seen + new.len() as u64, Some(Duration::from_millis(50)));
        }
    }

    /// Sends a command; gives its answer.
    fn ask(&mut self, command: &str) -> String {
        self.vm.input(0, format!("{command}\n").as_bytes());
        self.expect("\n> ")
    }

    /// The state of a paused machine as a stream.
    fn stream(&self, compression: Compression) -> Vec<u8> {
        let saved = self.vm.save().unwrap();
        write_stream(Vec::new(), &saved, &self.vm.large_memory(), compression).unwrap().0
    }

    /// A machine made from a stream.
    fn from_stream(bytes: &[u8]) -> spapr::error::Result<Guest> {
        Vm::load_stream(bytes, AccelKind::software()).map(Guest::of)
    }

    /// The accelerators that this host has.
    fn accelerators() -> Vec<AccelKind> {
        AccelKind::ALL.into_iter().filter(|kind| kind.refusal().is_none()).collect()
    }
}
