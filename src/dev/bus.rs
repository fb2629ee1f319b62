//! The real address space outside RAM: which device answers at which address.
//!
//! The bus holds no devices, only the ids that the machine gave for them, because a device lives in the machine's own fields and
//! some (the XIVE thread interface) need to know which vCPU asks. Overlap is refused when a region is mapped, not found when it
//! is hit; a lookup is a binary search and needs no allocation.

use crate::error::Error;
use crate::error::Result;
use crate::units::Ra;
use crate::units::Width;

/// An access reached no register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// Nothing is mapped there (or the device is not active).
    Unmapped,
    /// The access runs over the end of the region.
    Straddles,
    /// The device does not take accesses of this width.
    Width,
}

/// The access widths a region takes: the sum of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths(pub u8);

impl Widths {
    /// 1, 2, 4 and 8 bytes.
    pub const ALL: Widths = Widths(15);

    /// Whether accesses of `width` are taken.
    pub fn contains(self, width: Width) -> bool {
        self.0 & width as u8 != 0
    }
}

#[derive(Clone, Debug)]
struct Region<D> {
    start: u64,
    /// Last address, inclusive, so that a region may end at the top of the address space.
    last: u64,
    widths: Widths,
    name: &'static str,
    device: D,
}

/// Real address ranges, each with the id of the device that answers there.
#[derive(Clone, Debug)]
pub struct Bus<D> {
    /// Sorted by `start`; disjoint.
    regions: Vec<Region<D>>,
}

impl<D> Default for Bus<D> {
    fn default() -> Self {
        Bus { regions: Vec::new() }
    }
}

impl<D: Copy> Bus<D> {
    /// Maps `len` bytes from `start` to `device`. `name` is for the message only.
    ///
    /// # Errors
    /// The range is empty, runs over the end of the address space or overlaps another region.
    pub fn map(&mut self, name: &'static str, start: Ra, len: u64, widths: Widths, device: D) -> Result<()> {
        let refuse = |problem: String| Err(Error::config(name, problem, "give the device another address"));
        let Some(last) = len.checked_sub(1).and_then(|n| start.0.checked_add(n)) else {
            return refuse(format!("{len:#x} bytes at {start:#x} are no address range"));
        };
        let at = self.regions.partition_point(|r| r.last < start.0);
        if let Some(other) = self.regions.get(at).filter(|r| r.start <= last) {
            return refuse(format!("{:#x}..={last:#x} overlaps {} at {:#x}..={:#x}", start.0, other.name, other.start, other.last));
        }
        self.regions.insert(at, Region { start: start.0, last, widths, name, device });
        Ok(())
    }

    /// Takes away the region that starts at `start`; gives its device.
    pub fn unmap(&mut self, start: Ra) -> Option<D> {
        let at = self.regions.binary_search_by_key(&start.0, |r| r.start).ok()?;
        Some(self.regions.remove(at).device)
    }

    /// The device that answers an access of `width` at `at`, and the offset in its region.
    ///
    /// # Errors
    /// The access reaches no register.
    pub fn find(&self, at: Ra, width: Width) -> std::result::Result<(D, u64), BusError> {
        let index = self.regions.partition_point(|r| r.last < at.0);
        let region = self.regions.get(index).filter(|r| r.start <= at.0).ok_or(BusError::Unmapped)?;
        if region.last - at.0 < width.bytes() - 1 {
            return Err(BusError::Straddles);
        }
        if !region.widths.contains(width) {
            return Err(BusError::Width);
        }
        Ok((region.device, at.0 - region.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_is_refused_when_mapped() {
        let mut bus = Bus::default();
        bus.map("a", Ra(0x1000), 0x1000, Widths::ALL, 'a').unwrap();
        bus.map("c", Ra(0x3000), 0x1000, Widths::ALL, 'c').unwrap();
        for (start, len) in [(0x1000, 1), (0xfff, 2), (0x1fff, 0x2000), (0, 0x10000), (0x3800, 1), (0x5000, 0), (u64::MAX, 2)] {
            assert!(bus.map("x", Ra(start), len, Widths::ALL, 'x').is_err(), "{start:#x}");
        }
        bus.map("b", Ra(0x2000), 0x1000, Widths::ALL, 'b').unwrap();
        bus.map("top", Ra(u64::MAX), 1, Widths::ALL, 't').unwrap();
        assert_eq!(bus.find(Ra(u64::MAX), Width::Byte), Ok(('t', 0)));
        assert_eq!(bus.unmap(Ra(0x2000)), Some('b'));
        assert_eq!(bus.find(Ra(0x2000), Width::Byte), Err(BusError::Unmapped));
    }

    #[test]
    fn an_access_is_checked_whole() {
        let mut bus = Bus::default();
        bus.map("a", Ra(0x1000), 0x10, Widths(4 | 8), 1).unwrap();
        assert_eq!(bus.find(Ra(0x1008), Width::Double), Ok((1, 8)));
        assert_eq!(bus.find(Ra(0x1009), Width::Double), Err(BusError::Straddles));
        assert_eq!(bus.find(Ra(0x1000), Width::Half), Err(BusError::Width));
        assert_eq!(bus.find(Ra(0xfff), Width::Double), Err(BusError::Unmapped));
    }
}
