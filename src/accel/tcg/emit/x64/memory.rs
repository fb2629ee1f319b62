//! Loads and stores of one integer (ISA I 3.3.2, 3.3.3, 3.3.5).
//!
//! Each place in the code that accesses storage, a *site*, remembers where its last access was, in two words behind the code: mostly the next one is there too, and the
//! distance to the host address does not wait for the address. Else the access is looked up in the software TLB of the interpreter. When it is not there, or the access
//! leaves its page, or RAM, the interpreter's function does the instruction, and fills the TLB on the way. After a store the page's flags are looked at.

use super::Cold;
use super::DATA;
use super::Emitter;
use super::FLAGS;
use super::Form;
use super::RAX;
use super::RCX;
use super::RDX;
use super::Template;
use crate::accel::interp::tlb;
use crate::accel::interp::tlb::Half;
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

impl Emitter<'_> {
    /// rax ← the effective address. Uses rcx.
    pub fn ea(&mut self, i: Insn, ea: Ea) {
        match (ea, i.ra()) {
            (Ea::D(n), 0) => self.constant(RAX, n as i64 as u64),
            (Ea::D(n), a) => {
                let a = self.src(a, RAX);
                match n {
                    0 if a == RAX => {}
                    0 => dynasm!(self.a ; mov rax, Rq(a)),
                    _ if i8::try_from(n).is_ok() => dynasm!(self.a ; lea rax, [BYTE Rq(a) + n as i8]),
                    _ => dynasm!(self.a ; lea rax, [Rq(a) + n]),
                }
            }
            (Ea::X, 0) => self.get(i.rb(), RAX),
            (Ea::X, a) => {
                let (a, b) = (self.src(a, RAX), self.src(i.rb(), RCX));
                dynasm!(self.a ; lea rax, [Rq(a) + Rq(b)]);
            }
        }
    }

    /// rax ← the host address for the effective address in rax, of `bytes` bytes. Uses rcx and rdx.
    ///
    /// The site remembers the 64 KiB where it last was: their address with the context, and the distance. An access that is not aligned is looked up each time, except
    /// for quadwords, which often are not: there the page and the context are compared apart.
    fn translate(&mut self, bytes: u8, half: Half) {
        let fallback = self.fallback();
        let (from, back) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
        let at = self.site;
        self.site += if bytes == 16 { 32 } else { 16 };
        if bytes == 16 {
            if half == Half::Write {
                // Into the next page: there are two flags to look at.
                dynasm!(self.a ; mov ecx, eax ; and ecx, 0xfff ; cmp ecx, 0xff0 ; ja =>from);
            }
            dynasm!(self.a ; mov rcx, rax ; sub rcx, [rip + 0]);
            self.near(at);
            dynasm!(self.a ; cmp rcx, (1 << tlb::LARGE_SHIFT) - 16 ; ja =>from ; mov rcx, [rbp + DATA] ; cmp rcx, [rip + 0]);
            self.near(at + 16);
        } else {
            let mask = (-1 << tlb::LARGE_SHIFT) | i32::from(bytes - 1);
            dynasm!(self.a ; mov rcx, rax ; and rcx, mask ; or rcx, [rbp + DATA] ; cmp rcx, [rip + 0]);
            self.near(at);
        }
        dynasm!(self.a ; jne =>from ; add rax, [rip + 0]);
        self.near(at + 8);
        dynasm!(self.a ; =>back);
        let look_up = self.stubs.look_up[half as usize][bytes.trailing_zeros() as usize];
        self.cold.push(Cold::Unknown { from, back, fallback, at, look_up });
    }

    /// rax ← the host address for reading `bytes` bytes at the effective address in rax. Uses rcx and rdx.
    pub fn translate_read(&mut self, bytes: u8) {
        self.translate(bytes, Half::Read);
    }

    /// The same for writing; [`Emitter::written`] must follow the store.
    pub fn translate_write(&mut self, bytes: u8) {
        self.translate(bytes, Half::Write);
    }

    /// The last part of an instruction that stored through what was the host address in `host`: looks at the page's flags. Uses rax.
    pub fn written(&mut self, host: u8) {
        let (from, back) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
        if host != RAX {
            dynasm!(self.a ; mov rax, Rq(host));
        }
        dynasm!(self.a ; shr rax, 12 ; add rax, [rbp + FLAGS] ; cmp BYTE [rax], 0 ; jne =>from ; =>back);
        self.cold.push(Cold::Stored { from, back, index: self.index });
    }

    /// `to` ← what is at the host address in rax, extended.
    fn fetch(&mut self, to: u8, k: Kind) {
        let swap = k.bytes > 1 && self.little_endian == k.reversed;
        match (k.bytes, k.signed, swap) {
            (1, _, _) => dynasm!(self.a ; movzx Rd(to), BYTE [rax]),
            (2, false, false) => dynasm!(self.a ; movzx Rd(to), WORD [rax]),
            (2, true, false) => dynasm!(self.a ; movsx Rq(to), WORD [rax]),
            (2, false, true) => dynasm!(self.a ; movbe cx, [rax] ; movzx Rd(to), cx),
            (2, true, true) => dynasm!(self.a ; movbe cx, [rax] ; movsx Rq(to), cx),
            (4, false, false) => dynasm!(self.a ; mov Rd(to), [rax]),
            (4, true, false) => dynasm!(self.a ; movsxd Rq(to), DWORD [rax]),
            (4, false, true) => dynasm!(self.a ; movbe Rd(to), [rax]),
            (4, true, true) => dynasm!(self.a ; movbe ecx, [rax] ; movsxd Rq(to), ecx),
            (_, _, false) => dynasm!(self.a ; mov Rq(to), [rax]),
            (_, _, true) => dynasm!(self.a ; movbe Rq(to), [rax]),
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
    e.ea(i, ea);
    e.translate_read(k.bytes);
    let to = e.dst(i.rt(), RDX);
    e.fetch(to, k);
    e.put(i.rt(), to);
    Form::Done
}

fn load_update(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) -> Form {
    if i.ra() == 0 || i.ra() == i.rt() {
        return Form::Step;
    }
    e.ea(i, ea);
    e.translate_read(k.bytes);
    e.fetch(RDX, k);
    e.update(i, ea);
    e.put(i.rt(), RDX);
    Form::Done
}

fn store(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) -> Form {
    put(e, i, ea, k);
    e.written(RAX);
    Form::Done
}

/// The store; rax keeps the host address.
fn put(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) {
    e.ea(i, ea);
    e.translate_write(k.bytes);
    let s = e.src(i.rt(), RDX);
    let swap = k.bytes > 1 && e.little_endian == k.reversed;
    match (k.bytes, swap) {
        (1, _) => dynasm!(e.a ; mov [rax], Rb(s)),
        (2, false) => dynasm!(e.a ; mov [rax], Rw(s)),
        (2, true) => dynasm!(e.a ; movbe [rax], Rw(s)),
        (4, false) => dynasm!(e.a ; mov [rax], Rd(s)),
        (4, true) => dynasm!(e.a ; movbe [rax], Rd(s)),
        (_, false) => dynasm!(e.a ; mov [rax], Rq(s)),
        (_, true) => dynasm!(e.a ; movbe [rax], Rq(s)),
    }
}

fn store_update(e: &mut Emitter<'_>, i: Insn, ea: Ea, k: Kind) -> Form {
    if i.ra() == 0 {
        return Form::Step;
    }
    put(e, i, ea, k);
    dynasm!(e.a ; mov rdx, rax);
    e.update(i, ea);
    e.written(RDX);
    Form::Done
}

/// Translated as a load is, and otherwise without effect.
fn touch(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.ea(i, Ea::X);
    e.translate_read(1);
    Form::Done
}

/// As if stored to, as far as decoded code is concerned.
fn icbi(e: &mut Emitter<'_>, i: Insn) -> Form {
    touch(e, i);
    e.written(RAX);
    Form::Done
}
