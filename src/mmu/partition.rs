//! What all vCPUs of one machine share for translation: RAM, the page table roots, and the shootdown of cached translations.

use crate::error::Result;
use crate::memory::GuestMemory;
use crate::mmu::hpt::Hpt;
use crate::signal;
use crate::signal::Signals;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Which cached translations are to be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All.
    All,
    /// Those made while this PID was in PIDR. (A kernel's own, of PID 0, are cached under every PID: they need [`Scope::All`].)
    Process(u32),
}

/// The scopes of this many requests are remembered; a vCPU that is further behind forgets everything.
const REMEMBERED: u64 = 64;

/// One machine's translation roots.
pub struct Partition {
    /// Guest RAM.
    pub memory: Arc<GuestMemory>,
    /// The hashed page table, if the machine has one now.
    hpt: RwLock<Option<Arc<Hpt>>>,
    /// Whoever keeps the page tables in our place.
    host: OnceLock<Arc<dyn HostTables>>,
    /// Process table as H_REGISTER_PROC_TBL leaves it: base address and size field (`prtb` doubleword of the partition table, without its flag bits).
    process_table: AtomicU64,
    /// Counts invalidations; a vCPU that has seen the current count holds no stale translation.
    generation: AtomicU64,
    /// Scope of each of the last requests, by generation modulo the length: 0 is all, else PID + 1.
    scopes: [AtomicU64; REMEMBERED as usize],
    /// Held while a request is entered.
    requests: Mutex<()>,
    cpus: RwLock<Vec<Arc<Seen>>>,
}

/// Page tables that the host's kernel keeps for the guest: it answers their hypercalls, and no table of ours is looked at.
pub trait HostTables: Send + Sync {
    /// Whether hash guests exist here.
    fn can_hash(&self) -> bool;
    /// Gives the guest an empty hash table of 2^`shift` bytes.
    ///
    /// # Errors
    /// The host has no memory for it.
    fn new_hash_table(&self, shift: u32) -> Result<()>;
    /// Tells how the guest translates, and its process table's doubleword.
    ///
    /// # Errors
    /// The host cannot do that.
    fn configure(&self, by: Translation, process_table: u64) -> Result<()>;
}

/// How a guest translates, as far as whoever walks its tables must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Translation {
    /// By the hash table.
    Hash,
    /// By radix trees; it asks when translations are to be forgotten.
    Radix,
    /// By radix trees; it invalidates translations itself (LPCR\[GTSE\]).
    RadixGtse,
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
            host: OnceLock::new(),
            process_table: AtomicU64::new(0),
            generation: AtomicU64::new(1),
            scopes: std::array::from_fn(|_| AtomicU64::new(0)),
            requests: Mutex::new(()),
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

    /// From now on the host's kernel keeps the page tables. To be called before there are any.
    pub fn set_host(&self, host: Arc<dyn HostTables>) {
        let first = self.host.set(host).is_ok();
        assert!(first && self.hpt().is_none(), "who keeps the page tables is settled before there are any");
    }

    /// Whoever keeps the page tables in our place.
    pub fn host(&self) -> Option<&Arc<dyn HostTables>> {
        self.host.get()
    }

    /// Gives the guest an empty hash table of 2^`shift` bytes.
    ///
    /// # Errors
    /// The host has no memory for it; nothing is changed.
    pub fn new_hpt(&self, shift: u32) -> Result<()> {
        match self.host() {
            Some(host) => host.new_hash_table(shift),
            None => {
                self.set_hpt(Some(Arc::new(Hpt::new(shift)?)));
                Ok(())
            }
        }
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

    /// Asks every vCPU to forget its cached translations within `scope`; does not wait.
    pub fn request_invalidation(&self, scope: Scope) {
        let entry = self.requests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let next = self.generation.load(Ordering::SeqCst) + 1;
        let code = match scope {
            Scope::All => 0,
            Scope::Process(pid) => u64::from(pid) + 1,
        };
        self.scopes[(next % REMEMBERED) as usize].store(code, Ordering::SeqCst);
        self.generation.store(next, Ordering::SeqCst);
        drop(entry);
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
        self.request_invalidation(Scope::All);
        self.wait_for_invalidation(me);
    }

    /// Returns when every store that a vCPU made without seeing a page flag that was set before this call is visible. A vCPU looks at the flags after its
    /// store without a barrier between the two; following an invalidation is one, and a vCPU outside guest code has been through one.
    pub fn settle(&self) {
        self.invalidate(None);
    }

    /// What was asked for after generation `seen`, up to `now`: PIDs, or `None` when everything is to be forgotten.
    pub fn processes_since(&self, seen: u64, now: u64) -> Option<Vec<u32>> {
        if now - seen >= REMEMBERED {
            return None;
        }
        let codes: Vec<u64> = (seen + 1..=now).map(|g| self.scopes[(g % REMEMBERED) as usize].load(Ordering::SeqCst)).collect();
        // An entry may have been written over while it was read: then more than a lap was asked for meanwhile.
        let lapped = self.generation.load(Ordering::SeqCst) - seen >= REMEMBERED;
        let pids = codes.iter().map(|c| c.checked_sub(1).map(|pid| pid as u32)).collect::<Option<Vec<u32>>>();
        if lapped { None } else { pids }
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
    /// Whether cached translations are stale: the generation followed so far and the present one. The caller forgets what
    /// [`Partition::processes_since`] says of the two, then calls [`Seen::caught_up`] with the second.
    pub fn behind(&self, partition: &Partition) -> Option<(u64, u64)> {
        let (seen, now) = (self.generation.load(Ordering::SeqCst), partition.generation());
        (seen < now).then_some((seen, now))
    }
    /// Cached translations from before `generation` are gone.
    pub fn caught_up(&self, generation: u64) {
        self.generation.store(generation, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_followed_until_too_many_have_passed() {
        let p = Partition::new(Arc::new(GuestMemory::new(1 << 20).unwrap()));
        let start = p.generation();
        p.request_invalidation(Scope::Process(7));
        p.request_invalidation(Scope::Process(9));
        assert_eq!(p.processes_since(start, p.generation()), Some(vec![7, 9]));
        p.request_invalidation(Scope::All);
        assert_eq!(p.processes_since(start, p.generation()), None);
        let start = p.generation();
        (0..REMEMBERED - 1).for_each(|_| p.request_invalidation(Scope::Process(1)));
        assert_eq!(p.processes_since(start, p.generation()).map(|v| v.len() as u64), Some(REMEMBERED - 1));
        p.request_invalidation(Scope::Process(1));
        assert_eq!(p.processes_since(start, p.generation()), None);
    }
}
