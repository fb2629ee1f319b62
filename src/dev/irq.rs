//! A device's interrupt output.
//!
//! The controller is owned by the machine, beside the devices, under the same lock; so a line is only the number of its source, and
//! the controller is passed in as an [`IrqSink`] by whoever calls the device. No shared pointers, no second lock, and a test can
//! pass a list.

use crate::error::Result;
use crate::units::Lisn;

/// State of a level-sensitive line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Level {
    /// Not asking.
    #[default]
    Low,
    /// Asking, until served.
    High,
}

/// How a source signals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind {
    /// Edge: each event is a message (PCI MSI, all virtual I/O).
    Msi,
    /// Level: asks as long as its line is high (PCI INTx).
    Lsi,
}

/// Takes interrupts: the machine's controller, or a test's list.
pub trait IrqSink {
    /// One event of a source. A level-sensitive source is raised and lowered.
    fn pulse(&mut self, source: Lisn);
    /// The line of a level-sensitive source. On an edge source, [`Level::High`] is one event.
    fn set_level(&mut self, source: Lisn, level: Level);
}

/// An interrupt controller that somebody else, the host's kernel, keeps for the guest: it answers the guest's calls, and hears of its sources from here.
pub trait HostIrqs: Send + Sync {
    /// Brings all presenters into their reset state. No vCPU may be in guest code.
    ///
    /// # Errors
    /// The kernel refuses.
    fn reset_presenters(&self) -> Result<()>;
    /// Brings a source into its reset state: masked, with nothing pending.
    ///
    /// # Errors
    /// The kernel refuses.
    fn reset_source(&self, source: Lisn, kind: SourceKind) -> Result<()>;
    /// The line of a source; on an edge source, [`Level::High`] is one event.
    ///
    /// # Errors
    /// The kernel refuses.
    fn set_level(&self, source: Lisn, level: Level) -> Result<()>;
}

/// The interrupt output of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IrqLine(pub Lisn);

impl IrqLine {
    /// Signals one event.
    pub fn pulse(self, to: &mut dyn IrqSink) {
        to.pulse(self.0);
    }

    /// Starts asking.
    pub fn raise(self, to: &mut dyn IrqSink) {
        to.set_level(self.0, Level::High);
    }

    /// Stops asking.
    pub fn lower(self, to: &mut dyn IrqSink) {
        to.set_level(self.0, Level::Low);
    }
}

#[cfg(test)]
pub(crate) mod record {
    //! A sink that writes down what it was told.

    use super::*;

    /// What a device signalled, oldest first; `None` is a pulse.
    #[derive(Default, Debug)]
    pub(crate) struct Record(pub Vec<(Lisn, Option<Level>)>);

    impl IrqSink for Record {
        fn pulse(&mut self, source: Lisn) {
            self.0.push((source, None));
        }
        fn set_level(&mut self, source: Lisn, level: Level) {
            self.0.push((source, Some(level)));
        }
    }

    #[test]
    fn a_line_names_its_source() {
        let mut sink = Record::default();
        let line = IrqLine(Lisn(0x1100));
        line.pulse(&mut sink);
        line.raise(&mut sink);
        line.lower(&mut sink);
        assert_eq!(sink.0, [(Lisn(0x1100), None), (Lisn(0x1100), Some(Level::High)), (Lisn(0x1100), Some(Level::Low))]);
    }
}
