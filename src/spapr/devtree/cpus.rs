//! `/cpus`: one node per core, with its threads as interrupt servers.

use crate::fdt::Node;
use crate::spapr::caps::Cap;
use crate::spapr::cpus::Level;
use crate::spapr::devtree::Negotiated;
use crate::spapr::devtree::features::pa_features;
use crate::spapr::devtree::platform;
use crate::spapr::numa;
use crate::spapr::numa::Form;
use crate::spapr::spec::MachineSpec;
use crate::units::CoreId;
use crate::units::CpuIndex;

/// Ticks per second of the timebase.
const TIMEBASE_HZ: u32 = crate::clock::TIMEBASE_HZ as u32;
/// What the guest is told of its clock frequency.
const CLOCK_HZ: u32 = 1_000_000_000;

/// The whole subtree.
pub fn node(spec: &MachineSpec, now: &Negotiated) -> Node {
    let mut cpus = Node::new("cpus");
    cpus.set_u32("#address-cells", 1).set_u32("#size-cells", 0);
    if spec.compat.cpu_hotplug {
        connectors(&mut cpus, spec);
    }
    for core in 0..spec.smp.boot_cores() {
        cpus.add(core_node(spec, now, CoreId(core)));
    }
    cpus
}

/// Every core's connector, plugged or not, numbered by the vcpu id of thread 0.
fn connectors(cpus: &mut Node, spec: &MachineSpec) {
    let core = |c| (spec.vsmt.drc(CoreId(c)).0, format!("CPU {}", spec.vsmt.core_id(CoreId(c)).0), "CPU");
    let all: Vec<(u32, String, &str)> = (0..spec.smp.max_cores()).map(core).collect();
    platform::connectors(cpus, &all);
}

/// One core (also what configure-connector hands over for a plugged one).
pub fn core_node(spec: &MachineSpec, now: &Negotiated, core: CoreId) -> Node {
    let cpu = spec.cpu;
    let id = spec.vsmt.core_id(core);
    let mut n = Node::new(format!("{}@{:x}", cpu.node_name, id.0));
    n.set_u32("reg", id.0).set_str("device_type", "cpu");
    if spec.compat.cpu_hotplug {
        n.set_u32("ibm,my-drc-index", spec.vsmt.drc(core).0);
    }
    n.set_u32("cpu-version", now.compat.map_or(cpu.pvr, |m| m.pvr));
    caches(&mut n, cpu.icache_bytes);
    n.set_u32("timebase-frequency", TIMEBASE_HZ).set_u32("clock-frequency", CLOCK_HZ);
    n.set_u32("slb-size", cpu.slb_entries).set_u32("ibm,slb-size", cpu.slb_entries);
    n.set_str("status", "okay").set_flag("64-bit");
    let modern = cpu.offers(Level::V2_06, None);
    if modern {
        n.set_u32("ibm,purr", 1).set_u32("ibm,spurr", 1);
        n.set_cells("ibm,processor-segment-sizes", &[28, 40, u32::MAX, u32::MAX]);
    }
    if cpu.vmx() {
        n.set_u32("ibm,vmx", if cpu.vsx && spec.caps.on(Cap::Vsx) { 2 } else { 1 });
    }
    if cpu.dfp && spec.caps.on(Cap::Dfp) {
        n.set_u32("ibm,dfp", 1);
    }
    n.set_cells("ibm,segment-page-sizes", &segment_page_sizes(spec));
    if let Some(features) = pa_features(spec, now) {
        n.set("ibm,pa-features", features);
    }
    n.set("ibm,pi-features", [1, 0, 0]);
    n.set_u32("ibm,chip-id", spec.smp.socket_of(core));
    n.set_cells("ibm,pft-size", &[0, now.hpt_shift]);
    if spec.nodes.len() > 1 {
        n.set_cells("ibm,associativity", &numa::cpu_associativity(spec, Form::of(now), core, id));
    }
    servers(&mut n, spec, now, core);
    if cpu.radix && spec.host.mmu.radix {
        n.set_cells("ibm,processor-radix-AP-encodings", &[12, (5 << 29) | 16, (1 << 29) | 21, (2 << 29) | 30]);
    }
    if spec.caps.on(Cap::LargeDecr) {
        n.set_u32("ibm,dec-bits", cpu.decrementer_bits);
    }
    n
}

fn caches(n: &mut Node, icache_bytes: u32) {
    for name in ["d-cache-block-size", "d-cache-line-size", "i-cache-block-size", "i-cache-line-size"] {
        n.set_u32(name, 128);
    }
    n.set_u32("d-cache-size", 32 << 10).set_u32("i-cache-size", icache_bytes);
}

/// `ibm,ppc-interrupt-server#s` and `-gserver#s`: the vcpu ids of the core's threads, as many as the compatibility mode shows.
fn servers(n: &mut Node, spec: &MachineSpec, now: &Negotiated, core: CoreId) {
    let threads = spec.smp.threads.min(now.compat.map_or(u32::MAX, |m| m.max_threads));
    let ids: Vec<u32> = (0..threads).map(|t| spec.vsmt.vcpu_id(CpuIndex(core.0 * spec.smp.threads + t)).0).collect();
    n.set_cells("ibm,ppc-interrupt-server#s", &ids);
    let pairs: Vec<u32> = ids.iter().flat_map(|id| [*id, 0]).collect();
    n.set_cells("ibm,ppc-interrupt-gserver#s", &pairs);
}

/// Base page shift, SLB bits, and per actual page size its shift and PTE encoding.
type SegmentPages = (u32, u32, &'static [(u32, u32)]);

/// `ibm,segment-page-sizes`: per base page size {shift, SLB bits, count, {actual shift, PTE encoding} …}, up to the largest page that
/// cap-hpt-max-page-size allows.
fn segment_page_sizes(spec: &MachineSpec) -> Vec<u32> {
    let max = u32::from(spec.caps.get(Cap::HptMaxPageSize));
    let modern = spec.cpu.offers(Level::V2_06, None);
    let rows: &[SegmentPages] = if modern {
        &[(12, 0, &[(12, 0), (24, 0x38)]), (16, 0x110, &[(16, 1), (24, 8)]), (24, 0x100, &[(24, 0)]), (34, 0x120, &[(34, 3)])]
    } else {
        &[(12, 0, &[(12, 0)]), (24, 0x100, &[(24, 0)])]
    };
    let mut out = Vec::new();
    for (shift, slb, sizes) in rows.iter().filter(|r| r.0 <= max) {
        let sizes: Vec<_> = sizes.iter().filter(|s| s.0 <= max).collect();
        out.extend([*shift, *slb, sizes.len() as u32]);
        sizes.iter().for_each(|s| out.extend([s.0, s.1]));
    }
    out
}
