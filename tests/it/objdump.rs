//! The decoder and the disassembler against GNU objdump: every row, with operand bits at random.
//!
//! binutils' tables were written by other people from the same books, so a fixed bit or an operand that we drew in the wrong place shows here.
//! Prefixed and matrix-multiply images are compared as binutils knows them for POWER10; it prefers later names of the
//! latter, with `dm` in front, which the test takes away.
//! Without `powerpc64le-linux-gnu-objdump` the test says so and passes, except where `CI` is set.

use spapr::isa::Insn;
use spapr::isa::disasm::disassemble;
use spapr::isa::table::CHAPTERS;
use spapr::isa::table::Row;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;

const OBJDUMP: &str = "powerpc64le-linux-gnu-objdump";
/// Images of each row.
const IMAGES: usize = 24;
/// Chapters whose rows are compared whole, operands and all.
const COMPARED: &[&str] = &["fixed", "load_store", "vector", "vsx", "vsx_float", "dfp"];

/// Chapters compared as POWER10 has them.
const COMPARED_POWER10: &[&str] = &["prefixed", "mma"];

/// Rows that are not compared: objdump prints a stray `-1` after mfcr, does not know what later editions dropped, and takes mfocrf and mtocrf
/// only with one field named.
const LEFT_OUT: &[&str] = &["mfcr", "mcrxr", "mfocrf", "mtocrf"];

/// xorshift64: the same images in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// An image of the row: operand bits at random, reserved bits zero.
fn image(row: &Row, state: &mut u64) -> Insn {
    let letters = row.picture.bytes().filter(|b| *b != b' ').fold(0, |v, b| (v << 1) | u64::from(b.is_ascii_alphabetic()));
    Insn(row.value | (random(state) & letters))
}

/// What objdump makes of big-endian code, by offset; `None` if there is no objdump.
fn objdump(code: &[u8], processor: &str) -> Option<BTreeMap<u64, String>> {
    let file = std::env::temp_dir().join(format!("spapr-objdump-{}-{processor}.bin", std::process::id()));
    std::fs::write(&file, code).expect("the temporary directory takes a file");
    let options = ["-D", "-z", "-b", "binary", "-m", "powerpc:common64", "-EB", "-M", &format!("raw,{processor}")];
    let ran = Command::new(OBJDUMP).args(options).arg(&file).output();
    std::fs::remove_file(&file).expect("the file was just written");
    let text = String::from_utf8(ran.ok()?.stdout).expect("objdump prints ASCII");
    let line = |l: &str| {
        let (offset, rest) = l.trim_start().split_once(":\t")?;
        // After '#' stands what a relative address comes to.
        let text = rest.split_once('\t')?.1.split('#').next()?.split_whitespace().collect::<Vec<_>>().join(" ");
        Some((u64::from_str_radix(offset, 16).ok()?, text))
    };
    Some(text.lines().filter_map(line).collect())
}

#[test]
fn rows_disassemble_as_under_objdump() {
    compare(COMPARED, "future");
}

#[test]
fn prefixed_and_matrix_rows_disassemble_as_under_objdump() {
    compare(COMPARED_POWER10, "power10");
}

fn compare(chapters: &[&str], processor: &str) {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let rows: Vec<&Row> = CHAPTERS
        .iter()
        .filter(|(name, _)| chapters.contains(name))
        .flat_map(|(_, rows)| rows.iter().filter(|r| !LEFT_OUT.contains(&r.name)))
        .collect();
    let mut code = Vec::new();
    let mut places: Vec<(&Row, Insn, u64)> = Vec::new();
    for row in &rows {
        for _ in 0..IMAGES {
            let insn = image(row, &mut state);
            // A prefixed instruction must not cross a boundary of 64 bytes; all are kept on eight.
            if insn.is_prefixed() && code.len() % 8 != 0 {
                code.extend([0x60, 0, 0, 0]);
            }
            places.push((row, insn, code.len() as u64));
            if insn.is_prefixed() {
                code.extend(insn.prefix().to_be_bytes());
            }
            code.extend(insn.word().to_be_bytes());
        }
    }
    let Some(theirs) = objdump(&code, processor) else {
        assert!(std::env::var_os("CI").is_none(), "{OBJDUMP} is not installed; install binutils-powerpc64le-linux-gnu");
        eprintln!("skipped: {OBJDUMP} is not installed");
        return;
    };
    report(&rows, &places, &theirs);
}

/// Fails if an image reads differently on both sides, or if objdump knows no image of a row. `.long` is objdump's word for an invalid form.
fn report(rows: &[&Row], places: &[(&Row, Insn, u64)], theirs: &BTreeMap<u64, String>) {
    let mut wrong = String::new();
    let mut known: BTreeMap<&str, usize> = rows.iter().map(|r| (r.name, 0)).collect();
    for (row, insn, at) in places {
        let (ours, theirs) = (disassemble(*insn, *at), &theirs[at]);
        let theirs = &theirs.replace("dmx", "x").replace("dmsetaccz", "xxsetaccz");
        if ours == *theirs {
            *known.get_mut(row.name).expect("every row was entered") += 1;
        } else if !theirs.starts_with(".long") {
            writeln!(wrong, "{insn:?}: {ours} is {theirs} to objdump").expect("writing to a String");
        }
    }
    for (name, _) in known.iter().filter(|(_, n)| **n == 0) {
        writeln!(wrong, "{name}: objdump knows none of our images").expect("writing to a String");
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
