//! May this guest move there? One set of rules for every answer.
//!
//! A prediction that is made by other code than the refusal is worth little. So both sides of a migration are put into the same plain words, a
//! [`Description`], and [`check`] compares two of them: for `spapr.check` before anything runs, for a whole matrix of machines and hosts, and at the
//! destination when a stream arrives, before any page moves. Every rule is a row of `rules`, and what it finds is data, a [`Reason`]: which setting,
//! both values, what to write instead, and what QEMU does in the same place; too often that is to accept the stream and damage the guest.
//!
//! [`Side`] is what a side came to: a machine, or the refusal to start one. [`judge`] compares two of these.

mod description;
pub mod matrix;
mod reason;
mod remedy;
mod rules;
mod sink;

#[cfg(test)]
mod tests;

pub use description::Description;
pub use description::Device;
pub use description::Node;
pub use reason::Code;
pub use reason::Qemu;
pub use reason::Reason;
pub use reason::Weight;
pub use remedy::Remedy;
pub use remedy::find as remedy;
pub use sink::Codes;
pub use sink::Sink;

pub use crate::spapr::options::MmuModes;

use crate::error::Error;
use crate::spapr::spec;
use crate::spapr::spec::Settings;
use crate::spapr::spec::Warning;

/// What comes of a move.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Verdict {
    /// The guest arrives whole.
    Migrates,
    /// It does, and a side has something to say.
    MigratesWithWarning,
    /// The destination must not take it.
    Refused,
    /// There is nothing to migrate.
    SourceCannotStart,
    /// There is nowhere to migrate to.
    DestinationCannotStart,
}

impl Verdict {
    /// All verdicts; the position is the number that the matrix stores.
    pub const ALL: [Verdict; 5] =
        [Verdict::Migrates, Verdict::MigratesWithWarning, Verdict::Refused, Verdict::SourceCannotStart, Verdict::DestinationCannotStart];

    /// As the golden table and users read it.
    pub fn text(self) -> &'static str {
        match self {
            Verdict::Migrates => "migrates",
            Verdict::MigratesWithWarning => "migrates-with-warning",
            Verdict::Refused => "refused",
            Verdict::SourceCannotStart => "source-cannot-start",
            Verdict::DestinationCannotStart => "destination-cannot-start",
        }
    }

    /// Whether the guest arrives whole.
    pub fn migrates(self) -> bool {
        match self {
            Verdict::Migrates | Verdict::MigratesWithWarning => true,
            Verdict::Refused | Verdict::SourceCannotStart | Verdict::DestinationCannotStart => false,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

/// A verdict with everything that speaks for it, the weightiest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why; empty if there is nothing to say.
    pub reasons: Vec<Reason>,
}

impl Judgement {
    /// The reasons that forbid the move.
    pub fn refusals(&self) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(|reason| reason.weight == Weight::Refuses)
    }

    /// `<setting>: <what is wrong>; <what to write instead>` of everything that forbids the move, joined with "; and ".
    pub fn text(&self) -> String {
        self.refusals().map(Reason::to_string).collect::<Vec<_>>().join("; and ")
    }
}

/// What a side came to: a machine with what it had to say, or why there is none.
#[derive(Debug)]
pub enum Side {
    /// It starts.
    Starts(Box<Description>, Vec<Warning>),
    /// It does not.
    CannotStart(Error),
}

impl Side {
    /// What comes of some settings.
    pub fn of(settings: &Settings) -> Side {
        match spec::check(settings) {
            Ok(spec) => {
                let description = Box::new(Description::of(&spec));
                Side::Starts(description, spec.warnings)
            }
            Err(error) => Side::CannotStart(error),
        }
    }
}

/// Whether the guest of `source` may go on at `destination`. Both have started.
pub fn check(source: &Description, destination: &Description) -> Judgement {
    let mut reasons: Vec<Reason> = Vec::new();
    rules::apply(source, destination, &mut reasons);
    settle(reasons)
}

/// As [`check`], where a side may not have started.
pub fn judge(source: &Side, destination: &Side) -> Judgement {
    let mut reasons: Vec<Reason> = Vec::new();
    let verdict = weigh(source, destination, &mut reasons);
    reasons.sort_by_key(|reason| reason.weight);
    Judgement { verdict, reasons }
}

/// The explicit `vsmt` with which a guest moves that does not move now, if there is one.
pub fn mend(source: &Settings, destination: &Settings) -> Option<Remedy> {
    let told = |settings: &Settings, vsmt: Option<u32>| match vsmt {
        None => Side::of(settings),
        Some(vsmt) => Side::of(&Settings { vsmt: Some(i64::from(vsmt)), ..settings.clone() }),
    };
    let goes = |from: Option<u32>, to: Option<u32>| weigh(&told(source, from), &told(destination, to), &mut Codes::default()).migrates();
    if goes(None, None) {
        return None;
    }
    let running = |settings: &Settings| match Side::of(settings) {
        Side::Starts(description, _) => Some(description.vsmt),
        Side::CannotStart(_) => None,
    };
    remedy(running(source), running(destination), goes)
}

/// The verdict on two sides; what speaks for it goes to `sink`.
pub fn weigh(source: &Side, destination: &Side, sink: &mut impl Sink) -> Verdict {
    match (source, destination) {
        (Side::CannotStart(error), _) => {
            sink.add(Weight::Refuses, Code::SourceStart, || reason::start("source", error));
            Verdict::SourceCannotStart
        }
        (_, Side::CannotStart(error)) => {
            sink.add(Weight::Refuses, Code::DestinationStart, || reason::start("destination", error));
            Verdict::DestinationCannotStart
        }
        (Side::Starts(from, first), Side::Starts(to, second)) => {
            rules::apply(from, to, sink);
            for (code, side, warnings) in [(Code::SourceWarning, "source", first), (Code::DestinationWarning, "destination", second)] {
                for warning in warnings {
                    sink.add(Weight::Warns, code, || reason::warning(side, warning));
                }
            }
            of(sink.weight())
        }
    }
}

fn settle(mut reasons: Vec<Reason>) -> Judgement {
    reasons.sort_by_key(|reason| reason.weight);
    Judgement { verdict: of(Sink::weight(&reasons)), reasons }
}

/// The verdict where both sides run and this is the weightiest that was found.
fn of(weight: Option<Weight>) -> Verdict {
    match weight {
        Some(Weight::Refuses) => Verdict::Refused,
        Some(Weight::Warns) => Verdict::MigratesWithWarning,
        Some(Weight::Notes) | None => Verdict::Migrates,
    }
}
