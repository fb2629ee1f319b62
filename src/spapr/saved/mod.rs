//! The platform's stored forms, and how a whole machine (without its vCPUs' registers, RAM and hash tables) is saved and becomes what was saved.
//!
//! Two kinds of check stand between a stream and a machine. Whether it is the *same machine* is `compat`'s question, asked of the header before anything
//! else. Whether values can do harm is asked here: whatever the machine relies on without looking again (an address in RAM, a list's length) is
//! refused, whatever it looks at when it uses it may be anything, because a guest could have written it, too.

pub mod firmware;
pub mod header;
mod names;
pub mod platform;
pub mod settings;

use crate::error::Result;
use crate::intc;
use crate::intc::saved::SavedIntc;
use crate::intc::saved::SavedXics;
use crate::intc::saved::SavedXive;
use crate::mmu::hpt::Hpt;
use crate::mmu::saved::SavedMmu;
use crate::mmu::saved::check_shift;
use crate::spapr::compat::Description;
use crate::spapr::machine::Machine;
use crate::spapr::machine::MmuMode;
use crate::spapr::machine::PreparedHpt;
use crate::spapr::saved::firmware::SavedFirmware;
use crate::spapr::saved::header::Header;
use crate::spapr::saved::names::Words;
use crate::spapr::saved::platform::SavedConnectors;
use crate::spapr::saved::platform::SavedNegotiated;
use crate::spapr::saved::platform::SavedPlatform;
use crate::spapr::saved::settings::SavedSettings;
use crate::state::Bad;
use crate::state::Kind;
use crate::state::Packed;
use crate::state::Section;
use crate::state::Sections;
use crate::state::kind;
use crate::state::refusal;
use crate::units::UnitAddress;
use crate::vio::saved::SavedNvram;
use crate::vio::saved::SavedVty;
use std::sync::Arc;

/// The hash tables that a state speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shifts {
    /// log2 of the bytes of the one in use.
    pub hpt: Option<u32>,
    /// log2 of the bytes of the one that is prepared.
    pub prepared: Option<u32>,
}

/// The hash tables themselves, as large as [`Shifts`] says; their entries may come later.
#[derive(Default)]
pub struct Tables {
    /// The one in use.
    pub hpt: Option<Arc<Hpt>>,
    /// The one that is prepared.
    pub prepared: Option<Hpt>,
}

impl Tables {
    /// Empty ones.
    ///
    /// # Errors
    /// The host has no memory.
    pub fn empty(shifts: Shifts) -> Result<Tables> {
        Ok(Tables { hpt: shifts.hpt.map(Hpt::new).transpose()?.map(Arc::new), prepared: shifts.prepared.map(Hpt::new).transpose()? })
    }
}

/// Every kind of section of the platform and its devices.
pub const KINDS: &[Kind] = &[
    kind::<Header>(),
    kind::<SavedSettings>(),
    kind::<SavedMmu>(),
    kind::<SavedPlatform>(),
    kind::<SavedNegotiated>(),
    kind::<SavedConnectors>(),
    kind::<SavedFirmware>(),
    kind::<SavedNvram>(),
    kind::<SavedVty>(),
    kind::<SavedIntc>(),
    kind::<SavedXics>(),
    kind::<SavedXive>(),
];

fn at<T>(section: &str, found: std::result::Result<T, Bad>) -> Result<T> {
    found.map_err(|bad| refusal(section, bad))
}

/// The logical PVR of the compatibility mode that a state's guest is in.
///
/// # Errors
/// The section cannot be read.
pub fn negotiated_mode(from: &Sections) -> Result<Option<u32>> {
    Ok(from.take::<SavedNegotiated>(0)?.compat_pvr)
}

impl Machine {
    /// The machine as far as another one must agree, with what its guest has chosen by now.
    pub fn describe(&self) -> Description {
        Description {
            compat: self.negotiated.compat.map(|mode| mode.pvr),
            ic_active: self.intc.active(),
            mmu_active: Some(self.mmu),
            hpt_shift: self.partition.hpt().map(|hpt| hpt.shift()),
            ..Description::of(&self.spec)
        }
    }

    /// All state but registers, RAM and hash tables.
    pub fn save(&self) -> Vec<Packed> {
        let mut all = vec![
            Packed::new(0, &SavedMmu::from(&*self.partition)),
            Packed::new(0, &SavedPlatform::of(self)),
            Packed::new(0, &SavedNegotiated::of(&self.negotiated)),
            Packed::new(0, &SavedConnectors::of(self)),
            Packed::new(0, &SavedFirmware::of(self)),
            Packed::new(0, &self.nvram.save()),
        ];
        all.extend(self.vtys.iter().map(|(unit, vty)| Packed::new(unit.0, &vty.save())));
        all.extend(self.intc.save().pack());
        all
    }

    /// Which hash tables a state needs.
    ///
    /// # Errors
    /// A section cannot be read, or a table is larger than this machine can have.
    pub fn shifts_of(&self, from: &Sections) -> Result<Shifts> {
        let (mmu, platform): (SavedMmu, SavedPlatform) = (from.take(0)?, from.take(0)?);
        let largest = self.hpt_shift_of(self.spec.maxmem) + 1;
        if let Some(shift) = mmu.hpt_shift {
            at(SavedMmu::NAME, check_shift(shift, largest).map_err(|bad| bad.within("hpt_shift")))?;
        }
        let prepared = platform.prepared_hpt.filter(|p| p.exists).map(|p| p.shift);
        if let Some(shift) = prepared {
            at(SavedPlatform::NAME, check_shift(shift, largest).map_err(|bad| bad.within("prepared_hpt.shift")))?;
        }
        let radix = at(SavedPlatform::NAME, MmuMode::of(&platform.mmu).map_err(|bad| bad.within("mmu")))? == MmuMode::Radix;
        if radix == mmu.hpt_shift.is_some() {
            let problem = format!("a guest that translates by {} has {} hash table", platform.mmu, if radix { "a" } else { "no" });
            return Err(refusal(SavedMmu::NAME, Bad::field("hpt_shift", problem)));
        }
        Ok(Shifts { hpt: mmu.hpt_shift, prepared })
    }

    /// Becomes what was saved. The machine must be fresh and of the same description; RAM is the caller's affair.
    ///
    /// # Errors
    /// What does not fit, by section and field; the machine is then neither what it was nor what was saved, and must not run.
    pub fn restore(&mut self, from: &Sections, tables: Tables) -> Result<()> {
        let (mmu, platform): (SavedMmu, SavedPlatform) = (from.take(0)?, from.take(0)?);
        let controller = intc::saved::Saved::take(from)?;
        let negotiated: SavedNegotiated = from.take(0)?;
        let connectors: SavedConnectors = from.take(0)?;
        let firmware: SavedFirmware = from.take(0)?;
        let nvram: SavedNvram = from.take(0)?;
        let vtys = self.vtys.keys().map(|unit| Ok((*unit, from.take(unit.0)?))).collect::<Result<Vec<(UnitAddress, SavedVty)>>>()?;
        self.intc.restore(&controller).map_err(|(section, bad)| refusal(section, bad))?;
        at(SavedPlatform::NAME, platform.restore(self))?;
        at(SavedNegotiated::NAME, negotiated.restore(self))?;
        at(SavedConnectors::NAME, connectors.restore(self))?;
        at(SavedFirmware::NAME, firmware.restore(self))?;
        at(SavedNvram::NAME, self.nvram.restore(&nvram))?;
        for (unit, saved) in vtys {
            if let Some(vty) = self.vtys.get_mut(&unit) {
                at(&format!("{} {}", SavedVty::NAME, unit.0), vty.restore(&saved))?;
            }
        }
        self.partition.set_process_table(mmu.process_table);
        self.partition.adopt_hpt(tables.hpt)?;
        // A host's kernel makes its own ready.
        let prepared = platform.prepared_hpt.filter(|_| self.partition.host().is_none());
        self.prepared_hpt = prepared.map(|p| PreparedHpt { shift: p.shift, table: tables.prepared });
        Ok(())
    }
}
