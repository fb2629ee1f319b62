//! A machine with the embedded guest, and how a test talks to it.

use spapr::accel::AccelKind;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::vm::Options;
use spapr::vm::Vm;
use std::time::Duration;
use std::time::Instant;

/// Longest wait for anything; a guest answers in milliseconds, a busy host may not.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A machine with the embedded guest and how far its console was read.
pub struct Guest {
    pub vm: Vm,
    pub seen: u64,
}

/// The accelerators that this host has.
pub fn accelerators() -> impl Iterator<Item = AccelKind> {
    AccelKind::ALL.into_iter().filter(|kind| kind.refusal().is_none())
}

/// Settings of a machine with the guest in byte order `order`, `be` or `le`.
pub fn settings(order: &str, cpu: &str, smp: &str) -> Settings {
    let caps = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")];
    Settings {
        cpu: Some(cpu.into()),
        smp: SmpSettings::parse(smp).unwrap(),
        memory: 256 << 20,
        kernel: Some(format!("python/spapr/guests/embedded-{order}.elf").into()),
        caps: caps.map(|(n, v)| (n.into(), v.into())).to_vec(),
        ..Settings::default()
    }
}

impl Guest {
    pub fn new(settings: &Settings) -> Guest {
        Guest::on(Options::default().accel, settings)
    }

    pub fn on(accel: AccelKind, settings: &Settings) -> Guest {
        Guest::of(Vm::new(check(settings).unwrap(), Options { accel, ..Options::default() }).unwrap())
    }

    /// Of a machine whose console was not read yet.
    pub fn of(vm: Vm) -> Guest {
        Guest { vm, seen: 0 }
    }

    pub fn booted(settings: &Settings) -> Guest {
        Guest::new(settings).boots()
    }

    pub fn boots(mut self) -> Guest {
        self.vm.resume().unwrap();
        self.expect("> ");
        self
    }

    /// Waits for `text` on the console; gives everything up to and with it.
    pub fn expect(&mut self, text: &str) -> String {
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
    pub fn ask(&mut self, command: &str) -> String {
        self.vm.input(0, format!("{command}\n").as_bytes());
        self.expect("\n> ")
    }
}
