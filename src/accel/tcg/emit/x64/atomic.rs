//! Reservations (ISA II 4.6.2), and the clearing of a block (ISA II 4.3.2).
//!
//! A load-and-reserve notes address, length and value as found in RAM; the store compares and exchanges, so it succeeds when the operand holds that value, as in the
//! interpreter. While `reserved` says so, the note here is the vCPU's reservation; Rust code takes it over whenever it looks (`exec`).

use super::Emitter;
use super::Form;
use super::RDX;
use super::RESERVED;
use super::RESERVED_AT;
use super::RESERVED_BYTES;
use super::RESERVED_VALUE;
use super::SO;
use super::Template;
use super::cr_field;
use super::memory::Ea;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("lwarx", |e, i| reserve(e, i, 4)), ("ldarx", |e, i| reserve(e, i, 8)),
    ("stwcx.", |e, i| conditional(e, i, 4)), ("stdcx.", |e, i| conditional(e, i, 8)),
    ("dcbz", dcbz),
];

/// Bytes that dcbz clears.
const CACHE_LINE: i32 = 128;

/// Has the interpreter do it if the address in rdx is not a multiple of `bytes`.
fn aligned(e: &mut Emitter<'_>, bytes: i8) {
    let rare = e.fallback();
    dynasm!(e.a ; test dl, bytes - 1 ; jnz =>rare);
}

fn reserve(e: &mut Emitter<'_>, i: Insn, bytes: i8) -> Form {
    let at = e.ea_in_rdx(i, Ea::X);
    aligned(e, bytes);
    e.translate_read(at, bytes as u8);
    dynasm!(e.a ; mov [rbp + RESERVED_AT], rdx);
    match bytes {
        4 => dynasm!(e.a ; mov edx, [rax + rdx]),
        _ => dynasm!(e.a ; mov rdx, [rax + rdx]),
    }
    dynasm!(e.a
        ; mov [rbp + RESERVED_VALUE], rdx
        ; mov DWORD [rbp + RESERVED_BYTES], bytes.into()
        ; mov BYTE [rbp + RESERVED], 1
    );
    if !e.little_endian {
        match bytes {
            4 => dynasm!(e.a ; bswap edx),
            _ => dynasm!(e.a ; bswap rdx),
        }
    }
    e.put(i.rt(), RDX);
    Form::Done
}

fn conditional(e: &mut Emitter<'_>, i: Insn, bytes: i8) -> Form {
    let rare = e.fallback();
    dynasm!(e.a ; cmp BYTE [rbp + RESERVED], 0 ; je =>rare);
    let at = e.ea_in_rdx(i, Ea::X);
    aligned(e, bytes);
    e.translate_write(at, bytes as u8);
    let (lost, told) = (e.a.new_dynamic_label(), e.a.new_dynamic_label());
    dynasm!(e.a
        ; lea rcx, [rax + rdx]
        ; cmp rdx, [rbp + RESERVED_AT]
        ; jne =>lost
        ; cmp DWORD [rbp + RESERVED_BYTES], bytes.into()
        ; jne =>lost
        ; mov rax, [rbp + RESERVED_VALUE]
    );
    e.get(i.rt(), RDX);
    match (bytes, e.little_endian) {
        (4, true) => dynasm!(e.a ; lock cmpxchg [rcx], edx),
        (4, false) => dynasm!(e.a ; bswap edx ; lock cmpxchg [rcx], edx),
        (_, true) => dynasm!(e.a ; lock cmpxchg [rcx], rdx),
        (_, false) => dynasm!(e.a ; bswap rdx ; lock cmpxchg [rcx], rdx),
    }
    // CR0: EQ is the second byte of the field.
    dynasm!(e.a
        ; sete al
        ; movzx edx, al
        ; shl edx, 8
        ; jmp =>told
        ; =>lost
        ; xor edx, edx
        ; =>told
        ; movzx eax, BYTE [rbp + SO]
        ; or edx, eax
        ; mov [rbp + cr_field(0)], edx
        ; mov DWORD [rbp + RESERVED_BYTES], 0
    );
    Form::Done
}

fn dcbz(e: &mut Emitter<'_>, i: Insn) -> Form {
    let place = e.ea_in_rdx(i, Ea::X);
    dynasm!(e.a ; and rdx, -CACHE_LINE);
    e.translate_write(place, 1);
    dynasm!(e.a ; pxor xmm0, xmm0);
    for at in (0..CACHE_LINE).step_by(16) {
        dynasm!(e.a ; movdqa [rax + rdx + at], xmm0);
    }
    Form::Done
}
