//! XICS in the kernel: it answers H_XIRR, H_CPPR, H_EOI, H_IPI and H_IPOLL, and the RTAS calls that it is told the tokens of; what devices signal it
//! gets by KVM_IRQ_LINE. No interrupt leaves guest code any more.
//!
//! Linux `Documentation/virt/kvm/devices/xics.rst`. There, a presenter belongs to a vCPU from the moment that the vCPU is connected, so the device is
//! made before the first one.

use crate::accel::kvm::ioctl::Arg;
use crate::accel::kvm::ioctl::bytes;
use crate::accel::kvm::line::Line;
use crate::accel::kvm::one_reg::Registers;
use crate::accel::kvm::refused;
use crate::accel::kvm::refused_for;
use crate::accel::kvm::sys;
use crate::accel::kvm::vm::KvmVm;
use crate::error::Result;
use crate::units::Lisn;
use crate::units::VcpuId;
use std::os::fd::AsFd;
use std::os::fd::AsRawFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

/// `KVM_DEV_TYPE_XICS`.
pub const DEVICE_XICS: u32 = 3;
/// `KVM_DEV_XICS_GRP_SOURCES`: an attribute is a source's number, its value the source's state.
pub const SOURCES: u32 = 1;
/// A source's state: log2 of the lowest bit of its priority. Its server is in the 32 lowest.
pub const PRIORITY_SHIFT: u32 = 32;
/// It is level-sensitive.
pub const LEVEL_SENSITIVE: u64 = 1 << 40;
/// It is masked.
pub const MASKED: u64 = 1 << 41;
/// The register of a presenter.
pub const REG_ICP_STATE: u64 = sys::reg64(0x8c);
/// A presenter after a reset: it takes nothing (CPPR 0), and nothing is pending (MFRR and the pending priority ff).
pub const ICP_RESET: u64 = 0xff << 24 | 0xff << 16;

/// `struct kvm_create_device`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct CreateDevice {
    pub kind: u32,
    pub fd: u32,
    pub flags: u32,
}

/// `struct kvm_device_attr`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct DeviceAttr {
    pub flags: u32,
    pub group: u32,
    pub attr: u64,
    pub addr: u64,
}

/// `struct kvm_irq_level`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct IrqLevel {
    pub irq: u32,
    pub level: u32,
}

/// `struct kvm_rtas_token_args`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the fields are the header's")]
pub struct RtasToken {
    pub name: [u8; 120],
    pub token: u64,
}

const _: () = {
    assert!(
        size_of::<CreateDevice>() == 12 && size_of::<DeviceAttr>() == 24 && size_of::<IrqLevel>() == 8 && size_of::<RtasToken>() == 128
    );
};

/// The device, and the vCPUs that are connected to it.
pub(super) struct Chip {
    device: OwnedFd,
    presenters: Mutex<Vec<Arc<Line>>>,
}

impl KvmVm {
    /// Has the kernel keep a XICS. To be called before there is a vCPU.
    ///
    /// # Errors
    /// The kernel has none, or refuses.
    pub fn make_xics(&self) -> Result<()> {
        let op = &sys::CREATE_DEVICE;
        let device = self.kernel.create(self.fd.as_fd(), op, Arg::Device { kind: DEVICE_XICS }).map_err(|e| refused(op, e))?;
        let first = self.chip.set(Chip { device, presenters: Mutex::default() }).is_ok();
        assert!(first, "a machine has one interrupt controller in the kernel");
        Ok(())
    }

    /// Gives a new vCPU its presenter, if the kernel keeps a controller.
    pub(super) fn connect(&self, line: &Arc<Line>, id: VcpuId) -> Result<()> {
        let Some(chip) = self.chip.get() else { return Ok(()) };
        let device = chip.device.as_raw_fd() as u64;
        let enabled = self.enable(&line.fd, sys::CAP_IRQ_XICS, [device, u64::from(id.0), 0, 0]);
        enabled.map_err(|e| refused_for(&sys::ENABLE_CAP, e, &format!(" (KVM_CAP_IRQ_XICS, server {})", id.0)))?;
        chip.presenters.lock().unwrap_or_else(PoisonError::into_inner).push(line.clone());
        Ok(())
    }

    /// Brings every presenter into its reset state. No vCPU may be in guest code.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn reset_presenters(&self) -> Result<()> {
        let Some(chip) = self.chip.get() else { return Ok(()) };
        for line in chip.presenters.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if !(Registers { kernel: &*self.kernel, vcpu: &line.fd }).set(REG_ICP_STATE, u128::from(ICP_RESET))? {
                return Err(refused_for(&sys::SET_ONE_REG, libc::EINVAL, " (KVM_REG_PPC_ICP_STATE)"));
            }
        }
        Ok(())
    }

    /// Brings a source into its reset state: masked, with nothing pending. `kind` is 0 or [`LEVEL_SENSITIVE`].
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn reset_source(&self, source: Lisn, kind: u64) -> Result<()> {
        let Some(chip) = self.chip.get() else { return Ok(()) };
        let mut state = 0xff << PRIORITY_SHIFT | MASKED | kind;
        let arg = Arg::Attr { group: SOURCES, attr: u64::from(source.0), value: &mut state };
        let op = &sys::SET_DEVICE_ATTR;
        self.kernel.call(chip.device.as_fd(), op, arg).map(drop).map_err(|e| refused_for(op, e, &format!(" (source {:#x})", source.0)))
    }

    /// Tells the kernel of a source's line: 0 or 1; a high one is one event of an edge source.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn irq_line(&self, source: Lisn, level: u32) -> Result<()> {
        let mut level = IrqLevel { irq: source.0, level };
        let op = &sys::IRQ_LINE;
        self.kernel.call(self.fd.as_fd(), op, Arg::Bytes(bytes(&mut level))).map(drop).map_err(|e| refused(op, e))
    }

    /// Has the kernel answer an RTAS call of its own, if it knows one of that name; whether it does.
    ///
    /// # Errors
    /// The kernel refuses for another reason.
    pub fn answer_rtas(&self, name: &str, token: u32) -> Result<bool> {
        let mut told = RtasToken { name: [0; 120], token: u64::from(token) };
        told.name[..name.len()].copy_from_slice(name.as_bytes());
        let op = &sys::PPC_RTAS_DEFINE_TOKEN;
        match self.kernel.call(self.fd.as_fd(), op, Arg::Bytes(bytes(&mut told))) {
            Ok(_) => Ok(true),
            Err(libc::ENOENT) => Ok(false),
            Err(e) => Err(refused_for(op, e, &format!(" ({name})"))),
        }
    }
}
