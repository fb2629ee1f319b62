//! Timebase, decrementer and their kin: all are one virtual clock plus an offset.

use crate::bits::sign_extend;
use crate::clock;
use crate::cpu::CpuState;
use std::time::Duration;

/// The guest's timebase when the virtual clock reads `now`.
pub fn timebase(s: &CpuState, now: Duration) -> u64 {
    clock::ticks(now).wrapping_add(s.tb_offset)
}

/// The decrementer, sign-extended from `bits` (32, or the large decrementer's width).
pub fn decrementer(s: &CpuState, now: Duration, bits: u32) -> u64 {
    sign_extend(s.dec_expiry.wrapping_sub(timebase(s, now)), bits)
}

/// Sets the decrementer; `value` is taken as `bits` bits wide.
pub fn set_decrementer(s: &mut CpuState, now: Duration, bits: u32, value: u64) {
    s.dec_expiry = timebase(s, now).wrapping_add(sign_extend(value, bits));
}

/// Ticks until the decrementer interrupt becomes pending; 0 when it is. It is pending while DEC is negative (ISA III, Decrementer).
pub fn ticks_until_decrementer(s: &CpuState, now: Duration) -> u64 {
    let left = s.dec_expiry.wrapping_sub(timebase(s, now)) as i64;
    if left < 0 { 0 } else { left as u64 + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decrementer_counts_down_and_turns_negative() {
        let mut s = CpuState::default();
        let t0 = Duration::from_millis(5);
        set_decrementer(&mut s, t0, 32, 512_000);
        assert_eq!(decrementer(&s, t0 + Duration::from_micros(500), 32), 256_000);
        let later = t0 + Duration::from_millis(2);
        assert_eq!(ticks_until_decrementer(&s, later), 0);
        assert_eq!(decrementer(&s, later, 32) as i64, -512_000);
        set_decrementer(&mut s, t0, 32, 0x8000_0000);
        assert_eq!(ticks_until_decrementer(&s, t0), 0);
    }
}
