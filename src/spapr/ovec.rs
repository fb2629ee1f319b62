//! Option vectors of `ibm,client-architecture-support` (PAPR, "Client Architecture Support").
//!
//! A vector is a byte string; a bit is named by its byte, counted from 1 after the length byte, and its place from the left.

/// A bit of an option vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bit {
    /// Byte, from 0 in the vector's data (PAPR counts from 1).
    pub byte: usize,
    /// Mask in that byte.
    pub mask: u8,
}

/// A bit as PAPR names it: byte from 1, bit from the left.
const fn bit(byte: usize, from_left: u32) -> Bit {
    Bit { byte: byte - 1, mask: 0x80 >> from_left }
}

/// Vector 1: the guest runs on ISA 3.00.
pub const OV1_PPC_3_00: Bit = bit(3, 0);
/// Vector 5: `ibm,dynamic-reconfiguration-memory`.
pub const DRCONF_MEMORY: Bit = bit(2, 2);
/// Vector 5: form 1 affinity.
pub const FORM1: Bit = bit(5, 0);
/// Vector 5: form 2 affinity.
pub const FORM2: Bit = bit(5, 2);
/// Vector 5: hot plug interrupt of its own.
pub const HP_EVT: Bit = bit(6, 5);
/// Vector 5: hash table resizing.
pub const HPT_RESIZE: Bit = bit(6, 7);
/// Vector 5: `ibm,dynamic-memory-v2`.
pub const DRMEM_V2: Bit = bit(22, 0);
/// Vector 5: both interrupt modes offered (the machine's to say).
pub const XIVE_BOTH: Bit = bit(23, 0);
/// Vector 5: XIVE exploitation.
pub const XIVE_EXPLOIT: Bit = bit(23, 1);
/// Vector 5: both MMU modes offered (the machine's to say).
pub const MMU_BOTH: Bit = bit(24, 0);
/// Vector 5: radix.
pub const MMU_RADIX: Bit = bit(24, 1);
/// Vector 5: guest translation shootdown (tlbie by the guest).
pub const RADIX_GTSE: Bit = bit(26, 1);

/// An option vector. Bytes beyond the end are zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionVector(Vec<u8>);

impl OptionVector {
    /// A vector with these bits set.
    pub fn of(bits: &[Bit]) -> OptionVector {
        let mut v = OptionVector::default();
        bits.iter().for_each(|b| v.set(*b));
        v
    }
    /// A vector as the guest sent it, without its length byte.
    pub fn from_bytes(bytes: &[u8]) -> OptionVector {
        OptionVector(bytes.to_vec())
    }
    /// Its bytes, without a length.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
    /// Whether `b` is set.
    pub fn has(&self, b: Bit) -> bool {
        self.0.get(b.byte).is_some_and(|v| v & b.mask != 0)
    }
    /// Sets `b`.
    pub fn set(&mut self, b: Bit) {
        if self.0.len() <= b.byte {
            self.0.resize(b.byte + 1, 0);
        }
        self.0[b.byte] |= b.mask;
    }
    /// Clears `b`.
    pub fn clear(&mut self, b: Bit) {
        if let Some(v) = self.0.get_mut(b.byte) {
            *v &= !b.mask;
        }
    }
    /// The bits that both have.
    pub fn and(&self, other: &OptionVector) -> OptionVector {
        OptionVector(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }
    /// `ibm,architecture-vec-5`: length minus one, then the bytes up to the last one that is not zero.
    pub fn to_property(&self) -> Vec<u8> {
        let len = self.0.iter().rposition(|b| *b != 0).map_or(1, |n| n + 1);
        let byte = |n: usize| self.0.get(n).copied().unwrap_or(0);
        std::iter::once((len - 1) as u8).chain((0..len).map(byte)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_property_ends_with_the_last_byte_in_use() {
        assert_eq!(OptionVector::default().to_property(), [0, 0]);
        // What a Linux guest gets from QEMU on POWER10: radix, XIVE, both event sources, form 2.
        let linux = [DRCONF_MEMORY, FORM1, FORM2, HP_EVT, HPT_RESIZE, DRMEM_V2, XIVE_EXPLOIT, MMU_RADIX, RADIX_GTSE];
        let bytes = [0x19, 0, 0x20, 0, 0, 0xa0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x40, 0x40, 0, 0x40];
        assert_eq!(OptionVector::of(&linux).to_property(), bytes);
        assert_eq!(OptionVector::of(&[FORM1, DRCONF_MEMORY]).to_property(), [4, 0, 0x20, 0, 0, 0x80]);
    }
}
