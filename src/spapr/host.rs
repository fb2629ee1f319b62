//! What a host grants to guests, as data.
//!
//! VSMT is a conversation with a kernel: which spacing of vcpu ids it uses by itself, which it can be set to, and where ids end.
//! A profile is that kernel's answers, so every branch of the rules can be asked about on any machine (and tested without one).
//! The names are the ones the golden tables use.
//!
//! Sources: Linux `Documentation/virt/kvm/api.rst` (KVM_CAP_PPC_SMT, KVM_CAP_PPC_SMT_POSSIBLE, KVM_CAP_MAX_VCPU_ID) and
//! `arch/powerpc/kvm`'s behaviour.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::names::offer;

/// `EINVAL`: a mode that KVM does not have, or a kernel that cannot set any.
const EINVAL: i32 = 22;

/// vcpus that a distribution's kernel allows (its NR_CPUS); ids go 8 times as far since Linux 4.7.
pub const KVM_VCPUS: u32 = 2048;

/// Who runs the guest's instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An emulator, which has no kernel to ask. QEMU calls its own TCG; ours count as one with SMT.
    Emulated {
        /// Most threads of a core that it can run: 1 up to QEMU 8.0, 8 after.
        max_threads: u32,
    },
    /// KVM with hypervisor mode.
    Hv(Vcores),
    /// KVM in problem state; knows no virtual cores.
    Pr,
}

/// How KVM-HV turns vcpu ids into virtual cores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vcores {
    /// Before POWER9: `id / mode`; the vcpus of one virtual core share a physical one. An id twice is `EEXIST`.
    Strict,
    /// POWER9 and later: each vcpu by itself, ids folded into a dense range. Folding two into one is `EINVAL`.
    Loose,
}

/// A kind of host.
#[derive(PartialEq, Eq, Debug)]
pub struct HostProfile {
    /// Its name in questions, answers and golden tables.
    pub name: &'static str,
    /// What it stands for.
    pub about: &'static str,
    /// Who runs the guest.
    pub kind: Kind,
    /// The spacing of vcpu ids before anything is set (KVM_CAP_PPC_SMT on the VM, at least 1).
    pub smt: u32,
    /// The modes that can be set (KVM_CAP_PPC_SMT_POSSIBLE): the bit of value m is set for mode m. 0: too old to say.
    pub possible: u32,
    /// First vcpu id that KVM refuses (KVM_CAP_MAX_VCPU_ID, else its number of vcpus).
    pub vcpu_id_end: u32,
    /// The processor guests get when they ask for none; `None`: the machine version's default.
    pub cpu: Option<&'static str>,
}

/// A kernel new enough (4.13) to set the mode, on a host of HV's.
const SETTABLE: HostProfile =
    HostProfile { name: "", about: "", kind: Kind::Hv(Vcores::Strict), smt: 1, possible: 0, vcpu_id_end: 8 * KVM_VCPUS, cpu: None };
const P8: HostProfile = HostProfile { smt: 8, possible: 0xf, cpu: Some("power8_v2.0"), ..SETTABLE };
const P7: HostProfile = HostProfile { smt: 4, possible: 0x7, cpu: Some("power7_v2.3"), ..SETTABLE };
const P9: HostProfile = HostProfile { kind: Kind::Hv(Vcores::Loose), smt: 1, possible: 0xf, cpu: Some("power9_v2.2"), ..SETTABLE };

/// All profiles.
pub static HOSTS: [HostProfile; 13] = [
    HostProfile { name: "kvm-hv/power8", about: "KVM-HV on POWER8, Linux 4.13 or later", ..P8 },
    HostProfile {
        name: "kvm-hv/power8-old-kernel",
        about: "KVM-HV on POWER8, a kernel before 4.13: the mode cannot be set",
        possible: 0,
        vcpu_id_end: KVM_VCPUS,
        ..P8
    },
    HostProfile { name: "kvm-hv/power8-subcores-2", about: "KVM-HV on POWER8 with subcores_per_core=2", smt: 4, possible: 0x7, ..P8 },
    HostProfile { name: "kvm-hv/power8-subcores-4", about: "KVM-HV on POWER8 with subcores_per_core=4", smt: 2, possible: 0x3, ..P8 },
    HostProfile { name: "kvm-hv/power7", about: "KVM-HV on POWER7, Linux 4.13 or later", ..P7 },
    HostProfile {
        name: "kvm-hv/power7-old-kernel",
        about: "KVM-HV on POWER7, a kernel before 4.13: the mode cannot be set",
        possible: 0,
        vcpu_id_end: KVM_VCPUS,
        ..P7
    },
    HostProfile { name: "kvm-hv/power9", about: "KVM-HV on POWER9 as released", ..P9 },
    HostProfile {
        name: "kvm-hv/power9-2018",
        about: "KVM-HV on POWER9 as the seed patch knew it, before its release: 4 by default",
        smt: 4,
        cpu: Some("power9_v2.0"),
        ..P9
    },
    HostProfile { name: "kvm-hv/power10", about: "KVM-HV on POWER10", cpu: Some("power10_v2.0"), ..P9 },
    HostProfile {
        name: "kvm-hv/ppc970",
        about: "KVM-HV on PowerPC 970, gone from Linux before the mode could be set",
        vcpu_id_end: KVM_VCPUS,
        cpu: Some("970_v2.2"),
        ..SETTABLE
    },
    HostProfile {
        name: "kvm-pr",
        about: "KVM-PR on any host (here a POWER8): one id after the other, never settable",
        kind: Kind::Pr,
        possible: 1,
        cpu: Some("power8_v2.0"),
        ..SETTABLE
    },
    HostProfile {
        name: "tcg",
        about: "emulation with SMT: QEMU 8.1 and later, and spapr's own accelerators",
        kind: Kind::Emulated { max_threads: 8 },
        vcpu_id_end: u32::MAX,
        ..SETTABLE
    },
    HostProfile {
        name: "tcg-7.2",
        about: "emulation without SMT: QEMU up to 8.0",
        kind: Kind::Emulated { max_threads: 1 },
        vcpu_id_end: u32::MAX,
        ..SETTABLE
    },
];

impl HostProfile {
    /// The profile called `name`; `interp` and `spapr` mean our own accelerators, which are `tcg` in all that is asked here.
    pub fn named(name: &str) -> Result<&'static HostProfile> {
        let wanted = match name {
            "interp" | "spapr" => "tcg",
            other => other,
        };
        HOSTS
            .iter()
            .find(|h| h.name.eq_ignore_ascii_case(wanted))
            .ok_or_else(|| Error::config("host", format!("there is no host profile {name:?}"), offer(name, HOSTS.iter().map(|h| h.name))))
    }

    /// The host that our own accelerators are.
    pub fn emulator() -> &'static HostProfile {
        HOSTS.iter().find(|h| h.name == "tcg").expect("the table has a row for emulation")
    }

    /// Whether there is a kernel to ask.
    pub fn is_kvm(&self) -> bool {
        match self.kind {
            Kind::Emulated { .. } => false,
            Kind::Hv(_) | Kind::Pr => true,
        }
    }

    /// Asks the kernel for a mode (KVM_ENABLE_CAP of KVM_CAP_PPC_SMT): the mode it is in afterwards, or the errno.
    pub fn set_smt(&self, mode: u32) -> std::result::Result<u32, i32> {
        let known = mode.is_power_of_two() && self.possible & mode != 0;
        match self.kind {
            Kind::Hv(_) if known => Ok(mode),
            Kind::Hv(_) | Kind::Pr | Kind::Emulated { .. } => Err(EINVAL),
        }
    }

    /// The modes that can be set, highest first.
    pub fn modes(&self) -> impl Iterator<Item = u32> {
        let possible = self.possible;
        (0..u32::BITS).rev().map(|bit| 1 << bit).filter(move |mode| possible & mode != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::HOSTS;
    use super::HostProfile;
    use crate::spapr::cpus::CpuKind;

    #[test]
    fn profiles_name_real_cpus() {
        for cpu in HOSTS.iter().filter_map(|h| h.cpu) {
            CpuKind::named(cpu).unwrap();
        }
    }

    #[test]
    fn kernels_answer_as_the_table_says() {
        let host = |name| HostProfile::named(name).unwrap();
        assert_eq!(host("kvm-hv/power8").set_smt(4), Ok(4));
        assert_eq!(host("kvm-hv/power8").set_smt(3), Err(22));
        assert_eq!(host("kvm-hv/power8-old-kernel").set_smt(8), Err(22));
        assert_eq!(host("kvm-pr").set_smt(1), Err(22));
        assert_eq!(host("kvm-hv/power8-subcores-2").modes().collect::<Vec<_>>(), [4, 2, 1]);
        assert!(HostProfile::named("kvm-hv/power99").unwrap_err().to_string().contains("did you mean kvm-hv/power9?"));
    }
}
