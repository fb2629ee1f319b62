//! Streams for people: every section by name, memory where it is asked for, the hash table's entries, and what differs between two streams.
//!
//! Opening checks every byte once and keeps the sections and the places of the chunks; memory stays in the file and is read when it is looked at. So a stream of
//! any size can be opened, also one that no machine here could load.

use crate::error::Error;
use crate::error::Result;
use crate::mmu::hpt::Hpte;
use crate::state::Packed;
use crate::state::Value;
use crate::state::bulk;
use crate::state::stream::Frame;
use crate::state::stream::StreamReader;
use crate::state::value;
use crate::state::value::Difference;
use crate::vm::saved::show;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes read at a time.
const BUFFER: usize = 1 << 20;
const PAGE: u64 = 4096;

/// Where a chunk lies in the file.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    /// Bytes of memory.
    bytes: u64,
    /// Offset and length of its payload.
    at: u64,
    stored: usize,
}

/// A section in words.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Which one of that kind.
    pub instance: u32,
    /// Its fields.
    pub value: Value,
}

/// An opened stream.
#[derive(Debug)]
pub struct Stream {
    file: File,
    sections: Vec<Shown>,
    memory: BTreeMap<String, BTreeMap<u64, Chunk>>,
}

fn shown(section: &Packed) -> Result<Shown> {
    let value = match show(section) {
        Err(_) if section.ancillary => Value::Bytes(section.bytes.clone()),
        other => other?,
    };
    Ok(Shown { name: section.name.clone(), instance: section.instance, value })
}

impl Stream {
    /// Opens a stream and checks all of it.
    ///
    /// # Errors
    /// It cannot be read or is damaged; what is wrong is named.
    pub fn open(path: &Path) -> Result<Stream> {
        let host = |source| Error::Host { doing: format!("stream: read {}", path.display()), source };
        let file = File::open(path).map_err(host)?;
        let again = file.try_clone().map_err(host)?;
        let mut from = StreamReader::open(BufReader::with_capacity(BUFFER, again))?;
        let mut stream = Stream { file, sections: vec![shown(from.header())?], memory: BTreeMap::new() };
        loop {
            let found = match from.next_frame()? {
                None => break,
                Some(Frame::Section(section)) => {
                    stream.sections.push(shown(&section)?);
                    continue;
                }
                Some(Frame::Chunk { name, address, data, .. }) => (name.to_string(), address, data.len() as u64),
            };
            let (name, address, bytes) = found;
            let (at, stored) = from.payload();
            stream.memory.entry(name).or_default().insert(address, Chunk { bytes, at, stored });
        }
        from.at_end()?;
        Ok(stream)
    }

    /// The sections, in order.
    pub fn sections(&self) -> &[Shown] {
        &self.sections
    }

    /// Which memory there is, and how many bytes of it are not zero.
    pub fn memory(&self) -> Vec<(String, u64)> {
        self.memory.iter().map(|(name, chunks)| (name.clone(), chunks.values().map(|c| c.bytes).sum())).collect()
    }

    /// `len` bytes of a memory from `from` on; what no chunk holds is zero.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn read(&self, name: &str, from: u64, len: usize) -> Result<Vec<u8>> {
        let mut to = vec![0; len];
        let end = from.saturating_add(len as u64);
        let Some(chunks) = self.memory.get(name) else { return Ok(to) };
        let first = chunks.range(..=from).next_back().map_or(from, |(at, _)| *at);
        let mut room = Vec::new();
        let mut payload = Vec::new();
        for (at, chunk) in chunks.range(first..end) {
            let (start, stop) = (from.max(*at), end.min(at + chunk.bytes));
            if start >= stop {
                continue;
            }
            let data = self.chunk(chunk, &mut payload, &mut room)?;
            to[(start - from) as usize..(stop - from) as usize].copy_from_slice(&data[(start - at) as usize..(stop - at) as usize]);
        }
        Ok(to)
    }

    fn chunk<'a>(&self, chunk: &Chunk, payload: &'a mut Vec<u8>, room: &'a mut Vec<u8>) -> Result<&'a [u8]> {
        payload.resize(chunk.stored, 0);
        self.file.read_exact_at(payload, chunk.at).map_err(|source| Error::Host { doing: "read a saved state's memory".into(), source })?;
        let (_, data) = bulk::take(payload, room).map_err(|bad| crate::state::refusal("memory", bad))?;
        Ok(data)
    }

    /// The entries of a hash table (`hpt` or `hpt-prepared`) that are not zero, with their numbers.
    ///
    /// # Errors
    /// The file cannot be read any more.
    pub fn hash_table(&self, name: &str) -> Result<Vec<(u64, Hpte)>> {
        let mut entries = Vec::new();
        let Some(chunks) = self.memory.get(name) else { return Ok(entries) };
        let (mut room, mut payload) = (Vec::new(), Vec::new());
        for (at, chunk) in chunks {
            let data = self.chunk(chunk, &mut payload, &mut room)?;
            for (n, entry) in data.as_chunks::<16>().0.iter().enumerate() {
                let [v, r] = [0, 8].map(|k| u64::from_be_bytes(entry[k..k + 8].try_into().expect("eight bytes")));
                if v != 0 || r != 0 {
                    entries.push((at / 16 + n as u64, Hpte { v, r }));
                }
            }
        }
        Ok(entries)
    }

    /// What differs between this stream and another: fields by path, and pages of memory by address (`ram[0x3000]`), at most `most` of all.
    ///
    /// # Errors
    /// A file cannot be read any more.
    pub fn diff(&self, other: &Stream, most: usize) -> Result<Vec<Difference>> {
        let mut found = Vec::new();
        let key = |s: &Shown| (s.name.clone(), s.instance);
        let left: BTreeMap<_, _> = self.sections.iter().map(|s| (key(s), &s.value)).collect();
        let right: BTreeMap<_, _> = other.sections.iter().map(|s| (key(s), &s.value)).collect();
        for key in left.keys().chain(right.keys().filter(|k| !left.contains_key(*k))) {
            let path = crate::state::title(&key.0, key.1);
            value::compare(&path, left.get(key).copied(), right.get(key).copied(), &mut found);
        }
        found.truncate(most);
        let names: std::collections::BTreeSet<&String> = self.memory.keys().chain(other.memory.keys()).collect();
        for name in names {
            self.diff_memory(other, name, most, &mut found)?;
        }
        Ok(found)
    }

    fn diff_memory(&self, other: &Stream, name: &str, most: usize, found: &mut Vec<Difference>) -> Result<()> {
        // The pages that either stream has something of; consecutive ones are compared together.
        let mut pages = std::collections::BTreeSet::new();
        for stream in [self, other] {
            for (at, chunk) in stream.memory.get(name).into_iter().flatten() {
                pages.extend((at / PAGE..(at + chunk.bytes).div_ceil(PAGE)).map(|page| page * PAGE));
            }
        }
        let pages: Vec<u64> = pages.into_iter().collect();
        for run in pages.chunk_by(|a, b| b - a == PAGE).flat_map(|run| run.chunks(BUFFER / PAGE as usize)) {
            let bytes = run.len() * PAGE as usize;
            let (left, right) = (self.read(name, run[0], bytes)?, other.read(name, run[0], bytes)?);
            if left == right {
                continue;
            }
            for (n, (a, b)) in left.chunks(PAGE as usize).zip(right.chunks(PAGE as usize)).enumerate().filter(|(_, (a, b))| a != b) {
                if found.len() >= most {
                    return Ok(());
                }
                let path = format!("{name}[{:#x}]", run[0] + n as u64 * PAGE);
                found.push(Difference { path, left: Some(Value::Bytes(a.to_vec())), right: Some(Value::Bytes(b.to_vec())) });
            }
        }
        Ok(())
    }
}
