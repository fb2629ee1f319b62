//! A machine without CPUs, for the tests that call its firmware.

use spapr::clock::VirtualClock;
use spapr::isa::regs::Msr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::signal::Signals;
use spapr::spapr::hcall;
use spapr::spapr::hcall::Caller;
use spapr::spapr::hcall::H;
use spapr::spapr::hcall::Outcome;
use spapr::spapr::machine::Machine;
use spapr::spapr::rtas::TABLE;
use spapr::spapr::spec;
use spapr::spapr::spec::Settings;
use spapr::units::CpuIndex;
use spapr::units::Ra;
use std::sync::Arc;

/// RAM of these machines.
pub const RAM: u64 = 256 << 20;
/// Where argument blocks go.
pub const BLOCK: u64 = 0x10_0000;

/// POWER9, two cores of two threads eight ids apart, all RAM plugged.
pub fn settings() -> Settings {
    let mut settings = Settings { cpu: Some("power9".into()), memory: RAM, vsmt: Some(8), ..Settings::default() };
    settings.smp.cpus = Some(4);
    settings.smp.threads = Some(2);
    settings
}

pub fn machine(settings: &Settings) -> Machine {
    let spec = spec::check(settings).unwrap();
    let memory = Arc::new(GuestMemory::new(spec.ram).unwrap());
    let partition = Arc::new(Partition::new(memory.clone()));
    let signals = (0..spec.smp.cpus).map(|_| Arc::new(Signals::default())).collect();
    Machine::new(spec, memory, partition, signals, Arc::new(VirtualClock::default())).unwrap()
}

pub const BOOT_CPU: Caller = Caller { cpu: CpuIndex(0), msr: Msr(0) };

/// A call by the boot CPU with interrupts off.
pub fn hcall(m: &mut Machine, number: u64, args: &[u64]) -> Outcome {
    let mut all = [0; 9];
    all[..args.len()].copy_from_slice(args);
    hcall::dispatch(m, BOOT_CPU, number, all)
}

/// The status of a call, and r4 on.
pub fn call(m: &mut Machine, number: u64, args: &[u64]) -> (H, Vec<u64>) {
    match hcall(m, number, args) {
        Outcome::Return(status, values) => (status, values.regs[..values.count].to_vec()),
        other => panic!("{number:#x} {args:x?}: {other:?}"),
    }
}

/// An RTAS call by name: its results and what else happens.
pub fn rtas(m: &mut Machine, name: &str, args: &[u32], results: usize) -> (Vec<i32>, Outcome) {
    let token = TABLE.iter().find(|row| row.name == name).unwrap().token();
    let words = [&[token, args.len() as u32, results as u32], args].concat();
    for (n, word) in words.iter().enumerate() {
        m.memory.write_u32(Ra(BLOCK + 4 * n as u64), *word).unwrap();
    }
    let outcome = hcall(m, 0xf000, &[BLOCK]);
    let at = BLOCK + 4 * words.len() as u64;
    ((0..results).map(|n| m.memory.read_u32(Ra(at + 4 * n as u64)).unwrap() as i32).collect(), outcome)
}
