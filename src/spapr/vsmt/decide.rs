//! The decision: from the question to a numbering, or to the refusal that QEMU would print.
//!
//! QEMU's own checks, in its order, are in `steps`; the first that stops, stops. After them come [`departures`], in which spapr
//! is stricter than QEMU on purpose: where QEMU would give two vcpus one id, or start a machine that no KVM host could take
//! over, the answer is a clean refusal, and [`Decision::qemu_outcome`] says what QEMU does.

use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::CpuKind;
use crate::spapr::host::HostProfile;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;
use crate::spapr::options::IcMode;
use crate::spapr::version::Version;
use crate::spapr::vsmt::Origin;
use crate::spapr::vsmt::Vsmt;
use crate::spapr::vsmt::rules::Ruleset;
use crate::spapr::vsmt::steps::STEPS;

/// Ids and connectors of CPUs have 28 bits.
pub(super) const IDS: u64 = 1 << 28;
/// Interrupt servers that XIVE has IPIs for, below the first event source.
pub(super) const XIVE_SERVERS: u32 = 0x1000;

/// A question: everything that has a say in the numbering.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose rules.
    pub ruleset: Ruleset,
    /// Machine version.
    pub version: Version,
    /// The host.
    pub host: &'a HostProfile,
    /// Threads per core, at least 1.
    pub threads: u32,
    /// The user's `vsmt`; 0 counts as left out.
    pub vsmt: Option<u32>,
    /// vCPUs at the start, at least 1.
    pub cpus: u32,
    /// Room for vCPUs, at least `cpus`.
    pub max_cpus: u32,
    /// The user's `ic-mode`.
    pub ic: Option<IcMode>,
    /// The user's CPU; `None`: the host's, or under emulation the machine version's.
    pub cpu: Option<&'a CpuKind>,
    /// The user's `max-cpu-compat`.
    pub max_compat: Option<&'a CompatMode>,
}

/// What comes of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Outcome {
    /// The machine starts.
    Starts,
    /// It starts, and says something.
    StartsWithWarning,
    /// It is refused with a message.
    Fatal,
    /// QEMU ends on an assertion. Never ours.
    Aborts,
}

impl Outcome {
    /// As the golden tables and users read it.
    pub fn text(self) -> &'static str {
        match self {
            Outcome::Starts => "starts",
            Outcome::StartsWithWarning => "starts-with-warning",
            Outcome::Fatal => "fatal",
            Outcome::Aborts => "aborts",
        }
    }
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Decision {
    /// What spapr does.
    pub outcome: Outcome,
    /// What QEMU of that ruleset does.
    pub qemu_outcome: Outcome,
    /// The numbering; there is one if and only if the machine starts.
    pub vsmt: Option<Vsmt>,
    /// The mode, if it got as far as choosing one.
    pub stride: Option<u32>,
    /// Who chose it.
    pub origin: Origin,
    /// The mode the kernel is left in, if it got that far.
    pub kernel_mode: Option<u32>,
    /// The interrupt controller in effect, if it got that far.
    pub ic: Option<IcMode>,
    /// One more than the highest interrupt server number, if it got that far.
    pub max_server_number: Option<u32>,
    /// What that code base puts in the device tree, which in old ones differs. Ours is always `max_server_number`.
    pub advertised_servers: Option<u32>,
    /// The setting that the message is about, as the user writes it; empty if there is nothing to say.
    pub setting: &'static str,
    /// Refusal or warning: QEMU's text with its hints, joined with "; "; ours where QEMU has none. Empty if there is nothing to say.
    pub message: String,
    /// What to write instead. Empty only if there is nothing to say.
    pub hint: String,
}

impl Asked<'_> {
    /// The processor guests get.
    pub(super) fn processor(&self) -> &CpuKind {
        let name = || self.host.cpu.unwrap_or(self.version.facts().cpu);
        self.cpu.unwrap_or_else(|| CpuKind::named(name()).expect("host profiles and machine versions name real CPUs"))
    }

    /// Cores that the machine has room for.
    pub(super) fn max_cores(&self) -> u64 {
        u64::from(self.max_cpus.div_ceil(self.threads))
    }

    /// The user's mode, if one was given.
    pub(super) fn given(&self) -> Option<u32> {
        self.vsmt.filter(|&mode| mode != 0)
    }

    /// Threads per core that every check of this host and CPU lets pass, for hints.
    pub(super) fn most_threads(&self) -> u32 {
        match self.host.kind {
            Kind::Emulated { max_threads } => max_threads,
            Kind::Hv(Vcores::Loose) => 8,
            Kind::Hv(Vcores::Strict) | Kind::Pr => self.host.smt.max(self.host.modes().next().unwrap_or(1)),
        }
    }
}

impl Decision {
    /// The mode, for what comes after its choice.
    pub(super) fn mode(&self) -> u32 {
        self.stride.expect("the mode was chosen in a step before")
    }

    /// The kernel's mode, for what comes after it was asked.
    pub(super) fn kernel(&self) -> u32 {
        self.kernel_mode.expect("the kernel was asked in a step before")
    }
}

/// Goes through QEMU's checks and ours.
pub fn decide(asked: &Asked<'_>) -> Decision {
    let mut so_far = Decision {
        outcome: Outcome::Starts,
        qemu_outcome: Outcome::Starts,
        vsmt: None,
        stride: None,
        origin: Origin::None,
        kernel_mode: None,
        ic: None,
        max_server_number: None,
        advertised_servers: None,
        setting: "",
        message: String::new(),
        hint: String::new(),
    };
    for step in STEPS {
        if let Err(stop) = step(asked, &mut so_far) {
            so_far.outcome = if stop.qemu == Outcome::Aborts { Outcome::Fatal } else { stop.qemu };
            so_far.qemu_outcome = stop.qemu;
            so_far.advertised_servers = None;
            so_far.setting = stop.setting;
            (so_far.message, so_far.hint) = (stop.message, stop.hint);
            break;
        }
    }
    departures(asked, &mut so_far);
    if so_far.outcome != Outcome::Fatal {
        so_far.vsmt = Some(Vsmt {
            stride: so_far.mode(),
            threads: asked.threads,
            cpus: asked.cpus,
            max_cpus: asked.max_cpus,
            origin: so_far.origin,
            kernel_mode: so_far.kernel(),
        });
    }
    so_far
}

/// Where spapr and QEMU part on purpose: ids beyond the connectors' 28 bits, more servers than XIVE has, modes that are no power
/// of two and therefore no mode of any KVM, ids given twice, processors that the host does not have; and threads, which our
/// emulators have under every ruleset and QEMU's has since 8.1.
fn departures(a: &Asked<'_>, so_far: &mut Decision) {
    let Some(stride) = so_far.stride.filter(|_| so_far.outcome != Outcome::Fatal) else { return };
    if a.threads > 1 && !a.host.is_kvm() && a.ruleset < Ruleset::Qemu4_2 {
        so_far.qemu_outcome = Outcome::Fatal;
    }
    let number = so_far.max_server_number.unwrap_or(0);
    let (message, hint) = if u64::from(stride) * a.max_cores() > IDS {
        (format!("VSMT mode {stride} puts vcpu ids beyond 2^28, where connectors end"), too_far_apart(a))
    } else if so_far.ic.is_some_and(IcMode::has_xive) && number > XIVE_SERVERS {
        (format!("{number} interrupt servers are more than XIVE's {XIVE_SERVERS}"), "use a smaller vsmt, or ic_mode=\"xics\"".to_string())
    } else if !stride.is_power_of_two() {
        let near = stride.next_power_of_two();
        (format!("VSMT mode {stride} is no power of two, which no KVM host grants"), format!("use vsmt={near}, or leave vsmt out"))
    } else if stride < a.threads {
        (format!("{} threads do not fit in {stride} vcpu ids", a.threads), format!("use threads={} or less", stride.min(8)))
    } else if let Some(host) = host_processor(a).filter(|host| newer(a.processor(), host)) {
        so_far.qemu_outcome = Outcome::Fatal;
        so_far.setting = "cpu";
        (format!("{} cannot run on a {host} host", a.processor()), format!("use cpu=\"{host}\", or leave cpu out"))
    } else {
        return;
    };
    so_far.outcome = Outcome::Fatal;
    so_far.advertised_servers = None;
    if so_far.setting.is_empty() {
        so_far.setting = if so_far.origin == Origin::User { "vsmt" } else { "smp" };
    }
    (so_far.message, so_far.hint) = (message, hint);
}

/// The processor that KVM-HV lends to guests; emulators and PR have any.
fn host_processor(a: &Asked<'_>) -> Option<&'static CpuKind> {
    match a.host.kind {
        Kind::Hv(_) => a.host.cpu.map(|name| CpuKind::named(name).expect("host profiles name real CPUs")),
        Kind::Pr | Kind::Emulated { .. } => None,
    }
}

/// Whether a processor is of a later generation than another.
fn newer(cpu: &CpuKind, than: &CpuKind) -> bool {
    let generation = |cpu: &CpuKind| cpu.compat.map(|(_, newest)| newest);
    generation(cpu) > generation(than)
}

/// What to write instead of ids that connectors have no bits for.
pub(super) fn too_far_apart(a: &Asked<'_>) -> String {
    let most = (IDS / a.max_cores()).max(1);
    format!("use vsmt=8, or at most {} with this many cores", 1u64 << most.ilog2())
}
