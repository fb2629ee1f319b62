//! Counting, gathering, spreading and permuting bits (ISA I 6).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::vector::lanes::b;
use crate::accel::interp::vector::lanes::binary;
use crate::accel::interp::vector::lanes::set;
use crate::accel::interp::vector::lanes::unary;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("vclzb", |c, i| unary::<u8>(c, i, |x| x.leading_zeros() as u8)),
    ("vclzh", |c, i| unary::<u16>(c, i, |x| x.leading_zeros() as u16)),
    ("vclzw", |c, i| unary::<u32>(c, i, u32::leading_zeros)),
    ("vclzd", |c, i| unary::<u64>(c, i, |x| u64::from(x.leading_zeros()))),
    ("vctzb", |c, i| unary::<u8>(c, i, |x| x.trailing_zeros() as u8)),
    ("vctzh", |c, i| unary::<u16>(c, i, |x| x.trailing_zeros() as u16)),
    ("vctzw", |c, i| unary::<u32>(c, i, u32::trailing_zeros)),
    ("vctzd", |c, i| unary::<u64>(c, i, |x| u64::from(x.trailing_zeros()))),
    ("vpopcntb", |c, i| unary::<u8>(c, i, |x| x.count_ones() as u8)),
    ("vpopcnth", |c, i| unary::<u16>(c, i, |x| x.count_ones() as u16)),
    ("vpopcntw", |c, i| unary::<u32>(c, i, u32::count_ones)),
    ("vpopcntd", |c, i| unary::<u64>(c, i, |x| u64::from(x.count_ones()))),
    // The parity of the least significant bits of an element's bytes.
    ("vprtybw", |c, i| unary::<u32>(c, i, |x| (x & 0x0101_0101).count_ones() & 1)),
    ("vprtybd", |c, i| unary::<u64>(c, i, |x| u64::from((x & 0x0101_0101_0101_0101).count_ones() & 1))),
    ("vprtybq", |c, i| unary::<u128>(c, i, |x| u128::from((x & (u128::MAX / 255)).count_ones() & 1))),
    ("vclzlsbb", |c, i| { c.gpr[i.rt()] = b::<u8>(c, i).iter().take_while(|x| *x & 1 == 0).count() as u64; Ok(()) }),
    ("vctzlsbb", |c, i| { c.gpr[i.rt()] = b::<u8>(c, i).iter().rev().take_while(|x| *x & 1 == 0).count() as u64; Ok(()) }),
    ("vclzdm", |c, i| binary::<u64>(c, i, |a, mask| u64::from(zeros_under(extract(a, mask), mask)))),
    ("vctzdm", |c, i| binary::<u64>(c, i, |a, mask| u64::from(extract(a, mask).trailing_zeros().min(mask.count_ones())))),
    ("vpextd", |c, i| binary::<u64>(c, i, extract)),
    ("vpdepd", |c, i| binary::<u64>(c, i, deposit)),
    // Bits under zeros of the mask go to the left, those under ones to the right.
    ("vcfuged", |c, i| binary::<u64>(c, i, |a, mask| extract(a, !mask).checked_shl(mask.count_ones()).unwrap_or(0) | extract(a, mask))),
    ("vgbbd", |c, i| unary::<u64>(c, i, transpose)),
    ("vbpermq", vbpermq), ("vbpermd", |c, i| binary::<u64>(c, i, pick_byte)),
    ("vgnb", vgnb),
];

/// The bits of `a` under ones of the mask, packed to the right.
pub fn extract(a: u64, mask: u64) -> u64 {
    let (mut rest, mut v, mut at) = (mask, 0, 0);
    while rest != 0 {
        v |= ((a >> rest.trailing_zeros()) & 1) << at;
        at += 1;
        rest &= rest - 1;
    }
    v
}

/// The low bits of `a` spread to the ones of the mask.
pub fn deposit(a: u64, mask: u64) -> u64 {
    let (mut rest, mut v, mut at) = (mask, 0, 0);
    while rest != 0 {
        v |= ((a >> at) & 1) << rest.trailing_zeros();
        at += 1;
        rest &= rest - 1;
    }
    v
}

/// Leading zeros of `packed` counted among as many bits as the mask has ones.
fn zeros_under(packed: u64, mask: u64) -> u32 {
    packed.leading_zeros() - (64 - mask.count_ones())
}

/// vgbbd: the 8 by 8 bit matrix of a doubleword, transposed.
fn transpose(x: u64) -> u64 {
    (0..64).filter(|n| (x >> n) & 1 != 0).fold(0, |v, n| v | 1 << ((n % 8) * 8 + n / 8))
}

/// vbpermq: bit k of the result, in the last halfword of doubleword 0, is the bit of VRA that byte k of VRB numbers (ISA 2.07).
fn vbpermq(c: &mut Core, i: Insn) -> Step {
    let a = c.vr(i.fra()).value();
    let picked = b::<u8>(c, i).iter().fold(0, |v, n| (v << 1) | if *n < 128 { (a >> (127 - n)) as u64 & 1 } else { 0 });
    set(c, i, Vsr([picked, 0]))
}

/// vbpermd: the bits of `a` that the bytes of `indexes` number, in the last byte.
fn pick_byte(a: u64, indexes: u64) -> u64 {
    indexes.to_be_bytes().iter().fold(0, |v, n| (v << 1) | if *n < 64 { (a >> (63 - n)) & 1 } else { 0 })
}

/// vgnb: every Nth bit of VRB packed to the left of RT; N below 2 is undefined, and nothing here (ISA 3.1).
fn vgnb(c: &mut Core, i: Insn) -> Step {
    let n = i.field(13, 15);
    if n >= 2 {
        let b = c.vr(i.frb()).value();
        c.gpr[i.rt()] = (0..128).step_by(n as usize).enumerate().fold(0, |v, (k, bit)| v | (((b >> (127 - bit)) as u64 & 1) << (63 - k)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_gathered_and_spread() {
        assert_eq!(extract(0xabcd, 0x0ff0), 0xbc);
        assert_eq!(deposit(0xbc, 0x0ff0), 0x0bc0);
        assert_eq!(transpose(0x8000_0000_0000_0001), 0x8000_0000_0000_0001);
        assert_eq!(transpose(0xff00_0000_0000_0000), 0x8080_8080_8080_8080);
        assert_eq!(zeros_under(0, 0xff), 8);
    }
}
