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
    row("sc",        "010001 ///// ///// //// vvvvvvv /// 1 /",        "lev",             V2,   None, "ISA I 2.7").with(ENDS),
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
    row("wait",      "011111 /// cc /// pp ///// 0000011110 /",        "l2, sc",           V30,  None, "ISA II 4.6.4").with(ENDS),
    row("waitv206",  "011111 /// cc ///// ///// 0000111110 /",         "l2",               V206, None, "ISA 2.07 II 4.4.4").with(ENDS),
    // Registers.
    row("mfmsr",     "011111 ttttt ///// ///// 0001010011 /",          "rt",               V2,   None, "ISA III 5.4.4").with(PRIV),
    row("mtmsr",     "011111 sssss //// l ///// 0010010010 /",         "rs, l15",         V2,   None, "ISA III 5.4.4").with(CONTEXT),
    row("mtmsrd",    "011111 sssss //// l ///// 0010110010 /",         "rs, l15",         V2,   None, "ISA III 5.4.4").with(CONTEXT),
    row("mfspr",     "011111 ttttt nnnnnnnnnn 0101010011 /",           "rt, spr",          V2,   None, "ISA III 5.4.4"),
    row("mftb",      "011111 ttttt nnnnnnnnnn 0101110011 /",           "rt, spr",          V2,   None, "ISA II 6.2.1"),
    row("mtspr",     "011111 sssss nnnnnnnnnn 0111010011 /",           "spr, rs",          V2,   None, "ISA III 5.4.4"),
    // Cache-inhibited accesses in hypervisor real mode.
    row("lbzcix",   "011111 ttttt aaaaa bbbbb 1101010101 /",       "rt, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    row("lhzcix",   "011111 ttttt aaaaa bbbbb 1100110101 /",       "rt, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    row("lwzcix",   "011111 ttttt aaaaa bbbbb 1100010101 /",       "rt, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    row("ldcix",    "011111 ttttt aaaaa bbbbb 1101110101 /",       "rt, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    row("stbcix",   "011111 ttttt aaaaa bbbbb 1111010101 /",       "rs, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    row("sthcix",   "011111 ttttt aaaaa bbbbb 1110110101 /",       "rs, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    row("stwcix",   "011111 ttttt aaaaa bbbbb 1110010101 /",       "rs, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    row("stdcix",   "011111 ttttt aaaaa bbbbb 1111110101 /",       "rs, ra|0, rb",        V2,   None, "ISA III 5.4.1").with(HV),
    // Segments.
    row("slbmte",    "011111 sssss ///// bbbbb 0110010010 /",          "rs, rb",           V2,   None, "ISA III 6.9.3").with(CONTEXT),
    row("slbmfev",   "011111 ttttt //// l bbbbb 1101010011 /",         "rt, rb, l15",      V2,   None, "ISA III 6.9.3").with(PRIV),
    row("slbmfee",   "011111 ttttt //// l bbbbb 1110010011 /",         "rt, rb, l15",      V2,   None, "ISA III 6.9.3").with(PRIV),
    row("slbfee.",   "011111 ttttt ///// bbbbb 1111010011 1",          "rt, rb",           V206, None, "ISA III 6.9.3").with(PRIV),
    row("slbie",     "011111 ///// ///// bbbbb 0110110010 /",          "rb",               V2,   None, "ISA III 6.9.3").with(CONTEXT),
    row("slbieg",    "011111 sssss ///// bbbbb 0111010010 /",          "rs, rb",           V30,  None, "ISA III 6.9.3").with(CONTEXT),
    row("slbia",     "011111 // hhh ///// ///// 0111110010 /",         "ih",              V2,   None, "ISA III 6.9.3").with(CONTEXT),
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

#[cfg(test)]
mod tests {
    use crate::isa::Insn;
    use crate::isa::disasm::disassemble;

    #[test]
    fn images_mean_what_the_assembler_meant() {
        // GNU as and objdump -M raw.
        #[rustfmt::skip]
        let lines = [
            (0x4400_0022, "sc 1"), (0x4400_00a1, "scv 5"), (0x4c00_0024, "rfid"), (0x4c00_00a4, "rfscv"), (0x4c00_0224, "hrfid"),
            (0x4c00_0924, "rfebb 1"), (0x4c00_02e4, "stop"), (0x0000_0200, "attn"), (0x7c00_003c, "wait 0,0"), (0x7c60_00a6, "mfmsr r3"),
            (0x7c61_0124, "mtmsr r3,1"), (0x7c61_0164, "mtmsrd r3,1"), (0x7c6c_42a6, "mfspr r3,268"), (0x7c70_0ba6, "mtspr 48,r3"),
            (0x7c60_2324, "slbmte r3,r4"), (0x7c60_26a6, "slbmfev r3,r4,0"), (0x7c60_2726, "slbmfee r3,r4,0"),
            (0x7c60_27a7, "slbfee. r3,r4"), (0x7c00_2b64, "slbie r5"), (0x7c60_23a4, "slbieg r3,r4"), (0x7c60_03e4, "slbia 3"),
            (0x7c60_06a4, "slbiag r3,0"), (0x7c00_02a4, "slbsync"), (0x7c87_1a64, "tlbie r3,r4,1,1,1"), (0x7c87_1a24, "tlbiel r3,r4,1,1,1"),
            (0x7c00_046c, "tlbsync"), (0x7c00_191c, "msgsndp r3"), (0x7c00_195c, "msgclrp r3"), (0x7c00_199c, "msgsnd r3"),
            (0x7c00_19dc, "msgclr r3"), (0x7c00_06ec, "msgsync"), (0x7fe1_1da5, "hashst r3,-8(r1)"), (0x7c01_1de4, "hashchk r3,-512(r1)"),
            (0x7c01_1d25, "hashstp r3,-256(r1)"), (0x7fc1_1d65, "hashchkp r3,-16(r1)"), (0x7c00_035c, "clrbhrb"),
            (0x7c60_3a5c, "mfbhrbe r3,7"), (0x7c64_2eaa, "lbzcix r3,r4,r5"), (0x7c64_2fea, "stdcix r3,r4,r5"), (0x7c20_051d, "tbegin. 1"), (0x7e00_055d, "tend. 1"), (0x7c03_071d, "tabort. r3"),
            (0x7c22_1e1d, "tabortwc. 1,r2,r3"), (0x7c22_ee9d, "tabortwci. 1,r2,-3"), (0x7c22_1e5d, "tabortdc. 1,r2,r3"),
            (0x7c22_eedd, "tabortdci. 1,r2,-3"), (0x7c20_05dd, "tsr. 1"), (0x7d80_059c, "tcheck cr3"), (0x7c03_075d, "treclaim. r3"),
            (0x7c00_07dd, "trechkpt."),
        ];
        for (word, text) in lines {
            assert_eq!(disassemble(Insn(word), 0), text, "{word:08x}");
        }
    }
}
