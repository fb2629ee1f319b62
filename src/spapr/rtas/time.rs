//! The time of day.

use crate::spapr::hcall::Caller;
use crate::spapr::machine::Machine;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Status;
use crate::spapr::rtc::DateTime;

/// get-time-of-day → year, month, day, hour, minute, second, nanoseconds.
pub fn time_of_day(m: &mut Machine, _: Caller, _: &Args) -> Answer {
    let t = m.rtc.now();
    Answer::of(&[t.year, t.month, t.day, t.hour, t.minute, t.second, t.nanos])
}

/// set-time-of-day: the same; nanoseconds do not count.
pub fn set_time_of_day(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let [year, month, day, hour, minute, second] = std::array::from_fn(|n| args.get(n));
    let to = DateTime { year, month, day, hour, minute, second, nanos: 0 };
    m.rtc.set(to).map_or(Status::Parameter, |()| Status::Success).into()
}
