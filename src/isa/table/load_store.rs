//! Fixed-point loads and stores, and storage control (ISA I 3.3, ISA II): one row per instruction.

use crate::isa::Isa;
use crate::isa::table::Facility::None;
use crate::isa::table::Row;
use crate::isa::table::Traits;
use crate::isa::table::row;

const V2: Isa = Isa::V2_03;

/// The rows of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const ROWS: &[Row] = &[
    // Loads.
    row("lbz",      "100010 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("lbzu",     "100011 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("lhz",      "101000 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("lhzu",     "101001 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("lha",      "101010 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("lhau",     "101011 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("lwz",      "100000 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("lwzu",     "100001 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.2"),
    row("ld",       "111010 ttttt aaaaa dddddddddddddd 00",      "rt, ds(ra)",             V2, None, "ISA I 3.3.2"),
    row("ldu",      "111010 ttttt aaaaa dddddddddddddd 01",      "rt, ds(ra)",             V2, None, "ISA I 3.3.2"),
    row("lwa",      "111010 ttttt aaaaa dddddddddddddd 10",      "rt, ds(ra)",             V2, None, "ISA I 3.3.2"),
    row("lbzx",     "011111 ttttt aaaaa bbbbb 0001010111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lbzux",    "011111 ttttt aaaaa bbbbb 0001110111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lhzx",     "011111 ttttt aaaaa bbbbb 0100010111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lhzux",    "011111 ttttt aaaaa bbbbb 0100110111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lhax",     "011111 ttttt aaaaa bbbbb 0101010111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lhaux",    "011111 ttttt aaaaa bbbbb 0101110111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lwzx",     "011111 ttttt aaaaa bbbbb 0000010111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lwzux",    "011111 ttttt aaaaa bbbbb 0000110111 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lwax",     "011111 ttttt aaaaa bbbbb 0101010101 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("lwaux",    "011111 ttttt aaaaa bbbbb 0101110101 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("ldx",      "011111 ttttt aaaaa bbbbb 0000010101 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    row("ldux",     "011111 ttttt aaaaa bbbbb 0000110101 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.2"),
    // Stores.
    row("stb",      "100110 sssss aaaaa dddddddddddddddd",       "rs, d(ra)",              V2, None, "ISA I 3.3.3"),
    row("stbu",     "100111 sssss aaaaa dddddddddddddddd",       "rs, d(ra)",              V2, None, "ISA I 3.3.3"),
    row("sth",      "101100 sssss aaaaa dddddddddddddddd",       "rs, d(ra)",              V2, None, "ISA I 3.3.3"),
    row("sthu",     "101101 sssss aaaaa dddddddddddddddd",       "rs, d(ra)",              V2, None, "ISA I 3.3.3"),
    row("stw",      "100100 sssss aaaaa dddddddddddddddd",       "rs, d(ra)",              V2, None, "ISA I 3.3.3"),
    row("stwu",     "100101 sssss aaaaa dddddddddddddddd",       "rs, d(ra)",              V2, None, "ISA I 3.3.3"),
    row("std",      "111110 sssss aaaaa dddddddddddddd 00",      "rs, ds(ra)",             V2, None, "ISA I 3.3.3"),
    row("stdu",     "111110 sssss aaaaa dddddddddddddd 01",      "rs, ds(ra)",             V2, None, "ISA I 3.3.3"),
    row("stbx",     "011111 sssss aaaaa bbbbb 0011010111 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    row("stbux",    "011111 sssss aaaaa bbbbb 0011110111 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    row("sthx",     "011111 sssss aaaaa bbbbb 0110010111 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    row("sthux",    "011111 sssss aaaaa bbbbb 0110110111 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    row("stwx",     "011111 sssss aaaaa bbbbb 0010010111 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    row("stwux",    "011111 sssss aaaaa bbbbb 0010110111 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    row("stdx",     "011111 sssss aaaaa bbbbb 0010010101 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    row("stdux",    "011111 sssss aaaaa bbbbb 0010110101 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.3"),
    // Quadwords.
    row("lq",       "111000 ttttt aaaaa dddddddddddd ////",      "rt, dq(ra)",             Isa::V2_07, None, "ISA I 3.3.4"),
    row("stq",      "111110 sssss aaaaa dddddddddddddd 10",      "rs, ds(ra)",             Isa::V2_07, None, "ISA I 3.3.4"),
    // Byte reversal.
    row("lhbrx",    "011111 ttttt aaaaa bbbbb 1100010110 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.5"),
    row("lwbrx",    "011111 ttttt aaaaa bbbbb 1000010110 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.5"),
    row("ldbrx",    "011111 ttttt aaaaa bbbbb 1000010100 /",     "rt, ra|0, rb",           Isa::V2_06, None, "ISA I 3.3.5"),
    row("sthbrx",   "011111 sssss aaaaa bbbbb 1110010110 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.5"),
    row("stwbrx",   "011111 sssss aaaaa bbbbb 1010010110 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.5"),
    row("stdbrx",   "011111 sssss aaaaa bbbbb 1010010100 /",     "rs, ra|0, rb",           Isa::V2_06, None, "ISA I 3.3.5"),
    // Multiple words and strings.
    row("lmw",      "101110 ttttt aaaaa dddddddddddddddd",       "rt, d(ra)",              V2, None, "ISA I 3.3.6"),
    row("stmw",     "101111 sssss aaaaa dddddddddddddddd",       "rs, d(ra)",              V2, None, "ISA I 3.3.6"),
    row("lswi",     "011111 ttttt aaaaa nnnnn 1001010101 /",     "rt, ra|0, nb",           V2, None, "ISA I 3.3.7"),
    row("lswx",     "011111 ttttt aaaaa bbbbb 1000010101 /",     "rt, ra|0, rb",           V2, None, "ISA I 3.3.7"),
    row("stswi",    "011111 sssss aaaaa nnnnn 1011010101 /",     "rs, ra|0, nb",           V2, None, "ISA I 3.3.7"),
    row("stswx",    "011111 sssss aaaaa bbbbb 1010010101 /",     "rs, ra|0, rb",           V2, None, "ISA I 3.3.7"),
    // Reservations and atomic updates.
    row("lbarx",    "011111 ttttt aaaaa bbbbb 0000110100 h",     "rt, ra|0, rb, eh",       Isa::V2_06, None, "ISA II 4.6.2"),
    row("lharx",    "011111 ttttt aaaaa bbbbb 0001110100 h",     "rt, ra|0, rb, eh",       Isa::V2_06, None, "ISA II 4.6.2"),
    row("lwarx",    "011111 ttttt aaaaa bbbbb 0000010100 h",     "rt, ra|0, rb, eh",       V2, None, "ISA II 4.6.2"),
    row("ldarx",    "011111 ttttt aaaaa bbbbb 0001010100 h",     "rt, ra|0, rb, eh",       V2, None, "ISA II 4.6.2"),
    row("lqarx",    "011111 ttttt aaaaa bbbbb 0100010100 h",     "rt, ra|0, rb, eh",       Isa::V2_07, None, "ISA II 4.6.2"),
    row("stbcx.",   "011111 sssss aaaaa bbbbb 1010110110 1",     "rs, ra|0, rb",           Isa::V2_06, None, "ISA II 4.6.2"),
    row("sthcx.",   "011111 sssss aaaaa bbbbb 1011010110 1",     "rs, ra|0, rb",           Isa::V2_06, None, "ISA II 4.6.2"),
    row("stwcx.",   "011111 sssss aaaaa bbbbb 0010010110 1",     "rs, ra|0, rb",           V2, None, "ISA II 4.6.2"),
    row("stdcx.",   "011111 sssss aaaaa bbbbb 0011010110 1",     "rs, ra|0, rb",           V2, None, "ISA II 4.6.2"),
    row("stqcx.",   "011111 sssss aaaaa bbbbb 0010110110 1",     "rs, ra|0, rb",           Isa::V2_07, None, "ISA II 4.6.2"),
    row("lwat",     "011111 ttttt aaaaa nnnnn 1001000110 /",     "rt, ra|0, fc",           Isa::V3_0, None, "ISA II 4.5"),
    row("ldat",     "011111 ttttt aaaaa nnnnn 1001100110 /",     "rt, ra|0, fc",           Isa::V3_0, None, "ISA II 4.5"),
    row("stwat",    "011111 sssss aaaaa nnnnn 1011000110 /",     "rs, ra|0, fc",           Isa::V3_0, None, "ISA II 4.5"),
    row("stdat",    "011111 sssss aaaaa nnnnn 1011100110 /",     "rs, ra|0, fc",           Isa::V3_0, None, "ISA II 4.5"),
    // Cache control.
    row("dcbt",     "011111 hhhhh aaaaa bbbbb 0100010110 /",     "ra|0, rb, th",           V2, None, "ISA II 4.3.2"),
    row("dcbtst",   "011111 hhhhh aaaaa bbbbb 0011110110 /",     "ra|0, rb, th",           V2, None, "ISA II 4.3.2"),
    row("dcbst",    "011111 ///// aaaaa bbbbb 0000110110 /",     "ra|0, rb",               V2, None, "ISA II 4.3.2"),
    row("dcbf",     "011111 // lll aaaaa bbbbb 0001010110 /",    "ra|0, rb, l3",           V2, None, "ISA II 4.3.2"),
    row("dcbz",     "011111 ///// aaaaa bbbbb 1111110110 /",     "ra|0, rb",               V2, None, "ISA II 4.3.2"),
    row("icbi",     "011111 ///// aaaaa bbbbb 1111010110 /",     "ra|0, rb",               V2, None, "ISA II 4.3.1").with(Traits::ENDS),
    row("icbt",     "011111 / tttt aaaaa bbbbb 0000010110 /",    "ct, ra|0, rb",           Isa::V2_07, None, "ISA II 4.3.1"),
    row("dst",      "011111 0 // ss aaaaa bbbbb 0101010110 /",   "ra, rb, st",             V2, None, "ISA 2.07 II 4.3.2"),
    row("dstt",     "011111 1 // ss aaaaa bbbbb 0101010110 /",   "ra, rb, st",             V2, None, "ISA 2.07 II 4.3.2"),
    row("dstst",    "011111 0 // ss aaaaa bbbbb 0101110110 /",   "ra, rb, st",             V2, None, "ISA 2.07 II 4.3.2"),
    row("dststt",   "011111 1 // ss aaaaa bbbbb 0101110110 /",   "ra, rb, st",             V2, None, "ISA 2.07 II 4.3.2"),
    row("dss",      "011111 0 // ss ///// ///// 1100110110 /",   "st",                     V2, None, "ISA 2.07 II 4.3.2"),
    row("dssall",   "011111 1 // // ///// ///// 1100110110 /",   "",                       V2, None, "ISA 2.07 II 4.3.2"),
    row("copy",     "011111 //// 1 aaaaa bbbbb 1100000110 /",     "ra|0, rb",               Isa::V3_0, None, "ISA II 4.4"),
    row("paste.",   "011111 //// l aaaaa bbbbb 1110000110 1",    "ra|0, rb, l",            Isa::V3_0, None, "ISA II 4.4"),
    row("cpabort",  "011111 ///// ///// ///// 1101000110 /",     "",                       Isa::V3_0, None, "ISA II 4.4"),
    // Order.
    row("sync",     "011111 // lll /// ss ///// 1001010110 /",   "l3, sc",                 V2, None, "ISA II 4.6.3"),
    row("eieio",    "011111 ///// ///// ///// 1101010110 /",     "",                       V2, None, "ISA II 4.6.3"),
    row("isync",    "010011 ///// ///// ///// 0010010110 /",     "",                       V2, None, "ISA II 4.6.1").with(Traits::ENDS),
];
