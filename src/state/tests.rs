//! The rules of evolution and the reader's refusals, on small sections.

use super::bulk::Compression;
use super::stream::Frame;
use super::stream::StreamReader;
use super::stream::StreamWriter;
use super::*;

saved! {
    /// As a first version wrote it.
    Old = "thing" version 1 {
        /// A number.
        0 number: u32,
        /// Things.
        1 list: Vec<Inner>,
    }
    /// As a later version writes it.
    New = "thing" version 1 {
        0 number: u32,
        1 list: Vec<Inner>,
        /// Came later.
        2 later: u16 = 7,
        /// May be skipped.
        1024 extra: String = String::new(),
    }
    Inner { 0 word: u64, 1 flag: bool, 2 maybe: Option<u8>, 3 bytes: Bytes }
    Header = "header" version 1 { 0 who: String }
    Newer = "thing" version 2 { 0 number: u32 }
}

fn inner(word: u64) -> Inner {
    Inner { word, flag: word % 2 == 1, maybe: (word > 5).then_some(9), bytes: Bytes(vec![1, 2, 3]) }
}

fn problem(r: Result<impl std::fmt::Debug>) -> String {
    r.unwrap_err().to_string()
}

#[test]
fn fields_come_and_go_by_rule() {
    let old = Old { number: 5, list: vec![inner(1), inner(6)] };
    let packed = Packed::new(3, &old);
    assert_eq!(packed.unpack::<Old>().unwrap(), old);
    let new: New = packed.unpack().unwrap();
    assert_eq!((new.later, new.extra.as_str()), (7, ""));
    let back = Packed::new(0, &New { extra: "x".into(), ..new }).unpack::<Old>();
    assert!(problem(back).contains("section thing, field 2: this spapr does not know the field"));
    let mut bytes = Writer::default();
    bytes.map(3);
    bytes.number(0);
    5u32.put(&mut bytes);
    bytes.number(2000);
    vec![inner(9)].put(&mut bytes);
    bytes.number(1);
    Vec::<Inner>::new().put(&mut bytes);
    let skipped = Packed { bytes: bytes.into_bytes(), ..packed.clone() };
    assert_eq!(skipped.unpack::<Old>().unwrap(), Old { number: 5, list: vec![] });
    let future = Packed::new(0, &Newer { number: 1 }).unpack::<Old>();
    assert!(problem(future).contains("version 2 is newer than 1"));
}

#[test]
fn what_is_wrong_is_named() {
    let packed = Packed::new(3, &Old { number: 5, list: vec![inner(1)] });
    let with = |bytes: &[u8]| Packed { bytes: bytes.to_vec(), ..packed.clone() }.unpack::<Old>();
    assert!(problem(with(&[0xa1, 0, 5])).contains("section thing 3, field list: field 1 is missing"));
    assert!(problem(with(&[0xa2, 0, 5, 0, 6])).contains("field number: it is there twice"));
    assert!(problem(with(&[0xa2, 0, 5, 1, 0x81, 0xa1, 0, 0x20])).contains("field list[0].word: it is not encoded"));
    assert!(problem(with(&[0xa2, 0, 5, 1, 0x9b, 0, 0, 0, 1, 0, 0, 0, 0])).contains("field list: a list of 4294967296 items"));
    assert!(problem(with(&[0xa2, 0, 5, 1, 0x80, 0])).contains("1 bytes follow"));
    assert!(problem(with(&[])).contains("not encoded"));
}

fn stream(compression: Compression) -> Vec<u8> {
    let mut to = StreamWriter::new(Vec::new(), &Header { who: "me".into() }).unwrap();
    to.section(&Packed::new(2, &Old { number: 1, list: vec![] })).unwrap();
    to.chunk("ram", 0, 0x1_0000, &[7; 5000], compression).unwrap();
    to.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<String>> {
    let mut from = StreamReader::open(bytes)?;
    let mut seen = vec![from.header().unpack::<Header>()?.who];
    while let Some(frame) = from.next_frame()? {
        seen.push(match frame {
            Frame::Section(packed) => format!("{} {:?}", packed.title(), packed.unpack::<Old>()?.number),
            Frame::Chunk { name, address, data, .. } => format!("{name} {address:#x} {} {}", data.len(), data[4999]),
        });
    }
    from.at_end()?;
    Ok(seen)
}

#[test]
fn a_stream_is_read_as_written() {
    for compression in [Compression::None, Compression::Lz4] {
        assert_eq!(read(&stream(compression)).unwrap(), ["me", "thing 2 1", "ram 0x10000 5000 7"]);
    }
    assert!(stream(Compression::Lz4).len() < 400);
}

#[test]
fn every_damage_is_noticed() {
    for compression in [Compression::None, Compression::Lz4] {
        let good = stream(compression);
        for n in 0..good.len() {
            assert!(read(&good[..n]).is_err(), "cut at {n}");
            let minor = 10..12;
            if minor.contains(&n) {
                continue;
            }
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[n] ^= 1 << bit;
                assert!(read(&bytes).is_err(), "bit {bit} of byte {n}");
            }
        }
        assert!(problem(read(&[good.clone(), vec![0]].concat())).contains("bytes follow"));
    }
    let good = stream(Compression::None);
    let within = good.windows(5).position(|w| w == b"thing").unwrap() + 10;
    assert!(problem(read(&good[..within])).contains("thing 2, field payload"));
    let mut future = good;
    future[9] = 2;
    assert!(problem(read(&future)).contains("format 2 is not 1"));
}

#[test]
fn differences_are_named_by_path() {
    let left = Old { number: 1, list: vec![inner(1), inner(2)] }.show();
    let right = Old { number: 1, list: vec![inner(3)] }.show();
    let mut found = Vec::new();
    value::compare("thing", Some(&left), Some(&right), &mut found);
    let paths: Vec<&str> = found.iter().map(|d| d.path.as_str()).collect();
    assert_eq!(paths, ["thing.list[0].word", "thing.list[1]"]);
}

#[test]
fn a_schema_lists_numbers_names_and_types() {
    let text = schema::text::<New>();
    for line in ["   0 number: u32", "   2 later: u16, where missing 7", "   1 list: list of Inner", "   2 maybe: u8 or nothing"] {
        assert!(text.contains(line), "{line:?} in\n{text}");
    }
}
