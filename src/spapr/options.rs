//! Choices with names: machine options whose values are words.
//!
//! Interrupt controller mode and HPT resizing are read by half the platform, so they stand below all of it.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::names::offer;

/// Which interrupt controller the machine offers (`ic-mode`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum IcMode {
    /// XICS only (PAPR, "PowerPC External Interrupt Option").
    Xics,
    /// XIVE exploitation only; the CPU must be a POWER9 or newer.
    Xive,
    /// Both: the guest chooses at `ibm,client-architecture-support`.
    Dual,
}

impl IcMode {
    /// All modes, by the names users write.
    pub const NAMES: [(&'static str, IcMode); 3] = [("xics", IcMode::Xics), ("xive", IcMode::Xive), ("dual", IcMode::Dual)];

    /// Reads a mode's name.
    pub fn parse(text: &str) -> Result<IcMode> {
        lookup("ic_mode", text, &IcMode::NAMES)
    }

    /// The name users write.
    pub fn name(self) -> &'static str {
        name_of(self, &IcMode::NAMES)
    }

    /// Whether XIVE's tables (END, EAT) exist, which bound the number of interrupt servers.
    pub fn has_xive(self) -> bool {
        match self {
            IcMode::Xics => false,
            IcMode::Xive | IcMode::Dual => true,
        }
    }

    /// Whether a guest may run with XICS.
    pub fn has_xics(self) -> bool {
        match self {
            IcMode::Xive => false,
            IcMode::Xics | IcMode::Dual => true,
        }
    }
}

impl std::fmt::Display for IcMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Which ways to translate a guest may choose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MmuModes {
    /// The hashed page table.
    pub hash: bool,
    /// Radix trees.
    pub radix: bool,
}

impl MmuModes {
    /// As users read it: `hash`, `radix`, `hash or radix`.
    pub fn text(self) -> &'static str {
        match (self.hash, self.radix) {
            (true, true) => "hash or radix",
            (true, false) => "hash",
            (false, true) => "radix",
            (false, false) => "none",
        }
    }
}

/// Whether a hash guest may change the size of its page table while it runs (`resize-hpt`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ResizeHpt {
    /// The hypercalls answer H_FUNCTION; the table is sized for maxmem from the start.
    Disabled,
    /// Offered; the table is sized for present memory.
    Enabled,
    /// Offered, and a hash guest that does not take it up is stopped.
    Required,
}

impl ResizeHpt {
    /// All settings, by the names users write. `default` is not among them: it means "leave it out".
    pub const NAMES: [(&'static str, ResizeHpt); 3] =
        [("disabled", ResizeHpt::Disabled), ("enabled", ResizeHpt::Enabled), ("required", ResizeHpt::Required)];

    /// Reads a setting's name; `default` is `None`.
    pub fn parse(text: &str) -> Result<Option<ResizeHpt>> {
        if text == "default" {
            return Ok(None);
        }
        lookup("resize_hpt", text, &ResizeHpt::NAMES).map(Some)
    }

    /// The name users write.
    pub fn name(self) -> &'static str {
        name_of(self, &ResizeHpt::NAMES)
    }
}

impl std::fmt::Display for ResizeHpt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The value called `text` in a list of names.
pub(in crate::spapr) fn lookup<T: Copy>(setting: &str, text: &str, names: &[(&'static str, T)]) -> Result<T> {
    match names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        Some(&(_, value)) => Ok(value),
        None => Err(Error::config(setting, format!("{text:?} is not a known value"), offer(text, names.iter().map(|&(name, _)| name)))),
    }
}

/// The name of a value in a list of names.
pub(in crate::spapr) fn name_of<T: Copy + PartialEq>(value: T, names: &[(&'static str, T)]) -> &'static str {
    names.iter().find(|&&(_, v)| v == value).map(|&(name, _)| name).expect("every value has a row in its list of names")
}
