//! One file per target: `run` takes any bytes, `seeds` gives a few that mean something.
//!
//! A body asserts what must hold whatever a guest does: no panic, a bounded amount of work, answers that agree with each other. Inputs are read
//! front to back by [`Input`]; what runs out reads as zero, so every byte string is an input. Bodies use the crate's public interface only.

pub mod cas;
pub mod decode;
pub mod fdt;
pub mod hcall;
pub mod input;
pub mod insn;
pub mod kernel_elf;
pub mod machine;
pub mod migrate;
pub mod rtas;
pub mod state;
pub mod twins;
pub mod vof;
pub mod xive_mmio;

/// Name, body, seeds.
pub type Target = (&'static str, fn(&[u8]), fn() -> Vec<Vec<u8>>);

/// Every target.
pub const TARGETS: &[Target] = &[
    ("decode", decode::run, decode::seeds),
    ("insn", insn::run, insn::seeds),
    ("twins", twins::run, twins::seeds),
    ("fdt", fdt::run, fdt::seeds),
    ("kernel_elf", kernel_elf::run, kernel_elf::seeds),
    ("hcall", hcall::run, hcall::seeds),
    ("rtas", rtas::run, rtas::seeds),
    ("vof", vof::run, vof::seeds),
    ("cas", cas::run, cas::seeds),
    ("xive_mmio", xive_mmio::run, xive_mmio::seeds),
    ("state", state::run, state::seeds),
    ("migrate", migrate::run, migrate::seeds),
];
