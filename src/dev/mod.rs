//! What every device is, before it is a particular one: its life, its registers, its interrupt, its host end.
//!
//! A device is three things kept apart: the chip (its registers and rules, e.g. `vio::vty`), the wiring (which addresses, which
//! interrupt: `spapr` decides) and the host end ([`chardev`]). A chip never knows where it is mapped and never reaches another
//! chip: an interrupt is raised by [`irq::IrqLine`] on the sink that the caller passes in. So each can be tested without a machine.
//!
//! There is one lock, the machine's, taken for each exit; nothing here locks except [`chardev`], which host threads share.

pub mod bus;
pub mod chardev;
pub mod irq;

use crate::dev::bus::BusError;
use crate::error::Result;
use crate::units::Width;

/// Why a device is reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResetKind {
    /// Power was just applied, or the user asked for a reset as good as that.
    Cold,
    /// The guest rebooted itself (ibm,client-architecture-support, system-reboot).
    Guest,
}

/// The life of a device, in order: reset, then (quiesce, resume) as often as the machine is paused for its state.
pub trait Device: Send {
    /// Stable for ever: names the device in errors and its section in saved state.
    fn name(&self) -> &str;

    /// Brings the device into its power-on state.
    fn reset(&mut self, kind: ResetKind);

    /// After this returns nothing of the device runs on the host, and its state may be read whole.
    ///
    /// # Errors
    /// The host refused to finish what the device had under way.
    fn quiesce(&mut self) -> Result<()>;

    /// Goes on after [`Device::quiesce`].
    ///
    /// # Errors
    /// The host end is gone.
    fn resume(&mut self) -> Result<()>;

    /// The registers, if there are any in the real address space.
    fn mmio(&mut self) -> Option<&mut dyn Mmio> {
        None
    }
}

/// Registers in the real address space. Values are as the CPU's big-endian register holds them.
pub trait Mmio {
    /// Loads `width` bytes at `offset` from the start of the region.
    ///
    /// # Errors
    /// [`BusError`]: the load reaches nothing; the guest sees all ones or a machine check, as `spapr` decides.
    fn read(&mut self, offset: u64, width: Width) -> std::result::Result<u64, BusError>;

    /// Stores the low `width` bytes of `value`.
    ///
    /// # Errors
    /// As for [`Mmio::read`]; the store is dropped.
    fn write(&mut self, offset: u64, width: Width, value: u64) -> std::result::Result<(), BusError>;
}
