//! Which accelerator runs a machine, and the host that this makes of where we are.

use crate::accel::AccelKind;
use crate::accel::Fp;
use crate::error::Error;
use crate::spapr::host::HostProfile;
use crate::spapr::spec::MachineSpec;
use crate::spapr::spec::Settings;
use crate::spapr::spec::check;
use crate::spapr::spec::check_on;
use crate::vm::kvm;

/// Takes an accelerator's options off its name: `tcg,fp=exact`.
pub fn options(accel: &str) -> Result<(&str, Fp), Error> {
    let Some((name, options)) = accel.split_once(',') else { return Ok((accel, Fp::default())) };
    let fp = options.strip_prefix("fp=").and_then(Fp::by_name).filter(|_| name == "tcg").ok_or_else(|| {
        let problem = format!("{name} has no option {options:?}");
        Error::config("accel", problem, "use accel=\"tcg,fp=exact\", \"tcg,fp=host\", or the accelerator's name alone")
    })?;
    Ok((name, fp))
}

/// The machine, checked for the host that its accelerator runs on, and that accelerator. `auto` is KVM where it can run this machine, else the
/// translator, and the interpreter on hosts for which there is none; what it came to, and why, is in the log.
pub fn settle(accel: &str, settings: &Settings) -> Result<(AccelKind, MachineSpec), Error> {
    match accel {
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
