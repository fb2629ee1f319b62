//! The machine's interrupt controller: one of two architectures, or both and a choice at boot.
//!
//! A pseries guest sees either XICS (hypercalls, PAPR) or XIVE (its own registers, set up by hypercalls). With `ic-mode=dual` both
//! are here and the machine starts as XICS; the guest's answer in ibm,client-architecture-support decides, and [`Intc::switch`]
//! puts the other one in charge. Devices don't know: they claim sources by number and signal them through
//! [`IrqSink`]. Interrupts go out on the [`EXTERNAL`](crate::signal::EXTERNAL) line of the vCPU's [`Signals`].
//!
//! The hypercall layer asks for the controller it needs ([`Intc::xics`], [`Intc::xive`]); being told no is the guest's affair, so the
//! answers are small enums, each value one architected status. Nothing that a guest does is an [`Error`] here, panics, or takes
//! time that grows with anything but the (fixed) number of sources.

pub mod saved;
pub mod xics;
pub mod xive;

#[cfg(test)]
mod tests;

use crate::dev::bus::BusError;
use crate::dev::irq::HostIrqs;
use crate::dev::irq::IrqSink;
use crate::dev::irq::Level;
use crate::dev::irq::SourceKind;
use crate::error::Error;
use crate::error::Result;
use crate::intc::xics::Xics;
use crate::intc::xics::XicsError;
use crate::intc::xive::Xive;
use crate::intc::xive::XiveError;
use crate::memory::GuestMemory;
use crate::signal::Signals;
use crate::units::Lisn;
use crate::units::VcpuId;
use crate::units::Width;
use std::sync::Arc;

/// First source number of devices; those below are XIVE's inter-processor interrupts.
pub const SOURCE_BASE: u32 = 0x1000;

/// Device sources of machine versions since 3.1; older ones have 0x400.
pub const SOURCES_MAX: u32 = 0x1000;

/// Most servers XIVE can serve: one inter-processor source each, below [`SOURCE_BASE`].
pub const XIVE_SERVERS_MAX: u32 = SOURCE_BASE;

/// The user's `ic-mode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntcMode {
    /// XICS only.
    Xics,
    /// XIVE only.
    Xive,
    /// Starts as XICS; the guest chooses.
    Dual,
}

/// The controller in charge.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Active {
    /// The guest uses XICS hypercalls.
    Xics,
    /// The guest uses XIVE.
    Xive,
}

/// What a machine's interrupt controller is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntcConfig {
    /// Which architectures there are.
    pub mode: IntcMode,
    /// Server numbers are `0..servers` (`ceil(maxcpus * vsmt / threads)`).
    pub servers: u32,
    /// Device sources are `SOURCE_BASE .. SOURCE_BASE + sources`; at most [`SOURCES_MAX`].
    pub sources: u32,
}

/// The machine's interrupt controller.
pub struct Intc {
    config: IntcConfig,
    active: Active,
    /// What is claimed, by source number − [`SOURCE_BASE`].
    claimed: Vec<Option<SourceKind>>,
    /// Lines of level sources that are high now, so that a switch of controller carries them over.
    lines: Vec<Level>,
    xics: Option<Xics>,
    xive: Option<Xive>,
    /// Whoever keeps the controller in our place; then what is here has no state but what is claimed.
    host: Option<Arc<dyn HostIrqs>>,
}

impl Intc {
    /// A controller without vCPUs and device sources, in its reset state. `ram` holds XIVE's event queues.
    ///
    /// # Errors
    /// More servers than XIVE can serve.
    pub fn new(config: IntcConfig, ram: Arc<GuestMemory>) -> Result<Intc> {
        assert!(config.sources <= SOURCES_MAX, "machine versions have 0x400 or 0x1000 sources");
        let (with_xics, with_xive) = match config.mode {
            IntcMode::Xics => (true, false),
            IntcMode::Xive => (false, true),
            IntcMode::Dual => (true, true),
        };
        if with_xive && config.servers > XIVE_SERVERS_MAX {
            return Err(Error::config(
                "ic-mode",
                format!("{} interrupt servers are more than XIVE's {XIVE_SERVERS_MAX}", config.servers),
                "use ic-mode=xics, a smaller vsmt or fewer maxcpus",
            ));
        }
        Ok(Intc {
            config,
            active: first_active(config.mode),
            claimed: vec![None; config.sources as usize],
            lines: vec![Level::Low; config.sources as usize],
            xics: with_xics.then(|| Xics::new(config.servers, config.sources)),
            xive: with_xive.then(|| Xive::new(config.servers, ram)),
            host: None,
        })
    }

    /// From now on the host's kernel keeps the controller; its vCPUs are connected there already. Everything is in its reset state.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn set_host(&mut self, host: Arc<dyn HostIrqs>) -> Result<()> {
        self.host = Some(host);
        self.reset_host()
    }

    /// Whether the host's kernel keeps the controller, so that its state is not here.
    pub fn is_hosts(&self) -> bool {
        self.host.is_some()
    }

    fn reset_host(&self) -> Result<()> {
        let Some(host) = &self.host else { return Ok(()) };
        host.reset_presenters()?;
        let claimed = self.claimed.iter().enumerate().filter_map(|(slot, kind)| Some((slot, (*kind)?)));
        for (slot, kind) in claimed {
            host.reset_source(Lisn(SOURCE_BASE + slot as u32), kind)?;
        }
        Ok(())
    }

    /// What it is made of.
    pub fn config(&self) -> IntcConfig {
        self.config
    }

    /// The controller in charge.
    pub fn active(&self) -> Active {
        self.active
    }

    /// Gives a vCPU its presenter; `signals` is where its interrupts go. Its state is that of a reset.
    ///
    /// # Errors
    /// The vcpu id is no server number, or has a presenter already.
    pub fn connect(&mut self, vcpu: VcpuId, signals: &Arc<Signals>) -> Result<()> {
        let refuse = |problem: String| Err(Error::config("vsmt", problem, "choose vsmt and maxcpus so that every vcpu id is a server"));
        if vcpu.0 >= self.config.servers {
            return refuse(format!("vcpu id {} is not below the {} interrupt servers", vcpu.0, self.config.servers));
        }
        let xics = self.xics.as_mut().is_none_or(|x| x.connect(vcpu, signals));
        let xive = self.xive.as_mut().is_none_or(|x| x.connect(vcpu, signals));
        if !(xics && xive) {
            return refuse(format!("vcpu id {} is used twice", vcpu.0));
        }
        Ok(())
    }

    /// Takes a vCPU's presenter away. What was pending there waits for the guest to give it to another server (XICS) or is dropped.
    pub fn disconnect(&mut self, vcpu: VcpuId) {
        if let Some(x) = &mut self.xics {
            x.disconnect(vcpu);
        }
        if let Some(x) = &mut self.xive {
            x.disconnect(vcpu);
        }
    }

    /// Gives a source to a device.
    ///
    /// # Errors
    /// The number is no device source, or another device has it.
    pub fn claim(&mut self, source: Lisn, kind: SourceKind) -> Result<()> {
        let free = self.slot(source).filter(|&s| self.claimed[s].is_none());
        let Some(slot) = free else {
            let last = SOURCE_BASE + self.config.sources - 1;
            let hint = format!("choose another irq between {SOURCE_BASE:#x} and {last:#x}, or leave it out");
            return Err(Error::config("irq", format!("IRQ {} is not free", source.0), hint));
        };
        if let Some(host) = &self.host {
            host.reset_source(source, kind)?;
        }
        self.claimed[slot] = Some(kind);
        if let Some(x) = &mut self.xics {
            x.claim(source, kind);
        }
        if let Some(x) = &mut self.xive {
            x.claim(source, kind);
        }
        Ok(())
    }

    /// Takes a source back; what it had pending is dropped.
    pub fn free(&mut self, source: Lisn) {
        let Some(slot) = self.slot(source) else { return };
        self.claimed[slot] = None;
        self.lines[slot] = Level::Low;
        if let Some(x) = &mut self.xics {
            x.free(source);
        }
        if let Some(x) = &mut self.xive {
            x.free(source);
        }
    }

    /// The lowest run of `count` free sources in `from..end` whose first number is a multiple of `align`; for MSI blocks, and for
    /// the first-free numbering of machine versions up to 3.0.
    pub fn find_free(&self, from: Lisn, end: Lisn, count: u32, align: u32) -> Option<Lisn> {
        let end = end.0.min(SOURCE_BASE + self.config.sources);
        let mut first = from.0.max(SOURCE_BASE).checked_next_multiple_of(align.max(1))?;
        while first.checked_add(count)? <= end {
            let slots = (first - SOURCE_BASE) as usize..(first - SOURCE_BASE + count) as usize;
            match self.claimed[slots].iter().rposition(Option::is_some) {
                None => return Some(Lisn(first)),
                Some(taken) => first = (first + taken as u32 + 1).checked_next_multiple_of(align.max(1))?,
            }
        }
        None
    }

    /// What a source was claimed as; `None` if it is free or no device source.
    pub fn kind(&self, source: Lisn) -> Option<SourceKind> {
        self.claimed[self.slot(source)?]
    }

    fn slot(&self, source: Lisn) -> Option<usize> {
        let slot = source.0.checked_sub(SOURCE_BASE)? as usize;
        (slot < self.claimed.len()).then_some(slot)
    }

    /// Brings both controllers into their reset state and puts the first one in charge. Lines are low until devices raise them.
    pub fn reset(&mut self) {
        self.lines.fill(Level::Low);
        self.switch(first_active(self.config.mode));
    }

    /// Puts one controller in charge, in its reset state (PAPR, ibm,client-architecture-support, option vector 5). Lines that are high
    /// stay high. Asking for one that the machine does not have changes nothing but the reset.
    pub fn switch(&mut self, to: Active) {
        self.active = match self.config.mode {
            IntcMode::Xics => Active::Xics,
            IntcMode::Xive => Active::Xive,
            IntcMode::Dual => to,
        };
        if let Some(x) = &mut self.xics {
            x.reset();
        }
        if let Some(x) = &mut self.xive {
            x.reset();
        }
        if let Err(e) = self.reset_host() {
            log::error!(target: "spapr.intc", "the kernel's interrupt controller was not reset: {e}");
        }
        for slot in 0..self.lines.len() {
            if self.lines[slot] == Level::High {
                self.forward_level(Lisn(SOURCE_BASE + slot as u32), Level::High);
            }
        }
    }

    /// The XICS controller, for its hypercalls and RTAS calls.
    ///
    /// # Errors
    /// The machine has none, or XIVE is in charge.
    pub fn xics(&mut self) -> std::result::Result<&mut Xics, XicsError> {
        match (&mut self.xics, self.active) {
            (None, _) => Err(XicsError::Absent),
            (Some(_), Active::Xive) => Err(XicsError::Inactive),
            (Some(x), Active::Xics) => Ok(x),
        }
    }

    /// The XIVE controller, for its hypercalls.
    ///
    /// # Errors
    /// [`XiveError::Function`]: the machine has none, or XICS is in charge.
    pub fn xive(&mut self) -> std::result::Result<&mut Xive, XiveError> {
        match (&mut self.xive, self.active) {
            (Some(x), Active::Xive) => Ok(x),
            (Some(_), Active::Xics) | (None, _) => Err(XiveError::Function),
        }
    }

    /// A load from XIVE's registers by `vcpu`. The registers are there only while XIVE is in charge.
    ///
    /// # Errors
    /// XICS is in charge, or nothing is at the offset.
    pub fn mmio_read(&mut self, region: xive::Region, vcpu: VcpuId, offset: u64, width: Width) -> std::result::Result<u64, BusError> {
        self.xive().map_err(|_| BusError::Unmapped)?.mmio_read(region, vcpu, offset, width)
    }

    /// A store to XIVE's registers by `vcpu`.
    ///
    /// # Errors
    /// As for [`Intc::mmio_read`].
    pub fn mmio_write(
        &mut self,
        region: xive::Region,
        vcpu: VcpuId,
        offset: u64,
        width: Width,
        value: u64,
    ) -> std::result::Result<(), BusError> {
        self.xive().map_err(|_| BusError::Unmapped)?.mmio_write(region, vcpu, offset, width, value)
    }

    /// One event of a claimed source; a number that nobody claimed is ignored.
    pub fn trigger(&mut self, source: Lisn) {
        let Some(kind) = self.kind(source) else { return };
        if self.host.is_some() && kind == SourceKind::Msi {
            return self.forward_level(source, Level::High);
        }
        match (kind, self.active) {
            (SourceKind::Lsi, _) => {
                self.set_level(source, Level::High);
                self.set_level(source, Level::Low);
            }
            (SourceKind::Msi, Active::Xics) => {
                if let Some(x) = &mut self.xics {
                    x.trigger(source);
                }
            }
            (SourceKind::Msi, Active::Xive) => {
                if let Some(x) = &mut self.xive {
                    x.trigger(source);
                }
            }
        }
    }

    /// The line of a claimed level source; on an edge source a high level is one event. A number that nobody claimed is ignored.
    pub fn set_level(&mut self, source: Lisn, level: Level) {
        match (self.kind(source), level) {
            (None, _) | (Some(SourceKind::Msi), Level::Low) => {}
            (Some(SourceKind::Msi), Level::High) => self.trigger(source),
            (Some(SourceKind::Lsi), _) => {
                self.lines[(source.0 - SOURCE_BASE) as usize] = level;
                self.forward_level(source, level);
            }
        }
    }

    fn forward_level(&mut self, source: Lisn, level: Level) {
        if let Some(host) = &self.host {
            if let Err(e) = host.set_level(source, level) {
                log::error!(target: "spapr.intc", "the kernel did not take an interrupt of source {:#x}: {e}", source.0);
            }
            return;
        }
        match self.active {
            Active::Xics => {
                if let Some(x) = &mut self.xics {
                    x.set_level(source, level);
                }
            }
            Active::Xive => {
                if let Some(x) = &mut self.xive {
                    x.set_level(source, level);
                }
            }
        }
    }
}

fn first_active(mode: IntcMode) -> Active {
    match mode {
        IntcMode::Xics | IntcMode::Dual => Active::Xics,
        IntcMode::Xive => Active::Xive,
    }
}

impl IrqSink for Intc {
    fn pulse(&mut self, source: Lisn) {
        self.trigger(source);
    }

    fn set_level(&mut self, source: Lisn, level: Level) {
        Intc::set_level(self, source, level);
    }
}
