//! The host end of a console: all output so far, and the input still to be typed.
//!
//! A user who waits for a prompt may come late, look twice, or be told by a time-out what the guest said; so output is a log that
//! is never lost and readers hold positions in it, instead of a pipe that the first reader empties. The guest's side never
//! waits: output is appended at once, whoever reads it, and a vCPU can't be blocked by a stuck terminal (departs: QEMU's
//! H_PUT_TERM_CHAR is synchronous). Input is queued here, bounded, until the device has room for it.
//!
//! The only part of `dev` that host threads share, hence its own lock; nothing else is taken while it is held.

use std::collections::VecDeque;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

/// Bytes in one piece of the log: growing never copies what is already there.
const CHUNK_BYTES: usize = 1 << 16;

/// Bytes of input that may wait for the guest. More is not taken until it reads.
pub const INPUT_MAX: usize = 1 << 20;

/// The host end of a console.
#[derive(Default, Debug)]
pub struct Chardev {
    inner: Mutex<Inner>,
    /// Signalled on output, on taken input and on closing.
    changed: Condvar,
}

#[derive(Default, Debug)]
struct Inner {
    /// Every chunk but the last is full.
    chunks: Vec<Vec<u8>>,
    total: u64,
    input: VecDeque<u8>,
    closed: bool,
}

/// Why a wait for output ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waited {
    /// There is output beyond the asked position; the log now has this many bytes.
    More(u64),
    /// The time is over.
    TimedOut,
    /// The machine has ended and nothing will follow.
    Closed,
}

impl Chardev {
    /// A console with no output and no input yet.
    pub fn new() -> Chardev {
        Chardev::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends output of the guest. Never waits for a reader.
    pub fn write(&self, mut bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut inner = self.lock();
        inner.total += bytes.len() as u64;
        while !bytes.is_empty() {
            if inner.chunks.last().is_none_or(|c| c.len() == CHUNK_BYTES) {
                inner.chunks.push(Vec::with_capacity(CHUNK_BYTES));
            }
            let chunk = inner.chunks.last_mut().expect("one was just pushed if there was none");
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - chunk.len()));
            chunk.extend_from_slice(now);
            bytes = later;
        }
        self.changed.notify_all();
    }

    /// Bytes of output so far.
    pub fn output_len(&self) -> u64 {
        self.lock().total
    }

    /// Up to `max` bytes of the log from position `from`; empty beyond its end.
    pub fn output(&self, from: u64, max: usize) -> Vec<u8> {
        let inner = self.lock();
        let Some(left) = inner.total.checked_sub(from) else { return Vec::new() };
        let mut missing = usize::try_from(left).unwrap_or(usize::MAX).min(max);
        let mut bytes = Vec::with_capacity(missing);
        // Positions fit a usize, because all of the log is in memory.
        let (mut chunk, mut start) = (from as usize / CHUNK_BYTES, from as usize % CHUNK_BYTES);
        while missing > 0 {
            let piece = &inner.chunks[chunk][start..];
            let piece = &piece[..piece.len().min(missing)];
            bytes.extend_from_slice(piece);
            missing -= piece.len();
            (chunk, start) = (chunk + 1, 0);
        }
        bytes
    }

    /// Waits until the log is longer than `seen` bytes, for `timeout` at most (`None`: no limit).
    pub fn wait_output(&self, seen: u64, timeout: Option<Duration>) -> Waited {
        self.wait(timeout, |inner| match inner {
            Inner { total, .. } if *total > seen => Some(Waited::More(*total)),
            Inner { closed: true, .. } => Some(Waited::Closed),
            Inner { .. } => None,
        })
        .unwrap_or(Waited::TimedOut)
    }

    /// Waits until the guest has taken so much input that at most `left` bytes are queued; says whether it has.
    pub fn wait_input_taken(&self, left: usize, timeout: Option<Duration>) -> Waited {
        self.wait(timeout, |inner| match inner {
            Inner { input, .. } if input.len() <= left => Some(Waited::More(inner.total)),
            Inner { closed: true, .. } => Some(Waited::Closed),
            Inner { .. } => None,
        })
        .unwrap_or(Waited::TimedOut)
    }

    fn wait<T>(&self, timeout: Option<Duration>, done: impl Fn(&Inner) -> Option<T>) -> Option<T> {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut inner = self.lock();
        loop {
            if let Some(found) = done(&inner) {
                return Some(found);
            }
            inner = match deadline {
                None => self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Queues input for the guest; gives how many bytes were taken, fewer than asked when [`INPUT_MAX`] are waiting. The caller
    /// then tells the device (`vio::vty::Vty::poll_input`).
    pub fn push_input(&self, bytes: &[u8]) -> usize {
        let mut inner = self.lock();
        let taken = bytes.len().min(INPUT_MAX - inner.input.len());
        inner.input.extend(&bytes[..taken]);
        taken
    }

    /// Moves waiting input into `to`; gives how many bytes. The device's side; never waits.
    pub fn take_input(&self, to: &mut [u8]) -> usize {
        let mut inner = self.lock();
        let count = to.len().min(inner.input.len());
        for (to, byte) in to.iter_mut().zip(inner.input.drain(..count)) {
            *to = byte;
        }
        if count > 0 {
            self.changed.notify_all();
        }
        count
    }

    /// A copy of the input that the device has not taken yet.
    pub fn input(&self) -> Vec<u8> {
        self.lock().input.iter().copied().collect()
    }

    /// Replaces the waiting input, as a saved state says.
    pub fn set_input(&self, to: &[u8]) {
        self.lock().input = to.iter().copied().take(INPUT_MAX).collect();
        self.changed.notify_all();
    }

    /// Bytes of input that the device has not taken yet.
    pub fn input_len(&self) -> usize {
        self.lock().input.len()
    }

    /// Says that the machine has ended: waiting readers return, the log stays readable.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Undoes [`Chardev::close`], for a machine that is started again.
    pub fn reopen(&self) {
        self.lock().closed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn the_log_is_whole_from_any_position() {
        let dev = Chardev::new();
        let text: Vec<u8> = (0..3 * CHUNK_BYTES + 100).map(|n| (n % 251) as u8).collect();
        for piece in text.chunks(1000) {
            dev.write(piece);
        }
        assert_eq!(dev.output_len(), text.len() as u64);
        assert_eq!(dev.output(0, usize::MAX), text);
        for from in [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 7, text.len() - 1, text.len()] {
            let end = (from + 70_000).min(text.len());
            assert_eq!(dev.output(from as u64, 70_000), &text[from..end], "{from}");
        }
        assert!(dev.output(u64::MAX, 10).is_empty());
    }

    #[test]
    fn a_reader_is_woken_by_output_by_time_and_by_the_end() {
        let dev = Arc::new(Chardev::new());
        assert_eq!(dev.wait_output(0, Some(Duration::from_millis(1))), Waited::TimedOut);
        let writer = Arc::clone(&dev);
        let thread = std::thread::spawn(move || writer.write(b"login:"));
        assert_eq!(dev.wait_output(0, Some(Duration::MAX)), Waited::More(6));
        thread.join().unwrap();
        dev.close();
        assert_eq!(dev.wait_output(0, None), Waited::More(6), "what was said is still there");
        assert_eq!(dev.wait_output(6, None), Waited::Closed);
    }

    #[test]
    fn input_is_bounded_and_none_is_lost() {
        let dev = Chardev::new();
        let big = vec![7; INPUT_MAX + 10];
        assert_eq!(dev.push_input(&big), INPUT_MAX);
        assert_eq!(dev.push_input(b"x"), 0);
        let mut some = [0; 16];
        assert_eq!(dev.take_input(&mut some), 16);
        assert_eq!(dev.push_input(&big), 16);
        assert_eq!(dev.input_len(), INPUT_MAX);
        assert_eq!(dev.wait_input_taken(INPUT_MAX, Some(Duration::ZERO)), Waited::More(0));
        assert_eq!(dev.wait_input_taken(0, Some(Duration::from_millis(1))), Waited::TimedOut);
    }
}
