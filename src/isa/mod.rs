//! The Power ISA as data: no state, no memory, no host.
//!
//! One row per instruction (`table`), from which the decoder, the disassembler, the interpreter's dispatch and the
//! generators of the differential fuzzers are made. Registers with named fields are in `regs`, special purpose registers in `spr`,
//! interrupts in `vectors`, and what distinguishes the CPU models in `cpu_model`.

pub mod cpu_model;
pub mod decode;
pub mod disasm;
pub mod insn;
pub mod regs;
pub mod spr;
pub mod table;
pub mod vectors;

pub use insn::Insn;
pub use table::Row;

/// Editions of the Power ISA that the supported CPUs implement, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Isa {
    /// PowerPC 970 and POWER5+ (2.01 … 2.03).
    V2_03,
    /// POWER6.
    V2_05,
    /// POWER7.
    V2_06,
    /// POWER8.
    V2_07,
    /// POWER9 (3.0B).
    V3_0,
    /// POWER10 (3.1).
    V3_1,
}
