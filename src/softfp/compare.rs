//! Comparison, and the operand tests that software division and square root begin with.

use std::cmp::Ordering;

use super::Flags;
use super::Rounded;
use super::format::Format;
use super::format::Number;
use super::format::Operand;
use super::format::Sign;
use super::format::unpack;

/// How two numbers compare: FPCC's and a CR field's four bits, most significant first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// a < b (FL).
    Less = 8,
    /// a > b (FG).
    Greater = 4,
    /// a = b (FE); zeros are equal whatever their signs.
    Equal = 2,
    /// One is a NaN (FU).
    Unordered = 1,
}

/// Which NaNs a comparison objects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// Signalling ones, with VXSNAN (`fcmpu`).
    OnSignalling,
    /// All, with VXVC (`fcmpo`). For a signalling NaN both VXSNAN and VXVC are reported; VXVC counts only while VE is 0.
    OnAny,
}

/// Compares two numbers.
pub fn compare<F: Format>(a: F::Bits, b: F::Bits, signals: Signals) -> Rounded<Relation> {
    let (a, b) = (unpack::<F>(a), unpack::<F>(b));
    if a.is_nan() || b.is_nan() {
        let mut flags = Flags::VXSNAN & (a.is_signalling() || b.is_signalling());
        flags |= Flags::VXVC & (signals == Signals::OnAny);
        return Rounded { value: Relation::Unordered, flags };
    }
    let relation = match rank(a).cmp(&rank(b)) {
        Ordering::Less => Relation::Less,
        Ordering::Equal => Relation::Equal,
        Ordering::Greater => Relation::Greater,
    };
    Rounded::exact(relation)
}

/// A key that sorts as the numbers do: sign of the number, then exponent and significand, both reversed for negative ones.
fn rank(operand: Operand) -> (i32, i32, u128) {
    match operand {
        Operand::Zero(_) | Operand::Nan { .. } => (0, 0, 0),
        Operand::Finite(Number { sign: Sign::Positive, exponent, significand }) => (1, exponent, significand),
        Operand::Finite(Number { sign: Sign::Negative, exponent, significand }) => (-1, -exponent, !significand),
        Operand::Infinity(Sign::Positive) => (2, 0, 0),
        Operand::Infinity(Sign::Negative) => (-2, 0, 0),
    }
}

/// FG and FE of a test instruction, as in a CR field: `0b0100` and `0b0010`.
const FG: u8 = 4;
const FE: u8 = 2;

/// The CR field of `ftdiv`, `xstdivdp`, `xvtdiv[ds]p`: could a software division go wrong on the way (section 4.6.6.1)?
pub fn test_divide<F: Format>(a: F::Bits, b: F::Bits) -> u8 {
    let (a, b) = (unpack::<F>(a), unpack::<F>(b));
    let infinite = |o| matches!(o, Operand::Infinity(_));
    // Denormal in the book's text covers only b here; a denormal dividend is seen by its exponent.
    let b_denormal = matches!(b, Operand::Finite(n) if n.exponent < F::EMIN);
    let fg = infinite(a) || infinite(b) || b.is_zero() || b_denormal;
    let fe = infinite(a) || a.is_nan() || b.is_zero() || infinite(b) || b.is_nan() || risky_exponents::<F>(a, b);
    8 | (fg as u8 * FG) | (fe as u8 * FE)
}

/// Exponents with which a quotient or an intermediate remainder leaves the range. Denormals count as having the smallest exponent.
fn risky_exponents<F: Format>(a: Operand, b: Operand) -> bool {
    let exponent = |o| match o {
        Operand::Finite(n) => n.exponent.max(F::EMIN - 1),
        Operand::Zero(_) | Operand::Infinity(_) | Operand::Nan { .. } => F::EMIN - 1,
    };
    let (e_a, e_b) = (exponent(a), exponent(b));
    if e_b <= F::EMIN || e_b >= F::EMAX - 2 {
        return true;
    }
    if a.is_zero() {
        return false;
    }
    e_a - e_b >= F::EMAX || e_a - e_b <= F::EMIN + 1 || e_a <= F::EMIN + (F::PRECISION as i32 - 1)
}

/// The CR field of `ftsqrt`, `xstsqrtdp`, `xvtsqrt[ds]p`.
pub fn test_square_root<F: Format>(b: F::Bits) -> u8 {
    let b = unpack::<F>(b);
    let (special, denormal, low) = match b {
        Operand::Zero(_) | Operand::Infinity(_) => (true, false, false),
        Operand::Nan { .. } => (false, false, true),
        Operand::Finite(n) => (false, n.exponent < F::EMIN, n.sign == Sign::Negative || n.exponent <= F::EMIN + (F::PRECISION as i32 - 1)),
    };
    8 | ((special || denormal) as u8 * FG) | ((special || low) as u8 * FE)
}
