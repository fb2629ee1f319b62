//! The interpreter: the executable specification of the instruction set.
//!
//! One function per instruction, cited to the book, in one file per chapter; it is an accelerator in its own right, the fallback
//! of the translator, and the reference in the differential fuzzer.
//!
//! # Writing an instruction
//!
//! A row of `isa::table` says what the instruction looks like; a function of type [`Run`] says what it does; the chapter's
//! `FUNCTIONS` list joins them by mnemonic (a test finds rows without a function):
//!
//! ```text
//! pub const FUNCTIONS: &[(&str, Run)] = &[("addi", addi), …];
//! /// addi: RT ← (RA|0) + EXTS(SI) (ISA I 3.3.9).
//! fn addi(c: &mut Core, i: Insn) -> Step { c.gpr[i.rt()] = c.ra0(i).wrapping_add(i.si()); Ok(()) }
//! ```
//!
//! [`Core`] derefs to [`CpuState`], so registers are plain fields. When a function runs, `c.cia` is the instruction's address and
//! `c.nip` the next one's; a branch stores its target to `c.nip`. Facility (MSR FP/VEC/VSX), privilege and edition are checked when
//! the block is decoded, from the row: functions need not. A function that fails returns `Err` from [`Core::raise`], *before* it changed any
//! architected register: interrupts are precise. A row with the trait `ENDS` is the last of its block, which is required of whatever
//! changes MSR, translation, privilege or instruction storage; after it [`Core::recontext`] must have been called where MSR, PIDR, LPCR, AMR or the SLB changed.
//!
//! Memory: `c.load::<u32>(ea)?`, `c.store::<u32>(ea, v)?` obey MSR\[LE\] and translate; for vectors `u128`.

pub mod access;
pub mod block;
pub mod branch;
pub mod core;
pub mod dfp;
pub mod doorbell;
pub mod fetched;
pub mod fixed;
pub mod float;
pub mod float_mem;
pub mod fpscr;
pub mod load_store;
pub mod mma;
pub mod prefixed;
#[cfg(test)]
pub mod recorded;
pub mod run;
pub mod slb;
pub mod spr;
pub mod stops;
pub mod system;
pub mod tlb;
pub mod tlbie;
pub mod vector;
pub mod vsx;
pub mod vsx_float;

pub use core::Core;
pub use run::Interp;

use crate::isa::Insn;
use crate::isa::Row;
use std::collections::HashMap;
use std::sync::OnceLock;

/// Why an instruction did not complete. The details are in the [`Core`]: [`Core::raise`] and [`Core::exit`] put them there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// An interrupt is to be delivered.
    Interrupt,
    /// The vCPU leaves guest code.
    Exit,
}

/// What an instruction comes to.
pub type Step = Result<(), Trap>;

/// What one instruction does.
pub type Run = fn(&mut Core, Insn) -> Step;

/// The functions of every chapter, by mnemonic.
static CHAPTERS: &[&[(&str, Run)]] = &[
    branch::FUNCTIONS,
    fixed::arith::FUNCTIONS,
    fixed::muldiv::FUNCTIONS,
    fixed::compare::FUNCTIONS,
    fixed::logic::FUNCTIONS,
    fixed::bits::FUNCTIONS,
    fixed::rotate::FUNCTIONS,
    fixed::decimal::FUNCTIONS,
    fixed::moves::FUNCTIONS,
    load_store::plain::FUNCTIONS,
    load_store::multiple::FUNCTIONS,
    load_store::atomic::FUNCTIONS,
    load_store::cache::FUNCTIONS,
    float::FUNCTIONS,
    float_mem::FUNCTIONS,
    vector::memory::FUNCTIONS,
    vector::pack::FUNCTIONS,
    vector::permute::FUNCTIONS,
    vector::insert::FUNCTIONS,
    vector::arithmetic::FUNCTIONS,
    vector::multiply::FUNCTIONS,
    vector::compare::FUNCTIONS,
    vector::shift::FUNCTIONS,
    vector::float::FUNCTIONS,
    vector::crypto::FUNCTIONS,
    vector::bits::FUNCTIONS,
    vector::mask::FUNCTIONS,
    vector::decimal::FUNCTIONS,
    dfp::FUNCTIONS,
    dfp::test::FUNCTIONS,
    dfp::encoding::FUNCTIONS,
    vsx::memory::FUNCTIONS,
    vsx::permute::FUNCTIONS,
    vsx_float::scalar::FUNCTIONS,
    vsx_float::vector::FUNCTIONS,
    vsx_float::compare::FUNCTIONS,
    vsx_float::convert::FUNCTIONS,
    vsx_float::quad::FUNCTIONS,
    vsx_float::parts::FUNCTIONS,
    system::FUNCTIONS,
    prefixed::FUNCTIONS,
    mma::FUNCTIONS,
];

/// The function of a row; `None` for a row whose behaviour is not written, which then raises an illegal-instruction interrupt.
pub fn function(row: &Row) -> Option<Run> {
    static BY_NAME: OnceLock<HashMap<&'static str, Run>> = OnceLock::new();
    BY_NAME.get_or_init(|| CHAPTERS.iter().flat_map(|c| c.iter().copied()).collect()).get(row.name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::table::rows;

    #[test]
    fn every_function_has_a_row_and_every_row_a_function() {
        let names: Vec<_> = CHAPTERS.iter().flat_map(|c| c.iter().map(|(n, _)| *n)).collect();
        for n in &names {
            assert!(rows().any(|r| r.name == *n), "function {n} has no row");
            assert_eq!(names.iter().filter(|m| *m == n).count(), 1, "{n} has two functions");
        }
        for r in rows() {
            assert!(function(r).is_some(), "row {} has no function", r.name);
        }
    }
}
