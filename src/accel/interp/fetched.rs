//! Which translations of instruction fetches a vCPU relies on without looking again, so that an invalidation need not make it forget where its code leads.
//!
//! Whoever translates or decodes keeps pages of code by address and context number, and so do links between translated blocks. Those are many and dear to make again; the translations behind
//! them are few, since the kernel's code lies in large pages. So when the kernel's translations are invalidated (Linux does that for each instruction that it patches), the page table entries
//! behind its code are read again, and if they say what they said, contexts of fetches stay. When one page of a process is invalidated, and no code was fetched near it, so do the process's.

use crate::mmu::Translation;
use crate::mmu::partition::Partition;
use crate::mmu::radix;
use std::collections::HashSet;

/// Translations of the kernel's code at most; they are all read at each invalidation.
const KERNEL: usize = 128;
/// Runs of 64 KiB of processes' code at most.
const PROCESSES: usize = 4096;
/// log2 of what processes' code is noted by.
const RUN: u32 = 16;

/// See the module.
#[derive(Default)]
pub struct Fetched {
    /// Where pages of the kernel's code begin, and the entries that translate them.
    kernel: Vec<(u64, radix::Entry)>,
    /// There is more of the kernel than is noted.
    kernel_lost: bool,
    /// Runs of 64 KiB where any process's code was fetched.
    processes: HashSet<u64>,
    /// There is more of processes than is noted.
    processes_lost: bool,
}

impl Fetched {
    /// No fetch is kept.
    pub fn clear(&mut self) {
        *self = Fetched::default();
    }

    /// The translation `t` of a fetch from `ea`, of the kernel's quadrant, is about to be kept for all processes.
    pub fn note_kernel(&mut self, partition: &Partition, ea: u64, t: &Translation) {
        let start = ea >> t.page_shift << t.page_shift;
        if self.kernel.iter().any(|(at, _)| *at == start) {
            return;
        }
        // Another vCPU may have changed the entry since it was followed.
        let entry = radix::entry(partition, ea).filter(|e| e.translates(ea) == t.ra && e.shift == t.page_shift);
        match entry {
            Some(entry) if self.kernel.len() < KERNEL => self.kernel.push((start, entry)),
            _ => self.kernel_lost = true,
        }
    }

    /// The translation of a fetch from `ea` is about to be kept for a process.
    pub fn note_process(&mut self, ea: u64) {
        if self.processes.len() < PROCESSES {
            self.processes.insert(ea >> RUN);
        } else {
            self.processes_lost = true;
        }
        self.note_shared(ea);
    }

    /// A translation that holds for a process is about to be kept: if it is of the kernel's quadrant, which is every process's, what is said of the kernel here is not enough.
    pub fn note_shared(&mut self, ea: u64) {
        self.kernel_lost |= ea >> 62 == 3;
    }

    /// Whether all that is kept of the kernel still holds.
    pub fn kernel_holds(&self, partition: &Partition) -> bool {
        !self.kernel_lost && self.kernel.iter().all(|(at, entry)| radix::entry(partition, *at).as_ref() == Some(entry))
    }

    /// Whether no process's code is kept from the page of 2^`shift` bytes at `ea`.
    pub fn none_in(&self, ea: u64, shift: u32) -> bool {
        let runs = 1u64 << shift.saturating_sub(RUN);
        let first = ea >> RUN;
        let within = |run: &u64| (first..first + runs).contains(run);
        !self.processes_lost && !if runs == 1 { self.processes.contains(&first) } else { self.processes.iter().any(within) }
    }
}
