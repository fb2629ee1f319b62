//! Where the user wants guest code to stop: breakpoints at instructions, watchpoints at data.
//!
//! Code runs at full speed elsewhere. A block ends before a word at whose offset in the page there is a breakpoint, so that the run loop, or the head of a translated block, looks there and nowhere else.
//! A watched page is never entered into the software TLB, so that its accesses alone take the long way, and are looked at there.
//!
//! Stopping changes nothing: the instruction has not begun. When the machine runs on, it is executed although it stops there ([`Stops::pass`]), for it was reported; with an interrupt in between it
//! is reported again.

use crate::accel::interp::tlb::LARGE_SHIFT;
use crate::accel::interp::tlb::PAGE_SHIFT;
use crate::mmu::Access;
use crate::units::Ea;

/// Which accesses a watchpoint is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Watched {
    /// Loads.
    Loads,
    /// Stores; atomic updates are among them.
    Stores,
    /// Both.
    Both,
}

/// A watchpoint: effective addresses, whatever they are translated to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Watch {
    /// The first byte.
    pub at: Ea,
    /// Bytes; at least one.
    pub len: u64,
    /// Which accesses.
    pub of: Watched,
}

impl Watch {
    fn meets(&self, from: u64, len: u64) -> bool {
        // Differences, because a range may go round the end of the address space.
        from.wrapping_sub(self.at.0) < self.len || self.at.0.wrapping_sub(from) < len
    }

    fn is_for(&self, access: Access) -> bool {
        match (self.of, access) {
            (_, Access::Fetch) => false,
            (Watched::Both, _) | (Watched::Loads, Access::Load) | (Watched::Stores, Access::Store) => true,
            (Watched::Loads, Access::Store) | (Watched::Stores, Access::Load) => false,
        }
    }
}

/// What the run loop is to do at an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Here {
    /// Nothing stops here.
    Go,
    /// Execute this one instruction, whatever stops there.
    Pass,
    /// Stop before it.
    Stop,
}

/// The stops of one vCPU.
#[derive(Default)]
pub(in crate::accel) struct Stops {
    breakpoints: Vec<u64>,
    watches: Vec<Watch>,
    /// For each word of a page, whether a breakpoint has this offset.
    cuts: Vec<bool>,
    /// An instruction that was reported and is to be executed now.
    pass: Option<u64>,
    /// The present instruction may do everything.
    passing: bool,
}

impl Stops {
    /// Whether there are any breakpoints or watchpoints.
    #[inline(always)]
    pub(super) fn any(&self) -> bool {
        !self.breakpoints.is_empty() || !self.watches.is_empty()
    }

    /// Replaces the breakpoints, for a vCPU that stands at `nip`. Whatever was decoded before must be forgotten.
    pub(super) fn set_breakpoints(&mut self, at: &[u64], nip: u64) {
        self.breakpoints = at.to_vec();
        self.cuts = if at.is_empty() { Vec::new() } else { vec![false; 1 << (PAGE_SHIFT - 2)] };
        at.iter().for_each(|ea| self.cuts[word(*ea)] = true);
        self.pass = Some(nip);
    }

    /// Replaces the watchpoints. Whatever the TLB holds must be forgotten.
    pub(super) fn set_watches(&mut self, watches: &[Watch]) {
        self.watches = watches.to_vec();
    }

    /// Whether a block must end before word `k` of its page.
    #[inline(always)]
    pub(in crate::accel) fn cuts(&self, k: usize) -> bool {
        self.cuts.get(k).copied().unwrap_or(false)
    }

    /// The pages (effective address of their first byte) with a breakpoint at word `k`.
    pub(in crate::accel) fn pages(&self, k: usize) -> impl Iterator<Item = u64> + '_ {
        self.breakpoints.iter().filter(move |ea| word(**ea) == k).map(|ea| ea >> PAGE_SHIFT << PAGE_SHIFT)
    }

    /// What is to be done at `nip`.
    pub(super) fn look(&mut self, nip: u64) -> Here {
        if self.pass.take() == Some(nip) {
            self.passing = true;
            Here::Pass
        } else if self.breakpoints.contains(&nip) {
            self.pass = Some(nip);
            Here::Stop
        } else {
            Here::Go
        }
    }

    /// Whether the present instruction was let pass.
    pub(super) fn passes(&self) -> bool {
        self.passing
    }

    /// The instruction that was let pass is done.
    pub(super) fn passed(&mut self) {
        self.passing = false;
    }

    /// The instruction at `nip` was stopped by a watchpoint, and is to pass next time.
    pub(super) fn reported(&mut self, nip: u64) {
        self.pass = Some(nip);
    }

    /// Whether an access of `len` bytes at `ea` stops.
    pub(super) fn watches(&self, ea: u64, len: u64, access: Access) -> bool {
        !self.passing && self.watches.iter().any(|w| w.is_for(access) && w.meets(ea, len))
    }

    /// Whether the page of `ea` has watched bytes, and whether the 64 KiB around it have.
    pub(super) fn near(&self, ea: u64) -> (bool, bool) {
        let within = |shift: u32| self.watches.iter().any(|w| w.meets(ea >> shift << shift, 1 << shift));
        if self.watches.is_empty() { (false, false) } else { (within(PAGE_SHIFT), within(LARGE_SHIFT)) }
    }
}

/// Which word of its page an address is.
fn word(ea: u64) -> usize {
    (ea & ((1 << PAGE_SHIFT) - 1)) as usize >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accesses_that_touch_a_byte_are_seen_and_others_are_not() {
        let mut stops = Stops::default();
        stops.set_watches(&[Watch { at: Ea(0x1ffc), len: 8, of: Watched::Stores }]);
        for (at, len, hit) in
            [(0x1ff0, 8, false), (0x1ff8, 4, false), (0x1ff8, 5, true), (0x2003, 1, true), (0x2004, 16, false), (0, 0x4000, true)]
        {
            assert_eq!(stops.watches(at, len, Access::Store), hit, "{at:#x} {len}");
            assert!(!stops.watches(at, len, Access::Load));
        }
        assert_eq!(
            [0xfff, 0x1000, 0x2fff, 0x3000, 0x1_0000].map(|ea| stops.near(ea)),
            [(false, true), (true, true), (true, true), (false, true), (false, false)]
        );
    }

    #[test]
    fn what_was_reported_passes_once() {
        let mut stops = Stops::default();
        stops.set_breakpoints(&[0x100, 0x2100], 0x100);
        assert!(stops.cuts(0x40) && !stops.cuts(0x41));
        assert_eq!(stops.pages(0x40).collect::<Vec<_>>(), [0, 0x2000]);
        assert_eq!([0x100, 0x104, 0x100, 0x100].map(|nip| stops.look(nip)), [Here::Pass, Here::Go, Here::Stop, Here::Pass]);
    }
}
