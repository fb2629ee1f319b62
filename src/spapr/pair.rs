//! Two hosts and one guest: do the vcpu ids line up?
//!
//! The seed patch changed the default for exactly this question. QEMU's migration stream says nothing of VSMT: with XIVE in it
//! the load fails over a table of another length, with XICS alone it succeeds and the guest's interrupts go to vcpus that do not
//! exist. So the ids of both sides are compared before anything moves, and when they differ the answer names the explicit `vsmt`
//! that brings them together, if the hosts grant one.

use crate::error::Result;
use crate::spapr::compat;
use crate::spapr::compat::Verdict;
use crate::spapr::explain::Answer;
use crate::spapr::explain::Question;
use crate::spapr::explain::explain;
use crate::spapr::options::IcMode;

/// The answer for two hosts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pair {
    /// The guest's start on the source.
    pub source: Answer,
    /// Its start on the destination.
    pub destination: Answer,
    /// What a good VMM says.
    pub verdict: Verdict,
    /// What QEMU does with the stream; empty if a side does not start.
    pub qemu_outcome: &'static str,
    /// The explicit `vsmt` with which it goes; `None` if it goes anyway or there is none.
    pub remedy: Option<String>,
}

/// Asks both sides. The questions should differ in host and ruleset alone; whatever else differs counts as the user's mistake
/// and shows in the ids.
pub fn compare(source: &Question<'_>, destination: &Question<'_>) -> Result<Pair> {
    let (first, second) = (explain(source)?, explain(destination)?);
    let verdict = verdict(&first, &second);
    let both_start = first.outcome != "fatal" && second.outcome != "fatal";
    let xive = |answer: &Answer| answer.ic.is_some_and(IcMode::has_xive);
    let qemu_outcome = match (both_start, verdict.migrates()) {
        (false, _) => "",
        (true, true) => "migrates",
        (true, false) if xive(&first) || xive(&second) => "the load fails, vsmt not named",
        (true, false) => "accepts silently, guest damaged",
    };
    let remedy = if verdict.migrates() { None } else { remedy(source, destination, &first, &second)? };
    Ok(Pair { source: first, destination: second, verdict, qemu_outcome, remedy })
}

fn verdict(source: &Answer, destination: &Answer) -> Verdict {
    if source.outcome == "fatal" {
        Verdict::SourceCannotStart
    } else if destination.outcome == "fatal" {
        Verdict::DestinationCannotStart
    } else if source.vcpu_ids != destination.vcpu_ids || source.max_server_number != destination.max_server_number {
        Verdict::Refused
    } else if source.outcome == "starts" && destination.outcome == "starts" {
        Verdict::Migrates
    } else {
        Verdict::MigratesWithWarning
    }
}

/// The explicit `vsmt` that helps, if there is one.
fn remedy(source: &Question<'_>, destination: &Question<'_>, first: &Answer, second: &Answer) -> Result<Option<String>> {
    let told = |question: &Question<'_>, own: &Answer, vsmt: Option<u32>| match vsmt {
        None => Ok(own.clone()),
        Some(vsmt) => explain(&Question { vsmt: Some(i64::from(vsmt)), ..*question }),
    };
    let running = |answer: &Answer| answer.vsmt.filter(|_| answer.outcome != "fatal");
    let mut failed = None;
    let found = compat::remedy(running(first), running(second), |from, to| {
        match told(source, first, from).and_then(|a| Ok(verdict(&a, &told(destination, second, to)?))) {
            Ok(verdict) => verdict.migrates(),
            Err(error) => {
                failed = Some(error);
                false
            }
        }
    });
    failed.map_or(Ok(found.map(|remedy| remedy.to_string())), Err)
}
