//! Directed privileged doorbells between the threads of a core (ISA III, chapter 11).

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::isa::Insn;
use crate::isa::spr;
use crate::signal;

/// Threads of a core that a doorbell can name.
const THREADS_MAX: u64 = 8;

/// The thread that a message names; `None` for other types than «privileged doorbell».
fn addressee(rb: u64) -> Option<u64> {
    let (kind, thread) = ((rb >> 27) & 0x1f, rb & 0x7f);
    (kind == 5 && thread < THREADS_MAX).then_some(thread)
}

/// msgsndp: rings the doorbell of a thread of this core. The threads' ids follow each other, so the addressee's is as far from this thread's as their TIRs are.
pub(super) fn msgsndp(c: &mut Core, i: Insn) -> Step {
    let Some(thread) = addressee(c.gpr[i.rb()]) else { return Ok(()) };
    let id = u64::from(c.id.0).wrapping_sub(c.spr[spr::TIR]).wrapping_add(thread);
    if let Some((_, signals)) = c.others.iter().find(|(other, _)| u64::from(other.0) == id) {
        signals.raise(signal::DOORBELL);
    }
    Ok(())
}

/// msgclrp: forgets a doorbell of this thread that was not yet answered.
pub(super) fn msgclrp(c: &mut Core, i: Insn) -> Step {
    if addressee(c.gpr[i.rb()]) == Some(c.spr[spr::TIR]) {
        c.signals.lower(signal::DOORBELL);
    }
    Ok(())
}
