//! A software TLB: effective page and context to host address.
//!
//! Entries are 4 KiB wide whatever the guest's page size; behind them stand entries of 64 KiB, from which they are filled without a walk where the page is as large. A tag is the effective page number with a *context* number in its low
//! twelve bits; a context stands for everything else that a translation depends on (relocation on or off, problem state, PID, key registers, the SLB), so that
//! a system call or a context switch selects another number and flushes nothing.

use super::fetched::Fetched;
use crate::cpu::CpuState;
use crate::isa::regs::Lpcr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::memory::GuestMemory;
use crate::mmu::Holds;
use crate::mmu::Tables;
use crate::mmu::Translation;
use crate::mmu::partition::Partition;
use crate::units::Ra;
use std::sync::Arc;

/// log2 of the bytes that one entry covers.
pub const PAGE_SHIFT: u32 = 12;
/// Mask of the page number.
pub const PAGE_MASK: u64 = !0xfff;
const ENTRIES: usize = 1024;
/// log2 of the bytes that one of the large entries covers.
pub const LARGE_SHIFT: u32 = 16;
/// How many there are of them.
pub const LARGE: usize = 512;
/// Entries of privileged state for one process, at most.
const PRIVATE: usize = 1024;
/// Mask of an entry's number.
pub const INDEX_MASK: u64 = ENTRIES as u64 - 1;
/// log2 of the bytes of an entry.
pub const ENTRY_SHIFT: u32 = 4;
const _: () = assert!(size_of::<Entry>() == 1 << ENTRY_SHIFT);
/// Context numbers fit the twelve bits below the page number.
const LAST_CONTEXT: u64 = 0xfff;
/// Numbers kept for what one block may still do after there should have been new ones: two for each instruction.
const SPARE: u64 = 200;
const CONTEXT_SLOTS: usize = 256;
/// A tag that matches no access: context numbers are never 0.
const NO_TAG: u64 = 0;
/// In [`Key::mode`]: addresses are translated.
const RELOCATED: u64 = 1;
/// In [`Key::mode`]: real mode.
const REAL: u64 = 2;
/// In [`Key::mode`]: the instruction side.
const FETCH: u64 = 4;

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

/// Which half of the TLB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// For loads.
    Read,
    /// For stores.
    Write,
}

/// An entry that is to be forgotten when the process changes: which, and its tag.
type Private = (Half, usize, u64);

/// The TLB of one vCPU.
pub struct Tlb {
    /// Translations for loads.
    pub read: [Entry; ENTRIES],
    /// Translations for stores.
    pub write: [Entry; ENTRIES],
    /// The same for 64 KiB, for pages that are as large or larger.
    pub large_read: Box<[Entry; LARGE]>,
    /// The same for stores.
    pub large_write: Box<[Entry; LARGE]>,
    /// Entries that privileged state made and that hold for the present process only.
    private: Vec<Private>,
    /// PIDR, AMR and IAMR when they were made.
    owner: [u64; 3],
    /// Whether the present contexts, of data and of fetches, are privileged state's under radix trees: the same for all processes.
    common: [bool; 2],
    /// Context number of data accesses now.
    pub data: u64,
    /// Context number of instruction fetches now.
    pub fetch: u64,
    /// Counts how often context numbers began anew, so that whoever keeps something by tag can tell.
    pub epoch: u64,
    /// Counts how often pages were forgotten that entries of 64 KiB may have held.
    pub pages_forgotten: u64,
    /// Fetches that are kept by context number.
    pub fetched: Fetched,
    /// The process that was forgotten last, if nothing of a process was kept since.
    forgotten: Option<u32>,
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
            large_read: Box::new([EMPTY; LARGE]),
            large_write: Box::new([EMPTY; LARGE]),
            private: Vec::new(),
            owner: [0; 3],
            common: [false; 2],
            data: 0,
            fetch: 0,
            epoch: 1,
            pages_forgotten: 0,
            fetched: Fetched::default(),
            forgotten: None,
            slots: Box::new([(Key::default(), 0); CONTEXT_SLOTS]),
            next: 1,
            slb_epoch: 0,
            memory,
        }
    }

    /// Forgets everything: no context number in use matches an entry from now on. [`Tlb::select`] must follow.
    pub fn flush(&mut self) {
        self.slots.fill((Key::default(), 0));
        self.fetched.clear();
    }

    /// Whether the context numbers run out: [`Tlb::renumber`] must be called when the present block has ended.
    pub fn tired(&self) -> bool {
        self.next > LAST_CONTEXT - SPARE
    }

    /// Begins anew with the context numbers. Not in the middle of a block, since code in it may hold a number that will be given out again. [`Tlb::select`] must follow.
    pub fn renumber(&mut self) {
        self.read.fill(EMPTY);
        self.write.fill(EMPTY);
        self.large_read.fill(EMPTY);
        self.large_write.fill(EMPTY);
        self.private.clear();
        self.fetched.clear();
        self.slots.fill((Key::default(), 0));
        self.next = 1;
        self.epoch += 1;
    }

    /// Forgets what was cached while `pid`, not 0, was in PIDR: its context numbers are never given out again before they all are. `false`: nothing was kept of any process since the same
    /// was asked before. [`Tlb::select`] must follow.
    pub fn forget_process(&mut self, pid: u32) -> bool {
        if self.forgotten == Some(pid) {
            return false;
        }
        self.drop_contexts(|key| key.mode & RELOCATED != 0 && key.pid == u64::from(pid));
        self.drop_private();
        self.forgotten = Some(pid);
        true
    }

    /// Forgets the kernel's translations, which all processes use. `false`: some fetches may lead elsewhere now, and everything is to be forgotten. [`Tlb::select`] must follow.
    pub fn forget_kernel(&mut self, partition: &Partition) -> bool {
        if !self.fetched.kernel_holds(partition) {
            return false;
        }
        // And what a process that has PID 0 itself had.
        let kernels = |key: &Key| if key.mode & Msr::PR != 0 { key.pid == 0 } else { key.mode & FETCH == 0 };
        self.drop_contexts(|key| key.mode & RELOCATED != 0 && kernels(key));
        self.drop_private();
        true
    }

    /// Forgets the page of 2^`shift` bytes at `ea`, outside the kernel's quadrant, in every process. `false`: code may have been fetched from there, and the process is to be forgotten.
    pub fn forget_page(&mut self, ea: u64, shift: u32) -> bool {
        if !self.fetched.none_in(ea, shift) {
            return false;
        }
        let within = |e: &Entry| e.tag >> shift == ea >> shift;
        let small = if shift <= LARGE_SHIFT { index(ea)..index(ea) + (1 << (shift - PAGE_SHIFT)) } else { 0..ENTRIES };
        for at in small {
            [&mut self.read[at], &mut self.write[at]].into_iter().filter(|e| within(e)).for_each(|e| *e = EMPTY);
        }
        let (start, large) = (ea >> LARGE_SHIFT, shift.max(LARGE_SHIFT));
        let large_within = |e: &Entry| e.tag >> large == ea >> large;
        let large = if shift <= LARGE_SHIFT { start as usize % LARGE..start as usize % LARGE + 1 } else { 0..LARGE };
        for at in large {
            [&mut self.large_read[at], &mut self.large_write[at]].into_iter().filter(|e| large_within(e)).for_each(|e| *e = EMPTY);
        }
        self.pages_forgotten += 1;
        true
    }

    /// Context numbers of these keys are never given out again before they all are.
    fn drop_contexts(&mut self, which: impl Fn(&Key) -> bool) {
        self.slots.iter_mut().filter(|(key, number)| *number != 0 && which(key)).for_each(|slot| *slot = (Key::default(), 0));
    }

    /// The translation of a fetch from `ea` is about to be kept by the number of the fetch context.
    pub fn note_fetch(&mut self, partition: &Partition, ea: u64, t: &Translation) {
        self.forgotten = None;
        match (self.common[1], t.holds) {
            (true, Holds::Always) => self.fetched.note_kernel(partition, ea, t),
            (false, Holds::ForProcess) => self.fetched.note_process(ea),
            // Real mode, which no invalidation concerns; what is not kept.
            (false, Holds::Always) | (true, Holds::ForProcess) => {}
        }
    }

    /// Forgets what privileged state cached for the process.
    fn drop_private(&mut self) {
        for (half, at, tag) in self.private.drain(..) {
            let e = match half {
                Half::Read => &mut self.read[at],
                Half::Write => &mut self.write[at],
            };
            if e.tag == tag {
                *e = EMPTY;
            }
        }
    }

    /// Whether a translation of the fetch context may be kept by its number.
    pub fn keeps_fetch(&self, holds: Holds) -> bool {
        holds == Holds::Always || !self.common[1]
    }

    /// The distance from `ea` to the host, from the entries of 64 KiB, from which the small one is filled.
    pub fn refill(&mut self, ea: u64, half: Half) -> Option<u64> {
        let table = match half {
            Half::Read => &self.large_read,
            Half::Write => &self.large_write,
        };
        let e = table[(ea >> LARGE_SHIFT) as usize & (LARGE - 1)];
        if e.tag != (ea >> LARGE_SHIFT << LARGE_SHIFT) | self.data {
            return None;
        }
        self.small(half)[index(ea)] = Entry { tag: (ea & PAGE_MASK) | self.data, delta: e.delta };
        Some(e.delta)
    }

    fn small(&mut self, half: Half) -> &mut [Entry; ENTRIES] {
        match half {
            Half::Read => &mut self.read,
            Half::Write => &mut self.write,
        }
    }

    /// Keeps that `ea`'s page lies `delta` away, as `t` says.
    pub fn fill(&mut self, ea: u64, half: Half, delta: u64, t: &Translation) {
        let (at, tag) = (index(ea), (ea & PAGE_MASK) | self.data);
        self.small(half)[at] = Entry { tag, delta };
        if t.holds == Holds::ForProcess {
            self.forgotten = None;
            self.fetched.note_shared(ea);
        }
        if self.common[0] && t.holds == Holds::ForProcess {
            self.private.push((half, at, tag));
            if self.private.len() > PRIVATE {
                // Not more than that, whatever the guest does.
                self.drop_private();
            }
            return;
        }
        // All of the 64 KiB must be RAM, and here: only the page itself was waited for, if it came after the guest.
        let start = t.ra.0 >> LARGE_SHIFT << LARGE_SHIFT;
        if t.page_shift >= LARGE_SHIFT && self.memory.contains(Ra(start), 1 << LARGE_SHIFT) && !self.memory.lacks_pages() {
            let entry = Entry { tag: (ea >> LARGE_SHIFT << LARGE_SHIFT) | self.data, delta };
            let at = (ea >> LARGE_SHIFT) as usize & (LARGE - 1);
            match half {
                Half::Read => self.large_read[at] = entry,
                Half::Write => self.large_write[at] = entry,
            }
        }
    }

    /// The SLB lost or changed an entry that may be cached: entries made under it match no more. [`Tlb::select`] must follow.
    pub fn slb_changed(&mut self) {
        self.slb_epoch += 1;
    }

    /// Chooses the contexts for the state's MSR, PIDR, AMR, IAMR and SLB. `decode` is what decides about an instruction besides its image
    /// ([`super::block::mode`]): a fetch context stands for that as well, so that one number says whether translated code at an address is the right one.
    ///
    /// Under radix trees problem state's translations depend on the PID alone. Those of privileged state are mostly the kernel's own, the same in every process: its contexts
    /// stay, and the entries that are not are forgotten when the process or a key register changes.
    pub fn select(&mut self, s: &CpuState, decode: u32, tables: Tables) {
        let problem = s.msr.0 & Msr::PR;
        let common = tables == Tables::Radix && problem == 0;
        let hash = Lpcr(s.spr[spr::LPCR]).0 & (Lpcr::HR | Lpcr::UPRT);
        let key = |relocated: bool, side: u64, keys: u64| match (relocated, tables) {
            (false, _) => Key { mode: side | REAL, ..Key::default() },
            (true, Tables::Radix) => {
                Key { mode: problem | hash | side | RELOCATED, pid: if common { 0 } else { s.spr[spr::PIDR] }, ..Key::default() }
            }
            (true, Tables::Hash) => {
                Key { mode: problem | hash | side | RELOCATED, pid: s.spr[spr::PIDR], keys, slb: self.slb_epoch, decode: 0 }
            }
        };
        let data = key(s.msr.has(Msr::DR), 0, s.spr[spr::AMR]);
        let mut fetch = key(s.msr.has(Msr::IR), FETCH, s.spr[spr::IAMR]);
        fetch.decode = decode;
        self.common = [common && s.msr.has(Msr::DR), common && s.msr.has(Msr::IR)];
        let owner = [s.spr[spr::PIDR], s.spr[spr::AMR], s.spr[spr::IAMR]];
        if owner != self.owner {
            self.owner = owner;
            self.drop_private();
        }
        if self.next > LAST_CONTEXT - 2 {
            // Only whoever selects without ever running comes here.
            self.renumber();
        }
        self.data = self.number(data);
        self.fetch = self.number(fetch);
    }

    /// Data accesses match no entry until [`Tlb::select`].
    pub fn select_none(&mut self) {
        // Renumbering comes before the last number is given out.
        self.data = LAST_CONTEXT;
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
    use crate::memory::PageSet;
    use crate::mmu::Writable;

    fn with_pid(pid: u64) -> CpuState {
        let mut s = CpuState { msr: Msr(Msr::SF | Msr::IR | Msr::DR), ..CpuState::default() };
        s.spr[spr::PIDR] = pid;
        s
    }

    #[test]
    fn forgetting_a_process_leaves_the_others() {
        let mut tlb = Tlb::new(Arc::new(GuestMemory::new(1 << 20).unwrap()));
        let number = |tlb: &mut Tlb, pid| {
            tlb.select(&with_pid(pid), 0, Tables::Hash);
            (tlb.data, tlb.fetch)
        };
        let (five, six) = (number(&mut tlb, 5), number(&mut tlb, 6));
        assert_eq!(number(&mut tlb, 5), five);
        tlb.forget_process(5);
        assert_eq!(number(&mut tlb, 6), six);
        let again = number(&mut tlb, 5);
        assert!(again.0 != five.0 && again.1 != five.1, "entries of the forgotten process would match again");
    }

    #[test]
    fn a_large_entry_covers_no_page_that_is_still_elsewhere() {
        let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
        let mut tlb = Tlb::new(memory.clone());
        tlb.select(&CpuState::default(), 0, Tables::Hash);
        let t = Translation { ra: Ra(0), page_shift: 24, writable: Writable::Yes, holds: Holds::Always };
        let mut absent = PageSet::none(256);
        absent.insert(1);
        memory.set_absent(absent);
        tlb.fill(0, Half::Read, 0, &t);
        assert_eq!(tlb.refill(0x1000, Half::Read), None);
        assert!(memory.supply(1, &[0; 4096]));
        tlb.fill(0, Half::Read, 0, &t);
        assert_eq!(tlb.refill(0x1000, Half::Read), Some(0));
    }
}
