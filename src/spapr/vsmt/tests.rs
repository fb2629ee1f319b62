//! Numbering of vcpus: the properties that hold for every rule set and topology.

use proptest::prelude::ProptestConfig;
use proptest::prelude::any;
use proptest::prelude::proptest;
use proptest::prop_assert;
use proptest::prop_assert_eq;
use proptest::prop_assert_ne;

use crate::spapr::cpus::COMPAT_MODES;
use crate::spapr::cpus::CPUS;
use crate::spapr::explain::Answer;
use crate::spapr::explain::Question;
use crate::spapr::explain::explain;
use crate::spapr::host::HOSTS;
use crate::spapr::options::IcMode;
use crate::spapr::spec::Settings;
use crate::spapr::spec::check;
use crate::spapr::version::Version;
use crate::spapr::vsmt::Vsmt;
use crate::spapr::vsmt::rules::RULES;
use crate::units::CoreId;
use crate::units::CpuIndex;
use crate::units::DrcIndex;
use crate::units::VcpuId;

fn ask(question: Question<'_>) -> Answer {
    let answer = explain(&question).unwrap();
    assert_eq!(answer.message.is_empty(), answer.hint.is_empty(), "{answer:?}");
    answer
}

fn tcg(machine: &'static str, vsmt: i64) -> Question<'static> {
    Question { ruleset: Some("qemu-4.2"), machine, vsmt: Some(vsmt), cpus: Some(1), ..Question::default() }
}

fn numbering(machine: &str, smp: &str, vsmt: Option<i64>) -> Vsmt {
    let settings = Settings { machine: machine.to_string(), vsmt, ..Settings::default() };
    let smp = crate::spapr::smp::SmpSettings::parse(smp).unwrap();
    check(&Settings { smp, ..settings }).unwrap().vsmt
}

#[test]
fn the_vectors_of_the_specification() {
    let ids = |vsmt: &Vsmt| vsmt.vcpu_ids().map(|id| id.0).collect::<Vec<_>>();
    let one = numbering("pseries-2.12", "4", Some(8));
    assert_eq!((ids(&one), one.max_server_number()), (vec![0, 8, 16, 24], 32));
    let four = numbering("pseries-2.12", "8,cores=2,threads=4", Some(8));
    assert_eq!((ids(&four), four.max_server_number()), (vec![0, 1, 2, 3, 8, 9, 10, 11], 16));
    let dense = numbering("pseries-10.2", "8,cores=2,threads=4", None);
    assert_eq!((ids(&dense), dense.max_server_number()), ((0..8).collect(), 8));
    assert_eq!(four.drc(CoreId(1)), DrcIndex(0x1000_0008));
    assert_eq!(one.drc(CoreId(2)), DrcIndex(0x1000_0010));
}

#[test]
fn ids_turn_back_into_vcpus_and_gaps_into_none() {
    let vsmt = numbering("pseries-4.1", "8,threads=2", Some(8));
    for index in 0..8 {
        let id = vsmt.vcpu_id(CpuIndex(index));
        assert_eq!(vsmt.cpu_index(id), Some(CpuIndex(index)));
        assert_eq!(vsmt.server(vsmt.core_of(CpuIndex(index)), vsmt.thread_of(CpuIndex(index))), id);
    }
    for gap in [2, 7, 10, 26, 32, u32::MAX] {
        assert_eq!(vsmt.cpu_index(VcpuId(gap)), None, "id {gap}");
    }
    assert_eq!(vsmt.core_of_drc(vsmt.drc(CoreId(3))), Some(CoreId(3)));
    for no_core in [0x1000_0001, 0x1000_0002, 0x1000_0020, 0x8, 0x8000_0008] {
        assert_eq!(vsmt.core_of_drc(DrcIndex(no_core)), None, "{no_core:#x}");
    }
}

#[test]
fn xive_has_room_for_4096_servers() {
    let at = |vsmt, ic_mode| ask(Question { ic_mode, ..tcg("pseries-9.0", vsmt) });
    assert_eq!(at(4096, None).outcome, "starts");
    let beyond = at(8192, None);
    assert_eq!((beyond.outcome, beyond.qemu_outcome, beyond.message.as_str()), ("fatal", "fatal", "IRQ 4096 is not free"));
    assert!(beyond.hint.contains("use vsmt=4096 or less"), "{}", beyond.hint);
    let aborts = at(16384, None);
    assert_eq!((aborts.outcome, aborts.qemu_outcome), ("fatal", "aborts"));
    assert_eq!(at(16384, Some("xics")).outcome, "starts");
    let many = |max_cpus| Question { max_cpus: Some(max_cpus), ..tcg("pseries-9.0", 8) };
    assert_eq!((ask(many(512)).outcome, ask(many(513)).message.as_str()), ("starts", "IRQ 4096 is not free"));
    assert_eq!(ask(many(1025)).qemu_outcome, "aborts");
    // A CPU below POWER9 makes dual XICS.
    assert_eq!(ask(Question { cpu: Some("power8"), ..many(1025) }).outcome, "starts");
}

#[test]
fn absurd_modes_are_refused_though_qemu_starts_them() {
    let xics = |vsmt, max_cpus| ask(Question { ic_mode: Some("xics"), max_cpus: Some(max_cpus), ..tcg("pseries-9.0", vsmt) });
    let odd = xics(3, 1);
    assert_eq!((odd.outcome, odd.qemu_outcome, odd.hint.as_str()), ("fatal", "starts", "use vsmt=4, or leave vsmt out"));
    assert_eq!((xics(4_294_967_295, 1).outcome, xics(4_294_967_295, 1).qemu_outcome), ("fatal", "starts"));
    // QEMU multiplies in 32 bits: one more starts it.
    assert_eq!((xics(1_073_741_824, 4).qemu_outcome, xics(1_073_741_825, 4).qemu_outcome), ("aborts", "starts"));
    assert!(xics(1_073_741_824, 4).hint.contains("use vsmt=8"), "{}", xics(1_073_741_824, 4).hint);
    // Two cores with one connector.
    assert_eq!((xics(1 << 28, 2).qemu_outcome, xics(1 << 27, 2).outcome), ("aborts", "starts"));
    assert!(explain(&tcg("pseries-9.0", -1)).unwrap_err().to_string().contains("Parameter 'vsmt' expects uint32_t"));
    assert!(explain(&tcg("pseries-9.0", 1 << 32)).is_err());
}

#[test]
fn kvm_weighs_explicit_modes_like_defaults() {
    let on = |host, vsmt| ask(Question { host, ..tcg("pseries-9.2", vsmt) });
    assert_eq!(on("kvm-hv/power8", 16).outcome, "starts-with-warning");
    assert_eq!((on("kvm-hv/power9", 3).outcome, on("kvm-hv/power9", 3).qemu_outcome), ("fatal", "starts-with-warning"));
    assert_eq!((on("kvm-hv/power8", 3).outcome, on("kvm-hv/power8", 3).qemu_outcome), ("fatal", "fatal"));
    // No question to an old kernel that already is in the mode.
    assert_eq!(on("kvm-hv/power8-old-kernel", 8).outcome, "starts");
    let far = ask(Question { host: "kvm-hv/power8-old-kernel", cpus: Some(257), ..tcg("pseries-9.2", 8) });
    assert!(far.message.starts_with("Can't create CPU with id 2048 in KVM; Adjust the number of cpus to 256"), "{}", far.message);
}

#[test]
fn the_seed_gives_ids_twice_to_cores_of_sixteen() {
    let seed = |cpus| Question {
        ruleset: Some("seed"),
        machine: "2.12",
        host: "kvm-hv/power8",
        threads: 16,
        cpus: Some(cpus),
        ..Question::default()
    };
    assert_eq!(ask(seed(32)).message, "kvm_init_vcpu failed: File exists");
    // One core alone starts in QEMU, as two vcores. Not here: a second could never follow.
    assert_eq!((ask(seed(16)).outcome, ask(seed(16)).qemu_outcome), ("fatal", "starts"));
}

#[test]
fn threads_are_checked_in_qemus_order() {
    let message = |threads, vsmt| ask(Question { threads, vsmt, ..Question::default() }).message;
    assert!(message(3, Some(2)).contains("must be a power of 2"));
    assert!(message(9, None).contains("TCG cannot support more than 8 threads/core"));
    assert!(message(8, Some(4)).contains("Cannot support VSMT mode 4 because it must be >= threads/core (8)"));
    let p7 = ask(Question { threads: 2, cpu: Some("power7"), ..Question::default() });
    assert_eq!(p7.message, "TCG only supports SMT on POWER8 or newer CPUs");
    let held = ask(Question { threads: 2, cpu: Some("power9"), max_cpu_compat: Some("power7"), ..Question::default() });
    assert_eq!(held.message, "TCG only supports SMT on POWER8 or newer CPUs");
}

#[test]
fn the_interrupt_controller_follows_version_and_cpu() {
    let at = |machine, ic_mode, cpu| ask(Question { ruleset: Some("qemu-4.2"), machine, ic_mode, cpu, ..Question::default() });
    assert_eq!(at("3.0", Some("xics"), None).message, "This machine only uses the legacy XICS backend, don't pass ic-mode");
    assert_eq!(at("4.1", Some("xive"), Some("power8")).message, "XIVE-only machines require a POWER9 CPU");
    let ic = |answer: Answer| answer.ic.unwrap().name();
    assert_eq!(ic(at("4.1", Some("dual"), Some("power8"))), "xics");
    assert_eq!(ic(at("4.0", None, Some("power9"))), "xics");
    assert_eq!(ic(at("4.1", None, Some("power9"))), "dual");
}

#[test]
fn the_default_ruleset_is_the_versions_own() {
    let by = |machine| ask(Question { machine, host: "kvm-hv/power8", ..Question::default() });
    for (machine, ruleset, vsmt) in
        [("2.7", "qemu-2.10", 8), ("2.11", "qemu-2.11", 8), ("2.12-sxxm", "qemu-2.12", 8), ("4.1", "qemu-2.12", 8)]
    {
        assert_eq!((by(machine).ruleset, by(machine).vsmt), (ruleset, Some(vsmt)), "{machine}");
    }
    assert_eq!((by("4.2").ruleset, by("10.1").ruleset, by("pseries").ruleset), ("qemu-4.2", "qemu-4.2", "qemu-10.2"));
    assert_eq!(by("4.2").vsmt, Some(1));
    let gone = ask(Question { ruleset: Some("qemu-10.2"), machine: "4.2", ..Question::default() });
    assert_eq!(gone.message, "unsupported machine type: \"pseries-4.2\"");
}

#[test]
fn a_host_lends_no_processor_that_it_does_not_have() {
    let on = |host, cpu| ask(Question { host, cpu: Some(cpu), ..Question::default() });
    let refused = on("kvm-hv/power8", "power9");
    assert_eq!((refused.outcome, refused.hint.as_str()), ("fatal", "use cpu=\"power8_v2.0\", or leave cpu out"));
    assert_eq!(on("kvm-hv/power9", "power8").outcome, "starts");
}

#[test]
fn our_emulators_have_threads_under_every_ruleset() {
    let seed = ask(Question { ruleset: Some("seed"), machine: "2.12", threads: 4, ..Question::default() });
    assert_eq!((seed.outcome, seed.qemu_outcome, seed.vcpu_ids), ("starts", "fatal", vec![0, 1, 2, 3, 8, 9, 10, 11]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    /// Whatever is asked, there is an answer, and what starts keeps the promises of [`Vsmt`].
    #[test]
    fn any_question_gets_an_answer(
        (ruleset, host, version) in (0..RULES.len(), 0..HOSTS.len(), 0usize..36),
        (threads, cpus, more) in (any::<u32>(), any::<u32>(), any::<u32>()),
        (size, vsmt, power) in (0u32..32, any::<Option<i64>>(), any::<Option<u8>>()),
        (ic, cpu, compat) in (0usize..4, 0..2 * CPUS.len(), 0..2 * COMPAT_MODES.len()),
    ) {
        let machine = Version::all().nth(version).unwrap().to_string();
        let question = Question {
            ruleset: RULES.get(ruleset).map(|r| r.name),
            machine: &machine,
            host: HOSTS[host].name,
            threads: if threads % 8 == 0 { threads >> 8 } else { 1 << (threads % 5) },
            vsmt: power.map(|p| 1 << (p % 33)).or(vsmt),
            cpus: (cpus % 3 != 0).then_some(cpus >> size),
            max_cpus: (more % 4 == 0).then_some((cpus >> size).saturating_add(more >> 20)),
            ic_mode: IcMode::NAMES.get(ic).map(|(name, _)| *name),
            cpu: CPUS.get(cpu).map(|c| c.name),
            max_cpu_compat: COMPAT_MODES.get(compat).map(|m| m.name),
        };
        let Ok(answer) = explain(&question) else { return Ok(()) };
        prop_assert_ne!(answer.outcome, "aborts");
        prop_assert_eq!(answer.message.is_empty(), answer.outcome == "starts", "{:?}", answer);
        prop_assert_eq!(answer.hint.is_empty(), answer.outcome == "starts", "{:?}", answer);
        if answer.outcome != "fatal" {
            let (stride, servers) = (answer.vsmt.unwrap(), answer.max_server_number.unwrap());
            prop_assert!(stride.is_power_of_two() && stride >= question.threads && stride % answer.kernel_mode.unwrap() == 0 || !HOSTS[host].is_kvm());
            prop_assert!(answer.vcpu_ids.is_sorted_by(|a, b| a < b) && !answer.vcpu_ids.is_empty());
            prop_assert!(answer.vcpu_ids.iter().all(|&id| id < servers.min(1 << 28)));
            prop_assert!(servers <= 4096 || !answer.ic.unwrap().has_xive());
        }
    }
}
