//! Non-volatile memory, through a buffer in RAM.

use crate::spapr::hcall::Caller;
use crate::spapr::machine::Machine;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Status;

/// nvram-fetch: offset, buffer, length → bytes.
pub fn fetch(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let (offset, at, len) = (args.get(0), args.address(1), args.get(2));
    let Ok(bytes) = m.nvram.fetch(offset, len) else { return Status::Parameter.into() };
    match m.memory.write(at, bytes) {
        Ok(()) => Answer::of(&[len]),
        Err(_) => Status::Parameter.into(),
    }
}

/// nvram-store: offset, buffer, length → bytes.
pub fn store(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let (offset, at, len) = (args.get(0), args.address(1), args.get(2));
    // The range is checked first, so that the buffer is no larger than the memory.
    let Ok(old) = m.nvram.fetch(offset, len) else { return Status::Parameter.into() };
    let mut bytes = old.to_vec();
    let stored = m.memory.read(at, &mut bytes).is_ok() && m.nvram.store(offset, &bytes).is_ok();
    if stored { Answer::of(&[len]) } else { Status::Parameter.into() }
}
