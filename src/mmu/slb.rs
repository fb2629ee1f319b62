//! Segments: from effective to virtual address (ISA III, segment lookaside buffer and virtual address generation).
//!
//! The vCPU keeps SLB entries as slbmte gave them; here they are searched and understood. The page sizes that an SLB entry can ask for,
//! and how page table entries then encode theirs, are one table ([`page_sizes`]).

use crate::cpu::CpuState;
use crate::cpu::SlbEntry;
use crate::isa::cpu_model::CpuModel;
use crate::mmu::hpt::Hpte;

/// RB of slbmte: the entry is valid.
pub const SLB_V: u64 = 0x0800_0000;
/// RB of slbmte: effective segment id of a 256 MiB segment.
pub const SLB_ESID: u64 = 0xffff_ffff_f000_0000;
/// Effective segment id of a 1 TiB segment.
pub const SLB_ESID_1T: u64 = 0xffff_ff00_0000_0000;
/// RS of slbmte: segment size.
pub const SLB_B: u64 = 3 << 62;
/// B: 1 TiB.
pub const SLB_B_1T: u64 = 1 << 62;
/// RS of slbmte: virtual segment id.
pub const SLB_VSID: u64 = 0x3fff_ffff_ffff_f000;
/// RS of slbmte: the segment's key in privileged state.
pub const SLB_KS: u64 = 0x800;
/// RS of slbmte: the segment's key in problem state.
pub const SLB_KP: u64 = 0x400;
/// RS of slbmte: no-execute segment.
pub const SLB_N: u64 = 0x200;
/// RS of slbmte: class.
pub const SLB_C: u64 = 0x80;
/// RS of slbmte: base page size (L and LP).
pub const SLB_LLP: u64 = 0x130;

/// A base page size with the actual page sizes that may be mapped under it.
#[derive(Debug)]
pub struct PageSizes {
    /// log2 of the base page size, with which addresses are hashed.
    pub shift: u32,
    /// L and LP of the SLB entry.
    pub llp: u64,
    /// log2 of each actual size, with the encoding in the page table entry at bit 12 (no meaning for 4 KiB: L is 0).
    pub actual: &'static [(u32, u64)],
}

/// The base page sizes, smallest first (PAPR, `ibm,segment-page-sizes`).
pub fn page_sizes() -> &'static [PageSizes] {
    &[
        PageSizes { shift: 12, llp: 0x000, actual: &[(12, 0), (16, 7), (24, 0x38)] },
        PageSizes { shift: 16, llp: 0x110, actual: &[(16, 1), (24, 8)] },
        PageSizes { shift: 24, llp: 0x100, actual: &[(24, 0)] },
        PageSizes { shift: 34, llp: 0x120, actual: &[(34, 3)] },
    ]
}

impl PageSizes {
    /// log2 of the size of the page that `e` maps under this base size; `None` if the encoding is not one of it (ISA III, large page encodings).
    pub fn actual_shift(&self, e: Hpte) -> Option<u32> {
        if e.v & Hpte::LARGE == 0 {
            return (self.shift == 12).then_some(12);
        }
        let fits = |&&(shift, code): &&(u32, u64)| shift != 12 && e.r & Hpte::RPN & ((1 << shift) - 1) == code << 12;
        self.actual.iter().find(fits).map(|(shift, _)| *shift)
    }
}

/// A segment as an SLB entry describes it.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// RS of slbmte.
    pub vsid: u64,
    /// Its page sizes.
    pub sizes: &'static PageSizes,
}

impl Segment {
    /// The segment of an SLB entry's second word; `None` if its size or base page size means nothing.
    pub fn new(vsid: u64) -> Option<Segment> {
        let sizes = page_sizes().iter().find(|p| p.llp == vsid & SLB_LLP)?;
        (vsid & SLB_B <= SLB_B_1T).then_some(Segment { vsid, sizes })
    }

    fn one_tib(&self) -> bool {
        self.vsid & SLB_B == SLB_B_1T
    }

    /// Offset in the segment, truncated to the base page.
    fn page_offset(&self, ea: u64) -> u64 {
        let bytes = if self.one_tib() { 1u64 << 40 } else { 1 << 28 };
        ea & (bytes - 1) & !((1 << self.sizes.shift) - 1)
    }

    /// The primary hash of `ea` (ISA III, page table search); the secondary is its complement.
    pub fn hash(&self, ea: u64) -> u64 {
        let page = self.page_offset(ea) >> self.sizes.shift;
        if self.one_tib() {
            let vsid = (self.vsid & SLB_VSID) >> 24;
            vsid ^ (vsid << 25) ^ page
        } else {
            ((self.vsid & SLB_VSID) >> 12) ^ page
        }
    }

    /// B and AVPN that an entry for `ea` has in its first doubleword.
    pub fn tag(&self, ea: u64) -> u64 {
        (self.vsid & (SLB_B | SLB_VSID)) | ((self.page_offset(ea) >> 16) & Hpte::AVPN)
    }
}

/// Whether SLB entry `e` is for `ea`, by the entry's own segment size.
pub fn covers(e: &SlbEntry, ea: u64) -> bool {
    let mask = if e.vsid & SLB_B == SLB_B_1T { SLB_ESID_1T } else { SLB_ESID };
    e.esid & SLB_V != 0 && (e.esid ^ ea) & mask == 0
}

/// The index of the SLB entry for `ea`.
pub fn find(s: &CpuState, model: &CpuModel, ea: u64) -> Option<usize> {
    s.slb[..model.slb_entries].iter().position(|e| covers(e, ea))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_covers_its_size_and_no_more() {
        let small = SlbEntry { esid: 0xc000_0000_1000_0000 | SLB_V, vsid: 0 };
        assert!(covers(&small, 0xc000_0000_1fff_ffff) && !covers(&small, 0xc000_0000_2000_0000));
        let big = SlbEntry { esid: 0xc000_0000_0000_0000 | SLB_V, vsid: SLB_B_1T };
        assert!(covers(&big, 0xc000_00ff_ffff_ffff) && !covers(&big, 0xc000_0100_0000_0000));
        assert!(!covers(&SlbEntry { esid: 0, vsid: 0 }, 0));
    }

    #[test]
    fn hashes_are_those_of_the_book() {
        let s = Segment::new(0x12345 << 12).unwrap();
        assert_eq!(s.hash(0x0abc_d123), 0x12345 ^ 0xabcd);
        assert_eq!(s.tag(0x0abc_d123), (0x12345 << 12) | 0xa80);
        let s = Segment::new(SLB_B_1T | (0x77 << 24) | 0x110).unwrap();
        assert_eq!(s.hash(0x12_3456_789a), 0x77 ^ (0x77 << 25) ^ 0x12_3456);
        assert_eq!(s.tag(0x12_3456_789a), SLB_B_1T | (0x77 << 24) | 0x12_3400);
        assert!(Segment::new(0x10).is_none() && Segment::new(2 << 62).is_none());
    }
}
