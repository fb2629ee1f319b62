//! KVM: what this host offers, and why that is not enough.
//!
//! Running guests with KVM takes a POWER host; the accelerator itself is a later step. What stands here is the probe, so that who asks for KVM learns from the
//! first version on what was found and what to use instead.

use crate::error::Error;
use std::io::ErrorKind;

/// What was found of KVM here, as the error that refuses it: no device, no permission, another architecture's KVM, or a POWER host's, which this
/// version does not use.
pub fn refusal() -> Error {
    let architecture = std::env::consts::ARCH;
    let problem = match version() {
        Ok(version) if architecture == "powerpc64" => {
            format!("/dev/kvm (API version {version}) is there, but this version of spapr does not use it")
        }
        Ok(version) => {
            format!("/dev/kvm (API version {version}) belongs to {architecture}, and KVM runs PowerPC guests on POWER hosts only")
        }
        Err(ErrorKind::NotFound) => format!("this {architecture} host has no /dev/kvm, and KVM runs PowerPC guests on POWER hosts only"),
        Err(ErrorKind::PermissionDenied) => {
            format!("/dev/kvm of this {architecture} host may not be opened, and KVM runs PowerPC guests on POWER hosts only")
        }
        Err(other) => format!("/dev/kvm of this {architecture} host cannot be used ({other})"),
    };
    Error::Accel { accel: "kvm".into(), problem, hint: "use accel=\"interp\", or leave it out".into() }
}

/// The API version of the host's KVM.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn version() -> Result<i32, ErrorKind> {
    let kvm = kvm_ioctls::Kvm::new().map_err(|e| std::io::Error::from_raw_os_error(e.errno()).kind())?;
    Ok(kvm.get_api_version())
}

/// The bindings do not cover this architecture (POWER among them): only the device is looked at.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn version() -> Result<i32, ErrorKind> {
    std::fs::File::open("/dev/kvm").map(|_| 12).map_err(|e| e.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_names_the_device_and_what_to_use() {
        let text = refusal().to_string();
        assert!(text.contains("/dev/kvm") && text.contains("accel=\"interp\""), "{text}");
    }
}
