//! The guest chooses how it translates (PAPR, H_REGISTER_PROC_TBL): radix with a process table, or hash.

use crate::isa::regs::Lpcr;
use crate::mmu::partition::Translation;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::Change;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::Who;
use crate::spapr::machine::Machine;
use crate::spapr::machine::MmuMode;

/// Flags.
const MODIFY: u64 = 0x10;
const REGISTER: u64 = 0x08;
const RADIX: u64 = 0x04;
const HASH_TABLES: u64 = 0x02;
const GTSE: u64 = 0x01;

/// H_CLEAN_SLB, H_INVALIDATE_PID: for guests that keep segment tables, which are not offered.
pub fn not_offered(_: &mut Machine, _: Caller, _: [u64; 9]) -> Outcome {
    H::Function.into()
}

/// What a call makes of the process table.
enum Table {
    Keep,
    Set(u64),
}

/// H_REGISTER_PROC_TBL: flags, base, page size, table size.
pub fn register(m: &mut Machine, _: Caller, [flags, base, page_size, table_size, ..]: [u64; 9]) -> Outcome {
    if flags & !(MODIFY | REGISTER | RADIX | HASH_TABLES | GTSE) != 0 {
        return H::Parameter.into();
    }
    let asked = if flags & RADIX != 0 { MmuMode::Radix } else { MmuMode::Hash };
    let possible = match asked {
        MmuMode::Radix => m.spec.mmu.radix,
        MmuMode::Hash => m.spec.mmu.hash,
    };
    if !possible {
        return H::Parameter.into();
    }
    let (mode, table) = match (flags & MODIFY != 0, flags & REGISTER != 0, asked) {
        (true, true, MmuMode::Radix) => {
            let checks = [(base & 0xfff != 0 || base >> 60 != 0, H::P2), (page_size != 0, H::P3), (table_size > 24, H::P4)];
            if let Some((_, status)) = checks.into_iter().find(|(wrong, _)| *wrong) {
                return status.into();
            }
            (MmuMode::Radix, Table::Set(base | table_size))
        }
        (true, true, MmuMode::Hash) => {
            let checks =
                [(flags & HASH_TABLES != 0, H::Parameter), (base >> 38 != 0, H::P2), (page_size > 7, H::P3), (table_size > 24, H::P4)];
            if let Some((_, status)) = checks.into_iter().find(|(wrong, _)| *wrong) {
                return status.into();
            }
            (MmuMode::Hash, Table::Set(base << 25 | page_size << 5 | table_size))
        }
        (true, false, _) => (m.mmu, Table::Set(0)),
        (false, _, asked) if asked == m.mmu => (m.mmu, Table::Keep),
        (false, ..) => return H::Parameter.into(),
    };
    if m.set_mmu(mode).is_err() {
        return H::NoMem.into();
    }
    let value = match table {
        Table::Set(value) => value,
        Table::Keep => m.partition.process_table(),
    };
    let by = match mode {
        MmuMode::Hash => Translation::Hash,
        MmuMode::Radix if flags & GTSE != 0 => Translation::RadixGtse,
        MmuMode::Radix => Translation::Radix,
    };
    if m.configure_host(by, value).is_err() {
        return H::Parameter.into();
    }
    match table {
        Table::Set(value) => m.partition.set_process_table(value),
        Table::Keep => m.partition.invalidate(None),
    }
    let bit = |flag: u64, bits: u64| if flags & flag != 0 { bits } else { 0 };
    let value = bit(RADIX, Lpcr::UPRT | Lpcr::HR) | bit(HASH_TABLES, Lpcr::UPRT) | bit(GTSE, Lpcr::GTSE);
    let change = Change::Lpcr { mask: Lpcr::UPRT | Lpcr::HR | Lpcr::GTSE, value };
    Outcome::OnVcpus { who: Who::All, change, status: H::Success }
}
