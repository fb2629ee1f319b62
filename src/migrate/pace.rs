//! How fast, and when to stop: bandwidth, convergence, and the slowing down of a guest that changes memory faster than it can be sent.

use crate::migrate::link::Cut;
use crate::migrate::link::SLICE;
use crate::migrate::link::Stop;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

/// What stopping, saving, loading and starting take besides the pages.
const FIXED: Duration = Duration::from_millis(8);
/// The guest is slowed down when a round leaves more than this part of what it sent …
const DIRTY_PERCENT: u64 = 50;
/// … so many times.
const DIRTY_ROUNDS: u32 = 2;
/// A rest that fits the downtime, but takes longer than this, is made smaller by another round while rounds do that well …
const SHORT: Duration = Duration::from_millis(16);
/// … so many times.
const EXTRA_ROUNDS: u32 = 3;
/// The first slowing down, the next ones, and the last, in percent of the guest's time (QEMU's numbers).
const THROTTLE_FIRST: u8 = 20;
const THROTTLE_MORE: u8 = 10;
const THROTTLE_MAX: u8 = 99;

/// A limit of bytes per second over all connections.
pub struct Limit {
    per_second: Option<u64>,
    /// When what was sent so far will have used its time up.
    free: Mutex<Instant>,
}

impl Limit {
    /// At most `per_second` bytes a second.
    pub fn new(per_second: Option<u64>) -> Limit {
        Limit { per_second, free: Mutex::new(Instant::now()) }
    }

    /// The longest frame that keeps the flow even.
    pub fn frame(&self, most: usize) -> usize {
        self.per_second.map_or(most, |b| most.min((b / 20).max(8192) as usize))
    }

    /// Waits until `bytes` more may be sent.
    pub fn wait(&self, bytes: u64, stop: &Stop) -> Result<(), Cut> {
        let Some(due) = self.reserve(bytes, Instant::now()) else { return Ok(()) };
        loop {
            stop.check()?;
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// When `bytes` more may be sent, which they will then be.
    fn reserve(&self, bytes: u64, now: Instant) -> Option<Instant> {
        let per_second = self.per_second?;
        let mut free = self.free.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Time in which nothing was sent is not saved up, but for one slice.
        let start = (*free).max(now.checked_sub(SLICE).unwrap_or(now));
        *free = start + Duration::from_nanos((u128::from(bytes) * 1_000_000_000 / u128::from(per_second.max(1))) as u64);
        Some(start)
    }
}

/// A finished round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Pages that were not uniform.
    pub pages: u64,
    /// How long it took.
    pub took: Duration,
    /// Pages of the guest that it left changed.
    pub dirty: u64,
}

/// What comes after a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The rest fits the downtime.
    Switch,
    /// Another round.
    Again,
    /// Another round, with the guest held back this much, in percent of its time.
    Slower(u8),
}

/// Whether a guest may be held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    /// When it changes memory faster than it can be sent.
    Allowed,
    /// Never.
    Never,
}

/// The rules of convergence.
#[derive(Debug)]
pub struct Converge {
    limit: Duration,
    throttle: Option<u8>,
    overrun: u32,
    /// Rounds that were made though the rest fitted.
    extra: u32,
    /// Pages a second of the slowest of the last rounds that sent enough to tell.
    rate: Option<f64>,
}

impl Converge {
    /// For a downtime of `limit`.
    pub fn new(limit: Duration, throttle: Throttle) -> Converge {
        Converge { limit, throttle: (throttle == Throttle::Allowed).then_some(0), overrun: 0, extra: 0, rate: None }
    }

    /// How long the guest would stand still if it were stopped now.
    pub fn expected(&self, dirty: u64) -> Option<Duration> {
        let rate = self.rate?;
        Duration::try_from_secs_f64(dirty as f64 / rate).ok().map(|d| d + FIXED)
    }

    /// How much the guest is held back.
    pub fn throttle(&self) -> u8 {
        self.throttle.unwrap_or(0)
    }

    /// What comes after a round.
    pub fn next(&mut self, sent: Sent) -> Next {
        // A few pages say nothing about the rate: most of their time is something else.
        if sent.pages >= 256 || self.rate.is_none() {
            self.rate = Some(sent.pages.max(1) as f64 / sent.took.as_secs_f64().max(1e-6));
        }
        let shrinks = sent.dirty * 100 <= sent.pages * DIRTY_PERCENT;
        match self.expected(sent.dirty) {
            _ if sent.dirty == 0 => return Next::Switch,
            Some(e) if e <= self.limit => {
                if e <= SHORT || !shrinks || self.extra == EXTRA_ROUNDS {
                    return Next::Switch;
                }
                self.extra += 1;
                return Next::Again;
            }
            Some(_) | None if shrinks => return Next::Again,
            Some(_) | None => {}
        }
        self.overrun += 1;
        match &mut self.throttle {
            Some(now) if self.overrun >= DIRTY_ROUNDS && *now < THROTTLE_MAX => {
                self.overrun = 0;
                *now = if *now == 0 { THROTTLE_FIRST } else { (*now + THROTTLE_MORE).min(THROTTLE_MAX) };
                Next::Slower(*now)
            }
            Some(_) | None => Next::Again,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(pages: u64, ms: u64, dirty: u64) -> Sent {
        Sent { pages, took: Duration::from_millis(ms), dirty }
    }

    #[test]
    fn it_switches_when_the_rest_fits() {
        let mut c = Converge::new(Duration::from_millis(100), Throttle::Allowed);
        assert_eq!(c.next(round(100_000, 1000, 20_000)), Next::Again);
        assert_eq!(c.next(round(20_000, 200, 11_000)), Next::Again);
        assert_eq!(c.next(round(11_000, 110, 9_000)), Next::Switch);
        assert_eq!(c.expected(10_000), Some(Duration::from_millis(100) + FIXED));
        assert_eq!(Converge::new(Duration::ZERO, Throttle::Never).next(round(5, 1, 0)), Next::Switch);
    }

    #[test]
    fn a_rest_that_fits_is_made_smaller_while_that_goes_well() {
        let mut c = Converge::new(Duration::from_millis(300), Throttle::Allowed);
        assert_eq!(c.next(round(100_000, 1000, 20_000)), Next::Again);
        assert_eq!(c.next(round(20_000, 200, 4_000)), Next::Again);
        assert_eq!(c.next(round(4_000, 40, 700)), Next::Switch);
        let mut c = Converge::new(Duration::from_secs(10), Throttle::Allowed);
        let steps = [50_000, 25_000, 12_000, 6_000].map(|dirty| c.next(round(2 * dirty, dirty / 50, dirty)));
        assert_eq!(steps, [Next::Again, Next::Again, Next::Again, Next::Switch]);
    }

    #[test]
    fn a_guest_that_is_too_fast_is_slowed_down_step_by_step() {
        let mut c = Converge::new(Duration::from_millis(10), Throttle::Allowed);
        let steps: Vec<Next> = (0..20).map(|_| c.next(round(10_000, 1000, 10_000))).collect();
        assert_eq!(steps[..6], [Next::Again, Next::Slower(20), Next::Again, Next::Slower(30), Next::Again, Next::Slower(40)]);
        assert_eq!(steps[17..], [Next::Slower(99), Next::Again, Next::Again]);
        let mut c = Converge::new(Duration::from_millis(10), Throttle::Never);
        assert!((0..20).all(|_| c.next(round(10_000, 1000, 10_000)) == Next::Again));
    }

    #[test]
    fn a_limit_spreads_frames() {
        let (l, now) = (Limit::new(Some(1_000_000)), Instant::now() + Duration::from_secs(1));
        let due: Vec<_> = (0..4).map(|_| l.reserve(20_000, now).unwrap() + SLICE - now).collect();
        assert_eq!(due, [0, 20, 40, 60].map(Duration::from_millis));
        assert_eq!((l.frame(1 << 20), Limit::new(None).frame(1 << 20)), (50_000, 1 << 20));
        assert_eq!(Limit::new(None).reserve(1, now), None);
        let stop = Stop::default();
        stop.cancel();
        assert_eq!(l.wait(1, &stop), Err(Cut::Cancelled));
    }
}
