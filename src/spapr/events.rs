//! Platform events: power warnings and hot plug, which the guest fetches by RTAS check-exception (PAPR, error and event notification).
//!
//! An event is a log in version 6 format, queued until fetched; its class has an interrupt, which only says that there is something.
//! The queue is bounded because a user can press the power button faster than a guest reads.

use crate::spapr::rtc::DateTime;
use crate::units::DrcIndex;
use std::collections::VecDeque;

/// Events that wait at most; further ones are dropped.
pub(in crate::spapr) const WAITING_MAX: usize = 64;
/// Bytes of a log: summary and length, then header and sections.
pub const LOG_BYTES: usize = 8 + AFTER_LENGTH;
const AFTER_LENGTH: usize = 16 + 48 + 24 + 20;

/// Which interrupt an event has, and which bit asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Environment and power warnings.
    Epow,
    /// Hot plug.
    HotPlug,
}

impl Class {
    /// Both.
    pub const ALL: [Class; 2] = [Class::Epow, Class::HotPlug];

    /// The bit in check-exception's mask.
    pub fn mask(self) -> u32 {
        match self {
            Class::Epow => 1 << 30,
            Class::HotPlug => 1 << 28,
        }
    }
}

/// What is plugged or unplugged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PlugType {
    /// A core.
    Cpu = 1,
    /// Memory blocks.
    Memory = 2,
    /// A host bridge.
    Phb = 4,
    /// A PCI device.
    Pci = 5,
    /// Persistent memory.
    Pmem = 6,
}

/// Plugged or unplugged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum PlugAction {
    /// It came.
    Add = 1,
    /// It is to go.
    Remove = 2,
}

/// Which connectors it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connectors {
    /// One, by index.
    Index(DrcIndex),
    /// That many, any.
    Count(u32),
    /// That many from one on.
    CountFrom(u32, DrcIndex),
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// The user asks the guest to shut down.
    PowerDown,
    /// Something was plugged or is to be unplugged.
    HotPlug(PlugType, PlugAction, Connectors),
}

#[derive(Clone, Debug)]
pub(in crate::spapr) struct Waiting {
    pub(in crate::spapr) class: Class,
    pub(in crate::spapr) log: [u8; LOG_BYTES],
}

/// Events that the guest has not fetched.
#[derive(Debug, Default)]
pub struct Events {
    pub(in crate::spapr) waiting: VecDeque<Waiting>,
    /// Counts logs (platform log id).
    pub(in crate::spapr) last_id: u32,
}

impl Events {
    /// Queues an event. The caller then pulses the class's interrupt.
    pub fn push(&mut self, what: What, class: Class, now: DateTime) {
        if self.waiting.len() < WAITING_MAX {
            self.last_id = self.last_id.wrapping_add(1);
            self.waiting.push_back(Waiting { class, log: log(what, self.last_id, now) });
        }
    }

    /// Takes the oldest event of the classes in `mask`.
    pub fn take(&mut self, mask: u32) -> Option<[u8; LOG_BYTES]> {
        let at = self.waiting.iter().position(|w| w.class.mask() & mask != 0)?;
        self.waiting.remove(at).map(|w| w.log)
    }

    /// Classes with events left.
    pub fn classes(&self) -> impl Iterator<Item = Class> + '_ {
        Class::ALL.into_iter().filter(|class| self.waiting.iter().any(|w| w.class == *class))
    }

    /// Forgets all events of a class (hot plug events at client-architecture-support).
    pub fn forget(&mut self, class: Class) {
        self.waiting.retain(|w| w.class != class);
    }

    /// As after power-on.
    pub fn reset(&mut self) {
        self.waiting.clear();
    }
}

/// Summary word: version 6, severity 1 (event), not recovered, extended log present.
const SUMMARY: u32 = 6 << 24 | 1 << 21 | 2 << 19 | 1 << 18;
const INITIATOR_HOTPLUG: u32 = 6 << 12;
const TYPE_EPOW: u32 = 0x40;
const TYPE_HOTPLUG: u32 = 0xe5;

/// Bytes at an offset of the log.
type Piece<'a> = (usize, &'a [u8]);

fn log(what: What, id: u32, now: DateTime) -> [u8; LOG_BYTES] {
    let mut log = [0; LOG_BYTES];
    let mut put = |(at, bytes): Piece<'_>| log[at..at + bytes.len()].copy_from_slice(bytes);
    let (summary, subsystem, subtype) = match what {
        What::PowerDown => (SUMMARY | TYPE_EPOW, 0xa0, 0xd0),
        What::HotPlug(..) => (SUMMARY | INITIATOR_HOTPLUG | TYPE_HOTPLUG, 0x80, 0),
    };
    put((0, &summary.to_be_bytes()));
    put((4, &(AFTER_LENGTH as u32).to_be_bytes()));
    // Valid, new, big-endian; PowerPC, platform event.
    put((8, &[0x86, 0, 0x8e]));
    put((20, b"IBM\0"));
    // Main section A.
    put((24, &section(b"PH", 48, 0)));
    put((32, &[bcd(now.year / 100), bcd(now.year % 100), bcd(now.month), bcd(now.day)]));
    put((36, &[bcd(now.hour), bcd(now.minute), bcd(now.second), 0]));
    put((48, b"H"));
    put((51, &[3]));
    put((64, &id.to_be_bytes()));
    // Main section B: subsystem, scope, severity, subtype.
    put((72, &section(b"UH", 24, 0)));
    put((80, &[subsystem, 0, 0, subtype]));
    match what {
        What::PowerDown => {
            put((96, &section(b"EP", 20, 2)));
            // System shutdown, normal, no further action known.
            put((104, &[3, 1, 1]));
        }
        What::HotPlug(of, action, connectors) => {
            put((96, &section(b"HP", 20, 1)));
            let (identifier, word, second) = match connectors {
                Connectors::Index(drc) => (2, drc.0, 0),
                Connectors::Count(n) => (3, n, 0),
                Connectors::CountFrom(n, drc) => (4, n, drc.0),
            };
            put((104, &[of as u8, action as u8, identifier]));
            put((108, &word.to_be_bytes()));
            if second != 0 {
                put((112, &second.to_be_bytes()));
            }
        }
    }
    log
}

/// A section's header.
fn section(id: &[u8; 2], bytes: u16, version: u8) -> [u8; 6] {
    let [high, low] = bytes.to_be_bytes();
    [id[0], id[1], high, low, version, 0]
}

fn bcd(n: u32) -> u8 {
    (n / 10 % 10 * 16 + n % 10) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime = DateTime { year: 2024, month: 12, day: 31, hour: 23, minute: 59, second: 8, nanos: 0 };

    #[test]
    fn a_shutdown_log_is_what_guests_read() {
        let mut events = Events::default();
        events.push(What::PowerDown, Class::Epow, NOW);
        assert_eq!(events.classes().collect::<Vec<_>>(), [Class::Epow]);
        assert_eq!(events.take(Class::HotPlug.mask()), None);
        let log = events.take(u32::MAX).unwrap();
        assert_eq!(log[..8], [0x06, 0x34, 0, 0x40, 0, 0, 0, 0x6c]);
        assert_eq!(&log[24..30], b"PH\0\x30\0\0");
        assert_eq!(log[32..40], [0x20, 0x24, 0x12, 0x31, 0x23, 0x59, 0x08, 0]);
        assert_eq!((log[48], log[51], log[67]), (b'H', 3, 1));
        assert_eq!((&log[72..78], &log[80..84]), (&b"UH\0\x18\0\0"[..], &[0xa0, 0, 0, 0xd0][..]));
        assert_eq!((&log[96..102], &log[104..107]), (&b"EP\0\x14\x02\0"[..], &[3, 1, 1][..]));
        assert_eq!(events.take(u32::MAX), None);
    }

    #[test]
    fn a_plug_log_names_connectors() {
        let mut events = Events::default();
        let what = What::HotPlug(PlugType::Memory, PlugAction::Add, Connectors::CountFrom(4, DrcIndex(0x8000_0008)));
        events.push(what, Class::HotPlug, NOW);
        let log = events.take(Class::HotPlug.mask()).unwrap();
        assert_eq!(log[..4], [0x06, 0x34, 0x60, 0xe5]);
        assert_eq!(log[104..116], [2, 1, 4, 0, 0, 0, 0, 4, 0x80, 0, 0, 8]);
    }

    #[test]
    fn the_queue_is_bounded() {
        let mut events = Events::default();
        for _ in 0..1000 {
            events.push(What::PowerDown, Class::Epow, NOW);
        }
        assert_eq!(std::iter::from_fn(|| events.take(u32::MAX)).count(), WAITING_MAX);
    }
}
