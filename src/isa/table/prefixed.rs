//! Prefixed instructions (ISA 3.1): one row per instruction, apart from the matrix-multiply ones (`mma`).
//!
//! The picture has the prefix first. `plxv` and `pstxv` check their facility themselves: it depends on a bit that no other form has.

use crate::isa::Isa;
use crate::isa::table::Facility::Fp;
use crate::isa::table::Facility::None;
use crate::isa::table::Facility::Vec;
use crate::isa::table::Facility::Vsx;
use crate::isa::table::Row;
use crate::isa::table::row;

const V31: Isa = Isa::V3_1;

/// The rows of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const ROWS: &[Row] = &[
    row("paddi", "000001 10 0 // r // iiiiiiiiiiiiiiiiii 001110 ttttt aaaaa iiiiiiiiiiiiiiii",  "rt, ra|0, si34, pcrel", V31, None, "ISA I 3.3"),
    row("plbz",  "000001 10 0 // r // dddddddddddddddddd 100010 ttttt aaaaa dddddddddddddddd",  "rt, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("plhz",  "000001 10 0 // r // dddddddddddddddddd 101000 ttttt aaaaa dddddddddddddddd",  "rt, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("plha",  "000001 10 0 // r // dddddddddddddddddd 101010 ttttt aaaaa dddddddddddddddd",  "rt, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("plwz",  "000001 10 0 // r // dddddddddddddddddd 100000 ttttt aaaaa dddddddddddddddd",  "rt, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("plwa",  "000001 00 0 // r // dddddddddddddddddd 101001 ttttt aaaaa dddddddddddddddd",  "rt, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("pld",   "000001 00 0 // r // dddddddddddddddddd 111001 ttttt aaaaa dddddddddddddddd",  "rt, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("plq",   "000001 00 0 // r // dddddddddddddddddd 111000 tttt 0 aaaaa dddddddddddddddd", "rtp, d34(ra), pcrel", V31, None, "ISA I 3.3"),
    row("pstb",  "000001 10 0 // r // dddddddddddddddddd 100110 sssss aaaaa dddddddddddddddd",  "rs, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("psth",  "000001 10 0 // r // dddddddddddddddddd 101100 sssss aaaaa dddddddddddddddd",  "rs, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("pstw",  "000001 10 0 // r // dddddddddddddddddd 100100 sssss aaaaa dddddddddddddddd",  "rs, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("pstd",  "000001 00 0 // r // dddddddddddddddddd 111101 sssss aaaaa dddddddddddddddd",  "rs, d34(ra), pcrel",  V31, None, "ISA I 3.3"),
    row("pstq",  "000001 00 0 // r // dddddddddddddddddd 111100 ssss 0 aaaaa dddddddddddddddd", "rsp, d34(ra), pcrel", V31, None, "ISA I 3.3"),
    row("plfs",  "000001 10 0 // r // dddddddddddddddddd 110000 ttttt aaaaa dddddddddddddddd", "frt, d34(ra), pcrel", V31, Fp, "ISA I 4.6"),
    row("plfd",  "000001 10 0 // r // dddddddddddddddddd 110010 ttttt aaaaa dddddddddddddddd", "frt, d34(ra), pcrel", V31, Fp, "ISA I 4.6"),
    row("pstfs", "000001 10 0 // r // dddddddddddddddddd 110100 sssss aaaaa dddddddddddddddd", "frs, d34(ra), pcrel", V31, Fp, "ISA I 4.6"),
    row("pstfd", "000001 10 0 // r // dddddddddddddddddd 110110 sssss aaaaa dddddddddddddddd", "frs, d34(ra), pcrel", V31, Fp, "ISA I 4.6"),
    row("plxsd",   "000001 00 0 // r // dddddddddddddddddd 101010 ttttt aaaaa dddddddddddddddd", "vrt, d34(ra), pcrel", V31, Vec, "ISA I 7.6.3"),
    row("plxssp",  "000001 00 0 // r // dddddddddddddddddd 101011 ttttt aaaaa dddddddddddddddd", "vrt, d34(ra), pcrel", V31, Vec, "ISA I 7.6.3"),
    row("pstxsd",  "000001 00 0 // r // dddddddddddddddddd 101110 sssss aaaaa dddddddddddddddd", "vrs, d34(ra), pcrel", V31, Vec, "ISA I 7.6.3"),
    row("pstxssp", "000001 00 0 // r // dddddddddddddddddd 101111 sssss aaaaa dddddddddddddddd", "vrs, d34(ra), pcrel", V31, Vec, "ISA I 7.6.3"),
    row("plxv",    "000001 00 0 // r // dddddddddddddddddd 11001 tttttt aaaaa dddddddddddddddd", "pxt, d34(ra), pcrel",  V31, None, "ISA I 7.6.3"),
    row("pstxv",   "000001 00 0 // r // dddddddddddddddddd 11011 ssssss aaaaa dddddddddddddddd", "pxt, d34(ra), pcrel",  V31, None, "ISA I 7.6.3"),
    row("plxvp",   "000001 00 0 // r // dddddddddddddddddd 111010 ttttt aaaaa dddddddddddddddd", "xtp, d34(ra), pcrel", V31, Vsx, "ISA I 7.6.3"),
    row("pstxvp",  "000001 00 0 // r // dddddddddddddddddd 111110 sssss aaaaa dddddddddddddddd", "xtp, d34(ra), pcrel", V31, Vsx, "ISA I 7.6.3"),
    row("xxspltidp",   "000001 01 0000 //// iiiiiiiiiiiiiiii 100000 ttttt 0010 t iiiiiiiiiiiiiiii",      "xt_8rr, imm32",            V31, Vsx, "ISA I 7.6.3"),
    row("xxspltiw",    "000001 01 0000 //// iiiiiiiiiiiiiiii 100000 ttttt 0011 t iiiiiiiiiiiiiiii",      "xt_8rr, imm32",            V31, Vsx, "ISA I 7.6.3"),
    row("xxsplti32dx", "000001 01 0000 //// iiiiiiiiiiiiiiii 100000 ttttt 000 x t iiiiiiiiiiiiiiii",     "xt_8rr, ix, imm32",        V31, Vsx, "ISA I 7.6.3"),
    row("xxblendvb",   "000001 01 0000 //////////////////// 100001 ttttt aaaaa bbbbb ccccc 00 c a b t",  "xt, xa, xb, xc",       V31, Vsx, "ISA I 7.6.3"),
    row("xxblendvh",   "000001 01 0000 //////////////////// 100001 ttttt aaaaa bbbbb ccccc 01 c a b t",  "xt, xa, xb, xc",       V31, Vsx, "ISA I 7.6.3"),
    row("xxblendvw",   "000001 01 0000 //////////////////// 100001 ttttt aaaaa bbbbb ccccc 10 c a b t",  "xt, xa, xb, xc",       V31, Vsx, "ISA I 7.6.3"),
    row("xxblendvd",   "000001 01 0000 //////////////////// 100001 ttttt aaaaa bbbbb ccccc 11 c a b t",  "xt, xa, xb, xc",       V31, Vsx, "ISA I 7.6.3"),
    row("xxpermx",     "000001 01 0000 ///////////////// uuu 100010 ttttt aaaaa bbbbb ccccc 00 c a b t", "xt, xa, xb, xc, uim3_8rr", V31, Vsx, "ISA I 7.6.3"),
    row("xxeval",      "000001 01 0000 //////////// uuuuuuuu 100010 ttttt aaaaa bbbbb ccccc 01 c a b t", "xt, xa, xb, xc, uim8_8rr", V31, Vsx, "ISA I 7.6.3"),
    row("pnop",    "000001 11 0000 //////////////////// ////////////////////////////////", "", V31, None, "ISA I 3.3"),
];
