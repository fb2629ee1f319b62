//! Stores that go past the page flags: a host's kernel runs the guest, or keeps a table for it, and notes in its own way what changed.
//!
//! Whoever reads the dirty log of a memory need not know: [`GuestMemory::start_log`], [`GuestMemory::take_dirty`] and [`GuestMemory::stop_log`] ask the one who stores, too.

use crate::error::Result;
use crate::memory::GuestMemory;
use crate::memory::PageSet;

/// Who stores to a memory unseen.
pub trait Outside: Send + Sync {
    /// From now on it notes what it stores.
    ///
    /// # Errors
    /// It cannot.
    fn start(&self, memory: &GuestMemory) -> Result<()>;

    /// Adds the pages that it stored to since the last call; or stores now, by the methods of `memory`, what it kept elsewhere until now.
    ///
    /// # Errors
    /// It cannot say; some pages may be lost to the log, which must be started anew.
    fn take(&self, memory: &GuestMemory, into: &mut PageSet) -> Result<()>;

    /// It need not note anything any more.
    ///
    /// # Errors
    /// It notes on, which costs time and harms nothing.
    fn stop(&self, memory: &GuestMemory) -> Result<()>;
}
