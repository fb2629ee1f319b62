//! Repeats recorded lines: one executed instruction a line, with what went in and what came out.
//!
//! A line is `image FPSCR v1 v2 v3 v4 = T FPSCR CR`. Before, vs1 to vs4 and vs33 to vs36 hold v1 to v4, r1 to r4 their first
//! doublewords, and CR is 12345678. T is what of vs1, vs33 and r1 changed, or `-`. Images name the target 1 and the sources 2 to 4. The
//! lines were made from random operands and kept where qemu-ppc64le 10 (power10) agreed; FX and FR, where it departs from the book, are
//! this interpreter's. The header of each file names what else was left out.

use crate::accel::Parts;
use crate::accel::interp::Core;
use crate::accel::interp::Interp;
use crate::accel::interp::function;
use crate::cpu::state::Cr;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::isa::cpu_model;
use crate::isa::decode::decode;
use crate::isa::regs::Fpscr;
use crate::isa::regs::Msr;
use crate::memory::GuestMemory;
use crate::mmu::partition::Partition;
use std::sync::Arc;

/// A POWER10 in 64-bit little-endian mode with all facilities on and 1 MiB of memory.
pub fn cpu() -> Interp {
    let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
    let mut interp = Interp::new(Parts::lone(cpu_model::by_name("power10_v2.0").unwrap(), Arc::new(Partition::new(memory))));
    let c = interp.core();
    c.msr = Msr(Msr::SF | Msr::LE | Msr::FP | Msr::VEC | Msr::VSX | Msr::FE0 | Msr::FE1);
    c.recontext();
    interp
}

/// Runs one image on the registers as they are; whether it interrupted.
pub fn step(c: &mut Core, image: u64) -> bool {
    let insn = Insn(image);
    let row = decode(insn).unwrap_or_else(|| panic!("no row for {image:08x}"));
    function(row).unwrap()(c, insn).is_err()
}

/// What comes after the equals sign.
fn outcome(c: &mut Core, image: u64, fpscr: u64, v: &[u128]) -> String {
    c.fpscr = Fpscr(fpscr);
    c.cr = Cr::unpack(0x1234_5678);
    for (n, value) in v.iter().enumerate() {
        c.vsr[n + 1] = Vsr::new(*value);
        c.vsr[n + 33] = Vsr::new(*value);
        c.gpr[n + 1] = (value >> 64) as u64;
    }
    step(c, image);
    let target = if c.vsr[1].value() != v[0] {
        format!("{:x}", c.vsr[1].value())
    } else if c.vsr[33].value() != v[0] {
        format!("{:x}", c.vsr[33].value())
    } else if c.gpr[1] != (v[0] >> 64) as u64 {
        format!("{:x}", c.gpr[1])
    } else {
        "-".into()
    };
    format!("{target} {:x} {:x}", c.fpscr.0, c.cr.pack())
}

/// Repeats a file of at least `least` lines.
pub fn repeat(text: &str, least: usize) {
    let mut interp = cpu();
    let lines: Vec<_> = text.lines().filter(|l| !l.starts_with('#')).collect();
    assert!(lines.len() >= least, "the recording shrank to {} lines", lines.len());
    for line in lines {
        let (before, after) = line.split_once(" = ").unwrap();
        let n: Vec<_> = before.split(' ').map(|w| u128::from_str_radix(w, 16).unwrap()).collect();
        let got = outcome(interp.core(), n[0] as u64, n[1] as u64, &n[2..]);
        assert_eq!(got, after, "{line}");
    }
}
