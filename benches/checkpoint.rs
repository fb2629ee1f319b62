//! A booted Linux guest of 2 GiB to a file and back, beside QEMU's `migrate file:` and `-incoming`, and the time that a fork takes; `cargo bench --bench checkpoint`.
//!
//! Both guests stand while they are written, and QEMU's time begins with the command and ends when its status is `completed`. QEMU's restore is measured in a
//! process that is already up (`-incoming defer`); ours includes building the machine. «disk» counts until the file is on the disk, «cache» until it is
//! written. Environment: as for the other benchmarks, and `SPAPR_BENCH_FOLDER` for the files.

#[path = "common/mod.rs"]
mod common;

use common::guest;
use common::guest::Boot;
use common::guest::Firmware;
use common::guest::Guest;
use common::median;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::state::bulk::Compression;
use spapr::state::file::Durability;
use spapr::vm::CheckpointOptions;
use spapr::vm::Options;
use spapr::vm::Vm;
use std::fs::File;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

const RAM: u64 = 2 << 30;
/// What the kernel prints as it hands over.
const HANDOVER: &str = "Run /bin/sh as init process";
const PROMPT: &str = "# ";
const APPEND: &str = "console=hvc0 rdinit=/bin/sh";
const PATIENCE: Duration = Duration::from_secs(900);
/// Forks that live at once.
const FORKS: usize = 50;

fn main() {
    let runs = common::number("SPAPR_BENCH_RUNS", 5.0) as usize;
    let (kernel, initrd) = guest::debian();
    let folder = std::env::var_os("SPAPR_BENCH_FOLDER").map_or_else(std::env::temp_dir, PathBuf::from);
    let file = folder.join(format!("spapr-bench-{}.state", std::process::id()));
    println!("2 GiB, {}, accel {}, files in {}, {runs} runs", guest::cpu(), guest::accel().0, folder.display());
    let vm = booted(&kernel, &initrd);
    let boot = Boot { kernel, initrd, append: APPEND.into(), cpus: 1 };
    let mut qemu = guest::qemu().map(|program| (Qemu::booted(boot.qemu(&program, Firmware::Vof), &folder), program));
    let mut rows: Vec<(&str, Vec<f64>, Vec<f64>)> = ["save, cache", "save, disk", "restore"].map(|name| (name, vec![], vec![])).into();
    for _ in 0..runs {
        for (row, durability) in [Durability::Cache, Durability::Disk].into_iter().enumerate() {
            let _ = std::fs::remove_file(&file);
            rows[row].1.push(seconds(|| save(&vm, &file, Compression::None, durability)));
            if let Some((qemu, _)) = &mut qemu {
                let other = file.with_extension("qemu");
                let _ = std::fs::remove_file(&other);
                qemu.stand();
                rows[row].2.push(seconds(|| {
                    qemu.migrate(&format!(r#"{{"execute":"migrate","arguments":{{"uri":"file:{}"}}}}"#, other.display()));
                    if durability == Durability::Disk {
                        File::open(&other).and_then(|f| f.sync_all()).expect("QEMU wrote a file");
                    }
                }));
            }
        }
        rows[2].1.push(seconds(|| drop(Vm::load_checkpoint(&file, guest::accel().1).expect("what was just written"))));
        if let Some((_, program)) = &qemu {
            rows[2].2.push(incoming(&boot, program, &folder, &file.with_extension("qemu")));
        }
    }
    for (name, ours, theirs) in rows {
        print!("{name:12} {:8.3} s", median(ours.iter().copied()));
        match theirs.is_empty() {
            true => println!("   qemu-system-ppc64 is not installed: no comparison"),
            false => {
                let (ours, theirs) = (median(ours), median(theirs));
                println!("   QEMU {theirs:8.3} s   ratio {:.2}", ours / theirs);
            }
        }
    }
    let sizes = [file.clone(), file.with_extension("qemu")].map(|f| std::fs::metadata(f).map_or(0, |m| m.len() >> 20));
    println!("files        {} MiB   QEMU {} MiB", sizes[0], sizes[1]);
    let packed: Vec<f64> = (0..runs).map(|_| seconds(|| save(&vm, &file, Compression::Lz4, Durability::Cache))).collect();
    let back: Vec<f64> = (0..runs).map(|_| seconds(|| drop(Vm::load_checkpoint(&file, guest::accel().1).expect("written")))).collect();
    let size = std::fs::metadata(&file).map_or(0, |m| m.len() >> 20);
    println!("with lz4     {:8.3} s to save, {:.3} s to restore, {size} MiB", median(packed), median(back));
    forks(&vm);
    let _ = (std::fs::remove_file(&file), std::fs::remove_file(file.with_extension("qemu")));
}

fn seconds(act: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    act();
    begin.elapsed().as_secs_f64()
}

fn save(vm: &Vm, file: &Path, compression: Compression, durability: Durability) {
    vm.save_checkpoint(file, CheckpointOptions { compression, durability }).expect("the disk has room");
}

/// A machine of ours at the prompt, standing.
fn booted(kernel: &Path, initrd: &Path) -> Vm {
    let caps = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")];
    let settings = Settings {
        memory: RAM,
        cpu: Some(guest::cpu()),
        kernel: Some(kernel.into()),
        initrd: Some(initrd.into()),
        append: APPEND.into(),
        caps: caps.map(|(name, value)| (name.into(), value.into())).to_vec(),
        ..Settings::default()
    };
    let vm = Vm::new(check(&settings).expect("a machine"), Options { accel: guest::accel().1, ..Options::default() }).expect("a machine");
    vm.resume().expect("it was never started");
    let begin = Instant::now();
    let at_the_prompt = || {
        let said = vm.consoles()[0].output(0, usize::MAX);
        String::from_utf8_lossy(&said).split_once(HANDOVER).is_some_and(|(_, rest)| rest.contains(PROMPT))
    };
    while !at_the_prompt() {
        assert!(begin.elapsed() < PATIENCE, "no prompt");
        std::thread::sleep(Duration::from_millis(20));
    }
    vm.pause();
    vm
}

/// How long a fork takes to its first instruction, and what many of them share.
fn forks(vm: &Vm) {
    let begin = Instant::now();
    let snapshot = vm.snapshot().expect("there is room");
    let frozen = begin.elapsed();
    let mut all = Vec::new();
    let mut times = Vec::new();
    for _ in 0..FORKS {
        times.push(seconds(|| {
            let fork = snapshot.fork(None).expect("there is room");
            // An idle guest has nothing to execute until a key is pressed.
            fork.input(0, b"\n");
            fork.resume_for(1).expect("it stands");
            fork.wait(Some(PATIENCE));
            all.push(fork);
        }));
    }
    let worst = times.iter().copied().fold(0.0, f64::max);
    println!(
        "snapshot     {:8.3} ms; fork to its first instruction {:.2} ms, at most {:.2} ms",
        frozen.as_secs_f64() * 1e3,
        median(times) * 1e3,
        worst * 1e3
    );
    let private = || -> u64 {
        let text = std::fs::read_to_string("/proc/self/smaps_rollup").expect("Linux has /proc");
        let of =
            |key: &str| -> u64 { text.lines().find_map(|l| l.strip_prefix(key)?.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0) };
        of("Anonymous:")
    };
    let idle = private();
    all.iter().for_each(|f| f.resume().expect("it stands"));
    std::thread::sleep(Duration::from_secs(5));
    all.iter().for_each(Vm::pause);
    println!(
        "{FORKS} forks     {:.2} MiB each that is not shared after 5 s at the prompt",
        (private() - idle) as f64 / 1024.0 / FORKS as f64
    );
}

/// QEMU, spoken to through its monitor.
struct Qemu {
    to: UnixStream,
    from: BufReader<UnixStream>,
    _guest: Guest,
}

impl Qemu {
    /// Starts QEMU and its monitor.
    fn start(mut command: Command, folder: &Path, name: &str) -> Qemu {
        let socket = folder.join(format!("spapr-bench-{}-{name}.qmp", std::process::id()));
        command.args(["-m", "2048M", "-qmp"]).arg(format!("unix:{},server=on,wait=off", socket.display()));
        let guest = Guest::start(command);
        let begin = Instant::now();
        let to = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(_) => assert!(begin.elapsed() < PATIENCE, "QEMU opens no monitor"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let _ = std::fs::remove_file(&socket);
        let from = BufReader::new(to.try_clone().expect("a socket can be cloned"));
        let mut qemu = Qemu { to, from, _guest: guest };
        qemu.ask(r#"{"execute":"qmp_capabilities"}"#);
        qemu
    }

    /// QEMU at the prompt, standing, without a limit of bandwidth.
    fn booted(command: Command, folder: &Path) -> Qemu {
        let mut qemu = Qemu::start(command, folder, "source");
        qemu._guest.until(HANDOVER);
        qemu._guest.until(PROMPT);
        qemu.ask(r#"{"execute":"stop"}"#);
        qemu.ask(r#"{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1099511627776}}"#);
        qemu
    }

    /// Has the guest stand, as one that has not been migrated: QEMU migrates no guest twice that has not run in between.
    fn stand(&mut self) {
        self.ask(r#"{"execute":"cont"}"#);
        self.ask(r#"{"execute":"stop"}"#);
    }

    /// Asks, and gives the answer; events in between are dropped.
    fn ask(&mut self, question: &str) -> String {
        writeln!(self.to, "{question}").expect("QEMU listens");
        loop {
            let mut line = String::new();
            assert!(self.from.read_line(&mut line).expect("QEMU answers") > 0, "QEMU ended");
            assert!(!line.contains("\"error\""), "{question}: {line}");
            if line.contains("\"return\"") {
                return line;
            }
        }
    }

    /// Begins to migrate, and waits until that is complete.
    fn migrate(&mut self, command: &str) {
        self.ask(command);
        loop {
            let status = self.ask(r#"{"execute":"query-migrate"}"#);
            if status.contains("\"completed\"") {
                return;
            }
            assert!(!status.contains("\"failed\""), "{status}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Seconds that QEMU takes to restore a file, in a process that is up.
fn incoming(boot: &Boot, program: &str, folder: &Path, file: &Path) -> f64 {
    let mut command = boot.qemu(program, Firmware::Vof);
    command.args(["-incoming", "defer", "-S"]);
    let mut qemu = Qemu::start(command, folder, "destination");
    seconds(|| qemu.migrate(&format!(r#"{{"execute":"migrate-incoming","arguments":{{"uri":"file:{}"}}}}"#, file.display())))
}
