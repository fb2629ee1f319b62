//! Random programs that stay in a small world: see [`super`].

use super::super::input::Input;
use super::world;
use spapr::isa::Insn;
use spapr::isa::disasm::disassemble;
use spapr::isa::regs::Msr;
use spapr::isa::spr;
use spapr::isa::table::CHAPTERS;
use spapr::isa::table::Row;
use spapr::isa::table::Traits;
use std::sync::OnceLock;

/// A program and the state that it begins in.
pub struct Program {
    /// Code by address, as words in the order of execution.
    pub code: Vec<(u64, Vec<u32>)>,
    /// Where it begins, and every place that it can jump to.
    pub entries: Vec<u64>,
    /// MSR at the start.
    pub msr: u64,
    /// Which way the pages of the data go: see [`world::PAGES`].
    pub rights: [u8; world::DATA_PAGES],
    /// General purpose registers.
    pub gpr: [u64; 32],
    /// Doublewords of the vector-scalar registers and of the data.
    pub doubles: Vec<u64>,
    /// CR, XER, FPSCR, VSCR.
    pub flags: [u64; 4],
    /// LR, CTR, TAR.
    pub targets: [u64; 3],
    /// The CPU model's number.
    pub model: usize,
}

/// What registers of the same number hold in every program: pointers, and small numbers to add to them.
const POINTERS: [usize; 7] = [1, 2, 3, 4, 5, 6, 7];
const INDICES: [usize; 3] = [8, 9, 10];
/// Registers above are free for results.
const FREE: u32 = 11;

/// Rows that a program is made of, by how often they are wanted.
struct Rows {
    common: Vec<&'static Row>,
    float: Vec<&'static Row>,
    rest: Vec<&'static Row>,
}

/// Rows that are never chosen, each with the reason.
const LEFT_OUT: &[(&str, &str)] = &[
    ("darn", "random"),
    ("mftb", "time"),
    ("wait", "waits"),
    ("stop", "waits"),
    ("nap", "waits"),
    ("msgsndp", "an interrupt that comes some time later"),
    ("msgclrp", "its counterpart"),
];
/// Registers that mtspr and mfspr name here: no time, no translation.
const SPRS: &[usize] =
    &[spr::XER, spr::LR, spr::CTR, spr::DSISR, spr::DAR, spr::SRR0, spr::SRR1, spr::CFAR, spr::VRSAVE, spr::TAR, spr::SPRG0, spr::SPRG1];

fn rows() -> &'static Rows {
    static ROWS: OnceLock<Rows> = OnceLock::new();
    ROWS.get_or_init(|| {
        let (mut common, mut float, mut rest) = (Vec::new(), Vec::new(), Vec::new());
        for (chapter, list) in CHAPTERS {
            for row in list.iter().filter(|r| !LEFT_OUT.iter().any(|(n, _)| *n == r.name)) {
                match *chapter {
                    "fixed" | "load_store" if !row.traits.has(Traits::ENDS) => common.push(row),
                    "float" | "vsx" | "vsx_float" => float.push(row),
                    "system" if row.traits.has(Traits::HYPERVISOR) => {}
                    _ => rest.push(row),
                }
            }
        }
        Rows { common, float, rest }
    })
}

fn bits(picture: &str, wanted: impl Fn(char) -> bool) -> u64 {
    picture.chars().filter(|ch| *ch != ' ').fold(0, |v, ch| (v << 1) | u64::from(wanted(ch)))
}

/// A field of the word.
fn set(v: &mut u64, first: u32, last: u32, to: u32) {
    let mask = ((1u64 << (last - first + 1)) - 1) << (31 - last);
    *v = (*v & !mask) | ((u64::from(to) << (31 - last)) & mask);
}

fn field(v: u64, first: u32) -> u32 {
    (v as u32 >> (27 - first)) & 31
}

fn one<T: Copy>(input: &mut Input<'_>, of: &[T]) -> T {
    of[usize::from(input.u16()) % of.len()]
}

/// Whether the instruction computes an address from RA.
fn touches_memory(row: &Row) -> bool {
    let n = row.name;
    let kind = ["l", "st", "pl", "pst", "dcb", "icb", "copy", "paste"].iter().any(|p| n.starts_with(p));
    (kind || row.operands.contains("(ra)")) && row.operands.contains("ra")
}

/// One instruction of a block's middle.
fn instruction(input: &mut Input<'_>) -> Insn {
    let rows = rows();
    let row = match input.u8() {
        0..=143 => one(input, &rows.common),
        144..=223 => one(input, &rows.float),
        _ => one(input, &rows.rest),
    };
    let mut v = row.value | (input.u64() & bits(row.picture, |ch| !matches!(ch, '0' | '1' | '/')));
    let careful = input.u8() >= 16;
    if matches!(row.name, "mtspr" | "mfspr") {
        let n = one(input, SPRS) as u32;
        set(&mut v, 11, 20, (n & 31) << 5 | n >> 5);
    }
    if touches_memory(row) {
        set(&mut v, 11, 15, one(input, &POINTERS) as u32);
        let d = i64::from(input.u8() as i8);
        if row.is_prefixed() {
            let d = d as u64;
            v = (v & !(1 << 52 | 0x3_ffff << 32 | 0xffff)) | (d >> 16 & 0x3_ffff) << 32 | d & 0xffff;
        } else if row.operands.contains("(ra)") {
            let free = bits(row.picture, |ch| ch == 'd') & 0xffff;
            v = (v & !free) | d as u64 & free;
        } else if row.operands.contains("rb") && careful {
            set(&mut v, 16, 20, one(input, &INDICES) as u32);
        }
    }
    if careful && !row.is_prefixed() {
        // Results go to the registers above the pointers: RT, or RA of the logical instructions and of those that update.
        let keep = |v: &mut u64, first: u32| {
            if (1..FREE).contains(&field(*v, first)) {
                let to = field(*v, first) + FREE;
                set(v, first, first + 4, to);
            }
        };
        let memory = touches_memory(row);
        if row.operands.starts_with("rt") {
            keep(&mut v, 6);
        }
        if !memory && row.operands.starts_with("ra") {
            keep(&mut v, 11);
        }
    }
    Insn(v)
}

/// The end of a block: a branch of any kind to any of the entries, from `at`.
fn branch(input: &mut Input<'_>, at: u64, entries: &[u64]) -> u32 {
    let to = one(input, entries).wrapping_sub(at) as u32;
    let lk = u32::from(input.u8() & 1);
    let (bi, kind) = (u32::from(input.u8() & 31) << 16, input.u8());
    // BO: if true, if false, while CTR, while CTR and so on, always.
    let bo = one(input, &[0b01100u32, 0b00100, 0b10000, 0b10010, 0b01000, 0b00000, 0b10100]) << 21;
    match kind % 16 {
        0..=1 => 0x4800_0000 | to & 0x03ff_fffc | lk,
        2..=9 => 0x4000_0000 | bo | bi | to & 0xfffc | lk,
        10..=12 => 0x4c00_0020 | bo | bi | lk,
        13..=14 => 0x4c00_0420 | (bo | 0x0080_0000) | bi | lk,
        _ => 0x4c00_0460 | (bo | 0x0080_0000) | bi | lk,
    }
}

impl Program {
    /// The program that some bytes choose.
    pub fn new(input: &mut Input<'_>) -> Program {
        let mode = input.u8();
        let mut msr = Msr::ME | Msr::RI | Msr::SF;
        msr |= if mode & 1 != 0 { Msr::LE } else { 0 };
        msr |= [0, Msr::IR | Msr::DR, Msr::IR | Msr::DR | Msr::PR, Msr::DR][usize::from(mode >> 1 & 3)];
        msr |= if mode & 0x38 != 0 { Msr::FP | Msr::VEC | Msr::VSX } else { 0 };
        msr &= if mode & 0xc0 == 0 { !Msr::SF } else { !0 };
        if mode >> 1 & 3 == 1 && input.u8() & 3 == 0 {
            msr |= Msr::FE0;
        }
        let model = usize::from(input.u8() & 1);
        let rights = std::array::from_fn(|_| input.u8());
        // Places: anywhere on the code pages, often just before the end of one.
        let count = 2 + usize::from(input.u8() & 3);
        let mut entries: Vec<u64> = (0..count as u64)
            .map(|n| {
                let place = input.u8();
                let page = world::CODE + ((n % world::CODE_PAGES) << 12);
                if place & 1 != 0 { page + 0xfc0 + 4 * u64::from(place >> 4) } else { page + 0x400 + 4 * u64::from(place) }
            })
            .collect();
        let spread = if msr & (Msr::IR | Msr::PR) == Msr::IR && input.u8() & 1 != 0 { world::KERNEL } else { 0 };
        entries.iter_mut().for_each(|e| *e |= spread);
        let mut code = Vec::new();
        for at in &entries {
            let (mut words, mut pc) = (Vec::new(), *at);
            for _ in 0..=input.u8() & 15 {
                let i = instruction(input);
                if i.is_prefixed() {
                    if pc % 64 == 60 {
                        words.push(0x6000_0000);
                        pc += 4;
                    }
                    words.push(i.prefix());
                }
                words.push(i.word());
                pc += i.len();
            }
            words.push(branch(input, pc, &entries));
            // Falling through goes back to the first block.
            words.push(0x4800_0000 | entries[0].wrapping_sub(pc + 4) as u32 & 0x03ff_fffc);
            code.push((*at & !world::KERNEL, words));
        }
        let mut gpr: [u64; 32] = std::array::from_fn(|_| input.number());
        for r in POINTERS {
            gpr[r] = pointer(input);
        }
        for r in INDICES {
            gpr[r] = (input.u8() as i8 >> 2) as u64;
        }
        let doubles = (0..32).map(|_| double(input)).collect();
        let flags = [
            u64::from(input.u32()),
            input.u64() & 0xe00c_007f,
            // Mostly to nearest and without exceptions, as programs have it.
            [0, 0, 0, 1, 2, 3, 0, 0][usize::from(input.u8() & 7)] | if input.u8() & 7 == 0 { input.u64() & 0xff_ffff_ffff } else { 0 },
            u64::from(input.u8() & 1),
        ];
        let mut target = || if input.u8() & 3 == 0 { input.number() } else { one(input, &entries) };
        let targets = [target(), target(), target()];
        Program { code, entries, msr, rights, gpr, doubles, flags, targets, model }
    }
}

/// An address worth having in a register.
fn pointer(input: &mut Input<'_>) -> u64 {
    let page = u64::from(input.u8()) % world::DATA_PAGES as u64;
    let kernel = if input.u8() & 3 == 0 { world::KERNEL } else { 0 };
    let in_page = match input.u8() & 7 {
        0..=2 => 0x1000 - u64::from(input.u8() & 31),
        3 => u64::from(input.u8() & 31),
        4..=5 => 0x800 + u64::from(input.u8() & 0xf8),
        _ => u64::from(input.u16() & 0xfff),
    };
    let base = match input.u8() & 31 {
        0..=15 => world::DATA + (page << 12),
        16..=20 => world::CODE + ((page % world::CODE_PAGES) << 12),
        21..=24 => world::LARGE + world::DATA + (page << 12),
        25..=26 => world::LARGE + world::CODE + ((page % world::CODE_PAGES) << 12),
        27..=29 => world::RAM - 0x1000,
        _ => return input.number(),
    };
    (base + in_page) | kernel
}

/// A doubleword that is often a number in floating point.
fn double(input: &mut Input<'_>) -> u64 {
    let v = input.u64();
    match input.u8() & 7 {
        0 => f64::from(v as i16).to_bits(),
        1 => v & 0x800f_ffff_ffff_ffff | (1000 + v % 47) << 52,
        2 => v & 0x807f_ffff_807f_ffff | 0x3f80_0000_3f00_0000,
        3 => v & 0x800f_ffff_ffff_ffff,
        4 => v | 0x7ff0_0000_0000_0000,
        5 => [0, 1 << 63, 0x7ff0_0000_0000_0000, 0x3ff0_0000_0000_0000][(v & 3) as usize],
        6 => f64::from(v as f32).to_bits(),
        _ => v,
    }
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "msr {:x?}, model {}, entries {:x?}", Msr(self.msr), self.model, self.entries)?;
        for (at, words) in &self.code {
            let mut k = 0;
            while k < words.len() {
                let word = u64::from(words[k]);
                let prefixed = word >> 26 == 1 && k + 1 < words.len();
                let i = if prefixed { Insn(word << 32 | u64::from(words[k + 1])) } else { Insn(word) };
                writeln!(f, "{:#8x}: {:08x}  {}", at + 4 * k as u64, word, disassemble(i, at + 4 * k as u64))?;
                k += 1 + usize::from(prefixed);
            }
        }
        for (n, v) in self.gpr.iter().enumerate() {
            write!(f, "r{n:<2} {v:#018x}{}", if n % 4 == 3 { "\n" } else { "  " })?;
        }
        write!(f, "lr, ctr, tar {:#x?}; cr, xer, fpscr, vscr {:#x?}", self.targets, self.flags)
    }
}
