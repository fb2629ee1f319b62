//! Taking an interrupt: where it goes, what it saves, which MSR it starts with (ISA III, interrupts).

use crate::cpu::CpuState;
use crate::isa::regs::Lpcr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::isa::vectors::Relocatable;
use crate::isa::vectors::Vector;

/// An interrupt with what it tells the handler.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interrupt {
    /// Which.
    pub vector: Vector,
    /// Bits for SRR1 33:36 and 42:47.
    pub srr1: u64,
    /// DAR, for the interrupts that set it.
    pub dar: Option<u64>,
    /// DSISR, for the interrupts that set it.
    pub dsisr: Option<u64>,
    /// Which address SRR0 gets.
    pub at: At,
}

/// Which address an interrupt returns to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// The instruction that caused it.
    This,
    /// The instruction after it (system call, trace, asynchronous interrupts).
    Next,
}

impl Interrupt {
    /// An interrupt that only needs its vector and SRR1 bits, at the instruction that caused it.
    pub const fn new(vector: Vector, srr1: u64) -> Interrupt {
        Interrupt { vector, srr1, dar: None, dsisr: None, at: At::This }
    }
    /// An interrupt that returns to the next instruction.
    pub const fn after(vector: Vector) -> Interrupt {
        Interrupt { vector, srr1: 0, dar: None, dsisr: None, at: At::Next }
    }
    /// An interrupt about a data access.
    pub const fn data(vector: Vector, dar: u64, dsisr: u64) -> Interrupt {
        Interrupt { vector, srr1: 0, dar: Some(dar), dsisr: Some(dsisr), at: At::This }
    }
}

/// SRR1 bits that an interrupt replaces rather than copies from MSR.
const SRR1_OWN: u64 = 0x783f_0000;

/// Alternate interrupt location: base and whether relocation stays on (ISA III, LPCR\[AIL\]).
fn base(s: &CpuState, vector: Vector) -> (u64, u64) {
    let relocated = s.msr.has(Msr::IR) && s.msr.has(Msr::DR);
    let ail = (s.spr[spr::LPCR] >> 23) & 3;
    match vector.row().relocatable {
        Relocatable::Yes if relocated && ail == 2 => (0x1_8000, Msr::IR | Msr::DR),
        Relocatable::Yes if relocated && ail == 3 => (0xc000_0000_0000_4000, Msr::IR | Msr::DR),
        Relocatable::Yes | Relocatable::No => (0, 0),
    }
}

/// MSR at the start of a handler, apart from relocation.
fn entry_msr(s: &CpuState) -> u64 {
    let ile = Lpcr(s.spr[spr::LPCR]).has(Lpcr::ILE);
    Msr::SF | (s.msr.0 & (Msr::HV | Msr::ME)) | if ile { Msr::LE } else { 0 }
}

/// Takes `i`: saves, and sets MSR and NIP to the handler's.
pub fn deliver(s: &mut CpuState, i: Interrupt) {
    let (base, relocation) = base(s, i.vector);
    let return_to = match i.at {
        At::This => s.cia,
        At::Next => s.nip,
    };
    s.spr[spr::SRR0] = return_to;
    s.spr[spr::SRR1] = (s.msr.0 & !SRR1_OWN) | i.srr1;
    if let Some(dar) = i.dar {
        s.spr[spr::DAR] = dar;
    }
    if let Some(dsisr) = i.dsisr {
        s.spr[spr::DSISR] = dsisr;
    }
    s.nip = base + i.vector.row().offset;
    let mut msr = entry_msr(s) | relocation;
    if i.vector == Vector::MachineCheck {
        msr &= !Msr::ME;
    }
    s.msr = Msr(msr);
}

/// `scv LEV`: saves NIP in LR and MSR in CTR and goes to the vectored handler (ISA III, System Call Vectored). RI and EE stay.
pub fn deliver_scv(s: &mut CpuState, lev: u64) {
    let ail = (s.spr[spr::LPCR] >> 23) & 3;
    let relocated = s.msr.has(Msr::IR) && s.msr.has(Msr::DR) && ail == 3;
    s.lr = s.nip;
    s.ctr = s.msr.0 & !SRR1_OWN;
    let keep = s.msr.0 & (Msr::EE | Msr::RI);
    s.nip = if relocated { 0xc000_0000_0000_3000 } else { 0x1_7000 } + lev * 0x20;
    s.msr = Msr(entry_msr(s) | keep | if relocated { Msr::IR | Msr::DR } else { 0 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ail_3_keeps_relocation_on() {
        let mut s =
            CpuState { nip: 0x104, cia: 0x100, msr: Msr(Msr::SF | Msr::IR | Msr::DR | Msr::EE | Msr::PR | Msr::ME), ..Default::default() };
        s.spr[spr::LPCR] = (3 << 23) | Lpcr::ILE;
        deliver(&mut s, Interrupt::after(Vector::SystemCall));
        assert_eq!(s.nip, 0xc000_0000_0000_4c00);
        assert_eq!(s.spr[spr::SRR0], 0x104);
        assert_eq!(s.msr, Msr(Msr::SF | Msr::ME | Msr::IR | Msr::DR | Msr::LE));
    }

    #[test]
    fn real_mode_interrupts_go_to_the_low_vectors() {
        let mut s = CpuState { cia: 0x2000, nip: 0x2004, msr: Msr(Msr::SF | Msr::ME), ..Default::default() };
        deliver(&mut s, Interrupt::data(Vector::DataStorage, 0x1234, 0x4000_0000));
        assert_eq!((s.nip, s.spr[spr::SRR0], s.spr[spr::DAR], s.spr[spr::DSISR]), (0x300, 0x2000, 0x1234, 0x4000_0000));
    }
}
