//! Vector integer arithmetic, compares, shifts, splats, merges and moves of elements (ISA I 6.8 to 6.12, 7.6).
//!
//! The elements of a doubleword stand in memory from the last to the first, in every register alike. So what is done lane by lane does not care; where elements
//! are numbered, element k of a register with n to the doubleword is lane k ^ (n - 1).

use super::Emitter;
use super::Form;
use super::RAX;
use super::RCX;
use super::Template;
use super::cr_field;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// xmm0, which holds VRA, ← f of it and VRB, which is at this distance from rbp.
type Lanes = fn(&mut Emitter<'_>, i32);

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("vaddubm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; paddb xmm0, [rbp + b]))), ("vadduhm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; paddw xmm0, [rbp + b]))),
    ("vadduwm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; paddd xmm0, [rbp + b]))), ("vaddudm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; paddq xmm0, [rbp + b]))),
    ("vsububm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; psubb xmm0, [rbp + b]))), ("vsubuhm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; psubw xmm0, [rbp + b]))),
    ("vsubuwm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; psubd xmm0, [rbp + b]))), ("vsubudm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; psubq xmm0, [rbp + b]))),
    ("vmuluwm", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pmulld xmm0, [rbp + b]))),
    ("vmaxub", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pmaxub xmm0, [rbp + b]))), ("vmaxuh", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pmaxuw xmm0, [rbp + b]))),
    ("vmaxuw", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pmaxud xmm0, [rbp + b]))), ("vmaxsb", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pmaxsb xmm0, [rbp + b]))),
    ("vmaxsh", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pmaxsw xmm0, [rbp + b]))), ("vmaxsw", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pmaxsd xmm0, [rbp + b]))),
    ("vminub", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pminub xmm0, [rbp + b]))), ("vminuh", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pminuw xmm0, [rbp + b]))),
    ("vminuw", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pminud xmm0, [rbp + b]))), ("vminsb", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pminsb xmm0, [rbp + b]))),
    ("vminsh", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pminsw xmm0, [rbp + b]))), ("vminsw", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pminsd xmm0, [rbp + b]))),
    ("vavgub", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pavgb xmm0, [rbp + b]))), ("vavguh", |e, i| lanes(e, i, |e, b| dynasm!(e.a ; pavgw xmm0, [rbp + b]))),
    ("vcmpequb", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpeqb xmm0, [rbp + b]))), ("vcmpequh", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpeqw xmm0, [rbp + b]))),
    ("vcmpequw", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpeqd xmm0, [rbp + b]))), ("vcmpequd", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpeqq xmm0, [rbp + b]))),
    ("vcmpgtsb", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpgtb xmm0, [rbp + b]))), ("vcmpgtsh", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpgtw xmm0, [rbp + b]))),
    ("vcmpgtsw", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpgtd xmm0, [rbp + b]))), ("vcmpgtsd", |e, i| compare(e, i, |e, b| dynasm!(e.a ; pcmpgtq xmm0, [rbp + b]))),
    ("vcmpgtub", |e, i| compare(e, i, |e, b| { dynasm!(e.a ; pmaxub xmm0, [rbp + b] ; pcmpeqb xmm0, [rbp + b]); invert(e) })),
    ("vcmpgtuh", |e, i| compare(e, i, |e, b| { dynasm!(e.a ; pmaxuw xmm0, [rbp + b] ; pcmpeqw xmm0, [rbp + b]); invert(e) })),
    ("vcmpgtuw", |e, i| compare(e, i, |e, b| { dynasm!(e.a ; pmaxud xmm0, [rbp + b] ; pcmpeqd xmm0, [rbp + b]); invert(e) })),
    ("vcmpneb", |e, i| compare(e, i, |e, b| { dynasm!(e.a ; pcmpeqb xmm0, [rbp + b]); invert(e) })),
    ("vcmpnew", |e, i| compare(e, i, |e, b| { dynasm!(e.a ; pcmpeqd xmm0, [rbp + b]); invert(e) })),
    ("vnor", |e, i| lanes(e, i, |e, b| { dynasm!(e.a ; por xmm0, [rbp + b]); invert(e) })), ("vnand", |e, i| lanes(e, i, |e, b| { dynasm!(e.a ; pand xmm0, [rbp + b]); invert(e) })),
    ("veqv", |e, i| lanes(e, i, |e, b| { dynasm!(e.a ; pxor xmm0, [rbp + b]); invert(e) })),
    ("vslw", |e, i| shift(e, i, 31, |e| dynasm!(e.a ; vpsllvd xmm0, xmm0, xmm1))), ("vsrw", |e, i| shift(e, i, 31, |e| dynasm!(e.a ; vpsrlvd xmm0, xmm0, xmm1))),
    ("vsraw", |e, i| shift(e, i, 31, |e| dynasm!(e.a ; vpsravd xmm0, xmm0, xmm1))),
    ("vsld", |e, i| shift(e, i, 63, |e| dynasm!(e.a ; vpsllvq xmm0, xmm0, xmm1))), ("vsrd", |e, i| shift(e, i, 63, |e| dynasm!(e.a ; vpsrlvq xmm0, xmm0, xmm1))),
    ("vrlw", |e, i| shift(e, i, 31, rotate_words)), ("vslh", |e, i| shift(e, i, 15, shift_halves_left)),
    ("vsel", |e, i| select(e, i.frt() + 32, i.fra() + 32, i.frb() + 32, i.frc() + 32)), ("xxsel", |e, i| select(e, i.xt(), i.xa(), i.xb(), i.xc())),
    ("vspltb", |e, i| splat_byte(e, i)), ("vsplth", |e, i| splat_half(e, i)),
    ("vspltw", |e, i| splat_word(e, i.frt() + 32, i.frb() + 32, i.field(14, 15))), ("xxspltw", |e, i| splat_word(e, i.xt(), i.xb(), i.field(14, 15))),
    ("xxspltib", |e, i| { e.constant(RAX, u64::from(i.field(13, 20)) * 0x0101_0101); splat_eax(e, i.xt()) }),
    ("mtvsrws", |e, i| { e.get(i.ra(), RAX); splat_eax(e, i.xt()) }),
    ("mtvsrwz", |e, i| { e.get_word(i.ra(), RAX); scalar(e, i.xt()) }), ("mtvsrwa", |e, i| { e.get_signed_word(i.ra(), RAX); scalar(e, i.xt()) }),
    ("mfvsrwz", |e, i| { dynasm!(e.a ; mov eax, [rbp + Emitter::at_vsr(i.xt())]); e.put(i.ra(), RAX); Form::Done }),
    ("vmrghb", |e, i| merge(e, vr(i), |e, a| dynasm!(e.a ; punpcklbw xmm0, [rbp + a]))), ("vmrglb", |e, i| merge(e, vr(i), |e, a| dynasm!(e.a ; punpckhbw xmm0, [rbp + a]))),
    ("vmrghh", |e, i| merge(e, vr(i), |e, a| dynasm!(e.a ; punpcklwd xmm0, [rbp + a]))), ("vmrglh", |e, i| merge(e, vr(i), |e, a| dynasm!(e.a ; punpckhwd xmm0, [rbp + a]))),
    ("vmrghw", |e, i| merge(e, vr(i), |e, a| dynasm!(e.a ; punpckldq xmm0, [rbp + a]))), ("vmrglw", |e, i| merge(e, vr(i), |e, a| dynasm!(e.a ; punpckhdq xmm0, [rbp + a]))),
    ("xxmrghw", |e, i| merge(e, vsr(i), |e, a| dynasm!(e.a ; punpckldq xmm0, [rbp + a]))), ("xxmrglw", |e, i| merge(e, vsr(i), |e, a| dynasm!(e.a ; punpckhdq xmm0, [rbp + a]))),
    ("vextsb2w", |e, i| extend(e, i, |e| dynasm!(e.a ; pslld xmm0, 24 ; psrad xmm0, 24))), ("vextsh2w", |e, i| extend(e, i, |e| dynasm!(e.a ; pslld xmm0, 16 ; psrad xmm0, 16))),
    ("xxextractuw", xxextractuw), ("vextubrx", |e, i| extract(e, i, 1)), ("vextuhrx", |e, i| extract(e, i, 2)), ("vextuwrx", |e, i| extract(e, i, 4)),
];

/// Target and sources of a vector instruction, as VSRs.
fn vr(i: Insn) -> [usize; 3] {
    [i.frt() + 32, i.fra() + 32, i.frb() + 32]
}

/// Target and sources of a VSX instruction.
fn vsr(i: Insn) -> [usize; 3] {
    [i.xt(), i.xa(), i.xb()]
}

/// VRT ← f of VRA and VRB.
fn lanes(e: &mut Emitter<'_>, i: Insn, f: Lanes) -> Form {
    let [t, a, b] = vr(i).map(Emitter::at_vsr);
    dynasm!(e.a ; movdqa xmm0, [rbp + a]);
    f(e, b);
    dynasm!(e.a ; movdqa [rbp + t], xmm0);
    Form::Done
}

/// xmm0 ← ¬xmm0.
fn invert(e: &mut Emitter<'_>) {
    dynasm!(e.a ; pcmpeqd xmm1, xmm1 ; pxor xmm0, xmm1);
}

/// As `lanes`; with the record bit CR6 says whether all or none of the lanes hold.
fn compare(e: &mut Emitter<'_>, i: Insn, f: Lanes) -> Form {
    lanes(e, i, f);
    if i.field(21, 21) != 0 {
        // LT is the fourth byte of the field, EQ the second.
        dynasm!(e.a
            ; pmovmskb eax, xmm0
            ; xor ecx, ecx
            ; xor edx, edx
            ; cmp eax, 0xffff
            ; sete dl
            ; shl edx, 24
            ; test eax, eax
            ; sete cl
            ; shl ecx, 8
            ; or ecx, edx
            ; mov [rbp + cr_field(6)], ecx
        );
    }
    Form::Done
}

/// VRT ← VRA shifted by VRB, of which only the bits of `mask` count, in xmm0 and xmm1. The mask is spread over words, which for doublewords leaves no more than it should
/// since the high word is cleared.
fn shift(e: &mut Emitter<'_>, i: Insn, mask: i32, f: fn(&mut Emitter<'_>)) -> Form {
    let [t, a, b] = vr(i).map(Emitter::at_vsr);
    if mask == 63 {
        dynasm!(e.a ; mov eax, mask ; movd xmm1, eax ; pshufd xmm1, xmm1, 0x44);
    } else {
        let lanes = if mask == 15 { mask | (mask << 16) } else { mask };
        dynasm!(e.a ; mov eax, lanes ; movd xmm1, eax ; pshufd xmm1, xmm1, 0);
    }
    dynasm!(e.a ; pand xmm1, [rbp + b] ; movdqa xmm0, [rbp + a]);
    f(e);
    dynasm!(e.a ; movdqa [rbp + t], xmm0);
    Form::Done
}

fn rotate_words(e: &mut Emitter<'_>) {
    // A count of 32 gives zero, which is what a rotation by none needs.
    dynasm!(e.a
        ; vpsllvd xmm2, xmm0, xmm1
        ; mov eax, 32
        ; movd xmm3, eax
        ; pshufd xmm3, xmm3, 0
        ; psubd xmm3, xmm1
        ; vpsrlvd xmm0, xmm0, xmm3
        ; por xmm0, xmm2
    );
}

/// Words are the host's least lanes with counts of their own: both halfwords of a word in turn.
fn shift_halves_left(e: &mut Emitter<'_>) {
    dynasm!(e.a
        ; movdqa xmm2, xmm1
        ; psrld xmm2, 16
        ; movdqa xmm3, xmm0
        ; psrld xmm3, 16
        ; vpsllvd xmm3, xmm3, xmm2
        ; pslld xmm3, 16
        ; pslld xmm1, 16
        ; psrld xmm1, 16
        ; vpsllvd xmm0, xmm0, xmm1
        ; pslld xmm0, 16
        ; psrld xmm0, 16
        ; por xmm0, xmm3
    );
}

/// T ← B where C has ones, else A.
fn select(e: &mut Emitter<'_>, t: usize, a: usize, b: usize, c: usize) -> Form {
    let [t, a, b, c] = [t, a, b, c].map(Emitter::at_vsr);
    dynasm!(e.a
        ; movdqa xmm0, [rbp + c]
        ; movdqa xmm1, [rbp + b]
        ; pand xmm1, xmm0
        ; pandn xmm0, [rbp + a]
        ; por xmm0, xmm1
        ; movdqa [rbp + t], xmm0
    );
    Form::Done
}

/// Every word of VSR `t` ← eax.
fn splat_eax(e: &mut Emitter<'_>, t: usize) -> Form {
    dynasm!(e.a ; movd xmm0, eax ; pshufd xmm0, xmm0, 0 ; movdqa [rbp + Emitter::at_vsr(t)], xmm0);
    Form::Done
}

/// Doubleword 0 of VSR `t` ← rax, doubleword 1 ← 0.
fn scalar(e: &mut Emitter<'_>, t: usize) -> Form {
    let at = Emitter::at_vsr(t);
    // In one store: the host forwards no load of sixteen bytes from two of eight.
    dynasm!(e.a ; movq xmm0, rax ; movdqa [rbp + at], xmm0);
    Form::Done
}

fn splat_word(e: &mut Emitter<'_>, t: usize, b: usize, n: u32) -> Form {
    let at = Emitter::at_vsr(b) + 4 * (n as i32 ^ 1);
    dynasm!(e.a ; mov eax, [rbp + at]);
    splat_eax(e, t)
}

fn splat_half(e: &mut Emitter<'_>, i: Insn) -> Form {
    let at = Emitter::at_vsr(i.frb() + 32) + 2 * (i.field(13, 15) as i32 ^ 3);
    dynasm!(e.a ; movzx eax, WORD [rbp + at] ; imul eax, eax, 0x0001_0001);
    splat_eax(e, i.frt() + 32)
}

fn splat_byte(e: &mut Emitter<'_>, i: Insn) -> Form {
    let at = Emitter::at_vsr(i.frb() + 32) + (i.field(12, 15) as i32 ^ 7);
    dynasm!(e.a ; movzx eax, BYTE [rbp + at] ; imul eax, eax, 0x0101_0101);
    splat_eax(e, i.frt() + 32)
}

/// The elements of one doubleword of A and of B in turn. Interleaved from the last, the doublewords of the result come in the wrong order.
fn merge(e: &mut Emitter<'_>, registers: [usize; 3], interleave: Lanes) -> Form {
    let [t, a, b] = registers.map(Emitter::at_vsr);
    dynasm!(e.a ; movdqa xmm0, [rbp + b]);
    interleave(e, a);
    dynasm!(e.a ; pshufd xmm0, xmm0, 0x4e ; movdqa [rbp + t], xmm0);
    Form::Done
}

fn extend(e: &mut Emitter<'_>, i: Insn, f: fn(&mut Emitter<'_>)) -> Form {
    dynasm!(e.a ; movdqa xmm0, [rbp + Emitter::at_vsr(i.frb() + 32)]);
    f(e);
    dynasm!(e.a ; movdqa [rbp + Emitter::at_vsr(i.frt() + 32)], xmm0);
    Form::Done
}

/// A word of XB, zero-extended, to doubleword 0.
fn xxextractuw(e: &mut Emitter<'_>, i: Insn) -> Form {
    let at = i.field(12, 15) as i32;
    if at & 3 != 0 {
        return Form::Step;
    }
    dynasm!(e.a ; mov eax, [rbp + Emitter::at_vsr(i.xb()) + (at ^ 4)]);
    scalar(e, i.xt())
}

/// RT ← the element of VRB at the byte that RA counts from the right.
fn extract(e: &mut Emitter<'_>, i: Insn, bytes: i8) -> Form {
    let rare = e.fallback();
    let at = Emitter::at_vsr(i.frb() + 32);
    e.get(i.ra(), RCX);
    dynasm!(e.a ; and ecx, 15);
    if bytes > 1 {
        dynasm!(e.a ; test cl, bytes - 1 ; jnz =>rare);
    }
    // The doubleword on the right is the second.
    dynasm!(e.a ; xor ecx, 8);
    match bytes {
        1 => dynasm!(e.a ; movzx eax, BYTE [rbp + rcx + at]),
        2 => dynasm!(e.a ; movzx eax, WORD [rbp + rcx + at]),
        _ => dynasm!(e.a ; mov eax, [rbp + rcx + at]),
    }
    e.put(i.rt(), RAX);
    Form::Done
}
