//! System and privileged instructions (ISA II, III): one row per instruction.

use crate::isa::Isa;
use crate::isa::table::Facility::None;
use crate::isa::table::Row;
use crate::isa::table::Traits;
use crate::isa::table::row;

const V2: Isa = Isa::V2_03;
const V206: Isa = Isa::V2_06;
const V207: Isa = Isa::V2_07;
const V30: Isa = Isa::V3_0;
const V31: Isa = Isa::V3_1;
/// Changes the flow or the context.
const ENDS: Traits = Traits::ENDS;
/// Privileged.
const PRIV: Traits = Traits::PRIVILEGED;
/// Privileged, and changes the context.
const CONTEXT: Traits = Traits::PRIVILEGED.and(Traits::ENDS);
/// For hypervisors.
const HV: Traits = Traits::HYPERVISOR.and(Traits::ENDS);

/// The rows of this chapter.
#[rustfmt::skip] // One instruction per line.
pub const ROWS: &[Row] = &[
    // System linkage.
    row("sc",        "010001 ///// ///// //// vvvvvvv /// 1 /",        "lev",              V2,   None, "ISA I 2.7").with(ENDS),
    row("scv",       "010001 ///// ///// //// vvvvvvv /// 0 1",        "lev",              V30,  None, "ISA I 2.7").with(ENDS),
    row("rfid",      "010011 ///// ///// ///// 0000010010 /",          "",                 V2,   None, "ISA III 4.3.1").with(CONTEXT),
    row("rfscv",     "010011 ///// ///// ///// 0001010010 /",          "",                 V30,  None, "ISA III 4.3.1").with(CONTEXT),
    row("hrfid",     "010011 ///// ///// ///// 0100010010 /",          "",                 V2,   None, "ISA III 4.3.1").with(HV),
    row("urfid",     "010011 ///// ///// ///// 0100110010 /",          "",                 V31,  None, "ISA III 4.3.1").with(HV),
    row("rfebb",     "010011 ///// ///// //// s 0010010010 /",         "s",                V207, None, "ISA II 7.3").with(ENDS),
    // Power-saving modes.
    row("doze",      "010011 ///// ///// ///// 0110010010 /",          "",                 V206, None, "ISA III 4.3.2").with(HV),
    row("nap",       "010011 ///// ///// ///// 0110110010 /",          "",                 V206, None, "ISA III 4.3.2").with(HV),
    row("sleep",     "010011 ///// ///// ///// 0111010010 /",          "",                 V206, None, "ISA III 4.3.2").with(HV),
    row("rvwinkle",  "010011 ///// ///// ///// 0111110010 /",          "",                 V206, None, "ISA III 4.3.2").with(HV),
    row("stop",      "010011 ///// ///// ///// 0101110010 /",          "",                 V30,  None, "ISA III 4.3.2").with(HV),
    row("attn",      "000000 ///// ///// ///// 0100000000 /",          "",                 V2,   None, "ISA III C").with(HV),
    row("wait",      "011111 /// cc /// pp ///// 0000011110 /",        "wc",               V30,  None, "ISA II 4.6.4").with(ENDS),
    row("waitv206",  "011111 /// cc ///// ///// 0000111110 /",         "wc",               V206, None, "ISA 2.07 II 4.4.4").with(ENDS),
    // Registers.
    row("mfmsr",     "011111 ttttt ///// ///// 0001010011 /",          "rt",               V2,   None, "ISA III 5.4.4").with(PRIV),
    row("mtmsr",     "011111 sssss //// l ///// 0010010010 /",         "rs, l15",          V2,   None, "ISA III 5.4.4").with(CONTEXT),
    row("mtmsrd",    "011111 sssss //// l ///// 0010110010 /",         "rs, l15",          V2,   None, "ISA III 5.4.4").with(CONTEXT),
    row("mfspr",     "011111 ttttt nnnnnnnnnn 0101010011 /",           "rt, spr",          V2,   None, "ISA III 5.4.4"),
    row("mftb",      "011111 ttttt nnnnnnnnnn 0101110011 /",           "rt, spr",          V2,   None, "ISA II 6.2.1"),
    row("mtspr",     "011111 sssss nnnnnnnnnn 0111010011 /",           "spr, rs",          V2,   None, "ISA III 5.4.4"),
    // Segments.
    row("slbmte",    "011111 sssss ///// bbbbb 0110010010 /",          "rs, rb",           V2,   None, "ISA III 6.9.3").with(CONTEXT),
    row("slbmfev",   "011111 ttttt //// l bbbbb 1101010011 /",         "rt, rb",           V2,   None, "ISA III 6.9.3").with(PRIV),
    row("slbmfee",   "011111 ttttt //// l bbbbb 1110010011 /",         "rt, rb",           V2,   None, "ISA III 6.9.3").with(PRIV),
    row("slbfee.",   "011111 ttttt ///// bbbbb 1111010011 1",          "rt, rb",           V206, None, "ISA III 6.9.3").with(PRIV),
    row("slbie",     "011111 ///// ///// bbbbb 0110110010 /",          "rb",               V2,   None, "ISA III 6.9.3").with(CONTEXT),
    row("slbieg",    "011111 sssss ///// bbbbb 0111010010 /",          "rs, rb",           V30,  None, "ISA III 6.9.3").with(CONTEXT),
    row("slbia",     "011111 // hhh ///// ///// 0111110010 /",         "ih",               V2,   None, "ISA III 6.9.3").with(CONTEXT),
    row("slbiag",    "011111 sssss //// l ///// 1101010010 /",         "rs, l15",          V30,  None, "ISA III 6.9.3").with(CONTEXT),
    row("slbsync",   "011111 ///// ///// ///// 0101010010 /",          "",                 V30,  None, "ISA III 6.9.3").with(PRIV),
    // Translation lookaside buffers.
    row("tlbie",     "011111 sssss / cc p r bbbbb 0100110010 /",       "rb, rs, ric, prs, l15", V2, None, "ISA III 6.9.3").with(CONTEXT),
    row("tlbiel",    "011111 sssss / cc p r bbbbb 0100010010 /",       "rb, rs, ric, prs, l15", V2, None, "ISA III 6.9.3").with(CONTEXT),
    row("tlbsync",   "011111 ///// ///// ///// 1000110110 /",          "",                 V2,   None, "ISA III 6.9.3").with(CONTEXT),
    // Doorbells.
    row("msgsndp",   "011111 ///// ///// bbbbb 0010001110 /",          "rb",               V207, None, "ISA III 11.4").with(PRIV),
    row("msgclrp",   "011111 ///// ///// bbbbb 0010101110 /",          "rb",               V207, None, "ISA III 11.4").with(PRIV),
    row("msgsnd",    "011111 ///// ///// bbbbb 0011001110 /",          "rb",               V207, None, "ISA III 11.4").with(HV),
    row("msgclr",    "011111 ///// ///// bbbbb 0011101110 /",          "rb",               V207, None, "ISA III 11.4").with(HV),
    row("msgsync",   "011111 ///// ///// ///// 1101110110 /",          "",                 V30,  None, "ISA III 11.4").with(HV),
    // Return address hashes.
    row("hashst",    "011111 ddddd aaaaa bbbbb 1011010010 d",          "rb, hash(ra)",     V31,  None, "ISA I 3.3.17"),
    row("hashchk",   "011111 ddddd aaaaa bbbbb 1011110010 d",          "rb, hash(ra)",     V31,  None, "ISA I 3.3.17"),
    row("hashstp",   "011111 ddddd aaaaa bbbbb 1010010010 d",          "rb, hash(ra)",     V31,  None, "ISA III 5.4.5").with(PRIV),
    row("hashchkp",  "011111 ddddd aaaaa bbbbb 1010110010 d",          "rb, hash(ra)",     V31,  None, "ISA III 5.4.5").with(PRIV),
    // Branch history rolling buffer.
    row("clrbhrb",   "011111 ///// ///// ///// 0110101110 /",          "",                 V207, None, "ISA II 8.2"),
    row("mfbhrbe",   "011111 ttttt nnnnnnnnnn 0100101110 /",           "rt, bhrbe",        V207, None, "ISA II 8.2"),
    // Transactional memory, which is never available here.
    row("tbegin.",   "011111 a /// r ///// ///// 1010001110 1",        "r10",              V207, None, "ISA II 5.5").with(ENDS),
    row("tend.",     "011111 a //// ///// ///// 1010101110 1",       "a6",               V207, None, "ISA II 5.5").with(ENDS),
    row("tabort.",   "011111 ///// aaaaa ///// 1110001110 1",          "ra",               V207, None, "ISA II 5.5").with(ENDS),
    row("tabortwc.", "011111 ooooo aaaaa bbbbb 1100001110 1",          "to, ra, rb",       V207, None, "ISA II 5.5").with(ENDS),
    row("tabortwci.","011111 ooooo aaaaa iiiii 1101001110 1",          "to, ra, si5",      V207, None, "ISA II 5.5").with(ENDS),
    row("tabortdc.", "011111 ooooo aaaaa bbbbb 1100101110 1",          "to, ra, rb",       V207, None, "ISA II 5.5").with(ENDS),
    row("tabortdci.","011111 ooooo aaaaa iiiii 1101101110 1",          "to, ra, si5",      V207, None, "ISA II 5.5").with(ENDS),
    row("tsr.",      "011111 //// l ///// ///// 1011101110 1",         "r10",              V207, None, "ISA II 5.5").with(ENDS),
    row("tcheck",    "011111 fff // ///// ///// 1011001110 /",         "bf",               V207, None, "ISA II 5.5").with(ENDS),
    row("treclaim.", "011111 ///// aaaaa ///// 1110101110 1",          "ra",               V207, None, "ISA III 5.4.6").with(CONTEXT),
    row("trechkpt.", "011111 ///// ///// ///// 1111101110 1",          "",                 V207, None, "ISA III 5.4.6").with(CONTEXT),
];
