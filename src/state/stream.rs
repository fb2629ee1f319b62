//! The frame around sections: magic, format, a header that can be read alone, sections with checksums, an end mark.
//!
//! ```text
//! magic 8 bytes · format major u16 · format minor u16
//! frame "header", then any number of frames, then the end mark
//!
//! frame:    "SECT" · sequence u32 · flags u8 · name length u8 · version u16 · instance u32 · length u32 · name · crc32 of all that
//!           payload · crc32 of the payload
//! end mark: "DONE" · sequence u32 · crc32 of both
//! ```
//!
//! Numbers are big-endian. The sequence counts frames, so a lost or moved one is noticed; the length has its checksum before it, so a damaged length is never believed.
//! A frame either holds fields ([`Packed`]) or a chunk of large memory ([`bulk`]).

use crate::error::Error;
use crate::error::Result;
use crate::state::Bad;
use crate::state::Packed;
use crate::state::Section;
use crate::state::bulk;
use crate::state::bulk::Compression;
use crate::state::refusal;
use crate::state::title;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;

/// First bytes: one that is no text, a name, and what transfers in text mode change.
pub const MAGIC: [u8; 8] = *b"\x89SPAPR\r\n";
/// The format that is written: streams of another major number cannot be read.
pub const FORMAT: (u16, u16) = (1, 0);
/// Most bytes of one section.
pub const SECTION_MAX: u32 = 32 << 20;
/// Most bytes of a section's name.
const NAME_MAX: u8 = 64;
/// The name of the first section.
const HEADER: &str = "header";

const SECT: [u8; 4] = *b"SECT";
const DONE: [u8; 4] = *b"DONE";
const ANCILLARY: u8 = 1;
const BULK: u8 = 2;
/// Bytes of a frame's head before its name.
const HEAD: usize = 4 + 4 + 1 + 1 + 2 + 4 + 4;

/// Writes a stream.
pub struct StreamWriter<W: Write> {
    out: W,
    sequence: u32,
    head: Vec<u8>,
    /// For what is compressed.
    room: Vec<u8>,
}

impl<W: Write> StreamWriter<W> {
    /// Begins a stream with its header.
    ///
    /// # Errors
    /// The writer's own.
    pub fn new<H: Section>(mut out: W, header: &H) -> std::io::Result<StreamWriter<W>> {
        assert_eq!(H::NAME, HEADER, "a stream begins with its header");
        out.write_all(&MAGIC)?;
        out.write_all(&FORMAT.0.to_be_bytes())?;
        out.write_all(&FORMAT.1.to_be_bytes())?;
        let mut to = StreamWriter { out, sequence: 0, head: Vec::new(), room: Vec::new() };
        to.section(&Packed::new(0, header))?;
        Ok(to)
    }

    /// Writes a section of fields.
    ///
    /// # Errors
    /// The writer's own.
    pub fn section(&mut self, section: &Packed) -> std::io::Result<()> {
        let flags = if section.ancillary { ANCILLARY } else { 0 };
        self.frame(&section.name, section.instance, section.version, flags, [&section.bytes, &[]])
    }

    /// Writes a chunk of large memory.
    ///
    /// # Errors
    /// The writer's own.
    pub fn chunk(&mut self, name: &str, instance: u32, address: u64, data: &[u8], compression: Compression) -> std::io::Result<()> {
        let mut room = std::mem::take(&mut self.room);
        let (head, stored) = bulk::put(address, data, compression, &mut room);
        let done = self.frame(name, instance, 1, BULK, [&head, stored]);
        self.room = room;
        done
    }

    /// Writes a frame whose payload is in two parts.
    fn frame(&mut self, name: &str, instance: u32, version: u16, flags: u8, payload: [&[u8]; 2]) -> std::io::Result<()> {
        let length = u32::try_from(payload[0].len() + payload[1].len()).ok().filter(|n| *n <= SECTION_MAX);
        let length = length
            .ok_or_else(|| std::io::Error::new(ErrorKind::FileTooLarge, format!("section {name} is larger than {SECTION_MAX} bytes")))?;
        let head = &mut self.head;
        head.clear();
        head.extend_from_slice(&SECT);
        head.extend_from_slice(&self.sequence.to_be_bytes());
        head.extend_from_slice(&[flags, name.len() as u8]);
        head.extend_from_slice(&version.to_be_bytes());
        head.extend_from_slice(&instance.to_be_bytes());
        head.extend_from_slice(&length.to_be_bytes());
        head.extend_from_slice(name.as_bytes());
        let crc = crc32fast::hash(head);
        head.extend_from_slice(&crc.to_be_bytes());
        let mut crc = crc32fast::Hasher::new();
        payload.iter().for_each(|part| crc.update(part));
        for part in [head, payload[0], payload[1], &crc.finalize().to_be_bytes()] {
            self.out.write_all(part)?;
        }
        self.sequence += 1;
        Ok(())
    }

    /// Ends the stream; gives the writer back.
    ///
    /// # Errors
    /// The writer's own.
    pub fn finish(mut self) -> std::io::Result<W> {
        let mut end = [0; 12];
        end[..4].copy_from_slice(&DONE);
        end[4..8].copy_from_slice(&self.sequence.to_be_bytes());
        let crc = crc32fast::hash(&end[..8]);
        end[8..].copy_from_slice(&crc.to_be_bytes());
        self.out.write_all(&end)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// One frame of a stream.
#[derive(Debug)]
pub enum Frame<'a> {
    /// A section of fields.
    Section(Packed),
    /// A chunk of large memory.
    Chunk {
        /// Which memory.
        name: &'a str,
        /// Which one of that kind.
        instance: u32,
        /// Its first byte's address.
        address: u64,
        /// The bytes; at most [`bulk::CHUNK_BYTES`], at least one.
        data: &'a [u8],
    },
}

/// Reads a stream, a frame at a time; memory is bounded by one section.
pub struct StreamReader<R: Read> {
    input: R,
    sequence: u32,
    header: Packed,
    /// The first `length` bytes are the frame's.
    payload: Vec<u8>,
    length: usize,
    room: Vec<u8>,
    name: String,
    /// Bytes taken so far.
    position: u64,
}

impl<R: Read> StreamReader<R> {
    /// Reads magic, format and header.
    ///
    /// # Errors
    /// It is no stream, one from the future, or damaged.
    pub fn open(input: R) -> Result<StreamReader<R>> {
        let header = Packed { name: HEADER.into(), instance: 0, version: 0, ancillary: false, bytes: Vec::new() };
        let mut from =
            StreamReader { input, sequence: 0, header, payload: Vec::new(), length: 0, room: Vec::new(), name: String::new(), position: 0 };
        let mut start = [0; 12];
        from.exactly(&mut start, "the start")?;
        if start[..8] != MAGIC {
            let bad = Bad::field("magic", "the first bytes are not those of a spapr state");
            return Err(refusal("start", bad.advising("give a file that save_checkpoint() wrote")));
        }
        let major = u16::from_be_bytes([start[8], start[9]]);
        if major != FORMAT.0 {
            let bad = Bad::field("format", format!("format {major} is not {}, which this spapr reads", FORMAT.0));
            return Err(refusal("start", bad.advising("use the spapr that wrote it, or a later one")));
        }
        match from.next_frame()? {
            Some(Frame::Section(header)) if header.name == HEADER => from.header = header,
            Some(Frame::Section(_) | Frame::Chunk { .. }) | None => {
                return Err(refusal(HEADER, Bad::new("the stream does not begin with it")));
            }
        }
        Ok(from)
    }

    /// The header, to be unpacked by who knows its type.
    pub fn header(&self) -> &Packed {
        &self.header
    }

    /// Where the last frame's payload lies in the stream, and how long it is.
    pub fn payload(&self) -> (u64, usize) {
        // Its checksum follows it.
        (self.position - 4 - self.length as u64, self.length)
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    fn exactly(&mut self, to: &mut [u8], what: &str) -> Result<()> {
        match self.input.read_exact(to) {
            Ok(()) => {
                self.position += to.len() as u64;
                Ok(())
            }
            Err(e) if e.kind() == ErrorKind::UnexpectedEof => Err(self.cut(what)),
            Err(source) => Err(Error::Host { doing: "read a saved state".into(), source }),
        }
    }

    fn cut(&self, what: &str) -> Error {
        let bad = Bad::field(what, format!("the stream ends within it, after byte {}", self.position));
        refusal(self.here(), bad.advising("the file is cut short; use another copy"))
    }

    fn here(&self) -> String {
        if self.name.is_empty() { format!("frame {}", self.sequence) } else { self.name.clone() }
    }

    fn refuse<T>(&self, field: &str, problem: String) -> Result<T> {
        Err(refusal(self.here(), Bad::field(field, problem)))
    }

    /// The next frame; `None` at the end mark.
    ///
    /// # Errors
    /// The stream is damaged, and where.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>> {
        self.name.clear();
        let mut head = [0; HEAD];
        self.exactly(&mut head[..8], "head")?;
        let sequence = u32::from_be_bytes(head[4..8].try_into().expect("four bytes"));
        match head[..4].try_into().expect("four bytes") {
            DONE => {
                let mut crc = [0; 4];
                self.exactly(&mut crc, "end mark")?;
                if u32::from_be_bytes(crc) != crc32fast::hash(&head[..8]) {
                    return self.refuse("end mark", "its checksum is wrong".into());
                }
                self.in_order(sequence)?;
                return Ok(None);
            }
            SECT => {}
            other => return self.refuse("head", format!("a frame begins with {other:02x?}")),
        }
        self.exactly(&mut head[8..], "head")?;
        let [flags, name_bytes] = [head[8], head[9]];
        if name_bytes == 0 || name_bytes > NAME_MAX {
            return self.refuse("name", format!("a name of {name_bytes} bytes is not between 1 and {NAME_MAX}"));
        }
        let mut rest = [0; NAME_MAX as usize + 4];
        let rest = &mut rest[..usize::from(name_bytes) + 4];
        self.exactly(rest, "name")?;
        let (name, crc) = rest.split_at(usize::from(name_bytes));
        let mut hash = crc32fast::Hasher::new();
        hash.update(&head);
        hash.update(name);
        if crc != hash.finalize().to_be_bytes() {
            return self.refuse("head", "its checksum is wrong".into());
        }
        let Ok(name) = std::str::from_utf8(name) else { return self.refuse("name", format!("{name:02x?} is no text")) };
        let instance = u32::from_be_bytes(head[12..16].try_into().expect("four bytes"));
        self.name = title(name, instance);
        self.in_order(sequence)?;
        self.load(u32::from_be_bytes(head[16..20].try_into().expect("four bytes")))?;
        self.sequence += 1;
        if flags & BULK == 0 {
            let version = u16::from_be_bytes([head[10], head[11]]);
            let bytes = self.payload[..self.length].to_vec();
            return Ok(Some(Frame::Section(Packed { name: name.into(), instance, version, ancillary: flags & ANCILLARY != 0, bytes })));
        }
        match bulk::take(&self.payload[..self.length], &mut self.room) {
            Ok((address, data)) => {
                let name = &self.name[..name.len()];
                Ok(Some(Frame::Chunk { name, instance, address, data }))
            }
            Err(bad) => Err(refusal(self.name.clone(), bad)),
        }
    }

    fn in_order(&self, sequence: u32) -> Result<()> {
        if sequence == self.sequence {
            return Ok(());
        }
        self.refuse("sequence", format!("frame {sequence} stands where {} belongs", self.sequence))
    }

    /// Reads a payload and its checksum.
    fn load(&mut self, length: u32) -> Result<()> {
        if length > SECTION_MAX {
            return self.refuse("length", format!("{length} bytes are more than {SECTION_MAX}"));
        }
        let mut payload = std::mem::take(&mut self.payload);
        self.length = length as usize;
        // Grows with what is there, not with what is promised.
        for at in (0..self.length).step_by(bulk::CHUNK_BYTES) {
            let end = self.length.min(at + bulk::CHUNK_BYTES);
            if payload.len() < end {
                payload.resize(end, 0);
            }
            self.exactly(&mut payload[at..end], "payload")?;
        }
        let mut crc = [0; 4];
        self.exactly(&mut crc, "checksum")?;
        self.payload = payload;
        if u32::from_be_bytes(crc) != crc32fast::hash(&self.payload[..self.length]) {
            return self.refuse("checksum", "it does not fit the section's bytes".into());
        }
        Ok(())
    }

    /// After the end mark: nothing may follow in a file.
    ///
    /// # Errors
    /// Something does.
    pub fn at_end(&mut self) -> Result<()> {
        let mut more = [0];
        match self.input.read(&mut more) {
            Ok(0) => Ok(()),
            Ok(_) => Err(refusal("end", Bad::field("end mark", "bytes follow it"))),
            Err(source) => Err(Error::Host { doing: "read a saved state".into(), source }),
        }
    }
}
