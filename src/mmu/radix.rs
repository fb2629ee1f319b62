//! Process-scoped radix tree translation (ISA III, radix tree translation).
//!
//! A partition walks trees in its own storage, whose addresses are guest real addresses: the second, partition-scoped translation of the book is the identity
//! here. The tree is the guest's and may be anything, so every level is checked and the walk always ends.

use crate::bits::ibm;
use crate::isa::regs::Dsisr;
use crate::isa::regs::Msr;
use crate::isa::regs::SRR1_NOEXEC;
use crate::isa::spr;
use crate::memory::GuestMemory;
use crate::mmu::Access;
use crate::mmu::Context;
use crate::mmu::Fault;
use crate::mmu::Holds;
use crate::mmu::Rights;
use crate::mmu::Translation;
use crate::mmu::Writable;
use crate::mmu::partition::Partition;
use crate::units::Ea;
use crate::units::Ra;

/// Process table doubleword: base.
const PRTB: u64 = 0x0fff_ffff_ffff_f000;
/// Process table doubleword: log2 of the size, less 12.
const PRTS: u64 = 0x1f;
/// Process table entry: root of the tree.
const RPDB: u64 = 0x0fff_ffff_ffff_ff00;
/// Process table entry and page directory entry: log2 of the number of entries of the table pointed to.
const NLS: u64 = 0x1f;
/// Page directory entry: the next table.
const NLB: u64 = 0x0fff_ffff_ffff_ff00;
/// Any entry: valid.
const VALID: u64 = ibm(0);
/// Any entry: a page table entry.
const LEAF: u64 = ibm(1);
/// Page table entry: real page number.
const RPN: u64 = 0x01ff_ffff_ffff_f000;
/// Page table entry: referenced.
const R: u64 = 0x100;
/// Page table entry: changed.
const C: u64 = 0x80;
/// Page table entry: storage attributes.
const ATT: u64 = 0x30;
/// ATT: non-idempotent I/O, which is guarded.
const ATT_NI_IO: u64 = 0x20;
/// Page table entry: only for privileged state.
const EAA_PRIVILEGED: u64 = 8;
/// Page table entry: read.
const EAA_READ: u64 = 4;
/// Page table entry: read and write.
const EAA_WRITE: u64 = 2;
/// Page table entry: execute.
const EAA_EXECUTE: u64 = 1;
/// The bits of an effective address below its quadrant.
const BELOW_QUADRANT: u64 = !0 >> 2;
/// log2 of the page sizes (PAPR, `ibm,processor-radix-AP-encodings`).
const PAGE_SHIFTS: [u32; 4] = [12, 16, 21, 30];

/// A tree: its root table and the bits of the address that it translates.
struct Tree {
    root: u64,
    /// log2 of the root's entries.
    level: u32,
    /// log2 of the effective addresses covered.
    size: u32,
}

/// A page table entry and where it is.
struct Leaf {
    at: Ra,
    pte: u64,
    shift: u32,
}

/// Walks the tree of the process that `ea`'s quadrant selects.
pub fn translate(cx: &Context<'_>, ea: Ea, access: Access) -> Result<Translation, Fault> {
    let pid = match ea.0 >> 62 {
        0 => cx.state.spr[spr::PIDR] & 0xffff_ffff,
        3 => 0,
        // Quadrants of the partition under a hypervisor, which does not address them from inside (ISA III, quadrants).
        _ => return Err(Fault::segment(access)),
    };
    let bad = |status| Fault::storage(access, status);
    let memory = &*cx.partition.memory;
    let tree = process(memory, cx.partition.process_table(), pid).map_err(bad)?;
    let offset = ea.0 & BELOW_QUADRANT;
    if offset >> tree.size != 0 {
        return Err(Fault::segment(access));
    }
    loop {
        let leaf = walk(memory, &tree, offset).map_err(bad)?;
        let rights = permitted(cx, leaf.pte, access).map_err(bad)?;
        let bits = if access == Access::Store { R | C } else { R };
        if leaf.pte & bits != bits && memory.compare_exchange_u64(leaf.at, leaf.pte, leaf.pte | bits) != Ok(true) {
            // Somebody changed the entry: what it says now counts.
            continue;
        }
        let page = (1u64 << leaf.shift) - 1;
        let changed = (leaf.pte | bits) & C != 0;
        return Ok(Translation {
            ra: Ra((leaf.pte & RPN & !page) | (offset & page)),
            page_shift: leaf.shift,
            writable: if rights.store && changed { Writable::Yes } else { Writable::AskAgain },
            // The kernel's quadrant is every process's; keys are looked at for pages of problem state only.
            holds: if ea.0 >> 62 == 3 && leaf.pte & EAA_PRIVILEGED != 0 { Holds::Always } else { Holds::ForProcess },
        });
    }
}

/// A page table entry as far as it decides about translations: without the bits that note accesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    pte: u64,
    /// log2 of the page's bytes.
    pub shift: u32,
}

impl Entry {
    /// Where it maps `ea` to, which must lie in its page.
    pub fn translates(&self, ea: u64) -> Ra {
        let page = (1u64 << self.shift) - 1;
        Ra((self.pte & RPN & !page) | (ea & page))
    }
}

/// The entry that translates `ea` of the kernel's quadrant now, whoever may use it; notes no access.
pub fn entry(partition: &Partition, ea: u64) -> Option<Entry> {
    let (memory, offset) = (&*partition.memory, ea & BELOW_QUADRANT);
    let tree = process(memory, partition.process_table(), 0).ok().filter(|t| ea >> 62 == 3 && offset >> t.size == 0)?;
    let leaf = walk(memory, &tree, offset).ok()?;
    Some(Entry { pte: leaf.pte & !(R | C), shift: leaf.shift })
}

/// The tree of `pid`, or DSISR bits (ISA III, process table).
fn process(memory: &GuestMemory, table: u64, pid: u64) -> Result<Tree, u64> {
    let offset = pid * 16;
    if offset >= 1 << (12 + (table & PRTS)) {
        return Err(Dsisr::NOPTE);
    }
    let entry = memory.read_u64(Ra((table & PRTB) + offset)).map_err(|_| Dsisr::NOPTE)?;
    let rts = ((entry >> 58) & 0x18) | ((entry >> 5) & 7);
    let tree = Tree { root: entry & RPDB, level: (entry & NLS) as u32, size: rts as u32 + 31 };
    if (5..=tree.size - 12).contains(&tree.level) { Ok(tree) } else { Err(Dsisr::BADCONFIG) }
}

/// Follows the tree to the page table entry for `offset`, or DSISR bits (ISA III, radix tree translation).
fn walk(memory: &GuestMemory, tree: &Tree, offset: u64) -> Result<Leaf, u64> {
    let (mut table, mut level, mut left) = (tree.root, tree.level, tree.size);
    loop {
        // Each round takes `level` ≥ 5 bits off `left`, so there are few.
        left -= level;
        let index = (offset >> left) & ((1 << level) - 1);
        let at = Ra(table + index * 8);
        let entry = memory.read_u64(at).map_err(|_| Dsisr::NOPTE)?;
        if entry & VALID == 0 {
            return Err(Dsisr::NOPTE);
        }
        if entry & LEAF != 0 {
            return if PAGE_SHIFTS.contains(&left) { Ok(Leaf { at, pte: entry, shift: left }) } else { Err(Dsisr::BADCONFIG) };
        }
        (table, level) = (entry & NLB, (entry & NLS) as u32);
        if level < 5 || left < level + 12 {
            return Err(Dsisr::BADCONFIG);
        }
    }
}

/// What the entry lets this access' state do, or DSISR or SRR1 bits if not this (ISA III, radix tree translation storage protection).
fn permitted(cx: &Context<'_>, pte: u64, access: Access) -> Result<Rights, u64> {
    let authority = Rights {
        load: pte & (EAA_READ | EAA_WRITE) != 0,
        store: pte & EAA_WRITE != 0,
        fetch: pte & EAA_EXECUTE != 0 && pte & ATT != ATT_NI_IO,
    };
    if !authority.allow(access) {
        return Err(if access == Access::Fetch { SRR1_NOEXEC } else { Dsisr::PROTFAULT });
    }
    let privileged_page = pte & EAA_PRIVILEGED != 0;
    if cx.state.msr.has(Msr::PR) {
        return if privileged_page { Err(Dsisr::PROTFAULT) } else { Ok(authority) };
    }
    if privileged_page {
        return Ok(authority);
    }
    // Privileged access to a problem-state page: key 0 of AMR and IAMR.
    let (amr, iamr) = (cx.state.spr[spr::AMR] >> 62, cx.state.spr[spr::IAMR] >> 62);
    let keys = Rights { load: amr & 1 == 0, store: amr & 2 == 0, fetch: iamr & 1 == 0 };
    if !keys.allow(access) {
        return Err(Dsisr::KEYFAULT);
    }
    Ok(Rights { store: authority.store && keys.store, ..authority })
}

#[cfg(test)]
mod tests;
