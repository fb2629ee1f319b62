//! Shared processors: the per-vCPU areas, and giving the processor away (PAPR, hcall-splpar and hcall-join).
//!
//! «Prodded» is the vCPU's [`PROD`] signal itself, so that who sleeps and who prods need no second flag between them: a call that
//! would sleep takes the signal down first and returns at once if it was up.

use crate::isa::regs::Msr;
use crate::memory::GuestMemory;
use crate::memory::OutOfRam;
use crate::signal::PROD;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::Change;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::Who;
use crate::spapr::machine::Machine;
use crate::spapr::machine::RunState;
use crate::units::CpuIndex;
use crate::units::Ra;
use crate::units::VcpuId;

/// The function code's place in H_REGISTER_VPA's flags.
const FUNCTION_SHIFT: u32 = 45;
/// Bytes of a virtual processor area.
const VPA_BYTES_MIN: u16 = 640;
/// Offset of the size in a VPA, and in the other areas.
const SIZE_AT: u64 = 4;
/// Offset of the VPA's byte that says whether the processor is shared, and its bit.
const SHARED_AT: u64 = 9;
const SHARED: u8 = 2;
/// Offset of the VPA's dispatch counter: even while the vCPU has a processor.
const DISPATCH_AT: u64 = 0x100;
const SLB_SHADOW_BYTES_MIN: u32 = 8;
const DTL_BYTES_MIN: u32 = 48;
const PAGE: u64 = 4096;

/// An area that the guest registered and that only KVM fills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LogArea {
    /// Its first byte.
    pub at: Ra,
    /// Its size as the guest wrote it.
    pub bytes: u32,
}

/// Whether a vCPU has a processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dispatched {
    /// It runs, or would if it had work to do.
    Yes,
    /// It gave its processor away.
    No,
}

impl Machine {
    /// Steps a vCPU's dispatch counter, if it registered one: even while it is dispatched, odd while it is not (PAPR, VPA).
    /// The handlers step it when a vCPU gives its processor away; whoever lets it run again calls this. A vCPU that runs again has
    /// left H_JOIN.
    pub fn set_dispatched(&mut self, cpu: CpuIndex, to: Dispatched) {
        let v = self.vcpu_mut(cpu);
        if (v.run, to) == (RunState::Joined, Dispatched::Yes) {
            v.run = RunState::Running;
        }
        let Some(vpa) = v.vpa else { return };
        let odd = u32::from(to == Dispatched::No);
        let at = Ra(vpa.0 + DISPATCH_AT);
        // The area was in RAM when it was registered, and RAM does not go away.
        if let Ok(count) = self.memory.read_u32(at) {
            let step = if count & 1 == odd { 2 } else { 1 };
            let _ = self.memory.write_u32(at, count.wrapping_add(step));
        }
    }
}

/// H_REGISTER_VPA: flags, vcpu id, address.
pub fn register_vpa(m: &mut Machine, _: Caller, [flags, id, at, ..]: [u64; 9]) -> Outcome {
    let Some(cpu) = m.cpu_of_register(id) else { return H::Parameter.into() };
    if flags & ((1 << FUNCTION_SHIFT) - 1) != 0 {
        return H::Parameter.into();
    }
    let status = match flags >> FUNCTION_SHIFT {
        1 => set_vpa(m, cpu, Ra(at)),
        2 => set_dtl(m, cpu, Ra(at)),
        3 => set_slb_shadow(m, cpu, Ra(at)),
        5 => clear_vpa(m, cpu),
        6 => {
            m.vcpu_mut(cpu).dtl = None;
            Ok(())
        }
        7 => {
            m.vcpu_mut(cpu).slb_shadow = None;
            Ok(())
        }
        _ => Err(H::Parameter),
    };
    status.err().unwrap_or(H::Success).into()
}

impl From<OutOfRam> for H {
    fn from(_: OutOfRam) -> H {
        H::Parameter
    }
}

fn in_one_page(at: Ra, bytes: u64) -> bool {
    at.0 % PAGE + bytes <= PAGE
}

fn set_vpa(m: &mut Machine, cpu: CpuIndex, at: Ra) -> Result<(), H> {
    if at.0 == 0 {
        return Err(H::Hardware);
    }
    if !at.0.is_multiple_of(128) || !m.memory.contains(at, u64::from(VPA_BYTES_MIN)) {
        return Err(H::Parameter);
    }
    let bytes = m.memory.read_u16(Ra(at.0 + SIZE_AT))?;
    if bytes < VPA_BYTES_MIN || !in_one_page(at, u64::from(bytes)) {
        return Err(H::Parameter);
    }
    let shared = m.memory.read_u8(Ra(at.0 + SHARED_AT))?;
    m.memory.write_u8(Ra(at.0 + SHARED_AT), shared | SHARED)?;
    m.vcpu_mut(cpu).vpa = Some(at);
    Ok(())
}

fn clear_vpa(m: &mut Machine, cpu: CpuIndex) -> Result<(), H> {
    let v = m.vcpu_mut(cpu);
    if v.slb_shadow.is_some() || v.dtl.is_some() {
        return Err(H::Resource);
    }
    v.vpa = None;
    Ok(())
}

/// The size that stands at +4 of an area at `at`.
fn area_bytes(memory: &GuestMemory, at: Ra) -> Result<u32, H> {
    if at.0 == 0 {
        return Err(H::Hardware);
    }
    Ok(memory.read_u32(Ra(at.0.checked_add(SIZE_AT).ok_or(H::Parameter)?))?)
}

fn set_slb_shadow(m: &mut Machine, cpu: CpuIndex, at: Ra) -> Result<(), H> {
    let bytes = area_bytes(&m.memory, at)?;
    if bytes < SLB_SHADOW_BYTES_MIN || !in_one_page(at, u64::from(bytes)) || !m.memory.contains(at, u64::from(bytes)) {
        return Err(H::Parameter);
    }
    let v = m.vcpu_mut(cpu);
    v.vpa.ok_or(H::Resource)?;
    v.slb_shadow = Some(LogArea { at, bytes });
    Ok(())
}

fn set_dtl(m: &mut Machine, cpu: CpuIndex, at: Ra) -> Result<(), H> {
    let bytes = area_bytes(&m.memory, at)?;
    if bytes < DTL_BYTES_MIN || !m.memory.contains(at, u64::from(bytes)) {
        return Err(H::Parameter);
    }
    let v = m.vcpu_mut(cpu);
    v.vpa.ok_or(H::Resource)?;
    v.dtl = Some(LogArea { at, bytes });
    Ok(())
}

/// H_CEDE.
pub fn cede(m: &mut Machine, caller: Caller, _: [u64; 9]) -> Outcome {
    if m.vcpu(caller.cpu).signals.lower(PROD) != 0 {
        return Outcome::OnVcpus { who: Who::Caller, change: Change::EnableExternal, status: H::Success };
    }
    m.set_dispatched(caller.cpu, Dispatched::No);
    Outcome::Cede
}

/// Sleeps until prodded, unless that has happened.
fn await_prod(m: &mut Machine, caller: Caller, state: RunState) -> Outcome {
    if m.vcpu(caller.cpu).signals.lower(PROD) != 0 {
        return H::Success.into();
    }
    m.vcpu_mut(caller.cpu).run = state;
    m.set_dispatched(caller.cpu, Dispatched::No);
    Outcome::AwaitProd
}

/// H_CONFER: vcpu id or −1, dispatch counter.
pub fn confer(m: &mut Machine, caller: Caller, [target, dispatch, ..]: [u64; 9]) -> Outcome {
    if target as i64 == -1 {
        return Outcome::Yield;
    }
    let Some(cpu) = m.cpu_of_register(target) else { return H::Parameter.into() };
    if cpu == caller.cpu {
        return await_prod(m, caller, RunState::Running);
    }
    // Only to a vCPU that still waits for a processor; by now it may have had one.
    let Some(vpa) = m.vcpu(cpu).vpa else { return H::Success.into() };
    match m.memory.read_u32(Ra(vpa.0 + DISPATCH_AT)) {
        Ok(count) if count & 1 == 1 && count == dispatch as u32 => Outcome::Yield,
        Ok(_) | Err(OutOfRam) => H::Success.into(),
    }
}

/// H_PROD: vcpu id.
pub fn prod(m: &mut Machine, _: Caller, [target, ..]: [u64; 9]) -> Outcome {
    let Some(cpu) = m.cpu_of_register(target) else { return H::Parameter.into() };
    let v = m.vcpu_mut(cpu);
    if v.run == RunState::Joined {
        v.run = RunState::Running;
    }
    v.signals.raise(PROD);
    H::Success.into()
}

/// H_JOIN: sleeps with interrupts off; the last vCPU to call it is told to go on.
pub fn join(m: &mut Machine, caller: Caller, _: [u64; 9]) -> Outcome {
    if caller.msr.has(Msr::EE) {
        return H::BadMode.into();
    }
    let others_sleep = m.vcpus.iter().enumerate().all(|(i, v)| i == caller.cpu.0 as usize || v.run != RunState::Running);
    if others_sleep {
        return H::Continue.into();
    }
    await_prod(m, caller, RunState::Joined)
}

impl Machine {
    /// The vCPU whose id a guest put into a register; `None` if there is none.
    pub fn cpu_of_register(&self, id: u64) -> Option<CpuIndex> {
        let id = VcpuId(u32::try_from(id).ok()?);
        self.spec.vsmt.cpu_index(id).filter(|cpu| (cpu.0 as usize) < self.vcpus.len())
    }
}
