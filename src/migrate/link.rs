//! What carries bytes between two machines: a pair of sockets in one process, a Unix or TCP socket, or anything else that reads and writes.
//!
//! A link belongs to one thread at a time, and in each phase of a migration it is used in one direction or in turns; so TLS, which cannot be split in halves,
//! fits. Reads and writes return after [`SLICE`] even if nothing moved: whoever waits looks at the clock and for a cancellation ([`Stop`]) in between.

use std::io::Read;
use std::io::Result;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Longest that one read or write of a link blocks.
pub const SLICE: Duration = Duration::from_millis(50);

/// A connection. `read` and `write` give `WouldBlock` or `TimedOut` after about [`SLICE`].
pub trait Link: Read + Write + Send {}

/// A Unix socket.
pub struct Unix(UnixStream);

impl Unix {
    /// The link over a connected socket.
    pub fn new(socket: UnixStream) -> Result<Unix> {
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(SLICE))?;
        socket.set_write_timeout(Some(SLICE))?;
        Ok(Unix(socket))
    }

    /// Two links that are connected with each other.
    pub fn pair() -> Result<(Unix, Unix)> {
        let (a, b) = UnixStream::pair()?;
        Ok((Unix::new(a)?, Unix::new(b)?))
    }
}

/// A TCP socket.
pub struct Tcp(TcpStream);

impl Tcp {
    /// The link over a connected socket.
    pub fn new(socket: TcpStream) -> Result<Tcp> {
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(SLICE))?;
        socket.set_write_timeout(Some(SLICE))?;
        Ok(Tcp(socket))
    }
}

macro_rules! link {
    ($($name:ident)*) => {$(
        impl Read for $name {
            fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
                self.0.read(buf)
            }
        }
        impl Write for $name {
            fn write(&mut self, buf: &[u8]) -> Result<usize> {
                self.0.write(buf)
            }
            fn flush(&mut self) -> Result<()> {
                self.0.flush()
            }
        }
        impl Link for $name {}
    )*};
}
link! { Unix Tcp }

/// Why a migration is to end early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// Somebody cancelled it.
    Cancelled,
    /// Its time is over.
    TimeOver,
}

const OPEN: u8 = 0;
const CANCELLED: u8 = 1;
const COMMITTED: u8 = 2;

/// Whether a migration is to go on. Shared by its threads and whoever may cancel it.
#[derive(Debug, Default)]
pub struct Stop {
    state: AtomicU8,
    deadline: Option<Instant>,
}

impl Stop {
    /// One that ends by itself after `timeout`.
    pub fn after(timeout: Option<Duration>) -> Stop {
        Stop { state: AtomicU8::new(OPEN), deadline: timeout.and_then(|t| Instant::now().checked_add(t)) }
    }

    /// Cancels; `false`: too late, the destination has been told to run.
    pub fn cancel(&self) -> bool {
        match self.state.compare_exchange(OPEN, CANCELLED, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) | Err(CANCELLED) => true,
            Err(_) => false,
        }
    }

    /// Cancels even what nothing cancels any more: the machine itself goes away.
    pub fn abandon(&self) {
        self.state.store(CANCELLED, Ordering::Release);
    }

    /// From here on nothing cancels, unless something already has.
    pub fn commit(&self) -> std::result::Result<(), Cut> {
        self.check()?;
        match self.state.compare_exchange(OPEN, COMMITTED, Ordering::AcqRel, Ordering::Acquire) {
            Err(CANCELLED) => Err(Cut::Cancelled),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Whether to go on.
    pub fn check(&self) -> std::result::Result<(), Cut> {
        match self.state.load(Ordering::Acquire) {
            CANCELLED => Err(Cut::Cancelled),
            OPEN if self.deadline.is_some_and(|d| Instant::now() >= d) => Err(Cut::TimeOver),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_is_cancelled_before_it_is_committed_or_never() {
        let stop = Stop::default();
        assert!(stop.check().is_ok() && stop.cancel() && stop.cancel());
        assert_eq!((stop.check(), stop.commit()), (Err(Cut::Cancelled), Err(Cut::Cancelled)));
        let stop = Stop::after(Some(Duration::from_secs(1000)));
        assert!(stop.commit().is_ok() && !stop.cancel() && stop.check().is_ok());
        let stop = Stop::after(Some(Duration::ZERO));
        assert_eq!((stop.check(), stop.commit()), (Err(Cut::TimeOver), Err(Cut::TimeOver)));
    }
}
