//! NUMA associativity: how near CPUs and memory are, as PAPR tells it (forms 1 and 2).

use crate::fdt::Node;
use crate::spapr::devtree::Negotiated;
use crate::spapr::ovec;
use crate::spapr::spec::MachineSpec;
use crate::spapr::version::Form1;
use crate::units::CoreId;
use crate::units::VcpuId;

/// Which form of associativity the guest negotiated; form 1 until then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Domains at four levels; distance follows from how many are shared.
    One,
    /// One domain, and a table of distances.
    Two,
}

impl Form {
    /// The form in force.
    pub fn of(now: &Negotiated) -> Form {
        if now.ov5.has(ovec::FORM2) { Form::Two } else { Form::One }
    }
}

/// Largest distance that still shares the domain of levels 1, 2 and 3 (QEMU's rounding without its holes at 11, 31 and 61).
const SHARED_UP_TO: [u8; 3] = [120, 60, 30];

/// The four domains of a node in form 1, outermost first; the last is the node itself.
fn form1(spec: &MachineSpec, node: usize) -> [u32; 4] {
    let computed = spec.compat.form1 == Form1::Computed && spec.nodes.len() > 1;
    let level = |limit: u8| {
        if !computed {
            return 0;
        }
        (0..=node).find(|other| *other == node || spec.distances[*other][node] <= limit).unwrap_or(node) as u32
    };
    [level(SHARED_UP_TO[0]), level(SHARED_UP_TO[1]), level(SHARED_UP_TO[2]), node as u32]
}

/// `ibm,associativity` of a node's memory.
pub fn memory_associativity(spec: &MachineSpec, form: Form, node: usize) -> Vec<u32> {
    match form {
        Form::One => [vec![4], form1(spec, node).to_vec()].concat(),
        Form::Two => vec![1, node as u32],
    }
}

/// The node that holds `core`.
pub fn node_of(spec: &MachineSpec, core: CoreId) -> usize {
    spec.nodes.iter().position(|n| n.cpus.contains(&core)).unwrap_or(0)
}

/// `ibm,associativity` of a core, or of one of its threads: as its node's memory, and the vcpu id last.
pub fn cpu_associativity(spec: &MachineSpec, form: Form, core: CoreId, id: VcpuId) -> Vec<u32> {
    let mut cells = memory_associativity(spec, form, node_of(spec, core));
    cells[0] += 1;
    cells.push(id.0);
    cells
}

/// The properties of `/rtas` that say how to read associativity arrays.
pub fn describe(rtas: &mut Node, spec: &MachineSpec, form: Form) {
    let count = spec.nodes.len() as u32;
    match form {
        Form::One => {
            let (points, domains): (&[u32], u32) = match spec.compat.form1 {
                Form1::Computed if count > 1 => (&[4, 3, 2, 1], count),
                Form1::Computed | Form1::ThreePoints => (&[4, 4, 2], 0),
                Form1::TwoPoints => (&[4, 4], 0),
            };
            rtas.set_cells("ibm,associativity-reference-points", points);
            rtas.set_cells("ibm,max-associativity-domains", &[4, domains, domains, domains, count]);
        }
        Form::Two => {
            rtas.set_cells("ibm,associativity-reference-points", &[1]);
            rtas.set_cells("ibm,max-associativity-domains", &[1, count]);
            let ids: Vec<u32> = std::iter::once(count).chain(0..count).collect();
            rtas.set_cells("ibm,numa-lookup-index-table", &ids);
            let mut table = (count * count).to_be_bytes().to_vec();
            spec.distances.iter().for_each(|row| table.extend_from_slice(row));
            rtas.set("ibm,numa-distance-table", table);
        }
    }
}
