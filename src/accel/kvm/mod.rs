//! KVM: the host's own hypervisor runs the guest.
//!
//! [`probe::facts`] asks what a host offers; [`vm::KvmVm`] is one virtual machine, [`vcpu::KvmVcpu`] one of its vCPUs. They speak to a kernel through
//! [`ioctl::Kernel`], behind which stands the real one or a recorded one (`script`), so that everything but the guest's own
//! instructions is tested on any machine.
//!
//! # Who does what
//!
//! The kernel keeps the hash table and handles its hypercalls, H_CEDE, H_PROD and H_CONFER, and registers VPAs; it walks radix trees and knows the process table once it is
//! told ([`crate::mmu::partition::HostTables`]). Everything else leaves KVM_RUN as an [`crate::accel::Exit`], as from any
//! accelerator. The interrupt controllers are ours: their line reaches the kernel as KVM_INTERRUPT the moment it moves (`line`).
//!
//! # Registers
//!
//! They live in the kernel. [`crate::accel::Vcpu::state`] fetches them when somebody looks, `state_mut` marks them as changed, and the next
//! `run` writes back what differs (`one_reg`). A hypercall needs none of this: its registers come and go with the exit.
//!
//! # Time
//!
//! The guest's timebase is the host's plus an offset that the kernel rounds up to 2^24 ticks (33 ms). The offset is chosen once for all vCPUs when the
//! machine's clock starts, so the guest sees no step back, and after each pause at most that step forward.

pub mod exit;
pub mod ioctl;
pub mod irqchip;
pub mod line;
pub mod one_reg;
pub mod probe;
#[cfg(test)]
pub mod script;
pub mod sys;
pub mod table;
pub mod vcpu;
pub mod vm;

pub use vm::KvmVm;

use crate::error::Error;
use ioctl::Errno;
use sys::Op;

/// A refusal of this accelerator.
fn cannot(problem: String) -> Error {
    Error::Accel { accel: "kvm".into(), problem, hint: "use accel=\"interp\", or leave it out".into() }
}

/// /dev/kvm could not be opened, or is another architecture's.
fn no_device(errno: Errno) -> Error {
    no_device_of(std::env::consts::ARCH, errno)
}

fn no_device_of(architecture: &str, errno: Errno) -> Error {
    let error = std::io::Error::from_raw_os_error(errno);
    let problem = match errno {
        libc::ENOENT | libc::ENODEV if architecture == "powerpc64" => {
            "this host has no /dev/kvm (is the module kvm-hv loaded, and is this machine a hypervisor?)".to_string()
        }
        libc::ENOENT | libc::ENODEV => format!("this {architecture} host has no /dev/kvm, and KVM runs PowerPC guests on POWER hosts only"),
        libc::EACCES | libc::EPERM if architecture == "powerpc64" => {
            "/dev/kvm may not be opened by this user (is it in the group kvm?)".to_string()
        }
        libc::EACCES | libc::EPERM => {
            format!("/dev/kvm of this {architecture} host may not be opened, and KVM runs PowerPC guests on POWER hosts only")
        }
        _ => format!("/dev/kvm of this {architecture} host cannot be used: {error}"),
    };
    cannot(problem)
}

/// What this host's KVM offers.
///
/// # Errors
/// There is none that runs PowerPC guests; the error says what was found and what to use.
pub fn probe() -> crate::error::Result<probe::Facts> {
    if !cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
        return Err(foreign());
    }
    probe::facts(&ioctl::Host)
}

/// Lets `look` ask this host's KVM: the facts, and KVM_CHECK_EXTENSION for more.
///
/// # Errors
/// As for [`probe`].
pub fn ask<T>(look: impl FnOnce(&probe::Facts, &dyn Fn(u32) -> i32) -> T) -> crate::error::Result<T> {
    if !cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
        return Err(foreign());
    }
    probe::ask(&ioctl::Host, look)
}

/// What was found of KVM on a host that cannot run PowerPC guests.
fn foreign() -> Error {
    let architecture = std::env::consts::ARCH;
    match version() {
        Ok(version) => {
            cannot(format!("/dev/kvm (API version {version}) belongs to {architecture}, and KVM runs PowerPC guests on POWER hosts only"))
        }
        Err(errno) => no_device(errno),
    }
}

/// The API version of the host's KVM.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn version() -> Result<i32, Errno> {
    let kvm = kvm_ioctls::Kvm::new().map_err(|e| e.errno())?;
    Ok(kvm.get_api_version())
}

/// The bindings do not cover this architecture: only the device is looked at.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn version() -> Result<i32, Errno> {
    std::fs::File::open("/dev/kvm").map(|_| 12).map_err(|e| e.raw_os_error().unwrap_or(libc::EIO))
}

/// What errors of particular calls mean, and what to do.
const HINTS: &[(&Op, Errno, &str)] = &[
    (&sys::CREATE_VM, libc::EINVAL, "load the module kvm-hv, or kvm-pr where there is no hypervisor mode"),
    (&sys::CREATE_VM, libc::ENOMEM, "free memory on the host; a hash table needs contiguous memory (kernel argument kvm_cma_resv_ratio)"),
    (&sys::PPC_ALLOCATE_HTAB, libc::ENOMEM, "use less memory= or maxmem=, or give the host more (kernel argument kvm_cma_resv_ratio)"),
    (&sys::PPC_ALLOCATE_HTAB, libc::EBUSY, "a vCPU is still running; pause() the machine first"),
    (&sys::CREATE_VCPU, libc::EEXIST, "use a vsmt of at least threads per core, so that no id is given twice"),
    (&sys::CREATE_VCPU, libc::EINVAL, "use fewer cpus, or a smaller vsmt: the kernel has no room for this vcpu id"),
    (&sys::RUN, libc::EBUSY, "before POWER9 all threads of the host's cores but the first must be offline (ppc64_cpu --smt=off)"),
    (&sys::SET_USER_MEMORY_REGION, libc::EINVAL, "use a memory= that is a multiple of the host's page size"),
];

/// A call that the kernel refused.
fn refused(op: &Op, errno: Errno) -> Error {
    refused_for(op, errno, "")
}

/// The same, with a word on what it was for.
fn refused_for(op: &Op, errno: Errno, what: &str) -> Error {
    let specific = HINTS.iter().find(|(o, e, _)| *o == op && *e == errno).map(|(.., hint)| *hint);
    let general = match errno {
        libc::EMFILE | libc::ENFILE => "close other machines, or raise the limit of open files (ulimit -n)",
        libc::ENOMEM => "free memory on the host",
        _ => "use accel=\"interp\", or look at the host's kernel log",
    };
    let problem = format!("{}{what} failed: {}", op.name, std::io::Error::from_raw_os_error(errno));
    Error::Accel { accel: "kvm".into(), problem, hint: specific.unwrap_or(general).into() }
}

#[cfg(test)]
mod tests;
