//! What a host emitter is, per host architecture. There is one: x86-64.

#[expect(clippy::useless_conversion, reason = "the assembler's macro takes numbers of any type for registers")]
pub mod x64;
