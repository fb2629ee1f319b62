//! The whole matrix of machine versions, as a file that a reviewer can read.
//!
//! `UPDATE=1 cargo test` writes it anew; a changed line is a guest-visible change of an old machine, which needs a very good
//! reason.

use std::fmt::Write;
use std::fs;

use spapr::spapr::version::Version;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/versions.txt");

/// For each field the values it has had, newest first, each with the versions that have it.
fn matrix() -> String {
    let versions: Vec<Version> = Version::all().collect();
    let rows: Vec<_> = versions.iter().map(|v| v.compat().rows()).collect();
    let mut fields: Vec<String> = Vec::new();
    for (field, _) in rows.iter().flatten() {
        if !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    let mut text = String::from(
        "# What each machine version has. A field, then its values, newest version first; a device's property is listed where it\n\
         # differs from today's default (\"-\"). Written by `UPDATE=1 cargo test --test it versions`.\n",
    );
    for field in fields {
        writeln!(text, "\n{field}").unwrap();
        let value_at = |i: usize| rows[i].iter().find(|(name, _)| *name == field).map_or("-", |(_, value)| value.as_str());
        let mut first = 0;
        for i in 0..versions.len() {
            if i + 1 == versions.len() || value_at(i + 1) != value_at(first) {
                let span =
                    if first == i { versions[i].number() } else { format!("{} … {}", versions[first].number(), versions[i].number()) };
                writeln!(text, "  {span:<18} {}", value_at(first)).unwrap();
                first = i + 1;
            }
        }
    }
    text
}

#[test]
fn the_matrix_of_versions_is_the_golden_one() {
    let matrix = matrix();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(GOLDEN, &matrix).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    let line = golden.lines().zip(matrix.lines()).position(|(a, b)| a != b).unwrap_or(golden.lines().count().min(matrix.lines().count()));
    assert!(golden == matrix, "tests/golden/versions.txt differs from line {}; if that is meant, run with UPDATE=1", line + 1);
}
