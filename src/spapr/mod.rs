//! The platform: a pseries machine as PAPR describes it and as QEMU's users know it.
//!
//! Two halves meet here and nowhere else: the CPU side (which knows the Power ISA) and the devices. Before anything is built,
//! the user's wishes are settled: `spec` turns plain [`spec::Settings`] into one checked [`spec::MachineSpec`], and everything
//! that follows (device tree, boot, hypercalls, Python) reads that struct and decides nothing anew.
//!
//! What settles it, each a table with one row per fact:
//! * `version`: the machine versions, as undoings of what each release changed;
//! * `cpus`, `host`: processors as the platform sees them, and what a host grants;
//! * `caps`: the sPAPR capabilities with their levels and checks;
//! * `smp`: sockets, cores and threads;
//! * `vsmt`: the spacing of vcpu ids, the question this project grew from; `explain` answers it for one host without starting
//!   anything, `pair` for a guest that moves between two;
//! * `compat`: whether a guest may move from one machine to another at all, predicted and when it arrives.

pub mod boot;
pub mod caps;
pub mod cas;
pub mod compat;
pub mod cpus;
pub mod devtree;
pub mod drc;
pub mod events;
pub mod explain;
pub mod firmware;
pub mod hcall;
pub mod host;
pub mod layout;
pub mod machine;
pub mod names;
pub mod numa;
pub mod options;
pub mod ovec;
pub mod pair;
pub mod rtas;
pub mod rtc;
pub mod saved;
pub mod smp;
pub mod spec;
pub mod sysparm;
pub mod version;
pub mod vof;
pub mod vsmt;
pub mod watchdog;
