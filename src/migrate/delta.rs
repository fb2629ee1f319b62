//! What has changed in a page since it was sent last.
//!
//! A guest that changes pages faster than they can be sent mostly changes little of each. The source keeps copies of pages that it sent more than once and sends the changed
//! doublewords only: a list of (doublewords to skip, doublewords that follow, these) with 16-bit counts. The cache is direct-mapped: a page that meets another
//! in its slot takes it, since pages that change often come back soon.

use crate::memory::FLAG_SHIFT;

/// Bytes of a page.
pub const PAGE: usize = 1 << FLAG_SHIFT;
/// A longer delta is not worth it.
pub const DELTA_MAX: usize = 1500;
const WORDS: usize = PAGE / 8;

/// A page's bytes.
pub type Page = [u8; PAGE];

fn words(page: &Page) -> impl Iterator<Item = u64> + '_ {
    page.as_chunks::<8>().0.iter().map(|w| u64::from_ne_bytes(*w))
}

/// The doubleword that the whole page consists of, if there is one.
pub fn uniform(page: &Page) -> Option<[u8; 8]> {
    let (words, _) = page.as_chunks::<8>();
    let first = words[0];
    // In pieces that are compared as a whole, and given up at the first that differs.
    words
        .chunks_exact(32)
        .all(|piece| piece.iter().fold(0, |d, w| d | (u64::from_ne_bytes(*w) ^ u64::from_ne_bytes(first))) == 0)
        .then_some(first)
}

/// Appends to `out` what turns `old` into `new`. `false`: it would be longer than [`DELTA_MAX`]; `out` is as it was.
pub fn encode(old: &Page, new: &Page, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    let (old_words, new_words) = (old.as_chunks::<8>().0, new.as_chunks::<8>().0);
    let (mut at, mut written) = (0, 0);
    while at < WORDS {
        // Equal stretches are found in larger pieces.
        if at % 8 == 0 && old_words[at..at + 8] == new_words[at..at + 8] {
            at += 8;
            continue;
        }
        if old_words[at] == new_words[at] {
            at += 1;
            continue;
        }
        let from = at;
        while at < WORDS && old_words[at] != new_words[at] {
            at += 1;
        }
        if out.len() - start + 4 + (at - from) * 8 > DELTA_MAX {
            out.truncate(start);
            return false;
        }
        out.extend_from_slice(&((from - written) as u16).to_be_bytes());
        out.extend_from_slice(&((at - from) as u16).to_be_bytes());
        new_words[from..at].iter().for_each(|w| out.extend_from_slice(w));
        written = at;
    }
    true
}

/// Applies a delta to a page. `false`: it is malformed, and the page is spoilt.
pub fn apply(page: &mut Page, mut delta: &[u8]) -> bool {
    let mut at = 0;
    while let Some((head, rest)) = delta.split_first_chunk::<4>() {
        let (skip, count) = (usize::from(u16::from_be_bytes([head[0], head[1]])), usize::from(u16::from_be_bytes([head[2], head[3]])));
        let (from, bytes) = ((at + skip) * 8, count * 8);
        if count == 0 || from + bytes > PAGE || bytes > rest.len() {
            return false;
        }
        page[from..from + bytes].copy_from_slice(&rest[..bytes]);
        delta = &rest[bytes..];
        at += skip + count;
    }
    delta.is_empty()
}

/// Copies of pages as the destination has them.
pub struct Cache {
    slots: Vec<Option<(u64, Box<Page>)>>,
}

impl Cache {
    /// Room for `pages` of them, which takes memory only as it is used.
    pub fn new(pages: usize) -> Cache {
        Cache { slots: (0..pages).map(|_| None).collect() }
    }

    fn slot(&mut self, page: u64) -> Option<&mut Option<(u64, Box<Page>)>> {
        let count = self.slots.len() as u64;
        self.slots.get_mut(page.checked_rem(count)? as usize)
    }

    /// The copy of `page`.
    pub fn get(&mut self, page: u64) -> Option<&mut Page> {
        self.slot(page)?.as_mut().filter(|s| s.0 == page).map(|s| &mut *s.1)
    }

    /// The destination has `bytes` as `page` now.
    pub fn put(&mut self, page: u64, bytes: &Page) {
        match self.slot(page) {
            None => {}
            Some(Some(slot)) => {
                slot.0 = page;
                *slot.1 = *bytes;
            }
            Some(empty) => *empty = Some((page, Box::new(*bytes))),
        }
    }

    /// The destination's `page` is not what the cache has.
    pub fn forget(&mut self, page: u64) {
        if let Some(slot) = self.slot(page)
            && slot.as_ref().is_some_and(|s| s.0 == page)
        {
            *slot = None;
        }
    }
}

/// Whether every doubleword of the page is zero.
pub fn is_zero(page: &Page) -> bool {
    words(page).all(|w| w == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::any;
    use proptest::prop_assert;
    use proptest::proptest;

    proptest! {
        #[test]
        fn a_delta_makes_the_new_page_of_the_old_one(changes in proptest::collection::vec((0..PAGE, any::<u8>()), 0..300), fill in any::<u8>()) {
            let old = [fill; PAGE];
            let mut new = old;
            changes.iter().for_each(|(at, v)| new[*at] = *v);
            let mut delta = vec![1, 2, 3];
            if encode(&old, &new, &mut delta) {
                let mut page = old;
                prop_assert!(apply(&mut page, &delta[3..]) && page == new);
            } else {
                prop_assert!(delta == [1, 2, 3]);
            }
        }

        #[test]
        fn any_bytes_are_a_delta_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            apply(&mut [0; PAGE], &bytes);
        }
    }

    #[test]
    fn one_changed_doubleword_is_a_dozen_bytes() {
        let (old, mut new, mut out) = ([5; PAGE], [5; PAGE], Vec::new());
        new[4095] = 6;
        assert!(encode(&old, &new, &mut out));
        assert_eq!(out.len(), 12);
        out.clear();
        assert!(!encode(&old, &[6; PAGE], &mut out));
    }

    #[test]
    fn uniform_pages_are_recognised() {
        assert_eq!(uniform(&[0; PAGE]), Some([0; 8]));
        assert_eq!(uniform(&[9; PAGE]), Some([9; 8]));
        for at in [0, 7, 8, 2000, 4095] {
            let mut page = [9; PAGE];
            page[at] = 8;
            assert_eq!(uniform(&page), None, "{at}");
        }
        assert!(is_zero(&[0; PAGE]) && !is_zero(&[1; PAGE]));
    }

    #[test]
    fn a_page_takes_the_slot_of_another() {
        let mut c = Cache::new(4);
        c.put(1, &[1; PAGE]);
        assert!(c.get(1).is_some() && c.get(5).is_none());
        c.put(5, &[5; PAGE]);
        assert!(c.get(1).is_none() && c.get(5).is_some());
        c.forget(1);
        c.forget(5);
        assert!(c.get(5).is_none());
        Cache::new(0).put(0, &[0; PAGE]);
    }
}
