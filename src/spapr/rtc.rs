//! Time of day (PAPR RTAS get-time-of-day, set-time-of-day).
//!
//! The clock is the host's wall clock plus an offset that the guest sets. A user who wants the same boot twice gives a start time
//! instead; then it is that plus virtual time, which stands still while the machine is paused.

use crate::clock::VirtualClock;
use std::sync::Arc;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

const NANOS: i128 = 1_000_000_000;
const SECONDS_A_DAY: i64 = 86_400;

/// A time of day, UTC, in the proleptic Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DateTime {
    /// 1 to 9999.
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
    /// Nanoseconds.
    pub nanos: u32,
}

/// The last second of year 9999.
const LAST_SECOND: i64 = 253_402_300_799;
/// The first second of year 1.
const FIRST_SECOND: i64 = -62_135_596_800;

impl DateTime {
    /// From nanoseconds since 1970; times outside the years 1 to 9999 are held at their ends.
    pub fn of_nanos(nanos: i128) -> DateTime {
        let seconds = (nanos.div_euclid(NANOS)).clamp(FIRST_SECOND.into(), LAST_SECOND.into()) as i64;
        let (days, in_day) = (seconds.div_euclid(SECONDS_A_DAY), seconds.rem_euclid(SECONDS_A_DAY) as u32);
        let (year, month, day) = civil_of_days(days);
        let (hour, minute, second) = (in_day / 3600, in_day / 60 % 60, in_day % 60);
        DateTime { year, month, day, hour, minute, second, nanos: nanos.rem_euclid(NANOS) as u32 }
    }

    /// Nanoseconds since 1970; `None` if there is no such time.
    pub fn to_nanos(self) -> Option<i128> {
        let real = (1..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=days_in_month(self.year, self.month)).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60
            && self.nanos < NANOS as u32;
        real.then(|| {
            let days = days_of_civil(self.year, self.month, self.day);
            let seconds = days * SECONDS_A_DAY + i64::from(self.hour * 3600 + self.minute * 60 + self.second);
            i128::from(seconds) * NANOS + i128::from(self.nanos)
        })
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days before `year` since year 1.
fn days_before_year(year: u32) -> i64 {
    let y = i64::from(year) - 1;
    y * 365 + y / 4 - y / 100 + y / 400
}

/// Days from year 1 to 1970.
const EPOCH: i64 = 719_162;

fn days_of_civil(year: u32, month: u32, day: u32) -> i64 {
    let months: u32 = (1..month).map(|m| days_in_month(year, m)).sum();
    days_before_year(year) - EPOCH + i64::from(months + day - 1)
}

/// Days since 1970, within the years 1 to 9999, to year, month and day.
fn civil_of_days(days: i64) -> (u32, u32, u32) {
    let since_1 = days + EPOCH;
    let mut year = (since_1 / 366 + 1) as u32;
    while days_before_year(year + 1) <= since_1 {
        year += 1;
    }
    let mut left = (since_1 - days_before_year(year)) as u32;
    let mut month = 1;
    while left >= days_in_month(year, month) {
        left -= days_in_month(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

/// Where time comes from.
#[derive(Debug)]
enum Source {
    Host,
    /// From this second since 1970 on, by virtual time.
    From(i64, Arc<VirtualClock>),
}

/// The clock.
#[derive(Debug)]
pub struct Rtc {
    source: Source,
    /// What the guest set it to is ahead of the source by this many nanoseconds.
    pub offset_ns: i128,
}

impl Rtc {
    /// A clock that starts at `base` seconds since 1970 and follows `clock`, or (`None`) shows the host's time.
    pub fn new(base: Option<i64>, clock: &Arc<VirtualClock>) -> Rtc {
        let source = base.map_or(Source::Host, |base| Source::From(base, Arc::clone(clock)));
        Rtc { source, offset_ns: 0 }
    }

    fn source_ns(&self) -> i128 {
        match &self.source {
            Source::Host => match SystemTime::now().duration_since(UNIX_EPOCH) {
                Ok(after) => after.as_nanos() as i128,
                Err(before) => -(before.duration().as_nanos() as i128),
            },
            Source::From(base, clock) => i128::from(*base) * NANOS + clock.now().as_nanos() as i128,
        }
    }

    /// The time now.
    pub fn now(&self) -> DateTime {
        DateTime::of_nanos(self.source_ns() + self.offset_ns)
    }

    /// Sets the time; `None` (and nothing is changed) if there is no such time.
    pub fn set(&mut self, to: DateTime) -> Option<()> {
        self.offset_ns = to.to_nanos()? - self.source_ns();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(year: u32, month: u32, day: u32) -> DateTime {
        DateTime { year, month, day, hour: 23, minute: 59, second: 58, nanos: 7 }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        // date(1) -u -d '... 23:59:58' +%s
        let table = [
            (date(1970, 1, 1), 86_398),
            (date(2000, 2, 29), 951_868_798),
            (date(2024, 12, 31), 1_735_689_598),
            (date(1969, 12, 31), -2),
            (date(9999, 12, 31), 253_402_300_798_i64),
            (date(1, 1, 1), -62_135_510_402),
        ];
        for (when, seconds) in table {
            let nanos = i128::from(seconds) * NANOS + 7;
            assert_eq!(when.to_nanos(), Some(nanos), "{when:?}");
            assert_eq!(DateTime::of_nanos(nanos), when);
        }
        for day in (-719_000..2_900_000).step_by(97) {
            let (y, m, d) = civil_of_days(day);
            assert_eq!(days_of_civil(y, m, d), day);
        }
        DateTime::of_nanos(i128::MAX);
        DateTime::of_nanos(i128::MIN);
    }

    #[test]
    fn impossible_times_are_refused() {
        let good = date(2023, 2, 28);
        for bad in [
            DateTime { day: 29, ..good },
            DateTime { month: 13, ..good },
            DateTime { month: 0, ..good },
            DateTime { day: 0, ..good },
            DateTime { hour: 24, ..good },
            DateTime { second: 60, ..good },
            DateTime { year: u32::MAX, ..good },
        ] {
            assert_eq!(bad.to_nanos(), None, "{bad:?}");
        }
    }

    #[test]
    fn a_given_start_follows_virtual_time() {
        let clock = Arc::new(VirtualClock::default());
        let mut rtc = Rtc::new(Some(0), &clock);
        assert_eq!(rtc.now(), DateTime { year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, nanos: 0 });
        assert_eq!(rtc.set(date(2023, 2, 28)), Some(()));
        assert_eq!(rtc.now(), date(2023, 2, 28));
        assert_eq!(rtc.set(date(2023, 2, 30)), None);
        assert_eq!(rtc.now(), date(2023, 2, 28));
    }
}
