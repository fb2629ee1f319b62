//! Cache control and storage order (ISA II 4.3, 4.4, 4.6).
//!
//! There is no cache: what is left of these instructions is that they fault like the accesses they stand for, that dcbz stores zeros, and that barriers order
//! this vCPU's accesses against those of other threads. Stores tell decoded code about themselves; icbi looks once more, because another vCPU may have decoded the page
//! between the store and the look at its flags.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::mmu::Access;
use std::sync::atomic::Ordering;
use std::sync::atomic::fence;

/// Bytes that dcbz clears (machine fact of every supported CPU).
const CACHE_LINE: u64 = 128;

/// The functions of this subject.
#[rustfmt::skip] // One instruction per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("dcbt", nothing), ("dcbtst", nothing), ("icbt", nothing), ("dss", nothing), ("dssall", nothing),
    ("dst", stream), ("dstt", stream), ("dstst", stream), ("dststt", stream),
    ("dcbst", touch), ("dcbf", touch), ("icbi", icbi),
    ("dcbz", |c, i| c.zero_block(c.ea_x(i), CACHE_LINE)),
    // No accelerator takes pastes, so copying is not offered (as under QEMU); forgetting a copy never made is easy.
    ("copy", |c, _| c.illegal()), ("paste.", |c, _| c.illegal()), ("cpabort", nothing),
    ("sync", sync), ("eieio", |_, _| { fence(Ordering::SeqCst); Ok(()) }),
    // ENDS: the next instruction is looked up anew.
    ("isync", nothing),
    // Waiting may end at any time, so also at once.
];

/// Hints, which have no effect here.
fn nothing(_: &mut Core, _: Insn) -> Step {
    Ok(())
}

/// dst, dstst: hints; RA = 0 is an invalid form.
fn stream(c: &mut Core, i: Insn) -> Step {
    if i.ra() == 0 { c.illegal() } else { Ok(()) }
}

/// dcbst, dcbf: translated as a load is, and otherwise without effect.
fn touch(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_x(i);
    c.probe(ea, Access::Load)
}

/// icbi: as dcbf, and decoded code of the page is forgotten by every vCPU.
fn icbi(c: &mut Core, i: Insn) -> Step {
    let ea = c.ea_x(i);
    c.forget_code(ea)
}

/// sync: L = 0 sync, 1 lwsync, 2 ptesync; ISA 3.1 adds forms for stores.
fn sync(_: &mut Core, i: Insn) -> Step {
    fence(if i.field(8, 10) == 1 { Ordering::AcqRel } else { Ordering::SeqCst });
    Ok(())
}
