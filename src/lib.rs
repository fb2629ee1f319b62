//! spapr: a pseries (PowerPC64 sPAPR) virtual machine monitor, used as a Python module.
//!
//! Two sides meet only in [`spapr`]. The CPU side knows the Power ISA: `isa` (the instruction table) → `mmu` (effective to real) →
//! `cpu` (architected state) → `accel` (running guest code). The machine side knows PAPR: `dev` → `intc` → `vio`. `spapr` joins
//! them into a pseries machine, `vm` runs it on threads, `python` shows it. No device sees `CpuState`; no accelerator sees a device.
//!
//! The order of dependencies is the table in `docs/architecture.md`; `tests/layers.rs` keeps it.

pub mod bits;
pub mod clock;
pub mod error;
pub mod memory;
pub mod random;
pub mod signal;
pub mod softfp;
pub mod state;
pub mod units;

pub mod fdt;
pub mod isa;

pub mod cpu;
pub mod mmu;

pub mod accel;

pub mod dev;
pub mod intc;
pub mod vio;

pub mod migrate;

pub mod spapr;
pub mod vm;

#[cfg(feature = "python")]
mod python;
