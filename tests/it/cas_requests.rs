//! Requests of ibm,client-architecture-support as guests write them and as they should not: which compatibility mode comes of a list of processor
//! versions, every refusal's text, and bytes at random.

use crate::platform::RAM;
use crate::platform::hcall;
use crate::platform::machine;
use spapr::intc::Active;
use spapr::spapr::hcall::Change;
use spapr::spapr::hcall::H;
use spapr::spapr::hcall::Outcome;
use spapr::spapr::machine::Machine;
use spapr::spapr::machine::MachineEvent;
use spapr::spapr::machine::MmuMode;
use spapr::spapr::spec::NodeSettings;
use spapr::spapr::spec::Settings;
use spapr::units::Ra;

const REQUEST: u64 = 0x10_0000;
const REPLY: u64 = 0x20_0000;
const ROOM: u64 = 0x10_0000;
/// The real processor version register of power9_v2.2.
const REAL_POWER9: u32 = 0x004e_1202;
const TERMINATOR: (u32, u32) = (0, 0xffff_ffff);
const ALL: u32 = u32::MAX;

/// What Linux 6.1 lists (arch/powerpc/kernel/prom_init.c).
const LINUX: [(u32, u32); 14] = [
    (0xfffe_0000, 0x003a_0000),
    (0xffff_0000, 0x003e_0000),
    (0xffff_0000, 0x003f_0000),
    (0xffff_0000, 0x004b_0000),
    (0xffff_0000, 0x004c_0000),
    (0xffff_0000, 0x004d_0000),
    (0xffff_0000, 0x004e_0000),
    (0xffff_0000, 0x0080_0000),
    (ALL, 0x0f00_0006),
    (ALL, 0x0f00_0005),
    (ALL, 0x0f00_0004),
    (ALL, 0x0f00_0003),
    (ALL, 0x0f00_0002),
    (0xffff_fffe, 0x0f00_0001),
];

/// Bits of option vector 5, by byte (from 1) and mask.
const FORM1: (usize, u8) = (5, 0x80);
const FORM2: (usize, u8) = (5, 0x20);
const HPT_RESIZE: (usize, u8) = (6, 0x01);
const XIVE_BOTH: (usize, u8) = (23, 0x80);
const XIVE: (usize, u8) = (23, 0x40);
const MMU_BOTH: (usize, u8) = (24, 0x80);
const RADIX: (usize, u8) = (24, 0x40);

fn pvrs(list: &[(u32, u32)]) -> Vec<u8> {
    list.iter().flat_map(|(mask, pvr)| [mask.to_be_bytes(), pvr.to_be_bytes()].concat()).collect()
}

/// A request: processor versions, then option vectors 1 to 5.
fn request(list: &[(u32, u32)], ov5: &[(usize, u8)]) -> Vec<u8> {
    let mut v5 = [0; 26];
    ov5.iter().for_each(|(byte, mask)| v5[byte - 1] |= mask);
    [pvrs(list), vec![4, 2, 0, 0xff, 0xc0, 0, 0, 0, 0, 0, 0, 25], v5.to_vec()].concat()
}

fn ask(m: &mut Machine, bytes: &[u8]) -> Outcome {
    m.memory.write(Ra(REQUEST), bytes).unwrap();
    hcall(m, 0xf002, &[REQUEST, REPLY, ROOM])
}

fn one_cpu(cpu: &str) -> Settings {
    Settings { cpu: Some(cpu.into()), memory: RAM, ..Settings::default() }
}

/// The logical version agreed on (0: the processor itself), or the status.
fn agreed(outcome: &Outcome) -> Result<u32, H> {
    match outcome {
        Outcome::OnVcpus { change: Change::Compat(pvr), status: H::Success, .. } => Ok(*pvr),
        Outcome::Return(status, _) => Err(*status),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_newest_version_that_all_know_is_chosen() {
    let real = [(ALL, REAL_POWER9), TERMINATOR];
    let masked = [(0xffff_0000, 0x004e_0000), TERMINATOR];
    let mixed = [(ALL, REAL_POWER9), (ALL, 0x0f00_0003), (ALL, 0x0f00_0004), (ALL, 0x0f00_0002), TERMINATOR];
    let plus = [(ALL, 0x0f00_0003), (ALL, 0x0f10_0003), TERMINATOR];
    let plus_and_eight = [(ALL, 0x0f10_0003), (ALL, 0x0f00_0004), TERMINATOR];
    for (cpu, limit, list, want) in [
        ("power10", None, &LINUX[..], Ok(0x0f00_0006)),
        ("power9", None, &LINUX, Ok(0x0f00_0005)),
        ("power8", None, &LINUX, Ok(0x0f00_0004)),
        ("power7", None, &LINUX, Ok(0x0f00_0003)),
        ("power9", Some("power8"), &LINUX, Ok(0x0f00_0004)),
        ("power9", Some("power6"), &LINUX, Ok(0x0f00_0002)),
        // Nothing but the processor itself: only where nothing limits the guest.
        ("power9", None, &real, Ok(0)),
        ("power9", None, &masked, Ok(0)),
        ("power9", Some("power9"), &real, Err(H::Hardware)),
        ("power8", None, &real, Err(H::Hardware)),
        ("power9", None, &mixed, Ok(0x0f00_0004)),
        // By age, not by number: power7+ is older than power8.
        ("power9", None, &plus, Ok(0x0f10_0003)),
        ("power9", None, &plus_and_eight, Ok(0x0f00_0004)),
        ("power9", None, &[(ALL, 0x0f00_0006), TERMINATOR], Err(H::Hardware)),
        ("power9", None, &[TERMINATOR], Err(H::Hardware)),
        // "Any processor" is the real one, and no mode.
        ("power9", None, &[(0, 0), TERMINATOR], Ok(0)),
        ("970", None, &[(0xffff_0000, 0x0039_0000), TERMINATOR], Ok(0)),
        ("970", None, &LINUX, Err(H::Hardware)),
    ] {
        let mut m = machine(&Settings { max_cpu_compat: limit.map(str::to_string), ..one_cpu(cpu) });
        let got = agreed(&ask(&mut m, &request(list, &[FORM1])));
        assert_eq!(got, want, "{cpu} {limit:?} {list:x?}");
        let cpu_version = m.device_tree().root.find("/cpus").unwrap().children[0].get_u32("cpu-version").unwrap();
        if let Ok(pvr) = want.as_ref().map(|p| *p).map_err(|_| ()) {
            assert_eq!(cpu_version, if pvr == 0 { m.spec.cpu.pvr } else { pvr }, "{cpu} {limit:?}");
        }
    }
}

/// What ends the guest: its last words.
fn last_words(settings: &Settings, ov5: &[(usize, u8)]) -> String {
    let mut m = machine(settings);
    let before = m.intc.active();
    match ask(&mut m, &request(&LINUX, ov5)) {
        Outcome::Event(MachineEvent::Panicked(text), _) => {
            assert_eq!((m.intc.active(), m.negotiated.compat), (before, m.spec.max_compat), "a refusal changes nothing");
            text
        }
        other => panic!("{ov5:x?}: {other:?}"),
    }
}

#[test]
fn every_refusal_says_why() {
    let nine = one_cpu("power9");
    let with = |ic: &str| Settings { ic_mode: Some(ic.into()), ..one_cpu("power9") };
    let nodes = |shares: [u64; 2]| Settings {
        nodes: shares.iter().zip([0, 1]).map(|(mib, core)| NodeSettings { memory: Some(mib << 20), cores: vec![core] }).collect(),
        memory: 512 << 20,
        smp: spapr::spapr::smp::SmpSettings::parse("2").unwrap(),
        ..one_cpu("power9")
    };
    for (settings, ov5, want) in [
        (nine.clone(), &[MMU_BOTH][..], "guest requested hash and radix MMU, which is invalid."),
        (nine.clone(), &[XIVE_BOTH], "guest requested both the XICS and XIVE interrupt modes"),
        (one_cpu("power8"), &[RADIX], "Guest requested unavailable MMU mode (radix)."),
        (Settings { max_cpu_compat: Some("power8".into()), ..nine.clone() }, &[RADIX], "Guest requested unavailable MMU mode (radix)."),
        (Settings { resize_hpt: Some("required".into()), ..nine.clone() }, &[FORM1], "resize-hpt is \"required\""),
        (with("xics"), &[XIVE, RADIX], "unavailable interrupt mode (XIVE), try the ic-mode=xive or ic-mode=dual"),
        (with("xive"), &[RADIX], "unavailable interrupt mode (XICS), try the ic-mode=xics or ic-mode=dual"),
        (nodes([512, 0]), &[FORM1, RADIX], "Memory-less/cpu-less nodes are not supported with FORM1 NUMA (node 1)"),
    ] {
        let text = last_words(&settings, ov5);
        assert!(text.contains(want), "{ov5:x?}: {text:?} should say {want:?}");
    }
    // The same machines, asked for what they have.
    for (settings, ov5) in [
        (Settings { resize_hpt: Some("required".into()), ..nine }, &[HPT_RESIZE][..]),
        (with("xics"), &[RADIX]),
        (with("xive"), &[XIVE, RADIX]),
        (nodes([512, 0]), &[FORM2, RADIX]),
    ] {
        let mut m = machine(&settings);
        assert_eq!(agreed(&ask(&mut m, &request(&LINUX, ov5))), Ok(0x0f00_0005), "{ov5:x?}");
        assert_eq!(m.intc.active(), if ov5.contains(&XIVE) { Active::Xive } else { Active::Xics });
    }
}

#[test]
fn the_mmu_and_the_controller_may_be_chosen_again() {
    let mut m = machine(&one_cpu("power9"));
    for (ov5, active) in [(&[XIVE, RADIX][..], Active::Xive), (&[], Active::Xics), (&[XIVE], Active::Xive), (&[RADIX], Active::Xics)] {
        assert_eq!(agreed(&ask(&mut m, &request(&LINUX, ov5))), Ok(0x0f00_0005));
        assert_eq!(m.intc.active(), active, "{ov5:x?}");
        let tree = m.device_tree();
        assert_eq!(tree.root.get("ibm,plat-res-int-priorities").is_some(), active == Active::Xive);
        let has = |name: &str| tree.root.children.iter().any(|n| n.name == name);
        assert_eq!(
            (has("interrupt-controller"), has("interrupt-controller@60302031b0000")),
            (active == Active::Xics, active == Active::Xive)
        );
    }
    assert_eq!(m.mmu, MmuMode::Hash, "a radix guest says so again with its process table");
}

#[test]
fn what_cannot_be_read_is_a_bad_parameter() {
    let mut m = machine(&one_cpu("power9"));
    let good = request(&LINUX, &[FORM1]);
    let list = pvrs(&LINUX);
    let parameter: Outcome = H::Parameter.into();
    // Too few vectors: 1 to 4 only.
    assert_eq!(ask(&mut m, &[list.clone(), vec![3, 2, 0, 0xff, 0xc0, 0, 0, 0, 0, 0, 0]].concat()), parameter);
    assert_eq!(ask(&mut m, &[list.clone(), vec![0, 0, 0]].concat()), parameter);
    // A list without an end.
    assert_eq!(ask(&mut m, &pvrs(&[(ALL, 0x0f00_0004); 600])), parameter);
    // Cut off by the end of RAM, at every byte.
    for kept in 0..good.len() as u64 {
        m.memory.write(Ra(RAM - kept), &good[..kept as usize]).unwrap();
        assert_eq!(hcall(&mut m, 0xf002, &[RAM - kept, REPLY, ROOM]), parameter, "{kept}");
    }
    for wild in [RAM, u64::MAX, 1 << 59, 0x0fff_ffff_ffff_fffc, 1 << 40] {
        assert_eq!(hcall(&mut m, 0xf002, &[wild, REPLY, ROOM]), parameter, "{wild:#x}");
        m.memory.write(Ra(REQUEST), &good).unwrap();
        assert_eq!(hcall(&mut m, 0xf002, &[REQUEST, wild, ROOM]), parameter, "{wild:#x}");
    }
    assert_eq!(hcall(&mut m, 0xf002, &[REQUEST, REPLY, u64::MAX]), parameter);
    // The top nibble of an address does not count.
    assert_eq!(agreed(&hcall(&mut m, 0xf002, &[REQUEST | 0xc000_0000_0000_0000, REPLY, ROOM])), Ok(0x0f00_0005));
}

#[test]
fn vectors_may_be_long_and_many() {
    let mut m = machine(&one_cpu("power9"));
    let long = |first: &[u8]| [vec![255], first.to_vec(), vec![0xff; 256 - first.len()]].concat();
    let mut v5 = [0; 256];
    (v5[5 - 1], v5[23 - 1]) = (0x80, 0x40);
    let bytes = [pvrs(&LINUX), vec![255], long(&[0, 0xff, 0x80]), long(&[]), long(&[]), long(&[]), long(&v5)].concat();
    assert_eq!(agreed(&ask(&mut m, &bytes)), Ok(0x0f00_0005), "what is behind vector 5 is not read");
    assert_eq!(m.intc.active(), Active::Xive);
    // One byte each: nothing is asked for.
    let bytes = [pvrs(&LINUX), vec![4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!((agreed(&ask(&mut m, &bytes)), m.intc.active()), (Ok(0x0f00_0005), Active::Xics));
}

#[test]
fn no_request_harms_the_machine() {
    let mut m = machine(&one_cpu("power9"));
    let mut state = 0x0dd0_feed_0bad_cafeu64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (mut good, mut refused) = (0, 0);
    for _ in 0..600 {
        let mut bytes = request(&LINUX, &[FORM1, XIVE, RADIX]);
        for _ in 0..random() % 8 {
            let at = random() as usize % bytes.len();
            bytes[at] = random() as u8;
        }
        if random() % 4 == 0 {
            bytes = (0..random() % 300).map(|_| random() as u8).collect();
        }
        match ask(&mut m, &bytes) {
            Outcome::OnVcpus { .. } => good += 1,
            Outcome::Return(H::Parameter | H::Hardware, _) | Outcome::Event(MachineEvent::Panicked(_), _) => refused += 1,
            other => panic!("{bytes:x?}: {other:?}"),
        }
    }
    assert!(good > 50 && refused > 50, "{good} {refused}");
    assert_eq!(agreed(&ask(&mut m, &request(&LINUX, &[XIVE, RADIX]))), Ok(0x0f00_0005), "it still negotiates");
}
