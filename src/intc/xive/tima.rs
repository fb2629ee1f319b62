//! Thread interrupt management area: each vCPU's own interrupt registers, at one address for all (XIVE, TIMA).
//!
//! The same four pages show the registers of whichever vCPU accesses them; the page is the privilege. A partition has the OS page
//! (its priority, what is pending, the acknowledge cycle) and the user page (a glimpse). The two hypervisor pages read as ones:
//! nothing of a partition is there (departs: QEMU lets a partition look).

use crate::intc::xive::end::NVT_BASE;
use crate::signal::EXTERNAL;
use crate::signal::Signals;
use crate::units::Width;
use std::sync::Arc;

/// log2 of the bytes of one page.
pub const PAGE_SHIFT: u32 = 16;

const OS_PAGE: u64 = 2;
const USER_PAGE: u64 = 3;

/// Address bits that the registers decode.
const DECODED: u64 = 0xc3f;
/// Set in the offset of an operation, as opposed to a register.
const SPECIAL: u64 = 0x800;
/// 16-bit load on the OS page: acknowledge.
const ACK_OS: u64 = 0x810;
/// 8-bit store on the OS page: adds a pending priority.
const SET_OS_PENDING: u64 = 0x812;
/// Offset of the OS ring.
const OS_RING: u64 = 0x10;
const OS_CPPR: u64 = OS_RING + 1;

/// NSR: an OS exception is pending.
const NSR_EO: u8 = 0x80;

/// Highest priority number.
pub const PRIORITY_MAX: u8 = 7;

/// The OS ring of one vCPU, as saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RingState {
    /// Notification source: 80h while an exception is pending.
    pub nsr: u8,
    /// Current priority; only more urgent ones (lower numbers) interrupt.
    pub cppr: u8,
    /// Pending priorities, 80h >> priority.
    pub ipb: u8,
    /// Not used here.
    pub lsmfb: u8,
    /// Not used here.
    pub ack_cnt: u8,
    /// Not used here.
    pub inc: u8,
    /// Not used here; partitions can't read it.
    pub age: u8,
    /// The most urgent pending priority, or ff.
    pub pipr: u8,
    /// Word 2: 80000000h | 400h + vcpu id. For the hypervisor only.
    pub word2: u32,
}

impl RingState {
    /// As after power-on: CPPR 0, nothing interrupts.
    pub fn reset(vcpu: u32) -> RingState {
        let word2 = 0x8000_0000 | (NVT_BASE + vcpu);
        RingState { nsr: 0, cppr: 0, ipb: 0, lsmfb: 0xff, ack_cnt: 0xff, inc: 0, age: 0xff, pipr: 0xff, word2 }
    }

    fn most_urgent(&self) -> u8 {
        if self.ipb == 0 { 0xff } else { self.ipb.leading_zeros() as u8 }
    }
}

/// One vCPU's thread context.
pub struct ThreadContext {
    /// Its registers.
    pub state: RingState,
    vcpu: u32,
    signals: Arc<Signals>,
}

impl ThreadContext {
    /// In reset state; interrupts go to `signals`.
    pub fn new(vcpu: u32, signals: Arc<Signals>) -> ThreadContext {
        signals.lower(EXTERNAL);
        ThreadContext { state: RingState::reset(vcpu), vcpu, signals }
    }

    /// As after power-on.
    pub fn reset(&mut self) {
        self.state = RingState::reset(self.vcpu);
        self.signals.lower(EXTERNAL);
    }

    /// Sets all registers; the line follows NSR.
    pub fn set(&mut self, state: RingState) {
        self.state = state;
        if state.nsr & NSR_EO != 0 {
            self.signals.raise(EXTERNAL);
        } else {
            self.signals.lower(EXTERNAL);
        }
    }

    /// Makes NSR and the line follow IPB and CPPR.
    fn update(&mut self) {
        self.state.pipr = self.state.most_urgent();
        if self.state.pipr < self.state.cppr {
            self.state.nsr = NSR_EO;
            self.signals.raise(EXTERNAL);
        } else {
            self.state.nsr = 0;
            self.signals.lower(EXTERNAL);
        }
    }

    /// An event of `priority`; numbers above 7 are nothing.
    pub fn present(&mut self, priority: u8) {
        if priority <= PRIORITY_MAX {
            self.state.ipb |= 0x80 >> priority;
            self.update();
        }
    }

    fn set_cppr(&mut self, cppr: u8) {
        self.state.cppr = if cppr > PRIORITY_MAX { 0xff } else { cppr };
        self.update();
    }

    /// Takes the pending exception: its priority becomes the current one.
    fn acknowledge(&mut self) -> u16 {
        let nsr = self.state.nsr;
        if nsr & NSR_EO != 0 {
            self.state.cppr = self.state.pipr;
            self.state.ipb &= !0x80_u8.checked_shr(u32::from(self.state.pipr)).unwrap_or(0);
        }
        self.update();
        u16::from(nsr) << 8 | u16::from(self.state.cppr)
    }

    /// A byte of the rings as the OS page shows it.
    fn os_byte(&self, register: u64) -> u8 {
        let s = &self.state;
        match register.wrapping_sub(OS_RING) {
            0 => s.nsr,
            1 => s.cppr,
            2 => s.ipb,
            3 => s.lsmfb,
            4 => s.ack_cnt,
            5 => s.inc,
            7 => s.pipr,
            _ => 0,
        }
    }

    /// A load at `offset` of the area.
    pub fn read(&mut self, offset: u64, width: Width) -> u64 {
        let ones = u64::MAX >> (64 - 8 * width.bytes());
        let (page, at) = (offset >> PAGE_SHIFT, offset & DECODED);
        if page != OS_PAGE && page != USER_PAGE {
            return ones;
        }
        if at & SPECIAL != 0 {
            return match (page, at, width) {
                (OS_PAGE, ACK_OS, Width::Half) => u64::from(self.acknowledge()),
                _ => ones,
            };
        }
        let register = at & 0x3f;
        if !register.is_multiple_of(width.bytes()) {
            return ones;
        }
        // The user page shows the user ring's NSR, which is always 0 (no event-based branches).
        (register..register + width.bytes()).fold(0, |value, r| value << 8 | if page == OS_PAGE { u64::from(self.os_byte(r)) } else { 0 })
    }

    /// A store at `offset` of the area. Only CPPR and the pending operation listen.
    pub fn write(&mut self, offset: u64, width: Width, value: u64) {
        match (offset >> PAGE_SHIFT, offset & DECODED, width) {
            (OS_PAGE, OS_CPPR, Width::Byte) => self.set_cppr(value as u8),
            (OS_PAGE, SET_OS_PENDING, Width::Byte) => self.present(value as u8),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OS: u64 = OS_PAGE << PAGE_SHIFT;

    fn context() -> (ThreadContext, Arc<Signals>) {
        let signals = Arc::new(Signals::default());
        (ThreadContext::new(3, Arc::clone(&signals)), signals)
    }

    #[test]
    fn an_event_interrupts_when_it_is_more_urgent() {
        let (mut t, line) = context();
        t.present(6);
        assert_eq!((t.state.ipb, t.state.pipr, t.state.nsr, line.pending()), (0x02, 6, 0, 0), "CPPR is 0 after reset");
        t.write(OS + 0x11, Width::Byte, 0x20);
        assert_eq!((t.state.cppr, t.state.nsr, line.pending()), (0xff, 0x80, EXTERNAL));
        t.present(4);
        assert_eq!(t.read(OS + 0x810, Width::Half), 0x8004);
        assert_eq!((t.state.ipb, t.state.pipr, line.pending()), (0x02, 6, 0));
        assert_eq!(t.read(OS + 0x810, Width::Half), 0x0004, "nothing more urgent than 4");
        t.write(OS + 0x11, Width::Byte, 0xff);
        assert_eq!(line.pending(), EXTERNAL);
        assert_eq!(t.read(OS + 0x810, Width::Half), 0x8006);
        t.write(OS + 0x812, Width::Byte, 0);
        assert_eq!(t.read(OS + 0x17, Width::Byte), 0, "PIPR");
        t.write(OS + 0x11, Width::Byte, 0);
        assert_eq!(line.pending(), 0, "CPPR 0 blocks all");
    }

    #[test]
    fn the_page_is_the_privilege() {
        let (mut t, _) = context();
        t.write(OS + 0x11, Width::Byte, 5);
        t.present(7);
        assert_eq!(t.read(OS + 0x10, Width::Double), 0x0005_01ff_ff00_0007);
        assert_eq!(t.read(OS + 0x1010, Width::Word), 0x0005_01ff, "folded");
        assert_eq!(t.read(OS + 0x18, Width::Word), 0, "word 2 is the hypervisor's");
        assert_eq!(t.read(OS + 0x12, Width::Word), 0xffff_ffff, "not aligned");
        assert_eq!(t.read(OS + 0x814, Width::Half), 0xffff, "no such operation");
        assert_eq!(t.read((3 << PAGE_SHIFT) + 0x10, Width::Double), 0, "user page");
        assert_eq!(t.read(0x10, Width::Double), u64::MAX, "hypervisor page");
        for (at, width) in [(OS + 0x10, Width::Word), (OS + 0x12, Width::Byte), (0x11, Width::Byte), ((3 << 16) + 0x11, Width::Byte)] {
            t.write(at, width, 0);
        }
        assert_eq!((t.state.cppr, t.state.ipb), (5, 1));
    }
}
