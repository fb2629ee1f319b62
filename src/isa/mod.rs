//! The Power ISA as data: no state, no memory, no host.
//!
//! One row per instruction (`table`), from which the decoder, the disassembler, the interpreter's dispatch and the
//! generators of the differential fuzzers are made. Registers with named fields are in `regs`, special purpose registers in `spr`,
//! interrupts in `vectors`, and what distinguishes the CPU models in `cpu_model`.

pub mod insn;

pub use insn::Insn;
