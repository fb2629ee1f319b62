//! Which accelerator runs a machine, and the host that this makes of where we are.

use crate::accel::AccelKind;
use crate::accel::Fp;
use crate::accel::Irqchip;
use crate::error::Error;
use crate::python::config::PyConfig;
use crate::spapr::host::HostProfile;
use crate::spapr::spec::MachineSpec;
use crate::spapr::spec::Settings;
use crate::spapr::spec::check;
use crate::spapr::spec::check_on;
use crate::vm::Options;
use crate::vm::kvm;

/// How a machine is to be run, as the user says it.
pub struct Way {
    /// The accelerator's name.
    pub name: String,
    options: Options,
}

impl Way {
    /// What a configuration says.
    ///
    /// # Errors
    /// The accelerator has no such option.
    pub fn of(config: &PyConfig) -> Result<Way, Error> {
        let (name, options) = options(&config.accel)?;
        let icount = config.icount.then_some(config.seed);
        // KVM does not count instructions, so it is no choice.
        let name = if icount.is_some() && name == "auto" { AccelKind::software().name() } else { name };
        Ok(Way { name: name.into(), options: Options { icount, ..options } })
    }

    /// The machine checked, and how it is run.
    ///
    /// # Errors
    /// What the settings or the host refuse.
    pub fn settle(&self, settings: &Settings) -> Result<(Options, MachineSpec), Error> {
        let (accel, spec) = settle(&self.name, settings)?;
        Ok((Options { accel, ..self.options }, spec))
    }
}

/// Takes an accelerator's options off its name: `tcg,fp=exact`, `kvm,kernel-irqchip=on`.
fn options(accel: &str) -> Result<(&str, Options), Error> {
    let mut options = Options::default();
    let Some((name, given)) = accel.split_once(',') else { return Ok((accel, options)) };
    let known = |option: &str| match (name, option.split_once('=')) {
        ("tcg", Some(("fp", fp))) => Fp::by_name(fp).map(|fp| options.fp = fp),
        ("tcg", Some(("self-check", every))) => every.parse().ok().filter(|n| *n > 0).map(|n| options.self_check = Some(n)),
        ("kvm", Some(("kernel-irqchip", who))) => Irqchip::by_name(who).map(|who| options.irqchip = who),
        _ => None,
    };
    given.split(',').try_for_each(known).ok_or_else(|| {
        let problem = format!("{name} has no option {given:?}");
        let hint = match name {
            "kvm" => "use accel=\"kvm,kernel-irqchip=on\", \"kvm,kernel-irqchip=off\", or the accelerator's name alone",
            _ => "use accel=\"tcg,fp=exact\", \"tcg,fp=host\", \"tcg,self-check=100\", or the accelerator's name alone",
        };
        Error::config("accel", problem, hint)
    })?;
    Ok((name, options))
}

/// The machine, checked for the host that its accelerator runs on, and that accelerator. `auto` is KVM where it can run this machine, else the
/// translator, and the interpreter on hosts for which there is none; what it came to, and why, is in the log.
pub fn settle(accel: &str, settings: &Settings) -> Result<(AccelKind, MachineSpec), Error> {
    match options(accel)?.0 {
        "kvm" => Ok((AccelKind::Kvm, check_here(settings, kvm::this_host()?)?)),
        "auto" => match kvm::this_host().and_then(|host| Ok((host, check_here(settings, host)?))) {
            Ok((host, spec)) => {
                log::info!(target: "spapr.vm", "accel=\"auto\" is kvm here ({})", host.name);
                Ok((AccelKind::Kvm, spec))
            }
            Err(why) => {
                let kind = AccelKind::software();
                log::info!(target: "spapr.vm", "accel=\"auto\" is {} here; {why}", kind.name());
                Ok((kind, check(settings)?))
            }
        },
        name => {
            let kind = AccelKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| {
                let problem = format!("there is no accelerator {name:?}");
                Error::config("accel", problem, "use accel=\"tcg\", \"interp\" or \"kvm\", or leave it out")
            })?;
            kind.refusal().map_or(Ok(()), Err)?;
            Ok((kind, check(settings)?))
        }
    }
}

/// A host that the user names is another one, which is asked about; left out, it is this one.
fn check_here(settings: &Settings, here: &'static HostProfile) -> Result<MachineSpec, Error> {
    match settings.host.as_deref() {
        Some(name) if name != here.name => check(settings),
        Some(_) | None => check_on(settings, here),
    }
}
