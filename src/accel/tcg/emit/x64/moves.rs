//! Moves between general registers, CR and special registers; hints and barriers (ISA I 3.3.17, ISA II 4.3, 4.6).

use super::CR;
use super::CTR;
use super::Emitter;
use super::Form;
use super::LR;
use super::ORDERS;
use super::RAX;
use super::SO;
use super::Template;
use super::XER;
use super::cr_field;
use super::spr_at;
use crate::accel::interp::spr::Use;
use crate::accel::interp::spr::is_storage;
use crate::cpu::Cr;
use crate::cpu::Xer;
use crate::cpu::state::EQ;
use crate::cpu::state::GT;
use crate::cpu::state::LT;
use crate::isa::Insn;
use crate::isa::spr;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;
use std::mem::offset_of;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("mfspr", mfspr), ("mtspr", mtspr),
    ("mfcr", mfcr), ("mfocrf", mfocrf), ("mtcrf", mtcrf), ("mtocrf", mtocrf),
    ("dcbt", nothing), ("dcbtst", nothing), ("icbt", nothing),
    ("sync", sync), ("eieio", nothing),
];

/// Hints; and eieio: the host orders stores.
fn nothing(e: &mut Emitter<'_>, _: Insn) -> Form {
    e.kept = true;
    Form::Done
}

/// sync: only a store followed by a load may pass each other on this host, and lwsync lets them.
fn sync(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.field(8, 10) != 1 {
        dynasm!(e.a ; lock or DWORD [rsp], 0);
    }
    Form::Done
}

/// Where a register is that is storage and nothing else, in the state that this code is for.
fn storage(e: &Emitter<'_>, n: usize, to: Use) -> Option<i32> {
    match n {
        spr::LR => Some(LR),
        spr::CTR => Some(CTR),
        // Kept apart until somebody looks.
        spr::CFAR => None,
        _ => is_storage(e.core, n, to).then(|| spr_at(n)),
    }
}

fn mfspr(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.spr() as usize == spr::XER {
        return mfxer(e, i);
    }
    let Some(at) = storage(e, i.spr() as usize, Use::Read) else { return Form::Step };
    e.kept = true;
    let d = e.dst(i.rt(), RAX);
    dynasm!(e.a ; mov Rq(d), [rbp + at]);
    e.put(i.rt(), d);
    Form::Done
}

fn mtspr(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.spr() as usize == spr::XER {
        return mtxer(e, i);
    }
    let Some(at) = storage(e, i.spr() as usize, Use::Write) else { return Form::Step };
    e.kept = true;
    let s = e.src(i.rt(), RAX);
    dynasm!(e.a ; mov [rbp + at], Rq(s));
    Form::Done
}

/// Where each flag of XER is in the vCPU and in the register.
const XER_FLAGS: [(i32, i8); 5] = [
    (XER + offset_of!(Xer, so) as i32, 31),
    (XER + offset_of!(Xer, ov) as i32, 30),
    (XER + offset_of!(Xer, ca) as i32, 29),
    (XER + offset_of!(Xer, ov32) as i32, 19),
    (XER + offset_of!(Xer, ca32) as i32, 18),
];
const XER_COUNT: i32 = XER + offset_of!(Xer, count) as i32;

fn mfxer(e: &mut Emitter<'_>, i: Insn) -> Form {
    dynasm!(e.a ; movzx eax, BYTE [rbp + XER_COUNT] ; and eax, 0x7f);
    for (at, n) in XER_FLAGS {
        dynasm!(e.a ; movzx ecx, BYTE [rbp + at] ; shl ecx, n ; or eax, ecx);
    }
    e.put(i.rt(), RAX);
    Form::Done
}

fn mtxer(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.rt(), RAX);
    for (at, n) in XER_FLAGS {
        dynasm!(e.a ; bt eax, n ; setc [rbp + at]);
    }
    dynasm!(e.a ; and eax, 0x7f ; mov [rbp + XER_COUNT], al);
    // What compares copy SO from.
    dynasm!(e.a ; movzx eax, BYTE [rbp + SO]);
    for (k, bit) in [LT, GT, EQ].into_iter().enumerate() {
        dynasm!(e.a ; lea ecx, [rax + Cr::spread(bit) as i32] ; mov [rbp + ORDERS + 4 * k as i32], ecx);
    }
    Form::Done
}

/// eax ← CR. Uses rcx.
fn collect(e: &mut Emitter<'_>) {
    dynasm!(e.a
        ; movdqu xmm0, [rbp + CR]
        ; movdqu xmm1, [rbp + CR + 16]
        ; psllw xmm0, 7
        ; psllw xmm1, 7
        ; pmovmskb eax, xmm0
        ; pmovmskb ecx, xmm1
        ; shl ecx, 16
        ; or eax, ecx
    );
}

fn mfcr(e: &mut Emitter<'_>, i: Insn) -> Form {
    collect(e);
    e.put(i.rt(), RAX);
    Form::Done
}

fn mfocrf(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.fxm().count_ones() != 1 {
        return Form::Step;
    }
    let n = 7 - i.fxm().trailing_zeros();
    collect(e);
    dynasm!(e.a ; and eax, (0xf000_0000u32 >> (4 * n)) as i32);
    e.put(i.rt(), RAX);
    Form::Done
}

/// Spreads the nibbles of RS over the fields' bytes.
fn mtcrf(e: &mut Emitter<'_>, i: Insn) -> Form {
    dynasm!(e.a ; mov ecx, 0x0101_0101);
    for n in (0..8).filter(|n| i.fxm() & (0x80 >> n) != 0) {
        e.get_word(i.rt(), RAX);
        if n != 7 {
            dynasm!(e.a ; shr eax, 28 - 4 * n as i8);
        }
        dynasm!(e.a ; pdep eax, eax, ecx ; mov [rbp + cr_field(n)], eax);
    }
    Form::Done
}

fn mtocrf(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.fxm().count_ones() == 1 { mtcrf(e, i) } else { Form::Step }
}
