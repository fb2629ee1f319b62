//! Interrupt flows through XICS: each test is a sequence of calls and what a guest would see.

use super::*;
use crate::signal::EXTERNAL;

const A: VcpuId = VcpuId(0);
const B: VcpuId = VcpuId(8);
const MSI: Lisn = Lisn(0x1001);
const MSI2: Lisn = Lisn(0x1300);
const LSI: Lisn = Lisn(0x1200);

struct Bench {
    xics: Xics,
    lines: [Arc<Signals>; 2],
}

impl Bench {
    /// Two servers, 0 and 8, ready for everything; the sources go to 0 with priority 5.
    fn new() -> Bench {
        let lines = [Arc::new(Signals::default()), Arc::new(Signals::default())];
        let mut xics = Xics::new(16, 0x1000);
        for (vcpu, line) in [A, B].into_iter().zip(&lines) {
            assert!(xics.connect(vcpu, line));
            xics.set_cppr(vcpu, 0xff).unwrap();
        }
        for (source, kind) in [(MSI, SourceKind::Msi), (MSI2, SourceKind::Msi), (LSI, SourceKind::Lsi)] {
            xics.claim(source, kind);
            xics.set_xive(source, A, 5).unwrap();
        }
        Bench { xics, lines }
    }

    fn line(&self, server: VcpuId) -> bool {
        self.lines[(server == B) as usize].pending() & EXTERNAL != 0
    }

    fn accept(&mut self, server: VcpuId) -> u32 {
        let xirr = self.xics.accept(server).unwrap();
        assert!(!self.line(server));
        xirr
    }

    fn status(&self, source: Lisn) -> u8 {
        self.xics.ics.get(index(source).unwrap()).unwrap().status
    }
}

#[test]
fn reset_blocks_everything() {
    let mut b = Bench::new();
    b.xics.trigger(MSI);
    b.xics.reset();
    assert!(!b.line(A));
    assert_eq!(b.xics.poll(A), Ok((0, 0xff)));
    assert_eq!(b.xics.xive(MSI), Ok((VcpuId(0), 0xff)));
    b.xics.ipi(A, 0).unwrap();
    assert!(!b.line(A), "CPPR 0");
    b.xics.set_cppr(A, 1).unwrap();
    assert_eq!(b.accept(A), 0x0100_0002);
}

#[test]
fn an_edge_event_from_trigger_to_eoi() {
    let mut b = Bench::new();
    b.xics.trigger(MSI);
    assert!(b.line(A) && !b.line(B));
    assert_eq!(b.xics.poll(A), Ok((0xff00_1001, 0xff)));
    assert_eq!(b.accept(A), 0xff00_1001);
    assert_eq!(b.xics.poll(A), Ok((0x0500_0000, 0xff)), "its priority is the server's now");
    b.xics.eoi(A, 0xff00_1001).unwrap();
    assert_eq!(b.xics.poll(A), Ok((0xff00_0000, 0xff)));
    assert!(!b.line(A));
}

#[test]
fn accepting_nothing_opens_the_server() {
    let mut b = Bench::new();
    b.xics.set_cppr(A, 3).unwrap();
    assert_eq!(b.accept(A), 0x0300_0000);
    assert_eq!(b.xics.poll(A), Ok((0xff00_0000, 0xff)));
}

#[test]
fn a_more_urgent_source_displaces_and_the_other_comes_again() {
    let mut b = Bench::new();
    b.xics.set_xive(MSI2, A, 4).unwrap();
    b.xics.trigger(MSI);
    b.xics.trigger(MSI2);
    assert_eq!(b.status(MSI), ics::REJECTED);
    assert_eq!(b.accept(A), 0xff00_1300);
    b.xics.trigger(MSI);
    assert!(!b.line(A), "5 is not more urgent than 4");
    b.xics.eoi(A, 0xff00_1300).unwrap();
    assert_eq!(b.accept(A), 0xff00_1001);
    b.xics.eoi(A, 0xff00_1001).unwrap();
    assert!(!b.line(A), "both events of the rejected source were one");
}

#[test]
fn lowering_cppr_withdraws_and_raising_presents_again() {
    let mut b = Bench::new();
    b.xics.trigger(MSI);
    b.xics.set_cppr(A, 5).unwrap();
    assert!(!b.line(A));
    assert_eq!(b.status(MSI), ics::REJECTED);
    b.xics.set_cppr(A, 6).unwrap();
    assert_eq!(b.accept(A), 0x0600_1001);
    b.xics.eoi(A, 0xff00_1001).unwrap();
    b.xics.ipi(A, 4).unwrap();
    b.xics.set_cppr(A, 4).unwrap();
    assert_eq!(b.xics.poll(A), Ok((0x0400_0000, 4)), "an IPI is forgotten; MFRR keeps it");
    b.xics.set_cppr(A, 5).unwrap();
    assert_eq!(b.accept(A), 0x0500_0002);
}

#[test]
fn an_ipi_stays_until_mfrr_is_ff() {
    let mut b = Bench::new();
    b.xics.ipi(B, 4).unwrap();
    assert!(b.line(B) && !b.line(A));
    assert_eq!(b.accept(B), 0xff00_0002);
    b.xics.eoi(B, 0xff00_0002).unwrap();
    assert!(b.line(B), "MFRR was not cleared");
    assert_eq!(b.accept(B), 0xff00_0002);
    b.xics.ipi(B, 0xff).unwrap();
    b.xics.eoi(B, 0xff00_0002).unwrap();
    assert!(!b.line(B));
}

#[test]
fn ipi_and_source_displace_each_other() {
    let mut b = Bench::new();
    b.xics.trigger(MSI);
    b.xics.ipi(A, 4).unwrap();
    assert_eq!(b.xics.poll(A), Ok((0xff00_0002, 4)));
    b.xics.set_xive(MSI2, A, 3).unwrap();
    b.xics.trigger(MSI2);
    for (expected, mfrr) in [(0x1300, 4), (2, 4), (0x1001, 0xff)] {
        let xirr = b.accept(A);
        assert_eq!(xirr, 0xff00_0000 | expected);
        b.xics.ipi(A, if expected == 2 { 0xff } else { mfrr }).unwrap();
        b.xics.eoi(A, xirr).unwrap();
    }
    assert!(!b.line(A));
}

#[test]
fn a_level_source_comes_again_until_it_is_low() {
    let mut b = Bench::new();
    b.xics.set_level(LSI, Level::High);
    assert_eq!(b.status(LSI), ics::ASSERTED | ics::SENT);
    b.xics.set_level(LSI, Level::High);
    assert_eq!(b.accept(A), 0xff00_1200);
    b.xics.set_level(LSI, Level::High);
    assert!(!b.line(A), "sent once until its EOI");
    b.xics.eoi(A, 0xff00_1200).unwrap();
    assert_eq!(b.accept(A), 0xff00_1200, "still high");
    b.xics.set_level(LSI, Level::Low);
    b.xics.eoi(A, 0xff00_1200).unwrap();
    assert!(!b.line(A));
    assert_eq!(b.status(LSI), 0);
}

#[test]
fn a_level_source_that_moved_meanwhile_is_not_forgotten() {
    let mut b = Bench::new();
    b.xics.set_level(LSI, Level::High);
    b.accept(A);
    b.xics.set_xive(LSI, B, 5).unwrap();
    assert!(!b.line(B), "its EOI is still to come");
    b.xics.eoi(A, 0xff00_1200).unwrap();
    assert!(b.line(B) && !b.line(A));
}

#[test]
fn a_masked_source_remembers_one_event() {
    let mut b = Bench::new();
    b.xics.int_off(MSI).unwrap();
    assert_eq!(b.xics.xive(MSI), Ok((A, 0xff)));
    b.xics.trigger(MSI);
    b.xics.trigger(MSI);
    assert_eq!((b.line(A), b.status(MSI)), (false, ics::MASKED_PENDING));
    b.xics.int_on(MSI).unwrap();
    assert_eq!(b.accept(A), 0xff00_1001);
    b.xics.eoi(A, 0xff00_1001).unwrap();
    assert!(!b.line(A));
    b.xics.int_off(LSI).unwrap();
    b.xics.set_level(LSI, Level::High);
    assert!(!b.line(A));
    b.xics.set_xive(LSI, B, 1).unwrap();
    assert_eq!(b.accept(B), 0xff00_1200);
}

#[test]
fn an_event_that_was_rejected_survives_masking_and_moving() {
    let mut b = Bench::new();
    b.xics.set_cppr(A, 0).unwrap();
    b.xics.trigger(MSI);
    b.xics.trigger(MSI2);
    b.xics.int_off(MSI).unwrap();
    b.xics.set_xive(MSI2, B, 5).unwrap();
    assert_eq!(b.accept(B), 0xff00_1300);
    b.xics.set_cppr(A, 0xff).unwrap();
    assert!(!b.line(A));
    b.xics.int_on(MSI).unwrap();
    assert_eq!(b.accept(A), 0xff00_1001);
}

#[test]
fn all_that_wait_come_in_order_of_priority() {
    let mut b = Bench::new();
    b.xics.set_cppr(A, 0).unwrap();
    for n in 0..0x1000_u32 {
        b.xics.claim(Lisn(0x1000 + n), SourceKind::Msi);
        b.xics.set_xive(Lisn(0x1000 + n), A, 1 + (n * 7 % 13) as u8).unwrap();
        b.xics.trigger(Lisn(0x1000 + n));
    }
    b.xics.set_cppr(A, 0xff).unwrap();
    let mut last = 0;
    for _ in 0..0x1000 {
        let xirr = b.accept(A);
        let (_, priority) = b.xics.xive(Lisn(xirr & icp::XISR_MASK)).unwrap();
        assert!(priority >= last, "{priority} after {last}");
        last = priority;
        b.xics.eoi(A, xirr).unwrap();
    }
    assert!(!b.line(A));
    assert_eq!(b.xics.ics.next_waiting(0), None);
}

#[test]
fn unknown_servers_and_sources_are_refused() {
    let mut b = Bench::new();
    for server in [VcpuId(1), VcpuId(16), VcpuId(u32::MAX)] {
        assert_eq!(b.xics.accept(server), Err(XicsError::NoServer));
        assert_eq!(b.xics.poll(server), Err(XicsError::NoServer));
        assert_eq!(b.xics.ipi(server, 0), Err(XicsError::NoServer));
        assert_eq!(b.xics.set_xive(MSI, server, 0), Err(XicsError::NoServer));
    }
    for source in [Lisn(2), Lisn(0xfff), Lisn(0x2000), Lisn(u32::MAX)] {
        assert_eq!(b.xics.set_xive(source, A, 0), Err(XicsError::NoSource));
        assert_eq!(b.xics.xive(source), Err(XicsError::NoSource));
        assert_eq!(b.xics.int_on(source), Err(XicsError::NoSource));
        assert_eq!(b.xics.int_off(source), Err(XicsError::NoSource));
    }
}

#[test]
fn a_server_that_goes_gives_its_interrupt_back() {
    let mut b = Bench::new();
    b.xics.trigger(MSI);
    b.xics.disconnect(A);
    assert!(!b.line(A));
    b.xics.trigger(MSI2);
    for source in [MSI, MSI2] {
        b.xics.set_xive(source, B, 5).unwrap();
    }
    let first = b.accept(B);
    b.xics.eoi(B, first).unwrap();
    assert_eq!([first, b.accept(B)], [0xff00_1001, 0xff00_1300]);
}
