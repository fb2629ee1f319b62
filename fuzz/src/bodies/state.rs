//! Any bytes in the place of a section of a machine's saved state, and any bytes as a whole stream.
//!
//! The first byte chooses a machine, the second a section; the rest is what stands in it, without a checksum to get in the way. A machine that takes it must run, be
//! saved again, and what was saved must be taken by another one. One that refuses it must name section and problem, and must not run.

use super::input::Input;
use spapr::accel::AccelKind;
use spapr::error::Error;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::state::Packed;
use spapr::state::Sections;
use spapr::state::bulk::Compression;
use spapr::vm::Options;
use spapr::vm::SavedMachine;
use spapr::vm::Snapshot;
use spapr::vm::Vm;
use spapr::vm::checkpoint::write_stream;
use std::sync::OnceLock;
use std::time::Duration;

/// Instructions that a machine runs which took the input.
const BUDGET: u64 = 500;
/// One that sleeps uses none of them.
const ASLEEP: Duration = Duration::from_millis(3);
/// In the place of a machine's number: the rest is a stream.
const STREAM: u8 = 0xff;

struct Base {
    snapshot: Snapshot,
    saved: SavedMachine,
    stream: Vec<u8>,
}

fn bases() -> &'static [Base] {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    BASES.get_or_init(|| {
        let base = |(machine, cpu, ic): (&str, &str, Option<&str>)| {
            let mut s = Settings { machine: machine.into(), cpu: Some(cpu.into()), memory: 256 << 20, ..Settings::default() };
            (s.ic_mode, s.nvram_bytes, s.maxmem) = (ic.map(String::from), Some(8 << 10), Some(512 << 20));
            s.smp.cpus = Some(2);
            for (cap, level) in [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")] {
                s.caps.push((cap.into(), level.into()));
            }
            let vm = Vm::new(check(&s).expect("a machine"), Options::default()).expect("256 MiB of address space");
            let saved = vm.save().expect("it does not run");
            let stream = write_stream(Vec::new(), &saved, &vm.large_memory(), Compression::Lz4).expect("memory takes all").0;
            Base { snapshot: vm.snapshot().expect("there is room"), saved, stream }
        };
        [("pseries", "power10", None), ("pseries-5.0", "power9", Some("xive")), ("pseries-2.12", "power8", None)].map(base).into()
    })
}

fn refused(e: &Error) {
    match e {
        Error::Stream { section, problem, hint, .. } => assert!(!section.is_empty() && !problem.is_empty() && !hint.is_empty(), "{e}"),
        // The settings of a stream are checked as a user's are.
        other => assert!(!other.to_string().is_empty()),
    }
}

fn load(base: &Base, sections: &[Packed]) -> Result<Vm, Error> {
    let vm = base.snapshot.fork(None).expect("there is room");
    let mut all = Sections::default();
    sections.iter().for_each(|s| all.add(s.clone()).expect("each is there once"));
    match vm.load(&all) {
        Ok(()) => Ok(vm),
        Err(e) => {
            assert!(vm.resume().is_err(), "a machine that is not whole runs");
            Err(e)
        }
    }
}

/// See the module.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.u8();
    if which == STREAM {
        return match Vm::load_stream(&data[1..], AccelKind::Interp) {
            Ok(vm) => drop(vm.save().expect("it does not run")),
            Err(e) => refused(&e),
        };
    }
    let base = &bases()[usize::from(which) % bases().len()];
    let mut sections = base.saved.sections.clone();
    let section = usize::from(input.u8()) % sections.len();
    sections[section].bytes = data.get(2..).unwrap_or_default().to_vec();
    let vm = match load(base, &sections) {
        Ok(vm) => vm,
        Err(e) => return refused(&e),
    };
    if vm.resume_for(BUDGET).is_ok() {
        vm.input(0, b"x\n");
        vm.wait(Some(ASLEEP));
        vm.pause();
    }
    let _ = vm.device_tree();
    let saved = vm.save().expect("it does not run");
    load(base, &saved.sections).unwrap_or_else(|e| panic!("what was saved is refused: {e}"));
}

/// Every section of every machine as it is, and every machine's stream.
pub fn seeds() -> Vec<Vec<u8>> {
    let sections = bases()
        .iter()
        .enumerate()
        .flat_map(|(n, base)| base.saved.sections.iter().enumerate().map(move |(k, s)| [&[n as u8, k as u8][..], &s.bytes].concat()));
    sections.chain(bases().iter().map(|base| [&[STREAM][..], &base.stream].concat())).collect()
}
