//! The address map and the interrupt numbers of a pseries machine.
//!
//! ```text
//! 0x0000_0000_0000_0000   RAM; firmware below 0x1_0000, kernel at 4 MiB, FDT at the top of the RMA
//! 0x0000_2000_0000_0000   PCI host bridges' windows (later)
//! 0x0006_0100_0000_0000   XIVE source ESB pages, 128 KiB per LISN
//! 0x0006_0302_0318_0000   XIVE thread management area, four 64 KiB pages
//! ```

use crate::units::Lisn;
use crate::units::UnitAddress;

/// Where a kernel is loaded unless told otherwise.
pub const KERNEL_ADDR: u64 = 0x40_0000;
/// Mask of an ELF's physical addresses before `KERNEL_ADDR` is added.
pub const KERNEL_MASK: u64 = 0x0fff_ffff;
/// Room kept free above kernel and initrd, below the end of the usable RMA.
pub const FIRMWARE_OVERHEAD: u64 = 0x280_0000;
/// Highest end of what firmware places.
pub const FIRMWARE_MAX: u64 = 0x8000_0000;
/// Firmware's own memory at the bottom: interrupt vectors, the client interface's entry, the client's first stack.
pub const FIRMWARE_LOW: u64 = 0x1_0000;
/// Room for RTAS, for guests that are entered without firmware.
pub const RTAS_ROOM: u64 = 0x1_0000;
/// Room for a flattened device tree comes in multiples of this.
pub const FDT_ROOM: u64 = 0x20_0000;
/// User page of the XIVE TIMA, the unit address of its node.
pub const TIMA_USER_PAGE: u64 = 0x0006_0302_031b_0000;
/// OS page of the XIVE TIMA.
pub const TIMA_OS_PAGE: u64 = 0x0006_0302_031a_0000;

/// Environment and power warnings.
pub const EPOW: Lisn = Lisn(0x1000);
/// Hot plug events, where they have a source of their own.
pub const HOTPLUG: Lisn = Lisn(0x1001);
/// Host bridges that a machine has room for, each with a connector.
pub const PHBS: u32 = 31;
/// First number of a VIO device.
const VIO: u32 = 0x1100;

/// The fixed interrupt of a VIO device (machines from 3.1 on; [`crate::spapr::spec::MachineSpec::vio_irq`] knows the others). Unit addresses of the two usual ranges map without collisions.
pub fn vio_irq(reg: UnitAddress) -> Lisn {
    let n = match reg.0 {
        r if r >= 0x7100_0000 => r & 0xff,
        r if r >= 0x3000_0000 => 0xf0 | ((r >> 12) & 0xf),
        r => (r >> 12) & 0xff,
    };
    Lisn(VIO + n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vio_interrupts_follow_the_unit_address() {
        assert_eq!(vio_irq(UnitAddress(0x7100_0001)), Lisn(0x1101));
        assert_eq!(vio_irq(UnitAddress(0x3000_2000)), Lisn(0x11f2));
        assert_eq!(vio_irq(UnitAddress(0x2000)), Lisn(0x1102));
    }
}
