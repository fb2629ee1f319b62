//! The few 256-bit operations that quad precision needs: products, their sum with a third operand, quotients and roots.

use super::round::shift_right_jam;

/// An unsigned 256-bit integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct U256 {
    pub high: u128,
    pub low: u128,
}

impl U256 {
    /// The full product.
    pub fn product(a: u128, b: u128) -> U256 {
        let (a1, a0) = (a >> 64, a & u64::MAX as u128);
        let (b1, b0) = (b >> 64, b & u64::MAX as u128);
        let low = a0 * b0;
        let (middle, carried) = (a1 * b0).overflowing_add(a0 * b1);
        let (low, carry) = low.overflowing_add(middle << 64);
        U256 { high: a1 * b1 + (middle >> 64) + ((carried as u128) << 64) + carry as u128, low }
    }

    /// The sum, and whether it ran over.
    pub fn add(self, other: U256) -> (U256, bool) {
        let (low, carry) = self.low.overflowing_add(other.low);
        let (high, over) = self.high.overflowing_add(other.high);
        let (high, over_by_carry) = high.overflowing_add(carry as u128);
        (U256 { high, low }, over || over_by_carry)
    }

    /// The difference of `self` and something not larger.
    pub fn sub(self, other: U256) -> U256 {
        let (low, borrow) = self.low.overflowing_sub(other.low);
        U256 { high: self.high - other.high - borrow as u128, low }
    }

    /// Shifts left so that bit 255 is set; the amount comes back. Not for zero.
    pub fn normalized(self) -> (U256, u32) {
        let shift = if self.high == 0 { 128 + self.low.leading_zeros() } else { self.high.leading_zeros() };
        let value = match shift {
            0 => self,
            1..=127 => U256 { high: (self.high << shift) | (self.low >> (128 - shift)), low: self.low << shift },
            _ => U256 { high: self.low << (shift - 128), low: 0 },
        };
        (value, shift)
    }

    /// Shifts right, with bit 0 set if any one-bit was lost.
    pub fn shift_right_jam(self, by: u32) -> U256 {
        match by {
            0 => self,
            1..=127 => {
                let lost = (self.low << (128 - by) != 0) as u128;
                U256 { high: self.high >> by, low: (self.low >> by) | (self.high << (128 - by)) | lost }
            }
            _ => U256 { high: 0, low: shift_right_jam(self.high, by - 128) | (self.low != 0) as u128 },
        }
    }

    /// The upper half with the lower one jammed into its last bit.
    pub fn jammed(self) -> u128 {
        self.high | (self.low != 0) as u128
    }
}

/// `a / b * 2^126`, jammed, of two significands with bit 127 set: the result has bit 126 or 125 as its first.
pub(super) fn quotient(a: u128, b: u128) -> u128 {
    let (mut a, b) = (a >> 1, b >> 1);
    let mut q = 0;
    for _ in 0..=126 {
        q <<= 1;
        if a >= b {
            a -= b;
            q |= 1;
        }
        a <<= 1;
    }
    q | (a != 0) as u128
}

/// The square root of `radicand * 2^108`, jammed in the last of its 118 bits; `radicand`'s first one is at bit 127 or 126.
pub(super) fn root(mut radicand: u128) -> u128 {
    let (mut root, mut rest) = (0u128, 0u128);
    for _ in 0..118 {
        rest = (rest << 2) | (radicand >> 126);
        radicand <<= 2;
        let trial = (root << 2) | 1;
        root <<= 1;
        if rest >= trial {
            rest -= trial;
            root |= 1;
        }
    }
    (root << 1) | (rest != 0) as u128
}
