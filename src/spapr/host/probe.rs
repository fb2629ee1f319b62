//! Which kind of host this machine is.
//!
//! [`Facts`] are the answers of a real kernel, which the accelerator asks, so that nobody here needs the device. They have the fields of a profile, and [`Facts::nearest`] is the profile that they fit; [`here`] says what there is where
//! no POWER kernel answers.

use crate::accel::kvm;
use crate::error::Error;
use crate::spapr::caps::Cap;
use crate::spapr::host::Grants;
use crate::spapr::host::HOSTS;
use crate::spapr::host::HostProfile;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;
use crate::spapr::options::MmuModes;

/// Capability numbers of KVM (uapi `linux/kvm.h`) that the accelerator itself has no use for.
mod cap {
    pub(super) const FWNMI: u32 = 146;
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
    /// What it has of the sPAPR capabilities.
    pub grants: Grants,
}

impl Facts {
    /// A kernel's answers. `check` is KVM_CHECK_EXTENSION on a virtual machine's descriptor; what fails counts as 0.
    pub fn ask(said: &kvm::probe::Facts, check: impl Fn(u32) -> i32) -> Facts {
        let on = |cap| check(cap) > 0;
        Facts {
            pvr: said.pvr,
            pr: said.kind == kvm::probe::Type::Pr,
            smt: said.smt,
            possible: said.possible,
            vcpus_max: said.max_vcpus,
            vcpu_id_end: said.vcpu_id_end,
            mmu: MmuModes { hash: said.hash || said.kind == kvm::probe::Type::Pr, radix: said.radix },
            grants: Grants {
                htm: said.htm,
                pages: said.hash_page.map(|bytes| bytes.ilog2() as u8),
                nested_hv: said.nested,
                nested_papr: false,
                large_decr: said.dec_bits.is_some_and(|bits| bits > 32),
                fwnmi: on(cap::FWNMI),
                rpt_invalidate: on(cap::RPT_INVALIDATE),
                ail_mode_3: on(cap::AIL_MODE_3),
                dawr1: on(cap::DAWR1),
                ..mitigations(said.cpu_char, said.pvr)
            },
        }
    }

    /// What a kernel like a profile's would answer; `None` for an emulator.
    pub fn of(host: &HostProfile) -> Option<Facts> {
        let pr = match host.kind {
            Kind::Emulated { .. } => return None,
            Kind::Pr => true,
            Kind::Hv(Vcores::Strict | Vcores::Loose) => false,
        };
        Some(Facts {
            pvr: host.processor()?.pvr,
            pr,
            smt: host.smt,
            possible: host.possible,
            vcpus_max: host.vcpus_max,
            vcpu_id_end: host.vcpu_id_end,
            mmu: host.mmu,
            grants: host.grants,
        })
    }

    /// The profile that differs least: one with the same processor family and kind, judged by SMT first and translation next.
    pub fn nearest(&self) -> Option<&'static HostProfile> {
        let distance = |other: &Facts| {
            let numbers = [other.smt != self.smt, other.possible != self.possible, other.mmu != self.mmu];
            let grants = Cap::all().filter(|cap| other.grants.ceiling(*cap) != self.grants.ceiling(*cap)).count();
            100 * numbers.iter().filter(|differs| **differs).count() + grants
        };
        HOSTS
            .iter()
            .filter_map(|host| Facts::of(host).map(|facts| (host, facts)))
            .filter(|(_, facts)| facts.pr == self.pr && facts.pvr >> 16 == self.pvr >> 16)
            .min_by_key(|(_, facts)| distance(facts))
            .map(|(host, _)| host)
    }
}

/// Mitigations as KVM_PPC_GET_CPU_CHAR has them (the bits are those of PAPR's H_GET_CPU_CHARACTERISTICS): the highest levels, all else nothing. A kernel
/// whose firmware does not say is one that has none.
fn mitigations([character, behaviour, character_known, behaviour_known]: [u64; 4], pvr: u32) -> Grants {
    // IBM numbering: bit 0 is the highest.
    let bit = |n: u32| 1u64 << (63 - n);
    let has = |n| character & character_known & bit(n) != 0;
    let needs_not = |n| !behaviour & behaviour_known & bit(n) != 0;
    // POWER8 flushes its first level cache whoever runs on the core's other threads.
    let alone = pvr >> 16 == POWER8 || pvr >> 16 == POWER8E || pvr >> 16 == POWER8NVL || has(L1D_THREAD_PRIVILEGE);
    let level = |steps: [bool; 2]| if steps[0] { 2 } else { u8::from(steps[1]) };
    Grants {
        cfpc: level([needs_not(FLUSHES_L1D), alone && (has(L1D_FLUSH_ORI30) || has(L1D_FLUSH_TRIG2))]),
        sbbc: level([needs_not(BOUNDS_BARRIER), has(BARRIER_ORI31)]),
        ibs: match () {
            () if needs_not(FLUSHES_COUNT_CACHE) && !has(COUNT_CACHE_OFF) && !has(BCCTRL_SERIALISED) => 4,
            () if has(COUNT_CACHE_OFF) => 3,
            () if has(BCCTRL_SERIALISED) => 2,
            () => 0,
        },
        ccf_assist: has(FLUSH_ASSIST),
        ..Grants::NOTHING
    }
}

const POWER8E: u32 = 0x4b;
const POWER8NVL: u32 = 0x4c;
const POWER8: u32 = 0x4d;
// Character.
const BARRIER_ORI31: u32 = 0;
const BCCTRL_SERIALISED: u32 = 1;
const L1D_FLUSH_ORI30: u32 = 2;
const L1D_FLUSH_TRIG2: u32 = 3;
const L1D_THREAD_PRIVILEGE: u32 = 4;
const COUNT_CACHE_OFF: u32 = 7;
const FLUSH_ASSIST: u32 = 9;
// Behaviour that the guest should have.
const FLUSHES_L1D: u32 = 1;
const BOUNDS_BARRIER: u32 = 2;
const FLUSHES_COUNT_CACHE: u32 = 5;

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
    let (kvm, facts) = match kvm::ask(|said, check| Facts::ask(said, check)) {
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
    use super::kvm;
    use super::mitigations;
    use crate::spapr::host::HOSTS;
    use crate::spapr::host::HostProfile;

    #[test]
    fn every_profile_is_its_own_nearest() {
        for host in &HOSTS {
            if let Some(facts) = Facts::of(host) {
                assert_eq!(facts.nearest().unwrap().name, host.name);
            }
        }
    }

    /// What Linux 6.1 answered on an emulated POWER9 (default SMT 1, POSSIBLE 15, radix and hash, nested), and what its firmware would on a real one.
    #[test]
    fn a_kernel_is_asked_by_number() {
        let answers = [(146, 1), (202, 1), (210, 1)];
        let check = |cap| answers.iter().find(|(number, _)| *number == cap).map_or(-1, |&(_, value)| value);
        let said = said();
        let facts = Facts::ask(&said, check);
        assert_eq!(Facts::of(HostProfile::named("kvm-hv/power9").unwrap()), Some(facts));
        assert_eq!((facts.nearest().unwrap().name, facts.vcpu_id_end), ("kvm-hv/power9", 16384));
    }

    fn said() -> kvm::probe::Facts {
        kvm::probe::Facts {
            kind: kvm::probe::Type::Hv,
            pvr: 0x004e_1202,
            smt: 1,
            possible: 15,
            vcpu_id_end: 16384,
            max_vcpus: 2048,
            radix: true,
            hash: true,
            nested: true,
            xics: true,
            xive: true,
            htm: true,
            resize_hpt: false,
            hash_page: Some(0x10000),
            cpu_char: [0xb900_0000_0000_0000, 0xe000_0000_0000_0000, !0, !0],
            dec_bits: Some(56),
            page: 0x10000,
        }
    }

    #[test]
    fn mitigations_are_levels() {
        let levels = |char: [u64; 4], pvr| {
            let g = mitigations(char, pvr);
            (g.cfpc, g.sbbc, g.ibs, g.ccf_assist)
        };
        let (p8, p9) = (0x4d_0200, 0x4e_1202);
        assert_eq!(levels([0; 4], p9), (0, 0, 0, false), "firmware that says nothing");
        assert_eq!(levels([0, 0, !0, !0], p9), (2, 2, 4, false), "nothing is needed");
        assert_eq!(levels([1 << 60, !0, !0, !0], p9).0, 0, "a flush of a cache that other threads fill");
        assert_eq!(levels([1 << 60, !0, !0, !0], p8).0, 1);
        assert_eq!(levels([1 << 63 | 1 << 62 | 1 << 54, !0, !0, !0], p9), (0, 1, 2, true));
        assert_eq!(levels([1 << 56, !0, !0, !0], p9).2, 3);
    }

    #[test]
    fn this_machine_is_described() {
        let found = here();
        assert_eq!((found.architecture, found.profile.name), (std::env::consts::ARCH, "tcg"));
        assert!(found.kvm.contains("/dev/kvm"), "{found:?}");
    }
}
