//! Vectors as arrays of elements, and the shapes of instruction that apply one function to all of them.

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// VSCR\[SAT\]: some result was saturated since it was last cleared (ISA I 6.3.2).
pub const SAT: u32 = 1;
/// VSCR\[NJ\]: denormal floating-point operands and results are taken as zeros.
pub const NJ: u32 = 1 << 16;

/// An integer type that divides a vector into elements.
pub trait Lane: Copy {
    /// All elements of a vector.
    type Array: Copy + AsRef<[Self]> + AsMut<[Self]>;
    /// Bits of an element.
    const BITS: u32;
    /// A cleared element.
    const ZERO: Self;
    /// An element of ones.
    const ONES: Self;
    /// The elements of a register, element 0 (the most significant) first.
    fn split(v: Vsr) -> Self::Array;
    /// The register of these elements.
    fn join(a: Self::Array) -> Vsr;
    /// The elements in whatever order is the quickest to have: the host's.
    fn split_any(v: Vsr) -> Self::Array;
    /// The register of elements that came from [`Lane::split_any`].
    fn join_any(a: Self::Array) -> Vsr;
}

/// Elements of sixteen bytes.
macro_rules! elements {
    ($t:ty, $bytes:expr, $from:ident) => {{
        const N: usize = size_of::<$t>();
        let all: [u8; 16] = $bytes;
        std::array::from_fn(|k| <$t>::$from(std::array::from_fn(|n| all[k * N + n])))
    }};
}

/// The sixteen bytes of some elements.
macro_rules! bytes {
    ($t:ty, $elements:expr, $to:ident) => {{
        let mut all = [0u8; 16];
        for (place, x) in all.chunks_exact_mut(size_of::<$t>()).zip($elements) {
            place.copy_from_slice(&x.$to());
        }
        all
    }};
}

macro_rules! lanes {
    ($($t:ty, $count:literal;)*) => {$(
        impl Lane for $t {
            type Array = [$t; $count];
            const BITS: u32 = <$t>::BITS;
            const ZERO: $t = 0;
            const ONES: $t = !0;
            #[inline(always)]
            fn split(v: Vsr) -> [$t; $count] {
                elements!($t, v.bytes(), from_be_bytes)
            }
            #[inline(always)]
            fn join(a: [$t; $count]) -> Vsr {
                Vsr::from_bytes(bytes!($t, a, to_be_bytes))
            }
            #[inline(always)]
            fn split_any(v: Vsr) -> [$t; $count] {
                if $count == 1 {
                    return Self::split(v);
                }
                let (mut all, [high, low]) = ([0; 16], v.0);
                all[..8].copy_from_slice(&high.to_ne_bytes());
                all[8..].copy_from_slice(&low.to_ne_bytes());
                elements!($t, all, from_ne_bytes)
            }
            #[inline(always)]
            fn join_any(a: [$t; $count]) -> Vsr {
                if $count == 1 {
                    return Self::join(a);
                }
                let all = bytes!($t, a, to_ne_bytes);
                let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|n| all[at + n]));
                Vsr([half(0), half(8)])
            }
        }
    )*};
}
lanes! { u8, 16; i8, 16; u16, 8; i16, 8; u32, 4; i32, 4; u64, 2; i64, 2; u128, 1; i128, 1; }

/// A register with nothing in it.
pub const NOTHING: Vsr = Vsr([0, 0]);

/// A register made element by element: `f` gives element k.
#[inline(always)]
pub fn build<T: Lane>(f: impl Fn(usize) -> T) -> Vsr {
    let mut out = T::split(NOTHING);
    for (k, x) in out.as_mut().iter_mut().enumerate() {
        *x = f(k);
    }
    T::join(out)
}

/// VRT ← elements made of elements in the host's order: `f` gives element k of the result from elements k of the sources.
#[inline(always)]
pub fn set_any<T: Lane>(c: &mut Core, i: Insn, f: impl Fn(usize) -> T) -> Step {
    let mut out = T::split(NOTHING);
    for (k, x) in out.as_mut().iter_mut().enumerate() {
        *x = f(k);
    }
    set(c, i, T::join_any(out))
}

/// Elements of VRA.
#[inline(always)]
pub fn a<T: Lane>(c: &Core, i: Insn) -> T::Array {
    T::split(c.vr(i.fra()))
}

/// Elements of VRB.
#[inline(always)]
pub fn b<T: Lane>(c: &Core, i: Insn) -> T::Array {
    T::split(c.vr(i.frb()))
}

/// Sets VRT.
#[inline(always)]
pub fn set(c: &mut Core, i: Insn, v: Vsr) -> Step {
    c.set_vr(i.frt(), v);
    Ok(())
}

/// VRT ← f(VRB), element by element.
#[inline(always)]
pub fn unary<T: Lane>(c: &mut Core, i: Insn, f: impl Fn(T) -> T) -> Step {
    let b = T::split_any(c.vr(i.frb()));
    set_any::<T>(c, i, |k| f(b.as_ref()[k]))
}

/// VRT ← f(VRA, VRB), element by element.
#[inline(always)]
pub fn binary<T: Lane>(c: &mut Core, i: Insn, f: impl Fn(T, T) -> T) -> Step {
    let (a, b) = (T::split_any(c.vr(i.fra())), T::split_any(c.vr(i.frb())));
    set_any::<T>(c, i, |k| f(a.as_ref()[k], b.as_ref()[k]))
}

/// VRT ← f(VRA, VRB, VRC), element by element.
#[inline(always)]
pub fn ternary<T: Lane>(c: &mut Core, i: Insn, f: impl Fn(T, T, T) -> T) -> Step {
    let (a, b, d) = (T::split_any(c.vr(i.fra())), T::split_any(c.vr(i.frb())), T::split_any(c.vr(i.frc())));
    set_any::<T>(c, i, |k| f(a.as_ref()[k], b.as_ref()[k], d.as_ref()[k]))
}

/// VRT ← f(VRA, VRB) on whole registers.
#[inline(always)]
pub fn whole(c: &mut Core, i: Insn, f: impl Fn(u128, u128) -> u128) -> Step {
    let v = f(c.vr(i.fra()).value(), c.vr(i.frb()).value());
    set(c, i, Vsr::new(v))
}

/// VRT ← elements that may have been saturated: `f(k)` gives element k and whether it was; SAT is sticky.
#[inline(always)]
pub fn saturating<T: Lane>(c: &mut Core, i: Insn, f: impl Fn(usize) -> (T, bool)) -> Step {
    let mut out = T::split(NOTHING);
    let mut any = false;
    for (k, x) in out.as_mut().iter_mut().enumerate() {
        let (v, saturated) = f(k);
        *x = v;
        any |= saturated;
    }
    c.vscr |= if any { SAT } else { 0 };
    set(c, i, T::join(out))
}

/// VRT ← f(VRA, VRB), element by element, with saturation.
#[inline(always)]
pub fn saturating_binary<T: Lane>(c: &mut Core, i: Insn, f: impl Fn(T, T) -> (T, bool)) -> Step {
    let (a, b) = (a::<T>(c, i), b::<T>(c, i));
    saturating::<T>(c, i, |k| f(a.as_ref()[k], b.as_ref()[k]))
}

/// Saturates to a narrower type; whether the value did not fit.
#[inline(always)]
pub fn clamp<N: TryFrom<i128> + Lane>(value: i128, lowest: N, highest: N) -> (N, bool) {
    match N::try_from(value) {
        Ok(v) => (v, false),
        Err(_) if value < 0 => (lowest, true),
        Err(_) => (highest, true),
    }
}
