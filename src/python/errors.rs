//! Errors as Python sees them: one exhaustive match, so that a new kind of error cannot be forgotten here.
//!
//! The classes stand in `python/spapr/errors.py`, where they are documented and can be pickled; each takes the parts of the
//! message, which stay readable as attributes.

use pyo3::PyErr;
use pyo3::import_exception;

use crate::error::Error;
use crate::error::MigrationEnd;

import_exception!(spapr.errors, AccelUnavailable);
import_exception!(spapr.errors, BootError);
import_exception!(spapr.errors, ConfigError);
import_exception!(spapr.errors, GuestMemoryError);
import_exception!(spapr.errors, HostError);
import_exception!(spapr.errors, MigrationAborted);
import_exception!(spapr.errors, MigrationError);
import_exception!(spapr.errors, MigrationIncompatible);
import_exception!(spapr.errors, MigrationUnconfirmed);
import_exception!(spapr.errors, SnapshotError);
import_exception!(spapr.errors, StateError);
import_exception!(spapr.errors, StreamError);

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        match error {
            Error::Config { setting, problem, hint } => ConfigError::new_err((setting, problem, hint)),
            Error::Accel { accel, problem, hint } => AccelUnavailable::new_err((accel, problem, hint)),
            Error::Boot { setting, problem, hint } => BootError::new_err((setting, problem, hint)),
            Error::State { doing, problem, hint } => StateError::new_err((doing, problem, hint)),
            Error::Stream { section, field, problem, hint } => StreamError::new_err((section, field, problem, hint)),
            Error::Snapshot { doing, problem, hint } => SnapshotError::new_err((doing, problem, hint)),
            Error::Memory { at, len, ram } => GuestMemoryError::new_err((at, len, ram)),
            Error::Migration { end, problem, hint, reasons } => {
                let reasons: Vec<_> =
                    reasons.into_iter().map(|r| (r.code, r.setting, r.source, r.destination, r.problem, r.hint)).collect();
                let parts = (problem, hint, reasons);
                match end {
                    MigrationEnd::Incompatible => MigrationIncompatible::new_err(parts),
                    MigrationEnd::Aborted => MigrationAborted::new_err(parts),
                    MigrationEnd::Failed => MigrationError::new_err(parts),
                    MigrationEnd::Unconfirmed => MigrationUnconfirmed::new_err(parts),
                }
            }
            Error::Host { doing, source } => HostError::new_err((source.raw_os_error(), source.to_string(), doing)),
        }
    }
}
