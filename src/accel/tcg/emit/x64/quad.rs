//! Loads and stores of vector and floating-point registers, and moves and logic of whole vectors (ISA I 4.6.2, 6.7, 7.6).
//!
//! A register is two doublewords, the more significant first, each in the host's order. A little-endian quadword comes with the less significant first, so that loading it swaps
//! them; the forms that load elements differ in what else they swap. Big-endian doublewords are reversed one by one.

use super::Emitter;
use super::Form;
use super::RAX;
use super::Template;
use super::memory::Address;
use super::memory::Ea;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("lvx", |e, i| load(e, i, Ea::X, i.frt() + 32, Order::Aligned)), ("lvxl", |e, i| load(e, i, Ea::X, i.frt() + 32, Order::Aligned)),
    ("stvx", |e, i| store(e, i, Ea::X, i.frt() + 32, Order::Aligned)), ("stvxl", |e, i| store(e, i, Ea::X, i.frt() + 32, Order::Aligned)),
    ("lxv", |e, i| load(e, i, Ea::D(i.dq() as i32), i.xt_dq(), Order::Whole)), ("stxv", |e, i| store(e, i, Ea::D(i.dq() as i32), i.xt_dq(), Order::Whole)),
    ("lxvx", |e, i| load(e, i, Ea::X, i.xt(), Order::Whole)), ("stxvx", |e, i| store(e, i, Ea::X, i.xt(), Order::Whole)),
    ("lxvd2x", |e, i| load(e, i, Ea::X, i.xt(), Order::Doubles)), ("stxvd2x", |e, i| store(e, i, Ea::X, i.xt(), Order::Doubles)),
    ("lxvw4x", |e, i| load(e, i, Ea::X, i.xt(), Order::Words)), ("stxvw4x", |e, i| store(e, i, Ea::X, i.xt(), Order::Words)),
    ("lfd", |e, i| load_double(e, i, Ea::D(i.si() as i32), i.frt(), Update::No)), ("lfdx", |e, i| load_double(e, i, Ea::X, i.frt(), Update::No)),
    ("lfdu", |e, i| load_double(e, i, Ea::D(i.si() as i32), i.frt(), Update::Yes)), ("lfdux", |e, i| load_double(e, i, Ea::X, i.frt(), Update::Yes)),
    ("lxsdx", |e, i| load_double(e, i, Ea::X, i.xt(), Update::No)), ("lxsd", |e, i| load_double(e, i, Ea::D(i.ds() as i32), i.frt() + 32, Update::No)),
    ("stfd", |e, i| store_double(e, i, Ea::D(i.si() as i32), i.frt(), Update::No)), ("stfdx", |e, i| store_double(e, i, Ea::X, i.frt(), Update::No)),
    ("stfdu", |e, i| store_double(e, i, Ea::D(i.si() as i32), i.frt(), Update::Yes)), ("stfdux", |e, i| store_double(e, i, Ea::X, i.frt(), Update::Yes)),
    ("stxsdx", |e, i| store_double(e, i, Ea::X, i.xt(), Update::No)), ("stxsd", |e, i| store_double(e, i, Ea::D(i.ds() as i32), i.frt() + 32, Update::No)),
    ("xxlor", |e, i| logic(e, i.xt(), i.xa(), i.xb(), Logic::Or)), ("xxlxor", |e, i| logic(e, i.xt(), i.xa(), i.xb(), Logic::Xor)),
    ("xxland", |e, i| logic(e, i.xt(), i.xa(), i.xb(), Logic::And)), ("xxlandc", |e, i| logic(e, i.xt(), i.xa(), i.xb(), Logic::Andc)),
    ("vor", |e, i| vector(e, i, Logic::Or)), ("vxor", |e, i| vector(e, i, Logic::Xor)),
    ("vand", |e, i| vector(e, i, Logic::And)), ("vandc", |e, i| vector(e, i, Logic::Andc)),
    ("xxpermdi", xxpermdi), ("vperm", vperm), ("vsldoi", vsldoi),
    ("lvsl", |e, i| shift_control(e, i, 0)), ("lvsr", |e, i| shift_control(e, i, 16)),
    ("vspltisb", |e, i| splat(e, i, 1)), ("vspltish", |e, i| splat(e, i, 2)), ("vspltisw", |e, i| splat(e, i, 4)),
    ("mfvsrd", |e, i| { dynasm!(e.a ; mov rax, [rbp + Emitter::at_vsr(i.xt())]); e.put(i.ra(), RAX); Form::Done }),
    ("mfvsrld", |e, i| { dynasm!(e.a ; mov rax, [rbp + Emitter::at_vsr(i.xt()) + 8]); e.put(i.ra(), RAX); Form::Done }),
    ("mtvsrd", mtvsrd), ("mtvsrdd", mtvsrdd),
];

/// What a little-endian access does to the order of the register.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One number of 128 bits, at an address whose low four bits are ignored.
    Aligned,
    /// One number of 128 bits.
    Whole,
    /// Two doublewords.
    Doubles,
    /// Four words.
    Words,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Update {
    No,
    Yes,
}

/// Where the quadword is. Uses rdx and rax.
fn address(e: &mut Emitter<'_>, i: Insn, ea: Ea, order: Order) -> Address {
    if order != Order::Aligned {
        return e.ea(i, ea);
    }
    let at = e.ea_in_rdx(i, ea);
    dynasm!(e.a ; and rdx, -16);
    at
}

/// xmm0 ← xmm0 in the register's order, from storage's, or the other way.
fn arrange(e: &mut Emitter<'_>, order: Order) {
    match order {
        Order::Aligned | Order::Whole => dynasm!(e.a ; pshufd xmm0, xmm0, 0x4e),
        Order::Doubles => {}
        Order::Words => dynasm!(e.a ; pshufd xmm0, xmm0, 0xb1u8 as i8),
    }
}

fn load(e: &mut Emitter<'_>, i: Insn, ea: Ea, register: usize, order: Order) -> Form {
    if !e.little_endian && order == Order::Words {
        return Form::Step;
    }
    let at = Emitter::at_vsr(register);
    let place = address(e, i, ea, order);
    e.translate_read(place, 16);
    let Address { base, disp } = place;
    if e.little_endian {
        dynasm!(e.a ; movdqu xmm0, [rax + Rq(base) + disp]);
        arrange(e, order);
        dynasm!(e.a ; movdqa [rbp + at], xmm0);
    } else {
        dynasm!(e.a ; lea rax, [rax + Rq(base) + disp] ; movbe rcx, [rax] ; movbe rdx, [rax + 8] ; mov [rbp + at], rcx ; mov [rbp + at + 8], rdx);
    }
    Form::Done
}

fn store(e: &mut Emitter<'_>, i: Insn, ea: Ea, register: usize, order: Order) -> Form {
    if !e.little_endian && order == Order::Words {
        return Form::Step;
    }
    let at = Emitter::at_vsr(register);
    let place = address(e, i, ea, order);
    e.translate_write(place, 16);
    let Address { base, disp } = place;
    if e.little_endian {
        dynasm!(e.a ; movdqa xmm0, [rbp + at]);
        arrange(e, order);
        dynasm!(e.a ; movdqu [rax + Rq(base) + disp], xmm0);
    } else {
        dynasm!(e.a ; lea rax, [rax + Rq(base) + disp] ; mov rcx, [rbp + at] ; mov rdx, [rbp + at + 8] ; movbe [rax], rcx ; movbe [rax + 8], rdx);
    }
    Form::Done
}

/// Doubleword 0 ← a doubleword; doubleword 1 ← 0.
fn load_double(e: &mut Emitter<'_>, i: Insn, ea: Ea, register: usize, update: Update) -> Form {
    if update == Update::Yes && i.ra() == 0 {
        return Form::Step;
    }
    let at = Emitter::at_vsr(register);
    let place = e.ea(i, ea);
    e.translate_read(place, 8);
    let Address { base, disp } = place;
    match e.little_endian {
        true => dynasm!(e.a ; mov rdx, [rax + Rq(base) + disp]),
        false => dynasm!(e.a ; movbe rdx, [rax + Rq(base) + disp]),
    }
    dynasm!(e.a ; mov [rbp + at], rdx ; mov QWORD [rbp + at + 8], 0);
    if update == Update::Yes {
        e.update(i, ea);
    }
    Form::Done
}

fn store_double(e: &mut Emitter<'_>, i: Insn, ea: Ea, register: usize, update: Update) -> Form {
    if update == Update::Yes && i.ra() == 0 {
        return Form::Step;
    }
    let at = Emitter::at_vsr(register);
    let place = e.ea(i, ea);
    e.translate_write(place, 8);
    let Address { base, disp } = place;
    dynasm!(e.a ; mov rcx, [rbp + at]);
    match e.little_endian {
        true => dynasm!(e.a ; mov [rax + Rq(base) + disp], rcx),
        false => dynasm!(e.a ; movbe [rax + Rq(base) + disp], rcx),
    }
    if update == Update::Yes {
        e.update(i, ea);
    }
    Form::Done
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Logic {
    And,
    Andc,
    Or,
    Xor,
}

fn vector(e: &mut Emitter<'_>, i: Insn, f: Logic) -> Form {
    logic(e, i.frt() + 32, i.fra() + 32, i.frb() + 32, f)
}

fn logic(e: &mut Emitter<'_>, t: usize, a: usize, b: usize, f: Logic) -> Form {
    let [t, a, b] = [t, a, b].map(Emitter::at_vsr);
    match f {
        Logic::And => dynasm!(e.a ; movdqa xmm0, [rbp + a] ; pand xmm0, [rbp + b]),
        Logic::Andc => dynasm!(e.a ; movdqa xmm0, [rbp + b] ; pandn xmm0, [rbp + a]),
        Logic::Or if a == b => dynasm!(e.a ; movdqa xmm0, [rbp + a]),
        Logic::Or => dynasm!(e.a ; movdqa xmm0, [rbp + a] ; por xmm0, [rbp + b]),
        Logic::Xor if a == b => dynasm!(e.a ; pxor xmm0, xmm0),
        Logic::Xor => dynasm!(e.a ; movdqa xmm0, [rbp + a] ; pxor xmm0, [rbp + b]),
    }
    dynasm!(e.a ; movdqa [rbp + t], xmm0);
    Form::Done
}

/// XT ← one doubleword of XA and one of XB.
fn xxpermdi(e: &mut Emitter<'_>, i: Insn) -> Form {
    let [t, a, b] = [i.xt(), i.xa(), i.xb()].map(Emitter::at_vsr);
    let dm = i.field(22, 23) as i32;
    dynasm!(e.a
        ; mov rax, [rbp + a + 8 * (dm >> 1)]
        ; mov rcx, [rbp + b + 8 * (dm & 1)]
        ; mov [rbp + t], rax
        ; mov [rbp + t + 8], rcx
    );
    Form::Done
}

/// Each byte of VRT ← the byte of VRA || VRB that the byte of VRC numbers. Byte k of a register is byte k ^ 7 of its 16 here.
fn vperm(e: &mut Emitter<'_>, i: Insn) -> Form {
    let [t, a, b, c] = [i.frt(), i.fra(), i.frb(), i.frc()].map(|n| Emitter::at_vsr(n + 32));
    dynasm!(e.a
        ; movdqa xmm0, [rbp + c]
        ; mov eax, 0x0707_0707
        ; movd xmm1, eax
        ; pshufd xmm1, xmm1, 0
        ; mov eax, 0x0f0f_0f0f
        ; movd xmm2, eax
        ; pshufd xmm2, xmm2, 0
        ; pxor xmm1, xmm0
        ; pand xmm1, xmm2
        ; movdqa xmm2, [rbp + a]
        ; pshufb xmm2, xmm1
        ; movdqa xmm3, [rbp + b]
        ; pshufb xmm3, xmm1
        // Bit 4 of the number says VRB: to where the blend looks for it.
        ; psllw xmm0, 3
        ; pblendvb xmm2, xmm3
        ; movdqa [rbp + t], xmm2
    );
    Form::Done
}

/// VRT ← 16 bytes of VRA || VRB from byte SHB on.
fn vsldoi(e: &mut Emitter<'_>, i: Insn) -> Form {
    let [t, a, b] = [i.frt(), i.fra(), i.frb()].map(|n| Emitter::at_vsr(n + 32));
    let n = i.field(22, 25) as i8;
    // As numbers of 128 bits, the less significant doubleword first.
    dynasm!(e.a
        ; pshufd xmm0, [rbp + a], 0x4e
        ; pshufd xmm1, [rbp + b], 0x4e
    );
    if n != 0 {
        dynasm!(e.a ; palignr xmm0, xmm1, 16 - n);
    }
    dynasm!(e.a ; pshufd xmm0, xmm0, 0x4e ; movdqa [rbp + t], xmm0);
    Form::Done
}

/// lvsl: bytes sh, sh + 1, …; lvsr: 16 - sh, …
fn shift_control(e: &mut Emitter<'_>, i: Insn, from: i32) -> Form {
    let t = Emitter::at_vsr(i.frt() + 32);
    let Address { base, disp } = e.ea(i, Ea::X);
    dynasm!(e.a ; lea eax, [Rq(base) + disp] ; and eax, 15);
    if from != 0 {
        dynasm!(e.a ; neg eax ; add eax, from);
    }
    dynasm!(e.a
        ; movzx eax, al
        ; mov rcx, QWORD 0x0101_0101_0101_0101
        ; imul rax, rcx
        ; mov rcx, QWORD 0x0001_0203_0405_0607
        ; lea rdx, [rax + rcx]
        ; mov [rbp + t], rdx
        ; mov rcx, QWORD 0x0809_0a0b_0c0d_0e0f
        ; lea rdx, [rax + rcx]
        ; mov [rbp + t + 8], rdx
    );
    Form::Done
}

/// Every element of VRT ← the signed five-bit constant.
fn splat(e: &mut Emitter<'_>, i: Insn, bytes: u32) -> Form {
    let t = Emitter::at_vsr(i.frt() + 32);
    let n = ((i.field(11, 15) << 27) as i32 >> 27) as u32;
    let word = match bytes {
        1 => (n & 0xff) * 0x0101_0101,
        2 => (n & 0xffff) * 0x0001_0001,
        _ => n,
    };
    dynasm!(e.a ; mov eax, word as i32 ; movd xmm0, eax ; pshufd xmm0, xmm0, 0 ; movdqa [rbp + t], xmm0);
    Form::Done
}

/// Doubleword 0 ← RA; doubleword 1 ← 0.
fn mtvsrd(e: &mut Emitter<'_>, i: Insn) -> Form {
    let at = Emitter::at_vsr(i.xt());
    let s = e.src(i.ra(), RAX);
    dynasm!(e.a ; movq xmm0, Rq(s) ; movdqa [rbp + at], xmm0);
    Form::Done
}

/// Doubleword 0 ← (RA|0), doubleword 1 ← RB.
fn mtvsrdd(e: &mut Emitter<'_>, i: Insn) -> Form {
    let at = Emitter::at_vsr(i.xt());
    if i.ra() == 0 {
        dynasm!(e.a ; pxor xmm0, xmm0);
    } else {
        let s = e.src(i.ra(), RAX);
        dynasm!(e.a ; movq xmm0, Rq(s));
    }
    let s = e.src(i.rb(), RAX);
    dynasm!(e.a ; pinsrq xmm0, Rq(s), 1 ; movdqa [rbp + at], xmm0);
    Form::Done
}
