//! Process-scoped radix tree translation (ISA III, radix tree translation).

use crate::mmu::Access;
use crate::mmu::Context;
use crate::mmu::Fault;
use crate::mmu::Translation;
use crate::units::Ea;

/// Walks the tree of the process that `ea`'s quadrant selects.
pub fn translate(_cx: &Context<'_>, _ea: Ea, _access: Access) -> Result<Translation, Fault> {
    todo!("radix walk")
}
