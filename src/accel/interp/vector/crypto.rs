//! AES rounds, SHA-2 sigmas, and multiplication of polynomials over GF(2) (ISA I 6.11).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::Lane;
use crate::accel::interp::vector::lanes::a;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::build;
use crate::accel::interp::vector::lanes::set;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vcipher", |c, i| round(c, i, |state, key| xor(mix(shifted(state, 4, &SBOX), [2, 3, 1, 1]), key))),
    ("vcipherlast", |c, i| round(c, i, |state, key| xor(shifted(state, 4, &SBOX), key))),
    ("vncipher", |c, i| round(c, i, |state, key| mix(xor(shifted(state, 12, &INVERSE_SBOX), key), [14, 11, 13, 9]))),
    ("vncipherlast", |c, i| round(c, i, |state, key| xor(shifted(state, 12, &INVERSE_SBOX), key))),
    ("vsbox", |c, i| { let a = a::<u8>(c, i); set(c, i, Vsr::from_bytes(a.map(|x| SBOX[usize::from(x)]))) }),
    ("vshasigmaw", vshasigmaw), ("vshasigmad", vshasigmad),
    ("vpmsumb", |c, i| polynomial_sum::<u8, u16>(c, i)),
    ("vpmsumh", |c, i| polynomial_sum::<u16, u32>(c, i)),
    ("vpmsumw", |c, i| polynomial_sum::<u32, u64>(c, i)),
    ("vpmsumd", |c, i| polynomial_sum::<u64, u128>(c, i)),
];

type State = [u8; 16];

/// The product in GF(2^8) modulo AES's polynomial x^8 + x^4 + x^3 + x + 1 (FIPS 197).
const fn times(mut x: u8, mut y: u8) -> u8 {
    let mut v = 0;
    while y != 0 {
        if y & 1 != 0 {
            v ^= x;
        }
        x = (x << 1) ^ (if x & 0x80 != 0 { 0x1b } else { 0 });
        y >>= 1;
    }
    v
}

/// SubBytes: the inverse in GF(2^8), then an affine map (FIPS 197).
const SBOX: [u8; 256] = {
    let mut sbox = [0; 256];
    // 3 generates the multiplicative group, and 0xf6 is its inverse: the two walk through all pairs of inverses.
    let (mut x, mut inverse, mut n) = (1u8, 1u8, 0);
    while n < 255 {
        x = times(x, 3);
        inverse = times(inverse, 0xf6);
        let s = inverse ^ inverse.rotate_left(1) ^ inverse.rotate_left(2) ^ inverse.rotate_left(3) ^ inverse.rotate_left(4);
        sbox[x as usize] = s ^ 0x63;
        n += 1;
    }
    sbox[0] = 0x63;
    sbox
};

/// InvSubBytes.
const INVERSE_SBOX: [u8; 256] = {
    let mut inverse = [0; 256];
    let mut n = 0;
    while n < 256 {
        inverse[SBOX[n] as usize] = n as u8;
        n += 1;
    }
    inverse
};

/// VRT ← f(VRA, VRB), a round with its key.
#[inline(always)]
fn round(c: &mut Core, i: Insn, f: impl Fn(State, State) -> State) -> Step {
    let v = f(a::<u8>(c, i), b::<u8>(c, i));
    set(c, i, Vsr::from_bytes(v))
}

/// ShiftRows (step 4) or InvShiftRows (step 12), with the bytes substituted: each row moves by one column more than the one before.
fn shifted(state: State, step: usize, table: &[u8; 256]) -> State {
    std::array::from_fn(|n| table[usize::from(state[(n + (n & 3) * step) & 15])])
}

fn xor(x: State, y: State) -> State {
    std::array::from_fn(|n| x[n] ^ y[n])
}

/// MixColumns or its inverse: each column times the circulant matrix with this first row.
fn mix(state: State, row: [u8; 4]) -> State {
    std::array::from_fn(|n| (0..4).fold(0, |v, k| v ^ times(state[(n & !3) + k], row[(k + 4 - (n & 3)) & 3])))
}

/// vshasigmaw: the sigma functions of SHA-256, ST choosing between the small and the capital, a bit of SIX between 0 and 1.
fn vshasigmaw(c: &mut Core, i: Insn) -> Step {
    let a = a::<u32>(c, i);
    let v = build::<u32>(|k| {
        let (x, r) = (a[k], |n| a[k].rotate_right(n));
        match (i.field(16, 16), (i.field(17, 20) >> (3 - k)) & 1) {
            (0, 0) => r(7) ^ r(18) ^ (x >> 3),
            (0, _) => r(17) ^ r(19) ^ (x >> 10),
            (_, 0) => r(2) ^ r(13) ^ r(22),
            (_, _) => r(6) ^ r(11) ^ r(25),
        }
    });
    set(c, i, v)
}

/// vshasigmad: those of SHA-512, chosen by bits 0 and 2 of SIX.
fn vshasigmad(c: &mut Core, i: Insn) -> Step {
    let a = a::<u64>(c, i);
    let v = build::<u64>(|k| {
        let (x, r) = (a[k], |n| a[k].rotate_right(n));
        match (i.field(16, 16), (i.field(17, 20) >> (3 - 2 * k)) & 1) {
            (0, 0) => r(1) ^ r(8) ^ (x >> 7),
            (0, _) => r(19) ^ r(61) ^ (x >> 6),
            (_, 0) => r(28) ^ r(34) ^ r(39),
            (_, _) => r(14) ^ r(18) ^ r(41),
        }
    });
    set(c, i, v)
}

/// The carry-less product.
fn polynomial(x: u64, y: u64) -> u128 {
    let (mut v, mut rest) = (0, y);
    while rest != 0 {
        v ^= u128::from(x) << rest.trailing_zeros();
        rest &= rest - 1;
    }
    v
}

/// vpmsumb and its kin: the exclusive or of the products of each even element and its odd neighbour (ISA I 6.11).
fn polynomial_sum<N: Lane + Into<u128>, W: Lane>(c: &mut Core, i: Insn) -> Step {
    let (a, b) = (a::<N>(c, i), b::<N>(c, i));
    let product = |k: usize| polynomial(a.as_ref()[k].into() as u64, b.as_ref()[k].into() as u64);
    let sums = (0..128 / W::BITS as usize).fold(0u128, |v, k| v.checked_shl(W::BITS).unwrap_or(0) | product(2 * k) ^ product(2 * k + 1));
    set(c, i, Vsr::new(sums))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cipher_is_fips_197() {
        assert_eq!((SBOX[0], SBOX[0x53], INVERSE_SBOX[0xed]), (0x63, 0xed, 0x53));
        // FIPS 197 appendix B, round 1: start of round, after SubBytes and ShiftRows, after MixColumns.
        let start = 0x193d_e3be_a0f4_e22b_9ac6_8d2a_e9f8_4808u128.to_be_bytes();
        let rows = shifted(start, 4, &SBOX);
        assert_eq!(u128::from_be_bytes(rows), 0xd4bf_5d30_e0b4_52ae_b841_11f1_1e27_98e5);
        assert_eq!(u128::from_be_bytes(mix(rows, [2, 3, 1, 1])), 0x0466_81e5_e0cb_199a_48f8_d37a_2806_264c);
        assert_eq!(mix(mix(rows, [2, 3, 1, 1]), [14, 11, 13, 9]), rows);
        assert_eq!(shifted(rows, 12, &INVERSE_SBOX), start);
    }
}
