//! Boots a kernel with the console on standard output: the shortest way to see a machine from Rust.
//!
//! `cargo run --release --example boot -- KERNEL [INITRD [APPEND [key=value …]]]`, where keys are `machine`, `cpu`, `smp`, `memory` (MiB), `ic-mode`,
//! `type` (sent to the console once a `#` prompt appears) and `limit` (instructions).

use spapr::error::Result;
use spapr::spapr::smp::SmpSettings;
use spapr::spapr::spec::Settings;
use spapr::spapr::spec::check;
use spapr::vm::Options;
use spapr::vm::Status;
use spapr::vm::Vm;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

fn main() {
    if let Err(e) = run() {
        eprintln!("{e}");
        std::process::exit(2);
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut settings = Settings { memory: 1 << 30, ..Settings::default() };
    let (options, words): (Vec<&String>, Vec<&String>) = args.iter().partition(|a| KEYS.iter().any(|k| a.starts_with(&format!("{k}="))));
    settings.kernel = words.first().map(Into::into);
    settings.initrd = words.get(1).filter(|w| !w.is_empty()).map(Into::into);
    settings.append = words.get(2).map_or_else(|| "console=hvc0".into(), |s| s.to_string());
    let (mut typed, mut limit) = (None, None);
    for (key, value) in options.iter().filter_map(|o| o.split_once('=')) {
        match key {
            "machine" => settings.machine = value.into(),
            "cpu" => settings.cpu = Some(value.into()),
            "smp" => settings.smp = SmpSettings::parse(value)?,
            "memory" => settings.memory = value.parse::<u64>().unwrap_or(1024) << 20,
            "ic-mode" => settings.ic_mode = Some(value.into()),
            "type" => typed = Some(value.replace("\\n", "\n")),
            "limit" => limit = value.parse().ok(),
            _ => {}
        }
    }
    for cap in ["cfpc", "sbbc", "ibs"] {
        settings.caps.push((cap.into(), "broken".into()));
    }
    settings.caps.push(("ccf-assist".into(), "off".into()));
    let vm = Vm::new(check(&settings)?, Options::default())?;
    let begin = Instant::now();
    match limit {
        Some(n) => vm.resume_for(n)?,
        None => vm.resume()?,
    }
    follow(&vm, typed);
    vm.pause();
    let instructions: u64 = vm.instructions()?.iter().sum();
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!("\n{:?}: {instructions} instructions in {seconds:.2} s, {:.1} M/s", vm.status(), instructions as f64 / seconds / 1e6);
    for k in 0..vm.spec().smp.cpus.min(4) {
        let s = vm.cpu_state(spapr::units::CpuIndex(k))?;
        eprintln!("cpu {k}: nip {:#x} msr {:?} lr {:#x} halt {:?}", s.nip, s.msr, s.lr, vm.halt(spapr::units::CpuIndex(k))?);
        if limit.is_some() {
            s.gpr.iter().enumerate().for_each(|(n, v)| eprint!("r{n}={v:x} "));
            eprintln!();
        }
    }
    Ok(())
}

const KEYS: [&str; 7] = ["machine", "cpu", "smp", "memory", "ic-mode", "type", "limit"];

/// Copies the console to standard output until the machine stops.
fn follow(vm: &Vm, mut typed: Option<String>) {
    let console = &vm.consoles()[0];
    let mut seen = 0;
    loop {
        let bytes = console.output(seen, 1 << 16);
        seen += bytes.len() as u64;
        let _ = std::io::stdout().write_all(&bytes).and_then(|()| std::io::stdout().flush());
        let prompted = bytes.windows(2).any(|w| w == b"# " || w == b"> ");
        if let Some(text) = typed.take_if(|_| prompted) {
            vm.input(0, text.as_bytes());
        }
        let stopped = vm.wait(Some(Duration::from_millis(if bytes.is_empty() { 10 } else { 0 }))) != Status::Running;
        if stopped && console.output_len() == seen {
            return;
        }
    }
}
