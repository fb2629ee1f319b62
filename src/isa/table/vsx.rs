//! Vector-scalar extension (ISA I, chapter 7): loads, stores, moves, permutes and logic; one row per instruction.
//!
//! Floating-point arithmetic of the chapter is not here. Which interrupt a disabled facility gives depends on the edition that brought the
//! instruction: most of 3.0's ask for MSR\[VEC\] where the register is a vector register, those of 2.07 that move to and from general
//! purpose registers ask for MSR\[FP\] or MSR\[VEC\].

use crate::isa::Isa;
use crate::isa::table::Facility::FpByXt;
use crate::isa::table::Facility::Vec;
use crate::isa::table::Facility::Vsx;
use crate::isa::table::Facility::VsxByXt;
use crate::isa::table::Facility::VsxByXtDq;
use crate::isa::table::Row;
use crate::isa::table::row;

const V2_06: Isa = Isa::V2_06;
const V2_07: Isa = Isa::V2_07;
const V3_0: Isa = Isa::V3_0;
const V3_1: Isa = Isa::V3_1;

/// The rows of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const ROWS: &[Row] = &[
    // Loads and stores.
    row("lxsdx",        "011111 ttttt aaaaa bbbbb 1001001100 t",         "xt, ra|0, rb",      V2_06, Vsx, "ISA I 7.6"),
    row("lxsiwax",      "011111 ttttt aaaaa bbbbb 0001001100 t",         "xt, ra|0, rb",      V2_07, Vsx, "ISA I 7.6"),
    row("lxsiwzx",      "011111 ttttt aaaaa bbbbb 0000001100 t",         "xt, ra|0, rb",      V2_07, Vsx, "ISA I 7.6"),
    row("lxsspx",       "011111 ttttt aaaaa bbbbb 1000001100 t",         "xt, ra|0, rb",      V2_07, Vsx, "ISA I 7.6"),
    row("lxsibzx",      "011111 ttttt aaaaa bbbbb 1100001101 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxsihzx",      "011111 ttttt aaaaa bbbbb 1100101101 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxvd2x",       "011111 ttttt aaaaa bbbbb 1101001100 t",         "xt, ra|0, rb",      V2_06, Vsx, "ISA I 7.6"),
    row("lxvw4x",       "011111 ttttt aaaaa bbbbb 1100001100 t",         "xt, ra|0, rb",      V2_06, Vsx, "ISA I 7.6"),
    row("lxvdsx",       "011111 ttttt aaaaa bbbbb 0101001100 t",         "xt, ra|0, rb",      V2_06, Vsx, "ISA I 7.6"),
    row("lxvh8x",       "011111 ttttt aaaaa bbbbb 1100101100 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxvb16x",      "011111 ttttt aaaaa bbbbb 1101101100 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxvwsx",       "011111 ttttt aaaaa bbbbb 0101101100 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxvl",         "011111 ttttt aaaaa bbbbb 0100001101 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxvll",        "011111 ttttt aaaaa bbbbb 0100101101 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxvrbx",       "011111 ttttt aaaaa bbbbb 0000001101 t",         "xt, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("lxvrhx",       "011111 ttttt aaaaa bbbbb 0000101101 t",         "xt, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("lxvrwx",       "011111 ttttt aaaaa bbbbb 0001001101 t",         "xt, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("lxvrdx",       "011111 ttttt aaaaa bbbbb 0001101101 t",         "xt, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("stxsdx",       "011111 sssss aaaaa bbbbb 1011001100 s",         "xs, ra|0, rb",      V2_06, Vsx, "ISA I 7.6"),
    row("stxsiwx",      "011111 sssss aaaaa bbbbb 0010001100 s",         "xs, ra|0, rb",      V2_07, Vsx, "ISA I 7.6"),
    row("stxsspx",      "011111 sssss aaaaa bbbbb 1010001100 s",         "xs, ra|0, rb",      V2_07, Vsx, "ISA I 7.6"),
    row("stxsibx",      "011111 sssss aaaaa bbbbb 1110001101 s",         "xs, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("stxsihx",      "011111 sssss aaaaa bbbbb 1110101101 s",         "xs, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("stxvd2x",      "011111 sssss aaaaa bbbbb 1111001100 s",         "xs, ra|0, rb",      V2_06, Vsx, "ISA I 7.6"),
    row("stxvw4x",      "011111 sssss aaaaa bbbbb 1110001100 s",         "xs, ra|0, rb",      V2_06, Vsx, "ISA I 7.6"),
    row("stxvh8x",      "011111 sssss aaaaa bbbbb 1110101100 s",         "xs, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("stxvb16x",     "011111 sssss aaaaa bbbbb 1111101100 s",         "xs, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("stxvx",        "011111 sssss aaaaa bbbbb 0110001100 s",         "xs, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("stxvl",        "011111 sssss aaaaa bbbbb 0110001101 s",         "xs, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("stxvll",       "011111 sssss aaaaa bbbbb 0110101101 s",         "xs, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("stxvrbx",      "011111 sssss aaaaa bbbbb 0010001101 s",         "xs, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("stxvrhx",      "011111 sssss aaaaa bbbbb 0010101101 s",         "xs, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("stxvrwx",      "011111 sssss aaaaa bbbbb 0011001101 s",         "xs, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("stxvrdx",      "011111 sssss aaaaa bbbbb 0011101101 s",         "xs, ra|0, rb",      V3_1, Vsx, "ISA I 7.6"),
    row("lxvx",         "011111 ttttt aaaaa bbbbb 0100 / 01100 t",       "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    row("lxv",          "111101 ttttt aaaaa dddddddddddd t 001",         "xt_dq, dq(ra)",     V3_0, VsxByXtDq, "ISA I 7.6"),
    row("stxv",         "111101 sssss aaaaa dddddddddddd s 101",         "xt_dq, dq(ra)",     V3_0, VsxByXtDq, "ISA I 7.6"),
    row("lxsd",         "111001 ttttt aaaaa dddddddddddddd 10",          "vrt, ds(ra)",       V3_0, Vec, "ISA I 7.6"),
    row("lxssp",        "111001 ttttt aaaaa dddddddddddddd 11",          "vrt, ds(ra)",       V3_0, Vec, "ISA I 7.6"),
    row("stxsd",        "111101 sssss aaaaa dddddddddddddd 10",          "vrs, ds(ra)",       V3_0, Vec, "ISA I 7.6"),
    row("stxssp",       "111101 sssss aaaaa dddddddddddddd 11",          "vrs, ds(ra)",       V3_0, Vec, "ISA I 7.6"),
    row("lxvp",         "000110 tttt t aaaaa dddddddddddd 0000",         "xtp, dq(ra)",       V3_1, Vsx, "ISA I 7.6"),
    row("stxvp",        "000110 ssss s aaaaa dddddddddddd 0001",         "xtp, dq(ra)",       V3_1, Vsx, "ISA I 7.6"),
    row("lxvpx",        "011111 tttt t aaaaa bbbbb 0101001101 /",        "xtp, ra|0, rb",     V3_1, Vsx, "ISA I 7.6"),
    row("stxvpx",       "011111 ssss s aaaaa bbbbb 0111001101 /",        "xtp, ra|0, rb",     V3_1, Vsx, "ISA I 7.6"),
    // Moves to and from general purpose registers.
    row("mfvsrd",       "011111 sssss aaaaa ///// 0000110011 s",         "ra, xs",            V2_07, FpByXt, "ISA I 7.6"),
    row("mfvsrwz",      "011111 sssss aaaaa ///// 0001110011 s",         "ra, xs",            V2_07, FpByXt, "ISA I 7.6"),
    row("mfvsrld",      "011111 sssss aaaaa ///// 0100110011 s",         "ra, xs",            V3_0, VsxByXt, "ISA I 7.6"),
    row("mtvsrd",       "011111 ttttt aaaaa ///// 0010110011 t",         "xt, ra",            V2_07, FpByXt, "ISA I 7.6"),
    row("mtvsrwa",      "011111 ttttt aaaaa ///// 0011010011 t",         "xt, ra",            V2_07, FpByXt, "ISA I 7.6"),
    row("mtvsrwz",      "011111 ttttt aaaaa ///// 0011110011 t",         "xt, ra",            V2_07, FpByXt, "ISA I 7.6"),
    row("mtvsrws",      "011111 ttttt aaaaa ///// 0110010011 t",         "xt, ra",            V3_0, VsxByXt, "ISA I 7.6"),
    row("mtvsrdd",      "011111 ttttt aaaaa bbbbb 0110110011 t",         "xt, ra|0, rb",      V3_0, VsxByXt, "ISA I 7.6"),
    // Logical.
    row("xxland",       "111100 ttttt aaaaa bbbbb 10000010 a b t",       "xt, xa, xb",        V2_06, Vsx, "ISA I 7.6"),
    row("xxlandc",      "111100 ttttt aaaaa bbbbb 10001010 a b t",       "xt, xa, xb",        V2_06, Vsx, "ISA I 7.6"),
    row("xxlor",        "111100 ttttt aaaaa bbbbb 10010010 a b t",       "xt, xa, xb",        V2_06, Vsx, "ISA I 7.6"),
    row("xxlxor",       "111100 ttttt aaaaa bbbbb 10011010 a b t",       "xt, xa, xb",        V2_06, Vsx, "ISA I 7.6"),
    row("xxlnor",       "111100 ttttt aaaaa bbbbb 10100010 a b t",       "xt, xa, xb",        V2_06, Vsx, "ISA I 7.6"),
    row("xxlorc",       "111100 ttttt aaaaa bbbbb 10101010 a b t",       "xt, xa, xb",        V2_07, Vsx, "ISA I 7.6"),
    row("xxlnand",      "111100 ttttt aaaaa bbbbb 10110010 a b t",       "xt, xa, xb",        V2_07, Vsx, "ISA I 7.6"),
    row("xxleqv",       "111100 ttttt aaaaa bbbbb 10111010 a b t",       "xt, xa, xb",        V2_07, Vsx, "ISA I 7.6"),
    row("xxsel",        "111100 ttttt aaaaa bbbbb ccccc 11 c a b t",     "xt, xa, xb, xc",    V2_06, Vsx, "ISA I 7.6"),
    row("xvtlsbb",      "111100 fff // 00010 bbbbb 111011011 b /",       "bf, xb",            V3_1, Vsx, "ISA I 7.6"),
    // Permute, merge, splat, extract and insert.
    row("xxpermdi",     "111100 ttttt aaaaa bbbbb 0 dd 01010 a b t",     "xt, xa, xb, dm",    V2_06, Vsx, "ISA I 7.6"),
    row("xxsldwi",      "111100 ttttt aaaaa bbbbb 0 ss 00010 a b t",     "xt, xa, xb, dm",    V2_06, Vsx, "ISA I 7.6"),
    row("xxmrghw",      "111100 ttttt aaaaa bbbbb 00010010 a b t",       "xt, xa, xb",        V2_06, Vsx, "ISA I 7.6"),
    row("xxmrglw",      "111100 ttttt aaaaa bbbbb 00110010 a b t",       "xt, xa, xb",        V2_06, Vsx, "ISA I 7.6"),
    row("xxperm",       "111100 ttttt aaaaa bbbbb 00011010 a b t",       "xt, xa, xb",        V3_0, Vsx, "ISA I 7.6"),
    row("xxpermr",      "111100 ttttt aaaaa bbbbb 00111010 a b t",       "xt, xa, xb",        V3_0, Vsx, "ISA I 7.6"),
    row("xxspltw",      "111100 ttttt /// uu bbbbb 010100100 b t",       "xt, xb, uim2",      V2_06, Vsx, "ISA I 7.6"),
    row("xxextractuw",  "111100 ttttt / uuuu bbbbb 010100101 b t",       "xt, xb, uim4",      V3_0, Vsx, "ISA I 7.6"),
    row("xxinsertw",    "111100 ttttt / uuuu bbbbb 010110101 b t",       "xt, xb, uim4",      V3_0, Vsx, "ISA I 7.6"),
    row("xxbrh",        "111100 ttttt 00111 bbbbb 111011011 b t",        "xt, xb",            V3_0, Vsx, "ISA I 7.6"),
    row("xxbrw",        "111100 ttttt 01111 bbbbb 111011011 b t",        "xt, xb",            V3_0, Vsx, "ISA I 7.6"),
    row("xxbrd",        "111100 ttttt 10111 bbbbb 111011011 b t",        "xt, xb",            V3_0, Vsx, "ISA I 7.6"),
    row("xxbrq",        "111100 ttttt 11111 bbbbb 111011011 b t",        "xt, xb",            V3_0, Vsx, "ISA I 7.6"),
    row("xxspltib",     "111100 ttttt 00 iiiiiiii 0101101000 t",         "xt, imm8",          V3_0, VsxByXt, "ISA I 7.6"),
    row("lxvkq",        "111100 ttttt 11111 uuuuu 0101101000 t",         "xt, uim5b",         V3_1, Vsx, "ISA I 7.6"),
    row("xxgenpcvbm",   "111100 ttttt iiiii bbbbb 1110010100 t",         "xt, vrb, uim5",     V3_1, Vsx, "ISA I 7.6"),
    row("xxgenpcvhm",   "111100 ttttt iiiii bbbbb 1110010101 t",         "xt, vrb, uim5",     V3_1, Vsx, "ISA I 7.6"),
    row("xxgenpcvwm",   "111100 ttttt iiiii bbbbb 1110110100 t",         "xt, vrb, uim5",     V3_1, Vsx, "ISA I 7.6"),
    row("xxgenpcvdm",   "111100 ttttt iiiii bbbbb 1110110101 t",         "xt, vrb, uim5",     V3_1, Vsx, "ISA I 7.6"),
];
