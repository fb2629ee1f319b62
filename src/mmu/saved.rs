//! The stored form of what all vCPUs share for translation. The hash table itself is large memory and goes on its own.

use crate::mmu::hpt;
use crate::mmu::partition::Partition;
use crate::state::Bad;
use crate::state::saved;

saved! {
    /// Roots of translation.
    SavedMmu = "mmu" version 1 {
        /// The process table as H_REGISTER_PROC_TBL left it.
        0 process_table: u64,
        /// log2 of the hash table's bytes.
        1 hpt_shift: Option<u32>,
    }
}

impl From<&Partition> for SavedMmu {
    fn from(p: &Partition) -> SavedMmu {
        SavedMmu { process_table: p.process_table(), hpt_shift: p.hpt().map(|hpt| hpt.shift()) }
    }
}

/// Refuses the size of a hash table that a machine cannot have; `largest` is log2 of what it can.
///
/// # Errors
/// It is too small or too large.
pub fn check_shift(shift: u32, largest: u32) -> Result<(), Bad> {
    if (hpt::SHIFT_MIN..=largest.min(hpt::SHIFT_MAX)).contains(&shift) {
        return Ok(());
    }
    Err(Bad::new(format!(
        "a hash table of 2^{shift} bytes is not between 2^{} and 2^{largest}, which this machine can have",
        hpt::SHIFT_MIN
    )))
}
