//! The way of an event: source → assignment → descriptor and queue → vCPU (XIVE, the interrupt virtualization routing engine).
//!
//! Each step is one table look-up and may end the event; none waits, allocates or fails towards the caller. Indexes come from
//! words the guest helped to write, so each is checked where it is used.

use crate::dev::irq::Level;
use crate::intc::xive::Xive;
use crate::intc::xive::esb::Notify;
use crate::units::Lisn;

impl Xive {
    /// One event of an edge source.
    pub fn trigger(&mut self, source: Lisn) {
        let Some(esb) = self.esbs.get_mut(source.0 as usize) else { return };
        let notify = esb.pq.trigger();
        self.forward(source.0 as usize, notify);
    }

    /// The line of a level source.
    pub fn set_level(&mut self, source: Lisn, level: Level) {
        let Some(esb) = self.esbs.get_mut(source.0 as usize) else { return };
        let notify = esb.set_level(level);
        self.forward(source.0 as usize, notify);
    }

    /// Sends an event that left its source's state buffer to where the source is assigned.
    pub(crate) fn forward(&mut self, source: usize, notify: Notify) {
        match notify {
            Notify::No => return,
            Notify::Yes => {}
        }
        let Some(eas) = self.eas.get(source).copied().filter(|eas| eas.delivers()) else { return };
        let Some(end) = self.ends.get_mut(eas.end_index() as usize) else { return };
        match end.event(eas.eisn(), &self.ram) {
            Notify::No => {}
            Notify::Yes => {
                let (vcpu, priority) = (end.vcpu(), end.priority());
                if let Some(context) = vcpu.and_then(|v| self.contexts.get_mut(v as usize)).and_then(Option::as_mut) {
                    context.present(priority);
                }
            }
        }
    }
}
