//! A machine with no CPU: memory that a thread writes to while it "runs", and what migration may ask of a machine.

use spapr::error::Error;
use spapr::error::Reason;
use spapr::error::Result;
use spapr::memory::GuestMemory;
use spapr::migrate::Gone;
use spapr::migrate::Ran;
use spapr::migrate::Subject;
use spapr::migrate::Used;
use spapr::migrate::message::RegionKind;
use spapr::units::Ra;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What a running guest does.
#[derive(Clone, Copy, Default)]
pub struct Load {
    /// Stores between two looks at whether it still runs.
    pub stores: u64,
    /// Pages that it stores to.
    pub window: u64,
    /// Rest between two such batches.
    pub rest: Duration,
}

/// What the guest's thread changes.
pub struct Inner {
    pub running: bool,
    /// Stores made so far; the state that travels besides memory.
    pub count: u64,
    hpt: Option<Arc<GuestMemory>>,
    /// What was placed and not yet taken over.
    placed: Option<Arc<GuestMemory>>,
    /// Digest when it was last stopped.
    pub stopped: Option<u64>,
    /// What the digest was when it started as a destination.
    pub started: Option<u64>,
    pub gone: Option<Gone>,
    pub stopped_for: Duration,
}

pub struct Guest {
    pub ram: Arc<GuestMemory>,
    inner: Mutex<Inner>,
    load: Load,
    ended: AtomicBool,
    used: AtomicBool,
    pub throttle: AtomicU8,
    pub throttled_most: AtomicU8,
    pub kind: u64,
    /// Replaces the page table after so many batches.
    pub replace_hpt_after: AtomicU64,
    /// Whether what arrives as state is refused.
    pub refuses_state: AtomicBool,
    pub fails_to_start: AtomicBool,
}

fn hash(bytes: &[u8], seed: u64) -> u64 {
    bytes.as_chunks::<8>().0.iter().fold(seed, |h, w| (h ^ u64::from_le_bytes(*w)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29))
}

impl Guest {
    /// A guest with `pages` of RAM and a page table, which does `load` while it runs. Its thread ends with [`Guest::end`].
    pub fn new(pages: u64, load: Load) -> Arc<Guest> {
        let memory = |pages: u64| Arc::new(GuestMemory::new(pages << 12).unwrap());
        let guest = Arc::new(Guest {
            ram: memory(pages),
            inner: Mutex::new(Inner {
                running: false,
                count: 0,
                hpt: Some(memory(16)),
                placed: None,
                stopped: None,
                started: None,
                gone: None,
                stopped_for: Duration::ZERO,
            }),
            load,
            ended: AtomicBool::new(false),
            used: AtomicBool::new(false),
            throttle: AtomicU8::new(0),
            throttled_most: AtomicU8::new(0),
            kind: 1,
            replace_hpt_after: AtomicU64::new(u64::MAX),
            refuses_state: AtomicBool::new(false),
            fails_to_start: AtomicBool::new(false),
        });
        let g = guest.clone();
        std::thread::spawn(move || g.live());
        guest
    }

    /// As `new`, with contents, running.
    pub fn running(pages: u64, load: Load) -> Arc<Guest> {
        let g = Guest::new(pages, load);
        for p in (0..pages).filter(|p| p % 3 != 0) {
            (0..512).for_each(|w| g.ram.write_u64(Ra((p << 12) + w * 8), p * 512 + w).unwrap());
        }
        g.ram.fill(Ra(0x3000), 0x1000, 0x55).unwrap();
        g.inner().running = true;
        g
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    fn live(&self) {
        let mut batches = 0;
        while !self.ended.load(Ordering::Acquire) {
            let mut inner = self.inner();
            if inner.running && self.load.window > 0 {
                batches += 1;
                for _ in 0..self.load.stores {
                    inner.count += 1;
                    let c = inner.count;
                    let page = c.wrapping_mul(0x9e37_79b9) % self.load.window;
                    self.ram.write_u64(Ra((page << 12) + (c % 512) * 8), c).unwrap();
                }
                let at = Ra((inner.count % 0x1_0000) & !7);
                inner.hpt.as_ref().unwrap().write_u64(at, inner.count).unwrap();
                if batches == self.replace_hpt_after.load(Ordering::Relaxed) {
                    inner.hpt = Some(Arc::new(GuestMemory::new(32 << 12).unwrap()));
                }
            }
            drop(inner);
            let throttle = u32::from(self.throttle.load(Ordering::Relaxed));
            std::thread::sleep(self.load.rest.max(Duration::from_micros(50)) * 100 / (100 - throttle).max(1));
        }
    }

    /// Everything that makes the guest.
    pub fn digest(&self, inner: &Inner) -> u64 {
        let mut h = inner.count;
        for m in [Some(&self.ram), inner.hpt.as_ref()].into_iter().flatten() {
            let mut bytes = vec![0; m.size() as usize];
            m.read(Ra(0), &mut bytes).unwrap();
            h = hash(&bytes, h);
        }
        h
    }
}

impl Subject for Guest {
    fn describe(&self) -> Result<Vec<u8>> {
        Ok([self.kind, self.ram.size()].iter().flat_map(|v| v.to_be_bytes()).collect())
    }

    fn judge(&self, description: &[u8]) -> std::result::Result<Vec<String>, Vec<Reason>> {
        let own = self.describe().unwrap();
        if description == own {
            return Ok(vec!["a warning".into()]);
        }
        Err(vec![Reason {
            code: "kind".into(),
            problem: "it is another machine".into(),
            hint: "make it the same".into(),
            ..Reason::default()
        }])
    }

    fn regions(&self) -> Vec<(RegionKind, Arc<GuestMemory>)> {
        let hpt = self.inner().hpt.clone();
        [(RegionKind::Ram, Some(self.ram.clone())), (RegionKind::Hpt, hpt)].into_iter().filter_map(|(k, m)| Some((k, m?))).collect()
    }

    fn place(&self, kind: RegionKind, bytes: u64) -> std::result::Result<(Arc<GuestMemory>, Used), String> {
        match kind {
            RegionKind::Ram if bytes == self.ram.size() => {
                let used = if self.used.swap(true, Ordering::AcqRel) { Used::Yes } else { Used::No };
                Ok((self.ram.clone(), used))
            }
            RegionKind::Hpt if bytes <= 1 << 20 => {
                let hpt = Arc::new(GuestMemory::new(bytes).unwrap());
                self.inner().placed = Some(hpt.clone());
                Ok((hpt, Used::No))
            }
            RegionKind::Ram | RegionKind::Hpt | RegionKind::HptPrepared => Err(format!("{bytes:#x} bytes of {kind:?} do not fit")),
        }
    }

    fn can_wait(&self) -> Result<()> {
        Ok(())
    }

    fn settle(&self) {}

    fn stop(&self) -> Result<Ran> {
        let mut inner = self.inner();
        let ran = std::mem::replace(&mut inner.running, false);
        inner.stopped = Some(self.digest(&inner));
        Ok(if ran { Ran::Yes } else { Ran::No })
    }

    fn go_on(&self, ran: Ran) {
        let mut inner = self.inner();
        assert_eq!(inner.stopped, Some(self.digest(&inner)), "the source was changed while it was stopped");
        inner.running = ran == Ran::Yes;
    }

    fn throttle(&self, percent: u8) {
        self.throttle.store(percent, Ordering::Relaxed);
        self.throttled_most.fetch_max(percent, Ordering::Relaxed);
    }

    fn save(&self) -> Result<Vec<u8>> {
        let inner = self.inner();
        assert!(!inner.running, "a running machine is saved");
        let mut state = vec![7; 1 << 20];
        state.extend_from_slice(&inner.count.to_be_bytes());
        Ok(state)
    }

    fn load(&self, state: &[u8]) -> Result<()> {
        let mut inner = self.inner();
        let refused = self.refuses_state.load(Ordering::Relaxed) || state.len() != (1 << 20) + 8;
        if refused {
            return Err(Error::State { doing: "load".into(), problem: "the state is bad".into(), hint: "send another".into() });
        }
        inner.count = u64::from_be_bytes(state[1 << 20..].try_into().unwrap());
        inner.hpt = inner.placed.take();
        Ok(())
    }

    fn start(&self, stopped_for: Duration, ran: Ran) -> Result<()> {
        if self.fails_to_start.load(Ordering::Relaxed) {
            return Err(Error::State { doing: "start".into(), problem: "it will not".into(), hint: "none".into() });
        }
        let mut inner = self.inner();
        // Whoever looks at all of its memory waits for all of it.
        inner.started = (!self.ram.lacks_pages()).then(|| self.digest(&inner));
        inner.running = ran == Ran::Yes;
        inner.stopped_for = stopped_for;
        Ok(())
    }

    fn moved(&self, gone: Gone) {
        let mut inner = self.inner();
        assert_eq!(inner.stopped, Some(self.digest(&inner)), "the source was changed while it was stopped");
        inner.gone = Some(gone);
    }
}
