//! The argument block in guest memory: token, counts, arguments, results, each a big-endian word.

use crate::memory::GuestMemory;
use crate::spapr::rtas::Answer;
use crate::units::Ra;

/// Most arguments, and most results, of one call.
pub const CELLS_MAX: usize = 16;
/// Offset of the first argument.
const ARGS_AT: u64 = 12;

/// The arguments of a call, and how many results the guest has room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    words: [u32; CELLS_MAX],
    count: usize,
    results: usize,
}

impl Args {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many results there is room for.
    pub fn results(&self) -> usize {
        self.results
    }

    /// Argument `n`, from 0; 0 for one that the guest did not give.
    pub fn get(&self, n: usize) -> u32 {
        self.words.get(n).copied().unwrap_or(0)
    }

    /// Argument `n` as an address.
    pub fn address(&self, n: usize) -> Ra {
        Ra(u64::from(self.get(n)))
    }
}

/// A block, read.
pub struct Block {
    /// Which call.
    pub token: u32,
    /// Its arguments.
    pub args: Args,
    results_at: Ra,
}

impl Block {
    /// Reads the block at `at`; `None` if it is not all RAM, or has more arguments or results than any call.
    pub fn read(memory: &GuestMemory, at: Ra) -> Option<Block> {
        let word = |offset: u64| memory.read_u32(Ra(at.0.checked_add(offset)?)).ok();
        let (token, count, results) = (word(0)?, word(4)? as usize, word(8)? as usize);
        if count > CELLS_MAX || results > CELLS_MAX || !memory.contains(at, ARGS_AT + 4 * (count + results) as u64) {
            return None;
        }
        let mut words = [0; CELLS_MAX];
        for (n, to) in words[..count].iter_mut().enumerate() {
            *to = word(ARGS_AT + 4 * n as u64)?;
        }
        let results_at = Ra(at.0 + ARGS_AT + 4 * count as u64);
        Some(Block { token, args: Args { words, count, results }, results_at })
    }

    /// Writes as many results as the guest has room for.
    pub fn answer(&self, memory: &GuestMemory, answer: &Answer) {
        let values = answer.values[..answer.count].iter().copied();
        let words = std::iter::once(answer.status as i32 as u32).chain(values);
        for (n, word) in words.take(self.args.results).enumerate() {
            // The block was found to be RAM when it was read.
            let _ = memory.write_u32(Ra(self.results_at.0 + 4 * n as u64), word);
        }
    }
}
