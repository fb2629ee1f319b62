//! What other threads may tell a vCPU: interrupt lines and requests, and how it sleeps.
//!
//! One [`Signals`] per vCPU, shared by the accelerator (which polls it between blocks), the interrupt controllers (which raise and
//! lower the external line) and the run loop (which parks a halted vCPU). It is the only thing that the CPU side and the machine
//! side of the monitor have in common, so it lives below both.

use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The external interrupt line of the vCPU's interrupt controller is up (level).
pub const EXTERNAL: u32 = 1 << 0;
/// A privileged doorbell is pending (ISA III, msgsndp).
pub const DOORBELL: u32 = 1 << 1;
/// A system reset interrupt is asked for (H_SIGNAL_SYS_RESET, `nmi`).
pub const SYSTEM_RESET: u32 = 1 << 2;
/// Another vCPU invalidated translations: flush the TLBs before running on.
pub const FLUSH: u32 = 1 << 3;
/// Leave guest code with `Exit::Kicked`.
pub const KICK: u32 = 1 << 4;
/// H_PROD was called for this vCPU; wakes a ceded vCPU.
pub const PROD: u32 = 1 << 5;

/// Pending work for one vCPU, set by any thread, polled by the vCPU.
#[derive(Default)]
pub struct Signals {
    bits: AtomicU32,
    parked: Mutex<()>,
    wake: Condvar,
    /// Called after every change, for a vCPU that cannot poll.
    watcher: OnceLock<Watcher>,
}

/// What is called after a change.
type Watcher = Box<dyn Fn(&Signals) + Send + Sync>;

impl std::fmt::Debug for Signals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signals").field("bits", &self.bits).finish_non_exhaustive()
    }
}

impl Signals {
    /// The bits that are up now.
    #[inline(always)]
    pub fn pending(&self) -> u32 {
        self.bits.load(Ordering::Relaxed)
    }

    /// Raises `bits` and wakes the vCPU if it sleeps.
    pub fn raise(&self, bits: u32) {
        let before = self.bits.fetch_or(bits, Ordering::SeqCst);
        if before & bits != bits {
            let guard = self.parked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            self.wake.notify_all();
            drop(guard);
            self.tell_watcher();
        }
    }

    /// Has `watcher` called after every change of the bits, by whoever changed them; it looks at [`Signals::pending`] itself. Once for each vCPU.
    pub fn watch(&self, watcher: impl Fn(&Signals) + Send + Sync + 'static) {
        let first = self.watcher.set(Box::new(watcher)).is_ok();
        assert!(first, "a vCPU has one accelerator");
    }

    fn tell_watcher(&self) {
        if let Some(watcher) = self.watcher.get() {
            watcher(self);
        }
    }

    /// Lowers `bits`; gives those of them that were up.
    pub fn lower(&self, bits: u32) -> u32 {
        let were_up = self.bits.fetch_and(!bits, Ordering::SeqCst) & bits;
        if were_up != 0 {
            self.tell_watcher();
        }
        were_up
    }

    /// Sleeps until one of `bits` is up, or `timeout` has passed (`None`: no limit).
    pub fn wait(&self, bits: u32, timeout: Option<Duration>) {
        let mut guard = self.parked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let deadline = timeout.map(|t| std::time::Instant::now() + t);
        while self.bits.load(Ordering::SeqCst) & bits == 0 {
            match deadline {
                None => guard = self.wake.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner),
                Some(d) => {
                    let left = d.saturating_duration_since(std::time::Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    guard = self.wake.wait_timeout(guard, left).unwrap_or_else(std::sync::PoisonError::into_inner).0;
                }
            }
        }
    }
}
