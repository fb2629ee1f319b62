//! The rules, one function each, in the order in which a person would ask.
//!
//! What QEMU does in each case was measured with QEMU 10.0 where its command line can bring it about, and read from its behaviour elsewhere. Three things
//! decide how bad a difference is there: whether a section carries it, whether the section's length depends on it, and whether anybody compares. VSMT
//! is the case that none of the three covers: with XIVE in the stream its tables have another length and the load stops at a footer, with XICS alone
//! the guest goes on and sends its interrupts to servers that nobody is.

use crate::spapr::caps::Cap;
use crate::spapr::compat::description::Description;
use crate::spapr::compat::description::Device;
use crate::spapr::compat::description::Node;
use crate::spapr::compat::description::compat_name;
use crate::spapr::compat::reason::Code;
use crate::spapr::compat::reason::Qemu;
use crate::spapr::compat::reason::Weight;
use crate::spapr::compat::reason::Words;
use crate::spapr::compat::remedy;
use crate::spapr::compat::remedy::Remedy;
use crate::spapr::compat::sink::Sink;
use crate::spapr::cpus::CompatMode;
use crate::spapr::host::HostProfile;
use crate::spapr::machine::MmuMode;
use crate::spapr::options::IcMode;
use crate::spapr::options::ResizeHpt;
use crate::spapr::version::Version;
use crate::spapr::vsmt;
use crate::spapr::vsmt::rules::Ruleset;

/// A rule: compares the two and says what it finds.
type Rule<S> = fn(&Description, &Description, &mut S);

/// Goes through all rules.
pub(super) fn apply<S: Sink>(source: &Description, destination: &Description, sink: &mut S) {
    let rules: [Rule<S>; 16] = [
        machine,
        cpus,
        max_cpus,
        numbering,
        processor,
        interrupt_controller,
        capabilities,
        mmu,
        resize_hpt,
        ram,
        maxmem,
        numa,
        devices,
        uuid,
        rng,
        accelerator,
    ];
    for rule in rules {
        rule(source, destination, sink);
    }
}

/// The words of two values that differ.
fn words(
    setting: &'static str,
    values: [impl Into<String>; 2],
    problem: impl Into<String>,
    change: impl Into<String>,
    qemu: Qemu,
) -> Words {
    let [source, destination] = values.map(Into::into);
    Words { setting: setting.into(), source, destination, problem: problem.into(), change: change.into(), qemu }
}

/// `use <setting>=<the source's value> on the destination`.
fn follow(setting: &str, value: impl std::fmt::Display) -> String {
    format!("use {setting}={value} on the destination")
}

fn machine<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.machine == d.machine {
        return;
    }
    sink.add(Weight::Refuses, Code::Machine, || {
        let qemu = Qemu::Fails(format!("Machine type received is '{}' and local is '{}'", s.machine, d.machine));
        let problem = format!("the guest runs on {}, and the destination is {}", s.machine, d.machine);
        words("machine", [&*s.machine, &*d.machine], problem, follow("machine", format!("{:?}", s.machine)), qemu)
    });
}

/// Whether both sides have XIVE's tables in the stream, whose length depends on the number of servers.
fn both_xive(s: &Description, d: &Description) -> bool {
    s.ic.has_xive() && d.ic.has_xive()
}

/// What QEMU does where the numbering differs and sections of vcpus do not.
fn qemu_numbering(s: &Description, d: &Description) -> Qemu {
    if both_xive(s, d) && s.servers != d.servers {
        return Qemu::Fails("Missing section footer for spapr-xive".to_string());
    }
    Qemu::Corrupts
}

fn cpus<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    let (from, to) = (s.smp.cpus, d.smp.cpus);
    if from == to {
        return;
    }
    sink.add(Weight::Refuses, Code::Cpus, || {
        let length = qemu_numbering(s, d);
        let qemu = if length == Qemu::Corrupts && from > to { Qemu::unknown_section("cpu_common", to) } else { length };
        let problem = format!("the guest has {from} vcpus, and the destination {to}");
        words("smp", [from.to_string(), to.to_string()], problem, follow("smp", format!("\"{}\"", smp_text(s))), qemu)
    });
}

/// A topology as users write it.
fn smp_text(of: &Description) -> String {
    let smp = of.smp;
    let room = if smp.maxcpus == smp.cpus { String::new() } else { format!(",maxcpus={}", smp.maxcpus) };
    let threads = if smp.threads == 1 { String::new() } else { format!(",cores={},threads={}", smp.cores, smp.threads) };
    let sockets = if smp.sockets == 1 { String::new() } else { format!(",sockets={}", smp.sockets) };
    format!("{}{room}{sockets}{threads}", smp.cpus)
}

fn max_cpus<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    let (from, to) = (s.smp.maxcpus, d.smp.maxcpus);
    if from == to || s.smp.cpus != d.smp.cpus {
        return;
    }
    sink.add(Weight::Refuses, Code::MaxCpus, || {
        let problem = format!("the guest was told of room for {from} vcpus, and the destination has room for {to}");
        words("smp", [from.to_string(), to.to_string()], problem, follow("smp", format!("\"{}\"", smp_text(s))), qemu_numbering(s, d))
    });
}

/// Threads, spacing and ids: the first that differs is the one to name, the others follow from it.
fn numbering<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.smp.threads != d.smp.threads {
        sink.add(Weight::Refuses, Code::Threads, || {
            let (from, to) = (s.smp.threads, d.smp.threads);
            let problem = format!("the guest has {from} threads per core, and the destination {to}");
            words("smp", [from.to_string(), to.to_string()], problem, follow("smp", format!("\"{}\"", smp_text(s))), qemu_numbering(s, d))
        });
        return;
    }
    if s.vsmt != d.vsmt {
        // A single core with room for no other has the same ids under any spacing, but not the same number of servers.
        sink.add(Weight::Refuses, Code::Vsmt, || spacing(s, d));
        return;
    }
    if s.vcpu_ids != d.vcpu_ids && s.smp.cpus == d.smp.cpus {
        sink.add(Weight::Refuses, Code::VcpuIds, || {
            let ids = [s, d].map(|side| ids(&side.vcpu_ids));
            let problem = format!("the guest knows its vcpus as {}, and the destination as {}", ids[0], ids[1]);
            words("vsmt", ids, problem, "start the destination with the source's smp and vsmt", qemu_numbering(s, d))
        });
    }
}

fn spacing(s: &Description, d: &Description) -> Words {
    let cores = |side: &Description| {
        let first: Vec<u32> = side.vcpu_ids.iter().copied().step_by(side.smp.threads.max(1) as usize).take(4).collect();
        let more = side.smp.cpus.div_ceil(side.smp.threads.max(1)) as usize > first.len();
        format!("{}{}", first.iter().map(u32::to_string).collect::<Vec<_>>().join(","), if more { ",…" } else { "" })
    };
    let problem = format!(
        "the guest's cores have the vcpu ids {} (vsmt={}, {} servers), and the destination's {} (vsmt={}, {} servers)",
        cores(s),
        s.vsmt,
        s.servers,
        cores(d),
        d.vsmt,
        d.servers
    );
    let change = match mend(s, d) {
        Some(Remedy::Destination(vsmt)) => format!("use vsmt={vsmt} on the destination"),
        Some(Remedy::Source(vsmt)) => {
            format!("use vsmt={vsmt} on the source and start the guest anew: {} grants no vsmt={}", d.host, s.vsmt)
        }
        Some(Remedy::Both(vsmt)) => format!("use vsmt={vsmt} on both and start the guest anew"),
        None => format!("no vsmt is granted by both {} and {}: use another destination, or other threads", s.host, d.host),
    };
    words("vsmt", [s.vsmt.to_string(), d.vsmt.to_string()], problem, change, qemu_numbering(s, d))
}

/// The `vsmt` that would bring the two together.
pub(super) fn mend(s: &Description, d: &Description) -> Option<Remedy> {
    // Descriptions from another version may name what this one does not know; then there is no advice.
    let (from, to) = (asked(s)?, asked(d)?);
    let run = |asked: &vsmt::Asked<'_>, own: u32, told: Option<u32>| match told {
        None => Some(own),
        Some(_) => vsmt::decide(&vsmt::Asked { vsmt: told, ..*asked }).vsmt.map(|numbers| numbers.stride()),
    };
    remedy::find(Some(s.vsmt), Some(d.vsmt), |source, destination| {
        let first = run(&from, s.vsmt, source);
        first.is_some() && first == run(&to, d.vsmt, destination)
    })
}

/// The question that a side's numbering was the answer to, less its `vsmt`.
fn asked(side: &Description) -> Option<vsmt::Asked<'static>> {
    let version = Version::parse(&side.machine).ok()?;
    Some(vsmt::Asked {
        ruleset: Ruleset::named(&side.ruleset).ok()?,
        version,
        host: HostProfile::named(&side.host).ok()?,
        threads: side.smp.threads,
        vsmt: None,
        cpus: side.smp.cpus,
        max_cpus: side.smp.maxcpus,
        ic: (version.facts().ic != side.ic).then_some(side.ic),
        cpu: Some(side.processor().ok()?),
        max_compat: side.max_compat.and_then(CompatMode::of_pvr),
    })
}

fn ids(all: &[u32]) -> String {
    let shown: Vec<String> = all.iter().take(16).map(u32::to_string).collect();
    format!("{}{}", shown.join(" "), if all.len() > shown.len() { " …" } else { "" })
}

/// A guest in a compatibility mode needs a processor that has it; a guest on the processor itself needs the same one.
fn processor<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    let Some(pvr) = s.compat else {
        if s.pvr != d.pvr {
            sink.add(Weight::Refuses, Code::Cpu, || other_processor(s, d));
        } else if d.max_compat.is_some() {
            sink.add(Weight::Refuses, Code::MaxCpuCompat, || below_limit(s, d));
        }
        return;
    };
    let known = CompatMode::of_pvr(pvr);
    if !known.is_some_and(|mode| d.processor().is_ok_and(|cpu| cpu.can_run_as(mode))) {
        sink.add(Weight::Refuses, Code::CompatMode, || {
            let mode = s.mode_name();
            let problem = format!("the guest runs in the mode {mode}, which {} does not have", d.cpu);
            let change = format!("use a destination whose cpu has the mode {mode}");
            words("max_cpu_compat", [mode.into_owned(), d.cpu.to_string()], problem, change, Qemu::bad_section("cpu"))
        });
        return;
    }
    let limit = d.max_compat.and_then(CompatMode::of_pvr);
    if known.zip(limit).is_some_and(|(mode, limit)| mode.rank > limit.rank) {
        sink.add(Weight::Refuses, Code::MaxCpuCompat, || below_limit(s, d));
    }
}

fn other_processor(s: &Description, d: &Description) -> Words {
    let problem =
        format!("the guest runs on {} (PVR {:#010x}) itself, and the destination is {} (PVR {:#010x})", s.cpu, s.pvr, d.cpu, d.pvr);
    let shared = match (s.processor(), d.processor()) {
        (Ok(from), Ok(to)) => from.modes(None).filter(|mode| to.can_run_as(mode)).last(),
        (Err(_), _) | (_, Err(_)) => None,
    };
    let change = match shared {
        Some(mode) => format!("use max_cpu_compat={:?} on both and start the guest anew, or cpu={:?} on the destination", mode.name, s.cpu),
        None => follow("cpu", format!("{:?}", s.cpu)),
    };
    words("cpu", [&*s.cpu, &*d.cpu], problem, change, Qemu::bad_section("cpu"))
}

/// The destination holds its guests to less than what this one uses.
fn below_limit(s: &Description, d: &Description) -> Words {
    let limit = compat_name(d.max_compat, "none");
    let (mode, problem) = match s.compat {
        None => (s.cpu.to_string(), format!("the guest runs on {} itself, and the destination holds its guests to {limit}", s.cpu)),
        Some(_) => {
            let mode = s.mode_name().into_owned();
            (mode.clone(), format!("the guest runs in the mode {mode}, and the destination holds its guests to {limit}"))
        }
    };
    let change = match s.max_compat {
        None => "leave max_cpu_compat out on the destination".to_string(),
        Some(_) => follow("max_cpu_compat", format!("{:?}", compat_name(s.max_compat, "none"))),
    };
    let qemu = if s.ic != d.ic { qemu_controllers(s.ic, d.ic) } else { Qemu::Corrupts };
    words("max_cpu_compat", [mode, limit.into_owned()], problem, change, qemu)
}

/// What QEMU does where other interrupt controllers are offered: a section that the destination does not have.
fn qemu_controllers(from: IcMode, to: IcMode) -> Qemu {
    if from.has_xics() && !to.has_xics() {
        Qemu::unknown_section("ics", 0)
    } else if from.has_xive() && !to.has_xive() {
        Qemu::unknown_section("xive-source", 0)
    } else {
        Qemu::Accepts
    }
}

fn interrupt_controller<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.ic == d.ic {
        return;
    }
    sink.add(Weight::Refuses, Code::IcMode, || {
        let problem = format!("the guest was offered {}, and the destination offers {}", s.ic, d.ic);
        let (from_limit, to_limit) = (s.max_compat, d.max_compat);
        let change = match (s.cpu == d.cpu && from_limit == to_limit, s.ic) {
            (true, ic) => follow("ic_mode", format!("\"{ic}\"")),
            // A processor before POWER9 has no XIVE, whatever was asked for.
            (false, IcMode::Xics) => follow("ic_mode", "\"xics\""),
            (false, ic) => format!("use ic_mode=\"{ic}\" and the source's cpu and max_cpu_compat on the destination"),
        };
        words("ic_mode", [s.ic.name(), d.ic.name()], problem, change, qemu_controllers(s.ic, d.ic))
    });
}

fn capabilities<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.caps == d.caps {
        return;
    }
    for cap in Cap::all() {
        let (from, to) = (s.caps.get(cap), d.caps.get(cap));
        let said = |words: &str| format!("cap-{} {words} level ({from}) in incoming stream than on destination ({to})", cap.name());
        let found = |qemu: Qemu, problem: String, change: String| Words {
            setting: format!("caps[\"{}\"]", cap.name()).into(),
            source: s.caps.text(cap),
            destination: d.caps.text(cap),
            problem,
            change,
            qemu,
        };
        let same = || format!("use caps={{\"{}\": \"{}\"}} on the destination", cap.name(), s.caps.text(cap));
        if from > to {
            sink.add(Weight::Refuses, Code::CapHigher(cap), || {
                let problem = format!("the guest has {} ({}), and the destination {}", cap.row().what, s.caps.text(cap), d.caps.text(cap));
                found(Qemu::Fails(said("higher")), problem, same())
            });
        } else if from < to {
            sink.add(Weight::Warns, Code::CapLower(cap), || {
                let problem = format!(
                    "the guest was told of less ({}) than the destination has ({}): {}",
                    s.caps.text(cap),
                    d.caps.text(cap),
                    cap.row().what
                );
                found(Qemu::Warns(said("lower")), problem, same())
            });
        }
    }
}

fn mmu<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    let refuse = |sink: &mut S, mode: &'static str, change: &'static str, qemu: fn() -> Qemu| {
        sink.add(Weight::Refuses, Code::Mmu, || {
            let problem = format!("the guest translates by {mode}, and the destination offers {}", d.mmu.text());
            words("cpu", [mode, d.mmu.text()], problem, change, qemu())
        });
    };
    match s.mmu_active {
        Some(MmuMode::Radix) if !d.mmu.radix => {
            refuse(sink, "radix", "boot the guest with \"disable_radix\", or use a destination with radix", || Qemu::bad_section("spapr"));
        }
        Some(MmuMode::Hash) if !d.mmu.hash => {
            refuse(sink, "hash", "use a destination whose host has a hash page table", || {
                Qemu::Fails("Process table config unsupported by the host".to_string())
            });
        }
        None if s.mmu.radix && !d.mmu.radix || s.mmu.hash && !d.mmu.hash => {
            sink.add(Weight::Notes, Code::Mmu, || {
                let lost = if d.mmu.radix { "hash" } else { "radix" };
                let problem = format!("the guest may choose {}, and the destination offers {} only", s.mmu.text(), d.mmu.text());
                let change = match lost {
                    "radix" => "boot the guest with \"disable_radix\": a guest that has chosen radix is refused",
                    _ => "a guest that has chosen a hash page table is refused",
                };
                words("cpu", [s.mmu.text(), d.mmu.text()], problem, change, Qemu::bad_section("spapr"))
            });
        }
        Some(MmuMode::Radix | MmuMode::Hash) | None => {}
    }
}

fn resize_hpt<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.resize_hpt == d.resize_hpt {
        return;
    }
    let lost = d.resize_hpt == ResizeHpt::Disabled;
    sink.add(if lost { Weight::Warns } else { Weight::Notes }, Code::ResizeHpt, || {
        let problem = match lost {
            true => "the guest was told that its hash page table can be resized, and the destination does not do it".to_string(),
            false => format!("resizing of the hash page table is {} at the source and {} at the destination", s.resize_hpt, d.resize_hpt),
        };
        let change = follow("resize_hpt", format!("\"{}\"", s.resize_hpt));
        words("resize_hpt", [s.resize_hpt.name(), d.resize_hpt.name()], problem, change, Qemu::Accepts)
    });
}

/// Bytes as users write them.
fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}M", bytes >> 20) } else { bytes.to_string() }
}

fn ram<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.ram == d.ram {
        return;
    }
    sink.add(Weight::Refuses, Code::Ram, || {
        let qemu = Qemu::Fails(format!("Size mismatch: ppc_spapr.ram: {:#x} != {:#x}: Invalid argument", s.ram, d.ram));
        let problem = format!("the guest has {} of RAM, and the destination {}", size(s.ram), size(d.ram));
        words("memory", [size(s.ram), size(d.ram)], problem, follow("memory", format!("\"{}\"", size(s.ram))), qemu)
    });
}

fn maxmem<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.maxmem == d.maxmem || s.ram != d.ram {
        return;
    }
    sink.add(Weight::Refuses, Code::MaxMem, || {
        let problem =
            format!("the guest was told of room for {} of RAM, and the destination has room for {}", size(s.maxmem), size(d.maxmem));
        words("maxmem", [size(s.maxmem), size(d.maxmem)], problem, follow("maxmem", format!("\"{}\"", size(s.maxmem))), Qemu::Corrupts)
    });
}

fn numa<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    let places = |side: &Description| {
        let node = |n: &Node| format!("{} with {} cores", size(n.memory), n.cores.len());
        side.nodes.iter().map(node).collect::<Vec<_>>().join(", ")
    };
    let memory_differs = s.nodes.iter().map(|n| n.memory).ne(d.nodes.iter().map(|n| n.memory));
    let cores_differ = s.smp.maxcpus == d.smp.maxcpus && s.smp.threads == d.smp.threads && s.nodes != d.nodes;
    if s.ram == d.ram && (s.nodes.len() != d.nodes.len() || cores_differ || memory_differs) {
        sink.add(Weight::Refuses, Code::Numa, || {
            let problem = format!("the guest's NUMA nodes are {}, and the destination's {}", places(s), places(d));
            words("numa", [places(s), places(d)], problem, "use the source's numa on the destination", Qemu::Corrupts)
        });
    } else if s.distances != d.distances && s.nodes.len() == d.nodes.len() {
        sink.add(Weight::Refuses, Code::NumaDistances, || {
            let table = |side: &Description| {
                side.distances.iter().map(|row| row.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("; ")
            };
            let values = [table(s), table(d)];
            let problem = format!("the guest's NUMA distances are {}, and the destination's {}", values[0], values[1]);
            words("numa_distances", values, problem, "use the source's numa_distances on the destination", Qemu::Corrupts)
        });
    }
}

fn devices<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.devices == d.devices {
        return;
    }
    let setting = |kind: &str| if kind == "spapr_nvram" { "nvram_bytes" } else { "vtys" };
    for device in &s.devices {
        let name = device.name();
        match d.devices.iter().find(|other| other.kind == device.kind && other.address == device.address) {
            None => sink.add(Weight::Refuses, Code::DeviceMissing, || {
                let problem = format!("the guest has the device {name}, and the destination has none there");
                let qemu = Qemu::unknown_section(&format!("{name}/{}", device.kind), 0);
                words(setting(&device.kind), [name.as_str(), ""], problem, "use the source's devices on the destination", qemu)
            }),
            Some(other) if other != device => sink.add(Weight::Refuses, Code::DeviceDiffers, || {
                let say = |device: &Device| format!("interrupt {:#x}, {} bytes", device.irq, device.bytes);
                let problem = format!("the guest's device {name} has {}, and the destination's {}", say(device), say(other));
                words(
                    setting(&device.kind),
                    [say(device), say(other)],
                    problem,
                    "use the source's devices on the destination",
                    Qemu::bad_section(&format!("{name}/{}", device.kind)),
                )
            }),
            Some(_) => {}
        }
    }
    for device in &d.devices {
        if !s.devices.iter().any(|other| other.kind == device.kind && other.address == device.address) {
            sink.add(Weight::Refuses, Code::DeviceExtra, || {
                let name = device.name();
                let problem = format!("the destination has the device {name}, which the guest does not know");
                words(setting(&device.kind), ["", name.as_str()], problem, "use the source's devices on the destination", Qemu::Accepts)
            });
        }
    }
}

fn uuid<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.uuid == d.uuid {
        return;
    }
    sink.add(Weight::Warns, Code::Uuid, || {
        let text = |uuid: &Option<[u8; 16]>| uuid.map_or_else(String::new, |bytes| bytes.iter().map(|b| format!("{b:02x}")).collect());
        let values = [text(&s.uuid), text(&d.uuid)];
        words("uuid", values, "the guest keeps the UUID it was started with", "use the source's uuid on the destination", Qemu::Accepts)
    });
}

fn rng<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.rng == d.rng {
        return;
    }
    sink.add(if s.rng { Weight::Refuses } else { Weight::Notes }, Code::Rng, || {
        let say = |on: bool| if on { "True" } else { "False" };
        let problem = match s.rng {
            true => "the guest was offered H_RANDOM, and the destination does not answer it",
            false => "the destination offers H_RANDOM, which the guest was not told of",
        };
        words("rng", [say(s.rng), say(d.rng)], problem, follow("rng", say(s.rng)), Qemu::Corrupts)
    });
}

fn accelerator<S: Sink>(s: &Description, d: &Description, sink: &mut S) {
    if s.accel == d.accel || s.accel.is_empty() || d.accel.is_empty() {
        return;
    }
    sink.add(Weight::Notes, Code::Accel, || {
        let problem = format!("{} runs the guest at the source and {} at the destination", s.accel, d.accel);
        words("accel", [&*s.accel, &*d.accel], problem, "nothing: state is the same for every accelerator", Qemu::Accepts)
    });
}
