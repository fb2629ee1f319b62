//! Any argument block for RTAS, at any address.

use super::input::Input;
use super::machine;
use super::machine::BLOCK;
use spapr::spapr::rtas::TABLE;
use spapr::spapr::rtas::TOKEN_BASE;
use spapr::spapr::vof::HCALL_RTAS;
use spapr::units::Ra;

/// Most calls of one input.
const CALLS_MAX: usize = 64;
/// Words of a block that are written.
const WORDS_MAX: u64 = 24;

/// Calls, one after the other, on one machine.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut m = machine::machine(input.below(3));
    for _ in 0..CALLS_MAX {
        if input.is_empty() {
            return;
        }
        let token = match input.u8() {
            255 => input.u32(),
            k => TOKEN_BASE + u32::from(k) % TABLE.len() as u32,
        };
        let at = if input.u8() & 15 == 0 { machine::argument(&m, &mut input) } else { BLOCK };
        let counts = input.u8();
        let block = [token, u32::from(counts & 15), u32::from(counts >> 4)];
        let words = block.into_iter().chain((3..WORDS_MAX).map(|_| machine::argument(&m, &mut input) as u32));
        for (k, w) in words.enumerate() {
            // Where the block is outside RAM there is nothing to write, which is a case as well.
            let _ = m.memory.write_u32(Ra((at & 0x0fff_ffff_ffff_ffff).wrapping_add(4 * k as u64)), w);
        }
        machine::call(&mut m, u64::from(HCALL_RTAS), [at, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
}

/// Each call once, with plausible counts.
pub fn seeds() -> Vec<Vec<u8>> {
    let one = |(k, counts): (usize, u8)| [vec![0, k as u8, 1, counts], (0..21u8).flat_map(|n| [4, n * 8]).collect()].concat();
    let counts = [0x81, 0x17, 0x12, 0x21, 0x13, 0x23, 0x16, 0x14, 0x22];
    (0..TABLE.len()).flat_map(|k| counts.map(|c| (k, c))).map(one).collect()
}
