//! A software TLB: effective page and context to host address.
//!
//! Entries are 4 KiB wide whatever the guest's page size. A tag is the effective page number with a *context* number in its low
//! twelve bits; a context stands for everything else that a translation depends on (relocation on or off, problem state, PID, key registers, the SLB), so that
//! a system call or a context switch selects another number and flushes nothing.

use crate::cpu::CpuState;
use crate::isa::regs::Lpcr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::memory::GuestMemory;
use std::sync::Arc;

/// log2 of the bytes that one entry covers.
pub const PAGE_SHIFT: u32 = 12;
/// Mask of the page number.
pub const PAGE_MASK: u64 = !0xfff;
const ENTRIES: usize = 1024;
/// Mask of an entry's number.
pub const INDEX_MASK: u64 = ENTRIES as u64 - 1;
/// log2 of the bytes of an entry.
pub const ENTRY_SHIFT: u32 = 4;
const _: () = assert!(size_of::<Entry>() == 1 << ENTRY_SHIFT);
/// Context numbers fit the twelve bits below the page number.
const LAST_CONTEXT: u64 = 0xfff;
const CONTEXT_SLOTS: usize = 256;
/// A tag that matches no access: context numbers are never 0.
const NO_TAG: u64 = 0;

/// One cached translation.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Entry {
    /// Effective page number and context.
    pub tag: u64,
    /// Host address minus effective address.
    pub delta: u64,
}

const EMPTY: Entry = Entry { tag: NO_TAG, delta: 0 };

/// What a translation depends on besides the address and the page tables.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Key {
    /// Relocation, problem state, instruction side, and for fetches what else decides about an instruction.
    mode: u64,
    pid: u64,
    keys: u64,
    slb: u64,
    decode: u32,
}

/// The TLB of one vCPU.
pub struct Tlb {
    /// Translations for loads.
    pub read: [Entry; ENTRIES],
    /// Translations for stores.
    pub write: [Entry; ENTRIES],
    /// Context number of data accesses now.
    pub data: u64,
    /// Context number of instruction fetches now.
    pub fetch: u64,
    /// Counts how often context numbers began anew, so that whoever keeps something by tag can tell.
    pub epoch: u64,
    slots: Box<[(Key, u64); CONTEXT_SLOTS]>,
    next: u64,
    slb_epoch: u64,
    /// RAM, whose host addresses the entries hold.
    pub memory: Arc<GuestMemory>,
}

/// The entry that may hold `ea`'s page.
#[inline(always)]
pub fn index(ea: u64) -> usize {
    (ea >> PAGE_SHIFT) as usize & (ENTRIES - 1)
}

impl Tlb {
    /// An empty TLB over `memory`.
    pub fn new(memory: Arc<GuestMemory>) -> Tlb {
        Tlb {
            read: [EMPTY; ENTRIES],
            write: [EMPTY; ENTRIES],
            data: 0,
            fetch: 0,
            epoch: 1,
            slots: Box::new([(Key::default(), 0); CONTEXT_SLOTS]),
            next: 1,
            slb_epoch: 0,
            memory,
        }
    }

    /// Forgets everything: no context number in use matches an entry from now on. [`Tlb::select`] must follow.
    pub fn flush(&mut self) {
        self.slots.fill((Key::default(), 0));
    }

    /// Begins anew with the context numbers.
    fn renumber(&mut self) {
        self.read.fill(EMPTY);
        self.write.fill(EMPTY);
        self.slots.fill((Key::default(), 0));
        self.next = 1;
        self.epoch += 1;
    }

    /// Forgets what was cached while `pid` was in PIDR: its context numbers are never given out again before they all are.
    pub fn forget_process(&mut self, pid: u32) {
        let of_process = |key: &Key| key.mode & 1 != 0 && key.pid == u64::from(pid);
        self.slots.iter_mut().filter(|(key, number)| *number != 0 && of_process(key)).for_each(|slot| *slot = (Key::default(), 0));
    }

    /// The SLB lost or changed an entry that may be cached: entries made under it match no more. [`Tlb::select`] must follow.
    pub fn slb_changed(&mut self) {
        self.slb_epoch += 1;
    }

    /// Chooses the contexts for the state's MSR, PIDR, AMR, IAMR and SLB. `decode` is what decides about an instruction besides its image
    /// ([`super::block::mode`]): a fetch context stands for that as well, so that one number says whether translated code at an address is the right one.
    pub fn select(&mut self, s: &CpuState, decode: u32) {
        let problem = s.msr.0 & Msr::PR;
        let hash = Lpcr(s.spr[spr::LPCR]).0 & (Lpcr::HR | Lpcr::UPRT);
        let key = |relocated: bool, side: u64, keys: u64| {
            if relocated {
                Key { mode: problem | hash | side | 1, pid: s.spr[spr::PIDR], keys, slb: self.slb_epoch, decode: 0 }
            } else {
                Key { mode: side | 2, ..Key::default() }
            }
        };
        let data = key(s.msr.has(Msr::DR), 0, s.spr[spr::AMR]);
        let mut fetch = key(s.msr.has(Msr::IR), 4, s.spr[spr::IAMR]);
        fetch.decode = decode;
        if self.next > LAST_CONTEXT - 2 {
            self.renumber();
        }
        self.data = self.number(data);
        self.fetch = self.number(fetch);
    }

    fn number(&mut self, key: Key) -> u64 {
        let mix = key.mode
            ^ key.mode.rotate_left(17)
            ^ key.pid.wrapping_mul(0x9e37_79b9)
            ^ key.keys.rotate_left(29)
            ^ key.keys
            ^ key.slb
            ^ (u64::from(key.decode) << 24);
        let slot = (mix.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % CONTEXT_SLOTS;
        if self.slots[slot].1 != 0 && self.slots[slot].0 == key {
            return self.slots[slot].1;
        }
        let number = self.next;
        self.next += 1;
        self.slots[slot] = (key, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_pid(pid: u64) -> CpuState {
        let mut s = CpuState { msr: Msr(Msr::SF | Msr::IR | Msr::DR), ..CpuState::default() };
        s.spr[spr::PIDR] = pid;
        s
    }

    #[test]
    fn forgetting_a_process_leaves_the_others() {
        let mut tlb = Tlb::new(Arc::new(GuestMemory::new(1 << 20).unwrap()));
        let number = |tlb: &mut Tlb, pid| {
            tlb.select(&with_pid(pid), 0);
            (tlb.data, tlb.fetch)
        };
        let (five, six) = (number(&mut tlb, 5), number(&mut tlb, 6));
        assert_eq!(number(&mut tlb, 5), five);
        tlb.forget_process(5);
        assert_eq!(number(&mut tlb, 6), six);
        let again = number(&mut tlb, 5);
        assert!(again.0 != five.0 && again.1 != five.1, "entries of the forgotten process would match again");
    }
}
