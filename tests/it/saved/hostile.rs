//! Streams that were cut, flipped, reordered, or written by an enemy who computes good checksums: an error that names where, never a panic, bounded memory.
//!
//! `SPAPR_HOSTILE_CASES=100000 cargo test --profile checked --test it hostile` looks longer.

use crate::embedded::Guest;
use crate::embedded::settings;
use spapr::error::Error;
use spapr::spapr::spec::Settings;
use spapr::state::Packed;
use spapr::state::Sections;
use spapr::state::bulk::Compression;
use spapr::state::stream::Frame;
use spapr::state::stream::StreamReader;

/// Cases of each test unless the environment says otherwise.
const CASES: u64 = 1500;

fn cases() -> u64 {
    std::env::var("SPAPR_HOSTILE_CASES").ok().map_or(CASES, |n| n.parse().unwrap())
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn small(ic: &str) -> Guest {
    let s = Settings { ic_mode: Some(ic.into()), memory: 256 << 20, nvram_bytes: Some(8 << 10), ..settings("be", "power9", "2") };
    let g = Guest::booted(&s);
    g.vm.pause();
    g
}

/// Where frames begin and end.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut from = StreamReader::open(bytes).unwrap();
    let mut at = vec![12, from.position() as usize];
    while from.next_frame().unwrap().is_some() {
        at.push(from.position() as usize);
    }
    at
}

fn named(e: &Error) -> bool {
    matches!(e, Error::Stream { section, problem, hint, .. } if !section.is_empty() && !problem.is_empty() && !hint.is_empty())
}

#[test]
fn cut_flipped_and_reordered_streams_are_refused_by_name() {
    let good = small("xics").stream(Compression::Lz4);
    let edges = frames(&good);
    let mut random = Random(0x1234_5678_9abc);
    for n in 0..cases() {
        let mut bytes = good.clone();
        let what = match n % 4 {
            0 => {
                bytes.truncate(random.below(good.len()));
                "cut"
            }
            1 => {
                // The minor format number alone may be anything.
                let at = 12 + random.below(good.len() - 12);
                bytes[at] ^= 1 << random.below(8);
                "flipped"
            }
            2 => {
                let (a, b) = (1 + random.below(edges.len() - 3), 1 + random.below(edges.len() - 3));
                let frame = |k: usize| good[edges[k]..edges[k + 1]].to_vec();
                let (one, other) = (frame(a), frame(b));
                if a == b {
                    continue;
                }
                let (a, b, one, other) = if a < b { (a, b, one, other) } else { (b, a, other, one) };
                bytes = [&good[..edges[a]], &other, &good[edges[a + 1]..edges[b]], &one, &good[edges[b + 1]..]].concat();
                "reordered"
            }
            _ => {
                let at = 12 + random.below(good.len() - 12);
                let end = good.len().min(at + 1 + random.below(300));
                bytes[at..end].iter_mut().for_each(|b| *b = random.next() as u8);
                if bytes == good {
                    continue;
                }
                "overwritten"
            }
        };
        match Guest::from_stream(&bytes) {
            Ok(_) => panic!("case {n}: a stream that was {what} is accepted"),
            Err(e) => assert!(named(&e), "case {n}, {what}: {e}"),
        }
    }
}

/// Changes a section as an enemy would: the bytes are well-formed or nearly, and no checksum betrays it.
fn spoil(section: &mut Packed, random: &mut Random) {
    let bytes = &mut section.bytes;
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len().max(1));
        match random.below(5) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.next() as u8,
            2 => {
                // A number of eight bytes, all ones or any.
                let value = if random.below(2) == 0 { u64::MAX } else { random.next() << 13 };
                bytes.splice(at..(at + 1).min(bytes.len()), [&[0x1b][..], &value.to_be_bytes()].concat());
            }
            3 => bytes.truncate(at),
            _ => {
                let end = (at + random.below(40)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                let to = random.below(bytes.len().max(1));
                bytes.splice(to..to, copy);
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
}

#[test]
fn an_enemys_sections_do_no_harm() {
    let guests = ["xics", "xive", "dual"].map(small);
    let mut random = Random(0xfeed_beef_1234);
    let (mut taken, mut refused) = (0, 0);
    for n in 0..cases() {
        let g = &guests[random.below(3)];
        let mut sections = g.vm.save().unwrap().sections;
        let which = random.below(sections.len());
        spoil(&mut sections[which], &mut random);
        let target = g.vm.snapshot().unwrap().fork(None).unwrap();
        let mut all = Sections::default();
        sections.into_iter().for_each(|s| all.add(s).unwrap());
        match target.load(&all) {
            Err(e) => {
                refused += 1;
                assert!(named(&e), "case {n}: {e}");
                assert!(target.resume().is_err(), "case {n}: a machine that is not whole runs");
            }
            Ok(()) => {
                taken += 1;
                // Whatever it is now: it runs, is looked at, and is saved again, and nothing breaks.
                if target.resume_for(3000).is_ok() {
                    target.input(0, b"ids\n");
                    target.wait(Some(std::time::Duration::from_millis(30)));
                    target.pause();
                }
                let _ = target.device_tree();
                let again = target.save().unwrap().sections;
                let mut all = Sections::default();
                again.into_iter().for_each(|s| all.add(s).unwrap());
                let third = g.vm.snapshot().unwrap().fork(None).unwrap();
                third.load(&all).unwrap_or_else(|e| panic!("case {n}: what was saved cannot be loaded: {e}"));
            }
        }
        assert!(!matches!(target.status().1, spapr::vm::StopReason::Internal(text) if !text.contains("could not be loaded")), "case {n}");
    }
    assert!(taken > 0 && refused > taken / 10, "{taken} taken, {refused} refused");
}

#[test]
fn chunks_stay_in_their_memory() {
    use spapr::state::stream::StreamWriter;
    let g = small("xics");
    let saved = g.vm.save().unwrap();
    for (name, instance, at, bytes, words) in [
        ("ram", 0, 256 << 20, 4096, "lie beyond its"),
        ("ram", 0, u64::MAX - 5, 16, "lie beyond its"),
        ("ram", 1, 0, 4096, "this machine has no such memory"),
        ("hpt-prepared", 0, 0, 4096, "this machine has no such memory"),
        ("disk", 0, 0, 4096, "this spapr does not know it"),
    ] {
        let mut to = StreamWriter::new(Vec::new(), &saved.header).unwrap();
        saved.sections.iter().for_each(|s| to.section(s).unwrap());
        to.chunk(name, instance, at, &vec![1; bytes], Compression::None).unwrap();
        let e = Guest::from_stream(&to.finish().unwrap()).err().unwrap().to_string();
        assert!(e.contains(words) && e.contains(name), "{e}");
    }
    let mut to = StreamWriter::new(Vec::new(), &saved.header).unwrap();
    saved.sections.iter().for_each(|s| to.section(s).unwrap());
    for at in [0x10_0000, 0x20_0000, 0x10_0000] {
        to.chunk("ram", 0, at, &[1; 4096], Compression::None).unwrap();
    }
    let e = Guest::from_stream(&to.finish().unwrap()).err().unwrap().to_string();
    assert!(e.contains("was there already"), "{e}");
}

#[test]
fn a_length_that_lies_costs_no_memory() {
    let good = small("xics").stream(Compression::None);
    // The largest length that is believed, in a stream that ends after a few bytes.
    let mut bytes = good[..12].to_vec();
    bytes.extend(b"SECT\0\0\0\0\0\x06\0\x01\0\0\0\0");
    bytes.extend((32u32 << 20).to_be_bytes());
    bytes.extend(b"header");
    let crc = crc(&bytes[12..]);
    bytes.extend(crc.to_be_bytes());
    bytes.extend([0; 100]);
    let e = Guest::from_stream(&bytes).err().unwrap().to_string();
    assert!(e.contains("section header, field payload: the stream ends within it"), "{e}");
    let end = match StreamReader::open(&good[..]).unwrap().next_frame().unwrap() {
        Some(Frame::Section(s)) => s.name,
        other => panic!("{other:?}"),
    };
    assert_eq!(end, "settings");
}

/// CRC-32 (IEEE), bit by bit: an enemy computes checksums, too.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 != 0 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    !crc
}
