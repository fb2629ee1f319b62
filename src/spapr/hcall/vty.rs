//! The console's calls (PAPR, hcall-term).

use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Machine;
use crate::units::UnitAddress;
use crate::vio::vty::FIFO_BYTES;

/// The terminal that a register names; 0 means the one with the lowest unit address.
fn unit(m: &Machine, register: u64) -> Option<UnitAddress> {
    let unit = UnitAddress(u32::try_from(register).ok()?);
    if unit.0 == 0 { m.vtys.keys().next().copied() } else { Some(unit) }
}

/// H_GET_TERM_CHAR: unit → length, sixteen bytes.
pub fn get_term_char(m: &mut Machine, _: Caller, [register, ..]: [u64; 9]) -> Outcome {
    let unit = unit(m, register);
    let Some(vty) = unit.and_then(|unit| m.vtys.get_mut(&unit)) else { return H::Parameter.into() };
    let chars = vty.get_chars(&mut m.intc);
    let both = u128::from_be_bytes(chars.bytes);
    Outcome::values(&[chars.len as u64, (both >> 64) as u64, both as u64])
}

/// H_PUT_TERM_CHAR: unit, length, sixteen bytes.
pub fn put_term_char(m: &mut Machine, _: Caller, [register, len, high, low, ..]: [u64; 9]) -> Outcome {
    let unit = unit(m, register);
    let Some(vty) = unit.and_then(|unit| m.vtys.get_mut(&unit)) else { return H::Parameter.into() };
    let Some(len) = usize::try_from(len).ok().filter(|&n| n <= FIFO_BYTES) else { return H::Parameter.into() };
    let bytes = (u128::from(high) << 64 | u128::from(low)).to_be_bytes();
    vty.put_chars(&bytes[..len]);
    H::Success.into()
}
