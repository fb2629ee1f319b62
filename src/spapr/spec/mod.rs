//! From what the user wrote to what the machine is.
//!
//! [`Settings`] are the user's words, most of them optional. [`check`] settles every one of them, in the order in which a person
//! would ask (machine, CPU, topology, VSMT, capabilities, memory, devices), and gives one [`MachineSpec`]. Everything that can
//! be refused without opening a file is refused here, with what to write instead; whoever holds a `MachineSpec` may rely on it:
//! the device tree, boot, hypercalls and Python read it and check nothing again.

use std::path::PathBuf;

use crate::error::Error;
use crate::error::Result;
use crate::spapr::caps::Cap;
use crate::spapr::caps::CapLevels;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::CpuKind;
use crate::spapr::cpus::Level;
use crate::spapr::explain::vsmt_number;
use crate::spapr::host::HostProfile;
use crate::spapr::host::Kind;
use crate::spapr::layout;
use crate::spapr::layout::vio_irq;
use crate::spapr::options::IcMode;
use crate::spapr::options::MmuModes;
use crate::spapr::options::ResizeHpt;
use crate::spapr::smp::Smp;
use crate::spapr::smp::SmpSettings;
use crate::spapr::version::Compat;
use crate::spapr::version::IrqNumbers;
use crate::spapr::version::Version;
use crate::spapr::vsmt;
use crate::spapr::vsmt::Vsmt;
use crate::spapr::vsmt::rules::Ruleset;
use crate::units::CoreId;
use crate::units::Lisn;
use crate::units::UnitAddress;

mod memory;

#[cfg(test)]
mod tests;

/// One logical memory block: the unit of RAM, maxmem and node sizes, in bytes (PAPR, `ibm,lmb-size`).
pub const LMB_BYTES: u64 = 256 << 20;
/// Unit address of the first VIO device that is given none.
pub const VIO_FIRST: u32 = 0x7100_0000;
/// Unit addresses that a VIO device may have: 0 means "the first terminal" in H_PUT_TERM_CHAR.
pub const VIO_ADDRESSES: std::ops::Range<u32> = 1..0x8000_0000;
/// Most virtual terminals.
pub const VTYS_MAX: usize = 16;
/// Sizes that an NVRAM may have, in bytes.
pub const NVRAM_BYTES: std::ops::RangeInclusive<u64> = 8 << 10..=1 << 20;
/// Most characters of a kernel command line: a Linux guest cuts at 2048, so this is no loss.
pub const APPEND_MAX: usize = 64 << 10;

/// What the user wrote. `Default` is the newest machine with one POWER10 cpu and 512 MiB.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// `pseries`, `pseries-4.1`, …
    pub machine: String,
    /// CPU model; `None`: the machine version's.
    pub cpu: Option<String>,
    /// Topology.
    pub smp: SmpSettings,
    /// RAM in bytes.
    pub memory: u64,
    /// RAM that the machine has room for, in bytes; `None`: as much as `memory`.
    pub maxmem: Option<u64>,
    /// NUMA nodes; empty: one.
    pub nodes: Vec<NodeSettings>,
    /// NUMA distances: from node, to node, distance.
    pub distances: Vec<(u32, u32, u8)>,
    /// Spacing of vcpu ids; `None`: the ruleset's default.
    pub vsmt: Option<i64>,
    /// VSMT ruleset; `None`: the one that the machine version had when it was the newest.
    pub ruleset: Option<String>,
    /// The host as on which it starts; `None`: this emulator.
    pub host: Option<String>,
    /// Capabilities by name (with or without `cap-`), in the order given.
    pub caps: Vec<(String, String)>,
    /// `xics`, `xive`, `dual`; `None`: the machine version's.
    pub ic_mode: Option<String>,
    /// Newest CPU that the guest may be told of; `None` or empty: no limit.
    pub max_cpu_compat: Option<String>,
    /// `enabled`, `disabled`, `required`, `default`; `None`: the machine version's.
    pub resize_hpt: Option<String>,
    /// Guest real address of the kernel; `None`: 0x400000.
    pub kernel_addr: Option<u64>,
    /// Kernel, an ELF file.
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// Kernel command line.
    pub append: String,
    /// The guest's name (`ibm,partition-name`).
    pub name: Option<String>,
    /// UUID, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`.
    pub uuid: Option<String>,
    /// `host-model` of the device tree's root.
    pub host_model: Option<String>,
    /// `host-serial` of the device tree's root.
    pub host_serial: Option<String>,
    /// One entry per virtual terminal: its unit address, or `None` for the next free one.
    pub vtys: Vec<Option<u32>>,
    /// Size of the NVRAM in bytes; `None`: 64 KiB.
    pub nvram_bytes: Option<u64>,
    /// Seconds since 1970 that the real-time clock shows at the start; `None`: the host's time.
    pub rtc_base: Option<i64>,
    /// Whether H_RANDOM answers.
    pub rng: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            machine: "pseries".to_string(),
            cpu: None,
            smp: SmpSettings::default(),
            memory: 512 << 20,
            maxmem: None,
            nodes: Vec::new(),
            distances: Vec::new(),
            vsmt: None,
            ruleset: None,
            host: None,
            caps: Vec::new(),
            ic_mode: None,
            max_cpu_compat: None,
            resize_hpt: None,
            kernel_addr: None,
            kernel: None,
            initrd: None,
            append: String::new(),
            name: None,
            uuid: None,
            host_model: None,
            host_serial: None,
            vtys: vec![None],
            nvram_bytes: None,
            rtc_base: None,
            rng: true,
        }
    }
}

/// What the user wrote of a NUMA node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeSettings {
    /// RAM in bytes; `None` in every node: an equal share.
    pub memory: Option<u64>,
    /// Its cores, counted from 0; empty in every node: sockets in turn.
    pub cores: Vec<u32>,
}

/// A NUMA node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// RAM in bytes.
    pub memory: u64,
    /// Its cores, in order, plugged or not.
    pub cpus: Vec<CoreId>,
}

/// Something that starts but is worth a word.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Warning {
    /// The setting it is about, as the user writes it.
    pub setting: String,
    /// What is odd, in QEMU's words where QEMU has some.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}; {}", self.setting, self.message, self.hint)
    }
}

/// A machine, settled and checked.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    /// Machine version.
    pub version: Version,
    /// What that version has.
    pub compat: Compat,
    /// Processor.
    pub cpu: &'static CpuKind,
    /// Newest compatibility mode the guest may be in; `None`: no limit, raw mode allowed.
    pub max_compat: Option<&'static CompatMode>,
    /// Topology.
    pub smp: Smp,
    /// Numbering of the vcpus.
    pub vsmt: Vsmt,
    /// The ruleset that chose the numbering.
    pub ruleset: Ruleset,
    /// The host whose rules hold.
    pub host: &'static HostProfile,
    /// Interrupt controllers offered.
    pub ic: IcMode,
    /// How the guest may translate: what processor and host both have.
    pub mmu: MmuModes,
    /// Capability levels.
    pub caps: CapLevels,
    /// RAM in bytes.
    pub ram: u64,
    /// RAM that there is room for, in bytes; at least `ram`.
    pub maxmem: u64,
    /// NUMA nodes; at least one. Their memory adds up to `ram`, every core is in exactly one.
    pub nodes: Vec<Node>,
    /// Distance from node to node; 10 on the diagonal.
    pub distances: Vec<Vec<u8>>,
    /// Real mode area in bytes.
    pub rma: u64,
    /// Resizing of the hash table.
    pub resize_hpt: ResizeHpt,
    /// Guest real address of the kernel.
    pub kernel_addr: u64,
    /// Kernel.
    pub kernel: Option<PathBuf>,
    /// Initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// Kernel command line.
    pub append: String,
    /// Unit addresses of the virtual terminals; the first is the console.
    pub vtys: Vec<UnitAddress>,
    /// Unit address of the NVRAM.
    pub nvram_at: UnitAddress,
    /// Size of the NVRAM in bytes.
    pub nvram_bytes: u64,
    /// UUID.
    pub uuid: Option<[u8; 16]>,
    /// The guest's name.
    pub name: Option<String>,
    /// `host-model`.
    pub host_model: Option<String>,
    /// `host-serial`.
    pub host_serial: Option<String>,
    /// Start of the real-time clock in seconds since 1970; `None`: the host's time.
    pub rtc_base: Option<i64>,
    /// Whether H_RANDOM answers.
    pub rng: bool,
    /// What is odd but starts.
    pub warnings: Vec<Warning>,
    /// What the user wrote, from which all of this follows.
    pub settings: Settings,
}

impl MachineSpec {
    /// The interrupt of one of the machine's own VIO devices: fixed by its address, or, on versions up to 3.0, the next free number in the order in which
    /// devices are made (event sources, terminals, NVRAM).
    pub fn vio_irq(&self, unit: UnitAddress) -> Lisn {
        match self.compat.irq_numbers {
            IrqNumbers::Fixed => vio_irq(unit),
            IrqNumbers::Legacy => {
                let events = 1 + u32::from(self.compat.hotplug_events);
                let place = self.vtys.iter().position(|vty| *vty == unit).unwrap_or(self.vtys.len());
                Lisn(layout::EPOW.0 + events + place as u32)
            }
        }
    }
}

/// Settles the settings, or says which cannot work and what to write instead.
pub fn check(settings: &Settings) -> Result<MachineSpec> {
    let host = settings.host.as_deref().map_or(Ok(HostProfile::emulator()), HostProfile::named)?;
    check_on(settings, host)
}

/// The same for a host that is known otherwise than by name.
pub fn check_on(settings: &Settings, host: &'static HostProfile) -> Result<MachineSpec> {
    let version = Version::parse(&settings.machine)?;
    let compat = version.facts().into_owned();
    let (cpu, max_compat) = processor(settings, &compat, host)?;
    let smp = settings.smp.complete(version, &compat)?;
    few_enough_for_kvm(&smp, host)?;
    let ruleset = settings.ruleset.as_deref().map_or(Ok(compat.ruleset), Ruleset::named)?;
    let mut warnings = Vec::new();
    let (vsmt, ic) = {
        let asked = vsmt::Asked {
            ruleset,
            version,
            host,
            threads: smp.threads,
            vsmt: settings.vsmt.map(vsmt_number).transpose()?,
            cpus: smp.cpus,
            max_cpus: smp.maxcpus,
            ic: settings.ic_mode.as_deref().map(IcMode::parse).transpose()?,
            cpu: Some(cpu),
            max_compat,
        };
        numbering(&asked, &mut warnings)?
    };
    let caps = capabilities(settings, &compat, host, cpu, max_compat, &smp, &mut warnings)?;
    let memory = memory::layout(settings, &compat, &smp, &mut warnings)?;
    let (vtys, nvram_at) = vio_addresses(settings, &compat)?;
    Ok(MachineSpec {
        resize_hpt: settings.resize_hpt.as_deref().map_or(Ok(None), ResizeHpt::parse)?.unwrap_or(compat.resize_hpt),
        kernel_addr: kernel_addr(settings, memory.rma)?,
        nvram_bytes: nvram_bytes(settings)?,
        append: text("append", &settings.append, APPEND_MAX)?,
        uuid: settings.uuid.as_deref().map(uuid).transpose()?,
        name: property("name", settings.name.as_deref())?,
        host_model: property("host_model", settings.host_model.as_deref())?,
        host_serial: property("host_serial", settings.host_serial.as_deref())?,
        kernel: settings.kernel.clone(),
        initrd: initrd(settings)?,
        rtc_base: settings.rtc_base,
        rng: settings.rng,
        ram: settings.memory,
        maxmem: memory.maxmem,
        nodes: memory.nodes,
        distances: memory.distances,
        rma: memory.rma,
        version,
        compat,
        cpu,
        max_compat,
        smp,
        vsmt,
        ruleset,
        host,
        ic,
        mmu: translation(cpu, max_compat, host)?,
        caps,
        vtys,
        nvram_at,
        warnings,
        settings: settings.clone(),
    })
}

fn processor(settings: &Settings, compat: &Compat, host: &'static HostProfile) -> Result<(&'static CpuKind, Option<&'static CompatMode>)> {
    let cpu = model(settings.cpu.as_deref(), compat, host)?;
    let Some(name) = settings.max_cpu_compat.as_deref().filter(|name| !name.is_empty()) else { return Ok((cpu, None)) };
    let mode = CompatMode::named(name)?;
    if cpu.can_run_as(mode) {
        return Ok((cpu, Some(mode)));
    }
    let modes: Vec<&str> = cpu.modes(None).map(|m| m.name).collect();
    let hint = match modes.is_empty() {
        true => format!("leave max_cpu_compat out: {cpu} knows no compatibility modes"),
        false => format!("use max_cpu_compat with one of {}, or another cpu", modes.join(", ")),
    };
    Err(Error::config("max_cpu_compat", format!("Compatibility PVR {:#010x} ({}) not valid for CPU {cpu}", mode.pvr, mode.name), hint))
}

/// The processor model; KVM-HV lends its host's own and no other.
fn model(asked: Option<&str>, compat: &Compat, host: &HostProfile) -> Result<&'static CpuKind> {
    let Some(own) = host.processor() else { return CpuKind::named(asked.unwrap_or(compat.cpu)) };
    let Some(name) = asked.filter(|name| !name.eq_ignore_ascii_case("host")) else { return Ok(own) };
    let cpu = CpuKind::named(name)?;
    if cpu == own || host.kind == Kind::Pr {
        return Ok(cpu);
    }
    // A family's name means the host's own member of it.
    if cpu.pvr >> 16 == own.pvr >> 16 && !cpu.name.eq_ignore_ascii_case(name) {
        return Ok(own);
    }
    let hold = cpu.modes(None).last().filter(|mode| own.can_run_as(mode));
    let hint = match hold {
        Some(mode) => format!("use cpu=\"{own}\" with max_cpu_compat={:?}, or leave cpu out", mode.name),
        None => format!("use cpu=\"{own}\", or leave cpu out"),
    };
    let problem = format!("Register sync failed... If you're using kvm-hv.ko, only \"-cpu host\" is possible ({cpu} on a {own} host)");
    Err(Error::config("cpu", problem, hint))
}

/// KVM has a limit of its own.
fn few_enough_for_kvm(smp: &Smp, host: &HostProfile) -> Result<()> {
    for (what, number, setting) in [("SMP", smp.cpus, "cpus"), ("hotpluggable", smp.maxcpus, "maxcpus")] {
        if host.is_kvm() && number > host.vcpus_max {
            let problem =
                format!("Number of {what} cpus requested ({number}) exceeds the maximum cpus supported by KVM ({})", host.vcpus_max);
            return Err(Error::config("smp", problem, format!("use {setting}={} or less", host.vcpus_max)));
        }
    }
    Ok(())
}

/// How the guest may translate.
fn translation(cpu: &CpuKind, max_compat: Option<&CompatMode>, host: &HostProfile) -> Result<MmuModes> {
    let radix = cpu.radix && cpu.offers(Level::V3_00, max_compat) && host.mmu.radix;
    if host.mmu.hash || radix {
        return Ok(MmuModes { hash: host.mmu.hash, radix });
    }
    let problem = format!("{} has radix alone, and {cpu} held to {} has none", host.name, max_compat.map_or("no mode", |mode| mode.name));
    Err(Error::config("max_cpu_compat", problem, "leave max_cpu_compat out, or use a host with a hash page table"))
}

fn numbering(asked: &vsmt::Asked<'_>, warnings: &mut Vec<Warning>) -> Result<(Vsmt, IcMode)> {
    let decision = vsmt::decide(asked);
    match (decision.vsmt, decision.ic) {
        (Some(vsmt), Some(ic)) => {
            if !decision.message.is_empty() {
                warnings.push(Warning { setting: decision.setting.to_string(), message: decision.message, hint: decision.hint });
            }
            Ok((vsmt, ic))
        }
        (None, _) | (_, None) => Err(Error::config(decision.setting, decision.message, decision.hint)),
    }
}

fn capabilities(
    settings: &Settings,
    compat: &Compat,
    host: &HostProfile,
    cpu: &CpuKind,
    max_compat: Option<&CompatMode>,
    smp: &Smp,
    warnings: &mut Vec<Warning>,
) -> Result<CapLevels> {
    let mut levels = compat.caps.for_cpu(cpu, max_compat).for_host(host);
    let mut seen: Vec<(Cap, &str)> = Vec::new();
    for (name, value) in &settings.caps {
        let cap = Cap::named(name)?;
        if let Some((_, before)) = seen.iter().find(|(have, before)| *have == cap && *before != value) {
            let hint = format!("use caps={{\"{}\": …}} once", cap.name());
            return Err(Error::config(format!("caps[\"{}\"]", cap.name()), format!("given twice, as {before:?} and {value:?}"), hint));
        }
        seen.push((cap, value));
        levels.set(cap, cap.parse(value)?);
    }
    let odd = if host.is_kvm() { levels.check_kvm(host, cpu, max_compat)? } else { levels.check_emulated(cpu, max_compat, smp.threads)? };
    for (cap, message, hint) in odd {
        // Not of the version's own levels: nobody asked for them, and every start would say the same (departs: QEMU warns).
        if seen.iter().any(|(asked, _)| *asked == cap) {
            warnings.push(Warning { setting: format!("caps[\"{}\"]", cap.name()), message, hint });
        }
    }
    Ok(levels)
}

/// The terminals' addresses and the NVRAM's, which takes the next free one. Free is an address whose interrupt is free as well,
/// where numbers are fixed (QEMU picks by address alone and then stops at the interrupt).
fn vio_addresses(settings: &Settings, compat: &Compat) -> Result<(Vec<UnitAddress>, UnitAddress)> {
    if settings.vtys.len() > VTYS_MAX {
        return Err(Error::config(
            "vtys",
            format!("{} terminals are too many", settings.vtys.len()),
            format!("use vtys={VTYS_MAX} or less"),
        ));
    }
    let mut taken: Vec<UnitAddress> = Vec::new();
    let clash = |taken: &[UnitAddress], at: UnitAddress| {
        let fixed = compat.irq_numbers == IrqNumbers::Fixed;
        taken.iter().copied().find(|&other| other == at || fixed && vio_irq(other) == vio_irq(at))
    };
    for &address in settings.vtys.iter().flatten() {
        let free = format!("use vtys=[{VIO_FIRST:#x}] or leave the address out");
        if !VIO_ADDRESSES.contains(&address) {
            return Err(Error::config("vtys", format!("unit address {address:#x} is no VIO address"), free));
        }
        let at = UnitAddress(address);
        if let Some(other) = clash(&taken, at) {
            let problem = match other == at {
                true => format!("devices conflict at address {address:#x}"),
                false => format!("devices at {:#x} and {address:#x} have one interrupt, {:#x}", other, vio_irq(at)),
            };
            return Err(Error::config("vtys", problem, free));
        }
        taken.push(at);
    }
    let mut next = || {
        let free = (VIO_FIRST..).map(UnitAddress).find(|&at| clash(&taken, at).is_none());
        let free = free.expect("256 addresses from the first have interrupts of their own, more than there can be devices");
        taken.push(free);
        free
    };
    let vtys = settings.vtys.iter().map(|given| given.map_or_else(&mut next, UnitAddress)).collect();
    Ok((vtys, next()))
}

fn nvram_bytes(settings: &Settings) -> Result<u64> {
    let bytes = settings.nvram_bytes.unwrap_or(64 << 10);
    if NVRAM_BYTES.contains(&bytes) {
        return Ok(bytes);
    }
    let problem = format!("an NVRAM cannot have {bytes} bytes");
    Err(Error::config("nvram_bytes", problem, format!("use nvram_bytes={} to {}, usually 65536", NVRAM_BYTES.start(), NVRAM_BYTES.end())))
}

fn kernel_addr(settings: &Settings, rma: u64) -> Result<u64> {
    let at = settings.kernel_addr.unwrap_or(0x40_0000);
    if at < rma && at.is_multiple_of(4) {
        return Ok(at);
    }
    let problem = format!("{at:#x} is not a word address below the real mode area's end at {rma:#x}");
    Err(Error::config("kernel_addr", problem, "use kernel_addr=0x400000 or leave it out"))
}

fn initrd(settings: &Settings) -> Result<Option<PathBuf>> {
    match (&settings.initrd, &settings.kernel) {
        (Some(_), None) => Err(Error::config("initrd", "an initrd was given without a kernel", "use kernel=… too, or leave initrd out")),
        (initrd, _) => Ok(initrd.clone()),
    }
}

/// A text that ends up in a device tree property: no zero byte inside, not without end.
fn text(setting: &str, value: &str, most: usize) -> Result<String> {
    if value.contains('\0') {
        return Err(Error::config(setting, "the text contains a zero byte", format!("use {setting} without it")));
    }
    if value.len() > most {
        return Err(Error::config(
            setting,
            format!("{} bytes are too long", value.len()),
            format!("use {setting} of at most {most} bytes"),
        ));
    }
    Ok(value.to_string())
}

fn property(setting: &str, value: Option<&str>) -> Result<Option<String>> {
    value.map(|value| text(setting, value, 4096)).transpose()
}

/// Reads a UUID in its usual form; dashes may be left out.
fn uuid(value: &str) -> Result<[u8; 16]> {
    let digits: Option<Vec<u8>> = value.chars().filter(|&c| c != '-').map(|c| c.to_digit(16).map(|d| d as u8)).collect();
    match digits {
        Some(digits) if digits.len() == 32 => Ok(std::array::from_fn(|i| digits[2 * i] << 4 | digits[2 * i + 1])),
        Some(_) | None => {
            let hint = "use uuid=\"xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx\" with hexadecimal digits";
            Err(Error::config("uuid", format!("{value:?} is no UUID"), hint))
        }
    }
}
