//! One row per instruction, one file per chapter of the book.
//!
//! A row reads
//!
//! ```text
//! row("addi", "001110 ttttt aaaaa iiiiiiiiiiiiiiii", "rt, ra|0, si", V2, None, "ISA I 3.3.9"),
//! ```
//!
//! The picture has the bits as the book prints them: `0` and `1` are fixed, `/` is reserved and ignored (as processors do; QEMU
//! raises an illegal-instruction interrupt on many of them), any letter is an operand. Four letters have a meaning of their own, because they
//! extend the mnemonic: `R` is the record bit (`.`), `O` is the overflow-enable bit (`o`), `L` is the link bit (`l`), `A` the
//! absolute-address bit (`a`). A prefixed instruction has 64 bits, prefix first.
//!
//! The operands are what the disassembler prints, in order; each name is a row of [`crate::isa::disasm::OPERANDS`].
//! Behaviour is not here: `accel::interp` has one function for each row, joined by the mnemonic.

pub mod branch;
pub mod dfp;
pub mod fixed;
pub mod float;
pub mod load_store;
pub mod mma;
pub mod prefixed;
pub mod system;
pub mod vector;
pub mod vsx;
pub mod vsx_float;

use crate::isa::Isa;

/// Which facility must be enabled, else the instruction raises that facility's unavailable interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Facility {
    /// Always available.
    None,
    /// Floating point and DFP: MSR\[FP\].
    Fp,
    /// Vector (VMX): MSR\[VEC\].
    Vec,
    /// VSX: MSR\[VSX\].
    Vsx,
    /// VSX for registers 0 to 31, vector for 32 to 63: the six-bit target with TX in bit 31 (X form, `lxvx`, `mtvsrdd`).
    VsxByXt,
    /// The same with TX in bit 28 (DQ form, `lxv`).
    VsxByXtDq,
    /// Floating point for registers 0 to 31, vector for 32 to 63, TX in bit 31 (the moves of 2.07, `mtvsrd`).
    FpByXt,
}

/// Who may execute an instruction, and what it does to the flow of decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Traits(pub u8);

impl Traits {
    /// Nothing special.
    pub const NONE: Traits = Traits(0);
    /// Privileged: in problem state a privileged-instruction program interrupt.
    pub const PRIVILEGED: Traits = Traits(1);
    /// Ends a run of instructions: branches, and whatever changes the context (MSR, translation, code).
    pub const ENDS: Traits = Traits(2);
    /// Hypervisor-privileged: a guest gets an illegal-instruction (emulation assistance) interrupt.
    pub const HYPERVISOR: Traits = Traits(4);

    /// Both.
    pub const fn and(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }
    /// Whether all of `other` are among these.
    pub const fn has(self, other: Traits) -> bool {
        self.0 & other.0 == other.0
    }
}

/// One instruction of the Power ISA.
#[derive(Debug)]
pub struct Row {
    /// The mnemonic without `o`, `.`, `l`, `a`; unique.
    pub name: &'static str,
    /// Fixed bits (prefix in the high word).
    pub mask: u64,
    /// What the fixed bits must be.
    pub value: u64,
    /// The bit picture as given.
    pub picture: &'static str,
    /// Operand names, as the assembler orders them.
    pub operands: &'static str,
    /// First edition that has it.
    pub since: Isa,
    /// Which MSR bit must be on.
    pub facility: Facility,
    /// Privilege and flow.
    pub traits: Traits,
    /// Where the book describes it.
    pub book: &'static str,
    /// Mask of the record bit in the word, 0 if there is none.
    pub record: u32,
    /// Mask of the overflow-enable bit.
    pub overflow: u32,
    /// Mask of the link bit.
    pub link: u32,
    /// Mask of the absolute-address bit.
    pub absolute: u32,
}

impl Row {
    /// Whether this row describes a prefixed (64-bit) instruction.
    pub const fn is_prefixed(&self) -> bool {
        self.mask >> 32 != 0
    }
    /// The same row with `traits` added.
    pub const fn with(mut self, traits: Traits) -> Row {
        self.traits = self.traits.and(traits);
        self
    }
}

/// Makes a row; a malformed picture fails the build.
pub const fn row(
    name: &'static str,
    picture: &'static str,
    operands: &'static str,
    since: Isa,
    facility: Facility,
    book: &'static str,
) -> Row {
    Row {
        name,
        mask: letters(picture, b"01"),
        value: letters(picture, b"1"),
        picture,
        operands,
        since,
        facility,
        traits: Traits::NONE,
        book,
        record: letters(picture, b"R") as u32,
        overflow: letters(picture, b"O") as u32,
        link: letters(picture, b"L") as u32,
        absolute: letters(picture, b"A") as u32,
    }
}

/// The bits of the picture that are drawn with one of `wanted`.
const fn letters(picture: &str, wanted: &[u8]) -> u64 {
    let bytes = picture.as_bytes();
    let (mut bits, mut count, mut i) = (0u64, 0, 0);
    while i < bytes.len() {
        if bytes[i] != b' ' {
            bits <<= 1;
            count += 1;
            let mut k = 0;
            while k < wanted.len() {
                if bytes[i] == wanted[k] {
                    bits |= 1;
                }
                k += 1;
            }
        }
        i += 1;
    }
    assert!(count == 32 || count == 64, "a bit picture must have 32 or 64 bits");
    bits
}

/// All chapters, in the book's order.
pub static CHAPTERS: &[(&str, &[Row])] = &[
    ("branch", branch::ROWS),
    ("fixed", fixed::ROWS),
    ("load_store", load_store::ROWS),
    ("float", float::ROWS),
    ("vector", vector::ROWS),
    ("dfp", dfp::ROWS),
    ("vsx", vsx::ROWS),
    ("vsx_float", vsx_float::ROWS),
    ("system", system::ROWS),
    ("prefixed", prefixed::ROWS),
    ("mma", mma::ROWS),
];

/// Every row.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    CHAPTERS.iter().flat_map(|(_, rows)| rows.iter())
}
