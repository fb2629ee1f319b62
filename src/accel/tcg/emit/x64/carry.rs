//! Addition and subtraction with carry (ISA I 3.3.9).
//!
//! CA is the host's carry, or after a subtraction its complement. CA32, the carry out of the low word, is bit 32 of the exclusive or of the operands and
//! the sum. The forms with the overflow bit are left to the interpreter.

use super::CA;
use super::CA32;
use super::Emitter;
use super::Form;
use super::RAX;
use super::RCX;
use super::RDX;
use super::Template;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("addic", |e, i| plus_constant(e, i)), ("addic.", addic_record), ("subfic", subfic),
    ("addc", addc), ("subfc", subfc),
    ("adde", |e, i| extended(e, i, A::Plain, B::Register)), ("subfe", |e, i| extended(e, i, A::Complement, B::Register)),
    ("addze", |e, i| extended(e, i, A::Plain, B::Zero)), ("subfze", |e, i| extended(e, i, A::Complement, B::Zero)),
    ("addme", |e, i| extended(e, i, A::Plain, B::Ones)), ("subfme", |e, i| extended(e, i, A::Complement, B::Ones)),
];

/// RA, or its complement.
#[derive(Clone, Copy, PartialEq, Eq)]
enum A {
    Plain,
    Complement,
}

/// The second operand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum B {
    Register,
    Zero,
    Ones,
}

/// RT ← (RA) + SI, left in rax.
fn plus_constant(e: &mut Emitter<'_>, i: Insn) -> Form {
    let n = i.si() as i32;
    e.get(i.ra(), RAX);
    if e.carry32 {
        dynasm!(e.a ; mov ecx, eax ; add rax, n ; setc [rbp + CA] ; cmp eax, ecx ; setb [rbp + CA32]);
    } else {
        dynasm!(e.a ; add rax, n ; setc [rbp + CA]);
    }
    e.put(i.rt(), RAX);
    Form::Done
}

fn addic_record(e: &mut Emitter<'_>, i: Insn) -> Form {
    plus_constant(e, i);
    dynasm!(e.a ; test rax, rax);
    e.order(0, super::Order::Signed);
    Form::Done
}

/// RT ← SI - (RA).
fn subfic(e: &mut Emitter<'_>, i: Insn) -> Form {
    let a = e.src(i.ra(), RCX);
    e.constant(RAX, i.si());
    if e.carry32 {
        dynasm!(e.a ; cmp eax, Rd(a) ; setae [rbp + CA32]);
    }
    dynasm!(e.a ; sub rax, Rq(a) ; setae [rbp + CA]);
    e.put(i.rt(), RAX);
    Form::Done
}

fn addc(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    let b = e.src(i.rb(), RCX);
    e.get(i.ra(), RAX);
    dynasm!(e.a ; add rax, Rq(b) ; setc [rbp + CA]);
    if e.carry32 {
        dynasm!(e.a ; cmp eax, Rd(b) ; setb [rbp + CA32]);
    }
    e.put(i.rt(), RAX);
    e.record(i, RAX);
    Form::Done
}

/// RT ← (RB) - (RA).
fn subfc(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    let a = e.src(i.ra(), RCX);
    e.get(i.rb(), RAX);
    if e.carry32 {
        dynasm!(e.a ; cmp eax, Rd(a) ; setae [rbp + CA32]);
    }
    dynasm!(e.a ; sub rax, Rq(a) ; setae [rbp + CA]);
    e.put(i.rt(), RAX);
    e.record(i, RAX);
    Form::Done
}

/// RT ← a + b + CA.
fn extended(e: &mut Emitter<'_>, i: Insn, a: A, b: B) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    e.get(i.ra(), RDX);
    if a == A::Complement {
        dynasm!(e.a ; not rdx);
    }
    // The host's carry ← CA; what follows until `adc` leaves it alone.
    dynasm!(e.a ; mov cl, [rbp + CA] ; add cl, -1 ; mov rax, rdx);
    match b {
        B::Register => e.get(i.rb(), RCX),
        B::Zero => dynasm!(e.a ; mov ecx, 0),
        B::Ones => dynasm!(e.a ; mov rcx, -1),
    }
    dynasm!(e.a ; adc rax, rcx ; setc [rbp + CA]);
    if e.carry32 {
        dynasm!(e.a ; xor rdx, rcx ; xor rdx, rax ; bt rdx, 32 ; setc [rbp + CA32]);
    }
    e.put(i.rt(), RAX);
    e.record(i, RAX);
    Form::Done
}
