//! IBM bit numbering, where bit 0 is the most significant.
//!
//! The Power ISA and PAPR number bits from the top. Registers are declared with [`reg!`](crate::reg) so that a field is named once, with the
//! number the book prints, and code reads `msr.has(Msr::EE)`.

/// The mask of IBM bit `n` of a 64-bit doubleword.
pub const fn ibm(n: u32) -> u64 {
    1u64 << (63 - n)
}

/// The mask of IBM bits `first..=last` of a doubleword; wraps around when `first > last`, as `rldicl` and its kin do.
pub const fn mask64(first: u32, last: u32) -> u64 {
    let (f, l) = (first & 63, last & 63);
    let up = u64::MAX >> f;
    let down = u64::MAX << (63 - l);
    if f <= l { up & down } else { up | down }
}

/// Sign-extends the low `bits` bits of `value`.
pub const fn sign_extend(value: u64, bits: u32) -> u64 {
    let shift = 64 - bits;
    (((value << shift) as i64) >> shift) as u64
}

/// Declares a register as a newtype over `u64` with one-bit fields named and numbered as the book does.
///
/// `reg! { /// doc Msr { /// doc EE: 48, ... } }` gives the mask `Msr::EE`, so that code
/// reads `msr.has(Msr::EE)` and `msr.with(Msr::EE)`.
#[macro_export]
macro_rules! reg {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident : $bit:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub u64);
        impl $name {
            $($(#[$fmeta])* pub const $field: u64 = $crate::bits::ibm($bit);)*
            /// Whether any bit of `mask` is set.
            #[inline(always)] pub const fn has(self, mask: u64) -> bool { self.0 & mask != 0 }
            /// This value with the bits of `mask` set.
            #[inline] pub const fn with(self, mask: u64) -> Self { Self(self.0 | mask) }
            /// This value with the bits of `mask` cleared.
            #[inline] pub const fn without(self, mask: u64) -> Self { Self(self.0 & !mask) }
            /// Names of the one-bit fields that are set, highest bit first.
            pub fn names(self) -> Vec<&'static str> {
                let mut v = Vec::new();
                $(if self.has(Self::$field) { v.push(stringify!($field)); })*
                v
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:#x}: {})", stringify!($name), self.0, self.names().join("|"))
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_follow_the_book() {
        assert_eq!(ibm(0), 1 << 63);
        assert_eq!(mask64(0, 63), u64::MAX);
        assert_eq!(mask64(32, 63), 0xffff_ffff);
        assert_eq!(mask64(62, 1), 0xc000_0000_0000_0003);
        assert_eq!(sign_extend(0x8000, 16), 0xffff_ffff_ffff_8000);
    }
}
