//! From reset to the guest's first instruction.

use crate::accel::Kept;
use crate::clock;
use crate::cpu::CpuState;
use crate::dev::ResetKind;
use crate::error::Result;
use crate::isa::regs::Lpcr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::signal;
use crate::spapr::caps::Cap;
use crate::spapr::firmware::Entry;
use crate::units::CpuIndex;
use crate::vm::Halt;
use crate::vm::Shared;
use crate::vm::lock;

impl Shared {
    /// Resets machine and vCPUs, places the images and sets the first vCPU to begin. No vCPU may be in guest code.
    pub(super) fn boot(&self, kind: ResetKind) -> Result<()> {
        let images = self.images.get(&self.spec)?;
        let mut machine = lock(&self.machine);
        machine.reset(kind)?;
        let entry = machine.load(&images, self.options.firmware);
        drop((machine, images));
        self.images.forget();
        for k in 0..self.slots.len() {
            let cpu = CpuIndex(k as u32);
            let mut slot = lock(&self.slots[k]);
            lock(&self.changes[k]).clear();
            self.signals[k].lower(!signal::KICK);
            slot.vcpu.abandon();
            slot.vcpu.set_kept(&Kept::default())?;
            *slot.vcpu.state_mut() = self.reset_state(cpu);
            slot.halt = Halt::Stopped;
            if k == 0 {
                enter(slot.vcpu.state_mut(), &entry);
                slot.halt = Halt::No;
            }
        }
        self.partition.invalidate(None);
        Ok(())
    }

    /// Registers after reset: big-endian real mode, hash translation, interrupts at the low vectors (PAPR, and what QEMU sets).
    fn reset_state(&self, cpu: CpuIndex) -> CpuState {
        let spec = &self.spec;
        let mut s = CpuState { msr: Msr(Msr::SF | Msr::ME), ..CpuState::default() };
        s.spr[spr::PVR] = u64::from(spec.cpu.pvr);
        s.spr[spr::PIR] = u64::from(spec.vsmt.vcpu_id(cpu).0);
        s.spr[spr::TIR] = u64::from(spec.vsmt.thread_of(cpu));
        s.spr[spr::AMOR] = u64::MAX;
        s.spr[spr::LPCR] = Lpcr::LPES0 | Lpcr::LPES1 | if spec.caps.on(Cap::LargeDecr) { Lpcr::LD } else { 0 };
        s.spr[spr::CTRL_R] = 1;
        s.dec_expiry = clock::ticks(self.clock.now()) + i32::MAX as u64;
        s.tb_offset = 0;
        s
    }
}

fn enter(s: &mut CpuState, entry: &Entry) {
    s.nip = entry.nip;
    s.gpr[1] = entry.stack;
    (s.gpr[3], s.gpr[4], s.gpr[5]) = (entry.r3, entry.r4, entry.r5);
}
