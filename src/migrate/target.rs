//! The side that receives the guest.
//!
//! The first connection carries the conversation and its share of the pages, the others pages alone; each has a thread. A page that changes is sent again in a later round, perhaps on another
//! connection, so nobody begins a round before all have ended the last one ([`Inbox::meet`]).
//!
//! Nothing of the machine but its memory changes before everything has arrived, and nothing runs before *Go*. Once it runs, this side never says that it failed: the source
//! relies on that.

use crate::error::Result;
use crate::memory::PageSet;
use crate::migrate::Failure;
use crate::migrate::Handle;
use crate::migrate::Phase;
use crate::migrate::Progress;
use crate::migrate::Ran;
use crate::migrate::STATE_MAX;
use crate::migrate::Status;
use crate::migrate::Subject;
use crate::migrate::delta::PAGE;
use crate::migrate::frame::Broken;
use crate::migrate::frame::Kind;
use crate::migrate::frame::Wire;
use crate::migrate::link::Link;
use crate::migrate::link::Stop;
use crate::migrate::message;
use crate::migrate::message::Go;
use crate::migrate::message::Hello;
use crate::migrate::message::RegionKind;
use crate::migrate::message::Round;
use crate::migrate::nonsense;
use crate::migrate::pages;
use crate::migrate::pages::Arriving;
use crate::migrate::pages::Region;
use crate::migrate::postcopy;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::time::Duration;

/// How long a word about a failure may take.
const LAST_WORD: Duration = Duration::from_millis(1000);

/// Where connections come from.
pub trait Door: Send {
    /// The next one; waits for it until `stop` says otherwise.
    fn next(&mut self, stop: &Stop) -> std::result::Result<Box<dyn Link>, Broken>;
}

/// Connections that are there already.
impl Door for std::vec::IntoIter<Box<dyn Link>> {
    fn next(&mut self, _: &Stop) -> std::result::Result<Box<dyn Link>, Broken> {
        Iterator::next(self).ok_or(Broken::Closed)
    }
}

impl<D: Door + ?Sized> Door for Box<D> {
    fn next(&mut self, stop: &Stop) -> std::result::Result<Box<dyn Link>, Broken> {
        (**self).next(stop)
    }
}

/// What a phase may receive on the first connection. [`Kind::Fail`] may always come.
const EXPECTED: &[(Phase, &[Kind])] = &[
    (Phase::Hello, &[Kind::Hello]),
    (Phase::Describe, &[Kind::Describe]),
    (Phase::Live, &[Kind::Regions, Kind::Pages, Kind::Round, Kind::Absent, Kind::State, Kind::Finish]),
    (Phase::Rest, &[Kind::State, Kind::Finish]),
    (Phase::Go, &[Kind::Go]),
];

/// Receives a guest into `subject`. Returns when it runs, or stands paused as it did.
///
/// # Errors
/// [`Error::Migration`]: nothing runs here; the source has the guest.
pub fn run(subject: &dyn Subject, door: &mut dyn Door, stall: Duration, handle: &Handle) -> Result<Progress> {
    let mut t = Target { subject, handle, stall, inbox: Inbox::default(), control: None };
    handle.board().status = Status::Setup;
    match t.all(door) {
        Ok(()) => {
            handle.end(Status::Completed);
            Ok(handle.progress())
        }
        Err(failure) => {
            let phase = handle.board().phase;
            t.tell(&failure);
            if phase == Phase::Post {
                return Err(failure.error(
                    "destination",
                    phase,
                    "the guest is here and waits for pages that the source has; it cannot go on without them",
                ));
            }
            let aborted = matches!(failure, Failure::Broken(Broken::Cut(_)));
            handle.end(if aborted { Status::Cancelled } else { Status::Failed });
            Err(failure.error("destination", phase, "the guest does not run here; the source has it, and this machine can receive again"))
        }
    }
}

struct Target<'a> {
    subject: &'a dyn Subject,
    handle: &'a Handle,
    stall: Duration,
    inbox: Inbox,
    control: Option<Wire>,
}

type Done<T> = std::result::Result<T, Failure>;

/// What the connections share.
#[derive(Default)]
struct Inbox {
    /// The memories in use, and those of the table before, whose pages may still be on their way.
    regions: RwLock<Table>,
    rounds: Mutex<Rounds>,
    met: Condvar,
    /// The guest runs here, and these are the pages that follow it.
    post: OnceLock<Arc<Arriving>>,
}

#[derive(Default)]
struct Table {
    now: Vec<Arc<Arriving>>,
    before: Vec<Arc<Arriving>>,
}

#[derive(Default)]
struct Rounds {
    /// How many rounds each connection has ended.
    ended: Vec<u32>,
    /// Why one of them cannot go on.
    broken: Option<Broken>,
}

impl Inbox {
    fn rounds(&self) -> MutexGuard<'_, Rounds> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a frame of pages; how many they were.
    fn pages(&self, payload: &[u8], handle: &Handle) -> Done<u64> {
        let put = if self.post.get().is_some() { postcopy::supply } else { pages::put };
        let table = self.regions.read().unwrap_or_else(PoisonError::into_inner);
        let find = |id| table.now.iter().chain(&table.before).find(|a| a.region.id == id).map(|a| &**a);
        let pages = pages::decode(payload, find, put).map_err(nonsense)?;
        let mut board = handle.board();
        board.transferred += payload.len() as u64;
        board.remaining = board.remaining.saturating_sub(pages * PAGE as u64);
        Ok(pages)
    }

    /// Connection `index` has ended a round: waits until all have.
    fn meet(&self, index: usize, stop: &Stop) -> Done<()> {
        let mut rounds = self.rounds();
        rounds.ended[index] += 1;
        let mine = rounds.ended[index];
        self.met.notify_all();
        loop {
            if let Some(broken) = &rounds.broken {
                return Err(Failure::Broken(broken.clone()));
            }
            if rounds.ended.iter().all(|r| *r >= mine) {
                return Ok(());
            }
            stop.check()?;
            rounds = self.met.wait_timeout(rounds, crate::migrate::link::SLICE).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A connection that carries pages alone, to its end.
    fn listen(&self, index: usize, wire: &mut Wire, handle: &Handle, over: &Stop) {
        let mut pages = 0;
        loop {
            let next = match wire.receive() {
                Ok((Kind::Pages, payload)) => self.pages(payload, handle).map(|n| pages += n),
                Ok((Kind::Round, payload)) => {
                    let counted = check_round(payload, &mut pages);
                    counted.and_then(|()| self.meet(index, over))
                }
                Ok((Kind::Turn, _)) if self.post.get().is_some() => {
                    let ram = self.post.get().expect("just looked at");
                    if let Err(failure) = postcopy::ask(wire, ram, handle) {
                        log::debug!(target: "spapr.migrate", "connection {index}: {}", failure.text());
                    }
                    return;
                }
                Ok((kind, _)) => Err(nonsense(format!("connection {index}: {kind:?} does not belong there"))),
                Err(broken) => Err(broken.into()),
            };
            if let Err(failure) = next {
                let broken = match &failure {
                    Failure::Broken(b) => b.clone(),
                    Failure::Refused(_) | Failure::Peer(_) | Failure::Own(_) => Broken::Nonsense(failure.text()),
                };
                self.rounds().broken.get_or_insert(broken);
                self.met.notify_all();
                return;
            }
        }
    }
}

/// A round's end says how many pages there were: none may be missing.
fn check_round(payload: &[u8], pages: &mut u64) -> Done<()> {
    let round = Round::read(payload).map_err(nonsense)?;
    let got = std::mem::take(pages);
    if round.pages == got {
        return Ok(());
    }
    Err(nonsense(format!("round {}: {got} pages arrived, {} were sent", round.number, round.pages)))
}

impl Target<'_> {
    fn phase(&self, phase: Phase) {
        self.handle.board().phase = phase;
    }

    fn all(&mut self, door: &mut dyn Door) -> Done<()> {
        let mut over: Arc<Stop> = Arc::default();
        let link = door.next(&self.handle.stop)?;
        let (hello, mut others) = self.connect(link, door, &over, None)?;
        self.phase(Phase::Describe);
        self.judge()?;
        self.phase(Phase::Live);
        self.handle.board().status = Status::Active;
        let mut control = self.control.take().expect("connected above");
        let (subject, handle) = (self.subject, self.handle);
        let received = std::thread::scope(|s| {
            for (index, wire) in &mut others {
                s.spawn(|| self.inbox.listen(usize::from(*index), wire, handle, &over));
            }
            let received = receive(subject, handle, &self.inbox, &mut control);
            let received = received.and_then(|all| conclude(subject, handle, &self.inbox, &mut control, all));
            let received = received.and_then(|()| self.follow(&mut control));
            over.cancel();
            received
        });
        drop(others);
        self.control = Some(control);
        let Err(mut failure) = received else { return Ok(()) };
        // While the guest runs here, only the end of the machine ends its wait for the rest.
        while handle.board().phase == Phase::Post {
            handle.board().status = Status::PostcopyPaused;
            log::warn!(target: "spapr.migrate", "post-copy is interrupted: {}; the guest waits for its pages", failure.text());
            self.control = None;
            over = Arc::default();
            // A door that is shut stays shut.
            let link = door.next(&handle.stop)?;
            match self.again(link, door, &over, hello.session) {
                Ok(()) => return Ok(()),
                Err(next) => failure = next,
            }
            handle.stop.check()?;
        }
        Err(failure)
    }

    /// Post-copy goes on with new connections.
    fn again(&mut self, link: Box<dyn Link>, door: &mut dyn Door, over: &Arc<Stop>, session: u128) -> Done<()> {
        let (_, mut others) = self.connect(link, door, over, Some(session))?;
        let mut control = self.control.take().expect("connected above");
        std::thread::scope(|s| {
            let done = self.say_what_is_missing(&mut control);
            for (index, wire) in &mut others {
                s.spawn(|| self.inbox.listen(usize::from(*index), wire, self.handle, over));
            }
            let done = done.and_then(|()| self.follow(&mut control));
            over.cancel();
            done
        })
    }

    /// The connections of one migration, or of the same one again after it was interrupted.
    fn connect(
        &mut self,
        link: Box<dyn Link>,
        door: &mut dyn Door,
        over: &Arc<Stop>,
        session: Option<u128>,
    ) -> Done<(Hello, Vec<(u8, Wire)>)> {
        let mut control = Wire::new(link, self.handle.stop.clone(), self.stall);
        let hello = self.hello(&mut control, session);
        self.control = Some(control);
        let hello = hello?;
        let mut others = Vec::new();
        for _ in 1..hello.count {
            others.push(self.other(door, &hello, over)?);
        }
        others.sort_by_key(|(index, _)| *index);
        if others.iter().zip(1..).any(|((index, _), wanted)| *index != wanted) {
            return Err(nonsense("two connections have the same number".into()));
        }
        *self.inbox.rounds() = Rounds { ended: vec![0; usize::from(hello.count)], broken: None };
        Ok((hello, others))
    }

    /// Post-copy: the rest, if the guest came before it.
    fn follow(&self, control: &mut Wire) -> Done<()> {
        let Some(ram) = self.inbox.post.get() else { return Ok(()) };
        self.handle.board().status = Status::PostcopyActive;
        postcopy::arrive(control, ram, self.handle)?;
        self.phase(Phase::Done);
        Ok(())
    }

    fn say_what_is_missing(&self, control: &mut Wire) -> Done<()> {
        let ram = self.inbox.post.get().expect("the guest runs here");
        postcopy::send_absent(control, ram.region.id, &ram.region.memory.absent())?;
        control.send(Kind::Complete, &[])?;
        Ok(())
    }

    fn hello(&self, wire: &mut Wire, session: Option<u128>) -> Done<Hello> {
        let hello = Hello::read(expect(wire, Phase::Hello)?.1).map_err(nonsense)?;
        let version = message::agree(hello.versions).map_err(nonsense)?;
        if hello.index != 0 {
            return Err(nonsense(format!("the first connection says that it is number {}", hello.index)));
        }
        if session.is_some_and(|s| s != hello.session) || session.is_some() != hello.again {
            return Err(nonsense("another migration than the one that is on its way here".into()));
        }
        wire.send(Kind::Welcome, &version.to_be_bytes())?;
        Ok(hello)
    }

    fn other(&self, door: &mut dyn Door, first: &Hello, over: &Arc<Stop>) -> Done<(u8, Wire)> {
        let mut wire = Wire::new(door.next(&self.handle.stop)?, self.handle.stop.clone(), self.stall);
        let hello = Hello::read(expect(&mut wire, Phase::Hello)?.1).map_err(nonsense)?;
        if (hello.session, hello.count) != (first.session, first.count) || hello.index == 0 {
            return Err(nonsense("a connection of another migration".into()));
        }
        // It is still while others talk; the first connection's clock is what counts.
        wire.set_stall(Duration::from_secs(1 << 32));
        wire.set_stop(over.clone());
        Ok((hello.index, wire))
    }

    fn judge(&mut self) -> Done<()> {
        let wire = self.control.as_mut().expect("the conversation has begun");
        let (_, description) = expect(wire, Phase::Describe)?;
        match self.subject.judge(description) {
            Ok(warnings) => {
                wire.send(Kind::Accept, &message::write_warnings(&warnings))?;
                self.handle.board().warnings = warnings;
                Ok(())
            }
            Err(reasons) => {
                wire.send(Kind::Refuse, &message::write_reasons(&reasons))?;
                Err(Failure::Refused(reasons))
            }
        }
    }

    /// Tells the source why, unless it knows.
    fn tell(&mut self, failure: &Failure) {
        let Some(wire) = self.control.as_mut() else { return };
        if self.handle.board().phase >= Phase::Post {
            return;
        }
        match failure {
            Failure::Refused(_) | Failure::Peer(_) => {}
            Failure::Broken(_) | Failure::Own(_) => {
                wire.set_stop(Arc::default());
                wire.set_stall(wire.stall().min(LAST_WORD));
                let _ = wire.send(Kind::Fail, &message::text(&failure.text()));
            }
        }
    }
}

/// The next frame, which must be of a kind that the phase allows.
fn expect(wire: &mut Wire, phase: Phase) -> Done<(Kind, &[u8])> {
    let (kind, payload) = wire.receive()?;
    if kind == Kind::Fail {
        return Err(Failure::Peer(format!("the source gave up: {}", message::read_text(payload).map_err(nonsense)?)));
    }
    let allowed = EXPECTED.iter().find(|row| row.0 == phase).map_or(&[][..], |row| row.1);
    if allowed.contains(&kind) {
        return Ok((kind, payload));
    }
    Err(nonsense(format!("{kind:?} arrived, and only {allowed:?} can")))
}

/// What has arrived.
#[derive(Default)]
struct Arrived {
    state: Vec<u8>,
    /// Pages that follow the guest.
    absent: Vec<(Region, PageSet)>,
}

/// Pages and state, until all are there.
fn receive(subject: &dyn Subject, handle: &Handle, inbox: &Inbox, wire: &mut Wire) -> Done<Arrived> {
    let (mut phase, mut pages, mut open) = (Phase::Live, 0, false);
    let mut all = Arrived::default();
    loop {
        if let Some(broken) = &inbox.rounds().broken {
            return Err(Failure::Broken(broken.clone()));
        }
        let (kind, payload) = expect(wire, phase)?;
        if kind == Kind::Regions {
            place(subject, handle, inbox, payload)?;
        } else if kind == Kind::Pages {
            open = true;
            pages += inbox.pages(payload, handle)?;
        } else if kind == Kind::Round {
            open = false;
            check_round(payload, &mut pages)?;
            inbox.meet(0, &handle.stop)?;
            handle.board().dirty_sync_count += 1;
        } else if kind == Kind::Absent {
            subject.can_wait()?;
            let find = |id| {
                let table = inbox.regions.read().unwrap_or_else(PoisonError::into_inner);
                table.now.iter().find(|a| a.region.id == id && a.region.kind == RegionKind::Ram).map(|a| a.region.clone())
            };
            postcopy::read_absent(payload, find, &mut all.absent)?;
        } else if kind == Kind::State {
            if phase == Phase::Live {
                phase = Phase::Rest;
                let mut board = handle.board();
                (board.phase, board.status) = (phase, Status::Device);
            }
            piece(payload, &mut all.state)?;
        } else {
            let (total, post, _) = message::read_pair(payload, "finish").map_err(nonsense)?;
            let got = all.state.len() as u64;
            if total != got || open || total == 0 || (post != 0) == all.absent.is_empty() {
                return Err(nonsense(format!(
                    "the end came after {got} bytes of state and {} lists of pages, {total} bytes were sent",
                    all.absent.len()
                )));
            }
            return Ok(all);
        }
    }
}

fn place(subject: &dyn Subject, handle: &Handle, inbox: &Inbox, payload: &[u8]) -> Done<()> {
    let rows = message::read_regions(payload).map_err(nonsense)?;
    let mut table = inbox.regions.write().unwrap_or_else(PoisonError::into_inner);
    let mut next: Vec<Arc<Arriving>> = Vec::new();
    for row in &rows {
        if let Some(known) = table.now.iter().find(|a| a.region.id == row.id) {
            if known.region.kind != row.kind || known.region.memory.size() != row.bytes {
                return Err(nonsense(format!("region {} has changed its kind or size", row.id)));
            }
            next.push(known.clone());
            continue;
        }
        let (memory, used) = subject.place(row.kind, row.bytes).map_err(nonsense)?;
        next.push(Arc::new(Arriving::new(Region { id: row.id, kind: row.kind, memory }, used)));
    }
    handle.board().total = rows.iter().map(|r| r.bytes).sum();
    table.before = std::mem::replace(&mut table.now, next);
    Ok(())
}

fn piece(payload: &[u8], state: &mut Vec<u8>) -> Done<()> {
    let (offset, total, bytes) = message::read_pair(payload, "state").map_err(nonsense)?;
    if offset != state.len() as u64 || total > STATE_MAX || offset + bytes.len() as u64 > total {
        return Err(nonsense(format!(
            "a piece of state of {} bytes at {offset:#x} of {total:#x} does not fit; {STATE_MAX:#x} are possible",
            bytes.len()
        )));
    }
    state.extend_from_slice(bytes);
    Ok(())
}

/// Takes over, says so, and runs when told.
fn conclude(subject: &dyn Subject, handle: &Handle, inbox: &Inbox, wire: &mut Wire, all: Arrived) -> Done<()> {
    handle.board().phase = Phase::Check;
    handle.stop.check()?;
    subject.load(&all.state)?;
    let first = if all.absent.is_empty() { Phase::Done } else { Phase::Post };
    if let Some((ram, pages)) = all.absent.into_iter().next() {
        let arriving = inbox.regions.read().unwrap_or_else(PoisonError::into_inner).now.iter().find(|a| a.region.id == ram.id).cloned();
        let arriving = arriving.ok_or_else(|| nonsense("the region of the absent pages is gone".into()))?;
        arriving.touch_all();
        ram.memory.set_absent(pages);
        let _ = inbox.post.set(arriving);
    }
    let done = take_over(subject, handle, wire, first);
    if let (Err(_), Some(arriving), Phase::Go) = (&done, inbox.post.get(), handle.board().phase) {
        // Nobody runs here, and another attempt sends everything.
        arriving.region.memory.set_absent(PageSet::none(0));
    }
    done
}

/// `next`: the phase in which the guest runs.
fn take_over(subject: &dyn Subject, handle: &Handle, wire: &mut Wire, next: Phase) -> Done<()> {
    wire.send(Kind::Ready, &[])?;
    handle.board().phase = Phase::Go;
    let go = Go::read(expect(wire, Phase::Go)?.1).map_err(nonsense)?;
    let arrived = std::time::Instant::now();
    handle.stop.commit()?;
    subject.start(go.stopped_for + arrived.elapsed(), if go.run { Ran::Yes } else { Ran::No })?;
    // The guest is here. Whether the source hears of it or not changes nothing any more.
    {
        let mut board = handle.board();
        board.downtime = Some(go.stopped_for + arrived.elapsed());
        board.phase = next;
    }
    if let Err(broken) = wire.send(Kind::Running, &[]) {
        if next == Phase::Post {
            return Err(broken.into());
        }
        log::warn!(target: "spapr.migrate", "the guest runs here, but the source could not be told ({broken}); it stays paused there");
    }
    Ok(())
}
