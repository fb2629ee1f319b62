//! Decimal floating point (ISA I, chapter 5): one row per instruction.
//!
//! The registers of a pair are even; an odd one is an invalid form, which no row matches.

use crate::isa::Isa;
use crate::isa::table::Facility::Fp;
use crate::isa::table::Row;
use crate::isa::table::row;

const V205: Isa = Isa::V2_05;
const V206: Isa = Isa::V2_06;
const V3: Isa = Isa::V3_0;
const V31: Isa = Isa::V3_1;

/// The rows of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const ROWS: &[Row] = &[
    row("dadd",    "111011 ttttt aaaaa bbbbb 0000000010 R",     "frt, fra, frb",         V205, Fp, "ISA I 5.6"),
    row("dsub",    "111011 ttttt aaaaa bbbbb 1000000010 R",     "frt, fra, frb",         V205, Fp, "ISA I 5.6"),
    row("dmul",    "111011 ttttt aaaaa bbbbb 0000100010 R",     "frt, fra, frb",         V205, Fp, "ISA I 5.6"),
    row("ddiv",    "111011 ttttt aaaaa bbbbb 1000100010 R",     "frt, fra, frb",         V205, Fp, "ISA I 5.6"),
    row("daddq",   "111111 tttt 0 aaaa 0 bbbb 0 0000000010 R",  "frtp, frap, frbp",      V205, Fp, "ISA I 5.6"),
    row("dsubq",   "111111 tttt 0 aaaa 0 bbbb 0 1000000010 R",  "frtp, frap, frbp",      V205, Fp, "ISA I 5.6"),
    row("dmulq",   "111111 tttt 0 aaaa 0 bbbb 0 0000100010 R",  "frtp, frap, frbp",      V205, Fp, "ISA I 5.6"),
    row("ddivq",   "111111 tttt 0 aaaa 0 bbbb 0 1000100010 R",  "frtp, frap, frbp",      V205, Fp, "ISA I 5.6"),
    row("dcmpo",   "111011 fff // aaaaa bbbbb 0010000010 /",    "bf, fra, frb",          V205, Fp, "ISA I 5.6"),
    row("dcmpu",   "111011 fff // aaaaa bbbbb 1010000010 /",    "bf, fra, frb",          V205, Fp, "ISA I 5.6"),
    row("dtstex",  "111011 fff // aaaaa bbbbb 0010100010 /",    "bf, fra, frb",          V205, Fp, "ISA I 5.6"),
    row("dtstsf",  "111011 fff // aaaaa bbbbb 1010100010 /",    "bf, fra, frb",          V205, Fp, "ISA I 5.6"),
    row("dcmpoq",  "111111 fff // aaaa 0 bbbb 0 0010000010 /",  "bf, frap, frbp",        V205, Fp, "ISA I 5.6"),
    row("dcmpuq",  "111111 fff // aaaa 0 bbbb 0 1010000010 /",  "bf, frap, frbp",        V205, Fp, "ISA I 5.6"),
    row("dtstexq", "111111 fff // aaaa 0 bbbb 0 0010100010 /",  "bf, frap, frbp",        V205, Fp, "ISA I 5.6"),
    row("dtstsfq", "111111 fff // aaaaa bbbb 0 1010100010 /",   "bf, fra, frbp",         V205, Fp, "ISA I 5.6"),
    row("dtstdc",  "111011 fff // aaaaa ddddd d 011000010 /",   "bf, fra, dcm",          V205, Fp, "ISA I 5.6"),
    row("dtstdcq", "111111 fff // aaaa 0 ddddd d 011000010 /",  "bf, frap, dcm",         V205, Fp, "ISA I 5.6"),
    row("dtstdg",  "111011 fff // aaaaa ddddd d 011100010 /",   "bf, fra, dgm",          V205, Fp, "ISA I 5.6"),
    row("dtstdgq", "111111 fff // aaaa 0 ddddd d 011100010 /",  "bf, frap, dgm",         V205, Fp, "ISA I 5.6"),
    row("dquai",   "111011 ttttt eeeee bbbbb mm 01000011 R",    "te, frt, frb, drmc",     V205, Fp, "ISA I 5.6"),
    row("dquaiq",  "111111 tttt 0 eeeee bbbb 0 mm 01000011 R",  "te, frtp, frbp, drmc",   V205, Fp, "ISA I 5.6"),
    row("dqua",    "111011 ttttt aaaaa bbbbb mm 00000011 R",    "frt, fra, frb, drmc",    V205, Fp, "ISA I 5.6"),
    row("drrnd",   "111011 ttttt aaaaa bbbbb mm 00100011 R",    "frt, fra, frb, drmc",    V205, Fp, "ISA I 5.6"),
    row("dquaq",   "111111 tttt 0 aaaa 0 bbbb 0 mm 00000011 R", "frtp, frap, frbp, drmc", V205, Fp, "ISA I 5.6"),
    row("drrndq",  "111111 tttt 0 aaaaa bbbb 0 mm 00100011 R",  "frtp, fra, frbp, drmc",  V205, Fp, "ISA I 5.6"),
    row("drintx",  "111011 ttttt //// r bbbbb mm 01100011 R",   "dr, frt, frb, drmc",      V205, Fp, "ISA I 5.6"),
    row("drintn",  "111011 ttttt //// r bbbbb mm 11100011 R",   "dr, frt, frb, drmc",      V205, Fp, "ISA I 5.6"),
    row("drintxq", "111111 tttt 0 //// r bbbb 0 mm 01100011 R", "dr, frtp, frbp, drmc",    V205, Fp, "ISA I 5.6"),
    row("drintnq", "111111 tttt 0 //// r bbbb 0 mm 11100011 R", "dr, frtp, frbp, drmc",    V205, Fp, "ISA I 5.6"),
    row("dcffixq", "111111 tttt 0 ///// bbbbb 1100100010 R",    "frtp, frb",             V205, Fp, "ISA I 5.6"),
    row("dctdp",   "111011 ttttt ///// bbbbb 0100000010 R",     "frt, frb",              V205, Fp, "ISA I 5.6"),
    row("drsp",    "111011 ttttt ///// bbbbb 1100000010 R",     "frt, frb",              V205, Fp, "ISA I 5.6"),
    row("dctqpq",  "111111 tttt 0 ///// bbbbb 0100000010 R",    "frtp, frb",             V205, Fp, "ISA I 5.6"),
    row("drdpq",   "111111 tttt 0 ///// bbbb 0 1100000010 R",   "frtp, frbp",            V205, Fp, "ISA I 5.6"),
    row("dctfix",  "111011 ttttt ///// bbbbb 0100100010 R",     "frt, frb",              V205, Fp, "ISA I 5.6"),
    row("dctfixq", "111111 ttttt ///// bbbb 0 0100100010 R",    "frt, frbp",             V205, Fp, "ISA I 5.6"),
    row("ddedpd",  "111011 ttttt pp /// bbbbb 0101000010 R",    "dsp, frt, frb",          V205, Fp, "ISA I 5.6"),
    row("ddedpdq", "111111 tttt 0 pp /// bbbb 0 0101000010 R",  "dsp, frtp, frbp",        V205, Fp, "ISA I 5.6"),
    row("denbcd",  "111011 ttttt p //// bbbbb 1101000010 R",    "ds, frt, frb",          V205, Fp, "ISA I 5.6"),
    row("denbcdq", "111111 tttt 0 p //// bbbb 0 1101000010 R",  "ds, frtp, frbp",        V205, Fp, "ISA I 5.6"),
    row("dxex",    "111011 ttttt ///// bbbbb 0101100010 R",     "frt, frb",              V205, Fp, "ISA I 5.6"),
    row("dxexq",   "111111 ttttt ///// bbbb 0 0101100010 R",    "frt, frbp",             V205, Fp, "ISA I 5.6"),
    row("diex",    "111011 ttttt aaaaa bbbbb 1101100010 R",     "frt, fra, frb",         V205, Fp, "ISA I 5.6"),
    row("diexq",   "111111 tttt 0 aaaaa bbbb 0 1101100010 R",   "frtp, fra, frbp",       V205, Fp, "ISA I 5.6"),
    row("dscli",   "111011 ttttt aaaaa hhhhh h 001000010 R",    "frt, fra, dsh",          V205, Fp, "ISA I 5.6"),
    row("dscri",   "111011 ttttt aaaaa hhhhh h 001100010 R",    "frt, fra, dsh",          V205, Fp, "ISA I 5.6"),
    row("dscliq",  "111111 tttt 0 aaaa 0 hhhhh h 001000010 R",  "frtp, frap, dsh",        V205, Fp, "ISA I 5.6"),
    row("dscriq",  "111111 tttt 0 aaaa 0 hhhhh h 001100010 R",  "frtp, frap, dsh",        V205, Fp, "ISA I 5.6"),
    row("dcffix", "111011 ttttt ///// bbbbb 1100100010 R", "frt, frb", V206, Fp, "ISA I 5.6"),
    row("dtstsfi",  "111011 fff / u uuuuu bbbbb 1010100011 /",  "bf, uim6, frb",  V3, Fp, "ISA I 5.6"),
    row("dtstsfiq", "111111 fff / u uuuuu bbbb 0 1010100011 /", "bf, uim6, frbp", V3, Fp, "ISA I 5.6"),
    row("dcffixqq", "111111 tttt 0 00000 bbbbb 1111100010 0", "frtp, vrb", V31, Fp, "ISA I 5.6"),
    row("dctfixqq", "111111 ttttt 00001 bbbb 0 1111100010 0", "vrt, frbp", V31, Fp, "ISA I 5.6"),
];
