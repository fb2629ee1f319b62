//! `_spapr.Migration` and `_spapr.Incoming`: a move as Python watches it, and a machine that waits for one.
//!
//! Both run on a thread of their own. Python's thread waits in slices, so that signals are seen and the caller's function for the progress is called on it.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use pyo3::Bound;
use pyo3::FromPyObject;
use pyo3::IntoPyObject;
use pyo3::PyAny;
use pyo3::PyResult;
use pyo3::Python;
use pyo3::prelude::pyclass;
use pyo3::prelude::pymethods;

use crate::error::Error;
use crate::error::Result;
use crate::migrate::Handle;
use crate::migrate::Options;
use crate::migrate::Progress;
use crate::migrate::address::Address;
use crate::migrate::address::Listener;
use crate::migrate::address::adopt;
use crate::migrate::address::connect;
use crate::migrate::link::Link;
use crate::migrate::pace::Throttle;
use crate::migrate::source::Way;
use crate::migrate::target::Door;
use crate::migrate::tls::SecureDoor;
use crate::migrate::tls::Tls;
use crate::python::vm::Vm;

/// What the facade hands over; it has checked types and ranges.
#[derive(FromPyObject)]
pub struct Wishes {
    #[pyo3(attribute("downtime_limit"))]
    downtime_ms: f64,
    max_bandwidth: Option<u64>,
    timeout: Option<f64>,
    stall_timeout: f64,
    auto_converge: bool,
    postcopy_after: Option<u32>,
    connections: u8,
    delta_cache: u64,
    tls: Option<PathBuf>,
    tls_hostname: Option<String>,
}

fn seconds(s: f64) -> Duration {
    Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX)
}

impl Wishes {
    fn options(&self) -> Options {
        Options {
            downtime: seconds(self.downtime_ms / 1000.0),
            bandwidth: self.max_bandwidth,
            stall: seconds(self.stall_timeout),
            throttle: if self.auto_converge { Throttle::Allowed } else { Throttle::Never },
            postcopy_after: self.postcopy_after,
            delta_cache: self.delta_cache,
        }
    }
}

/// The way to a place that the user named.
struct Named {
    address: Address,
    count: u8,
    tls: Option<Tls>,
    /// Descriptors are there once.
    sockets: Vec<OwnedFd>,
}

impl Way for Named {
    fn open(&mut self) -> Result<Vec<Box<dyn Link>>> {
        let links = if self.reopens() { connect(&self.address, self.count)? } else { adopt(std::mem::take(&mut self.sockets))? };
        let Some(tls) = &self.tls else { return Ok(links) };
        let wrap = |l| tls.wrap(l).map_err(|e| Error::config("tls", e.to_string(), "look at the certificates"));
        links.into_iter().map(wrap).collect()
    }

    fn reopens(&self) -> bool {
        !matches!(self.address, Address::Fd(_))
    }
}

/// Copies of this process's descriptors.
fn sockets(address: &Address) -> Result<Vec<OwnedFd>> {
    let Address::Fd(numbers) = address else { return Ok(Vec::new()) };
    let fail = |n: i32, e: rustix::io::Errno| Error::Host { doing: format!("use descriptor {n}"), source: e.into() };
    // A descriptor of this process taken as if from another one: the kernel checks that it is there.
    let me = rustix::process::pidfd_open(rustix::process::getpid(), rustix::process::PidfdFlags::empty());
    let me = me.map_err(|e| fail(-1, e))?;
    numbers
        .iter()
        .map(|n| rustix::process::pidfd_getfd(&me, *n, rustix::process::PidfdGetfdFlags::empty()).map_err(|e| fail(*n, e)))
        .collect()
}

/// What a thread comes to, for whoever waits.
#[derive(Default)]
struct Outcome {
    result: Mutex<Option<Result<Progress>>>,
    done: Condvar,
}

impl Outcome {
    fn set(&self, result: Result<Progress>) {
        *self.result.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        self.done.notify_all();
    }

    /// Waits at most `left`; what it came to, once.
    fn take(&self, left: Duration) -> Option<Result<Progress>> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut result, _) = self.done.wait_timeout_while(result, left, |r| r.is_none()).unwrap_or_else(PoisonError::into_inner);
        result.take()
    }
}

/// How long Python's thread waits before it looks at signals.
const SLICE: Duration = Duration::from_millis(50);

/// A migration that has begun.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Migration {
    handle: Arc<Handle>,
    outcome: Arc<Outcome>,
}

#[pymethods]
impl Migration {
    /// Waits for `slice` seconds at most; whether it is over. Raises its error.
    fn wait(&self, py: Python<'_>, slice: f64) -> PyResult<bool> {
        match py.detach(|| self.outcome.take(seconds(slice).min(SLICE))) {
            None => Ok(false),
            Some(result) => Ok(result.map(|_| true)?),
        }
    }

    /// How it goes.
    fn progress<'py>(&self, py: Python<'py>) -> PyResult<HashMap<&'static str, Bound<'py, PyAny>>> {
        numbers(py, &self.handle.progress())
    }

    /// Ends it; false: too late, the destination has been told to run.
    fn cancel(&self) -> bool {
        self.handle.stop.cancel()
    }

    /// Lets the guest move at the end of this round, and the rest of its memory after it.
    fn start_postcopy(&self) {
        self.handle.start_postcopy();
    }
}

/// QEMU's names, flat; the facade makes its classes of them.
fn numbers<'py>(py: Python<'py>, p: &Progress) -> PyResult<HashMap<&'static str, Bound<'py, PyAny>>> {
    let mut all = HashMap::new();
    let ms = |d: Duration| d.as_secs_f64() * 1000.0;
    let page = 4096;
    macro_rules! put {
        ($($name:literal $value:expr;)*) => {$( all.insert($name, $value.into_pyobject(py)?.into_any()); )*};
    }
    put! {
        "status" p.status.name();
        "phase" format!("{:?}", p.phase).to_lowercase();
        "total_time" ms(p.total_time);
        "setup_time" ms(p.setup_time);
        "downtime" p.downtime.map(ms);
        "expected_downtime" p.expected_downtime.map(ms);
        "cpu_throttle_percentage" p.throttle;
        "transferred" p.transferred;
        "remaining" p.remaining;
        "total" p.total;
        "duplicate" p.pages.uniform;
        "normal" p.pages.whole;
        "normal_bytes" p.pages.whole * page;
        "dirty_pages_rate" p.dirty_pages_rate;
        "mbps" p.mbps;
        "dirty_sync_count" p.dirty_sync_count;
        "page_size" page;
        "pages_per_second" p.pages_per_second;
        "postcopy_requests" p.postcopy_requests;
        "precopy_bytes" p.precopy_bytes;
        "downtime_bytes" p.downtime_bytes;
        "postcopy_bytes" p.postcopy_bytes;
        "delta_pages" p.pages.delta;
        "delta_bytes" p.pages.delta_bytes;
        "delta_cache_miss" p.pages.missed;
        "delta_overflow" p.pages.overflow;
    }
    all.insert("warnings", p.warnings.clone().into_pyobject(py)?.into_any());
    Ok(all)
}

/// Begins to move `vm` to another machine of this process.
pub(super) fn to_machine(vm: &Vm, to: &Vm, wishes: &Wishes) -> PyResult<Migration> {
    let (from, to) = (vm.held().vm("migrate")?, to.held().vm("migrate")?);
    let (handle, options, count) = (Handle::new(wishes.timeout.map(seconds)), wishes.options(), wishes.connections);
    let outcome = Arc::new(Outcome::default());
    let (h, o) = (handle.clone(), outcome.clone());
    spawn(move || o.set(from.migrate_to(&to, count, &options, &h).0))?;
    Ok(Migration { handle, outcome })
}

/// Begins to move `vm` to `uri`.
pub(super) fn to_address(vm: &Vm, uri: &str, wishes: &Wishes) -> PyResult<Migration> {
    let from = vm.held().vm("migrate")?;
    let address = Address::parse(uri)?;
    let host = match (&wishes.tls_hostname, &address) {
        (Some(name), _) => name.clone(),
        (None, Address::Tcp(at)) => at.rsplit_once(':').map_or("localhost", |a| a.0).trim_matches(['[', ']']).to_string(),
        (None, _) => "localhost".to_string(),
    };
    let tls = wishes.tls.as_ref().map(|folder| Tls::client(folder, &host)).transpose()?;
    let sockets = sockets(&address)?;
    let mut way = Named { count: wishes.connections, address, tls, sockets };
    let (handle, options) = (Handle::new(wishes.timeout.map(seconds)), wishes.options());
    let outcome = Arc::new(Outcome::default());
    let (h, o) = (handle.clone(), outcome.clone());
    spawn(move || o.set(from.migrate(&mut way, &options, &h)))?;
    Ok(Migration { handle, outcome })
}

fn spawn(run: impl FnOnce() + Send + 'static) -> PyResult<()> {
    let host = |source| Error::Host { doing: "start a migration's thread".into(), source };
    std::thread::Builder::new().name("spapr migration".into()).spawn(run).map(drop).map_err(|e| host(e).into())
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Nobody could use it any more; a guest that has come stays.
        self.migration.cancel();
    }
}

/// A machine that waits for a guest at an address.
#[pyclass(frozen, module = "spapr._spapr")]
pub struct Incoming {
    migration: Migration,
    address: String,
}

#[pymethods]
impl Incoming {
    /// Begins to wait: `vm` was made to receive.
    #[new]
    fn new(vm: &Bound<'_, Vm>, uri: &str, stall_timeout: f64, tls: Option<PathBuf>) -> PyResult<Incoming> {
        let to = vm.get().held().vm("incoming")?;
        let address = Address::parse(uri)?;
        let tls = tls.map(|folder| Tls::server(&folder)).transpose()?;
        let (mut door, at): (Box<dyn Door>, String) = match &address {
            Address::Fd(_) => (Box::new(adopt(sockets(&address)?)?.into_iter()), uri.to_string()),
            Address::Unix(_) | Address::Tcp(_) => {
                let listener = Listener::bind(&address)?;
                let at = listener.address();
                (Box::new(listener), at)
            }
        };
        if let Some(tls) = tls {
            door = Box::new(SecureDoor { door, tls });
        }
        let (handle, outcome) = (Handle::new(None), Arc::new(Outcome::default()));
        let (h, o) = (handle.clone(), outcome.clone());
        spawn(move || {
            let received = to.receive(&mut *door, seconds(stall_timeout), &h);
            // Who hears of the end may listen at the same address at once.
            drop(door);
            o.set(received);
        })?;
        Ok(Incoming { migration: Migration { handle, outcome }, address: at })
    }

    /// Where a source finds it.
    #[getter]
    fn address(&self) -> &str {
        &self.address
    }

    /// As `Migration.wait`.
    fn wait(&self, py: Python<'_>, slice: f64) -> PyResult<bool> {
        self.migration.wait(py, slice)
    }

    /// As `Migration.progress`.
    fn progress<'py>(&self, py: Python<'py>) -> PyResult<HashMap<&'static str, Bound<'py, PyAny>>> {
        self.migration.progress(py)
    }

    /// Ends the wait; false: the guest is here.
    fn cancel(&self) -> bool {
        self.migration.cancel()
    }
}
