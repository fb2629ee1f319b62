//! Branches (ISA I 2.4).
//!
//! A call of the guest is a call of the host: it pushes the effective address to come back to, then calls the block, and behind the call goes on with the block there. A return whose
//! address is the one pushed last is a return of the host, which its processor predicts; any other goes by the jump cache and leaves the stack as it is. When translated code is
//! left the stack is cut back to where it was entered. So nothing on it outlives a change of code or context, and it is never deeper than the fuel of one slice.

use super::BRANCH;
use super::CTR;
use super::Cold;
use super::Emitter;
use super::Form;
use super::LR;
use super::Leave;
use super::Order;
use super::PAGE;
use super::Template;
use super::cr_bit;
use crate::isa::Insn;
use dynasmrt::DynamicLabel;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::dynasm;

/// The templates of this subject.
pub const TEMPLATES: &[(&str, Template)] = &[("b", b), ("bc", bc), ("bclr", bclr), ("bcctr", bcctr)];

/// The word in this page (or beyond) that a relative branch goes to; `None` for an absolute one.
fn target(e: &Emitter<'_>, i: Insn, displacement: u64) -> Option<i64> {
    (i.aa() == 0).then(|| i64::from(e.block[e.index].0) + (displacement as i64 >> 2))
}

/// Whether a conditional branch ends its block: it goes back, as loops do, or its target is nowhere near.
pub fn ends(slot: u16, i: Insn) -> bool {
    always(i.bo()) || i.lk() != 0 || i.aa() != 0 || (i.bd() as i64) <= 0 || !(0..1024).contains(&(i64::from(slot) + (i.bd() as i64 >> 2)))
}

/// Whether a branch at word `slot` goes to `start`, in a loop that may stay inside its block.
pub fn closes(start: u16, slot: u16, i: Insn) -> bool {
    !always(i.bo()) && i.lk() == 0 && i.aa() == 0 && i64::from(slot) + (i.bd() as i64 >> 2) == i64::from(start)
}

/// Branch always.
fn always(bo: u32) -> bool {
    bo & 0x14 == 0x14
}

impl Emitter<'_> {
    /// LR ← the address of the next instruction. Uses rax.
    fn link(&mut self, i: Insn) {
        if i.lk() != 0 {
            let next = i32::from(self.block[self.index].0) * 4 + 4;
            dynasm!(self.a ; mov rax, [rbp + PAGE] ; add rax, next ; mov [rbp + LR], rax);
        }
    }

    /// Whether the present instruction, which sets LR, is a call with a way back: not if it is the last of its page, as the way back leads through the page.
    fn comes_back(&self) -> bool {
        self.next_word() < 1024
    }

    /// What is done behind a call: the page is the one of the address that was pushed.
    fn come_back(&mut self) {
        dynasm!(self.a ; pop rax ; and rax, -4096 ; mov [rbp + PAGE], rax);
        let next = self.next_word();
        self.go(next, None);
    }

    /// Jumps to `not` unless the condition holds. CTR is decremented if BO says so.
    fn unless(&mut self, i: Insn, not: DynamicLabel) {
        let bo = i.bo();
        if bo & 4 == 0 {
            dynasm!(self.a ; sub QWORD [rbp + CTR], 1);
            match bo & 2 {
                0 => dynasm!(self.a ; jz =>not),
                _ => dynasm!(self.a ; jnz =>not),
            }
            self.shown = None;
        }
        if bo & 0x10 == 0 {
            self.on_bit(i.bi(), bo & 8 == 0, not);
        }
    }

    /// Jumps to `to` if CR bit `n` is `set`.
    #[expect(clippy::fn_params_excessive_bools, reason = "a bit's value")]
    fn on_bit(&mut self, n: usize, set: bool, to: DynamicLabel) {
        let order = self.shown_order(n >> 2);
        self.kept = order.is_some() && n & 3 != 3;
        match (order, n & 3, set) {
            (Some(Order::Signed), 0, true) => dynasm!(self.a ; jl =>to),
            (Some(Order::Signed), 0, false) => dynasm!(self.a ; jge =>to),
            (Some(Order::Signed), 1, true) => dynasm!(self.a ; jg =>to),
            (Some(Order::Signed), 1, false) => dynasm!(self.a ; jle =>to),
            (Some(Order::Unsigned), 0, true) => dynasm!(self.a ; jb =>to),
            (Some(Order::Unsigned), 0, false) => dynasm!(self.a ; jae =>to),
            (Some(Order::Unsigned), 1, true) => dynasm!(self.a ; ja =>to),
            (Some(Order::Unsigned), 1, false) => dynasm!(self.a ; jbe =>to),
            (Some(_), 2, true) => dynasm!(self.a ; je =>to),
            (Some(_), 2, false) => dynasm!(self.a ; jne =>to),
            (_, _, true) => dynasm!(self.a ; cmp BYTE [rbp + cr_bit(n)], 0 ; jne =>to),
            (_, _, false) => dynasm!(self.a ; cmp BYTE [rbp + cr_bit(n)], 0 ; je =>to),
        }
    }

    /// Goes to the address in rax.
    pub(super) fn go_indirect(&mut self) {
        let from = i32::from(self.block[self.index].0) * 4;
        dynasm!(self.a ; mov rcx, rax ; mov rax, [rbp + PAGE]);
        self.leave_page(Some(from));
        dynasm!(self.a ; mov rax, rcx ; jmp extern self.stubs.indirect);
    }

    /// Where the instruction after this one is.
    fn next_word(&self) -> i64 {
        i64::from(self.block[self.index].0) + 1
    }
}

fn b(e: &mut Emitter<'_>, i: Insn) -> Form {
    let Some(to) = target(e, i, i.li()) else { return Form::Step };
    e.link(i);
    if i.lk() != 0 && e.comes_back() {
        dynasm!(e.a ; push rax);
        e.leave_for(to, Some(e.index), Leave::Call);
        e.come_back();
    } else {
        e.go(to, Some(e.index));
    }
    Form::Done
}

fn bc(e: &mut Emitter<'_>, i: Insn) -> Form {
    let Some(to) = target(e, i, i.bd()) else { return Form::Step };
    let index = e.index;
    if always(i.bo()) {
        e.link(i);
        e.go(to, Some(index));
        return Form::Done;
    }
    if i.lk() != 0 {
        e.shown = None;
        e.link(i);
    }
    let not = e.a.new_dynamic_label();
    if e.block[index].1.ends {
        e.unless(i, not);
        match e.head {
            // A loop's way back; its registers stay where they are.
            Some(head) => {
                let from = i32::from(e.block[index].0) * 4;
                dynasm!(e.a ; mov DWORD [rbp + BRANCH], from ; jmp =>head);
            }
            None => e.go(to, Some(index)),
        }
        dynasm!(e.a ; =>not);
        let next = e.next_word();
        e.go(next, None);
        return Form::Done;
    }
    // In the middle of a block: taken is the way out.
    let taken = e.a.new_dynamic_label();
    if i.bo() & 0x14 == 4 {
        e.on_bit(i.bi(), i.bo() & 8 != 0, taken);
    } else {
        e.unless(i, not);
        dynasm!(e.a ; jmp =>taken ; =>not);
    }
    e.cold.push(Cold::Side { from: taken, index, target: to });
    Form::Done
}

fn bclr(e: &mut Emitter<'_>, i: Insn) -> Form {
    indirect(e, i, LR)
}

/// bcctr; the form that decrements CTR is rare.
fn bcctr(e: &mut Emitter<'_>, i: Insn) -> Form {
    if i.bo() & 4 == 0 { Form::Step } else { indirect(e, i, CTR) }
}

/// Jumps to what a register holds.
fn indirect(e: &mut Emitter<'_>, i: Insn, register: i32) -> Form {
    let not = e.a.new_dynamic_label();
    if !always(i.bo()) {
        e.unless(i, not);
    }
    let from = i32::from(e.block[e.index].0) * 4;
    if i.lk() != 0 {
        dynasm!(e.a ; mov rcx, [rbp + register] ; mov rax, [rbp + PAGE]);
        e.leave_page(Some(from));
        dynasm!(e.a ; add rax, from + 4 ; mov [rbp + LR], rax);
        if e.comes_back() {
            dynasm!(e.a ; push rax ; mov rax, rcx ; and rax, -4 ; call extern e.stubs.indirect);
            e.come_back();
        } else {
            dynasm!(e.a ; mov rax, rcx ; and rax, -4 ; jmp extern e.stubs.indirect);
        }
    } else if register == LR {
        let elsewhere = e.a.new_dynamic_label();
        dynasm!(e.a ; mov rax, [rbp + LR] ; and rax, -4 ; cmp rax, [rsp + 8] ; jne =>elsewhere ; mov rax, [rbp + PAGE]);
        e.leave_page(Some(from));
        dynasm!(e.a ; ret);
        let index = e.index;
        e.cold.push(Cold::Return { from: elsewhere, index });
    } else {
        dynasm!(e.a ; mov rax, [rbp + register] ; and rax, -4);
        e.go_indirect();
    }
    dynasm!(e.a ; =>not);
    if !always(i.bo()) {
        e.link(i);
        let next = e.next_word();
        e.go(next, None);
    }
    Form::Done
}
