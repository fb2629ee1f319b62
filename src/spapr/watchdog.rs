//! Watchdog timers (PAPR H_WATCHDOG): four of them, on virtual time, so that a paused guest is not bitten.
//!
//! The run loop asks for the next deadline and calls at it; a timer that expired stops, and says what is to happen to the machine.

use std::time::Duration;

/// How many timers there are.
pub const TIMERS: usize = 4;
/// Timeouts must be longer than this.
pub const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// What an expired timer does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Hard power off.
    PowerOff,
    /// Hard restart.
    Restart,
    /// System reset interrupt on all vCPUs, so that the guest dumps and restarts itself.
    DumpRestart,
}

/// What starting one timer does to the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// They keep running.
    Leave,
    /// They are stopped.
    Stop,
}

/// A running timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timer {
    /// Virtual time at which it expires.
    pub deadline: Duration,
    /// What it does then.
    pub action: Action,
}

/// The timers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watchdog {
    /// By number − 1; `None`: stopped.
    pub timers: [Option<Timer>; TIMERS],
}

impl Watchdog {
    /// Starts timer `timer` (from 0), or starts it anew.
    pub fn start(&mut self, timer: usize, deadline: Duration, action: Action, others: Others) {
        if others == Others::Stop {
            self.stop_all();
        }
        self.timers[timer] = Some(Timer { deadline, action });
    }

    /// Stops timer `timer` (from 0); says whether it ran.
    pub fn stop(&mut self, timer: usize) -> bool {
        self.timers[timer].take().is_some()
    }

    /// Stops all timers.
    pub fn stop_all(&mut self) {
        self.timers = [None; TIMERS];
    }

    /// When the next timer expires, in virtual time.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.timers.iter().flatten().map(|t| t.deadline).min()
    }

    /// Stops one timer that has expired by `now` and gives its action; to be called until there is none.
    pub fn expire(&mut self, now: Duration) -> Option<Action> {
        let due = self.timers.iter_mut().filter(|t| t.is_some_and(|t| t.deadline <= now));
        due.min_by_key(|t| t.map(|t| t.deadline))?.take().map(|t| t.action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn timers_expire_in_order_and_once() {
        let mut w = Watchdog::default();
        w.start(0, 30 * MS, Action::Restart, Others::Stop);
        w.start(3, 10 * MS, Action::PowerOff, Others::Leave);
        assert_eq!((w.next_deadline(), w.expire(9 * MS)), (Some(10 * MS), None));
        assert_eq!((w.expire(40 * MS), w.expire(40 * MS), w.expire(40 * MS)), (Some(Action::PowerOff), Some(Action::Restart), None));
        w.start(1, 30 * MS, Action::Restart, Others::Leave);
        w.start(2, 30 * MS, Action::DumpRestart, Others::Stop);
        assert!(!w.stop(1) && w.stop(2) && !w.stop(2));
    }
}
