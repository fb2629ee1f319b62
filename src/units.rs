//! Numbers that say what they are.
//!
//! Effective and real addresses, and the three numbers that all mean "which CPU", are integers that differ only in meaning;
//! mixing them is this platform's classic bug. There is no `From` between units: a conversion stands only where the knowledge
//! for it lives (`spapr::vsmt` alone turns a core and a thread into a [`VcpuId`]).

macro_rules! unit {
    ($($(#[$meta:meta])* $name:ident($inner:ty);)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl std::fmt::LowerHex for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::LowerHex::fmt(&self.0, f)
            }
        }
    )*};
}

unit! {
    /// Effective address, before translation (ISA III, storage control).
    Ea(u64);
    /// Guest real address: an offset into the partition's address space (PAPR's logical real address).
    Ra(u64);
    /// Which core, counted from 0; guest-visible only through `spapr::vsmt`.
    CoreId(u32);
    /// Dense index of a vCPU, `0..n` (QEMU's cpu_index). Bookkeeping; the guest never sees it.
    CpuIndex(u32);
    /// The vcpu id, `core * vsmt + thread`: the guest's interrupt server number, its device tree's `reg`, KVM's vcpu id.
    VcpuId(u32);
    /// Interrupt source number: XICS global number, XIVE LISN.
    Lisn(u32);
    /// Dynamic-reconfiguration connector index, `type << 28 | id` (PAPR).
    DrcIndex(u32);
    /// Unit address of a virtual I/O device (its `reg`).
    UnitAddress(u32);
}

/// Width of one storage access in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Width {
    /// 1 byte.
    Byte = 1,
    /// 2 bytes.
    Half = 2,
    /// 4 bytes.
    Word = 4,
    /// 8 bytes.
    Double = 8,
}

impl Width {
    /// The width with this many bytes, if there is one.
    pub fn of(bytes: u64) -> Option<Width> {
        match bytes {
            1 => Some(Width::Byte),
            2 => Some(Width::Half),
            4 => Some(Width::Word),
            8 => Some(Width::Double),
            _ => None,
        }
    }

    /// Bytes in one access.
    pub fn bytes(self) -> u64 {
        self as u64
    }
}
