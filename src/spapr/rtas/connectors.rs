//! Dynamic reconfiguration: indicators, sensors, power levels, and the description of what was plugged (PAPR, ibm,configure-connector).

use crate::fdt::Node;
use crate::memory::GuestMemory;
use crate::memory::OutOfRam;
use crate::spapr::devtree::cpus::core_node;
use crate::spapr::drc::Item;
use crate::spapr::drc::Operation;
use crate::spapr::drc::Refused;
use crate::spapr::drc::State;
use crate::spapr::hcall::Caller;
use crate::spapr::machine::Machine;
use crate::spapr::rtas::Answer;
use crate::spapr::rtas::Args;
use crate::spapr::rtas::Status;
use crate::units::DrcIndex;
use crate::units::Ra;

/// Indicators, and the sensor of the last one's kind.
const ISOLATION_STATE: u32 = 9001;
const ALLOCATION_STATE: u32 = 9003;
const ENTITY_SENSE: u32 = 9003;
/// What the sensor says of a connector.
const PRESENT: u32 = 1;
const UNUSABLE: u32 = 2;
/// The power domain of all connectors: none that could be switched.
const LIVE_INSERTION: u32 = u32::MAX;
const POWER_FULL: u32 = 100;

impl From<Refused> for Status {
    fn from(refused: Refused) -> Status {
        match refused {
            Refused::Parameter => Status::Parameter,
            Refused::Hardware => Status::Hardware,
            Refused::NotConfigurable => Status::NotConfigurable,
        }
    }
}

/// set-indicator: which, connector, value.
pub fn set_indicator(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let Some(connector) = m.connectors.get_mut(DrcIndex(args.get(1))) else { return Status::Parameter.into() };
    let operation = match (args.get(0), args.get(2)) {
        (ISOLATION_STATE, 0) => Operation::Isolate,
        (ISOLATION_STATE, 1) => Operation::Unisolate,
        (ALLOCATION_STATE, 0) => Operation::GiveUp,
        (ALLOCATION_STATE, 1) => Operation::Use,
        // Lamps (9002) are physical connectors', of which there are none.
        _ => return Status::Parameter.into(),
    };
    connector.operate(operation).map_err(Status::from).into()
}

/// set-power-level: domain, level → level.
pub fn set_power_level(_: &mut Machine, _: Caller, args: &Args) -> Answer {
    if args.get(0) == LIVE_INSERTION { Answer::of(&[POWER_FULL]) } else { Status::Parameter.into() }
}

/// get-power-level: domain → level.
pub fn power_level(_: &mut Machine, _: Caller, args: &Args) -> Answer {
    if args.get(0) == LIVE_INSERTION { Answer::of(&[POWER_FULL]) } else { Status::Parameter.into() }
}

/// get-sensor-state: which, connector → what is there.
pub fn sensor_state(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let connector = m.connectors.get_mut(DrcIndex(args.get(1))).filter(|_| args.get(0) == ENTITY_SENSE);
    match connector.map(|c| c.state) {
        Some(State::Unusable) => Answer::of(&[UNUSABLE]),
        Some(State::Available | State::Unisolated | State::Configured) => Answer::of(&[PRESENT]),
        None => Answer { status: Status::Parameter, ..Answer::of(&[0]) },
    }
}

/// Bytes of the work area, and offsets in it.
const WORK_BYTES: usize = 4096;
const NAME_OFFSET_AT: u64 = 8;
const LENGTH_AT: u64 = 12;
const VALUE_OFFSET_AT: u64 = 16;
const NAME_AT: usize = 20;

/// ibm,configure-connector: work area (low word, high word).
pub fn configure_connector(m: &mut Machine, _: Caller, args: &Args) -> Answer {
    let work = Ra(u64::from(args.get(1)) << 32 | u64::from(args.get(0)));
    if !m.memory.contains(work, WORK_BYTES as u64) {
        return Status::Parameter.into();
    }
    let Ok(index) = m.memory.read_u32(work).map(DrcIndex) else { return Status::Parameter.into() };
    let (spec, negotiated) = (&m.spec, &m.negotiated);
    let Some(connector) = m.connectors.get_mut(index) else { return Status::Parameter.into() };
    // Only cores can have been plugged yet.
    let fragment = || {
        let mut node: Node = core_node(spec, negotiated, spec.vsmt.core_of_drc(index)?);
        let name = node.name.clone();
        node.set_str("name", &name);
        Some(node)
    };
    match connector.next_item(fragment) {
        Ok(item) => deliver(&m.memory, work, &item).unwrap_or(Status::Hardware).into(),
        Err(refused) => Status::from(refused).into(),
    }
}

/// Writes an item into the work area: names at +20, a value right behind its name, cut off at the area's end.
fn deliver(memory: &GuestMemory, work: Ra, item: &Item) -> Result<Status, OutOfRam> {
    let at = |offset: u64| Ra(work.0 + offset);
    let named = |name: &str, value: &[u8]| {
        let mut bytes = name.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.truncate(WORK_BYTES - NAME_AT);
        memory.write_u32(at(NAME_OFFSET_AT), NAME_AT as u32)?;
        memory.write(at(NAME_AT as u64), &bytes)
    };
    match item {
        Item::Child(name) => {
            named(name, &[])?;
            Ok(Status::NextChild)
        }
        Item::Property(name, value) => {
            named(name, value)?;
            memory.write_u32(at(LENGTH_AT), value.len() as u32)?;
            memory.write_u32(at(VALUE_OFFSET_AT), (NAME_AT + name.len() + 1) as u32)?;
            Ok(Status::NextProperty)
        }
        Item::Parent => Ok(Status::PreviousParent),
        Item::Complete => Ok(Status::Success),
    }
}
