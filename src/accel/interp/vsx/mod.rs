//! Vector-scalar extension (ISA I, chapter 7) without its arithmetic: one function per row, in files by subject.

pub mod memory;
pub mod permute;
#[cfg(test)]
mod tests;

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::cpu::state::Vsr;
use crate::isa::Insn;

/// Sets XT.
#[inline(always)]
fn set(c: &mut Core, i: Insn, v: Vsr) -> Step {
    c.vsr[i.xt()] = v;
    Ok(())
}
