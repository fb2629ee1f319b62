//! XIVE: the interrupt controller of POWER9 and later, in the exploitation form that PAPR gives to a partition.
//!
//! The guest sets up by hypercall where each source goes ([`eas`]) and a queue per vCPU and priority ([`end`]); from then on it
//! works on registers: each source's state bits ([`esb`]) and each vCPU's own page ([`tima`]). [`router`] is the way of an event
//! through them. One file per structure of the book, named as the book names it. There is no escalation and there are no groups:
//! vCPUs are always found.
//!
//! Structures are indexed by number everywhere, so every access is O(1) and allocates nothing.

pub mod eas;
pub mod end;
pub mod esb;
mod hint;
pub mod router;
pub mod tima;

#[cfg(test)]
mod tests;

pub use hint::QueueConfig;
pub use hint::QueueInfo;
pub use hint::SourceConfig;
pub use hint::SourceInfo;

use crate::dev::bus::BusError;
use crate::dev::irq::Level;
use crate::dev::irq::SourceKind;
use crate::intc::SOURCE_BASE;
use crate::intc::SOURCES_MAX;
use crate::intc::xive::eas::Eas;
use crate::intc::xive::end::EndState;
use crate::intc::xive::esb::EsbState;
use crate::intc::xive::esb::Pq;
use crate::intc::xive::tima::RingState;
use crate::intc::xive::tima::ThreadContext;
use crate::memory::GuestMemory;
use crate::signal::Signals;
use crate::units::Lisn;
use crate::units::Ra;
use crate::units::VcpuId;
use crate::units::Width;
use std::sync::Arc;

/// Sources: inter-processor interrupts from 0, devices from 0x1000.
pub const SOURCES: u32 = SOURCE_BASE + SOURCES_MAX;

/// Where the sources' pages are.
pub const ESB_BASE: Ra = Ra(0x0006_0100_0000_0000);
/// Bytes of the sources' pages.
pub const ESB_BYTES: u64 = (SOURCES as u64) << esb::SOURCE_SHIFT;
/// Where the descriptors' own pages would be. Nothing is mapped there.
pub const END_ESB_BASE: Ra = Ra(ESB_BASE.0 + ESB_BYTES);
/// Where the thread interrupt management area is.
pub const TIMA_BASE: Ra = Ra(0x0006_0302_0318_0000);
/// Bytes of the thread interrupt management area.
pub const TIMA_BYTES: u64 = 4 << tima::PAGE_SHIFT;

/// Which of the two register regions is accessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Region {
    /// At [`ESB_BASE`].
    Esb,
    /// At [`TIMA_BASE`].
    Tima,
}

/// The architected refusals of H_INT_* calls; each is the H code of its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XiveError {
    /// H_FUNCTION: XIVE is not there or not in charge.
    Function,
    /// H_PARAMETER.
    Parameter,
    /// H_P2.
    P2,
    /// H_P3.
    P3,
    /// H_P4.
    P4,
    /// H_P5.
    P5,
    /// H_HARDWARE.
    Hardware,
}

/// The result of a H_INT_* call.
pub type XiveResult<T> = std::result::Result<T, XiveError>;

/// All state of the controller, apart from the live type, to be saved and looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct XiveState {
    /// By source number.
    pub sources: Vec<EsbState>,
    /// By source number.
    pub assignments: Vec<Eas>,
    /// By vcpu id * 8 + priority.
    pub ends: Vec<EndState>,
    /// One per vCPU, in order of vcpu ids.
    pub contexts: Vec<(VcpuId, RingState)>,
}

/// The controller.
pub struct Xive {
    /// By source number, like `eas`.
    pub(crate) esbs: Vec<EsbState>,
    pub(crate) eas: Vec<Eas>,
    /// By vcpu id * 8 + priority.
    pub(crate) ends: Vec<EndState>,
    /// By vcpu id.
    pub(crate) contexts: Vec<Option<ThreadContext>>,
    /// Holds the queues.
    pub(crate) ram: Arc<GuestMemory>,
}

impl Xive {
    /// `servers` thread contexts to be connected, and their inter-processor sources, claimed.
    pub fn new(servers: u32, ram: Arc<GuestMemory>) -> Xive {
        let mut xive = Xive {
            esbs: vec![EsbState::RESET; SOURCES as usize],
            eas: vec![Eas::default(); SOURCES as usize],
            ends: vec![EndState::RESET; servers as usize * 8],
            contexts: (0..servers).map(|_| None).collect(),
            ram,
        };
        for ipi in 0..servers.min(SOURCE_BASE) {
            xive.claim(Lisn(ipi), SourceKind::Msi);
        }
        xive
    }

    /// Gives a vCPU its thread context; false if it is no server or has one.
    pub(crate) fn connect(&mut self, vcpu: VcpuId, signals: &Arc<Signals>) -> bool {
        match self.contexts.get_mut(vcpu.0 as usize) {
            Some(slot @ None) => {
                *slot = Some(ThreadContext::new(vcpu.0, Arc::clone(signals)));
                true
            }
            Some(Some(_)) | None => false,
        }
    }

    /// Takes a thread context away; events for it are dropped from now on.
    pub(crate) fn disconnect(&mut self, vcpu: VcpuId) {
        if let Some(mut context) = self.contexts.get_mut(vcpu.0 as usize).and_then(Option::take) {
            context.reset();
        }
    }

    pub(crate) fn claim(&mut self, source: Lisn, kind: SourceKind) {
        let s = source.0 as usize;
        if let (Some(esb), Some(eas)) = (self.esbs.get_mut(s), self.eas.get_mut(s)) {
            *esb = EsbState { kind: Some(kind), ..EsbState::RESET };
            *eas = Eas::CLAIMED;
        }
    }

    pub(crate) fn free(&mut self, source: Lisn) {
        let s = source.0 as usize;
        if let (Some(esb), Some(eas)) = (self.esbs.get_mut(s), self.eas.get_mut(s)) {
            *esb = EsbState::RESET;
            *eas = Eas::default();
        }
    }

    /// Everything as after power-on, but for what is claimed and connected; lines are low.
    pub fn reset(&mut self) {
        self.reset_routing();
        for esb in &mut self.esbs {
            esb.line = Level::Low;
        }
        for context in self.contexts.iter_mut().flatten() {
            context.reset();
        }
    }

    /// All sources off and masked, no queues. Lines stay as they are.
    pub(crate) fn reset_routing(&mut self) {
        for (esb, eas) in self.esbs.iter_mut().zip(&mut self.eas) {
            esb.pq = Pq::Off;
            *eas = if eas.is_valid() { Eas::CLAIMED } else { Eas::default() };
        }
        self.ends.fill(EndState::RESET);
    }

    /// A copy of all state.
    pub fn state(&self) -> XiveState {
        let contexts = self.contexts.iter().enumerate();
        let contexts = contexts.filter_map(|(n, c)| Some((VcpuId(n as u32), c.as_ref()?.state)));
        XiveState { sources: self.esbs.clone(), assignments: self.eas.clone(), ends: self.ends.clone(), contexts: contexts.collect() }
    }

    /// A load from the registers by `vcpu`.
    ///
    /// # Errors
    /// Nothing is at `offset`, or the vCPU has no thread context.
    pub fn mmio_read(&mut self, region: Region, vcpu: VcpuId, offset: u64, width: Width) -> std::result::Result<u64, BusError> {
        let ones = u64::MAX >> (64 - 8 * width.bytes());
        match region {
            Region::Tima => Ok(self.context(vcpu, offset)?.read(offset, width)),
            Region::Esb => {
                let (source, page) = source_page(offset);
                let esb = self.esbs.get_mut(source).ok_or(BusError::Unmapped)?;
                match page {
                    Page::Trigger => Ok(ones),
                    Page::Management => {
                        let (value, notify) = esb.load(offset);
                        self.forward(source, notify);
                        Ok(value)
                    }
                }
            }
        }
    }

    /// A store to the registers by `vcpu`.
    ///
    /// # Errors
    /// As for [`Xive::mmio_read`].
    pub fn mmio_write(&mut self, region: Region, vcpu: VcpuId, offset: u64, width: Width, value: u64) -> std::result::Result<(), BusError> {
        match region {
            Region::Tima => self.context(vcpu, offset)?.write(offset, width, value),
            Region::Esb => {
                let (source, page) = source_page(offset);
                let esb = self.esbs.get_mut(source).ok_or(BusError::Unmapped)?;
                let notify = match page {
                    Page::Trigger => esb.pq.trigger(),
                    Page::Management => esb.store(offset),
                };
                self.forward(source, notify);
            }
        }
        Ok(())
    }

    fn context(&mut self, vcpu: VcpuId, offset: u64) -> std::result::Result<&mut ThreadContext, BusError> {
        let context = self.contexts.get_mut(vcpu.0 as usize).and_then(Option::as_mut);
        context.filter(|_| offset < TIMA_BYTES).ok_or(BusError::Unmapped)
    }
}

/// The two pages of a source.
enum Page {
    Trigger,
    Management,
}

fn source_page(offset: u64) -> (usize, Page) {
    let page = if offset >> esb::PAGE_SHIFT & 1 == 0 { Page::Trigger } else { Page::Management };
    (usize::try_from(offset >> esb::SOURCE_SHIFT).unwrap_or(usize::MAX), page)
}
