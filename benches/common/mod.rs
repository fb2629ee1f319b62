//! What the benchmarks that boot guests share: the guest's files, one process per guest, and what the host says such a process used.

#![allow(dead_code, reason = "each benchmark uses a part")]

pub mod guest;
pub mod host;

/// The middle one, or the lower of the two in the middle.
pub fn median(of: impl IntoIterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = of.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all[(all.len() - 1) / 2]
}

/// A number from the environment.
pub fn number(variable: &str, default: f64) -> f64 {
    std::env::var(variable).map_or(default, |v| v.parse().unwrap_or_else(|_| panic!("{variable}={v}: write a number")))
}
