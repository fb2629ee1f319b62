//! Loads and stores of one integer (ISA I 3.3.2, 3.3.3, 3.3.5).
//!
//! Each place in the code that accesses storage, a *site*, remembers the 64 KiB where its last access was, in three words behind the code: mostly the next one is there too, and
//! the distance to the host address does not wait for the address. Else the access is looked up in the software TLB of the interpreter. When it is not there, or the access
//! leaves its page, or RAM, the interpreter's function does the instruction, and fills the TLB on the way. Sites say nothing about the context: they are forgotten when it changes
//! ([`super::super::super::sites`]).
//!
//! A site that stores remembers only places without page flags, and a page with flags is left to the function; so nothing is looked at after a store, and when a flag is set, sites that
//! store are forgotten (docs/decisions/0021).

use super::Cold;
use super::Emitter;
use super::FLAGS;
use super::Form;
use super::RAX;
use super::RCX;
use super::RDX;
use super::Template;
use crate::accel::interp::tlb::Half;
use crate::accel::tcg::sites::SITE_BYTES;
use crate::accel::tcg::sites::SITE_DELTA;
use crate::accel::tcg::sites::SITE_LIMIT;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("lbz", |e, i| load(e, i, d(i), U8)), ("lbzu", |e, i| load_update(e, i, d(i), U8)),
    ("lhz", |e, i| load(e, i, d(i), U16)), ("lhzu", |e, i| load_update(e, i, d(i), U16)),
    ("lha", |e, i| load(e, i, d(i), S16)), ("lhau", |e, i| load_update(e, i, d(i), S16)),
    ("lwz", |e, i| load(e, i, d(i), U32)), ("lwzu", |e, i| load_update(e, i, d(i), U32)),
    ("lwa", |e, i| load(e, i, ds(i), S32)), ("ld", |e, i| load(e, i, ds(i), U64)), ("ldu", |e, i| load_update(e, i, ds(i), U64)),
    ("lbzx", |e, i| load(e, i, Ea::X, U8)), ("lbzux", |e, i| load_update(e, i, Ea::X, U8)),
    ("lhzx", |e, i| load(e, i, Ea::X, U16)), ("lhzux", |e, i| load_update(e, i, Ea::X, U16)),
    ("lhax", |e, i| load(e, i, Ea::X, S16)), ("lhaux", |e, i| load_update(e, i, Ea::X, S16)),
    ("lwzx", |e, i| load(e, i, Ea::X, U32)), ("lwzux", |e, i| load_update(e, i, Ea::X, U32)),
    ("lwax", |e, i| load(e, i, Ea::X, S32)), ("lwaux", |e, i| load_update(e, i, Ea::X, S32)),
    ("ldx", |e, i| load(e, i, Ea::X, U64)), ("ldux", |e, i| load_update(e, i, Ea::X, U64)),
    ("lhbrx", |e, i| load(e, i, Ea::X, U16.reversed())), ("lwbrx", |e, i| load(e, i, Ea::X, U32.reversed())),
    ("ldbrx", |e, i| load(e, i, Ea::X, U64.reversed())),
    ("stb", |e, i| store(e, i, d(i), U8)), ("stbu", |e, i| store_update(e, i, d(i), U8)),
    ("sth", |e, i| store(e, i, d(i), U16)), ("sthu", |e, i| store_update(e, i, d(i), U16)),
    ("stw", |e, i| store(e, i, d(i), U32)), ("stwu", |e, i| store_update(e, i, d(i), U32)),
    ("std", |e, i| store(e, i, ds(i), U64)), ("stdu", |e, i| store_update(e, i, ds(i), U64)),
    ("stbx", |e, i| store(e, i, Ea::X, U8)), ("stbux", |e, i| store_update(e, i, Ea::X, U8)),
    ("sthx", |e, i| store(e, i, Ea::X, U16)), ("sthux", |e, i| store_update(e, i, Ea::X, U16)),
    ("stwx", |e, i| store(e, i, Ea::X, U32)), ("stwux", |e, i| store_update(e, i, Ea::X, U32)),
    ("stdx", |e, i| store(e, i, Ea::X, U64)), ("stdux", |e, i| store_update(e, i, Ea::X, U64)),
    ("sthbrx", |e, i| store(e, i, Ea::X, U16.reversed())), ("stwbrx", |e, i| store(e, i, Ea::X, U32.reversed())),
    ("stdbrx", |e, i| store(e, i, Ea::X, U64.reversed())),
    ("dcbst", touch), ("dcbf", touch), ("icbi", icbi),
];

/// How an effective address is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ea {
    /// (RA|0) and a displacement.
    D(i32),
    /// (RA|0) + (RB).
    X,
}

/// A D-form address.
pub fn d(i: Insn) -> Ea {
    Ea::D(i.si() as i32)
}

/// A DS-form address.
pub fn ds(i: Insn) -> Ea {
    Ea::D(i.ds() as i32)
}

/// What is loaded or stored.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    bytes: u8,
    signed: bool,
    /// A byte-reversing instruction.
    reversed: bool,
}

impl Kind {
    const fn new(bytes: u8) -> Kind {
        Kind { bytes, signed: false, reversed: false }
    }
    const fn signed(self) -> Kind {
        Kind { signed: true, ..self }
    }
    const fn reversed(self) -> Kind {
        Kind { reversed: true, ..self }
    }
}

const U8: Kind = Kind::new(1);
const U16: Kind = Kind::new(2);
const U32: Kind = Kind::new(4);
const U64: Kind = Kind::new(8);
const S16: Kind = U16.signed();
const S32: Kind = U32.signed();

/// An effective address: a register that stays as it is, and a displacement. With rax = the distance to the host, `rax + base + disp` is the host address.
#[derive(Clone, Copy)]
pub struct Address {
    /// A pinned register or rdx.
    pub base: u8,
    /// What is added to it.
    pub disp: i32,
}

/// An address in rdx.
pub const IN_RDX: Address = Address { base: RDX, disp: 0 };

impl Emitter<'_> {
    /// Where the effective address is. Uses rdx.
    pub fn ea(&mut self, i: Insn, ea: Ea) -> Address {
        match (ea, i.ra()) {
            (Ea::D(n), 0) => {
                self.constant(RDX, n as i64 as u64);
                IN_RDX
            }
            (Ea::D(n), a) => Address { base: self.src(a, RDX), disp: n },
            (Ea::X, 0) => Address { base: self.src(i.rb(), RDX), disp: 0 },
            (Ea::X, a) => {
                let (a, b) = (self.src(a, RDX), self.src(i.rb(), RAX));
                dynasm!(self.a ; lea rdx, [Rq(a) + Rq(b)]);
                IN_RDX
            }
        }
    }

    /// The same in rdx, which may then be changed. Uses rax.
    pub fn ea_in_rdx(&mut self, i: Insn, ea: Ea) -> Address {
        let at = self.ea(i, ea);
        match (at.base, at.disp) {
            (RDX, 0) => {}
            (base, 0) => dynasm!(self.a ; mov rdx, Rq(base)),
            (base, n) => dynasm!(self.a ; lea rdx, [Rq(base) + n]),
        }
        IN_RDX
    }

    /// rax ← the distance from the effective address to the host, good for `bytes` bytes there. Uses rcx.
    fn translate(&mut self, at: Address, bytes: u8, half: Half) {
        let fallback = self.fallback();
        let (from, back) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
        let site = self.site;
        self.site += SITE_BYTES;
        match at.disp {
            0 => dynasm!(self.a ; mov rcx, Rq(at.base)),
            n if i8::try_from(n).is_ok() => dynasm!(self.a ; lea rcx, [BYTE Rq(at.base) + n as i8]),
            n => dynasm!(self.a ; lea rcx, [Rq(at.base) + n]),
        }
        dynasm!(self.a ; sub rcx, [rip + 0]);
        self.near(site);
        dynasm!(self.a ; cmp rcx, [rip + 0]);
        self.near(site + SITE_LIMIT);
        dynasm!(self.a ; jae =>from ; mov rax, [rip + 0]);
        self.near(site + SITE_DELTA);
        dynasm!(self.a ; =>back);
        let look_up = self.stubs.look_up[self.class as usize][half as usize][bytes.trailing_zeros() as usize];
        self.cold.push(Cold::Unknown { from, back, fallback, site, look_up });
    }

    /// rax ← the distance from the effective address to the host, good for reading `bytes` bytes there. Uses rcx.
    pub fn translate_read(&mut self, at: Address, bytes: u8) {
        self.translate(at, bytes, Half::Read);
    }

    /// The same for writing.
    pub fn translate_write(&mut self, at: Address, bytes: u8) {
        self.translate(at, bytes, Half::Write);
    }

    /// `to` ← what is at the address whose distance is in rax, extended. Uses rcx.
    fn fetch(&mut self, at: Address, to: u8, k: Kind) {
        let Address { base, disp } = at;
        let swap = k.bytes > 1 && self.little_endian == k.reversed;
        match (k.bytes, k.signed, swap) {
            (1, _, _) => dynasm!(self.a ; movzx Rd(to), BYTE [rax + Rq(base) + disp]),
            (2, false, false) => dynasm!(self.a ; movzx Rd(to), WORD [rax + Rq(base) + disp]),
            (2, true, false) => dynasm!(self.a ; movsx Rq(to), WORD [rax + Rq(base) + disp]),
            (2, false, true) => dynasm!(self.a ; movbe cx, [rax + Rq(base) + disp] ; movzx Rd(to), cx),
            (2, true, true) => dynasm!(self.a ; movbe cx, [rax + Rq(base) + disp] ; movsx Rq(to), cx),
            (4, false, false) => dynasm!(self.a ; mov Rd(to), [rax + Rq(base) + disp]),
            (4, true, false) => dynasm!(self.a ; movsxd Rq(to), DWORD [rax + Rq(base) + disp]),
            (4, false, true) => dynasm!(self.a ; movbe Rd(to), [rax + Rq(base) + disp]),
            (4, true, true) => dynasm!(self.a ; movbe ecx, [rax + Rq(base) + disp] ; movsxd Rq(to), ecx),
            (_, _, false) => dynasm!(self.a ; mov Rq(to), [rax + Rq(base) + disp]),
            (_, _, true) => dynasm!(self.a ; movbe Rq(to), [rax + Rq(base) + disp]),
        }
    }

    /// RA ← the effective address again, when nothing it is made of has changed.
    pub fn update(&mut self, i: Insn, ea: Ea) {
        let a = self.dst(i.ra(), RAX);
        match ea {
            Ea::D(n) => {
                if a == RAX {
                    self.get(i.ra(), RAX);
                }
                dynasm!(self.a ; add Rq(a), n);
            }
            Ea::X => {
                let b = self.src(i.rb(), RCX);
                if a == RAX {
                    self.get(i.ra(), RAX);
                }
                dynasm!(self.a ; add Rq(a), Rq(b));
            }
        }
        self.put(i.ra(), a);
    }
}

fn load(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) -> Form {
    let at = e.ea(i, ea);
    e.translate_read(at, k.bytes);
    let to = e.dst(i.rt(), RDX);
    e.fetch(at, to, k);
    e.put(i.rt(), to);
    Form::Done
}

fn load_update(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) -> Form {
    if i.ra() == 0 || i.ra() == i.rt() {
        return Form::Step;
    }
    let at = e.ea(i, ea);
    e.translate_read(at, k.bytes);
    e.fetch(at, RDX, k);
    e.update(i, ea);
    e.put(i.rt(), RDX);
    Form::Done
}

fn store(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) -> Form {
    let at = e.ea(i, ea);
    e.translate_write(at, k.bytes);
    let Address { base, disp } = at;
    let s = e.src(i.rt(), RCX);
    let swap = k.bytes > 1 && e.little_endian == k.reversed;
    match (k.bytes, swap) {
        (1, _) => dynasm!(e.a ; mov [rax + Rq(base) + disp], Rb(s)),
        (2, false) => dynasm!(e.a ; mov [rax + Rq(base) + disp], Rw(s)),
        (2, true) => dynasm!(e.a ; movbe [rax + Rq(base) + disp], Rw(s)),
        (4, false) => dynasm!(e.a ; mov [rax + Rq(base) + disp], Rd(s)),
        (4, true) => dynasm!(e.a ; movbe [rax + Rq(base) + disp], Rd(s)),
        (_, false) => dynasm!(e.a ; mov [rax + Rq(base) + disp], Rq(s)),
        (_, true) => dynasm!(e.a ; movbe [rax + Rq(base) + disp], Rq(s)),
    }
    Form::Done
}

fn store_update(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) -> Form {
    if i.ra() == 0 {
        return Form::Step;
    }
    store(e, i, ea, k);
    e.update(i, ea);
    Form::Done
}

/// Translated as a load is, and otherwise without effect.
fn touch(e: &mut Emitter<'_>, i: Insn) -> Form {
    let at = e.ea(i, Ea::X);
    e.translate_read(at, 1);
    Form::Done
}

/// Where the page has flags the function acts as if it were stored to.
fn icbi(e: &mut Emitter<'_>, i: Insn) -> Form {
    let rare = e.fallback();
    let at = e.ea(i, Ea::X);
    e.translate_read(at, 1);
    dynasm!(e.a ; add rax, Rq(at.base) ; shr rax, 12 ; add rax, [rbp + FLAGS] ; cmp BYTE [rax], 0 ; jne =>rare);
    Form::Done
}
