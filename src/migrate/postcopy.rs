//! The guest first, the rest of its memory afterwards.
//!
//! For a guest that changes memory faster than it can be sent: the state moves, and with it a list of the pages of RAM that did not ([`Kind::Absent`]). The guest runs on the
//! destination; who touches such a page waits for it (`memory/absent.rs`). Two streams fill the holes: the source sends everything in order, and answers what the destination asks for
//! ([`Kind::Wanted`]) on the last connection, which has nothing else to do then ([`Kind::Turn`]).
//!
//! From *Running* on the guest is in two places: the destination has what changed, the source the pages that never moved. Neither can do without the other, so a broken connection does not
//! end it. The guest waits; the source connects again and hears from the destination what it lacks, which is all that either needs to know.

use crate::memory::PageSet;
use crate::migrate::Failure;
use crate::migrate::Handle;
use crate::migrate::delta::PAGE;
use crate::migrate::delta::Page;
use crate::migrate::frame::Broken;
use crate::migrate::frame::Kind;
use crate::migrate::frame::Wire;
use crate::migrate::link::SLICE;
use crate::migrate::message;
use crate::migrate::nonsense;
use crate::migrate::pages;
use crate::migrate::pages::Arriving;
use crate::migrate::pages::Encoder;
use crate::migrate::pages::Region;
use std::sync::Arc;

type Done<T> = std::result::Result<T, Failure>;

/// Words of a page set in one frame.
const WORDS: usize = 1 << 16;

/// Sends the set of absent pages of region `id`.
pub(super) fn send_absent(wire: &mut Wire, id: u8, pages: &PageSet) -> Done<()> {
    for (k, words) in pages.words().chunks(WORDS).enumerate() {
        let out = wire.payload();
        out.extend_from_slice(&message::pair(u64::from(id), (k * WORDS) as u64));
        words.iter().for_each(|w| out.extend_from_slice(&w.to_be_bytes()));
        wire.flush(Kind::Absent)?;
    }
    Ok(())
}

/// Adds what a frame of [`send_absent`] says to `sets`.
pub(super) fn read_absent(payload: &[u8], find: impl Fn(u8) -> Option<Region>, sets: &mut Vec<(Region, PageSet)>) -> Done<()> {
    let (id, first, bytes) = message::read_pair(payload, "absent").map_err(nonsense)?;
    let region = u8::try_from(id).ok().and_then(find).ok_or_else(|| nonsense(format!("absent: region {id} was never announced")))?;
    let (words, rest) = bytes.as_chunks::<8>();
    let total = region.pages().div_ceil(64);
    if !rest.is_empty() || first + words.len() as u64 > total {
        return Err(nonsense(format!("absent: words {first:#x} and {} more do not fit region {id}", words.len())));
    }
    let mut all = vec![0; total as usize];
    all[first as usize..first as usize + words.len()].iter_mut().zip(words).for_each(|(to, w)| *to = u64::from_be_bytes(*w));
    let set = PageSet::from_words(region.pages(), all).ok_or_else(|| nonsense("absent: pages that do not exist".into()))?;
    match sets.iter_mut().find(|(r, _)| r.id == region.id) {
        Some((_, known)) => known.union(&set),
        None => sets.push((region, set)),
    }
    Ok(())
}

/// Source: answers on the last connection what the guest waits for, until that is over.
pub(super) fn answer(wire: &mut Wire, regions: &[Region], handle: &Handle) -> Done<()> {
    wire.send(Kind::Turn, &[])?;
    loop {
        let (id, page) = match wire.receive()? {
            (Kind::Wanted, payload) => message::read_pair(payload, "wanted").map(|(id, page, _)| (id, page)).map_err(nonsense)?,
            (kind, _) => return Err(nonsense(format!("{kind:?} arrived where only wishes can"))),
        };
        let region = regions.iter().find(|r| u64::from(r.id) == id && page < r.pages());
        let region = region.ok_or_else(|| nonsense(format!("wanted: there is no page {page:#x} in region {id}")))?;
        let mut encoder = Encoder::new(wire.payload(), region.id);
        encoder.push(&region.memory, page, None);
        let tally = encoder.tally;
        wire.flush(Kind::Pages)?;
        let mut board = handle.board();
        board.pages.add(tally);
        board.postcopy_requests += 1;
    }
}

/// Destination: asks on the last connection for what the guest waits for, until it lacks nothing.
pub(super) fn ask(wire: &mut Wire, ram: &Arc<Arriving>, handle: &Handle) -> Done<()> {
    let memory = &ram.region.memory;
    while memory.lacks_pages() {
        let Some(page) = memory.wanted(SLICE) else {
            wire.going_on()?;
            continue;
        };
        handle.board().postcopy_requests += 1;
        let sent = wire.send(Kind::Wanted, &message::pair(u64::from(ram.region.id), page)).and_then(|()| match wire.receive()? {
            (Kind::Pages, payload) => {
                pages::decode(payload, |id| (id == ram.region.id).then_some(&**ram), supply).map_err(Broken::Nonsense)
            }
            (kind, _) => Err(Broken::Nonsense(format!("{kind:?} arrived instead of a page"))),
        });
        if let Err(broken) = sent {
            memory.ask_again(page);
            return Err(broken.into());
        }
    }
    Ok(())
}

/// Puts a page that arrives after the guest.
pub(super) fn supply(to: &Arriving, page: u64, bytes: &Page) {
    to.region.memory.supply(page, bytes);
}

/// Destination: pages on the first connection until the source has sent all and nothing is missing.
pub(super) fn arrive(wire: &mut Wire, ram: &Arc<Arriving>, handle: &Handle) -> Done<()> {
    loop {
        match wire.receive()? {
            (Kind::Pages, payload) => {
                let pages = pages::decode(payload, |id| (id == ram.region.id).then_some(&**ram), supply).map_err(nonsense)?;
                let mut board = handle.board();
                board.transferred += payload.len() as u64;
                board.remaining = board.remaining.saturating_sub(pages * PAGE as u64);
            }
            (Kind::Complete, _) => break,
            (kind, _) => return Err(nonsense(format!("{kind:?} arrived, and only pages can"))),
        }
    }
    // Others may still have some in their hands.
    let since = std::time::Instant::now();
    while ram.region.memory.lacks_pages() {
        if since.elapsed() > wire.stall() {
            return Err(nonsense(format!("the source has sent everything, and {} pages are missing", ram.region.memory.absent().len())));
        }
        wire.going_on()?;
        std::thread::sleep(SLICE / 50);
    }
    wire.send(Kind::Complete, &[])?;
    Ok(())
}
