//! Cases as one static program for QEMU's user mode, written byte by byte: no compiler is needed.
//!
//! Each case has a slot of code that loads all registers from the case's block, runs the case, stores all registers to the block and writes the block to
//! standard output. If the emulator dies of a signal, the number of blocks written tells which case did it; the rest runs in another process.

use crate::differential::cases::Case;
use crate::differential::state;
use crate::differential::state::Outcome;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

const TEXT: u64 = 0x10_0000;
const DATA: u64 = 0x80_0000;
/// Bytes of code for each case, and where in them the case's instructions begin.
const SLOT: u64 = 2048;
const BEGIN: u64 = 512;
/// Cases in one program.
pub const CASES_MAX: usize = 750;

/// Address of the first instruction of the case in `slot`.
pub fn code_at(slot: usize) -> u64 {
    TEXT + slot as u64 * SLOT + BEGIN
}

/// Address of the block of the case in `slot`.
pub fn block_at(slot: usize) -> u64 {
    DATA + (slot * state::BLOCK) as u64
}

pub const NOP: u32 = 0x6000_0000;

fn d(op: u32, rt: u32, ra: u32, imm: u32) -> u32 {
    (op << 26) | (rt << 21) | (ra << 16) | (imm & 0xffff)
}
/// lis and ori: a 31-bit constant.
pub fn constant(rt: u32, v: u64) -> [u32; 2] {
    [d(15, rt, 0, (v >> 16) as u32), d(24, rt, rt, v as u32)]
}
pub fn addi(rt: u32, ra: u32, imm: u32) -> u32 {
    d(14, rt, ra, imm)
}
fn ld(rt: u32, at: usize) -> u32 {
    d(58, rt, 1, at as u32)
}
fn std(rs: u32, at: usize) -> u32 {
    d(62, rs, 1, at as u32)
}
/// lxv and stxv of any VSR; DQ form, TX in bit 28.
fn vector(store: u32, n: u32, at: usize) -> u32 {
    d(61, n & 31, 1, at as u32) | ((n >> 5) << 3) | if store != 0 { 5 } else { 1 }
}
const fn mtspr(n: u32, r: u32) -> u32 {
    0x7c00_03a6 | (r << 21) | ((n & 31) << 16) | ((n >> 5) << 11)
}
const fn mfspr(n: u32, r: u32) -> u32 {
    0x7c00_02a6 | (r << 21) | ((n & 31) << 16) | ((n >> 5) << 11)
}
const XER: u32 = 1;
const LR: u32 = 8;
const CTR: u32 = 9;
const TAR: u32 = 815;
const SC: u32 = 0x4400_0002;

/// Loads every register from the block at `block`.
fn prologue(block: u64) -> Vec<u32> {
    let mut w = constant(1, block).to_vec();
    w.extend([d(50, 0, 1, state::FPSCR as u32), 0xfffe_058e]); // lfd f0; mtfsf 255,f0,1,0
    w.extend([vector(0, 32, state::VSCR), 0x1000_0644]); // lxv vs32; mtvscr v0
    w.extend((0..64).map(|n| vector(0, n, state::VSR + 16 * n as usize)));
    w.push(0x7c00_092d); // stwcx. r0,0,r1: no reservation is left
    w.extend([ld(0, state::XER), mtspr(XER, 0), ld(0, state::LR), mtspr(LR, 0), ld(0, state::CTR), mtspr(CTR, 0)]);
    w.extend([ld(0, state::CR), 0x7c0f_f120]); // mtcrf 255,r0
    w.extend((0..32).filter(|n| *n != 1).map(|n| ld(n, 8 * n as usize)));
    w.push(ld(1, 8));
    assert!(w.len() as u64 * 4 <= BEGIN, "the prologue is too long");
    w.resize(BEGIN as usize / 4, NOP);
    w
}

/// Stores every register to the block and writes it out.
fn epilogue(block: u64) -> Vec<u32> {
    let mut w = vec![mtspr(TAR, 1)];
    w.extend(constant(1, block));
    w.extend((0..32).filter(|n| *n != 1).map(|n| std(n, 8 * n as usize)));
    w.extend([mfspr(TAR, 0), std(0, 8)]);
    w.extend((0..64).map(|n| vector(1, n, state::VSR + 16 * n as usize)));
    w.extend([0x7c00_0026, std(0, state::CR)]); // mfcr r0
    w.extend([mfspr(XER, 0), std(0, state::XER), mfspr(LR, 0), std(0, state::LR), mfspr(CTR, 0), std(0, state::CTR)]);
    w.extend([0xfc00_048e, d(54, 0, 1, state::FPSCR as u32)]); // mffs f0; stfd f0
    w.extend([0x1000_0604, vector(1, 32, state::VSCR)]); // mfvscr v0; stxv vs32
    w.extend([addi(0, 0, 4), addi(3, 0, 1), d(24, 1, 4, 0), addi(5, 0, state::BLOCK as u32), SC]); // write(1, r1, BLOCK)
    w
}

/// The program of some cases, which lie in ascending slots.
fn elf(cases: &[Case]) -> Vec<u8> {
    let last = cases.last().map_or(0, |c| c.slot) + 1;
    let mut text = vec![NOP; last * SLOT as usize / 4];
    let mut data = vec![0u8; last * state::BLOCK];
    let first = cases[0].slot;
    for (k, case) in cases.iter().enumerate() {
        let mut w = prologue(block_at(case.slot));
        w.extend(case.words());
        w.extend(epilogue(block_at(case.slot)));
        if k + 1 == cases.len() {
            w.extend([addi(0, 0, 1), addi(3, 0, 0), SC]); // exit(0)
        }
        let room = SLOT as usize / 4;
        assert!(w.len() <= room, "a case is too long for its slot");
        text[case.slot * room..case.slot * room + w.len()].copy_from_slice(&w);
        data[case.slot * state::BLOCK..(case.slot + 1) * state::BLOCK].copy_from_slice(&case.block);
    }
    let text: Vec<u8> = text.iter().flat_map(|w| w.to_le_bytes()).collect();
    let (text_from, data_from) = (0x1000u64, 0x1000 + (text.len() as u64).next_multiple_of(0x1_0000));
    let mut out = Vec::new();
    out.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    let halves = |out: &mut Vec<u8>, v: &[u16]| v.iter().for_each(|x| out.extend(x.to_le_bytes()));
    let words = |out: &mut Vec<u8>, v: &[u32]| v.iter().for_each(|x| out.extend(x.to_le_bytes()));
    let doubles = |out: &mut Vec<u8>, v: &[u64]| v.iter().for_each(|x| out.extend(x.to_le_bytes()));
    halves(&mut out, &[2, 21]); // ET_EXEC, EM_PPC64
    words(&mut out, &[1]);
    doubles(&mut out, &[TEXT + first as u64 * SLOT, 64, 0]);
    words(&mut out, &[2]); // ELFv2
    halves(&mut out, &[64, 56, 2, 0, 0, 0]);
    for (flags, from, at, len) in [(5, text_from, TEXT, text.len() as u64), (6, data_from, DATA, data.len() as u64)] {
        words(&mut out, &[1, flags]); // PT_LOAD
        doubles(&mut out, &[from, at, at, len, len, 0x1000]);
    }
    out.resize(text_from as usize, 0);
    out.extend(text);
    out.resize(data_from as usize, 0);
    out.extend(data);
    out
}

/// Runs all cases under `qemu`.
pub fn run(qemu: &str, cases: &[Case]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    while outcomes.len() < cases.len() {
        let rest = &cases[outcomes.len()..];
        let (blocks, how) = once(qemu, rest);
        let before = outcomes.len();
        outcomes.extend(blocks.chunks_exact(state::BLOCK).take(rest.len()).map(|b| Outcome::Done(b.to_vec())));
        if outcomes.len() < cases.len() {
            assert!(how.is_some(), "{qemu} wrote {} blocks of {} and said that all was well", outcomes.len() - before, rest.len());
            outcomes.push(Outcome::Refused(how.unwrap_or_default()));
        }
    }
    outcomes
}

/// One process: what it wrote, and how it died if it did.
fn once(qemu: &str, cases: &[Case]) -> (Vec<u8>, Option<String>) {
    // Tests of several accelerators run at once.
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let dir = std::env::temp_dir().join(format!("spapr-diff-{}-{}", std::process::id(), RUNS.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join("cases");
    let mut file = std::fs::File::create(&path).unwrap();
    file.write_all(&elf(cases)).unwrap();
    file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
    drop(file);
    let out = Command::new(qemu).args(["-cpu", "power10"]).arg(&path).current_dir(&dir).output().unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    let died = out.status.signal().map(|s| format!("signal {s}"));
    let how = died.or_else(|| out.status.code().filter(|c| *c != 0).map(|c| format!("exit status {c}")));
    (out.stdout, how)
}
