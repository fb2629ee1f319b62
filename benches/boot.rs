//! Debian's kernel from reset to a shell and off again, beside QEMU on the same files in the same run; `cargo bench --bench boot`.
//!
//! Each boot is a process of its own, ours by running this program again, so that both are measured from outside and alike: CPU seconds as the
//! kernel counts them for a child that ended, wall time from start to exit, and memory at the prompt. Runs alternate, so that whatever else the host
//! does meets both. Environment: `SPAPR_KERNEL` and `SPAPR_INITRD` (else what tests/tools/guest-kernel.sh fetched), `SPAPR_BENCH_RUNS` (3),
//! `SPAPR_BENCH_CPU` (power9).

use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::vm::Options;
use spapr::vm::Status;
use spapr::vm::Vm;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// Set in the processes that boot one guest.
const ONE: &str = "SPAPR_BENCH_ONE";
const RAM: u64 = 1 << 30;
const APPEND: &str = "console=hvc0 rdinit=/bin/sh";
/// What the kernel prints as it hands over.
const HANDOVER: &str = "Run /bin/sh as init process";
const PROMPT: &str = "# ";
const TYPED: &[u8] = b"poweroff -f\n";
/// Capabilities that emulation lacks, the same for both.
const CAPS: [(&str, &str); 4] = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")];
/// A boot that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(900);
/// Clock ticks a second in /proc (USER_HZ, the same on every Linux that we run on).
const TICKS: f64 = 100.0;

fn main() {
    if std::env::var_os(ONE).is_some() {
        return one();
    }
    let runs = std::env::var("SPAPR_BENCH_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let qemu = Command::new("qemu-system-ppc64").arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    let (kernel, initrd) = files();
    println!("{} with {} on {}, {runs} runs", kernel.display(), initrd.display(), cpu());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(measure(spapr()));
        if qemu {
            theirs.push(measure(self::qemu(&kernel, &initrd)));
        }
    }
    report("spapr", &ours);
    if !qemu {
        println!("qemu-system-ppc64 is not installed: no comparison");
        return;
    }
    report("qemu", &theirs);
    let ratio = |of: fn(&Run) -> f64| median(&ours, of) / median(&theirs, of);
    println!("{:8} {:8.2} CPU {:12.2} wall", "ratio", ratio(|r| r.cpu), ratio(|r| r.wall));
}

/// One boot as seen from outside.
struct Run {
    cpu: f64,
    wall: f64,
    /// Guest instructions; known of ours only.
    instructions: Option<f64>,
    /// MiB resident at the prompt, RAM that the guest touched aside.
    beyond: f64,
    touched: f64,
}

fn median(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    let mut all: Vec<f64> = runs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn report(name: &str, runs: &[Run]) {
    let m = |of: fn(&Run) -> f64| median(runs, of);
    print!("{name:8} {:8.2} s CPU {:8.2} s wall", m(|r| r.cpu), m(|r| r.wall));
    print!("   memory: guest touched {:.0} MiB, beyond that {:.1} MiB", m(|r| r.touched), m(|r| r.beyond));
    if runs.iter().all(|r| r.instructions.is_some()) {
        let total = m(|r| r.instructions.unwrap_or(0.0));
        print!("   {:.2} G instructions, {:.1} M/s of CPU", total / 1e9, total / m(|r| r.cpu) / 1e6);
    }
    println!();
}

fn cpu() -> String {
    std::env::var("SPAPR_BENCH_CPU").unwrap_or_else(|_| "power9".into())
}

/// Kernel and RAM disk.
fn files() -> (PathBuf, PathBuf) {
    let cache = || {
        let root = std::env::var_os("SPAPR_CACHE").map(PathBuf::from);
        let root = root.or_else(|| std::env::var_os("XDG_CACHE_HOME").map(|c| PathBuf::from(c).join("spapr")));
        root.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/spapr"))
    };
    let file = |variable: &str, name: &str| {
        let named = std::env::var_os(variable).map(PathBuf::from);
        let path = named.unwrap_or_else(|| cache().join("debian-installer-12-netboot-ppc64el").join(name));
        assert!(path.exists(), "{} is missing: run tests/tools/guest-kernel.sh, or set {variable}", path.display());
        path
    };
    (file("SPAPR_KERNEL", "vmlinux"), file("SPAPR_INITRD", "initrd.gz"))
}

fn spapr() -> Command {
    let mut c = Command::new(std::env::current_exe().expect("this program has a path"));
    c.env(ONE, "1");
    c
}

fn qemu(kernel: &PathBuf, initrd: &PathBuf) -> Command {
    let mut c = Command::new("qemu-system-ppc64");
    let caps: String = CAPS.iter().map(|(name, value)| format!(",cap-{name}={value}")).collect();
    c.args(["-M", &format!("pseries,x-vof=on{caps}"), "-cpu", &cpu(), "-m", &format!("{}M", RAM >> 20), "-smp", "1"]);
    c.args(["-nodefaults", "-display", "none", "-serial", "stdio", "-monitor", "none", "-append", APPEND]);
    c.arg("-kernel").arg(kernel).arg("-initrd").arg(initrd);
    c
}

/// Boots, waits for the prompt, looks at memory, switches off.
fn measure(mut command: Command) -> Run {
    let before = children_cpu();
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut seen = String::new();
    let mut from = child.stdout.take().expect("piped");
    let mut bytes = [0; 4096];
    let mut memory = None;
    loop {
        let n = from.read(&mut bytes).expect("the console can be read");
        if n == 0 {
            break;
        }
        seen.push_str(&String::from_utf8_lossy(&bytes[..n]));
        assert!(begin.elapsed() < PATIENCE, "no prompt after {PATIENCE:?}:\n{seen}");
        if memory.is_none() && seen.split_once(HANDOVER).is_some_and(|(_, after)| after.contains(PROMPT)) {
            memory = Some(resident(&child));
            child.stdin.as_mut().expect("piped").write_all(TYPED).expect("the console takes a line");
        }
    }
    let ended = child.wait().expect("the child ends");
    let wall = begin.elapsed().as_secs_f64();
    let (beyond, touched) = memory.unwrap_or_else(|| panic!("the guest came to no shell ({ended}):\n{seen}"));
    let instructions = seen.rsplit_once("instructions=").and_then(|(_, n)| n.trim().parse().ok());
    Run { cpu: children_cpu() - before, wall, instructions, beyond, touched }
}

/// CPU seconds, user and system, of the children that ended.
fn children_cpu() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("Linux has /proc");
    let fields: Vec<&str> = stat.rsplit_once(')').expect("a name in parentheses").1.split_whitespace().collect();
    // After the name: cutime and cstime are fields 16 and 17 of proc(5).
    [13, 14].iter().filter_map(|k| fields[*k].parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// MiB resident outside guest RAM, and in it. RAM is the anonymous mapping of its size, or those that add up to it.
fn resident(child: &Child) -> (f64, f64) {
    let smaps = fs::read_to_string(format!("/proc/{}/smaps", child.id())).expect("the child runs");
    let (mut all, mut ram, mut size) = (0, 0, 0);
    for line in smaps.lines() {
        let kib = || line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        if line.starts_with("Size:") {
            size = kib();
        } else if line.starts_with("Rss:") {
            all += kib();
            ram += if size == RAM >> 10 { kib() } else { 0 };
        }
    }
    assert!(ram > 0, "no mapping has the size of guest RAM");
    ((all - ram) as f64 / 1024.0, ram as f64 / 1024.0)
}

/// A process that boots one guest with its console on standard input and output.
fn one() {
    let (kernel, initrd) = files();
    let mut settings = Settings { memory: RAM, cpu: Some(cpu()), append: APPEND.into(), ..Settings::default() };
    (settings.kernel, settings.initrd) = (Some(kernel), Some(initrd));
    settings.caps = CAPS.map(|(name, value)| (name.into(), value.into())).to_vec();
    let vm = Vm::new(check(&settings).expect("a machine"), Options::default()).expect("a machine");
    vm.resume().expect("it was never started");
    let typing = vm.clone();
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        while let Ok(n @ 1..) = std::io::stdin().read(&mut bytes) {
            typing.input(0, &bytes[..n]);
        }
    });
    let console = vm.consoles()[0].clone();
    let mut seen = 0;
    loop {
        let stopped = vm.wait(Some(Duration::from_millis(10))) != Status::Running;
        let bytes = console.output(seen, 1 << 16);
        seen += bytes.len() as u64;
        let mut out = std::io::stdout();
        out.write_all(&bytes).and_then(|()| out.flush()).expect("somebody listens");
        if stopped && bytes.is_empty() {
            break;
        }
    }
    vm.pause();
    let instructions: u64 = vm.instructions().expect("the machine stands").iter().sum();
    println!("\ninstructions={instructions}");
}
