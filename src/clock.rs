//! Virtual time: host time that stops while the machine stops.
//!
//! Guest clocks (timebase, RTC, watchdogs) are read from one [`VirtualClock`] per machine, so that pausing, single-stepping and,
//! later, migration give the guest a time without jumps.

use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

/// Ticks per second of the guest's timebase (QEMU's and PAPR's usual 512 MHz).
pub const TIMEBASE_HZ: u64 = 512_000_000;

/// Nanoseconds that the machine has been running.
#[derive(Debug)]
pub struct VirtualClock {
    inner: Mutex<Inner>,
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
        VirtualClock { inner: Mutex::new(Inner { base: Duration::ZERO, since: None }) }
    }
}

impl VirtualClock {
    /// Virtual time now.
    pub fn now(&self) -> Duration {
        let i = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        i.base + i.since.map_or(Duration::ZERO, |s| s.elapsed())
    }

    /// Lets time pass. Does nothing if it passes already.
    pub fn start(&self) {
        let mut i = self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if i.since.is_none() {
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

    /// Sets the time of a clock that stands: a machine goes on from its saved state.
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
