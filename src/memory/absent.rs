//! Pages that are still elsewhere: a guest that has moved before its memory (post-copy).
//!
//! Every way to guest bytes begins with [`GuestMemory::host`](crate::memory::GuestMemory::host): the checked methods, and the accelerators when they fill their TLBs. So a page that is absent can simply be waited for
//! there, and needs no help from the host's kernel: a vCPU that has never touched the page has no translation of it. The price for everybody else is one load of a flag that is
//! almost always clear.
//!
//! Whoever waits has asked for the page first ([`Absent::wanted`]); what arrives goes in through [`Absent::supply`], once: a page that arrives again, on another connection, must
//! not undo what the guest has written to it since.

use crate::memory::PageSet;
use std::collections::VecDeque;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// See the module.
#[derive(Default)]
pub(super) struct Absent {
    any: AtomicBool,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    missing: PageSet,
    /// Pages that somebody waits for and nobody has sent for yet.
    wanted: VecDeque<u64>,
    /// Nobody will send them any more: whoever waits goes away empty.
    lost: bool,
}

/// A page will never come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lost;

impl Absent {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any page is.
    #[inline(always)]
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// These pages are elsewhere from now on.
    pub(super) fn set(&self, pages: PageSet) {
        let mut inner = self.inner();
        *inner = Inner { missing: pages, ..Inner::default() };
        self.any.store(!inner.missing.is_empty(), Ordering::Release);
    }

    /// Those that still are.
    pub(super) fn missing(&self) -> PageSet {
        self.inner().missing.clone()
    }

    /// Returns when none of the pages from `first` to `last` is absent.
    #[cold]
    pub(super) fn wait(&self, first: u64, last: u64) -> Result<(), Lost> {
        let mut inner = self.inner();
        for page in first..=last {
            let mut asked = false;
            while inner.missing.contains(page) {
                if inner.lost {
                    return Err(Lost);
                }
                if !asked {
                    asked = true;
                    inner.wanted.push_back(page);
                    self.changed.notify_all();
                }
                inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
        }
        Ok(())
    }

    /// The next page that somebody waits for; `None` after `timeout`, or when none is absent any more.
    pub(super) fn wanted(&self, timeout: Duration) -> Option<u64> {
        let mut inner = self.inner();
        loop {
            while let Some(page) = inner.wanted.pop_front() {
                if inner.missing.contains(page) {
                    return Some(page);
                }
            }
            if inner.missing.is_empty() || inner.lost {
                return None;
            }
            let (next, over) = self.changed.wait_timeout(inner, timeout).unwrap_or_else(PoisonError::into_inner);
            inner = next;
            if over.timed_out() && inner.wanted.is_empty() {
                return None;
            }
        }
    }

    /// Asks again for what was sent for on a connection that broke: everybody who still waits does.
    pub(super) fn ask_again(&self, page: u64) {
        self.inner().wanted.push_front(page);
        self.changed.notify_all();
    }

    /// `write` puts the page in its place, unless it is there already; whether it was missing.
    pub(super) fn supply(&self, page: u64, write: impl FnOnce()) -> bool {
        let mut inner = self.inner();
        if !inner.missing.remove(page) {
            return false;
        }
        // Under the lock: nobody looks at the page before it is whole.
        write();
        if inner.missing.is_empty() {
            self.any.store(false, Ordering::Release);
        }
        drop(inner);
        self.changed.notify_all();
        true
    }

    /// Nobody will send the pages any more.
    pub(super) fn give_up(&self) {
        self.inner().lost = true;
        self.changed.notify_all();
    }
}
