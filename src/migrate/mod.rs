//! Moving a running machine.
//!
//! One rule stands above everything: **until the destination has confirmed that it runs, the source is complete and can go on.** The two never both run,
//! and the guest is never lost. From that follows the order of the phases ([`Phase`]):
//!
//! ```text
//!  source                                   destination
//!  Hello     versions, session ───────────→ agrees on a version
//!  Describe  what machine ────────────────→ applies the rules of compatibility; refuses before any page moves
//!  Live      rounds of changed pages ─────→ fills its memory
//!  Stop      the guest stands still
//!  Rest      last pages, everything else ─→ takes it over
//!  Check                       ←─────────── Ready: all is here and makes sense
//!  Go        Go ──────────────────────────→ runs the guest
//!            the source is done ←────────── Running
//! ```
//!
//! Whatever fails up to Go lets the source go on, and the destination forgets what it has. If *Go* was sent and no answer comes, the destination may run: the source stays complete and
//! paused, and says so ([`MigrationEnd::Unconfirmed`]). That window is as narrow as it can be: a *Go* that the connection did not take whole cannot have arrived, and
//! a destination that cannot obey says so.
//!
//! This module knows memory and bytes and no machine: it sees one as a [`Subject`]. What carries the bytes is a [`link::Link`]; [`frame`] makes them whole or notices that they are not, [`pages`]
//! says how memory travels, [`pace`] when to stop the guest, `postcopy` what happens if it moves before its memory. [`source`] and [`target`] are the two sides.

pub mod address;
pub mod delta;
pub mod frame;
pub mod link;
pub mod message;
pub mod pace;
pub mod pages;
mod postcopy;
pub mod source;
pub mod target;
pub mod tls;

use crate::error::Error;
use crate::error::MigrationEnd;
use crate::error::Reason;
use crate::error::Result;
use crate::memory::GuestMemory;
use crate::migrate::frame::Broken;
use crate::migrate::link::Cut;
use crate::migrate::link::Stop;
use crate::migrate::message::RegionKind;
use crate::migrate::pace::Throttle;
use crate::migrate::pages::Tally;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Most bytes of what is not memory.
pub const STATE_MAX: u64 = 256 << 20;

/// How far a migration has come, in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Phase {
    /// Nothing is known of the peer.
    #[default]
    Hello,
    /// The machine is described and judged.
    Describe,
    /// The guest runs and its pages are sent.
    Live,
    /// The guest is being stopped.
    Stop,
    /// What is left is sent.
    Rest,
    /// The destination looks at what it got.
    Check,
    /// The destination has been told to run.
    Go,
    /// It does, and lacks pages that still come (post-copy).
    Post,
    /// It does, and has everything.
    Done,
}

/// A machine as migration sees it.
pub trait Subject: Send + Sync {
    /// Source: what machine this is, for [`Subject::judge`] of the destination.
    fn describe(&self) -> Result<Vec<u8>>;
    /// Destination: whether it can become the machine described; warnings if it can, reasons if not.
    fn judge(&self, description: &[u8]) -> std::result::Result<Vec<String>, Vec<Reason>>;
    /// Source: the memories whose pages are to be sent, as they are now. One that the guest replaced is another `Arc`.
    fn regions(&self) -> Vec<(RegionKind, Arc<GuestMemory>)>;
    /// Destination: the memory that takes such a region, and whether it may hold something already.
    fn place(&self, kind: RegionKind, bytes: u64) -> std::result::Result<(Arc<GuestMemory>, Used), String>;
    /// Destination: whether its guest can wait for pages that follow it (post-copy).
    ///
    /// # Errors
    /// Why it cannot.
    fn can_wait(&self) -> Result<()>;
    /// Source: returns when every store is visible that did not see the dirty log armed.
    fn settle(&self);
    /// Source: stops the guest, and lets nothing but [`Subject::go_on`] or [`Subject::moved`] end that. Whether it ran.
    fn stop(&self) -> Result<Ran>;
    /// Source: the migration has failed after [`Subject::stop`]; the machine is as it was before.
    fn go_on(&self, ran: Ran);
    /// Source: holds the guest back by so many percent of its time; 0 ends that.
    fn throttle(&self, percent: u8);
    /// Source, stopped: everything but the memories.
    fn save(&self) -> Result<Vec<u8>>;
    /// Destination: takes over what [`Subject::save`] gave, after the memories. Nothing runs yet.
    fn load(&self, state: &[u8]) -> Result<()>;
    /// Destination: runs the guest, whose clock has `stopped_for` to catch up with, or leaves it paused.
    fn start(&self, stopped_for: Duration, ran: Ran) -> Result<()>;
    /// Source: the guest is elsewhere, or perhaps so.
    fn moved(&self, gone: Gone);
}

/// Whether the guest ran when it was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ran {
    /// It ran.
    Yes,
    /// It was paused.
    No,
}

/// Whether a destination's memory may hold something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Used {
    /// An earlier attempt may have left something.
    Yes,
    /// All of it is zero.
    No,
}

/// What is known of a guest that is not here any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gone {
    /// It runs on the destination.
    Surely,
    /// It may.
    Perhaps,
}

/// What the user can choose.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long the guest may stand still.
    pub downtime: Duration,
    /// Bytes a second while the guest runs; the last round is not held back.
    pub bandwidth: Option<u64>,
    /// How long the peer may keep still.
    pub stall: Duration,
    /// Whether a guest that changes memory too fast is slowed down.
    pub throttle: Throttle,
    /// After so many rounds the guest moves before the rest of its memory, if that rest would take too long.
    pub postcopy_after: Option<u32>,
    /// Bytes for copies of pages that change often.
    pub delta_cache: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            downtime: Duration::from_millis(300),
            bandwidth: None,
            stall: Duration::from_secs(20),
            throttle: Throttle::Allowed,
            postcopy_after: None,
            delta_cache: 64 << 20,
        }
    }
}

/// How a migration goes; the names are those of QEMU's query-migrate.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// QEMU's word for it.
    pub status: Status,
    /// How far it has come.
    pub phase: Phase,
    /// Since it began, up to its end.
    pub total_time: Duration,
    /// Until the first page.
    pub setup_time: Duration,
    /// How long the guest stood still; known at the end.
    pub downtime: Option<Duration>,
    /// How long it would if it were stopped now.
    pub expected_downtime: Option<Duration>,
    /// Bytes sent.
    pub transferred: u64,
    /// Bytes still to send before the next look at the dirty log.
    pub remaining: u64,
    /// Bytes of all memories.
    pub total: u64,
    /// Pages by how they were sent.
    pub pages: Tally,
    /// Pages a second that the guest changed in the last round.
    pub dirty_pages_rate: u64,
    /// Rounds begun.
    pub dirty_sync_count: u64,
    /// Megabits a second in the last round.
    pub mbps: f64,
    /// Pages a second in the last round.
    pub pages_per_second: u64,
    /// Bytes sent while the guest stood still.
    pub downtime_bytes: u64,
    /// Bytes sent while it ran here.
    pub precopy_bytes: u64,
    /// Bytes sent while it ran there already.
    pub postcopy_bytes: u64,
    /// Pages that it waited for there.
    pub postcopy_requests: u64,
    /// How much it is held back, in percent.
    pub throttle: u8,
    /// What the destination said when it accepted.
    pub warnings: Vec<String>,
}

/// QEMU's words for how far a migration is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Status {
    /// Not begun.
    #[default]
    None,
    /// Connecting and comparing.
    Setup,
    /// Sending pages.
    Active,
    /// The guest is stopped.
    Device,
    /// The guest runs on the destination, and pages still come.
    PostcopyActive,
    /// As before, and the connection is broken.
    PostcopyPaused,
    /// Done.
    Completed,
    /// Failed.
    Failed,
    /// Cancelled.
    Cancelled,
}

impl Status {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Status::None => "none",
            Status::Setup => "setup",
            Status::Active => "active",
            Status::Device => "device",
            Status::PostcopyActive => "postcopy-active",
            Status::PostcopyPaused => "postcopy-paused",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}

/// What a migration's threads share with whoever watches and may cancel it.
pub struct Handle {
    /// Whether it goes on.
    pub stop: Arc<Stop>,
    board: Mutex<Progress>,
    began: Instant,
    postcopy: AtomicBool,
}

impl Handle {
    /// For a migration that may take `timeout`.
    pub fn new(timeout: Option<Duration>) -> Arc<Handle> {
        Arc::new(Handle {
            stop: Arc::new(Stop::after(timeout)),
            board: Mutex::default(),
            began: Instant::now(),
            postcopy: AtomicBool::new(false),
        })
    }

    /// How it goes.
    pub fn progress(&self) -> Progress {
        let mut p = self.board().clone();
        if matches!(p.status, Status::Setup | Status::Active | Status::Device | Status::PostcopyActive | Status::PostcopyPaused) {
            p.total_time = self.began.elapsed();
        }
        p
    }

    /// The guest is to move at the end of this round, and the rest of its memory after it.
    pub fn start_postcopy(&self) {
        self.postcopy.store(true, Ordering::Relaxed);
    }

    fn board(&self) -> MutexGuard<'_, Progress> {
        self.board.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn end(&self, status: Status) {
        let mut board = self.board();
        board.status = status;
        board.total_time = self.began.elapsed();
    }
}

/// Why one side cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The connection.
    Broken(Broken),
    /// The destination is another machine.
    Refused(Vec<Reason>),
    /// The peer gave up, in its words.
    Peer(String),
    /// This machine.
    Own(Error),
}

impl From<Broken> for Failure {
    fn from(b: Broken) -> Failure {
        Failure::Broken(b)
    }
}

impl From<Error> for Failure {
    fn from(e: Error) -> Failure {
        Failure::Own(e)
    }
}

impl From<Cut> for Failure {
    fn from(c: Cut) -> Failure {
        Failure::Broken(Broken::Cut(c))
    }
}

/// What arrived is not what a peer sends.
pub(crate) fn nonsense(text: String) -> Failure {
    Failure::Broken(Broken::Nonsense(text))
}

impl Failure {
    fn text(&self) -> String {
        match self {
            Failure::Broken(b) => b.to_string(),
            Failure::Refused(reasons) => match reasons.as_slice() {
                [] => "the destination refuses this machine".into(),
                [first, ..] => format!("the destination refuses this machine: {}", first.problem),
            },
            Failure::Peer(text) => text.clone(),
            Failure::Own(e) => e.to_string(),
        }
    }

    fn end(&self) -> MigrationEnd {
        match self {
            Failure::Broken(Broken::Cut(_)) => MigrationEnd::Aborted,
            Failure::Refused(_) => MigrationEnd::Incompatible,
            Failure::Broken(_) | Failure::Peer(_) | Failure::Own(_) => MigrationEnd::Failed,
        }
    }

    /// The error for the user: what happened in which phase, and `hint` for where the guest is.
    fn error(self, side: &str, phase: Phase, hint: &str) -> Error {
        let (end, problem) = (self.end(), format!("{side}, phase {phase:?}: {}", self.text()));
        let reasons = if let Failure::Refused(reasons) = self { reasons } else { Vec::new() };
        let hint = reasons.first().filter(|r| !r.hint.is_empty()).map_or(hint.to_string(), |r| format!("{}; {hint}", r.hint));
        Error::Migration { end, problem, hint, reasons }
    }
}
