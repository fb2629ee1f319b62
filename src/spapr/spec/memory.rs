//! RAM, room for more, NUMA nodes and the real mode area.
//!
//! Sizes come in logical memory blocks of 256 MiB wherever memory can be plugged, because that is the only unit the guest is
//! told of. The real mode area is what firmware and early kernels may use: node 0's share, a power of two.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::smp::Smp;
use crate::spapr::spec::LMB_BYTES;
use crate::spapr::spec::Node;
use crate::spapr::spec::Settings;
use crate::spapr::spec::Warning;
use crate::spapr::version::Compat;
use crate::units::CoreId;

const MIB: u64 = 1 << 20;
/// Least real mode area in bytes.
const RMA_MIN: u64 = 128 * MIB;
/// Most RAM in bytes, and most with what is plugged; PCI windows begin at 32 TiB and leave room for alignment.
const RAM_MAX: u64 = 16 << 40;
/// Most NUMA nodes.
const NODES_MAX: usize = 128;
/// Unit of RAM on machines without memory blocks: the largest base page.
const PAGE: u64 = 64 << 10;
/// Distance of a node to itself, and by default to others (ACPI's numbers, which QEMU's `-numa dist` takes).
const LOCAL: u8 = 10;
const REMOTE: u8 = 20;

/// What the machine's memory comes to.
pub(super) struct Memory {
    pub(super) maxmem: u64,
    pub(super) nodes: Vec<Node>,
    pub(super) distances: Vec<Vec<u8>>,
    pub(super) rma: u64,
}

pub(super) fn layout(settings: &Settings, compat: &Compat, smp: &Smp, warnings: &mut Vec<Warning>) -> Result<Memory> {
    let unit = if compat.lmb { LMB_BYTES } else { PAGE };
    let ram = settings.memory;
    if ram == 0 || ram > RAM_MAX {
        return Err(Error::config("memory", format!("RAM cannot have {ram} bytes"), "use memory=\"512M\", up to \"16T\""));
    }
    // In QEMU's order: a real mode area that is too small is said before the alignment.
    let nodes = nodes(settings, compat, smp, warnings)?;
    let rma = real_mode_area(ram, &nodes, compat)?;
    aligned("memory", "Memory size", ram, unit)?;
    let maxmem = settings.maxmem.unwrap_or(ram);
    if !(ram..=RAM_MAX).contains(&maxmem) {
        let problem = match maxmem < ram {
            true => format!("maximum memory size ({maxmem:#x}) must be at least the initial memory size ({ram:#x})"),
            false => format!("maximum memory size ({maxmem:#x}) is more than this machine's {RAM_MAX:#x}"),
        };
        return Err(Error::config("maxmem", problem, format!("use maxmem={} or more, up to \"16T\", or leave it out", size(ram))));
    }
    aligned("maxmem", "Maximum memory size", maxmem, unit)?;
    for (i, node) in nodes.iter().enumerate() {
        aligned(&format!("numa[{i}].memory"), &format!("Node {i} memory size"), node.memory, unit)?;
    }
    let distances = distances(settings, nodes.len())?;
    Ok(Memory { maxmem, nodes, distances, rma })
}

/// Refuses a size that is no multiple of the machine's unit.
fn aligned(setting: &str, what: &str, bytes: u64, unit: u64) -> Result<()> {
    if bytes.is_multiple_of(unit) {
        return Ok(());
    }
    let (down, up) = (bytes / unit * unit, bytes.next_multiple_of(unit));
    let unit_text = if unit >= MIB { format!("{} MiB", unit / MIB) } else { format!("{} KiB", unit >> 10) };
    let hint = if down == 0 { format!("use {setting}={}", size(up)) } else { format!("use {setting}={} or {}", size(down), size(up)) };
    Err(Error::config(setting, format!("{what} {bytes:#x} is not aligned to {unit_text}"), hint))
}

/// A size as users write it.
fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(MIB) { format!("\"{}M\"", bytes / MIB) } else { format!("\"{}K\"", bytes >> 10) }
}

fn real_mode_area(ram: u64, nodes: &[Node], compat: &Compat) -> Result<u64> {
    // The first node that has memory counts as node 0.
    let node0 = nodes.iter().map(|n| n.memory).find(|&m| m > 0).unwrap_or(ram);
    let rma = ram.min(1 << node0.ilog2()).min(compat.rma_limit);
    if rma >= RMA_MIN {
        return Ok(rma);
    }
    let problem = format!("pSeries firmware requires >= 128MiB guest RMA (Real Mode Area memory), and node 0 leaves {} MiB", rma / MIB);
    let setting = if nodes.len() > 1 { "numa[0].memory" } else { "memory" };
    Err(Error::config(setting, problem, format!("use {setting}=\"256M\" or more")))
}

fn nodes(settings: &Settings, compat: &Compat, smp: &Smp, warnings: &mut Vec<Warning>) -> Result<Vec<Node>> {
    let given = &settings.nodes;
    if given.len() > NODES_MAX {
        return Err(Error::config(
            "numa",
            format!("{} nodes are too many", given.len()),
            format!("use numa with at most {NODES_MAX} nodes"),
        ));
    }
    let memory = node_memory(settings, compat)?;
    let homes = homes(settings, smp, warnings)?;
    let cores_of = |node: usize| (0..).map(CoreId).zip(&homes).filter(|(_, home)| **home == node).map(|(core, _)| core).collect();
    Ok(memory.into_iter().enumerate().map(|(node, memory)| Node { memory, cpus: cores_of(node) }).collect())
}

/// Bytes of RAM of each node.
fn node_memory(settings: &Settings, compat: &Compat) -> Result<Vec<u64>> {
    let (given, ram) = (&settings.nodes, settings.memory);
    if given.is_empty() {
        return Ok(vec![ram]);
    }
    if given.iter().all(|node| node.memory.is_none()) {
        let share = ram / given.len() as u64 / compat.node_split * compat.node_split;
        let mut shares = vec![share; given.len()];
        let last = shares.last_mut().expect("there is at least one node");
        *last = ram - share * (given.len() as u64 - 1);
        return Ok(shares);
    }
    let Some(shares) = given.iter().map(|node| node.memory).collect::<Option<Vec<u64>>>() else {
        let hint = "use numa with memory in every node (\"0M\" is possible), or in none";
        return Err(Error::config("numa", "some nodes say how much memory they have and others do not", hint));
    };
    let sum = shares.iter().fold(0u64, |sum, &share| sum.saturating_add(share));
    if sum == ram {
        return Ok(shares);
    }
    let problem = format!("total memory for NUMA nodes ({sum:#x}) should equal RAM size ({ram:#x})");
    Err(Error::config("numa", problem, format!("use memory=\"{}M\", or change the nodes", sum / MIB)))
}

/// The node of each core.
fn homes(settings: &Settings, smp: &Smp, warnings: &mut Vec<Warning>) -> Result<Vec<usize>> {
    let (given, cores) = (&settings.nodes, smp.max_cores());
    if given.is_empty() {
        return Ok(vec![0; cores as usize]);
    }
    if given.iter().all(|node| node.cores.is_empty()) {
        return Ok((0..cores).map(|core| smp.socket_of(CoreId(core)) as usize % given.len()).collect());
    }
    let mut homes: Vec<Option<usize>> = vec![None; cores as usize];
    for (node, &core) in given.iter().enumerate().flat_map(|(i, node)| node.cores.iter().map(move |core| (i, core))) {
        let Some(home) = homes.get_mut(core as usize) else {
            let problem = format!("there is no core {core}; the machine has room for cores 0 to {}", cores - 1);
            return Err(Error::config(format!("numa[{node}].cores"), problem, "use cores that exist, counted from 0, or more maxcpus"));
        };
        if let Some(other) = home.replace(node).filter(|&other| other != node) {
            let hint = format!("use numa with core {core} in one node only");
            return Err(Error::config(format!("numa[{node}].cores"), format!("core {core} is already in node {other}"), hint));
        }
    }
    let homeless: Vec<String> = homes.iter().enumerate().filter(|(_, home)| home.is_none()).map(|(core, _)| core.to_string()).collect();
    if !homeless.is_empty() {
        warnings.push(Warning {
            setting: "numa".to_string(),
            message: format!("CPU(s) not present in any NUMA nodes: core {}", homeless.join(", ")),
            hint: "they count as node 0's; use numa with every core in a node".to_string(),
        });
    }
    Ok(homes.into_iter().map(|home| home.unwrap_or(0)).collect())
}

/// The whole table of distances from the pairs given.
fn distances(settings: &Settings, nodes: usize) -> Result<Vec<Vec<u8>>> {
    let mut table: Vec<Vec<Option<u8>>> = vec![vec![None; nodes]; nodes];
    for &(from, to, distance) in &settings.distances {
        let refuse = |problem: String, hint: &str| Err(Error::config("numa distance", problem, hint));
        let Some(cell) = table.get_mut(from as usize).and_then(|row| row.get_mut(to as usize)) else {
            return refuse(format!("there is no pair of nodes {from} and {to}"), "use nodes from numa, counted from 0");
        };
        if from == to && distance != LOCAL {
            return refuse(
                format!("Local distance of node {from} should be {LOCAL}"),
                "use a numa distance of 10 within a node, or leave it out",
            );
        }
        if distance < LOCAL {
            let problem = format!("NUMA distance ({distance}) is invalid, it shouldn't be less than {LOCAL}");
            return refuse(problem, "use a numa distance of 10 to 255, usually 20");
        }
        *cell = Some(distance);
    }
    let some = !settings.distances.is_empty();
    let mut full = vec![vec![LOCAL; nodes]; nodes];
    for from in 0..nodes {
        for to in (0..nodes).filter(|&to| to != from) {
            // A distance given one way holds both ways.
            full[from][to] = match table[from][to].or(table[to][from]) {
                Some(distance) => distance,
                None if some => {
                    let problem = format!("the distance between nodes {from} and {to} is missing");
                    return Err(Error::config("numa distance", problem, "use a numa distance for every pair of nodes, or for none"));
                }
                None => REMOTE,
            };
        }
    }
    Ok(full)
}
