//! The device tree that a machine hands to its guest.
//!
//! Built from the checked [`MachineSpec`] and from what the guest has negotiated so far ([`Negotiated`]), at start and again at
//! `ibm,client-architecture-support`. One file per subtree; property values are as QEMU gives them, so that a guest finds what it knows, except where QEMU is
//! wrong (`ibm,my-drc-index` when vsmt differs from threads; the byte order of a few words).

pub mod cpus;
mod features;
pub mod memory;
mod platform;

use crate::fdt::Node;
use crate::fdt::Tree;
use crate::intc::Active;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::Level;
use crate::spapr::options::IcMode;
use crate::spapr::ovec;
use crate::spapr::ovec::OptionVector;
use crate::spapr::spec::MachineSpec;
use crate::units::UnitAddress;

/// Handle of the interrupt controller's node, by which other nodes refer to it.
pub const PHANDLE_INTC: u32 = 0x1111;

/// What start-up or the guest decided.
#[derive(Clone, Debug)]
pub struct Negotiated {
    /// Interrupt controller in use.
    pub ic: Active,
    /// Option vector 5 as agreed; empty before negotiation.
    pub ov5: OptionVector,
    /// Compatibility mode; `None`: the processor itself.
    pub compat: Option<&'static CompatMode>,
    /// Whether the guest said that it runs on ISA 3.00 (it may be told of radix only then). True before negotiation.
    pub knows_isa_3: IsaKnowledge,
    /// log2 of the hash table's bytes.
    pub hpt_shift: u32,
    /// Fresh randomness for the guest.
    pub rng_seed: [u8; 32],
}

/// What the guest's first option vector said of its age.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IsaKnowledge {
    /// It runs on ISA 3.00 processors, or has not said.
    Isa3,
    /// It is older.
    Older,
}

/// What was loaded for the guest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Kernel: address and bytes, and whether its ELF header is little-endian.
    pub kernel: Option<(u64, u64, ByteOrder)>,
    /// Initial RAM disk: address and bytes.
    pub initrd: Option<(u64, u64)>,
}

/// Byte order of a kernel image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Big-endian.
    Big,
    /// Little-endian.
    Little,
}

/// Firmware services that the tree advertises, read from the tables that implement them.
#[derive(Clone, Debug, Default)]
pub struct Services {
    /// RTAS calls: name and token.
    pub rtas: Vec<(&'static str, u32)>,
    /// `ibm,hypertas-functions`.
    pub hypertas: Vec<&'static str>,
}

/// Builds the whole tree.
pub fn build(spec: &MachineSpec, now: &Negotiated, loaded: &Loaded, services: &Services) -> Tree {
    let mut tree = Tree::default();
    let root = &mut tree.root;
    root.set_str("device_type", "chrp")
        .set_str("model", "IBM pSeries (emulated by qemu)")
        .set_str("compatible", "qemu,pseries")
        .set_u32("#address-cells", 2)
        .set_u32("#size-cells", 2);
    identity(root, spec);
    if now.ic == Active::Xive {
        root.set_cells("ibm,plat-res-int-priorities", &[7, 0xf8]);
    }
    platform::root_connectors(root, spec);
    root.add(platform::interrupt_controller(spec, now));
    for node in memory::nodes(spec, now) {
        root.add(node);
    }
    root.add(platform::vdevice(spec));
    root.add(cpus::node(spec, now));
    root.add(platform::event_sources(spec));
    root.add(platform::rtas(spec, now, services));
    root.add(chosen(spec, now, loaded));
    if spec.rng {
        root.add(platform::random_node());
    }
    if spec.compat.nvdimm {
        let mut pmem = Node::new("ibm,persistent-memory");
        pmem.set_u32("#address-cells", 1).set_u32("#size-cells", 0).set_str("device_type", "ibm,persistent-memory");
        root.add(pmem);
    }
    let reserved = [loaded.kernel.map(|(a, n, _)| (a, n)), loaded.initrd];
    tree.reservations = reserved.into_iter().flatten().collect();
    tree
}

fn identity(root: &mut Node, spec: &MachineSpec) {
    let uuid = spec.uuid.unwrap_or_default();
    let text = uuid_text(&uuid);
    root.set_str("vm,uuid", &text);
    if spec.uuid.is_some() {
        root.set_str("system-id", &text);
    }
    for (property, value) in [("host-model", &spec.host_model), ("host-serial", &spec.host_serial), ("ibm,partition-name", &spec.name)] {
        if let Some(value) = value {
            root.set_str(property, value);
        }
    }
}

/// A UUID in its usual form.
pub fn uuid_text(uuid: &[u8; 16]) -> String {
    let hex: String = uuid.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// The console's path: the virtual terminal with the lowest unit address.
pub fn console_path(spec: &MachineSpec) -> Option<String> {
    let lowest: Option<&UnitAddress> = spec.vtys.iter().min();
    lowest.map(|v| format!("/vdevice/vty@{:x}", v.0))
}

fn chosen(spec: &MachineSpec, now: &Negotiated, loaded: &Loaded) -> Node {
    let mut n = Node::new("chosen");
    if !spec.append.is_empty() {
        n.set_str("bootargs", &spec.append);
    }
    if let Some((at, len)) = loaded.initrd {
        n.set_u32("linux,initrd-start", at as u32).set_u32("linux,initrd-end", (at + len) as u32);
    }
    if let Some((at, len, order)) = loaded.kernel {
        n.set_u64s("qemu,boot-kernel", &[at, len]);
        if order == ByteOrder::Little {
            n.set_flag("qemu,boot-kernel-le");
        }
    }
    n.set_u32("qemu,graphic-width", 800).set_u32("qemu,graphic-height", 600).set_u32("qemu,graphic-depth", 32);
    if let Some(path) = console_path(spec) {
        n.set_str("linux,stdout-path", &path).set_str("stdout-path", &path);
    }
    if spec.compat.pci_probe_only {
        n.set_u32("linux,pci-probe-only", 0);
    }
    n.set("ibm,arch-vec-5-platform-support", platform_support(spec));
    n.set("rng-seed", now.rng_seed);
    n.set("ibm,architecture-vec-5", now.ov5.to_property());
    n
}

/// `ibm,arch-vec-5-platform-support`: pairs of a byte of option vector 5 and what the platform can do in it. The interrupt controllers' pair
/// follows `ic-mode`, the MMU's what processor and host have.
fn platform_support(spec: &MachineSpec) -> Vec<u8> {
    let ic = match spec.ic {
        IcMode::Dual => 0x80,
        IcMode::Xive => 0x40,
        IcMode::Xics => 0,
    };
    let ic = if isa_3(spec) { ic } else { 0 };
    let mmu = match (spec.mmu.hash, spec.mmu.radix) {
        (true, true) => 0xc0,
        (false, true) => 0x40,
        (_, false) => 0,
    };
    vec![23, ic, 24, mmu, 25, 0, 26, 0x40]
}

/// Whether the processor, held to max-cpu-compat, does ISA 3.00.
pub fn isa_3(spec: &MachineSpec) -> bool {
    spec.cpu.offers(Level::V3_00, spec.max_compat)
}

/// Option vector 5 as this machine offers it.
pub fn offered_ov5(spec: &MachineSpec) -> OptionVector {
    // Radix stays in it even where there is none, as in QEMU: what counts is the pair in ibm,arch-vec-5-platform-support.
    let mut v = OptionVector::of(&[ovec::FORM1, ovec::DRMEM_V2, ovec::RADIX_GTSE, ovec::MMU_RADIX]);
    if spec.compat.lmb {
        v.set(ovec::DRCONF_MEMORY);
    }
    if spec.compat.form2 {
        v.set(ovec::FORM2);
    }
    if spec.compat.hotplug_events {
        v.set(ovec::HP_EVT);
    }
    if spec.resize_hpt != crate::spapr::options::ResizeHpt::Disabled {
        v.set(ovec::HPT_RESIZE);
    }
    if spec.ic != IcMode::Xics {
        v.set(ovec::XIVE_EXPLOIT);
    }
    v
}
