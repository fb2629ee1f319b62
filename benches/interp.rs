//! Instructions per second of the interpreter on small kernels in real mode; run with `cargo bench --bench interp`.
//!
//! Each kernel is a loop of plain instructions, so the figure is the cost of dispatch and operands, not of translation or devices.

use spapr::accel::Exit;
use spapr::accel::Parts;
use spapr::accel::Vcpu;
use spapr::accel::interp::Interp;
use spapr::isa::cpu_model;
use spapr::isa::regs::Msr;
use spapr::memory::GuestMemory;
use spapr::mmu::partition::Partition;
use spapr::units::Ra;
use std::sync::Arc;
use std::time::Instant;

/// Instructions per kernel.
const COUNT: u64 = 200_000_000;

/// Name, and the loop as words; the last one branches back.
const KERNELS: &[(&str, &[u32])] = &[
    ("add chain", &[0x7c63_2214, 0x7c84_1a14, 0x3863_0001, 0x7c65_1a78, 0x4bff_fff0]),
    ("load/store", &[0x8069_0000, 0x3863_0001, 0x9069_0000, 0xe889_0008, 0xf889_0010, 0x4bff_ffec]),
    ("compare and branch", &[0x3863_0001, 0x2c03_0000, 0x4182_0010, 0x7c84_1a14, 0x4082_fff0, 0x4bff_ffec]),
    ("rotate and mask", &[0x5463_103a, 0x7884_0020, 0x7c83_2038, 0x54a5_c23e, 0x4bff_fff0]),
];

fn main() {
    for (name, words) in KERNELS {
        let memory = Arc::new(GuestMemory::new(16 << 20).expect("16 MiB"));
        for (k, w) in words.iter().enumerate() {
            memory.write_u32(Ra(0x1000 + 4 * k as u64), *w).expect("in RAM");
        }
        let mut vcpu = Interp::new(Parts::lone(cpu_model::by_name("power9_v2.2").expect("a model"), Arc::new(Partition::new(memory))));
        let s = vcpu.state_mut();
        s.msr = Msr(Msr::SF);
        s.nip = 0x1000;
        s.gpr[9] = 0x8000;
        s.dec_expiry = i64::MAX as u64;
        let begin = Instant::now();
        let exit = vcpu.run(Some(COUNT)).expect("the interpreter does not fail");
        assert_eq!(exit, Exit::Budget);
        println!("{name:20} {:7.1} M instructions/s", COUNT as f64 / begin.elapsed().as_secs_f64() / 1e6);
    }
}
