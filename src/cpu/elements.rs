//! The registers beyond the everyday ones, one row each: how [`CpuState`] has it, and by which number KVM knows it.
//!
//! Not here: general purpose registers, CR, XER, LR, CTR, NIP, MSR, SRR0, SRR1, SPRG0 to 3 and the SLB, which KVM moves in two structures; and time (timebase,
//! decrementer, virtual timebase), which needs a clock besides the registers.
//!
//! The numbers are those of KVM_GET_ONE_REG (Linux, `arch/powerpc/include/uapi/asm/kvm.h`); the size is part of the number.

use crate::cpu::CpuState;
use crate::cpu::state::Vsr;
use crate::isa::cpu_model;
use crate::isa::regs::Fpscr;
use crate::isa::spr;

/// One register.
pub struct Element {
    /// The book's name.
    pub name: &'static str,
    /// KVM's number.
    pub one_reg: u64,
    /// From the state.
    pub get: fn(&CpuState) -> u128,
    /// Into the state.
    pub set: fn(&mut CpuState, u128),
}

impl Element {
    /// Bytes that KVM moves.
    pub const fn bytes(&self) -> usize {
        1 << (self.one_reg >> 52 & 0xf)
    }
}

const fn id(bits: u64, number: u64) -> u64 {
    0x1000_0000_0000_0000 | (bits.ilog2() as u64 - 3) << 52 | number
}

macro_rules! sprs {
    ($($name:ident $bits:literal $number:literal;)*) => {
        &[$(Element {
            name: stringify!($name),
            one_reg: id($bits, $number),
            get: |s| u128::from(s.spr[spr::$name]),
            set: |s, v| s.spr[spr::$name] = v as u64,
        }),*]
    };
}

/// SPRs that KVM keeps under their own number.
pub static SPRS: &[Element] = sprs! {
    DSCR 64 0x09;
    PURR 64 0x0a;
    SPURR 64 0x0b;
    DAR 64 0x0c;
    DSISR 32 0x0d;
    AMR 64 0x0e;
    UAMOR 64 0x0f;
    MMCR0 64 0x10;
    MMCR1 64 0x11;
    MMCRA 64 0x12;
    MMCR2 64 0x13;
    SIAR 64 0x15;
    SDAR 64 0x16;
    SIER 64 0x17;
    PMC1 32 0x18;
    PMC2 32 0x19;
    PMC3 32 0x1a;
    PMC4 32 0x1b;
    PMC5 32 0x1c;
    PMC6 32 0x1d;
    IAMR 64 0x9f;
    TFHAR 64 0xa0;
    TFIAR 64 0xa1;
    TEXASR 64 0xa2;
    FSCR 64 0xa3;
    PSPB 32 0xa4;
    EBBHR 64 0xa5;
    EBBRR 64 0xa6;
    BESCR 64 0xa7;
    TAR 64 0xa8;
    DAWR0 64 0xaa;
    DAWRX0 64 0xab;
    CIABR 64 0xac;
    IC 64 0xad;
    PIDR 64 0xb2;
    VRSAVE 32 0xb4;
    LPCR 64 0xb5;
    PPR 64 0xb6;
    WORT 64 0xb9;
    TIDR 64 0xbc;
    PSSCR 64 0xbd;
    MMCR3 64 0xc1;
    SIER2 64 0xc2;
    SIER3 64 0xc3;
    DAWR1 64 0xc4;
    DAWRX1 64 0xc5;
};

/// Registers that the state keeps in fields of their own, or in another form.
pub static OTHERS: &[Element] = &[
    Element { name: "FPSCR", one_reg: id(64, 0x80), get: |s| u128::from(s.fpscr.0), set: |s, v| s.fpscr = Fpscr(v as _) },
    Element { name: "VSCR", one_reg: id(32, 0x81), get: |s| u128::from(s.vscr), set: |s, v| s.vscr = v as u32 },
    // KVM knows the compatibility mode by its logical PVR.
    Element {
        name: "PCR",
        one_reg: id(32, 0xb7),
        get: |s| u128::from(cpu_model::logical_pvr(s.spr[spr::PCR])),
        set: |s, v| s.spr[spr::PCR] = cpu_model::pcr(v as u32),
    },
];

/// KVM's number of VSR `n`: below 32 by pairs of doublewords, above as vector registers.
pub fn vsr(n: usize) -> u64 {
    if n < 32 { id(128, 0x60 + n as u64) } else { id(128, 0x40 + (n as u64 - 32)) }
}

/// VSR `n` as KVM moves it on a host of our byte order.
pub fn vsr_bytes(n: usize, v: Vsr) -> [u8; 16] {
    if n < 32 {
        // Two doublewords, the first one first.
        let mut b = [0; 16];
        b[..8].copy_from_slice(&v.0[0].to_ne_bytes());
        b[8..].copy_from_slice(&v.0[1].to_ne_bytes());
        b
    } else {
        v.value().to_ne_bytes()
    }
}

/// The reverse.
pub fn vsr_of(n: usize, b: [u8; 16]) -> Vsr {
    let half = |at: usize| u64::from_ne_bytes(std::array::from_fn(|k| b[at + k]));
    if n < 32 { Vsr([half(0), half(8)]) } else { Vsr::new(u128::from_ne_bytes(b)) }
}

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Element> {
    SPRS.iter().chain(OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_own_number_and_keeps_what_it_is_given() {
        let mut numbers: Vec<u64> = all().map(|e| e.one_reg).chain((0..64).map(vsr)).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), count);
        for e in all().filter(|e| e.name != "PCR") {
            let mut s = CpuState::default();
            let most = if e.bytes() == 4 { u128::from(u32::MAX) } else { u128::from(u64::MAX) };
            (e.set)(&mut s, 0x5a5a_5a5a & most);
            assert_eq!((e.get)(&s), 0x5a5a_5a5a, "{}", e.name);
        }
        let v = Vsr([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
        assert_eq!((vsr_of(3, vsr_bytes(3, v)), vsr_of(40, vsr_bytes(40, v))), (v, v));
    }
}
