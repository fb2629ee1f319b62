//! A few random instructions on random registers: no panic, and the budget holds whatever interrupts follow from them.

use super::input::Input;
use spapr::accel::Exit;
use spapr::accel::Parts;
use spapr::accel::Reply;
use spapr::accel::Vcpu;
use spapr::accel::interp::Interp;
use spapr::cpu::state::Cr;
use spapr::cpu::state::SlbEntry;
use spapr::cpu::state::Vsr;
use spapr::cpu::state::Xer;
use spapr::isa::cpu_model;
use spapr::isa::regs::Fpscr;
use spapr::isa::regs::Lpcr;
use spapr::isa::regs::Msr;
use spapr::isa::spr;
use spapr::isa::table::rows;
use spapr::memory::GuestMemory;
use spapr::mmu::hpt::Hpt;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::sync::Arc;

const RAM: u64 = 1 << 20;
const CODE: u64 = 0x1_0000;
/// Most instructions of an input.
const BUDGET: u64 = 64;
const MODELS: [&str; 3] = ["power8_v2.0", "power9_v2.2", "power10_v2.0"];
/// The MSR bits that a partition can set.
const MSR: u64 = Msr::SF
    | Msr::EE
    | Msr::PR
    | Msr::FP
    | Msr::ME
    | Msr::FE0
    | Msr::FE1
    | Msr::SE
    | Msr::BE
    | Msr::IR
    | Msr::DR
    | Msr::RI
    | Msr::LE
    | Msr::VEC
    | Msr::VSX;

fn cpu(input: &mut Input<'_>) -> Interp {
    let memory = Arc::new(GuestMemory::new(RAM).expect("1 MiB"));
    let partition = Arc::new(Partition::new(memory));
    let kind = input.u8();
    if kind & 0x10 != 0 {
        partition.set_hpt(Some(Arc::new(Hpt::new(spapr::mmu::hpt::SHIFT_MIN).expect("256 KiB"))));
    } else if kind & 0x20 != 0 {
        partition.set_process_table(input.number());
    }
    Interp::new(Parts::lone(cpu_model::by_name(MODELS[usize::from(kind & 15) % MODELS.len()]).expect("a model"), partition))
}

/// Registers and memory, then code that runs for a budget.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut vcpu = cpu(&mut input);
    let code = usize::from(input.u8() & 15) + 1;
    let words: Vec<u32> = (0..code).flat_map(|_| image(&mut input)).collect();
    state(&mut vcpu, &mut input);
    let memory = vcpu.core().partition.memory.clone();
    let little = vcpu.state().msr.has(Msr::LE);
    for (k, w) in words.iter().enumerate() {
        let w = if little { w.swap_bytes() } else { *w };
        memory.write_u32(Ra(CODE + 4 * k as u64), w).expect("code lies in RAM");
    }
    memory.write(Ra(0x8000), input.bytes(256)).expect("data lie in RAM");
    follow(&mut vcpu, &mut input);
}

/// Runs, and answers exits, until the budget is used up.
fn follow(vcpu: &mut Interp, input: &mut Input<'_>) {
    for _ in 0..=2 * BUDGET {
        let done = vcpu.instructions();
        if done >= BUDGET {
            break;
        }
        let reply = match vcpu.run(Some(BUDGET - done)).expect("the interpreter does not fail") {
            Exit::Hcall { .. } | Exit::HcallFromProblemState => Reply::Hcall { status: -2, out: [0; 8], count: input.below(9) },
            Exit::MmioRead { .. } => Reply::Loaded(input.u64()),
            Exit::MmioWrite { .. } => Reply::Stored,
            Exit::Halted | Exit::SystemReset => Reply::Nothing,
            Exit::Budget => break,
            Exit::Kicked | Exit::Breakpoint | Exit::Watchpoint { .. } => panic!("nobody kicks, and nothing stops"),
        };
        vcpu.complete(reply);
    }
    assert!(vcpu.instructions() <= BUDGET, "{} instructions were executed of {BUDGET}", vcpu.instructions());
    let s = vcpu.state();
    assert_eq!(Cr::unpack(s.cr.pack()), s.cr, "a bit of CR is neither 0 nor 1");
    assert!([s.xer.so, s.xer.ov, s.xer.ca, s.xer.ov32, s.xer.ca32].iter().all(|f| *f < 2), "{:?}", s.xer);
}

/// A word, a pair, or a row of the table with random operands.
fn image(input: &mut Input<'_>) -> Vec<u32> {
    let row = rows().nth(usize::from(input.u16()) % rows().count());
    let bits = input.u64();
    match row {
        Some(r) if r.is_prefixed() => {
            let v = r.value | (bits & !r.mask);
            vec![(v >> 32) as u32, v as u32]
        }
        Some(r) => vec![r.value as u32 | (bits as u32 & !r.mask as u32)],
        None => vec![bits as u32],
    }
}

/// Registers from the input; addresses are likely to hit RAM.
fn state(vcpu: &mut Interp, input: &mut Input<'_>) {
    let s = vcpu.state_mut();
    let msr = input.u64() & MSR;
    // Mostly in real mode: with translation on nearly every fetch ends in an interrupt.
    s.msr = Msr(if input.u8() & 3 != 0 { msr & !(Msr::IR | Msr::DR) | Msr::SF } else { msr });
    s.nip = CODE;
    s.spr[spr::LPCR] = input.u64() & (Lpcr::LD | Lpcr::UPRT | Lpcr::HR | Lpcr::AIL0 | Lpcr::AIL1 | Lpcr::ILE);
    s.spr[spr::FSCR] = input.u64();
    s.spr[spr::PCR] = u64::from(input.u8() & 0x3e);
    for k in 0..32 {
        s.gpr[k] = if k & 1 == 0 { input.number() } else { u64::from(input.u16()) << (input.u8() & 7) };
    }
    for k in 0..64 {
        s.vsr[k] = Vsr([s.gpr[k & 31].wrapping_mul(0x9e37_79b9_7f4a_7c15), s.gpr[(k + 1) & 31]]);
    }
    (s.lr, s.ctr, s.fpscr, s.vscr) = (input.number(), input.number(), Fpscr(input.u64()), input.u32() & 0x1_0001);
    (s.cr, s.xer) = (Cr::unpack(input.u32()), Xer::unpack(input.u64()));
    s.dec_expiry = input.number();
    for k in 0..4 {
        s.slb[k] = SlbEntry { esid: input.u64(), vsid: input.u64() };
    }
}

/// A straight run of adds, and every chapter's first rows.
pub fn seeds() -> Vec<Vec<u8>> {
    (0..rows().count())
        .map(|k| [vec![2, 0], (k as u16).to_be_bytes().to_vec(), vec![0x5a; 8], vec![0xff; 9], vec![0x11; 900]].concat())
        .collect()
}
