//! A writer behind the one who makes what is written: another thread writes, while the next bytes are made.

use std::io::Error;
use std::io::ErrorKind;
use std::io::Result;
use std::io::Write;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::channel;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;

/// Bytes that are handed over at a time.
const BYTES: usize = 1 << 20;
/// Full buffers that may wait; with those being filled and written, this bounds the memory.
const WAITING: usize = 4;

/// Writes to a `W` in a thread of its own, in order. Whatever goes wrong there is told at a later call, at the latest by [`Behind::finish`]; without that call the end may be missing.
pub struct Behind<W> {
    buffer: Vec<u8>,
    full: Option<SyncSender<Vec<u8>>>,
    empty: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<Result<W>>>,
}

fn write_all<W: Write>(mut to: W, full: &Receiver<Vec<u8>>, empty: &Sender<Vec<u8>>) -> Result<W> {
    for mut buffer in full {
        to.write_all(&buffer)?;
        buffer.clear();
        // Nobody wants it when the last bytes have come.
        let _ = empty.send(buffer);
    }
    to.flush()?;
    Ok(to)
}

impl<W: Write + Send + 'static> Behind<W> {
    /// Starts the thread.
    ///
    /// # Errors
    /// The host gives none.
    pub fn new(to: W) -> Result<Behind<W>> {
        let ((full, take), (give, empty)) = (sync_channel(WAITING), channel());
        let thread = std::thread::Builder::new().name("spapr-write".into()).spawn(move || write_all(to, &take, &give))?;
        Ok(Behind { buffer: Vec::with_capacity(BYTES), full: Some(full), empty, thread: Some(thread) })
    }

    fn hand_over(&mut self) -> Result<()> {
        let next = self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(BYTES));
        let buffer = std::mem::replace(&mut self.buffer, next);
        if self.full.as_ref().is_some_and(|full| full.send(buffer).is_ok()) {
            return Ok(());
        }
        // The thread has ended, which it does early for one reason only.
        Err(self.join().err().unwrap_or_else(|| Error::from(ErrorKind::BrokenPipe)))
    }

    fn join(&mut self) -> Result<W> {
        self.full = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(done)) => done,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Err(ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits until all is written; gives the writer back.
    ///
    /// # Errors
    /// The writer's own, whenever it came.
    pub fn finish(mut self) -> Result<W> {
        self.hand_over()?;
        self.join()
    }
}

impl<W: Write + Send + 'static> Write for Behind<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.buffer.len() == BYTES {
            self.hand_over()?;
        }
        let taken = bytes.len().min(BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Hands over what there is; that it is written is known after [`Behind::finish`] only.
    fn flush(&mut self) -> Result<()> {
        self.hand_over()
    }
}

impl<W> Drop for Behind<W> {
    fn drop(&mut self) {
        self.full = None;
        if let Some(thread) = self.thread.take() {
            // What was given up has no result.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_in_order() {
        let bytes: Vec<u8> = (0..(10 * BYTES + 17) as u32).map(|n| (n ^ (n >> 9)) as u8).collect();
        let mut to = Behind::new(Vec::new()).unwrap();
        for part in bytes.chunks(70_001) {
            to.write_all(part).unwrap();
        }
        assert!(to.finish().unwrap() == bytes);
        assert!(Behind::new(Vec::new()).unwrap().finish().unwrap().is_empty());
    }

    /// Takes so many bytes.
    struct Small(usize);
    impl Write for Small {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            if bytes.len() > self.0 {
                return Err(ErrorKind::StorageFull.into());
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_told_at_once_or_at_the_end() {
        let mut to = Behind::new(Small(3 * BYTES)).unwrap();
        let failed = (0..100).map(|_| to.write_all(&[7; BYTES])).find_map(Result::err);
        assert_eq!(failed.map(|e| e.kind()), Some(ErrorKind::StorageFull));
        let mut to = Behind::new(Small(10)).unwrap();
        to.write_all(&[1; 11]).unwrap();
        assert_eq!(to.finish().err().map(|e| e.kind()), Some(ErrorKind::StorageFull));
        drop(Behind::new(Small(10)));
    }
}
