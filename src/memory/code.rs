//! In which pages decoded code was overwritten, in order.
//!
//! A page's generation says whether code decoded from it is still valid, to who asks before running it. Translated code runs on from block to block and asks
//! for nothing; its vCPU looks here now and then and learns which pages to forget.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// So many changes are remembered; who is further behind looks at every page.
const REMEMBERED: u64 = 256;

/// The last changes.
pub(super) struct CodeChanges {
    count: AtomicU64,
    /// Page numbers, by count modulo the length.
    pages: [AtomicU64; REMEMBERED as usize],
    /// Held while a change is entered.
    entering: Mutex<()>,
}

impl Default for CodeChanges {
    fn default() -> Self {
        CodeChanges { count: AtomicU64::new(0), pages: std::array::from_fn(|_| AtomicU64::new(0)), entering: Mutex::new(()) }
    }
}

impl CodeChanges {
    /// Enters a page.
    pub(super) fn enter(&self, page: usize) {
        let _entering = self.entering.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let next = self.count.load(Ordering::SeqCst) + 1;
        self.pages[(next % REMEMBERED) as usize].store(page as u64, Ordering::SeqCst);
        self.count.store(next, Ordering::SeqCst);
    }

    /// How many there were.
    pub(super) fn count(&self) -> &AtomicU64 {
        &self.count
    }

    /// The pages of the changes after count `seen` up to `now`; `None` if that is too long ago to say.
    pub(super) fn since(&self, seen: u64, now: u64) -> Option<Vec<u64>> {
        if now - seen >= REMEMBERED {
            return None;
        }
        let pages = (seen + 1..=now).map(|n| self.pages[(n % REMEMBERED) as usize].load(Ordering::SeqCst)).collect();
        // An entry may have been written over while it was read: then more than a lap was entered meanwhile.
        (self.count.load(Ordering::SeqCst) - seen < REMEMBERED).then_some(pages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_changes_are_named_and_older_ones_are_not() {
        let c = CodeChanges::default();
        (0..10).for_each(|page| c.enter(page));
        assert_eq!(c.since(7, 10), Some(vec![7, 8, 9]));
        (0..REMEMBERED as usize).for_each(|page| c.enter(page));
        assert_eq!(c.since(10, c.count().load(Ordering::SeqCst)), None);
    }
}
