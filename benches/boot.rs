//! Debian's kernel from reset to a shell and off again, beside QEMU on the same files in the same run; `cargo bench --bench boot`.
//!
//! Each boot is a process of its own, ours by running this program again, so that both are measured from outside and alike: CPU seconds as the
//! kernel counts them for a child that ended, wall time from start to exit, and memory at the prompt. Runs alternate, so that whatever else the host
//! does meets both. Environment: `SPAPR_KERNEL` and `SPAPR_INITRD` (else what tests/tools/guest-kernel.sh fetched), `SPAPR_BENCH_RUNS` (3),
//! `SPAPR_BENCH_CPU` (power9), `SPAPR_BENCH_ACCEL` (interp), `SPAPR_QEMU_SYSTEM`.

#[path = "common/mod.rs"]
mod common;

use common::guest;
use common::guest::Boot;
use common::guest::Firmware;
use common::guest::Guest;
use common::guest::RAM;
use common::host;
use common::median;
use std::process::Command;

/// What the kernel prints as it hands over.
const HANDOVER: &str = "Run /bin/sh as init process";
const PROMPT: &str = "# ";

fn main() {
    if guest::serve() {
        return;
    }
    let runs = common::number("SPAPR_BENCH_RUNS", 3.0) as usize;
    let (kernel, initrd) = guest::debian();
    println!("{} with {} on {}, accel {}, {runs} runs", kernel.display(), initrd.display(), guest::cpu(), guest::accel().0);
    let boot = Boot { kernel, initrd, append: "console=hvc0 rdinit=/bin/sh".into(), cpus: 1 };
    let qemu = guest::qemu();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(measure(boot.spapr()));
        theirs.extend(qemu.as_ref().map(|q| measure(boot.qemu(q, Firmware::Vof))));
    }
    report("spapr", &ours);
    if theirs.is_empty() {
        println!("qemu-system-ppc64 is not installed: no comparison");
        return;
    }
    report("qemu", &theirs);
    let ratio = |of: fn(&Run) -> f64| median(ours.iter().map(of)) / median(theirs.iter().map(of));
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

fn report(name: &str, runs: &[Run]) {
    let m = |of: fn(&Run) -> f64| median(runs.iter().map(of));
    print!("{name:8} {:8.2} s CPU {:8.2} s wall", m(|r| r.cpu), m(|r| r.wall));
    print!("   memory: guest touched {:.0} MiB, beyond that {:.1} MiB", m(|r| r.touched), m(|r| r.beyond));
    if runs.iter().all(|r| r.instructions.is_some()) {
        let total = m(|r| r.instructions.unwrap_or(0.0));
        print!("   {:.2} G instructions, {:.1} M/s of CPU", total / 1e9, total / m(|r| r.cpu) / 1e6);
    }
    println!();
}

/// Boots, waits for the prompt, looks at memory, switches off.
fn measure(command: Command) -> Run {
    let before = host::children_cpu();
    let mut guest = Guest::start(command);
    guest.until(HANDOVER);
    guest.until(PROMPT);
    let (touched, beyond) = host::resident(guest.process(), RAM);
    guest.line("poweroff -f");
    let (rest, wall) = guest.end();
    let instructions = rest.rsplit_once("instructions=").and_then(|(_, n)| n.trim().parse().ok());
    Run { cpu: host::children_cpu() - before, wall, instructions, beyond, touched }
}
