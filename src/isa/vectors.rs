//! Interrupts: where each goes, and what it does to MSR.

/// Interrupts that a partition can take (ISA III, interrupt definitions).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Vector {
    /// System reset.
    SystemReset,
    /// Machine check.
    MachineCheck,
    /// Data storage.
    DataStorage,
    /// Data segment (no SLB entry).
    DataSegment,
    /// Instruction storage.
    InstructionStorage,
    /// Instruction segment (no SLB entry).
    InstructionSegment,
    /// External.
    External,
    /// Alignment.
    Alignment,
    /// Program.
    Program,
    /// Floating point unavailable.
    FpUnavailable,
    /// Decrementer.
    Decrementer,
    /// Directed privileged doorbell.
    Doorbell,
    /// System call.
    SystemCall,
    /// Trace.
    Trace,
    /// Performance monitor.
    PerformanceMonitor,
    /// Vector unavailable.
    VectorUnavailable,
    /// VSX unavailable.
    VsxUnavailable,
    /// Facility unavailable.
    FacilityUnavailable,
    /// System call vectored, `scv` (its LEV is added by the instruction).
    SystemCallVectored,
}

/// One row of the interrupt table.
#[derive(Debug)]
pub struct VectorRow {
    /// Which interrupt.
    pub vector: Vector,
    /// Offset of the handler from the interrupt base.
    pub offset: u64,
    /// Name as Linux and QEMU's traces know it.
    pub name: &'static str,
    /// Whether LPCR\[AIL\] moves the handler (ISA III, AIL: not for machine check and system reset).
    pub relocatable: Relocatable,
}

/// Whether AIL applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relocatable {
    /// Taken at the AIL base when AIL says so.
    Yes,
    /// Always taken in real mode at its offset.
    No,
}

const fn v(vector: Vector, offset: u64, name: &'static str, relocatable: Relocatable) -> VectorRow {
    VectorRow { vector, offset, name, relocatable }
}

/// The interrupt table, in the order of [`Vector`].
#[rustfmt::skip] // One interrupt per line.
pub static TABLE: &[VectorRow] = &[
    v(Vector::SystemReset,         0x100, "system reset",          Relocatable::No),
    v(Vector::MachineCheck,        0x200, "machine check",         Relocatable::No),
    v(Vector::DataStorage,         0x300, "data storage",          Relocatable::Yes),
    v(Vector::DataSegment,         0x380, "data segment",          Relocatable::Yes),
    v(Vector::InstructionStorage,  0x400, "instruction storage",   Relocatable::Yes),
    v(Vector::InstructionSegment,  0x480, "instruction segment",   Relocatable::Yes),
    v(Vector::External,            0x500, "external",              Relocatable::Yes),
    v(Vector::Alignment,           0x600, "alignment",             Relocatable::Yes),
    v(Vector::Program,             0x700, "program",               Relocatable::Yes),
    v(Vector::FpUnavailable,       0x800, "fp unavailable",        Relocatable::Yes),
    v(Vector::Decrementer,         0x900, "decrementer",           Relocatable::Yes),
    v(Vector::Doorbell,            0xa00, "privileged doorbell",   Relocatable::Yes),
    v(Vector::SystemCall,          0xc00, "system call",           Relocatable::Yes),
    v(Vector::Trace,               0xd00, "trace",                 Relocatable::Yes),
    v(Vector::PerformanceMonitor,  0xf00, "performance monitor",   Relocatable::Yes),
    v(Vector::VectorUnavailable,   0xf20, "vector unavailable",    Relocatable::Yes),
    v(Vector::VsxUnavailable,      0xf40, "vsx unavailable",       Relocatable::Yes),
    v(Vector::FacilityUnavailable, 0xf60, "facility unavailable",  Relocatable::Yes),
    v(Vector::SystemCallVectored,  0x0,   "system call vectored",  Relocatable::Yes),
];

impl Vector {
    /// This interrupt's row.
    pub fn row(self) -> &'static VectorRow {
        &TABLE[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_the_order_of_the_enum() {
        TABLE.iter().enumerate().for_each(|(i, r)| assert_eq!(r.vector as usize, i));
    }
}
