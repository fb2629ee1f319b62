//! Memory nodes, and `/ibm,dynamic-reconfiguration-memory` where the guest asked for it.

use crate::fdt::Node;
use crate::spapr::devtree::Negotiated;
use crate::spapr::numa;
use crate::spapr::numa::Form;
use crate::spapr::ovec;
use crate::spapr::spec::LMB_BYTES;
use crate::spapr::spec::MachineSpec;

/// LMB flag: the block does not belong to a connector.
const DRC_INVALID: u32 = 0x20;
/// LMB flag: not for the guest to use.
const RESERVED: u32 = 0x80;

/// Start of the region for pluggable memory (above RAM, aligned to 1 GiB).
pub fn device_memory_base(spec: &MachineSpec) -> u64 {
    spec.ram.next_multiple_of(1 << 30)
}

/// End of the region for pluggable memory; the end of RAM when there is no room for more.
pub fn device_memory_end(spec: &MachineSpec) -> u64 {
    if spec.maxmem > spec.ram { device_memory_base(spec) + (spec.maxmem - spec.ram) } else { spec.ram }
}

/// One node for the real mode area, then every NUMA node's rest in naturally aligned powers of two.
pub fn nodes(spec: &MachineSpec, now: &Negotiated) -> Vec<Node> {
    let form = Form::of(now);
    let mut out = Vec::new();
    let mut at = 0;
    for (index, numa_node) in spec.nodes.iter().enumerate() {
        let end = at + numa_node.memory;
        while at < end {
            let len = if at == 0 { spec.rma.min(end) } else { (1u64 << (end - at).ilog2()).min(1 << at.trailing_zeros()) };
            let mut n = Node::new(format!("memory@{at:x}"));
            n.set_str("device_type", "memory").set_u64s("reg", &[at, len]);
            n.set_cells("ibm,associativity", &numa::memory_associativity(spec, form, index));
            out.push(n);
            at += len;
        }
    }
    if now.ov5.has(ovec::DRCONF_MEMORY) && spec.compat.lmb && spec.maxmem > spec.ram {
        out.push(dynamic(spec, now, form));
    }
    out
}

fn dynamic(spec: &MachineSpec, now: &Negotiated, form: Form) -> Node {
    let mut n = Node::new("ibm,dynamic-reconfiguration-memory");
    n.set_u64("ibm,lmb-size", LMB_BYTES);
    n.set_u32("ibm,memory-flags-mask", 0xff);
    n.set_u32("ibm,memory-preservation-time", 0);
    let base = device_memory_base(spec);
    let fixed = base / LMB_BYTES;
    let total = device_memory_end(spec) / LMB_BYTES;
    let drc = |lmb: u64| (8 << 28) | lmb as u32;
    if now.ov5.has(ovec::DRMEM_V2) {
        let mut cells = Vec::new();
        let mut runs = 1;
        cells.extend([fixed as u32, 0, 0, 0, u32::MAX, DRC_INVALID | RESERVED]);
        if total > fixed {
            runs += 1;
            cells.extend([(total - fixed) as u32, (base >> 32) as u32, base as u32, drc(fixed), u32::MAX, 0]);
        }
        n.set_cells("ibm,dynamic-memory-v2", &[vec![runs], cells].concat());
    } else {
        let mut cells = vec![total as u32];
        for lmb in 0..total {
            let at = lmb * LMB_BYTES;
            let (index, flags) = if lmb < fixed { (0, DRC_INVALID | RESERVED) } else { (drc(lmb), 0) };
            cells.extend([(at >> 32) as u32, at as u32, index, 0, u32::MAX, flags]);
        }
        n.set_cells("ibm,dynamic-memory", &cells);
    }
    let arrays: Vec<Vec<u32>> = (0..spec.nodes.len()).map(|k| numa::memory_associativity(spec, form, k)[1..].to_vec()).collect();
    let head = vec![arrays.len() as u32, arrays[0].len() as u32];
    n.set_cells("ibm,associativity-lookup-arrays", &[head, arrays.concat()].concat());
    n
}
