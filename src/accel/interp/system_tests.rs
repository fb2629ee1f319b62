//! System instructions on a vCPU alone: what the guest finds in its registers afterwards.

use super::*;
use crate::accel::Parts;
use crate::accel::Vcpu;
use crate::accel::interp::Interp;
use crate::accel::interp::function;
use crate::clock::VirtualClock;
use crate::cpu::CpuState;
use crate::cpu::SlbEntry;
use crate::isa::cpu_model::by_name;
use crate::isa::decode::decode;
use crate::isa::regs::SRR1_ILLEGAL;
use crate::memory::GuestMemory;
use crate::mmu::partition::Partition;
use crate::mmu::slb::SLB_V;
use crate::signal::DOORBELL;
use crate::signal::Signals;
use crate::units::CpuIndex;
use crate::units::Ra;
use crate::units::VcpuId;
use std::sync::Arc;

/// A vCPU of `model`, id 4, with a sibling of id 5, as the platform starts it: 64-bit, AMOR open.
pub(in crate::accel::interp) fn core(model: &str) -> Core {
    let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
    let signals = Arc::new(Signals::default());
    let others = vec![(VcpuId(4), signals.clone()), (VcpuId(5), Arc::new(Signals::default()))];
    let mut c = Core::new(Parts {
        model: by_name(model).unwrap(),
        index: CpuIndex(0),
        id: VcpuId(4),
        partition: Arc::new(Partition::new(memory)),
        signals,
        clock: Arc::new(VirtualClock::default()),
        others: Arc::new(others),
    });
    c.msr = Msr(Msr::SF | Msr::ME);
    c.spr[spr::AMOR] = u64::MAX;
    (c.cia, c.nip) = (0x1000, 0x1004);
    c.recontext();
    c
}

/// Runs one instruction word, without the checks that decoding makes.
pub(in crate::accel::interp) fn step(c: &mut Core, word: u32) -> Step {
    let insn = Insn(u64::from(word));
    let row = decode(insn).unwrap_or_else(|| panic!("{word:08x} has no row"));
    function(row).unwrap()(c, insn)
}

/// The interrupt that `word` raises: vector and SRR1 bits.
pub(in crate::accel::interp) fn raised(c: &mut Core, word: u32) -> (Vector, u64) {
    assert_eq!(step(c, word), Err(Trap::Interrupt), "{word:08x}");
    let i = c.interrupt.take().unwrap();
    (i.vector, i.srr1)
}

const SC: u32 = 0x4400_0002;
const SC_1: u32 = 0x4400_0022;
const SCV_5: u32 = 0x4400_00a1;
const RFID: u32 = 0x4c00_0024;
const RFSCV: u32 = 0x4c00_00a4;
const MTMSR_3: u32 = 0x7c60_0124;
const MTMSRD_3: u32 = 0x7c60_0164;
const MTMSRD_3_1: u32 = 0x7c61_0164;

#[test]
fn sc_calls_the_system_or_the_hypervisor() {
    let mut c = core("power9_v2.2");
    assert_eq!(raised(&mut c, SC), (Vector::SystemCall, 0));
    c.gpr[3..13].copy_from_slice(&[0xf00, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(step(&mut c, SC_1), Err(Trap::Exit));
    assert_eq!(c.exiting.take(), Some(Exit::Hcall { number: 0xf00, args: [4, 5, 6, 7, 8, 9, 10, 11, 12] }));
    assert_eq!(c.nip, 0x1004);
    c.msr.0 |= Msr::PR;
    assert_eq!(step(&mut c, SC_1), Err(Trap::Exit));
    assert_eq!(c.exiting.take(), Some(Exit::HcallFromProblemState));
    assert_eq!(raised(&mut c, 0x4400_0042), (Vector::Program, SRR1_ILLEGAL));
}

#[test]
fn scv_needs_its_facility_and_rfscv_returns() {
    let mut c = core("power9_v2.2");
    assert_eq!(raised(&mut c, SCV_5), (Vector::FacilityUnavailable, 0));
    assert_eq!(c.spr[spr::FSCR], 12 << 56);
    c.spr[spr::FSCR] |= Fscr::SCV;
    c.msr = Msr(Msr::SF | Msr::ME | Msr::EE | Msr::PR | Msr::IR | Msr::DR | Msr::LE);
    let before = c.msr;
    step(&mut c, SCV_5).unwrap();
    assert_eq!((c.nip, c.lr, c.ctr), (0x1_70a0, 0x1004, before.0));
    assert!(!c.msr.has(Msr::PR) && c.msr.has(Msr::EE));
    step(&mut c, RFSCV).unwrap();
    assert_eq!((c.nip, c.msr), (0x1004, before));
    assert!(c.little_endian);
}

#[test]
fn the_msr_takes_what_each_instruction_may_give_it() {
    let mut c = core("power8_v2.0");
    for (word, from, to, want) in [
        // mtmsrd: all but HV, ME, LE and transactional state.
        (MTMSRD_3, Msr::SF | Msr::ME, !Msr::PR, Msr::SF | Msr::VEC | Msr::VSX | 0xff36 & !Msr::PR | Msr::ME),
        (MTMSRD_3, Msr::SF | Msr::ME | Msr::LE, 0, Msr::ME | Msr::LE),
        // mtmsr: only the low word.
        (MTMSR_3, Msr::SF | Msr::ME, Msr::VEC | Msr::RI, Msr::SF | Msr::ME | Msr::VEC | Msr::RI),
        // L 1: only EE and RI.
        (MTMSRD_3_1, Msr::SF | Msr::ME | Msr::FP, Msr::EE | Msr::RI | Msr::VEC, Msr::SF | Msr::ME | Msr::FP | Msr::EE | Msr::RI),
        // Problem state runs relocated and interruptible.
        (MTMSRD_3, Msr::SF, Msr::SF | Msr::PR, Msr::SF | Msr::PR | Msr::EE | Msr::IR | Msr::DR),
    ] {
        c.msr = Msr(from);
        c.gpr[3] = to;
        step(&mut c, word).unwrap();
        assert_eq!(c.msr, Msr(want), "{word:08x} {to:#x}");
    }
    assert_eq!(c.ea_mask, u64::MAX);
}

#[test]
fn rfid_restores_byte_order_and_width_but_not_hypervisor_state() {
    let mut c = core("power8_v2.0");
    c.spr[spr::SRR0] = 0x1_0000_2003;
    c.spr[spr::SRR1] = Msr::HV | Msr::LE | Msr::TM | Msr::PR;
    step(&mut c, RFID).unwrap();
    assert_eq!(c.msr, Msr(Msr::LE | Msr::PR | Msr::EE | Msr::IR | Msr::DR | Msr::ME));
    assert_eq!((c.nip, c.ea_mask, c.little_endian), (0x2000, 0xffff_ffff, true));
    let mut old = core("970_v2.2");
    old.spr[spr::SRR1] = Msr::SF | Msr::LE | Msr::VSX | Msr::VEC;
    step(&mut old, RFID).unwrap();
    assert_eq!(old.msr, Msr(Msr::SF | Msr::VEC | Msr::ME));
}

#[test]
fn what_is_never_there_says_so() {
    let mut c = core("power9_v2.2");
    assert_eq!(raised(&mut c, 0x7c00_051d), (Vector::FacilityUnavailable, 0)); // tbegin.
    assert_eq!(c.spr[spr::FSCR] >> 56, Fscr::IC_TM);
    assert_eq!(raised(&mut core("power10_v2.0"), 0x7c00_051d), (Vector::Program, SRR1_ILLEGAL));
    c.gpr[3] = 1;
    step(&mut c, 0x7c60_025c).unwrap(); // mfbhrbe r3, 0
    assert_eq!(c.gpr[3], 0);
    c.msr.0 |= Msr::PR;
    assert_eq!(raised(&mut c, 0x7c00_035c), (Vector::FacilityUnavailable, 0)); // clrbhrb
    assert_eq!(c.spr[spr::FSCR] >> 56, Fscr::IC_BHRB);
}

#[test]
fn segments_are_written_read_found_and_forgotten() {
    let mut c = core("power8_v2.0");
    (c.gpr[3], c.gpr[4]) = (0x1234_5000 | 0x110, 0xc000_0000_0000_0000 | SLB_V | 3);
    step(&mut c, 0x7c60_2324).unwrap(); // slbmte r3, r4
    assert_eq!(c.slb[3], SlbEntry { esid: 0xc000_0000_0800_0000, vsid: 0x1234_5110 });
    c.gpr[5] = 3;
    step(&mut c, 0x7cc0_2f26).unwrap(); // slbmfee r6, r5
    step(&mut c, 0x7ce0_2ea6).unwrap(); // slbmfev r7, r5
    assert_eq!((c.gpr[6], c.gpr[7]), (0xc000_0000_0800_0000, 0x1234_5110));
    c.gpr[5] = 0xc000_0000_0000_1234;
    step(&mut c, 0x7cc0_2fa7).unwrap(); // slbfee. r6, r5
    assert_eq!((c.gpr[6], c.cr.field(0)), (0x1234_5110, EQ_BIT));
    step(&mut c, 0x7c00_2b64).unwrap(); // slbie r5
    step(&mut c, 0x7cc0_2fa7).unwrap();
    assert_eq!((c.gpr[6], c.cr.field(0), c.slb[3].esid & SLB_V), (0, 0, 0));
    c.gpr[4] |= 0xfff;
    assert_eq!(raised(&mut c, 0x7c60_2324), (Vector::Program, SRR1_ILLEGAL));
}
const EQ_BIT: u8 = crate::cpu::state::EQ;

#[test]
fn slbia_spares_the_first_entry_and_obeys_ih_from_isa_3_0() {
    for (model, word, left) in [
        ("power8_v2.0", 0x7c00_03e4, vec![0]),
        ("power8_v2.0", 0x7ce0_03e4, vec![0]),
        ("power9_v2.2", 0x7c60_03e4, vec![0, 2]),
        ("power9_v2.2", 0x7c80_03e4, vec![]),
        ("power9_v2.2", 0x7ce0_03e4, vec![0, 1, 2]),
    ] {
        let mut c = core(model);
        for (n, class) in [(0, 0), (1, 0x80), (2, 0)] {
            c.slb[n] = SlbEntry { esid: ((n as u64) << 28) | SLB_V, vsid: class };
        }
        step(&mut c, word).unwrap();
        let valid: Vec<_> = (0..64).filter(|n| c.slb[*n].esid & SLB_V != 0).collect();
        assert_eq!(valid, left, "{model} {word:08x}");
    }
}

#[test]
fn tlbie_is_the_partitions_only_when_lpcr_says_so() {
    use crate::isa::regs::Lpcr;
    const TLBIE: u32 = 0x7c80_1a64;
    assert_eq!(raised(&mut core("power8_v2.0"), TLBIE), (Vector::Program, SRR1_ILLEGAL));
    let mut c = core("power9_v2.2");
    assert_eq!(raised(&mut c, TLBIE), (Vector::Program, SRR1_ILLEGAL));
    c.spr[spr::LPCR] |= Lpcr::GTSE;
    let context = c.tlb.data;
    step(&mut c, TLBIE).unwrap();
    step(&mut c, 0x7c00_046c).unwrap(); // tlbsync
    assert_ne!(c.tlb.data, context);
    let context = c.tlb.data;
    step(&mut c, 0x7c80_1a24).unwrap(); // tlbiel
    assert_ne!(c.tlb.data, context);
}

#[test]
fn doorbells_ring_at_siblings() {
    let mut c = core("power9_v2.2");
    let sibling = c.others[1].1.clone();
    c.gpr[3] = (5 << 27) | 1;
    step(&mut c, 0x7c00_191c).unwrap(); // msgsndp r3
    assert_eq!((sibling.pending(), c.signals.pending()), (DOORBELL, 0));
    c.gpr[3] = 5 << 27;
    step(&mut c, 0x7c00_191c).unwrap();
    assert_eq!(c.signals.pending(), DOORBELL);
    step(&mut c, 0x7c00_195c).unwrap(); // msgclrp r3
    assert_eq!(c.signals.pending(), 0);
    c.gpr[3] = 1;
    step(&mut c, 0x7c00_191c).unwrap();
    assert_eq!(c.signals.pending(), 0);
}

/// Runs `code` on vCPUs of one machine, each on a thread of its own, from address 0x1000 with MSR `msr`, until each leaves guest code.
fn run(cpus: u32, code: &[u32], msr: u64, prepare: impl Fn(&mut CpuState)) -> Vec<(Exit, CpuState)> {
    let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
    for (k, word) in code.iter().enumerate() {
        memory.write_u32(Ra(0x1000 + 4 * k as u64), *word).unwrap();
    }
    // Every handler makes an hcall, so that its interrupt is an exit.
    (0..0x1000).step_by(0x20).for_each(|at| memory.write_u32(Ra(at), SC_1).unwrap());
    let partition = Arc::new(Partition::new(memory));
    let all: Arc<Vec<_>> = Arc::new((0..cpus).map(|n| (VcpuId(n), Arc::new(Signals::default()))).collect());
    let clock = Arc::new(VirtualClock::default());
    clock.start();
    let vcpus: Vec<_> = (0..cpus)
        .map(|n| {
            let mut v = Interp::new(Parts {
                model: by_name("power9_v2.2").unwrap(),
                index: CpuIndex(n),
                id: VcpuId(n),
                partition: partition.clone(),
                signals: all[n as usize].1.clone(),
                clock: clock.clone(),
                others: all.clone(),
            });
            let s = v.state_mut();
            (s.nip, s.msr) = (0x1000, Msr(msr));
            prepare(s);
            v
        })
        .collect();
    let threads: Vec<_> = vcpus.into_iter().map(|mut v| std::thread::spawn(move || (v.run(None).unwrap(), v.state().clone()))).collect();
    threads.into_iter().map(|t| t.join().unwrap()).collect()
}

#[test]
fn a_negative_decrementer_interrupts_as_soon_as_ee_is_on() {
    // li r3,-1; mtdec r3; li r3,0; ori r3,r3,0x8000; mtmsrd r3,1; b .
    let code = [0x3860_ffff, 0x7c76_03a6, 0x3860_0000, 0x6063_8000, 0x7c61_0164, 0x4800_0000];
    let (exit, s) = run(1, &code, Msr::SF | Msr::ME, |_| ()).remove(0);
    assert!(matches!(exit, Exit::Hcall { .. }));
    assert_eq!((s.nip, s.spr[spr::SRR0]), (0x904, 0x1014));
    assert!(!s.msr.has(Msr::EE));
}

#[test]
fn problem_state_runs_relocated() {
    // rfid to the mfmsr r3 behind it, in problem state.
    let (exit, s) = run(1, &[RFID, 0x7c60_00a6], Msr::SF | Msr::ME, |s| {
        s.spr[spr::SRR0] = 0x1004;
        s.spr[spr::SRR1] = Msr::SF | Msr::PR;
        s.dec_expiry = 1 << 60;
    })
    .remove(0);
    // Relocation is on in problem state, and there is no SLB entry.
    assert!(matches!(exit, Exit::Hcall { .. }));
    assert_eq!((s.nip, s.spr[spr::SRR0]), (0x484, 0x1004));
}

#[test]
fn shootdowns_by_several_cpus_do_not_wait_for_each_other() {
    // li r3,2000; mtctr r3; 1: tlbie r3,r4,0,0,1; tlbsync; bdnz 1b; sc 1
    let code = [0x3860_07d0, 0x7c69_03a6, 0x7c81_1a64, 0x7c00_046c, 0x4200_fff8, SC_1];
    for (exit, s) in run(3, &code, Msr::SF | Msr::ME, |s| s.spr[spr::LPCR] = crate::isa::regs::Lpcr::GTSE) {
        assert!(matches!(exit, Exit::Hcall { .. }));
        assert_eq!((s.nip, s.ctr), (0x1018, 0));
    }
}
