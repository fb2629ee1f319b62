//! Every golden cell and every golden pair of VSMT, asked of [`explain`].
//!
//! The tables come from an oracle that shares no code with us and were checked against real QEMU and real KVM; their headers
//! explain the columns. A cell is one question; a pair is two starts of one guest: do its ids line up, and if
//! not, which explicit `vsmt` mends it.

use crate::csv::Row;
use crate::csv::report;
use crate::csv::rows;
use spapr::spapr::explain::Answer;
use spapr::spapr::explain::Question;
use spapr::spapr::explain::explain;
use spapr::spapr::pair::compare;

fn ids(answer: &Answer) -> String {
    answer.vcpu_ids.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

/// Where an answer differs from its cell.
fn differences(row: &Row<'_>, answer: &Answer) -> Vec<String> {
    let ours = if row.get("outcome") == "aborts" { "fatal" } else { row.get("outcome") };
    let number = |n: Option<u32>| n.map_or(String::new(), |n| n.to_string());
    [
        ("outcome", ours, answer.outcome.to_string()),
        ("qemu_outcome", row.get("outcome"), answer.qemu_outcome.to_string()),
        ("vsmt", row.get("vsmt"), number(answer.vsmt)),
        ("origin", row.get("origin"), answer.origin.to_string()),
        ("kernel_mode", row.get("kernel_mode"), number(answer.kernel_mode)),
        ("vcpu_ids", row.get("vcpu_ids"), ids(answer)),
        ("max_server_number", row.get("max_server_number"), number(answer.max_server_number)),
        ("advertised_servers", row.get("advertised_servers"), number(answer.advertised_servers)),
        ("ic", row.get("ic"), answer.ic.map_or(String::new(), |ic| ic.to_string())),
        ("message", row.get("message"), answer.message.clone()),
    ]
    .into_iter()
    .filter(|(_, want, have)| want != have)
    .map(|(column, want, have)| format!("{column}: the table says {want:?}, we say {have:?}"))
    .collect()
}

/// The question of a cell.
fn cell<'a>(row: &'a Row<'_>) -> Question<'a> {
    Question {
        ruleset: Some(row.get("ruleset")),
        machine: row.get("machine"),
        host: row.get("host"),
        threads: row.number("threads").unwrap(),
        vsmt: row.number("user_vsmt").map(i64::from),
        cpus: row.number("cpus"),
        max_cpus: row.number("max_cpus"),
        ic_mode: row.some("ic_mode"),
        cpu: row.some("cpu"),
        max_cpu_compat: None,
    }
}

#[test]
fn every_cell_of_the_golden_table() {
    let mut wrong = Vec::new();
    let count = rows(include_str!("../golden/vsmt/cells.csv"), |n, row| {
        let question = cell(row);
        let answer = explain(&question).unwrap();
        let mut differ = differences(row, &answer);
        if answer.outcome != "starts" && answer.hint.is_empty() {
            differ.push("a refusal or warning without a hint".to_string());
        }
        if !differ.is_empty() {
            wrong.push(format!("cell {n}, {question:?}:\n  {}", differ.join("\n  ")));
        }
    });
    report(&wrong);
    assert_eq!(count, 3979);
}

/// The question after taking a hint's first advice.
fn follow<'a>(question: &Question<'a>, hint: &str) -> Question<'a> {
    let number = |key: &str| {
        let digits = hint.split_once(key)?.1;
        digits[..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len())].parse::<u32>().ok()
    };
    if hint.contains("leave ruleset out") {
        return Question { ruleset: None, ..*question };
    }
    if hint.starts_with("leave vsmt out") {
        return Question { vsmt: None, ..*question };
    }
    if let Some(vsmt) = number("use vsmt=") {
        return Question { vsmt: Some(i64::from(vsmt)), ..*question };
    }
    let threads = number("use threads=").unwrap_or_else(|| panic!("no advice in {hint:?}"));
    Question { threads, cpus: None, max_cpus: None, ..*question }
}

/// Advice that leads to the next refusal is no advice: whoever follows the hints arrives at a machine that starts.
#[test]
fn every_hint_leads_to_a_start() {
    let mut wrong = Vec::new();
    rows(include_str!("../golden/vsmt/cells.csv"), |n, row| {
        let mut question = cell(row);
        let mut path = Vec::new();
        for _ in 0..4 {
            let answer = explain(&question).unwrap();
            if answer.outcome != "fatal" {
                return;
            }
            question = follow(&question, &answer.hint);
            path.push(format!("{}; {}", answer.message, answer.hint));
        }
        wrong.push(format!("cell {n}:\n  {}", path.join("\n  ")));
    });
    report(&wrong);
}

#[test]
fn every_golden_pair() {
    let mut wrong = Vec::new();
    let count = rows(include_str!("../golden/vsmt/pairs.csv"), |n, row| {
        let threads = row.number("threads").unwrap();
        let side = |ruleset: &str, host: &str| Question {
            ruleset: Some(row.get(ruleset)),
            machine: row.get("machine"),
            host: row.get(host),
            threads,
            vsmt: None,
            cpus: row.number("cpus"),
            max_cpus: None,
            ic_mode: None,
            cpu: row.some("cpu"),
            max_cpu_compat: None,
        };
        let pair = compare(&side("source_ruleset", "source_host"), &side("destination_ruleset", "destination_host")).unwrap();
        let number = |n: Option<u32>| n.map_or(String::new(), |n| n.to_string());
        let both_start = !pair.qemu_outcome.is_empty();
        let line_up = if !both_start {
            ""
        } else if pair.verdict.migrates() {
            "yes"
        } else {
            "no"
        };
        let remedy = pair.remedy.clone().unwrap_or(if pair.verdict.migrates() { "" } else { "none" }.to_string());
        let said = [&pair.source.message, &pair.destination.message].into_iter().find(|text| !text.is_empty());
        let differ: Vec<String> = [
            ("source_vsmt", number(pair.source.vsmt)),
            ("destination_vsmt", number(pair.destination.vsmt)),
            ("source_ids", ids(&pair.source)),
            ("destination_ids", ids(&pair.destination)),
            ("ids_line_up", line_up.to_string()),
            ("verdict", pair.verdict.text().to_string()),
            ("qemu_outcome", pair.qemu_outcome.to_string()),
            ("remedy", remedy),
            ("message", said.cloned().unwrap_or_default()),
        ]
        .into_iter()
        .filter(|(column, have)| row.get(column) != have)
        .map(|(column, have)| format!("{column}: the table says {:?}, we say {have:?}", row.get(column)))
        .collect();
        if !differ.is_empty() {
            wrong.push(format!("pair {n}:\n  {}", differ.join("\n  ")));
        }
    });
    report(&wrong);
    assert_eq!(count, 572);
}
