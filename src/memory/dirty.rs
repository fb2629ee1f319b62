//! The dirty log: which pages were stored to since somebody last asked.
//!
//! A page whose flags have [`LOG`] is armed: its first store clears the flag and notes the page, the next ones cost what they always do. Asking takes the
//! notes and arms those pages again, so the price is paid for pages that change and not for the others.
//!
//! A store and the look at the flags after it may overtake each other in the processor: a vCPU may have seen the flag still clear while its store is not yet
//! visible. Translated code does not look where there were no flags when it last did, and learns only between two entries that some were set. So whoever copies pages that [`DirtyLog::take`] gave waits first until every vCPU has been through a barrier (`mmu::Partition::settle`). A store
//! after that finds the page armed; a store before it is in the copy. Everything else that stores (hypercalls, devices, page table walks) uses the checked
//! methods of `GuestMemory`, which have the barrier themselves.
//!
//! There is one log for each memory. Two that migrate from the same machine at once would take each other's notes, so that is refused (`start`).

use crate::memory::LOG;
use crate::memory::PageSet;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::atomic::fence;

/// See the module.
pub(super) struct DirtyLog {
    noted: Box<[AtomicU64]>,
    on: AtomicBool,
}

impl DirtyLog {
    pub(super) fn new(pages: usize) -> DirtyLog {
        DirtyLog { noted: (0..pages.div_ceil(64)).map(|_| AtomicU64::new(0)).collect(), on: AtomicBool::new(false) }
    }

    /// A page that was armed is stored to.
    pub(super) fn note(&self, page: usize) {
        self.noted[page / 64].fetch_or(1 << (page % 64), Ordering::AcqRel);
    }

    /// Arms every page. `false`: somebody else has the log.
    pub(super) fn start(&self, flags: &[AtomicU8]) -> bool {
        if self.on.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.noted.iter().for_each(|w| w.store(0, Ordering::Relaxed));
        flags.iter().for_each(|f| {
            f.fetch_or(LOG, Ordering::SeqCst);
        });
        fence(Ordering::SeqCst);
        true
    }

    /// Takes what was noted, and arms those pages again.
    pub(super) fn take(&self, flags: &[AtomicU8]) -> PageSet {
        let mut set = PageSet::none(flags.len() as u64);
        for (index, noted) in self.noted.iter().enumerate() {
            if noted.load(Ordering::Relaxed) == 0 {
                continue;
            }
            let word = noted.swap(0, Ordering::AcqRel);
            set.insert_word(index, word);
            let mut left = word;
            while left != 0 {
                flags[index * 64 + left.trailing_zeros() as usize].fetch_or(LOG, Ordering::SeqCst);
                left &= left - 1;
            }
        }
        fence(Ordering::SeqCst);
        set
    }

    /// Whether a page is noted now.
    pub(super) fn has(&self, page: u64) -> bool {
        self.noted.get((page / 64) as usize).is_some_and(|w| w.load(Ordering::Relaxed) >> (page % 64) & 1 != 0)
    }

    /// How many pages are noted now.
    pub(super) fn noted(&self) -> u64 {
        self.noted.iter().map(|w| u64::from(w.load(Ordering::Relaxed).count_ones())).sum()
    }

    /// Disarms every page.
    pub(super) fn stop(&self, flags: &[AtomicU8]) {
        flags.iter().for_each(|f| {
            f.fetch_and(!LOG, Ordering::SeqCst);
        });
        self.on.store(false, Ordering::Release);
    }
}
