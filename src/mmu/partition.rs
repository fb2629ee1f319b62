//! What all vCPUs of one machine share for translation: RAM, the page table roots, and the shootdown of cached translations.

use crate::error::Result;
use crate::memory::GuestMemory;
use crate::memory::Outside;
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
use std::time::Duration;

/// Which cached translations are to be forgotten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All.
    All,
    /// Those made while this PID was in PIDR; of PID 0, the kernel's own, which every process uses.
    Process(u32),
    /// Those of them, of another PID than 0, for the page of 2^`shift` bytes at effective address `ea`.
    Page {
        /// The PID.
        pid: u32,
        /// Where the page begins.
        ea: u64,
        /// log2 of its bytes.
        shift: u32,
    },
}

impl Scope {
    /// As two words.
    fn encode(self) -> (u64, u64) {
        match self {
            Scope::All => (0, 0),
            Scope::Process(pid) => (u64::from(pid) + 1, 0),
            Scope::Page { pid, ea, shift } => ((u64::from(pid) + 1) | (u64::from(shift) << 40), ea),
        }
    }

    fn decode((code, ea): (u64, u64)) -> Scope {
        let (pid, shift) = ((code as u32).wrapping_sub(1), (code >> 40) as u32);
        match (code, shift) {
            (0, _) => Scope::All,
            (_, 0) => Scope::Process(pid),
            _ => Scope::Page { pid, ea, shift },
        }
    }
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
    /// The hash table here is what the host's is to become: it was loaded, and not entered there yet.
    waiting: AtomicBool,
    /// Process table as H_REGISTER_PROC_TBL leaves it: base address and size field (`prtb` doubleword of the partition table, without its flag bits).
    process_table: AtomicU64,
    /// Counts invalidations; a vCPU that has seen the current count holds no stale translation.
    generation: AtomicU64,
    /// Scope of each of the last requests, by generation modulo the length.
    scopes: [(AtomicU64, AtomicU64); REMEMBERED as usize],
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
    /// Who stores to the copy of a hash table that the machine keeps.
    fn outside(self: Arc<Self>) -> Box<dyn Outside>;
    /// Brings a copy of the hash table, of its size, up to date, while the guest stands still.
    ///
    /// # Errors
    /// The host refuses.
    fn fetch(&self, copy: &GuestMemory) -> Result<()>;
    /// Enters into the guest's table, which is empty, what `copy` holds.
    ///
    /// # Errors
    /// The host refuses an entry.
    fn fill(&self, copy: &GuestMemory) -> Result<()>;
    /// Whether the table can be given another size while the guest uses it.
    fn can_resize(&self) -> bool;
    /// Makes ready a table of 2^`shift` bytes, or, for 0, forgets it. How long it will still take; zero: it is ready.
    ///
    /// # Errors
    /// Why there will be none.
    fn prepare(&self, shift: u32) -> std::result::Result<Duration, Resize>;
    /// Lets the guest use the table that was made ready, with its bolted entries.
    ///
    /// # Errors
    /// Why it goes on with the old one.
    fn commit(&self, shift: u32) -> std::result::Result<(), Resize>;
    /// Tells how the guest translates, and its process table's doubleword.
    ///
    /// # Errors
    /// The host cannot do that.
    fn configure(&self, by: Translation, process_table: u64) -> Result<()>;
}

/// Why a hash table is not resized.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resize {
    /// There are no tables of this size.
    Parameter,
    /// The host has no memory.
    NoMemory,
    /// None of this size was asked for.
    NothingPrepared,
    /// It is still being made ready.
    NotReady,
    /// Two bolted entries want the same place.
    Full,
    /// For a reason that the host does not say.
    Failed,
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
            waiting: AtomicBool::new(false),
            process_table: AtomicU64::new(0),
            generation: AtomicU64::new(1),
            scopes: std::array::from_fn(|_| (AtomicU64::new(0), AtomicU64::new(0))),
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

    /// Gives the guest an empty hash table of 2^`shift` bytes. Where the host keeps it, the one here is a copy.
    ///
    /// # Errors
    /// The host has no memory for it; nothing is changed.
    pub fn new_hpt(&self, shift: u32) -> Result<()> {
        self.adopt_hpt(Some(Arc::new(Hpt::new(shift)?)))?;
        self.waiting.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Gives the guest a hash table whose entries are there, or come before it runs: see [`Partition::enter_hpt`].
    ///
    /// # Errors
    /// The host has no memory for it; nothing is changed.
    pub fn adopt_hpt(&self, hpt: Option<Arc<Hpt>>) -> Result<()> {
        if let (Some(host), Some(hpt)) = (self.host(), &hpt) {
            host.new_hash_table(hpt.shift())?;
            hpt.bytes().set_outside(host.clone().outside());
            self.waiting.store(true, Ordering::SeqCst);
        }
        self.set_hpt(hpt);
        Ok(())
    }

    /// Enters the table that was adopted into the host's, once, where the host keeps it. No vCPU may be in guest code.
    ///
    /// # Errors
    /// The host refuses an entry.
    pub fn enter_hpt(&self) -> Result<()> {
        if let (Some(host), Some(hpt), true) = (self.host(), self.hpt(), self.waiting.load(Ordering::SeqCst)) {
            host.fill(hpt.bytes())?;
        }
        self.waiting.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Makes the hash table here what the guest's is, where the host keeps it. No vCPU may be in guest code.
    ///
    /// # Errors
    /// The host refuses.
    pub fn fetch_hpt(&self) -> Result<()> {
        self.enter_hpt()?;
        match (self.host(), self.hpt()) {
            (Some(host), Some(hpt)) => host.fetch(hpt.bytes()),
            (None, _) | (_, None) => Ok(()),
        }
    }

    /// Lets the guest use the table of 2^`shift` bytes that `host` has made ready; a copy of that one begins.
    ///
    /// # Errors
    /// Why it goes on with the old one.
    pub fn commit_hpt(&self, host: &Arc<dyn HostTables>, shift: u32) -> std::result::Result<(), Resize> {
        let copy = Hpt::new(shift).map_err(|_| Resize::NoMemory)?;
        host.commit(shift)?;
        copy.bytes().set_outside(host.clone().outside());
        self.set_hpt(Some(Arc::new(copy)));
        Ok(())
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
        let (code, ea) = scope.encode();
        let place = &self.scopes[(next % REMEMBERED) as usize];
        place.0.store(code, Ordering::SeqCst);
        place.1.store(ea, Ordering::SeqCst);
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

    /// What was asked for after generation `seen`, up to `now`, each scope once; `None` when everything is to be forgotten.
    pub fn scopes_since(&self, seen: u64, now: u64) -> Option<Vec<Scope>> {
        if now - seen >= REMEMBERED {
            return None;
        }
        let mut scopes = Vec::new();
        for generation in seen + 1..=now {
            let (code, ea) = &self.scopes[(generation % REMEMBERED) as usize];
            let scope = Scope::decode((code.load(Ordering::SeqCst), ea.load(Ordering::SeqCst)));
            if scope == Scope::All {
                return None;
            }
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        // An entry may have been written over while it was read: then more than a lap was asked for meanwhile.
        let lapped = self.generation.load(Ordering::SeqCst) - seen >= REMEMBERED;
        (!lapped).then_some(scopes)
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
    /// [`Partition::scopes_since`] says of the two, then calls [`Seen::caught_up`] with the second.
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
        let page = Scope::Page { pid: u32::MAX - 1, ea: 0x1000_0000, shift: 16 };
        p.request_invalidation(Scope::Process(0));
        p.request_invalidation(page);
        p.request_invalidation(Scope::Process(u32::MAX));
        p.request_invalidation(Scope::Process(0));
        assert_eq!(p.scopes_since(start, p.generation()), Some(vec![Scope::Process(0), page, Scope::Process(u32::MAX)]));
        p.request_invalidation(Scope::All);
        assert_eq!(p.scopes_since(start, p.generation()), None);
        let start = p.generation();
        (0..REMEMBERED - 1).for_each(|_| p.request_invalidation(Scope::Process(1)));
        assert_eq!(p.scopes_since(start, p.generation()), Some(vec![Scope::Process(1)]));
        p.request_invalidation(Scope::Process(1));
        assert_eq!(p.scopes_since(start, p.generation()), None);
    }
}
