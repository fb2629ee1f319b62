//! Where to migrate to or wait: `unix:PATH`, `tcp:HOST:PORT`, `fd:N[,N…]` (QEMU's names).

use crate::error::Error;
use crate::error::Result;
use crate::migrate::frame::Broken;
use crate::migrate::link::Link;
use crate::migrate::link::SLICE;
use crate::migrate::link::Stop;
use crate::migrate::link::Tcp;
use crate::migrate::link::Unix;
use crate::migrate::target::Door;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::net::ToSocketAddrs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);

/// A place in the user's words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Address {
    /// A Unix socket's path.
    Unix(PathBuf),
    /// Host and port.
    Tcp(String),
    /// Descriptors of connected sockets that this process has.
    Fd(Vec<i32>),
}

impl Address {
    /// Reads `uri`.
    ///
    /// # Errors
    /// It is none of the three; the error shows how they are written.
    pub fn parse(uri: &str) -> Result<Address> {
        let refuse = |problem: String| Error::config("uri", problem, "write unix:PATH, tcp:HOST:PORT or fd:NUMBER");
        let (scheme, rest) = uri.split_once(':').ok_or_else(|| refuse(format!("{uri:?} has no scheme")))?;
        match scheme {
            "unix" if !rest.is_empty() => Ok(Address::Unix(rest.into())),
            "tcp" if rest.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) => Ok(Address::Tcp(rest.to_string())),
            "fd" => {
                let fds = rest.split(',').map(|n| n.trim().parse::<i32>().ok().filter(|n| *n >= 0)).collect::<Option<Vec<_>>>();
                fds.map(Address::Fd).ok_or_else(|| refuse(format!("{rest:?} are no descriptors")))
            }
            _ => Err(refuse(format!("{uri:?} is not understood"))),
        }
    }
}

fn host(doing: String, source: std::io::Error) -> Error {
    Error::Host { doing, source }
}

/// Opens `count` connections to `address`.
///
/// # Errors
/// The host's, with the address.
pub fn connect(address: &Address, count: u8) -> Result<Vec<Box<dyn Link>>> {
    (0..count)
        .map(|_| match address {
            Address::Unix(path) => {
                let fail = |e| host(format!("connect to unix:{}", path.display()), e);
                let socket = UnixStream::connect(path).map_err(fail)?;
                Ok(Box::new(Unix::new(socket).map_err(fail)?) as Box<dyn Link>)
            }
            Address::Tcp(at) => {
                let fail = |e| host(format!("connect to tcp:{at}"), e);
                let mut last = ErrorKind::NotFound.into();
                for a in resolve(at).map_err(fail)? {
                    match TcpStream::connect_timeout(&a, CONNECT) {
                        Ok(socket) => return Ok(Box::new(Tcp::new(socket).map_err(fail)?) as Box<dyn Link>),
                        Err(e) => last = e,
                    }
                }
                Err(fail(last))
            }
            Address::Fd(_) => Err(Error::config("uri", "descriptors are connected already", "give their sockets")),
        })
        .collect()
}

fn resolve(at: &str) -> std::io::Result<Vec<SocketAddr>> {
    Ok(at.to_socket_addrs()?.collect())
}

/// Links over sockets that are connected already.
///
/// # Errors
/// One of them is no socket.
pub fn adopt(sockets: Vec<OwnedFd>) -> Result<Vec<Box<dyn Link>>> {
    let fail = |e| host("use a descriptor as a migration's connection".into(), e);
    // Reading, writing and time limits are the same calls on every stream socket, whatever its family.
    sockets.into_iter().map(|fd| Ok(Box::new(Unix::new(UnixStream::from(fd)).map_err(fail)?) as Box<dyn Link>)).collect()
}

enum Socket {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener),
}

/// A socket that waits for a source. A Unix socket's file goes with it.
pub struct Listener(Socket);

impl Listener {
    /// Listens at `address`.
    ///
    /// # Errors
    /// The host's, with the address.
    pub fn bind(address: &Address) -> Result<Listener> {
        match address {
            Address::Unix(path) => {
                let fail = |e| host(format!("listen at unix:{}", path.display()), e);
                let listener = UnixListener::bind(path).map_err(fail)?;
                listener.set_nonblocking(true).map_err(fail)?;
                Ok(Listener(Socket::Unix(listener, path.clone())))
            }
            Address::Tcp(at) => {
                let fail = |e| host(format!("listen at tcp:{at}"), e);
                let listener = TcpListener::bind(at).map_err(fail)?;
                listener.set_nonblocking(true).map_err(fail)?;
                Ok(Listener(Socket::Tcp(listener)))
            }
            Address::Fd(_) => Err(Error::config("uri", "descriptors are connected already", "give their sockets")),
        }
    }

    /// The address as a source writes it; the port is the one that the host chose, if 0 was asked for.
    pub fn address(&self) -> String {
        match &self.0 {
            Socket::Unix(_, path) => format!("unix:{}", path.display()),
            Socket::Tcp(listener) => listener.local_addr().map_or_else(|_| "tcp:?".into(), |a| format!("tcp:{a}")),
        }
    }
}

impl Door for Listener {
    fn next(&mut self, stop: &Stop) -> std::result::Result<Box<dyn Link>, Broken> {
        let broken = |e: std::io::Error| Broken::Io(e.to_string());
        loop {
            stop.check().map_err(Broken::Cut)?;
            let accepted = match &self.0 {
                Socket::Unix(l, _) => l.accept().and_then(|(s, _)| Ok(Box::new(Unix::new(s)?) as Box<dyn Link>)),
                Socket::Tcp(l) => l.accept().and_then(|(s, _)| Ok(Box::new(Tcp::new(s)?) as Box<dyn Link>)),
            };
            match accepted {
                Ok(link) => return Ok(link),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {
                    std::thread::sleep(SLICE / 10);
                }
                Err(e) => return Err(broken(e)),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_explained() {
        assert_eq!(Address::parse("unix:/tmp/x").unwrap(), Address::Unix("/tmp/x".into()));
        assert_eq!(Address::parse("tcp:[::1]:7000").unwrap(), Address::Tcp("[::1]:7000".into()));
        assert_eq!(Address::parse("fd:3,4").unwrap(), Address::Fd(vec![3, 4]));
        for bad in ["", "unix:", "tcp:host", "tcp:host:port", "fd:x", "exec:cat", "/tmp/x"] {
            assert!(Address::parse(bad).unwrap_err().to_string().contains("unix:PATH"), "{bad}");
        }
    }
}
