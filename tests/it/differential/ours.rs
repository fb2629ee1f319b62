//! Cases here: the same bytes at the same addresses as in the program that QEMU runs.

use crate::differential::cases::Case;
use crate::differential::image;
use crate::differential::state;
use crate::differential::state::Outcome;
use spapr::accel::Exit;
use spapr::accel::Parts;
use spapr::accel::Vcpu;
use spapr::isa::cpu_model;
use spapr::isa::regs::Msr;
use spapr::isa::spr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::sync::Arc;

/// Makes the vCPU that is tested.
pub type Make = fn(Parts) -> Box<dyn Vcpu>;

/// Runs all cases on a vCPU of a kind.
pub fn run(make: Make, cases: &[Case]) -> Vec<Outcome> {
    let memory = Arc::new(GuestMemory::new(16 << 20).unwrap());
    let mut vcpu = make(Parts::lone(cpu_model::by_name("power10_v2.0").unwrap(), Arc::new(Partition::new(memory.clone()))));
    cases.iter().map(|c| one(&mut *vcpu, &memory, c)).collect()
}

fn one(vcpu: &mut dyn Vcpu, memory: &GuestMemory, case: &Case) -> Outcome {
    let code = case.words();
    let at = image::code_at(case.slot);
    let bytes: Vec<u8> = code.iter().flat_map(|w| w.to_le_bytes()).collect();
    memory.write(Ra(at), &bytes).unwrap();
    let block = image::block_at(case.slot);
    memory.write(Ra(block), &case.block).unwrap();
    let s = vcpu.state_mut();
    state::load(s, &case.block);
    s.msr = Msr(Msr::SF | Msr::LE | Msr::FP | Msr::VEC | Msr::VSX | Msr::PR);
    s.spr[spr::FSCR] = u64::MAX;
    s.reservation = None;
    s.nip = at;
    let exit = vcpu.run(Some(case.instructions() as u64)).unwrap();
    let s = vcpu.state();
    if exit != Exit::Budget || s.nip != at + 4 * code.len() as u64 {
        return Outcome::Refused(format!("{exit:?} at {:#x}, srr1 {:#x}", s.nip, s.spr[spr::SRR1]));
    }
    let mut after = case.block.clone();
    memory.read(Ra(block), &mut after).unwrap();
    state::store(s, &mut after);
    Outcome::Done(after)
}
