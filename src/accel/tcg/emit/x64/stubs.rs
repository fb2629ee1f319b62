//! Code that all blocks share: the entry, the ways out, and the calls of Rust functions.

use super::BIAS;
use super::DATA;
use super::FETCH;
use super::FUEL;
use super::JUMPS;
use super::LARGE_READ;
use super::LARGE_WRITE;
use super::NIP;
use super::PAGE;
use super::PINNED;
use super::READ;
use super::SITE;
use super::STACK;
use super::WRITE;
use super::gpr_at;
use crate::accel::interp::tlb;
use crate::accel::interp::tlb::Half;
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
    /// Looks the effective address in rax up for the site whose address is in rdx, by half of the TLB and log2 of the bytes. The flags say equal if rax is the host
    /// address now.
    pub look_up: [[usize; 5]; 2],
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
            dynasm!(a ; push rbp ; push rbx ; push r12 ; push r13 ; push r14 ; push r15 ; sub rsp, 24 ; lea rbp, [rdi + BIAS as i32] ; mov rax, rsi);
            // No call has been made: what a return finds is the address of no instruction.
            dynasm!(a ; mov QWORD [rsp + 8], 1 ; mov [rbp + STACK], rsp);
            load_pinned(a);
            dynasm!(a ; jmp rax);
        });
        // The pinned registers are stored. Calls that have not returned are forgotten.
        let out = place(
            buffer,
            |a| dynasm!(a ; mov rsp, [rbp + STACK] ; add rsp, 24 ; pop r15 ; pop r14 ; pop r13 ; pop r12 ; pop rbx ; pop rbp ; ret),
        );
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
            dynasm!(a ; ret ; failed: ; jmp extern out);
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
            dynasm!(a ; ret ; failed: ; jmp extern out);
        });
        s.look_up = [Half::Read, Half::Write].map(|half| [1, 2, 4, 8, 16].map(|bytes| place(buffer, |a| look_up(a, half, bytes))));
        s
    }
}

/// See [`Stubs::look_up`]. First the entries of 64 KiB, which the site takes over, then the small ones, which also hold what is to be forgotten one by one.
fn look_up(a: &mut Assembler, half: Half, bytes: i8) {
    let (large, small) = match half {
        Half::Read => (LARGE_READ, READ),
        Half::Write => (LARGE_WRITE, WRITE),
    };
    let large_shift = (tlb::LARGE_SHIFT - tlb::ENTRY_SHIFT) as i8;
    let large_mask = (tlb::LARGE as i32 - 1) << tlb::ENTRY_SHIFT;
    let shift = (tlb::PAGE_SHIFT - tlb::ENTRY_SHIFT) as i8;
    let mask = (tlb::INDEX_MASK << tlb::ENTRY_SHIFT) as i32;
    if half == Half::Write && bytes > 1 {
        // Who stores to two pages has the flags of both to look at: that is the function's.
        dynasm!(a ; lea rcx, [BYTE rax + (bytes - 1)] ; xor rcx, rax ; shr rcx, tlb::PAGE_SHIFT as i8 ; jnz >unknown);
    }
    dynasm!(a
        ; mov [rbp + SITE], rdx
        ; mov ecx, eax
        ; shr ecx, large_shift
        ; and ecx, large_mask
        ; add rcx, [rbp + large]
        ; lea rdx, [BYTE rax + (bytes - 1)]
        ; and rdx, -1 << tlb::LARGE_SHIFT
        ; or rdx, [rbp + DATA]
        ; cmp rdx, [rcx]
        ; jne >small
        ; mov rcx, [rcx + 8]
        ; push rax
        ; mov rax, [rbp + SITE]
        ; mov [rax + 8], rcx
    );
    if bytes == 16 {
        dynasm!(a ; mov rcx, rdx ; and rdx, -1 << tlb::LARGE_SHIFT ; sub rcx, rdx ; mov [rax + 16], rcx ; mov rcx, [rax + 8]);
    }
    dynasm!(a
        ; mov [rax], rdx
        ; pop rax
        ; add rax, rcx
        ; cmp eax, eax
        ; ret
        ; small:
        ; mov ecx, eax
        ; shr ecx, shift
        ; and ecx, mask
        ; lea rdx, [BYTE rax + (bytes - 1)]
        ; and rdx, -4096
        ; or rdx, [rbp + DATA]
        ; cmp rdx, [rbp + rcx + small]
        ; jne >unknown
        ; add rax, [rbp + rcx + small + 8]
        ; cmp eax, eax
        ; unknown:
        ; ret
    );
}
