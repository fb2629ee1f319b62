//! Choices as words: what stands in saved state for an enumeration. A word, once written, means the same for ever.

use crate::spapr::devtree::ByteOrder;
use crate::spapr::devtree::IsaKnowledge;
use crate::spapr::drc;
use crate::spapr::events::Class;
use crate::spapr::machine::MmuMode;
use crate::spapr::machine::RunState;
use crate::spapr::watchdog::Action;
use crate::state::Bad;

/// An enumeration with words for its values.
pub(super) trait Words: Copy + PartialEq + 'static {
    /// What it is, for people.
    const WHAT: &'static str;
    /// All values.
    const WORDS: &'static [(&'static str, Self)];

    fn word(self) -> String {
        let row = Self::WORDS.iter().find(|(_, value)| *value == self);
        row.map(|(word, _)| word.to_string()).expect("every value has a word")
    }

    fn of(word: &str) -> Result<Self, Bad> {
        let row = Self::WORDS.iter().find(|(known, _)| *known == word);
        row.map(|(_, value)| *value).ok_or_else(|| Bad::new(format!("{word:?} is no {}", Self::WHAT)))
    }
}

impl Words for MmuMode {
    const WHAT: &'static str = "way to translate";
    const WORDS: &'static [(&'static str, Self)] = &[("hash", MmuMode::Hash), ("radix", MmuMode::Radix)];
}

impl Words for RunState {
    const WHAT: &'static str = "state of a vCPU";
    const WORDS: &'static [(&'static str, Self)] =
        &[("stopped", RunState::Stopped), ("running", RunState::Running), ("joined", RunState::Joined)];
}

impl Words for Class {
    const WHAT: &'static str = "class of events";
    const WORDS: &'static [(&'static str, Self)] = &[("epow", Class::Epow), ("hot-plug", Class::HotPlug)];
}

impl Words for Action {
    const WHAT: &'static str = "watchdog action";
    const WORDS: &'static [(&'static str, Self)] =
        &[("power-off", Action::PowerOff), ("restart", Action::Restart), ("dump-restart", Action::DumpRestart)];
}

impl Words for drc::State {
    const WHAT: &'static str = "state of a connector";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("unusable", drc::State::Unusable),
        ("available", drc::State::Available),
        ("unisolated", drc::State::Unisolated),
        ("configured", drc::State::Configured),
    ];
}

impl Words for drc::Plugged {
    const WHAT: &'static str = "content of a connector";
    const WORDS: &'static [(&'static str, Self)] =
        &[("no", drc::Plugged::No), ("yes", drc::Plugged::Yes), ("unplug-requested", drc::Plugged::UnplugRequested)];
}

impl Words for ByteOrder {
    const WHAT: &'static str = "byte order";
    const WORDS: &'static [(&'static str, Self)] = &[("big", ByteOrder::Big), ("little", ByteOrder::Little)];
}

impl Words for IsaKnowledge {
    const WHAT: &'static str = "age of a guest";
    const WORDS: &'static [(&'static str, Self)] = &[("3.0", IsaKnowledge::Isa3), ("older", IsaKnowledge::Older)];
}
