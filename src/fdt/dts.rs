//! The text form of a device tree (DTS), for people.
//!
//! Ours, because the library reads the tree back to print it and refuses property names over 31 characters, of which PAPR has
//! several. A property has no type: its bytes are shown as texts if they could be some, else as cells, else one by one, which is what `dtc` does too.

use std::fmt::Write;

use crate::fdt::Node;
use crate::fdt::Tree;

/// The whole tree.
pub(super) fn text(tree: &Tree) -> String {
    let mut to = String::from("/dts-v1/;\n\n");
    for (address, size) in &tree.reservations {
        line(&mut to, 0, &format!("/memreserve/ {address:#018x} {size:#018x};"));
    }
    node(&mut to, 0, &tree.root);
    to
}

fn line(to: &mut String, depth: usize, what: &str) {
    writeln!(to, "{:width$}{what}", "", width = 4 * depth).expect("writing to a String does not fail");
}

fn node(to: &mut String, depth: usize, node: &Node) {
    let name = if node.name.is_empty() { "/" } else { &node.name };
    line(to, depth, &format!("{name} {{"));
    for (name, value) in &node.properties {
        match value.is_empty() {
            true => line(to, depth + 1, &format!("{name};")),
            false => line(to, depth + 1, &format!("{name} = {};", property(value))),
        }
    }
    for child in &node.children {
        to.push('\n');
        self::node(to, depth + 1, child);
    }
    line(to, depth, "};");
}

fn property(value: &[u8]) -> String {
    if let Some(texts) = texts(value) {
        return texts.iter().map(|t| format!("\"{}\"", t.replace('\\', "\\\\").replace('"', "\\\""))).collect::<Vec<_>>().join(", ");
    }
    if value.len().is_multiple_of(4) {
        let cells = value.chunks_exact(4).map(|c| format!("{:#x}", u32::from_be_bytes(c.try_into().expect("four bytes"))));
        return format!("<{}>", cells.collect::<Vec<_>>().join(" "));
    }
    format!("[{}]", value.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(" "))
}

/// The texts that a value could be: each ends in a zero byte, none is empty, all can be printed.
fn texts(value: &[u8]) -> Option<Vec<&str>> {
    let texts: Vec<&[u8]> = value.strip_suffix(&[0])?.split(|b| *b == 0).collect();
    texts
        .into_iter()
        .map(|t| std::str::from_utf8(t).ok().filter(|t| !t.is_empty() && t.bytes().all(|b| (b' '..=b'~').contains(&b))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_what_they_could_be() {
        let shown = [
            (&b"hvterm1\0"[..], "\"hvterm1\""),
            (b"a\0b\0", "\"a\", \"b\""),
            (b"\0\0\0\x08\0\0\x10\0", "<0x8 0x1000>"),
            (b"\0\0\0\0", "<0x0>"),
            (b"ab\0\0", "<0x61620000>"),
            (b"\x01\x02\x03", "[01 02 03]"),
            (b"say \"x\"\0", "\"say \\\"x\\\"\""),
        ];
        for (value, text) in shown {
            assert_eq!(property(value), text);
        }
    }

    #[test]
    fn a_tree_is_indented_and_long_names_are_kept() {
        let mut tree = Tree { reservations: vec![(0, 0x4000)], ..Tree::default() };
        tree.root.set("ibm,a-property-name-that-is-longer-than-thirty-one", [1, 2, 3, 4]);
        tree.root.add(Node::new("cpus")).child_mut("cpus").unwrap().set_flag("empty");
        assert_eq!(
            tree.to_dts(),
            "/dts-v1/;\n\n/memreserve/ 0x0000000000000000 0x0000000000004000;\n/ {\n    \
             ibm,a-property-name-that-is-longer-than-thirty-one = <0x1020304>;\n\n    cpus {\n        empty;\n    };\n};\n"
        );
    }
}
