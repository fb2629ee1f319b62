//! Calls and returns, which the translator makes calls and returns of the host: those that fit together, and those that do not.

use spapr::accel::AccelKind;
use spapr::accel::Exit;
use spapr::accel::Fp;
use spapr::accel::Parts;
use spapr::accel::Vcpu;
use spapr::isa::cpu_model;
use spapr::isa::regs::Lpcr;
use spapr::isa::regs::Msr;
use spapr::isa::spr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::sync::Arc;

/// The last word of a page is nine words further.
const CODE: u64 = 0x1_0fdc;
const STACK: u64 = 0x4_0000;
const BLR: u32 = 0x4e80_0020;
const END: u32 = 0x4400_0022;

fn bl(words: i32) -> u32 {
    0x4800_0001 | (words * 4) as u32 & 0x03ff_fffc
}

fn addi(rt: u32, ra: u32, n: i32) -> u32 {
    0x3800_0000 | rt << 21 | ra << 16 | n as u32 & 0xffff
}

fn std(rs: u32, n: u32) -> u32 {
    0xf801_0000 | rs << 21 | n
}

fn ld(rt: u32, n: u32) -> u32 {
    0xe801_0000 | rt << 21 | n
}

fn mflr(rt: u32) -> u32 {
    0x7c08_02a6 | rt << 21
}

fn mtlr(rs: u32) -> u32 {
    0x7c08_03a6 | rs << 21
}

fn mtctr(rs: u32) -> u32 {
    0x7c09_03a6 | rs << 21
}

/// Runs `code` to its hypercall, with r3 = `n`, on both accelerators.
///
/// # Panics
/// When they do not agree in registers, CFAR and the number of instructions.
fn both(code: &[(u64, Vec<u32>)], n: u64) -> Option<u64> {
    let mut ends = [AccelKind::Interp, AccelKind::Tcg].into_iter().filter(|k| k.refusal().is_none()).map(|kind| {
        let memory = Arc::new(GuestMemory::new(1 << 20).expect("1 MiB"));
        for (at, words) in code {
            for (k, w) in words.iter().enumerate() {
                memory.write_u32(Ra(at + 4 * k as u64), *w).expect("in RAM");
            }
        }
        let model = cpu_model::by_name("power9_v2.2").expect("a model");
        let mut vcpu: Box<dyn Vcpu> =
            kind.create(Parts::lone(model, Arc::new(Partition::new(memory))), Fp::default()).expect("this host has it");
        let s = vcpu.state_mut();
        (s.msr, s.nip, s.dec_expiry) = (Msr(Msr::SF), CODE, i64::MAX as u64);
        s.spr[spr::LPCR] = Lpcr::AIL0 | Lpcr::AIL1;
        (s.gpr[1], s.gpr[3], s.gpr[12]) = (STACK, n, CODE + 0x2000);
        let exit = vcpu.run(Some(50_000_000)).expect("no failure of the host");
        assert!(matches!(exit, Exit::Hcall { .. }), "{kind:?}: {exit:?} at {:#x}", vcpu.state().nip);
        let s = vcpu.state();
        (s.gpr, s.lr, s.ctr, s.cr.pack(), s.spr[spr::CFAR], vcpu.instructions())
    });
    let first = ends.next().expect("there is always the interpreter");
    let second = ends.next()?;
    assert_eq!(first, second);
    Some(first.0[3])
}

#[test]
fn recursion_returns_to_each_caller() {
    let fibonacci = vec![
        bl(2),
        END,
        0x2c23_0002, // cmpdi r3,2
        0x4d80_0020, // bltlr
        mflr(0),
        std(0, 16),
        0xf821_ffc1, // stdu r1,-64(r1)
        std(3, 32),
        addi(3, 3, -1), // the last word of the page
        bl(-7),
        std(3, 40),
        ld(3, 32),
        addi(3, 3, -2),
        bl(-11),
        ld(4, 40),
        0x7c63_2214, // add r3,r3,r4
        addi(1, 1, 64),
        ld(0, 16),
        mtlr(0),
        BLR,
    ];
    // More instructions than a slice has: the stack is cut back in the middle.
    assert!(both(&[(CODE, fibonacci)], 20).is_none_or(|f| f == 6765));
}

#[test]
fn calls_that_never_return_are_many() {
    let runaway = vec![addi(4, 3, 0), mtctr(4), bl(1), bl(1), 0x4200_fff8, END];
    both(&[(CODE, runaway)], 300_000);
}

#[test]
fn a_return_may_leave_out_frames() {
    let outer = vec![addi(4, 0, 100), mtctr(4), bl(3), 0x4200_fffc, END, mflr(30), bl(3), addi(3, 3, 100), BLR];
    let inner = vec![bl(2), addi(3, 3, 1000), addi(3, 3, 1), mtlr(30), BLR];
    let code: Vec<u32> = outer.into_iter().chain(inner).collect();
    assert!(both(&[(CODE, code)], 0).is_none_or(|n| n == 100));
}

#[test]
fn a_call_through_a_register_comes_back_over_a_page() {
    // bctrl is the last word of its page, then the last but one.
    for before in [8, 7] {
        let mut code = vec![0x6000_0000; before];
        code[0] = mtctr(12);
        // bctrl; addi r3,r3,-1; cmpdi r3,0; bne to the start
        code.extend([0x4e80_0421, addi(3, 3, -1), 0x2c23_0000, 0x4082_0000 | (-4 * (before as i32 + 3)) as u32 & 0xfffc, END]);
        both(&[(CODE, code), (CODE + 0x2000, vec![addi(5, 5, 1), BLR])], 5000);
    }
}
