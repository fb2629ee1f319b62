//! A machine's worth of what a program needs: RAM with page tables and interrupt handlers, and one vCPU.
//!
//! | effective addresses | under the radix tree |
//! |---|---|
//! | 0 to 1 MiB | RAM in 4 KiB pages; the data pages with rights of their own |
//! | 1 to 2 MiB | nothing |
//! | 2 to 4 MiB | one page of 2 MiB: all of RAM again, then what lies outside |
//! | the same from 0xc000… | the same, of PID 0 |

use super::program::Program;
use spapr::accel::AccelKind;
use spapr::accel::Exit;
use spapr::accel::Fp;
use spapr::accel::Parts;
use spapr::accel::Reply;
use spapr::accel::Vcpu;
use spapr::cpu::CpuState;
use spapr::cpu::state::Cr;
use spapr::cpu::state::Vsr;
use spapr::cpu::state::Xer;
use spapr::isa::Insn;
use spapr::isa::cpu_model;
use spapr::isa::disasm::disassemble;
use spapr::isa::regs::Fpscr;
use spapr::isa::regs::Lpcr;
use spapr::isa::regs::Msr;
use spapr::isa::spr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::fmt::Write;
use std::sync::Arc;

/// Bytes of RAM.
pub const RAM: u64 = 1 << 20;
/// Where programs lie, and on how many pages.
pub const CODE: u64 = 0x1_0000;
/// See [`CODE`].
pub const CODE_PAGES: u64 = 4;
/// Process table, and 64 KiB further the tree.
pub const TREE: u64 = 0x8_0000;
/// Where data lie.
pub const DATA: u64 = 0x4_0000;
/// Pages of data.
pub const DATA_PAGES: usize = 12;
/// The page of 2 MiB.
pub const LARGE: u64 = 0x20_0000;
/// The kernel's quadrant.
pub const KERNEL: u64 = 0xc000_0000_0000_0000;

const VALID: u64 = 1 << 63;
const LEAF: u64 = 1 << 62;
const CHANGED: u64 = 0x180;
/// Rights of data pages by a byte's low bits: all; read only; all, not yet referenced; none; no execution; privileged.
const RIGHTS: [u64; 8] = [7 | CHANGED, 5 | CHANGED, 7, 0, 6 | CHANGED, 15 | CHANGED, 7 | CHANGED, 7 | CHANGED];
const MODELS: [&str; 2] = ["power9_v2.2", "power10_v2.0"];
/// Where the handler of an interrupt of the fetch goes on: SPRG3 has the first block.
const RESTART: [u64; 2] = [0x400, 0x480];

/// A program that leaves guest code so often has ended.
const EXITS: usize = 40;
/// So has one that comes back so often, whose fetches all fail.
const ROUNDS: u64 = 2000;

/// RAM and a vCPU, used by one program after another.
pub struct World {
    memory: Arc<GuestMemory>,
    partition: Arc<Partition>,
    vcpus: Vec<Option<Box<dyn Vcpu>>>,
    make: Box<dyn Fn(Parts) -> Box<dyn Vcpu>>,
}

impl World {
    /// A world whose vCPU is of this kind.
    pub fn new(kind: AccelKind) -> World {
        World::with(move |parts| kind.create(parts, Fp::default()).expect("this host has it"))
    }

    /// A world whose vCPU is made in a special way.
    pub fn with(make: impl Fn(Parts) -> Box<dyn Vcpu> + 'static) -> World {
        let memory = Arc::new(GuestMemory::new(RAM).expect("1 MiB"));
        let partition = Arc::new(Partition::new(memory.clone()));
        World { memory, partition, vcpus: MODELS.map(|_| None).into(), make: Box::new(make) }
    }

    fn put(&self, at: u64, value: u64) {
        self.memory.write_u64(Ra(at), value).expect("in RAM");
    }

    /// RAM as it is before the program.
    fn fill(&self, p: &Program) {
        self.memory.write(Ra(0), &[0; RAM as usize]).expect("all of RAM");
        let little = p.msr & Msr::LE != 0;
        let code = |at: u64, words: &[u32]| {
            for (k, w) in words.iter().enumerate() {
                let w = if little { w.swap_bytes() } else { *w };
                self.memory.write_u32(Ra(at + 4 * k as u64), w).expect("in RAM");
            }
        };
        for vector in (0x100..0x1000).step_by(0x80) {
            // mtsprg2 r31; mfsrr0 r31; addi r31,r31,4 (or mfsprg3 r31); mtsrr0 r31; mfsprg2 r31; rfid
            let next = if RESTART.contains(&vector) { [0x6000_0000, 0x7ff3_42a6] } else { [0x7ffa_02a6, 0x3bff_0004] };
            // A system call goes on by itself.
            let next = if vector == 0xc00 { [0x7ffa_02a6, 0x6000_0000] } else { next };
            code(vector, &[0x7ff2_43a6, next[0], next[1], 0x7ffa_03a6, 0x7ff2_42a6, 0x4c00_0024]);
        }
        // 13 + 9 + 9 + 9 bits; the tables of all but the last level have one entry, the last but one has two.
        for pid in [0, 3] {
            self.put(TREE + 16 * pid, 2 << 61 | 5 << 5 | (TREE + 0x1_0000) | 13);
        }
        self.put(TREE + 0x1_0000, VALID | (TREE + 0x2_0000) | 9);
        self.put(TREE + 0x2_0000, VALID | (TREE + 0x2_1000) | 9);
        self.put(TREE + 0x2_1000, VALID | (TREE + 0x2_2000) | 9);
        self.put(TREE + 0x2_1008, VALID | LEAF | 7 | CHANGED);
        for page in 0..RAM >> 12 {
            let n = page.wrapping_sub(DATA >> 12) as usize;
            let rights = p.rights.get(n).map_or(7 | CHANGED, |r| RIGHTS[usize::from(r & 7)]);
            let valid = if rights == 0 { 0 } else { VALID | LEAF };
            self.put(TREE + 0x2_2000 + 8 * page, valid | page << 12 | rights);
        }
        for (k, v) in p.doubles.iter().cycle().take(DATA_PAGES * 64).enumerate() {
            // Around the pages' ends.
            let k = k as u64;
            self.put(DATA + ((k / 64) << 12) + (0xf00 + k % 64 * 8) % 0x1000, v.rotate_left(k as u32 * 5));
        }
        p.code.iter().for_each(|(at, words)| code(*at, words));
    }

    /// Runs a program for a budget, `step` instructions at a time.
    pub fn run(&mut self, p: &Program, budget: u64, step: u64) -> End {
        self.fill(p);
        let mut before = vec![0; RAM as usize];
        self.memory.read(Ra(0), &mut before).expect("all of RAM");
        self.partition.set_process_table(TREE);
        let model = cpu_model::by_name(MODELS[p.model]).expect("a model");
        let mut vcpu = self.vcpus[p.model].take().unwrap_or_else(|| (self.make)(Parts::lone(model, self.partition.clone())));
        start(vcpu.state_mut(), p);
        let from = vcpu.instructions();
        let mut exits = Vec::new();
        let mut rounds = 0;
        while vcpu.instructions() - from < budget && exits.len() < EXITS && rounds < ROUNDS {
            rounds += 1;
            let left = budget - (vcpu.instructions() - from);
            let exit = vcpu.run(Some(left.min(step))).expect("an accelerator does not fail");
            if exit == Exit::Budget {
                // Fetches that fail use the budget up too, without executing anything.
                continue;
            }
            exits.push((vcpu.instructions() - from, exit));
            vcpu.complete(match exit {
                Exit::Hcall { .. } | Exit::HcallFromProblemState => Reply::Hcall { status: -2, out: [0x55; 8], count: 3 },
                Exit::MmioRead { at, .. } => Reply::Loaded(at.0.wrapping_mul(0x0123_4567_89ab_cdef)),
                Exit::MmioWrite { .. } => Reply::Stored,
                Exit::Halted | Exit::SystemReset | Exit::Kicked | Exit::Breakpoint | Exit::Watchpoint { .. } | Exit::Budget => {
                    Reply::Nothing
                }
            });
        }
        let mut ram = vec![0; RAM as usize];
        self.memory.read(Ra(0), &mut ram).expect("all of RAM");
        // Who changes the page tables and says so to nobody may see either.
        let tables = (TREE as usize..TREE as usize + 0x2_3000).step_by(8);
        let entry = |ram: &[u8], at: usize| u64::from_be_bytes(std::array::from_fn(|k| ram[at + k])) & !CHANGED;
        let whole = rounds < ROUNDS && tables.into_iter().all(|at| entry(&ram, at) == entry(&before, at));
        let end = End { whole, before, state: Box::new(vcpu.state().clone()), ram, exits, instructions: vcpu.instructions() - from };
        self.vcpus[p.model] = Some(vcpu);
        end
    }
}

/// An FPSCR whose summaries are those of its bits.
fn consistent(bits: u64) -> Fpscr {
    let mut f = Fpscr(bits & !(Fpscr::FEX | Fpscr::VX | 0x800));
    let invalid = Fpscr::VXSNAN | Fpscr::VXISI | Fpscr::VXIDI | Fpscr::VXZDZ | Fpscr::VXIMZ | Fpscr::VXVC;
    let invalid = f.has(invalid | Fpscr::VXSOFT | Fpscr::VXSQRT | Fpscr::VXCVI);
    f.0 |= if invalid { Fpscr::VX } else { 0 };
    let pairs = [(Fpscr::VX, Fpscr::VE), (Fpscr::OX, Fpscr::OE), (Fpscr::UX, Fpscr::UE), (Fpscr::ZX, Fpscr::ZE), (Fpscr::XX, Fpscr::XE)];
    f.0 |= if pairs.iter().any(|(what, enable)| f.has(*what) && f.has(*enable)) { Fpscr::FEX } else { 0 };
    f
}

/// Registers as they are before the program.
fn start(s: &mut CpuState, p: &Program) {
    *s = CpuState::default();
    s.msr = Msr(p.msr);
    s.nip = p.entries[0];
    s.gpr = p.gpr;
    s.vsr = std::array::from_fn(|n| {
        let d = |k: usize| p.doubles[k % p.doubles.len()].rotate_left((k / p.doubles.len()) as u32 * 32);
        Vsr([d(2 * n), d(2 * n + 1)])
    });
    (s.cr, s.xer) = (Cr::unpack(p.flags[0] as u32), Xer::unpack(p.flags[1]));
    (s.fpscr, s.vscr) = (consistent(p.flags[2]), p.flags[3] as u32);
    (s.lr, s.ctr, s.spr[spr::TAR]) = (p.targets[0], p.targets[1], p.targets[2]);
    s.spr[spr::LPCR] = Lpcr::HR | Lpcr::UPRT | if p.msr & Msr::LE != 0 { Lpcr::ILE } else { 0 };
    s.spr[spr::FSCR] = u64::MAX;
    s.spr[spr::PIDR] = 3;
    s.spr[spr::SPRG3] = p.entries[0];
    s.dec_expiry = i64::MAX as u64;
}

/// What a program came to.
pub struct End {
    /// Not given up because nothing can be fetched any more.
    whole: bool,
    state: Box<CpuState>,
    before: Vec<u8>,
    ram: Vec<u8>,
    /// With the instructions executed before each.
    exits: Vec<(u64, Exit)>,
    instructions: u64,
}

impl End {
    /// What differs, line by line.
    pub fn difference(&self, other: &End) -> Option<String> {
        if !self.whole {
            return None;
        }
        let mut text = String::new();
        let mut line = |name: &str, a: u64, b: u64| {
            if a != b {
                writeln!(text, "  {name:8} {a:016x}  differs {b:016x}").expect("a string takes everything");
            }
        };
        let (a, b) = (&*self.state, &*other.state);
        line("count", self.instructions, other.instructions);
        line("nip", a.nip, b.nip);
        line("msr", a.msr.0, b.msr.0);
        (0..32).for_each(|n| line(&format!("r{n}"), a.gpr[n], b.gpr[n]));
        line("cr", u64::from(a.cr.pack()), u64::from(b.cr.pack()));
        line("xer", a.xer.pack(), b.xer.pack());
        line("lr", a.lr, b.lr);
        line("ctr", a.ctr, b.ctr);
        line("fpscr", a.fpscr.0, b.fpscr.0);
        line("vscr", u64::from(a.vscr), u64::from(b.vscr));
        for n in 0..128 {
            line(&format!("vs{}[{}]", n / 2, n % 2), a.vsr[n / 2].0[n % 2], b.vsr[n / 2].0[n % 2]);
        }
        (0..1024).for_each(|n| line(&format!("spr {n}"), a.spr[n], b.spr[n]));
        line("reserved", a.reservation.map_or(1, |r| r.ea), b.reservation.map_or(1, |r| r.ea));
        for at in (0..RAM as usize).step_by(8).filter(|at| self.ram[*at..at + 8] != other.ram[*at..at + 8]) {
            let double = |ram: &[u8]| u64::from_be_bytes(std::array::from_fn(|k| ram[at + k]));
            line(&format!("{at:#x}"), double(&self.ram), double(&other.ram));
        }
        if self.exits != other.exits {
            let n = (0..).find(|n| self.exits.get(*n) != other.exits.get(*n)).unwrap_or_default();
            writeln!(text, "  exit {n}: {:x?}  differs {:x?}", self.exits.get(n), other.exits.get(n)).expect("a string takes everything");
        }
        (!text.is_empty()).then_some(text)
    }

    /// Instructions executed.
    pub fn instructions(&self) -> u64 {
        self.instructions
    }

    /// Whether the data or the code were changed.
    pub fn stored(&self) -> bool {
        let at = |from: u64, pages: u64| from as usize..(from + (pages << 12)) as usize;
        [at(CODE, CODE_PAGES), at(DATA, DATA_PAGES as u64)].iter().any(|at| self.ram[at.clone()] != self.before[at.clone()])
    }

    /// Which instruction is next, for reports.
    pub fn next(&self) -> String {
        let (s, at) = (&*self.state, (self.state.nip & (RAM - 1)) as usize & !3);
        let word = |k: usize| {
            let bytes = std::array::from_fn(|n| self.ram[(at + 4 * k + n) & (RAM as usize - 1)]);
            u64::from(if s.msr.has(Msr::LE) { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
        };
        let i = if word(0) >> 26 == 1 { Insn(word(0) << 32 | word(1)) } else { Insn(word(0)) };
        format!("at {:#x} (msr {:x}): {:08x} {}", s.nip, s.msr.0, word(0), disassemble(i, s.nip))
    }
}
