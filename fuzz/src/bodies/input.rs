//! Bytes as a stream of choices.

/// What is left of an input. Past its end everything is zero.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of `data`.
    pub fn new(data: &'a [u8]) -> Input<'a> {
        Input(data)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to `n` bytes.
    pub fn bytes(&mut self, n: usize) -> &'a [u8] {
        let (head, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        head
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let head = self.bytes(N);
        out[..head.len()].copy_from_slice(head);
        out
    }

    /// One byte.
    pub fn u8(&mut self) -> u8 {
        self.array::<1>()[0]
    }
    /// A big-endian halfword.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.array())
    }
    /// A big-endian word.
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.array())
    }
    /// A big-endian doubleword.
    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.array())
    }

    /// A number below `n` (at most 256).
    pub fn below(&mut self, n: usize) -> usize {
        usize::from(self.u8()) % n
    }

    /// A number of the kind that breaks things: small, huge, near a power of two, or anything.
    pub fn number(&mut self) -> u64 {
        match self.u8() & 7 {
            0 => u64::from(self.u8()),
            1 => u64::from(self.u16()),
            2 => u64::from(self.u32()),
            3 => (u64::from(self.u8()) << 56) >> (self.u8() & 63),
            4 => (1u64 << (self.u8() & 63)).wrapping_sub(1).wrapping_add(u64::from(self.u8() & 3)),
            5 => (u64::from(self.u8())).wrapping_neg(),
            6 => u64::from(self.u16()) << 12,
            _ => self.u64(),
        }
    }
}
