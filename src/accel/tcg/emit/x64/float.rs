//! Scalar floating point on the host's unit: the scalar chapter and VSX's scalars (ISA I 4.6, 7.6), which differ in where operands are.
//!
//! A result is kept if no exception but the inexact one can go with it; that shows in its exponent. All else is left to the interpreter's function, and FPSCR to
//! [`fp`](crate::accel::tcg::fp). Sums never lose anything by being tiny, so every finite sum is kept; a product that is zero is kept if a factor is.
//!
//! Single precision is computed in double and rounded again. That gives the same as rounding once unless the double lies halfway between two singles, which
//! is left to the function.

use super::CONVERTED;
use super::Cold;
use super::Emitter;
use super::FPSCR;
use super::Form;
use super::LAST;
use super::OPERANDS;
use super::Order;
use super::Template;
use super::cr_bit;
use crate::accel::tcg::fp::CONTROLS;
use crate::accel::tcg::fp::LEAST_EXPONENT;
use crate::accel::tcg::fp::Last;
use crate::accel::tcg::fp::SINGLE;
use crate::accel::tcg::fp::TRUNCATED;
use crate::accel::tcg::fp::To;
use crate::isa::Insn;
use dynasmrt::DynamicLabel;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("fadd", |e, i| sum(e, Fpr(i), Last::Add, Double)), ("fadds", |e, i| sum(e, Fpr(i), Last::Add, Single)),
    ("fsub", |e, i| sum(e, Fpr(i), Last::Sub, Double)), ("fsubs", |e, i| sum(e, Fpr(i), Last::Sub, Single)),
    ("fmul", |e, i| product(e, FprC(i), Double)), ("fmuls", |e, i| product(e, FprC(i), Single)),
    ("fdiv", |e, i| quotient(e, Fpr(i), Double)), ("fdivs", |e, i| quotient(e, Fpr(i), Single)),
    ("fsqrt", |e, i| root(e, Fpr(i), Double)), ("fsqrts", |e, i| root(e, Fpr(i), Single)),
    ("fmadd", |e, i| fused(e, FprC(i), Last::MulAdd, Double)), ("fmadds", |e, i| fused(e, FprC(i), Last::MulAdd, Single)),
    ("fmsub", |e, i| fused(e, FprC(i), Last::MulSub, Double)), ("fmsubs", |e, i| fused(e, FprC(i), Last::MulSub, Single)),
    ("fnmadd", |e, i| fused(e, FprC(i), Last::NegMulAdd, Double)), ("fnmadds", |e, i| fused(e, FprC(i), Last::NegMulAdd, Single)),
    ("fnmsub", |e, i| fused(e, FprC(i), Last::NegMulSub, Double)), ("fnmsubs", |e, i| fused(e, FprC(i), Last::NegMulSub, Single)),
    ("frsp", |e, i| round(e, Fpr(i))),
    ("fcfid", |e, i| from_signed(e, Fpr(i), Double)), ("fcfids", |e, i| from_signed(e, Fpr(i), Single)),
    ("fctid", |e, i| to_integer(e, Fpr(i), To::I64, 0)), ("fctidz", |e, i| to_integer(e, Fpr(i), To::I64, TRUNCATED)),
    ("fctiw", |e, i| to_integer(e, Fpr(i), To::I32, 0)), ("fctiwz", |e, i| to_integer(e, Fpr(i), To::I32, TRUNCATED)),
    ("fctiduz", |e, i| to_integer(e, Fpr(i), To::U64, TRUNCATED)), ("fctiwuz", |e, i| to_integer(e, Fpr(i), To::U32, TRUNCATED)),
    ("friz", |e, i| integral(e, Fpr(i), 3)), ("frip", |e, i| integral(e, Fpr(i), 2)), ("frim", |e, i| integral(e, Fpr(i), 1)),
    ("fcmpu", |e, i| compare(e, i, Fpr(i))), ("fcmpo", |e, i| compare(e, i, Fpr(i))),
    ("fsel", fsel),
    ("fmr", |e, i| signs(e, Fpr(i), Signs::Keep)), ("fneg", |e, i| signs(e, Fpr(i), Signs::Flip)),
    ("fabs", |e, i| signs(e, Fpr(i), Signs::Clear)), ("fnabs", |e, i| signs(e, Fpr(i), Signs::Set)), ("fcpsgn", |e, i| signs(e, Fpr(i), Signs::Copy)),
    ("xsadddp", |e, i| sum(e, Xx(i), Last::Add, Double)), ("xsaddsp", |e, i| sum(e, Xx(i), Last::Add, Single)),
    ("xssubdp", |e, i| sum(e, Xx(i), Last::Sub, Double)), ("xssubsp", |e, i| sum(e, Xx(i), Last::Sub, Single)),
    ("xsmuldp", |e, i| product(e, Xx(i), Double)), ("xsmulsp", |e, i| product(e, Xx(i), Single)),
    ("xsdivdp", |e, i| quotient(e, Xx(i), Double)), ("xsdivsp", |e, i| quotient(e, Xx(i), Single)),
    ("xssqrtdp", |e, i| root(e, Xx(i), Double)), ("xssqrtsp", |e, i| root(e, Xx(i), Single)),
    ("xsmaddadp", |e, i| fused(e, Xx(i), Last::MulAdd, Double)), ("xsmaddmdp", |e, i| fused(e, XxM(i), Last::MulAdd, Double)),
    ("xsmsubadp", |e, i| fused(e, Xx(i), Last::MulSub, Double)), ("xsmsubmdp", |e, i| fused(e, XxM(i), Last::MulSub, Double)),
    ("xsnmaddadp", |e, i| fused(e, Xx(i), Last::NegMulAdd, Double)), ("xsnmaddmdp", |e, i| fused(e, XxM(i), Last::NegMulAdd, Double)),
    ("xsnmsubadp", |e, i| fused(e, Xx(i), Last::NegMulSub, Double)), ("xsnmsubmdp", |e, i| fused(e, XxM(i), Last::NegMulSub, Double)),
    ("xsmaddasp", |e, i| fused(e, Xx(i), Last::MulAdd, Single)), ("xsmaddmsp", |e, i| fused(e, XxM(i), Last::MulAdd, Single)),
    ("xsmsubasp", |e, i| fused(e, Xx(i), Last::MulSub, Single)), ("xsmsubmsp", |e, i| fused(e, XxM(i), Last::MulSub, Single)),
    ("xsnmaddasp", |e, i| fused(e, Xx(i), Last::NegMulAdd, Single)), ("xsnmaddmsp", |e, i| fused(e, XxM(i), Last::NegMulAdd, Single)),
    ("xsnmsubasp", |e, i| fused(e, Xx(i), Last::NegMulSub, Single)), ("xsnmsubmsp", |e, i| fused(e, XxM(i), Last::NegMulSub, Single)),
    ("xsrsp", |e, i| round(e, Xx(i))),
    ("xscvsxddp", |e, i| from_signed(e, Xx(i), Double)), ("xscvsxdsp", |e, i| from_signed(e, Xx(i), Single)),
    ("xscvdpsxds", |e, i| to_integer(e, Xx(i), To::I64, TRUNCATED)), ("xscvdpuxds", |e, i| to_integer(e, Xx(i), To::U64, TRUNCATED)),
    ("xsrdpiz", |e, i| integral(e, Xx(i), 3)), ("xsrdpip", |e, i| integral(e, Xx(i), 2)), ("xsrdpim", |e, i| integral(e, Xx(i), 1)),
    ("xscmpudp", |e, i| compare(e, i, Xx(i))), ("xscmpodp", |e, i| compare(e, i, Xx(i))),
    ("xsnegdp", |e, i| signs(e, Xx(i), Signs::Flip)), ("xsabsdp", |e, i| signs(e, Xx(i), Signs::Clear)),
    ("xsnabsdp", |e, i| signs(e, Xx(i), Signs::Set)), ("xscpsgndp", |e, i| signs(e, Xx(i), Signs::Copy)),
];

/// Instructions that set FR, FI and FPRF, whatever they were.
#[rustfmt::skip] // As many to a line as fit.
const REMEMBERED: &[&str] = &[
    "fadd", "fadds", "fsub", "fsubs", "fmul", "fmuls", "fdiv", "fdivs", "fsqrt", "fsqrts", "fmadd", "fmadds", "fmsub", "fmsubs", "fnmadd", "fnmadds",
    "fnmsub", "fnmsubs", "frsp", "fcfid", "fcfids", "xsadddp", "xsaddsp", "xssubdp", "xssubsp", "xsmuldp", "xsmulsp", "xsdivdp", "xsdivsp", "xssqrtdp",
    "xssqrtsp", "xsmaddadp", "xsmaddmdp", "xsmsubadp", "xsmsubmdp", "xsnmaddadp", "xsnmaddmdp", "xsnmsubadp", "xsnmsubmdp", "xsmaddasp", "xsmaddmsp",
    "xsmsubasp", "xsmsubmsp", "xsnmaddasp", "xsnmaddmsp", "xsnmsubasp", "xsnmsubmsp", "xsrsp", "xscvsxddp", "xscvsxdsp",
];

use Operands::Fpr;
use Operands::FprC;
use Operands::Xx;
use Operands::XxM;
use Precision::Double;
use Precision::Single;

/// Which registers an instruction works on, all in doubleword 0 of a VSR.
#[derive(Clone, Copy)]
enum Operands {
    /// FRT, FRA, FRB; FRC is not used.
    Fpr(Insn),
    /// FRT, FRA, FRC and FRB: the second factor comes before the addend.
    FprC(Insn),
    /// XT, XA, XB; XT is the addend.
    Xx(Insn),
    /// XT, XA, XT; XB is the addend.
    XxM(Insn),
}

impl Operands {
    /// Target.
    fn t(self) -> i32 {
        Emitter::at_vsr(match self {
            Fpr(i) | FprC(i) => i.frt(),
            Xx(i) | XxM(i) => i.xt(),
        })
    }
    /// First operand.
    fn a(self) -> i32 {
        Emitter::at_vsr(match self {
            Fpr(i) | FprC(i) => i.fra(),
            Xx(i) | XxM(i) => i.xa(),
        })
    }
    /// Second operand: what the first is multiplied with, divided by, compared with; the only one of a function of one.
    fn b(self) -> i32 {
        Emitter::at_vsr(match self {
            Fpr(i) => i.frb(),
            FprC(i) => i.frc(),
            Xx(i) => i.xb(),
            XxM(i) => i.xt(),
        })
    }
    /// The addend.
    fn c(self) -> i32 {
        Emitter::at_vsr(match self {
            Fpr(i) | FprC(i) => i.frb(),
            Xx(i) => i.xt(),
            XxM(i) => i.xb(),
        })
    }
    /// The instruction records CR1.
    fn records(self) -> bool {
        match self {
            Fpr(i) | FprC(i) => i.rc() != 0,
            Xx(_) | XxM(_) => false,
        }
    }
}

/// What a result is rounded to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Precision {
    Double,
    Single,
}

/// Which results are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Everything finite.
    Finite,
    /// What is normal, and zero if one of two operands is zero (from rbp) and the third, if there is one.
    Normal(Option<(i32, i32, Option<i32>)>),
}

/// A result that is not normal, to be looked at out of the way.
#[derive(Clone, Copy)]
pub struct Zero {
    from: DynamicLabel,
    back: DynamicLabel,
    fallback: DynamicLabel,
    /// One of these must be zero, if they are given, and this too.
    either: Option<(i32, i32)>,
    and: Option<i32>,
}

impl Emitter<'_> {
    /// The beginning of every template that looks at FPSCR: the function does the instruction while FPSCR is set to anything unusual.
    pub fn plain_fpscr(&mut self) {
        let fallback = self.fallback();
        dynasm!(self.a ; test BYTE [rbp + FPSCR], CONTROLS as i8 ; jnz =>fallback);
    }

    /// Goes on if the result in xmm1, of this precision already in range and precision of a double, is kept; xmm1 is then of the precision. Uses rax and rcx.
    fn keep(&mut self, precision: Precision, kept: Kept) {
        let fallback = self.fallback();
        dynasm!(self.a ; vmovq rax, xmm1);
        let (least, most) = match precision {
            // A single's normal numbers have these exponents in a double; the greatest could be rounded to more than there is.
            Single => (1023 - 126 + LEAST_EXPONENT - 1, 1023 + 126),
            Double => (LEAST_EXPONENT, 0x7fe),
        };
        if precision == Single {
            dynasm!(self.a ; mov ecx, eax ; and ecx, 0x1fff_ffff ; cmp ecx, 0x1000_0000 ; je =>fallback);
        }
        dynasm!(self.a ; shr rax, 52 ; and eax, 0x7ff);
        let back = self.a.new_dynamic_label();
        if (precision, kept) == (Double, Kept::Finite) {
            dynasm!(self.a ; cmp eax, 0x7ff ; je =>fallback);
        } else {
            let zero = match kept {
                Kept::Finite => Some((None, None)),
                Kept::Normal(None) => None,
                Kept::Normal(Some((a, b, and))) => Some((Some((a, b)), and)),
            };
            let from = zero.map_or(fallback, |(either, and)| {
                let from = self.a.new_dynamic_label();
                self.cold.push(Cold::Zero(Zero { from, back, fallback, either, and }));
                from
            });
            dynasm!(self.a ; sub eax, least as i32 ; cmp eax, (most - least) as i32 ; ja =>from);
        }
        if precision == Single {
            dynasm!(self.a ; vcvtsd2ss xmm1, xmm1, xmm1 ; vcvtss2sd xmm1, xmm1, xmm1);
        }
        dynasm!(self.a ; =>back);
    }

    /// The out-of-the-way part of [`Emitter::keep`].
    pub fn zero(&mut self, z: Zero) {
        dynasm!(self.a ; =>z.from ; vmovq rax, xmm1 ; add rax, rax ; jnz =>z.fallback);
        if let Some(c) = z.and {
            dynasm!(self.a ; mov rax, [rbp + c] ; add rax, rax ; jnz =>z.fallback);
        }
        if let Some((a, b)) = z.either {
            dynasm!(self.a ; mov rax, [rbp + a] ; add rax, rax ; jz =>z.back ; mov rax, [rbp + b] ; add rax, rax ; jnz =>z.fallback);
        }
        dynasm!(self.a ; jmp =>z.back);
    }

    /// Remembers the instruction for FPSCR; `operands` are the xmm registers that hold them.
    fn remember(&mut self, last: Last, precision: Precision, operands: &[u8]) {
        if self.overwritten() {
            return;
        }
        for (k, x) in operands.iter().enumerate() {
            dynasm!(self.a ; vmovsd [rbp + OPERANDS + 8 * k as i32], Rx(*x));
        }
        let last = last as u8 | if precision == Single { SINGLE } else { 0 };
        dynasm!(self.a ; mov DWORD [rbp + LAST], i32::from(last));
    }

    /// Whether the next instruction of the block sets FR, FI and FPRF anew, however it is done: nobody sees what the present one makes of them.
    fn overwritten(&self) -> bool {
        let next = self.block.get(self.index + 1).and_then(|(_, d)| d.row.map(|r| (r.name, d.op.insn)));
        next.is_some_and(|(name, i)| REMEMBERED.contains(&name) && (i.opcd() == 60 || i.rc() == 0))
    }

    /// VSR at `t` ← xmm1, whose high half is zero.
    fn put_xmm1(&mut self, t: i32) {
        dynasm!(self.a ; vmovups [rbp + t], xmm1);
    }
}

/// Sums and differences.
fn sum(e: &mut Emitter<'_>, o: Operands, last: Last, p: Precision) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.a()] ; vmovsd xmm2, [rbp + o.b()]);
    if last == Last::Sub {
        dynasm!(e.a ; vsubsd xmm1, xmm0, xmm2);
    } else {
        dynasm!(e.a ; vaddsd xmm1, xmm0, xmm2);
    }
    e.keep(p, Kept::Finite);
    e.remember(last, p, &[0, 2]);
    e.put_xmm1(o.t());
    Form::Done
}

fn product(e: &mut Emitter<'_>, o: Operands, p: Precision) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.a()] ; vmovsd xmm2, [rbp + o.b()] ; vmulsd xmm1, xmm0, xmm2);
    e.keep(p, Kept::Normal(Some((o.a(), o.b(), None))));
    e.remember(Last::Mul, p, &[0, 2]);
    e.put_xmm1(o.t());
    Form::Done
}

fn quotient(e: &mut Emitter<'_>, o: Operands, p: Precision) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.a()] ; vmovsd xmm2, [rbp + o.b()] ; vdivsd xmm1, xmm0, xmm2);
    e.keep(p, Kept::Normal(Some((o.a(), o.a(), None))));
    e.remember(Last::Div, p, &[0, 2]);
    e.put_xmm1(o.t());
    Form::Done
}

fn root(e: &mut Emitter<'_>, o: Operands, p: Precision) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.b()] ; vsqrtsd xmm1, xmm0, xmm0);
    e.keep(p, Kept::Normal(Some((o.b(), o.b(), None))));
    e.remember(Last::Sqrt, p, &[0]);
    e.put_xmm1(o.t());
    Form::Done
}

/// Multiply and add, rounded once.
fn fused(e: &mut Emitter<'_>, o: Operands, last: Last, p: Precision) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.a()] ; vmovsd xmm2, [rbp + o.b()] ; vmovsd xmm3, [rbp + o.c()] ; vmovaps xmm1, xmm0);
    // The host negates the product before it adds, the guest the rounded sum: the same, to nearest, unless the sum is zero.
    if last == Last::MulSub {
        dynasm!(e.a ; vfmsub213sd xmm1, xmm2, xmm3);
    } else if last == Last::NegMulAdd {
        dynasm!(e.a ; vfnmsub213sd xmm1, xmm2, xmm3);
    } else if last == Last::NegMulSub {
        dynasm!(e.a ; vfnmadd213sd xmm1, xmm2, xmm3);
    } else {
        dynasm!(e.a ; vfmadd213sd xmm1, xmm2, xmm3);
    }
    let zeros = matches!(last, Last::MulAdd | Last::MulSub).then(|| (o.a(), o.b(), Some(o.c())));
    e.keep(p, Kept::Normal(zeros));
    e.remember(last, p, &[0, 2, 3]);
    e.put_xmm1(o.t());
    Form::Done
}

/// Rounding to single precision.
fn round(e: &mut Emitter<'_>, o: Operands) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; vmovsd xmm1, [rbp + o.b()] ; vmovaps xmm0, xmm1);
    e.keep(Single, Kept::Normal(Some((o.b(), o.b(), None))));
    e.remember(Last::Round, Single, &[0]);
    e.put_xmm1(o.t());
    Form::Done
}

/// A signed doubleword to a number: always in range.
fn from_signed(e: &mut Emitter<'_>, o: Operands, p: Precision) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; mov rax, [rbp + o.b()] ; vxorps xmm1, xmm1, xmm1);
    match p {
        Double => dynasm!(e.a ; vcvtsi2sd xmm1, xmm1, rax),
        Single => dynasm!(e.a ; vcvtsi2ss xmm1, xmm1, rax ; vcvtss2sd xmm1, xmm1, xmm1),
    }
    dynasm!(e.a ; mov [rbp + OPERANDS], rax);
    e.remember(Last::Signed, p, &[]);
    e.put_xmm1(o.t());
    Form::Done
}

/// A number to an integer: the function does what has no value, so that the host reports nothing as inexact that has none.
fn to_integer(e: &mut Emitter<'_>, o: Operands, to: To, rounding: u8) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    let fallback = e.fallback();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.b()]);
    if matches!(to, To::U32 | To::U64) {
        // 2^32 or 2^63; negative numbers have larger images.
        let above = if to == To::U32 { 0x41f0_0000_0000_0000u64 } else { 0x43e0_0000_0000_0000 };
        dynasm!(e.a ; vmovq rax, xmm0 ; mov rcx, QWORD above as i64 ; cmp rax, rcx ; jae =>fallback);
    }
    match (to, rounding) {
        (To::I32, TRUNCATED) => dynasm!(e.a ; vcvttsd2si eax, xmm0),
        (To::I32, _) => dynasm!(e.a ; vcvtsd2si eax, xmm0),
        (_, TRUNCATED) => dynasm!(e.a ; vcvttsd2si rax, xmm0),
        (_, _) => dynasm!(e.a ; vcvtsd2si rax, xmm0),
    }
    match to {
        // The host's answer for what it cannot convert; also that of the least integer, which is left to the function too.
        To::I32 => dynasm!(e.a ; cmp eax, 0x8000_0000u32 as i32 ; je =>fallback ; movsxd rax, eax),
        To::I64 => dynasm!(e.a ; mov rcx, QWORD i64::MIN ; cmp rax, rcx ; je =>fallback),
        To::U32 | To::U64 => {}
    }
    dynasm!(e.a ; vmovsd [rbp + CONVERTED], xmm0 ; mov BYTE [rbp + LAST + 2], (to as u8 | rounding) as i8);
    dynasm!(e.a ; vmovq xmm1, rax);
    e.put_xmm1(o.t());
    Form::Done
}

/// Rounding to an integral value, which is never inexact. `mode` is the host's number of the rounding.
fn integral(e: &mut Emitter<'_>, o: Operands, mode: i8) -> Form {
    if !e.host_fp || o.records() {
        return Form::Step;
    }
    e.plain_fpscr();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.b()] ; vroundsd xmm1, xmm0, xmm0, mode | 8);
    e.keep(Double, Kept::Finite);
    e.remember(Last::Exact, Double, &[1]);
    e.put_xmm1(o.t());
    Form::Done
}

/// A comparison, whose order the host's flags still show at the end.
fn compare(e: &mut Emitter<'_>, i: Insn, o: Operands) -> Form {
    if !e.host_fp {
        return Form::Step;
    }
    let fallback = e.fallback();
    dynasm!(e.a ; vmovsd xmm0, [rbp + o.a()] ; vucomisd xmm0, [rbp + o.b()] ; jp =>fallback);
    let n = i.bf();
    dynasm!(e.a
        ; setb [rbp + cr_bit(4 * n)]
        ; seta [rbp + cr_bit(4 * n + 1)]
        ; sete [rbp + cr_bit(4 * n + 2)]
        ; mov BYTE [rbp + cr_bit(4 * n + 3)], 0
        ; mov eax, 2
        ; mov ecx, 8
        ; cmovb eax, ecx
        ; mov ecx, 4
        ; cmova eax, ecx
        ; mov [rbp + LAST + 1], al
    );
    e.shown = Some(super::Shown { fields: 1 << n, order: Order::Unsigned, compared: super::Compared::Gone });
    Form::Done
}

/// fsel: FRC if FRA is not less than zero, else FRB.
fn fsel(e: &mut Emitter<'_>, i: Insn) -> Form {
    if !e.host_fp || i.rc() != 0 {
        return Form::Step;
    }
    let at = Emitter::at_vsr;
    dynasm!(e.a
        ; vxorps xmm1, xmm1, xmm1
        ; vmovsd xmm0, [rbp + at(i.fra())]
        ; mov rax, [rbp + at(i.frc())]
        ; vucomisd xmm0, xmm1
        ; cmovb rax, [rbp + at(i.frb())]
        ; vmovq xmm1, rax
    );
    e.put_xmm1(at(i.frt()));
    Form::Done
}

/// What becomes of the sign.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signs {
    Keep,
    Flip,
    Clear,
    Set,
    /// That of the first operand.
    Copy,
}

/// Moves, which look at no FPSCR.
fn signs(e: &mut Emitter<'_>, o: Operands, signs: Signs) -> Form {
    if o.records() {
        return Form::Step;
    }
    match signs {
        Signs::Keep => dynasm!(e.a ; vmovsd xmm1, [rbp + o.b()]),
        Signs::Flip => dynasm!(e.a ; mov rax, [rbp + o.b()] ; btc rax, 63 ; vmovq xmm1, rax),
        Signs::Clear => dynasm!(e.a ; mov rax, [rbp + o.b()] ; btr rax, 63 ; vmovq xmm1, rax),
        Signs::Set => dynasm!(e.a ; mov rax, [rbp + o.b()] ; bts rax, 63 ; vmovq xmm1, rax),
        Signs::Copy => {
            dynasm!(e.a ; mov rax, [rbp + o.b()] ; add rax, rax ; mov rcx, [rbp + o.a()] ; shl rcx, 1 ; rcr rax, 1 ; vmovq xmm1, rax);
        }
    }
    e.put_xmm1(o.t());
    Form::Done
}
