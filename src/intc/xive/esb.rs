//! Event state buffers: two bits per source that coalesce its events (XIVE, ESB).
//!
//! A source notifies once and then only notes, until its handler says it is done; so a storm of events costs the machine one
//! interrupt. The guest works the bits by loads and stores on the source's pages; the offset is the operation.

use crate::dev::irq::Level;
use crate::dev::irq::SourceKind;

/// log2 of the bytes of one page of a source.
pub const PAGE_SHIFT: u32 = 16;

/// log2 of the bytes of a source's two pages: trigger, then management.
pub const SOURCE_SHIFT: u32 = PAGE_SHIFT + 1;

/// The two bits: P (an event was notified), Q (another came since).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Pq {
    /// Idle: the next event notifies.
    Reset = 0b00,
    /// Off: events are dropped.
    Off = 0b01,
    /// Notified, and not yet ended.
    Pending = 0b10,
    /// Notified, and another event came.
    Queued = 0b11,
}

impl Pq {
    fn of(bits: u64) -> Pq {
        match bits & 3 {
            0b00 => Pq::Reset,
            0b01 => Pq::Off,
            0b10 => Pq::Pending,
            _ => Pq::Queued,
        }
    }

    /// From the P and Q bits of an END word, in the low two bits.
    pub fn of_bits(bits: u32) -> Pq {
        Pq::of(u64::from(bits))
    }

    /// An event.
    pub fn trigger(&mut self) -> Notify {
        match *self {
            Pq::Reset => {
                *self = Pq::Pending;
                Notify::Yes
            }
            Pq::Pending | Pq::Queued => {
                *self = Pq::Queued;
                Notify::No
            }
            Pq::Off => Notify::No,
        }
    }

    /// The handler is done.
    pub fn eoi(&mut self) -> Notify {
        match *self {
            Pq::Reset | Pq::Pending => {
                *self = Pq::Reset;
                Notify::No
            }
            Pq::Queued => {
                *self = Pq::Pending;
                Notify::Yes
            }
            Pq::Off => Notify::No,
        }
    }
}

/// Whether an event goes on to the router.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a notification that is not routed is a lost interrupt"]
pub enum Notify {
    /// It ends here.
    No,
    /// To the router.
    Yes,
}

/// One source, as saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EsbState {
    /// Its two bits.
    pub pq: Pq,
    /// The line of a level source.
    pub line: Level,
    /// What it was claimed as.
    pub kind: Option<SourceKind>,
}

impl EsbState {
    /// As after power-on, unclaimed.
    pub const RESET: EsbState = EsbState { pq: Pq::Off, line: Level::Low, kind: None };

    /// The line of a level source changes.
    pub fn set_level(&mut self, level: Level) -> Notify {
        self.line = level;
        self.level_event()
    }

    /// A level source never queues: as long as it asks, each time it is idle is an event.
    fn level_event(&mut self) -> Notify {
        match (self.kind, self.line, self.pq) {
            (Some(SourceKind::Lsi), Level::High, Pq::Reset) => self.pq.trigger(),
            _ => Notify::No,
        }
    }

    fn eoi(&mut self) -> Notify {
        match self.pq.eoi() {
            Notify::Yes => Notify::Yes,
            Notify::No => self.level_event(),
        }
    }

    /// Sets the bits. A level source that asks while it becomes idle is an event (departs: QEMU forgets a line that was raised
    /// while the source was off).
    fn set_pq(&mut self, to: Pq) -> Notify {
        self.pq = to;
        self.level_event()
    }

    /// A load at `offset` of the management page: the value, and whether an event came of it.
    pub fn load(&mut self, offset: u64) -> (u64, Notify) {
        let old = self.pq as u64;
        match offset & 0xfff {
            0x000..=0x7ff => {
                let notify = self.eoi();
                (u64::from(notify == Notify::Yes), notify)
            }
            0x800..=0xbff => (old, Notify::No),
            set => (old, self.set_pq(Pq::of(set >> 8))),
        }
    }

    /// A store at `offset` of the management page; the value does not matter. Store-EOI is not offered and ignored.
    pub fn store(&mut self, offset: u64) -> Notify {
        match offset & 0xfff {
            0x000..=0x3ff => self.pq.trigger(),
            0x400..=0xbff => Notify::No,
            set => self.set_pq(Pq::of(set >> 8)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bits_move_as_the_book_says() {
        // before, after trigger, after EOI
        let table = [
            (Pq::Reset, (Pq::Pending, Notify::Yes), (Pq::Reset, Notify::No)),
            (Pq::Off, (Pq::Off, Notify::No), (Pq::Off, Notify::No)),
            (Pq::Pending, (Pq::Queued, Notify::No), (Pq::Reset, Notify::No)),
            (Pq::Queued, (Pq::Queued, Notify::No), (Pq::Pending, Notify::Yes)),
        ];
        for (before, trigger, eoi) in table {
            let mut pq = before;
            assert_eq!((pq.trigger(), pq), (trigger.1, trigger.0), "{before:?} trigger");
            let mut pq = before;
            assert_eq!((pq.eoi(), pq), (eoi.1, eoi.0), "{before:?} EOI");
        }
    }

    #[test]
    fn the_offset_is_the_operation() {
        let mut esb = EsbState { kind: Some(SourceKind::Msi), ..EsbState::RESET };
        assert_eq!(esb.load(0x800), (1, Notify::No), "get");
        assert_eq!(esb.load(0xc00), (1, Notify::No), "set 00 gives the old bits");
        assert_eq!(esb.store(0x000), Notify::Yes);
        assert_eq!(esb.store(0x3f8), Notify::No, "queued");
        assert_eq!(esb.store(0x400), Notify::No, "store EOI is not offered");
        assert_eq!(esb.load(0xbff), (3, Notify::No));
        assert_eq!(esb.load(0x7f8), (1, Notify::Yes), "EOI with another event waiting");
        assert_eq!(esb.load(0x000), (0, Notify::No));
        assert_eq!(esb.store(0xd00), Notify::No);
        assert_eq!(esb.pq, Pq::Off);
        assert_eq!((esb.load(0xe00).0, esb.load(0xf00).0, esb.load(0x800).0), (1, 2, 3));
    }

    #[test]
    fn a_level_source_asks_until_it_is_lowered() {
        let mut esb = EsbState { kind: Some(SourceKind::Lsi), ..EsbState::RESET };
        assert_eq!(esb.set_level(Level::High), Notify::No, "off");
        assert_eq!(esb.load(0xc00), (1, Notify::Yes), "it still asks when it is switched on");
        assert_eq!(esb.set_level(Level::High), Notify::No);
        assert_eq!(esb.load(0), (1, Notify::Yes));
        assert_eq!(esb.set_level(Level::Low), Notify::No);
        assert_eq!(esb.load(0), (0, Notify::No));
        assert_eq!(esb.pq, Pq::Reset);
    }
}
