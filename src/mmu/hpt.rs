//! The hashed page table as storage: entries, groups, and the order in which they may be changed (PAPR, page frame table).
//!
//! A partition does not see its table: it lies outside guest RAM and hcalls change it. So all writers are ours, several vCPU threads at once, while
//! other vCPUs walk it without a lock. Writers lock the group ([`Hpt::lock`]) and keep one order: an entry is made invalid by its first
//! doubleword first, and made valid by it last, so a walker never pairs one entry's halves with another's. What a walker adds, the R and C bits, goes through
//! [`Hpt::note_access`], which loses to any writer.
//!
//! Entries have the format of before ISA 3.0 (B in the first doubleword) on every model, because the paravirtual interface does. In
//! host memory the table is big-endian, as a migration stream carries it. It is kept in a [`GuestMemory`] of its own: zeroed lazily, atomic doublewords, dirty log.

use crate::error::Result;
use crate::memory::GuestMemory;
use crate::memory::Image;
use crate::memory::OutOfRam;
use crate::mmu::slb::Segment;
use crate::mmu::slb::page_sizes;
use crate::units::Ra;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::Ordering;
use std::sync::atomic::fence;

/// Entries in a group (PTEG).
pub const GROUP: u64 = 8;
const ENTRY_BYTES: u64 = 16;
/// log2 of the smallest table (ISA III, SDR1: 256 KiB).
pub const SHIFT_MIN: u32 = 18;
/// log2 of the largest table.
pub const SHIFT_MAX: u32 = 46;
/// Locks shared by the groups.
const STRIPES: usize = 64;

/// One page table entry (ISA III, page table entry, the format of before 3.0).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Hpte {
    /// First doubleword: [`Hpte::B`], [`Hpte::AVPN`], [`Hpte::BOLTED`], [`Hpte::LARGE`], [`Hpte::SECONDARY`], [`Hpte::VALID`].
    pub v: u64,
    /// Second doubleword: key, RPN, R, C, storage control, N, PP.
    pub r: u64,
}

impl Hpte {
    /// v: segment size (1: 1 TiB).
    pub const B: u64 = 3 << 62;
    /// v: abbreviated virtual page number.
    pub const AVPN: u64 = 0x3fff_ffff_ffff_ff80;
    /// v: for software; QEMU's «changed since it was last sent».
    pub const DIRTY: u64 = 0x40;
    /// v: for software; survives a resize (Linux sets it for the kernel's own mappings).
    pub const BOLTED: u64 = 0x10;
    /// v: a large page, whose size the low RPN bits say.
    pub const LARGE: u64 = 4;
    /// v: entered under the secondary hash.
    pub const SECONDARY: u64 = 2;
    /// v: valid.
    pub const VALID: u64 = 1;
    /// r: page protection, the bit of highest order.
    pub const PP0: u64 = 1 << 63;
    /// r: key, high bits.
    pub const KEY_HIGH: u64 = 3 << 60;
    /// r: real page number.
    pub const RPN: u64 = 0x0fff_ffff_ffff_f000;
    /// r: key, low bits.
    pub const KEY_LOW: u64 = 0xe00;
    /// r: referenced.
    pub const R: u64 = 0x100;
    /// r: changed.
    pub const C: u64 = 0x80;
    /// r: write-through, caching inhibited, memory coherence, guarded.
    pub const WIMG: u64 = 0x78;
    /// r: guarded.
    pub const G: u64 = 8;
    /// r: no-execute.
    pub const N: u64 = 4;
    /// r: page protection, the other bits.
    pub const PP: u64 = 3;

    /// Whether the entry is valid.
    pub const fn valid(self) -> bool {
        self.v & Hpte::VALID != 0
    }

    /// PP as three bits, the one of highest order first.
    pub const fn pp(self) -> u64 {
        ((self.r & Hpte::PP0) >> 61) | (self.r & Hpte::PP)
    }

    /// The five-bit key (ISA III, virtual page class key protection).
    pub const fn key(self) -> u32 {
        (((self.r & Hpte::KEY_HIGH) >> 57) | ((self.r & Hpte::KEY_LOW) >> 9)) as u32
    }

    /// log2 of the (base, actual) page sizes, without a segment to ask: the first combination whose encoding fits. `None`: no such size.
    pub fn page_shifts(self) -> Option<(u32, u32)> {
        page_sizes().iter().find_map(|base| base.actual_shift(self).map(|actual| (base.shift, actual)))
    }
}

/// A hashed page table: 2^shift bytes of 16-byte entries, outside guest RAM.
pub struct Hpt {
    table: Arc<GuestMemory>,
    shift: u32,
    locks: [Mutex<()>; STRIPES],
}

/// What became of [`Hpt::note_access`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Noted {
    /// The bits are set.
    Yes,
    /// The entry changed meanwhile; look it up anew.
    Changed,
}

impl Hpt {
    /// A zeroed table of 2^`shift` bytes, [`SHIFT_MIN`] to [`SHIFT_MAX`].
    pub fn new(shift: u32) -> Result<Hpt> {
        assert!((SHIFT_MIN..=SHIFT_MAX).contains(&shift), "the caller checks the size of a page table");
        Ok(Hpt { table: Arc::new(GuestMemory::new(1 << shift)?), shift, locks: std::array::from_fn(|_| Mutex::new(())) })
    }

    /// A table that holds what an image of one holds.
    ///
    /// # Errors
    /// The host has no room for it.
    ///
    /// # Panics
    /// If the image has not the size of a table.
    pub fn from_image(image: &Arc<Image>) -> Result<Hpt> {
        let shift = image.size().ilog2();
        assert!(image.size() == 1 << shift && (SHIFT_MIN..=SHIFT_MAX).contains(&shift), "the image is one of a page table");
        Ok(Hpt { table: Arc::new(GuestMemory::from_image(image)?), shift, locks: std::array::from_fn(|_| Mutex::new(())) })
    }

    /// log2 of the size in bytes.
    pub fn shift(&self) -> u32 {
        self.shift
    }

    /// Number of entries; valid ptex are below it.
    pub fn entries(&self) -> u64 {
        1 << (self.shift - 4)
    }

    /// Number of groups, less one: the mask of a hash.
    pub fn group_mask(&self) -> u64 {
        (1 << (self.shift - 7)) - 1
    }

    /// Whether `ptex` names an entry.
    pub fn contains(&self, ptex: u64) -> bool {
        ptex < self.entries()
    }

    /// The table's bytes, big-endian, for the migration stream and its dirty log.
    pub fn bytes(&self) -> &Arc<GuestMemory> {
        &self.table
    }

    /// Entry `ptex`, read without a lock; the halves belong together unless the entry is invalid.
    ///
    /// # Panics
    /// If `ptex` is not in the table ([`Hpt::contains`]).
    pub fn get(&self, ptex: u64) -> Hpte {
        loop {
            let v = self.word(ptex, 0);
            fence(Ordering::Acquire);
            let r = self.word(ptex, 8);
            fence(Ordering::Acquire);
            if self.word(ptex, 0) == v {
                return Hpte { v, r };
            }
        }
    }

    /// Locks the group of `ptex` (whose low three bits do not matter) against other writers.
    ///
    /// # Panics
    /// If `ptex` is not in the table.
    pub fn lock(&self, ptex: u64) -> Group<'_> {
        assert!(self.contains(ptex), "the caller checks ptex");
        let first = ptex & !(GROUP - 1);
        let stripe = (first / GROUP) as usize % STRIPES;
        Group { hpt: self, first, _held: self.locks[stripe].lock().unwrap_or_else(std::sync::PoisonError::into_inner) }
    }

    /// Adds `bits` ([`Hpte::R`], [`Hpte::C`]) to entry `ptex` that was `seen` when it was looked up.
    pub fn note_access(&self, ptex: u64, seen: Hpte, bits: u64) -> Noted {
        if seen.r & bits == bits {
            return Noted::Yes;
        }
        let at = Ra(ptex * ENTRY_BYTES + 8);
        match self.table.compare_exchange_u64(at, seen.r, seen.r | bits) {
            Ok(true) if self.word(ptex, 0) == seen.v => Noted::Yes,
            Ok(_) | Err(OutOfRam) => Noted::Changed,
        }
    }

    /// Finds the entry that translates offset `ea` of `segment`: primary group, then secondary (ISA III, page table search). Gives its ptex,
    /// the entry, and log2 of its actual page size.
    pub fn find(&self, segment: &Segment, ea: u64) -> Option<(u64, Hpte, u32)> {
        let hash = segment.hash(ea);
        let want = segment.tag(ea) | Hpte::VALID;
        self.search(segment, hash, want).or_else(|| self.search(segment, !hash, want | Hpte::SECONDARY))
    }

    fn search(&self, segment: &Segment, hash: u64, want: u64) -> Option<(u64, Hpte, u32)> {
        // B, AVPN, H and V; the software bits and L do not count.
        const COMPARED: u64 = Hpte::B | Hpte::AVPN | Hpte::SECONDARY | Hpte::VALID;
        let first = (hash & self.group_mask()) * GROUP;
        (first..first + GROUP).find_map(|ptex| {
            if (self.word(ptex, 0) ^ want) & COMPARED != 0 {
                return None;
            }
            let e = self.get(ptex);
            let shift = segment.sizes.actual_shift(e)?;
            ((e.v ^ want) & COMPARED == 0).then_some((ptex, e, shift))
        })
    }

    fn word(&self, ptex: u64, offset: u64) -> u64 {
        self.table.read_u64(Ra(ptex * ENTRY_BYTES + offset)).expect("ptex lies in the table")
    }

    fn set_word(&self, ptex: u64, offset: u64, value: u64) {
        self.table.write_u64(Ra(ptex * ENTRY_BYTES + offset), value).expect("ptex lies in the table");
    }
}

/// A group of eight entries that no other writer changes meanwhile.
///
/// To take an entry away or to change its protection: [`Group::invalidate`], then `Partition::invalidate` so that no vCPU uses it any more,
/// then [`Group::get`], whose R and C bits are then final.
pub struct Group<'a> {
    hpt: &'a Hpt,
    first: u64,
    _held: MutexGuard<'a, ()>,
}

impl Group<'_> {
    /// The ptex of the group's slot 0.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// Entry `slot` (0 to 7).
    pub fn get(&self, slot: u64) -> Hpte {
        self.hpt.get(self.ptex(slot))
    }

    /// The first slot whose entry is not valid.
    pub fn free_slot(&self) -> Option<u64> {
        (0..GROUP).find(|slot| !self.get(*slot).valid())
    }

    /// Stores entry `slot` in the order that walkers rely on: a valid one second doubleword first, an invalid one first doubleword first.
    pub fn set(&self, slot: u64, e: Hpte) {
        let ptex = self.ptex(slot);
        if e.valid() && self.hpt.word(ptex, 0) & Hpte::VALID != 0 {
            // Never the new second half under the old first one.
            self.hpt.set_word(ptex, 0, 0);
            fence(Ordering::SeqCst);
        }
        let (first, second) = if e.valid() { ((8, e.r), (0, e.v)) } else { ((0, e.v), (8, e.r)) };
        self.hpt.set_word(ptex, first.0, first.1);
        fence(Ordering::SeqCst);
        self.hpt.set_word(ptex, second.0, second.1);
        fence(Ordering::SeqCst);
    }

    /// Clears V of entry `slot` and leaves the rest, so that R and C can still be read. Cached translations stay until they are shot down.
    pub fn invalidate(&self, slot: u64) {
        let ptex = self.ptex(slot);
        self.hpt.set_word(ptex, 0, self.hpt.word(ptex, 0) & !Hpte::VALID);
        fence(Ordering::SeqCst);
    }

    fn ptex(&self, slot: u64) -> u64 {
        assert!(slot < GROUP, "a group has eight slots");
        self.first + slot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_fill_and_empty_in_slot_order() {
        let h = Hpt::new(SHIFT_MIN).unwrap();
        assert_eq!((h.entries(), h.group_mask(), h.contains(0x3fff), h.contains(0x4000)), (0x4000, 0x7ff, true, false));
        let g = h.lock(0x4d);
        assert_eq!((g.first(), g.free_slot()), (0x48, Some(0)));
        g.set(0, Hpte { v: 0x1_2345_6780 | Hpte::VALID, r: 0x1000 });
        assert_eq!(g.free_slot(), Some(1));
        assert_eq!(h.get(0x48), Hpte { v: 0x1_2345_6781, r: 0x1000 });
        g.invalidate(0);
        assert_eq!((g.get(0), g.free_slot()), (Hpte { v: 0x1_2345_6780, r: 0x1000 }, Some(0)));
    }

    #[test]
    fn every_change_is_in_the_dirty_log() {
        let h = Hpt::new(SHIFT_MIN).unwrap();
        let e = Hpte { v: Hpte::VALID, r: 0x1000 };
        h.lock(0).set(0, e);
        h.bytes().start_log().unwrap();
        let taken = || h.bytes().take_dirty().unwrap().iter().collect::<Vec<_>>();
        h.lock(0x200).set(0, e);
        assert_eq!(taken(), [2]);
        assert_eq!(h.note_access(0, e, Hpte::C), Noted::Yes);
        assert_eq!(taken(), [0]);
        h.lock(0x300).invalidate(1);
        assert_eq!(taken(), [3]);
    }

    #[test]
    fn the_walkers_bits_lose_to_a_writer() {
        let h = Hpt::new(SHIFT_MIN).unwrap();
        let e = Hpte { v: Hpte::VALID, r: 0x1000 };
        h.lock(5).set(5, e);
        assert_eq!(h.note_access(5, e, Hpte::R), Noted::Yes);
        assert_eq!(h.get(5).r, 0x1000 | Hpte::R);
        h.lock(5).set(5, Hpte { r: 0x2000, ..e });
        assert_eq!(h.note_access(5, e, Hpte::R | Hpte::C), Noted::Changed);
        assert_eq!(h.get(5).r, 0x2000);
    }

    #[test]
    fn fields_are_where_the_book_has_them() {
        let e = Hpte { v: 0, r: Hpte::PP0 | 2 | (3 << 60) | (5 << 9) };
        assert_eq!((e.pp(), e.key()), (6, 0x1d));
        assert_eq!(e.page_shifts(), Some((12, 12)));
        let large = |r| Hpte { v: Hpte::LARGE, r }.page_shifts();
        assert_eq!(large(0x7000), Some((12, 16)));
        assert_eq!(large(0x3_8000), Some((12, 24)));
        assert_eq!(large(0x1000), Some((16, 16)));
        assert_eq!(large(0x8000), Some((16, 24)));
        assert_eq!(large(0x0100_0000), Some((24, 24)));
    }
}
