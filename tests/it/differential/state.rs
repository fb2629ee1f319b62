//! All registers and the scratch memory as one block of bytes: what a test program loads before a case and stores after it.

use spapr::cpu::CpuState;
use spapr::cpu::state::Cr;
use spapr::cpu::state::Vsr;
use spapr::cpu::state::Xer;
use spapr::isa::regs::Fpscr;
use std::fmt::Write;

/// Offsets in the block. Everything is little-endian.
pub const CR: usize = 256;
pub const XER: usize = 264;
pub const LR: usize = 272;
pub const CTR: usize = 280;
pub const FPSCR: usize = 288;
pub const VSCR: usize = 304;
pub const VSR: usize = 320;
pub const SCRATCH: usize = 1344;
/// Bytes of scratch memory.
pub const SCRATCH_LEN: usize = 512;
/// Bytes of a block, a multiple of 64.
pub const BLOCK: usize = SCRATCH + SCRATCH_LEN;

/// What a case came to.
pub enum Outcome {
    /// The block afterwards.
    Done(Vec<u8>),
    /// An interrupt or a signal, described.
    Refused(String),
}

pub fn get(b: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(b[at..at + 8].try_into().unwrap())
}

pub fn put(b: &mut [u8], at: usize, v: u64) {
    b[at..at + 8].copy_from_slice(&v.to_le_bytes());
}

/// Registers from a block.
pub fn load(s: &mut CpuState, b: &[u8]) {
    s.gpr = std::array::from_fn(|n| get(b, 8 * n));
    s.cr = Cr::unpack(get(b, CR) as u32);
    s.xer = Xer::unpack(get(b, XER));
    s.lr = get(b, LR);
    s.ctr = get(b, CTR);
    s.fpscr = Fpscr(get(b, FPSCR));
    s.vscr = get(b, VSCR) as u32;
    s.vsr = std::array::from_fn(|n| Vsr([get(b, VSR + 16 * n + 8), get(b, VSR + 16 * n)]));
}

/// A block from registers; the scratch memory is left as it is.
pub fn store(s: &CpuState, b: &mut [u8]) {
    s.gpr.iter().enumerate().for_each(|(n, v)| put(b, 8 * n, *v));
    put(b, CR, u64::from(s.cr.pack()));
    put(b, XER, s.xer.pack());
    put(b, LR, s.lr);
    put(b, CTR, s.ctr);
    put(b, FPSCR, s.fpscr.0);
    put(b, VSCR, u64::from(s.vscr));
    put(b, VSCR + 8, 0);
    for (n, v) in s.vsr.iter().enumerate() {
        put(b, VSR + 16 * n, v.0[1]);
        put(b, VSR + 16 * n + 8, v.0[0]);
    }
}

/// The name of the doubleword at `at` of a block.
fn name(at: usize) -> String {
    match at {
        0..256 => format!("r{}", at / 8),
        CR => "cr".into(),
        XER => "xer".into(),
        LR => "lr".into(),
        CTR => "ctr".into(),
        FPSCR => "fpscr".into(),
        VSCR => "vscr".into(),
        VSR..SCRATCH => format!("vs{}[{}]", (at - VSR) / 16, 1 - (at - VSR) / 8 % 2),
        SCRATCH.. => format!("mem+{}", at - SCRATCH),
        _ => "unused".into(),
    }
}

/// The registers that a disassembled instruction names: where they are in the block and how long.
fn named(shown: &str) -> Vec<(&str, usize, usize)> {
    let tokens = shown.split(|ch: char| !ch.is_alphanumeric()).skip(1);
    let place = |t: &str| -> Option<(usize, usize)> {
        let n = |p: &str| t.strip_prefix(p).and_then(|n| n.parse::<usize>().ok());
        n("vs")
            .map(|n| (VSR + 16 * n, 16))
            .or(n("v").map(|n| (VSR + 512 + 16 * n, 16)))
            .or(n("f").map(|n| (VSR + 16 * n, 16)))
            .or(n("r").map(|n| (8 * n, 8)))
    };
    let found = tokens.filter_map(|t| place(t).map(|(at, len)| (t, at, len)));
    found.chain([("cr", CR, 8), ("xer", XER, 8), ("fpscr", FPSCR, 8), ("vscr", VSCR, 8)]).collect()
}

/// What differs, and what the instruction `shown` had to work on.
pub fn report(shown: &str, before: &Outcome, ours: &Outcome, theirs: &Outcome) -> String {
    let (Outcome::Done(a), Outcome::Done(b)) = (ours, theirs) else {
        let say = |o: &Outcome| match o {
            Outcome::Done(_) => "completed".to_string(),
            Outcome::Refused(how) => how.clone(),
        };
        return format!("  ours: {}, qemu: {}\n", say(ours), say(theirs));
    };
    let mut text = String::new();
    for at in (0..BLOCK).step_by(8).filter(|at| get(a, *at) != get(b, *at)) {
        let was = if let Outcome::Done(w) = before { get(w, at) } else { 0 };
        writeln!(text, "  {:8} ours {:016x}  qemu {:016x}  before {was:016x}", name(at), get(a, at), get(b, at)).unwrap();
    }
    if let Outcome::Done(w) = before {
        for (register, at, len) in named(shown) {
            let low = if len == 16 { format!("_{:016x}", get(w, at)) } else { String::new() };
            writeln!(text, "    {register:5} {:016x}{low}", get(w, at + len - 8)).unwrap();
        }
    }
    text
}
