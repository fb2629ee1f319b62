//! What the places in translated code that access storage remember, and when they forget it.
//!
//! A site is three words behind the code: the effective address where its last access's 64 KiB begin, how many bytes from there an access may begin at, and the distance to the host.
//! Nothing in them says for which context they hold, which would have to be compared at each access. Instead code is told apart by the [`Class`] of the state that executes it, which is part of
//! the key of a block, and before code of a class is entered in another context than the class was last in, the sites that were filled there forget. Each filled site is
//! in a list for this, so that forgetting costs what filling cost. Contexts change only between two blocks.
//!
//! A site that stores is filled only where none of the pages has a flag, so that it need not look at flags. Who sets a flag counts that ([`GuestMemory::armed`](crate::memory::GuestMemory::armed)),
//! and each vCPU makes its sites that store forget before it enters translated code again: at once for code that it decodes itself, within a slice for others. So another vCPU's store may go by
//! a flag that was just set. For code the architecture allows that until `icbi`, which looks at the flags itself; for the dirty log `Partition::settle` waits until the store is done.

use crate::accel::interp::Core;
use crate::accel::interp::tlb::Half;
use crate::accel::tcg::buffer::CodeBuffer;
use crate::isa::regs::Msr;

/// Bytes of a site.
pub const SITE_BYTES: usize = 24;
/// Where in it the count of bytes is; 0: it remembers nothing.
pub const SITE_LIMIT: usize = 8;
/// Where in it the distance is.
pub const SITE_DELTA: usize = 16;
/// Addresses behind the last list: with them the lists of the usual buffer are longer than the 32 MiB up to which the C library may give memory that was used before.
const APART: usize = 4096;
/// Kinds of sites: class and half of the TLB.
pub const KINDS: usize = 6;

/// What state executes a block, as far as its sites must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Problem state.
    Problem,
    /// Privileged, data relocated.
    Privileged,
    /// Privileged, real mode for data.
    Real,
}

const CLASSES: [Class; 3] = [Class::Problem, Class::Privileged, Class::Real];
const HALVES: [Half; 2] = [Half::Read, Half::Write];

impl Class {
    /// The class of code that the vCPU executes now.
    pub fn of(msr: Msr) -> Class {
        match (msr.has(Msr::PR), msr.has(Msr::DR)) {
            (true, _) => Class::Problem,
            (false, true) => Class::Privileged,
            (false, false) => Class::Real,
        }
    }
}

/// The number of a kind.
pub const fn kind(class: Class, half: Half) -> usize {
    2 * class as usize + half as usize
}

/// The lists of filled sites, and what they were filled for.
pub struct Sites {
    /// Addresses of the filled sites, written by translated code: a list for each kind, one behind the other. A site is in its list once, so they are long enough.
    lists: Vec<u64>,
    /// Addresses that a list holds.
    room: usize,
    /// The context that each class was last entered in, and how many pages had been forgotten.
    contexts: [(u64, u64); 3],
    /// How often flags had been set when those that store were last made to forget.
    armed: u64,
}

impl Sites {
    /// Nothing filled, for as many sites as `bytes` hold.
    pub fn new(bytes: usize) -> Sites {
        let room = bytes / SITE_BYTES;
        // In one piece, which is so large that the C library always maps it: then it is zero without being touched, and takes memory as it is used.
        Sites { lists: vec![0; KINDS * room + APART], room, contexts: [(0, 0); 3], armed: 0 }
    }

    /// Tells `c`, whose translated code fills sites, where the lists are. They must be as empty.
    pub fn attach(&self, c: &mut Core) {
        c.words.filled = std::array::from_fn(|kind| self.start(kind));
    }

    /// Where a kind's list begins.
    fn start(&self, kind: usize) -> u64 {
        self.lists[kind * self.room..].as_ptr() as u64
    }

    /// Follows a change of context since translated code was last entered.
    #[inline]
    pub fn follow_context(&mut self, c: &mut Core, buffer: &mut CodeBuffer) {
        let class = Class::of(c.msr);
        // Pages that are forgotten one by one are those of processes, which are in no site of privileged code.
        let now = (c.tlb.data, if class == Class::Problem { c.tlb.pages_forgotten } else { 0 });
        if self.contexts[class as usize] != now {
            self.contexts[class as usize] = now;
            HALVES.into_iter().for_each(|half| self.forget(c, buffer, kind(class, half)));
        }
    }

    /// Follows flags that were set since translated code was last entered.
    #[inline]
    pub fn follow_flags(&mut self, c: &mut Core, buffer: &mut CodeBuffer) {
        let armed = c.tlb.memory.armed();
        if self.armed != armed {
            self.armed = armed;
            CLASSES.into_iter().for_each(|class| self.forget(c, buffer, kind(class, Half::Write)));
        }
    }

    /// Makes all sites forget.
    pub fn forget_all(&mut self, c: &mut Core, buffer: &mut CodeBuffer) {
        (0..KINDS).for_each(|k| self.forget(c, buffer, k));
    }

    fn forget(&mut self, c: &mut Core, buffer: &mut CodeBuffer, kind: usize) {
        let first = self.start(kind);
        let filled = (c.words.filled[kind] - first) as usize / size_of::<u64>();
        c.words.filled[kind] = first;
        self.lists[kind * self.room..][..filled].iter().for_each(|site| buffer.zero_word(*site as usize + SITE_LIMIT));
    }
}
