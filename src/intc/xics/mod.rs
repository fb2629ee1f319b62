//! XICS: the interrupt controller of POWER4 to POWER8, in the form PAPR gives to a partition.
//!
//! Two halves: the presentation ([`icp`]: what a vCPU has pending, one per server number) and the sources ([`ics`]: where each
//! interrupt goes and what became of it). A server holds one pending interrupt at most; a less urgent one is *rejected* back to its
//! source, which remembers it and presents it again when that server can take more. This file is the traffic between the halves and
//! the calls of the guest; each call is one method here, named after what it does.
//!
//! The guest's hypercalls are frequent, so every one is O(1) but for the re-presentation of what was rejected, which looks only at
//! sources that wait ([`ics::Sources::next_waiting`]). Lower priority numbers are more urgent; ff is masked.

pub mod icp;
pub mod ics;

#[cfg(test)]
mod tests;

use crate::dev::irq::Level;
use crate::dev::irq::SourceKind;
use crate::intc::SOURCE_BASE;
use crate::intc::xics::icp::Displaced;
use crate::intc::xics::icp::Icp;
use crate::intc::xics::icp::IcpState;
use crate::intc::xics::ics::MASKED;
use crate::intc::xics::ics::SourceState;
use crate::intc::xics::ics::Sources;
use crate::signal::Signals;
use crate::units::Lisn;
use crate::units::VcpuId;
use std::sync::Arc;

/// Why a XICS call of the guest was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum XicsError {
    /// The machine has no XICS (`ic-mode=xive`): the call does not exist (H_FUNCTION).
    Absent,
    /// XIVE was negotiated (H_HARDWARE; RTAS −1).
    Inactive,
    /// No vCPU has that server number (H_PARAMETER; RTAS −3).
    NoServer,
    /// No such source (RTAS −3).
    NoSource,
}

/// The result of a XICS call.
pub type XicsResult<T> = std::result::Result<T, XicsError>;

/// All state of the controller, apart from the live type, to be saved and looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct XicsState {
    /// One per vCPU, in order of server numbers.
    pub presenters: Vec<(VcpuId, IcpState)>,
    /// From source number 0x1000 on.
    pub sources: Vec<SourceState>,
}

/// The controller.
pub struct Xics {
    /// By server number.
    pub(in crate::intc) icps: Vec<Option<Icp>>,
    pub(in crate::intc) ics: Sources,
}

impl Xics {
    /// `servers` presenters to be connected, `sources` sources from 0x1000 on, none claimed.
    pub fn new(servers: u32, sources: u32) -> Xics {
        Xics { icps: (0..servers).map(|_| None).collect(), ics: Sources::new(sources) }
    }

    /// Gives a vCPU its presenter; false if it is no server or has one.
    pub(crate) fn connect(&mut self, vcpu: VcpuId, signals: &Arc<Signals>) -> bool {
        match self.icps.get_mut(vcpu.0 as usize) {
            Some(slot @ None) => {
                *slot = Some(Icp::new(Arc::clone(signals)));
                true
            }
            Some(Some(_)) | None => false,
        }
    }

    /// Takes a presenter away; its pending source is rejected back.
    pub(crate) fn disconnect(&mut self, vcpu: VcpuId) {
        if let Some(mut icp) = self.icps.get_mut(vcpu.0 as usize).and_then(Option::take) {
            let held = icp.reset();
            self.reject(held);
        }
    }

    pub(crate) fn claim(&mut self, source: Lisn, kind: SourceKind) {
        if let Some(s) = index(source) {
            self.ics.claim(s, kind);
        }
    }

    pub(crate) fn free(&mut self, source: Lisn) {
        if let Some(s) = index(source) {
            self.ics.free(s);
        }
    }

    /// Everything as after power-on, but for what is claimed and connected.
    pub fn reset(&mut self) {
        self.ics.reset();
        for icp in self.icps.iter_mut().flatten() {
            // The sources were reset too: there is nothing to tell them.
            let _ = icp.reset();
        }
    }

    /// A copy of all state.
    pub fn state(&self) -> XicsState {
        let presenters = self.icps.iter().enumerate();
        let presenters = presenters.filter_map(|(n, icp)| Some((VcpuId(n as u32), icp.as_ref()?.state)));
        XicsState { presenters: presenters.collect(), sources: self.ics.states().to_vec() }
    }

    fn icp(&mut self, server: VcpuId) -> XicsResult<&mut Icp> {
        self.icps.get_mut(server.0 as usize).and_then(Option::as_mut).ok_or(XicsError::NoServer)
    }

    // ── events ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// One event of an edge source.
    pub fn trigger(&mut self, source: Lisn) {
        let Some(s) = index(source) else { return };
        if self.ics.trigger(s) {
            self.present(s);
        }
    }

    /// The line of a level source.
    pub fn set_level(&mut self, source: Lisn, level: Level) {
        let Some(s) = index(source) else { return };
        if self.ics.set_level(s, level) {
            self.present_again(s);
        }
    }

    /// Offers a source to its server.
    fn present(&mut self, s: usize) {
        let Some(state) = self.ics.get(s) else { return };
        let displaced = match self.icps.get_mut(state.server as usize).and_then(Option::as_mut) {
            Some(icp) => icp.present(SOURCE_BASE + s as u32, state.priority),
            None => Displaced::Source(SOURCE_BASE + s as u32),
        };
        self.reject(displaced);
    }

    fn reject(&mut self, displaced: Displaced) {
        match displaced {
            Displaced::Nothing => {}
            Displaced::Source(xisr) => {
                if let Some(s) = index(Lisn(xisr)) {
                    self.ics.reject(s);
                }
            }
        }
    }

    /// Offers a source that waits, if it still has cause to.
    fn present_again(&mut self, s: usize) {
        if self.ics.take_waiting(s) {
            self.present(s);
        }
    }

    /// `server` can take more: its own inter-processor interrupt first, then the sources that wait for it.
    fn present_all_again(&mut self, server: VcpuId) {
        let Ok(icp) = self.icp(server) else { return };
        let displaced = icp.check_ipi();
        self.reject(displaced);
        let mut from = 0;
        while let Some(s) = self.ics.next_waiting(from) {
            if self.ics.get(s).is_some_and(|state| state.server == server.0) {
                self.present_again(s);
            }
            from = s + 1;
        }
    }

    // ── hypercalls ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// H_XIRR, H_XIRR_X: takes the pending interrupt; gives CPPR << 24 | source (0 if none). The caller adds H_XIRR_X's time.
    ///
    /// # Errors
    /// [`XicsError::NoServer`].
    pub fn accept(&mut self, server: VcpuId) -> XicsResult<u32> {
        Ok(self.icp(server)?.accept())
    }

    /// H_IPOLL: XIRR and MFRR, changing nothing.
    ///
    /// # Errors
    /// [`XicsError::NoServer`].
    pub fn poll(&mut self, server: VcpuId) -> XicsResult<(u32, u8)> {
        let state = self.icp(server)?.state;
        Ok((state.xirr, state.mfrr))
    }

    /// H_CPPR: the priority that `server` works at.
    ///
    /// # Errors
    /// [`XicsError::NoServer`].
    pub fn set_cppr(&mut self, server: VcpuId, cppr: u8) -> XicsResult<()> {
        let icp = self.icp(server)?;
        let lowered = cppr < icp.state.cppr();
        let displaced = icp.set_cppr(cppr);
        let idle = !icp.state.is_pending();
        self.reject(displaced);
        if !lowered && idle {
            self.present_all_again(server);
        }
        Ok(())
    }

    /// H_EOI: the interrupt in `xirr`'s low 24 bits is served; CPPR goes back to its top byte.
    ///
    /// # Errors
    /// [`XicsError::NoServer`].
    pub fn eoi(&mut self, server: VcpuId, xirr: u32) -> XicsResult<()> {
        let icp = self.icp(server)?;
        icp.state.replace_cppr((xirr >> 24) as u8);
        let idle = !icp.state.is_pending();
        if let Some(s) = index(Lisn(xirr & icp::XISR_MASK)) {
            // A level source whose server was changed meanwhile must not wait for an EOI of this one.
            if self.ics.eoi(s) && self.ics.get(s).is_some_and(|state| state.server != server.0) {
                self.present_again(s);
            }
        }
        if idle {
            self.present_all_again(server);
        }
        Ok(())
    }

    /// H_IPI: sets the MFRR of any server; below its CPPR it interrupts.
    ///
    /// # Errors
    /// [`XicsError::NoServer`].
    pub fn ipi(&mut self, server: VcpuId, mfrr: u8) -> XicsResult<()> {
        let icp = self.icp(server)?;
        icp.state.mfrr = mfrr;
        let displaced = icp.check_ipi();
        self.reject(displaced);
        Ok(())
    }

    // ── RTAS calls ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    /// ibm,set-xive: where a source goes.
    ///
    /// # Errors
    /// [`XicsError::NoSource`], [`XicsError::NoServer`].
    pub fn set_xive(&mut self, source: Lisn, server: VcpuId, priority: u8) -> XicsResult<()> {
        let s = self.source(source)?;
        self.icp(server)?;
        self.route(s, server.0, priority, priority);
        Ok(())
    }

    /// ibm,get-xive: server and priority of a source.
    ///
    /// # Errors
    /// [`XicsError::NoSource`].
    pub fn xive(&self, source: Lisn) -> XicsResult<(VcpuId, u8)> {
        let state = index(source).and_then(|s| self.ics.get(s)).ok_or(XicsError::NoSource)?;
        Ok((VcpuId(state.server), state.priority))
    }

    /// ibm,int-off: masks a source and remembers its priority.
    ///
    /// # Errors
    /// [`XicsError::NoSource`].
    pub fn int_off(&mut self, source: Lisn) -> XicsResult<()> {
        let s = self.source(source)?;
        let state = self.ics.get(s).ok_or(XicsError::NoSource)?;
        self.route(s, state.server, MASKED, state.priority);
        Ok(())
    }

    /// ibm,int-on: gives a source the priority back that it had.
    ///
    /// # Errors
    /// [`XicsError::NoSource`].
    pub fn int_on(&mut self, source: Lisn) -> XicsResult<()> {
        let s = self.source(source)?;
        let state = self.ics.get(s).ok_or(XicsError::NoSource)?;
        self.route(s, state.server, state.saved_priority, state.saved_priority);
        Ok(())
    }

    fn source(&self, source: Lisn) -> XicsResult<usize> {
        index(source).filter(|&s| self.ics.get(s).is_some()).ok_or(XicsError::NoSource)
    }

    fn route(&mut self, s: usize, server: u32, priority: u8, saved_priority: u8) {
        self.ics.route(s, server, priority, saved_priority);
        self.present_again(s);
    }
}

/// Index of a source number; inter-processor interrupts (XISR 2) and other small numbers have none.
fn index(source: Lisn) -> Option<usize> {
    source.0.checked_sub(SOURCE_BASE).map(|s| s as usize)
}
