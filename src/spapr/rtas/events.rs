//! Fetching platform events.

use crate::spapr::events::Class;
use crate::spapr::events::LOG_BYTES;
use crate::spapr::hcall::Caller;
use crate::spapr::machine::Machine;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Status;

/// Every class with events left interrupts again: pulses are not kept.
fn pulse_again(m: &mut Machine) {
    let classes: Vec<Class> = m.events.classes().collect();
    for class in classes {
        m.intc.trigger(m.event_source(class));
    }
}

/// check-exception: vector, information, mask of classes, critical, buffer, its length. Writes the oldest event, as much as fits
/// (departs: QEMU does not look at the length). An event that cannot be written stays.
pub fn check_exception(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let (mask, at, room) = (args.get(2), args.address(4), args.get(5) as usize);
    let fits = room.min(LOG_BYTES);
    if !m.memory.contains(at, fits as u64) {
        return Status::Parameter.into();
    }
    let status = match m.events.take(mask) {
        Some(log) => m.memory.write(at, &log[..fits]).map_err(|_| Status::Parameter).err().unwrap_or(Status::Success),
        None => Status::NoneFound,
    };
    pulse_again(m);
    status.into()
}

/// event-scan: classes, critical, buffer, its length. Events come by interrupt and check-exception; this only rings again.
pub fn event_scan(m: &mut Machine, _: Caller, _: &Args) -> Answer {
    pulse_again(m);
    Status::NoneFound.into()
}
