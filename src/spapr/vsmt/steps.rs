//! QEMU's checks, one function each, in QEMU's order.
//!
//! The order is part of the behaviour: 9 threads under emulation are "more than 8" and not "no power of two". Each refusal
//! carries QEMU's text, which users search the web for, and a hint of ours, which says what starts.

use crate::spapr::cpus::Level;
use crate::spapr::host::KVM_VCPUS;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;
use crate::spapr::options::IcMode;
use crate::spapr::version::IrqNumbers;
use crate::spapr::version::VsmtDefault;
use crate::spapr::vsmt::Asked;
use crate::spapr::vsmt::Decision;
use crate::spapr::vsmt::Origin;
use crate::spapr::vsmt::Outcome;
use crate::spapr::vsmt::decide::IDS;
use crate::spapr::vsmt::decide::XIVE_SERVERS;
use crate::spapr::vsmt::decide::too_far_apart;
use crate::spapr::vsmt::rules::Default;
use crate::spapr::vsmt::rules::OnRefusal;
use crate::spapr::vsmt::rules::Servers;
use crate::spapr::vsmt::servers;

/// Interrupt numbers of a XIVE machine; QEMU asserts that its servers are no more.
const XIVE_NUMBERS: u32 = 0x2000;
/// Interrupt number of the EPOW event source.
const EPOW: u32 = 0x1000;

/// A refusal.
pub(super) struct Stop {
    pub(super) qemu: Outcome,
    pub(super) setting: &'static str,
    pub(super) message: String,
    pub(super) hint: String,
}

fn fatal(setting: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Result<(), Stop> {
    Err(Stop { qemu: Outcome::Fatal, setting, message: message.into(), hint: hint.into() })
}

fn aborts(setting: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Result<(), Stop> {
    Err(Stop { qemu: Outcome::Aborts, setting, message: message.into(), hint: hint.into() })
}

/// One of QEMU's checks; it may note what it settled.
pub(super) type Step = fn(&Asked<'_>, &mut Decision) -> Result<(), Stop>;

/// QEMU's checks, in its order.
pub(super) const STEPS: &[Step] = &[
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
    if a.version.facts().irq_numbers == IrqNumbers::Legacy {
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
        (None, Default::ByVersion) => match a.version.facts().vsmt_default {
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
    let mode = so_far.mode();
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
    let ic = match (a.ic.unwrap_or(a.version.facts().ic), has_xive) {
        (IcMode::Xive, false) => {
            let hint = "use ic_mode=\"xics\", or cpu=\"power9\" or newer without a max_cpu_compat below power9";
            return fatal("ic_mode", "XIVE-only machines require a POWER9 CPU", hint);
        }
        (IcMode::Dual, false) => IcMode::Xics,
        (ic @ (IcMode::Xics | IcMode::Xive | IcMode::Dual), _) => ic,
    };
    so_far.ic = Some(ic);
    let stride = so_far.mode();
    so_far.max_server_number = Some(servers(a.max_cpus, stride, a.threads));
    so_far.advertised_servers = match a.ruleset.rules().servers {
        Servers::Stride => so_far.max_server_number,
        Servers::Kernel => so_far.kernel_mode.map(|mode| servers(a.max_cpus, mode, a.threads)),
    };
    Ok(())
}

/// QEMU multiplies `max_cpus * vsmt` in 32 bits; the numbers below are its own.
fn servers_fit_xive(a: &Asked<'_>, so_far: &mut Decision) -> Result<(), Stop> {
    let stride = so_far.mode();
    let number = a.max_cpus.wrapping_mul(stride).div_ceil(a.threads);
    let most = XIVE_SERVERS / a.max_cores().min(u64::from(XIVE_SERVERS)) as u32;
    let lower = match most >= a.threads {
        true => format!("use vsmt={} or less", 1u32 << most.ilog2()),
        false => format!("use max_cpus={XIVE_SERVERS} or less"),
    };
    let needs = format!("max_cpus={} with vsmt={stride} need {number} interrupt servers, XIVE has {XIVE_SERVERS}", a.max_cpus);
    let hint = format!("{lower}, or ic_mode=\"xics\" ({needs})");
    let xive = so_far.ic.is_some_and(IcMode::has_xive);
    if number == 0 {
        return aborts(
            "vsmt",
            format!("{} vcpus with VSMT mode {stride} need 2^32 or more interrupt servers", a.max_cpus),
            too_far_apart(a),
        );
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
    let stride = u64::from(so_far.mode());
    let mode = u64::from(so_far.kernel());
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
    let stride = u64::from(so_far.mode());
    let repeats_after = IDS >> stride.trailing_zeros().min(28);
    if a.max_cores() <= repeats_after {
        return Ok(());
    }
    aborts("vsmt", format!("two cores would have one connector: vcpu ids {stride} apart repeat modulo 2^28"), too_far_apart(a))
}
