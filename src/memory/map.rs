//! The mapping of guest RAM, and the only raw access to it outside the accelerators.
// UNSAFETY: guest RAM is shared with running vCPUs, so it is read and written through raw pointers with atomic or volatile-like
// copies and never through references.
#![expect(unsafe_code, reason = "guest RAM is memory that other threads write; see docs/safety.md")]

use crate::error::Error;
use crate::error::Result;
use crate::memory::CODE;
use crate::memory::FLAG_SHIFT;
use crate::memory::LOG;
use crate::memory::OutOfRam;
use crate::memory::Outside;
use crate::memory::PageSet;
use crate::memory::absent::Absent;
use crate::memory::code::CodeChanges;
use crate::memory::dirty::DirtyLog;
use crate::memory::image;
use crate::memory::image::Image;
use crate::units::Ra;
use std::ops::Deref;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::AtomicU16;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::sync::atomic::fence;
use std::time::Duration;
use vm_memory::MmapRegion;

/// From this size on memory is filled with huge pages: RAM is, and hash tables, which are sparse, mostly are not.
const HUGE_FROM: u64 = 64 << 20;
/// Bytes of RAM that are looked at together.
const PORTION: u64 = 1 << 20;

/// Counters and flags of all pages: zero, and without memory until they are written.
struct Zeroed<T> {
    map: MmapRegion<()>,
    len: usize,
    of: std::marker::PhantomData<T>,
}

/// Types of which all zero bits are a value, which are changed through shared references, and which need no more than a page's alignment.
trait ZeroIsFine {}
impl ZeroIsFine for AtomicU8 {}
impl ZeroIsFine for AtomicU32 {}

impl<T: ZeroIsFine> Zeroed<T> {
    fn new(len: usize) -> std::io::Result<Zeroed<T>> {
        let bytes = (len * size_of::<T>()).max(1);
        let map = MmapRegion::new(bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
        Ok(Zeroed { map, len, of: std::marker::PhantomData })
    }
}

impl<T: ZeroIsFine> Deref for Zeroed<T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        // SAFETY: the mapping holds `len` of them, page-aligned, zero at first, and lives as long as `self`; they change only through
        // atomic operations.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.len) }
    }
}

/// Guest RAM: `size` bytes from real address 0.
pub struct GuestMemory {
    /// Keeps the mapping alive for as long as `base` is used.
    _map: MmapRegion<()>,
    base: *mut u8,
    size: u64,
    /// What RAM shows where it was not written since.
    image: Mutex<Arc<Image>>,
    /// One byte of flags for each 4 KiB page.
    flags: Zeroed<AtomicU8>,
    /// How often flags were set.
    armed: AtomicU64,
    /// For each 4 KiB page, how often decoded code from it was overwritten.
    generation: Zeroed<AtomicU32>,
    /// The pages whose generation rose last.
    changes: CodeChanges,
    dirty: DirtyLog,
    absent: Absent,
    /// Who stores here without looking at the flags.
    outside: OnceLock<Box<dyn Outside>>,
}

// SAFETY: `base` points to a mapping that lives as long as `self`; every access through it is atomic or a byte copy on
// memory that Rust never holds a reference to, so threads can share it.
unsafe impl Send for GuestMemory {}
// SAFETY: as above.
unsafe impl Sync for GuestMemory {}

/// The error for RAM that the host does not give.
fn cannot_map(size: u64) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::Host { doing: format!("map {} MiB of guest RAM", size >> 20), source }
}

impl GuestMemory {
    /// Maps `size` bytes (a positive multiple of 64 KiB) of zeroed RAM.
    pub fn new(size: u64) -> Result<GuestMemory> {
        let memory = GuestMemory::over(&Arc::new(Image::zeros(size)))?;
        if size >= HUGE_FROM {
            memory.prefer_huge_pages();
        }
        Ok(memory)
    }

    /// Maps an image: RAM that holds what the image holds, and shares with it what is not written.
    ///
    /// # Errors
    /// The host has no room for the mapping.
    pub fn from_image(image: &Arc<Image>) -> Result<GuestMemory> {
        let memory = GuestMemory::over(image)?;
        // SAFETY: the mapping was just made, and nobody else knows of it.
        unsafe { image.map_over(memory.base) }.map_err(cannot_map(image.size()))?;
        Ok(memory)
    }

    /// Plain memory that is to become `image`.
    fn over(image: &Arc<Image>) -> Result<GuestMemory> {
        let host = cannot_map(image.size());
        let bytes = usize::try_from(image.size()).map_err(|_| host(std::io::ErrorKind::OutOfMemory.into()))?;
        let map = MmapRegion::new(bytes).map_err(|e| host(std::io::Error::other(e.to_string())))?;
        let pages = bytes >> FLAG_SHIFT;
        Ok(GuestMemory {
            base: map.as_ptr(),
            _map: map,
            size: image.size(),
            image: Mutex::new(Arc::clone(image)),
            flags: Zeroed::new(pages).map_err(&host)?,
            armed: AtomicU64::new(0),
            generation: Zeroed::new(pages).map_err(&host)?,
            changes: CodeChanges::default(),
            dirty: DirtyLog::new(pages),
            absent: Absent::default(),
            outside: OnceLock::new(),
        })
    }

    /// Asks the host for huge pages: RAM is filled several times faster, and costs the host's TLB less. A wish, which the host's settings may refuse.
    fn prefer_huge_pages(&self) {
        // SAFETY: the range is our mapping; the advice changes nothing that can be seen in it.
        let _ = unsafe { rustix::mm::madvise(self.base.cast(), self.size as usize, rustix::mm::Advice::LinuxHugepage) };
    }

    /// Freezes what RAM holds now into an image, and goes on with private copies of the pages that are written from now on. Nothing may write RAM
    /// meanwhile, or the write may be lost. Host addresses stay valid.
    ///
    /// # Errors
    /// The host has no room; RAM is as it was.
    pub fn freeze(&self) -> Result<Arc<Image>> {
        let host = |source: std::io::Error| Error::Host { doing: "freeze guest RAM".into(), source };
        let mut shown = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = |at: u64, to: &mut [u8]| self.read(Ra(at), to).expect("runs of RAM lie in RAM");
        let image = shown.frozen(self.base, copy).map_err(host)?;
        if !Arc::ptr_eq(&shown, &image) {
            // SAFETY: all of it is our mapping, no references to guest bytes exist, and the image holds what the mapping holds.
            unsafe { image.map_over(self.base) }.map_err(host)?;
            *shown = Arc::clone(&image);
        }
        Ok(image)
    }

    /// The runs of whole pages that may hold something else than zeros, in order.
    ///
    /// # Errors
    /// The host does not tell.
    pub fn runs(&self) -> Result<Vec<Range<u64>>> {
        let shown = self.image.lock().unwrap_or_else(PoisonError::into_inner);
        shown.runs_with_own(self.base).map_err(|source| Error::Host { doing: "look for used pages of guest RAM".into(), source })
    }

    /// Calls `each` for every run of pages that is not zero, in pieces of at most 1 MiB: address and bytes.
    ///
    /// # Errors
    /// Those of [`GuestMemory::runs`], or the first of `each`.
    pub fn for_each_data<E: From<Error>>(
        &self,
        mut each: impl FnMut(Ra, &[u8]) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut buffer = vec![0; PORTION as usize];
        for run in self.runs()? {
            let mut at = run.start;
            while at < run.end {
                let bytes = &mut buffer[..(run.end - at).min(PORTION - at % PORTION) as usize];
                self.read(Ra(at), bytes).expect("runs of RAM lie in RAM");
                image::data_pages(bytes, |offset, data| each(Ra(at + offset as u64), data))?;
                at += bytes.len() as u64;
            }
        }
        Ok(())
    }

    /// Bytes of RAM.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Whether all of `[at, at + len)` is RAM.
    pub fn contains(&self, at: Ra, len: u64) -> bool {
        at.0 <= self.size && len <= self.size - at.0
    }

    /// The host address of the `len` bytes at `at`. For the accelerators: who stores through it must look at
    /// [`GuestMemory::flags`] afterwards, and must not outlive the memory. Waits for pages that are absent: so an address that did not
    /// come from here, for the page in question, must not be used.
    pub fn host(&self, at: Ra, len: u64) -> Option<*mut u8> {
        if !self.contains(at, len) {
            return None;
        }
        if self.absent.any() && len > 0 {
            self.absent.wait(at.0 >> FLAG_SHIFT, (at.0 + len - 1) >> FLAG_SHIFT).ok()?;
        }
        // SAFETY: the range was just found to lie inside the mapping.
        Some(unsafe { self.base.add(at.0 as usize) })
    }

    /// These pages are elsewhere from now on: whoever touches one waits until [`GuestMemory::supply`] has put it in its place. No vCPU may
    /// have a translation of them.
    pub fn set_absent(&self, pages: PageSet) {
        self.absent.set(pages);
    }

    /// Whether any page is absent.
    pub fn lacks_pages(&self) -> bool {
        self.absent.any()
    }

    /// The pages that are absent.
    pub fn absent(&self) -> PageSet {
        self.absent.missing()
    }

    /// The next absent page that somebody waits for and that was not given before; `None` after `timeout`, or when none is absent.
    pub fn wanted(&self, timeout: Duration) -> Option<u64> {
        self.absent.wanted(timeout)
    }

    /// What [`GuestMemory::wanted`] gave was not sent for, or did not come.
    pub fn ask_again(&self, page: u64) {
        self.absent.ask_again(page);
    }

    /// Puts an absent page in its place. `false`: it is there already, perhaps changed since, and stays.
    ///
    /// # Panics
    /// The page is no RAM.
    pub fn supply(&self, page: u64, bytes: &[u8; 1 << FLAG_SHIFT]) -> bool {
        let at = page << FLAG_SHIFT;
        assert!(self.contains(Ra(at), bytes.len() as u64), "the caller checks the page");
        self.absent.supply(page, || {
            // SAFETY: the page lies inside the mapping, and nobody holds an address of an absent page.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(at as usize), bytes.len()) };
        })
    }

    /// The absent pages will never come: whoever waits for one, or touches one from now on, finds no RAM there.
    pub fn give_up_absent(&self) {
        self.absent.give_up();
    }

    /// The host address of RAM's first byte, for accelerators that compute real addresses back from host pointers.
    pub fn base(&self) -> *mut u8 {
        self.base
    }

    /// The flags of the pages, indexed by real address >> 12.
    pub fn flags(&self) -> &[AtomicU8] {
        &self.flags
    }

    /// Marks the page of `at` as holding decoded code. The caller reads first the generation and then the code, both only after this call, and calls again
    /// when the generation has changed: a store to the page takes the mark away.
    pub fn mark_code(&self, at: Ra) {
        if let Some(f) = self.flags.get((at.0 >> FLAG_SHIFT) as usize)
            && f.fetch_or(CODE, Ordering::SeqCst) & CODE == 0
        {
            self.armed.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Counts how often flags were set: who stores without looking at flags, because there were none, must look here now and then, and at the flags again when this has changed.
    pub fn armed(&self) -> u64 {
        self.armed.load(Ordering::SeqCst)
    }

    /// How often code in the page of `at` was overwritten; decoded code is valid while this stays the same.
    pub fn generation(&self, at: Ra) -> u32 {
        self.generation.get((at.0 >> FLAG_SHIFT) as usize).map_or(0, |g| g.load(Ordering::Acquire))
    }

    /// The generation counters themselves, indexed by real address >> 12.
    pub fn generations(&self) -> &[AtomicU32] {
        &self.generation
    }

    /// Counts changes of code anywhere: who keeps decoded code by other means than its generation looks here.
    pub fn code_changes(&self) -> &AtomicU64 {
        self.changes.count()
    }

    /// The pages (real address >> 12) whose code changed after count `seen` up to `now`; `None` if that is too long ago to say.
    pub fn code_changed_since(&self, seen: u64, now: u64) -> Option<Vec<u64>> {
        self.changes.since(seen, now)
    }

    /// Acts on the flags of the pages of `[at, at + len)`, which were just stored to; says whether decoded code was among it.
    #[cold]
    pub fn stored(&self, at: Ra, len: u64) -> bool {
        if len == 0 || !self.contains(at, len) {
            return false;
        }
        let mut code = false;
        for page in (at.0 >> FLAG_SHIFT)..=((at.0 + len - 1) >> FLAG_SHIFT) {
            let page = page as usize;
            let flags = self.flags[page].load(Ordering::Relaxed);
            if flags & CODE != 0 {
                code = true;
                // The mark goes first: who decodes the page from now on sets it again.
                self.flags[page].fetch_and(!CODE, Ordering::SeqCst);
                self.generation[page].fetch_add(1, Ordering::SeqCst);
                self.changes.enter(page);
            }
            if flags & LOG != 0 {
                self.flags[page].fetch_and(!LOG, Ordering::AcqRel);
                self.dirty.note(page);
            }
        }
        code
    }

    /// From now on `outside` stores here as well, and is asked for its part of the dirty log. The first one stays.
    pub fn set_outside(&self, outside: Box<dyn Outside>) {
        let _ = self.outside.set(outside);
    }

    /// Notes in the dirty log every page that is stored to from now on.
    ///
    /// # Errors
    /// Somebody else has the log, or who stores outside cannot note.
    pub fn start_log(&self) -> Result<()> {
        if !self.dirty.start(&self.flags) {
            return Err(Error::State {
                doing: "log dirty pages".into(),
                problem: "they are being logged already: the machine is migrating".into(),
                hint: "wait for that migration, or cancel it".into(),
            });
        }
        self.armed.fetch_add(1, Ordering::SeqCst);
        let started = self.outside.get().map_or(Ok(()), |outside| outside.start(self));
        if started.is_err() {
            self.dirty.stop(&self.flags);
        }
        started
    }

    /// Takes the pages stored to since the last call, or since the start. Before they are copied, `mmu::Partition::settle` must have
    /// returned: until then a vCPU's store may be neither visible nor noted.
    ///
    /// # Errors
    /// Who stores outside cannot say what it stored.
    pub fn take_dirty(&self) -> Result<PageSet> {
        let mut outside = PageSet::none(self.flags.len() as u64);
        if let Some(who) = self.outside.get() {
            who.take(self, &mut outside)?;
        }
        let mut dirty = self.dirty.take(&self.flags);
        self.armed.fetch_add(1, Ordering::SeqCst);
        dirty.union(&outside);
        Ok(dirty)
    }

    /// How many pages [`GuestMemory::take_dirty`] would give now.
    pub fn dirty_pages(&self) -> u64 {
        self.dirty.noted()
    }

    /// Whether [`GuestMemory::take_dirty`] would give this page.
    pub fn is_dirty(&self, page: u64) -> bool {
        self.dirty.has(page)
    }

    /// Ends the log.
    pub fn stop_log(&self) {
        self.dirty.stop(&self.flags);
        if let Some(Err(e)) = self.outside.get().map(|outside| outside.stop(self)) {
            log::warn!(target: "spapr.memory", "the dirty log goes on where it is not wanted: {e}");
        }
    }

    /// Acts on the flags of pages just stored to. Unlike a vCPU, which is waited for when pages are armed, this has the barrier between store and look itself.
    fn note(&self, at: Ra, len: u64) {
        fence(Ordering::SeqCst);
        let mut page = at.0 >> FLAG_SHIFT;
        while len > 0 && page <= (at.0 + len - 1) >> FLAG_SHIFT {
            if self.flags[page as usize].load(Ordering::Relaxed) != 0 {
                self.stored(at, len);
                return;
            }
            page += 1;
        }
    }

    /// Copies guest bytes out.
    pub fn read(&self, at: Ra, to: &mut [u8]) -> std::result::Result<(), OutOfRam> {
        let from = self.host(at, to.len() as u64).ok_or(OutOfRam)?;
        // SAFETY: `from` is valid for `to.len()` bytes; the guest may write them meanwhile, which yields a torn copy and nothing worse.
        unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    /// Copies bytes into guest RAM.
    pub fn write(&self, at: Ra, from: &[u8]) -> std::result::Result<(), OutOfRam> {
        let to = self.host(at, from.len() as u64).ok_or(OutOfRam)?;
        // SAFETY: `to` is valid for `from.len()` bytes and is never borrowed.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len()) };
        self.note(at, from.len() as u64);
        Ok(())
    }

    /// Copies inside guest RAM; the ranges may overlap.
    pub fn copy(&self, from: Ra, to: Ra, len: u64) -> std::result::Result<(), OutOfRam> {
        let (src, dst) = (self.host(from, len).ok_or(OutOfRam)?, self.host(to, len).ok_or(OutOfRam)?);
        // SAFETY: both ranges lie inside the mapping; `copy` allows overlap.
        unsafe { std::ptr::copy(src, dst, len as usize) };
        self.note(to, len);
        Ok(())
    }

    /// Fills guest RAM with one byte.
    pub fn fill(&self, at: Ra, len: u64, byte: u8) -> std::result::Result<(), OutOfRam> {
        let to = self.host(at, len).ok_or(OutOfRam)?;
        // SAFETY: the range lies inside the mapping.
        unsafe { std::ptr::write_bytes(to, byte, len as usize) };
        self.note(at, len);
        Ok(())
    }
}

macro_rules! typed {
    ($($read:ident $write:ident $int:ty, $atomic:ty;)*) => {
        /// Big-endian integers at naturally aligned or unaligned addresses. Aligned accesses are single-copy atomic.
        impl GuestMemory {$(
            /// Reads a big-endian integer.
            pub fn $read(&self, at: Ra) -> std::result::Result<$int, OutOfRam> {
                const N: u64 = std::mem::size_of::<$int>() as u64;
                let p = self.host(at, N).ok_or(OutOfRam)?;
                if at.0.is_multiple_of(N) {
                    // SAFETY: in bounds, aligned (RAM is page-aligned), and only ever accessed atomically or by byte copies.
                    Ok(<$int>::from_be(unsafe { <$atomic>::from_ptr(p.cast()) }.load(Ordering::Relaxed)))
                } else {
                    let mut b = [0; N as usize];
                    self.read(at, &mut b)?;
                    Ok(<$int>::from_be_bytes(b))
                }
            }
            /// Writes a big-endian integer.
            pub fn $write(&self, at: Ra, value: $int) -> std::result::Result<(), OutOfRam> {
                const N: u64 = std::mem::size_of::<$int>() as u64;
                let p = self.host(at, N).ok_or(OutOfRam)?;
                if at.0.is_multiple_of(N) {
                    // SAFETY: as for reading.
                    unsafe { <$atomic>::from_ptr(p.cast()) }.store(value.to_be(), Ordering::Relaxed);
                    self.note(at, N);
                    Ok(())
                } else {
                    self.write(at, &value.to_be_bytes())
                }
            }
        )*}
    };
}
typed! {
    read_u8 write_u8 u8, AtomicU8;
    read_u16 write_u16 u16, AtomicU16;
    read_u32 write_u32 u32, AtomicU32;
    read_u64 write_u64 u64, AtomicU64;
}

impl GuestMemory {
    /// Replaces the aligned big-endian doubleword at `at` if it still holds `old`; says whether it did. For page table R and C bits.
    pub fn compare_exchange_u64(&self, at: Ra, old: u64, new: u64) -> std::result::Result<bool, OutOfRam> {
        let p = self.host(at, 8).filter(|_| at.0.is_multiple_of(8)).ok_or(OutOfRam)?;
        // SAFETY: in bounds and aligned, as above.
        let done = unsafe { AtomicU64::from_ptr(p.cast()) }
            .compare_exchange(old.to_be(), new.to_be(), Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if done {
            self.note(at, 8);
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_big_endian_and_bounded() {
        let m = GuestMemory::new(1 << 20).unwrap();
        m.write_u32(Ra(4), 0x0102_0304).unwrap();
        assert_eq!(m.read_u8(Ra(4)), Ok(1));
        assert_eq!(m.read_u16(Ra(5)), Ok(0x0203));
        assert_eq!(m.read_u64(Ra((1 << 20) - 7)), Err(OutOfRam));
        assert_eq!(m.write_u8(Ra(u64::MAX), 0), Err(OutOfRam));
    }

    fn pages_of(m: &GuestMemory) -> Vec<(u64, u8)> {
        let mut found = Vec::new();
        m.for_each_data(|at, data| {
            found.extend(data.chunks(4096).enumerate().map(|(n, page)| ((at.0 >> 12) + n as u64, page[0])));
            Ok::<(), Error>(())
        })
        .unwrap();
        found
    }

    #[test]
    fn forks_share_and_do_not_disturb_each_other() {
        let parent = GuestMemory::new(4 << 20).unwrap();
        let base = parent.base();
        parent.write_u8(Ra(0x3000), 1).unwrap();
        parent.write_u8(Ra(0x20_0000), 2).unwrap();
        let image = parent.freeze().unwrap();
        assert_eq!(parent.base(), base);
        let forks: Vec<GuestMemory> = (0..3).map(|_| GuestMemory::from_image(&image).unwrap()).collect();
        parent.write_u8(Ra(0x3000), 9).unwrap();
        forks[0].write_u8(Ra(0x7000), 7).unwrap();
        forks[1].fill(Ra(0x20_0000), 4096, 0).unwrap();
        assert_eq!(pages_of(&parent), [(3, 9), (0x200, 2)]);
        assert_eq!(pages_of(&forks[0]), [(3, 1), (7, 7), (0x200, 2)]);
        assert_eq!(pages_of(&forks[1]), [(3, 1)]);
        assert_eq!(pages_of(&forks[2]), [(3, 1), (0x200, 2)]);
        // Forks of forks, and the parents go first.
        let second = forks[0].freeze().unwrap();
        forks[0].write_u8(Ra(0x7000), 8).unwrap();
        drop((parent, image));
        let grandchild = GuestMemory::from_image(&second).unwrap();
        assert_eq!(pages_of(&grandchild), [(3, 1), (7, 7), (0x200, 2)]);
        let third = grandchild.freeze().unwrap();
        assert!(Arc::ptr_eq(&second, &third), "nothing was written: it is the same image");
        drop((forks, second, third));
        assert_eq!(pages_of(&grandchild), [(3, 1), (7, 7), (0x200, 2)]);
    }

    #[test]
    fn generations_of_images_hold_what_was_written_last() {
        let mut memory = GuestMemory::new(8 << 20).unwrap();
        let mut model = std::collections::BTreeMap::new();
        let mut random = 0x1234_5678_9abc_def0_u64;
        for generation in 0..40 {
            for _ in 0..60 {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (page, byte) = ((random >> 33) % 2048, (random >> 56) as u8);
                memory.write_u8(Ra(page << 12), byte).unwrap();
                if byte == 0 {
                    model.remove(&page)
                } else {
                    model.insert(page, byte)
                };
            }
            let image = memory.freeze().unwrap();
            if generation % 3 == 0 {
                memory = GuestMemory::from_image(&image).unwrap();
            }
            assert_eq!(pages_of(&memory), model.iter().map(|(p, b)| (*p, *b)).collect::<Vec<_>>(), "generation {generation}");
        }
    }

    #[test]
    fn the_log_has_each_page_stored_to_since_it_was_last_asked() {
        let m = GuestMemory::new(1 << 20).unwrap();
        m.write_u8(Ra(0x9000), 1).unwrap();
        m.start_log().unwrap();
        assert!(m.start_log().is_err());
        m.write(Ra(0x2fff), &[0, 0]).unwrap();
        m.fill(Ra(0x10000), 0x2000, 7).unwrap();
        m.copy(Ra(0), Ra(0x20000), 8).unwrap();
        assert!(m.compare_exchange_u64(Ra(0x30000), 0, 1).unwrap());
        assert!(!m.compare_exchange_u64(Ra(0x31000), 5, 1).unwrap());
        assert_eq!(m.dirty_pages(), 6);
        assert_eq!(m.take_dirty().unwrap().iter().collect::<Vec<_>>(), [2, 3, 0x10, 0x11, 0x20, 0x30]);
        assert!(m.take_dirty().unwrap().is_empty());
        m.write_u32(Ra(0x3000), 1).unwrap();
        assert_eq!(m.take_dirty().unwrap().iter().collect::<Vec<_>>(), [3]);
        m.stop_log();
        m.write_u32(Ra(0x3000), 2).unwrap();
        assert_eq!(m.dirty_pages(), 0);
    }

    #[test]
    fn absent_pages_are_waited_for_and_supplied_once() {
        let m = GuestMemory::new(1 << 16).unwrap();
        let mut pages = PageSet::none(16);
        [3, 4, 9].into_iter().for_each(|p| pages.insert(p));
        m.set_absent(pages);
        m.write_u8(Ra(0x2fff), 1).unwrap();
        let wait = Duration::from_secs(60);
        std::thread::scope(|s| {
            let reader = s.spawn(|| m.read_u64(Ra(0x3ffc)));
            assert_eq!(m.wanted(wait), Some(3));
            assert!(m.supply(3, &[1; 4096]));
            assert_eq!(m.wanted(wait), Some(4));
            assert!(m.supply(4, &[2; 4096]));
            assert_eq!(reader.join().unwrap(), Ok(0x0101_0101_0202_0202));
        });
        m.write_u8(Ra(0x3000), 7).unwrap();
        assert!(!m.supply(3, &[1; 4096]));
        assert_eq!(m.read_u8(Ra(0x3000)), Ok(7));
        assert_eq!((m.wanted(Duration::ZERO), m.absent().iter().collect::<Vec<_>>()), (None, vec![9]));
        std::thread::scope(|s| {
            let reader = s.spawn(|| m.read_u8(Ra(0x9000)));
            assert_eq!(m.wanted(wait), Some(9));
            m.give_up_absent();
            assert_eq!(reader.join().unwrap(), Err(OutOfRam));
        });
    }

    #[test]
    fn copies_of_dirty_pages_end_up_equal_to_what_threads_wrote() {
        const PAGES: u64 = 64;
        let (m, copy) = (GuestMemory::new(PAGES << 12).unwrap(), GuestMemory::new(PAGES << 12).unwrap());
        let take = |set: PageSet| {
            let mut page = [0; 4096];
            for p in set.iter() {
                m.read(Ra(p << 12), &mut page).unwrap();
                copy.write(Ra(p << 12), &page).unwrap();
            }
        };
        m.start_log().unwrap();
        std::thread::scope(|s| {
            let writers: Vec<_> = (0..3u64)
                .map(|t| {
                    let m = &m;
                    s.spawn(move || (0..200_000u64).for_each(|k| m.write_u64(Ra((k * 7 + t) % PAGES * 4096 + t * 8), k).unwrap()))
                })
                .collect();
            while writers.iter().any(|w| !w.is_finished()) {
                take(m.take_dirty().unwrap());
            }
        });
        take(m.take_dirty().unwrap());
        let bytes = |m: &GuestMemory| {
            let mut all = vec![0; (PAGES << 12) as usize];
            m.read(Ra(0), &mut all).unwrap();
            all
        };
        assert!(bytes(&m) == bytes(&copy), "a store was lost");
    }

    #[test]
    fn a_store_to_a_code_page_changes_its_generation() {
        let m = GuestMemory::new(1 << 20).unwrap();
        m.mark_code(Ra(0x3000));
        let before = m.generation(Ra(0x3fff));
        m.write_u8(Ra(0x4000), 1).unwrap();
        assert_eq!(m.generation(Ra(0x3000)), before);
        m.write(Ra(0x2fff), &[0, 0]).unwrap();
        assert_ne!(m.generation(Ra(0x3000)), before);
        assert_eq!(m.code_changed_since(0, 1), Some(vec![3]));
        m.write_u8(Ra(0x3000), 1).unwrap();
        assert_eq!(m.code_changes().load(Ordering::SeqCst), 1, "the page was not decoded again");
    }
}
