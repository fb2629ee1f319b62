//! What the engine logs, kept until Python takes it.
//!
//! A vCPU thread must never wait for Python's lock: somebody may hold it who waits for that vCPU. So records are put into a
//! bounded queue here, and the facade hands them to Python's `logging` when it comes by.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::Once;
use std::sync::PoisonError;

use pyo3::prelude::pyfunction;

/// Records that wait; the oldest go first when nobody takes them.
const WAITING_MAX: usize = 1000;

type Record = (&'static str, String, String);

struct Journal(Mutex<VecDeque<Record>>);

static JOURNAL: Journal = Journal(Mutex::new(VecDeque::new()));
static INSTALLED: Once = Once::new();

impl log::Log for Journal {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Info
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back((record.level().as_str(), record.target().replace("::", "."), record.args().to_string()));
    }

    fn flush(&self) {}
}

/// Begins to collect, once.
pub(super) fn install() {
    INSTALLED.call_once(|| {
        // Refused only if this process has another logger, which then gets the records.
        let _ = log::set_logger(&JOURNAL);
        log::set_max_level(log::LevelFilter::Info);
    });
}

/// Takes the engine's log records: level, logger, text.
#[pyfunction]
pub fn take_log() -> Vec<(&'static str, String, String)> {
    JOURNAL.0.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
}
