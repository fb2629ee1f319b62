//! The stored form of what firmware knows: images in RAM, Open Firmware's live tree and handles, the tree that the guest handed back.
//!
//! A machine may be saved while its guest still calls firmware, so all of it is there. Trees are lists of nodes with their depth, so that nothing recurses.

use crate::fdt::Node;
use crate::fdt::Tree;
use crate::spapr::devtree::Loaded;
use crate::spapr::machine::Machine;
use crate::spapr::saved::names::Words;
use crate::spapr::vof::CLAIMS_MAX;
use crate::spapr::vof::Vof;
use crate::state::Bad;
use crate::state::Bytes;
use crate::state::saved;
use crate::units::Ra;

/// Deepest nesting of nodes.
const DEPTH_MAX: u32 = 40;

saved! {
    /// A property of a node.
    SavedProperty {
        /// Its name.
        0 name: String,
        /// Its bytes.
        1 value: Bytes,
    }
    /// A node; its children follow it.
    SavedNode {
        /// 0 for the root.
        0 depth: u32,
        /// Name with unit address.
        1 name: String,
        /// In order.
        2 properties: Vec<SavedProperty>,
    }
    /// Bytes from an address on.
    SavedRange {
        /// The first one's address.
        0 at: u64,
        /// How many.
        1 bytes: u64,
    }
    /// A device tree.
    SavedTree {
        /// Parents before children, in order.
        0 nodes: Vec<SavedNode>,
        /// Reserved memory.
        1 reservations: Vec<SavedRange>,
    }
    /// Open Firmware's client interface.
    SavedVof {
        /// The live tree.
        0 tree: SavedTree,
        /// Paths of package handles.
        1 packages: Vec<String>,
        /// Paths of instance handles.
        2 instances: Vec<String>,
        /// Claimed memory.
        3 claimed: Vec<SavedRange>,
        /// End of the memory that may be claimed.
        4 memory_limit: u64,
        /// Bytes that the client wrote into the tree.
        5 written: u64,
        /// Path of the console.
        6 console: Option<String>,
        /// Where a pending answer goes.
        7 answer_at: Option<u64>,
    }
    /// Firmware, and what it loaded.
    SavedFirmware = "firmware" version 1 {
        /// The kernel in RAM.
        0 kernel: Option<SavedRange>,
        /// Its byte order: `big` or `little`.
        1 kernel_order: Option<String>,
        /// The RAM disk in RAM.
        2 initrd: Option<SavedRange>,
        /// The client interface, if the guest was entered through it.
        3 vof: Option<SavedVof>,
        /// The tree that the guest handed back.
        4 guest_tree: Option<SavedTree>,
        /// Bytes of the flattened tree that the guest last got.
        5 tree_bytes: u64,
    }
}

fn range(&(at, bytes): &(u64, u64)) -> SavedRange {
    SavedRange { at, bytes }
}

fn add_nodes(node: &Node, depth: u32, to: &mut Vec<SavedNode>) {
    let property = |(name, value): &(String, Vec<u8>)| SavedProperty { name: name.clone(), value: Bytes(value.clone()) };
    to.push(SavedNode { depth, name: node.name.clone(), properties: node.properties.iter().map(property).collect() });
    node.children.iter().for_each(|child| add_nodes(child, depth + 1, to));
}

impl From<&Tree> for SavedTree {
    fn from(tree: &Tree) -> SavedTree {
        let mut nodes = Vec::new();
        add_nodes(&tree.root, 0, &mut nodes);
        SavedTree { nodes, reservations: tree.reservations.iter().map(range).collect() }
    }
}

impl SavedTree {
    fn to_tree(&self) -> Result<Tree, Bad> {
        // Nodes that are open, the root first.
        let mut open: Vec<Node> = Vec::new();
        let close = |open: &mut Vec<Node>| {
            if let (Some(done), Some(parent)) = (open.pop(), open.last_mut()) {
                parent.children.push(done);
            }
        };
        for (n, node) in self.nodes.iter().enumerate() {
            let fits = if n == 0 { node.depth == 0 } else { (1..=open.len() as u32).contains(&node.depth) };
            if !fits || node.depth > DEPTH_MAX {
                return Err(Bad::field(format!("nodes[{n}].depth"), format!("{} does not follow from the nodes before", node.depth)));
            }
            while open.len() as u32 > node.depth {
                close(&mut open);
            }
            let properties = node.properties.iter().map(|p| (p.name.clone(), p.value.0.clone())).collect();
            open.push(Node { name: node.name.clone(), properties, children: Vec::new() });
        }
        while open.len() > 1 {
            close(&mut open);
        }
        let root = open.pop().ok_or_else(|| Bad::field("nodes", "there is no root"))?;
        Ok(Tree { root, reservations: self.reservations.iter().map(|r| (r.at, r.bytes)).collect() })
    }
}

impl From<&Vof> for SavedVof {
    fn from(vof: &Vof) -> SavedVof {
        SavedVof {
            tree: (&vof.tree).into(),
            packages: vof.packages.clone(),
            instances: vof.instances.clone(),
            claimed: vof.claimed.iter().map(|(at, bytes)| SavedRange { at: *at, bytes: *bytes }).collect(),
            memory_limit: vof.memory_limit,
            written: vof.written as u64,
            console: vof.console.clone(),
            answer_at: vof.answer_at.map(|at| at.0),
        }
    }
}

impl SavedVof {
    fn to_vof(&self, ram: u64) -> Result<Vof, Bad> {
        if self.memory_limit > ram {
            return Err(Bad::field("memory_limit", format!("{:#x} lies beyond RAM", self.memory_limit)));
        }
        if self.claimed.len() > CLAIMS_MAX {
            return Err(Bad::field("claimed", format!("{} ranges are more than {CLAIMS_MAX}", self.claimed.len())));
        }
        let mut end = 0;
        for (n, r) in self.claimed.iter().enumerate() {
            let next = r.at.checked_add(r.bytes).filter(|next| r.at >= end && *next <= ram);
            end = next.ok_or_else(|| Bad::field(format!("claimed[{n}]"), "it overlaps another, or lies beyond RAM"))?;
        }
        let written = usize::try_from(self.written).map_err(|_| Bad::field("written", "it is too large"))?;
        Ok(Vof {
            tree: self.tree.to_tree().map_err(|bad| bad.within("tree"))?,
            packages: self.packages.clone(),
            instances: self.instances.clone(),
            claimed: self.claimed.iter().map(|r| (r.at, r.bytes)).collect(),
            memory_limit: self.memory_limit,
            written: written.min(ram as usize),
            console: self.console.clone(),
            answer_at: self.answer_at.map(Ra),
        })
    }
}

impl SavedFirmware {
    /// What a machine's firmware knows.
    pub(super) fn of(m: &Machine) -> SavedFirmware {
        SavedFirmware {
            kernel: m.loaded.kernel.map(|(at, bytes, _)| SavedRange { at, bytes }),
            kernel_order: m.loaded.kernel.map(|(_, _, order)| order.word()),
            initrd: m.loaded.initrd.as_ref().map(range),
            vof: m.vof.as_ref().map(SavedVof::from),
            guest_tree: m.guest_tree.as_ref().map(SavedTree::from),
            tree_bytes: m.tree_bytes,
        }
    }

    /// Makes it a machine's.
    pub(super) fn restore(&self, m: &mut Machine) -> Result<(), Bad> {
        let ram = m.memory.size();
        for (field, range) in [("kernel", &self.kernel), ("initrd", &self.initrd)] {
            if range.as_ref().is_some_and(|r| r.at.checked_add(r.bytes).is_none_or(|end| end > ram)) {
                return Err(Bad::field(field, "it lies beyond RAM"));
            }
        }
        let kernel = match (&self.kernel, &self.kernel_order) {
            (Some(at), Some(order)) => Some((at.at, at.bytes, Words::of(order).map_err(|bad: Bad| bad.within("kernel_order"))?)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(Bad::field("kernel_order", "it goes with a kernel")),
        };
        if self.tree_bytes > ram {
            return Err(Bad::field("tree_bytes", format!("{:#x} is more than RAM", self.tree_bytes)));
        }
        let vof = self.vof.as_ref().map(|vof| vof.to_vof(ram).map_err(|bad| bad.within("vof"))).transpose()?;
        let guest_tree = self.guest_tree.as_ref().map(|tree| tree.to_tree().map_err(|bad| bad.within("guest_tree"))).transpose()?;
        m.loaded = Loaded { kernel, initrd: self.initrd.as_ref().map(|r| (r.at, r.bytes)) };
        (m.vof, m.guest_tree, m.tree_bytes) = (vof, guest_tree, self.tree_bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_survives_and_a_wrong_depth_is_refused() {
        let mut tree = Tree::default();
        tree.root.set_u32("a", 1);
        let mut cpus = Node::new("cpus");
        cpus.add(Node::new("cpu@0")).add(Node::new("cpu@8"));
        tree.root.add(cpus).add(Node::new("memory@0"));
        tree.reservations.push((1, 2));
        let saved = SavedTree::from(&tree);
        assert_eq!(saved.to_tree(), Ok(tree));
        for (n, depth) in [(0, 1), (1, 2), (2, 0), (3, 9)] {
            let mut wrong = saved.clone();
            wrong.nodes[n].depth = depth;
            assert_eq!(wrong.to_tree().err().map(|b| b.field), Some(format!("nodes[{n}].depth")));
        }
        assert!(SavedTree { nodes: vec![], reservations: vec![] }.to_tree().is_err());
    }
}
