//! One instruction as fetched, with its fields named as the book names them.

/// An instruction image: a word in the low half, and for a prefixed instruction (ISA 3.1) the prefix in the high half.
///
/// Field accessors read the word (the suffix, for prefixed instructions); `usize` results index register files.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Insn(pub u64);

macro_rules! fields {
    ($($(#[$meta:meta])* $name:ident = $first:literal .. $last:literal as $out:ty;)*) => {
        impl Insn {$(
            $(#[$meta])*
            #[inline(always)]
            pub const fn $name(self) -> $out {
                ((self.0 as u32 >> (31 - $last)) & ((1u64 << ($last - $first + 1)) - 1) as u32) as $out
            }
        )*}
    };
}

fields! {
    /// Primary opcode.
    opcd = 0..5 as u32;
    /// Target GPR, or source GPR of a store.
    rt = 6..10 as usize;
    /// First source GPR, or the base register.
    ra = 11..15 as usize;
    /// Second source GPR, or the index register.
    rb = 16..20 as usize;
    /// Third source GPR of a VA-form instruction.
    rc_field = 21..25 as usize;
    /// Target FPR or VR.
    frt = 6..10 as usize;
    /// FPR or VR operand A.
    fra = 11..15 as usize;
    /// FPR or VR operand B.
    frb = 16..20 as usize;
    /// FPR or VR operand C.
    frc = 21..25 as usize;
    /// Shift amount (5 bits).
    sh5 = 16..20 as u32;
    /// Mask begin of an M-form rotate.
    mb5 = 21..25 as u32;
    /// Mask end of an M-form rotate.
    me5 = 26..30 as u32;
    /// Trap condition.
    to = 6..10 as u32;
    /// Branch options.
    bo = 6..10 as u32;
    /// CR bit tested by a branch.
    bi = 11..15 as usize;
    /// Branch hint.
    bh = 19..20 as u32;
    /// CR bit target.
    bt = 6..10 as usize;
    /// CR bit source A.
    ba = 11..15 as usize;
    /// CR bit source B.
    bb = 16..20 as usize;
    /// CR or FPSCR field target.
    bf = 6..8 as usize;
    /// CR or FPSCR field source.
    bfa = 11..13 as usize;
    /// Compare length (1: 64 bits).
    l = 10..10 as u32;
    /// Record bit.
    rc = 31..31 as u32;
    /// Overflow-enable bit.
    oe = 21..21 as u32;
    /// Link bit.
    lk = 31..31 as u32;
    /// Absolute-address bit.
    aa = 30..30 as u32;
    /// CR field mask of mtcrf.
    fxm = 12..19 as u32;
    /// FPSCR field mask of mtfsf.
    flm = 7..14 as u32;
    /// Extended opcode of the X form.
    xo_x = 21..30 as u32;
    /// Unsigned 16-bit immediate.
    ui = 16..31 as u64;
    /// Number of bytes of a string instruction.
    nb = 16..20 as u32;
}

impl Insn {
    /// The instruction word, or the suffix of a prefixed instruction.
    #[inline(always)]
    pub const fn word(self) -> u32 {
        self.0 as u32
    }
    /// The prefix word; 0 for a word instruction.
    #[inline(always)]
    pub const fn prefix(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// Whether this is a prefixed instruction (prefix opcode 1).
    #[inline(always)]
    pub const fn is_prefixed(self) -> bool {
        self.0 >> 58 == 1
    }
    /// Bytes of storage: 4, or 8 with a prefix.
    #[inline(always)]
    #[expect(clippy::len_without_is_empty, reason = "no instruction is empty")]
    pub const fn len(self) -> u64 {
        if self.is_prefixed() { 8 } else { 4 }
    }
    /// Bit field `first..=last` of the word in IBM numbering.
    #[inline(always)]
    pub const fn field(self, first: u32, last: u32) -> u32 {
        (self.word() >> (31 - last)) & ((1u64 << (last - first + 1)) - 1) as u32
    }
    /// Bit field `first..=last` of the prefix word in IBM numbering (bit 0 is the prefix's first).
    #[inline(always)]
    pub const fn prefix_field(self, first: u32, last: u32) -> u32 {
        (self.prefix() >> (31 - last)) & ((1u64 << (last - first + 1)) - 1) as u32
    }
    /// Signed 16-bit immediate, extended (D form SI and D).
    #[inline(always)]
    pub const fn si(self) -> u64 {
        self.0 as u16 as i16 as i64 as u64
    }
    /// DS-form displacement, extended, low two bits clear.
    #[inline(always)]
    pub const fn ds(self) -> u64 {
        (self.0 as u16 & 0xfffc) as i16 as i64 as u64
    }
    /// DQ-form displacement, extended, low four bits clear.
    #[inline(always)]
    pub const fn dq(self) -> u64 {
        (self.0 as u16 & 0xfff0) as i16 as i64 as u64
    }
    /// DX-form immediate (`d0 || d1 || d2`), extended (addpcis).
    #[inline(always)]
    pub const fn si_dx(self) -> u64 {
        ((self.field(16, 25) << 6) | (self.field(11, 15) << 1) | self.field(31, 31)) as u16 as i16 as i64 as u64
    }
    /// I-form branch displacement, extended.
    #[inline(always)]
    pub const fn li(self) -> u64 {
        ((((self.word() & 0x03ff_fffc) << 6) as i32) >> 6) as i64 as u64
    }
    /// B-form branch displacement, extended.
    #[inline(always)]
    pub const fn bd(self) -> u64 {
        (self.0 as u16 & 0xfffc) as i16 as i64 as u64
    }
    /// Six-bit shift of the MD and XS forms (`sh5 || sh0..4`, split field).
    #[inline(always)]
    pub const fn sh6(self) -> u32 {
        self.field(16, 20) | (self.field(30, 30) << 5)
    }
    /// Six-bit mask begin or end of the MD and MDS forms (split field).
    #[inline(always)]
    pub const fn mb6(self) -> u32 {
        self.field(21, 25) | (self.field(26, 26) << 5)
    }
    /// SPR number of mfspr, mtspr and mftb, halves swapped back.
    #[inline(always)]
    pub const fn spr(self) -> u32 {
        self.field(11, 15) | (self.field(16, 20) << 5)
    }
    /// VSX target register (`TX || T`, XX forms: TX is bit 31).
    #[inline(always)]
    pub const fn xt(self) -> usize {
        (self.field(6, 10) | (self.field(31, 31) << 5)) as usize
    }
    /// VSX operand A (`AX || A`: AX is bit 29).
    #[inline(always)]
    pub const fn xa(self) -> usize {
        (self.field(11, 15) | (self.field(29, 29) << 5)) as usize
    }
    /// VSX operand B (`BX || B`: BX is bit 30).
    #[inline(always)]
    pub const fn xb(self) -> usize {
        (self.field(16, 20) | (self.field(30, 30) << 5)) as usize
    }
    /// VSX operand C (`CX || C`: CX is bit 28).
    #[inline(always)]
    pub const fn xc(self) -> usize {
        (self.field(21, 25) | (self.field(28, 28) << 5)) as usize
    }
    /// VSX target of a DQ-form load or store (TX is bit 28).
    #[inline(always)]
    pub const fn xt_dq(self) -> usize {
        (self.field(6, 10) | (self.field(28, 28) << 5)) as usize
    }
    /// First of a pair of VSX registers (`TX || Tp || 0`: TX is bit 10), always even.
    #[inline(always)]
    pub const fn xtp(self) -> usize {
        ((self.field(10, 10) << 5) | (self.field(6, 9) << 1)) as usize
    }
    /// 34-bit displacement or immediate of a prefixed D-form instruction (`d0 || d1`), extended.
    #[inline(always)]
    pub const fn d34(self) -> u64 {
        let v = ((self.prefix_field(14, 31) as u64) << 16) | (self.word() as u64 & 0xffff);
        ((v << 30) as i64 >> 30) as u64
    }
    /// VSX target of `plxv` and `pstxv` (`TX || T`: TX is bit 5, the opcode's last).
    #[inline(always)]
    pub const fn pxt(self) -> usize {
        (self.field(6, 10) | (self.field(5, 5) << 5)) as usize
    }
    /// VSX target of the 8RR:D form (`TX || T`: TX is bit 15).
    #[inline(always)]
    pub const fn xt_8rr(self) -> usize {
        (self.field(6, 10) | (self.field(15, 15) << 5)) as usize
    }
    /// 32-bit immediate of the 8RR:D form (`imm0 || imm1`).
    #[inline(always)]
    pub const fn imm32(self) -> u32 {
        (self.prefix_field(16, 31) << 16) | (self.word() & 0xffff)
    }
    /// The R bit of a prefix: address relative to this instruction.
    #[inline(always)]
    pub const fn pcrel(self) -> bool {
        self.prefix_field(11, 11) != 0
    }
}

impl std::fmt::Debug for Insn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_prefixed() {
            write!(f, "Insn({:08x} {:08x})", self.prefix(), self.word())
        } else {
            write!(f, "Insn({:08x})", self.word())
        }
    }
}
