//! Pages in a frame.
//!
//! ```text
//! payload := region u8 | run*
//! run     := page << 16 | shape << 12 | count - 1, as u64 | body
//! ```
//!
//! A run is `count` consecutive pages of one shape ([`SHAPES`]). The source copies each page once, into the frame itself, and looks at the copy: the guest may change the page
//! meanwhile, and what is checked and what is sent must be the same.

use crate::memory::FLAG_SHIFT;
use crate::memory::GuestMemory;
use crate::migrate::Used;
use crate::migrate::delta;
use crate::migrate::delta::Cache;
use crate::migrate::delta::PAGE;
use crate::migrate::delta::Page;
use crate::migrate::message::RegionKind;
use crate::units::Ra;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Shape and what its body is, for the file format's description.
pub const SHAPES: &[(u8, &str)] = &[
    (ZERO, "pages of zeroes: nothing"),
    (FILL, "pages that repeat one doubleword: that"),
    (DATA, "the pages"),
    (DELTA, "one page that changed little: u16 length, then runs of (skip u16, count u16, doublewords)"),
];
const ZERO: u8 = 0;
const FILL: u8 = 1;
const DATA: u8 = 2;
const DELTA: u8 = 3;
/// Most pages in a run.
const RUN_MAX: u64 = 1 << 12;

/// A memory whose pages are sent or received.
#[derive(Clone)]
pub struct Region {
    /// Names it in frames.
    pub id: u8,
    /// Which memory it is.
    pub kind: RegionKind,
    /// Its bytes.
    pub memory: Arc<GuestMemory>,
}

impl Region {
    /// How many pages it has.
    pub fn pages(&self) -> u64 {
        self.memory.size() >> FLAG_SHIFT
    }
}

/// What pages came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Pages that were zero or one repeated doubleword.
    pub uniform: u64,
    /// Pages sent whole.
    pub whole: u64,
    /// Pages sent as a delta.
    pub delta: u64,
    /// Bytes of those deltas.
    pub delta_bytes: u64,
    /// Pages that had no copy to be compared with.
    pub missed: u64,
    /// Pages that had changed too much for a delta.
    pub overflow: u64,
}

impl Tally {
    /// All pages.
    pub fn pages(&self) -> u64 {
        self.uniform + self.whole + self.delta
    }

    /// Adds another count.
    pub fn add(&mut self, o: Tally) {
        self.uniform += o.uniform;
        self.whole += o.whole;
        self.delta += o.delta;
        self.delta_bytes += o.delta_bytes;
        self.missed += o.missed;
        self.overflow += o.overflow;
    }
}

/// Writes the runs of one frame.
pub struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    /// Where the last run's head is, its shape, the page after it, and its doubleword.
    last: Option<(usize, u8, u64, [u8; 8])>,
    /// What was written.
    pub tally: Tally,
}

impl<'a> Encoder<'a> {
    /// Begins a frame of `region`'s pages at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, region: u8) -> Encoder<'a> {
        out.push(region);
        Encoder { out, last: None, tally: Tally::default() }
    }

    /// Bytes in the frame so far.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether the frame has no page yet.
    pub fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Appends `page`. With a cache, and the page's key there, as a delta if it can be; the cache learns what was sent.
    pub fn push(&mut self, memory: &GuestMemory, page: u64, cache: Option<(&mut Cache, u64)>) {
        let extends = |e: &Self, shape: u8, word: [u8; 8]| e.last.filter(|l| l.1 == shape && l.2 == page && l.3 == word).map(|l| l.0);
        let start = self.out.len();
        // The copy goes where it would be sent from: behind a head, or behind the last page of the run.
        let run = extends(self, DATA, [0; 8]);
        let body = if run.is_some() { start } else { start + 8 };
        self.out.resize(body + PAGE, 0);
        memory.read(Ra(page << FLAG_SHIFT), &mut self.out[body..]).expect("the page lies in its region");
        let copy: &Page = self.out[body..].first_chunk().expect("a page was just copied there");
        if let Some(word) = delta::uniform(copy) {
            self.out.truncate(start);
            if let Some((cache, key)) = cache {
                cache.forget(key);
            }
            let shape = if word == [0; 8] { ZERO } else { FILL };
            if !self.extend(extends(self, shape, word), page) {
                self.head(page, shape, word);
                if shape == FILL {
                    self.out.extend_from_slice(&word);
                }
            }
            self.tally.uniform += 1;
            return;
        }
        if let Some((cache, key)) = cache {
            let copy = *copy;
            match cache.get(key) {
                Some(old) => {
                    let mut bytes = std::mem::take(self.out);
                    bytes.truncate(start);
                    bytes.extend_from_slice(&[0; 10]);
                    let shorter = delta::encode(old, &copy, &mut bytes);
                    *old = copy;
                    *self.out = bytes;
                    if shorter {
                        let length = (self.out.len() - start - 10) as u16;
                        self.out[start..start + 8].copy_from_slice(&head(page, DELTA).to_be_bytes());
                        self.out[start + 8..start + 10].copy_from_slice(&length.to_be_bytes());
                        self.last = Some((start, DELTA, u64::MAX, [0; 8]));
                        self.tally.delta += 1;
                        self.tally.delta_bytes += u64::from(length);
                        return;
                    }
                    self.tally.overflow += 1;
                    self.out.truncate(start);
                    self.out.resize(body, 0);
                    self.out.extend_from_slice(&copy);
                }
                None => {
                    cache.put(key, &copy);
                    self.tally.missed += 1;
                }
            }
        }
        if !self.extend(run, page) {
            if run.is_some() {
                // The run is as long as a run can be: its head goes before the page.
                self.out.splice(start..start, [0; 8]);
            }
            self.out[start..start + 8].copy_from_slice(&head(page, DATA).to_be_bytes());
            self.last = Some((start, DATA, page + 1, [0; 8]));
        }
        self.tally.whole += 1;
    }

    /// Appends a page that is known to be zero.
    pub fn zero(&mut self, page: u64) {
        let run = self.last.filter(|l| l.1 == ZERO && l.2 == page).map(|l| l.0);
        if !self.extend(run, page) {
            self.head(page, ZERO, [0; 8]);
        }
        self.tally.uniform += 1;
    }

    fn head(&mut self, page: u64, shape: u8, word: [u8; 8]) {
        self.last = Some((self.out.len(), shape, page + 1, word));
        self.out.extend_from_slice(&head(page, shape).to_be_bytes());
    }

    /// Counts one page more in the run at `at`, if there is one and it has room.
    fn extend(&mut self, at: Option<usize>, page: u64) -> bool {
        let (Some(at), Some(last)) = (at, self.last.as_mut()) else { return false };
        let count = u16::from_be_bytes([self.out[at + 6], self.out[at + 7]]);
        if u64::from(count & 0xfff) + 1 == RUN_MAX {
            return false;
        }
        self.out[at + 6..at + 8].copy_from_slice(&(count + 1).to_be_bytes());
        last.2 = page + 1;
        true
    }
}

fn head(page: u64, shape: u8) -> u64 {
    page << 16 | u64::from(shape) << 12
}

/// A region that is received.
pub struct Arriving {
    /// The memory.
    pub region: Region,
    /// Pages that something was written to: the others are still the zeroes that memory starts with.
    touched: Box<[AtomicU64]>,
}

impl Arriving {
    /// A memory that is to be filled.
    pub fn new(region: Region, used: Used) -> Arriving {
        let (words, touched) = (region.pages().div_ceil(64), if used == Used::Yes { u64::MAX } else { 0 });
        Arriving { region, touched: (0..words).map(|_| AtomicU64::new(touched)).collect() }
    }

    /// From now on every page counts as written to.
    pub fn touch_all(&self) {
        self.touched.iter().for_each(|w| w.store(u64::MAX, Ordering::Relaxed));
    }

    fn touch(&self, page: u64) -> bool {
        let bit = 1 << (page % 64);
        self.touched[(page / 64) as usize].fetch_or(bit, Ordering::Relaxed) & bit != 0
    }

    fn touched(&self, page: u64) -> bool {
        self.touched[(page / 64) as usize].load(Ordering::Relaxed) >> (page % 64) & 1 != 0
    }
}

/// Writes the pages of a frame to their memory, through `put`; how many they were.
///
/// # Errors
/// The payload is not what [`Encoder`] writes, or names what is not there.
pub fn decode<'r>(payload: &[u8], region: impl Fn(u8) -> Option<&'r Arriving>, put: impl Fn(&Arriving, u64, &Page)) -> Result<u64, String> {
    let (id, mut rest) = payload.split_first().ok_or("pages: the frame is empty")?;
    let to = region(*id).ok_or_else(|| format!("pages: region {id} was never announced"))?;
    let mut pages = 0;
    while let Some((head, body)) = rest.split_first_chunk::<8>() {
        let head = u64::from_be_bytes(*head);
        let (first, shape, count) = (head >> 16, (head >> 12 & 15) as u8, (head & 0xfff) + 1);
        if first + count > to.region.pages() {
            return Err(format!(
                "pages: {first:#x} and the {count} from there on are not all in region {id} of {:#x} pages",
                to.region.pages()
            ));
        }
        pages += count;
        rest = run(to, first, shape, count, body, &put)?;
    }
    if rest.is_empty() { Ok(pages) } else { Err(format!("pages: {} bytes too many", rest.len())) }
}

fn run<'a>(
    to: &Arriving,
    first: u64,
    shape: u8,
    count: u64,
    body: &'a [u8],
    put: &impl Fn(&Arriving, u64, &Page),
) -> Result<&'a [u8], String> {
    let cut = |n: usize| {
        body.split_at_checked(n).ok_or_else(|| format!("pages: shape {shape} at {first:#x} wants {n} bytes, {} are left", body.len()))
    };
    match shape {
        ZERO => {
            (first..first + count).filter(|p| to.touched(*p)).for_each(|p| put(to, p, &[0; PAGE]));
            Ok(body)
        }
        FILL => {
            let (word, rest) = cut(8)?;
            let page: Page = std::array::from_fn(|k| word[k % 8]);
            for p in first..first + count {
                to.touch(p);
                put(to, p, &page);
            }
            Ok(rest)
        }
        DATA => {
            let (data, rest) = cut(count as usize * PAGE)?;
            for (p, page) in (first..).zip(data.as_chunks::<PAGE>().0) {
                to.touch(p);
                put(to, p, page);
            }
            Ok(rest)
        }
        DELTA => {
            let (length, _) = cut(2)?;
            let (delta, rest) = cut(2 + usize::from(u16::from_be_bytes([length[0], length[1]])))?;
            let mut page = [0; PAGE];
            to.region.memory.read(Ra(first << FLAG_SHIFT), &mut page).map_err(|_| format!("pages: page {first:#x} is no memory"))?;
            if count != 1 || !delta::apply(&mut page, &delta[2..]) {
                return Err(format!("pages: the delta for page {first:#x} is malformed"));
            }
            to.touch(first);
            put(to, first, &page);
            Ok(rest)
        }
        other => Err(format!("pages: shape {other} is unknown")),
    }
}

/// Writes a page to its memory: what [`decode`] is mostly given.
pub fn put(to: &Arriving, page: u64, bytes: &Page) {
    to.region.memory.write(Ra(page << FLAG_SHIFT), bytes).expect("decode checks that the page lies in the region");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::proptest;

    const PAGES: u64 = 5000;

    fn region(bytes: u64) -> Region {
        Region { id: 1, kind: RegionKind::Ram, memory: Arc::new(GuestMemory::new(bytes).unwrap()) }
    }

    #[test]
    fn every_shape_arrives_and_runs_are_joined() {
        let (from, to) = (region(PAGES * 4096), Arriving::new(region(PAGES * 4096), Used::No));
        let at = |p: u64| Ra(p * 4096);
        from.memory.fill(at(3), 4096 * 4, 0xab).unwrap();
        (10..20u64).for_each(|p| from.memory.write_u64(at(p), p).unwrap());
        let (mut out, mut cache) = (Vec::new(), Cache::new(64));
        let mut e = Encoder::new(&mut out, 1);
        (0..PAGES).for_each(|p| e.push(&from.memory, p, None));
        (10..14).for_each(|p| e.push(&from.memory, p, Some((&mut cache, p))));
        (10..12u64).for_each(|p| from.memory.write_u64(at(p + 1), 1).unwrap());
        (10..14).for_each(|p| e.push(&from.memory, p, Some((&mut cache, p))));
        let t = e.tally;
        assert_eq!((t.uniform, t.whole, t.delta, t.missed), (PAGES - 10, 14, 4, 4));
        let heads = 3 * 8 + 8 + 8 + 8 + 8 + 8;
        assert!(out.len() < 14 * 4096 + heads + 100, "{}", out.len());
        assert_eq!(decode(&out, |id| (id == 1).then_some(&to), put), Ok(PAGES + 8));
        for p in 0..PAGES {
            let (mut a, mut b) = ([0; PAGE], [0; PAGE]);
            from.memory.read(at(p), &mut a).unwrap();
            to.region.memory.read(at(p), &mut b).unwrap();
            assert!(a == b, "page {p}");
        }
        // What was touched and is zero now becomes zero.
        from.memory.fill(at(10), 4096, 0).unwrap();
        let mut out = Vec::new();
        Encoder::new(&mut out, 1).push(&from.memory, 10, None);
        decode(&out, |_| Some(&to), put).unwrap();
        assert_eq!(to.region.memory.read_u64(at(10)), Ok(0));
    }

    #[test]
    fn a_run_of_data_has_an_end() {
        let from = region((RUN_MAX + 10) * 4096);
        (0..RUN_MAX + 10).for_each(|p| from.memory.write_u64(Ra(p * 4096), p + 1).unwrap());
        let mut out = Vec::new();
        let mut e = Encoder::new(&mut out, 1);
        (0..RUN_MAX + 10).for_each(|p| e.push(&from.memory, p, None));
        let to = Arriving::new(region((RUN_MAX + 10) * 4096), Used::No);
        assert_eq!(decode(&out, |_| Some(&to), put), Ok(RUN_MAX + 10));
        assert_eq!(to.region.memory.read_u64(Ra((RUN_MAX + 9) * 4096)), Ok(RUN_MAX + 10));
        assert_eq!(to.region.memory.read_u64(Ra(RUN_MAX * 4096)), Ok(RUN_MAX + 1));
    }

    proptest! {
        #[test]
        fn any_payload_is_pages_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let to = Arriving::new(region(1 << 16), Used::No);
            let _ = decode(&payload, |id| (id < 128).then_some(&to), put);
        }
    }

    #[test]
    fn what_is_cut_short_is_refused() {
        let from = region(1 << 16);
        from.memory.write_u64(Ra(0x1000), 5).unwrap();
        from.memory.fill(Ra(0x2000), 4096, 3).unwrap();
        let (mut out, mut cache) = (Vec::new(), Cache::new(4));
        let mut e = Encoder::new(&mut out, 1);
        e.push(&from.memory, 1, Some((&mut cache, 1)));
        e.push(&from.memory, 2, None);
        from.memory.write_u64(Ra(0x1008), 5).unwrap();
        e.push(&from.memory, 1, Some((&mut cache, 1)));
        let to = Arriving::new(region(1 << 16), Used::No);
        let ends: Vec<usize> = (0..out.len()).filter(|n| decode(&out[..*n], |_| Some(&to), put).is_ok()).collect();
        // Only where a run ends.
        assert_eq!(ends, [1, 1 + 8 + 4096, 1 + 8 + 4096 + 16]);
        assert!(decode(&out, |_| None, put).unwrap_err().contains("never announced"));
    }
}
