//! Any call of Open Firmware's client interface.

use super::input::Input;
use super::machine;
use super::machine::BLOCK;
use spapr::spapr::vof::HCALL;
use spapr::units::Ra;

/// Most calls of one input.
const CALLS_MAX: usize = 64;
/// Most arguments that are placed.
const ARGS_MAX: usize = 8;
/// Where strings lie, one every 256 bytes.
const TEXTS: u64 = 0x3_0000;

/// What clients say: services, methods, paths, properties.
const WORDS: &[&str] = &[
    "finddevice",
    "getprop",
    "getproplen",
    "setprop",
    "nextprop",
    "peer",
    "child",
    "parent",
    "open",
    "close",
    "write",
    "instance-to-package",
    "package-to-path",
    "instance-to-path",
    "claim",
    "release",
    "milliseconds",
    "call-method",
    "interpret",
    "quiesce",
    "exit",
    "read",
    "seek",
    "ibm,client-architecture-support",
    "instantiate-rtas",
    "/",
    "/chosen",
    "/cpus",
    "/rtas",
    "/vdevice/vty@71000000",
    "//",
    "/memory@0",
    "/x/y",
    "stdout",
    "name",
    "bootargs",
    "phandle",
    "linux,rtas-base",
    "#address-cells",
    "reg",
    "",
    "linux,initrd-start",
];

/// Calls, one after the other, on one machine.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut m = machine::machine(input.below(3));
    for (k, word) in WORDS.iter().enumerate() {
        m.memory.write(Ra(TEXTS + 256 * k as u64), word.as_bytes()).expect("texts lie in RAM");
    }
    let mut last = 0;
    for _ in 0..CALLS_MAX {
        if input.is_empty() {
            return;
        }
        if input.u8() & 7 == 0 {
            machine::place(&m, &mut input, 128);
        }
        let at = if input.u8() & 31 == 0 { input.number() } else { BLOCK };
        let counts = input.u8();
        let mut words = vec![text(&mut input), u32::from(counts & 15), u32::from(counts >> 4)];
        for _ in 0..usize::from(counts & 15).min(ARGS_MAX) {
            words.push(match input.u8() & 3 {
                0 => machine::argument(&m, &mut input) as u32,
                1 => last,
                2 => BLOCK as u32 + 0x100,
                _ => text(&mut input),
            });
        }
        for (k, w) in words.iter().enumerate() {
            let _ = m.memory.write_u32(Ra(at.wrapping_add(4 * k as u64)), *w);
        }
        machine::call(&mut m, u64::from(HCALL), [at, 0, 0, 0, 0, 0, 0, 0, 0]);
        last = m.memory.read_u32(Ra(at.wrapping_add(12 + 4 * u64::from(counts & 15)))).unwrap_or(0);
    }
    let tree = m.vof.as_ref().map(|v| v.tree().to_dtb());
    assert!(tree.is_none_or(|t| t.len() < 64 << 20), "the tree grows without end");
}

fn text(input: &mut Input<'_>) -> u32 {
    (TEXTS + 256 * input.below(WORDS.len()) as u64) as u32
}

/// Each service with one to four arguments from the list of words.
pub fn seeds() -> Vec<Vec<u8>> {
    let one = |service: u8, n: u8| [vec![0, 1, 1, 0x10 | n, service], (0..n).flat_map(|k| [3, 25 + 4 * k]).collect()].concat();
    (0..21).flat_map(|s| (0..5).map(move |n| (s, n))).map(|(s, n)| one(s, n)).collect()
}
