//! What this host's KVM offers: asked once, as plain facts, before anything is created.

use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::Errno;
use crate::accel::kvm::ioctl::Kernel;
use crate::accel::kvm::ioctl::bytes;
use crate::accel::kvm::refused;
use crate::accel::kvm::sys;
use crate::error::Error;
use crate::error::Result;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

/// How guests are run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    /// In hypervisor mode.
    Hv,
    /// In problem state.
    Pr,
}

/// A kernel's answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facts {
    /// How guests are run.
    pub kind: Type,
    /// The processor's version register.
    pub pvr: u32,
    /// Spacing of vcpu ids of a VM before anything is set (KVM_CAP_PPC_SMT on the VM, at least 1).
    pub smt: u32,
    /// Modes that can be set (KVM_CAP_PPC_SMT_POSSIBLE): the bit of value m for mode m; 0: too old to say.
    pub possible: u32,
    /// First vcpu id that is refused.
    pub vcpu_id_end: u32,
    /// Most vcpus.
    pub max_vcpus: u32,
    /// Radix guests (KVM_CAP_PPC_MMU_RADIX).
    pub radix: bool,
    /// Hash guests: always before ISA 3.0, from then on by KVM_CAP_PPC_MMU_HASH_V3.
    pub hash: bool,
    /// Guests may be hypervisors themselves.
    pub nested: bool,
    /// XICS in the kernel.
    pub xics: bool,
    /// XIVE in the kernel.
    pub xive: bool,
    /// Hash tables can be resized.
    pub resize_hpt: bool,
    /// Transactional memory.
    pub htm: bool,
    /// Bytes of a page of the host's, where a hash guest's pages must lie in one (KVM_PPC_PAGE_SIZES_REAL).
    pub hash_page: Option<u64>,
    /// Mitigations (KVM_PPC_GET_CPU_CHAR): character, behaviour, and which bits of each the kernel knows. Zeros: it says nothing.
    pub cpu_char: [u64; 4],
    /// Width of the decrementer (`ibm,dec-bits` of the host's device tree), if firmware says.
    pub dec_bits: Option<u32>,
    /// Bytes of a page of the host's.
    pub page: u64,
}

impl Facts {
    /// The modes that can be set, highest first.
    pub fn modes(&self) -> impl Iterator<Item = u32> {
        let possible = self.possible;
        (0..u32::BITS).rev().map(|bit| 1 << bit).filter(move |mode| possible & mode != 0)
    }
}

/// A capability's value; what a kernel does not know is 0.
pub fn capability(kernel: &dyn Kernel, fd: &OwnedFd, cap: u32) -> u32 {
    kernel.call(fd.as_fd(), &sys::CHECK_EXTENSION, Arg::Value(u64::from(cap))).map_or(0, |v| v.max(0) as u32)
}

/// Asks the kernel, through a VM that is given back at once.
///
/// # Errors
/// There is no KVM here that runs PowerPC guests.
pub fn facts(kernel: &dyn Kernel) -> Result<Facts> {
    ask(kernel, |facts, _| facts.clone())
}

/// Lets `look` ask such a VM: the facts, and KVM_CHECK_EXTENSION for more (what fails is negative).
///
/// # Errors
/// There is no KVM here that runs PowerPC guests.
pub fn ask<T>(kernel: &dyn Kernel, look: impl FnOnce(&Facts, &dyn Fn(u32) -> i32) -> T) -> Result<T> {
    let dev = kernel.open().map_err(super::no_device)?;
    let version = kernel.call(dev.as_fd(), &sys::GET_API_VERSION, Arg::None).map_err(|e| refused(&sys::GET_API_VERSION, e))?;
    if version != 12 {
        return Err(super::cannot(format!("/dev/kvm has API version {version}, and 12 is known")));
    }
    let (vm, kind) = create_vm(kernel, &dev)?;
    let facts = facts_of(kernel, &vm, kind)?;
    let check = |cap: u32| kernel.call(vm.as_fd(), &sys::CHECK_EXTENSION, Arg::Value(u64::from(cap))).unwrap_or_else(|e| -e);
    Ok(look(&facts, &check))
}

fn facts_of(kernel: &dyn Kernel, vm: &OwnedFd, kind: Type) -> Result<Facts> {
    let cap = |c| capability(kernel, vm, c);
    let pvr = pvr(kernel, vm)?;
    let isa_3 = matches!(pvr >> 16, 0x4e | 0x80 | 0x82);
    let page = super::ioctl::page_bytes();
    let mut sizes = sys::SmmuInfo::default();
    let sizes = kernel.call(vm.as_fd(), &sys::PPC_GET_SMMU_INFO, Arg::Bytes(bytes(&mut sizes))).map(|_| sizes).unwrap_or_default();
    let mut said = sys::CpuChar::default();
    let said = kernel.call(vm.as_fd(), &sys::PPC_GET_CPU_CHAR, Arg::Bytes(bytes(&mut said))).map(|_| said).unwrap_or_default();
    let ids = cap(sys::CAP_MAX_VCPU_ID);
    let max_vcpus = cap(sys::CAP_MAX_VCPUS).max(cap(sys::CAP_NR_VCPUS)).max(1);
    Ok(Facts {
        kind,
        pvr,
        smt: cap(sys::CAP_PPC_SMT).max(1),
        possible: cap(sys::CAP_PPC_SMT_POSSIBLE),
        vcpu_id_end: if ids == 0 { max_vcpus } else { ids },
        max_vcpus,
        radix: cap(sys::CAP_PPC_MMU_RADIX) != 0,
        hash: !isa_3 || cap(sys::CAP_PPC_MMU_HASH_V3) != 0,
        nested: cap(sys::CAP_PPC_NESTED_HV) != 0,
        xics: cap(sys::CAP_IRQ_XICS) != 0,
        xive: cap(sys::CAP_PPC_IRQ_XIVE) != 0,
        resize_hpt: cap(sys::CAP_SPAPR_RESIZE_HPT) != 0,
        htm: cap(sys::CAP_PPC_HTM) != 0,
        hash_page: (sizes.flags & sys::PAGE_SIZES_REAL != 0).then_some(page),
        cpu_char: [said.character, said.behaviour, said.character_mask, said.behaviour_mask],
        dec_bits: dec_bits(std::path::Path::new("/proc/device-tree/cpus")),
        page,
    })
}

/// `ibm,dec-bits` of the first processor that has it (devicetree bindings of PowerPC: one cell, big endian).
fn dec_bits(cpus: &std::path::Path) -> Option<u32> {
    let nodes = std::fs::read_dir(cpus).ok()?;
    nodes.flatten().find_map(|node| std::fs::read(node.path().join("ibm,dec-bits")).ok()?.try_into().ok().map(u32::from_be_bytes))
}

/// A VM in hypervisor mode where there is one, else whatever the kernel makes.
pub(super) fn create_vm(kernel: &dyn Kernel, dev: &OwnedFd) -> Result<(OwnedFd, Type)> {
    let make = |kind: u64| kernel.create(dev.as_fd(), &sys::CREATE_VM, Arg::Value(kind));
    match make(sys::VM_HV) {
        Ok(vm) => Ok((vm, Type::Hv)),
        Err(libc::EINVAL) => make(sys::VM_AUTO).map(|vm| (vm, Type::Pr)).map_err(no_vm),
        Err(e) => Err(no_vm(e)),
    }
}

fn no_vm(errno: Errno) -> Error {
    refused(&sys::CREATE_VM, errno)
}

/// The processor that guests get, from a vcpu.
fn pvr(kernel: &dyn Kernel, vm: &OwnedFd) -> Result<u32> {
    let vcpu = kernel.create(vm.as_fd(), &sys::CREATE_VCPU, Arg::Value(0)).map_err(|e| refused(&sys::CREATE_VCPU, e))?;
    let mut sregs = sys::Sregs::default();
    kernel.call(vcpu.as_fd(), &sys::GET_SREGS, Arg::Bytes(bytes(&mut sregs))).map_err(|e| refused(&sys::GET_SREGS, e))?;
    Ok(sregs.pvr)
}
