//! Which kind of host this machine is.
//!
//! [`Facts`] are the answers of a real kernel, asked through one function (KVM_CHECK_EXTENSION on a virtual machine), so that whoever holds the device asks
//! and nobody here needs to. They have the fields of a profile, and [`Facts::nearest`] is the profile that they fit; [`here`] says what there is where
//! no POWER kernel answers.

use crate::accel;
use crate::error::Error;
use crate::spapr::cpus::CPUS;
use crate::spapr::host::HOSTS;
use crate::spapr::host::HostProfile;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;
use crate::spapr::options::MmuModes;

/// Capability numbers of KVM (uapi `linux/kvm.h`).
mod cap {
    pub(super) const GET_PVINFO: u32 = 57;
    pub(super) const SMT: u32 = 64;
    pub(super) const MAX_VCPUS: u32 = 66;
    pub(super) const MAX_VCPU_ID: u32 = 128;
    pub(super) const HTM: u32 = 132;
    pub(super) const MMU_RADIX: u32 = 134;
    pub(super) const MMU_HASH_V3: u32 = 135;
    pub(super) const FWNMI: u32 = 146;
    pub(super) const SMT_POSSIBLE: u32 = 147;
    pub(super) const NESTED_HV: u32 = 160;
    pub(super) const DAWR1: u32 = 194;
    pub(super) const RPT_INVALIDATE: u32 = 202;
    pub(super) const AIL_MODE_3: u32 = 210;
}

/// What a kernel answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Facts {
    /// The processor's version register.
    pub pvr: u32,
    /// Whether it is KVM-PR.
    pub pr: bool,
    /// Spacing of vcpu ids before anything is set, at least 1.
    pub smt: u32,
    /// Modes that can be set.
    pub possible: u32,
    /// Most vcpus.
    pub vcpus_max: u32,
    /// First vcpu id that is refused.
    pub vcpu_id_end: u32,
    /// How guests may translate.
    pub mmu: MmuModes,
    /// Transactional memory.
    pub htm: bool,
    /// Machine checks to the guest.
    pub fwnmi: bool,
    /// Nested guests.
    pub nested_hv: bool,
    /// H_RPT_INVALIDATE.
    pub rpt_invalidate: bool,
    /// Interrupts with relocation on.
    pub ail_mode_3: bool,
    /// Second data breakpoint.
    pub dawr1: bool,
}

impl Facts {
    /// Asks a kernel on a processor. `check` is KVM_CHECK_EXTENSION on a virtual machine's descriptor; what fails counts as 0.
    pub fn ask(pvr: u32, check: impl Fn(u32) -> i32) -> Facts {
        let number = |cap| u32::try_from(check(cap)).unwrap_or(0);
        let on = |cap| number(cap) > 0;
        let vcpus_max = number(cap::MAX_VCPUS);
        let isa_3 = CPUS.iter().any(|cpu| cpu.radix && cpu.pvr >> 16 == pvr >> 16);
        Facts {
            pvr,
            pr: on(cap::GET_PVINFO),
            smt: number(cap::SMT).max(1),
            possible: number(cap::SMT_POSSIBLE),
            vcpus_max,
            vcpu_id_end: if on(cap::MAX_VCPU_ID) { number(cap::MAX_VCPU_ID) } else { vcpus_max },
            // Kernels on processors before ISA 3.00 report neither, and have the hash table.
            mmu: MmuModes { hash: !isa_3 || on(cap::MMU_HASH_V3) || on(cap::GET_PVINFO), radix: on(cap::MMU_RADIX) },
            htm: on(cap::HTM),
            fwnmi: on(cap::FWNMI),
            nested_hv: on(cap::NESTED_HV),
            rpt_invalidate: on(cap::RPT_INVALIDATE),
            ail_mode_3: on(cap::AIL_MODE_3),
            dawr1: on(cap::DAWR1),
        }
    }

    /// What a kernel like a profile's would answer; `None` for an emulator.
    pub fn of(host: &HostProfile) -> Option<Facts> {
        let pr = match host.kind {
            Kind::Emulated { .. } => return None,
            Kind::Pr => true,
            Kind::Hv(Vcores::Strict | Vcores::Loose) => false,
        };
        let grants = host.grants;
        Some(Facts {
            pvr: host.processor()?.pvr,
            pr,
            smt: host.smt,
            possible: host.possible,
            vcpus_max: host.vcpus_max,
            vcpu_id_end: host.vcpu_id_end,
            mmu: host.mmu,
            htm: grants.htm,
            fwnmi: grants.fwnmi,
            nested_hv: grants.nested_hv,
            rpt_invalidate: grants.rpt_invalidate,
            ail_mode_3: grants.ail_mode_3,
            dawr1: grants.dawr1,
        })
    }

    /// The profile that differs least: one with the same processor family and kind, judged by SMT first and translation next.
    pub fn nearest(&self) -> Option<&'static HostProfile> {
        let distance = |other: &Facts| {
            let numbers = [other.smt != self.smt, other.possible != self.possible, other.mmu != self.mmu];
            let grants = [
                other.htm != self.htm,
                other.fwnmi != self.fwnmi,
                other.nested_hv != self.nested_hv,
                other.rpt_invalidate != self.rpt_invalidate,
                other.ail_mode_3 != self.ail_mode_3,
                other.dawr1 != self.dawr1,
            ];
            100 * numbers.iter().filter(|differs| **differs).count() + grants.iter().filter(|differs| **differs).count()
        };
        HOSTS
            .iter()
            .filter_map(|host| Facts::of(host).map(|facts| (host, facts)))
            .filter(|(_, facts)| facts.pr == self.pr && facts.pvr >> 16 == self.pvr >> 16)
            .min_by_key(|(_, facts)| distance(facts))
            .map(|(host, _)| host)
    }
}

/// What this machine is.
#[derive(Debug)]
pub struct Found {
    /// Its architecture.
    pub architecture: &'static str,
    /// Its kernel's release; empty if it does not say.
    pub linux: String,
    /// What was found of KVM, in words; empty if it can be used.
    pub kvm: String,
    /// What its KVM answers, where guests can run on it.
    pub facts: Option<Facts>,
    /// The profile whose rules hold for a machine that names no host.
    pub profile: &'static HostProfile,
}

/// Looks at this machine.
pub fn here() -> Found {
    let linux = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_string();
    let (kvm, facts) = match accel::kvm::ask(|pvr, check| Facts::ask(pvr, check)) {
        Ok(facts) => (String::new(), Some(facts)),
        Err(Error::Accel { problem, .. }) => (problem, None),
        Err(other) => (other.to_string(), None),
    };
    let profile = facts.and_then(|facts| facts.nearest()).unwrap_or_else(HostProfile::emulator);
    Found { architecture: std::env::consts::ARCH, linux, kvm, facts, profile }
}

#[cfg(test)]
mod tests {
    use super::Facts;
    use super::here;
    use crate::spapr::host::HOSTS;

    #[test]
    fn every_profile_is_its_own_nearest() {
        for host in &HOSTS {
            if let Some(facts) = Facts::of(host) {
                assert_eq!(facts.nearest().unwrap().name, host.name);
            }
        }
    }

    /// What Linux 6.1 answered on an emulated POWER9 (default SMT 1, POSSIBLE 15, radix and hash, nested).
    #[test]
    fn a_kernel_is_asked_by_number() {
        let answers = [(64, 1), (147, 15), (66, 2048), (128, 16384), (134, 1), (135, 1), (160, 1), (132, 1), (146, 1), (202, 1), (210, 1)];
        let check = |cap| answers.iter().find(|(number, _)| *number == cap).map_or(-1, |&(_, value)| value);
        let facts = Facts::ask(0x004e_1202, check);
        assert_eq!((facts.nearest().unwrap().name, facts.vcpu_id_end), ("kvm-hv/power9", 16384));
    }

    #[test]
    fn this_machine_is_described() {
        let found = here();
        assert_eq!((found.architecture, found.profile.name), (std::env::consts::ARCH, "tcg"));
        assert!(found.kvm.contains("/dev/kvm"), "{found:?}");
    }
}
