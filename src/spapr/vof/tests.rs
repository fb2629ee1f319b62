//! The client interface driven as a client does: argument blocks in RAM.

use super::*;

const BLOCK: u64 = 0x2_0000;
const TEXTS: u64 = 0x3_0000;

fn firmware() -> (GuestMemory, Vof) {
    let memory = GuestMemory::new(16 << 20).unwrap();
    let mut tree = Tree::default();
    tree.root.set_str("model", "m").set_u32("#address-cells", 2);
    tree.root.add(Node::new("chosen"));
    let mut vdevice = Node::new("vdevice");
    vdevice.add(Node::new("vty@71000000"));
    tree.root.add(vdevice);
    tree.root.add(Node::new("rtas"));
    let vof = Vof::new(tree, Some("/vdevice/vty@71000000".into()), &memory, 16 << 20, &[(0x40_0000, 0x10_0000)]);
    (memory, vof)
}

/// Makes a call; strings are placed and passed by address. Gives the first return.
fn call(m: &GuestMemory, v: &mut Vof, service: &str, args: &[&dyn Arg], nret: u32) -> (Option<Ask>, u32) {
    let mut text_at = TEXTS;
    let mut place = |s: &str| {
        let at = text_at;
        m.write(Ra(at), &[s.as_bytes(), &[0]].concat()).unwrap();
        text_at += 0x100;
        at as u32
    };
    let mut words = vec![place(service), args.len() as u32, nret];
    words.extend(args.iter().map(|a| a.cell(&mut place)));
    words.iter().enumerate().for_each(|(k, w)| m.write_u32(Ra(BLOCK + 4 * k as u64), *w).unwrap());
    let ask = v.call(m, Ra(BLOCK)).unwrap();
    (ask, m.read_u32(Ra(BLOCK + 4 * words.len() as u64)).unwrap())
}

trait Arg {
    fn cell(&self, place: &mut dyn FnMut(&str) -> u32) -> u32;
}
impl Arg for u32 {
    fn cell(&self, _: &mut dyn FnMut(&str) -> u32) -> u32 {
        *self
    }
}
impl Arg for &str {
    fn cell(&self, place: &mut dyn FnMut(&str) -> u32) -> u32 {
        place(self)
    }
}

#[test]
fn a_client_finds_its_console_and_writes_to_it() {
    let (m, mut v) = firmware();
    let (_, chosen) = call(&m, &mut v, "finddevice", &[&"/chosen"], 1);
    let (_, len) = call(&m, &mut v, "getprop", &[&chosen, &"stdout", &0x5_0000u32, &4u32], 1);
    assert_eq!(len, 4);
    let stdout = m.read_u32(Ra(0x5_0000)).unwrap();
    m.write(Ra(0x6_0000), b"hello").unwrap();
    let (ask, n) = call(&m, &mut v, "write", &[&stdout, &0x6_0000u32, &5u32], 1);
    assert_eq!((ask, n), (Some(Ask::Console(b"hello".to_vec())), 5));
}

#[test]
fn walking_visits_every_node_once() {
    let (m, mut v) = firmware();
    let (_, root) = call(&m, &mut v, "peer", &[&0u32], 1);
    let mut names = Vec::new();
    let mut stack = vec![root];
    while let Some(n) = stack.pop() {
        call(&m, &mut v, "package-to-path", &[&n, &0x5_0000u32, &64u32], 1);
        names.push(text(&m, 0x5_0000).unwrap());
        for service in ["peer", "child"] {
            if n == root && service == "peer" {
                continue;
            }
            let (_, next) = call(&m, &mut v, service, &[&n], 1);
            stack.extend((next != 0).then_some(next));
        }
    }
    names.sort();
    assert_eq!(names, ["/", "/chosen", "/rtas", "/vdevice", "/vdevice/vty@71000000"]);
}

#[test]
fn claims_do_not_overlap() {
    let (m, mut v) = firmware();
    let claim = |v: &mut Vof, at: u32, len: u32, align: u32| call(&m, v, "claim", &[&at, &len, &align], 1).1;
    assert_eq!(claim(&mut v, 0x40_8000, 0x1000, 0), MINUS_ONE);
    assert_eq!(claim(&mut v, 0x50_0000, 0x1000, 0), 0x50_0000);
    assert_eq!(claim(&mut v, 0x50_0fff, 1, 0), MINUS_ONE);
    assert_eq!(claim(&mut v, 0xff_f000, 0x2000, 0), MINUS_ONE);
    let anywhere = claim(&mut v, 0, 0x1_0000, 0x1_0000);
    assert_eq!(anywhere, 0x1_0000);
}

#[test]
fn rtas_is_instantiated_where_the_client_says() {
    let (m, mut v) = firmware();
    let (_, rtas) = call(&m, &mut v, "open", &[&"/rtas"], 1);
    assert_eq!(call(&m, &mut v, "call-method", &[&"instantiate-rtas", &rtas, &0x80_0000u32], 2).1, 0);
    assert_eq!(v.tree().root.child("rtas").unwrap().get_u32("linux,rtas-entry"), Some(0x80_0000));
}

#[test]
fn malformed_and_unknown_calls_are_survived() {
    let (m, mut v) = firmware();
    assert_eq!(call(&m, &mut v, "no-such-service", &[&1u32], 1).1, MINUS_ONE);
    assert_eq!(call(&m, &mut v, "getprop", &[&1u32], 1).1, MINUS_ONE);
    assert_eq!(v.call(&m, Ra(u64::MAX - 8)), Err(Malformed));
    m.write_u32(Ra(BLOCK + 4), 1000).unwrap();
    assert_eq!(v.call(&m, Ra(BLOCK)), Err(Malformed));
}
