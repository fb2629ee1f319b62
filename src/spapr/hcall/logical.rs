//! Storage by logical real address: one access, one page, or a run of elements (PAPR H_LOGICAL_*, H_PAGE_INIT; QEMU's memop).
//!
//! Single accesses reach RAM and devices alike; pages and runs are RAM's only.

use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::PORTION_BYTES;
use crate::spapr::machine::Machine;
use crate::units::Ra;
use crate::units::Width;

const PAGE: u64 = 4096;
/// H_PAGE_INIT flags.
const ICACHE_INVALIDATE: u64 = 1 << 23;
const ICACHE_SYNC: u64 = 1 << 22;
const ZERO: u64 = 1 << 15;
const COPY: u64 = 1 << 14;
/// Most elements of one memop.
const MEMOP_COUNT_MAX: u64 = 0x8000_0000;

/// H_LOGICAL_CI_LOAD, H_LOGICAL_CACHE_LOAD: size, address → value.
pub fn load(m: &mut Machine, caller: Caller, [size, at, ..]: [u64; 9]) -> Outcome {
    let Some(width) = Width::of(size) else { return H::Parameter.into() };
    let at = Ra(at);
    let value = match width {
        Width::Byte => m.memory.read_u8(at).map(u64::from),
        Width::Half => m.memory.read_u16(at).map(u64::from),
        Width::Word => m.memory.read_u32(at).map(u64::from),
        Width::Double => m.memory.read_u64(at),
    };
    match value.or_else(|_| m.mmio_read(caller.cpu, at, width)) {
        Ok(value) => Outcome::values(&[value]),
        Err(_) => H::Parameter.into(),
    }
}

/// H_LOGICAL_CI_STORE, H_LOGICAL_CACHE_STORE: size, address, value.
pub fn store(m: &mut Machine, caller: Caller, [size, at, value, ..]: [u64; 9]) -> Outcome {
    let Some(width) = Width::of(size) else { return H::Parameter.into() };
    let at = Ra(at);
    let done = match width {
        Width::Byte => m.memory.write_u8(at, value as u8),
        Width::Half => m.memory.write_u16(at, value as u16),
        Width::Word => m.memory.write_u32(at, value as u32),
        Width::Double => m.memory.write_u64(at, value),
    };
    match done.or_else(|_| m.mmio_write(caller.cpu, at, width, value)) {
        Ok(()) => H::Success.into(),
        Err(_) => H::Parameter.into(),
    }
}

/// H_LOGICAL_ICBI, H_LOGICAL_DCBF: caches are coherent here.
pub fn nothing(_: &mut Machine, _: Caller, _: [u64; 9]) -> Outcome {
    H::Success.into()
}

/// H_PAGE_INIT: flags, destination, source. Copy wins over zero.
pub fn page_init(m: &mut Machine, _: Caller, [flags, to, from, ..]: [u64; 9]) -> Outcome {
    let page_of_ram = |at: u64| at.is_multiple_of(PAGE) && m.memory.contains(Ra(at), PAGE);
    if flags & !(ICACHE_INVALIDATE | ICACHE_SYNC | ZERO | COPY) != 0 || !page_of_ram(to) {
        return H::Parameter.into();
    }
    let done = match flags {
        f if f & COPY != 0 => {
            if !page_of_ram(from) {
                return H::Parameter.into();
            }
            m.memory.copy(Ra(from), Ra(to), PAGE)
        }
        f if f & ZERO != 0 => m.memory.fill(Ra(to), PAGE, 0),
        _ => Ok(()),
    };
    done.err().map_or(H::Success, H::from).into()
}

/// KVMPPC_H_LOGICAL_MEMOP: destination, source, log2 of the element size, count, operation (0 copy, 1 copy inverted). RAM only
/// (departs: QEMU also reaches devices), in portions: what is left is the guest's to ask for again, without its noticing.
pub fn memop(m: &mut Machine, _: Caller, [to, from, log2_size, count, op, ..]: [u64; 9]) -> Outcome {
    if count > MEMOP_COUNT_MAX || op > 1 || log2_size > 3 {
        return H::Parameter.into();
    }
    let size = 1 << log2_size;
    let bytes = count * size;
    let fits = |at: u64| at.is_multiple_of(size) && m.memory.contains(Ra(at), bytes);
    if !fits(to) || !fits(from) {
        return H::Parameter.into();
    }
    let portion = bytes.min(PORTION_BYTES);
    let left = bytes - portion;
    // Where the destination lies behind an overlapping source, from the end.
    let backwards = to > from && to - from < bytes;
    let skip = if backwards { left } else { 0 };
    let (source, target) = (Ra(from + skip), Ra(to + skip));
    let done = if op == 0 {
        m.memory.copy(source, target, portion)
    } else {
        let mut buffer = vec![0; portion as usize];
        m.memory.read(source, &mut buffer).and_then(|()| {
            buffer.iter_mut().for_each(|b| *b = !*b);
            m.memory.write(target, &buffer)
        })
    };
    match done {
        Err(out) => H::from(out).into(),
        Ok(()) if left == 0 => H::Success.into(),
        Ok(()) => {
            let step = if backwards { 0 } else { portion };
            Outcome::Again([to + step, from + step, log2_size, left / size, op, 0, 0, 0])
        }
    }
}
