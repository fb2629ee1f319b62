//! Fixed-point arithmetic, logic, rotates and moves (ISA I, chapter 3): one function per row, one file per subject.
//!
//! Results that the book leaves undefined are what QEMU leaves in the register, so that the differential test needs few exceptions; each such
//! place says so.

pub mod arith;
pub mod bits;
pub mod compare;
pub mod decimal;
pub mod logic;
pub mod moves;
pub mod muldiv;
pub mod rotate;

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::isa::Isa;

impl Core {
    /// Writes RT, and CR0 for a record form.
    #[inline(always)]
    pub(super) fn put_rt(&mut self, i: Insn, result: u64) -> Step {
        self.gpr[i.rt()] = result;
        if i.rc() != 0 {
            self.record(result);
        }
        Ok(())
    }

    /// Writes RA (the target of logic and rotates), and CR0 for a record form.
    #[inline(always)]
    pub(super) fn put_ra(&mut self, i: Insn, result: u64) -> Step {
        self.gpr[i.ra()] = result;
        if i.rc() != 0 {
            self.record(result);
        }
        Ok(())
    }

    /// Sets CA, and CA32 where the edition has it. Bit 63 of `carries` is the carry out of the doubleword, bit 31 that out of the low word.
    #[inline(always)]
    pub(super) fn set_carry(&mut self, carries: u64) {
        let low = (carries >> 31) as u8 & 1;
        self.xer.ca = if self.ea_mask == u64::MAX { (carries >> 63) as u8 } else { low };
        if self.model.isa >= Isa::V3_0 {
            self.xer.ca32 = low;
        }
    }

    /// Sets OV and SO, and OV32 where the edition has it. Bit 63 of `overflows` is that of the doubleword, bit 31 that of the low word.
    #[inline(always)]
    pub(super) fn set_overflow(&mut self, overflows: u64) {
        let low = (overflows >> 31) as u8 & 1;
        self.xer.ov = if self.ea_mask == u64::MAX { (overflows >> 63) as u8 } else { low };
        self.xer.so |= self.xer.ov;
        if self.model.isa >= Isa::V3_0 {
            self.xer.ov32 = low;
        }
    }
}
