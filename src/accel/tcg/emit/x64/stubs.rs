//! Code that all blocks share: the entry, the ways out, and the calls of Rust functions.

use super::BIAS;
use super::DATA;
use super::FETCH;
use super::FILLED;
use super::FLAGS;
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
use super::operands::gpr_at;
use crate::accel::interp::tlb;
use crate::accel::interp::tlb::Half;
use crate::accel::tcg::buffer::CodeBuffer;
use crate::accel::tcg::exec;
use crate::accel::tcg::sites;
use crate::accel::tcg::sites::Class;
use crate::accel::tcg::sites::SITE_DELTA;
use crate::accel::tcg::sites::SITE_LIMIT;
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
    /// Calls [`exec::step`]; position in eax, [`exec::distance`] of the function in edx, image in rcx.
    pub step: usize,
    /// The same, jumped to, and then out.
    pub step_and_look: usize,
    /// For the site whose address is in rax, looks up the effective address that is rcx from where the site was: by class, half of the TLB and log2 of the bytes. The flags say
    /// equal if rax is the distance to the host now. rdx stays.
    pub look_up: [[[usize; 5]; 2]; 3],
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
            dynasm!(a ; sub rsp, 8 ; lea rdi, [rbp + back] ; mov esi, eax ; mov rax, QWORD step ; movsxd rdx, edx ; add rdx, rax ; call rax ; add rsp, 8 ; test eax, eax ; jnz >failed);
            load_pinned(a);
            dynasm!(a ; ret ; failed: ; jmp extern out);
        });
        s.step_and_look = place(buffer, |a| {
            store_pinned(a);
            let look = exec::LOOK as i32;
            dynasm!(a ; lea rdi, [rbp + back] ; mov esi, eax ; mov rax, QWORD step ; movsxd rdx, edx ; add rdx, rax ; call rax ; mov ecx, look ; test eax, eax ; cmovz eax, ecx ; jmp extern out);
        });
        s.look_up = [Class::Problem, Class::Privileged, Class::Real].map(|class| {
            [Half::Read, Half::Write].map(|half| [1, 2, 4, 8, 16].map(|bytes| place(buffer, |a| look_up(a, class, half, bytes))))
        });
        s
    }
}

/// See [`Stubs::look_up`]. First the entries of 64 KiB, which the site takes over, then the small ones, which also hold what is to be forgotten one by one. Where there are page flags a
/// store is not found: its function looks at them.
fn look_up(a: &mut Assembler, class: Class, half: Half, bytes: i8) {
    let (large, small) = match half {
        Half::Read => (LARGE_READ, READ),
        Half::Write => (LARGE_WRITE, WRITE),
    };
    let large_shift = (tlb::LARGE_SHIFT - tlb::ENTRY_SHIFT) as i8;
    let large_mask = (tlb::LARGE as i32 - 1) << tlb::ENTRY_SHIFT;
    let shift = (tlb::PAGE_SHIFT - tlb::ENTRY_SHIFT) as i8;
    let mask = (tlb::INDEX_MASK << tlb::ENTRY_SHIFT) as i32;
    let filled = FILLED + 8 * sites::kind(class, half) as i32;
    let limit = (1 << tlb::LARGE_SHIFT) - (i32::from(bytes) - 1);
    dynasm!(a
        ; mov [rbp + SITE], rax
        ; push rdx
        ; add rcx, [rax]
        ; push rcx
        ; mov eax, ecx
        ; shr eax, large_shift
        ; and eax, large_mask
        ; add rax, [rbp + large]
        ; lea rdx, [BYTE rcx + (bytes - 1)]
        ; and rdx, -1 << tlb::LARGE_SHIFT
        ; or rdx, [rbp + DATA]
        ; cmp rdx, [rax]
        ; jne >small
        ; mov rax, [rax + 8]
        ; and rdx, -1 << tlb::LARGE_SHIFT
    );
    if half == Half::Write {
        // The sixteen pages' flags.
        dynasm!(a ; lea rcx, [rdx + rax] ; shr rcx, 12 ; add rcx, [rbp + FLAGS] ; cmp QWORD [rcx], 0 ; jne >small ; cmp QWORD [rcx + 8], 0 ; jne >small);
    }
    dynasm!(a
        ; mov rcx, [rbp + SITE]
        ; mov [rcx], rdx
        ; mov [rcx + SITE_DELTA as i32], rax
        ; cmp QWORD [rcx + SITE_LIMIT as i32], 0
        ; jne >listed
        ; mov QWORD [rcx + SITE_LIMIT as i32], limit
        ; mov rdx, [rbp + filled]
        ; mov [rdx], rcx
        ; add rdx, 8
        ; mov [rbp + filled], rdx
        ; listed:
        ; cmp eax, eax
        ; pop rcx
        ; pop rdx
        ; ret
        ; small:
        ; pop rcx
        ; mov eax, ecx
        ; shr eax, shift
        ; and eax, mask
        ; lea rdx, [BYTE rcx + (bytes - 1)]
        ; and rdx, -4096
        ; or rdx, [rbp + DATA]
        ; cmp rdx, [rbp + rax + small]
        ; jne >unknown
        ; mov rax, [rbp + rax + small + 8]
    );
    if half == Half::Write {
        dynasm!(a ; add rcx, rax ; shr rcx, 12 ; add rcx, [rbp + FLAGS] ; cmp BYTE [rcx], 0);
    }
    dynasm!(a ; unknown: ; pop rdx ; ret);
}
