//! From an instruction image to its row.
//!
//! The lookup is built once from the rows: the primary opcode and the low eleven bits of the word select a short list, nearly always of one row,
//! whose fixed bits are then compared. Two rows that match the same image are a mistake in the table, which a test finds.

use crate::isa::Insn;
use crate::isa::table::Row;
use crate::isa::table::rows;
use std::sync::OnceLock;

const LOW: usize = 1 << 11;

struct Lookup {
    /// For each `opcode << 11 | low bits`, the range of `list`.
    buckets: Vec<(u32, u16)>,
    list: Vec<&'static Row>,
    prefixed: Vec<&'static Row>,
}

fn lookup() -> &'static Lookup {
    static LOOKUP: OnceLock<Lookup> = OnceLock::new();
    LOOKUP.get_or_init(|| {
        let mut lists: Vec<Vec<&'static Row>> = vec![Vec::new(); 64 * LOW];
        let mut prefixed = Vec::new();
        for row in rows() {
            if row.is_prefixed() {
                prefixed.push(row);
                continue;
            }
            let opcode = (row.value >> 26) as usize;
            let (mask, value) = (row.mask as usize & (LOW - 1), row.value as usize & (LOW - 1));
            (0..LOW).filter(|low| low & mask == value).for_each(|low| lists[opcode * LOW + low].push(row));
        }
        let mut list = Vec::new();
        let buckets = lists
            .into_iter()
            .map(|l| {
                let at = (list.len() as u32, l.len() as u16);
                list.extend(l);
                at
            })
            .collect();
        Lookup { buckets, list, prefixed }
    })
}

/// The row that describes `insn`, whichever edition it belongs to.
pub fn decode(insn: Insn) -> Option<&'static Row> {
    let l = lookup();
    let candidates: &[&'static Row] = if insn.is_prefixed() {
        &l.prefixed
    } else {
        let (from, n) = l.buckets[insn.opcd() as usize * LOW + (insn.word() as usize & (LOW - 1))];
        &l.list[from as usize..from as usize + usize::from(n)]
    };
    candidates.iter().copied().find(|r| insn.0 & r.mask == r.value)
}

/// Whether a word is the prefix of a prefixed instruction (ISA 3.1 I, 1.6).
pub const fn is_prefix(word: u32) -> bool {
    word >> 26 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_overlap() {
        let all: Vec<_> = rows().collect();
        for (i, a) in all.iter().enumerate() {
            for b in &all[i + 1..] {
                assert_ne!(a.name, b.name, "two rows have one name");
                let both = a.mask & b.mask;
                let same_kind = a.is_prefixed() == b.is_prefixed();
                assert!(!same_kind || a.value & both != b.value & both, "{} and {} match the same image", a.name, b.name);
            }
        }
    }

    #[test]
    fn every_row_finds_itself() {
        for r in rows() {
            assert_eq!(decode(Insn(r.value)).map(|x| x.name), Some(r.name));
        }
    }
}
