//! The architected state of a vCPU, the interrupts it takes and its clocks: what every accelerator shares.

pub mod elements;
pub mod interrupt;
pub mod saved;
pub mod state;
pub mod timebase;

pub use state::CpuState;
pub use state::Cr;
pub use state::SlbEntry;
pub use state::Vsr;
pub use state::Xer;
