//! Code that all blocks share: the entry, the ways out, and the calls of Rust functions.

use super::BIAS;
use super::FETCH;
use super::FUEL;
use super::JUMPS;
use super::NIP;
use super::PAGE;
use super::PINNED;
use super::gpr_at;
use crate::accel::tcg::buffer::CodeBuffer;
use crate::accel::tcg::exec;
use dynasmrt::DynasmApi;
use dynasmrt::DynasmLabelApi;
use dynasmrt::VecAssembler;
use dynasmrt::dynasm;
use dynasmrt::x64::X64Relocation;

/// log2 of the entries of the jump cache.
pub const JUMP_BITS: u32 = 12;

/// An entry of the jump cache.
#[derive(Clone, Copy, Default)]
#[repr(C, align(32))]
pub struct Jump {
    /// Effective address.
    pub ea: u64,
    /// Fetch context.
    pub context: u64,
    /// Address of the block's code.
    pub code: u64,
}

/// The entry of the jump cache that may hold `ea`.
pub fn jump_index(ea: u64) -> usize {
    (ea >> 2) as usize & ((1 << JUMP_BITS) - 1)
}

/// Addresses of the shared code.
#[derive(Clone, Copy, Default)]
pub struct Stubs {
    /// `extern "C" fn(vCPU, code) -> why`.
    pub enter: usize,
    /// Out, with the reason in eax.
    pub leave: usize,
    /// Out for lack of fuel; ecx: offset of the instruction in its page.
    pub fuel: usize,
    /// To the address in rax.
    pub indirect: usize,
    /// Calls [`exec::step`]; position in eax, function in rdx, image in rcx.
    pub step: usize,
    /// The same, jumped to, and then out.
    pub step_and_look: usize,
    /// Calls [`exec::stored`]; position in ecx, address of the flags in rax.
    pub stored: usize,
}

type Assembler = VecAssembler<X64Relocation>;

fn store_pinned(a: &mut Assembler) {
    for (n, host) in PINNED {
        dynasm!(a ; mov [BYTE rbp + gpr_at(n)], Rq(host));
    }
    dynasm!(a ; mov [rbp + FUEL], r15);
}

fn load_pinned(a: &mut Assembler) {
    for (n, host) in PINNED {
        dynasm!(a ; mov Rq(host), [BYTE rbp + gpr_at(n)]);
    }
    dynasm!(a ; mov r15, [rbp + FUEL]);
}

/// Assembles one stub.
fn place(buffer: &mut CodeBuffer, write: impl FnOnce(&mut Assembler)) -> usize {
    let at = buffer.next();
    let mut a = Assembler::new(at);
    write(&mut a);
    buffer.append(&a.finalize().expect("labels are bound and near"));
    at
}

impl Stubs {
    /// Writes the stubs to the beginning of `buffer`.
    pub fn new(buffer: &mut CodeBuffer) -> Stubs {
        let mut s = Stubs::default();
        let back = -(BIAS as i32);
        s.enter = place(buffer, |a| {
            dynasm!(a ; push rbp ; push rbx ; push r12 ; push r13 ; push r14 ; push r15 ; sub rsp, 8 ; lea rbp, [rdi + BIAS as i32] ; mov rax, rsi);
            load_pinned(a);
            dynasm!(a ; jmp rax);
        });
        // The pinned registers are stored, and the stack is as the entry left it.
        let out = place(buffer, |a| dynasm!(a ; add rsp, 8 ; pop r15 ; pop r14 ; pop r13 ; pop r12 ; pop rbx ; pop rbp ; ret));
        s.leave = place(buffer, |a| {
            store_pinned(a);
            dynasm!(a ; jmp extern out);
        });
        s.fuel = place(buffer, |a| {
            dynasm!(a ; add rcx, [rbp + PAGE] ; mov [rbp + NIP], rcx ; mov eax, exec::FUEL as i32 ; jmp extern s.leave);
        });
        s.indirect = place(buffer, |a| {
            let mask = ((1 << JUMP_BITS) - 1) << 5;
            dynasm!(a
                ; mov ecx, eax
                ; shl ecx, 3
                ; and ecx, mask
                ; add rcx, [rbp + JUMPS]
                ; mov rdx, [rbp + FETCH]
                ; cmp [rcx], rax
                ; jne >unknown
                ; cmp [rcx + 8], rdx
                ; jne >unknown
                ; and rax, -4096
                ; mov [rbp + PAGE], rax
                ; jmp QWORD [rcx + 16]
                ; unknown:
                ; mov [rbp + NIP], rax
                ; mov eax, exec::INDIRECT as i32
                ; jmp extern s.leave
            );
        });
        let step = exec::step as *const () as usize as i64;
        s.step = place(buffer, |a| {
            store_pinned(a);
            // The return address is on the stack: eight more for alignment.
            dynasm!(a ; sub rsp, 8 ; lea rdi, [rbp + back] ; mov esi, eax ; mov rax, QWORD step ; call rax ; add rsp, 8 ; test eax, eax ; jnz >failed);
            load_pinned(a);
            dynasm!(a ; ret ; failed: ; add rsp, 8 ; jmp extern out);
        });
        s.step_and_look = place(buffer, |a| {
            store_pinned(a);
            let look = exec::LOOK as i32;
            dynasm!(a ; lea rdi, [rbp + back] ; mov esi, eax ; mov rax, QWORD step ; call rax ; mov ecx, look ; test eax, eax ; cmovz eax, ecx ; jmp extern out);
        });
        let stored = exec::stored as *const () as usize as i64;
        s.stored = place(buffer, |a| {
            store_pinned(a);
            dynasm!(a ; sub rsp, 8 ; lea rdi, [rbp + back] ; mov esi, ecx ; mov rdx, rax ; mov rax, QWORD stored ; call rax ; add rsp, 8);
            dynasm!(a ; test eax, eax ; jnz >failed);
            load_pinned(a);
            dynasm!(a ; ret ; failed: ; add rsp, 8 ; jmp extern out);
        });
        s
    }
}
