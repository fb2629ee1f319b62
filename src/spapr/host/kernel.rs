//! A host's kernel, call by call: what KVM answers to whoever sets a virtual machine up.
//!
//! The profiles say it in numbers; this is the same as behaviour, with the errnos, so that a profile can be held beside a real kernel, and the rules of
//! VSMT beside the profile. Only what is asked before a guest runs is here.

use std::collections::BTreeSet;

use crate::spapr::host::HostProfile;
use crate::spapr::host::KVM_VCPUS;
use crate::spapr::host::Kind;
use crate::spapr::host::Vcores;

/// A mode that KVM does not have, a kernel that can set none, or two vcpus folded into one (POWER9 and later).
pub const EINVAL: i32 = 22;
/// A mode is set after a vcpu exists.
pub const EBUSY: i32 = 16;
/// A vcpu id twice (before POWER9).
pub const EEXIST: i32 = 17;

/// A virtual machine that has just been made.
#[derive(Clone, Debug)]
pub struct Vm {
    host: &'static HostProfile,
    mode: u32,
    vcpus: BTreeSet<u32>,
}

impl Vm {
    /// KVM_CREATE_VM. `None` where there is no KVM.
    pub fn new(host: &'static HostProfile) -> Option<Vm> {
        host.is_kvm().then(|| Vm { host, mode: host.smt, vcpus: BTreeSet::new() })
    }

    /// KVM_CHECK_EXTENSION(KVM_CAP_PPC_SMT) on the machine: ids per virtual core.
    pub fn smt(&self) -> u32 {
        self.mode
    }

    /// KVM_CHECK_EXTENSION(KVM_CAP_PPC_SMT_POSSIBLE).
    pub fn possible(&self) -> u32 {
        self.host.possible
    }

    /// KVM_CHECK_EXTENSION(KVM_CAP_MAX_VCPU_ID).
    pub fn vcpu_id_end(&self) -> u32 {
        self.host.vcpu_id_end
    }

    /// KVM_ENABLE_CAP(KVM_CAP_PPC_SMT, mode, flags).
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn enable_smt(&mut self, mode: u64, flags: u64) -> Result<(), i32> {
        let Some(mode) = u32::try_from(mode).ok().filter(|_| flags == 0) else { return Err(EINVAL) };
        let set = self.host.set_smt(mode)?;
        if !self.vcpus.is_empty() {
            return Err(EBUSY);
        }
        self.mode = set;
        Ok(())
    }

    /// KVM_CREATE_VCPU.
    ///
    /// # Errors
    /// The kernel's errno.
    pub fn create_vcpu(&mut self, id: u32) -> Result<(), i32> {
        let end = match self.host.kind {
            Kind::Hv(_) => KVM_VCPUS.saturating_mul(self.mode).min(self.host.vcpu_id_end),
            Kind::Pr | Kind::Emulated { .. } => self.host.vcpu_id_end,
        };
        if id >= end || self.vcpus.len() >= self.host.vcpus_max as usize {
            return Err(EINVAL);
        }
        if !self.vcpus.insert(id) {
            return Err(match self.host.kind {
                Kind::Hv(Vcores::Loose) => EINVAL,
                Kind::Hv(Vcores::Strict) | Kind::Pr | Kind::Emulated { .. } => EEXIST,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::EBUSY;
    use super::EEXIST;
    use super::EINVAL;
    use super::Vm;
    use crate::spapr::host::HOSTS;
    use crate::spapr::host::HostProfile;

    fn vm(host: &str) -> Vm {
        Vm::new(HostProfile::named(host).unwrap()).unwrap()
    }

    /// Measured on emulated hosts with Linux 6.1.
    #[test]
    fn errnos_are_the_measured_ones() {
        for (host, accepted, twice) in [
            ("kvm-hv/power9", &[1, 2, 4, 8][..], EINVAL),
            ("kvm-hv/power10", &[1, 2, 4, 8], EINVAL),
            ("kvm-hv/power9-nested", &[1, 2, 4, 8], EINVAL),
            ("kvm-hv/power8", &[1, 2, 4, 8], EEXIST),
            ("kvm-hv/power8-subcores-2", &[1, 2, 4], EEXIST),
            ("kvm-hv/power8-subcores-4", &[1, 2], EEXIST),
        ] {
            for mode in 0..=16 {
                let mut vm = vm(host);
                let wanted = if accepted.contains(&mode) { Ok(()) } else { Err(EINVAL) };
                assert_eq!(vm.enable_smt(mode, 0), wanted, "{host} {mode}");
                assert_eq!(vm.enable_smt(mode, 1), Err(EINVAL), "{host} {mode}");
                if wanted.is_ok() {
                    assert_eq!(u64::from(vm.smt()), mode);
                }
            }
            let mut vm = vm(host);
            vm.create_vcpu(0).unwrap();
            assert_eq!((vm.create_vcpu(0), vm.enable_smt(accepted[0], 0)), (Err(twice), Err(EBUSY)), "{host}");
        }
    }

    #[test]
    fn kernels_that_cannot_set_a_mode_keep_their_own() {
        for host in HOSTS.iter().filter(|h| h.is_kvm() && h.modes().all(|mode| h.set_smt(mode).is_err())) {
            let mut vm = Vm::new(host).unwrap();
            assert_eq!((vm.enable_smt(u64::from(host.smt), 0), vm.smt()), (Err(EINVAL), host.smt), "{}", host.name);
        }
    }
}
