//! The device tree: our live form over a library's flattened one.
//!
//! Firmware hands out a *live* tree (Open Firmware's client interface walks and changes it), so nodes keep their properties in order as raw bytes.
//! Flattening is dtoolkit's; the text form is in `dts`. A tree that comes from the guest (H_UPDATE_DT) is bounded before it is parsed.

mod dts;

use dtoolkit::memreserve::MemoryReservation;
use dtoolkit::model::DeviceTree;
use dtoolkit::model::DeviceTreeNode;
use dtoolkit::model::DeviceTreeProperty;
use std::collections::HashSet;

/// Deepest nesting accepted from outside.
const DEPTH_MAX: usize = 32;

/// A node: name with unit address, properties in order, children in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// `name@unit`, or empty for the root.
    pub name: String,
    /// Properties as raw bytes.
    pub properties: Vec<(String, Vec<u8>)>,
    /// Child nodes.
    pub children: Vec<Node>,
}

/// A tree with its memory reservations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The root node.
    pub root: Node,
    /// Reserved memory: address and length.
    pub reservations: Vec<(u64, u64)>,
}

/// A flattened tree that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed flattened device tree: {0}")]
pub struct Malformed(pub String);

/// Big-endian bytes of cells.
pub fn cells(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_be_bytes()).collect()
}

impl Node {
    /// An empty node.
    pub fn new(name: impl Into<String>) -> Node {
        Node { name: name.into(), ..Node::default() }
    }

    /// Sets a property, in place if it exists.
    pub fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) -> &mut Node {
        let value = value.into();
        match self.properties.iter_mut().find(|(n, _)| n == name) {
            Some((_, v)) => *v = value,
            None => self.properties.push((name.to_string(), value)),
        }
        self
    }
    /// Sets a one-cell property.
    pub fn set_u32(&mut self, name: &str, value: u32) -> &mut Node {
        self.set(name, value.to_be_bytes())
    }
    /// Sets a two-cell property.
    pub fn set_u64(&mut self, name: &str, value: u64) -> &mut Node {
        self.set(name, value.to_be_bytes())
    }
    /// Sets a property of cells.
    pub fn set_cells(&mut self, name: &str, values: &[u32]) -> &mut Node {
        self.set(name, cells(values))
    }
    /// Sets a property of doublewords.
    pub fn set_u64s(&mut self, name: &str, values: &[u64]) -> &mut Node {
        self.set(name, values.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<u8>>())
    }
    /// Sets a string property (NUL-terminated).
    pub fn set_str(&mut self, name: &str, value: &str) -> &mut Node {
        self.set_strs(name, &[value])
    }
    /// Sets a string-list property.
    pub fn set_strs(&mut self, name: &str, values: &[&str]) -> &mut Node {
        self.set(name, values.iter().flat_map(|v| v.bytes().chain([0])).collect::<Vec<u8>>())
    }
    /// Sets an empty property.
    pub fn set_flag(&mut self, name: &str) -> &mut Node {
        self.set(name, [])
    }
    /// A property's bytes.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_slice())
    }
    /// A one-cell property.
    pub fn get_u32(&self, name: &str) -> Option<u32> {
        self.get(name)?.try_into().ok().map(u32::from_be_bytes)
    }
    /// Adds a child.
    pub fn add(&mut self, child: Node) -> &mut Node {
        self.children.push(child);
        self
    }
    /// The child of this name; the unit address may be left out when that is unambiguous.
    pub fn child(&self, name: &str) -> Option<&Node> {
        let exact = self.children.iter().find(|c| c.name == name);
        exact.or_else(|| self.children.iter().find(|c| !name.contains('@') && c.name.split('@').next() == Some(name)))
    }
    /// As [`Node::child`], for change.
    pub fn child_mut(&mut self, name: &str) -> Option<&mut Node> {
        let exact = self.children.iter().position(|c| c.name == name);
        let at = exact.or_else(|| self.children.iter().position(|c| !name.contains('@') && c.name.split('@').next() == Some(name)))?;
        self.children.get_mut(at)
    }
    /// The node at a path below this one, `/cpus/PowerPC,POWER9@0`.
    pub fn find(&self, path: &str) -> Option<&Node> {
        path.split('/').filter(|p| !p.is_empty()).try_fold(self, |n, part| n.child(part))
    }
    /// As [`Node::find`], for change.
    pub fn find_mut(&mut self, path: &str) -> Option<&mut Node> {
        path.split('/').filter(|p| !p.is_empty()).try_fold(self, |n, part| n.child_mut(part))
    }

    /// Refuses two properties or two children of one name (Devicetree Specification, 2.2): only one of them would survive being written.
    fn check_names(&self) -> Result<(), Malformed> {
        let names = [self.properties.iter().map(|(n, _)| n).collect::<Vec<_>>(), self.children.iter().map(|c| &c.name).collect()];
        let repeated = names.iter().find_map(|list| {
            let mut seen = HashSet::new();
            list.iter().find(|n| !seen.insert(n.as_str()))
        });
        match repeated {
            Some(name) => Err(Malformed(format!("node {:?} has {name:?} twice", self.name))),
            None => Ok(()),
        }
    }

    fn to_model(&self) -> DeviceTreeNode {
        let mut node = DeviceTreeNode::new_unchecked(self.name.clone());
        for (name, value) in &self.properties {
            node.add_property(DeviceTreeProperty::new_unchecked(name.clone(), value.clone()));
        }
        for child in &self.children {
            node.add_child(child.to_model());
        }
        node
    }
}

impl Tree {
    fn to_model(&self) -> DeviceTree {
        let mut tree = DeviceTree::new();
        tree.root = self.root.to_model();
        tree.memory_reservations = self.reservations.iter().map(|(a, n)| MemoryReservation::new(*a, *n)).collect();
        tree
    }

    /// The flattened form.
    pub fn to_dtb(&self) -> Vec<u8> {
        self.to_model().to_dtb()
    }

    /// The text form (DTS).
    pub fn to_dts(&self) -> String {
        dts::text(self)
    }

    /// Reads a flattened tree from anywhere, the guest included (Devicetree Specification, 5). The library's reader refuses property
    /// names over 31 characters, of which PAPR has several, so this is ours: bounded, without recursion.
    pub fn parse(bytes: &[u8]) -> Result<Tree, Malformed> {
        let bad = |what: &str| Malformed(what.into());
        let header = Reader { bytes };
        let field = |at: usize| header.word(at).ok_or_else(|| bad("the header is cut short"));
        if field(0)? != MAGIC {
            return Err(bad("the magic number is wrong"));
        }
        let r = Reader { bytes: bytes.get(..field(4)? as usize).ok_or_else(|| bad("it is shorter than its header says"))? };
        let root = r.nodes(field(8)? as usize, field(12)? as usize)?;
        let reservations = r.reservations(field(16)? as usize).ok_or_else(|| bad("the reservations do not end"))?;
        Ok(Tree { root, reservations })
    }
}

const MAGIC: u32 = 0xd00d_feed;
/// Longest property name accepted: a name may be used by any number of properties.
const NAME_MAX: usize = 255;

/// The bytes of a flattened tree.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl Reader<'_> {
    fn word(&self, at: usize) -> Option<u32> {
        self.bytes.get(at..at.checked_add(4)?).map(|b| u32::from_be_bytes(b.try_into().expect("four bytes")))
    }

    fn text(&self, at: usize, max: usize) -> Option<&str> {
        let rest = self.bytes.get(at..)?;
        let end = rest.iter().take(max + 1).position(|b| *b == 0)?;
        std::str::from_utf8(&rest[..end]).ok()
    }

    fn reservations(&self, mut at: usize) -> Option<Vec<(u64, u64)>> {
        let double = |at: usize| Some(u64::from(self.word(at)?) << 32 | u64::from(self.word(at.checked_add(4)?)?));
        let mut all = Vec::new();
        loop {
            match (double(at)?, double(at.checked_add(8)?)?) {
                (0, 0) => return Some(all),
                entry => all.push(entry),
            }
            at += 16;
        }
    }

    /// The structure block at `at`, with names from the strings block.
    fn nodes(&self, mut at: usize, strings: usize) -> Result<Node, Malformed> {
        const SHORT: &str = "the structure block is cut short";
        let short = || Malformed(SHORT.into());
        // Nodes that are open, the root first.
        let mut open: Vec<Node> = Vec::new();
        let mut root = None;
        loop {
            let token = self.word(at).ok_or_else(short)?;
            at += 4;
            let depth = open.len();
            match (token, open.last_mut()) {
                (1, _) if depth >= DEPTH_MAX => return Err(Malformed(format!("nodes are nested deeper than {DEPTH_MAX}"))),
                (1, parent) if parent.is_some() || root.is_none() => {
                    let name = self.text(at, self.bytes.len()).ok_or_else(short)?;
                    at = (at + name.len() + 1).next_multiple_of(4);
                    open.push(Node::new(name));
                }
                (2, Some(_)) => {
                    let done = open.pop().ok_or_else(short)?;
                    done.check_names()?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(done),
                        None => root = Some(done),
                    }
                }
                (3, Some(node)) => {
                    let (len, name) = (self.word(at).ok_or_else(short)? as usize, self.word(at + 4).ok_or_else(short)? as usize);
                    let name = strings.checked_add(name).and_then(|n| self.text(n, NAME_MAX));
                    let name = name.ok_or_else(|| Malformed("a property has no readable name".into()))?;
                    let value = at.checked_add(8).and_then(|v| self.bytes.get(v..v.checked_add(len)?)).ok_or_else(short)?;
                    node.properties.push((name.to_string(), value.to_vec()));
                    at = (at + 8 + len).next_multiple_of(4);
                }
                (4, _) => {}
                (9, None) => return root.ok_or_else(|| Malformed("it has no root".into())),
                (token, _) => return Err(Malformed(format!("token {token} is out of place in the structure block"))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Tree {
        let mut t = Tree::default();
        t.root.set_str("model", "test").set_u32("#address-cells", 2);
        let mut cpus = Node::new("cpus");
        cpus.add(Node::new("cpu@8"));
        t.root.add(cpus);
        t.reservations.push((0x1000, 0x2000));
        t
    }

    #[test]
    fn a_tree_survives_flattening() {
        let t = small();
        assert_eq!(Tree::parse(&t.to_dtb()), Ok(t.clone()));
        assert!(t.to_dts().contains("cpu@8"));
        assert!(t.root.find("/cpus/cpu").is_some());
        let mut long = small();
        long.root.set_u32("ibm,associativity-reference-points", 4);
        assert_eq!(Tree::parse(&long.to_dtb()), Ok(long));
    }

    #[test]
    fn repeated_names_are_refused() {
        let mut t = small();
        t.root.set_u32("#size-cells", 2);
        let mut blob = t.to_dtb();
        // The second property is made to point at the first one's name.
        let name = |what: &[u8], in_: &[u8]| in_.windows(what.len()).position(|w| w == what).unwrap();
        let (from, to) = (name(b"#size-cells\0", &blob), name(b"#address-cells\0", &blob));
        let strings = u32::from_be_bytes(blob[12..16].try_into().unwrap()) as usize;
        let (old, new) = ((from - strings) as u32, (to - strings) as u32);
        let at = blob.windows(8).position(|w| w == [4u32.to_be_bytes(), old.to_be_bytes()].concat()).unwrap();
        blob[at + 4..at + 8].copy_from_slice(&new.to_be_bytes());
        assert!(Tree::parse(&blob).is_err_and(|e| e.0.contains("twice")));
    }

    #[test]
    fn malformed_trees_are_refused_without_recursion() {
        let good = small().to_dtb();
        for n in 0..good.len() {
            assert!(Tree::parse(&good[..n]).is_err());
            for wrong in [0, 1, 9, 0x7f, 0xff] {
                let mut bytes = good.clone();
                bytes[n] = wrong;
                let _ = Tree::parse(&bytes);
            }
        }
        let mut deep = Node::new("x");
        for _ in 0..100 {
            let mut up = Node::new("x");
            up.add(deep);
            deep = up;
        }
        let mut t = Tree::default();
        t.root.add(deep);
        assert!(Tree::parse(&t.to_dtb()).is_err());
    }
}
