//! Firmware's part in a start: images are placed, the tree is built from what is known, and the first vCPU's registers follow from what the guest is offered.
//!
//! What SLOF or VOF do for QEMU the monitor does itself. Negotiation and the client interface's calls are in `hcall::firmware`, `cas` and `vof`.

use crate::fdt::Tree;
use crate::spapr::boot;
use crate::spapr::boot::Images;
use crate::spapr::devtree;
use crate::spapr::layout;
use crate::spapr::machine::Machine;
use crate::spapr::vof;
use crate::spapr::vof::Vof;

/// Where execution begins without a kernel: the system reset vector, as on a machine whose firmware the user pokes into RAM.
const NO_KERNEL: u64 = 0x100;

/// How the guest is entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Firmware {
    /// r3 has the flattened tree and r5 Open Firmware's client interface: the guest takes what it knows.
    #[default]
    Both,
    /// Open Firmware alone (r3 and r4 have the RAM disk, as QEMU's VOF does).
    OpenFirmware,
    /// The flattened tree alone, with RTAS instantiated, as kexec enters a kernel.
    FlatTree,
}

/// Registers at the guest's first instruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// First instruction.
    pub nip: u64,
    /// r1.
    pub stack: u64,
    /// r3.
    pub r3: u64,
    /// r4.
    pub r4: u64,
    /// r5.
    pub r5: u64,
}

impl Machine {
    /// Loads a reset machine's images and says how the guest is entered.
    pub fn load(&mut self, images: &Images, offer: Firmware) -> Entry {
        self.loaded = images.place(&self.memory);
        let mut tree = self.device_tree();
        if offer == Firmware::FlatTree {
            self.instantiate_rtas(&mut tree);
        }
        let (fdt, fdt_room) = boot::place_tree(&self.spec, &self.memory, &tree);
        let (initrd, initrd_bytes) = self.loaded.initrd.unwrap_or((0, 0));
        let nip = images.entry().unwrap_or(NO_KERNEL);
        if offer != Firmware::FlatTree {
            let mut claimed = vec![(fdt, fdt_room)];
            claimed.extend(self.loaded.kernel.map(|(at, len, _)| (at, len)));
            claimed.extend(self.loaded.initrd);
            let limit = self.spec.rma.min(layout::FIRMWARE_MAX);
            self.vof = Some(Vof::new(tree, devtree::console_path(&self.spec), &self.memory, limit, &claimed));
        }
        let stack = vof::STACK_TOP;
        match offer {
            Firmware::Both => Entry { nip, stack, r3: fdt, r4: 0, r5: vof::STUB },
            Firmware::OpenFirmware => Entry { nip, stack, r3: initrd, r4: initrd_bytes, r5: vof::STUB },
            Firmware::FlatTree => Entry { nip, stack: 0, r3: fdt, r4: 0, r5: 0 },
        }
    }

    /// RTAS below the flattened tree, for guests that are entered without firmware.
    fn instantiate_rtas(&self, tree: &mut Tree) {
        let base = boot::rtas_address(&self.spec);
        vof::place_code(&self.memory, base, vof::HCALL_RTAS);
        if let Some(node) = tree.root.child_mut("rtas") {
            node.set_u32("linux,rtas-base", base as u32).set_u32("linux,rtas-entry", base as u32);
        }
        tree.reservations.push((base, layout::RTAS_ROOM));
    }
}
