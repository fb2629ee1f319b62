//! What distinguishes the CPU models for whoever executes instructions.
//!
//! The platform's view (device tree, compatibility modes, capability defaults) is `spapr::cpus`; both are keyed by the model's name.

use crate::isa::Isa;

/// A processor as a program running on it can tell.
#[derive(Debug)]
pub struct CpuModel {
    /// Name with version, as the user writes it (`power9_v2.2`).
    pub name: &'static str,
    /// Processor version register.
    pub pvr: u32,
    /// Highest edition implemented.
    pub isa: Isa,
    /// SLB entries.
    pub slb_entries: usize,
    /// Whether 1 TiB segments exist.
    pub one_tib_segments: bool,
    /// Whether VMX and VSX exist (970 has VMX only, POWER5+ neither).
    pub vmx: bool,
    /// Whether VSX exists.
    pub vsx: bool,
    /// Width of the large decrementer in bits (32 where there is none).
    pub decrementer_bits: u32,
}

const fn model(name: &'static str, pvr: u32, isa: Isa) -> CpuModel {
    let new = isa as u8 >= Isa::V2_06 as u8;
    let dec = if isa as u8 >= Isa::V3_0 as u8 { 56 } else { 32 };
    CpuModel { name, pvr, isa, slb_entries: if new { 32 } else { 64 }, one_tib_segments: new, vmx: new, vsx: new, decrementer_bits: dec }
}

/// Every model (machine facts: PVRs and sizes as QEMU reports them).
#[rustfmt::skip] // One model per line.
pub static MODELS: &[CpuModel] = &[
    CpuModel { vmx: true, ..model("970_v2.2", 0x0039_0202, Isa::V2_03) },
    CpuModel { vmx: true, ..model("970mp_v1.0", 0x0044_0100, Isa::V2_03) },
    CpuModel { vmx: true, ..model("970mp_v1.1", 0x0044_0101, Isa::V2_03) },
    model("power5p_v2.1",    0x003b_0201, Isa::V2_03),
    model("power7_v2.3",     0x003f_0203, Isa::V2_06),
    model("power7p_v2.1",    0x004a_0201, Isa::V2_06),
    model("power8_v2.0",     0x004d_0200, Isa::V2_07),
    model("power8e_v2.1",    0x004b_0201, Isa::V2_07),
    model("power8nvl_v1.0",  0x004c_0100, Isa::V2_07),
    model("power9_v2.0",     0x004e_1200, Isa::V3_0),
    model("power9_v2.2",     0x004e_1202, Isa::V3_0),
    model("power10_v2.0",    0x0080_1200, Isa::V3_1),
    model("power11_v2.0",    0x0082_1200, Isa::V3_1),
];

/// Logical PVRs and the Processor Compatibility Register that holds a processor to each: the level's own bit and all newer ones (ISA III, PCR).
const PCR_OF: &[(u32, u64)] = &[
    (0x0f00_0002, 0x3e),
    (0x0f00_0003, 0x3c),
    (0x0f10_0003, 0x3c),
    (0x0f00_0004, 0x38),
    (0x0f00_0005, 0x30),
    (0x0f00_0006, 0x20),
    (0x0f00_0007, 0x20),
];

/// The PCR for a compatibility mode; 0 for none.
pub fn pcr(logical_pvr: u32) -> u64 {
    PCR_OF.iter().find(|(p, _)| *p == logical_pvr).map_or(0, |(_, v)| *v)
}

/// The newest compatibility mode that a PCR stands for; 0 for none.
pub fn logical_pvr(pcr: u64) -> u32 {
    PCR_OF.iter().rev().find(|(_, v)| *v == pcr).map_or(0, |(p, _)| *p)
}

/// The newest edition whose instructions problem-state programs may use under `pcr`.
pub fn problem_state_isa(pcr: u64) -> Isa {
    match pcr & 0x1e {
        p if p & 2 != 0 => Isa::V2_05,
        p if p & 4 != 0 => Isa::V2_06,
        p if p & 8 != 0 => Isa::V2_07,
        p if p & 16 != 0 => Isa::V3_0,
        _ => Isa::V3_1,
    }
}

/// The model of this full name.
pub fn by_name(name: &str) -> Option<&'static CpuModel> {
    MODELS.iter().find(|m| m.name == name)
}
