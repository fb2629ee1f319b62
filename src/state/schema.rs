//! Stored types in words: what the golden files print, and what a reader of a stream without this program would need.

use crate::state::Section;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A field of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number, never used again.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// Its type in words.
    pub kind: String,
    /// What it is where it is missing; `None`: it may not be.
    pub missing: Option<String>,
}

/// Records that a section refers to.
#[derive(Default, Debug)]
pub struct Schema {
    records: BTreeMap<&'static str, Vec<Row>>,
}

impl Schema {
    /// Notes a record; gives its name.
    pub fn record(&mut self, name: &'static str, rows: impl FnOnce(&mut Schema) -> Vec<Row>) -> String {
        if !self.records.contains_key(name) {
            let rows = rows(self);
            self.records.insert(name, rows);
        }
        name.to_string()
    }
}

/// A section in words, for the golden files.
pub fn text<S: Section>() -> String {
    let mut schema = Schema::default();
    let top = S::describe(&mut schema);
    let mut text = format!("section {:?} version {}: {top}\n", S::NAME, S::VERSION);
    let (own, others): (Vec<_>, Vec<_>) = schema.records.iter().partition(|(name, _)| **name == top);
    for (name, rows) in own.into_iter().chain(others) {
        let _ = write!(text, "\n{name}\n");
        for row in rows {
            let missing = row.missing.as_ref().map_or(String::new(), |value| format!(", where missing {value}"));
            let _ = writeln!(text, "  {:>4} {}: {}{missing}", row.number, row.name, row.kind);
        }
    }
    text
}
