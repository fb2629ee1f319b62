//! XICS presentation calls (PAPR, hcall-interrupt). A vCPU's server number is its vcpu id.

use crate::clock;
use crate::intc::xics::XicsError;
use crate::intc::xics::XicsResult;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Machine;
use crate::units::VcpuId;

fn refusal(error: XicsError) -> H {
    match error {
        XicsError::Absent => H::Function,
        XicsError::Inactive => H::Hardware,
        XicsError::NoServer | XicsError::NoSource => H::Parameter,
    }
}

fn answer(result: XicsResult<()>) -> Outcome {
    result.err().map_or(H::Success, refusal).into()
}

fn values(result: XicsResult<impl AsRef<[u64]>>) -> Outcome {
    result.map_or_else(|e| refusal(e).into(), |v| Outcome::values(v.as_ref()))
}

/// The server number that a register names. Too large ones are nobody's.
fn server(register: u64) -> VcpuId {
    VcpuId(u32::try_from(register).unwrap_or(u32::MAX))
}

/// H_EOI: XIRR.
pub fn eoi(m: &mut Machine, caller: Caller, [xirr, ..]: [u64; 9]) -> Outcome {
    let me = m.vcpu(caller.cpu).id;
    answer(m.intc.xics().and_then(|x| x.eoi(me, xirr as u32)))
}

/// H_CPPR: priority.
pub fn cppr(m: &mut Machine, caller: Caller, [cppr, ..]: [u64; 9]) -> Outcome {
    let me = m.vcpu(caller.cpu).id;
    answer(m.intc.xics().and_then(|x| x.set_cppr(me, cppr as u8)))
}

/// H_IPI: server, MFRR.
pub fn ipi(m: &mut Machine, _: Caller, [to, mfrr, ..]: [u64; 9]) -> Outcome {
    answer(m.intc.xics().and_then(|x| x.ipi(server(to), mfrr as u8)))
}

/// H_IPOLL: server → XIRR, MFRR.
pub fn ipoll(m: &mut Machine, _: Caller, [of, ..]: [u64; 9]) -> Outcome {
    values(m.intc.xics().and_then(|x| x.poll(server(of))).map(|(xirr, mfrr)| [u64::from(xirr), u64::from(mfrr)]))
}

/// H_XIRR → XIRR.
pub fn xirr(m: &mut Machine, caller: Caller, _: [u64; 9]) -> Outcome {
    let me = m.vcpu(caller.cpu).id;
    values(m.intc.xics().and_then(|x| x.accept(me)).map(|xirr| [u64::from(xirr)]))
}

/// H_XIRR-X → XIRR, when (in timebase ticks of virtual time; departs: QEMU gives host time).
pub fn xirr_x(m: &mut Machine, caller: Caller, _: [u64; 9]) -> Outcome {
    let me = m.vcpu(caller.cpu).id;
    let now = clock::ticks(m.clock.now());
    values(m.intc.xics().and_then(|x| x.accept(me)).map(|xirr| [u64::from(xirr), now]))
}
