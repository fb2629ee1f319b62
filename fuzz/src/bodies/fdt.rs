//! A flattened tree from the guest: refused, or understood so well that writing it and reading it again changes nothing.

use spapr::fdt::Node;
use spapr::fdt::Tree;

/// Parses the input; accepted trees make the round trip and print.
pub fn run(data: &[u8]) {
    let Ok(tree) = Tree::parse(data) else { return };
    let _ = tree.to_dts();
    let again = Tree::parse(&tree.to_dtb());
    assert_eq!(again.as_ref(), Ok(&tree), "a tree changes on its way through the flattened form");
}

/// A small tree with everything in it.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut t = Tree::default();
    t.root.set_str("model", "m").set_u32("#address-cells", 2).set_flag("empty");
    let mut cpus = Node::new("cpus");
    let mut cpu = Node::new("cpu@8");
    cpu.set_u64s("segments", &[1, 2, 3]);
    cpus.add(cpu);
    t.root.add(cpus).add(Node::new("chosen"));
    t.reservations.push((0x1000, 0x2000));
    vec![t.to_dtb(), Tree::default().to_dtb()]
}
