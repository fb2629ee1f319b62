//! Rotates and shifts (ISA I 3.3.14).

use super::CA;
use super::CA32;
use super::Emitter;
use super::Form;
use super::RAX;
use super::RCX;
use super::Template;
use crate::bits::mask64;
use crate::isa::Insn;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;

/// The templates of this subject.
#[rustfmt::skip] // A subject per line.
pub const TEMPLATES: &[(&str, Template)] = &[
    ("rlwinm", rlwinm), ("rlwimi", rlwimi), ("rlwnm", rlwnm),
    ("rldicl", |e, i| immediate(e, i, mask64(i.mb6(), 63))), ("rldicr", |e, i| immediate(e, i, mask64(0, i.mb6()))),
    ("rldic", |e, i| immediate(e, i, mask64(i.mb6(), 63 - i.sh6()))), ("rldimi", rldimi),
    ("rldcl", |e, i| variable(e, i, mask64(i.mb6(), 63))), ("rldcr", |e, i| variable(e, i, mask64(0, i.mb6()))),
    ("slw", slw), ("srw", srw), ("sld", sld), ("srd", srd), ("sraw", sraw), ("srad", srad),
    ("srawi", srawi), ("sradi", sradi), ("extswsli", extswsli),
];

/// The mask of a word rotate.
fn mask32(i: Insn) -> u64 {
    mask64(i.mb5() + 32, i.me5() + 32)
}

/// RA ← rax; CR0.
fn done(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.put(i.ra(), RAX);
    e.record(i, RAX);
    Form::Done
}

/// `d` ← `d` & mask. Uses rcx.
fn and(e: &mut Emitter<'_>, d: u8, mask: u64) {
    if mask == u64::MAX {
    } else if mask == 0xffff_ffff {
        dynasm!(e.a ; mov Rd(d), Rd(d));
    } else if mask == 0xff {
        dynasm!(e.a ; movzx Rd(d), Rb(d));
    } else if mask == 0xffff {
        dynasm!(e.a ; movzx Rd(d), Rw(d));
    } else if let Ok(m) = u32::try_from(mask) {
        dynasm!(e.a ; and Rd(d), m as i32);
    } else if let Ok(m) = i32::try_from(mask as i64) {
        dynasm!(e.a ; and Rq(d), m);
    } else {
        e.constant(RCX, mask);
        dynasm!(e.a ; and Rq(d), rcx);
    }
}

/// rax ← the low word of eax in both halves. Uses rcx.
fn double(e: &mut Emitter<'_>) {
    dynasm!(e.a ; mov ecx, eax ; shl rcx, 32 ; or rax, rcx);
}

fn rlwinm(e: &mut Emitter<'_>, i: Insn) -> Form {
    let (n, mask) = (i.sh5(), mask32(i));
    if mask >> 32 != 0 {
        e.rotate_word(RAX, i.rt(), n);
        double(e);
        and(e, RAX, mask);
        return done(e, i);
    }
    let d = e.dst(i.ra(), RAX);
    if n != 0 && mask == u64::from(u32::MAX << n) {
        e.move_to(d, i.rt());
        dynasm!(e.a ; shl Rd(d), n as i8);
    } else if n != 0 && mask == u64::from(u32::MAX >> (32 - n)) {
        e.move_to(d, i.rt());
        dynasm!(e.a ; shr Rd(d), (32 - n) as i8);
    } else {
        e.rotate_word(d, i.rt(), n);
        if mask != 0xffff_ffff {
            and(e, d, mask);
        }
    }
    e.put(i.ra(), d);
    e.record(i, d);
    Form::Done
}

fn rlwnm(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.rb(), RCX);
    e.get_word(i.rt(), RAX);
    dynasm!(e.a ; rol eax, cl);
    let mask = mask32(i);
    if mask >> 32 != 0 {
        double(e);
    }
    and(e, RAX, mask);
    done(e, i)
}

/// RA ← rax under the mask, RA elsewhere: rax ^= RA, masked, ^= RA.
fn insert(e: &mut Emitter<'_>, i: Insn, mask: u64) -> Form {
    // The mask may take rcx, so RA is used from where it is, or loaded twice.
    let a = e.src(i.ra(), super::RDX);
    dynasm!(e.a ; xor rax, Rq(a));
    and(e, RAX, mask);
    dynasm!(e.a ; xor rax, Rq(a));
    done(e, i)
}

fn rlwimi(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.rotate_word(RAX, i.rt(), i.sh5());
    let mask = mask32(i);
    if mask >> 32 != 0 {
        double(e);
    }
    insert(e, i, mask)
}

fn rldimi(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.rotate(RAX, i.rt(), i.sh6());
    insert(e, i, mask64(i.mb6(), 63 - i.sh6()))
}

/// Rotated left by a constant and masked.
fn immediate(e: &mut Emitter<'_>, i: Insn, mask: u64) -> Form {
    let n = i.sh6();
    let d = e.dst(i.ra(), RAX);
    if n == 0 && mask == 0xffff_ffff {
        e.get_word(i.rt(), d);
    } else if n != 0 && mask == u64::MAX << n {
        e.move_to(d, i.rt());
        dynasm!(e.a ; shl Rq(d), n as i8);
    } else if n != 0 && mask == u64::MAX >> (64 - n) {
        e.move_to(d, i.rt());
        dynasm!(e.a ; shr Rq(d), (64 - n) as i8);
    } else if mask & ((1 << n) - 1) == 0
        && mask.leading_zeros() + mask.count_ones() + mask.trailing_zeros() == 64
        && i32::try_from(mask as i64).is_err()
        && u32::try_from(mask).is_err()
        && mask.trailing_zeros() == n
    {
        // clrlsldi: what is above the mask falls out.
        let top = mask.leading_zeros();
        e.move_to(d, i.rt());
        dynasm!(e.a ; shl Rq(d), (n + top) as i8 ; shr Rq(d), top as i8);
    } else {
        e.rotate(d, i.rt(), n);
        and(e, d, mask);
    }
    e.put(i.ra(), d);
    e.record(i, d);
    Form::Done
}

/// Rotated left by a register and masked.
fn variable(e: &mut Emitter<'_>, i: Insn, mask: u64) -> Form {
    e.get(i.rb(), RCX);
    e.get(i.rt(), RAX);
    dynasm!(e.a ; rol rax, cl);
    and(e, RAX, mask);
    done(e, i)
}

/// Shifted as a doubleword by six bits of RB: a count of 32 and more moves the word out.
fn slw(e: &mut Emitter<'_>, i: Insn) -> Form {
    let b = e.src(i.rb(), RCX);
    e.get_word(i.rt(), RAX);
    dynasm!(e.a ; shlx rax, rax, Rq(b) ; mov eax, eax);
    done(e, i)
}

fn srw(e: &mut Emitter<'_>, i: Insn) -> Form {
    let b = e.src(i.rb(), RCX);
    e.get_word(i.rt(), RAX);
    dynasm!(e.a ; shrx rax, rax, Rq(b));
    done(e, i)
}

/// The host looks at six bits of the count; bit 6 gives zero.
fn sld(e: &mut Emitter<'_>, i: Insn) -> Form {
    let (s, b) = (e.src(i.rt(), RAX), e.src(i.rb(), RCX));
    dynasm!(e.a ; xor edx, edx ; test Rd(b), 64 ; shlx rax, Rq(s), Rq(b) ; cmovnz rax, rdx);
    done(e, i)
}

fn srd(e: &mut Emitter<'_>, i: Insn) -> Form {
    let (s, b) = (e.src(i.rt(), RAX), e.src(i.rb(), RCX));
    dynasm!(e.a ; xor edx, edx ; test Rd(b), 64 ; shrx rax, Rq(s), Rq(b) ; cmovnz rax, rdx);
    done(e, i)
}

/// CA ← whether rax is negative and any of the bits of rdx is lost, where rdx has the bits that fall out, or more if they are all.
fn lost(e: &mut Emitter<'_>) {
    dynasm!(e.a ; mov rcx, rax ; sar rcx, 63 ; test rcx, rdx ; setnz [rbp + CA]);
    if e.carry32 {
        dynasm!(e.a ; setnz [rbp + CA32]);
    }
}

/// Shifts rax right by a constant.
fn arithmetic(e: &mut Emitter<'_>, i: Insn, n: u32) -> Form {
    if n == 0 {
        dynasm!(e.a ; mov BYTE [rbp + CA], 0);
        if e.carry32 {
            dynasm!(e.a ; mov BYTE [rbp + CA32], 0);
        }
    } else {
        dynasm!(e.a ; mov rdx, rax ; shl rdx, (64 - n) as i8);
        lost(e);
        dynasm!(e.a ; sar rax, n as i8);
    }
    done(e, i)
}

fn srawi(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get_signed_word(i.rt(), RAX);
    arithmetic(e, i, i.sh5())
}

fn sradi(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.rt(), RAX);
    arithmetic(e, i, i.sh6())
}

/// A count of 32 to 63 shifts the sign in, as the host does with the extended word.
fn sraw(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get(i.rb(), RCX);
    e.get_signed_word(i.rt(), RAX);
    // The bits that fall out: those that coming back does not restore.
    dynasm!(e.a ; sarx rdx, rax, rcx ; shlx rcx, rdx, rcx ; xor rcx, rax ; xchg rdx, rcx ; push rcx);
    lost(e);
    dynasm!(e.a ; pop rax);
    done(e, i)
}

/// As sraw; bit 6 of the count shifts all but the sign out.
fn srad(e: &mut Emitter<'_>, i: Insn) -> Form {
    let rare = e.fallback();
    e.get(i.rb(), RCX);
    e.get(i.rt(), RAX);
    {
        use dynasmrt::DynasmLabelApi;
        dynasm!(e.a ; test cl, 64 ; jnz =>rare);
    }
    dynasm!(e.a ; sarx rdx, rax, rcx ; shlx rcx, rdx, rcx ; xor rcx, rax ; xchg rdx, rcx ; push rcx);
    lost(e);
    dynasm!(e.a ; pop rax);
    done(e, i)
}

fn extswsli(e: &mut Emitter<'_>, i: Insn) -> Form {
    e.get_signed_word(i.rt(), RAX);
    if i.sh6() != 0 {
        dynasm!(e.a ; shl rax, i.sh6() as i8);
    }
    done(e, i)
}
