//! Random programs on the interpreter and on every other accelerator, beyond the smoke of the fuzz target: the worlds are used again and again, so that
//! translations made for one program are there when the next one is written over it.
//!
//! `SPAPR_TWINS_CASES` (400 for each accelerator) and `SPAPR_TWINS_SEED` (1) say how many and which; for hours, give millions.

use crate::fuzz_smoke::bodies::input::Input;
use crate::fuzz_smoke::bodies::twins;
use crate::fuzz_smoke::bodies::twins::program::Program;

/// Programs that share a world.
const SHARED: u64 = 50;
/// Bytes of an input.
const BYTES: usize = 4096;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |v| v.parse().unwrap_or_else(|_| panic!("{name}={v}: write a number")))
}

/// The program of a number: SplitMix64's bytes.
fn program(number: u64) -> Program {
    let mut state = number.wrapping_mul(0x2545_f491_4f6c_dd1d);
    let bytes: Vec<u8> = (0..BYTES / 8)
        .flat_map(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (z ^ (z >> 31)).to_le_bytes()
        })
        .collect();
    Program::new(&mut Input::new(&bytes))
}

#[test]
fn every_accelerator_does_what_the_interpreter_does() {
    let (cases, seed) = (setting("SPAPR_TWINS_CASES", 400), setting("SPAPR_TWINS_SEED", 1) << 32);
    let mut found = Vec::new();
    for candidate in twins::CANDIDATES {
        for first in (0..cases).step_by(SHARED as usize) {
            let (mut ours, mut theirs) = (twins::reference(), (candidate.make)());
            for number in first..cases.min(first + SHARED) {
                let p = program(seed + number);
                let Some(what) = twins::difference_of_used(&p, &mut ours, candidate, &mut theirs) else { continue };
                // Does it take the programs before?
                let alone = twins::difference(&p, candidate);
                let how = if alone.is_some() { "" } else { ", only after others" };
                found.push(format!("program {number} on {}{how}:\n{}\n{p}", candidate.name, alone.unwrap_or(what)));
                break;
            }
            assert!(found.len() < 5, "{}", found.join("\n\n"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}

#[test]
fn programs_get_somewhere() {
    // A generator whose programs all end in their first interrupt would find nothing.
    let mut world = twins::reference();
    let ends: Vec<_> = (0..200).map(|n| world.run(&program(n), twins::BUDGET, twins::BUDGET)).collect();
    let busy = ends.iter().filter(|e| e.instructions() == twins::BUDGET).count();
    let stores = ends.iter().filter(|e| e.stored()).count();
    assert!(busy > 120 && stores > 60, "{busy} programs of 200 use their budget up, {stores} store");
}
