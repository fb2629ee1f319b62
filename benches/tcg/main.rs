//! Guest code beside QEMU's translator: the same programs in the same Linux guest, in the same run; `cargo bench --bench tcg`.
//!
//! Both guests are booted once (Debian's kernel, a RAM disk with the programs of benches/guest) and then do the same rows in turns. A row is measured from
//! outside: CPU seconds of all the process's threads between the command and its end. What is compared is the pair; printed is the median of the pairs' ratios.
//! Every checksum must be that of the same program on this machine.
//!
//! Environment: `SPAPR_BENCH_ACCEL` (interp), `SPAPR_BENCH_RUNS` (3), `SPAPR_BENCH_ROWS` (names of rows, or `boot`, `two`, `cold`, `idle`; separated by commas),
//! `SPAPR_BENCH_SCALE` (1: more or fewer rounds), `SPAPR_BENCH_CPU` (power9), `SPAPR_QEMU_SYSTEM`, `SPAPR_KERNEL`, `SPAPR_INITRD`.

#[path = "../common/mod.rs"]
mod common;
mod rows;
mod table;

use common::guest;
use common::guest::Boot;
use common::guest::Firmware;
use common::guest::Guest;
use common::guest::RAM;
use common::host;
use common::median;
use rows::Group;
use rows::ROWS;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use table::Line;
use table::Table;

fn main() {
    if guest::serve() {
        return;
    }
    let Some(folder) = build() else { return };
    let bench = Bench {
        native: folder.join("native"),
        disk: folder.join("initramfs.cpio"),
        runs: common::number("SPAPR_BENCH_RUNS", 3.0) as usize,
        scale: common::number("SPAPR_BENCH_SCALE", 1.0),
        qemu: guest::qemu(),
    };
    println!("accel {}, {} on both, medians of {} pairs, CPU seconds\n", guest::accel().0, guest::cpu(), bench.runs);
    if bench.qemu.is_none() {
        println!("qemu-system-ppc64 is not installed: no comparison\n");
    }
    let mut table = Table::begin();
    bench.programs(&mut table);
    bench.boots(&mut table);
}

/// Builds the programs, where there is a compiler for them.
fn build() -> Option<PathBuf> {
    let to = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-guest");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/guest/build.py");
    let done = Command::new("python3").arg(script).arg(&to).output().expect("python3 starts");
    if !done.status.success() {
        println!("the guest's programs are not built: {}", String::from_utf8_lossy(&done.stderr));
        return None;
    }
    Some(to)
}

/// Whether a row is wanted.
fn wanted(name: &str) -> bool {
    std::env::var("SPAPR_BENCH_ROWS").map_or(true, |list| list.split(',').any(|w| w == name))
}

struct Bench {
    native: PathBuf,
    disk: PathBuf,
    runs: usize,
    scale: f64,
    qemu: Option<String>,
}

/// CPU and wall seconds of a command.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: f64,
}

/// A guest that obeys.
struct Shell(Guest);

impl Shell {
    fn new(command: Command) -> Shell {
        let mut guest = Guest::start(command);
        guest.until("ready");
        Shell(guest)
    }

    /// What happens from a line until the console says `until`: cost, and what was said.
    fn timed(&mut self, line: &str, until: &str) -> (Cost, String) {
        let (cpu, begin) = (host::threads_cpu(self.0.process()), Instant::now());
        self.0.line(line);
        let said = self.0.until(until);
        (Cost { cpu: host::threads_cpu(self.0.process()) - cpu, wall: begin.elapsed().as_secs_f64() }, said)
    }

    /// A program's cost and checksum.
    fn run(&mut self, line: &str) -> (Cost, String) {
        let (cost, said) = self.timed(line, "status ");
        assert_eq!(self.0.until("\n").trim(), "0", "{line}: {said}");
        (cost, last_word(&said))
    }

    /// Microseconds for each instruction of a run of fresh code, beyond what executing it costs.
    fn cold(&mut self, thousands: u64) -> (f64, String) {
        self.timed(&format!("cold {thousands}"), "phase first");
        let first = self.timed("", "phase second").0.cpu;
        let second = self.timed("", "phase end").0.cpu;
        let (_, said) = self.timed("", "status 0");
        ((first - second) * 1e6 / (thousands * 1000) as f64, last_word(&said))
    }

    fn off(mut self) {
        self.0.line("off");
        self.0.end();
    }
}

fn last_word(of: &str) -> String {
    of.split_whitespace().last().unwrap_or_default().to_string()
}

impl Bench {
    /// The checksum of a program on this machine.
    fn right(&self, line: &str) -> String {
        let mut words: Vec<String> = line.split_whitespace().map(String::from).collect();
        words.resize(3.max(words.len()), "1".into());
        let mut command = Command::new(self.native.join("bench"));
        command.args(words).arg(self.native.join("leaf"));
        let mut guest = Guest::start(command);
        (0..3).for_each(|_| guest.line(""));
        last_word(&guest.end().0)
    }

    fn boot(&self, cpus: u32) -> Boot {
        let append = "console=hvc0 quiet".into();
        Boot { kernel: guest::debian().0, initrd: self.disk.clone(), append, cpus }
    }

    fn rounds(&self, of: u64) -> u64 {
        ((of as f64 * self.scale) as u64).max(1)
    }

    /// Everything that runs as a program in the guest.
    fn programs(&self, table: &mut Table) {
        let rows: Vec<_> = ROWS.iter().filter(|r| wanted(r.name)).collect();
        if !rows.is_empty() || wanted("cold") || wanted("idle") {
            let boot = self.boot(1);
            let mut ours = Shell::new(boot.spapr());
            let mut theirs = self.qemu.as_ref().map(|q| Shell::new(boot.qemu(q, Firmware::Vof)));
            let mut integer = Vec::new();
            for row in &rows {
                let line = self.pairs(&mut ours, theirs.as_mut(), &format!("{} {}", row.name, self.rounds(row.rounds)));
                if row.group == Group::Integer {
                    integer.extend(line.ratio());
                }
                table.add(&Line { target: row.target, ..line });
                if integer.len() == 8 {
                    table.mean("eight integer kernels", &std::mem::take(&mut integer), rows::INTEGER);
                }
            }
            if wanted("cold") {
                self.cold(table, &mut ours, theirs.as_mut());
            }
            if wanted("idle") {
                let line = self.pairs(&mut ours, theirs.as_mut(), "idle 3000");
                table.add(&Line { name: "idle, 3 s".into(), ..line });
            }
            theirs.into_iter().chain([ours]).for_each(Shell::off);
        }
        if wanted("two") {
            self.two(table);
        }
    }

    /// A program on both, in turns.
    fn pairs(&self, ours: &mut Shell, mut theirs: Option<&mut Shell>, line: &str) -> Line {
        let right = self.right(line);
        let one = |shell: &mut Shell, who: &str| {
            let (cost, sum) = shell.run(line);
            assert_eq!(sum, right, "{line}: {who} has another checksum than this machine");
            cost.cpu
        };
        let pairs = (0..self.runs).map(|_| (one(ours, "spapr"), theirs.as_deref_mut().map(|t| one(t, "QEMU"))));
        Line::of(line.split(' ').next().unwrap_or(line), pairs.collect())
    }

    /// Code that runs once.
    fn cold(&self, table: &mut Table, ours: &mut Shell, mut theirs: Option<&mut Shell>) {
        let thousands = self.rounds(400);
        let right = self.right(&format!("cold {thousands}"));
        let one = |shell: &mut Shell| {
            let (cost, sum) = shell.cold(thousands);
            assert_eq!(sum, right, "cold {thousands}: the checksum differs from this machine's");
            cost
        };
        let pairs: Vec<_> = (0..self.runs).map(|_| (one(ours), theirs.as_deref_mut().map(one))).collect();
        let line = Line::of("fresh code, µs per instruction", pairs);
        table.add(&Line { limit: Some(rows::COLD), ..line });
    }

    /// Two busy vCPUs against one, by the clock on the wall.
    fn two(&self, table: &mut Table) {
        let boot = self.boot(2);
        let rounds = self.rounds(1000);
        let of = |command: Command| {
            let mut shell = Shell::new(command);
            let gains: Vec<(f64, f64)> = (0..self.runs)
                .map(|_| {
                    let one = shell.run(&format!("interpreter {rounds} 1")).0;
                    let two = shell.run(&format!("interpreter {rounds} 2")).0;
                    (2.0 * one.wall / two.wall, 2.0 * one.cpu / two.cpu)
                })
                .collect();
            shell.off();
            (median(gains.iter().map(|g| g.0)), median(gains.iter().map(|g| g.1)))
        };
        let ours = of(boot.spapr());
        let theirs = self.qemu.as_ref().map(|q| of(boot.qemu(q, Firmware::Vof)));
        table.factor("two vcpus, work by the clock", ours.0, theirs.map(|t| t.0), Some(rows::TWO));
        table.factor("two vcpus, work per CPU second", ours.1, theirs.map(|t| t.1), None);
    }

    /// Debian's kernel with its own RAM disk to the first process.
    fn boots(&self, table: &mut Table) {
        if !wanted("boot") {
            return;
        }
        let (kernel, initrd) = guest::debian();
        let boot = Boot { kernel, initrd, append: "console=hvc0 rdinit=/bin/sh".into(), cpus: 1 };
        let one = |command: Command| {
            let mut guest = Guest::start(command);
            guest.until("Run /bin/sh as init process");
            let cpu = host::process_cpu(guest.process());
            guest.until("# ");
            let (_, beyond) = host::resident(guest.process(), RAM);
            guest.line("poweroff -f");
            guest.end();
            (cpu, beyond)
        };
        let (mut small, mut default, mut memory) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.runs {
            let ours = one(boot.spapr());
            let theirs = self.qemu.as_ref().map(|q| (one(boot.qemu(q, Firmware::Vof)), one(boot.qemu(q, Firmware::Default)).0));
            small.push((ours.0, theirs.map(|t| t.0.0)));
            default.push((ours.0, theirs.map(|t| t.1)));
            memory.push((ours.1, theirs.map(|t| t.0.1)));
        }
        table.add(&Line { share: Some(rows::BOOT.0), ..Line::of("boot to init, QEMU x-vof=on", small) });
        table.add(&Line { share: Some(rows::BOOT.1), ..Line::of("boot to init, QEMU's firmware", default) });
        table.add(&Line { limit: Some(rows::MEMORY), ..Line::of("memory beyond the guest's, MiB", memory) });
    }
}
