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
    let mut ram = Node::new("memory@0");
    ram.set_u64s("reg", &[0, 16 << 20]);
    tree.root.add(ram);
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
    assert_eq!(names, ["/", "/chosen", "/memory@0", "/rtas", "/vdevice", "/vdevice/vty@71000000"]);
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

#[test]
fn what_is_released_is_exactly_what_was_claimed() {
    let (m, mut v) = firmware();
    let available = |v: &Vof| v.tree().root.find("/memory@0").unwrap().get("available").unwrap().to_vec();
    let at_first = available(&v);
    let words: Vec<u8> = [0x1_0000u64, 0x3f_0000, 0x50_0000, 0xb0_0000].iter().flat_map(|w| w.to_be_bytes()).collect();
    assert_eq!(at_first, words);
    assert_eq!(call(&m, &mut v, "claim", &[&0x60_0000u32, &0x2000u32, &0u32], 1).1, 0x60_0000);
    assert_ne!(available(&v), at_first);
    for (at, len) in [(0x60_0000u32, 0x1000u32), (0x60_1000, 0x1000), (0x70_0000, 0x2000)] {
        call(&m, &mut v, "release", &[&at, &len], 0);
        assert_eq!(call(&m, &mut v, "claim", &[&0x60_0000u32, &0x1000u32, &0u32], 1).1, MINUS_ONE, "still claimed");
    }
    call(&m, &mut v, "release", &[&0x60_0000u32, &0x2000u32], 0);
    assert_eq!(available(&v), at_first);
    assert_eq!(call(&m, &mut v, "claim", &[&0x40_0000u32, &0u32, &0u32], 1).1, MINUS_ONE, "nothing is no range");
}

/// As Linux does it: upwards from the end of its image in steps until a claim succeeds.
#[test]
fn prom_init_finds_room() {
    let (m, mut v) = firmware();
    let mut claim = |at: u32| call(&m, &mut v, "claim", &[&at, &0x10_0000u32, &0u32], 1).1;
    let found = (0x40_0000u32..0x100_0000).step_by(0x10_0000).find(|at| claim(*at) == *at);
    assert_eq!(found, Some(0x50_0000));
}

#[test]
fn what_the_client_says_survives_negotiation() {
    let (m, mut v) = firmware();
    let fresh = v.tree().clone();
    let (_, chosen) = call(&m, &mut v, "finddevice", &[&"/chosen"], 1);
    m.write(Ra(0x5_0000), b"quiet\0").unwrap();
    assert_eq!(call(&m, &mut v, "setprop", &[&chosen, &"bootargs", &0x5_0000u32, &6u32], 1).1, 6);
    let (_, rtas) = call(&m, &mut v, "open", &[&"/rtas"], 1);
    call(&m, &mut v, "call-method", &[&"instantiate-rtas", &rtas, &0x80_0000u32], 2);
    v.renew(fresh);
    assert_eq!(v.tree().root.find("/chosen").unwrap().get("bootargs"), Some(&b"quiet\0"[..]));
    assert_eq!(v.tree().root.find("/rtas").unwrap().get_u32("linux,rtas-base"), Some(0x80_0000));
}

#[test]
fn names_may_lack_addresses_and_carry_arguments() {
    let (m, mut v) = firmware();
    let (_, full) = call(&m, &mut v, "finddevice", &[&"/vdevice/vty@71000000"], 1);
    for path in ["/vdevice/vty", "/vdevice/vty@71000000:0", "/vdevice/vty:9600,8", "//vdevice//vty/"] {
        assert_eq!(call(&m, &mut v, "finddevice", &[&path], 1).1, full, "{path}");
    }
    for path in ["/vdevice/vt", "/vdevice/vty@7100000", "/cpus"] {
        assert_eq!(call(&m, &mut v, "finddevice", &[&path], 1).1, MINUS_ONE, "{path}");
    }
}

#[test]
fn properties_are_listed_in_order_and_the_list_ends() {
    let (m, mut v) = firmware();
    let (_, root) = call(&m, &mut v, "finddevice", &[&"/"], 1);
    let mut names = vec![String::new()];
    loop {
        let previous = names.last().unwrap().clone();
        if call(&m, &mut v, "nextprop", &[&root, &previous.as_str(), &0x5_0000u32], 1).1 != 1 {
            break;
        }
        names.push(text(&m, 0x5_0000).unwrap());
    }
    assert_eq!(names, ["", "model", "#address-cells"]);
    assert_eq!(call(&m, &mut v, "nextprop", &[&root, &"none", &0x5_0000u32], 1).1, MINUS_ONE);
    assert_eq!(call(&m, &mut v, "getproplen", &[&root, &"model"], 1).1, 2);
    // A short buffer gets what fits; the answer is the whole length.
    m.write(Ra(0x5_0000), &[0xaa; 4]).unwrap();
    assert_eq!(call(&m, &mut v, "getprop", &[&root, &"#address-cells", &0x5_0000u32, &2u32], 1).1, 4);
    assert_eq!(m.read_u32(Ra(0x5_0000)), Ok(0x0000_aaaa));
}

#[test]
fn a_client_cannot_make_firmware_grow_without_end() {
    let (m, mut v) = firmware();
    for k in 0..2 * CLAIMS_MAX as u32 {
        call(&m, &mut v, "claim", &[&(0x60_0000 + 16 * k), &8u32, &0u32], 1);
    }
    assert!(v.claimed.len() <= CLAIMS_MAX);
    let (_, root) = call(&m, &mut v, "finddevice", &[&"/"], 1);
    let refused = (0..2000u32).find(|k| {
        let name = format!("p{k}");
        call(&m, &mut v, "setprop", &[&root, &name.as_str(), &0u32, &2048u32], 1).1 == MINUS_ONE
    });
    assert!(refused.is_some_and(|k| k > 400), "{refused:?}");
    assert_eq!(call(&m, &mut v, "setprop", &[&root, &"x", &0u32, &2049u32], 1).1, MINUS_ONE);
}

#[test]
fn random_calls_do_no_harm() {
    let (m, mut v) = firmware();
    let mut state = 0x1234_5678_9abc_def1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u32
    };
    // A page without an end of text, and its last bytes at the end of RAM.
    m.write(Ra(0xff_0000), &[b'x'; 0x1_0000]).unwrap();
    m.write(Ra(0x5_0000), b"/vdevice/vty\0").unwrap();
    m.write(Ra(0x5_0100), b"instantiate-rtas\0").unwrap();
    m.write(Ra(0x5_0200), &[0xff, 0xfe, 0]).unwrap();
    for _ in 0..20_000 {
        let service = SERVICES[next() as usize % SERVICES.len()].name;
        m.write(Ra(TEXTS), &[service.as_bytes(), &[0]].concat()).unwrap();
        let args = if next() % 8 == 0 { next() % 20 } else { next() % 6 };
        m.write_u32(Ra(BLOCK), TEXTS as u32).unwrap();
        m.write_u32(Ra(BLOCK + 4), args).unwrap();
        m.write_u32(Ra(BLOCK + 8), next() % 4).unwrap();
        for k in 0..u64::from(args) {
            let value = match next() % 8 {
                0 => 0x5_0000,
                1 => 0x5_0100 + (next() & 0x100),
                2 => 0xff_fff0 + (next() & 0x1f),
                3 => FIRST_HANDLE + next() % 8,
                4 => next() % 4,
                5 => u32::MAX,
                6 => 0x1000 << (next() % 20),
                _ => next(),
            };
            m.write_u32(Ra(BLOCK + 12 + 4 * k), value).unwrap();
        }
        let at = if next() % 64 == 0 { u64::from(next()) << 28 | 0xffff_fff0 } else { BLOCK };
        if v.call(&m, Ra(at)) == Ok(Some(Ask::Quiesce)) {
            v.answer(&m, &[0; 20]);
        }
    }
    assert!(v.claimed.len() <= CLAIMS_MAX && v.instances.len() < 10 && v.packages.len() < 10);
}
