//! One binary for all integration tests.
#![expect(
    clippy::wildcard_enum_match_arm,
    clippy::type_complexity,
    reason = "a test looks at one case of many, and writes its tables where it uses them"
)]
mod calls;
mod cas;
mod cas_requests;
mod compat_pairs;
mod csv;
mod differential;
mod embedded;
mod fdt;
mod fuzz_smoke;
mod hcall;
mod icount;
mod insn;
mod invalidation;
mod kvm_abi;
mod migrate;
mod objdump;
mod oracle;
mod platform;
mod rtas;
mod saved;
mod smp;
mod stops;
mod stores;
mod twins;
mod versions;
mod vm;
mod vm_migrate;
mod vsmt_cells;
