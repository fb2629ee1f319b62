//! The virtual I/O bus: PAPR's paravirtual devices, reached by hypercalls and RTAS calls instead of registers.
//!
//! Here are the chips. Their unit addresses, interrupt numbers and device tree nodes are `spapr`'s affair, and the calls' argument
//! checks are the hypercall layer's; a device gets what was asked of it and a sink for its interrupt.

pub mod nvram;
pub mod saved;
pub mod vty;
