//! What a kernel has of the sPAPR capabilities, and what comes of asking for more.
//!
//! An emulator's checks stand with the capabilities themselves (`caps`); here are those of a KVM. The difference matters where a default of the machine
//! version is more than a host has: `cap-fwnmi` on a kernel before 4.13, `cap-ail-mode-3` under PR, transactional memory on a POWER10.

use crate::spapr::caps::Cap;
use crate::spapr::caps::CapLevels;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::CpuKind;
use crate::spapr::cpus::Level;
use crate::spapr::host::HostProfile;

/// The highest levels that a kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Grants {
    /// Transactional memory (KVM_CAP_PPC_HTM).
    pub htm: bool,
    /// Cache flush on privilege change: 0 to 2 (KVM_PPC_GET_CPU_CHAR, as the two that follow).
    pub cfpc: u8,
    /// Speculation barrier: 0 to 2.
    pub sbbc: u8,
    /// Indirect branches: 0 to 4; 3 is a count cache that is off.
    pub ibs: u8,
    /// Count cache flush assist.
    pub ccf_assist: bool,
    /// log2 of the host's page size, where a hash guest's pages must lie in one of the host's (KVM_PPC_GET_SMMU_INFO); `None`: any size.
    pub pages: Option<u8>,
    /// Nested guests, first interface (KVM_CAP_PPC_NESTED_HV).
    pub nested_hv: bool,
    /// Nested guests, PAPR interface. No Linux serves it: its KVM only uses it, below another hypervisor (`Documentation/arch/powerpc/kvm-nested.rst`).
    pub nested_papr: bool,
    /// A decrementer of the processor's full width (`ibm,dec-bits` of the host).
    pub large_decr: bool,
    /// Machine checks to the guest (KVM_CAP_PPC_FWNMI).
    pub fwnmi: bool,
    /// H_RPT_INVALIDATE (KVM_CAP_PPC_RPT_INVALIDATE).
    pub rpt_invalidate: bool,
    /// Interrupts with relocation on (KVM_CAP_PPC_AIL_MODE_3).
    pub ail_mode_3: bool,
    /// Second data breakpoint (KVM_CAP_PPC_DAWR1).
    pub dawr1: bool,
}

impl Grants {
    /// A kernel that has nothing.
    pub const NOTHING: Grants = Grants {
        htm: false,
        cfpc: 0,
        sbbc: 0,
        ibs: 0,
        ccf_assist: false,
        pages: None,
        nested_hv: false,
        nested_papr: false,
        large_decr: false,
        fwnmi: false,
        rpt_invalidate: false,
        ail_mode_3: false,
        dawr1: false,
    };

    /// The highest level of a capability; 255 where the kernel has no say.
    pub fn ceiling(&self, cap: Cap) -> u8 {
        match cap {
            Cap::Htm => u8::from(self.htm),
            Cap::Cfpc => self.cfpc,
            Cap::Sbbc => self.sbbc,
            Cap::Ibs => self.ibs,
            // With the count cache off, the instruction that would flush it does no harm.
            Cap::CcfAssist => u8::from(self.ccf_assist || self.ibs == FIXED_CCD),
            Cap::HptMaxPageSize => self.pages.unwrap_or(u8::MAX),
            Cap::NestedHv => u8::from(self.nested_hv),
            Cap::NestedPapr => u8::from(self.nested_papr),
            Cap::LargeDecr => u8::from(self.large_decr),
            Cap::Fwnmi => u8::from(self.fwnmi),
            Cap::RptInvalidate => u8::from(self.rpt_invalidate),
            Cap::AilMode3 => u8::from(self.ail_mode_3),
            Cap::Dawr1 => u8::from(self.dawr1),
            Cap::Vsx | Cap::Dfp => u8::MAX,
        }
    }
}

/// The level of `cap-ibs` that is a count cache switched off.
const FIXED_CCD: u8 = 3;

/// What is asked: a processor held to a mode, with these levels.
pub(in crate::spapr) struct Asked<'a> {
    pub(in crate::spapr) host: &'a HostProfile,
    pub(in crate::spapr) cpu: &'a CpuKind,
    pub(in crate::spapr) max_compat: Option<&'a CompatMode>,
    pub(in crate::spapr) all: &'a CapLevels,
}

/// QEMU's refusal of a level by a KVM, and the value that goes instead; `None`: the kernel has it.
pub(in crate::spapr) fn refusal(a: &Asked<'_>, cap: Cap) -> Option<(String, String)> {
    let level = a.all.get(cap);
    let most = a.host.grants.ceiling(cap);
    let isa_3 = a.cpu.offers(Level::V3_00, a.max_compat);
    let off = "off".to_string();
    match cap {
        Cap::Vsx if level > 0 && !a.cpu.vsx => return Some(("VSX support not available".to_string(), off)),
        Cap::Dfp if level > 0 && !a.cpu.dfp => return Some(("DFP support not available".to_string(), off)),
        Cap::NestedHv if level > 0 && !isa_3 => return Some(("Nested-HV only supported on POWER9 and later".to_string(), off)),
        Cap::HptMaxPageSize if level < 12 => return Some(("Require at least 4kiB hpt-max-page-size".to_string(), "64K".to_string())),
        Cap::RptInvalidate if level > 0 && !a.host.mmu.radix => return Some(("H_RPT_INVALIDATE only supported on Radix".to_string(), off)),
        Cap::Htm
        | Cap::Vsx
        | Cap::Dfp
        | Cap::Cfpc
        | Cap::Sbbc
        | Cap::Ibs
        | Cap::HptMaxPageSize
        | Cap::NestedHv
        | Cap::LargeDecr
        | Cap::CcfAssist
        | Cap::Fwnmi
        | Cap::RptInvalidate
        | Cap::AilMode3
        | Cap::NestedPapr
        | Cap::Dawr1 => {}
    }
    if level <= most {
        return None;
    }
    let message = match cap {
        Cap::Htm => "KVM implementation does not support Transactional Memory".to_string(),
        Cap::Cfpc => "Requested safe cache capability level not supported by KVM".to_string(),
        Cap::Sbbc => "Requested safe bounds check capability level not supported by KVM".to_string(),
        Cap::Ibs => "Requested safe indirect branch capability level not supported by KVM".to_string(),
        Cap::CcfAssist => "Requested count cache flush assist capability level not supported by KVM".to_string(),
        Cap::HptMaxPageSize => format!(
            "Can't support {} kiB guest pages with {} kiB host pages with this KVM implementation",
            1u64 << (level - 10),
            1u64 << (most - 10)
        ),
        Cap::NestedHv => "KVM implementation does not support Nested-HV".to_string(),
        Cap::NestedPapr => "KVM implementation does not support Nested-PAPR".to_string(),
        Cap::LargeDecr => "No large decrementer support".to_string(),
        Cap::Fwnmi => "Firmware Assisted Non-Maskable Interrupts(FWNMI) not supported by KVM.".to_string(),
        Cap::RptInvalidate => "KVM implementation does not support H_RPT_INVALIDATE".to_string(),
        Cap::AilMode3 => "KVM implementation does not support cap-ail-mode-3".to_string(),
        Cap::Dawr1 => "DAWR1 not supported by KVM.".to_string(),
        Cap::Vsx | Cap::Dfp => return None,
    };
    Some((message, cap.text(most)))
}
