//! Hashed page table translation (ISA III, hashed page table; PAPR H_ENTER and its kin).

use crate::mmu::Access;
use crate::mmu::Context;
use crate::mmu::Fault;
use crate::mmu::Translation;
use crate::units::Ea;

/// A hashed page table: 2^shift bytes of 16-byte entries, outside guest RAM.
pub struct Hpt {}

/// Finds the SLB entry and then the page table entry of `ea`.
pub fn translate(_cx: &Context<'_>, _ea: Ea, _access: Access) -> Result<Translation, Fault> {
    todo!("HPT lookup")
}
