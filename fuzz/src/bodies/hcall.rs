//! Any sequence of hypercalls with any registers and memory: no panic, and every call ends.

use super::input::Input;
use super::machine;
use spapr::spapr::hcall::TABLE;

/// Most calls of one input.
const CALLS_MAX: usize = 64;

/// Calls, one after the other, on one machine.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut m = machine::machine(input.below(3));
    for _ in 0..CALLS_MAX {
        if input.is_empty() {
            return;
        }
        let number = match input.u8() {
            255 => input.number(),
            k => TABLE[usize::from(k) % TABLE.len()].number,
        };
        if input.u8() & 3 == 0 {
            machine::place(&m, &mut input, 256);
        }
        let args = std::array::from_fn(|_| machine::argument(&m, &mut input));
        machine::call(&mut m, number, args);
        let _ = m.next_deadline();
    }
    while m.tick().is_some() {}
    let _ = m.device_tree();
}

/// Each call once, with small arguments.
pub fn seeds() -> Vec<Vec<u8>> {
    let one = |k: usize| [vec![0, k as u8, 1], (0..9u8).flat_map(|n| [0, 0, n]).collect()].concat();
    (0..TABLE.len()).map(one).collect()
}
