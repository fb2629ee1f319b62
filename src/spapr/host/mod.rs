//! What a host grants to guests, as data.
//!
//! VSMT is a conversation with a kernel: which spacing of vcpu ids it uses by itself, which it can be set to, and where ids end. So is whether a guest
//! may use radix, transactional memory or a mitigation. A profile ([`profiles`]) is that kernel's answers, so every branch of the rules can be
//! asked about on any machine, and tested without one. The names are the ones the golden tables use.
//!
//! * [`kernel`] gives the answers call by call, with the errnos of the real one; the profiles are compared with real kernels through it;
//! * [`grants`] is what the answers come to for the sPAPR capabilities, with QEMU's words where one is refused;
//! * [`probe`] asks this machine.
//!
//! Sources: Linux `Documentation/virt/kvm/api.rst` (KVM_CAP_PPC_SMT, KVM_CAP_PPC_SMT_POSSIBLE, KVM_CAP_MAX_VCPU_ID and the capabilities that
//! [`grants`] names) and `arch/powerpc/kvm`'s behaviour.

pub mod grants;
pub mod kernel;
pub mod probe;
pub mod profiles;

pub use grants::Grants;
pub use profiles::HOSTS;

use crate::error::Error;
use crate::error::Result;
use crate::spapr::cpus::CpuKind;
use crate::spapr::host::kernel::EINVAL;
use crate::spapr::names::offer;
use crate::spapr::options::MmuModes;

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
    /// Most vcpus of a guest (KVM_CAP_MAX_VCPUS).
    pub vcpus_max: u32,
    /// The processor guests get when they ask for none; `None`: the machine version's default. KVM-HV has no other.
    pub cpu: Option<&'static str>,
    /// How guests may translate (KVM_CAP_PPC_MMU_HASH_V3 and KVM_CAP_PPC_MMU_RADIX; before POWER9 there is hash alone and neither is reported).
    pub mmu: MmuModes,
    /// What it has of the sPAPR capabilities.
    pub grants: Grants,
    /// Which Linux it stands for; empty without one.
    pub linux: &'static str,
}

impl HostProfile {
    /// The profile called `name`; `interp` and `spapr` mean our own accelerators, which are `tcg` in all that is asked here, and `kvm-pr/power8` is
    /// `kvm-pr`.
    pub fn named(name: &str) -> Result<&'static HostProfile> {
        let wanted = match name {
            "interp" | "spapr" => "tcg",
            "kvm-pr/power8" => "kvm-pr",
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

    /// Its processor, where it lends no other.
    pub fn processor(&self) -> Option<&'static CpuKind> {
        self.cpu.map(|name| CpuKind::named(name).expect("profiles name real CPUs"))
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

    #[test]
    fn profiles_name_real_cpus() {
        for host in &HOSTS {
            assert_eq!(host.processor().is_none(), !host.is_kvm(), "{}", host.name);
            // Radix is POWER9's and later's, and every processor before has the hash table.
            assert!(host.processor().is_none_or(|cpu| cpu.radix || (host.mmu.hash && !host.mmu.radix)), "{}", host.name);
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
