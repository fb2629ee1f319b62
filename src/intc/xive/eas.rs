//! Event assignment structures: where each source's events go (XIVE, EAS).

/// One source's assignment, in the layout of the book (and of saved state).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Eas(pub u64);

const VALID: u64 = 1 << 63;
const END_INDEX_SHIFT: u32 = 32;
const END_INDEX_MASK: u64 = 0x00ff_ffff;
const MASKED: u64 = 1 << 31;
const EISN_MASK: u64 = 0x7fff_ffff;

impl Eas {
    /// Claimed, and masked: what reset leaves.
    pub const CLAIMED: Eas = Eas(VALID | MASKED);

    /// Whether the source is claimed.
    pub fn is_valid(self) -> bool {
        self.0 & VALID != 0
    }

    /// Whether events are dropped.
    pub fn is_masked(self) -> bool {
        self.0 & MASKED != 0
    }

    /// Whether events go on to the END.
    pub fn delivers(self) -> bool {
        self.is_valid() && !self.is_masked()
    }

    /// The event queue it goes to.
    pub fn end_index(self) -> u32 {
        (self.0 >> END_INDEX_SHIFT & END_INDEX_MASK) as u32
    }

    /// What is written into the queue for it.
    pub fn eisn(self) -> u32 {
        (self.0 & EISN_MASK) as u32
    }

    /// The same, masked.
    #[must_use]
    pub fn masked(self) -> Eas {
        Eas(self.0 | MASKED)
    }

    /// The same, not masked.
    #[must_use]
    pub fn unmasked(self) -> Eas {
        Eas(self.0 & !MASKED)
    }

    /// The same, going to another queue.
    #[must_use]
    pub fn with_end(self, index: u32) -> Eas {
        let cleared = self.0 & !(END_INDEX_MASK << END_INDEX_SHIFT);
        Eas(cleared | (u64::from(index) & END_INDEX_MASK) << END_INDEX_SHIFT)
    }

    /// The same, with other data for the queue.
    #[must_use]
    pub fn with_eisn(self, eisn: u64) -> Eas {
        Eas(self.0 & !EISN_MASK | eisn & EISN_MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_where_the_book_has_them() {
        let eas = Eas::CLAIMED.with_end(0x12_3456).with_eisn(u64::MAX).unmasked();
        assert_eq!(eas.0, 0x8012_3456_7fff_ffff);
        assert_eq!((eas.end_index(), eas.eisn(), eas.delivers()), (0x12_3456, 0x7fff_ffff, true));
        assert!(!eas.masked().delivers() && !Eas::default().delivers());
    }
}
