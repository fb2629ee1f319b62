//! The side that gives the guest away.

use crate::error::Error;
use crate::error::MigrationEnd;
use crate::error::Result;
use crate::memory::FLAG_SHIFT;
use crate::memory::PageSet;
use crate::migrate::Failure;
use crate::migrate::Gone;
use crate::migrate::Handle;
use crate::migrate::Options;
use crate::migrate::Phase;
use crate::migrate::Progress;
use crate::migrate::Ran;
use crate::migrate::Status;
use crate::migrate::Subject;
use crate::migrate::delta::Cache;
use crate::migrate::delta::PAGE;
use crate::migrate::frame::Broken;
use crate::migrate::frame::HEADER;
use crate::migrate::frame::Kind;
use crate::migrate::frame::Sent;
use crate::migrate::frame::Wire;
use crate::migrate::link::Link;
use crate::migrate::link::Stop;
use crate::migrate::message;
use crate::migrate::message::Go;
use crate::migrate::message::Hello;
use crate::migrate::message::RegionRow;
use crate::migrate::message::Round;
use crate::migrate::nonsense;
use crate::migrate::pace;
use crate::migrate::pace::Converge;
use crate::migrate::pace::Limit;
use crate::migrate::pace::Next;
use crate::migrate::pages::Encoder;
use crate::migrate::pages::Region;
use crate::migrate::pages::Tally;
use crate::migrate::postcopy;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

/// Pages that one connection takes at a time.
const CHUNK: u64 = 512;
/// A frame of pages is sent when it is longer.
const FRAME_BYTES: usize = 192 << 10;
/// Bytes of a piece of the state.
const PIECE: usize = 512 << 10;
/// How long is waited before connections are opened again.
const AGAIN: Duration = Duration::from_millis(100);
/// How long is waited, after a failure, for the peer's word about it.
const LAST_WORD: Duration = Duration::from_millis(1000);

/// A pseudo-random number that names this migration.
pub fn session() -> u128 {
    let word = || u128::from(RandomState::new().hash_one(std::process::id()));
    (word() << 64) | word()
}

/// How connections to the destination come about.
pub trait Way: Send {
    /// Opens them.
    ///
    /// # Errors
    /// The host's, or there are no further ones.
    fn open(&mut self) -> Result<Vec<Box<dyn Link>>>;
    /// Whether they can be opened again when they broke.
    fn reopens(&self) -> bool;
}

/// Connections that are there already.
pub struct Open(pub Vec<Box<dyn Link>>);

impl Way for Open {
    fn open(&mut self) -> Result<Vec<Box<dyn Link>>> {
        Ok(std::mem::take(&mut self.0))
    }

    fn reopens(&self) -> bool {
        false
    }
}

/// Moves `subject` over the connections of `way`, the first of which also carries the conversation.
///
/// # Errors
/// [`Error::Migration`]: the guest is still here and goes on as before, unless its end is [`MigrationEnd::Unconfirmed`]. Or the connections could not be opened.
pub fn run(subject: &dyn Subject, way: &mut dyn Way, options: &Options, handle: &Handle) -> Result<Progress> {
    let links = way.open()?;
    if links.is_empty() || (options.postcopy_after.is_some() && links.len() < 2) {
        let problem = format!("there are {} of them", links.len());
        return Err(Error::config("connections", problem, "open one or more, and two or more for post-copy"));
    }
    let wires = links.into_iter().map(|l| Wire::new(l, handle.stop.clone(), options.stall)).collect();
    let limit = Limit::new(options.bandwidth);
    let caches = Caches::new(options.delta_cache);
    let mut s = Source {
        subject,
        way,
        session: session(),
        wires,
        options,
        handle,
        limit,
        caches,
        regions: Vec::new(),
        next_id: 0,
        round: 0,
        stopped: None,
        go: Sending::No,
        later: None,
    };
    handle.board().status = Status::Setup;
    let done = s.all().and_then(|()| s.follow());
    s.quiet();
    match done {
        Ok(()) => {
            if handle.board().phase != Phase::Post {
                subject.moved(Gone::Surely);
            }
            handle.board().phase = Phase::Done;
            handle.end(Status::Completed);
            Ok(handle.progress())
        }
        Err(failure) => Err(s.fail(failure)),
    }
}

/// How far the word to run has got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sending {
    /// It has not been sent, or the connection did not take all of it, or the destination says that it does not run.
    No,
    /// It may have arrived.
    Perhaps,
}

struct Source<'a> {
    subject: &'a dyn Subject,
    way: &'a mut dyn Way,
    session: u128,
    wires: Vec<Wire>,
    options: &'a Options,
    handle: &'a Handle,
    limit: Limit,
    caches: Caches,
    /// With the pages of each that are to be sent.
    regions: Vec<(Region, PageSet)>,
    next_id: u8,
    round: u32,
    stopped: Option<Ran>,
    go: Sending,
    /// Post-copy: RAM, and its pages that follow the guest.
    later: Option<(Region, PageSet)>,
}

type Done<T> = std::result::Result<T, Failure>;

/// What moves first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    /// All memory, then the guest.
    Memory,
    /// The guest, then what is left of its RAM.
    Guest,
}

/// Which pages of a round are left for the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Skip {
    /// Those that have changed again already.
    Dirty,
    /// None: the guest stands still.
    Nothing,
}

impl Source<'_> {
    fn phase(&self, phase: Phase) {
        self.handle.board().phase = phase;
    }

    fn control(&mut self) -> &mut Wire {
        &mut self.wires[0]
    }

    fn all(&mut self) -> Done<()> {
        self.introduce()?;
        self.phase(Phase::Live);
        {
            let mut board = self.handle.board();
            board.status = Status::Active;
            board.setup_time = self.handle.began.elapsed();
        }
        let first = self.live()?;
        self.switch(first)
    }

    /// Versions, and whether the destination can be this machine.
    fn introduce(&mut self) -> Done<()> {
        let count = self.wires.len() as u8;
        let hello = Hello { versions: (message::OLDEST, message::NEWEST), session: self.session, index: 0, count, again: false };
        self.control().send(Kind::Hello, &hello.write())?;
        match self.control().receive()? {
            (Kind::Welcome, [a, b]) => {
                let version = u16::from_be_bytes([*a, *b]);
                message::agree((version, version)).map_err(nonsense)?;
            }
            (kind, payload) => return Err(unexpected(kind, payload, "Welcome")),
        }
        for (index, wire) in (1..).zip(&mut self.wires[1..]) {
            wire.send(Kind::Hello, &Hello { index, ..hello }.write())?;
        }
        self.phase(Phase::Describe);
        let description = self.subject.describe()?;
        self.control().send(Kind::Describe, &description)?;
        match self.control().receive()? {
            (Kind::Accept, payload) => {
                let warnings = message::read_warnings(payload).map_err(nonsense)?;
                self.handle.board().warnings = warnings;
                Ok(())
            }
            (Kind::Refuse, payload) => Err(Failure::Refused(message::read_reasons(payload).map_err(nonsense)?)),
            (kind, payload) => Err(unexpected(kind, payload, "Accept or Refuse")),
        }
    }

    /// Rounds, until the rest fits the downtime, or is to follow the guest.
    fn live(&mut self) -> Done<First> {
        self.announce()?;
        let mut converge = Converge::new(self.options.downtime, self.options.throttle);
        loop {
            let (began, bytes) = (Instant::now(), self.bytes());
            let tally = self.send_round(Skip::Dirty)?;
            self.look_at_regions()?;
            self.end_round(&tally)?;
            let took = began.elapsed();
            let dirty = self.take_dirty()?;
            let pages = tally.iter().map(|t| t.pages() - t.uniform).sum();
            let next = converge.next(pace::Sent { pages, took, dirty });
            self.report(took, self.bytes() - bytes, tally.iter().map(Tally::pages).sum(), dirty, converge.expected(dirty));
            match next {
                Next::Switch => return Ok(First::Memory),
                Next::Again | Next::Slower(_) if self.wants_postcopy() => return Ok(First::Guest),
                Next::Again => {}
                Next::Slower(percent) => {
                    self.subject.throttle(percent);
                    self.handle.board().throttle = percent;
                }
            }
        }
    }

    /// Whether the guest is to move before the rest of its memory.
    fn wants_postcopy(&self) -> bool {
        let asked = self.handle.postcopy.load(Ordering::Relaxed) && self.wires.len() > 1;
        asked || self.options.postcopy_after.is_some_and(|rounds| self.round >= rounds)
    }

    /// The guest stands still, the rest is sent, and the destination takes it over.
    fn switch(&mut self, first: First) -> Done<()> {
        self.phase(Phase::Stop);
        let bytes = self.bytes();
        self.handle.board().precopy_bytes = bytes;
        let at = Instant::now();
        let ran = self.subject.stop()?;
        // The guest's clock has just been stopped.
        let stood = Instant::now();
        self.stopped = Some(ran);
        self.handle.board().status = Status::Device;
        self.announce()?;
        self.take_dirty()?;
        self.phase(Phase::Rest);
        self.limit = Limit::new(None);
        if first == First::Guest {
            self.leave_behind()?;
        }
        let tally = self.send_round(Skip::Nothing)?;
        self.end_round(&tally)?;
        let state = self.subject.save()?;
        for (k, piece) in state.chunks(PIECE).enumerate() {
            let wire = self.control();
            wire.payload().extend_from_slice(&message::pair((k * PIECE) as u64, state.len() as u64));
            wire.payload().extend_from_slice(piece);
            wire.flush(Kind::State)?;
        }
        self.control().send(Kind::Finish, &message::pair(state.len() as u64, u64::from(first == First::Guest)))?;
        self.phase(Phase::Check);
        match self.control().receive()? {
            (Kind::Ready, _) => {}
            (kind, payload) => return Err(unexpected(kind, payload, "Ready")),
        }
        let sent = self.bytes();
        self.handle.board().downtime_bytes = sent - bytes;
        self.hand_over(at, stood, ran)
    }

    /// Tells the destination which pages of RAM follow the guest, and keeps them out of this round.
    fn leave_behind(&mut self) -> Done<()> {
        let Some((region, todo)) = self.regions.iter_mut().find(|(r, _)| r.kind == message::RegionKind::Ram) else { return Ok(()) };
        let pages = region.pages();
        let later = (region.clone(), std::mem::replace(todo, PageSet::none(pages)));
        postcopy::send_absent(&mut self.wires[0], later.0.id, &later.1)?;
        self.later = Some(later);
        Ok(())
    }

    /// Post-copy: the rest of the memory, on as many connections one after the other as it takes.
    fn follow(&mut self) -> Done<()> {
        let Some((ram, mut todo)) = self.later.take() else { return Ok(()) };
        self.subject.moved(Gone::Surely);
        loop {
            self.handle.board().status = Status::PostcopyActive;
            let before = self.bytes();
            let sent = self.push(&ram, &mut todo);
            self.handle.board().postcopy_bytes += self.bytes() - before;
            let Err(failure) = sent else { return Ok(()) };
            self.handle.board().status = Status::PostcopyPaused;
            log::warn!(target: "spapr.migrate", "post-copy is interrupted: {}; the guest waits for its pages", failure.text());
            self.handle.stop.check()?;
            if !self.way.reopens() {
                return Err(failure);
            }
            todo = self.meet_again(&ram)?;
        }
    }

    /// Sends every page of `todo` on all connections but the last, on which wishes are answered.
    fn push(&mut self, ram: &Region, todo: &mut PageSet) -> Done<()> {
        let over: Arc<Stop> = Arc::default();
        let regions = [ram.clone()];
        let handle = self.handle;
        let mut rest = [(ram.clone(), std::mem::take(todo))];
        let work = Work::new(&mut rest, Skip::Nothing, 0, &self.limit, &self.caches, handle);
        handle.board().remaining = work.left() * PAGE as u64;
        let (last, others) = self.wires.split_last_mut().expect("a migration has a connection");
        last.set_stop(over.clone());
        last.set_stall(Duration::from_secs(1 << 32));
        std::thread::scope(|s| {
            s.spawn(|| postcopy::answer(last, &regions, handle));
            let (first, middle) = others.split_first_mut().expect("post-copy has two connections");
            let threads: Vec<_> = middle.iter_mut().map(|wire| s.spawn(|| work.share(wire))).collect();
            let mut done = work.share(first).map(|_| ());
            for t in threads {
                done = done.and(t.join().unwrap_or(Err(Broken::Closed)).map(|_| ()));
            }
            let done = done.and_then(|()| first.send(Kind::Complete, &[])).map_err(Failure::from).and_then(|()| match first.receive()? {
                (Kind::Complete, _) => Ok(()),
                (kind, payload) => Err(unexpected(kind, payload, "Complete")),
            });
            over.cancel();
            done
        })
    }

    /// Connects again, until it works or the machine goes away; what the destination lacks.
    fn meet_again(&mut self, ram: &Region) -> Done<PageSet> {
        // The destination sees only now that the old ones are gone.
        self.wires.clear();
        loop {
            self.handle.stop.check()?;
            std::thread::sleep(AGAIN);
            let Ok(links) = self.way.open() else { continue };
            self.wires = links.into_iter().map(|l| Wire::new(l, self.handle.stop.clone(), self.options.stall)).collect();
            match self.hear_what_is_missing(ram) {
                Ok(missing) => return Ok(missing),
                Err(failure) => log::debug!(target: "spapr.migrate", "post-copy could not go on yet: {}", failure.text()),
            }
        }
    }

    fn hear_what_is_missing(&mut self, ram: &Region) -> Done<PageSet> {
        let count = self.wires.len() as u8;
        for (index, wire) in (0..).zip(&mut self.wires) {
            let hello = Hello { versions: (message::OLDEST, message::NEWEST), session: self.session, index, count, again: true };
            wire.send(Kind::Hello, &hello.write())?;
        }
        let mut missing = Vec::new();
        loop {
            match self.control().receive()? {
                (Kind::Welcome, _) => {}
                (Kind::Absent, payload) => postcopy::read_absent(payload, |id| (id == ram.id).then(|| ram.clone()), &mut missing)?,
                (Kind::Complete, _) => return Ok(missing.pop().map_or(PageSet::none(ram.pages()), |(_, set)| set)),
                (kind, payload) => return Err(unexpected(kind, payload, "what is missing")),
            }
        }
    }

    /// The one moment that cannot be taken back.
    fn hand_over(&mut self, at: Instant, stood: Instant, ran: Ran) -> Done<()> {
        self.handle.stop.commit()?;
        self.phase(Phase::Go);
        let go = Go { stopped_for: stood.elapsed(), run: ran == Ran::Yes }.write();
        let before = self.control().bytes();
        if let Err(broken) = self.control().send(Kind::Go, &go) {
            // Less than all of it cannot have been understood.
            if self.control().bytes() == before + (HEADER + go.len()) as u64 {
                self.go = Sending::Perhaps;
            }
            return Err(broken.into());
        }
        self.go = Sending::Perhaps;
        match self.control().receive() {
            Ok((Kind::Running, _)) => {
                let mut board = self.handle.board();
                board.downtime = Some(at.elapsed());
                board.phase = if self.later.is_some() { Phase::Post } else { Phase::Done };
                Ok(())
            }
            Ok((Kind::Fail, payload)) => {
                let text = message::read_text(payload).unwrap_or_default();
                self.go = Sending::No;
                Err(Failure::Peer(text))
            }
            Ok((kind, payload)) => Err(unexpected(kind, payload, "Running")),
            Err(broken) => Err(broken.into()),
        }
    }

    /// As [`Source::look_at_regions`], between rounds: an empty one follows, so that no connection is ahead of the first.
    fn announce(&mut self) -> Done<()> {
        if self.look_at_regions()? {
            self.end_round(&vec![Tally::default(); self.wires.len()])?;
        }
        Ok(())
    }

    /// Tells the destination of memories that are new or gone, and logs the new ones; whether there were any. A round's end must follow.
    fn look_at_regions(&mut self) -> Done<bool> {
        let now = self.subject.regions();
        let same = |a: &Region, b: &(message::RegionKind, Arc<crate::memory::GuestMemory>)| a.kind == b.0 && Arc::ptr_eq(&a.memory, &b.1);
        if now.len() == self.regions.len() && self.regions.iter().all(|(r, _)| now.iter().any(|n| same(r, n))) {
            return Ok(false);
        }
        let (kept, gone): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.regions).into_iter().partition(|(r, _)| now.iter().any(|n| same(r, n)));
        gone.iter().for_each(|(r, _)| r.memory.stop_log());
        self.regions = kept;
        for new in now.iter().filter(|n| !self.regions.iter().any(|(r, _)| same(r, n))).cloned().collect::<Vec<_>>() {
            let Some(next) = self.next_id.checked_add(1) else {
                return Err(nonsense("the guest replaces its page table faster than it can be sent".into()));
            };
            let region = Region { id: self.next_id, kind: new.0, memory: new.1 };
            self.next_id = next;
            region.memory.start_log()?;
            let pages = region.pages();
            self.regions.push((region, PageSet::all(pages)));
        }
        self.subject.settle();
        let rows: Vec<RegionRow> = self.regions.iter().map(|(r, _)| RegionRow { id: r.id, kind: r.kind, bytes: r.memory.size() }).collect();
        self.handle.board().total = rows.iter().map(|r| r.bytes).sum();
        self.control().send(Kind::Regions, &message::write_regions(&rows))?;
        Ok(true)
    }

    /// Takes the dirty log of every region into the pages to be sent; how many they are then.
    fn take_dirty(&mut self) -> Done<u64> {
        for (region, todo) in &mut self.regions {
            todo.union(&region.memory.take_dirty()?);
        }
        self.subject.settle();
        let dirty = self.regions.iter().map(|(_, todo)| todo.len()).sum();
        self.handle.board().remaining = dirty * PAGE as u64;
        Ok(dirty)
    }

    /// Sends the pages of this round, on all connections; what each sent.
    fn send_round(&mut self, skip: Skip) -> Done<Vec<Tally>> {
        let work = Work::new(&mut self.regions, skip, self.round, &self.limit, &self.caches, self.handle);
        {
            let mut board = self.handle.board();
            board.dirty_sync_count += 1;
            board.remaining = work.left() * PAGE as u64;
        }
        if let [wire] = &mut self.wires[..] {
            return Ok(vec![work.share(wire)?]);
        }
        let shares: Vec<Sent<Tally>> = std::thread::scope(|s| {
            let threads: Vec<_> = self.wires.iter_mut().map(|wire| s.spawn(|| work.share(wire))).collect();
            threads
                .into_iter()
                .map(|t| t.join().unwrap_or_else(|_| Err(Broken::Nonsense("a thread that sent pages panicked".into()))))
                .collect()
        });
        Ok(shares.into_iter().collect::<Sent<Vec<Tally>>>()?)
    }

    fn end_round(&mut self, tally: &[Tally]) -> Done<()> {
        for (wire, t) in self.wires.iter_mut().zip(tally) {
            wire.send(Kind::Round, &Round { number: self.round, pages: t.pages() }.write())?;
        }
        self.round += 1;
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.wires.iter().map(Wire::bytes).sum()
    }

    fn report(&self, took: Duration, bytes: u64, pages: u64, dirty: u64, expected: Option<Duration>) {
        let seconds = took.as_secs_f64().max(1e-6);
        let mut board = self.handle.board();
        board.transferred = self.bytes();
        board.mbps = bytes as f64 * 8e-6 / seconds;
        board.pages_per_second = (pages as f64 / seconds) as u64;
        board.dirty_pages_rate = (dirty as f64 / seconds) as u64;
        board.expected_downtime = expected;
    }

    /// Undoes what concerns the running machine: logs and throttle.
    fn quiet(&mut self) {
        self.handle.board().transferred = self.bytes();
        self.subject.throttle(0);
        self.regions.drain(..).for_each(|(r, _)| r.memory.stop_log());
    }

    /// What a failure comes to: the guest goes on here, unless it may run there.
    fn fail(mut self, failure: Failure) -> Error {
        let phase = self.handle.board().phase;
        if phase == Phase::Post {
            self.handle.board().total_time = self.handle.began.elapsed();
            let hint = "the guest is on the destination and waits there for pages that are here; keep both machines, the guest cannot go on with one of them";
            return failure.error("source", phase, hint);
        }
        let failure = self.last_word(failure);
        let aborted = failure.end() == MigrationEnd::Aborted;
        self.handle.end(if aborted { Status::Cancelled } else { Status::Failed });
        if self.go == Sending::Perhaps {
            self.subject.moved(Gone::Perhaps);
            return Error::Migration {
                end: MigrationEnd::Unconfirmed,
                problem: format!("source, phase Go: {}, and the destination had been told to run", failure.text()),
                hint: "the guest is complete and paused here, and may run on the destination: look there first; only if it does not run there, resume(force=True) here".into(),
                reasons: Vec::new(),
            };
        }
        let hint = match self.stopped.take() {
            Some(ran) => {
                self.subject.go_on(ran);
                "the guest goes on here as before, and can be migrated again"
            }
            None => "the guest was never stopped here, and can be migrated again",
        };
        failure.error("source", phase, hint)
    }

    /// Tells the peer, and hears what it has to say: it often knows more about a connection that broke.
    fn last_word(&mut self, failure: Failure) -> Failure {
        let wire = &mut self.wires[0];
        wire.set_stop(Arc::default());
        wire.set_stall(wire.stall().min(LAST_WORD));
        match &failure {
            Failure::Peer(_) | Failure::Refused(_) => failure,
            Failure::Own(_) | Failure::Broken(Broken::Cut(_)) => {
                let _ = wire.send(Kind::Fail, &message::text(&failure.text()));
                failure
            }
            Failure::Broken(_) => {
                let _ = wire.send(Kind::Fail, &message::text(&failure.text()));
                // Frames from before the failure may come first.
                for _ in 0..4 {
                    match wire.receive() {
                        Ok((Kind::Fail, payload)) => {
                            let Ok(text) = message::read_text(payload) else { break };
                            // A destination that says so does not run.
                            self.go = Sending::No;
                            return Failure::Peer(text);
                        }
                        Ok(_) => {}
                        Err(_) => break,
                    }
                }
                failure
            }
        }
    }
}

fn unexpected(kind: Kind, payload: &[u8], wanted: &str) -> Failure {
    if kind == Kind::Fail {
        return message::read_text(payload).map_or_else(nonsense, Failure::Peer);
    }
    nonsense(format!("the destination sent {kind:?} instead of {wanted}"))
}

/// Copies of pages, in parts that connections lock in turn.
struct Caches(Vec<Mutex<Cache>>);

const PARTS: usize = 16;

impl Caches {
    fn new(bytes: u64) -> Caches {
        Caches((0..PARTS).map(|_| Mutex::new(Cache::new(bytes as usize / PAGE / PARTS))).collect())
    }
}

/// A page's key in its part: consecutive within a part, so that slots are used evenly.
fn key(region: u8, page: u64) -> u64 {
    u64::from(region) << 48 | ((page / CHUNK / PARTS as u64) * CHUNK + page % CHUNK)
}

/// A round's pages, handed out in chunks.
struct Work<'a> {
    chunks: Vec<(Region, u64, PageSet, Arc<PageSet>)>,
    next: AtomicUsize,
    skip: Skip,
    round: u32,
    limit: &'a Limit,
    caches: &'a Caches,
    handle: &'a Handle,
}

/// The pages that must be looked at, where many are to be sent: those that nobody has touched are known to be zero. What is written to from now on is in
/// the log, and comes in a later round.
fn used(region: &Region, todo: &PageSet) -> PageSet {
    let all = region.pages();
    let Some(runs) = (todo.len() > all / 2).then(|| region.memory.runs().ok()).flatten() else { return PageSet::all(all) };
    let mut used = PageSet::none(all);
    for page in runs.into_iter().flat_map(|run| run.start >> FLAG_SHIFT..run.end.div_ceil(1 << FLAG_SHIFT)) {
        used.insert(page);
    }
    used
}

impl<'a> Work<'a> {
    fn new(
        regions: &mut [(Region, PageSet)],
        skip: Skip,
        round: u32,
        limit: &'a Limit,
        caches: &'a Caches,
        handle: &'a Handle,
    ) -> Work<'a> {
        let mut chunks = Vec::new();
        for (region, todo) in regions {
            let pages = region.pages();
            let todo = std::mem::replace(todo, PageSet::none(pages));
            let used = Arc::new(used(region, &todo));
            let mut at = todo.next(0);
            while let Some(page) = at {
                let first = page / CHUNK * CHUNK;
                let mut set = PageSet::none(CHUNK.min(pages - first));
                while let Some(p) = at.filter(|p| *p < first + CHUNK) {
                    set.insert(p - first);
                    at = todo.next(p + 1);
                }
                chunks.push((region.clone(), first, set, Arc::clone(&used)));
            }
        }
        Work { chunks, next: AtomicUsize::new(0), skip, round, limit, caches, handle }
    }

    /// Pages to be sent.
    fn left(&self) -> u64 {
        self.chunks.iter().map(|c| c.2.len()).sum()
    }

    /// What one connection sends of it.
    fn share(&self, wire: &mut Wire) -> Sent<Tally> {
        let mut tally = Tally::default();
        let most = self.limit.frame(FRAME_BYTES);
        while let Some((region, first, set, used)) = self.chunks.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            // The first round meets every page once: copies of it would only push each other out.
            let part = (first / CHUNK) as usize % PARTS;
            let mut cache = (self.round > 0).then(|| self.caches.0[part].lock().unwrap_or_else(PoisonError::into_inner));
            let mut pages = set.iter().map(|p| first + p).filter(|p| self.skip == Skip::Nothing || !region.memory.is_dirty(*p)).peekable();
            while pages.peek().is_some() {
                let mut encoder = Encoder::new(wire.payload(), region.id);
                while let Some(page) = pages.next_if(|_| encoder.len() < most) {
                    match used.contains(page) {
                        true => encoder.push(&region.memory, page, cache.as_deref_mut().map(|cache| (cache, key(region.id, page)))),
                        false => encoder.zero(page),
                    }
                }
                let (sent, bytes) = (encoder.tally, encoder.len());
                self.limit.wait(bytes as u64, &self.handle.stop).map_err(Broken::Cut)?;
                wire.flush(Kind::Pages)?;
                tally.add(sent);
                let mut board = self.handle.board();
                board.pages.add(sent);
                board.transferred += bytes as u64;
                board.remaining = board.remaining.saturating_sub(sent.pages() * PAGE as u64);
            }
        }
        Ok(tally)
    }
}
