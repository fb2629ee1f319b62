//! Every golden pair once more, as whole machines and by the rules that a destination applies.
//!
//! `vsmt_cells` asks about the numbering alone. Here each side is a complete machine on its host, with everything else that migration depends on made
//! equal, as a careful user would: one processor mode that both have, and the capabilities that some host lacks turned off.

use crate::csv::Row;
use crate::csv::report;
use crate::csv::rows;
use spapr::spapr::compat::Qemu;
use spapr::spapr::compat::Side;
use spapr::spapr::compat::Weight;
use spapr::spapr::compat::judge;
use spapr::spapr::compat::mend;
use spapr::spapr::host::HostProfile;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::Settings;

/// What some host of the table does not have.
const OFF: [(&str, &str); 9] = [
    ("htm", "off"),
    ("cfpc", "broken"),
    ("sbbc", "broken"),
    ("ibs", "broken"),
    ("ccf-assist", "off"),
    ("fwnmi", "off"),
    ("ail-mode-3", "off"),
    ("large-decr", "off"),
    ("hpt-max-page-size", "64K"),
];

fn side(row: &Row<'_>, ruleset: &str, host: &str) -> Settings {
    let (host, cpu) = (row.get(host), row.get("cpu"));
    let kvm = HostProfile::named(host).unwrap().is_kvm();
    Settings {
        machine: row.get("machine").to_string(),
        ruleset: Some(row.get(ruleset).to_string()),
        host: Some(host.to_string()),
        cpu: Some(if kvm { "host" } else { cpu }.to_string()),
        max_cpu_compat: Some(cpu.to_string()),
        smp: SmpSettings { cpus: row.number("cpus"), threads: row.number("threads"), ..SmpSettings::default() },
        caps: OFF.iter().map(|(name, level)| (name.to_string(), level.to_string())).collect(),
        ..Settings::default()
    }
}

#[test]
fn every_golden_pair_by_the_destinations_rules() {
    let mut wrong = Vec::new();
    let count = rows(include_str!("../golden/vsmt/pairs.csv"), |n, row| {
        let (source, destination) = (side(row, "source_ruleset", "source_host"), side(row, "destination_ruleset", "destination_host"));
        let judgement = judge(&Side::of(&source), &Side::of(&destination));
        let qemu = judgement.reasons.iter().filter(|reason| reason.weight != Weight::Notes).map(|reason| &reason.qemu).next();
        let qemu = match qemu {
            None | Some(Qemu::Warns(_) | Qemu::Accepts) => "migrates",
            Some(Qemu::DoesNotStart(_)) => "",
            Some(Qemu::Fails(text)) => {
                assert!(!text.contains("vsmt"), "{text}");
                "the load fails, vsmt not named"
            }
            Some(Qemu::Corrupts) => "accepts silently, guest damaged",
        };
        let remedy = match mend(&source, &destination) {
            Some(remedy) => remedy.to_string(),
            None if judgement.verdict.migrates() => String::new(),
            None => "none".to_string(),
        };
        let message =
            judgement.reasons.iter().map(|reason| reason.qemu.message()).find(|text| !text.is_empty() && !text.contains("footer"));
        let differ: Vec<String> = [
            ("verdict", judgement.verdict.text().to_string()),
            ("qemu_outcome", qemu.to_string()),
            ("remedy", remedy),
            ("message", message.unwrap_or_default().to_string()),
        ]
        .into_iter()
        .filter(|(column, have)| row.get(column) != have)
        .map(|(column, have)| format!("{column}: the table says {:?}, we say {have:?}", row.get(column)))
        .collect();
        if !differ.is_empty() {
            wrong.push(format!("pair {n}, {source:?} -> {:?}:\n  {}\n  {:#?}", destination.host, differ.join("\n  "), judgement.reasons));
        }
    });
    report(&wrong);
    assert_eq!(count, 572);
}
