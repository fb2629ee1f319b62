//! A machine as Python objects hold it together: its handle, its consoles, and the rules under which they may be used.
//!
//! Closing, forking and looking at RAM in place are the three things that Rust's ownership can't order for Python. After `close`
//! registers and RAM are gone but what the consoles said is not. In a forked child none of the machine's threads exist, so
//! everything is refused there, even the end of the machine. While a view of RAM is alive the machine does not run.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use pyo3::PyResult;
use pyo3::Python;
use pyo3::exceptions::PyBufferError;

use crate::dev::chardev::Chardev;
use crate::error::Error;
use crate::vm::Status;
use crate::vm::StopReason;
use crate::vm::Vm;

/// How long a wait goes on before Python's signals are looked at.
const SLICE: Duration = Duration::from_millis(50);

/// See the module.
pub struct Held {
    /// The process that made the machine, the only one in which it lives.
    pid: u32,
    life: Mutex<Life>,
    consoles: Vec<Arc<Chardev>>,
}

struct Life {
    /// `None`: closed.
    vm: Option<Vm>,
    /// What it was when it was closed.
    last: (Status, StopReason),
    /// Views of RAM that are alive.
    views: usize,
}

impl Held {
    pub(super) fn new(vm: Vm) -> Arc<Held> {
        let (consoles, last) = (vm.consoles().to_vec(), vm.status());
        Arc::new(Held { pid: std::process::id(), life: Mutex::new(Life { vm: Some(vm), last, views: 0 }), consoles })
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn here(&self, doing: &str) -> Result<(), Error> {
        if self.pid == std::process::id() {
            return Ok(());
        }
        Err(Error::State {
            doing: doing.to_string(),
            problem: "this process was forked from the one that has the machine".to_string(),
            hint: "make the Machine after os.fork(), or start processes with multiprocessing's method \"spawn\"".to_string(),
        })
    }

    /// The machine, for `doing`; refused when it is closed or another process's.
    pub(super) fn vm(&self, doing: &str) -> Result<Vm, Error> {
        self.here(doing)?;
        self.life().vm.clone().ok_or_else(|| Error::State {
            doing: doing.to_string(),
            problem: "the machine is closed".to_string(),
            hint: "make a new Machine, or do it before close()".to_string(),
        })
    }

    pub(super) fn console(&self, index: usize) -> Result<&Arc<Chardev>, Error> {
        self.here("console")?;
        Ok(&self.consoles[index])
    }

    pub(super) fn consoles(&self) -> usize {
        self.consoles.len()
    }

    pub(super) fn status(&self) -> Result<(Status, StopReason), Error> {
        self.here("status")?;
        let life = self.life();
        Ok(life.vm.as_ref().map_or_else(|| life.last.clone(), Vm::status))
    }

    /// Whether a console may still say something.
    fn may_speak(&self) -> Result<bool, Error> {
        Ok(self.status()?.0 == Status::Running)
    }

    /// Does what lets vCPUs or their memory change, unless somebody looks at RAM in place.
    pub(super) fn unwatched<T>(&self, doing: &str, act: impl FnOnce(&Vm) -> Result<T, Error>) -> PyResult<T> {
        let vm = self.vm(doing)?;
        let life = self.life();
        if life.views > 0 {
            return Err(PyBufferError::new_err(format!(
                "{doing}: {} view(s) of guest RAM are alive and would change under their reader's eyes; delete them, or use ram.read(), which copies",
                life.views
            )));
        }
        Ok(act(&vm)?)
    }

    /// Counts a view of RAM; refused while vCPUs run.
    pub(super) fn view(&self) -> Result<Vm, Error> {
        let vm = self.vm("ram.view")?;
        // Counting instructions waits until all vCPUs are parked, and is refused when the machine runs.
        let mut life = self.life();
        vm.instructions()?;
        life.views += 1;
        Ok(vm)
    }

    pub(super) fn view_ends(&self) {
        self.life().views -= 1;
    }

    /// Ends the machine; RAM goes with the last view of it.
    pub(super) fn close(&self) -> Result<(), Error> {
        self.here("close")?;
        let vm = self.life().vm.take();
        if let Some(vm) = vm {
            vm.pause();
            self.life().last = vm.status();
            vm.close();
        }
        Ok(())
    }

    /// Repeats `slice`, a wait of at most the given time, until it gives something or `timeout` is over (`None`). Other Python
    /// threads run meanwhile. A signal's exception (Ctrl-C) pauses the machine, so that it can be looked at, and is passed on.
    pub(super) fn patiently<T: Send>(
        &self,
        py: Python<'_>,
        timeout: Option<Duration>,
        mut slice: impl FnMut(Duration) -> Result<Option<T>, Error> + Send,
    ) -> PyResult<Option<T>> {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        loop {
            let left = deadline.map_or(SLICE, |d| d.saturating_duration_since(Instant::now()).min(SLICE));
            if let Some(found) = py.detach(|| slice(left))? {
                return Ok(Some(found));
            }
            if let Err(signal) = py.check_signals() {
                if let Ok(vm) = self.vm("pause") {
                    py.detach(|| vm.pause());
                }
                return Err(signal);
            }
            if deadline.is_some_and(|d| d <= Instant::now()) {
                return Ok(None);
            }
        }
    }

    /// Waits until a console's log is longer than `seen`; gives its length, which is `seen` when nothing will follow.
    pub(super) fn wait_output(&self, py: Python<'_>, index: usize, seen: u64, timeout: Option<Duration>) -> PyResult<Option<u64>> {
        let console = self.console(index)?;
        self.patiently(py, timeout, |left| {
            // Asked before the log is: what was said before the end is not missed.
            let over = !self.may_speak()?;
            let _ = console.wait_output(seen, Some(if over { Duration::ZERO } else { left }));
            let len = console.output_len();
            Ok((len > seen || over).then_some(len))
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let foreign = self.pid != std::process::id();
        let life = self.life.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let (true, Some(vm)) = (foreign, life.vm.take()) {
            // Its threads are in the other process: waiting for them to stop would never end.
            std::mem::forget(vm);
        }
    }
}
