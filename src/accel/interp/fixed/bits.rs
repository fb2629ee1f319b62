//! Bit permutation and selection under a mask (ISA I 3.3.13): bpermd, and the instructions that ISA 3.1 added.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("bpermd", bpermd),
    ("pextd", |c, i| masked(c, i, extract)),
    ("pdepd", |c, i| masked(c, i, deposit)),
    ("cfuged", |c, i| masked(c, i, centrifuge)),
    ("cntlzdm", |c, i| masked(c, i, |s, m| u64::from(leading_zeros_under(s, m)))),
    ("cnttzdm", |c, i| masked(c, i, |s, m| u64::from(trailing_zeros_under(s, m)))),
];

/// RA ← f((RS), (RB)), RB being the mask.
#[inline(always)]
fn masked(c: &mut Core, i: Insn, f: fn(u64, u64) -> u64) -> Step {
    c.gpr[i.ra()] = f(c.gpr[i.rt()], c.gpr[i.rb()]);
    Ok(())
}

/// bpermd: bit 56 + k of RA ← the bit of RB that byte k of RS names, 0 if that is over 63.
fn bpermd(c: &mut Core, i: Insn) -> Step {
    let b = c.gpr[i.rb()];
    let pick = |n: &u8| if *n < 64 { (b >> (63 - n)) & 1 } else { 0 };
    c.gpr[i.ra()] = c.gpr[i.rt()].to_be_bytes().iter().fold(0, |v, n| (v << 1) | pick(n));
    Ok(())
}

/// The bits of `s` under `mask`, packed to the right.
pub(in crate::accel::interp) fn extract(s: u64, mask: u64) -> u64 {
    let (mut left, mut r, mut at) = (mask, 0, 0);
    while left != 0 {
        r |= ((s >> left.trailing_zeros()) & 1) << at;
        left &= left - 1;
        at += 1;
    }
    r
}

/// The rightmost bits of `s`, spread to the places of `mask`.
pub(in crate::accel::interp) fn deposit(s: u64, mask: u64) -> u64 {
    let (mut left, mut r, mut at) = (mask, 0, 0);
    while left != 0 {
        r |= ((s >> at) & 1) << left.trailing_zeros();
        left &= left - 1;
        at += 1;
    }
    r
}

/// The bits of `s` under `mask` to the right, the others to the left, order kept.
pub(in crate::accel::interp) fn centrifuge(s: u64, mask: u64) -> u64 {
    extract(s, mask) | extract(s, !mask).checked_shl(mask.count_ones()).unwrap_or(0)
}

/// Zeros among the bits of `s` under `mask` before the first one, from the left.
pub(in crate::accel::interp) fn leading_zeros_under(s: u64, mask: u64) -> u32 {
    mask.count_ones() - (64 - extract(s, mask).leading_zeros())
}

/// The same from the right.
pub(in crate::accel::interp) fn trailing_zeros_under(s: u64, mask: u64) -> u32 {
    extract(s, mask).trailing_zeros().min(mask.count_ones())
}
