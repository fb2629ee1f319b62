//! Exact IEEE 754 binary arithmetic with Power's exceptions, on raw bits.
//!
//! The host's floating point unit cannot be the reference for a guest's: it does not say *which* invalid operation happened, whether the
//! fraction was incremented (FR), whether a result was tiny *before* rounding (Power's rule, x86 looks after), it has no round-to-odd, no
//! binary128, other NaN rules, and no exponent-adjusted results for enabled overflow and underflow exceptions. So everything here is
//! integer arithmetic, in one shape for all formats:
//!
//! 1. [`Format`] unpacks bits into sign, exponent and a 128-bit significand whose leading one is at bit 127 (`format.rs`);
//! 2. the operation makes an *exact* result in the same shape, of which everything below bit 0 is folded ("jammed") into bit 0. 113 bits
//!    of precision leave 15 bits below, so one jammed bit never decides wrongly (`ops.rs`, `convert.rs`; products of quads pass through
//!    256 bits, `wide.rs`);
//! 3. one function rounds that to the target format and reports what happened as [`Flags`] (`round.rs`).
//!
//! Source and target format are separate parameters, because `fadds` takes doubles and rounds once to single: the target
//! [`SingleInDouble`] has single's range and precision in double's layout, which is what a floating point register holds.
//!
//! Nothing here knows the FPSCR. The caller builds an [`Env`] from it, and turns [`Flags`] into sticky bits, FR/FI and interrupts. Numbers
//! of sections are those of Power ISA 3.1B, Book I, chapter 4 ("Floating-Point Facility").

mod compare;
mod convert;
pub mod decimal;
mod format;
mod ops;
mod round;
mod wide;

#[cfg(test)]
mod tests;

pub use compare::Relation;
pub use compare::Signals;
pub use compare::compare;
pub use compare::test_divide;
pub use compare::test_square_root;
pub use convert::Integer;
pub use convert::convert;
pub use convert::from_signed;
pub use convert::from_unsigned;
pub use convert::load_single;
pub use convert::round_to_integral;
pub use convert::scale;
pub use convert::store_single;
pub use convert::to_integer;
pub use format::Bfloat16;
pub use format::Class;
pub use format::Double;
pub use format::Format;
pub use format::Half;
pub use format::Quad;
pub use format::QuadToExtended;
pub use format::Sign;
pub use format::Single;
pub use format::SingleInDouble;
pub use format::classify;
pub use format::default_nan;
pub use format::quieten;
pub use ops::Fused;
pub use ops::add;
pub use ops::div;
pub use ops::fused;
pub use ops::mul;
pub use ops::reciprocal;
pub use ops::reciprocal_square_root;
pub use ops::sqrt;
pub use ops::sub;

/// How an inexact result becomes representable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Rounding {
    /// To the nearest; of two equally near to the one with an even last bit (FPSCR RN = 0b00).
    #[default]
    NearestEven,
    /// Toward zero (RN = 0b01).
    TowardZero,
    /// Toward plus infinity (RN = 0b10).
    Up,
    /// Toward minus infinity (RN = 0b11).
    Down,
    /// To the nearest; of two equally near to the larger in magnitude (`frin`, `xsrdpi`).
    NearestAway,
    /// Truncate, and set the last bit if anything was lost (the quad `o` forms), so that a second rounding is harmless.
    Odd,
}

impl Rounding {
    /// The mode that FPSCR's two-bit field RN selects; higher bits are ignored.
    pub const fn from_rn(rn: u64) -> Rounding {
        match rn & 3 {
            0 => Rounding::NearestEven,
            1 => Rounding::TowardZero,
            2 => Rounding::Up,
            _ => Rounding::Down,
        }
    }
}

/// What of the machine's state a result depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Env {
    /// The rounding mode.
    pub rounding: Rounding,
    /// Overflow exceptions are enabled (FPSCR OE): an overflowing result is delivered with its exponent reduced (by 192, 1536 or 24576).
    pub oe: bool,
    /// Underflow exceptions are enabled (FPSCR UE): a tiny result is delivered with its exponent increased by the same amounts.
    pub ue: bool,
}

impl Env {
    /// An environment with no exception enabled.
    pub const fn with_rounding(rounding: Rounding) -> Env {
        Env { rounding, oe: false, ue: false }
    }
}

/// What happened in an operation: a set of the constants below.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u32);

macro_rules! flags {
    ($($(#[$meta:meta])* $name:ident = $bit:literal;)*) => {
        impl Flags {
            /// Nothing happened.
            pub const NONE: Flags = Flags(0);
            $($(#[$meta])* pub const $name: Flags = Flags(1 << $bit);)*
            /// The names of the flags that are set.
            pub fn names(self) -> Vec<&'static str> {
                let mut names = Vec::new();
                $(if self.has(Flags::$name) { names.push(stringify!($name)); })*
                names
            }
        }
    };
}

flags! {
    /// The result differs from the exact one (FPSCR XX and FI).
    INEXACT = 0;
    /// The result's magnitude is larger than the exact one (FPSCR FR).
    ROUNDED_UP = 1;
    /// The rounded result was too large for the format (OX).
    OVERFLOW = 2;
    /// The result was tiny and, unless UE is set, inexact (UX).
    UNDERFLOW = 3;
    /// The exact result was nonzero and smaller than the smallest normal number, inexact or not.
    TINY = 4;
    /// Finite and not zero divided by zero (ZX).
    ZERO_DIVIDE = 5;
    /// An operand was a signalling NaN.
    VXSNAN = 8;
    /// Infinity minus infinity.
    VXISI = 9;
    /// Infinity divided by infinity.
    VXIDI = 10;
    /// Zero divided by zero.
    VXZDZ = 11;
    /// Infinity times zero.
    VXIMZ = 12;
    /// A signalling comparison saw a NaN.
    VXVC = 13;
    /// Square root of a negative number.
    VXSQRT = 14;
    /// Conversion to an integer type of something it has no value for.
    VXCVI = 15;
}

impl Flags {
    /// All causes of the invalid operation exception.
    pub const INVALID: Flags = Flags(0xff00);

    /// Is any of `which` set?
    #[inline]
    pub const fn has(self, which: Flags) -> bool {
        self.0 & which.0 != 0
    }

    /// These flags without `which`.
    #[inline]
    pub const fn without(self, which: Flags) -> Flags {
        Flags(self.0 & !which.0)
    }
}

impl std::ops::BitOr for Flags {
    type Output = Flags;
    #[inline]
    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// The flags if the condition holds, else none: `Flags::INEXACT & (tail != 0)`.
impl std::ops::BitAnd<bool> for Flags {
    type Output = Flags;
    #[inline]
    fn bitand(self, condition: bool) -> Flags {
        if condition { self } else { Flags::NONE }
    }
}

impl std::ops::BitOrAssign for Flags {
    #[inline]
    fn bitor_assign(&mut self, other: Flags) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Flags({})", self.names().join("|"))
    }
}

/// A result and what happened on the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounded<T> {
    /// The result as if no exception that suppresses it were enabled (VE and ZE are the caller's affair).
    pub value: T,
    /// What happened.
    pub flags: Flags,
}

impl<T> Rounded<T> {
    /// A result without any event.
    pub const fn exact(value: T) -> Rounded<T> {
        Rounded { value, flags: Flags::NONE }
    }

    /// The same events with another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Rounded<U> {
        Rounded { value: f(self.value), flags: self.flags }
    }
}
