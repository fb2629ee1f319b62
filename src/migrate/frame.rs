//! Frames: the unit of everything that travels.
//!
//! ```text
//! frame := length u32 | kind u8 | 0 0 0 | sequence u32 | checksum u32 | payload
//! ```
//!
//! Integers are big-endian. The length is bounded by the kind's row in [`KINDS`] before anything is allocated, the sequence counts the frames of one direction of
//! one connection from 0, so that a frame lost, doubled or out of order is noticed, and the checksum (CRC-32) covers the twelve bytes before it and the payload. What
//! passes all of that and is wrong is the peer's fault, not the line's.

use crate::migrate::link::Cut;
use crate::migrate::link::Link;
use crate::migrate::link::Stop;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

/// Bytes of a frame before its payload.
pub const HEADER: usize = 16;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $limit:expr;)*) => {
        /// What a frame says.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $number),* }

        /// Every kind with its number and the longest payload that is accepted.
        pub const KINDS: &[(Kind, u8, usize)] = &[$((Kind::$name, $number, $limit)),*];
    };
}
kinds! {
    /// The first frame of a connection, from who opened it.
    Hello = 1, 64;
    /// The answer to the first connection's hello: the version that is spoken.
    Welcome = 2, 16;
    /// What machine comes.
    Describe = 3, 1 << 20;
    /// The destination can be that machine.
    Accept = 4, 1 << 16;
    /// It cannot, and why.
    Refuse = 5, 1 << 18;
    /// The memories whose pages follow.
    Regions = 6, 1 << 12;
    /// Contents of pages.
    Pages = 7, 1 << 20;
    /// This connection has sent its share of a round.
    Round = 8, 16;
    /// A piece of what is not memory.
    State = 9, 1 << 20;
    /// All is sent.
    Finish = 10, 64;
    /// All has arrived and been taken over; the destination could run.
    Ready = 11, 16;
    /// Run.
    Go = 12, 16;
    /// It runs (or stands paused, if the source did).
    Running = 13, 16;
    /// The sender gives up, and why.
    Fail = 14, 1 << 14;
    /// Post-copy: pages that have not been sent and that the destination is to do without at first.
    Absent = 15, 1 << 20;
    /// Post-copy: a page that the guest waits for.
    Wanted = 16, 16;
    /// Post-copy: every page has been sent, or has arrived.
    Complete = 17, 16;
    /// Post-copy: this connection is for [`Kind::Wanted`] from now on.
    Turn = 18, 16;
}

impl Kind {
    fn of(number: u8) -> Option<(Kind, usize)> {
        KINDS.iter().find(|row| row.1 == number).map(|row| (row.0, row.2))
    }
}

/// Why nothing more can be sent or received.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Broken {
    /// The peer closed it.
    #[error("the peer closed the connection")]
    Closed,
    /// The host says so.
    #[error("the connection broke ({0})")]
    Io(String),
    /// Nothing moved for that long.
    #[error("the peer has not moved a byte for {0:?}")]
    Stalled(Duration),
    /// This side is to end.
    #[error("{}", match .0 { Cut::Cancelled => "it was cancelled", Cut::TimeOver => "its time is over" })]
    Cut(Cut),
    /// What arrived is not what a peer sends.
    #[error("{0}")]
    Nonsense(String),
}

/// The result of using a connection.
pub type Sent<T> = Result<T, Broken>;

/// A connection as frames.
pub struct Wire {
    link: Box<dyn Link>,
    stop: Arc<Stop>,
    stall: Duration,
    sent: u32,
    received: u32,
    /// The frame being built: a header's place, then the payload.
    out: Vec<u8>,
    input: Vec<u8>,
    bytes: u64,
}

impl Wire {
    /// Frames over `link`, which may stand still for `stall` at most.
    pub fn new(link: Box<dyn Link>, stop: Arc<Stop>, stall: Duration) -> Wire {
        Wire { link, stop, stall, sent: 0, received: 0, out: vec![0; HEADER], input: Vec::new(), bytes: 0 }
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How long the peer may keep still.
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// Whether this side is to go on.
    pub fn going_on(&self) -> Sent<()> {
        self.stop.check().map_err(Broken::Cut)
    }

    /// From now on the connection may stand still for so long.
    pub fn set_stall(&mut self, stall: Duration) {
        self.stall = stall;
    }

    /// From now on this says whether to go on.
    pub fn set_stop(&mut self, stop: Arc<Stop>) {
        self.stop = stop;
    }

    /// The place of the next frame's payload; bytes before [`HEADER`] are not to be touched.
    pub fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends a frame with this payload.
    pub fn send(&mut self, kind: Kind, payload: &[u8]) -> Sent<()> {
        self.out.truncate(HEADER);
        self.out.extend_from_slice(payload);
        self.flush(kind)
    }

    /// Sends what [`Wire::payload`] holds.
    pub fn flush(&mut self, kind: Kind) -> Sent<()> {
        let length = self.out.len() - HEADER;
        debug_assert!(KINDS.iter().any(|k| k.0 == kind && length <= k.2), "{kind:?} of {length} bytes is longer than the peer accepts");
        let mut head = [0; HEADER];
        head[..4].copy_from_slice(&(length as u32).to_be_bytes());
        head[4] = kind as u8;
        head[8..12].copy_from_slice(&self.sent.to_be_bytes());
        let sum = checksum(&head[..12], &self.out[HEADER..]);
        head[12..].copy_from_slice(&sum.to_be_bytes());
        self.out[..HEADER].copy_from_slice(&head);
        self.sent = self.sent.wrapping_add(1);
        let done = self.write();
        self.out.truncate(HEADER);
        done
    }

    fn write(&mut self) -> Sent<()> {
        let mut at = 0;
        let mut moved = Instant::now();
        while at < self.out.len() {
            self.stop.check().map_err(Broken::Cut)?;
            match self.link.write(&self.out[at..]) {
                Ok(0) => return Err(Broken::Closed),
                Ok(n) => {
                    at += n;
                    self.bytes += n as u64;
                    moved = Instant::now();
                }
                Err(e) => self.still(&e, moved)?,
            }
        }
        loop {
            match self.link.flush() {
                Ok(()) => return Ok(()),
                Err(e) => self.still(&e, moved)?,
            }
            self.stop.check().map_err(Broken::Cut)?;
        }
    }

    /// Whether `e` only means that nothing moved, and not for too long.
    fn still(&self, e: &std::io::Error, since: Instant) -> Sent<()> {
        let is = |kinds: [ErrorKind; 3]| kinds.contains(&e.kind());
        if is([ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted]) {
            return if since.elapsed() < self.stall { Ok(()) } else { Err(Broken::Stalled(self.stall)) };
        }
        if is([ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof]) {
            return Err(Broken::Closed);
        }
        Err(Broken::Io(e.to_string()))
    }

    fn fill(&mut self, from: usize) -> Sent<()> {
        let mut at = from;
        let mut moved = Instant::now();
        while at < self.input.len() {
            self.stop.check().map_err(Broken::Cut)?;
            match self.link.read(&mut self.input[at..]) {
                Ok(0) => return Err(Broken::Closed),
                Ok(n) => {
                    at += n;
                    moved = Instant::now();
                }
                Err(e) => self.still(&e, moved)?,
            }
        }
        Ok(())
    }

    /// Receives a frame.
    pub fn receive(&mut self) -> Sent<(Kind, &[u8])> {
        let nonsense = |text: String| Err(Broken::Nonsense(text));
        self.input.resize(HEADER, 0);
        self.fill(0)?;
        let word = |at: usize| u32::from_be_bytes(self.input[at..at + 4].try_into().expect("four bytes of a header"));
        let (length, sequence, sum) = (word(0) as usize, word(8), word(12));
        let Some((kind, limit)) = Kind::of(self.input[4]) else {
            return nonsense(format!("frame {}: kind {} is unknown; the stream is damaged, or no migration", self.received, self.input[4]));
        };
        if length > limit || self.input[5..8] != [0; 3] {
            return nonsense(format!(
                "frame {} ({kind:?}): length {length}, at most {limit} are possible; the stream is damaged",
                self.received
            ));
        }
        self.input.resize(HEADER + length, 0);
        self.fill(HEADER)?;
        let found = checksum(&self.input[..12], &self.input[HEADER..]);
        if found != sum {
            return nonsense(format!(
                "frame {} ({kind:?}): checksum {found:#x}, not {sum:#x} as it says; the stream is damaged",
                self.received
            ));
        }
        if sequence != self.received {
            return nonsense(format!("frame {sequence} ({kind:?}) arrived in the place of frame {}", self.received));
        }
        self.received = self.received.wrapping_add(1);
        Ok((kind, &self.input[HEADER..]))
    }
}

fn checksum(head: &[u8], payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(head);
    sum.update(payload);
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::link::Unix;
    use std::io::Write;

    fn wires() -> (Wire, Wire) {
        let (a, b) = Unix::pair().unwrap();
        let wire = |l| Wire::new(Box::new(l), Arc::default(), Duration::from_millis(200));
        (wire(a), wire(b))
    }

    #[test]
    fn frames_arrive_as_they_were_sent() {
        let (mut a, mut b) = wires();
        a.send(Kind::Hello, b"hello").unwrap();
        a.payload().extend_from_slice(&[7; 5000]);
        a.flush(Kind::Pages).unwrap();
        assert_eq!(b.receive(), Ok((Kind::Hello, &b"hello"[..])));
        assert_eq!(b.receive().map(|(k, p)| (k, p.len())), Ok((Kind::Pages, 5000)));
        assert_eq!(b.receive(), Err(Broken::Stalled(Duration::from_millis(200))));
        drop(a);
        assert_eq!(b.receive(), Err(Broken::Closed));
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let (mut sender, mut taken) = (Vec::new(), Unix::pair().unwrap());
        let mut a = Wire::new(Box::new(taken.0), Arc::default(), Duration::from_secs(1));
        a.send(Kind::Round, b"0123456789").unwrap();
        sender.resize(HEADER + 10, 0);
        std::io::Read::read_exact(&mut taken.1, &mut sender).unwrap();
        for bit in 0..sender.len() * 8 {
            let (mut x, y) = Unix::pair().unwrap();
            let mut bytes = sender.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            x.write_all(&bytes).unwrap();
            drop(x);
            let mut b = Wire::new(Box::new(y), Arc::default(), Duration::from_secs(1));
            assert!(b.receive().is_err(), "bit {bit}");
        }
    }

    #[test]
    fn frames_out_of_order_are_noticed() {
        let (mut a, mut b) = wires();
        a.sent = 1;
        a.send(Kind::Hello, b"").unwrap();
        assert!(matches!(b.receive(), Err(Broken::Nonsense(t)) if t.contains("frame 1 (Hello) arrived in the place of frame 0")));
    }

    #[test]
    fn a_kind_has_one_number() {
        for (n, k) in KINDS.iter().enumerate() {
            assert!(k.0 as u8 == k.1 && KINDS[..n].iter().all(|o| o.1 < k.1));
        }
    }
}
