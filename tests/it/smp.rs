//! Several vCPUs on threads of their own over one memory: what the architecture promises to parallel programs.

use crate::embedded::accelerators;
use spapr::accel::AccelKind;
use spapr::accel::Parts;
use spapr::isa::cpu_model;
use spapr::isa::regs::Msr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::CpuIndex;
use spapr::units::Ra;
use spapr::units::VcpuId;
use std::sync::Arc;
use std::sync::Barrier;
use std::time::Duration;
use std::time::Instant;

const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x10_0000;
/// `b .`: where every program ends.
const STOP: u32 = 0x4800_0000;

/// How long a program may take on the busiest host; instructions would be no measure, since most of them wait for another vCPU.
const PATIENCE: Duration = Duration::from_secs(120);

struct Smp {
    kind: AccelKind,
    memory: Arc<GuestMemory>,
    partition: Arc<Partition>,
}

impl Smp {
    fn new(kind: AccelKind) -> Smp {
        let memory = Arc::new(GuestMemory::new(64 << 20).unwrap());
        Smp { kind, partition: Arc::new(Partition::new(memory.clone())), memory }
    }

    fn program(&self, at: u64, words: &[u32]) {
        words.iter().enumerate().for_each(|(k, w)| self.memory.write_u32(Ra(at + 4 * k as u64), *w).unwrap());
    }

    /// One for each accelerator that this host has.
    fn each() -> impl Iterator<Item = Smp> {
        accelerators().map(Smp::new)
    }

    /// Runs one vCPU per set of registers, all beginning at once, until each reaches its `b .`.
    fn run(&self, starts: Vec<(u64, Vec<(usize, u64)>, u64)>) {
        let barrier = Arc::new(Barrier::new(starts.len()));
        let threads: Vec<_> = starts
            .into_iter()
            .enumerate()
            .map(|(k, (at, registers, count))| {
                let parts = Parts::lone(cpu_model::by_name("power9_v2.2").unwrap(), self.partition.clone());
                let mut vcpu = self
                    .kind
                    .create(Parts { index: CpuIndex(k as u32), id: VcpuId(k as u32), ..parts }, spapr::accel::Fp::default())
                    .unwrap();
                let s = vcpu.state_mut();
                s.msr = Msr(Msr::SF);
                (s.nip, s.ctr, s.dec_expiry) = (at, count, i64::MAX as u64);
                registers.into_iter().for_each(|(n, v)| s.gpr[n] = v);
                let (memory, barrier) = (self.memory.clone(), barrier.clone());
                std::thread::spawn(move || {
                    barrier.wait();
                    let begin = Instant::now();
                    while memory.read_u32(Ra(vcpu.state().nip)) != Ok(STOP) {
                        vcpu.run(Some(100_000)).unwrap();
                        assert!(begin.elapsed() < PATIENCE, "the program does not end");
                        // On a busy host the vCPU that this one waits for may have no processor.
                        std::thread::yield_now();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
    }
}

#[test]
fn no_increment_is_lost_between_reservations() {
    Smp::each().for_each(|smp| no_increment_is_lost_between_reservations_on(&smp));
}

fn no_increment_is_lost_between_reservations_on(smp: &Smp) {
    const EACH: u64 = 50_000;
    // lwarx r3,0,r9; addi r3,r3,1; stwcx. r3,0,r9; bne -12; bdnz -16; b .
    smp.program(CODE, &[0x7c60_4828, 0x3863_0001, 0x7c60_492d, 0x4082_fff4, 0x4200_fff0, STOP]);
    // ldarx; addi; stdcx.; bne -12; bdnz -16; b .
    smp.program(CODE + 0x100, &[0x7c60_48a8, 0x3863_0001, 0x7c60_49ad, 0x4082_fff4, 0x4200_fff0, STOP]);
    let word = |_| (CODE, vec![(9, DATA)], EACH);
    let double = |_| (CODE + 0x100, vec![(9, DATA + 8)], EACH);
    smp.run((0..2).map(word).chain((0..2).map(double)).collect());
    assert_eq!(smp.memory.read_u32(Ra(DATA)), Ok(2 * EACH as u32));
    assert_eq!(smp.memory.read_u64(Ra(DATA + 8)), Ok(2 * EACH));
}

#[test]
fn sync_orders_a_store_before_a_later_load() {
    Smp::each().for_each(|smp| sync_orders_a_store_before_a_later_load_on(&smp));
}

fn sync_orders_a_store_before_a_later_load_on(smp: &Smp) {
    const CELLS: u64 = 100_000;
    // stw r4,0(r9); sync; lwz r5,0(r10); stw r5,0(r11); step r9, r10 by 64 and r11 by 4; bdnz; b .
    let words = [0x9089_0000, 0x7c00_04ac, 0x80aa_0000, 0x90ab_0000, 0x3929_0040, 0x394a_0040, 0x396b_0004, 0x4200_ffe4, STOP];
    smp.program(CODE, &words);
    let (x, y) = (DATA, DATA + CELLS * 64);
    let (out0, out1) = (y + CELLS * 64, y + CELLS * 68);
    let start = |mine, theirs, out| (CODE, vec![(4, 1), (9, mine), (10, theirs), (11, out)], CELLS);
    smp.run(vec![start(x, y, out0), start(y, x, out1)]);
    let read = |out: u64, k: u64| smp.memory.read_u32(Ra(out + 4 * k)).unwrap();
    let both_missed = (0..CELLS).filter(|k| read(out0, *k) == 0 && read(out1, *k) == 0).count();
    assert_eq!(both_missed, 0, "both vCPUs passed a sync and neither saw the other's store");
}

#[test]
fn code_written_by_another_vcpu_is_executed_as_written() {
    Smp::each().for_each(|smp| code_written_by_another_vcpu_is_executed_as_written_on(&smp));
}

fn code_written_by_another_vcpu_is_executed_as_written_on(smp: &Smp) {
    const ROUNDS: u64 = 2_000;
    // The executor: calls the patched routine and adds its result, ROUNDS times, telling the patcher each time.
    //   loop: lwz r6,0(r9); cmpw r6,r7; bne loop; isync; bl routine; stw r3,4(r9)…
    // The patcher writes `li r3,round` into the routine, then raises the turn; it waits for the answer before the next round.
    let (routine, flag) = (CODE + 0x1000, DATA);
    let executor = [
        0x80c9_0000,                                                        // lwz r6,0(r9)
        0x7c06_3800,                                                        // cmpw r6,r7
        0x4082_fff8,                                                        // bne -8
        0x4c00_012c,                                                        // isync
        0x4800_0000 | (((routine - (CODE + 16)) as u32) & 0x03ff_fffc) | 1, // bl routine
        0x7c03_3800,                                                        // cmpw r3,r7
        0x4182_0008,                                                        // beq +8
        0x3908_0001,                                                        // addi r8,r8,1: a stale routine
        0x38e7_0001,                                                        // addi r7,r7,1
        0x9069_0040,                                                        // stw r3,64(r9)
        0x4200_ffd8,                                                        // bdnz -40
        0x9109_0080,                                                        // stw r8,128(r9)
        STOP,
    ];
    let patcher = [
        0x7ca8_3b78, // or r8,r5,r7: the new instruction, li r3,r7
        0x910a_0000, // stw r8,0(r10)
        0x7c00_04ac, // sync
        0x7c00_57ac, // icbi 0,r10
        0x7c00_04ac, // sync
        0x90e9_0000, // stw r7,0(r9)
        0x80c9_0040, // lwz r6,64(r9)
        0x7c06_3800, // cmpw r6,r7
        0x4082_fff8, // bne -8
        0x38e7_0001, // addi r7,r7,1
        0x4200_ffd8, // bdnz -40
        STOP,
    ];
    smp.program(CODE, &executor);
    smp.program(CODE + 0x2000, &patcher);
    smp.program(routine, &[0x3860_0000, 0x4e80_0020]);
    smp.run(vec![
        (CODE, vec![(7, 1), (8, 0), (9, flag)], ROUNDS),
        (CODE + 0x2000, vec![(5, 0x3860_0000), (7, 1), (9, flag), (10, routine)], ROUNDS),
    ]);
    assert_eq!(smp.memory.read_u32(Ra(flag + 64)), Ok(ROUNDS as u32));
    assert_eq!(smp.memory.read_u32(Ra(flag + 128)), Ok(0), "stale code was executed");
}
