//! Calls about a processor: its registers that are the hypervisor's, its properties, its place (PAPR, various).
//!
//! None of them touches a register: the change goes back to the run loop, which owns the vCPUs.

use crate::isa::Isa;
use crate::isa::cpu_model;
use crate::isa::regs::Lpcr;
use crate::isa::spr;
use crate::spapr::caps::Cap;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::Change;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::Who;
use crate::spapr::machine::Machine;

fn set_sprs(first: (usize, u64), second: (usize, u64)) -> Outcome {
    Outcome::OnVcpus { who: Who::Caller, change: Change::Sprs([first, second]), status: H::Success }
}

fn isa(m: &Machine) -> Isa {
    cpu_model::by_name(m.spec.cpu.name).map_or(Isa::V3_1, |model| model.isa)
}

/// H_SET_SPRG0: value.
pub fn set_sprg0(_: &mut Machine, _: Caller, [value, ..]: [u64; 9]) -> Outcome {
    set_sprs((spr::SPRG0, value), (spr::SPRG0, value))
}

/// Whether the processor has DABR and DABRX (all before POWER8).
fn has_dabr(m: &Machine) -> bool {
    isa(m) < Isa::V2_07
}

/// H_SET_DABR: value. Matches in problem and in privileged state.
pub fn set_dabr(m: &mut Machine, _: Caller, [dabr, ..]: [u64; 9]) -> Outcome {
    const BOTH_STATES: u64 = 3;
    if has_dabr(m) { set_sprs((spr::DABR, dabr), (spr::DABRX, BOTH_STATES)) } else { H::Hardware.into() }
}

/// H_SET_XDABR: DABR, DABRX.
pub fn set_xdabr(m: &mut Machine, _: Caller, [dabr, dabrx, ..]: [u64; 9]) -> Outcome {
    const HYPERVISOR: u64 = 4;
    const KERNEL_OR_USER: u64 = 3;
    if !has_dabr(m) {
        return H::Hardware.into();
    }
    if dabrx > 15 || dabrx & HYPERVISOR != 0 || dabrx & KERNEL_OR_USER == 0 {
        return H::Parameter.into();
    }
    set_sprs((spr::DABR, dabr), (spr::DABRX, dabrx))
}

/// H_SET_MODE: flags, resource, two values.
pub fn set_mode(m: &mut Machine, _: Caller, [flags, resource, value1, value2, ..]: [u64; 9]) -> Outcome {
    let since = |edition, call: fn(&Machine, [u64; 3]) -> Outcome| (isa(m) >= edition).then_some(call);
    let call = match resource {
        1 => since(Isa::V2_07, |_, args| set_ciabr(args)),
        2 => since(Isa::V2_07, |_, args| set_dawr(args, spr::DAWR0, spr::DAWRX0)),
        3 => since(Isa::V2_07, set_ail),
        4 => since(Isa::V2_03, |_, args| set_interrupt_endian(args)),
        // (departs: QEMU does not look at cap-dawr1)
        5 => since(Isa::V3_1, |_, args| set_dawr(args, spr::DAWR1, spr::DAWRX1)).filter(|_| m.spec.caps.on(Cap::Dawr1)),
        _ => None,
    };
    call.map_or(H::P2.into(), |call| call(m, [flags, value1, value2]))
}

fn set_ciabr([flags, ciabr, value2]: [u64; 3]) -> Outcome {
    const HYPERVISOR: u64 = 3;
    match () {
        () if flags != 0 => H::UnsupportedFlag.into(),
        () if value2 != 0 => H::P4.into(),
        () if ciabr & 3 == HYPERVISOR => H::P3.into(),
        () => set_sprs((spr::CIABR, ciabr), (spr::CIABR, ciabr)),
    }
}

fn set_dawr([flags, dawr, dawrx]: [u64; 3], spr: usize, spr_x: usize) -> Outcome {
    const HYPERVISOR: u64 = 4;
    match () {
        () if flags != 0 => H::UnsupportedFlag.into(),
        () if dawrx & HYPERVISOR != 0 => H::P4.into(),
        () => set_sprs((spr, dawr), (spr_x, dawrx)),
    }
}

/// Where interrupts go while relocation is on (ISA III, LPCR AIL).
fn set_ail(m: &Machine, [ail, value1, value2]: [u64; 3]) -> Outcome {
    const AIL_SHIFT: u32 = 63 - 40;
    match () {
        () if value1 != 0 => H::P3.into(),
        () if value2 != 0 => H::P4.into(),
        () if ail == 0 || (ail == 3 && m.spec.caps.on(Cap::AilMode3)) => {
            let change = Change::Lpcr { mask: Lpcr::AIL0 | Lpcr::AIL1, value: ail << AIL_SHIFT };
            Outcome::OnVcpus { who: Who::All, change, status: H::Success }
        }
        () => H::UnsupportedFlag.into(),
    }
}

/// The byte order that interrupts are taken in.
fn set_interrupt_endian([little, value1, value2]: [u64; 3]) -> Outcome {
    match () {
        () if value1 != 0 => H::P3.into(),
        () if value2 != 0 => H::P4.into(),
        () if little > 1 => H::UnsupportedFlag.into(),
        () => {
            let change = Change::Lpcr { mask: Lpcr::ILE, value: little * Lpcr::ILE };
            Outcome::OnVcpus { who: Who::All, change, status: H::Success }
        }
    }
}

/// H_GET_CPU_CHARACTERISTICS → characteristics, behaviour, as the capabilities say. Bits count from the top.
pub fn characteristics(m: &mut Machine, _: Caller, _: [u64; 9]) -> Outcome {
    let caps = &m.spec.caps;
    let word = |bits: &[u32]| bits.iter().fold(0, |word, &bit| word | 1 << (63 - bit));
    // Honours branch hints; favours security.
    let (mut character, mut behaviour) = (word(&[5]), word(&[0]));
    let (c, b): (&[u32], &[u32]) = match caps.get(Cap::Cfpc) {
        0 => (&[], &[1]),
        1 => (&[2, 3, 4], &[1]),
        _ => (&[], &[7, 8]),
    };
    character |= word(c);
    behaviour |= word(b);
    let (c, b): (&[u32], &[u32]) = match caps.get(Cap::Sbbc) {
        0 => (&[], &[2]),
        1 => (&[0], &[2]),
        _ => (&[], &[]),
    };
    character |= word(c);
    behaviour |= word(b);
    let (c, b): (&[u32], &[u32]) = match caps.get(Cap::Ibs) {
        1 if caps.on(Cap::CcfAssist) => (&[9], &[5]),
        1 => (&[], &[5]),
        2 => (&[1], &[]),
        3 => (&[7], &[]),
        _ => (&[], &[]),
    };
    Outcome::values(&[character | word(c), behaviour | word(b)])
}

/// H_HOME_NODE_ASSOCIATIVITY: flags, vcpu id → the vCPU's associativity, two cells a register.
pub fn home_node_associativity(m: &mut Machine, _: Caller, [flags, id, ..]: [u64; 9]) -> Outcome {
    const BY_VCPU_ID: u64 = 1;
    const REGISTERS: usize = 6;
    if flags != BY_VCPU_ID {
        return H::Function.into();
    }
    let Some(cpu) = m.cpu_of_register(id) else { return H::P2.into() };
    let mut cells = m.associativity(cpu);
    cells.resize(2 * REGISTERS, u32::MAX);
    let regs: Vec<u64> = cells.chunks_exact(2).map(|pair| u64::from(pair[0]) << 32 | u64::from(pair[1])).collect();
    Outcome::values(&regs)
}

/// H_RANDOM → eight random bytes.
pub fn random(m: &mut Machine, _: Caller, _: [u64; 9]) -> Outcome {
    if !m.spec.rng {
        return H::Function.into();
    }
    let mut bytes = [0; 8];
    match m.random_bytes(&mut bytes) {
        Ok(()) => Outcome::values(&[u64::from_ne_bytes(bytes)]),
        Err(_) => H::Hardware.into(),
    }
}

/// H_SIGNAL_SYS_RESET: vcpu id, −1 all, −2 all others.
pub fn signal_sys_reset(m: &mut Machine, _: Caller, [target, ..]: [u64; 9]) -> Outcome {
    let who = match target as i64 {
        -1 => Some(Who::All),
        -2 => Some(Who::Others),
        _ => m.cpu_of_register(target).map(Who::One),
    };
    who.map_or(H::Parameter.into(), |who| Outcome::OnVcpus { who, change: Change::SystemReset, status: H::Success })
}
