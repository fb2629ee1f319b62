//! BCD assist: sixes to add, and densely packed decimal to BCD and back (ISA I 3.3.15).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("addg6s", addg6s),
    ("cdtbcd", |c, i| in_words(c, i, |w| (bcd_of_dpd(w >> 10) << 12) | bcd_of_dpd(w))),
    ("cbcdtd", |c, i| in_words(c, i, |w| (dpd_of_bcd(w >> 12) << 10) | dpd_of_bcd(w))),
];

/// addg6s: each digit of RT ← 6 where (RA) + (RB) has no carry out of that digit, else 0.
fn addg6s(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (c.gpr[i.ra()], c.gpr[i.rb()]);
    let carries = (a & b) | ((a | b) & !a.wrapping_add(b));
    let without = !carries & 0x8888_8888_8888_8888;
    c.gpr[i.rt()] = (without >> 1) | (without >> 2);
    Ok(())
}

/// RA ← f of each word of RS.
fn in_words(c: &mut Core, i: Insn, f: fn(u32) -> u32) -> Step {
    let s = c.gpr[i.rt()];
    c.gpr[i.ra()] = (u64::from(f((s >> 32) as u32)) << 32) | u64::from(f(s as u32));
    Ok(())
}

/// Three BCD digits of the declet in the low ten bits (ISA I, appendix on DPD).
fn bcd_of_dpd(declet: u32) -> u32 {
    let bits = |shift: u32, n: u32| (declet >> shift) & ((1 << n) - 1);
    let (pq, r, st, u, wx, y) = (bits(8, 2), bits(7, 1), bits(5, 2), bits(4, 1), bits(1, 2), bits(0, 1));
    let digits = |a: u32, b: u32, c: u32| (a << 8) | (b << 4) | c;
    let small = |two: u32, low: u32| (two << 1) | low;
    let large = |low: u32| 8 | low;
    if bits(3, 1) == 0 {
        return digits(small(pq, r), small(st, u), small(wx, y));
    }
    match (wx, st) {
        (0, _) => digits(small(pq, r), small(st, u), large(y)),
        (1, _) => digits(small(pq, r), large(u), small(st, y)),
        (2, _) => digits(large(r), small(st, u), small(pq, y)),
        (_, 0) => digits(large(r), large(u), small(pq, y)),
        (_, 1) => digits(large(r), small(pq, u), large(y)),
        (_, 2) => digits(small(pq, r), large(u), large(y)),
        _ => digits(large(r), large(u), large(y)),
    }
}

/// The declet of the three BCD digits in the low twelve bits. Digits over 9 count as the book's equations have it: 8 or 9 by their low bit.
fn dpd_of_bcd(digits: u32) -> u32 {
    let digit = |n: u32| (digits >> (4 * n)) & 15;
    let (a, b, c) = (digit(2), digit(1), digit(0));
    let two = |d: u32| (d >> 1) & 3;
    let make = |pq: u32, st: u32, vwx: u32| (pq << 8) | ((a & 1) << 7) | (st << 5) | ((b & 1) << 4) | (vwx << 1) | (c & 1);
    match (a >= 8, b >= 8, c >= 8) {
        (false, false, false) => make(two(a), two(b), two(c)),
        (false, false, true) => make(two(a), two(b), 4),
        (false, true, false) => make(two(a), two(c), 5),
        (true, false, false) => make(two(c), two(b), 6),
        (true, true, false) => make(two(c), 0, 7),
        (true, false, true) => make(two(b), 1, 7),
        (false, true, true) => make(two(a), 2, 7),
        (true, true, true) => make(0, 3, 7),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_packing() {
        for n in 0..1000u32 {
            let bcd = ((n / 100) << 8) | ((n / 10 % 10) << 4) | (n % 10);
            assert_eq!(bcd_of_dpd(dpd_of_bcd(bcd)), bcd, "{n}");
        }
    }
}
