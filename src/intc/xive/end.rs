//! Event notification descriptors: one event queue per server and priority, in guest memory (XIVE, END and EQ).
//!
//! The queue is the guest's: the controller writes four bytes and moves on, whether the guest reads them or not, so a storm
//! overwrites old entries and can do no more. An entry's top bit is a generation that flips at each wrap; that is how the reader
//! tells new from old.

use crate::intc::xive::esb::Notify;
use crate::intc::xive::esb::Pq;
use crate::memory::GuestMemory;
use crate::units::Ra;

/// First index of virtual processors in END word 6: 400h + vcpu id.
pub const NVT_BASE: u32 = 0x400;

const W0_VALID: u32 = 0x8000_0000;
const W0_ENQUEUE: u32 = 0x4000_0000;
const W0_ALWAYS_NOTIFY: u32 = 0x2000_0000;
const W0_SIZE_SHIFT: u32 = 16;
const W0_SIZE_MASK: u32 = 0xf;
const W1_ESN_SHIFT: u32 = 30;
const W1_ESN_MASK: u32 = 3;
const W1_GENERATION: u32 = 0x0040_0000;
const W1_INDEX_MASK: u32 = 0x003f_ffff;
const W2_ADDRESS_MASK: u32 = 0x0fff_ffff;
const W6_NVT_MASK: u32 = 0x0007_ffff;
const W7_PRIORITY_SHIFT: u32 = 16;

/// One descriptor, in the words of the book (and of saved state).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EndState {
    /// Words 0 to 7; 4 and 5 (escalation) are always 0.
    pub w: [u32; 8],
}

/// A queue in guest memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Queue {
    /// Its first byte.
    pub page: Ra,
    /// log2 of its bytes.
    pub log2_bytes: u32,
}

/// Whether the server is notified of each event or its ESn bits coalesce them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notification {
    /// Each.
    Always,
    /// Coalesced.
    Coalesced,
}

impl EndState {
    /// As after power-on: no queue, both state buffers off.
    pub const RESET: EndState = EndState { w: [0, 0x5000_0000, 0, 0, 0, 0, 0, 0] };

    /// A descriptor of a virtual processor and priority, valid, with an empty queue or none.
    pub fn new(vcpu: u32, priority: u8, queue: Option<Queue>, notification: Notification) -> EndState {
        let mut w = [0; 8];
        w[0] = W0_VALID;
        if let Some(Queue { page, log2_bytes }) = queue {
            w[0] |= W0_ENQUEUE | (log2_bytes.saturating_sub(12) & W0_SIZE_MASK) << W0_SIZE_SHIFT;
            w[2] = (page.0 >> 32) as u32 & W2_ADDRESS_MASK;
            w[3] = page.0 as u32;
        }
        match notification {
            Notification::Always => w[0] |= W0_ALWAYS_NOTIFY,
            Notification::Coalesced => {}
        }
        w[1] = W1_GENERATION;
        w[6] = (NVT_BASE + vcpu) & W6_NVT_MASK;
        w[7] = u32::from(priority) << W7_PRIORITY_SHIFT;
        EndState { w }
    }

    /// Whether the guest has set it up.
    pub fn is_valid(&self) -> bool {
        self.w[0] & W0_VALID != 0
    }

    /// The queue, if there is one.
    pub fn queue(&self) -> Option<Queue> {
        (self.w[0] & W0_ENQUEUE != 0).then(|| Queue {
            page: Ra(u64::from(self.w[2] & W2_ADDRESS_MASK) << 32 | u64::from(self.w[3])),
            log2_bytes: (self.w[0] >> W0_SIZE_SHIFT & W0_SIZE_MASK) + 12,
        })
    }

    /// How the server is notified.
    pub fn notification(&self) -> Notification {
        if self.w[0] & W0_ALWAYS_NOTIFY != 0 { Notification::Always } else { Notification::Coalesced }
    }

    /// The generation that the next entry gets (0 or 1).
    pub fn generation(&self) -> u32 {
        u32::from(self.w[1] & W1_GENERATION != 0)
    }

    /// The entry that is written next.
    pub fn index(&self) -> u32 {
        self.w[1] & W1_INDEX_MASK
    }

    /// The vcpu id it notifies, if word 6 names one.
    pub fn vcpu(&self) -> Option<u32> {
        (self.w[6] & W6_NVT_MASK).checked_sub(NVT_BASE)
    }

    /// The priority it notifies with.
    pub fn priority(&self) -> u8 {
        (self.w[7] >> W7_PRIORITY_SHIFT) as u8
    }

    /// Takes an event: into the queue, if there is one. Says whether the server is to be notified.
    pub fn event(&mut self, eisn: u32, ram: &GuestMemory) -> Notify {
        if !self.is_valid() {
            return Notify::No;
        }
        if let Some(queue) = self.queue() {
            self.push(queue, eisn, ram);
        }
        match self.notification() {
            Notification::Always => Notify::Yes,
            Notification::Coalesced => {
                let mut esn = Pq::of_bits(self.w[1] >> W1_ESN_SHIFT);
                let notify = esn.trigger();
                self.w[1] = self.w[1] & !(W1_ESN_MASK << W1_ESN_SHIFT) | (esn as u32) << W1_ESN_SHIFT;
                notify
            }
        }
    }

    fn push(&mut self, queue: Queue, eisn: u32, ram: &GuestMemory) {
        let entries = 1_u32 << (queue.log2_bytes - 2);
        let index = self.index() & (entries - 1);
        let entry = self.generation() << 31 | eisn & 0x7fff_ffff;
        // The queue was in RAM when the guest set it up. If it no longer is, the entry is lost, as it would be on the bus.
        let _ = ram.write_u32(Ra(queue.page.0.wrapping_add(u64::from(index) * 4)), entry);
        let next = (index + 1) & (entries - 1) & W1_INDEX_MASK;
        self.w[1] = self.w[1] & !W1_INDEX_MASK | next;
        if next == 0 {
            self.w[1] ^= W1_GENERATION;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_wraps_and_the_generation_flips() {
        let ram = GuestMemory::new(1 << 20).unwrap();
        let queue = Queue { page: Ra(0x1_0000), log2_bytes: 12 };
        let mut end = EndState::new(5, 6, Some(queue), Notification::Always);
        assert_eq!((end.queue(), end.vcpu(), end.priority()), (Some(queue), Some(5), 6));
        for n in 0..1024 {
            assert_eq!(end.event(n, &ram), Notify::Yes);
        }
        assert_eq!(ram.read_u32(Ra(0x1_0000)), Ok(0x8000_0000));
        assert_eq!(ram.read_u32(Ra(0x1_0ffc)), Ok(0x8000_03ff));
        assert_eq!((end.index(), end.generation()), (0, 0));
        assert_eq!(end.event(0x7777, &ram), Notify::Yes);
        assert_eq!(ram.read_u32(Ra(0x1_0000)), Ok(0x7777), "a full queue is overwritten");
        assert_eq!(ram.read_u32(Ra(0x1_1000)), Ok(0), "nothing beyond it");
    }

    #[test]
    fn without_always_notify_one_event_is_notified() {
        let ram = GuestMemory::new(1 << 20).unwrap();
        let mut end = EndState::new(0, 6, None, Notification::Coalesced);
        assert_eq!([end.event(1, &ram), end.event(1, &ram)], [Notify::Yes, Notify::No]);
        let mut off = EndState { w: EndState::RESET.w };
        assert_eq!(off.event(1, &ram), Notify::No);
        off.w[0] |= W0_VALID;
        assert_eq!(off.event(1, &ram), Notify::No, "ESn is off after reset");
    }

    #[test]
    fn a_queue_that_is_not_in_ram_harms_nobody() {
        let ram = GuestMemory::new(1 << 20).unwrap();
        let mut end = EndState { w: [u32::MAX; 8] };
        for _ in 0..100 {
            let _ = end.event(u32::MAX, &ram);
        }
    }
}
