//! Where findings go: into a list with all their words, or into numbers.
//!
//! The rules run a million times for a matrix, and its texts are read for a few cells. So a rule hands over its code and weight at once and its words as
//! a closure, which only a list calls.

use crate::spapr::compat::reason::Code;
use crate::spapr::compat::reason::Reason;
use crate::spapr::compat::reason::Weight;
use crate::spapr::compat::reason::Words;

/// Takes findings.
pub trait Sink {
    /// Takes one.
    fn add(&mut self, weight: Weight, code: Code, words: impl FnOnce() -> Words);

    /// The weightiest so far.
    fn weight(&self) -> Option<Weight>;
}

impl Sink for Vec<Reason> {
    fn add(&mut self, weight: Weight, code: Code, words: impl FnOnce() -> Words) {
        self.push(Reason::new(weight, code, words()));
    }

    fn weight(&self) -> Option<Weight> {
        self.iter().map(|reason| reason.weight).min()
    }
}

/// Findings as bits, numbered as [`Code::number`] says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Codes {
    /// One bit each.
    pub all: u64,
    /// The first of the weightiest.
    pub first: Option<(Weight, Code)>,
}

impl Sink for Codes {
    fn add(&mut self, weight: Weight, code: Code, _: impl FnOnce() -> Words) {
        self.all |= 1 << code.number();
        if self.first.is_none_or(|(most, _)| weight < most) {
            self.first = Some((weight, code));
        }
    }

    fn weight(&self) -> Option<Weight> {
        self.first.map(|(weight, _)| weight)
    }
}
