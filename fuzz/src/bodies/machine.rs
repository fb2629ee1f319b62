//! A machine without CPUs, for the bodies that call it as a guest would.

use super::input::Input;
use spapr::clock::VirtualClock;
use spapr::isa::regs::Msr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::signal::Signals;
use spapr::spapr::boot::Images;
use spapr::spapr::firmware::Firmware;
use spapr::spapr::hcall;
use spapr::spapr::hcall::Caller;
use spapr::spapr::hcall::Outcome;
use spapr::spapr::machine::Machine;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::MachineSpec;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::units::CpuIndex;
use spapr::units::Ra;
use std::sync::Arc;
use std::sync::OnceLock;

/// Where inputs put what a call's addresses point to.
pub const BLOCK: u64 = 0x2_0000;
/// Most repetitions of a call that says it has more to do; the longest are a portion of RAM each.
const AGAIN_MAX: u32 = 1000;

/// What sets a machine apart: version, CPU, interrupt controller, room for RAM.
type Kind = (&'static str, &'static str, Option<&'static str>, Option<u64>);

/// Three machines: the newest with both controllers, one with XIVE alone, an old one with XICS and a hash table that may grow.
const KINDS: [Kind; 3] = [
    ("pseries", "power10", None, None),
    ("pseries-5.0", "power9", Some("xive"), Some(512 << 20)),
    ("pseries-2.12", "power8", None, Some(1 << 30)),
];

fn specs() -> &'static [MachineSpec] {
    static SPECS: OnceLock<Vec<MachineSpec>> = OnceLock::new();
    SPECS.get_or_init(|| {
        let spec = |(machine, cpu, ic, maxmem): &Kind| {
            let mut s = Settings { machine: (*machine).into(), cpu: Some((*cpu).into()), memory: 256 << 20, ..Settings::default() };
            s.smp = SmpSettings::parse("2,maxcpus=4").expect("a topology");
            s.ic_mode = ic.map(String::from);
            s.maxmem = *maxmem;
            for (cap, level) in [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")] {
                s.caps.push((cap.into(), level.into()));
            }
            check(&s).unwrap_or_else(|e| panic!("{machine}: {e}"))
        };
        KINDS.iter().map(spec).collect()
    })
}

/// Machine number `kind` (modulo their number), as a guest finds it that was entered with everything on offer.
pub fn machine(kind: usize) -> Machine {
    let spec = specs()[kind % KINDS.len()].clone();
    let memory = Arc::new(GuestMemory::new(spec.ram).expect("256 MiB of address space"));
    let partition = Arc::new(Partition::new(memory.clone()));
    let signals = (0..spec.smp.cpus).map(|_| Arc::new(Signals::default())).collect();
    let mut m = Machine::new(spec, memory, partition, signals, Arc::new(VirtualClock::default())).expect("a machine");
    m.load(&Images::default(), Firmware::Both);
    m
}

/// Makes a call and, while it wants that, makes it again; it must come to an end.
pub fn call(m: &mut Machine, number: u64, args: [u64; 9]) -> Outcome {
    let caller = Caller { cpu: CpuIndex(0), msr: Msr(Msr::SF | Msr::ME) };
    let mut args = args;
    for _ in 0..AGAIN_MAX {
        match hcall::dispatch(m, caller, number, args) {
            Outcome::Again(regs) => args[..8].copy_from_slice(&regs),
            outcome => return outcome,
        }
    }
    panic!("hypercall {number:#x} never ends; last arguments {args:x?}");
}

/// Puts up to `most` bytes of the input into guest memory, at [`BLOCK`] or so.
pub fn place(m: &Machine, input: &mut Input<'_>, most: usize) {
    let at = BLOCK + u64::from(input.u8() & 15);
    let n = usize::from(input.u16()) % (most + 1);
    m.memory.write(Ra(at), input.bytes(n)).expect("the block lies in RAM");
}

/// An argument: any number, or an address that has something to do with this machine.
pub fn argument(m: &Machine, input: &mut Input<'_>) -> u64 {
    match input.u8() & 7 {
        0..=3 => input.number(),
        4 => BLOCK + u64::from(input.u8()),
        5 => (input.number() & 0xfff_ffff) & !0xfff,
        6 => m.spec.ram.wrapping_sub(u64::from(input.u8() & 31)),
        _ => [0x1000, 0x1001, 0x1100, 0x7100_0000, 0x8000_0000, 0x1000_0000, 4, 8][input.below(8)],
    }
}
