//! The nearest name to a mistyped one.
//!
//! Every refusal of an unknown word (machine, CPU, capability, host, ruleset) offers what was probably meant. One distance for
//! all of them, so that the offers behave alike.

/// The candidate nearest to `word` by edit distance, ASCII case ignored; `None` when nothing is near enough to be a likely typo
/// (more than half of the longer word differs). The first of equals wins, so list the most common names first.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let mut best: Option<(usize, &'a str)> = None;
    for candidate in candidates {
        let away = distance(&word, &candidate.to_ascii_lowercase());
        let limit =
            word.chars().count().min(64).max(candidate.chars().count()).div_ceil(2).min(candidate.chars().count().saturating_sub(1));
        if away <= limit && best.is_none_or(|(least, _)| away < least) {
            best = Some((away, candidate));
        }
    }
    best.map(|(_, name)| name)
}

/// `did you mean x? use one of …`: the usual hint for an unknown word.
pub fn offer<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<&str> = candidates.into_iter().collect();
    match nearest(word, all.iter().copied()) {
        Some(name) => format!("did you mean {name}? use one of {}", all.join(", ")),
        None => format!("use one of {}", all.join(", ")),
    }
}

/// Insertions, deletions and replacements between two words (Levenshtein). Words longer than 64 characters are cut: no name is.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn typos_find_their_word_and_noise_finds_none() {
        assert_eq!(nearest("power99", ["power8", "power9", "power10"]), Some("power9"));
        assert_eq!(nearest("HMT", ["htm", "vsx"]), Some("htm"));
        assert_eq!(nearest("zzzzzzzz", ["power8", "power9"]), None);
        assert_eq!(nearest(&"x".repeat(100_000), ["power8"]), None);
    }
}
