//! What is measured: the programs of benches/guest, how many rounds of each, and how many times faster than QEMU each should be.

/// A program in the guest.
pub struct Row {
    /// The program's name.
    pub name: &'static str,
    /// Rounds that take QEMU about half a second.
    pub rounds: u64,
    /// What must be reached alone, if this row is not judged with its group.
    pub target: Option<f64>,
    /// The rows that are judged together.
    pub group: Group,
}

/// Rows that belong together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The eight integer kernels, judged by their geometric mean.
    Integer,
    /// A program of mixed work.
    Whole,
    /// Floating point.
    Float,
    /// Work of the guest's kernel.
    System,
}

/// What the integer kernels must reach together.
pub const INTEGER: f64 = 2.0;
/// CPU seconds of a boot, as a share of QEMU's with its small firmware and with its default one.
pub const BOOT: (f64, f64) = (0.5, 0.21);
/// Throughput of two busy vCPUs, in that of one.
pub const TWO: f64 = 1.9;
/// Microseconds for each distinct guest instruction.
pub const COLD: f64 = 0.7;
/// MiB beyond what the guest touched.
pub const MEMORY: f64 = 100.0;

const fn integer(name: &'static str, rounds: u64) -> Row {
    Row { name, rounds, target: None, group: Group::Integer }
}
const fn float(name: &'static str, rounds: u64) -> Row {
    Row { name, rounds, target: Some(8.0), group: Group::Float }
}
const fn system(name: &'static str, rounds: u64) -> Row {
    Row { name, rounds, target: Some(1.5), group: Group::System }
}

/// All rows.
pub const ROWS: &[Row] = &[
    integer("crc32", 1500),
    integer("sieve", 150),
    integer("xorshift", 2000),
    integer("fib", 300),
    integer("interpreter", 1000),
    integer("qsort", 60),
    integer("matmul", 1200),
    integer("sha", 1500),
    Row { name: "whole", rounds: 1500, target: Some(1.8), group: Group::Whole },
    float("dp-matmul", 150),
    float("saxpy", 5000),
    float("div-sqrt", 4000),
    Row { name: "div-sqrt-chain", rounds: 2000, target: None, group: Group::Float },
    system("memcpy", 60),
    system("getppid", 500),
    system("pipe", 60),
    system("fork", 20),
    system("exec", 15),
];
