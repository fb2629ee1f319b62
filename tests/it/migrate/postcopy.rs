//! The guest before its memory: pages that it waits for, and connections that break meanwhile.

use crate::migrate::BUSY;
use crate::migrate::PAGES;
use crate::migrate::faulty::Fault;
use crate::migrate::faulty::Faulty;
use crate::migrate::faulty::Meter;
use crate::migrate::guest::Guest;
use crate::migrate::guest::Load;
use crate::migrate::quick;
use spapr::error::Result;
use spapr::migrate::Gone;
use spapr::migrate::Handle;
use spapr::migrate::Options;
use spapr::migrate::Progress;
use spapr::migrate::Status;
use spapr::migrate::frame::Broken;
use spapr::migrate::link::Link;
use spapr::migrate::link::Stop;
use spapr::migrate::link::Unix;
use spapr::migrate::source;
use spapr::migrate::source::Way;
use spapr::migrate::target;
use spapr::migrate::target::Door;
use spapr::units::Ra;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

/// Connections, each time with the next fault on the first one.
struct Road {
    ends: mpsc::Sender<Box<dyn Link>>,
    faults: Vec<Fault>,
    meters: Vec<Meter>,
}

impl Way for Road {
    fn open(&mut self) -> Result<Vec<Box<dyn Link>>> {
        let fault = self.faults.pop().unwrap_or(Fault::None);
        let meter = Meter::default();
        self.meters.push(meter.clone());
        let mut links: Vec<Box<dyn Link>> = Vec::new();
        for n in 0..2 {
            let (a, b) = Unix::pair().unwrap();
            links.push(if n == 0 { Box::new(Faulty::new(a, fault, meter.clone())) } else { Box::new(a) });
            self.ends.send(Box::new(b)).unwrap();
        }
        Ok(links)
    }

    fn reopens(&self) -> bool {
        true
    }
}

struct Gate(Mutex<mpsc::Receiver<Box<dyn Link>>>);

impl Door for Gate {
    fn next(&mut self, stop: &Stop) -> std::result::Result<Box<dyn Link>, Broken> {
        loop {
            stop.check().map_err(Broken::Cut)?;
            if let Ok(link) = self.0.lock().unwrap().recv_timeout(Duration::from_millis(20)) {
                return Ok(link);
            }
        }
    }
}

/// What came of a move.
struct Moved {
    source: Progress,
    arrived: Progress,
    /// Frames on the first of the first connections.
    frames: u64,
    /// How often connections were opened.
    opened: usize,
}

/// Moves a guest whose memory follows it, with these faults on one set of connections after the other. `None`: the fault came before the guest had moved.
fn run(faults: Vec<Fault>) -> Option<Moved> {
    let idle = Load::default();
    let (from, to) = (Guest::running(PAGES, BUSY), Guest::new(PAGES, idle));
    let (ends, others) = mpsc::channel();
    let (mut road, mut gate) = (Road { ends, faults, meters: Vec::new() }, Gate(Mutex::new(others)));
    let options = Options { postcopy_after: Some(0), bandwidth: Some(100 << 20), downtime: Duration::ZERO, ..quick() };
    let done = std::thread::scope(|s| {
        let target = s.spawn(|| target::run(to.as_ref(), &mut gate, options.stall, &Handle::new(None)));
        let source = source::run(from.as_ref(), &mut road, &options, &Handle::new(None));
        (source, target.join().unwrap())
    });
    from.end();
    to.end();
    let (Ok(source), Ok(arrived)) = done else {
        assert!(from.inner().running && !to.inner().running && from.inner().gone.is_none(), "{done:?}");
        return None;
    };
    assert!(to.inner().running && !from.inner().running && from.inner().gone == Some(Gone::Surely));
    assert_eq!(Some(to.digest(&to.inner())), from.inner().stopped);
    Some(Moved { source, arrived, frames: road.meters[0].frames.load(Ordering::Relaxed), opened: road.meters.len() })
}

#[test]
fn the_memory_follows_the_guest() {
    let moved = run(Vec::new()).unwrap();
    assert_eq!((moved.source.status, moved.arrived.status, moved.opened), (Status::Completed, Status::Completed, 1));
    assert!(moved.source.postcopy_bytes > 0, "{:?}", moved.source);
}

#[test]
fn a_guest_gets_the_pages_that_it_waits_for() {
    let (from, to) = (Guest::running(PAGES, BUSY), Guest::new(PAGES, Load::default()));
    let (ends, others) = mpsc::channel();
    let (mut road, mut gate) = (Road { ends, faults: Vec::new(), meters: Vec::new() }, Gate(Mutex::new(others)));
    // Everything but what is asked for comes slowly.
    let options = Options { postcopy_after: Some(0), downtime: Duration::ZERO, ..quick() };
    let (source, arrived) = std::thread::scope(|s| {
        let reader = s.spawn(|| {
            while !to.inner().running {
                std::thread::yield_now();
            }
            // Pages beyond what the busy guest changes, the last first.
            for p in (120..PAGES).rev().filter(|p| p % 3 != 0) {
                assert_eq!(to.ram.read_u64(Ra((p << 12) + 0x700)), Ok(p * 512 + 0xe0), "page {p}");
                to.ram.write_u64(Ra(p << 12), 0xfeed).unwrap();
            }
        });
        let target = s.spawn(|| target::run(to.as_ref(), &mut gate, options.stall, &Handle::new(None)));
        let source = source::run(from.as_ref(), &mut road, &options, &Handle::new(None)).unwrap();
        reader.join().unwrap();
        (source, target.join().unwrap().unwrap())
    });
    // What the guest wrote was not undone by what came late.
    assert_eq!(to.ram.read_u64(Ra(299 << 12)), Ok(0xfeed));
    assert_eq!((source.status, arrived.status), (Status::Completed, Status::Completed));
    from.end();
    to.end();
}

#[test]
fn a_broken_connection_is_mended() {
    let frames = run(Vec::new()).unwrap().frames;
    let mut mended = 0;
    for k in frames.saturating_sub(4)..frames {
        for faults in [vec![Fault::CutBefore(k)], vec![Fault::CutWithin(1), Fault::CutWithin(k)], vec![Fault::Corrupt(k, 20)]] {
            mended += run(faults).map_or(0, |moved| usize::from(moved.opened > 1));
        }
    }
    assert!(mended >= 1, "no connection broke after the guest had moved");
}
