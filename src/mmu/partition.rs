//! What all vCPUs of one machine share for translation: RAM, the page table roots, and the shootdown of cached translations.

use crate::memory::GuestMemory;
use crate::mmu::hpt::Hpt;
use crate::signal;
use crate::signal::Signals;
use std::sync::Arc;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// One machine's translation roots.
pub struct Partition {
    /// Guest RAM.
    pub memory: Arc<GuestMemory>,
    /// The hashed page table, if the machine has one now.
    hpt: RwLock<Option<Arc<Hpt>>>,
    /// Process table as H_REGISTER_PROC_TBL leaves it: base address and size field (`prtb` doubleword of the partition table, without its flag bits).
    process_table: AtomicU64,
    /// Counts invalidations; a vCPU that has seen the current count holds no stale translation.
    generation: AtomicU64,
    cpus: RwLock<Vec<Arc<Seen>>>,
}

/// How far one vCPU has followed invalidations.
pub struct Seen {
    generation: AtomicU64,
    /// In guest code, so possibly using a cached translation.
    running: AtomicBool,
    signals: Arc<Signals>,
}

impl Partition {
    /// A partition over `memory`, without page tables.
    pub fn new(memory: Arc<GuestMemory>) -> Partition {
        Partition {
            memory,
            hpt: RwLock::new(None),
            process_table: AtomicU64::new(0),
            generation: AtomicU64::new(1),
            cpus: RwLock::new(Vec::new()),
        }
    }

    /// The hashed page table.
    pub fn hpt(&self) -> Option<Arc<Hpt>> {
        self.hpt.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Replaces the hashed page table and invalidates all translations.
    pub fn set_hpt(&self, hpt: Option<Arc<Hpt>>) {
        *self.hpt.write().unwrap_or_else(std::sync::PoisonError::into_inner) = hpt;
        self.invalidate(None);
    }

    /// The process table doubleword (ISA III, process table: base in bits 4:51, size in bits 59:63).
    pub fn process_table(&self) -> u64 {
        self.process_table.load(Ordering::Acquire)
    }

    /// Sets the process table and invalidates all translations.
    pub fn set_process_table(&self, value: u64) {
        self.process_table.store(value, Ordering::Release);
        self.invalidate(None);
    }

    /// Adds a vCPU to those that shootdowns wait for.
    pub fn join(&self, signals: Arc<Signals>) -> Arc<Seen> {
        let seen = Arc::new(Seen { generation: AtomicU64::new(0), running: AtomicBool::new(false), signals });
        self.cpus.write().unwrap_or_else(std::sync::PoisonError::into_inner).push(seen.clone());
        seen
    }

    /// Asks every vCPU to forget its cached translations; does not wait.
    pub fn request_invalidation(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        for cpu in self.cpus.read().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
            cpu.signals.raise(signal::FLUSH);
        }
    }

    /// Waits until no vCPU can use a translation from before the last request. `me`, if it is a vCPU in guest code, waits for what it has
    /// itself followed ([`Seen::caught_up`]): had it to follow later requests here, two vCPUs could wait for each other.
    pub fn wait_for_invalidation(&self, me: Option<&Seen>) {
        let now = me.map_or_else(|| self.generation.load(Ordering::SeqCst), |m| m.generation.load(Ordering::SeqCst));
        let cpus = self.cpus.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        for cpu in cpus.iter().filter(|c| me.is_none_or(|m| !std::ptr::eq(&raw const ***c, m))) {
            while cpu.running.load(Ordering::SeqCst) && cpu.generation.load(Ordering::SeqCst) < now {
                std::thread::yield_now();
            }
        }
    }

    /// Both, for whoever changes a page table on a guest's behalf (H_REMOVE and its kin).
    pub fn invalidate(&self, me: Option<&Seen>) {
        self.request_invalidation();
        self.wait_for_invalidation(me);
    }

    /// The count of invalidations requested so far.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }
}

impl Seen {
    /// The vCPU enters guest code; it must look at [`Seen::behind`] next.
    pub fn enter(&self) {
        self.running.store(true, Ordering::SeqCst);
    }
    /// The vCPU left guest code and will look before it uses a cached translation again.
    pub fn leave(&self) {
        self.running.store(false, Ordering::SeqCst);
    }
    /// Whether cached translations are stale. When it says so, the caller flushes, then calls [`Seen::caught_up`] with the value given.
    pub fn behind(&self, partition: &Partition) -> Option<u64> {
        let now = partition.generation();
        (self.generation.load(Ordering::SeqCst) < now).then_some(now)
    }
    /// Cached translations from before `generation` are gone.
    pub fn caught_up(&self, generation: u64) {
        self.generation.store(generation, Ordering::SeqCst);
    }
}
