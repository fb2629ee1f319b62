//! H_WATCHDOG: flags in, timers out. The timers are [`crate::spapr::watchdog`]'s.

use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Machine;
use crate::spapr::watchdog::Action;
use crate::spapr::watchdog::MIN_TIMEOUT;
use crate::spapr::watchdog::Others;
use crate::spapr::watchdog::TIMERS;
use std::time::Duration;

/// Flag: other timers keep running.
const LEAVE_OTHERS: u64 = 1 << 16;
/// Flags that must be 0.
const RESERVED: u64 = !0x1_ffff;

/// H_WATCHDOG: flags, number, milliseconds → for a query, what there is.
pub fn watchdog(m: &mut Machine, _: Caller, [flags, number, ms, ..]: [u64; 9]) -> Outcome {
    if flags & RESERVED != 0 {
        return H::Parameter.into();
    }
    // Timers count from 1 (departs: QEMU takes 0 and reaches before its array).
    let timer = usize::try_from(number).ok().filter(|n| (1..=TIMERS).contains(n)).map(|n| n - 1);
    match flags >> 8 & 0xff {
        1 => start(m, flags, timer, ms),
        2 if number == u64::MAX => {
            m.watchdog.stop_all();
            H::Noop.into()
        }
        2 => timer.map_or(H::P2, |t| if m.watchdog.stop(t) { H::Success } else { H::Noop }).into(),
        3 => Outcome::values(&[(MIN_TIMEOUT.as_millis() as u64) << 48 | (TIMERS as u64) << 32]),
        // Before a migration: timers must be stopped.
        4 => timer.map_or(H::P2.into(), |_| Outcome::values(&[2])),
        _ => H::Parameter.into(),
    }
}

fn start(m: &mut Machine, flags: u64, timer: Option<usize>, ms: u64) -> Outcome {
    let Some(timer) = timer else { return H::P2.into() };
    if ms <= MIN_TIMEOUT.as_millis() as u64 {
        return H::P3.into();
    }
    let action = match flags & 0xff {
        1 => Action::PowerOff,
        2 => Action::Restart,
        3 => Action::DumpRestart,
        _ => return H::Parameter.into(),
    };
    let others = if flags & LEAVE_OTHERS != 0 { Others::Leave } else { Others::Stop };
    m.watchdog.start(timer, m.clock.now().saturating_add(Duration::from_millis(ms)), action, others);
    H::Success.into()
}
