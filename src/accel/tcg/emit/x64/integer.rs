//! Arithmetic without carry, multiplication, division, logic, sign extension, counting (ISA I 3.3.9, 3.3.13).
//!
//! The forms with the overflow bit are left to the interpreter, and so are divisions without a result.

use super::Emitter;
use super::Form;
use super::PAGE;
use super::RAX;
use super::RCX;
use super::RDX;
use super::Template;
use super::operands::Alu;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("addi", |e, i| add_constant(e, i, i.si() as i32)), ("addis", |e, i| add_constant(e, i, (i.si() << 16) as i32)), ("addpcis", addpcis),
    ("add", add), ("subf", subf), ("neg", neg),
    ("mulli", mulli), ("mulld", mulld), ("mullw", mullw), ("mulhd", mulhd), ("mulhdu", mulhdu), ("mulhw", mulhw), ("mulhwu", mulhwu),
    ("maddld", maddld),
    ("divd", |e, i| divide(e, i, Width::Double, Give::Quotient)), ("divw", |e, i| divide(e, i, Width::Word, Give::Quotient)),
    ("modsd", |e, i| divide(e, i, Width::Double, Give::Remainder)), ("modsw", |e, i| divide(e, i, Width::Word, Give::Remainder)),
    ("divdu", |e, i| divide_unsigned(e, i, Width::Double, Give::Quotient)), ("divwu", |e, i| divide_unsigned(e, i, Width::Word, Give::Quotient)),
    ("modud", |e, i| divide_unsigned(e, i, Width::Double, Give::Remainder)), ("moduw", |e, i| divide_unsigned(e, i, Width::Word, Give::Remainder)),
    ("andi.", |e, i| and_constant(e, i, i.ui() as i32)), ("andis.", |e, i| and_constant(e, i, (i.ui() << 16) as i32)),
    ("ori", |e, i| with_constant(e, i, Alu::Or, i.ui())), ("oris", |e, i| with_constant(e, i, Alu::Or, i.ui() << 16)),
    ("xori", |e, i| with_constant(e, i, Alu::Xor, i.ui())), ("xoris", |e, i| with_constant(e, i, Alu::Xor, i.ui() << 16)),
    ("and", |e, i| logic(e, i, Alu::And, After::Nothing)), ("nand", |e, i| logic(e, i, Alu::And, After::Not)),
    ("or", |e, i| logic(e, i, Alu::Or, After::Nothing)), ("nor", |e, i| logic(e, i, Alu::Or, After::Not)),
    ("xor", |e, i| logic(e, i, Alu::Xor, After::Nothing)), ("eqv", |e, i| logic(e, i, Alu::Xor, After::Not)),
    ("andc", andc), ("orc", orc),
    ("extsb", extsb), ("extsh", extsh), ("extsw", extsw),
    ("cntlzw", |e, i| { e.get_word(i.rt(), RAX); dynasm!(e.a ; lzcnt eax, eax); counted(e, i) }),
    ("cntlzd", |e, i| { let s = e.src(i.rt(), RAX); dynasm!(e.a ; lzcnt rax, Rq(s)); counted(e, i) }),
    ("cnttzw", |e, i| { e.get_word(i.rt(), RAX); dynasm!(e.a ; tzcnt eax, eax); counted(e, i) }),
    ("cnttzd", |e, i| { let s = e.src(i.rt(), RAX); dynasm!(e.a ; tzcnt rax, Rq(s)); counted(e, i) }),
    ("popcntd", |e, i| { let s = e.src(i.rt(), RAX); dynasm!(e.a ; popcnt rax, Rq(s)); e.put(i.ra(), RAX); Form::Done }),
    ("cmpb", cmpb),
    ("tdi", |e, i| trap(e, i, Width::Double, By::Constant)), ("twi", |e, i| trap(e, i, Width::Word, By::Constant)),
    ("td", |e, i| trap(e, i, Width::Double, By::Register)), ("tw", |e, i| trap(e, i, Width::Word, By::Register)),
    ("brd", |e, i| { e.get(i.rt(), RAX); dynasm!(e.a ; bswap rax); e.put(i.ra(), RAX); Form::Done }),
];

/// RT ← (RA|0) + a constant.
fn add_constant(e: &mut Emitter<'_>, i: Insn, n: i32) -> Form {
    let d = e.dst(i.rt(), RAX);
    e.kept = true;
    if i.ra() == 0 {
        e.constant(d, n as i64 as u64);
    } else if i.ra() == i.rt() {
        e.kept = n == 0;
        if n != 0 {
            e.alu_constant(Alu::Add, i.rt(), n);
        }
        return Form::Done;
    } else {
        let a = e.src(i.ra(), RAX);
        match n {
            0 => dynasm!(e.a ; mov Rq(d), Rq(a)),
            _ if i8::try_from(n).is_ok() => dynasm!(e.a ; lea Rq(d), [BYTE Rq(a) + n as i8]),
            _ => dynasm!(e.a ; lea Rq(d), [Rq(a) + n]),
        }
    }
    e.put(i.rt(), d);
    Form::Done
}

fn addpcis(e: &mut Emitter<'_>, i: Insn) -> Form {
    let next = i32::from(e.block[e.index].0) * 4 + 4;
    dynasm!(e.a ; mov rax, [rbp + PAGE] ; add rax, next ; add rax, (i.si_dx() << 16) as i32);
    e.put(i.rt(), RAX);
    Form::Done
}

fn add(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    if i.rt() == i.ra() || i.rt() == i.rb() {
        let other = if i.rt() == i.ra() { i.rb() } else { i.ra() };
        add_in_place(e, i.rt(), other);
    } else {
        let d = e.dst(i.rt(), RAX);
        match (e.host[i.ra()], e.host[i.rb()]) {
            (Some(a), Some(b)) => dynasm!(e.a ; lea Rq(d), [Rq(a) + Rq(b)]),
            _ => {
                e.get(i.ra(), d);
                e.alu(Alu::Add, d, i.rb());
            }
        }
        e.put(i.rt(), d);
    }
    e.record_gpr(i, i.rt());
    Form::Done
}

/// GPR `n` ← GPR `n` + GPR `other`.
fn add_in_place(e: &mut Emitter<'_>, n: usize, other: usize) {
    match e.host[n] {
        Some(own) => e.alu(Alu::Add, own, other),
        None => {
            let other = e.src(other, RAX);
            e.alu_in_place(Alu::Add, n, other);
        }
    }
}

/// RT ← (RB) - (RA).
fn subf(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    if i.rt() == i.rb() {
        match e.host[i.rt()] {
            Some(own) => e.alu(Alu::Sub, own, i.ra()),
            None => {
                let a = e.src(i.ra(), RAX);
                e.alu_in_place(Alu::Sub, i.rt(), a);
            }
        }
    } else {
        // RT's own register only if RA is not there.
        let d = if i.rt() == i.ra() { RAX } else { e.dst(i.rt(), RAX) };
        e.get(i.rb(), d);
        e.alu(Alu::Sub, d, i.ra());
        e.put(i.rt(), d);
    }
    e.record_gpr(i, i.rt());
    Form::Done
}

fn neg(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    let d = e.dst(i.rt(), RAX);
    e.get(i.ra(), d);
    dynasm!(e.a ; neg Rq(d));
    e.put(i.rt(), d);
    e.record(i, d);
    Form::Done
}

fn mulli(e: &mut Emitter<'_>, i: Insn) -> Form {
    let (a, d) = (e.src(i.ra(), RAX), e.dst(i.rt(), RAX));
    dynasm!(e.a ; imul Rq(d), Rq(a), i.si() as i32);
    e.put(i.rt(), d);
    Form::Done
}

fn mulld(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    match e.host[i.rt()] {
        Some(own) if i.rt() == i.ra() => e.multiply(own, i.rb()),
        Some(own) if i.rt() == i.rb() => e.multiply(own, i.ra()),
        _ => {
            let d = e.dst(i.rt(), RAX);
            e.get(i.ra(), d);
            e.multiply(d, i.rb());
            e.put(i.rt(), d);
        }
    }
    e.record_gpr(i, i.rt());
    Form::Done
}

fn mullw(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.oe() != 0 {
        return Form::Step;
    }
    e.get_signed_word(i.ra(), RAX);
    e.get_signed_word(i.rb(), RCX);
    dynasm!(e.a ; imul rax, rcx);
    e.put(i.rt(), RAX);
    e.record(i, RAX);
    Form::Done
}

fn mulhd(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.ra(), RAX);
    let b = e.src(i.rb(), RCX);
    dynasm!(e.a ; imul Rq(b));
    e.put(i.rt(), RDX);
    e.record(i, RDX);
    Form::Done
}

fn mulhdu(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.ra(), RDX);
    let (b, d) = (e.src(i.rb(), RCX), e.dst(i.rt(), RAX));
    // The low half goes first, so that the high one may take its place.
    dynasm!(e.a ; mulx Rq(d), rcx, Rq(b));
    e.put(i.rt(), d);
    e.record(i, d);
    Form::Done
}

fn mulhw(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get_signed_word(i.ra(), RAX);
    e.get_signed_word(i.rb(), RCX);
    dynasm!(e.a ; imul rax, rcx ; shr rax, 32);
    e.put(i.rt(), RAX);
    e.record(i, RAX);
    Form::Done
}

fn mulhwu(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get_word(i.ra(), RAX);
    e.get_word(i.rb(), RCX);
    dynasm!(e.a ; imul rax, rcx ; shr rax, 32);
    e.put(i.rt(), RAX);
    e.record(i, RAX);
    Form::Done
}

fn maddld(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.ra(), RAX);
    let b = e.src(i.rb(), RCX);
    dynasm!(e.a ; imul rax, Rq(b));
    let c = e.src(i.rc_field(), RCX);
    dynasm!(e.a ; add rax, Rq(c));
    e.put(i.rt(), RAX);
    Form::Done
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    Word,
    Double,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Give {
    Quotient,
    Remainder,
}

/// The result of a division: eax or rax, edx or rdx. A remainder of signed words is sign-extended.
fn give(e: &mut Emitter<'_>, i: Insn, give: Give) -> Form {
    let from = if give == Give::Quotient { RAX } else { RDX };
    e.put(i.rt(), from);
    if give == Give::Quotient {
        e.record(i, from);
    }
    Form::Done
}

/// Whether the instruction is a quotient with the overflow bit, which other rows do not have.
fn checked(i: Insn, give: Give) -> bool {
    give == Give::Quotient && i.oe() != 0
}

/// Signed. A divisor of 0 or -1 is the interpreter's, which knows when there is no result.
fn divide(e: &mut Emitter<'_>, i: Insn, width: Width, what: Give) -> Form {
    if checked(i, what) {
        return Form::Step;
    }
    let rare = e.fallback();
    e.get(i.rb(), RCX);
    e.get(i.ra(), RAX);
    match width {
        Width::Double => dynasm!(e.a ; lea rdx, [rcx + 1] ; cmp rdx, 1 ; jbe =>rare ; cqo ; idiv rcx),
        Width::Word => dynasm!(e.a ; lea edx, [rcx + 1] ; cmp edx, 1 ; jbe =>rare ; cdq ; idiv ecx),
    }
    if width == Width::Word {
        // idiv of words has zeroed the high halves.
        if what == Give::Remainder {
            dynasm!(e.a ; movsxd rdx, edx);
        }
    }
    give(e, i, what)
}

fn divide_unsigned(e: &mut Emitter<'_>, i: Insn, width: Width, what: Give) -> Form {
    if checked(i, what) {
        return Form::Step;
    }
    let rare = e.fallback();
    e.get(i.rb(), RCX);
    e.get(i.ra(), RAX);
    match width {
        Width::Double => dynasm!(e.a ; test rcx, rcx ; jz =>rare ; xor edx, edx ; div rcx),
        Width::Word => dynasm!(e.a ; test ecx, ecx ; jz =>rare ; xor edx, edx ; div ecx),
    }
    give(e, i, what)
}

/// andi., andis.
fn and_constant(e: &mut Emitter<'_>, i: Insn, n: i32) -> Form {
    let d = e.dst(i.ra(), RAX);
    e.get_word(i.rt(), d);
    dynasm!(e.a ; and Rd(d), n);
    e.put(i.ra(), d);
    // The mask is unsigned: the result is a number of 32 bits in 64, and bit 31 is not its sign.
    if n < 0 {
        dynasm!(e.a ; test Rq(d), Rq(d));
    }
    e.order(0, super::Order::Signed);
    Form::Done
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Nothing,
    Not,
}

/// ori, oris, xori, xoris.
fn with_constant(e: &mut Emitter<'_>, i: Insn, f: Alu, n: u64) -> Form {
    if n == 0 {
        e.kept = true;
        if i.ra() != i.rt() {
            let s = e.src(i.rt(), RAX);
            e.put(i.ra(), s);
        }
        return Form::Done;
    }
    let Ok(word) = i32::try_from(n) else {
        e.constant(RAX, n);
        e.alu(f, RAX, i.rt());
        e.put(i.ra(), RAX);
        return Form::Done;
    };
    let own = e.host[i.ra()];
    if i.ra() == i.rt() || own.is_some() {
        if let Some(own) = own {
            e.move_to(own, i.rt());
        }
        e.alu_constant(f, i.ra(), word);
    } else {
        e.constant(RAX, n);
        e.alu(f, RAX, i.rt());
        e.put(i.ra(), RAX);
    }
    Form::Done
}

/// RA ← f((RS), (RB)), perhaps inverted.
fn logic(e: &mut Emitter<'_>, i: Insn, f: Alu, after: After) -> Form {
    let d = e.dst(i.ra(), RAX);
    // Whether the flags show the result.
    let mut shown = after == After::Nothing;
    if i.rt() == i.rb() && f != Alu::Xor {
        // mr and not.
        e.move_to(d, i.rt());
        shown = false;
        e.kept = after == After::Nothing && i.rc() == 0;
    } else if i.ra() == i.rt() || i.ra() == i.rb() {
        // All three commute.
        let other = if i.ra() == i.rt() { i.rb() } else { i.rt() };
        if e.host[i.ra()].is_some() {
            e.alu(f, d, other);
        } else if after == After::Nothing {
            let other = e.src(other, RAX);
            e.alu_in_place(f, i.ra(), other);
            e.record_shown(i);
            return Form::Done;
        } else {
            e.get(i.ra(), d);
            e.alu(f, d, other);
        }
    } else {
        e.get(i.rt(), d);
        e.alu(f, d, i.rb());
    }
    if after == After::Not {
        dynasm!(e.a ; not Rq(d));
    }
    e.put(i.ra(), d);
    if shown {
        e.record_shown(i)
    } else {
        e.record(i, d)
    }
    Form::Done
}

fn andc(e: &mut Emitter<'_>, i: Insn) -> Form {
    let (b, d) = (e.src(i.rb(), RCX), e.dst(i.ra(), RAX));
    let s = e.src(i.rt(), RAX);
    dynasm!(e.a ; andn Rq(d), Rq(b), Rq(s));
    e.put(i.ra(), d);
    e.record_shown(i);
    Form::Done
}

/// RA ← (RS) | ¬(RB).
fn orc(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.rb(), RAX);
    dynasm!(e.a ; not rax);
    e.alu(Alu::Or, RAX, i.rt());
    e.put(i.ra(), RAX);
    e.record_shown(i);
    Form::Done
}

fn extsb(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get_word(i.rt(), RAX);
    let d = e.dst(i.ra(), RAX);
    dynasm!(e.a ; movsx Rq(d), al);
    extended(e, i, d)
}

fn extsh(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get_word(i.rt(), RAX);
    let d = e.dst(i.ra(), RAX);
    dynasm!(e.a ; movsx Rq(d), ax);
    extended(e, i, d)
}

fn extsw(e: &mut Emitter<'_>, i: Insn) -> Form {
    let d = e.dst(i.ra(), RAX);
    e.get_signed_word(i.rt(), d);
    extended(e, i, d)
}

fn extended(e: &mut Emitter<'_>, i: Insn, d: u8) -> Form {
    e.put(i.ra(), d);
    e.record(i, d);
    Form::Done
}

/// RA ← rax, a count.
fn counted(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.put(i.ra(), RAX);
    e.record(i, RAX);
    Form::Done
}

/// Each byte of RA ← 0xff if the bytes of RS and RB are equal, else 0.
fn cmpb(e: &mut Emitter<'_>, i: Insn) -> Form {
    let (s, b) = (e.src(i.rt(), RAX), e.src(i.rb(), RCX));
    dynasm!(e.a ; movq xmm0, Rq(s) ; movq xmm1, Rq(b) ; pcmpeqb xmm0, xmm1 ; movq rax, xmm0);
    e.put(i.ra(), RAX);
    Form::Done
}

/// What RA is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Constant,
    Register,
}

/// A trap that is taken is the interpreter's.
fn trap(e: &mut Emitter<'_>, i: Insn, width: Width, by: By) -> Form {
    let to = i.to();
    let taken = e.fallback();
    if to & 28 == 28 || to & 7 == 7 {
        dynasm!(e.a ; jmp =>taken);
        return Form::Done;
    }
    let a = e.src(i.ra(), RAX);
    match (by, width) {
        (By::Constant, Width::Double) => dynasm!(e.a ; cmp Rq(a), i.si() as i32),
        (By::Constant, Width::Word) => dynasm!(e.a ; cmp Rd(a), i.si() as i32),
        (By::Register, Width::Double) => {
            let b = e.src(i.rb(), RCX);
            dynasm!(e.a ; cmp Rq(a), Rq(b));
        }
        (By::Register, Width::Word) => {
            let b = e.src(i.rb(), RCX);
            dynasm!(e.a ; cmp Rd(a), Rd(b));
        }
    }
    if to & 16 != 0 {
        dynasm!(e.a ; jl =>taken);
    }
    if to & 8 != 0 {
        dynasm!(e.a ; jg =>taken);
    }
    if to & 4 != 0 {
        dynasm!(e.a ; je =>taken);
    }
    if to & 2 != 0 {
        dynasm!(e.a ; jb =>taken);
    }
    if to & 1 != 0 {
        dynasm!(e.a ; ja =>taken);
    }
    Form::Done
}
