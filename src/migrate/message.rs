//! What the frames say, as values; how they are written and read, with every count bounded.

use crate::error::Reason;
use crate::memory::FLAG_SHIFT;
use std::time::Duration;

/// The first bytes of every connection's hello.
const MAGIC: &[u8; 16] = b"spapr-migration\n";
/// The oldest version of the protocol that this program speaks.
pub const OLDEST: u16 = 1;
/// The newest one.
pub const NEWEST: u16 = 1;
/// Connections of one migration.
pub const CONNECTIONS_MAX: u8 = 16;
/// Memories whose pages are sent.
pub const REGIONS_MAX: usize = 8;
/// Reasons of a refusal, and warnings of an acceptance.
const REASONS_MAX: usize = 64;
/// Bytes of one text.
const TEXT_MAX: usize = 2000;

/// Reads a payload from its start.
struct Reader<'a>(&'a [u8]);

/// Why a payload cannot be read.
type Read<T> = Result<T, String>;

impl<'a> Reader<'a> {
    fn bytes(&mut self, n: usize, what: &str) -> Read<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(n).ok_or_else(|| format!("{what}: {n} bytes wanted, {} left", self.0.len()))?;
        self.0 = tail;
        Ok(head)
    }
    fn u8(&mut self, what: &str) -> Read<u8> {
        Ok(self.bytes(1, what)?[0])
    }
    fn u16(&mut self, what: &str) -> Read<u16> {
        Ok(u16::from_be_bytes(self.bytes(2, what)?.try_into().expect("two bytes")))
    }
    fn u32(&mut self, what: &str) -> Read<u32> {
        Ok(u32::from_be_bytes(self.bytes(4, what)?.try_into().expect("four bytes")))
    }
    fn u64(&mut self, what: &str) -> Read<u64> {
        Ok(u64::from_be_bytes(self.bytes(8, what)?.try_into().expect("eight bytes")))
    }
    fn text(&mut self, what: &str) -> Read<String> {
        let n = usize::from(self.u16(what)?);
        if n > TEXT_MAX {
            return Err(format!("{what}: a text of {n} bytes, at most {TEXT_MAX} are possible"));
        }
        Ok(String::from_utf8_lossy(self.bytes(n, what)?).into_owned())
    }
    fn end(self, what: &str) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("{what}: {} bytes too many", self.0.len())) }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.extend_from_slice(&(end as u16).to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..end]);
}

/// A payload that is one text.
pub fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(&mut out, text);
    out
}

/// Reads what [`text`] wrote.
pub fn read_text(payload: &[u8]) -> Read<String> {
    let mut r = Reader(payload);
    let text = r.text("text")?;
    r.end("text")?;
    Ok(text)
}

/// How a connection introduces itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Versions that the sender speaks, oldest and newest.
    pub versions: (u16, u16),
    /// The same on all connections of one migration.
    pub session: u128,
    /// Which of them this is.
    pub index: u8,
    /// How many there are.
    pub count: u8,
    /// A migration goes on that was interrupted after the guest had moved (post-copy).
    pub again: bool,
}

impl Hello {
    /// As bytes.
    pub fn write(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.versions.0.to_be_bytes());
        out.extend_from_slice(&self.versions.1.to_be_bytes());
        out.extend_from_slice(&self.session.to_be_bytes());
        out.extend_from_slice(&[self.index, self.count, u8::from(self.again)]);
        out
    }

    /// From bytes. What follows the known fields is a newer version's.
    pub fn read(payload: &[u8]) -> Read<Hello> {
        let mut r = Reader(payload);
        if r.bytes(MAGIC.len(), "hello")? != MAGIC {
            return Err("this is no migration stream of spapr (its first bytes are others)".into());
        }
        let versions = (r.u16("hello, oldest version")?, r.u16("hello, newest version")?);
        let session = u128::from_be_bytes(r.bytes(16, "hello, session")?.try_into().expect("sixteen bytes"));
        let (index, count, again) = (r.u8("hello, index")?, r.u8("hello, count")?, r.u8("hello, again")? != 0);
        if count == 0 || count > CONNECTIONS_MAX || index >= count {
            return Err(format!("hello: connection {index} of {count}, and at most {CONNECTIONS_MAX} are possible"));
        }
        Ok(Hello { versions, session, index, count, again })
    }
}

/// The newest version that both speak.
///
/// # Errors
/// There is none; the text names both sides' versions.
pub fn agree(theirs: (u16, u16)) -> Read<u16> {
    let version = theirs.1.min(NEWEST);
    if version >= theirs.0.max(OLDEST) {
        return Ok(version);
    }
    let (newer, action) = if theirs.0 > NEWEST { ("newer", "update this side") } else { ("older", "update the other side") };
    Err(format!(
        "the other side speaks versions {} to {} of the protocol, {newer} than the {OLDEST} to {NEWEST} of this side; {action}",
        theirs.0, theirs.1
    ))
}

/// Which memory a region is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum RegionKind {
    /// Guest RAM.
    Ram = 1,
    /// The hashed page table.
    Hpt = 2,
    /// The hashed page table that the guest has prepared to change to.
    HptPrepared = 3,
}

/// A memory whose pages are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegionRow {
    /// Names it in page frames; never given twice in one migration.
    pub id: u8,
    /// Which memory it is.
    pub kind: RegionKind,
    /// Its size.
    pub bytes: u64,
}

/// A table of regions as bytes.
pub fn write_regions(rows: &[RegionRow]) -> Vec<u8> {
    let mut out = vec![rows.len() as u8];
    for row in rows {
        out.extend_from_slice(&[row.id, row.kind as u8]);
        out.extend_from_slice(&row.bytes.to_be_bytes());
    }
    out
}

/// Reads what [`write_regions`] wrote.
pub fn read_regions(payload: &[u8]) -> Read<Vec<RegionRow>> {
    let mut r = Reader(payload);
    let count = usize::from(r.u8("regions")?);
    if count > REGIONS_MAX {
        return Err(format!("regions: {count} of them, at most {REGIONS_MAX} are possible"));
    }
    let mut rows: Vec<RegionRow> = Vec::new();
    for _ in 0..count {
        let (id, kind) = (r.u8("regions, id")?, r.u8("regions, kind")?);
        let kind = match kind {
            1 => RegionKind::Ram,
            2 => RegionKind::Hpt,
            3 => RegionKind::HptPrepared,
            other => return Err(format!("regions: kind {other} is unknown")),
        };
        let bytes = r.u64("regions, size")?;
        if bytes == 0 || bytes > 1 << 46 || bytes % (1 << FLAG_SHIFT) != 0 || rows.iter().any(|o| o.id == id || o.kind == kind) {
            return Err(format!("regions: {kind:?} with id {id} and {bytes:#x} bytes cannot be"));
        }
        rows.push(RegionRow { id, kind, bytes });
    }
    r.end("regions")?;
    Ok(rows)
}

/// A refusal as bytes.
pub fn write_reasons(reasons: &[Reason]) -> Vec<u8> {
    let reasons = &reasons[..reasons.len().min(REASONS_MAX)];
    let mut out = vec![reasons.len() as u8];
    for r in reasons {
        [&r.code, &r.setting, &r.source, &r.destination, &r.problem, &r.hint].into_iter().for_each(|t| put_text(&mut out, t));
    }
    out
}

/// Reads what [`write_reasons`] wrote.
pub fn read_reasons(payload: &[u8]) -> Read<Vec<Reason>> {
    let mut r = Reader(payload);
    let count = usize::from(r.u8("reasons")?);
    if count > REASONS_MAX {
        return Err(format!("reasons: {count} of them, at most {REASONS_MAX} are possible"));
    }
    let mut reasons = Vec::new();
    for _ in 0..count {
        let mut next = || r.text("reasons");
        reasons.push(Reason { code: next()?, setting: next()?, source: next()?, destination: next()?, problem: next()?, hint: next()? });
    }
    r.end("reasons")?;
    Ok(reasons)
}

/// Warnings as bytes.
pub fn write_warnings(warnings: &[String]) -> Vec<u8> {
    let warnings = &warnings[..warnings.len().min(16)];
    let mut out = vec![warnings.len() as u8];
    warnings.iter().for_each(|w| put_text(&mut out, w));
    out
}

/// Reads what [`write_warnings`] wrote.
pub fn read_warnings(payload: &[u8]) -> Read<Vec<String>> {
    let mut r = Reader(payload);
    let count = r.u8("warnings")?;
    let warnings = (0..count).map(|_| r.text("warnings")).collect::<Read<Vec<String>>>()?;
    r.end("warnings")?;
    Ok(warnings)
}

/// The end of a round on one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Round {
    /// Counted from 0.
    pub number: u32,
    /// Pages that this connection sent in it.
    pub pages: u64,
}

impl Round {
    /// As bytes.
    pub fn write(self) -> [u8; 12] {
        let mut out = [0; 12];
        out[..4].copy_from_slice(&self.number.to_be_bytes());
        out[4..].copy_from_slice(&self.pages.to_be_bytes());
        out
    }

    /// From bytes.
    pub fn read(payload: &[u8]) -> Read<Round> {
        let mut r = Reader(payload);
        let round = Round { number: r.u32("round")?, pages: r.u64("round, pages")? };
        r.end("round")?;
        Ok(round)
    }
}

/// What the destination is told when it is to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Go {
    /// How long the guest has stood still.
    pub stopped_for: Duration,
    /// Whether it ran before; else it is to stand paused.
    pub run: bool,
}

impl Go {
    /// As bytes.
    pub fn write(self) -> [u8; 9] {
        let mut out = [0; 9];
        out[..8].copy_from_slice(&(self.stopped_for.as_nanos() as u64).to_be_bytes());
        out[8] = u8::from(self.run);
        out
    }

    /// From bytes.
    pub fn read(payload: &[u8]) -> Read<Go> {
        let mut r = Reader(payload);
        let go = Go { stopped_for: Duration::from_nanos(r.u64("go, time")?), run: r.u8("go, run")? != 0 };
        r.end("go")?;
        Ok(go)
    }
}

/// Two numbers, as `Finish`, `State`, `Wanted` and `Absent` begin with.
pub fn pair(a: u64, b: u64) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&a.to_be_bytes());
    out[8..].copy_from_slice(&b.to_be_bytes());
    out
}

/// Reads two numbers and gives what follows them.
pub fn read_pair<'a>(payload: &'a [u8], what: &str) -> Read<(u64, u64, &'a [u8])> {
    let mut r = Reader(payload);
    Ok((r.u64(what)?, r.u64(what)?, r.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_agreed_on_or_both_are_named() {
        assert_eq!(agree((1, 7)), Ok(1));
        assert_eq!(agree((OLDEST, NEWEST)), Ok(NEWEST));
        let text = agree((5, 9)).unwrap_err();
        assert!(text.contains("versions 5 to 9") && text.contains(&format!("{OLDEST} to {NEWEST}")) && text.contains("newer"), "{text}");
        assert!(agree((0, 0)).unwrap_err().contains("older"));
    }

    #[test]
    fn what_is_written_is_read_and_what_is_cut_is_not() {
        let hello = Hello { versions: (1, 2), session: 77, index: 1, count: 2, again: false };
        assert_eq!(Hello::read(&hello.write()), Ok(hello));
        let rows = vec![RegionRow { id: 3, kind: RegionKind::Ram, bytes: 1 << 20 }];
        assert_eq!(read_regions(&write_regions(&rows)), Ok(rows.clone()));
        let reason = Reason { code: "vsmt".into(), problem: "é".repeat(3000), ..Reason::default() };
        let read = read_reasons(&write_reasons(&[reason])).unwrap();
        assert_eq!((read[0].code.as_str(), read[0].problem.len()), ("vsmt", TEXT_MAX));
        let all = [
            hello.write(),
            write_regions(&rows),
            Round { number: 1, pages: 2 }.write().to_vec(),
            Go { stopped_for: Duration::from_millis(3), run: true }.write().to_vec(),
        ];
        for k in 0..all[0].len() {
            assert!(Hello::read(&all[0][..k]).is_err());
        }
        for k in 0..all[1].len() {
            assert!(read_regions(&all[1][..k]).is_err());
        }
        for k in 0..12 {
            assert!(Round::read(&all[2][..k]).is_err());
        }
        assert_eq!(Go::read(&all[3]), Ok(Go { stopped_for: Duration::from_millis(3), run: true }));
    }
}
