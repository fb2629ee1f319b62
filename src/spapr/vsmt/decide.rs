//! The decision: from the question to a numbering, or to the refusal that QEMU would print.
//!
//! [`STEPS`] are QEMU's checks in QEMU's order; the first that stops, stops. Each refusal carries QEMU's text and a hint of ours.
//! After them come [`limits`], in which spapr is stricter than QEMU on purpose: where QEMU would abort on an assertion, give two
//! vcpus one id, or start a machine no KVM host could take over, the answer is a clean refusal, and [`Decision::qemu_outcome`]
//! says what QEMU does.

use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::CpuKind;
use crate::spapr::cpus::Level;
use crate::spapr::host::HostProfile;
use crate::spapr::host::KVM_VCPUS;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;
use crate::spapr::options::IcMode;
use crate::spapr::version::IrqNumbers;
use crate::spapr::version::Version;
use crate::spapr::version::VsmtDefault;
use crate::spapr::vsmt::Origin;
use crate::spapr::vsmt::Vsmt;
use crate::spapr::vsmt::rules::Default;
use crate::spapr::vsmt::rules::OnRefusal;
use crate::spapr::vsmt::rules::Ruleset;
use crate::spapr::vsmt::rules::Servers;
use crate::spapr::vsmt::servers;

/// Ids and connectors of CPUs have 28 bits.
const IDS: u64 = 1 << 28;
/// Interrupt servers that XIVE has IPIs for, below the first event source.
const XIVE_SERVERS: u32 = 0x1000;
/// Interrupt numbers of a XIVE machine; QEMU asserts that its servers are no more.
const XIVE_NUMBERS: u32 = 0x2000;
/// Interrupt number of the EPOW event source.
const EPOW: u32 = 0x1000;

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
    limits(asked, &mut so_far);
    if so_far.outcome != Outcome::Fatal {
        so_far.vsmt = Some(Vsmt {
            stride: so_far.stride.expect("a machine that starts has chosen its mode"),
            threads: asked.threads,
            cpus: asked.cpus,
            max_cpus: asked.max_cpus,
            origin: so_far.origin,
            kernel_mode: so_far.kernel_mode.expect("a machine that starts has asked its kernel"),
        });
    }
    so_far
}

/// A refusal.
struct Stop {
    qemu: Outcome,
    setting: &'static str,
    message: String,
    hint: String,
}

fn fatal(setting: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Result<(), Stop> {
    Err(Stop { qemu: Outcome::Fatal, setting, message: message.into(), hint: hint.into() })
}

fn aborts(setting: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Result<(), Stop> {
    Err(Stop { qemu: Outcome::Aborts, setting, message: message.into(), hint: hint.into() })
}

/// One of QEMU's checks; it may note what it settled.
type Step = fn(&Asked<'_>, &mut Decision) -> Result<(), Stop>;

/// QEMU's checks, in its order.
const STEPS: &[Step] = &[
    machine_known,
    properties_exist,
    few_enough_cpus,
    old_threads,
    emulated_threads,
    threads_power_of_two,
    mode_holds_threads,
    choose_mode,
    set_kernel_mode,
    interrupt_controller,
    servers_fit_xive,
    kernel_takes_ids,
    connectors_distinct,
];

impl Asked<'_> {
    /// The processor guests get.
    fn processor(&self) -> &CpuKind {
        let name = || self.host.cpu.unwrap_or(self.version.compat().cpu);
        self.cpu.unwrap_or_else(|| CpuKind::named(name()).expect("host profiles and machine versions name real CPUs"))
    }

    /// Cores that the machine has room for.
    fn max_cores(&self) -> u64 {
        u64::from(self.max_cpus.div_ceil(self.threads))
    }

    /// The user's mode, if one was given.
    fn given(&self) -> Option<u32> {
        self.vsmt.filter(|&mode| mode != 0)
    }

    /// Threads per core that every check of this host and CPU lets pass, for hints.
    fn most_threads(&self) -> u32 {
        match self.host.kind {
            Kind::Emulated { max_threads } => max_threads,
            Kind::Hv(Vcores::Loose) => 8,
            Kind::Hv(Vcores::Strict) | Kind::Pr => self.host.smt.max(self.host.modes().next().unwrap_or(1)),
        }
    }
}

/// The code base has the machine version.
fn machine_known(a: &Asked<'_>, _: &mut Decision) -> Result<(), Stop> {
    let rules = a.ruleset.rules();
    if rules.knows(a.version) {
        return Ok(());
    }
    let (oldest, newest) = rules.versions;
    let hint = format!("ruleset {} has {oldest} to {newest}; use one of them, or leave ruleset out", rules.name);
    fatal("machine", format!("unsupported machine type: \"{}\"", a.version), hint)
}

/// The properties that the user set exist in that code base and for that machine.
fn properties_exist(a: &Asked<'_>, _: &mut Decision) -> Result<(), Stop> {
    let rules = a.ruleset.rules();
    if a.vsmt.is_some() && !rules.settable {
        return fatal("vsmt", "Property '.vsmt' not found", "leave vsmt out, or use ruleset=\"qemu-2.12\" or later, which can set it");
    }
    if a.ic.is_none() {
        return Ok(());
    }
    if !rules.ic_settable {
        return fatal("ic_mode", "Property '.ic-mode' not found", "leave ic_mode out: this ruleset has XICS only");
    }
    if a.version.compat().irq_numbers == IrqNumbers::Legacy {
        let message = "This machine only uses the legacy XICS backend, don't pass ic-mode";
        return fatal("ic_mode", message, "leave ic_mode out, or use machine=\"pseries-3.1\" or later");
    }
    Ok(())
}

/// `maxcpus` is within the code base's limit.
fn few_enough_cpus(a: &Asked<'_>, _: &mut Decision) -> Result<(), Stop> {
    let limit = a.ruleset.rules().max_cpus;
    if a.max_cpus <= limit {
        return Ok(());
    }
    let message = format!("Invalid SMP CPUs {}. The max CPUs supported by machine '{}' is {limit}", a.max_cpus, a.version);
    fatal("smp", message, format!("use max_cpus={limit} or less"))
}

/// Up to 2.10: no more threads than the kernel's spacing, and a power of two.
fn old_threads(a: &Asked<'_>, _: &mut Decision) -> Result<(), Stop> {
    if a.ruleset.rules().default != Default::Host {
        return Ok(());
    }
    let by = if a.host.is_kvm() { "KVM" } else { "TCG" };
    if a.threads > a.host.smt {
        let message = format!("Cannot support more than {} threads on PPC with {by}", a.host.smt);
        return fatal("smp", message, format!("use threads={} or less, or ruleset=\"qemu-2.12\" or later, which can set vsmt", a.host.smt));
    }
    if !a.threads.is_power_of_two() {
        let message = format!("Cannot support {} threads on PPC with {by}, threads count must be a power of 2.", a.threads);
        return fatal("smp", message, powers_of_two(a));
    }
    Ok(())
}

/// What an emulator can run.
fn emulated_threads(a: &Asked<'_>, _: &mut Decision) -> Result<(), Stop> {
    let Kind::Emulated { max_threads } = a.host.kind else { return Ok(()) };
    if a.threads == 1 {
        return Ok(());
    }
    if max_threads == 1 {
        let message = "TCG cannot support more than 1 thread/core on a pseries machine";
        return fatal("smp", message, "use threads=1, or host=\"tcg\", which is emulation with SMT");
    }
    if !a.processor().offers(Level::V2_07, a.max_compat) {
        let hint = "use threads=1, or cpu=\"power8\" or newer without a max_cpu_compat below power8";
        return fatal("smp", "TCG only supports SMT on POWER8 or newer CPUs", hint);
    }
    if a.threads > max_threads {
        let message = format!("TCG cannot support more than {max_threads} threads/core on a pseries machine");
        return fatal("smp", message, format!("use threads={max_threads} or less"));
    }
    Ok(())
}

fn threads_power_of_two(a: &Asked<'_>, _: &mut Decision) -> Result<(), Stop> {
    if a.threads.is_power_of_two() {
        return Ok(());
    }
    let message = format!("Cannot support {} threads/core on a pseries machine because it must be a power of 2", a.threads);
    fatal("smp", message, powers_of_two(a))
}

fn powers_of_two(a: &Asked<'_>) -> String {
    let fit: Vec<String> = (0..=3).map(|bit| 1u32 << bit).filter(|&t| t <= a.most_threads()).map(|t| t.to_string()).collect();
    format!("use threads={}", fit.join(", "))
}

/// A user's mode is no less than the threads.
fn mode_holds_threads(a: &Asked<'_>, _: &mut Decision) -> Result<(), Stop> {
    match a.given() {
        Some(mode) if mode < a.threads => {
            let message = format!("Cannot support VSMT mode {mode} because it must be >= threads/core ({})", a.threads);
            fatal("vsmt", message, format!("use vsmt={} or more (a power of two), or leave vsmt out", a.threads.next_power_of_two()))
        }
        Some(_) | None => Ok(()),
    }
}

/// The user's mode, or the default.
fn choose_mode(a: &Asked<'_>, so_far: &mut Decision) -> Result<(), Stop> {
    let (mode, origin) = match (a.given(), a.ruleset.rules().default) {
        (Some(mode), _) => (mode, Origin::User),
        (None, Default::Host) => (a.host.smt, Origin::Host),
        (None, Default::HostOrThreads) => (a.host.smt.max(a.threads), Origin::HostOrThreads),
        (None, Default::Eight) => (8, Origin::Eight),
        (None, Default::EightOrThreads) => (a.threads.max(8), Origin::EightOrThreads),
        (None, Default::Threads) => (a.threads, Origin::Threads),
        (None, Default::ByVersion) => match a.version.compat().vsmt_default {
            VsmtDefault::EightOrMore => (a.threads.max(8), Origin::EightOrThreads),
            VsmtDefault::Threads => (a.threads, Origin::Threads),
        },
    };
    so_far.stride = Some(mode);
    so_far.origin = origin;
    Ok(())
}

/// Sets the kernel's mode if it is another, and weighs a refusal.
fn set_kernel_mode(a: &Asked<'_>, so_far: &mut Decision) -> Result<(), Stop> {
    let mode = so_far.stride.expect("the mode was chosen one step before");
    let rules = a.ruleset.rules();
    if !a.host.is_kvm() || mode == a.host.smt {
        so_far.kernel_mode = Some(a.host.smt);
        return Ok(());
    }
    let errno = match a.host.set_smt(mode) {
        Ok(mode) => {
            so_far.kernel_mode = Some(mode);
            return Ok(());
        }
        Err(errno) => errno,
    };
    let message = format!("Failed to set KVM's VSMT mode to {mode} (errno -{errno})");
    let whole_cores = a.host.smt >= a.threads && mode.is_multiple_of(a.host.smt);
    if rules.on_refusal == OnRefusal::Tolerate && whole_cores {
        so_far.kernel_mode = Some(a.host.smt);
        so_far.outcome = Outcome::StartsWithWarning;
        so_far.qemu_outcome = Outcome::StartsWithWarning;
        so_far.setting = "vsmt";
        so_far.message = message;
        so_far.hint =
            format!("harmless: every guest core has a host core; vsmt={} would be silent here but change the vcpu ids", a.host.smt);
        return Ok(());
    }
    let mut lines = vec![message];
    if so_far.origin != Origin::User {
        lines.push(format!(
            "On PPC, a VM with {} threads/core on a host with {} threads/core requires{}the use of VSMT mode {mode}.",
            a.threads, a.host.smt, rules.blanks
        ));
    }
    let modes: Vec<String> = a.host.modes().map(|m| m.to_string()).collect();
    lines.push(match modes.is_empty() {
        true => "This KVM seems to be too old to support VSMT.".to_string(),
        false => format!("Available VSMT modes: {}.", modes.join(" ")),
    });
    fatal("vsmt", lines.join("; "), other_mode(a))
}

/// What would start where the kernel refused the mode: the user's number if one works, else fewer threads.
fn other_mode(a: &Asked<'_>) -> String {
    let works = |mode: u32| mode >= a.threads && (mode == a.host.smt || a.host.set_smt(mode).is_ok());
    match [8, 4, 2, 1].into_iter().chain([a.host.smt]).find(|&mode| works(mode)) {
        Some(mode) => format!("use vsmt={mode}, which this host grants"),
        None => format!("use threads={} or less: this host has no mode for {} threads per core", a.most_threads(), a.threads),
    }
}

/// The interrupt controller in effect, which bounds the server numbers.
fn interrupt_controller(a: &Asked<'_>, so_far: &mut Decision) -> Result<(), Stop> {
    let has_xive = a.processor().offers(Level::V3_00, a.max_compat);
    let ic = match (a.ic.unwrap_or(a.version.compat().ic), has_xive) {
        (IcMode::Xive, false) => {
            let hint = "use ic_mode=\"xics\", or cpu=\"power9\" or newer without a max_cpu_compat below power9";
            return fatal("ic_mode", "XIVE-only machines require a POWER9 CPU", hint);
        }
        (IcMode::Dual, false) => IcMode::Xics,
        (ic @ (IcMode::Xics | IcMode::Xive | IcMode::Dual), _) => ic,
    };
    so_far.ic = Some(ic);
    let stride = so_far.stride.expect("the mode was chosen before");
    so_far.max_server_number = Some(servers(a.max_cpus, stride, a.threads));
    so_far.advertised_servers = match a.ruleset.rules().servers {
        Servers::Stride => so_far.max_server_number,
        Servers::Kernel => so_far.kernel_mode.map(|mode| servers(a.max_cpus, mode, a.threads)),
    };
    Ok(())
}

/// QEMU multiplies `max_cpus * vsmt` in 32 bits; the numbers below are its own.
fn servers_fit_xive(a: &Asked<'_>, so_far: &mut Decision) -> Result<(), Stop> {
    let stride = so_far.stride.expect("the mode was chosen before");
    let number = a.max_cpus.wrapping_mul(stride).div_ceil(a.threads);
    let most = XIVE_SERVERS / a.max_cores().min(u64::from(XIVE_SERVERS)) as u32;
    let lower = match most >= a.threads {
        true => format!("use vsmt={} or less", 1u32 << most.ilog2()),
        false => format!("use max_cpus={XIVE_SERVERS} or less"),
    };
    let hint = format!("{lower}, or ic_mode=\"xics\" (XIVE has room for {XIVE_SERVERS} interrupt servers)");
    let xive = so_far.ic.is_some_and(IcMode::has_xive);
    if number == 0 {
        return aborts("vsmt", format!("{} vcpus with VSMT mode {stride} need 2^32 or more interrupt servers", a.max_cpus), hint);
    }
    if xive && number > XIVE_NUMBERS {
        return aborts("vsmt", format!("{number} interrupt servers are more than XIVE's {XIVE_SERVERS}"), hint);
    }
    if xive && number > XIVE_SERVERS {
        return fatal("vsmt", format!("IRQ {EPOW} is not free"), hint);
    }
    Ok(())
}

/// The kernel has room for every id, and no id twice.
fn kernel_takes_ids(a: &Asked<'_>, so_far: &mut Decision) -> Result<(), Stop> {
    if !a.host.is_kvm() {
        return Ok(());
    }
    let stride = u64::from(so_far.stride.expect("the mode was chosen before"));
    let mode = u64::from(so_far.kernel_mode.expect("the kernel was asked before"));
    let threads = u64::from(a.threads);
    let end = match a.host.kind {
        Kind::Hv(_) => u64::from(KVM_VCPUS) * mode,
        Kind::Pr | Kind::Emulated { .. } => u64::from(a.host.vcpu_id_end),
    };
    for index in 0..u64::from(a.cpus) {
        let id = index / threads * stride + index % threads;
        if id >= u64::from(a.host.vcpu_id_end) {
            let fit = id * threads / stride;
            let message = format!(
                "Can't create CPU with id {id} in KVM; Adjust the number of cpus to {fit} or try to raise the number of threads per core"
            );
            return fatal("vsmt", message, format!("use cpus={fit} or less, a smaller vsmt, or more threads per core"));
        }
        let again = index >= threads && id < (index / threads - 1) * stride + threads;
        let message = match a.host.kind {
            Kind::Hv(Vcores::Strict) | Kind::Pr if again => "kvm_init_vcpu failed: File exists",
            Kind::Hv(Vcores::Loose) if again => "kvm_init_vcpu failed: Invalid argument",
            Kind::Hv(_) if id >= end => "kvm_init_vcpu failed: Invalid argument",
            Kind::Hv(_) | Kind::Pr | Kind::Emulated { .. } => continue,
        };
        let hint = match again {
            true => format!("vcpu id {id} would be given twice, since {threads} threads do not fit in {stride} ids; use threads=8 or less"),
            false => format!("KVM in mode {mode} ends at vcpu id {end}; use a vsmt that this host grants, or fewer cpus"),
        };
        return fatal("vsmt", message, hint);
    }
    Ok(())
}

/// Connectors of cores, which have 28 bits of the id, are distinct.
fn connectors_distinct(a: &Asked<'_>, so_far: &mut Decision) -> Result<(), Stop> {
    let stride = u64::from(so_far.stride.expect("the mode was chosen before"));
    let repeats_after = IDS >> stride.trailing_zeros().min(28);
    if a.max_cores() <= repeats_after {
        return Ok(());
    }
    aborts("vsmt", format!("two cores would have one connector: vcpu ids {stride} apart repeat modulo 2^28"), too_far_apart(a))
}

fn too_far_apart(a: &Asked<'_>) -> String {
    let most = (IDS / a.max_cores()).max(1);
    format!("use vsmt=8, or at most {} for {} cores", 1u64 << most.ilog2(), a.max_cores())
}

/// Where spapr refuses what QEMU starts: ids beyond the connectors' 28 bits, more servers than XIVE has, modes that are no
/// power of two and therefore no mode of any KVM, ids given twice.
fn limits(a: &Asked<'_>, so_far: &mut Decision) {
    let Some(stride) = so_far.stride.filter(|_| so_far.outcome != Outcome::Fatal) else { return };
    let number = so_far.max_server_number.unwrap_or(0);
    let (message, hint) = if u64::from(stride) * a.max_cores() > IDS {
        (format!("VSMT mode {stride} puts vcpu ids of {} cores beyond 2^28", a.max_cores()), too_far_apart(a))
    } else if so_far.ic.is_some_and(IcMode::has_xive) && number > XIVE_SERVERS {
        (format!("{number} interrupt servers are more than XIVE's {XIVE_SERVERS}"), "use a smaller vsmt, or ic_mode=\"xics\"".to_string())
    } else if !stride.is_power_of_two() {
        let near = stride.next_power_of_two();
        (format!("VSMT mode {stride} is no power of two, which no KVM host grants"), format!("use vsmt={near}, or leave vsmt out"))
    } else if stride < a.threads {
        let fits = stride.min(8);
        (format!("{} threads do not fit in {stride} vcpu ids", a.threads), format!("use threads={fits} or less"))
    } else {
        return;
    };
    so_far.outcome = Outcome::Fatal;
    so_far.advertised_servers = None;
    so_far.setting = if so_far.origin == Origin::User { "vsmt" } else { "smp" };
    (so_far.message, so_far.hint) = (message, hint);
}
