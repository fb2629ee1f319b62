//! The hashed page table's calls (PAPR, page frame table: hcall-pft, hcall-bulk).
//!
//! Taking an entry away, or changing its protection, ends only when no vCPU uses the old translation any more; so each such call
//! makes the entry invalid, waits for the invalidation (the calling vCPU has left guest code and needs no waiting for), and then
//! reads the final R and C bits. Without a table (a radix guest) no ptex is right.

use crate::mmu::hpt::GROUP;
use crate::mmu::hpt::Hpt;
use crate::mmu::hpt::Hpte;
use crate::spapr::caps::Cap;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::Values;
use crate::spapr::machine::Machine;
use std::sync::Arc;

/// Flag: this slot and no other.
const EXACT: u64 = 1 << 39;
/// Flag: read the four entries from a multiple of four.
const READ_4: u64 = 1 << 37;
/// Flag: only if the entry's AVPN is the one given.
const AVPN: u64 = 1 << 31;
/// Flag: only if no bit of the mask given is set in the entry.
const ANDCOND: u64 = 1 << 30;

/// WIMG: write-through, caching inhibited, memory coherence.
const W: u64 = 0x40;
const I: u64 = 0x20;
const M: u64 = 0x10;
/// Bits of the first doubleword that are the hypervisor's.
const V_OURS: u64 = 0x60;

/// The table, if `ptex` is in it. One that the host keeps is not for us to change.
fn table(m: &Machine, ptex: u64) -> Option<Arc<Hpt>> {
    m.partition.hpt().filter(|_| m.partition.host().is_none()).filter(|hpt| hpt.contains(ptex))
}

/// H_ENTER: flags, ptex, v, r → ptex used.
pub fn enter(m: &mut Machine, _: Caller, [flags, ptex, v, r, ..]: [u64; 9]) -> Outcome {
    let entry = Hpte { v: (v & !V_OURS) | Hpte::DIRTY | Hpte::VALID, r };
    let max_shift = u32::from(m.spec.caps.get(Cap::HptMaxPageSize));
    let Some((_, shift)) = entry.page_shifts().filter(|&(_, actual)| actual <= max_shift) else { return H::Parameter.into() };
    let wimg_fits = if m.is_ram_space(r & Hpte::RPN & !((1 << shift) - 1)) {
        r & Hpte::WIMG == M
    } else {
        // Devices: caching inhibited and not write-through; memory coherence and guarded as the guest likes.
        r & (W | I) == I
    };
    if !wimg_fits {
        return H::Parameter.into();
    }
    let Some(hpt) = table(m, ptex) else { return H::Parameter.into() };
    let group = hpt.lock(ptex);
    let slot = if flags & EXACT != 0 { Some(ptex % GROUP).filter(|&s| !group.get(s).valid()) } else { group.free_slot() };
    let Some(slot) = slot else { return H::PtegFull.into() };
    group.set(slot, entry);
    Outcome::values(&[group.first() + slot])
}

/// Which entries a removal or a change of protection means.
#[derive(Clone, Copy)]
enum Only {
    Any,
    Avpn(u64),
    NoneOf(u64),
}

impl Only {
    fn fits(self, e: Hpte) -> bool {
        e.valid()
            && match self {
                Only::Any => true,
                Only::Avpn(avpn) => e.v & !0x7f == avpn,
                Only::NoneOf(mask) => e.v & mask == 0,
            }
    }
}

/// Takes an entry away; gives it as it was, with its final R and C.
fn take(m: &Machine, ptex: u64, only: &[Only]) -> Result<Hpte, H> {
    let hpt = table(m, ptex).ok_or(H::Parameter)?;
    let group = hpt.lock(ptex);
    let slot = ptex % GROUP;
    let old = group.get(slot);
    if !(old.valid() && only.iter().all(|o| o.fits(old))) {
        return Err(H::NotFound);
    }
    group.invalidate(slot);
    m.partition.invalidate(None);
    let last = group.get(slot);
    group.set(slot, Hpte { v: Hpte::DIRTY, r: 0 });
    Ok(Hpte { v: old.v, r: last.r })
}

/// H_REMOVE: flags, ptex, avpn → old v, old r.
pub fn remove(m: &mut Machine, _: Caller, [flags, ptex, avpn, ..]: [u64; 9]) -> Outcome {
    let avpn_only = if flags & AVPN != 0 { Only::Avpn(avpn) } else { Only::Any };
    let none_of = if flags & ANDCOND != 0 { Only::NoneOf(avpn) } else { Only::Any };
    match take(m, ptex, &[avpn_only, none_of]) {
        Ok(old) => Outcome::values(&[old.v, old.r]),
        Err(status) => status.into(),
    }
}

/// H_READ: flags, ptex → v, r, or four such pairs.
pub fn read(m: &mut Machine, _: Caller, [flags, ptex, ..]: [u64; 9]) -> Outcome {
    let Some(hpt) = table(m, ptex) else { return H::Parameter.into() };
    let (first, count) = if flags & READ_4 != 0 { (ptex & !3, 4) } else { (ptex, 1) };
    let words: Vec<u64> = (first..first + count).map(|at| hpt.get(at)).flat_map(|e| [e.v, e.r]).collect();
    Outcome::values(&words)
}

/// H_PROTECT: flags, ptex, avpn. Key, N and PP come from the flags.
pub fn protect(m: &mut Machine, _: Caller, [flags, ptex, avpn, ..]: [u64; 9]) -> Outcome {
    const CHANGED: u64 = Hpte::PP0 | Hpte::PP | Hpte::N | Hpte::KEY_HIGH | Hpte::KEY_LOW;
    let Some(hpt) = table(m, ptex) else { return H::Parameter.into() };
    let group = hpt.lock(ptex);
    let slot = ptex % GROUP;
    let old = group.get(slot);
    let only = if flags & AVPN != 0 { Only::Avpn(avpn) } else { Only::Any };
    if !only.fits(old) {
        return H::NotFound.into();
    }
    group.invalidate(slot);
    m.partition.invalidate(None);
    let new = ((flags << 55) & Hpte::PP0) | ((flags << 48) & Hpte::KEY_HIGH) | (flags & (Hpte::PP | Hpte::N | Hpte::KEY_LOW));
    group.set(slot, Hpte { v: old.v | Hpte::DIRTY, r: (group.get(slot).r & !CHANGED) | new });
    H::Success.into()
}

/// Fields of the first doubleword of a H_BULK_REMOVE pair.
mod bulk {
    pub const TYPE: u64 = 3 << 62;
    pub const REQUEST: u64 = 1 << 62;
    pub const RESPONSE: u64 = 2 << 62;
    pub const END: u64 = 3 << 62;
    pub const CODE_SHIFT: u32 = 60;
    pub const NOT_FOUND: u64 = 1;
    pub const PARM: u64 = 2;
    pub const HARDWARE: u64 = 3;
    pub const FLAGS: u64 = 3 << 56;
    pub const ANDCOND: u64 = 1 << 56;
    pub const AVPN: u64 = 2 << 56;
    pub const PTEX: u64 = (1 << 56) - 1;
    /// From R and C in the second doubleword to bits 59 and 58 (departs: QEMU shifts by 43).
    pub const RC_SHIFT: u32 = 51;
}

/// H_BULK_REMOVE: up to four pairs of request and AVPN, answered in place.
pub fn bulk_remove(m: &mut Machine, _: Caller, args: [u64; 9]) -> Outcome {
    let mut regs: [u64; 8] = std::array::from_fn(|i| args[i]);
    let mut status = H::Success;
    for pair in regs.chunks_exact_mut(2) {
        let (request, avpn) = (pair[0], pair[1]);
        match request & bulk::TYPE {
            bulk::END => break,
            bulk::REQUEST => {}
            _ => {
                status = H::Parameter;
                break;
            }
        }
        let only = match request & bulk::FLAGS {
            0 => Ok(Only::Any),
            bulk::ANDCOND => Ok(Only::NoneOf(avpn)),
            bulk::AVPN => Ok(Only::Avpn(avpn)),
            _ => Err(H::Parameter),
        };
        let taken = only.and_then(|only| take(m, request & bulk::PTEX, &[only]));
        let answer = match taken {
            Ok(old) => (old.r & (Hpte::R | Hpte::C)) << bulk::RC_SHIFT,
            Err(H::NotFound) => bulk::NOT_FOUND << bulk::CODE_SHIFT,
            Err(H::Parameter) => bulk::PARM << bulk::CODE_SHIFT,
            Err(_) => bulk::HARDWARE << bulk::CODE_SHIFT,
        };
        pair[0] = (request & (bulk::FLAGS | bulk::PTEX)) | bulk::RESPONSE | answer;
        if taken.err().is_some_and(|e| e != H::NotFound) {
            status = H::Parameter;
            break;
        }
    }
    Outcome::Return(status, Values { regs, count: 8 })
}
