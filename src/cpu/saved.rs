//! The stored form of a vCPU's registers.
//!
//! A reservation is dropped: the store that follows it fails once and the guest tries again, as it must be ready to (ISA II, reservations). The address of the
//! instruction being executed means nothing between instructions. Special purpose registers that are zero are left out.

use crate::cpu::CpuState;
use crate::cpu::state::Cr;
use crate::cpu::state::SlbEntry;
use crate::cpu::state::Vsr;
use crate::cpu::state::Xer;
use crate::isa::regs::Fpscr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::state::Bad;
use crate::state::Field;
use crate::state::Reader;
use crate::state::Schema;
use crate::state::Value;
use crate::state::Writer;
use crate::state::saved;

saved! {
    /// A special purpose register.
    SavedSpr {
        /// Number as instructions encode it.
        0 number: u32,
        /// What it holds.
        1 value: u64,
    }
    /// A segment lookaside buffer entry.
    SavedSlbEntry {
        /// Place in the buffer.
        0 index: u32,
        /// RB of slbmte.
        1 esid: u64,
        /// RS of slbmte.
        2 vsid: u64,
    }
    /// Registers of one vCPU.
    SavedCpu = "cpu" version 1 {
        /// General purpose registers.
        0 gpr: [u64; 32],
        /// Address of the next instruction.
        1 nip: u64,
        /// Machine state register.
        2 msr: u64,
        /// Condition register.
        3 cr: u32,
        /// Fixed-point exception register.
        4 xer: u64,
        /// Link register.
        5 lr: u64,
        /// Count register.
        6 ctr: u64,
        /// Floating-point status and control register.
        7 fpscr: u64,
        /// Vector status and control register.
        8 vscr: u32,
        /// Vector-scalar registers, the most significant doubleword first.
        9 vsr: [[u64; 2]; 64],
        /// Special purpose registers that are not zero.
        10 spr: Sprs,
        /// Entries of the segment lookaside buffer that are not zero.
        11 slb: Vec<SavedSlbEntry>,
        /// Guest timebase minus virtual clock, in ticks.
        12 tb_offset: u64,
        /// Timebase at which the decrementer passes zero.
        13 dec_expiry: u64,
        /// Virtual timebase minus virtual clock, in ticks.
        14 vtb_offset: u64,
    }
}

/// Special purpose registers; for people, by name.
#[derive(Clone, PartialEq, Debug)]
pub struct Sprs(pub Vec<SavedSpr>);

impl Field for Sprs {
    fn put(&self, to: &mut Writer) {
        self.0.put(to);
    }
    fn take(from: &mut Reader<'_>) -> Result<Self, Bad> {
        Ok(Sprs(Field::take(from)?))
    }
    fn describe(to: &mut Schema) -> String {
        Vec::<SavedSpr>::describe(to)
    }
    fn show(&self) -> Value {
        let name = |n: u32| spr::by_number(n).map_or_else(|| format!("SPR{n}"), |row| row.name.to_string());
        Value::Map(self.0.iter().map(|s| (name(s.number), s.value.show())).collect())
    }
}

impl From<&CpuState> for SavedCpu {
    fn from(s: &CpuState) -> SavedCpu {
        let sprs = s.spr.iter().enumerate().filter(|(_, v)| **v != 0).map(|(n, v)| SavedSpr { number: n as u32, value: *v });
        let slb = s.slb.iter().enumerate().filter(|(_, e)| **e != SlbEntry::default());
        SavedCpu {
            gpr: s.gpr,
            nip: s.nip,
            msr: s.msr.0,
            cr: s.cr.pack(),
            xer: s.xer.pack(),
            lr: s.lr,
            ctr: s.ctr,
            fpscr: s.fpscr.0,
            vscr: s.vscr,
            vsr: s.vsr.map(|v| v.0),
            spr: Sprs(sprs.collect()),
            slb: slb.map(|(n, e)| SavedSlbEntry { index: n as u32, esid: e.esid, vsid: e.vsid }).collect(),
            tb_offset: s.tb_offset,
            dec_expiry: s.dec_expiry,
            vtb_offset: s.vtb_offset,
        }
    }
}

impl SavedCpu {
    /// The registers.
    ///
    /// # Errors
    /// A register or an entry that there is not.
    pub fn to_state(&self) -> Result<CpuState, Bad> {
        let mut s = CpuState {
            gpr: self.gpr,
            nip: self.nip,
            msr: Msr(self.msr),
            cr: Cr::unpack(self.cr),
            xer: Xer::unpack(self.xer),
            lr: self.lr,
            ctr: self.ctr,
            fpscr: Fpscr(self.fpscr),
            vscr: self.vscr,
            vsr: self.vsr.map(Vsr),
            tb_offset: self.tb_offset,
            dec_expiry: self.dec_expiry,
            vtb_offset: self.vtb_offset,
            ..CpuState::default()
        };
        for SavedSpr { number, value } in &self.spr.0 {
            let to = s.spr.get_mut(*number as usize);
            *to.ok_or_else(|| Bad::field("spr", format!("there is no special purpose register {number}")))? = *value;
        }
        for SavedSlbEntry { index, esid, vsid } in &self.slb {
            let to = s.slb.get_mut(*index as usize);
            *to.ok_or_else(|| Bad::field("slb", format!("there is no entry {index}")))? = SlbEntry { esid: *esid, vsid: *vsid };
        }
        Ok(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Packed;

    #[test]
    fn registers_survive() {
        let mut s = CpuState::default();
        for n in 0..32 {
            s.gpr[n] = n as u64 * 3;
            s.slb[n + 32] = SlbEntry { esid: n as u64, vsid: 77 };
        }
        for n in 0..64 {
            s.vsr[n] = Vsr([n as u64, !(n as u64)]);
        }
        for n in (0..1024).step_by(5) {
            s.spr[n] = u64::MAX - n as u64;
        }
        (s.nip, s.lr, s.ctr, s.msr) = (1, 2, 3, Msr(u64::MAX));
        (s.cr, s.xer, s.fpscr, s.vscr) = (Cr::unpack(0x1234_5678), Xer::unpack(0xe00c_007f), Fpscr(9), 8);
        (s.tb_offset, s.dec_expiry, s.vtb_offset) = (u64::MAX, 5, 6);
        let saved = SavedCpu::from(&s);
        let back = Packed::new(0, &saved).unpack::<SavedCpu>().unwrap();
        assert_eq!(SavedCpu::from(&back.to_state().unwrap()), saved);
        assert_eq!(back.to_state().unwrap().spr[1020], u64::MAX - 1020);
        let mut wrong = saved;
        wrong.spr.0[0].number = 1024;
        assert_eq!(wrong.to_state().err().map(|b| b.field), Some("spr".into()));
    }
}
