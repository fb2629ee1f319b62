//! Loads and stores to XIVE's pages between the hypercalls that set it up.

use super::input::Input;
use super::machine;
use spapr::intc::xive::ESB_BASE;
use spapr::intc::xive::ESB_BYTES;
use spapr::intc::xive::TIMA_BASE;
use spapr::intc::xive::TIMA_BYTES;
use spapr::units::CpuIndex;
use spapr::units::Ra;
use spapr::units::Width;

/// Most accesses and calls of one input.
const OPS_MAX: usize = 256;
/// H_INT_GET_SOURCE_INFO to H_INT_RESET.
const CALLS: std::ops::RangeInclusive<u64> = 0x3a8..=0x3d0;

/// Accesses and calls on a machine with XIVE alone.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut m = machine::machine(1);
    for _ in 0..OPS_MAX {
        if input.is_empty() {
            break;
        }
        let cpu = CpuIndex(u32::from(input.u8() & 1));
        let op = input.u8();
        if op & 3 == 0 {
            let number = CALLS.start() + 4 * u64::from(input.u8() % 11);
            let args = std::array::from_fn(|k| if k < 5 { operand(&m, &mut input) } else { 0 });
            assert!(CALLS.contains(&number));
            machine::call(&mut m, number, args);
            continue;
        }
        let width = Width::of(1 << (op >> 6)).expect("1, 2, 4 or 8");
        let at = Ra(place(&mut input));
        if op & 3 == 1 {
            let _ = m.mmio_read(cpu, at, width);
        } else {
            let _ = m.mmio_write(cpu, at, width, input.number());
        }
    }
}

/// An operand of a call: sources, servers, priorities, queues, or anything.
fn operand(m: &spapr::spapr::machine::Machine, input: &mut Input<'_>) -> u64 {
    match input.u8() & 7 {
        0 => u64::from(input.u8() & 7),
        1 => 0x1000 + u64::from(input.u8() & 3),
        2 => u64::from(input.u16() & 0x1fff),
        3 => [12, 16, 21, 24, 31, 63][input.below(6)],
        4 => u64::from(input.u8()) << 16,
        _ => machine::argument(m, input),
    }
}

/// An address in or near XIVE's pages.
fn place(input: &mut Input<'_>) -> u64 {
    match input.u8() & 3 {
        0 => {
            ESB_BASE.0
                + ((u64::from(input.u16() & 3) + 0x1000 * u64::from(input.u8() & 1)) << 17)
                + u64::from(input.u16())
                + (u64::from(input.u8() & 1) << 16)
        }
        1 => ESB_BASE.0 + input.number() % (ESB_BYTES + 0x1_0000),
        2 => TIMA_BASE.0 + (u64::from(input.u8() & 3) << 16) + u64::from(input.u16() & 0xfff),
        _ => TIMA_BASE.0 + input.number() % (TIMA_BYTES + 0x1_0000),
    }
}

/// A queue, a source, a trigger, an acknowledgement.
pub fn seeds() -> Vec<Vec<u8>> {
    vec![vec![0, 0, 4, 0, 0, 0, 0, 0, 6, 4, 2, 3, 1], vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 0x08, 0x10]]
}
