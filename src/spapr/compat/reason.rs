//! Why: a finding of the rules, as data and in words.

use std::borrow::Cow;

use crate::error::Error;
use crate::spapr::caps::Cap;
use crate::spapr::spec::Warning;

/// What a finding does to the move; the weightiest is the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Weight {
    /// Forbids it.
    Refuses,
    /// Lets it happen, with a warning.
    Warns,
    /// Is worth knowing.
    Notes,
}

impl Weight {
    /// As users read it.
    pub fn text(self) -> &'static str {
        match self {
            Weight::Refuses => "refuses",
            Weight::Warns => "warns",
            Weight::Notes => "notes",
        }
    }
}

/// Which rule found something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Code {
    /// The source does not start.
    SourceStart,
    /// The destination does not start.
    DestinationStart,
    /// The source started with a warning.
    SourceWarning,
    /// The destination started with a warning.
    DestinationWarning,
    /// Machine versions differ.
    Machine,
    /// Numbers of vcpus differ.
    Cpus,
    /// Room for vcpus differs.
    MaxCpus,
    /// Threads per core differ.
    Threads,
    /// The spacing of vcpu ids differs.
    Vsmt,
    /// vcpu ids differ though all else is the same.
    VcpuIds,
    /// The guest runs on the processor itself, and there is another.
    Cpu,
    /// The guest's mode is none of the destination's processor.
    CompatMode,
    /// The guest's mode is above the destination's limit.
    MaxCpuCompat,
    /// Interrupt controllers offered differ.
    IcMode,
    /// The guest translates, or may, in a way that the destination does not have.
    Mmu,
    /// The hash table can be resized here and not there.
    ResizeHpt,
    /// RAM differs.
    Ram,
    /// Room for RAM differs.
    MaxMem,
    /// NUMA nodes differ.
    Numa,
    /// NUMA distances differ.
    NumaDistances,
    /// A device is missing at the destination.
    DeviceMissing,
    /// The destination has a device more.
    DeviceExtra,
    /// A device is another.
    DeviceDiffers,
    /// UUIDs differ.
    Uuid,
    /// H_RANDOM answers here and not there.
    Rng,
    /// Two kinds of accelerator.
    Accel,
    /// A capability's level is higher at the source.
    CapHigher(Cap),
    /// A capability's level is lower at the source.
    CapLower(Cap),
}

/// The codes that are one each, with their names, in the order of their numbers.
const PLAIN: [(Code, &str); 26] = [
    (Code::SourceStart, "source-cannot-start"),
    (Code::DestinationStart, "destination-cannot-start"),
    (Code::SourceWarning, "source-starts-with-warning"),
    (Code::DestinationWarning, "destination-starts-with-warning"),
    (Code::Machine, "machine-differs"),
    (Code::Cpus, "cpus-differ"),
    (Code::MaxCpus, "max-cpus-differ"),
    (Code::Threads, "threads-differ"),
    (Code::Vsmt, "vsmt-differs"),
    (Code::VcpuIds, "vcpu-ids-differ"),
    (Code::Cpu, "cpu-differs"),
    (Code::CompatMode, "compat-mode-not-on-destination"),
    (Code::MaxCpuCompat, "compat-mode-above-destination-limit"),
    (Code::IcMode, "ic-mode-differs"),
    (Code::Mmu, "mmu-mode-not-on-destination"),
    (Code::ResizeHpt, "resize-hpt-not-on-destination"),
    (Code::Ram, "memory-differs"),
    (Code::MaxMem, "maxmem-differs"),
    (Code::Numa, "numa-nodes-differ"),
    (Code::NumaDistances, "numa-distances-differ"),
    (Code::DeviceMissing, "device-not-on-destination"),
    (Code::DeviceExtra, "device-only-on-destination"),
    (Code::DeviceDiffers, "device-differs"),
    (Code::Uuid, "uuid-differs"),
    (Code::Rng, "rng-not-on-destination"),
    (Code::Accel, "accelerator-differs"),
];

impl Code {
    /// How many there are; all fit into the bits of a `u64`.
    pub const COUNT: usize = PLAIN.len() + 2 * Cap::COUNT;

    /// All codes, by number.
    pub fn all() -> impl Iterator<Item = Code> {
        PLAIN.iter().map(|&(code, _)| code).chain(Cap::all().map(Code::CapHigher)).chain(Cap::all().map(Code::CapLower))
    }

    /// Its number, from 0.
    pub fn number(self) -> u32 {
        let at = if let Code::CapHigher(cap) = self {
            PLAIN.len() + cap as usize
        } else if let Code::CapLower(cap) = self {
            PLAIN.len() + Cap::COUNT + cap as usize
        } else {
            PLAIN.iter().position(|&(code, _)| code == self).expect("every other code has a row")
        };
        at as u32
    }

    /// As programs read it: `vsmt-differs`, `cap-htm-higher-than-destination`.
    pub fn name(self) -> Cow<'static, str> {
        if let Code::CapHigher(cap) = self {
            format!("cap-{}-higher-than-destination", cap.name()).into()
        } else if let Code::CapLower(cap) = self {
            format!("cap-{}-lower-than-destination", cap.name()).into()
        } else {
            PLAIN[self.number() as usize].1.into()
        }
    }
}

const _: () = assert!(Code::COUNT <= 64, "codes are bits of a u64");

/// What QEMU does in the same place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Qemu {
    /// It does not start, with this message.
    DoesNotStart(String),
    /// It loads the stream as far as this message.
    Fails(String),
    /// It goes on and says this.
    Warns(String),
    /// It goes on in silence, and rightly.
    Accepts,
    /// It goes on in silence, and the guest is damaged.
    Corrupts,
}

impl Qemu {
    /// As programs read it.
    pub fn outcome(&self) -> &'static str {
        match self {
            Qemu::DoesNotStart(_) => "does-not-start",
            Qemu::Fails(_) => "fails",
            Qemu::Warns(_) => "warns",
            Qemu::Accepts => "accepts",
            Qemu::Corrupts => "accepts-and-corrupts",
        }
    }

    /// Its message; empty if it has none.
    pub fn message(&self) -> &str {
        match self {
            Qemu::DoesNotStart(text) | Qemu::Fails(text) | Qemu::Warns(text) => text,
            Qemu::Accepts | Qemu::Corrupts => "",
        }
    }

    /// A failure at a section that the destination does not have.
    pub(super) fn unknown_section(name: &str, instance: u32) -> Qemu {
        Qemu::Fails(format!(
            "Unknown savevm section or instance '{name}' {instance}. Make sure that your current VM setup matches your saved VM setup, including any \
             hotplugged devices"
        ))
    }

    /// A failure inside a section.
    pub(super) fn bad_section(name: &str) -> Qemu {
        Qemu::Fails(format!("error while loading state for instance 0x0 of device '{name}'"))
    }
}

/// A finding's words.
#[derive(Debug)]
pub struct Words {
    /// The setting as the user writes it.
    pub(super) setting: Cow<'static, str>,
    /// Its value at the source.
    pub(super) source: String,
    /// Its value at the destination.
    pub(super) destination: String,
    /// What is wrong.
    pub(super) problem: String,
    /// What to write instead.
    pub(super) change: String,
    /// What QEMU does.
    pub(super) qemu: Qemu,
}

/// A finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// Which rule.
    pub code: Code,
    /// What it does to the move.
    pub weight: Weight,
    /// The setting as the user writes it, such as `vsmt` or `caps["htm"]`.
    pub setting: Cow<'static, str>,
    /// Its value at the source; empty where only one side is meant.
    pub source: String,
    /// Its value at the destination; empty where only one side is meant.
    pub destination: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub change: String,
    /// What QEMU does in the same place.
    pub qemu: Qemu,
}

impl Reason {
    pub(super) fn new(weight: Weight, code: Code, words: Words) -> Reason {
        let Words { setting, source, destination, problem, change, qemu } = words;
        Reason { code, weight, setting, source, destination, problem, change, qemu }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.setting, self.problem, self.change)
    }
}

/// A side that does not start.
pub(super) fn start(side: &str, error: &Error) -> Words {
    let (setting, problem, hint) = match error {
        Error::Config { setting, problem, hint } | Error::Boot { setting, problem, hint } => {
            (setting.clone(), problem.clone(), hint.clone())
        }
        Error::Accel { accel, problem, hint } => ("accel".to_string(), format!("{accel} cannot run this machine: {problem}"), hint.clone()),
        Error::State { doing, problem, hint } | Error::Snapshot { doing, problem, hint } => (doing.clone(), problem.clone(), hint.clone()),
        Error::Stream { section, problem, hint, .. } => (section.clone(), problem.clone(), hint.clone()),
        other @ (Error::Memory { .. } | Error::Host { .. } | Error::Migration { .. }) => {
            ("host".to_string(), other.to_string(), "see what the host says".to_string())
        }
    };
    let value = |this: &str| if side == this { "does not start" } else { "" }.to_string();
    let qemu = Qemu::DoesNotStart(problem.clone());
    Words { setting: setting.into(), source: value("source"), destination: value("destination"), problem, change: hint, qemu }
}

/// A side that starts with a warning.
pub(super) fn warning(side: &str, warning: &Warning) -> Words {
    let value = |this: &str| if side == this { "starts with a warning" } else { "" }.to_string();
    Words {
        setting: warning.setting.clone().into(),
        source: value("source"),
        destination: value("destination"),
        problem: warning.message.clone(),
        change: warning.hint.clone(),
        qemu: Qemu::Warns(warning.message.clone()),
    }
}
