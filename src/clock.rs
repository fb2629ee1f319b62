//! Virtual time: host time that stops while the machine stops.
//!
//! Guest clocks (timebase, RTC, watchdogs) are read from one [`VirtualClock`] per machine, so that pausing, single-stepping and,
//! later, migration give the guest a time without jumps.
//!
//! Where a run is to be repeated, time is counted instead: it passes by [`INSTRUCTION`] with each instruction, whichever vCPU executes it, and by leaps while
//! none has anything to execute. Then nothing that a guest can read depends on the host.

use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

/// Ticks per second of the guest's timebase (QEMU's and PAPR's usual 512 MHz).
pub const TIMEBASE_HZ: u64 = 512_000_000;

/// Counted time of one instruction: what a guest takes for its processor's speed. About that of the translator, so that counted time is near to real time.
pub const INSTRUCTION: Duration = Duration::from_nanos(2);

/// Nanoseconds that the machine has been running.
#[derive(Debug)]
pub struct VirtualClock {
    inner: Mutex<Inner>,
    /// Time is counted, and never follows the host's.
    counted: bool,
}

#[derive(Debug)]
struct Inner {
    /// Virtual time at the last start or stop.
    base: Duration,
    /// Host time of the last start; `None` while stopped.
    since: Option<Instant>,
}

impl Default for VirtualClock {
    fn default() -> Self {
        VirtualClock { inner: Mutex::new(Inner { base: Duration::ZERO, since: None }), counted: false }
    }
}

impl VirtualClock {
    /// A clock that [`VirtualClock::set`] alone moves.
    pub fn counted() -> VirtualClock {
        VirtualClock { counted: true, ..VirtualClock::default() }
    }

    /// Whether time is counted.
    pub fn is_counted(&self) -> bool {
        self.counted
    }

    /// Virtual time now.
    pub fn now(&self) -> Duration {
        let i = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        i.base + i.since.map_or(Duration::ZERO, |s| s.elapsed())
    }

    /// Lets time pass. Does nothing if it passes already.
    pub fn start(&self) {
        let mut i = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if i.since.is_none() && !self.counted {
            i.since = Some(Instant::now());
        }
    }

    /// Holds time. Does nothing if it is held already.
    pub fn stop(&self) {
        let mut i = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(s) = i.since.take() {
            i.base += s.elapsed();
        }
    }

    /// Sets the time of a clock that stands: a machine goes on from its saved state, or counted time has passed.
    pub fn set(&self, to: Duration) {
        let mut i = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        i.base = to;
        i.since = i.since.map(|_| Instant::now());
    }

    /// The origin that turns `Instant::now()` into virtual time without taking the lock: `(host instant, virtual time then)`.
    /// `None` while stopped. A vCPU reads it once each time it starts running.
    pub fn origin(&self) -> Option<(Instant, Duration)> {
        let i = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        i.since.map(|s| (s, i.base))
    }
}

/// Timebase ticks in `time`.
pub fn ticks(time: Duration) -> u64 {
    time.as_secs() * TIMEBASE_HZ + u64::from(time.subsec_nanos()) * 64 / 125
}

/// Time in `ticks` timebase ticks, rounded up.
pub fn duration(ticks: u64) -> Duration {
    Duration::new(ticks / TIMEBASE_HZ, ((ticks % TIMEBASE_HZ) * 125).div_ceil(64) as u32)
}
