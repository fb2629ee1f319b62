//! Open Firmware's client interface, in the monitor (IEEE 1275; what QEMU calls VOF).
//!
//! The guest's boot program calls a five-instruction stub that makes a hypercall; everything else is here: a live device tree, console output, a
//! map of claimed memory, `ibm,client-architecture-support` and `instantiate-rtas`. Handles name paths, so they stay valid when negotiation replaces the tree.

use crate::fdt::Node;
use crate::fdt::Tree;
use crate::memory::GuestMemory;
use crate::spapr::layout;
use crate::units::Ra;
use std::collections::BTreeMap;

/// Where the stub lies; clients call it in 32-bit big-endian mode.
pub const STUB: u64 = 0x7f00;
/// Top of the client's first stack; 32 KiB below it are claimed.
pub const STACK_TOP: u64 = 0xffe0;
/// The hypercall that the stub makes.
pub const HCALL: u32 = 0xf005;
/// The hypercall that RTAS code makes.
pub const HCALL_RTAS: u32 = 0xf000;
/// What the interface answers to what it does not know.
const MINUS_ONE: u32 = u32::MAX;
/// First handle; below it lies the interrupt controller's fixed one.
const FIRST_HANDLE: u32 = 0x1112;
/// Longest property, path or method name that is read.
const TEXT_MAX: u64 = 2048;
/// Most ranges of memory that a client may hold.
pub(in crate::spapr) const CLAIMS_MAX: usize = 4096;
/// Most bytes that a client may add to the tree, names included.
const WRITTEN_MAX: usize = 1 << 20;
/// What a client (or RTAS) writes into the tree and negotiation must not lose.
const KEPT: [(&str, &[&str]); 2] =
    [("chosen", &["bootargs", "linux,initrd-start", "linux,initrd-end"]), ("rtas", &["linux,rtas-base", "linux,rtas-entry"])];
/// Most arguments and returns of one call.
const CELLS_MAX: usize = 16;

/// What a call wants from the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Write to the console.
    Console(Vec<u8>),
    /// Negotiate; afterwards [`Vof::renew`] takes the new tree. Answer with [`Vof::answer`].
    Cas(Ra),
    /// The client is done with firmware.
    Quiesce,
    /// The client gave up.
    Exit,
}

/// The client interface of one machine.
pub struct Vof {
    pub(in crate::spapr) tree: Tree,
    /// Path of each package handle, from [`FIRST_HANDLE`].
    pub(in crate::spapr) packages: Vec<String>,
    /// Path of each instance handle, from 1.
    pub(in crate::spapr) instances: Vec<String>,
    /// Claimed memory: start → length.
    pub(in crate::spapr) claimed: BTreeMap<u64, u64>,
    pub(in crate::spapr) memory_limit: u64,
    /// Bytes that the client wrote into the tree.
    pub(in crate::spapr) written: usize,
    pub(in crate::spapr) console: Option<String>,
    /// Where a pending answer goes.
    pub(in crate::spapr) answer_at: Option<Ra>,
}

/// A call's argument block.
struct Call {
    at: Ra,
    service: String,
    args: Vec<u32>,
    nret: usize,
}

impl Vof {
    /// Firmware over `tree`, with `claimed` ranges in use. Writes the stub.
    pub fn new(tree: Tree, console: Option<String>, memory: &GuestMemory, memory_limit: u64, claimed: &[(u64, u64)]) -> Vof {
        place_code(memory, STUB, HCALL);
        let mut v = Vof {
            tree: Tree::default(),
            packages: Vec::new(),
            instances: Vec::new(),
            claimed: BTreeMap::new(),
            memory_limit,
            written: 0,
            console,
            answer_at: None,
        };
        v.claimed.insert(0, layout::FIRMWARE_LOW);
        v.claimed.extend(claimed.iter().copied());
        v.renew(tree);
        v
    }

    /// Replaces the tree, as after negotiation. Handles stay, and so does what the client said of its command line, RAM disk and RTAS.
    pub fn renew(&mut self, tree: Tree) {
        let old = std::mem::replace(&mut self.tree, tree);
        for (node, names) in KEPT {
            let (Some(from), Some(to)) = (old.root.child(node), self.tree.root.child_mut(node)) else { continue };
            for name in names {
                if let Some(value) = from.get(name) {
                    to.set(name, value);
                }
            }
        }
        self.publish_available();
        if let Some(path) = self.console.clone() {
            let handle = self.instance(&path);
            if let Some(chosen) = self.tree.root.child_mut("chosen") {
                chosen.set_u32("stdout", handle);
            }
        }
    }

    /// The tree as the client left it.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The tree, for whoever completes it.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }

    fn instance(&mut self, path: &str) -> u32 {
        let at = self.instances.iter().position(|p| p == path).unwrap_or_else(|| {
            self.instances.push(path.to_string());
            self.instances.len() - 1
        });
        at as u32 + 1
    }

    fn handle(&mut self, path: &str) -> u32 {
        if let Some(fixed) = self.tree.root.find(path).and_then(|n| n.get_u32("phandle")) {
            return fixed;
        }
        let at = self.packages.iter().position(|p| p == path).unwrap_or_else(|| {
            self.packages.push(path.to_string());
            self.packages.len() - 1
        });
        at as u32 + FIRST_HANDLE
    }

    fn path_of(&self, handle: u32) -> Option<String> {
        if let Some(at) = handle.checked_sub(FIRST_HANDLE) {
            return self.packages.get(at as usize).cloned();
        }
        let fixed = self.tree.root.children.iter().find(|n| n.get_u32("phandle") == Some(handle))?;
        Some(format!("/{}", fixed.name))
    }

    fn node(&self, handle: u32) -> Option<&Node> {
        self.tree.root.find(&self.path_of(handle)?)
    }

    /// Carries out the call whose argument block is at `at`. `Err`: the block is malformed (H_PARAMETER).
    pub fn call(&mut self, memory: &GuestMemory, at: Ra) -> Result<Option<Ask>, Malformed> {
        let call = Call::read(memory, at)?;
        let row = SERVICES.iter().find(|s| s.name == call.service);
        let fits = |s: &&Service| s.counts.is_none_or(|(a, r)| (call.args.len(), call.nret) == (a, r));
        let Some(service) = row.filter(fits) else {
            log::warn!(target: "spapr.of", "client interface: no service {:?} with {} arguments and {} returns", call.service, call.args.len(), call.nret);
            call.answer(memory, &[MINUS_ONE])?;
            return Ok(None);
        };
        match (service.run)(self, memory, &call) {
            Done::Answer(rets) => {
                call.answer(memory, &rets)?;
                Ok(None)
            }
            Done::Ask(ask) => {
                self.answer_at = Some(Ra(call.at.0 + 12 + 4 * call.args.len() as u64));
                if let Ask::Console(bytes) = &ask {
                    call.answer(memory, &[bytes.len() as u32])?;
                }
                Ok(Some(ask))
            }
        }
    }

    /// Writes the returns of a call that asked for something.
    pub fn answer(&mut self, memory: &GuestMemory, rets: &[u32]) {
        if let Some(at) = self.answer_at.take() {
            for (k, v) in rets.iter().enumerate() {
                // The block was readable a moment ago; a guest that moved it gets no answer.
                let _ = memory.write_u32(Ra(at.0 + 4 * k as u64), *v);
            }
        }
    }

    /// Says in the first memory node what nobody has claimed (IEEE 1275, `available`).
    fn publish_available(&mut self) {
        let Some(node) = self.tree.root.child_mut("memory@0") else { return };
        let Some(len) = node.get("reg").and_then(|reg| reg.get(8..16)).map(|b| u64::from_be_bytes(b.try_into().expect("eight bytes")))
        else {
            return;
        };
        let end = len.min(self.memory_limit);
        let (mut at, mut ranges) = (0, Vec::new());
        for (start, bytes) in self.claimed.iter().map(|(s, n)| (*s, *n)).chain([(end, 0)]) {
            if start > at {
                ranges.extend([at, start - at]);
            }
            at = at.max(start + bytes);
        }
        node.set_u64s("available", &ranges);
    }

    fn release(&mut self, at: u64, len: u64) {
        if self.claimed.get(&at) == Some(&len) {
            self.claimed.remove(&at);
            self.publish_available();
        }
    }

    /// Claims `len` bytes at `at`, or, with an alignment, at the lowest place that is free.
    fn claim(&mut self, at: u64, len: u64, align: u64) -> Option<u64> {
        if len == 0 || self.claimed.len() >= CLAIMS_MAX {
            return None;
        }
        let free = |start: u64, claimed: &BTreeMap<u64, u64>| {
            let end = start.checked_add(len)?;
            let below = claimed.range(..end).next_back().is_none_or(|(s, n)| s + n <= start);
            (end <= self.memory_limit && below).then_some(start)
        };
        let start = if align == 0 {
            free(at, &self.claimed)?
        } else {
            let align = align.checked_next_power_of_two()?.max(16);
            let candidates = std::iter::once(0).chain(self.claimed.iter().map(|(s, n)| s + n));
            candidates.map(|c| c.next_multiple_of(align)).find_map(|c| free(c, &self.claimed))?
        };
        self.claimed.insert(start, len);
        self.publish_available();
        Some(start)
    }
}

/// An argument block that cannot be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Call {
    fn read(memory: &GuestMemory, at: Ra) -> Result<Call, Malformed> {
        let word = |k: u64| at.0.checked_add(4 * k).and_then(|at| memory.read_u32(Ra(at)).ok()).ok_or(Malformed);
        let (nargs, nret) = (word(1)? as usize, word(2)? as usize);
        if nargs > CELLS_MAX || nret > CELLS_MAX {
            return Err(Malformed);
        }
        let service = text(memory, u64::from(word(0)?)).ok_or(Malformed)?;
        let args = (0..nargs as u64).map(|k| word(3 + k)).collect::<Result<_, _>>()?;
        Ok(Call { at, service, args, nret })
    }

    fn answer(&self, memory: &GuestMemory, rets: &[u32]) -> Result<(), Malformed> {
        for (k, v) in rets.iter().enumerate().take(self.nret) {
            let at = self.at.0 + 12 + 4 * (self.args.len() + k) as u64;
            memory.write_u32(Ra(at), *v).map_err(|_| Malformed)?;
        }
        Ok(())
    }

    fn arg(&self, k: usize) -> u32 {
        self.args.get(k).copied().unwrap_or(0)
    }
}

fn text(memory: &GuestMemory, at: u64) -> Option<String> {
    let mut bytes = Vec::new();
    for k in 0..TEXT_MAX {
        match memory.read_u8(Ra(at + k)).ok()? {
            0 => return String::from_utf8(bytes).ok(),
            b => bytes.push(b),
        }
    }
    None
}

/// Writes code that makes hypercall `number` with the caller's r3 as its argument and returns (big-endian, position-independent).
pub fn place_code(memory: &GuestMemory, at: u64, number: u32) {
    let code: [u32; 5] = [
        0x7c64_1b78,                     // mr r4,r3
        0x3c60_0000 | (number >> 16),    // lis r3,number@h
        0x6063_0000 | (number & 0xffff), // ori r3,r3,number@l
        0x4400_0022,                     // sc 1
        0x4e80_0020,                     // blr
    ];
    for (k, w) in code.iter().enumerate() {
        memory.write_u32(Ra(at + 4 * k as u64), *w).expect("firmware code lies in the first pages of RAM or in claimed RAM");
    }
}

enum Done {
    Answer(Vec<u32>),
    Ask(Ask),
}

fn one(v: Option<u32>) -> Done {
    Done::Answer(vec![v.unwrap_or(MINUS_ONE)])
}

struct Service {
    name: &'static str,
    /// Arguments and returns; `None`: any.
    counts: Option<(usize, usize)>,
    run: fn(&mut Vof, &GuestMemory, &Call) -> Done,
}

const fn service(name: &'static str, counts: (usize, usize), run: fn(&mut Vof, &GuestMemory, &Call) -> Done) -> Service {
    Service { name, counts: Some(counts), run }
}

const fn any(name: &'static str, run: fn(&mut Vof, &GuestMemory, &Call) -> Done) -> Service {
    Service { name, counts: None, run }
}

/// The services (IEEE 1275, client interface).
#[rustfmt::skip] // One service per line.
static SERVICES: &[Service] = &[
    service("finddevice", (1, 1), finddevice),
    service("getprop", (4, 1), getprop),
    service("getproplen", (2, 1), |v, m, c| one(property(v, m, c).map(|p| p.len() as u32))),
    service("setprop", (4, 1), setprop),
    service("nextprop", (3, 1), nextprop),
    service("peer", (1, 1), |v, _, c| one(Some(peer(v, c.arg(0)).unwrap_or(0)))),
    service("child", (1, 1), |v, _, c| one(Some(first_child(v, c.arg(0)).unwrap_or(0)))),
    service("parent", (1, 1), |v, _, c| one(Some(parent(v, c.arg(0)).unwrap_or(0)))),
    service("open", (1, 1), open),
    service("close", (1, 0), |_, _, _| Done::Answer(vec![])),
    service("write", (3, 1), write),
    service("instance-to-package", (1, 1), |v, _, c| one(instance_path(v, c.arg(0)).map(|p| v.handle(&p)))),
    service("package-to-path", (3, 1), |v, m, c| one(v.path_of(c.arg(0)).and_then(|p| put_text(m, c, &p)))),
    service("instance-to-path", (3, 1), |v, m, c| one(instance_path(v, c.arg(0)).and_then(|p| put_text(m, c, &p)))),
    service("claim", (3, 1), |v, _, c| one(v.claim(c.arg(0).into(), c.arg(1).into(), c.arg(2).into()).map(|a| a as u32))),
    service("release", (2, 0), |v, _, c| { v.release(c.arg(0).into(), c.arg(1).into()); Done::Answer(vec![]) }),
    service("milliseconds", (0, 1), |_, _, _| one(Some(0))),
    any("call-method", call_method),
    any("interpret", |_, _, c| Done::Answer(vec![0; c.nret])),
    any("quiesce", |_, _, _| Done::Ask(Ask::Quiesce)),
    any("exit", |_, _, _| Done::Ask(Ask::Exit)),
];

/// The full path of what `path` names; arguments behind a colon in its last part do not count.
fn canonical(v: &Vof, path: &str) -> Option<String> {
    let last = path.rfind('/').map_or(0, |k| k + 1);
    let path = path[last..].find(':').map_or(path, |k| &path[..last + k]);
    let mut node = &v.tree.root;
    let mut out = String::new();
    for part in path.split('/').filter(|p| !p.is_empty()) {
        node = node.child(part)?;
        out.push('/');
        out.push_str(&node.name);
    }
    Some(if out.is_empty() { "/".into() } else { out })
}

fn finddevice(v: &mut Vof, m: &GuestMemory, c: &Call) -> Done {
    let path = text(m, c.arg(0).into()).and_then(|p| canonical(v, &p));
    one(path.map(|p| v.handle(&p)))
}

/// The value of the property that `c` names; `name` is the node's name without its unit address when the node has none.
fn property(v: &Vof, m: &GuestMemory, c: &Call) -> Option<Vec<u8>> {
    let name = text(m, c.arg(1).into())?;
    let node = v.node(c.arg(0))?;
    match node.get(&name) {
        Some(value) => Some(value.to_vec()),
        None if name == "name" => {
            let bare = node.name.split('@').next().unwrap_or_default();
            Some([bare.as_bytes(), &[0]].concat())
        }
        None => None,
    }
}

fn getprop(v: &mut Vof, m: &GuestMemory, c: &Call) -> Done {
    let Some(value) = property(v, m, c) else { return one(None) };
    let n = value.len().min(c.arg(3) as usize);
    one(m.write(Ra(c.arg(2).into()), &value[..n]).ok().map(|()| value.len() as u32))
}

fn setprop(v: &mut Vof, m: &GuestMemory, c: &Call) -> Done {
    let len = c.arg(3);
    let mut value = vec![0; len.min(TEXT_MAX as u32) as usize];
    let name = text(m, c.arg(1).into());
    let path = v.path_of(c.arg(0));
    let (Some(name), Some(path)) = (name, path) else { return one(None) };
    let written = v.written + name.len() + len as usize;
    if u64::from(len) > TEXT_MAX || written > WRITTEN_MAX || m.read(Ra(c.arg(2).into()), &mut value).is_err() {
        return one(None);
    }
    one(v.tree.root.find_mut(&path).map(|node| {
        node.set(&name, value);
        v.written = written;
        len
    }))
}

/// nextprop(node, previous, buffer): 1 and the next name, 0 at the end, −1 for an unknown node or name.
fn nextprop(v: &mut Vof, m: &GuestMemory, c: &Call) -> Done {
    let previous = if c.arg(1) == 0 { Some(String::new()) } else { text(m, c.arg(1).into()) };
    let (Some(node), Some(previous)) = (v.node(c.arg(0)), previous) else { return one(None) };
    let at = if previous.is_empty() { Some(0) } else { node.properties.iter().position(|(n, _)| *n == previous).map(|k| k + 1) };
    let Some(at) = at else { return one(None) };
    let Some((name, _)) = node.properties.get(at) else {
        let _ = m.write_u8(Ra(c.arg(2).into()), 0);
        return one(Some(0));
    };
    one(m.write(Ra(c.arg(2).into()), &[name.as_bytes(), &[0]].concat()).ok().map(|()| 1))
}

fn join(path: &str, name: &str) -> String {
    if path == "/" { format!("/{name}") } else { format!("{path}/{name}") }
}

fn peer(v: &mut Vof, handle: u32) -> Option<u32> {
    if handle == 0 {
        return Some(v.handle("/"));
    }
    let path = v.path_of(handle)?;
    let (up, name) = path.rsplit_once('/')?;
    let siblings = &v.tree.root.find(up)?.children;
    let at = siblings.iter().position(|n| n.name == name)?;
    let next = siblings.get(at + 1)?.name.clone();
    let up = if up.is_empty() { "/" } else { up };
    Some(v.handle(&join(up, &next)))
}

fn first_child(v: &mut Vof, handle: u32) -> Option<u32> {
    let path = v.path_of(handle)?;
    let child = v.tree.root.find(&path)?.children.first()?.name.clone();
    Some(v.handle(&join(&path, &child)))
}

fn parent(v: &mut Vof, handle: u32) -> Option<u32> {
    let path = v.path_of(handle)?;
    let (up, name) = path.rsplit_once('/')?;
    if name.is_empty() {
        return None;
    }
    Some(v.handle(if up.is_empty() { "/" } else { up }))
}

fn open(v: &mut Vof, m: &GuestMemory, c: &Call) -> Done {
    let path = text(m, c.arg(0).into()).and_then(|p| canonical(v, &p));
    one(Some(path.map_or(0, |p| v.instance(&p))))
}

fn instance_path(v: &Vof, handle: u32) -> Option<String> {
    v.instances.get(handle.checked_sub(1)? as usize).cloned()
}

fn write(v: &mut Vof, m: &GuestMemory, c: &Call) -> Done {
    let mut bytes = vec![0; (c.arg(2) as usize).min(TEXT_MAX as usize * 32)];
    if v.console.is_none() || instance_path(v, c.arg(0)) != v.console || m.read(Ra(c.arg(1).into()), &mut bytes).is_err() {
        return one(None);
    }
    Done::Ask(Ask::Console(bytes))
}

/// Writes `value` into the client's buffer (arguments 1 and 2); its length.
fn put_text(m: &GuestMemory, c: &Call, value: &str) -> Option<u32> {
    let bytes = [value.as_bytes(), &[0]].concat();
    let n = bytes.len().min(c.arg(2) as usize);
    m.write(Ra(c.arg(1).into()), &bytes[..n]).ok()?;
    Some(value.len() as u32)
}

/// call-method: `ibm,client-architecture-support` on the root, `instantiate-rtas` on `/rtas`.
fn call_method(v: &mut Vof, m: &GuestMemory, c: &Call) -> Done {
    let method = text(m, c.arg(0).into()).unwrap_or_default();
    let path = instance_path(v, c.arg(1)).unwrap_or_default();
    match (path.as_str(), method.as_str()) {
        ("/", "ibm,client-architecture-support") => Done::Ask(Ask::Cas(Ra(c.arg(2).into()))),
        ("/rtas", "instantiate-rtas") => instantiate_rtas(v, m, c.arg(2)),
        _ => {
            log::warn!(target: "spapr.of", "client interface: no method {method:?} on {path:?}");
            Done::Answer(vec![MINUS_ONE])
        }
    }
}

fn instantiate_rtas(v: &mut Vof, m: &GuestMemory, base: u32) -> Done {
    if !m.contains(Ra(base.into()), 0x1000) {
        return Done::Answer(vec![MINUS_ONE]);
    }
    place_code(m, base.into(), HCALL_RTAS);
    if let Some(rtas) = v.tree.root.child_mut("rtas") {
        rtas.set_u32("linux,rtas-base", base).set_u32("linux,rtas-entry", base);
    }
    Done::Answer(vec![0, base])
}

#[cfg(test)]
mod tests;
