//! The border between Rust and translated code: how it is entered, and the few functions that it calls.
//!
//! The functions never unwind through translated frames: a panic in one is caught, carried over the border and goes on behind it.
// UNSAFETY: calls code made at run time, and is called by it with a pointer to the vCPU.
#![expect(unsafe_code, reason = "calls into and out of translated code; see docs/safety.md")]

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Trap;
use crate::accel::interp::core::FAR_BRANCH;
use crate::accel::interp::core::NO_BRANCH;
use crate::accel::tcg::fp;
use crate::cpu::state::Reservation;
use crate::isa::Insn;
use crate::isa::spr;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::panic::resume_unwind;

/// Fuel is used up.
pub const FUEL: u32 = 0;
/// An instruction failed with an interrupt.
pub const INTERRUPT: u32 = 1;
/// An instruction leaves guest code.
pub const EXIT: u32 = 2;
/// An instruction that may change anything was executed: the run loop is to look.
pub const LOOK: u32 = 3;
/// NIP is the target of a branch that the jump cache does not know.
pub const INDIRECT: u32 = 4;
/// From here on: the number of a link that is not made yet.
pub const LINK: u32 = 8;

/// In `position` of [`step`]: the instruction may look at FPSCR.
pub const FLOATS: u32 = 1 << 31;

/// What `position` of [`step`] holds: offset in the page, and fuel to give back if the instruction fails.
pub fn position(offset: u32, refund: u32) -> u32 {
    offset | (refund << 12)
}

/// Gives the fuel back.
fn give_back(core: &mut Core, position: u32) {
    core.words.fuel += i64::from((position & !FLOATS) >> 12);
}

/// MXCSR as translated code begins with: all exceptions masked, to nearest, no flag.
const MXCSR: u32 = 0x1f80;
/// Clears the host's floating-point flags.
fn clear_flags() {
    let csr = MXCSR;
    // SAFETY: the control bits are those that every Rust function runs with; flags may be changed.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const csr, options(nostack, readonly)) };
}

/// MXCSR, with the flags since [`clear_flags`].
fn mxcsr() -> u32 {
    let mut csr = 0u32;
    // SAFETY: stores four bytes to `csr`.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut csr, options(nostack)) };
    csr
}

/// Executes the translated code at `code` until it comes back; says why it did.
///
/// `enter` is the entry stub, made by `emit`.
pub fn enter(core: &mut Core, enter: usize, code: usize) -> u32 {
    // SAFETY: the stub has this type: it saves what the C calling convention wants saved, and touches the vCPU (at the distances that were computed by
    // `offset_of!`), RAM through TLB entries and its own stack.
    let enter: extern "C" fn(*mut Core, usize) -> u32 = unsafe { std::mem::transmute(enter) };
    core.words.follow_so(core.state.xer.so);
    clear_flags();
    let why = enter(core, code);
    settle(core);
    fp::settle(core, mxcsr());
    if let Some(panic) = core.words.panic.take() {
        resume_unwind(panic);
    }
    why
}

/// Brings up to date what translated code keeps apart: CFAR and the reservation.
fn settle(core: &mut Core) {
    let branch = std::mem::replace(&mut core.words.branch, NO_BRANCH);
    if branch != NO_BRANCH {
        let page = if branch & FAR_BRANCH != 0 { core.words.branch_page } else { core.words.page };
        core.spr[spr::CFAR] = page + u64::from(branch & !FAR_BRANCH);
    }
    if std::mem::take(&mut core.words.reserved) {
        let (ea, raw) = (core.words.reserved_at, core.words.reserved_value);
        let value = match (core.words.reserved_bytes, core.little_endian) {
            (4, false) => u128::from((raw as u32).swap_bytes()),
            (_, false) => u128::from(raw.swap_bytes()),
            (_, true) => u128::from(raw),
        };
        let bytes = core.words.reserved_bytes as u8;
        core.reservation = (bytes != 0).then_some(Reservation { ea, bytes, value });
    }
}

/// Counts a call of `run`.
fn count(core: &mut Core, run: usize) {
    core.words.steps += 1;
    let table = &mut core.words.steps_of;
    let mask = table.len() - 1;
    let mut at = (run >> 4) & mask;
    // There are fewer functions than entries.
    while table[at].0 != run && table[at].0 != 0 {
        at = (at + 1) & mask;
    }
    table[at].0 = run;
    table[at].1 += 1;
}

/// How far `run` is from [`step`], by which translated code names it: both are in this program's text.
pub fn distance(run: Run) -> i32 {
    let distance = (run as *const () as usize).wrapping_sub(step as *const () as usize) as i64;
    i32::try_from(distance).expect("a program's text is smaller than 2 GiB")
}

/// An instruction by its interpreter function, for translated code: 0 if the code may go on, else why it must come back.
///
/// # Safety
/// Called by translated code only: `core` is the vCPU that executes it, to which nobody else holds a reference meanwhile, and `run` a [`Run`].
pub unsafe extern "C" fn step(core: *mut Core, position: u32, run: usize, insn: u64) -> u32 {
    // SAFETY: by contract; `enter` gave its exclusive reference up to the code.
    let core = unsafe { &mut *core };
    count(core, run);
    // SAFETY: by contract.
    let run: Run = unsafe { std::mem::transmute(run) };
    let insn = Insn(insn);
    let done = catch_unwind(AssertUnwindSafe(|| {
        settle(core);
        if position & FLOATS != 0 {
            fp::settle(core, mxcsr());
            clear_flags();
        }
        core.words.refund = i64::from((position & !FLOATS) >> 12);
        core.cia = core.words.page + u64::from(position & 0xfff);
        core.nip = core.cia.wrapping_add(insn.len());
        let done = run(core, insn);
        core.words.follow_so(core.state.xer.so);
        done
    }));
    match done {
        Ok(Ok(())) if std::mem::take(&mut core.code_changed) => {
            give_back(core, position);
            LOOK
        }
        Ok(Ok(())) => 0,
        Ok(Err(trap)) => {
            give_back(core, position);
            match trap {
                Trap::Interrupt => INTERRUPT,
                Trap::Exit => EXIT,
            }
        }
        Err(panic) => {
            core.words.panic = Some(panic);
            EXIT
        }
    }
}
