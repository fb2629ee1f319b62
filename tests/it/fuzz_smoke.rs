//! The fuzz targets' bodies on fixed inputs: what `cargo test` can say of them without libFuzzer.
//!
//! Each body sees its seeds, seeds with a few bytes changed, and random bytes, the same in every run. A failing input is printed in hexadecimal;
//! written to a file it is what `cargo fuzz run TARGET FILE` repeats.

#[path = "../../fuzz/src/bodies/mod.rs"]
pub mod bodies;

use bodies::TARGETS;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

/// Longest random input.
const BYTES_MAX: u64 = 600;

/// xorshift64: the same inputs in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Input `n`: random bytes, or a seed, changed in a few places.
fn input(seeds: &[Vec<u8>], n: usize, state: &mut u64) -> Vec<u8> {
    if let Some(seed) = seeds.get(n) {
        return seed.clone();
    }
    if n.is_multiple_of(3) {
        let len = random(state) % BYTES_MAX;
        return (0..len).map(|_| (random(state) >> 32) as u8).collect();
    }
    let mut bytes = seeds[random(state) as usize % seeds.len()].clone();
    for _ in 0..=random(state) % 4 {
        let at = random(state) as usize % bytes.len().max(1);
        let value = [0, 1, 0x7f, 0x80, 0xff, (random(state) >> 32) as u8][random(state) as usize % 6];
        match random(state) % 4 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at.min(bytes.len()), value),
            _ => bytes.iter_mut().skip(at).take(1).for_each(|b| *b = value),
        }
    }
    bytes
}

fn smoke(target: &str, count: usize) {
    let (_, run, seeds) = TARGETS.iter().find(|(name, _, _)| *name == target).expect("a target");
    let (seeds, mut state) = (seeds(), 0x9e37_79b9_7f4a_7c15);
    // A long run, once in a while: SPAPR_FUZZ_CASES=100000 cargo test … fuzz_smoke::migrate
    let count = std::env::var("SPAPR_FUZZ_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(count);
    for n in 0..count.max(seeds.len()) {
        let bytes = input(&seeds, n, &mut state);
        if catch_unwind(AssertUnwindSafe(|| run(&bytes))).is_err() {
            let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
            panic!("{target}, input {n}: {hex}");
        }
    }
}

macro_rules! targets {
    ($($name:ident $count:literal;)*) => {
        $(#[test] fn $name() { smoke(stringify!($name), $count); })*
        #[test]
        fn every_target_is_run_here_and_has_its_door() {
            let here = [$(stringify!($name)),*];
            let names: Vec<&str> = TARGETS.iter().map(|(n, _, _)| *n).collect();
            assert_eq!(names, here);
            for n in names {
                assert!(std::path::Path::new("fuzz/fuzz_targets").join(format!("{n}.rs")).exists(), "{n} has no fuzz target");
            }
        }
    };
}

targets! {
    decode 5_000;
    insn 10_000;
    twins 200;
    fdt 10_000;
    kernel_elf 10_000;
    hcall 800;
    rtas 800;
    vof 800;
    cas 800;
    xive_mmio 800;
    state 1_000;
    migrate 600;
}
