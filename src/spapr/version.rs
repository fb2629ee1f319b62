//! Machine versions, as a list of undoings.
//!
//! `pseries-4.1` means: the newest machine, minus what every later release changed that a guest could notice. So each release
//! has one row that says how to undo it for older versions, newest first; folding the rows down to a version gives its
//! [`Compat`]. A list can be printed and compared (`tests/golden/versions.txt` is the whole matrix), functions calling each
//! other cannot. No other file compares versions: code reads a field of [`Compat`].
//!
//! Every version is kept for ever. Where QEMU's later releases changed their mind about an old version (the default CPU of 4.0
//! to 8.2, for one), the row says what the newest release that knew the version did. What no release of QEMU ever had is not
//! here. Devices that do not exist yet have their rows already, as [`DeviceDefault`]s, so that nobody has to dig for them again.

use std::borrow::Cow;
use std::sync::LazyLock;

use crate::error::Error;
use crate::error::Result;
use crate::spapr::caps::Cap;
use crate::spapr::caps::CapLevels;
use crate::spapr::names::nearest;
use crate::spapr::options::IcMode;
use crate::spapr::options::ResizeHpt;
use crate::spapr::vsmt::rules::Ruleset;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A machine version, `pseries-<major>.<minor>`; later versions are greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Version {
    /// Before the dot.
    pub major: u8,
    /// After the dot.
    pub minor: u8,
    /// A side branch of the version, if it is one.
    pub flavour: Flavour,
}

/// Versions beside the line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Flavour {
    /// The version itself.
    Plain,
    /// `-sxxm`: with the Spectre and Meltdown mitigations that 2.12 had left off.
    Sxxm,
}

impl Version {
    /// A version of the line.
    pub const fn new(major: u8, minor: u8) -> Version {
        Version { major, minor, flavour: Flavour::Plain }
    }

    /// The newest version, which `pseries` alone means.
    pub fn latest() -> Version {
        RELEASES[0].version
    }

    /// Every version, newest first.
    pub fn all() -> impl Iterator<Item = Version> {
        RELEASES.iter().flat_map(|r| BRANCHES.iter().filter(|b| b.version.line() == r.version).map(|b| b.version).chain([r.version]))
    }

    /// Whether this version, or the one it branches from, is between the two, both included.
    pub fn is_within(self, oldest: Version, newest: Version) -> bool {
        (oldest..=newest).contains(&self.line())
    }

    /// The version of the line that this one is, or branches from.
    fn line(self) -> Version {
        Version { flavour: Flavour::Plain, ..self }
    }

    /// Reads `pseries-4.1`, `4.1`, `pseries-2.12-sxxm` or `pseries` (the newest).
    pub fn parse(text: &str) -> Result<Version> {
        let name = text.trim().to_ascii_lowercase();
        if name == "pseries" {
            return Ok(Version::latest());
        }
        let bare = name.strip_prefix("pseries-").unwrap_or(&name);
        if let Some(version) = Version::read(bare).filter(|v| Version::all().any(|known| known == *v) && v.number() == bare) {
            return Ok(version);
        }
        let all: Vec<String> = Version::all().map(|v| v.to_string()).collect();
        let near = Version::below(bare).map(|v| v.to_string()).or_else(|| nearest(&name, all.iter().map(String::as_str)).map(String::from));
        let offer = near.map_or(String::new(), |n| format!("did you mean \"{n}\"? "));
        let hint = format!("{offer}use \"pseries\" for the newest ({}), or pseries-2.1 to pseries-{0}", Version::latest().number());
        Err(Error::config("machine", format!("unsupported machine type: {text:?}"), hint))
    }

    /// The version that a number is the name of, whether there is one or not.
    fn read(bare: &str) -> Option<Version> {
        let (line, flavour) = bare.strip_suffix("-sxxm").map_or((bare, Flavour::Plain), |line| (line, Flavour::Sxxm));
        let (major, minor) = line.split_once('.')?;
        Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()?, flavour })
    }

    /// For a well-formed number that no version has: the newest version not above it, else the oldest.
    fn below(bare: &str) -> Option<Version> {
        let (major, minor) = bare.split_once('.')?;
        let asked = Version { major: major.parse().ok()?, minor: minor.parse().ok()?, flavour: Flavour::Plain };
        Version::all().find(|&v| v <= asked).or_else(|| Version::all().last())
    }

    /// `4.1`, `2.12-sxxm`.
    pub fn number(self) -> String {
        let tail = match self.flavour {
            Flavour::Plain => "",
            Flavour::Sxxm => "-sxxm",
        };
        format!("{}.{}{tail}", self.major, self.minor)
    }

    /// What this version has, without a copy where that was asked for before.
    pub fn facts(self) -> Cow<'static, Compat> {
        static ALL: LazyLock<Vec<(Version, Compat)>> = LazyLock::new(|| Version::all().map(|v| (v, v.compat())).collect());
        match ALL.iter().find(|(version, _)| *version == self) {
            Some((_, compat)) => Cow::Borrowed(compat),
            None => Cow::Owned(self.compat()),
        }
    }

    /// What this version has: the newest machine, with everything undone that came later.
    pub fn compat(self) -> Compat {
        let later = RELEASES.iter().take_while(|r| r.version > self.line());
        let branch = BRANCHES.iter().filter(|b| b.version == self);
        let mut compat = Compat::newest();
        for undo in later.flat_map(|r| r.undo_for_older).chain(branch.flat_map(|b| b.undo_for_older)) {
            undo.apply(&mut compat);
        }
        compat
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "pseries-{}", self.number())
    }
}

/// Everything a machine version may change. A field exists only because some version differs.
#[derive(Clone, PartialEq, Debug)]
pub struct Compat {
    /// Default CPU model (a name of [`crate::spapr::cpus::CPUS`]).
    pub cpu: &'static str,
    /// Default interrupt controller mode.
    pub ic: IcMode,
    /// How interrupt sources are numbered, and with that whether `ic-mode` may be given at all.
    pub irq_numbers: IrqNumbers,
    /// The VSMT ruleset of the release in which this version was the newest.
    pub ruleset: Ruleset,
    /// The class flag that decides the default VSMT in releases that know it (4.2 to 10.1).
    pub vsmt_default: VsmtDefault,
    /// Default capability levels, before the CPU's adjustment ([`CapLevels::for_cpu`]).
    pub caps: CapLevels,
    /// Largest `maxcpus`.
    pub max_cpus: u32,
    /// What a bare cpu count becomes.
    pub prefer: Prefer,
    /// Associativity arrays and reference points of form 1.
    pub form1: Form1,
    /// Whether form 2 associativity is offered at `ibm,client-architecture-support`.
    pub form2: bool,
    /// Granularity in bytes with which RAM is split among nodes that do not say how much they have.
    pub node_split: u64,
    /// Largest real mode area in bytes.
    pub rma_limit: u64,
    /// Whether RAM is described and hot-plugged in logical memory blocks (`/ibm,dynamic-reconfiguration-memory`).
    pub lmb: bool,
    /// Whether cores can be plugged; without, the last core may be incomplete.
    pub cpu_hotplug: bool,
    /// Whether PCI slots have connectors.
    pub pci_hotplug: bool,
    /// Whether host bridges have connectors.
    pub phb_hotplug: bool,
    /// Whether hot plug has an event source of its own (else it shares EPOW's).
    pub hotplug_events: bool,
    /// Whether NVDIMMs (`/ibm,persistent-memory`) are supported.
    pub nvdimm: bool,
    /// Default of `resize-hpt` under emulation.
    pub resize_hpt: ResizeHpt,
    /// What H_UPDATE_DT does with the tree.
    pub update_dt: UpdateDt,
    /// Whether `/chosen` carries `linux,pci-probe-only`.
    pub pci_probe_only: bool,
    /// Where PCI host bridges have their windows.
    pub phb_windows: PhbWindows,
    /// Whether host bridges offer dynamic DMA windows.
    pub phb_ddw: bool,
    /// IOMMU page sizes of a host bridge, as a mask of powers of two.
    pub phb_page_sizes: u64,
    /// Whether the stream of a migration ends with a description of itself.
    pub stream_description: bool,
    /// Defaults of devices that differ from today's, in the order of the releases, newest first.
    pub devices: Vec<DeviceDefault>,
}

/// How interrupt source numbers are given out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IrqNumbers {
    /// By an allocator over 0x400 numbers from 0x1000; XICS only, and `ic-mode` is not to be given.
    Legacy,
    /// Fixed per device (event sources 0x1000, VIO 0x1100, host bridges 0x1200, MSI 0x1300).
    Fixed,
}

/// The default VSMT of a machine version, in releases that distinguish versions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VsmtDefault {
    /// MAX(8, threads): what a POWER8 host gives.
    EightOrMore,
    /// The guest's threads per core: dense ids.
    Threads,
}

/// What `-smp N` alone becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Prefer {
    /// One socket of N cores.
    Cores,
    /// N sockets of one core.
    Sockets,
}

/// Form 1 associativity (PAPR, "ibm,associativity").
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form1 {
    /// Domains computed from the distances; reference points {4,3,2,1} when there are several nodes.
    Computed,
    /// Domains are 0 except the node's own; reference points {4,4,2}.
    ThreePoints,
    /// As before, with reference points {4,4}.
    TwoPoints,
}

/// What H_UPDATE_DT does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateDt {
    /// Takes and keeps the tree, refusing a bad one.
    Kept,
    /// Answers H_SUCCESS and looks at nothing.
    Ignored,
}

/// Placement of PCI host bridge windows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PhbWindows {
    /// From 32 TiB up, a 64-bit window of 1 TiB each.
    Fixed,
    /// 64 GiB apart from the first TiB above RAM; one 32-bit window of this many bytes, no 64-bit window.
    AboveRam {
        /// Bytes of the 32-bit window.
        mem32: u64,
    },
}

/// A default of a device that a version sets otherwise than today.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceDefault {
    /// Device type, as QEMU names it.
    pub device: &'static str,
    /// Its property.
    pub property: &'static str,
    /// The old value.
    pub value: &'static str,
}

impl Compat {
    /// The newest machine: the state before anything is undone.
    fn newest() -> Compat {
        Compat {
            cpu: "power10_v2.0",
            ic: IcMode::Dual,
            irq_numbers: IrqNumbers::Fixed,
            ruleset: Ruleset::Qemu10_2,
            vsmt_default: VsmtDefault::Threads,
            caps: CapLevels::newest(),
            max_cpus: 4096,
            prefer: Prefer::Cores,
            form1: Form1::Computed,
            form2: true,
            node_split: 256 * MIB,
            rma_limit: 1024 * GIB,
            lmb: true,
            cpu_hotplug: true,
            pci_hotplug: true,
            phb_hotplug: true,
            hotplug_events: true,
            nvdimm: true,
            resize_hpt: ResizeHpt::Enabled,
            update_dt: UpdateDt::Kept,
            pci_probe_only: true,
            phb_windows: PhbWindows::Fixed,
            phb_ddw: true,
            phb_page_sizes: 0x0121_1000,
            stream_description: true,
            devices: Vec::new(),
        }
    }

    /// A device's default where this version differs from the newest.
    pub fn device_default(&self, device: &str, property: &str) -> Option<&'static str> {
        self.devices.iter().find(|d| d.device == device && d.property == property).map(|d| d.value)
    }

    /// Every field with its value, for the printed matrix. Capabilities and device defaults have a line each.
    pub fn rows(&self) -> Vec<(String, String)> {
        let mut rows: Vec<(String, String)> = [
            ("cpu", self.cpu.to_string()),
            ("ic-mode", self.ic.to_string()),
            ("irq numbers", format!("{:?}", self.irq_numbers)),
            ("vsmt ruleset", self.ruleset.name().to_string()),
            ("vsmt default (4.2 and later)", format!("{:?}", self.vsmt_default)),
            ("max cpus", self.max_cpus.to_string()),
            ("smp prefers", format!("{:?}", self.prefer)),
            ("form 1", format!("{:?}", self.form1)),
            ("form 2 offered", self.form2.to_string()),
            ("node split", format!("{} MiB", self.node_split / MIB)),
            ("rma limit", format!("{} GiB", self.rma_limit / GIB)),
            ("lmb", self.lmb.to_string()),
            ("cpu hotplug", self.cpu_hotplug.to_string()),
            ("pci hotplug", self.pci_hotplug.to_string()),
            ("phb hotplug", self.phb_hotplug.to_string()),
            ("hotplug event source", self.hotplug_events.to_string()),
            ("nvdimm", self.nvdimm.to_string()),
            ("resize-hpt", self.resize_hpt.to_string()),
            ("H_UPDATE_DT", format!("{:?}", self.update_dt)),
            ("linux,pci-probe-only", self.pci_probe_only.to_string()),
            ("phb windows", format!("{:x?}", self.phb_windows)),
            ("phb ddw", self.phb_ddw.to_string()),
            ("phb page sizes", format!("{:#x}", self.phb_page_sizes)),
            ("stream description", self.stream_description.to_string()),
        ]
        .map(|(field, value)| (field.to_string(), value))
        .into();
        rows.extend(Cap::all().map(|cap| (format!("cap-{}", cap.name()), self.caps.text(cap))));
        rows.extend(self.devices.iter().map(|d| (format!("{}.{}", d.device, d.property), d.value.to_string())));
        rows
    }
}

/// One thing that a release changed, with its value before.
#[derive(Clone, Copy, Debug)]
pub enum Undo {
    /// [`Compat::cpu`].
    Cpu(&'static str),
    /// [`Compat::ic`].
    Ic(IcMode),
    /// [`Compat::irq_numbers`].
    IrqNumbers(IrqNumbers),
    /// [`Compat::ruleset`].
    Ruleset(Ruleset),
    /// [`Compat::vsmt_default`].
    VsmtDefault(VsmtDefault),
    /// A level of [`Compat::caps`].
    Cap(Cap, u8),
    /// [`Compat::max_cpus`].
    MaxCpus(u32),
    /// [`Compat::prefer`].
    Prefer(Prefer),
    /// [`Compat::form1`].
    Form1(Form1),
    /// [`Compat::form2`].
    Form2(bool),
    /// [`Compat::node_split`].
    NodeSplit(u64),
    /// [`Compat::rma_limit`].
    RmaLimit(u64),
    /// [`Compat::lmb`].
    Lmb(bool),
    /// [`Compat::cpu_hotplug`].
    CpuHotplug(bool),
    /// [`Compat::pci_hotplug`].
    PciHotplug(bool),
    /// [`Compat::phb_hotplug`].
    PhbHotplug(bool),
    /// [`Compat::hotplug_events`].
    HotplugEvents(bool),
    /// [`Compat::nvdimm`].
    Nvdimm(bool),
    /// [`Compat::resize_hpt`].
    ResizeHpt(ResizeHpt),
    /// [`Compat::update_dt`].
    UpdateDt(UpdateDt),
    /// [`Compat::pci_probe_only`].
    PciProbeOnly(bool),
    /// [`Compat::phb_windows`].
    PhbWindows(PhbWindows),
    /// [`Compat::phb_ddw`].
    PhbDdw(bool),
    /// [`Compat::phb_page_sizes`].
    PhbPageSizes(u64),
    /// [`Compat::stream_description`].
    StreamDescription(bool),
    /// An entry of [`Compat::devices`]: device, property, value.
    Device(&'static str, &'static str, &'static str),
}

impl Undo {
    fn apply(self, to: &mut Compat) {
        match self {
            Undo::Cpu(v) => to.cpu = v,
            Undo::Ic(v) => to.ic = v,
            Undo::IrqNumbers(v) => to.irq_numbers = v,
            Undo::Ruleset(v) => to.ruleset = v,
            Undo::VsmtDefault(v) => to.vsmt_default = v,
            Undo::Cap(cap, v) => to.caps.set(cap, v),
            Undo::MaxCpus(v) => to.max_cpus = v,
            Undo::Prefer(v) => to.prefer = v,
            Undo::Form1(v) => to.form1 = v,
            Undo::Form2(v) => to.form2 = v,
            Undo::NodeSplit(v) => to.node_split = v,
            Undo::RmaLimit(v) => to.rma_limit = v,
            Undo::Lmb(v) => to.lmb = v,
            Undo::CpuHotplug(v) => to.cpu_hotplug = v,
            Undo::PciHotplug(v) => to.pci_hotplug = v,
            Undo::PhbHotplug(v) => to.phb_hotplug = v,
            Undo::HotplugEvents(v) => to.hotplug_events = v,
            Undo::Nvdimm(v) => to.nvdimm = v,
            Undo::ResizeHpt(v) => to.resize_hpt = v,
            Undo::UpdateDt(v) => to.update_dt = v,
            Undo::PciProbeOnly(v) => to.pci_probe_only = v,
            Undo::PhbWindows(v) => to.phb_windows = v,
            Undo::PhbDdw(v) => to.phb_ddw = v,
            Undo::PhbPageSizes(v) => to.phb_page_sizes = v,
            Undo::StreamDescription(v) => to.stream_description = v,
            Undo::Device(device, property, value) => {
                to.devices.retain(|d| (d.device, d.property) != (device, property));
                to.devices.push(DeviceDefault { device, property, value });
            }
        }
    }
}

/// A release: a version and what it changed.
#[derive(Debug)]
pub struct Release {
    /// The version that came with it.
    pub version: Version,
    /// What to set for every older version.
    pub undo_for_older: &'static [Undo],
}

/// The history, newest first. `Device` rows of devices to come are kept beside the rest.
pub static RELEASES: &[Release] = &[
    Release {
        version: Version::new(10, 2),
        undo_for_older: &[
            // 10.2 deleted pseries-4.2 and older, and with them the flag for the default VSMT.
            Undo::Ruleset(Ruleset::Qemu4_2),
            Undo::Device("virtio-net", "host_tunnel", "off"),
            Undo::Device("virtio-net", "host_tunnel_csum", "off"),
            Undo::Device("virtio-net", "guest_tunnel", "off"),
            Undo::Device("virtio-net", "guest_tunnel_csum", "off"),
        ],
    },
    Release {
        version: Version::new(10, 1),
        undo_for_older: &[Undo::Device("powerpc-cpu", "rtas-stopped-state", "false"), Undo::Device("scsi-hd", "dpofua", "off")],
    },
    Release {
        version: Version::new(10, 0),
        undo_for_older: &[
            Undo::Device("migration", "send-switchover-start", "off"),
            Undo::Device("migration", "multifd-clean-tls-termination", "false"),
            Undo::Device("virtio-balloon-pci", "vectors", "0"),
            Undo::Device("virtio-mem-pci", "vectors", "0"),
        ],
    },
    Release { version: Version::new(9, 2), undo_for_older: &[Undo::Device("pci-device", "x-pcie-ext-tag", "off")] },
    Release {
        version: Version::new(9, 1),
        undo_for_older: &[
            Undo::Device("scsi-hd", "migrate-emulated-scsi-request", "false"),
            Undo::Device("scsi-cd", "migrate-emulated-scsi-request", "false"),
            Undo::Device("virtio-pci", "x-pcie-pm-no-soft-reset", "off"),
        ],
    },
    Release {
        version: Version::new(9, 0),
        undo_for_older: &[
            Undo::Cpu("power9_v2.2"),
            Undo::Device("migration", "zero-page-detection", "legacy"),
            Undo::Device("virtio-gpu", "x-scanout-vmstate-version", "1"),
        ],
    },
    Release {
        version: Version::new(8, 2),
        undo_for_older: &[
            Undo::Device("virtio-net", "host_uso", "off"),
            Undo::Device("virtio-net", "guest_uso4", "off"),
            Undo::Device("virtio-net", "guest_uso6", "off"),
            Undo::Device("ramfb", "x-migrate", "off"),
        ],
    },
    Release {
        version: Version::new(8, 1),
        undo_for_older: &[
            Undo::Device("migration", "multifd-flush-after-each-section", "on"),
            Undo::Device("pci-device", "x-pcie-ari-nextfn-1", "on"),
        ],
    },
    Release {
        version: Version::new(8, 0),
        undo_for_older: &[
            Undo::Device("migration", "x-preempt-pre-7-2", "true"),
            Undo::Device("pci-device", "x-pcie-err-unc-mask", "off"),
            Undo::Device("e1000e", "migrate-timadj", "off"),
        ],
    },
    Release {
        version: Version::new(7, 2),
        undo_for_older: &[Undo::Device("virtio-rng-pci", "vectors", "0"), Undo::Device("virtio-device", "queue_reset", "false")],
    },
    Release { version: Version::new(7, 1), undo_for_older: &[Undo::Device("nvme-ns", "eui64-default", "on")] },
    Release { version: Version::new(7, 0), undo_for_older: &[] },
    Release {
        version: Version::new(6, 2),
        undo_for_older: &[Undo::Form2(false), Undo::Prefer(Prefer::Sockets), Undo::Device("nvme-ns", "shared", "off")],
    },
    Release {
        version: Version::new(6, 1),
        undo_for_older: &[
            Undo::Device("nvme-ns", "eui64-default", "off"),
            Undo::Device("e1000", "init-vet", "off"),
            Undo::Device("e1000e", "init-vet", "off"),
        ],
    },
    Release {
        version: Version::new(6, 0),
        undo_for_older: &[
            Undo::Device("virtio-net-pci", "vectors", "3"),
            Undo::Device("virtio-blk-device", "report-discard-granularity", "off"),
            Undo::Device("nvme", "msix-exclusive-bar", "on"),
        ],
    },
    Release {
        version: Version::new(5, 2),
        undo_for_older: &[
            Undo::Form1(Form1::ThreePoints),
            Undo::Device("virtio-blk-device", "num-queues", "1"),
            Undo::Device("virtio-scsi-device", "num_queues", "1"),
            Undo::Device("nvme", "use-intel-id", "on"),
            Undo::Device("virtio-pci", "x-ats-page-aligned", "off"),
        ],
    },
    Release {
        version: Version::new(5, 1),
        undo_for_older: &[
            Undo::Form1(Form1::TwoPoints),
            Undo::Device("pci-host-bridge", "x-config-reg-migration-enabled", "off"),
            Undo::Device("virtio-balloon-device", "page-poison", "false"),
            Undo::Device("virtio-device", "x-disable-legacy-check", "true"),
        ],
    },
    Release {
        version: Version::new(5, 0),
        undo_for_older: &[
            Undo::Cap(Cap::CcfAssist, 0),
            Undo::Cap(Cap::Fwnmi, 0),
            Undo::RmaLimit(16 * GIB),
            Undo::Nvdimm(false),
            // 1024 up to at least 4.2, 4096 in 7.2.
            Undo::MaxCpus(1024),
            Undo::Device("virtio-blk-device", "queue-size", "128"),
            Undo::Device("virtio-blk-device", "seg-max-adjust", "off"),
            Undo::Device("virtio-scsi-device", "virtqueue_size", "128"),
            Undo::Device("virtio-scsi-device", "seg_max_adjust", "off"),
        ],
    },
    Release {
        version: Version::new(4, 2),
        undo_for_older: &[
            Undo::PciProbeOnly(false),
            // Dense ids only where a kernel that can set the mode may be taken for granted.
            Undo::VsmtDefault(VsmtDefault::EightOrMore),
            Undo::Ruleset(Ruleset::Qemu2_12),
            Undo::PhbPageSizes(0x1_1000),
            Undo::Device("virtio-pci", "x-pcie-flr-init", "off"),
        ],
    },
    Release {
        version: Version::new(4, 1),
        undo_for_older: &[
            Undo::Ic(IcMode::Xics),
            Undo::Device("migration", "cap-hpt-max-page-size", "off"),
            Undo::Device("VGA", "edid", "off"),
            Undo::Device("bochs-display", "edid", "off"),
            Undo::Device("virtio-gpu-device", "edid", "off"),
            Undo::Device("virtio-device", "use-started", "false"),
        ],
    },
    Release {
        version: Version::new(4, 0),
        undo_for_older: &[
            Undo::Cpu("power8_v2.0"),
            Undo::UpdateDt(UpdateDt::Ignored),
            Undo::PhbHotplug(false),
            Undo::Cap(Cap::Cfpc, 0),
            Undo::Cap(Cap::Sbbc, 0),
            Undo::Cap(Cap::Ibs, 0),
            Undo::Cap(Cap::LargeDecr, 0),
            Undo::Device("virtio-blk-device", "discard", "false"),
            Undo::Device("virtio-blk-device", "write-zeroes", "false"),
            Undo::Device("usb-kbd", "serial", "42"),
            Undo::Device("usb-mouse", "serial", "42"),
            Undo::Device("usb-tablet", "serial", "42"),
            Undo::Device("memory-backend-file", "x-use-canonical-path-for-ramblock-id", "true"),
            Undo::Device("memory-backend-memfd", "x-use-canonical-path-for-ramblock-id", "true"),
        ],
    },
    Release { version: Version::new(3, 1), undo_for_older: &[Undo::IrqNumbers(IrqNumbers::Legacy)] },
    Release {
        version: Version::new(3, 0),
        undo_for_older: &[
            // The host's largest page; 16 GiB under emulation.
            Undo::Cap(Cap::HptMaxPageSize, 34),
            Undo::Device("powerpc-cpu", "pre-3.0-migration", "on"),
            Undo::Device("spapr-cpu-core", "pre-3.0-migration", "on"),
        ],
    },
    Release { version: Version::new(2, 12), undo_for_older: &[Undo::Cap(Cap::Htm, 1), Undo::Ruleset(Ruleset::Qemu2_11)] },
    Release { version: Version::new(2, 11), undo_for_older: &[Undo::Ruleset(Ruleset::Qemu2_10)] },
    Release {
        version: Version::new(2, 10),
        undo_for_older: &[
            Undo::ResizeHpt(ResizeHpt::Disabled),
            Undo::Device("powerpc-cpu", "pre-2.10-migration", "on"),
            Undo::Device("icp", "unused-servers-migrated", "on"),
        ],
    },
    Release {
        version: Version::new(2, 9),
        undo_for_older: &[Undo::NodeSplit(8 * MIB), Undo::Device("spapr-pci-host-bridge", "pcie-extended-configuration-space", "off")],
    },
    Release {
        version: Version::new(2, 8),
        undo_for_older: &[
            Undo::Cpu("power7_v2.3"),
            Undo::HotplugEvents(false),
            Undo::PhbWindows(PhbWindows::AboveRam { mem32: 0xf_8000_0000 }),
            Undo::Device("powerpc-cpu", "pre-2.8-migration", "on"),
            Undo::Device("spapr-pci-host-bridge", "pre-2.8-migration", "on"),
        ],
    },
    Release { version: Version::new(2, 7), undo_for_older: &[Undo::CpuHotplug(false), Undo::PhbDdw(false)] },
    Release {
        version: Version::new(2, 6),
        undo_for_older: &[Undo::Device("spapr-vlan", "use-rx-buffer-pools", "off"), Undo::Device("usb", "default-controller", "pci-ohci")],
    },
    Release { version: Version::new(2, 5), undo_for_older: &[Undo::Lmb(false)] },
    Release { version: Version::new(2, 4), undo_for_older: &[Undo::PciHotplug(false)] },
    Release {
        version: Version::new(2, 3),
        undo_for_older: &[Undo::PhbWindows(PhbWindows::AboveRam { mem32: 0x2000_0000 }), Undo::StreamDescription(false)],
    },
    Release { version: Version::new(2, 2), undo_for_older: &[] },
    Release { version: Version::new(2, 1), undo_for_older: &[] },
];

/// Versions beside the line: what they set on top of the version they branch from.
pub static BRANCHES: &[Release] = &[Release {
    version: Version { major: 2, minor: 12, flavour: Flavour::Sxxm },
    undo_for_older: &[Undo::Cap(Cap::Cfpc, 1), Undo::Cap(Cap::Sbbc, 1), Undo::Cap(Cap::Ibs, 3)],
}];

#[cfg(test)]
mod tests {
    use super::IrqNumbers;
    use super::RELEASES;
    use super::Version;
    use crate::spapr::caps::Cap;
    use crate::spapr::cpus::CpuKind;
    use crate::spapr::options::IcMode;

    #[test]
    fn the_history_is_newest_first_and_names_real_cpus() {
        assert!(RELEASES.windows(2).all(|w| w[0].version > w[1].version));
        for version in Version::all() {
            CpuKind::named(version.compat().cpu).unwrap();
            assert_eq!(Version::parse(&version.to_string()).unwrap(), version);
        }
        assert_eq!(Version::all().count(), 36);
    }

    #[test]
    fn undoings_stop_at_the_version() {
        let at = |name: &str| Version::parse(name).unwrap().compat();
        assert_eq!((at("pseries-4.1").ic, at("pseries-4.0").ic), (IcMode::Dual, IcMode::Xics));
        assert_eq!((at("3.1").irq_numbers, at("3.0").irq_numbers), (IrqNumbers::Fixed, IrqNumbers::Legacy));
        assert_eq!((at("2.12").caps.get(Cap::Ibs), at("2.12-sxxm").caps.get(Cap::Ibs), at("2.11").caps.get(Cap::Ibs)), (0, 3, 0));
        assert_eq!(at("6.0").device_default("nvme-ns", "eui64-default"), Some("off"));
        assert_eq!(at("7.0").device_default("nvme-ns", "eui64-default"), Some("on"));
    }

    #[test]
    fn unknown_versions_offer_the_nearest() {
        for (typed, meant) in
            [("pseries-4.3", "pseries-4.2"), ("pseries-11.0", "pseries-10.2"), ("pseres-4.1", "pseries-4.1"), ("1.0", "pseries-2.1")]
        {
            let refused = Version::parse(typed).unwrap_err().to_string();
            assert!(refused.contains(&format!("did you mean \"{meant}\"")), "{typed}: {refused}");
        }
    }
}
