//! Interrupt flows through XIVE, set up by hypercalls and worked by loads and stores, as a guest does.

use super::*;
use crate::signal::EXTERNAL;

const A: VcpuId = VcpuId(0);
const B: VcpuId = VcpuId(8);
const MSI: u64 = 0x1100;
const LSI: u64 = 0x1200;
const NONE: u64 = 0x1f00;
const EQ: u64 = 0x1_0000;
const OS: u64 = 0x2_0000;

struct Bench {
    xive: Xive,
    ram: Arc<GuestMemory>,
    lines: [Arc<Signals>; 2],
}

impl Bench {
    /// Two servers, 0 and 8, open, each with a queue for priority 6 (at 10000h + server * 10000h); the sources are claimed.
    fn new() -> Bench {
        let ram = Arc::new(GuestMemory::new(1 << 21).unwrap());
        let lines = [Arc::new(Signals::default()), Arc::new(Signals::default())];
        let mut xive = Xive::new(16, Arc::clone(&ram));
        xive.claim(Lisn(MSI as u32), SourceKind::Msi);
        xive.claim(Lisn(LSI as u32), SourceKind::Lsi);
        let mut b = Bench { xive, ram, lines };
        for (n, vcpu) in [A, B].into_iter().enumerate() {
            assert!(b.xive.connect(vcpu, &b.lines[n]));
            b.xive.set_queue_config(1, vcpu.0.into(), 6, EQ + u64::from(vcpu.0) * EQ, 16).unwrap();
            b.tima_store(vcpu, 0x11, 0xff);
        }
        b
    }

    fn line(&self, server: VcpuId) -> bool {
        self.lines[(server == B) as usize].pending() & EXTERNAL != 0
    }

    fn tima_store(&mut self, vcpu: VcpuId, at: u64, value: u64) {
        self.xive.mmio_write(Region::Tima, vcpu, OS + at, Width::Byte, value).unwrap();
    }

    fn acknowledge(&mut self, vcpu: VcpuId) -> u64 {
        self.xive.mmio_read(Region::Tima, vcpu, OS + 0x810, Width::Half).unwrap()
    }

    fn esb_load(&mut self, source: u64, at: u64) -> u64 {
        self.xive.mmio_read(Region::Esb, A, (source << 17) + 0x1_0000 + at, Width::Double).unwrap()
    }

    fn trigger_page(&mut self, source: u64) {
        self.xive.mmio_write(Region::Esb, A, source << 17, Width::Double, 0).unwrap();
    }

    fn eq(&self, vcpu: VcpuId, index: u64) -> u32 {
        self.ram.read_u32(Ra(EQ + u64::from(vcpu.0) * EQ + 4 * index)).unwrap()
    }
}

#[test]
fn a_device_event_from_trigger_to_eoi() {
    let mut b = Bench::new();
    b.xive.set_source_config(2, MSI, 8, 6, 0x1234).unwrap();
    b.xive.trigger(Lisn(MSI as u32));
    assert!(!b.line(B), "PQ is off after reset");
    assert_eq!(b.esb_load(MSI, 0xc00), 1);
    for n in 0..3 {
        b.xive.trigger(Lisn(MSI as u32));
        assert_eq!(b.line(B), n == 0, "{n}");
        if n == 0 {
            assert_eq!(b.acknowledge(B), 0x8006);
        }
    }
    assert_eq!((b.eq(B, 0), b.eq(B, 1)), (0x8000_1234, 0), "a storm is one entry");
    assert_eq!(b.esb_load(MSI, 0), 1, "EOI: another event was waiting");
    assert_eq!(b.eq(B, 1), 0x8000_1234);
    assert!(!b.line(B), "the vCPU still works at 6");
    b.tima_store(B, 0x11, 0xff);
    assert!(b.line(B));
    assert_eq!(b.acknowledge(B), 0x8006);
    assert_eq!(b.esb_load(MSI, 0), 0);
    assert!(!b.line(A));
}

#[test]
fn an_ipi_is_a_store_to_the_trigger_page() {
    let mut b = Bench::new();
    b.xive.set_source_config(2, 8, 8, 6, 0x10).unwrap();
    b.esb_load(8, 0xc00);
    b.trigger_page(8);
    assert_eq!((b.line(A), b.line(B), b.eq(B, 0)), (false, true, 0x8000_0010));
    assert_eq!(b.xive.mmio_read(Region::Esb, A, 8 << 17, Width::Double), Ok(u64::MAX), "the trigger page shows nothing");
    assert_eq!(b.xive.mmio_read(Region::Esb, A, 8 << 17, Width::Byte), Ok(0xff));
}

#[test]
fn a_masked_or_unclaimed_source_ends_in_its_bits() {
    let mut b = Bench::new();
    b.xive.set_source_config(3, MSI, 0, 6, 1).unwrap();
    for source in [MSI, NONE] {
        b.esb_load(source, 0xc00);
        b.trigger_page(source);
        assert_eq!((b.line(A), b.esb_load(source, 0x800)), (false, 2), "{source:#x}");
    }
}

#[test]
fn a_level_source_by_hypercall() {
    let mut b = Bench::new();
    b.xive.set_source_config(2, LSI, 0, 6, 7).unwrap();
    assert_eq!(b.xive.esb(0, LSI, 0xc00, 0), Ok(1));
    b.xive.set_level(Lisn(LSI as u32), Level::High);
    assert_eq!(b.acknowledge(A), 0x8006);
    assert_eq!(b.xive.esb(0, LSI, 0, 0), Ok(1), "EOI while high: comes again");
    b.xive.set_level(Lisn(LSI as u32), Level::Low);
    assert_eq!(b.xive.esb(0, LSI, 0, 0), Ok(0));
    assert_eq!((b.eq(A, 0), b.eq(A, 1), b.eq(A, 2)), (0x8000_0007, 0x8000_0007, 0));
    assert_eq!(b.xive.esb(1, LSI, 0xd00, 0), Ok(u64::MAX));
    assert_eq!(b.esb_load(LSI, 0x800), 1);
}

#[test]
fn refusals_name_the_parameter_in_order() {
    use XiveError as E;
    let mut b = Bench::new();
    let x = &mut b.xive;
    assert_eq!(x.source_info(1, NONE), Err(E::Parameter));
    assert_eq!(x.source_info(0, NONE), Err(E::P2));
    assert_eq!(x.source_info(0, 16), Err(E::P2), "no IPI beyond the servers");
    assert_eq!(x.source_info(0, u64::MAX), Err(E::P2));
    // flags, source, target, priority
    let table = [
        (4, NONE, 9, 7, Err(E::Parameter)),
        (0, NONE, 9, 7, Err(E::P2)),
        (0, MSI, 9, 7, Err(E::P4)),
        (0, MSI, 9, 256, Err(E::P4)),
        (0, MSI, 9, 6, Err(E::P3)),
        (0, MSI, u64::MAX, 6, Err(E::P3)),
        (0, MSI, u64::MAX, 0xff, Ok(())),
    ];
    for (flags, source, target, priority, expected) in table {
        assert_eq!(x.set_source_config(flags, source, target, priority, 0), expected, "{flags} {source} {target} {priority}");
    }
    assert_eq!([x.source_config(1, NONE), x.source_config(0, NONE)], [Err(E::Parameter), Err(E::P2)]);
    // flags, target, priority, page, size
    let table = [
        (2, 9, 7, 1, 1, Err(E::Parameter)),
        (0, 9, 7, 1, 1, Err(E::P3)),
        (0, 9, 6, 1, 1, Err(E::P2)),
        (0, 8, 6, 1, 1, Err(E::P5)),
        (0, 8, 6, 1, 16, Err(E::P4)),
        (0, 8, 6, 1 << 21, 16, Err(E::P4)),
        (0, 8, 6, 0u64.wrapping_sub(1 << 16), 16, Err(E::P4)),
        (0, 8, 6, 0, 24, Err(E::P4)),
        (0, 8, 6, 0, 21, Ok(())),
        (0, 8, 6, 1, 0, Ok(())),
    ];
    for (flags, target, priority, page, size, expected) in table {
        assert_eq!(x.set_queue_config(flags, target, priority, page, size), expected, "{flags} {target} {priority} {page:#x} {size}");
    }
    assert_eq!([x.queue_info(1, 9, 7), x.queue_info(0, 9, 7), x.queue_info(0, 9, 6)], [Err(E::Parameter), Err(E::P3), Err(E::P2)]);
    assert_eq!([x.queue_config(2, 9, 7), x.queue_config(0, 9, 7), x.queue_config(0, 9, 6)], [Err(E::Parameter), Err(E::P3), Err(E::P2)]);
    assert_eq!([x.esb(2, NONE, 0, 0), x.esb(0, NONE, 1 << 20, 0), x.esb(0, MSI, 0x2_0000, 0)], [Err(E::Parameter), Err(E::P2), Err(E::P3)]);
    assert_eq!([x.esb(0, MSI, 0x1_0000, 0), x.esb(1, MSI, 0x1_ffff, 0)], [Err(E::Hardware); 2]);
    assert_eq!([x.sync(1, NONE), x.sync(0, NONE), x.sync(0, MSI)], [Err(E::Parameter), Err(E::P2), Ok(())]);
    assert_eq!(x.reset_by_guest(1), Err(E::Parameter));
}

#[test]
fn what_was_set_is_what_is_got() {
    let mut b = Bench::new();
    let x = &mut b.xive;
    let trigger = 0x0006_0100_0000_0000 + MSI * 0x2_0000;
    let info = SourceInfo { flags: 0, management: trigger + 0x1_0000, trigger, page_shift: 16 };
    assert_eq!(x.source_info(0, MSI), Ok(info));
    assert_eq!(x.source_info(0, LSI), Ok(SourceInfo { flags: 12, management: u64::MAX, trigger: u64::MAX, page_shift: 16 }));
    assert_eq!(x.source_config(0, MSI), Ok(SourceConfig { target: 0, priority: 0xff, eisn: 0 }));
    x.set_source_config(2, MSI, 8, 6, 0x9999_9999).unwrap();
    assert_eq!(x.source_config(0, MSI), Ok(SourceConfig { target: 8, priority: 6, eisn: 0x1999_9999 }));
    x.set_source_config(1, MSI, 8, 6, 5).unwrap();
    assert_eq!(x.source_config(0, MSI), Ok(SourceConfig { target: 8, priority: 0xff, eisn: 0x1999_9999 }));
    assert_eq!(x.queue_info(0, 8, 6), Ok(QueueInfo { esb: 0x0006_0100_4000_0000 + 70 * 0x2_0000, log2_bytes: 16 }));
    assert_eq!(x.queue_info(0, 8, 5).map(|q| q.log2_bytes), Ok(0));
    assert_eq!(x.queue_config(0, 8, 6), Ok(QueueConfig { flags: 1, page: 0x9_0000, log2_bytes: 16, index: 0 }));
    x.set_source_config(2, MSI, 8, 6, 1).unwrap();
    assert_eq!(x.esb(0, MSI, 0xc00, 0), Ok(1));
    x.trigger(Lisn(MSI as u32));
    assert_eq!(x.queue_config(1, 8, 6), Ok(QueueConfig { flags: 3, page: 0x9_0000, log2_bytes: 16, index: 1 }));
    x.reset_by_guest(0).unwrap();
    assert_eq!(x.queue_config(1, 8, 6), Ok(QueueConfig { flags: 0, page: 0, log2_bytes: 0, index: 0 }));
    assert_eq!(x.source_config(0, MSI), Ok(SourceConfig { target: 0, priority: 0xff, eisn: 0 }));
}

#[test]
fn registers_of_nobody_are_unmapped() {
    let mut b = Bench::new();
    for (region, vcpu, offset) in [(Region::Tima, VcpuId(1), OS), (Region::Tima, A, TIMA_BYTES), (Region::Esb, A, ESB_BYTES)] {
        assert_eq!(b.xive.mmio_read(region, vcpu, offset, Width::Byte), Err(BusError::Unmapped));
        assert_eq!(b.xive.mmio_write(region, vcpu, offset, Width::Byte, 0), Err(BusError::Unmapped));
    }
}

#[test]
fn events_for_a_vcpu_that_left_are_dropped() {
    let mut b = Bench::new();
    b.xive.set_source_config(2, MSI, 8, 6, 1).unwrap();
    b.esb_load(MSI, 0xc00);
    b.xive.disconnect(B);
    b.xive.trigger(Lisn(MSI as u32));
    assert_eq!((b.line(B), b.eq(B, 0)), (false, 0x8000_0001));
}
