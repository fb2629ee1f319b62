//! The subtrees of the platform itself: RTAS, events, virtual I/O, the interrupt controller, memory connectors.

use crate::fdt::Node;
use crate::intc::Active;
use crate::spapr::devtree::Negotiated;
use crate::spapr::devtree::PHANDLE_INTC;
use crate::spapr::devtree::Services;
use crate::spapr::devtree::memory;
use crate::spapr::drc::Kind;
use crate::spapr::layout;
use crate::spapr::numa;
use crate::spapr::numa::Form;
use crate::spapr::spec::LMB_BYTES;
use crate::spapr::spec::MachineSpec;

/// Bytes of an RTAS error log.
pub const ERROR_LOG_MAX: u32 = 2048;

/// Bytes of the RTAS area: code, an error log, and 16 bytes for each CPU's system reset (PAPR, rtas-size).
pub fn rtas_size(spec: &MachineSpec) -> u32 {
    20 + ERROR_LOG_MAX + 16 * spec.smp.maxcpus + 8
}

/// `/rtas`.
pub fn rtas(spec: &MachineSpec, now: &Negotiated, services: &Services) -> Node {
    let mut n = Node::new("rtas");
    n.set_strs("ibm,hypertas-functions", &services.hypertas);
    n.set_str("qemu,hypertas-functions", "hcall-memop1");
    numa::describe(&mut n, spec, Form::of(now));
    n.set_u32("rtas-size", rtas_size(spec));
    n.set_u32("rtas-error-log-max", ERROR_LOG_MAX).set_u32("rtas-event-scan-rate", 1);
    n.set_flag("ibm,change-msix-capable").set_flag("ibm,extended-os-term");
    let end = memory::device_memory_end(spec);
    n.set_cells("ibm,lrdr-capacity", &[(end >> 32) as u32, end as u32, 0, LMB_BYTES as u32, spec.smp.max_cores()]);
    for (name, token) in &services.rtas {
        n.set_u32(name, *token);
    }
    n
}

/// `/event-sources`.
pub fn event_sources(spec: &MachineSpec) -> Node {
    let mut n = Node::new("event-sources");
    n.set_flag("interrupt-controller").set_u32("#interrupt-cells", 2);
    let mut ranges = vec![layout::EPOW.0, 1];
    let mut epow = Node::new("epow-events");
    epow.set_cells("interrupts", &[layout::EPOW.0, 0]);
    n.add(epow);
    if spec.compat.hotplug_events {
        ranges.extend([layout::HOTPLUG.0, 1]);
        let mut hotplug = Node::new("hot-plug-events");
        hotplug.set_cells("interrupts", &[layout::HOTPLUG.0, 0]);
        n.add(hotplug);
    }
    n.set_cells("interrupt-ranges", &ranges);
    n
}

/// `/vdevice`: virtual terminals and the NVRAM, in the order of their unit addresses.
pub fn vdevice(spec: &MachineSpec) -> Node {
    let mut n = Node::new("vdevice");
    n.set_str("device_type", "vdevice").set_str("compatible", "IBM,vdevice");
    n.set_u32("#address-cells", 1).set_u32("#size-cells", 0).set_u32("#interrupt-cells", 2).set_flag("interrupt-controller");
    let mut devices: Vec<(u32, Node)> = Vec::new();
    let mut add = |reg: crate::units::UnitAddress, kind: &str, device_type: &str, compatible: &str| {
        let mut d = Node::new(format!("{kind}@{:x}", reg.0));
        d.set_u32("reg", reg.0).set_str("device_type", device_type).set_str("compatible", compatible);
        d.set_cells("interrupts", &[spec.vio_irq(reg).0, 0]);
        if kind == "nvram" {
            d.set_u32("#bytes", spec.nvram_bytes as u32);
        }
        devices.push((reg.0, d));
    };
    spec.vtys.iter().for_each(|v| add(*v, "vty", "serial", "hvterm1"));
    add(spec.nvram_at, "nvram", "nvram", "qemu,spapr-nvram");
    devices.sort_by_key(|(reg, _)| *reg);
    n.children = devices.into_iter().map(|(_, d)| d).collect();
    n
}

/// The interrupt controller that is in use.
pub fn interrupt_controller(spec: &MachineSpec, now: &Negotiated) -> Node {
    let servers = spec.vsmt.max_server_number();
    let mut n = match now.ic {
        Active::Xics => {
            let mut n = Node::new("interrupt-controller");
            n.set_str("compatible", "IBM,ppc-xicp").set_str("device_type", "PowerPC-External-Interrupt-Presentation");
            n.set_cells("ibm,interrupt-server-ranges", &[0, servers]);
            n
        }
        Active::Xive => {
            let mut n = Node::new(format!("interrupt-controller@{:x}", layout::TIMA_USER_PAGE));
            n.set_str("compatible", "ibm,power-ivpe").set_str("device_type", "power-ivpe");
            n.set_u64s("reg", &[layout::TIMA_USER_PAGE, 0x1_0000, layout::TIMA_OS_PAGE, 0x1_0000]);
            n.set_cells("ibm,xive-eq-sizes", &[16]).set_cells("ibm,xive-lisn-ranges", &[0, servers]);
            n
        }
    };
    n.set_flag("interrupt-controller").set_u32("#interrupt-cells", 2);
    n.set_u32("phandle", PHANDLE_INTC).set_u32("linux,phandle", PHANDLE_INTC);
    n
}

/// `/ibm,platform-facilities`: the random number generator behind H_RANDOM.
pub fn random_node() -> Node {
    let mut n = Node::new("ibm,platform-facilities");
    n.set_str("device_type", "ibm,platform-facilities");
    n.set_u32("#address-cells", 1).set_u32("#size-cells", 0);
    let mut rng = Node::new("ibm,random-v1");
    rng.set_str("compatible", "ibm,random");
    n.add(rng);
    n
}

/// Connectors on the root node: the memory blocks that may be plugged, then the host bridges. The properties are there, if empty, on every version that
/// has one of the two kinds.
pub fn root_connectors(root: &mut Node, spec: &MachineSpec) {
    let mut all: Vec<(u32, String, &str)> = Vec::new();
    if spec.compat.lmb && spec.maxmem > spec.ram {
        let blocks = (memory::device_memory_base(spec)..memory::device_memory_end(spec)).step_by(LMB_BYTES as usize);
        all.extend(blocks.map(|at| (at / LMB_BYTES) as u32).map(|block| (Kind::Lmb.index(block).0, format!("LMB {block}"), "MEM")));
    }
    if spec.compat.phb_hotplug {
        all.extend((0..layout::PHBS).map(|phb| (Kind::Phb.index(phb).0, format!("PHB {phb}"), "PHB")));
    }
    if spec.compat.lmb || spec.compat.phb_hotplug {
        connectors(root, &all);
    }
}

/// The four properties that describe connectors, given as index, name and type (PAPR, ibm,drc-*).
pub fn connectors(n: &mut Node, all: &[(u32, String, &str)]) {
    let count = all.len() as u32;
    let strings = |list: &[&str]| {
        let text: Vec<u8> = list.iter().flat_map(|s| s.bytes().chain([0])).collect();
        [count.to_be_bytes().to_vec(), text].concat()
    };
    let indexes: Vec<u32> = all.iter().map(|(index, ..)| *index).collect();
    n.set_cells("ibm,drc-indexes", &[vec![count], indexes].concat());
    n.set_cells("ibm,drc-power-domains", &[vec![count], vec![u32::MAX; all.len()]].concat());
    n.set("ibm,drc-names", strings(&all.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>()));
    n.set("ibm,drc-types", strings(&all.iter().map(|(.., kind)| *kind).collect::<Vec<_>>()));
}
