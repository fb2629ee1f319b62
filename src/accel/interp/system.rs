//! System and privileged instructions (ISA II, III): one function per row.
//!
//! A partition runs with MSR\[HV\] off throughout, so what is a hypervisor's own ends in an illegal-instruction interrupt (the rows say so)
//! and no instruction can turn HV, or transactional memory, on. Here is what changes the MSR and the flow; registers are in [`super::spr`], segments in
//! [`super::slb`], invalidations in [`super::tlbie`], doorbells in [`super::doorbell`].

use crate::accel::Exit;
use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::Trap;
use crate::accel::interp::doorbell;
use crate::accel::interp::slb;
use crate::accel::interp::spr::facility;
use crate::accel::interp::spr::mfspr;
use crate::accel::interp::spr::mftb;
use crate::accel::interp::spr::mtspr;
use crate::accel::interp::tlbie;
use crate::bits::ibm;
use crate::cpu::interrupt;
use crate::cpu::interrupt::Interrupt;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::isa::regs::Fscr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::isa::vectors::Vector;

/// The functions of this chapter.
#[rustfmt::skip] // A subject per line.
pub const FUNCTIONS: &[(&str, Run)] = &[
    ("sc", sc), ("scv", scv), ("rfid", rfid), ("rfscv", rfscv), ("rfebb", rfebb),
    ("hrfid", hypervisor), ("urfid", hypervisor), ("attn", hypervisor),
    ("doze", hypervisor), ("nap", hypervisor), ("sleep", hypervisor), ("rvwinkle", hypervisor), ("stop", hypervisor),
    ("lbzcix", hypervisor), ("lhzcix", hypervisor), ("lwzcix", hypervisor), ("ldcix", hypervisor),
    ("stbcix", hypervisor), ("sthcix", hypervisor), ("stwcix", hypervisor), ("stdcix", hypervisor),
    ("wait", wait), ("waitv206", wait),
    ("mfmsr", mfmsr), ("mtmsr", mtmsr), ("mtmsrd", mtmsrd), ("mfspr", mfspr), ("mftb", mftb), ("mtspr", mtspr),
    ("slbmte", slb::slbmte), ("slbmfev", slb::slbmfev), ("slbmfee", slb::slbmfee), ("slbfee.", slb::slbfee),
    ("slbie", slb::slbie), ("slbieg", slb::slbie), ("slbia", slb::slbia), ("slbiag", slb::slbiag), ("slbsync", |_, _| Ok(())),
    ("tlbie", tlbie::tlbie), ("tlbiel", tlbie::tlbiel), ("tlbsync", tlbie::tlbsync),
    ("msgsndp", doorbell::msgsndp), ("msgclrp", doorbell::msgclrp),
    ("msgsnd", hypervisor), ("msgclr", hypervisor), ("msgsync", hypervisor),
    ("hashst", no_hash), ("hashchk", no_hash), ("hashstp", no_hash), ("hashchkp", no_hash),
    ("clrbhrb", clrbhrb), ("mfbhrbe", mfbhrbe),
    ("tbegin.", no_tm), ("tend.", no_tm), ("tabort.", no_tm), ("tabortwc.", no_tm), ("tabortwci.", no_tm), ("tabortdc.", no_tm),
    ("tabortdci.", no_tm), ("tsr.", no_tm), ("tcheck", no_tm), ("treclaim.", no_tm), ("trechkpt.", no_tm),
];

/// An instruction that only hypervisors may execute. The decoder refuses it already, from its row.
fn hypervisor(c: &mut Core, _: Insn) -> Step {
    c.illegal()
}

/// sc: system call, or with LEV 1 a hypercall (ISA I 2.7; PAPR, hcall). LEV 2 addresses an ultravisor, which there is not.
fn sc(c: &mut Core, i: Insn) -> Step {
    match i.field(20, 26) {
        1 if c.problem_state() => Err(c.exit(Exit::HcallFromProblemState)),
        1 => {
            let args = std::array::from_fn(|k| c.gpr[4 + k]);
            let number = c.gpr[3];
            Err(c.exit(Exit::Hcall { number, args }))
        }
        2 => c.illegal(),
        // Higher values are reserved, and taken as 0.
        _ => Err(c.raise(Interrupt::after(Vector::SystemCall))),
    }
}

/// scv: system call vectored (ISA I 2.7; ISA III, FSCR\[SCV\]).
fn scv(c: &mut Core, i: Insn) -> Step {
    if !Fscr(c.spr[spr::FSCR]).has(Fscr::SCV) {
        return Err(facility(c, Fscr::IC_SCV));
    }
    interrupt::deliver_scv(c, u64::from(i.field(20, 26)));
    c.recontext();
    Ok(())
}

/// The MSR bits that the model has and a partition may change. HV and transactional state are not among them.
fn changeable(c: &Core) -> u64 {
    let common = Msr::SF | Msr::EE | Msr::PR | Msr::FP | Msr::FE0 | Msr::SE | Msr::BE | Msr::FE1 | Msr::IR | Msr::DR | Msr::PMM | Msr::RI;
    let mut bits = common;
    if c.model.vmx {
        bits |= Msr::VEC;
    }
    if c.model.vsx {
        bits |= Msr::VSX;
    }
    if c.model.isa >= Isa::V2_06 {
        bits |= Msr::LE;
    }
    bits
}

/// Sets the bits of `mask` in the MSR from `value`. In problem state EE, IR and DR are on whatever was asked for (ISA III, mtmsrd, rfid).
fn set_msr(c: &mut Core, value: u64, mask: u64) {
    let mask = mask & changeable(c);
    let mut msr = (c.msr.0 & !mask) | (value & mask);
    if msr & Msr::PR != 0 {
        msr |= Msr::EE | Msr::IR | Msr::DR;
    }
    c.msr = Msr(msr);
    c.recontext();
}

/// Goes to `nip` with MSR as `msr` says: what rfid and rfscv have in common. ME and HV stay as they are outside hypervisor state.
fn return_to(c: &mut Core, nip: u64, msr: u64) -> Step {
    set_msr(c, msr, u64::MAX);
    c.nip = nip & !3 & c.ea_mask;
    Ok(())
}

/// rfid: return from interrupt (ISA III 4.3.1).
fn rfid(c: &mut Core, _: Insn) -> Step {
    return_to(c, c.spr[spr::SRR0], c.spr[spr::SRR1])
}

/// rfscv: return from system call vectored (ISA III 4.3.1).
fn rfscv(c: &mut Core, _: Insn) -> Step {
    return_to(c, c.lr, c.ctr)
}

/// rfebb: return from event-based branch, with BESCR\[GE\] as S says (ISA II 7.3).
fn rfebb(c: &mut Core, i: Insn) -> Step {
    const GE: u64 = ibm(0);
    if c.problem_state() && !Fscr(c.spr[spr::FSCR]).has(Fscr::EBB) {
        return Err(facility(c, Fscr::IC_EBB));
    }
    let bescr = c.spr[spr::BESCR] & !GE;
    c.spr[spr::BESCR] = if i.field(20, 20) != 0 { bescr | GE } else { bescr };
    c.nip = c.spr[spr::EBBRR] & !3 & c.ea_mask;
    Ok(())
}

/// wait: until an interrupt that would be taken (ISA II 4.6.4). Resuming early is always allowed, so other conditions do not wait at all.
fn wait(c: &mut Core, i: Insn) -> Step {
    if i.field(9, 10) == 0 && c.msr.has(Msr::EE) { Err(c.exit(Exit::Halted)) } else { Ok(()) }
}

/// mfmsr (ISA III 5.4.4).
fn mfmsr(c: &mut Core, i: Insn) -> Step {
    c.gpr[i.rt()] = c.msr.0;
    Ok(())
}

/// mtmsr: the low word of the MSR without ME and LE; with L only EE and RI (ISA III 5.4.4).
fn mtmsr(c: &mut Core, i: Insn) -> Step {
    to_msr(c, i, 0xffff_ffff)
}

/// mtmsrd: the MSR without HV, ME and LE; with L only EE and RI (ISA III 5.4.4).
fn mtmsrd(c: &mut Core, i: Insn) -> Step {
    to_msr(c, i, u64::MAX)
}

fn to_msr(c: &mut Core, i: Insn, whole: u64) -> Step {
    let mask = if i.field(15, 15) != 0 { Msr::EE | Msr::RI } else { whole & !Msr::LE };
    set_msr(c, c.gpr[i.rt()], mask);
    c.nip &= c.ea_mask;
    Ok(())
}

/// hashst, hashchk and their privileged kin do nothing while DEXCR\[NPHIE\] is off, and it is always off here (ISA III, DEXCR).
fn no_hash(_: &mut Core, _: Insn) -> Step {
    Ok(())
}

/// Whether problem state may use the branch history: MMCR0\[BHRBA\] (ISA III, MMCR0).
fn branch_history(c: &mut Core) -> Result<(), Trap> {
    const BHRBA: u64 = ibm(42);
    if c.problem_state() && c.spr[spr::MMCR0] & BHRBA == 0 { Err(facility(c, Fscr::IC_BHRB)) } else { Ok(()) }
}

/// clrbhrb: there is no history to clear (ISA II 8.2).
fn clrbhrb(c: &mut Core, _: Insn) -> Step {
    branch_history(c)
}

/// mfbhrbe: the history is empty, and entries of an empty history read 0 (ISA II 8.2).
fn mfbhrbe(c: &mut Core, i: Insn) -> Step {
    branch_history(c)?;
    c.gpr[i.rt()] = 0;
    Ok(())
}

/// Transactional memory: the models that have it find MSR\[TM\] off, and it cannot be turned on (ISA II 5.5; ISA III, facility unavailable).
fn no_tm(c: &mut Core, _: Insn) -> Step {
    if c.model.isa >= Isa::V3_1 { c.illegal() } else { Err(facility(c, Fscr::IC_TM)) }
}

#[cfg(test)]
#[path = "system_tests.rs"]
pub(super) mod tests;
