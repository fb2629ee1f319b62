//! Compares, condition register logic and selection (ISA I 2.5, 3.3.10, 3.3.12).

use super::Compared;
use super::Emitter;
use super::Form;
use super::Order;
use super::RAX;
use super::RCX;
use super::Template;
use super::cr_bit;
use super::cr_field;
use super::operands::Alu;
use super::operands::gpr_at;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("cmpi", |e, i| immediate(e, i, Order::Signed)), ("cmpli", |e, i| immediate(e, i, Order::Unsigned)),
    ("cmp", |e, i| registers(e, i, Order::Signed)), ("cmpl", |e, i| registers(e, i, Order::Unsigned)),
    ("isel", isel), ("mcrf", mcrf),
    ("crand", |e, i| logic(e, i, Bits::And)), ("crnand", |e, i| logic(e, i, Bits::Nand)),
    ("cror", |e, i| logic(e, i, Bits::Or)), ("crnor", |e, i| logic(e, i, Bits::Nor)),
    ("crxor", |e, i| logic(e, i, Bits::Xor)), ("creqv", |e, i| logic(e, i, Bits::Eqv)),
    ("crandc", |e, i| logic(e, i, Bits::Andc)), ("crorc", |e, i| logic(e, i, Bits::Orc)),
    ("setbc", |e, i| set_if(e, i, 1, 0)), ("setbcr", |e, i| set_if(e, i, 0, 1)),
    ("setnbc", |e, i| set_if(e, i, u64::MAX, 0)), ("setnbcr", |e, i| set_if(e, i, 0, u64::MAX)),
];

fn immediate(e: &mut Emitter<'_>, i: Insn, order: Order) -> Form {
    let b = match order {
        Order::Signed => i.si() as i32,
        Order::Unsigned => i.ui() as i32,
    };
    let compared = Compared::Constant(i.l(), i.ra(), b);
    match (i.l(), b) {
        _ if e.shows(order, compared) => {}
        (0, _) => {
            let near = gpr_at(i.ra());
            match e.host[i.ra()] {
                Some(a) if b == 0 => dynasm!(e.a ; test Rd(a), Rd(a)),
                Some(a) => dynasm!(e.a ; cmp Rd(a), b),
                None => dynasm!(e.a ; cmp DWORD [BYTE rbp + near], b),
            }
        }
        (_, 0) => e.test(i.ra()),
        _ => e.alu_constant(Alu::Cmp, i.ra(), b),
    }
    e.order_of(i.bf(), order, compared);
    Form::Done
}

fn registers(e: &mut Emitter<'_>, i: Insn, order: Order) -> Form {
    let compared = Compared::Registers(i.l(), i.ra(), i.rb());
    if e.shows(order, compared) {
    } else if i.l() == 0 {
        let (a, b) = (e.src(i.ra(), RAX), e.src(i.rb(), RCX));
        dynasm!(e.a ; cmp Rd(a), Rd(b));
    } else {
        let a = e.src(i.ra(), RAX);
        e.alu(Alu::Cmp, a, i.rb());
    }
    e.order_of(i.bf(), order, compared);
    Form::Done
}

fn isel(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.rb(), RAX);
    let a = if i.ra() == 0 {
        e.constant(RCX, 0);
        RCX
    } else {
        e.src(i.ra(), RCX)
    };
    let n = i.rc_field();
    let order = e.shown_order(n >> 2);
    e.kept = order.is_some() && n & 3 != 3;
    match (order, n & 3) {
        (Some(Order::Signed), 0) => dynasm!(e.a ; cmovl rax, Rq(a)),
        (Some(Order::Signed), 1) => dynasm!(e.a ; cmovg rax, Rq(a)),
        (Some(Order::Unsigned), 0) => dynasm!(e.a ; cmovb rax, Rq(a)),
        (Some(Order::Unsigned), 1) => dynasm!(e.a ; cmova rax, Rq(a)),
        (Some(_), 2) => dynasm!(e.a ; cmove rax, Rq(a)),
        _ => dynasm!(e.a ; cmp BYTE [rbp + cr_bit(n)], 0 ; cmovne rax, Rq(a)),
    }
    e.put(i.rt(), RAX);
    Form::Done
}

fn set_if(e: &mut Emitter<'_>, i: Insn, set: u64, clear: u64) -> Form {
    e.constant(RAX, clear);
    e.constant(RCX, set);
    dynasm!(e.a ; cmp BYTE [rbp + cr_bit(i.bi())], 0 ; cmovne rax, rcx);
    e.put(i.rt(), RAX);
    Form::Done
}

fn mcrf(e: &mut Emitter<'_>, i: Insn) -> Form {
    dynasm!(e.a ; mov eax, [rbp + cr_field(i.bfa())] ; mov [rbp + cr_field(i.bf())], eax);
    Form::Done
}

/// The functions of two bits.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bits {
    And,
    Nand,
    Or,
    Nor,
    Xor,
    Eqv,
    Andc,
    Orc,
}

fn logic(e: &mut Emitter<'_>, i: Insn, f: Bits) -> Form {
    let (a, b, t) = (cr_bit(i.ba()), cr_bit(i.bb()), cr_bit(i.bt()));
    // Two of them serve as constants.
    match f {
        Bits::Xor if a == b => {
            dynasm!(e.a ; mov BYTE [rbp + t], 0);
            return Form::Done;
        }
        Bits::Eqv if a == b => {
            dynasm!(e.a ; mov BYTE [rbp + t], 1);
            return Form::Done;
        }
        Bits::And | Bits::Nand | Bits::Or | Bits::Nor | Bits::Xor | Bits::Eqv | Bits::Andc | Bits::Orc => {}
    }
    dynasm!(e.a ; movzx eax, BYTE [rbp + b]);
    if matches!(f, Bits::Andc | Bits::Orc) {
        dynasm!(e.a ; xor eax, 1);
    }
    match f {
        Bits::And | Bits::Nand | Bits::Andc => dynasm!(e.a ; and al, [rbp + a]),
        Bits::Or | Bits::Nor | Bits::Orc => dynasm!(e.a ; or al, [rbp + a]),
        Bits::Xor | Bits::Eqv => dynasm!(e.a ; xor al, [rbp + a]),
    }
    if matches!(f, Bits::Nand | Bits::Nor | Bits::Eqv) {
        dynasm!(e.a ; xor eax, 1);
    }
    dynasm!(e.a ; mov [rbp + t], al);
    Form::Done
}
