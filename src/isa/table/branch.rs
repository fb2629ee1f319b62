//! Branches and condition register logic (ISA I, chapter 2): one row per instruction.

use crate::isa::Isa;
use crate::isa::table::Facility::None;
use crate::isa::table::Row;
use crate::isa::table::Traits;
use crate::isa::table::row;

const V2: Isa = Isa::V2_03;

/// The rows of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const ROWS: &[Row] = &[
    row("b",      "010010 iiiiiiiiiiiiiiiiiiiiiiii A L",           "target_i",         V2, None, "ISA I 2.4").with(Traits::ENDS),
    row("bc",     "010000 ooooo bbbbb dddddddddddddd A L",         "bo, bi, target_b", V2, None, "ISA I 2.4").with(Traits::ENDS),
    row("bclr",   "010011 ooooo bbbbb /// hh 0000010000 L",        "bo, bi, bh",       V2, None, "ISA I 2.4").with(Traits::ENDS),
    row("bcctr",  "010011 ooooo bbbbb /// hh 1000010000 L",        "bo, bi, bh",       V2, None, "ISA I 2.4").with(Traits::ENDS),
    row("bctar",  "010011 ooooo bbbbb /// hh 1000110000 L",        "bo, bi, bh",       Isa::V2_07, None, "ISA I 2.4").with(Traits::ENDS),
    row("crand",  "010011 ttttt aaaaa bbbbb 0100000001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("crnand", "010011 ttttt aaaaa bbbbb 0011100001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("cror",   "010011 ttttt aaaaa bbbbb 0111000001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("crxor",  "010011 ttttt aaaaa bbbbb 0011000001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("crnor",  "010011 ttttt aaaaa bbbbb 0000100001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("creqv",  "010011 ttttt aaaaa bbbbb 0100100001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("crandc", "010011 ttttt aaaaa bbbbb 0010000001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("crorc",  "010011 ttttt aaaaa bbbbb 0110100001 /",         "bt, ba, bb",       V2, None, "ISA I 2.5.1"),
    row("mcrf",   "010011 fff // sss // ///// 0000000000 /",       "bf, bfa",          V2, None, "ISA I 2.5.2"),
];
