//! Calls that end, restart or suspend the machine, and firmware's last words.

use crate::isa::regs::Msr;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Cause;
use crate::spapr::machine::Machine;
use crate::spapr::machine::MachineEvent;
use crate::spapr::machine::RunState;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Status;
use crate::units::Ra;

/// Most characters of a guest's last words.
const LAST_WORDS_MAX: u64 = 511;

/// Success, and something happens to the machine.
fn event(event: MachineEvent) -> Answer {
    Answer::then(Outcome::Event(event, H::Success))
}

/// display-character: character, to the first terminal.
pub fn display_character(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    match m.vtys.values_mut().next() {
        Some(vty) => {
            vty.put_chars(&[args.get(0) as u8]);
            Status::Success.into()
        }
        None => Status::Hardware.into(),
    }
}

/// power-off: two masks of what may power it on again.
pub fn power_off(_: &mut Machine, _: Caller, _: &Args) -> Answer {
    event(MachineEvent::Shutdown(Cause::Guest))
}

/// system-reboot.
pub fn system_reboot(_: &mut Machine, _: Caller, _: &Args) -> Answer {
    event(MachineEvent::Reset(Cause::Guest))
}

/// quiesce: devices stop their transfers. Those of this machine have none.
pub fn quiesce(_: &mut Machine, _: Caller, _: &Args) -> Answer {
    Status::Success.into()
}

/// ibm,os-term: address of the guest's last words.
pub fn os_term(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let at = args.address(0);
    let bytes = (0..LAST_WORDS_MAX).map_while(|n| m.memory.read_u8(Ra(at.0 + n)).ok().filter(|&b| b != 0));
    let text = String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned();
    event(MachineEvent::Panicked(format!("OS terminated: {text}")))
}

/// ibm,suspend-me: all other vCPUs must have stopped or joined.
pub fn suspend_me(m: &mut Machine, caller: Caller, _: &Args) -> Answer {
    let others = m.vcpus.iter().enumerate().filter(|(i, _)| *i != caller.cpu.0 as usize);
    let mut states = others.map(|(_, v)| v.run);
    if caller.msr.has(Msr::PR) || states.any(|run| run == RunState::Running) {
        return Status::ThreadsActive.into();
    }
    event(MachineEvent::Suspended)
}
