//! The source half of XICS: where each interrupt goes, and what became of its last event (PAPR, interrupt sources).
//!
//! An event that can't be delivered stays with its source: masked (priority ff) or rejected by the server. A bitmap of two levels
//! names the sources that have reason to be presented again, so that a server that becomes idle finds them without walking all of
//! them; a bit may be stale, [`Sources::take_waiting`] decides.

use crate::dev::irq::Level;
use crate::dev::irq::SourceKind;
use crate::intc::SOURCES_MAX;

/// The priority of a masked source.
pub const MASKED: u8 = 0xff;

/// Status: the line of a level source is high.
pub const ASSERTED: u8 = 1;
/// Status: a level source was presented and not yet ended by EOI.
pub const SENT: u8 = 2;
/// Status: an edge source was rejected by its server.
pub const REJECTED: u8 = 4;
/// Status: an edge source had an event while masked.
pub const MASKED_PENDING: u8 = 8;

/// Flag: claimed as level source.
pub const FLAG_LSI: u8 = 1;
/// Flag: claimed as edge source.
pub const FLAG_MSI: u8 = 2;

/// One source, as saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceState {
    /// The server it goes to.
    pub server: u32,
    /// ff: masked.
    pub priority: u8,
    /// What ibm,int-on restores.
    pub saved_priority: u8,
    /// Sum of [`ASSERTED`], [`SENT`], [`REJECTED`], [`MASKED_PENDING`].
    pub status: u8,
    /// [`FLAG_LSI`], [`FLAG_MSI`] or 0 for unclaimed.
    pub flags: u8,
}

impl SourceState {
    /// As after power-on, unclaimed.
    pub const RESET: SourceState = SourceState { server: 0, priority: MASKED, saved_priority: MASKED, status: 0, flags: 0 };
}

const WORDS: usize = (SOURCES_MAX / 64) as usize;

/// All sources, by number − 0x1000.
pub struct Sources {
    states: Vec<SourceState>,
    /// A bit for each source that may have reason to be presented again.
    waiting: [u64; WORDS],
    /// A bit for each word of `waiting` that is not zero.
    words: u64,
}

impl Sources {
    /// `count` unclaimed sources.
    pub fn new(count: u32) -> Sources {
        assert!(count <= SOURCES_MAX, "the bitmap of waiting sources is too small");
        Sources { states: vec![SourceState::RESET; count as usize], waiting: [0; WORDS], words: 0 }
    }

    /// All of them.
    pub fn states(&self) -> &[SourceState] {
        &self.states
    }

    /// A copy of one.
    pub fn get(&self, s: usize) -> Option<SourceState> {
        self.states.get(s).copied()
    }

    /// Makes a source usable.
    pub fn claim(&mut self, s: usize, kind: SourceKind) {
        self.free(s);
        if let Some(state) = self.states.get_mut(s) {
            state.flags = match kind {
                SourceKind::Lsi => FLAG_LSI,
                SourceKind::Msi => FLAG_MSI,
            };
        }
    }

    /// Makes a source unusable; what it had is dropped.
    pub fn free(&mut self, s: usize) {
        if let Some(state) = self.states.get_mut(s) {
            *state = SourceState::RESET;
            self.unmark(s);
        }
    }

    /// As after power-on, but for the claims.
    pub fn reset(&mut self) {
        for state in &mut self.states {
            *state = SourceState { flags: state.flags, ..SourceState::RESET };
        }
        self.waiting = [0; WORDS];
        self.words = 0;
    }

    /// Sets all of a source; whether it waits follows.
    pub fn set(&mut self, s: usize, to: SourceState) {
        let Some(state) = self.states.get_mut(s) else { return };
        *state = to;
        if (to.flags == FLAG_MSI && to.status & REJECTED != 0) || (to.flags == FLAG_LSI && to.status & (ASSERTED | SENT) == ASSERTED) {
            self.mark(s);
        } else {
            self.unmark(s);
        }
    }

    fn mark(&mut self, s: usize) {
        self.waiting[s / 64] |= 1 << (s % 64);
        self.words |= 1 << (s / 64);
    }

    fn unmark(&mut self, s: usize) {
        self.waiting[s / 64] &= !(1 << (s % 64));
        if self.waiting[s / 64] == 0 {
            self.words &= !(1 << (s / 64));
        }
    }

    /// The first source from `from` on that may wait.
    pub fn next_waiting(&self, from: usize) -> Option<usize> {
        let (word, bit) = (from / 64, from % 64);
        let here = self.waiting.get(word)? & (u64::MAX << bit);
        if here != 0 {
            return Some(word * 64 + here.trailing_zeros() as usize);
        }
        // Two shifts, because shifting by 64 is not defined.
        let later = self.words & (u64::MAX << word << 1);
        (later != 0).then(|| {
            let word = later.trailing_zeros() as usize;
            word * 64 + self.waiting[word].trailing_zeros() as usize
        })
    }

    /// An event of an edge source; says whether to present it now.
    pub fn trigger(&mut self, s: usize) -> bool {
        let Some(state) = self.states.get_mut(s).filter(|state| state.flags & FLAG_MSI != 0) else { return false };
        if state.priority == MASKED {
            // Unmasking will present it; no server needs to find it.
            state.status |= MASKED_PENDING;
            return false;
        }
        true
    }

    /// The line of a level source; says whether it may have to be presented.
    pub fn set_level(&mut self, s: usize, level: Level) -> bool {
        let Some(state) = self.states.get_mut(s).filter(|state| state.flags & FLAG_LSI != 0) else { return false };
        match level {
            Level::High => {
                state.status |= ASSERTED;
                self.mark(s);
                true
            }
            Level::Low => {
                state.status &= !ASSERTED;
                self.unmark(s);
                false
            }
        }
    }

    /// The server turned it away.
    pub fn reject(&mut self, s: usize) {
        let Some(state) = self.states.get_mut(s) else { return };
        match state.flags {
            FLAG_MSI => state.status |= REJECTED,
            FLAG_LSI => state.status &= !SENT,
            _ => return,
        }
        if state.flags == FLAG_MSI || state.status & ASSERTED != 0 {
            self.mark(s);
        }
    }

    /// Whether a waiting source is to be presented now; if so it counts as sent.
    pub fn take_waiting(&mut self, s: usize) -> bool {
        let Some(state) = self.states.get_mut(s) else { return false };
        let due = match state.flags {
            FLAG_MSI => state.status & (REJECTED | MASKED_PENDING) != 0,
            FLAG_LSI => state.status & (ASSERTED | SENT) == ASSERTED,
            _ => false,
        };
        if due && state.priority == MASKED {
            // It waits for the guest to unmask it, which presents it: no server needs to find it. An edge event is kept
            // (departs: QEMU drops one that was rejected before the source was masked).
            if state.flags == FLAG_MSI {
                state.status = (state.status & !REJECTED) | MASKED_PENDING;
            }
            self.unmark(s);
            return false;
        }
        if due {
            match state.flags {
                FLAG_MSI => state.status &= !(REJECTED | MASKED_PENDING),
                _ => state.status |= SENT,
            }
        }
        self.unmark(s);
        due
    }

    /// The guest has served it; says whether it is a level source that still asks.
    pub fn eoi(&mut self, s: usize) -> bool {
        let Some(state) = self.states.get_mut(s).filter(|state| state.flags & FLAG_LSI != 0) else { return false };
        state.status &= !SENT;
        let asks = state.status & ASSERTED != 0;
        if asks {
            self.mark(s);
        }
        asks
    }

    /// The guest says where it goes. The caller then presents what waits.
    pub fn route(&mut self, s: usize, server: u32, priority: u8, saved_priority: u8) {
        if let Some(state) = self.states.get_mut(s) {
            (state.server, state.priority, state.saved_priority) = (server, priority, saved_priority);
        }
    }
}
