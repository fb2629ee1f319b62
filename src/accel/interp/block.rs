//! Decoded runs of instructions, kept by real page and mode.
//!
//! A block is decoded once and holds the function of each instruction. What MSR says about facilities, privilege and byte order is part of the key,
//! so those checks cost nothing when the block runs. A page of blocks is valid while the page's generation in guest memory stays the same.

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::Trap;
use crate::accel::interp::function;
use crate::accel::interp::tlb::PAGE_MASK;
use crate::cpu::interrupt::Interrupt;
use crate::isa::Insn;
use crate::isa::Isa;
use crate::isa::Row;
use crate::isa::cpu_model::problem_state_isa;
use crate::isa::decode::decode;
use crate::isa::decode::is_prefix;
use crate::isa::disasm::disassemble;
use crate::isa::regs::Fscr;
use crate::isa::regs::Msr;
use crate::isa::spr;
use crate::isa::table::Facility;
use crate::isa::table::Traits;
use crate::isa::vectors::Vector;
use crate::mmu;
use crate::mmu::Access;
use crate::mmu::Fault;
use crate::units::Ea;
use crate::units::Ra;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Mutex;

/// One decoded instruction.
#[derive(Clone, Copy)]
pub struct Op {
    /// What it does.
    pub run: Run,
    /// The image, for its operands.
    pub insn: Insn,
}

/// A run of instructions without a branch before its end.
pub struct Block {
    /// The instructions.
    pub ops: Box<[Op]>,
}

/// Longest block, which bounds how long an interrupt waits.
const BLOCK_MAX: usize = 64;
/// Pages kept decoded at most.
const PAGES_MAX: usize = 8192;
/// Instructions kept decoded at most, 16 bytes each: a guest that jumps to every word of many pages cannot fill the host's memory.
const OPS_MAX: usize = 4 << 20;
const FETCH_ENTRIES: usize = 512;
const SLOTS: usize = 1024;

struct CodePage {
    ra: Ra,
    generation: u32,
    /// For each word of the page, 1 + the index of the block that starts there, or 0.
    starts: Box<[u16; SLOTS]>,
    blocks: Vec<Block>,
}

#[derive(Clone, Copy)]
struct Fetch {
    tag: u64,
    mode: u32,
    page: u32,
}

/// The decoded code of one vCPU.
pub struct CodeCache {
    pages: Vec<CodePage>,
    by_key: HashMap<(u64, u32), u32>,
    fetch: Box<[Fetch; FETCH_ENTRIES]>,
    epoch: u64,
    /// Instructions decoded since everything was last forgotten.
    ops: usize,
}

/// What of MSR and FSCR is decided when a block is decoded, and whether data are relocated, which translated code must be told apart by.
#[inline(always)]
pub(in crate::accel) fn mode(c: &Core) -> u32 {
    let m = c.msr.0;
    let bits = (m & (Msr::LE | Msr::FP | Msr::PR | Msr::DR)) | ((m & (Msr::VEC | Msr::VSX)) >> 20);
    let no_prefix = c.msr.has(Msr::PR) && !Fscr(c.spr[spr::FSCR]).has(Fscr::PREFIX);
    bits as u32 | (u32::from(no_prefix) << 1) | ((c.spr[spr::PCR] as u32 & 0x3e) << 16)
}

impl Default for CodeCache {
    fn default() -> Self {
        CodeCache {
            pages: Vec::new(),
            by_key: HashMap::new(),
            fetch: Box::new([Fetch { tag: 0, mode: 0, page: 0 }; FETCH_ENTRIES]),
            epoch: 0,
            ops: 0,
        }
    }
}

impl CodeCache {
    /// Forgets all decoded code.
    pub fn clear(&mut self) {
        self.pages.clear();
        self.ops = 0;
        self.by_key.clear();
        self.fetch.fill(Fetch { tag: 0, mode: 0, page: 0 });
    }

    /// The block at NIP, decoded if need be. `Err`: the fetch failed and the interrupt is prepared, with CIA at NIP.
    #[inline]
    pub fn find(&mut self, c: &mut Core) -> Result<&Block, Trap> {
        if self.ops > OPS_MAX {
            self.clear();
        }
        if self.epoch != c.tlb.epoch {
            self.epoch = c.tlb.epoch;
            self.fetch.fill(Fetch { tag: 0, mode: 0, page: 0 });
        }
        let nip = c.nip;
        let mode = mode(c);
        let tag = (nip & PAGE_MASK) | c.tlb.fetch;
        let f = self.fetch[(nip >> 12) as usize & (FETCH_ENTRIES - 1)];
        let page = if f.tag == tag && f.mode == mode { f.page } else { self.enter_page(c, tag, mode)? };
        let slot = (nip as usize & 0xfff) >> 2;
        let p = &self.pages[page as usize];
        let start = if p.generation == c.tlb.memory.generation(p.ra) { p.starts[slot] } else { 0 };
        let index = if start != 0 { start } else { self.decode_block(c, page, slot) };
        Ok(&self.pages[page as usize].blocks[usize::from(index) - 1])
    }

    #[cold]
    fn enter_page(&mut self, c: &mut Core, tag: u64, mode: u32) -> Result<u32, Trap> {
        let (ra, keep) = fetch_page(c)?;
        if self.pages.len() >= PAGES_MAX {
            self.clear();
        }
        let next = self.pages.len() as u32;
        let page = *self.by_key.entry((ra.0, mode)).or_insert(next);
        if page == next {
            c.tlb.memory.mark_code(ra);
            let generation = c.tlb.memory.generation(ra);
            self.pages.push(CodePage { ra, generation, starts: Box::new([0; SLOTS]), blocks: Vec::new() });
        }
        if keep == Keep::Yes {
            self.fetch[(c.nip >> 12) as usize & (FETCH_ENTRIES - 1)] = Fetch { tag, mode, page };
        }
        Ok(page)
    }

    #[cold]
    fn decode_block(&mut self, c: &Core, page: u32, slot: usize) -> u16 {
        let p = &mut self.pages[page as usize];
        if p.generation != c.tlb.memory.generation(p.ra) {
            c.tlb.memory.mark_code(p.ra);
        }
        let now = c.tlb.memory.generation(p.ra);
        if p.generation != now || p.blocks.len() >= usize::from(u16::MAX) {
            p.generation = now;
            p.starts.fill(0);
            p.blocks.clear();
        }
        let block = Block { ops: decode_run(c, p.ra, slot) };
        self.ops += block.ops.len();
        p.blocks.push(block);
        let index = p.blocks.len() as u16;
        p.starts[slot] = index;
        index
    }
}

/// Whether a translation may be kept under the number of the fetch context.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::accel) enum Keep {
    Yes,
    No,
}

/// The page of RAM that NIP lies in. `Err`: the fetch failed and the interrupt is prepared, with CIA at NIP.
pub(in crate::accel) fn fetch_page(c: &mut Core) -> Result<(Ra, Keep), Trap> {
    let nip = c.nip;
    c.cia = nip;
    let cx = mmu::Context { state: c, model: c.model, partition: &c.partition };
    let t = match mmu::translate(&cx, Ea(nip), Access::Fetch) {
        Ok(t) => t,
        Err(fault) => return Err(c.fault(nip, Access::Fetch, fault)),
    };
    let ra = Ra(t.ra.0 & PAGE_MASK);
    if !c.tlb.memory.contains(ra, 0x1000) {
        let nothing_there = Fault { vector: Vector::InstructionStorage, status: crate::bits::ibm(33) };
        return Err(c.fault(nip, Access::Fetch, nothing_there));
    }
    if !c.tlb.keeps_fetch(t.holds) {
        return Ok((ra, Keep::No));
    }
    c.tlb.note_fetch(&c.partition, nip, &t);
    Ok((ra, Keep::Yes))
}

/// One instruction of a page, and what is to be done for it in the present mode.
pub(in crate::accel) struct Decoded {
    /// The function, and the image for its operands.
    pub(in crate::accel) op: Op,
    /// The instruction's row; `None` if the function is not the row's own but refuses the instruction.
    pub(in crate::accel) row: Option<&'static Row>,
    /// Whether it is the last of its block.
    pub(in crate::accel) ends: bool,
}

/// The instruction at word `k` of the page.
pub(in crate::accel) fn decode_at(c: &Core, page: Ra, k: usize) -> Decoded {
    let word = |k: usize| {
        let w = c.tlb.memory.read_u32(Ra(page.0 + 4 * k as u64)).unwrap_or(0);
        if c.little_endian { w.swap_bytes() } else { w }
    };
    let first = word(k);
    let mut insn = Insn(u64::from(first));
    if is_prefix(first) && c.model.isa >= Isa::V3_1 {
        if k % 16 == 15 {
            // A prefixed instruction must not cross a 64-byte boundary (ISA 3.1 I, 1.6).
            return Decoded { op: Op { run: prefix_misaligned, insn }, row: None, ends: true };
        }
        insn = Insn((u64::from(first) << 32) | u64::from(word(k + 1)));
    }
    choose(c, insn)
}

/// Decodes instructions from word `slot` of the page until one ends the block.
fn decode_run(c: &Core, page: Ra, slot: usize) -> Box<[Op]> {
    let mut ops = Vec::new();
    let mut k = slot;
    while k < SLOTS && ops.len() < BLOCK_MAX {
        if c.stops.cuts(k) && !ops.is_empty() {
            break;
        }
        let d = decode_at(c, page, k);
        if c.counted && tells_time(&d) && !ops.is_empty() {
            // Between two blocks it is known how many instructions were executed.
            break;
        }
        ops.push(d.op);
        k += d.op.insn.len() as usize / 4;
        if d.ends {
            break;
        }
    }
    ops.into_boxed_slice()
}

/// Whether the instruction may look at the time: whatever accesses a special purpose register, but for the frequent ones.
pub(in crate::accel) fn tells_time(d: &Decoded) -> bool {
    let n = d.op.insn.spr() as usize;
    d.row.is_some_and(|r| matches!(r.name, "mfspr" | "mtspr" | "mftb")) && !matches!(n, spr::LR | spr::CTR | spr::XER)
}

/// The function that carries out `insn` in the present mode, and whether it ends the block.
fn choose(c: &Core, insn: Insn) -> Decoded {
    let instead = |run: Run| Decoded { op: Op { run, insn }, row: None, ends: true };
    let Some(row) = decode(insn).filter(|r| available(c, r)) else { return instead(unknown) };
    if row.traits.has(Traits::HYPERVISOR) {
        return instead(hypervisor_only);
    }
    if row.traits.has(Traits::PRIVILEGED) && c.msr.has(Msr::PR) {
        return instead(|c, _| c.privileged());
    }
    if let Some(refuse) = refused(c, row.facility, insn) {
        return instead(refuse);
    }
    match function(row) {
        Some(run) => Decoded { op: Op { run, insn }, row: Some(row), ends: row.traits.has(Traits::ENDS) },
        None => instead(unknown),
    }
}

/// Whether the model, held to its compatibility level, has the instruction.
fn available(c: &Core, row: &Row) -> bool {
    let facility = match row.facility {
        Facility::Vec => c.model.vmx,
        Facility::Vsx | Facility::VsxByXt | Facility::VsxByXtDq | Facility::FpByXt => c.model.vsx,
        Facility::None | Facility::Fp => true,
    };
    let held_to = if c.problem_state() { problem_state_isa(c.spr[spr::PCR]) } else { Isa::V3_1 };
    facility && row.since <= c.model.isa.min(held_to)
}

/// The function that raises the facility's unavailable interrupt, if MSR has it off.
fn refused(c: &Core, facility: Facility, insn: Insn) -> Option<Run> {
    const VEC: Run = |c, _| Err(c.raise(Interrupt::new(Vector::VectorUnavailable, 0)));
    const VSX: Run = |c, _| Err(c.raise(Interrupt::new(Vector::VsxUnavailable, 0)));
    const PREFIX: Run = |c, _| Err(crate::accel::interp::spr::facility(c, Fscr::IC_PREFIX));
    if insn.is_prefixed() && c.msr.has(Msr::PR) && !Fscr(c.spr[spr::FSCR]).has(Fscr::PREFIX) {
        return Some(PREFIX);
    }
    let by_register = |upper: bool| if upper { Facility::Vec } else { Facility::Vsx };
    let facility = match facility {
        Facility::VsxByXt => by_register(insn.xt() >= 32),
        Facility::VsxByXtDq => by_register(insn.xt_dq() >= 32),
        Facility::FpByXt if insn.xt() >= 32 => Facility::Vec,
        Facility::FpByXt => Facility::Fp,
        other @ (Facility::None | Facility::Fp | Facility::Vec | Facility::Vsx) => other,
    };
    match facility {
        Facility::Fp if !c.msr.has(Msr::FP) => Some(|c, _| Err(c.raise(Interrupt::new(Vector::FpUnavailable, 0)))),
        Facility::Vec if !c.msr.has(Msr::VEC) => Some(VEC),
        Facility::Vsx if !c.msr.has(Msr::VSX) => Some(VSX),
        Facility::None | Facility::Fp | Facility::Vec | Facility::Vsx | Facility::VsxByXt | Facility::VsxByXtDq | Facility::FpByXt => None,
    }
}

fn prefix_misaligned(c: &mut Core, _: Insn) -> Step {
    let at = c.cia;
    Err(c.raise(Interrupt { srr1: crate::bits::ibm(35), dsisr: None, ..Interrupt::data(Vector::Alignment, at, 0) }))
}

/// An image without behaviour here: an illegal instruction, named in the log once.
fn unknown(c: &mut Core, i: Insn) -> Step {
    static NAMED: Mutex<Option<HashSet<u64>>> = Mutex::new(None);
    let mut named = NAMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let key = decode(i).map_or(i.0, |r| r.value);
    let set = named.get_or_insert_default();
    if set.len() < 1000 && set.insert(key) {
        log::warn!(target: "spapr.cpu", "illegal instruction {:?} `{}` at {:#x} on {}", i, disassemble(i, c.cia), c.cia, c.model.name);
    }
    drop(named);
    c.illegal()
}

/// A hypervisor-privileged instruction in a partition: privileged in problem state, else illegal (ISA III, emulation assistance).
fn hypervisor_only(c: &mut Core, i: Insn) -> Step {
    if c.problem_state() { c.privileged() } else { unknown(c, i) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accel::Parts;
    use crate::isa::cpu_model;
    use crate::memory::GuestMemory;
    use crate::mmu::partition::Partition;
    use std::sync::Arc;

    const NOP: u32 = 0x6000_0000;

    #[test]
    fn a_guest_that_jumps_everywhere_keeps_the_cache_bounded() {
        let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
        (0..1 << 18).for_each(|k| memory.write_u32(Ra(4 * k), NOP).unwrap());
        let mut core = Core::new(Parts::lone(cpu_model::by_name("power9_v2.2").unwrap(), Arc::new(Partition::new(memory))));
        core.msr.0 = Msr::SF;
        core.recontext();
        let mut cache = CodeCache::default();
        let mut most = 0;
        for k in 0..1u64 << 17 {
            core.nip = 4 * k;
            assert!(!cache.find(&mut core).unwrap().ops.is_empty());
            most = most.max(cache.ops);
        }
        assert!(most > OPS_MAX / 2 && most <= OPS_MAX + BLOCK_MAX, "{most}");
    }
}
