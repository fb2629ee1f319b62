//! Changing the size of the hashed page table while the guest runs (PAPR, H_RESIZE_HPT_PREPARE, H_RESIZE_HPT_COMMIT).
//!
//! A table is memory that is zeroed when first touched, so a new one is ready at once and PREPARE answers H_SUCCESS where QEMU
//! says «busy» first; guests take either. COMMIT carries over the bolted entries alone: the guest faults the others in again.
//!
//! Where the host's kernel keeps the table, it does both. What it has made ready is no state: a guest that moves meanwhile hears H_CLOSED and asks again.

use crate::mmu::hpt::GROUP;
use crate::mmu::hpt::Hpt;
use crate::mmu::hpt::Hpte;
use crate::mmu::hpt::SHIFT_MAX;
use crate::mmu::hpt::SHIFT_MIN;
use crate::mmu::partition::Resize;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Machine;
use crate::spapr::machine::PreparedHpt;
use crate::spapr::options::ResizeHpt;
use std::sync::Arc;
use std::time::Duration;

/// Whether the machine resizes, and the table that is in use.
fn offered(m: &Machine) -> Result<Arc<Hpt>, H> {
    if m.spec.resize_hpt == ResizeHpt::Disabled {
        return Err(H::Authority);
    }
    m.partition.hpt().ok_or(H::NotAvailable)
}

/// H_RESIZE_HPT_PREPARE: flags, shift; shift 0 drops what was prepared.
pub fn prepare(m: &mut Machine, _: Caller, [flags, shift, ..]: [u64; 9]) -> Outcome {
    if let Err(status) = offered(m) {
        return status.into();
    }
    let range = u64::from(SHIFT_MIN)..=u64::from(SHIFT_MAX);
    if flags != 0 || !(shift == 0 || range.contains(&shift)) {
        return H::Parameter.into();
    }
    let shift = shift as u32;
    if shift > m.hpt_shift_of(m.spec.ram) + 1 {
        return H::Resource.into();
    }
    if let Some(host) = m.partition.host() {
        return match host.prepare(shift) {
            Ok(left) => long_busy(left).into(),
            Err(why) => status(why).into(),
        };
    }
    if m.prepared_hpt.as_ref().is_none_or(|p| p.shift != shift) {
        m.prepared_hpt = (shift != 0).then(|| PreparedHpt { shift, table: Hpt::new(shift).ok() });
    }
    match &m.prepared_hpt {
        Some(PreparedHpt { table: None, .. }) => H::NoMem.into(),
        Some(PreparedHpt { table: Some(_), .. }) | None => H::Success.into(),
    }
}

/// H_RESIZE_HPT_COMMIT: flags, shift.
pub fn commit(m: &mut Machine, _: Caller, [flags, shift, ..]: [u64; 9]) -> Outcome {
    let old = match offered(m) {
        Ok(old) => old,
        Err(status) => return status.into(),
    };
    if flags != 0 {
        return H::Parameter.into();
    }
    if let Some(host) = m.partition.host().cloned() {
        let Some(shift) = u32::try_from(shift).ok().filter(|s| (SHIFT_MIN..=SHIFT_MAX).contains(s)) else { return H::Closed.into() };
        return match m.partition.commit_hpt(&host, shift) {
            Ok(()) => {
                m.negotiated.hpt_shift = shift;
                H::Success.into()
            }
            Err(why) => status(why).into(),
        };
    }
    // A table that could not be made is no table (departs: QEMU goes on with none).
    let Some(new) = m.prepared_hpt.take_if(|p| u64::from(p.shift) == shift).and_then(|p| p.table) else { return H::Closed.into() };
    match rehash(&old, &new) {
        Ok(()) => {
            m.negotiated.hpt_shift = new.shift();
            m.partition.set_hpt(Some(Arc::new(new)));
            H::Success.into()
        }
        Err(status) => status.into(),
    }
}

/// What a guest is told that has to wait: to come again after that time.
fn long_busy(left: Duration) -> H {
    match left.as_millis() {
        0 => H::Success,
        1..=9 => H::LongBusy1Msec,
        10..=99 => H::LongBusy10Msec,
        100..=999 => H::LongBusy100Msec,
        1_000..=9_999 => H::LongBusy1Sec,
        10_000..=99_999 => H::LongBusy10Sec,
        _ => H::LongBusy100Sec,
    }
}

fn status(why: Resize) -> H {
    match why {
        Resize::Parameter => H::Parameter,
        Resize::NoMemory => H::NoMem,
        Resize::NothingPrepared => H::Closed,
        Resize::NotReady => H::Busy,
        Resize::Full => H::PtegFull,
        Resize::Failed => H::Hardware,
    }
}

/// Copies the bolted entries. The time grows with the table, which the machine's RAM bounds.
fn rehash(old: &Hpt, new: &Hpt) -> Result<(), H> {
    for ptex in 0..old.entries() {
        let e = old.get(ptex);
        if !e.valid() || e.v & Hpte::BOLTED == 0 {
            continue;
        }
        let group = new_group(old, e, ptex / GROUP).ok_or(H::Hardware)? & new.group_mask();
        let target = new.lock(group * GROUP);
        let slot = ptex % GROUP;
        if target.get(slot).valid() {
            return Err(H::PtegFull);
        }
        target.set(slot, Hpte { v: e.v | Hpte::DIRTY, ..e });
    }
    Ok(())
}

/// The hash of an entry, as far as the entry and the group it was found in tell, complemented if it was entered under the
/// secondary one. The AVPN lacks the page's low bits below 8 MiB; the old group supplies them.
fn new_group(old: &Hpt, e: Hpte, group: u64) -> Option<u64> {
    const AVPN_BYTES_SHIFT: u32 = 23;
    let (base, _) = e.page_shifts()?;
    let secondary = e.v & Hpte::SECONDARY != 0;
    let primary = if secondary { !group } else { group };
    let avpn = ((e.v & Hpte::AVPN) >> 7) & !(((1 << base) - 1) >> AVPN_BYTES_SHIFT);
    let segment_bits = match e.v & Hpte::B {
        0 => 28 - AVPN_BYTES_SHIFT,
        0x4000_0000_0000_0000 => 40 - AVPN_BYTES_SHIFT,
        _ => return None,
    };
    let vsid = avpn >> segment_bits;
    let seed = if e.v & Hpte::B == 0 { vsid } else { vsid ^ (vsid << 25) };
    let mut offset = (avpn & ((1 << segment_bits) - 1)) << AVPN_BYTES_SHIFT;
    if base < AVPN_BYTES_SHIFT {
        let low_bits = (1 << (AVPN_BYTES_SHIFT - base)) - 1;
        offset |= ((seed ^ primary) & old.group_mask() & low_bits) << base;
    }
    let hash = seed ^ (offset >> base);
    Some(if secondary { !hash } else { hash })
}
