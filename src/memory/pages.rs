//! A set of 4 KiB pages: what a dirty log gives, and what is still to be sent.

/// Pages by number, from 0 up to a fixed count.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PageSet {
    words: Vec<u64>,
    pages: u64,
}

impl PageSet {
    /// No page out of `pages`.
    pub fn none(pages: u64) -> PageSet {
        PageSet { words: vec![0; pages.div_ceil(64) as usize], pages }
    }

    /// All of `pages`.
    pub fn all(pages: u64) -> PageSet {
        let mut set = PageSet { words: vec![u64::MAX; pages.div_ceil(64) as usize], pages };
        if let (Some(last), 1..) = (set.words.last_mut(), pages % 64) {
            *last = (1 << (pages % 64)) - 1;
        }
        set
    }

    /// A set of `pages` pages from words of 64 pages each, the lowest page in the lowest bit. `None`: the words are too few or too many, or
    /// name pages that do not exist.
    pub fn from_words(pages: u64, words: Vec<u64>) -> Option<PageSet> {
        let set = PageSet { words, pages };
        let stray = |last: &u64| !pages.is_multiple_of(64) && *last >> (pages % 64) != 0;
        (set.words.len() as u64 == pages.div_ceil(64) && !set.words.last().is_some_and(stray)).then_some(set)
    }

    /// The words of [`PageSet::from_words`].
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// How many pages there could be.
    pub fn capacity(&self) -> u64 {
        self.pages
    }

    /// How many are in the set.
    pub fn len(&self) -> u64 {
        self.words.iter().map(|w| u64::from(w.count_ones())).sum()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|w| *w == 0)
    }

    /// Whether `page` is.
    pub fn contains(&self, page: u64) -> bool {
        self.words.get((page / 64) as usize).is_some_and(|w| w >> (page % 64) & 1 != 0)
    }

    /// Puts `page` in; pages that do not exist are left out.
    pub fn insert(&mut self, page: u64) {
        if page < self.pages {
            self.words[(page / 64) as usize] |= 1 << (page % 64);
        }
    }

    /// Takes `page` out; whether it was in.
    pub fn remove(&mut self, page: u64) -> bool {
        let had = self.contains(page);
        if had {
            self.words[(page / 64) as usize] &= !(1 << (page % 64));
        }
        had
    }

    /// Puts the pages of `other` in.
    pub fn union(&mut self, other: &PageSet) {
        self.words.iter_mut().zip(&other.words).for_each(|(a, b)| *a |= b);
    }

    /// Puts in the pages that `word` names for the 64 pages from `64 * index` on.
    pub(super) fn insert_word(&mut self, index: usize, word: u64) {
        self.words[index] |= word;
    }

    /// The first page of the set at or after `from`.
    pub fn next(&self, from: u64) -> Option<u64> {
        let mut index = (from / 64) as usize;
        let mut word = self.words.get(index)? & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            word = *self.words.get(index)?;
        }
        Some(index as u64 * 64 + u64::from(word.trailing_zeros()))
    }

    /// The pages in order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        let mut at = self.next(0);
        std::iter::from_fn(move || {
            let page = at?;
            at = self.next(page + 1);
            Some(page)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_found_and_bounded() {
        let mut set = PageSet::none(130);
        [0, 63, 64, 129, 130, 5000].into_iter().for_each(|p| set.insert(p));
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 129]);
        assert_eq!((set.len(), set.next(65), set.next(130), set.contains(130)), (4, Some(129), None, false));
        assert!(set.remove(63) && !set.remove(63));
        assert_eq!(PageSet::all(130).len(), 130);
        assert_eq!(PageSet::all(128).len(), 128);
    }

    #[test]
    fn words_that_name_no_page_are_refused() {
        let set = PageSet::all(70);
        assert_eq!(PageSet::from_words(70, set.words().to_vec()), Some(set));
        assert_eq!(PageSet::from_words(70, vec![0, 1 << 6]), None);
        assert_eq!(PageSet::from_words(70, vec![0]), None);
        assert_eq!(PageSet::from_words(70, vec![0; 3]), None);
    }
}
