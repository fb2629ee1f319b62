//! Where RAM's pages come from: plain memory, and files in memory that a machine shares with what is forked from it.
//!
//! RAM shows an [`Image`], which never changes and which any number of machines can map, and private copies of the pages that were written since. An image is a
//! list of pieces, each from some file in memory (a memfd) or from nowhere (zeros); fresh RAM is one piece from nowhere. To freeze RAM, its own pages, and no
//! others, are written into another file, and the mapping is replaced, in place, by one of the new image. So forks of forks work, and each generation costs what it has written.
//!
//! The number of pieces is bounded, because the kernel's number of mappings is: small gaps are copied along, and an image in too many pieces is written whole.
// UNSAFETY: mmap over RAM's own mapping.
#![expect(unsafe_code, reason = "maps files over guest RAM; see docs/safety.md")]

use crate::memory::FLAG_SHIFT;
use rustix::fs::MemfdFlags;
use rustix::fs::SealFlags;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use rustix::mm::MapFlags;
use rustix::mm::ProtFlags;
use std::fs::File;
use std::io::Result;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

const PAGE: u64 = 1 << FLAG_SHIFT;
/// Bytes that can be mapped by themselves: a page of the host's, which may be larger than ours.
fn granule() -> u64 {
    (rustix::param::page_size() as u64).max(PAGE)
}

/// Most pieces that one freeze adds.
const RUNS_MAX: usize = 256;
/// An image of more pieces is written whole at the next freeze.
const PIECES_MAX: usize = 2048;
/// Page map entries read at a time.
const ENTRIES: usize = 1 << 15;

/// A file in memory of `size` zeros, which nobody can make shorter.
fn memory_file(size: u64) -> Result<File> {
    let file = File::from(rustix::fs::memfd_create("spapr-ram", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    file.set_len(size)?;
    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(file)
}

/// Consecutive pages of an image.
#[derive(Clone, Debug)]
struct Piece {
    range: Range<u64>,
    /// The file that has them at the same offset; `None`: they are zero.
    from: Option<Arc<File>>,
}

/// Frozen RAM: pages that never change, shared by whoever maps them.
#[derive(Debug)]
pub struct Image {
    size: u64,
    /// Sorted, without gaps.
    pieces: Vec<Piece>,
}

impl Image {
    /// `size` bytes of zeros.
    pub(super) fn zeros(size: u64) -> Image {
        Image { size, pieces: vec![Piece { range: 0..size, from: None }] }
    }

    /// Bytes of RAM.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The runs that may hold something else than zeros, in order.
    fn runs(&self) -> Result<Vec<Range<u64>>> {
        let mut all = Vec::new();
        for piece in &self.pieces {
            if let Some(file) = &piece.from {
                data_of(file, piece.range.clone(), &mut all)?;
            }
        }
        Ok(all)
    }

    /// Maps the image privately over the `size` bytes at `base`.
    ///
    /// # Safety
    /// They are one mapping of the caller's, and nothing in the process holds a Rust reference into it.
    pub(super) unsafe fn map_over(&self, base: *mut u8) -> Result<()> {
        for Piece { range, from } in &self.pieces {
            let bytes = (range.end - range.start) as usize;
            let (access, how) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED);
            // SAFETY: pieces lie inside `size`, so inside the caller's mapping, which may be replaced by contract; the file is at least
            // that long and cannot be made shorter.
            unsafe {
                let at = base.add(range.start as usize).cast();
                match from {
                    Some(file) => rustix::mm::mmap(at, bytes, access, how, file, range.start)?,
                    None => rustix::mm::mmap_anonymous(at, bytes, access, how)?,
                };
            }
        }
        Ok(())
    }

    /// The image with the pages of `runs` from `file` instead.
    fn with(&self, file: &Arc<File>, runs: &[Range<u64>]) -> Image {
        let mut pieces = Vec::new();
        let mut runs = runs.iter().cloned().peekable();
        let mut add = |range: Range<u64>, from: Option<Arc<File>>| {
            if !range.is_empty() {
                pieces.push(Piece { range, from });
            }
        };
        for Piece { range, from } in &self.pieces {
            let mut at = range.start;
            while let Some(run) = runs.peek_mut().filter(|run| run.start < range.end) {
                add(at..run.start.max(at), from.clone());
                let end = run.end.min(range.end);
                add(run.start..end, Some(Arc::clone(file)));
                at = end;
                if run.end > range.end {
                    // The rest of the run lies over the next piece.
                    run.start = range.end;
                    break;
                }
                runs.next();
            }
            add(at..range.end, from.clone());
        }
        Image { size: self.size, pieces }
    }
}

impl Image {
    /// The runs of RAM that shows this image, mapped at `base`, that may hold something else than zeros, in order.
    pub(super) fn runs_with_own(&self, base: *const u8) -> Result<Vec<Range<u64>>> {
        let mut all = self.runs()?;
        all.extend(private_runs(base, self.size));
        all.sort_by_key(|run| run.start);
        Ok(joined(&all, 0))
    }

    /// The image of what RAM that shows this one, mapped at `base`, holds now. `copy` reads RAM; zero pages need not be written. The mapping itself is not touched.
    pub(super) fn frozen(self: &Arc<Image>, base: *const u8, copy: impl Fn(u64, &mut [u8])) -> Result<Arc<Image>> {
        let whole = self.pieces.len() > PIECES_MAX;
        let runs = if whole { self.runs_with_own(base)? } else { private_runs(base, self.size) };
        if runs.is_empty() {
            return Ok(Arc::clone(self));
        }
        let runs = bounded(&runs);
        let file = Arc::new(memory_file(self.size)?);
        let mut buffer = vec![0; 1 << 20];
        for run in &runs {
            for at in run.clone().step_by(buffer.len()) {
                let bytes = (run.end - at).min(buffer.len() as u64) as usize;
                copy(at, &mut buffer[..bytes]);
                data_pages(&buffer[..bytes], |offset, data| file.write_all_at(data, at + offset as u64))?;
            }
        }
        Ok(Arc::new(if whole { Image::zeros(self.size).with(&file, &runs) } else { self.with(&file, &runs) }))
    }
}

/// Calls `each` for the longest runs of pages of `bytes` that are not all zero, with their offset.
pub(super) fn data_pages<E>(bytes: &[u8], mut each: impl FnMut(usize, &[u8]) -> std::result::Result<(), E>) -> std::result::Result<(), E> {
    let page = PAGE as usize;
    let is_zero = |at: usize| {
        let (words, rest) = bytes[at..bytes.len().min(at + page)].as_chunks::<16>();
        words.iter().all(|w| u128::from_ne_bytes(*w) == 0) && rest.iter().all(|b| *b == 0)
    };
    let mut at = 0;
    while at < bytes.len() {
        if is_zero(at) {
            at += page;
            continue;
        }
        let mut end = at + page;
        while end < bytes.len() && !is_zero(end) {
            end += page;
        }
        let end = end.min(bytes.len());
        each(at, &bytes[at..end])?;
        at = end;
    }
    Ok(())
}

/// Runs with gaps of up to `gap` bytes closed.
fn joined(runs: &[Range<u64>], gap: u64) -> Vec<Range<u64>> {
    let mut all: Vec<Range<u64>> = Vec::new();
    for run in runs {
        match all.last_mut() {
            Some(last) if run.start <= last.end + gap => last.end = last.end.max(run.end),
            Some(_) | None => all.push(run.clone()),
        }
    }
    all
}

/// Runs with as many gaps closed as it takes to have few of them.
fn bounded(runs: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut gap = 0;
    loop {
        let fewer = joined(runs, gap);
        if fewer.len() <= RUNS_MAX {
            return fewer;
        }
        gap = (gap * 2).max(granule());
    }
}

/// Appends the runs of `range` that the file has storage for.
fn data_of(file: &File, range: Range<u64>, to: &mut Vec<Range<u64>>) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
            Ok(start) if start < range.end => start,
            // Nothing follows.
            Ok(_) | Err(Errno::NXIO) => return Ok(()),
            Err(e) => return Err(e.into()),
        };
        let end = rustix::fs::seek(file, SeekFrom::Hole(start))?;
        let (start, end) = (start & !(granule() - 1), end.next_multiple_of(granule()).min(range.end));
        to.push(start..end);
        at = end;
    }
    Ok(())
}

/// The runs of pages that are the mapping's own, as the kernel's page map tells (proc_pid_pagemap(5)). Where it cannot be read: all.
fn private_runs(base: *const u8, size: u64) -> Vec<Range<u64>> {
    const PRESENT_OR_SWAPPED: u64 = 3 << 62;
    const FILE_OR_SHARED: u64 = 1 << 61;
    let everything = || std::iter::once(0..size).collect();
    let Ok(map) = File::open("/proc/self/pagemap") else { return everything() };
    let mut buffer = vec![0; ENTRIES * 8];
    let mut runs: Vec<Range<u64>> = Vec::new();
    let page = granule();
    let (first, pages) = (base as u64 / page, size / page);
    for from in (0..pages).step_by(ENTRIES) {
        let bytes = &mut buffer[..(pages - from).min(ENTRIES as u64) as usize * 8];
        if map.read_exact_at(bytes, (first + from) * 8).is_err() {
            return everything();
        }
        for (n, entry) in bytes.as_chunks::<8>().0.iter().enumerate() {
            let entry = u64::from_ne_bytes(*entry);
            if entry & PRESENT_OR_SWAPPED == 0 || entry & FILE_OR_SHARED != 0 {
                continue;
            }
            let at = (from + n as u64) * page;
            match runs.last_mut() {
                Some(last) if last.end == at => last.end += page,
                Some(_) | None => runs.push(at..at + page),
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(image: &Image) -> Vec<(u64, u64, bool)> {
        image.pieces.iter().map(|p| (p.range.start / PAGE, p.range.end / PAGE, p.from.is_some())).collect()
    }

    #[test]
    fn runs_lie_over_pieces() {
        let file = Arc::new(memory_file(16 * PAGE).unwrap());
        let nothing = Image::zeros(16 * PAGE);
        let one = nothing.with(&file, &[2 * PAGE..4 * PAGE, 8 * PAGE..9 * PAGE]);
        assert_eq!(shape(&one), [(0, 2, false), (2, 4, true), (4, 8, false), (8, 9, true), (9, 16, false)]);
        let two = one.with(&file, &[0..PAGE, 3 * PAGE..8 * PAGE, 15 * PAGE..16 * PAGE]);
        let covered: Vec<(u64, u64, bool)> = shape(&two);
        assert_eq!(covered.first(), Some(&(0, 1, true)));
        assert_eq!(covered.last(), Some(&(15, 16, true)));
        assert!(covered.windows(2).all(|w| w[0].1 == w[1].0), "{covered:?}");
        assert_eq!(covered.iter().filter(|p| p.2).map(|p| p.1 - p.0).sum::<u64>(), 1 + 1 + 5 + 1 + 1);
        assert_eq!(shape(&one.with(&file, &[])), shape(&one));
    }

    #[test]
    fn many_runs_become_few_and_lose_nothing() {
        let runs: Vec<Range<u64>> = (0..5000).map(|n| n * 3 * PAGE..(n * 3 + 1) * PAGE).collect();
        let few = bounded(&runs);
        assert!(few.len() <= RUNS_MAX);
        assert!(runs.iter().all(|r| few.iter().any(|f| f.start <= r.start && r.end <= f.end)));
    }

    #[test]
    fn zero_pages_are_found() {
        let mut bytes = vec![0; 5 * PAGE as usize];
        bytes[PAGE as usize + 7] = 1;
        bytes[3 * PAGE as usize - 1] = 1;
        bytes[5 * PAGE as usize - 1] = 1;
        let mut found = Vec::new();
        data_pages(&bytes, |at, data| {
            found.push((at as u64 / PAGE, data.len() as u64 / PAGE));
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!(found, [(1, 2), (4, 1)]);
    }
}
