//! VSX floating point of vectors on the host's unit (ISA I 7.6): the same as `float` does for scalars, for all elements at a time. FPSCR's part is less: only sticky bits.

use super::CONSTANTS;
use super::Cold;
use super::Emitter;
use super::Form;
use super::Template;
use crate::accel::tcg::fp::FINITE;
use crate::accel::tcg::fp::NORMAL;
use crate::accel::tcg::fp::SIGN32;
use crate::accel::tcg::fp::SIGN64;
use crate::isa::Insn;
use dynasmrt::DynamicLabel;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("xvadddp", |e, i| two(e, i, Op::Add, D)), ("xvaddsp", |e, i| two(e, i, Op::Add, S)),
    ("xvsubdp", |e, i| two(e, i, Op::Sub, D)), ("xvsubsp", |e, i| two(e, i, Op::Sub, S)),
    ("xvmuldp", |e, i| two(e, i, Op::Mul, D)), ("xvmulsp", |e, i| two(e, i, Op::Mul, S)),
    ("xvdivdp", |e, i| two(e, i, Op::Div, D)), ("xvdivsp", |e, i| two(e, i, Op::Div, S)),
    ("xvsqrtdp", |e, i| root(e, i, D)), ("xvsqrtsp", |e, i| root(e, i, S)),
    ("xvmaddadp", |e, i| fused(e, i, A, Fma::Add, D)), ("xvmaddasp", |e, i| fused(e, i, A, Fma::Add, S)),
    ("xvmaddmdp", |e, i| fused(e, i, M, Fma::Add, D)), ("xvmaddmsp", |e, i| fused(e, i, M, Fma::Add, S)),
    ("xvmsubadp", |e, i| fused(e, i, A, Fma::Sub, D)), ("xvmsubasp", |e, i| fused(e, i, A, Fma::Sub, S)),
    ("xvmsubmdp", |e, i| fused(e, i, M, Fma::Sub, D)), ("xvmsubmsp", |e, i| fused(e, i, M, Fma::Sub, S)),
    ("xvnmaddadp", |e, i| fused(e, i, A, Fma::NegAdd, D)), ("xvnmaddasp", |e, i| fused(e, i, A, Fma::NegAdd, S)),
    ("xvnmaddmdp", |e, i| fused(e, i, M, Fma::NegAdd, D)), ("xvnmaddmsp", |e, i| fused(e, i, M, Fma::NegAdd, S)),
    ("xvnmsubadp", |e, i| fused(e, i, A, Fma::NegSub, D)), ("xvnmsubasp", |e, i| fused(e, i, A, Fma::NegSub, S)),
    ("xvnmsubmdp", |e, i| fused(e, i, M, Fma::NegSub, D)), ("xvnmsubmsp", |e, i| fused(e, i, M, Fma::NegSub, S)),
    ("xvnegdp", |e, i| signs(e, i, Signs::Flip, D)), ("xvnegsp", |e, i| signs(e, i, Signs::Flip, S)),
    ("xvabsdp", |e, i| signs(e, i, Signs::Clear, D)), ("xvabssp", |e, i| signs(e, i, Signs::Clear, S)),
    ("xvnabsdp", |e, i| signs(e, i, Signs::Set, D)), ("xvnabssp", |e, i| signs(e, i, Signs::Set, S)),
    ("xvcpsgndp", |e, i| signs(e, i, Signs::Copy, D)), ("xvcpsgnsp", |e, i| signs(e, i, Signs::Copy, S)),
    ("xvcmpeqdp", |e, i| compare(e, i, Test::Equal, D)), ("xvcmpeqsp", |e, i| compare(e, i, Test::Equal, S)),
    ("xvcmpgtdp", |e, i| compare(e, i, Test::Greater, D)), ("xvcmpgtsp", |e, i| compare(e, i, Test::Greater, S)),
    ("xvcmpgedp", |e, i| compare(e, i, Test::GreaterOrEqual, D)), ("xvcmpgesp", |e, i| compare(e, i, Test::GreaterOrEqual, S)),
    ("xvcvsxwsp", xvcvsxwsp), ("xvcvspsxws", xvcvspsxws), ("xvcvsxddp", xvcvsxddp),
];

use Precision::D;
use Precision::S;
use Shape::A;
use Shape::M;

/// What the elements are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    /// Two doubles.
    D,
    /// Four singles.
    S,
}

/// What XT is in a fused operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// The addend.
    A,
    /// A factor.
    M,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Add,
    Sub,
    Mul,
    Div,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fma {
    Add,
    Sub,
    NegAdd,
    NegSub,
}

/// Elements that are not normal, to be looked at out of the way: each must be zero, and so must be one of its factors (from rbp), and the addend if there is one.
#[derive(Clone, Copy)]
pub struct Zeros {
    from: DynamicLabel,
    back: DynamicLabel,
    fallback: DynamicLabel,
    precision: Precision,
    a: i32,
    b: i32,
    c: Option<i32>,
}

/// One of [`fp::CONSTANTS`](crate::accel::tcg::fp::CONSTANTS), from rbp.
const fn constant(n: usize) -> i32 {
    CONSTANTS + 16 * n as i32
}

impl Emitter<'_> {
    /// xmm2 ← ones in the elements of xmm1 that are outside a range ([`NORMAL`] or [`FINITE`]); the host's zero flag is set if there is none.
    fn outside(&mut self, range: usize, p: Precision) {
        let (add, limit) = match p {
            D => (constant(range), constant(range + 1)),
            S => (constant(range + 2), constant(range + 3)),
        };
        match p {
            D => dynasm!(self.a ; vpaddq xmm2, xmm1, xmm1 ; vpaddq xmm2, xmm2, [rbp + add] ; vpcmpgtq xmm2, xmm2, [rbp + limit]),
            S => dynasm!(self.a ; vpaddd xmm2, xmm1, xmm1 ; vpaddd xmm2, xmm2, [rbp + add] ; vpcmpgtd xmm2, xmm2, [rbp + limit]),
        }
        dynasm!(self.a ; vptest xmm2, xmm2);
    }

    /// Goes on if all elements of xmm1 are finite.
    fn keep_finite(&mut self, p: Precision) {
        let fallback = self.fallback();
        self.outside(FINITE, p);
        dynasm!(self.a ; jnz =>fallback);
    }

    /// Goes on if all elements of xmm1 are normal, or zero with a reason: a zero among two factors, and a zero addend.
    fn keep_normal(&mut self, p: Precision, zeros: Option<(i32, i32, Option<i32>)>) {
        let fallback = self.fallback();
        self.outside(NORMAL, p);
        match zeros {
            None => dynasm!(self.a ; jnz =>fallback),
            Some((a, b, c)) => {
                let (from, back) = (self.a.new_dynamic_label(), self.a.new_dynamic_label());
                dynasm!(self.a ; jnz =>from ; =>back);
                self.cold.push(Cold::Zeros(Zeros { from, back, fallback, precision: p, a, b, c }));
            }
        }
    }

    /// xmm5 ← ones in the elements at `v` that are zero; xmm3 is zero.
    fn zero_elements(&mut self, v: i32, p: Precision) {
        dynasm!(self.a ; vmovups xmm5, [rbp + v]);
        match p {
            D => dynasm!(self.a ; cmppd xmm5, xmm3, 0),
            S => dynasm!(self.a ; cmpps xmm5, xmm3, 0),
        }
    }

    /// The out-of-the-way part of [`Emitter::keep_normal`].
    pub fn zeros(&mut self, z: Zeros) {
        let fallback = z.fallback;
        // xmm4: bad elements that are not zero.
        dynasm!(self.a ; =>z.from ; vpxor xmm3, xmm3, xmm3);
        match z.precision {
            D => dynasm!(self.a ; vmovaps xmm4, xmm1 ; cmppd xmm4, xmm3, 0 ; vpandn xmm4, xmm4, xmm2 ; vptest xmm4, xmm4 ; jnz =>fallback),
            S => dynasm!(self.a ; vmovaps xmm4, xmm1 ; cmpps xmm4, xmm3, 0 ; vpandn xmm4, xmm4, xmm2 ; vptest xmm4, xmm4 ; jnz =>fallback),
        }
        // xmm4: elements with a zero factor, and a zero addend.
        self.zero_elements(z.a, z.precision);
        dynasm!(self.a ; vmovaps xmm4, xmm5);
        self.zero_elements(z.b, z.precision);
        dynasm!(self.a ; vpor xmm4, xmm4, xmm5);
        if let Some(c) = z.c {
            self.zero_elements(c, z.precision);
            dynasm!(self.a ; vpand xmm4, xmm4, xmm5);
        }
        dynasm!(self.a ; vpandn xmm4, xmm4, xmm2 ; vptest xmm4, xmm4 ; jnz =>fallback ; jmp =>z.back);
    }
}

fn at(i: Insn) -> [i32; 3] {
    [i.xt(), i.xa(), i.xb()].map(Emitter::at_vsr)
}

fn two(e: &mut Emitter<'_>, i: Insn, op: Op, p: Precision) -> Form {
    if !e.host_fp {
        return Form::Step;
    }
    let [t, a, b] = at(i);
    e.plain_fpscr();
    dynasm!(e.a ; vmovups xmm0, [rbp + a]);
    match (op, p) {
        (Op::Add, D) => dynasm!(e.a ; vaddpd xmm1, xmm0, [rbp + b]),
        (Op::Add, S) => dynasm!(e.a ; vaddps xmm1, xmm0, [rbp + b]),
        (Op::Sub, D) => dynasm!(e.a ; vsubpd xmm1, xmm0, [rbp + b]),
        (Op::Sub, S) => dynasm!(e.a ; vsubps xmm1, xmm0, [rbp + b]),
        (Op::Mul, D) => dynasm!(e.a ; vmulpd xmm1, xmm0, [rbp + b]),
        (Op::Mul, S) => dynasm!(e.a ; vmulps xmm1, xmm0, [rbp + b]),
        (Op::Div, D) => dynasm!(e.a ; vdivpd xmm1, xmm0, [rbp + b]),
        (Op::Div, S) => dynasm!(e.a ; vdivps xmm1, xmm0, [rbp + b]),
    }
    match op {
        Op::Add | Op::Sub => e.keep_finite(p),
        Op::Mul => e.keep_normal(p, Some((a, b, None))),
        Op::Div => e.keep_normal(p, Some((a, a, None))),
    }
    dynasm!(e.a ; vmovups [rbp + t], xmm1);
    Form::Done
}

fn root(e: &mut Emitter<'_>, i: Insn, p: Precision) -> Form {
    if !e.host_fp {
        return Form::Step;
    }
    let [t, _, b] = at(i);
    e.plain_fpscr();
    match p {
        D => dynasm!(e.a ; vsqrtpd xmm1, [rbp + b]),
        S => dynasm!(e.a ; vsqrtps xmm1, [rbp + b]),
    }
    e.keep_normal(p, Some((b, b, None)));
    dynasm!(e.a ; vmovups [rbp + t], xmm1);
    Form::Done
}

/// Multiply and add; of the negated forms see `float`.
fn fused(e: &mut Emitter<'_>, i: Insn, shape: Shape, f: Fma, p: Precision) -> Form {
    if !e.host_fp {
        return Form::Step;
    }
    let [t, a, b] = at(i);
    let (factor, addend) = if shape == A { (b, t) } else { (t, b) };
    e.plain_fpscr();
    dynasm!(e.a ; vmovups xmm1, [rbp + a] ; vmovups xmm2, [rbp + factor] ; vmovups xmm3, [rbp + addend]);
    match (f, p) {
        (Fma::Add, S) => dynasm!(e.a ; vfmadd213ps xmm1, xmm2, xmm3),
        (Fma::Sub, S) => dynasm!(e.a ; vfmsub213ps xmm1, xmm2, xmm3),
        (Fma::NegAdd, S) => dynasm!(e.a ; vfnmsub213ps xmm1, xmm2, xmm3),
        (Fma::NegSub, S) => dynasm!(e.a ; vfnmadd213ps xmm1, xmm2, xmm3),
        // The assembler writes the packed double forms as the single ones, so they are spelt out: the same registers, VEX.W set.
        (_, D) => {
            let opcode = match f {
                Fma::Add => 0xa8,
                Fma::Sub => 0xaa,
                Fma::NegSub => 0xac,
                Fma::NegAdd => 0xae,
            };
            dynasm!(e.a ; .u8 0xc4 ; .u8 0xe2 ; .u8 0xe9 ; .u8 opcode ; .u8 0xcb);
        }
    }
    e.keep_normal(p, matches!(f, Fma::Add | Fma::Sub).then_some((a, factor, Some(addend))));
    dynasm!(e.a ; vmovups [rbp + t], xmm1);
    Form::Done
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signs {
    Flip,
    Clear,
    Set,
    Copy,
}

/// Signs, which look at no FPSCR.
fn signs(e: &mut Emitter<'_>, i: Insn, signs: Signs, p: Precision) -> Form {
    let [t, a, b] = at(i);
    let sign = constant(if p == D { SIGN64 } else { SIGN32 });
    dynasm!(e.a ; vmovups xmm2, [rbp + sign]);
    match signs {
        Signs::Flip => dynasm!(e.a ; vpxor xmm1, xmm2, [rbp + b]),
        Signs::Clear => dynasm!(e.a ; vpandn xmm1, xmm2, [rbp + b]),
        Signs::Set => dynasm!(e.a ; vpor xmm1, xmm2, [rbp + b]),
        Signs::Copy => dynasm!(e.a ; vpandn xmm1, xmm2, [rbp + b] ; vpand xmm2, xmm2, [rbp + a] ; vpor xmm1, xmm1, xmm2),
    }
    dynasm!(e.a ; vmovups [rbp + t], xmm1);
    Form::Done
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Test {
    Equal,
    Greater,
    GreaterOrEqual,
}

/// Masks, of numbers. With Rc the function does it.
fn compare(e: &mut Emitter<'_>, i: Insn, test: Test, p: Precision) -> Form {
    if !e.host_fp || i.field(21, 21) != 0 {
        return Form::Step;
    }
    let [t, a, b] = at(i);
    let fallback = e.fallback();
    dynasm!(e.a ; vmovups xmm0, [rbp + a] ; vmovups xmm3, [rbp + b]);
    // Two operands on purpose: of the forms with three the assembler exchanges the sources. Predicates: 3 unordered, 0 equal, 1 less, 2 less or equal.
    match p {
        D => dynasm!(e.a ; vmovaps xmm2, xmm0 ; cmppd xmm2, xmm3, 3 ; vptest xmm2, xmm2 ; jnz =>fallback),
        S => dynasm!(e.a ; vmovaps xmm2, xmm0 ; cmpps xmm2, xmm3, 3 ; vptest xmm2, xmm2 ; jnz =>fallback),
    }
    dynasm!(e.a ; vmovaps xmm1, xmm3);
    match (test, p) {
        (Test::Equal, D) => dynasm!(e.a ; cmppd xmm1, xmm0, 0),
        (Test::Equal, S) => dynasm!(e.a ; cmpps xmm1, xmm0, 0),
        (Test::Greater, D) => dynasm!(e.a ; cmppd xmm1, xmm0, 1),
        (Test::Greater, S) => dynasm!(e.a ; cmpps xmm1, xmm0, 1),
        (Test::GreaterOrEqual, D) => dynasm!(e.a ; cmppd xmm1, xmm0, 2),
        (Test::GreaterOrEqual, S) => dynasm!(e.a ; cmpps xmm1, xmm0, 2),
    }
    dynasm!(e.a ; vmovups [rbp + t], xmm1);
    Form::Done
}

/// Signed words to singles: always in range.
fn xvcvsxwsp(e: &mut Emitter<'_>, i: Insn) -> Form {
    if !e.host_fp {
        return Form::Step;
    }
    let [t, _, b] = at(i);
    e.plain_fpscr();
    dynasm!(e.a ; vcvtdq2ps xmm1, [rbp + b] ; vmovups [rbp + t], xmm1);
    Form::Done
}

/// Signed doublewords to doubles: always in range.
fn xvcvsxddp(e: &mut Emitter<'_>, i: Insn) -> Form {
    if !e.host_fp {
        return Form::Step;
    }
    let [t, _, b] = at(i);
    e.plain_fpscr();
    dynasm!(e.a
        ; vxorps xmm1, xmm1, xmm1
        ; vcvtsi2sd xmm2, xmm1, QWORD [rbp + b + 8]
        ; vcvtsi2sd xmm1, xmm1, QWORD [rbp + b]
        ; vunpcklpd xmm1, xmm1, xmm2
        ; vmovups [rbp + t], xmm1
    );
    Form::Done
}

/// Singles to signed words: the host's answer for what has none is the least integer, which the function looks at.
fn xvcvspsxws(e: &mut Emitter<'_>, i: Insn) -> Form {
    if !e.host_fp {
        return Form::Step;
    }
    let [t, _, b] = at(i);
    let fallback = e.fallback();
    e.plain_fpscr();
    dynasm!(e.a
        ; vcvttps2dq xmm1, [rbp + b]
        ; vpcmpeqd xmm2, xmm1, [rbp + constant(SIGN32)]
        ; vptest xmm2, xmm2
        ; jnz =>fallback
        ; vmovups [rbp + t], xmm1
    );
    Form::Done
}
