//! ibm,client-architecture-support at the machine's door: what it changes, and what it leaves when it refuses.

use crate::platform::RAM;
use crate::platform::hcall;
use crate::platform::machine;
use crate::platform::settings;
use spapr::fdt::Tree;
use spapr::intc::Active;
use spapr::spapr::hcall::Change;
use spapr::spapr::hcall::H;
use spapr::spapr::hcall::Outcome;
use spapr::spapr::hcall::Who;
use spapr::spapr::machine::Machine;
use spapr::spapr::machine::MachineEvent;
use spapr::spapr::machine::RunState;
use spapr::spapr::spec::Settings;
use spapr::units::Ra;

const REQUEST: u64 = 0x10_0000;
const REPLY: u64 = 0x20_0000;
const POWER8: u32 = 0x0f00_0004;
const POWER9: u32 = 0x0f00_0005;
/// Option vector 5's bytes 23 and 24 (interrupt controller, MMU).
const XIVE: u8 = 0x40;
const RADIX: u8 = 0x40;

/// Writes a request of one logical PVR, and option vectors 1 to 5 of which the last has these two bytes.
fn request(m: &Machine, pvr: u32, [ic, mmu]: [u8; 2]) {
    let mut bytes = Vec::new();
    for word in [u32::MAX, pvr, 0, u32::MAX] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.push(4);
    // Vector 1: byte 3 (counted from 1) says ISA 3.00; then three of one byte.
    bytes.extend([2, 0, 0, 0x80, 0, 0, 0, 0, 0, 0]);
    let mut v5 = [0; 26];
    (v5[5 - 1], v5[23 - 1], v5[24 - 1]) = (0x80, ic, mmu);
    bytes.push(v5.len() as u8 - 1);
    bytes.extend(v5);
    m.memory.write(Ra(REQUEST), &bytes).unwrap();
}

fn cas(m: &mut Machine, room: u64) -> Outcome {
    hcall(m, 0xf002, &[REQUEST, REPLY, room])
}

fn agreed(pvr: u32) -> Outcome {
    Outcome::OnVcpus { who: Who::All, change: Change::Compat(pvr), status: H::Success }
}

#[test]
fn the_guest_chooses_among_what_there_is() {
    for (pvr, choice, active, node) in [
        (POWER9, [XIVE, RADIX], Active::Xive, "interrupt-controller@60302031b0000"),
        (POWER8, [0, 0], Active::Xics, "interrupt-controller"),
    ] {
        let mut m = machine(&settings());
        request(&m, pvr, choice);
        assert_eq!(cas(&mut m, 0x10_0000), agreed(pvr));
        assert_eq!((m.intc.active(), m.memory.read_u32(Ra(REPLY))), (active, Ok(1)));
        let mut blob = vec![0; m.tree_bytes as usize];
        m.memory.read(Ra(REPLY + 4), &mut blob).unwrap();
        let tree = Tree::parse(&blob).unwrap();
        assert!(tree.root.children.iter().any(|n| n.name == node));
        let cpu = tree.root.find("/cpus/PowerPC,POWER9@8").unwrap();
        assert_eq!(cpu.get_u32("cpu-version"), Some(pvr));
        let chosen: Vec<&str> = tree.root.child("chosen").unwrap().properties.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((chosen, tree.reservations.len()), (vec!["rng-seed", "ibm,architecture-vec-5"], 0));
    }
}

#[test]
fn a_refusal_is_the_guests_affair() {
    let mut m = machine(&settings());
    request(&m, 0x0f00_0001, [0, 0]);
    assert_eq!(cas(&mut m, 0x10_0000), H::Hardware.into());
    request(&m, POWER9, [XIVE, RADIX]);
    assert_eq!((cas(&mut m, 3), cas(&mut m, RAM)), (H::Parameter.into(), H::Parameter.into()));
    m.vcpus[2].run = RunState::Running;
    assert_eq!(cas(&mut m, 0x10_0000), H::MultiThreadsActive.into());
    m.vcpus[2].run = RunState::Stopped;
    assert_eq!(m.intc.active(), Active::Xics, "nothing was changed");
    let panics = |outcome| matches!(outcome, Outcome::Event(MachineEvent::Panicked(_), _));
    assert!(panics(cas(&mut m, 0x100)), "the tree does not fit");
    let mut xics = machine(&Settings { ic_mode: Some("xics".into()), ..settings() });
    request(&xics, POWER9, [XIVE, RADIX]);
    assert!(panics(cas(&mut xics, 0x10_0000)));
}

#[test]
fn a_hash_guest_that_cannot_resize_gets_a_table_for_all_memory() {
    let mut m = machine(&Settings { maxmem: Some(4 * RAM), ..settings() });
    assert_eq!(m.partition.hpt().unwrap().shift(), 21);
    request(&m, POWER9, [0, 0]);
    assert_eq!(cas(&mut m, 0x10_0000), agreed(POWER9));
    assert_eq!((m.partition.hpt().unwrap().shift(), m.negotiated.hpt_shift), (23, 23));
}
