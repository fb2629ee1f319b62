//! A link that does to frames and bytes what networks and attackers do.

use spapr::migrate::link::Link;
use spapr::migrate::link::Unix;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Result;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// What happens to what is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    None,
    /// The connection is cut before frame `.0`.
    CutBefore(u64),
    /// … in the middle of it.
    CutWithin(u64),
    /// … right behind it, when it has been delivered.
    CutBehind(u64),
    /// A byte of it changes: the first counts from its start.
    Corrupt(u64, u64),
    /// It changes places with the next one.
    Swap(u64),
    /// It comes twice.
    Twice(u64),
    /// It never comes.
    Lose(u64),
    /// Nothing comes from it on, and nobody says so.
    Stall(u64),
    /// It comes late and in small pieces.
    Late(u64),
    /// The connection is cut after so many bytes.
    CutAtByte(u64),
    /// The byte at that place changes.
    CorruptByte(u64, u8),
}

/// Frames and bytes written, for the next plan.
#[derive(Clone, Default)]
pub struct Meter {
    pub frames: Arc<AtomicU64>,
    pub bytes: Arc<AtomicU64>,
}

pub struct Faulty {
    link: Option<Unix>,
    fault: Fault,
    meter: Meter,
    held: VecDeque<Vec<u8>>,
}

impl Faulty {
    pub fn new(link: Unix, fault: Fault, meter: Meter) -> Faulty {
        Faulty { link: Some(link), fault, meter, held: VecDeque::new() }
    }

    fn deliver(&mut self, bytes: &[u8]) -> Result<()> {
        let Some(link) = self.link.as_mut() else { return Err(ErrorKind::BrokenPipe.into()) };
        let mut at = 0;
        while at < bytes.len() {
            match link.write(&bytes[at..]) {
                Ok(n) => at += n,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// The connection is gone, in both directions; what was delivered stays readable by the peer.
    fn cut(&mut self) -> Result<usize> {
        self.link = None;
        Err(ErrorKind::BrokenPipe.into())
    }
}

impl Read for Faulty {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        match self.link.as_mut() {
            Some(link) => link.read(buf),
            None => Ok(0),
        }
    }
}

impl Write for Faulty {
    /// Each call is a frame: `Wire` writes frames whole, and nothing is ever taken in part here.
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        let n = self.meter.frames.fetch_add(1, Ordering::Relaxed);
        let before = self.meter.bytes.fetch_add(buf.len() as u64, Ordering::Relaxed);
        let mut bytes = buf.to_vec();
        let inside = |at: u64| (before..before + buf.len() as u64).contains(&at).then(|| (at - before) as usize);
        match self.fault {
            Fault::CutBefore(k) if k == n => return self.cut(),
            Fault::CutWithin(k) if k == n => {
                self.deliver(&bytes[..bytes.len() / 2])?;
                return self.cut();
            }
            Fault::CutBehind(k) if k == n => {
                self.deliver(&bytes)?;
                self.link = None;
                return Ok(buf.len());
            }
            Fault::Corrupt(k, at) if k == n => bytes[(at % buf.len() as u64) as usize] ^= 0x10,
            Fault::Swap(k) if k == n => {
                self.held.push_back(bytes);
                return Ok(buf.len());
            }
            Fault::Twice(k) if k == n => self.deliver(buf)?,
            Fault::Lose(k) if k == n => return Ok(buf.len()),
            Fault::Stall(k) if n >= k => return Ok(buf.len()),
            Fault::Late(k) if k == n => {
                for piece in buf.chunks(buf.len() / 3 + 1) {
                    std::thread::sleep(Duration::from_millis(2));
                    self.deliver(piece)?;
                }
                return Ok(buf.len());
            }
            Fault::CutAtByte(at) => {
                if let Some(at) = inside(at) {
                    self.deliver(&bytes[..at])?;
                    return self.cut();
                }
            }
            Fault::CorruptByte(at, mask) => {
                if let Some(at) = inside(at) {
                    bytes[at] ^= mask;
                }
            }
            _ => {}
        }
        self.deliver(&bytes)?;
        while let Some(late) = self.held.pop_front() {
            self.deliver(&late)?;
        }
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Link for Faulty {}
