//! The presentation half of XICS: what one server has pending, and how urgent its present work is (PAPR, interrupt presentation).
//!
//! A server holds one interrupt at most, so presenting either fails or displaces; who was turned away is the answer ([`Displaced`]),
//! and the caller tells the source. An inter-processor interrupt that is displaced needs no telling: MFRR keeps it.

use crate::signal::EXTERNAL;
use crate::signal::Signals;
use std::sync::Arc;

/// XISR of the inter-processor interrupt, no source of any controller.
pub const IPI: u32 = 2;

/// The source number's bits in XIRR.
pub const XISR_MASK: u32 = 0x00ff_ffff;

/// Priority that nothing has: no IPI, nothing pending.
const NONE: u8 = 0xff;

/// Registers of one server, as saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcpState {
    /// CPPR << 24 | XISR.
    pub xirr: u32,
    /// Priority of what XISR holds; ff if it holds nothing.
    pub pending_priority: u8,
    /// Most favoured request: priority of the inter-processor interrupt; ff for none.
    pub mfrr: u8,
}

impl IcpState {
    /// As after power-on: CPPR 0, everything is blocked.
    pub const RESET: IcpState = IcpState { xirr: 0, pending_priority: NONE, mfrr: NONE };

    /// The priority the server works at; only lower numbers interrupt it.
    pub fn cppr(self) -> u8 {
        (self.xirr >> 24) as u8
    }

    /// The pending source number; 0 for none.
    pub fn xisr(self) -> u32 {
        self.xirr & XISR_MASK
    }

    /// Whether an interrupt is pending.
    pub fn is_pending(self) -> bool {
        self.xisr() != 0
    }

    /// Changes CPPR alone.
    pub fn replace_cppr(&mut self, cppr: u8) {
        self.xirr = self.xisr() | u32::from(cppr) << 24;
    }

    fn replace_pending(&mut self, xisr: u32, priority: u8) {
        self.xirr = (self.xirr & !XISR_MASK) | (xisr & XISR_MASK);
        self.pending_priority = priority;
    }
}

/// Who was turned away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a rejected source must be told, or its interrupt is lost"]
pub enum Displaced {
    /// Nobody, or an inter-processor interrupt.
    Nothing,
    /// The source of this number: it must present itself again later.
    Source(u32),
}

/// One server.
pub struct Icp {
    /// Its registers.
    pub state: IcpState,
    signals: Arc<Signals>,
}

impl Icp {
    /// In reset state; interrupts go to `signals`.
    pub fn new(signals: Arc<Signals>) -> Icp {
        signals.lower(EXTERNAL);
        Icp { state: IcpState::RESET, signals }
    }

    /// As after power-on; gives what was pending.
    pub fn reset(&mut self) -> Displaced {
        let held = self.held();
        self.state = IcpState::RESET;
        self.signals.lower(EXTERNAL);
        held
    }

    /// Sets all registers; the line follows.
    pub fn set(&mut self, state: IcpState) {
        self.state = state;
        if state.is_pending() {
            self.signals.raise(EXTERNAL);
        } else {
            self.signals.lower(EXTERNAL);
        }
    }

    fn held(&self) -> Displaced {
        match self.state.xisr() {
            0 | IPI => Displaced::Nothing,
            source => Displaced::Source(source),
        }
    }

    /// A source offers itself. Rejected unless it is more urgent than the server's work and than what is pending.
    pub fn present(&mut self, source: u32, priority: u8) -> Displaced {
        let state = &mut self.state;
        if priority >= state.cppr() || (state.is_pending() && state.pending_priority <= priority) {
            return Displaced::Source(source);
        }
        let displaced = self.held();
        self.state.replace_pending(source, priority);
        self.signals.raise(EXTERNAL);
        displaced
    }

    /// Makes the inter-processor interrupt pending if MFRR is more urgent than the server's work and than what is pending.
    pub fn check_ipi(&mut self) -> Displaced {
        let state = self.state;
        if state.mfrr >= state.cppr() || (state.is_pending() && state.pending_priority <= state.mfrr) {
            return Displaced::Nothing;
        }
        let displaced = self.held();
        self.state.replace_pending(IPI, state.mfrr);
        self.signals.raise(EXTERNAL);
        displaced
    }

    /// Takes what is pending: its priority becomes the server's. With nothing pending, CPPR becomes ff (QEMU does so too).
    pub fn accept(&mut self) -> u32 {
        let xirr = self.state.xirr;
        self.signals.lower(EXTERNAL);
        self.state.xirr = u32::from(self.state.pending_priority) << 24;
        self.state.pending_priority = NONE;
        xirr
    }

    /// Changes CPPR; what is pending and no longer urgent enough is withdrawn.
    pub fn set_cppr(&mut self, cppr: u8) -> Displaced {
        let lowered = cppr < self.state.cppr();
        self.state.replace_cppr(cppr);
        if !(lowered && self.state.is_pending() && cppr <= self.state.pending_priority) {
            return Displaced::Nothing;
        }
        let displaced = self.held();
        self.state.replace_pending(0, NONE);
        self.signals.lower(EXTERNAL);
        displaced
    }
}
