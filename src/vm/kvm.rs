//! The kernel's half of a machine: which host this is, and a virtual machine in it that fits a [`MachineSpec`].
//!
//! VSMT is a conversation. `spapr::vsmt` has decided with the kernel's own answers in hand (its default, the modes it says are possible); here the mode is really
//! asked for, before there is any vCPU, and what the kernel then says is held against the decision (spec: `spapr::vsmt::decide`).

use crate::accel::Irqchip;
use crate::accel::kvm;
use crate::accel::kvm::KvmVm;
use crate::accel::kvm::ioctl;
use crate::accel::kvm::ioctl::Kernel;
use crate::accel::kvm::irqchip::LEVEL_SENSITIVE;
use crate::accel::kvm::probe::Type;
use crate::accel::kvm::sys;
use crate::dev::irq::HostIrqs;
use crate::dev::irq::Level;
use crate::dev::irq::SourceKind;
use crate::error::Error;
use crate::error::Result;
use crate::memory::GuestMemory;
use crate::mmu::partition::Partition;
use crate::spapr::caps::Cap;
use crate::spapr::cpus::CPUS;
use crate::spapr::host::HostProfile;
use crate::spapr::host::probe::Facts;
use crate::spapr::options::IcMode;
use crate::spapr::options::ResizeHpt;
use crate::spapr::rtas::services;
use crate::spapr::spec::MachineSpec;
use crate::units::Lisn;
use std::sync::Arc;
use std::sync::OnceLock;

/// This host as a profile: the named one whose processor it has, with what its kernel really says of vcpu ids.
///
/// # Errors
/// There is no KVM here that runs PowerPC guests; the error says what was found.
pub fn this_host() -> Result<&'static HostProfile> {
    static HERE: OnceLock<HostProfile> = OnceLock::new();
    if let Some(known) = HERE.get() {
        return Ok(known);
    }
    let facts = kvm::ask(|said, check| Facts::ask(said, check))?;
    let profile = profile(&facts)?;
    Ok(HERE.get_or_init(|| profile))
}

fn profile(facts: &Facts) -> Result<HostProfile> {
    let unknown = || refused(format!("its processor (PVR {:#010x}) is not known here", facts.pvr));
    let base = facts.nearest().ok_or_else(unknown)?;
    let cpu = CPUS.iter().find(|c| c.pvr == facts.pvr).or_else(|| CPUS.iter().find(|c| c.pvr >> 16 == facts.pvr >> 16));
    let same = (base.smt, base.possible, base.mmu) == (facts.smt, facts.possible, facts.mmu);
    Ok(HostProfile {
        name: if same { base.name } else { "this host" },
        smt: facts.smt,
        possible: facts.possible,
        vcpu_id_end: facts.vcpu_id_end,
        vcpus_max: facts.vcpus_max,
        mmu: facts.mmu,
        grants: facts.grants,
        cpu: Some(cpu.ok_or_else(unknown)?.name),
        ..*base
    })
}

fn refused(problem: String) -> Error {
    Error::Accel { accel: "kvm".into(), problem, hint: "use accel=\"interp\", or leave it out".into() }
}

/// A virtual machine of the host's kernel for `spec`, with its RAM, and ready for vCPUs.
///
/// # Errors
/// There is no KVM, or it refuses what the machine needs.
pub(super) fn create(spec: &MachineSpec, memory: &Arc<GuestMemory>, partition: &Partition, irqchip: Irqchip) -> Result<Arc<KvmVm>> {
    create_in(Arc::new(ioctl::Host), spec, memory, partition, irqchip)
}

pub(super) fn create_in(
    kernel: Arc<dyn Kernel>,
    spec: &MachineSpec,
    memory: &Arc<GuestMemory>,
    partition: &Partition,
    irqchip: Irqchip,
) -> Result<Arc<KvmVm>> {
    let vm = Arc::new(KvmVm::new(kernel)?);
    if spec.cpu.pvr >> 16 != vm.facts().pvr >> 16 && vm.facts().kind == Type::Hv {
        let lent = CPUS.iter().find(|c| c.pvr >> 16 == vm.facts().pvr >> 16).map_or("the host's", |c| c.name);
        let problem = format!("{} cannot run on this host: KVM-HV lends guests its own processor", spec.cpu);
        return Err(Error::config(
            "cpu",
            problem,
            format!("use cpu=\"{lent}\" (with max_cpu_compat=… for an older one), or leave cpu out"),
        ));
    }
    set_mode(&vm, spec)?;
    for (cap, args, name) in SWITCHED {
        if spec.caps.on(cap) {
            vm.switch_on(args).map_err(|errno| {
                let said = std::io::Error::from_raw_os_error(errno);
                let problem = format!("KVM_ENABLE_CAP of {name} failed: {said}");
                Error::config(format!("caps[\"{}\"]", cap.name()), problem, format!("use caps={{\"{}\": \"off\"}}", cap.name()))
            })?;
        }
    }
    vm.set_memory(memory)?;
    match irqchip {
        Irqchip::Monitor => {}
        Irqchip::Kernel => make_irqchip(&vm, spec)?,
    }
    partition.set_host(vm.clone());
    Ok(vm)
}

/// XICS in the kernel, which is told the tokens of the RTAS calls that belong to it.
fn make_irqchip(vm: &KvmVm, spec: &MachineSpec) -> Result<()> {
    let lacking = |problem: &str| Error::Accel {
        accel: "kvm".into(),
        problem: problem.into(),
        hint: "use accel=\"kvm\" without kernel-irqchip=on: spapr has the interrupt controllers as well".into(),
    };
    if spec.ic != IcMode::Xics {
        return Err(Error::config("ic_mode", "kernel-irqchip=on is for XICS alone", "use ic_mode=\"xics\", or leave kernel-irqchip out"));
    }
    if !vm.facts().xics {
        return Err(lacking("this kernel has no XICS (KVM_CAP_IRQ_XICS)"));
    }
    vm.make_xics()?;
    for (name, token) in services(spec).into_iter().filter(|(name, _)| XICS_CALLS.contains(name)) {
        if !vm.answer_rtas(name, token)? {
            return Err(lacking(&format!("this kernel's XICS does not answer RTAS {name}")));
        }
    }
    Ok(())
}

/// A capability of the kernel's, and how it is switched on.
type Switch = (u32, [u64; 2]);

/// Capabilities that the kernel has and gives to a guest only when told so (`Documentation/virt/kvm/api.rst`).
const SWITCHED: [(Cap, Switch, &str); 3] = [
    (Cap::NestedHv, (sys::CAP_PPC_NESTED_HV, [1, 0]), "KVM_CAP_PPC_NESTED_HV"),
    // Of the calls that the kernel can answer, the one that it answers only when told to, and that spapr does not.
    (Cap::RptInvalidate, (sys::CAP_PPC_ENABLE_HCALL, [H_RPT_INVALIDATE, 1]), "KVM_CAP_PPC_ENABLE_HCALL (H_RPT_INVALIDATE)"),
    (Cap::Dawr1, (sys::CAP_PPC_DAWR1, [1, 0]), "KVM_CAP_PPC_DAWR1"),
];

/// PAPR H_RPT_INVALIDATE.
const H_RPT_INVALIDATE: u64 = 0x448;

/// RTAS calls of XICS: whoever keeps the controller answers them.
const XICS_CALLS: [&str; 4] = ["ibm,set-xive", "ibm,get-xive", "ibm,int-off", "ibm,int-on"];

/// The kernel's interrupt controller, as the machine sees it.
pub(super) struct Irqs(pub(super) Arc<KvmVm>);

impl HostIrqs for Irqs {
    fn reset_presenters(&self) -> Result<()> {
        self.0.reset_presenters()
    }

    fn reset_source(&self, source: Lisn, kind: SourceKind) -> Result<()> {
        let kind = match kind {
            SourceKind::Msi => 0,
            SourceKind::Lsi => LEVEL_SENSITIVE,
        };
        self.0.reset_source(source, kind)
    }

    fn set_level(&self, source: Lisn, level: Level) -> Result<()> {
        self.0.irq_line(source, u32::from(level == Level::High))
    }
}

/// Leaves out of `spec` what the host that keeps the page tables does not offer, as QEMU does.
///
/// # Errors
/// It is required.
pub(super) fn limit(spec: &mut MachineSpec, partition: &Partition) -> Result<()> {
    if partition.host().is_none_or(|host| host.can_resize()) || spec.resize_hpt == ResizeHpt::Disabled {
        return Ok(());
    }
    if spec.resize_hpt == ResizeHpt::Required {
        let problem = "the host's kernel cannot resize hash tables (KVM_CAP_SPAPR_RESIZE_HPT)".to_string();
        return Err(Error::config("resize_hpt", problem, "use resize_hpt=\"disabled\", or leave it out".to_string()));
    }
    spec.resize_hpt = ResizeHpt::Disabled;
    Ok(())
}

/// Has the kernel use the machine's spacing of vcpu ids, where it is not the kernel's own.
fn set_mode(vm: &KvmVm, spec: &MachineSpec) -> Result<()> {
    let (own, mode) = (vm.smt(), spec.vsmt.stride());
    if own == mode {
        return Ok(());
    }
    let Err(errno) = vm.set_smt(mode) else {
        let now = vm.smt();
        // POWER9 and later say the mode that was set; a kernel that says another would number vcpus differently.
        let agrees = now == mode;
        return if agrees { Ok(()) } else { Err(refused(format!("VSMT mode {mode} was set, but the kernel now says {now}"))) };
    };
    let message = format!("Failed to set KVM's VSMT mode to {mode} (errno -{errno})");
    if own >= spec.vsmt.threads() && mode.is_multiple_of(own) && spec.vsmt.kernel_mode() == own {
        log::warn!(target: "spapr.vm", "{message}; harmless: every guest core has a host core");
        return Ok(());
    }
    let modes: Vec<String> = vm.facts().modes().map(|m| m.to_string()).collect();
    let problem = match modes.is_empty() {
        true => format!("{message}; This KVM seems to be too old to support VSMT."),
        false => format!("{message}; Available VSMT modes: {}.", modes.join(" ")),
    };
    Err(Error::config("vsmt", problem, format!("use vsmt={own}, or another of the modes")))
}

#[cfg(test)]
mod tests {
    use super::Irqchip;
    use super::create_in;
    use crate::accel::kvm::script::Is;
    use crate::accel::kvm::script::POWER8;
    use crate::accel::kvm::script::POWER9;
    use crate::accel::kvm::script::Script;
    use crate::memory::GuestMemory;
    use crate::mmu::partition::Partition;
    use crate::spapr::smp::SmpSettings;
    use crate::spapr::spec::Settings;
    use crate::spapr::spec::check;
    use std::sync::Arc;

    /// A machine's half in the kernel, with so many cores and threads: the mode that it is in afterwards, or the refusal.
    fn mode(is: Is, host: &str, smp: [u32; 2], vsmt: i64) -> Result<u32, String> {
        let settings = Settings {
            machine: "pseries-2.12".into(),
            host: Some(host.into()),
            smp: SmpSettings { cores: Some(smp[0]), threads: Some(smp[1]), ..SmpSettings::default() },
            vsmt: Some(vsmt),
            // PR does not have it.
            caps: vec![("ail-mode-3".into(), "off".into())],
            ..Settings::default()
        };
        let spec = check(&settings).map_err(|e| e.to_string())?;
        let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
        let partition = Partition::new(memory.clone());
        let kernel = Arc::new(Script::new(is));
        let made = create_in(kernel.clone(), &spec, &memory, &partition, Irqchip::Monitor);
        let mode = made.map(|_| kernel.smt()).map_err(|e| e.to_string());
        drop(partition);
        assert_eq!(kernel.open_descriptors(), 0);
        mode
    }

    #[test]
    fn every_branch_of_the_mode_is_taken() {
        let four = Is { smt: 4, possible: 7, ..POWER8 };
        let old = Is { possible: 0, ..POWER8 };
        let pr = Is { hv: false, smt: 0, possible: 1, ..POWER8 };
        assert_eq!(mode(POWER8, "kvm-hv/power8", [1, 2], 8), Ok(8), "not asked for");
        assert_eq!(mode(POWER9, "kvm-hv/power9", [1, 2], 8), Ok(8), "set");
        assert_eq!(mode(four, "kvm-hv/power8-subcores-2", [1, 2], 8), Ok(4), "refused, and lived with");
        assert_eq!(mode(old, "kvm-hv/power8-old-kernel", [1, 2], 8), Ok(8), "an old kernel's own");
        assert_eq!(mode(pr, "kvm-pr", [2, 1], 8), Ok(0), "of PR nothing is expected");
        // Another host was asked about than this one is.
        let refused = mode(four, "kvm-hv/power8", [1, 8], 8).unwrap_err();
        assert!(refused.contains("mode to 8 (errno -22); Available VSMT modes: 4 2 1.; use vsmt=4"), "{refused}");
        let refused = mode(old, "kvm-hv/power8", [1, 2], 4).unwrap_err();
        assert!(refused.contains("mode to 4 (errno -22); This KVM seems to be too old"), "{refused}");
    }

    #[test]
    fn a_processor_that_the_host_does_not_lend_is_refused() {
        let refused = mode(POWER9, "kvm-hv/power8", [1, 1], 8).unwrap_err();
        assert!(refused.starts_with("cpu: ") && refused.contains("KVM-HV lends guests its own processor"), "{refused}");
    }
}
