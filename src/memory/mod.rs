//! Guest RAM: typed big-endian access by real address, bulk copy, and the page flags that stores must respect.
//!
//! RAM is one run of bytes from real address 0, mapped through vm-memory from a file in memory ([`image`]), and is shared by all vCPU threads. It is never a
//! `&[u8]`: another vCPU may write it at any time. Everything that is not a vCPU goes through the checked methods here; only the
//! accelerators' TLBs take host pointers ([`GuestMemory::host`]).
//!
//! Every 4 KiB page has a byte of flags ([`CODE`], [`LOG`]). A vCPU that stores to RAM reads it after the store and calls
//! [`GuestMemory::stored`] when it is not zero, or relies on its having been zero while [`GuestMemory::armed`] stays the same; the checked methods here do so themselves. That is how translated code learns that its page was
//! written, and how migration learns which pages are dirty.

mod absent;
mod code;
mod dirty;
mod image;
mod map;
mod outside;
mod pages;

pub use image::Image;
pub use map::GuestMemory;
pub use outside::Outside;
pub use pages::PageSet;

/// Page flag: some vCPU holds decoded instructions from this page.
pub const CODE: u8 = 1 << 0;
/// Page flag: the next store to this page is to be noted in the dirty log.
pub const LOG: u8 = 1 << 1;

/// log2 of the granule of page flags.
pub const FLAG_SHIFT: u32 = 12;

/// An access reached outside RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRam;
