//! Randomness for a guest: the host's, or a sequence that a seed repeats.

use std::fs::File;
use std::io::Read;

/// Where the host's comes from.
pub const HOST: &str = "/dev/urandom";

/// SplitMix64: the same sequence for the same seed. Not for secrets: a guest that gets it is to be repeatable, not safe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The sequence of a seed for one of several users, who each get their own.
    pub fn new(seed: u64, user: u64) -> Seeded {
        let mut mixed = Seeded(seed ^ user.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Seeded(mixed.next())
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so an Option would say nothing")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// A source of random bytes.
#[derive(Debug)]
pub enum Source {
    /// The host's.
    Host(File),
    /// A sequence.
    Seeded(Seeded),
}

impl Source {
    /// The host's.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn host() -> std::io::Result<Source> {
        File::open(HOST).map(Source::Host)
    }

    /// Fills `to`.
    ///
    /// # Errors
    /// The host has none.
    pub fn fill(&mut self, to: &mut [u8]) -> std::io::Result<()> {
        match self {
            Source::Host(file) => file.read_exact(to),
            Source::Seeded(sequence) => {
                to.chunks_mut(8).for_each(|piece| piece.copy_from_slice(&sequence.next().to_be_bytes()[..piece.len()]));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_its_sequence_and_users_differ() {
        let bytes = |seed, user| {
            let mut to = [0; 13];
            Source::Seeded(Seeded::new(seed, user)).fill(&mut to).unwrap();
            to
        };
        assert_eq!(bytes(7, 1), bytes(7, 1));
        assert!(bytes(7, 1) != bytes(7, 2) && bytes(7, 1) != bytes(8, 1));
        let mut host = [0; 16];
        Source::host().unwrap().fill(&mut host).unwrap();
        assert_ne!(host, [0; 16]);
    }
}
