//! Dynamic-reconfiguration connectors: where cores, memory blocks and host bridges are plugged (PAPR, dynamic reconfiguration).
//!
//! A connector is a small state machine that the guest moves by RTAS calls. It is a table ([`MOVES`]): what an operation does in a
//! state; what is not in the table is a wrong parameter. What was present at the start is configured from the start.

use crate::fdt::Node;
use crate::units::DrcIndex;
use std::collections::BTreeMap;

/// What can be plugged. The number is the type in connector indexes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u32)]
pub enum Kind {
    /// A core; the id is the vcpu id of its thread 0.
    Cpu = 1,
    /// A PCI host bridge; the id is its number.
    Phb = 2,
    /// A logical memory block; the id is its address / 256 MiB.
    Lmb = 8,
}

impl Kind {
    /// The index of a connector of this kind.
    pub fn index(self, id: u32) -> DrcIndex {
        DrcIndex((self as u32) << 28 | (id & 0x0fff_ffff))
    }

    /// The type in `ibm,drc-types`.
    pub fn type_name(self) -> &'static str {
        match self {
            Kind::Cpu => "CPU",
            Kind::Phb => "PHB",
            Kind::Lmb => "MEM",
        }
    }
}

/// States of a logical connector (PAPR's numbers).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum State {
    /// Nothing there for the guest.
    Unusable = 1,
    /// The guest's, isolated.
    Available = 2,
    /// Being configured.
    Unisolated = 3,
    /// In use.
    Configured = 4,
}

/// What a guest can do to a connector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Allocation state: usable.
    Use,
    /// Isolation state: unisolate.
    Unisolate,
    /// The last item of configure-connector was fetched.
    Configure,
    /// Isolation state: isolate.
    Isolate,
    /// Allocation state: unusable.
    GiveUp,
}

/// Why a connector refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// RTAS −3.
    Parameter,
    /// RTAS −1.
    Hardware,
    /// RTAS −9003: not in a state to be configured.
    NotConfigurable,
}

/// What operations do: (operation, before, after). Where before and after are equal there is nothing to do.
#[rustfmt::skip]
const MOVES: &[(Operation, State, State)] = &[
    (Operation::Use,       State::Unusable,   State::Available),
    (Operation::Use,       State::Available,  State::Available),
    (Operation::Use,       State::Unisolated, State::Unisolated),
    (Operation::Use,       State::Configured, State::Configured),
    (Operation::Unisolate, State::Available,  State::Unisolated),
    (Operation::Unisolate, State::Unisolated, State::Unisolated),
    (Operation::Unisolate, State::Configured, State::Configured),
    (Operation::Configure, State::Unisolated, State::Configured),
    (Operation::Configure, State::Configured, State::Configured),
    (Operation::Isolate,   State::Unusable,   State::Unusable),
    (Operation::Isolate,   State::Available,  State::Available),
    (Operation::Isolate,   State::Configured, State::Available),
    (Operation::GiveUp,    State::Unusable,   State::Unusable),
    (Operation::GiveUp,    State::Available,  State::Unusable),
];

/// Whether something is plugged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plugged {
    /// Nothing.
    No,
    /// Something.
    Yes,
    /// Something that the user wants back.
    UnplugRequested,
}

/// One item of configure-connector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A node begins.
    Child(String),
    /// A property of the node.
    Property(String, Vec<u8>),
    /// The node ends; on with its parent.
    Parent,
    /// That was all.
    Complete,
}

/// One connector.
#[derive(Debug)]
pub struct Connector {
    /// What it takes.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// What is in it.
    pub plugged: Plugged,
    /// What configure-connector has still to give, last item first; empty: it begins anew.
    pub(in crate::spapr) walk: Vec<Item>,
}

impl Connector {
    fn new(kind: Kind, plugged: Plugged) -> Connector {
        let mut connector = Connector { kind, state: State::Unusable, plugged, walk: Vec::new() };
        connector.reset();
        connector
    }

    /// What is present is configured; what was to go has gone.
    fn reset(&mut self) {
        (self.plugged, self.state) = match self.plugged {
            Plugged::Yes => (Plugged::Yes, State::Configured),
            Plugged::No | Plugged::UnplugRequested => (Plugged::No, State::Unusable),
        };
        self.walk.clear();
    }

    /// Does what a guest asks for.
    ///
    /// # Errors
    /// The connector is not in a state for it.
    pub fn operate(&mut self, operation: Operation) -> Result<(), Refused> {
        let row = MOVES.iter().find(|(op, from, _)| *op == operation && *from == self.state);
        let &(_, from, to) = row.ok_or(Refused::Parameter)?;
        let in_use = from == State::Configured;
        match operation {
            Operation::Use if from != to && self.plugged != Plugged::Yes => return Err(Refused::Parameter),
            // Memory is taken back only when the user wants it.
            Operation::Isolate if in_use && self.kind == Kind::Lmb && self.plugged != Plugged::UnplugRequested => {
                return Err(Refused::Hardware);
            }
            // The guest keeps what it was asked to give back.
            Operation::Unisolate if from == to && self.plugged == Plugged::UnplugRequested => self.plugged = Plugged::Yes,
            Operation::GiveUp if self.plugged == Plugged::UnplugRequested => self.plugged = Plugged::No,
            Operation::Use | Operation::Unisolate | Operation::Configure | Operation::Isolate | Operation::GiveUp => {}
        }
        self.state = to;
        if from != to {
            self.walk.clear();
        }
        Ok(())
    }

    /// The next item of configure-connector; `fragment` describes what is plugged in, and is asked at the first call of a walk.
    ///
    /// # Errors
    /// The connector is isolated, or there is nothing to describe.
    pub fn next_item(&mut self, fragment: impl FnOnce() -> Option<Node>) -> Result<Item, Refused> {
        match self.state {
            State::Unusable | State::Available => return Err(Refused::NotConfigurable),
            State::Unisolated | State::Configured => {}
        }
        if self.walk.is_empty() {
            items(&fragment().ok_or(Refused::Hardware)?, &mut self.walk);
            // The root's end is the end of all.
            self.walk.pop();
            self.walk.push(Item::Complete);
            self.walk.reverse();
        }
        let item = self.walk.pop().ok_or(Refused::Hardware)?;
        if item == Item::Complete {
            self.operate(Operation::Configure)?;
        }
        Ok(item)
    }
}

fn items(node: &Node, to: &mut Vec<Item>) {
    to.push(Item::Child(node.name.clone()));
    to.extend(node.properties.iter().map(|(name, value)| Item::Property(name.clone(), value.clone())));
    node.children.iter().for_each(|child| items(child, to));
    to.push(Item::Parent);
}

/// All connectors of a machine.
#[derive(Debug, Default)]
pub struct Connectors {
    by_index: BTreeMap<DrcIndex, Connector>,
}

impl Connectors {
    /// Adds one, with what is plugged in at the start.
    pub fn add(&mut self, kind: Kind, index: DrcIndex, plugged: Plugged) {
        self.by_index.insert(index, Connector::new(kind, plugged));
    }

    /// The connector with this index.
    pub fn get_mut(&mut self, index: DrcIndex) -> Option<&mut Connector> {
        self.by_index.get_mut(&index)
    }

    /// All of them, by index.
    pub fn iter(&self) -> impl Iterator<Item = (DrcIndex, &Connector)> {
        self.by_index.iter().map(|(index, connector)| (*index, connector))
    }

    /// As after power-on and after client-architecture-support.
    pub fn reset(&mut self) {
        self.by_index.values_mut().for_each(Connector::reset);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_leaves_and_comes_back() {
        let mut c = Connector::new(Kind::Cpu, Plugged::Yes);
        let table = [
            (Operation::GiveUp, Err(Refused::Parameter), State::Configured),
            (Operation::Isolate, Ok(()), State::Available),
            (Operation::Isolate, Ok(()), State::Available),
            (Operation::GiveUp, Ok(()), State::Unusable),
            (Operation::Unisolate, Err(Refused::Parameter), State::Unusable),
            (Operation::Use, Ok(()), State::Available),
            (Operation::Unisolate, Ok(()), State::Unisolated),
            (Operation::Isolate, Err(Refused::Parameter), State::Unisolated),
            (Operation::Configure, Ok(()), State::Configured),
        ];
        for (operation, result, after) in table {
            assert_eq!((c.operate(operation), c.state), (result, after), "{operation:?}");
        }
    }

    #[test]
    fn what_is_absent_cannot_be_used_and_memory_stays() {
        let mut empty = Connector::new(Kind::Lmb, Plugged::No);
        assert_eq!(empty.operate(Operation::Use), Err(Refused::Parameter));
        let mut memory = Connector::new(Kind::Lmb, Plugged::Yes);
        assert_eq!(memory.operate(Operation::Isolate), Err(Refused::Hardware));
        memory.plugged = Plugged::UnplugRequested;
        assert_eq!(memory.operate(Operation::Isolate), Ok(()));
        assert_eq!(memory.operate(Operation::GiveUp), Ok(()));
        assert_eq!(memory.plugged, Plugged::No);
    }

    #[test]
    fn configure_connector_walks_the_fragment() {
        let mut root = Node::new("cpu@0");
        root.set_u32("reg", 0);
        root.add(Node::new("cache"));
        let mut c = Connector::new(Kind::Cpu, Plugged::Yes);
        c.state = State::Available;
        assert_eq!(c.next_item(|| None), Err(Refused::NotConfigurable));
        c.operate(Operation::Unisolate).unwrap();
        let walked: Vec<Item> = (0..5).map(|_| c.next_item(|| Some(root.clone())).unwrap()).collect();
        let expected = [
            Item::Child("cpu@0".into()),
            Item::Property("reg".into(), vec![0; 4]),
            Item::Child("cache".into()),
            Item::Parent,
            Item::Complete,
        ];
        assert_eq!(walked, expected);
        assert_eq!(c.state, State::Configured);
        assert_eq!(c.next_item(|| Some(root)), Ok(Item::Child("cpu@0".into())), "may be repeated");
        assert_eq!(c.next_item(|| None).map(|_| ()), Ok(()));
    }
}
