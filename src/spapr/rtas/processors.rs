//! Starting and stopping vCPUs, and where their machine checks go.

use crate::signal;
use crate::spapr::caps::Cap;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::Change;
use crate::spapr::hcall::Dispatched;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::Who;
use crate::spapr::machine::Machine;
use crate::spapr::machine::NmiHandlers;
use crate::spapr::machine::RunState;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Status;
use crate::units::CpuIndex;
use crate::units::Ra;

/// Handlers are called in real mode with 26-bit branches: below 32 MiB.
const NMI_HANDLER_END: u64 = 32 << 20;

/// query-cpu-stopped-state: vcpu id → 0 stopped, 2 running.
pub fn query_cpu_stopped_state(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let Some(cpu) = m.cpu_of_register(args.get(0).into()) else { return Status::Parameter.into() };
    Answer::of(&[match m.vcpu(cpu).run {
        RunState::Stopped => 0,
        RunState::Running | RunState::Joined => 2,
    }])
}

/// start-cpu: vcpu id, entry, r3.
pub fn start_cpu(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let Some(cpu) = m.cpu_of_register(args.get(0).into()) else { return Status::Parameter.into() };
    let v = m.vcpu_mut(cpu);
    if v.run != RunState::Stopped {
        return Status::Hardware.into();
    }
    v.run = RunState::Running;
    v.signals.lower(signal::PROD);
    let change = Change::Start { entry: args.get(1).into(), argument: args.get(2).into() };
    Answer::then(Outcome::OnVcpus { who: Who::One(cpu), change, status: H::Success })
}

/// stop-self.
pub fn stop_self(m: &mut Machine, caller: Caller, _: &Args) -> Answer {
    m.vcpu_mut(caller.cpu).run = RunState::Stopped;
    m.set_dispatched(caller.cpu, Dispatched::No);
    Answer::then(Outcome::StopSelf)
}

/// ibm,nmi-register: entries for system resets and machine checks.
pub fn nmi_register(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let (system_reset, machine_check) = (args.address(0), args.address(1));
    let fits = |at: u64| at < NMI_HANDLER_END && at < m.spec.rma;
    if !m.spec.caps.on(Cap::Fwnmi) || !fits(system_reset.0) || !fits(machine_check.0) || m.rtas_base().is_none() {
        return Status::Parameter.into();
    }
    m.nmi = Some(NmiHandlers { system_reset, machine_check });
    Status::Success.into()
}

/// Where a system reset interrupt takes a vCPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetEntry {
    /// The architected vector.
    Vector,
    /// The guest's handler, with r3.
    Handler {
        /// Next instruction.
        entry: Ra,
        /// Address of the area that holds the interrupted r3.
        r3: u64,
    },
}

/// Offset of the areas for system resets from RTAS's base, and bytes of each (PAPR, FWNMI).
const RESET_AREAS_AT: u64 = 0x800;
const RESET_AREA_BYTES: u64 = 16;

impl Machine {
    /// Where a system reset interrupt takes `cpu`, whose r3 is saved on the way if the guest registered a handler.
    pub fn system_reset_entry(&mut self, cpu: CpuIndex, r3: u64) -> ResetEntry {
        let (Some(nmi), Some(base)) = (self.nmi, self.rtas_base()) else { return ResetEntry::Vector };
        let area = Ra(base + RESET_AREAS_AT + RESET_AREA_BYTES * u64::from(cpu.0));
        let saved = self.memory.write_u64(area, r3).and_then(|()| self.memory.write_u64(Ra(area.0 + 8), 0));
        match saved {
            Ok(()) => ResetEntry::Handler { entry: nmi.system_reset, r3: area.0 },
            Err(_) => ResetEntry::Vector,
        }
    }
}

/// ibm,nmi-interlock: the handler is done. There are no machine checks here that one could be in.
pub fn nmi_interlock(m: &mut Machine, _: Caller, _: &Args) -> Answer {
    match m.nmi {
        Some(_) if m.spec.caps.on(Cap::Fwnmi) => Status::Success.into(),
        Some(_) | None => Status::Parameter.into(),
    }
}
