//! Snapshots in memory and the machines that are forked from them.
//!
//! A snapshot is a machine's sections and images of its large memory. Taking one costs little, because memory is not copied but frozen: from then on the
//! machine, and every fork, gets its own copy of a page when it writes it. A fork is a machine like any other, with its own consoles, threads and clock; it shares
//! pages that nobody wrote and the files that a reset places, and outlives the machine and the snapshot that it came from.

use crate::accel::AccelKind;
use crate::error::Result;
use crate::memory::GuestMemory;
use crate::memory::Image;
use crate::mmu::hpt::Hpt;
use crate::spapr::boot::ImageStore;
use crate::spapr::saved::Tables;
use crate::spapr::spec::MachineSpec;
use crate::state::Sections;
use crate::vm::Options;
use crate::vm::Shared;
use crate::vm::Vm;
use crate::vm::saved::HPT;
use crate::vm::saved::HPT_PREPARED;
use crate::vm::saved::SavedMachine;
use std::sync::Arc;

/// A machine's state at one moment. Machines are forked from it; it never changes.
pub struct Snapshot {
    spec: MachineSpec,
    options: Options,
    images: Arc<ImageStore>,
    saved: SavedMachine,
    ram: Arc<Image>,
    tables: Vec<(&'static str, Arc<Image>)>,
}

impl Vm {
    /// Freezes the machine's state. A machine that runs stands still meanwhile, and then runs on.
    ///
    /// # Errors
    /// The machine is closed, or the host has no room.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let shared = &self.shared;
        shared.while_settled("snapshot", |held| {
            let saved = shared.save(held)?;
            let mut images = Vec::new();
            for (name, memory) in shared.large_memory() {
                images.push((name, memory.freeze()?));
            }
            // The areas that a kernel fills for the guest were other pages until now.
            shared.renew_kept(held)?;
            let (_, ram) = images.remove(0);
            Ok(Snapshot { spec: shared.spec.clone(), options: shared.options, images: shared.images.clone(), saved, ram, tables: images })
        })
    }
}

impl Snapshot {
    /// The machine that it is of.
    pub fn spec(&self) -> &MachineSpec {
        &self.spec
    }

    /// Makes a machine that goes on from here, run by `accel` (`None`: as the machine that was frozen). It stands until it is resumed.
    ///
    /// # Errors
    /// The host has no room, or no threads.
    pub fn fork(&self, accel: Option<AccelKind>) -> Result<Vm> {
        let options = Options { accel: accel.unwrap_or(self.options.accel), ..self.options };
        let memory = Arc::new(GuestMemory::from_image(&self.ram)?);
        let shared = Shared::build(self.spec.clone(), options, self.images.clone(), memory)?;
        let mut sections = Sections::default();
        for section in &self.saved.sections {
            sections.add(section.clone())?;
        }
        let table = |name: &str| self.tables.iter().find(|(n, _)| *n == name).map(|(_, image)| Hpt::from_image(image)).transpose();
        let held = shared.settle("fork")?;
        shared.load(&held, &sections, |_| Ok(Tables { hpt: table(HPT)?.map(Arc::new), prepared: table(HPT_PREPARED)? }))?;
        shared.partition.enter_hpt()?;
        drop(held);
        Vm::with_threads(shared)
    }
}
