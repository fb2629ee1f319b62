//! What holds for both controllers: claims, the choice, the lines carried over, and that no sequence of calls breaks anything.

use super::*;
use crate::signal::EXTERNAL;
use proptest::prelude::*;

const LSI: Lisn = Lisn(0x1200);
const MSI: Lisn = Lisn(0x1100);

fn machine(mode: IntcMode, servers: u32, vcpus: &[u32]) -> (Intc, Vec<Arc<Signals>>) {
    let ram = Arc::new(GuestMemory::new(1 << 20).unwrap());
    let mut intc = Intc::new(IntcConfig { mode, servers, sources: SOURCES_MAX }, ram).unwrap();
    let signals: Vec<_> = vcpus.iter().map(|_| Arc::new(Signals::default())).collect();
    for (&vcpu, signals) in vcpus.iter().zip(&signals) {
        intc.connect(VcpuId(vcpu), signals).unwrap();
    }
    intc.claim(MSI, SourceKind::Msi).unwrap();
    intc.claim(LSI, SourceKind::Lsi).unwrap();
    (intc, signals)
}

#[test]
fn a_source_is_claimed_once() {
    let (mut intc, _) = machine(IntcMode::Dual, 1, &[0]);
    for source in [MSI, LSI, Lisn(0xfff), Lisn(0x2000), Lisn(u32::MAX)] {
        let error = intc.claim(source, SourceKind::Msi).unwrap_err().to_string();
        assert!(error.starts_with(&format!("irq: IRQ {} is not free; ", source.0)), "{error}");
    }
    intc.free(MSI);
    intc.claim(MSI, SourceKind::Lsi).unwrap();
    assert_eq!(intc.kind(MSI), Some(SourceKind::Lsi));
}

#[test]
fn the_lowest_free_run_is_found() {
    let (intc, _) = machine(IntcMode::Xics, 1, &[0]);
    let find = |from, end, count, align| intc.find_free(Lisn(from), Lisn(end), count, align).map(|l| l.0);
    assert_eq!(find(0, u32::MAX, 1, 1), Some(0x1000));
    assert_eq!(find(0x10ff, 0x2000, 2, 1), Some(0x1101));
    assert_eq!(find(0x10ff, 0x2000, 4, 4), Some(0x1104));
    assert_eq!(find(0x1101, 0x1210, 0x100, 1), None);
    assert_eq!(find(0x1ffe, 0x3000, 2, 2), Some(0x1ffe));
    assert_eq!(find(0x1ffe, 0x3000, 3, 1), None);
    assert_eq!(find(u32::MAX, u32::MAX, u32::MAX, u32::MAX), None);
}

#[test]
fn ids_must_be_servers_and_xive_has_4096() {
    let (mut intc, signals) = machine(IntcMode::Dual, 16, &[0, 8]);
    for vcpu in [8, 16] {
        assert!(intc.connect(VcpuId(vcpu), &signals[0]).is_err());
    }
    let ram = Arc::new(GuestMemory::new(1 << 20).unwrap());
    let new = |mode, servers| Intc::new(IntcConfig { mode, servers, sources: SOURCES_MAX }, Arc::clone(&ram)).is_ok();
    assert!(new(IntcMode::Xive, 4096) && !new(IntcMode::Dual, 4097) && new(IntcMode::Xics, 4097));
}

#[test]
fn the_guest_chooses_and_a_high_line_stays_high() {
    let (mut intc, signals) = machine(IntcMode::Dual, 1, &[0]);
    assert_eq!(intc.active(), Active::Xics);
    assert_eq!(intc.xive().err(), Some(XiveError::Function));
    assert_eq!(intc.mmio_read(xive::Region::Tima, VcpuId(0), 0, Width::Byte), Err(BusError::Unmapped));
    intc.xics().unwrap().set_cppr(VcpuId(0), 0xff).unwrap();
    intc.xics().unwrap().set_xive(LSI, VcpuId(0), 5).unwrap();
    intc.set_level(LSI, Level::High);
    assert_eq!(signals[0].pending(), EXTERNAL);
    intc.switch(Active::Xive);
    assert_eq!(signals[0].pending(), 0);
    assert_eq!(intc.xics().err(), Some(XicsError::Inactive));
    let x = intc.xive().unwrap();
    x.set_queue_config(1, 0, 6, 0, 16).unwrap();
    x.set_source_config(2, LSI.0.into(), 0, 6, 1).unwrap();
    x.mmio_write(xive::Region::Tima, VcpuId(0), 0x2_0011, Width::Byte, 0xff).unwrap();
    x.esb(0, LSI.0.into(), 0xc00, 0).unwrap();
    assert_eq!(signals[0].pending(), EXTERNAL, "the line was carried over");
    intc.reset();
    assert_eq!((intc.active(), signals[0].pending()), (Active::Xics, 0));
    intc.switch(Active::Xive);
    let states = intc.xive().unwrap().state().sources;
    assert!(states.iter().all(|s| s.line == Level::Low && s.pq == xive::esb::Pq::Off), "a reset lowers all lines");
    let (mut only, _) = machine(IntcMode::Xive, 1, &[0]);
    assert_eq!(only.xics().err(), Some(XicsError::Absent));
    only.switch(Active::Xics);
    assert_eq!(only.active(), Active::Xive);
}

/// One call of anything, with whatever arguments.
fn call(intc: &mut Intc, what: u8, args: [u64; 5]) {
    let [a, b, c, d, e] = args;
    let (server, source) = (VcpuId(a as u32), Lisn(b as u32));
    let width = Width::of(1 << (d & 3)).expect("1 to 8");
    let region = if e & 1 == 0 { xive::Region::Esb } else { xive::Region::Tima };
    match what {
        0 => intc.trigger(source),
        1 => intc.set_level(source, if c & 1 == 0 { Level::Low } else { Level::High }),
        2 => intc.switch(if c & 1 == 0 { Active::Xics } else { Active::Xive }),
        3 => drop(intc.claim(source, if c & 1 == 0 { SourceKind::Msi } else { SourceKind::Lsi })),
        4 => intc.free(source),
        5 => drop(intc.find_free(Lisn(a as u32), Lisn(b as u32), c as u32, d as u32)),
        6 => drop(intc.mmio_read(region, server, b, width)),
        7 => drop(intc.mmio_write(region, server, b, width, c)),
        8 => intc.disconnect(server),
        9 => drop(intc.connect(server, &Arc::new(Signals::default()))),
        _ => {
            if let Ok(x) = intc.xics() {
                match what {
                    10 => drop(x.accept(server)),
                    11 => drop(x.set_cppr(server, c as u8)),
                    12 => drop(x.eoi(server, c as u32)),
                    13 => drop(x.ipi(server, c as u8)),
                    14 => drop(x.set_xive(source, server, c as u8)),
                    15 => drop(x.int_off(source)),
                    16 => drop(x.int_on(source)),
                    17 => drop(x.poll(server)),
                    _ => {}
                }
            }
            if let Ok(x) = intc.xive() {
                match what {
                    10 => drop(x.set_source_config(e & 7, b, a, c, d)),
                    11 => drop(x.set_queue_config(e & 3, a, c, d, b)),
                    12 => drop(x.esb(e & 3, b, c, d)),
                    13 => drop((x.queue_config(e & 1, a, c), x.queue_info(0, a, c))),
                    14 => drop((x.source_config(0, b), x.source_info(0, b), x.sync(0, b))),
                    15 if e & 15 == 0 => drop(x.reset_by_guest(0)),
                    _ => {}
                }
            }
        }
    }
}

/// Who has something pending has its line up; and after an EOI no server idles while a source waits that it would take.
fn check_xics(intc: &mut Intc, signals: &[Arc<Signals>], after_eoi_of: Option<u32>) {
    let Ok(x) = intc.xics() else { return };
    let state = x.state();
    for (vcpu, icp) in state.presenters.iter().filter(|(vcpu, icp)| Some(vcpu.0) == after_eoi_of && !icp.is_pending()) {
        let rejected = |s: &xics::ics::SourceState| s.status & xics::ics::REJECTED != 0;
        let asking = |s: &xics::ics::SourceState| s.flags == xics::ics::FLAG_LSI && s.status == xics::ics::ASSERTED;
        let mut sources = state.sources.iter().filter(|s| s.server == vcpu.0 && s.priority < icp.cppr());
        assert!(!sources.any(|s| rejected(s) || asking(s)), "{vcpu:?} {icp:x?}");
        assert!(icp.mfrr >= icp.cppr(), "{vcpu:?} {icp:x?}");
    }
    for ((vcpu, icp), line) in state.presenters.iter().zip(signals) {
        assert_eq!(icp.is_pending(), line.pending() & EXTERNAL != 0, "{vcpu:?} {icp:x?}");
        assert_eq!(icp.is_pending(), icp.pending_priority != 0xff, "{vcpu:?} {icp:x?}");
    }
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..9_u64,
        0xffc..0x1010_u64,
        0x10fe..0x1102_u64,
        0x11fe..0x1202_u64,
        Just(16_u64),
        Just(1 << 16),
        0..0x4_0000_u64,
        any::<u64>(),
        (0..0x2000_u64, 0..0x2_0000_u64).prop_map(|(s, o)| s << 17 | o)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_calls_panics(calls in proptest::collection::vec((0..18_u8, [number(), number(), number(), number(), number()]), 1..200)) {
        let (mut intc, _) = machine(IntcMode::Dual, 16, &[0, 1, 8]);
        for (what, args) in calls {
            call(&mut intc, what, args);
        }
    }

    #[test]
    fn the_line_follows_what_is_pending(calls in proptest::collection::vec((10..20_u8, 0..3_usize, 0..2_usize, 0..9_u8), 1..200)) {
        let (mut intc, signals) = machine(IntcMode::Xics, 16, &[0, 1, 8]);
        for (what, server, source, byte) in calls {
            let (server, source) = ([0, 1, 8][server], [MSI, LSI][source]);
            // 18 and 19 are the device's side.
            let what = if what >= 18 { what - 18 } else { what };
            // EOI as guests do it: of what exists, back to an open CPPR.
            let c = if what == 12 { 0xff00_0000 | u64::from(source.0) } else { u64::from(byte) };
            call(&mut intc, what, [server, source.0.into(), c, 0, 0]);
            check_xics(&mut intc, &signals, (what == 12).then_some(server as u32));
        }
    }

    #[test]
    fn a_storm_fills_queues_and_no_more(calls in proptest::collection::vec((0..8_u8, 0..3_u32, 0..6_usize, 0..9_u8), 1..400)) {
        let (mut intc, signals) = machine(IntcMode::Xive, 16, &[0, 1, 8]);
        let sources = [MSI, LSI, Lisn(0), Lisn(1), Lisn(8), Lisn(9)];
        for (what, server, source, byte) in calls {
            let (vcpu, source) = (VcpuId([0, 1, 8][server as usize]), sources[source]);
            xive_call(&mut intc, what, vcpu, source, byte);
            let state = intc.xive().unwrap().state();
            for ((vcpu, ring), line) in state.contexts.iter().zip(&signals) {
                assert_eq!(ring.pipr < ring.cppr, line.pending() & EXTERNAL != 0, "{vcpu:?} {ring:x?}");
                assert_eq!(ring.nsr != 0, ring.pipr < ring.cppr, "{vcpu:?} {ring:x?}");
                assert_eq!(u32::from(ring.pipr), if ring.ipb == 0 { 0xff } else { ring.ipb.leading_zeros() });
            }
        }
    }
}

/// One thing that a guest or a device does with a XIVE that is set up more or less well.
fn xive_call(intc: &mut Intc, what: u8, vcpu: VcpuId, source: Lisn, byte: u8) {
    let (target, lisn, low) = (u64::from(vcpu.0), u64::from(source.0), u64::from(byte));
    let os_page = 0x2_0000;
    match what {
        0 => {
            intc.trigger(source);
            intc.set_level(source, if byte & 1 == 0 { Level::Low } else { Level::High });
        }
        1 => drop(intc.mmio_write(xive::Region::Tima, vcpu, os_page + 0x11, Width::Byte, low)),
        2 => drop(intc.mmio_read(xive::Region::Tima, vcpu, os_page + 0x810, Width::Half)),
        3 => drop(intc.mmio_write(xive::Region::Esb, vcpu, lisn << 17, Width::Double, 0)),
        4 => drop(intc.mmio_read(xive::Region::Esb, vcpu, (lisn << 17) + 0x1_0000, Width::Double)),
        5 => drop(intc.mmio_read(xive::Region::Esb, vcpu, (lisn << 17) + 0x1_0c00 + (low & 3) * 0x100, Width::Double)),
        6 => drop(intc.xive().unwrap().set_source_config(2, lisn, target, low, lisn)),
        _ => drop(intc.xive().unwrap().set_queue_config(low & 1, target, low, lisn << 12, if byte == 8 { 0 } else { 12 })),
    }
}
