//! Calls of virtual I/O devices, DMA windows and persistent memory, of which this machine has none yet: each checks what it would
//! check first and answers as for a device that is not there, so that a guest that probes is told the truth.

use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Machine;
use crate::units::UnitAddress;

const CRQ_BYTES_MIN: u64 = 0x1000;
const CRQ_BYTES_MAX: u64 = 0x1000_0000;

/// Whether a unit is on the bus. Terminals and NVRAM have no queue, no DMA window and no interrupt to switch.
fn is_unit(m: &Machine, register: u64) -> bool {
    u32::try_from(register).is_ok_and(|unit| m.vtys.contains_key(&UnitAddress(unit)) || m.spec.nvram_at.0 == unit)
}

/// A call of a device type of which there is none.
pub fn no_such_unit(_: &mut Machine, _: Caller, _: [u64; 9]) -> Outcome {
    H::Parameter.into()
}

/// H_GET_TCE and its kin: no LIOBN is known.
pub fn no_tce_table(_: &mut Machine, _: Caller, _: [u64; 9]) -> Outcome {
    H::Parameter.into()
}

/// H_FREE_CRQ, H_ENABLE_CRQ: unit.
pub fn known_unit(m: &mut Machine, _: Caller, [unit, ..]: [u64; 9]) -> Outcome {
    if is_unit(m, unit) { H::Success.into() } else { H::Parameter.into() }
}

/// H_REG_CRQ: unit, address, length.
pub fn reg_crq(m: &mut Machine, _: Caller, [unit, at, len, ..]: [u64; 9]) -> Outcome {
    if !is_unit(m, unit) || !(CRQ_BYTES_MIN..=CRQ_BYTES_MAX).contains(&len) || at & 0xfff != 0 {
        return H::Parameter.into();
    }
    H::NotFound.into()
}

/// H_SEND_CRQ: unit, message.
pub fn send_crq(m: &mut Machine, _: Caller, [unit, ..]: [u64; 9]) -> Outcome {
    if is_unit(m, unit) { H::Hardware.into() } else { H::Parameter.into() }
}

/// H_VIO_SIGNAL: unit, mode.
pub fn vio_signal(m: &mut Machine, _: Caller, [unit, mode, ..]: [u64; 9]) -> Outcome {
    if is_unit(m, unit) && mode == 0 { H::Success.into() } else { H::Parameter.into() }
}

/// H_SCM_UNBIND_ALL: scope, connector, continue token → how many blocks were unbound.
pub fn scm_unbind_all(_: &mut Machine, _: Caller, [scope, _, token, ..]: [u64; 9]) -> Outcome {
    const ALL: u64 = 1;
    const ONE: u64 = 2;
    match (scope, token) {
        (_, token) if token > 0 => H::P4.into(),
        (ALL, _) => H::Success.into(),
        (ONE, _) => H::P2.into(),
        (_, _) => H::Parameter.into(),
    }
}
