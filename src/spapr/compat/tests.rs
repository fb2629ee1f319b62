//! Pairs that differ in one thing, and what the rules say of it.

use crate::spapr::caps::Cap;
use crate::spapr::compat::Code;
use crate::spapr::compat::Codes;
use crate::spapr::compat::Description;
use crate::spapr::compat::Judgement;
use crate::spapr::compat::Qemu;
use crate::spapr::compat::Side;
use crate::spapr::compat::Verdict;
use crate::spapr::compat::check;
use crate::spapr::compat::judge;
use crate::spapr::compat::weigh;
use crate::spapr::machine::MmuMode;
use crate::spapr::smp::SmpSettings;
use crate::spapr::spec;
use crate::spapr::spec::NodeSettings;
use crate::spapr::spec::Settings;

fn described(change: impl FnOnce(&mut Settings)) -> Description {
    let mut settings = Settings { cpu: Some("power9".to_string()), smp: SmpSettings::parse("4,threads=2").unwrap(), ..Settings::default() };
    change(&mut settings);
    Description::of(&spec::check(&settings).unwrap())
}

/// What the default machine's guest meets at one that differs.
fn to(change: impl FnOnce(&mut Settings)) -> Judgement {
    check(&described(|_| {}), &described(change))
}

/// The only reason's code and what QEMU does.
fn only(judgement: &Judgement) -> (Code, &str) {
    let [reason] = judgement.reasons.as_slice() else { panic!("{:#?}", judgement.reasons) };
    (reason.code, reason.qemu.outcome())
}

#[test]
fn the_same_machine_migrates_without_a_word() {
    assert_eq!(to(|_| {}), Judgement { verdict: Verdict::Migrates, reasons: Vec::new() });
}

/// A name for the case, what differs, the code, what QEMU does.
type Case = (&'static str, fn(&mut Settings), Code, &'static str);

#[test]
fn one_difference_is_one_refusal() {
    let cases: [Case; 10] = [
        ("machine", |s| s.machine = "pseries-10.1".into(), Code::Machine, "fails"),
        ("cpus", |s| s.smp = SmpSettings::parse("8,threads=2").unwrap(), Code::Cpus, "fails"),
        ("maxcpus", |s| s.smp = SmpSettings::parse("4,threads=2,maxcpus=8").unwrap(), Code::MaxCpus, "fails"),
        // Four servers either way, so that nothing in the stream has another length.
        ("threads", |s| s.smp = SmpSettings::parse("4,threads=4").unwrap(), Code::Threads, "accepts-and-corrupts"),
        ("vsmt", |s| s.vsmt = Some(8), Code::Vsmt, "fails"),
        ("memory", |s| s.memory = 1 << 30, Code::Ram, "fails"),
        ("maxmem", |s| s.maxmem = Some(1 << 30), Code::MaxMem, "accepts-and-corrupts"),
        ("numa", |s| s.nodes = vec![NodeSettings::default(); 2], Code::Numa, "accepts-and-corrupts"),
        ("vtys", |s| s.vtys = vec![None, Some(0x3000_0000)], Code::DeviceExtra, "accepts"),
        ("nvram", |s| s.nvram_bytes = Some(32 << 10), Code::DeviceDiffers, "fails"),
    ];
    for (name, change, code, qemu) in cases {
        let judgement = to(change);
        assert_eq!((judgement.verdict, only(&judgement)), (Verdict::Refused, (code, qemu)), "{name}");
    }
}

#[test]
fn vsmt_under_xics_alone_is_what_qemu_accepts_and_corrupts() {
    let xics = |vsmt| described(|s| (s.ic_mode, s.vsmt) = (Some("xics".into()), vsmt));
    let judgement = check(&xics(Some(4)), &xics(Some(8)));
    assert_eq!(judgement.reasons[0].qemu, Qemu::Corrupts);
    let text = judgement.text();
    assert!(
        text.contains(
            "the guest's cores have the vcpu ids 0,4 (vsmt=4, 8 servers), and the destination's 0,8 (vsmt=8, 16 servers); use vsmt=4 on"
        ),
        "{text}"
    );
}

#[test]
fn capabilities_may_rise_and_not_fall() {
    let down = to(|s| s.caps = vec![("large-decr".into(), "off".into())]);
    assert_eq!((down.verdict, only(&down)), (Verdict::Refused, (Code::CapHigher(Cap::LargeDecr), "fails")));
    assert_eq!(down.reasons[0].qemu.message(), "cap-large-decr higher level (1) in incoming stream than on destination (0)");
    assert_eq!(down.reasons[0].code.name(), "cap-large-decr-higher-than-destination");
    let up = to(|s| s.caps = vec![("hpt-max-page-size".into(), "16M".into())]);
    assert_eq!((up.verdict, only(&up)), (Verdict::MigratesWithWarning, (Code::CapLower(Cap::HptMaxPageSize), "warns")));
}

#[test]
fn processors_meet_in_a_mode() {
    let cpu = |name: &str, max: Option<&str>| {
        described(|s| (s.cpu, s.max_cpu_compat, s.ic_mode) = (Some(name.into()), max.map(String::from), Some("xics".into())))
    };
    let codes = |from: &Description, to: &Description| check(from, to).refusals().map(|reason| reason.code).collect::<Vec<_>>();
    assert_eq!(codes(&cpu("power9", None), &cpu("power10", None)), [Code::Cpu]);
    assert_eq!(codes(&cpu("power9", Some("power9")), &cpu("power10", Some("power9"))), []);
    assert_eq!(codes(&cpu("power10", Some("power9")), &cpu("power8", None)), [Code::CompatMode, Code::CapHigher(Cap::LargeDecr)]);
    assert_eq!(codes(&cpu("power9", None), &cpu("power9", Some("power8"))), [Code::MaxCpuCompat, Code::CapHigher(Cap::LargeDecr)]);
    assert_eq!(codes(&cpu("power9", Some("power8")), &cpu("power8", None)), []);
}

#[test]
fn translation_counts_once_it_is_chosen() {
    let (mut guest, mut hash) = (described(|_| {}), described(|_| {}));
    hash.mmu.radix = false;
    let before = check(&guest, &hash);
    assert_eq!((before.verdict, only(&before).0), (Verdict::Migrates, Code::Mmu));
    guest.mmu_active = Some(MmuMode::Radix);
    assert_eq!(check(&guest, &hash).verdict, Verdict::Refused);
    guest.mmu_active = Some(MmuMode::Hash);
    assert_eq!(check(&guest, &hash).reasons, []);
}

#[test]
fn a_side_that_does_not_start_decides() {
    let side = |vsmt: i64| {
        let settings = Settings { smp: SmpSettings::parse("4,threads=4").unwrap(), vsmt: Some(vsmt), ..Settings::default() };
        match spec::check(&settings) {
            Ok(spec) => Side::Starts(Box::new(Description::of(&spec)), spec.warnings),
            Err(error) => Side::CannotStart(error),
        }
    };
    assert_eq!(judge(&side(2), &side(2)).verdict, Verdict::SourceCannotStart);
    let judgement = judge(&side(4), &side(2));
    assert_eq!((judgement.verdict, only(&judgement)), (Verdict::DestinationCannotStart, (Code::DestinationStart, "does-not-start")));
    assert!(judgement.text().starts_with("vsmt: Cannot support VSMT mode 2"), "{}", judgement.text());
}

#[test]
fn numbers_and_words_agree() {
    assert!(Code::all().enumerate().all(|(n, code)| code.number() as usize == n));
    assert_eq!(Code::all().count(), Code::COUNT);
    let (from, to) = (described(|_| {}), described(|s| (s.vsmt, s.memory, s.uuid) = (Some(8), 1 << 30, Some("00".repeat(16)))));
    let bits = check(&from, &to).reasons.iter().fold(0, |bits, reason| bits | 1 << reason.code.number());
    let [from, to] = [from, to].map(|description| Side::Starts(Box::new(description), Vec::new()));
    let mut codes = Codes::default();
    assert_eq!(weigh(&from, &to, &mut codes), Verdict::Refused);
    assert_eq!((codes.all, codes.first.unwrap().1), (bits, Code::Vsmt));
}
