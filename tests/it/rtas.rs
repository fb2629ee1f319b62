//! RTAS calls at the machine's door, without any CPU.

use crate::platform::BLOCK;
use crate::platform::RAM;
use crate::platform::call;
use crate::platform::hcall;
use crate::platform::machine;
use crate::platform::rtas;
use crate::platform::settings;
use proptest::prelude::*;
use spapr::fdt::Node;
use spapr::fdt::Tree;
use spapr::intc::Active;
use spapr::isa::regs::Msr;
use spapr::signal::EXTERNAL;
use spapr::spapr::hcall;
use spapr::spapr::hcall::Caller;
use spapr::spapr::hcall::Change;
use spapr::spapr::hcall::H;
use spapr::spapr::hcall::Outcome;
use spapr::spapr::hcall::Who;
use spapr::spapr::machine::Cause;
use spapr::spapr::machine::MachineEvent;
use spapr::spapr::rtas::ResetEntry;
use spapr::spapr::rtas::TABLE;
use spapr::spapr::rtas::services;
use spapr::spapr::spec;
use spapr::spapr::spec::Settings;
use spapr::units::CpuIndex;
use spapr::units::Ra;
use std::time::Duration;
use std::time::Instant;

const BUFFER: u32 = 0x20_0000;

/// (name, arguments, results): each on a fresh machine that starts with XICS.
#[rustfmt::skip]
const RESULTS: &[(&str, &[u32], &[i32])] = &[
    ("get-time-of-day",               &[1],                       &[-3]),
    ("query-cpu-stopped-state",       &[0],                       &[0, 2]),
    ("query-cpu-stopped-state",       &[9],                       &[0, 0]),
    ("query-cpu-stopped-state",       &[2],                       &[-3, 0]),
    ("query-cpu-stopped-state",       &[0],                       &[-3]),
    ("start-cpu",                     &[2, 0x100, 0],             &[-3]),
    ("start-cpu",                     &[0, 0x100, 0],             &[-1]),
    ("set-time-of-day",               &[2023, 2, 29, 0, 0, 0, 0], &[-3]),
    ("set-time-of-day",               &[2024, 2, 29, 0, 0, 0, 0], &[0]),
    ("ibm,get-system-parameter",      &[1, BUFFER, 10],           &[-3]),
    ("ibm,get-system-parameter",      &[42, BUFFER, 1],           &[-9999]),
    ("ibm,get-system-parameter",      &[42, RAM as u32, 100],     &[-9999]),
    ("ibm,set-system-parameter",      &[20, BUFFER],              &[-9002]),
    ("ibm,set-system-parameter",      &[21, BUFFER],              &[-3]),
    ("ibm,set-xive",                  &[0x1000, 9, 5],            &[0]),
    ("ibm,set-xive",                  &[0x1000, 9],               &[-3]),
    ("ibm,set-xive",                  &[0x1000, 2, 5],            &[-3]),
    ("ibm,set-xive",                  &[0x1000, 9, 0x100],        &[-3]),
    ("ibm,get-xive",                  &[0x2000],                  &[-3, 0, 0]),
    ("check-exception",               &[0x500, 0, !0, 0, BUFFER, 0x800], &[1]),
    ("check-exception",               &[0x500, 0, !0, 0, u32::MAX, 0x800], &[-3]),
    ("event-scan",                    &[!0, 0, BUFFER, 0x800],    &[1]),
    ("ibm,set-tce-bypass",            &[0x7100_0000, 1],          &[-3]),
    ("quiesce",                       &[],                        &[0]),
    ("nvram-fetch",                   &[0x1_0000, BUFFER, 1],     &[-3, 0]),
    ("nvram-fetch",                   &[0, u32::MAX, 4],          &[-3, 0]),
    ("nvram-fetch",                   &[0, BUFFER, 0x1_0000],     &[0, 0x1_0000]),
    ("nvram-store",                   &[0, BUFFER, u32::MAX],     &[-3, 0]),
    ("nvram-store",                   &[0, RAM as u32 - 1, 2],    &[-3, 0]),
    ("read-pci-config",               &[0, 4],                    &[-1, 0]),
    ("read-pci-config",               &[0],                       &[-1, 0]),
    ("ibm,read-pci-config",           &[0, 0, 0, 4],              &[-1, 0]),
    ("ibm,change-msi",                &[0, 0, 0, 1, 1, 0],        &[-3, 0, 0]),
    ("ibm,query-pe-dma-window",       &[0, 0, 0],                 &[-3, 0, 0, 0, 0]),
    ("ibm,slot-error-detail",         &[0; 8],                    &[-3]),
    ("set-indicator",                 &[9001, 0x1000_0001, 0],    &[-3]),
    ("set-indicator",                 &[9001, 0x1000_0008, 2],    &[-3]),
    ("set-indicator",                 &[9002, 0x1000_0008, 0],    &[-3]),
    ("set-indicator",                 &[9003, 0x1000_0008, 0],    &[-3]),
    ("set-indicator",                 &[9001, 0x1000_0008, 0],    &[0]),
    ("set-power-level",               &[u32::MAX, 0],             &[0, 100]),
    ("get-power-level",               &[0],                       &[-3, 0]),
    ("get-sensor-state",              &[9003, 0x1000_0008],       &[0, 1]),
    ("get-sensor-state",              &[9003, 0x1000_0010],       &[0, 2]),
    ("get-sensor-state",              &[9002, 0x1000_0008],       &[-3, 0]),
    ("ibm,configure-connector",       &[u32::MAX, 0],             &[-3]),
    ("ibm,configure-connector",       &[0, u32::MAX],             &[-3]),
    ("ibm,configure-connector",       &[BUFFER, 0],               &[-3]),
    ("ibm,nmi-register",              &[0x100, 0x200],            &[-3]),
    ("ibm,nmi-interlock",             &[],                        &[-3]),
];

#[test]
fn each_call_answers_as_papr_and_qemu_say() {
    let settings = Settings { smp: spapr::spapr::smp::SmpSettings { maxcpus: Some(6), ..settings().smp }, ..settings() };
    for (name, args, results) in RESULTS {
        let mut m = machine(&settings);
        let (got, outcome) = rtas(&mut m, name, args, results.len());
        assert_eq!((&got[..], outcome), (*results, H::Success.into()), "{name} {args:x?}");
    }
}

#[test]
fn unknown_tokens_and_wild_blocks_are_refused() {
    let mut m = machine(&settings());
    let block = |m: &spapr::spapr::machine::Machine, at: u64, words: &[u32]| {
        words.iter().enumerate().for_each(|(n, w)| m.memory.write_u32(Ra(at + 4 * n as u64), *w).unwrap());
    };
    block(&m, BLOCK, &[0x2fff, 0, 1, 7]);
    assert_eq!(call(&mut m, 0xf000, &[BLOCK]).0, H::Parameter);
    assert_eq!(m.memory.read_u32(Ra(BLOCK + 12)), Ok(-3_i32 as u32));
    for counts in [[u32::MAX, 1], [1, u32::MAX], [17, 0], [0, 17]] {
        block(&m, BLOCK, &[0x2000, counts[0], counts[1]]);
        assert_eq!(call(&mut m, 0xf000, &[BLOCK]).0, H::Parameter, "{counts:x?}");
    }
    block(&m, RAM - 16, &[0x2001, 0, 8, 7]);
    assert_eq!(call(&mut m, 0xf000, &[RAM - 16]).0, H::Parameter, "the results are not all RAM");
    block(&m, BLOCK, &[0xa, 1, 0, b'x'.into()]);
    assert_eq!(call(&mut m, 0xf000, &[0xf000_0000_0000_0000 | BLOCK]).0, H::Success, "the top nibble does not count");
    assert_eq!(m.consoles()[0].output(0, 10), b"x");
}

#[test]
fn the_machine_ends_as_the_guest_says() {
    let mut m = machine(&settings());
    m.memory.write(Ra(BUFFER.into()), b"last words\0more").unwrap();
    let event = |event| Outcome::Event(event, H::Success);
    assert_eq!(rtas(&mut m, "power-off", &[0, 0], 1).1, event(MachineEvent::Shutdown(Cause::Guest)));
    assert_eq!(rtas(&mut m, "system-reboot", &[], 1).1, event(MachineEvent::Reset(Cause::Guest)));
    assert_eq!(rtas(&mut m, "ibm,os-term", &[BUFFER], 1).1, event(MachineEvent::Panicked("OS terminated: last words".into())));
    assert_eq!(rtas(&mut m, "ibm,os-term", &[u32::MAX], 1).1, event(MachineEvent::Panicked("OS terminated: ".into())));
    assert_eq!(rtas(&mut m, "ibm,suspend-me", &[], 1).1, event(MachineEvent::Suspended));
    assert_eq!(rtas(&mut m, "start-cpu", &[1, 0x4000, 7], 1).0, [0]);
    assert_eq!(rtas(&mut m, "ibm,suspend-me", &[], 1), (vec![-9005], H::Success.into()));
}

#[test]
fn processors_start_and_stop() {
    let mut m = machine(&settings());
    let started =
        Outcome::OnVcpus { who: Who::One(CpuIndex(2)), change: Change::Start { entry: 0x4000, argument: 0xffff_fff0 }, status: H::Success };
    assert_eq!(rtas(&mut m, "start-cpu", &[8, 0x4000, 0xffff_fff0], 1), (vec![0], started));
    assert_eq!(rtas(&mut m, "start-cpu", &[8, 0x4000, 0], 1).0, [-1]);
    assert_eq!(rtas(&mut m, "query-cpu-stopped-state", &[8], 2).0, [0, 2]);
    let words = [TABLE.iter().find(|c| c.name == "stop-self").unwrap().token(), 0, 1];
    words.iter().enumerate().for_each(|(n, w)| m.memory.write_u32(Ra(BLOCK + 4 * n as u64), *w).unwrap());
    let third = Caller { cpu: CpuIndex(2), msr: Msr(0) };
    assert_eq!(hcall::dispatch(&mut m, third, 0xf000, [BLOCK, 0, 0, 0, 0, 0, 0, 0, 0]), Outcome::StopSelf);
    assert_eq!(rtas(&mut m, "query-cpu-stopped-state", &[8], 2).0, [0, 0]);
    assert_eq!(rtas(&mut m, "start-cpu", &[8, 0, 0], 1).0, [0]);
}

#[test]
fn time_parameters_and_nvram_are_kept() {
    let uuid = Some("00112233-4455-6677-8899-aabbccddeeff".to_string());
    let mut m = machine(&Settings { rtc_base: Some(951_782_400), uuid, ..settings() });
    assert_eq!(rtas(&mut m, "get-time-of-day", &[], 8).0, [0, 2000, 2, 29, 0, 0, 0, 0]);
    assert_eq!(rtas(&mut m, "set-time-of-day", &[2030, 12, 31, 23, 59, 58, 5], 1).0, [0]);
    assert_eq!(rtas(&mut m, "get-time-of-day", &[], 8).0, [0, 2030, 12, 31, 23, 59, 58, 0]);
    let mut parameter = |token: u32, len: u32| {
        assert_eq!(rtas(&mut m, "ibm,get-system-parameter", &[token, BUFFER, len], 1).0, [0]);
        let mut bytes = vec![0; len as usize];
        m.memory.read(Ra(BUFFER.into()), &mut bytes).unwrap();
        bytes
    };
    let text = b"MaxEntCap=4,DesMem=256,DesProcs=4,MaxPlatProcs=4,HostThrs=4\0";
    let bytes = parameter(20, 4000);
    assert_eq!((usize::from(bytes[1]), &bytes[2..2 + text.len()]), (text.len(), &text[..]));
    assert_eq!(parameter(20, 5), [0, text.len() as u8, b'M', b'a', b'x']);
    assert_eq!(parameter(42, 3), [0, 1, 0]);
    assert_eq!(parameter(48, 4), [0, 16, 0x00, 0x11]);
    m.memory.write(Ra(BUFFER.into()), b"kept").unwrap();
    assert_eq!(rtas(&mut m, "nvram-store", &[100, BUFFER, 4], 2).0, [0, 4]);
    m.reset(spapr::dev::ResetKind::Guest).unwrap();
    assert_eq!(rtas(&mut m, "nvram-fetch", &[100, BUFFER + 8, 4], 2).0, [0, 4]);
    assert_eq!(m.memory.read_u32(Ra(u64::from(BUFFER) + 8)), Ok(u32::from_be_bytes(*b"kept")));
}

#[test]
fn a_shutdown_request_interrupts_until_it_is_fetched() {
    let mut m = machine(&settings());
    call(&mut m, 0x68, &[0xff]);
    assert_eq!(rtas(&mut m, "ibm,set-xive", &[0x1000, 0, 5], 1).0, [0]);
    m.system_powerdown();
    m.system_powerdown();
    assert_eq!(m.vcpus[0].signals.pending() & EXTERNAL, EXTERNAL);
    assert_eq!(call(&mut m, 0x74, &[]).1, [0xff00_1000]);
    call(&mut m, 0x64, &[0xff00_1000]);
    for at in [BUFFER - 1, BUFFER + 12] {
        m.memory.write_u8(Ra(at.into()), 0xee).unwrap();
    }
    assert_eq!(rtas(&mut m, "check-exception", &[0x500, 0x1000, 1 << 28, 0, BUFFER, 0x800], 1).0, [1], "not of that class");
    assert_eq!(rtas(&mut m, "check-exception", &[0x500, 0x1000, 1 << 30, 0, BUFFER, 12], 1).0, [0]);
    assert_eq!(m.memory.read_u64(Ra(BUFFER.into())), Ok(0x0634_0040_0000_006c));
    assert_eq!(m.memory.read_u8(Ra(u64::from(BUFFER) + 12)), Ok(0xee), "the length is kept");
    assert_eq!(call(&mut m, 0x74, &[]).1, [0xff00_1000], "the second one rings");
    call(&mut m, 0x64, &[0xff00_1000]);
    assert_eq!(rtas(&mut m, "check-exception", &[0x500, 0x1000, 1 << 30, 0, BUFFER, 0x800, 0], 1).0, [0]);
    assert_eq!(rtas(&mut m, "check-exception", &[0x500, 0x1000, 1 << 30, 0, BUFFER, 0x800], 1).0, [1]);
}

#[test]
fn sources_are_masked_and_moved() {
    let mut m = machine(&settings());
    assert_eq!(rtas(&mut m, "ibm,set-xive", &[0x1000, 9, 5], 1).0, [0]);
    assert_eq!(rtas(&mut m, "ibm,int-off", &[0x1000], 1).0, [0]);
    assert_eq!(rtas(&mut m, "ibm,get-xive", &[0x1000], 3).0, [0, 9, 0xff]);
    assert_eq!(rtas(&mut m, "ibm,int-on", &[0x1000], 1).0, [0]);
    assert_eq!(rtas(&mut m, "ibm,get-xive", &[0x1000], 3).0, [0, 9, 5]);
    m.intc.switch(Active::Xive);
    assert_eq!(rtas(&mut m, "ibm,int-on", &[], 1).0, [-1], "before the counts");
    let xive = spec::check(&Settings { ic_mode: Some("xive".into()), ..settings() }).unwrap();
    assert!(!services(&xive).iter().any(|(name, _)| *name == "ibm,set-xive"));
    assert_eq!(services(&m.spec).len(), TABLE.len());
}

#[test]
fn a_core_is_given_up_and_taken_back() {
    let mut m = machine(&settings());
    let core = 0x1000_0008;
    for (which, value) in [(9001, 0), (9003, 0)] {
        assert_eq!(rtas(&mut m, "set-indicator", &[which, core, value], 1).0, [0]);
    }
    assert_eq!(rtas(&mut m, "get-sensor-state", &[9003, core], 2).0, [0, 2]);
    m.memory.write_u32(Ra(BUFFER.into()), core).unwrap();
    assert_eq!(rtas(&mut m, "ibm,configure-connector", &[BUFFER, 0], 1).0, [-9003]);
    for (which, value) in [(9003, 1), (9001, 1)] {
        assert_eq!(rtas(&mut m, "set-indicator", &[which, core, value], 1).0, [0]);
    }
    let mut names = Vec::new();
    loop {
        let status = rtas(&mut m, "ibm,configure-connector", &[BUFFER, 0], 1).0[0];
        if status == 0 {
            break;
        }
        let name: Vec<u8> = (0..100).map(|n| m.memory.read_u8(Ra(u64::from(BUFFER) + 20 + n)).unwrap()).take_while(|&b| b != 0).collect();
        let name = String::from_utf8(name).unwrap();
        if name == "reg" {
            assert_eq!((m.memory.read_u32(Ra(u64::from(BUFFER) + 12)), m.memory.read_u32(Ra(u64::from(BUFFER) + 24))), (Ok(4), Ok(8)));
        }
        names.push((status, name));
        assert!(names.len() < 100);
    }
    assert_eq!(names[0], (2, "PowerPC,POWER9@8".to_string()));
    assert!(names.contains(&(3, "ibm,my-drc-index".to_string())) && names.contains(&(3, "name".to_string())));
}

#[test]
fn a_registered_handler_gets_system_resets() {
    let mut m = machine(&settings());
    assert_eq!(m.system_reset_entry(CpuIndex(1), 7), ResetEntry::Vector);
    let mut tree = Tree::default();
    let mut node = Node::new("rtas");
    node.set_u32("linux,rtas-base", 0x30_0000);
    tree.root.add(node);
    m.guest_tree = Some(tree);
    assert_eq!(rtas(&mut m, "ibm,nmi-register", &[0x1000, 32 << 20], 1).0, [-3]);
    assert_eq!(rtas(&mut m, "ibm,nmi-register", &[0x1000, 0x2000], 1).0, [0]);
    assert_eq!(rtas(&mut m, "ibm,nmi-interlock", &[], 1).0, [0]);
    assert_eq!(m.system_reset_entry(CpuIndex(1), 7), ResetEntry::Handler { entry: Ra(0x1000), r3: 0x30_0810 });
    assert_eq!(m.memory.read_u64(Ra(0x30_0810)), Ok(7));
}

#[test]
fn the_guests_tree_is_bounded_and_read() {
    let mut m = machine(&settings());
    let mut tree = m.device_tree();
    tree.root.child_mut("rtas").unwrap().set_u32("linux,rtas-base", 0x1234_0000);
    let blob = tree.to_dtb();
    assert_eq!(Tree::parse(&blob).map(|_| ()), Ok(()), "{:x?}", &blob[..40]);
    m.memory.write(Ra(0x40_0000), &blob).unwrap();
    assert_eq!(call(&mut m, 0xf003, &[0x40_0000]).0, H::Success);
    assert_eq!(m.rtas_base(), Some(0x1234_0000));
    m.tree_bytes = blob.len() as u64 / 2 - 1;
    assert_eq!(call(&mut m, 0xf003, &[0x40_0000]).0, H::Parameter, "more than twice of what it got");
    m.tree_bytes = 0;
    m.memory.write_u32(Ra(0x40_0008), u32::MAX).unwrap();
    assert_eq!(call(&mut m, 0xf003, &[0x40_0000]).0, H::Parameter, "malformed");
    let old = machine(&Settings { machine: "pseries-3.1".into(), ..settings() });
    let mut old = old;
    assert_eq!(call(&mut old, 0xf003, &[0x40_0000]).0, H::Success, "ignored");
}

fn cell() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0_u32..0x100,
        (0_u32..32).prop_map(|n| 1 << n),
        (0_u32..0x1000).prop_map(|n| RAM as u32 - n),
        Just(BUFFER),
        Just(BLOCK as u32),
        Just(0x1000),
        Just(0x1000_0008),
        Just(0x8000_0008),
        9001_u32..9004,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any call with any counts and cells, anywhere: an answer comes, and soon.
    #[test]
    fn no_argument_block_harms_the_machine(
        blocks in proptest::collection::vec((0x1ff0_u32..0x2040, 0_u32..20, 0_u32..20, proptest::collection::vec(cell(), 8), 0_u64..0x60), 64),
    ) {
        let mut m = machine(&Settings { maxmem: Some(4 * RAM), ..settings() });
        for (token, nargs, nret, cells, back) in blocks {
            let at = if back % 2 == 0 { BLOCK } else { RAM - back };
            for (n, word) in [token, nargs, nret].into_iter().chain(cells).enumerate() {
                let _ = m.memory.write_u32(Ra(at + 4 * n as u64), word);
            }
            let start = Instant::now();
            hcall(&mut m, 0xf000, &[at]);
            prop_assert!(start.elapsed() < Duration::from_secs(1), "{token:#x} took {:?}", start.elapsed());
        }
    }
}
