//! Random cases from the rows of the table.

use crate::differential::FIRST;
use crate::differential::NEAREST;
use crate::differential::among;
use crate::differential::image;
use crate::differential::state;
use spapr::accel::interp::function;
use spapr::isa::Insn;
use spapr::isa::table::CHAPTERS;
use spapr::isa::table::Facility;
use spapr::isa::table::Row;
use spapr::isa::table::Traits;

/// A reproducible stream of numbers (SplitMix64).
pub struct Rng(u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// One instruction under test, after those that set up its address.
#[derive(Clone)]
pub struct Step {
    /// The row's name.
    pub name: &'static str,
    /// All instructions, the one under test last.
    pub insns: Vec<Insn>,
}

/// One case.
#[derive(Clone)]
pub struct Case {
    /// Which place of the program it takes, and so its addresses.
    pub slot: usize,
    /// Registers and memory before.
    pub block: Vec<u8>,
    /// What is executed.
    pub steps: Vec<Step>,
}

impl Case {
    fn all(&self) -> impl Iterator<Item = Insn> {
        self.steps.iter().flat_map(|s| s.insns.iter().copied())
    }
    /// The code.
    pub fn words(&self) -> Vec<u32> {
        self.all().flat_map(|i| if i.is_prefixed() { vec![i.prefix(), i.word()] } else { vec![i.word()] }).collect()
    }
    /// How many instructions are executed.
    pub fn instructions(&self) -> usize {
        self.all().count()
    }
}

/// The rows that cases are made of.
pub struct Pool(Vec<&'static Row>);

const STEPS: u64 = 3;

impl Pool {
    /// Rows that a user program may execute and that `wanted` (name, chapter) accepts.
    pub fn new(wanted: impl Fn(&str, &str) -> bool) -> Pool {
        let not_ours = [Traits::PRIVILEGED, Traits::HYPERVISOR, Traits::ENDS];
        let rows = CHAPTERS.iter().flat_map(|(chapter, rows)| rows.iter().map(move |r| (*chapter, r)));
        let usable = |r: &Row| !not_ours.iter().any(|t| r.traits.has(*t)) && function(r).is_some();
        let rows: Vec<_> = rows.filter(|(chapter, r)| usable(r) && wanted(r.name, chapter)).map(|(_, r)| r).collect();
        assert!(!rows.is_empty(), "SPAPR_DIFF_ROWS names no row or chapter that can be compared");
        Pool(rows)
    }

    /// The case of this number.
    pub fn case(&self, number: u64, slot: usize) -> Case {
        let mut rng = Rng(number.wrapping_mul(0x2545_f491_4f6c_dd1d));
        let mut block = block(&mut rng);
        let mut at = image::code_at(slot);
        let mut steps = Vec::new();
        // Every row has its turn; the rest of the case is left to chance.
        let first = self.0[(number % self.0.len() as u64) as usize];
        for k in 0..STEPS {
            let row = if k == 0 { first } else { rng.one(&self.0) };
            if k > 0 && (among(FIRST, row.name) || among(NEAREST, row.name) || decimal(row.name)) {
                continue;
            }
            if among(NEAREST, row.name) {
                let nearest = state::get(&block, state::FPSCR) & !2;
                state::put(&mut block, state::FPSCR, nearest);
            }
            let step = make_step(&mut rng, row, slot, at);
            at += step.insns.iter().map(|i| i.len()).sum::<u64>();
            if decimal(row.name) {
                let word = step.insns.last().map_or(0, |i| i.word());
                let at = |n: u32| state::VSR + 16 * (32 + (word >> n & 31) as usize);
                put_decimal(&mut rng, row.name, &mut block, at(16));
                put_decimal(&mut rng, row.name, &mut block, at(11));
            }
            steps.push(step);
        }
        Case { slot, block, steps }
    }
}

/// Integers near the edges.
const INTEGERS: &[u64] = &[
    0,
    1,
    2,
    7,
    31,
    32,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0x8000_0000_0000_0001,
    0xffff_ffff_0000_0000,
    0xffff_ffff_7fff_ffff,
    0xffff_ffff_8000_0000,
    0xffff_ffff_ffff_ff80,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
    0x0123_4567_8912_3456,
];
/// Double-precision numbers: zeros, ones, limits, infinities, NaNs of both kinds, denormals, conversion limits.
const DOUBLES: &[u64] = &[
    0,
    1 << 63,
    0x3ff0_0000_0000_0000,
    0xbff0_0000_0000_0000,
    0x3ff8_0000_0000_0000,
    0x4000_0000_0000_0000,
    0x3fe0_0000_0000_0000,
    0x7fef_ffff_ffff_ffff,
    0x0010_0000_0000_0000,
    0x000f_ffff_ffff_ffff,
    1,
    0x7ff0_0000_0000_0000,
    0xfff0_0000_0000_0000,
    0x7ff8_0000_0000_0000,
    0xfff8_0000_0000_0001,
    0x7ff0_0000_0000_0001,
    0xfff4_0000_0000_0000,
    0x41df_ffff_ffc0_0000,
    0x41e0_0000_0000_0000,
    0x43e0_0000_0000_0000,
    0xc3e0_0000_0000_0000,
    0x43f0_0000_0000_0000,
    0x47ef_ffff_e000_0000,
    0x380f_ffff_e000_0000,
    0x36a0_0000_0000_0000,
    0x3690_0000_0000_0000,
];
/// Single-precision numbers of the same kinds.
const SINGLES: &[u32] = &[
    0,
    1 << 31,
    0x3f80_0000,
    0xbf80_0000,
    0x4000_0000,
    0x7f7f_ffff,
    0x0080_0000,
    0x007f_ffff,
    1,
    0x7f80_0000,
    0xff80_0000,
    0x7fc0_0000,
    0xffc0_0001,
    0x7f80_0001,
    0xffa0_0000,
    0x4eff_ffff,
    0x4f00_0000,
    0x4f80_0000,
    0x3880_0000,
    0x477f_e000,
];

fn integer(rng: &mut Rng) -> u64 {
    match rng.below(6) {
        0 | 1 => rng.one(INTEGERS),
        2 => rng.next() as i8 as u64,
        3 => rng.next() as i32 as u64,
        4 => rng.next() & 0xffff_ffff,
        _ => rng.next(),
    }
}

fn single(rng: &mut Rng) -> u64 {
    u64::from(match rng.below(4) {
        0 | 1 => rng.one(SINGLES),
        2 => (rng.next() as u32 & 0x83ff_ffff) | (0x3c00_0000 + (rng.below(8) << 23) as u32),
        _ => rng.next() as u32,
    })
}

fn vector_double(rng: &mut Rng) -> u64 {
    match rng.below(8) {
        0 | 1 => rng.one(DOUBLES),
        2 | 3 => (rng.next() & 0x800f_ffff_ffff_ffff) | ((1023 - 32 + rng.below(64)) << 52),
        4 | 5 => (single(rng) << 32) | single(rng),
        6 => integer(rng),
        _ => rng.next(),
    }
}

/// Random registers and memory. Floating-point exceptions stay disabled: enabled ones would end a user program.
fn block(rng: &mut Rng) -> Vec<u8> {
    let mut b = vec![0u8; state::BLOCK];
    (0..32).for_each(|n| state::put(&mut b, 8 * n, integer(rng)));
    state::put(&mut b, state::CR, rng.next() & 0xffff_ffff);
    state::put(&mut b, state::XER, rng.next() & 0xe00c_007f);
    state::put(&mut b, state::LR, integer(rng));
    state::put(&mut b, state::CTR, integer(rng));
    // RN, sometimes DRN, and sometimes sticky exceptions with their summaries.
    let sticky = if rng.below(4) == 0 { 0x9a00_0000 } else { 0 };
    state::put(&mut b, state::FPSCR, rng.below(4) | (rng.below(8) << 32) | sticky);
    state::put(&mut b, state::VSCR, rng.below(2) | ((rng.below(8) / 7) << 16));
    for at in (state::VSR..state::SCRATCH).step_by(8) {
        state::put(&mut b, at, vector_double(rng));
    }
    for at in (state::SCRATCH..state::BLOCK).step_by(8) {
        let v = if rng.below(2) == 0 { integer(rng) } else { vector_double(rng) };
        state::put(&mut b, at, v);
    }
    b
}

/// Rows whose result is undefined unless the operands are decimal numbers. They come first in their case, where the operands are known.
fn decimal(name: &str) -> bool {
    name.starts_with("bcd")
}

/// A decimal number of the kind that the row works on, in the VSR at `at` of the block (ISA I 6.17).
fn put_decimal(rng: &mut Rng, name: &str, block: &mut [u8], at: usize) {
    let digits = rng.one(&[1, 4, 7, 8, 15, 16, 31]);
    let digit = |n: u64, rng: &mut Rng| if n < digits { u128::from(rng.below(10)) } else { 0 };
    let sign = u128::from(rng.one(&[0xcu64, 0xd, 0xa, 0xb, 0xe, 0xf]));
    let v: u128 = match name {
        "bcdcfn." => (0..7).fold(u128::from(rng.one(&[0x2bu64, 0x2d])), |v, n| v | ((0x30 | digit(n, rng)) << (16 * (n + 1)))),
        "bcdcfz." => {
            (0..16).fold(0, |v, n| v | ((if n == 0 { 0x30 | (rng.below(2) as u128) << 6 } else { 0x30 } | digit(n, rng)) << (8 * n)))
        }
        "bcdus." | "bcdutrunc." => (0..32).fold(0, |v, n| v | (digit(n, rng) << (4 * n))),
        "bcdcfsq." => ((i128::from(rng.next() as i64) * 1_000_000_007) >> rng.below(94)) as u128,
        _ => (0..31).fold(sign, |v, n| v | (digit(n, rng) << (4 * (n + 1)))),
    };
    state::put(block, at, v as u64);
    state::put(block, at + 8, (v >> 64) as u64);
}

/// Bits of the picture that an operand or a reserved field takes.
fn bits(picture: &str, wanted: impl Fn(char) -> bool) -> u64 {
    picture.chars().filter(|ch| *ch != ' ').fold(0, |v, ch| (v << 1) | u64::from(wanted(ch)))
}

/// Whether the instruction computes an address from RA.
fn touches_memory(row: &Row) -> bool {
    let n = row.name;
    let ops = row.operands;
    let kind =
        n.starts_with('l') || n.starts_with("st") || n.starts_with("pl") || n.starts_with("pst") || n.starts_with("dcb") || n == "icbt";
    (kind || row.operands.contains("(ra)")) && ops.contains("ra")
}

/// The fixed bits of the row, and random operands that keep the form valid.
fn operands(rng: &mut Rng, row: &Row) -> u64 {
    let free = bits(row.picture, |ch| !matches!(ch, '0' | '1' | '/'));
    let mut v = row.value | (rng.next() & free);
    let n = row.name;
    let (rt_even, all_even) = (1 << 21, (1 << 21) | (1 << 16) | (1 << 11));
    if ["lq", "stq", "lqarx", "stqcx.", "plq", "pstq", "lfdp", "lfdpx", "stfdp", "stfdpx"].contains(&n) {
        v &= !rt_even;
    }
    if n == "dcbf" {
        // QEMU has only the values 0 and 1 of L; the book also has 3, 4 and 6 (ISA II 4.3.2).
        set(&mut v, 8, 9, 0);
    }
    if (n.starts_with("xv") || n.starts_with("pmxv")) && n.contains("ger") {
        // Operands that overlap the accumulator (VSRs 0 to 31) are an invalid form; an upper register (AX, BX) never does.
        v |= 0b110;
    }
    if n == "bcdcfz." {
        // PS = 0: the zones are ASCII's, as in the operands made for it.
        set(&mut v, 22, 22, 0);
    }
    if decimal(n) {
        // QEMU's bcdcpsgn. and bcdctsq. read an operand again after they wrote the target.
        let field = |v: u64, first: u32| (v >> first) & 31;
        while field(v, 21) == field(v, 16) || field(v, 21) == field(v, 11) {
            let next = (field(v, 21) + 1) & 31;
            set(&mut v, 6, 10, next);
        }
    }
    if row.facility == Facility::Fp && n.starts_with('d') && n.contains('q') {
        v &= !all_even | row.value;
    }
    v
}

/// A field of the word.
fn set(v: &mut u64, first: u32, last: u32, to: u64) {
    let mask = ((1u64 << (last - first + 1)) - 1) << (31 - last);
    *v = (*v & !mask) | ((to << (31 - last)) & mask);
}

fn make_step(rng: &mut Rng, row: &'static Row, slot: usize, at: u64) -> Step {
    let image = operands(rng, row);
    let (setup, image) = if touches_memory(row) { address(rng, row, image, slot, at) } else { (Vec::new(), image) };
    let mut insns: Vec<Insn> = setup.into_iter().map(|w| Insn(u64::from(w))).collect();
    if row.is_prefixed() && (at + 4 * insns.len() as u64) % 64 == 60 {
        // A prefixed instruction must not cross a boundary of 64 bytes. The nop goes first: a relative address counts on it.
        insns.insert(0, Insn(u64::from(image::NOP)));
    }
    insns.push(Insn(image));
    Step { name: row.name, insns }
}

/// Accesses that must be aligned.
fn aligned(row: &Row) -> bool {
    let n = row.name;
    n.ends_with("arx") || n.ends_with("cx.") || ["lq", "stq", "plq", "pstq", "lwat", "ldat", "stwat", "stdat"].contains(&n)
}

/// What lwat and its kin can do. Left out: signed maximum and minimum of words (5, 7), which QEMU compares unsigned when it has one thread,
/// and the bounded updates (24, 25, 28), which at the bound give 2^31 sign-extended whatever the size (ISA II 4.5.1: the operand's sign bit alone).
fn function_codes(name: &str) -> &'static [u64] {
    match name {
        "lwat" => &[0, 1, 2, 3, 4, 6, 8, 16],
        "ldat" => &[0, 1, 2, 3, 4, 5, 6, 7, 8, 16],
        "stwat" => &[0, 1, 2, 3, 4, 6, 24],
        _ => &[0, 1, 2, 3, 4, 5, 6, 7, 24],
    }
}

/// Points the operands into the scratch memory: instructions that load RA and RB, and the changed image.
fn address(rng: &mut Rng, row: &Row, mut image: u64, slot: usize, at: u64) -> (Vec<u32>, u64) {
    let scratch = image::block_at(slot) + state::SCRATCH as u64;
    let mut target = scratch + 128 + rng.below(224);
    if aligned(row) {
        target &= !15;
    }
    let field = |v: u64, first: u32| (v as u32 >> (26 - (first - 6 + 1) + 1)) & 31;
    let (rt, mut ra, mut rb) = (field(image, 6), field(image, 11), field(image, 16));
    let by_length = row.name.ends_with("vl") || row.name.ends_with("vll");
    let zero_allowed = row.operands.contains("ra|0, rb") && !by_length;
    let clash = |r: u32| r == rt || (r == rt + 1);
    while ra == 0 && !zero_allowed || clash(ra) && ra != 0 {
        ra = 2 + rng.below(30) as u32;
    }
    while rb == ra || clash(rb) {
        rb = 2 + rng.below(30) as u32;
    }
    let mut setup = Vec::new();
    if row.is_prefixed() {
        let relative = rng.below(2) == 1;
        let d = if relative {
            ra = 0;
            let after = at + if at % 64 == 60 { 4 } else { 0 };
            target.wrapping_sub(after)
        } else {
            let d = rng.next() as i32 as i64 as u64 & 0x3_ffff_ffff;
            let base = target.wrapping_sub(d);
            (setup, image) = (relative_base(ra, base, target), image);
            if setup.len() == 2 { 0 } else { d }
        };
        image =
            (image & !(1 << 52) & !(0x3_ffff << 32) & !0xffff) | (u64::from(relative) << 52) | ((d >> 16 & 0x3_ffff) << 32) | (d & 0xffff);
        set(&mut image, 11, 15, u64::from(ra));
        return (setup, image);
    }
    set(&mut image, 11, 15, u64::from(ra));
    if row.operands.contains("(ra)") {
        let free = bits(row.picture, |ch| ch == 'd') & 0xffff;
        let d = (rng.below(256).wrapping_sub(128)) & free;
        image = (image & !free) | d;
        let d = (d | if d & 0x8000 != 0 { !0xffff } else { 0 }) as i64 as u64;
        setup.extend(image::constant(ra, target.wrapping_sub(d)));
    } else if row.operands.contains("fc") {
        let code = rng.one(function_codes(row.name));
        set(&mut image, 16, 20, code);
        setup.extend(image::constant(ra, target));
    } else if ra == 0 {
        set(&mut image, 16, 20, u64::from(rb));
        setup.extend(image::constant(rb, target));
    } else {
        set(&mut image, 16, 20, u64::from(rb));
        let index = if by_length { rng.below(20) } else { (rng.below(512) as i64 - 256) as u64 };
        setup.push(image::addi(rb, 0, index as u32));
        if by_length {
            setup.push(0x7800_c1c6 | (rb << 21) | (rb << 16)); // rldicr rb,rb,56,7
        }
        setup.extend(image::constant(ra, if by_length { target } else { target.wrapping_sub(index) }));
    }
    (setup, image)
}

/// RA for a prefixed instruction with a displacement: only a 31-bit base can be loaded, so a larger one falls back to the target itself.
fn relative_base(ra: u32, base: u64, target: u64) -> Vec<u32> {
    if base < 1 << 31 { image::constant(ra, base).into_iter().chain([image::NOP]).collect() } else { image::constant(ra, target).to_vec() }
}
