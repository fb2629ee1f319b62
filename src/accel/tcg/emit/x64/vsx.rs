//! The rest of the logic of vector-scalar registers, and the shift of two by words (ISA I 7.6).

use super::Emitter;
use super::Form;
use super::Template;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("xxlnor", |e, i| xx(e, i, Logic::Nor)), ("xxlorc", |e, i| xx(e, i, Logic::Orc)),
    ("xxlnand", |e, i| xx(e, i, Logic::Nand)), ("xxleqv", |e, i| xx(e, i, Logic::Eqv)), ("vorc", |e, i| v(e, i, Logic::Orc)),
    ("xxsldwi", xxsldwi),
];

/// Functions of two registers, bit by bit, that invert.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Logic {
    Nor,
    Orc,
    Nand,
    Eqv,
}

fn xx(e: &mut Emitter<'_>, i: Insn, f: Logic) -> Form {
    logic(e, [i.xt(), i.xa(), i.xb()], f)
}

fn v(e: &mut Emitter<'_>, i: Insn, f: Logic) -> Form {
    logic(e, [32 + i.frt(), 32 + i.fra(), 32 + i.frb()], f)
}

fn logic(e: &mut Emitter<'_>, registers: [usize; 3], f: Logic) -> Form {
    let same = registers[1] == registers[2];
    let [t, a, b] = registers.map(Emitter::at_vsr);
    dynasm!(e.a ; vpcmpeqd xmm2, xmm2, xmm2 ; vmovups xmm1, [rbp + a]);
    match f {
        // The ways to write all ones.
        Logic::Eqv | Logic::Orc if same => dynasm!(e.a ; vmovaps xmm1, xmm2),
        Logic::Nor => dynasm!(e.a ; vpor xmm1, xmm1, [rbp + b] ; vpxor xmm1, xmm1, xmm2),
        Logic::Nand => dynasm!(e.a ; vpand xmm1, xmm1, [rbp + b] ; vpxor xmm1, xmm1, xmm2),
        Logic::Eqv => dynasm!(e.a ; vpxor xmm1, xmm1, [rbp + b] ; vpxor xmm1, xmm1, xmm2),
        Logic::Orc => dynasm!(e.a ; vpxor xmm2, xmm2, [rbp + b] ; vpor xmm1, xmm1, xmm2),
    }
    dynasm!(e.a ; vmovups [rbp + t], xmm1);
    Form::Done
}

/// xxsldwi: four words of eight, from word SHW on.
fn xxsldwi(e: &mut Emitter<'_>, i: Insn) -> Form {
    let n = i.field(22, 23) as i8;
    let [t, a, b] = [i.xt(), i.xa(), i.xb()].map(Emitter::at_vsr);
    // In the order of the words as the host's lanes, most significant last: then it is a shift of both together.
    dynasm!(e.a ; vpshufd xmm1, [rbp + a], 0x4e ; vpshufd xmm2, [rbp + b], 0x4e);
    dynasm!(e.a ; palignr xmm1, xmm2, 16 - 4 * n ; vpshufd xmm1, xmm1, 0x4e ; vmovups [rbp + t], xmm1);
    Form::Done
}
