//! A guest in a process of its own, ours or QEMU's, with its console on standard input and output.
//!
//! Ours is this program started again: [`serve`] finds in the environment what it is to boot. So both are measured from outside and alike.

use spapr::accel::AccelKind;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::vm::Options;
use spapr::vm::Status;
use spapr::vm::Vm;
use std::io::Read;
use std::io::Write;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::time::Instant;

/// Guest RAM.
pub const RAM: u64 = 1 << 30;
/// Capabilities that emulation lacks, the same for both.
const CAPS: [(&str, &str); 4] = [("cfpc", "broken"), ("sbbc", "broken"), ("ibs", "broken"), ("ccf-assist", "off")];
/// A guest that takes longer for anything has failed.
const PATIENCE: Duration = Duration::from_secs(900);
/// In the environment of the processes that are guests of ours.
const SERVE: &str = "SPAPR_BENCH_ONE";
const FIELDS: [&str; 4] = ["SPAPR_BENCH_ONE_KERNEL", "SPAPR_BENCH_ONE_INITRD", "SPAPR_BENCH_ONE_APPEND", "SPAPR_BENCH_ONE_CPUS"];

/// What is booted.
#[derive(Clone)]
pub struct Boot {
    /// Kernel.
    pub kernel: PathBuf,
    /// Initial RAM disk.
    pub initrd: PathBuf,
    /// Command line of the kernel.
    pub append: String,
    /// vCPUs, each on a core of its own.
    pub cpus: u32,
}

/// What QEMU starts the kernel with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// The small one that is part of QEMU, like ours (`x-vof=on`).
    Vof,
    /// Its default, SLOF, which is guest code.
    Default,
}

/// The model of both guests' processors.
pub fn cpu() -> String {
    std::env::var("SPAPR_BENCH_CPU").unwrap_or_else(|_| "power9".into())
}

/// What runs our guests.
pub fn accel() -> (String, AccelKind) {
    let name = std::env::var("SPAPR_BENCH_ACCEL").unwrap_or_else(|_| "interp".into());
    let kind = AccelKind::ALL.into_iter().find(|k| k.name() == name);
    let kind = kind.unwrap_or_else(|| panic!("SPAPR_BENCH_ACCEL={name}: there are {:?}", AccelKind::ALL.map(AccelKind::name)));
    (name, kind)
}

/// QEMU, if it is there.
pub fn qemu() -> Option<String> {
    let name = std::env::var("SPAPR_QEMU_SYSTEM").unwrap_or_else(|_| "qemu-system-ppc64".into());
    let answers = Command::new(&name).arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success());
    answers.then_some(name)
}

/// Debian's kernel and RAM disk, as fetched by tests/tools/guest-kernel.sh, or those that `SPAPR_KERNEL` and `SPAPR_INITRD` name.
pub fn debian() -> (PathBuf, PathBuf) {
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

impl Boot {
    /// A process of ours.
    pub fn spapr(&self) -> Command {
        let mut c = Command::new(std::env::current_exe().expect("this program has a path"));
        let cpus = self.cpus.to_string();
        c.env(SERVE, "1").env(FIELDS[0], &self.kernel).env(FIELDS[1], &self.initrd).env(FIELDS[2], &self.append).env(FIELDS[3], cpus);
        c
    }

    /// A process of QEMU's.
    pub fn qemu(&self, program: &str, firmware: Firmware) -> Command {
        let mut c = Command::new(program);
        let caps: String = CAPS.iter().map(|(name, value)| format!(",cap-{name}={value}")).collect();
        let firmware = if firmware == Firmware::Vof { "on" } else { "off" };
        c.args(["-accel", "tcg", "-M", &format!("pseries,x-vof={firmware}{caps}"), "-cpu", &cpu()]);
        c.args(["-m", &format!("{}M", RAM >> 20), "-smp", &format!("{0},cores={0}", self.cpus)]);
        c.args(["-nodefaults", "-display", "none", "-serial", "stdio", "-monitor", "none", "-append", &self.append]);
        c.arg("-kernel").arg(&self.kernel).arg("-initrd").arg(&self.initrd);
        c
    }
}

/// A running guest.
pub struct Guest {
    child: Child,
    from: Receiver<Vec<u8>>,
    /// Everything on the console so far, and how much of it was looked at.
    seen: String,
    at: usize,
    begin: Instant,
}

impl Guest {
    /// Starts a process.
    pub fn start(mut command: Command) -> Guest {
        let begin = Instant::now();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut out = child.stdout.take().expect("piped");
        let (to, from) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut bytes) {
                if to.send(bytes[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Guest { child, from, seen: String::new(), at: 0, begin }
    }

    /// Process number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the console says `what`, and gives what it said before.
    pub fn until(&mut self, what: &str) -> String {
        let begin = Instant::now();
        loop {
            if let Some((before, _)) = self.seen[self.at..].split_once(what) {
                let before = before.to_string();
                self.at += before.len() + what.len();
                return before;
            }
            let left = PATIENCE.saturating_sub(begin.elapsed());
            let bytes = self.from.recv_timeout(left).unwrap_or_else(|e| panic!("no {what:?} on the console: {e}\n{}", self.seen));
            self.seen += &String::from_utf8_lossy(&bytes);
        }
    }

    /// Types a line.
    pub fn line(&mut self, line: &str) {
        let to = self.child.stdin.as_mut().expect("piped");
        to.write_all(format!("{line}\n").as_bytes()).and_then(|()| to.flush()).expect("the console takes a line");
    }

    /// Waits for the process to end; the rest of its console, and seconds since its start.
    pub fn end(mut self) -> (String, f64) {
        while let Ok(bytes) = self.from.recv_timeout(PATIENCE) {
            self.seen += &String::from_utf8_lossy(&bytes);
        }
        let _ = self.child.wait().expect("the child ends");
        let wall = self.begin.elapsed().as_secs_f64();
        (self.seen.split_off(self.at), wall)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // Does nothing to a process that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a process that is to be a guest: boots it, and is its console until it ends. Says false in any other.
pub fn serve() -> bool {
    if std::env::var_os(SERVE).is_none() {
        return false;
    }
    let field = |n: usize| std::env::var(FIELDS[n]).unwrap_or_default();
    let mut settings = Settings { memory: RAM, cpu: Some(cpu()), append: field(2), ..Settings::default() };
    (settings.kernel, settings.initrd) = (Some(field(0).into()), Some(field(1).into()));
    settings.caps = CAPS.map(|(name, value)| (name.into(), value.into())).to_vec();
    settings.smp.cpus = field(3).parse().ok();
    settings.smp.cores = settings.smp.cpus;
    let options = Options { accel: accel().1, ..Options::default() };
    let vm = Vm::new(check(&settings).expect("a machine"), options).expect("a machine");
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
    if std::env::var_os("SPAPR_BENCH_COUNTS").is_some() {
        // To the terminal, not to the process that measures.
        vm.accel_counts().expect("the machine stands").iter().take(60).for_each(|(name, n)| eprintln!("{n:>12}  {name}"));
    }
    println!("\ninstructions={instructions}");
    true
}
