//! Loads and stores of singles and words in floating-point and vector-scalar registers, and loads that fill a register with one element (ISA I 4.6.2, 7.6).
//!
//! A scalar load clears the rest of its register. Singles are widened by the host, which is exact; NaNs, whose bits the host would change, and numbers that
//! a store would make denormal are left to the functions.

use super::Emitter;
use super::Form;
use super::Template;
use super::memory::Address;
use super::memory::Ea;
use super::memory::d;
use super::memory::ds;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("lfs", |e, i| load(e, i, d(i), Scalar::Single, i.frt())), ("lfsx", |e, i| load(e, i, Ea::X, Scalar::Single, i.frt())),
    ("lfsu", |e, i| load_update(e, i, d(i))), ("lfsux", |e, i| load_update(e, i, Ea::X)),
    ("lfiwax", |e, i| load(e, i, Ea::X, Scalar::Signed, i.frt())), ("lfiwzx", |e, i| load(e, i, Ea::X, Scalar::Word, i.frt())),
    ("stfs", |e, i| store(e, i, d(i), Scalar::Single, i.frt())), ("stfsx", |e, i| store(e, i, Ea::X, Scalar::Single, i.frt())),
    ("stfsu", |e, i| store_update(e, i, d(i))), ("stfsux", |e, i| store_update(e, i, Ea::X)),
    ("stfiwx", |e, i| store(e, i, Ea::X, Scalar::Word, i.frt())),
    ("lxsspx", |e, i| load(e, i, Ea::X, Scalar::Single, i.xt())), ("lxssp", |e, i| load(e, i, ds(i), Scalar::Single, 32 + i.frt())),
    ("lxsiwax", |e, i| load(e, i, Ea::X, Scalar::Signed, i.xt())), ("lxsiwzx", |e, i| load(e, i, Ea::X, Scalar::Word, i.xt())),
    ("stxsspx", |e, i| store(e, i, Ea::X, Scalar::Single, i.xt())), ("stxssp", |e, i| store(e, i, ds(i), Scalar::Single, 32 + i.frt())),
    ("stxsiwx", |e, i| store(e, i, Ea::X, Scalar::Word, i.xt())),
    ("lxvdsx", |e, i| splat(e, i, 8)), ("lxvwsx", |e, i| splat(e, i, 4)),
];

/// What a word in storage is in doubleword 0.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scalar {
    /// A single, which becomes a double.
    Single,
    /// A word, zero-extended.
    Word,
    /// A word, sign-extended.
    Signed,
}

impl Emitter<'_> {
    /// xmm1 ← a scalar at the address whose distance is in rax. Uses rcx.
    fn fetch_scalar(&mut self, at: Address, s: Scalar) {
        let Address { base, disp } = at;
        match self.little_endian {
            true => dynasm!(self.a ; mov ecx, [rax + Rq(base) + disp]),
            false => dynasm!(self.a ; movbe ecx, [rax + Rq(base) + disp]),
        }
        match s {
            Scalar::Signed => dynasm!(self.a ; movsxd rcx, ecx ; vmovq xmm1, rcx),
            Scalar::Word => dynasm!(self.a ; vmovd xmm1, ecx),
            Scalar::Single => {
                let fallback = self.fallback();
                dynasm!(self.a ; vmovd xmm1, ecx ; add ecx, ecx ; cmp ecx, 0xff00_0000u32 as i32 ; ja =>fallback ; vcvtss2sd xmm1, xmm1, xmm1);
            }
        }
    }

    /// edx ← doubleword 0 of `vsr` as it is stored. Uses rcx.
    fn scalar(&mut self, s: Scalar, vsr: usize) {
        let at = Emitter::at_vsr(vsr);
        dynasm!(self.a ; mov rdx, [rbp + at]);
        if s == Scalar::Single {
            // Bits 0, 1 and 5 to 34, if the exponent is above 896 or the number is zero.
            let (fallback, fine) = (self.fallback(), self.a.new_dynamic_label());
            dynasm!(self.a
                ; mov rcx, rdx
                ; shr rcx, 52
                ; and ecx, 0x7ff
                ; cmp ecx, 896
                ; ja =>fine
                ; mov rcx, rdx
                ; add rcx, rcx
                ; jnz =>fallback
                ; =>fine
                ; mov rcx, rdx
                ; shr rcx, 32
                ; shr rdx, 29
                ; and ecx, 0xc000_0000u32 as i32
                ; and edx, 0x3fff_ffff
                ; or edx, ecx
            );
        }
    }

    /// Stores edx at the host address in rax.
    fn put_word(&mut self) {
        match self.little_endian {
            true => dynasm!(self.a ; mov [rax], edx),
            false => dynasm!(self.a ; movbe [rax], edx),
        }
    }
}

fn load(e: &mut Emitter<'_>, i: Insn, ea: Ea, s: Scalar, to: usize) -> Form {
    let at = e.ea(i, ea);
    e.translate_read(at, 4);
    e.fetch_scalar(at, s);
    let to = Emitter::at_vsr(to);
    dynasm!(e.a ; vmovups [rbp + to], xmm1);
    Form::Done
}

fn load_update(e: &mut Emitter<'_>, i: Insn, ea: Ea) -> Form {
    if i.ra() == 0 {
        return Form::Step;
    }
    load(e, i, ea, Scalar::Single, i.frt());
    e.update(i, ea);
    Form::Done
}

fn store(e: &mut Emitter<'_>, i: Insn, ea: Ea, s: Scalar, from: usize) -> Form {
    let Address { base, disp } = e.ea(i, ea);
    e.translate_write(Address { base, disp }, 4);
    dynasm!(e.a ; lea rax, [rax + Rq(base) + disp]);
    e.scalar(s, from);
    e.put_word();
    Form::Done
}

fn store_update(e: &mut Emitter<'_>, i: Insn, ea: Ea) -> Form {
    if i.ra() == 0 {
        return Form::Step;
    }
    store(e, i, ea, Scalar::Single, i.frt());
    e.update(i, ea);
    Form::Done
}

/// One doubleword or word everywhere.
fn splat(e: &mut Emitter<'_>, i: Insn, bytes: u8) -> Form {
    let to = Emitter::at_vsr(i.xt());
    let Address { base, disp } = e.ea(i, Ea::X);
    e.translate_read(Address { base, disp }, bytes);
    match (bytes, e.little_endian) {
        (8, true) => dynasm!(e.a ; vmovddup xmm1, [rax + Rq(base) + disp]),
        (8, false) => dynasm!(e.a ; movbe rcx, [rax + Rq(base) + disp] ; vmovq xmm1, rcx ; vmovddup xmm1, xmm1),
        (_, true) => dynasm!(e.a ; vbroadcastss xmm1, [rax + Rq(base) + disp]),
        (_, false) => dynasm!(e.a ; movbe ecx, [rax + Rq(base) + disp] ; vmovd xmm1, ecx ; vpshufd xmm1, xmm1, 0),
    }
    dynasm!(e.a ; vmovups [rbp + to], xmm1);
    Form::Done
}
