//! Architected registers: plain values, nothing derived, so that every accelerator can fill them in and read them out.

use crate::isa::regs::Fpscr;
use crate::isa::regs::Msr;

/// The condition register, one byte a bit and each 0 or 1, bit 31 (SO of field 7) first.
///
/// Unpacked so that a compare writes, and a branch tests, single bytes without shifts and masks: in translated code too, which is why the order
/// is that of a host's "collect the bytes' bits" instruction.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Cr([u8; 32]);

/// CR field bit: less than.
pub const LT: u8 = 8;
/// CR field bit: greater than.
pub const GT: u8 = 4;
/// CR field bit: equal.
pub const EQ: u8 = 2;
/// CR field bit: summary overflow, or unordered.
pub const SO: u8 = 1;

/// The bytes of a field by its value, SO first.
const SPREAD: [[u8; 4]; 16] = {
    let mut t = [[0; 4]; 16];
    let mut v = 0;
    while v < 16 {
        t[v] = [v as u8 & 1, v as u8 >> 1 & 1, v as u8 >> 2 & 1, v as u8 >> 3];
        v += 1;
    }
    t
};

impl Cr {
    /// Where bit `n` (0 to 31) is, in bytes from the start of the register.
    pub const fn place(n: usize) -> usize {
        31 - (n & 31)
    }
    /// CR bit `n` (0 to 31), as branches test it.
    #[inline(always)]
    pub fn bit(&self, n: usize) -> u8 {
        self.0[Cr::place(n)]
    }
    /// Sets CR bit `n` to the low bit of `value`.
    #[inline(always)]
    pub fn set_bit(&mut self, n: usize, value: u8) {
        self.0[Cr::place(n)] = value & 1;
    }
    /// Field `n` (0 to 7): bit 3 LT, 2 GT, 1 EQ, 0 SO.
    #[inline(always)]
    pub fn field(&self, n: usize) -> u8 {
        let at = 28 - 4 * (n & 7);
        let w = u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]]);
        ((w | (w >> 7) | (w >> 14) | (w >> 21)) & 15) as u8
    }
    /// Sets field `n` to the low four bits of `value`.
    #[inline(always)]
    pub fn set_field(&mut self, n: usize, value: u8) {
        let at = 28 - 4 * (n & 7);
        self.0[at..at + 4].copy_from_slice(&SPREAD[usize::from(value & 15)]);
    }
    /// The bytes of a field of this value, as the host reads them together.
    pub fn spread(value: u8) -> u32 {
        u32::from_le_bytes(SPREAD[usize::from(value & 15)])
    }
    /// As the 32-bit register.
    pub fn pack(&self) -> u32 {
        self.0.iter().rev().fold(0, |v, b| (v << 1) | u32::from(*b))
    }
    /// From the 32-bit register.
    pub fn unpack(value: u32) -> Cr {
        Cr(std::array::from_fn(|i| (value >> i) as u8 & 1))
    }
}

impl std::fmt::Debug for Cr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cr({:08x})", self.pack())
    }
}

/// The fixed-point exception register, unpacked. Flags are 0 or 1.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Xer {
    /// Summary overflow.
    pub so: u8,
    /// Overflow.
    pub ov: u8,
    /// Carry.
    pub ca: u8,
    /// Overflow of the low word (ISA 3.0).
    pub ov32: u8,
    /// Carry of the low word (ISA 3.0).
    pub ca32: u8,
    /// Byte count of string instructions (bits 57:63).
    pub count: u8,
}

impl Xer {
    /// As the 64-bit register.
    pub fn pack(&self) -> u64 {
        let f = |v: u8, n: u32| u64::from(v) << n;
        f(self.so, 31) | f(self.ov, 30) | f(self.ca, 29) | f(self.ov32, 19) | f(self.ca32, 18) | u64::from(self.count & 0x7f)
    }
    /// From the 64-bit register.
    pub fn unpack(v: u64) -> Xer {
        let f = |n: u32| (v >> n) as u8 & 1;
        Xer { so: f(31), ov: f(30), ca: f(29), ov32: f(19), ca32: f(18), count: v as u8 & 0x7f }
    }
}

/// A vector-scalar register: two doublewords, the most significant (IBM doubleword 0) first.
///
/// FPR n is doubleword 0 of VSR n; VR n is VSR 32 + n. Elements are numbered from the most significant end, as the book does.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
#[repr(C, align(16))]
pub struct Vsr(pub [u64; 2]);

impl Vsr {
    /// From a 128-bit integer.
    #[inline(always)]
    pub const fn new(v: u128) -> Vsr {
        Vsr([(v >> 64) as u64, v as u64])
    }
    /// As a 128-bit integer.
    #[inline(always)]
    pub const fn value(self) -> u128 {
        ((self.0[0] as u128) << 64) | self.0[1] as u128
    }
    /// The sixteen byte elements.
    #[inline(always)]
    pub const fn bytes(self) -> [u8; 16] {
        self.value().to_be_bytes()
    }
    /// From sixteen byte elements.
    #[inline(always)]
    pub const fn from_bytes(b: [u8; 16]) -> Vsr {
        Vsr::new(u128::from_be_bytes(b))
    }
    /// The eight halfword elements.
    #[inline(always)]
    pub fn halves(self) -> [u16; 8] {
        std::array::from_fn(|i| (self.value() >> (112 - 16 * i)) as u16)
    }
    /// From eight halfword elements.
    #[inline(always)]
    pub fn from_halves(h: [u16; 8]) -> Vsr {
        Vsr::new(h.iter().fold(0, |v, x| (v << 16) | u128::from(*x)))
    }
    /// The four word elements.
    #[inline(always)]
    pub const fn words(self) -> [u32; 4] {
        [(self.0[0] >> 32) as u32, self.0[0] as u32, (self.0[1] >> 32) as u32, self.0[1] as u32]
    }
    /// From four word elements.
    #[inline(always)]
    pub const fn from_words(w: [u32; 4]) -> Vsr {
        Vsr([((w[0] as u64) << 32) | w[1] as u64, ((w[2] as u64) << 32) | w[3] as u64])
    }
}

impl std::fmt::Debug for Vsr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}_{:016x}", self.0[0], self.0[1])
    }
}

/// One segment lookaside buffer entry, as slbmte gives it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SlbEntry {
    /// RB of slbmte: ESID, V (0x0800_0000).
    pub esid: u64,
    /// RS of slbmte: B, VSID, Ks, Kp, N, L, C, LP.
    pub vsid: u64,
}

/// What lwarx and its kin remember for the store that follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reservation {
    /// Effective address of the load.
    pub ea: u64,
    /// Bytes reserved.
    pub bytes: u8,
    /// What was read there, as a number in the guest's byte order at the time.
    pub value: u128,
}

/// Every register of a vCPU.
#[derive(Clone)]
pub struct CpuState {
    /// General purpose registers.
    pub gpr: [u64; 32],
    /// Address of the instruction being executed.
    pub cia: u64,
    /// Address of the next instruction.
    pub nip: u64,
    /// Machine state register.
    pub msr: Msr,
    /// Condition register.
    pub cr: Cr,
    /// Fixed-point exception register.
    pub xer: Xer,
    /// Link register.
    pub lr: u64,
    /// Count register.
    pub ctr: u64,
    /// Floating-point status and control register.
    pub fpscr: Fpscr,
    /// Vector status and control register (SAT is bit 0 from the right, NJ bit 16).
    pub vscr: u32,
    /// Vector-scalar registers; FPRs and VRs are parts of them.
    pub vsr: [Vsr; 64],
    /// All other SPRs by number (`isa::spr` has the names). DEC, TB and their kin are derived from `timebase` fields instead.
    pub spr: [u64; 1024],
    /// Segment lookaside buffer.
    pub slb: [SlbEntry; 64],
    /// Guest timebase minus virtual-clock ticks.
    pub tb_offset: u64,
    /// Timebase at which DEC passes zero.
    pub dec_expiry: u64,
    /// Virtual timebase minus virtual-clock ticks.
    pub vtb_offset: u64,
    /// Reservation of a load-and-reserve instruction.
    pub reservation: Option<Reservation>,
}

impl Default for CpuState {
    fn default() -> Self {
        CpuState {
            gpr: [0; 32],
            cia: 0,
            nip: 0,
            msr: Msr(0),
            cr: Cr::default(),
            xer: Xer::default(),
            lr: 0,
            ctr: 0,
            fpscr: Fpscr(0),
            vscr: 0,
            vsr: [Vsr::default(); 64],
            spr: [0; 1024],
            slb: [SlbEntry::default(); 64],
            tb_offset: 0,
            dec_expiry: 0,
            vtb_offset: 0,
            reservation: None,
        }
    }
}

impl CpuState {
    /// FPR `n` as bits.
    #[inline(always)]
    pub fn fpr(&self, n: usize) -> u64 {
        self.vsr[n & 31].0[0]
    }
    /// Sets FPR `n`. Doubleword 1 of the VSR becomes undefined by the book, zero here as on POWER9.
    #[inline(always)]
    pub fn set_fpr(&mut self, n: usize, bits: u64) {
        self.vsr[n & 31] = Vsr([bits, 0]);
    }
    /// VR `n`.
    #[inline(always)]
    pub fn vr(&self, n: usize) -> Vsr {
        self.vsr[32 + (n & 31)]
    }
    /// Sets VR `n`.
    #[inline(always)]
    pub fn set_vr(&mut self, n: usize, v: Vsr) {
        self.vsr[32 + (n & 31)] = v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn condition_register_bits_count_from_the_top() {
        let mut cr = Cr::unpack(0x8000_0001);
        assert_eq!((cr.bit(0), cr.bit(31), cr.bit(1)), (1, 1, 0));
        cr.set_bit(4, 1);
        assert_eq!(cr.pack(), 0x8800_0001);
        assert_eq!((cr.field(1), cr.field(7)), (8, 1));
        (0..8).for_each(|n| cr.set_field(n, n as u8 + 8));
        assert_eq!(cr.pack(), 0x89ab_cdef);
    }

    #[test]
    fn xer_round_trips() {
        assert_eq!(Xer::unpack(0xe00c_007f).pack(), 0xe00c_007f);
    }
}
