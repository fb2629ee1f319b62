//! RTAS, the run-time abstraction services: firmware calls with a token, counted arguments and counted results (PAPR, RTAS).
//!
//! The guest's own RTAS code is one hypercall (KVMPPC_H_RTAS) with the address of an argument block. Here the block is read whole
//! and with limits, the token's row found in [`TABLE`], one function called, and the results written back. A handler sees numbers,
//! not memory, except where a call's own arguments are addresses; those are checked where they are used.

mod block;
mod connectors;
mod events;
mod interrupts;
mod nvram;
mod processors;
mod run_state;
mod sysparm;
mod table;
mod time;

pub use block::Args;
pub use processors::ResetEntry;
pub use table::TABLE;

use crate::spapr::hcall::Caller;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::machine::Machine;
use crate::spapr::rtas::block::Block;
use crate::spapr::spec::MachineSpec;
use crate::units::Ra;

/// Token of row 0; the others follow.
pub const TOKEN_BASE: u32 = 0x2000;
/// An old name of display-character's token.
const TOKEN_DISPLAY_CHARACTER: u32 = 0xa;
/// Most results of one call, its status aside.
const VALUES_MAX: usize = 8;

/// The first result of a call (PAPR, RTAS status word values).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Status {
    /// Done. (configure-connector: complete.)
    Success = 0,
    /// Nothing was found. (slot-error-detail and check-exception: nothing to tell.)
    NoneFound = 1,
    /// configure-connector: a child node begins.
    NextChild = 2,
    /// configure-connector: a property.
    NextProperty = 3,
    /// configure-connector: the node ends.
    PreviousParent = 4,
    /// Hardware error.
    Hardware = -1,
    /// Wrong parameter.
    Parameter = -3,
    /// Not authorised.
    NotAuthorized = -9002,
    /// The connector is not in a state to be configured.
    NotConfigurable = -9003,
    /// Other processors are active.
    ThreadsActive = -9005,
    /// Wrong parameter of ibm,get-system-parameter.
    SystemParameter = -9999,
}

/// What a call comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The first result.
    pub status: Status,
    /// The results after it; missing ones are 0 where the guest expects more.
    pub values: [u32; VALUES_MAX],
    /// How many of `values` count.
    pub count: usize,
    /// What else happens, once the results are written.
    pub then: Option<Outcome>,
}

impl Answer {
    /// Success with results.
    fn of(values: &[u32]) -> Answer {
        let mut all = [0; VALUES_MAX];
        all[..values.len()].copy_from_slice(values);
        Answer { status: Status::Success, values: all, count: values.len(), then: None }
    }

    /// Success, and something else happens.
    fn then(outcome: Outcome) -> Answer {
        Answer { then: Some(outcome), ..Answer::of(&[]) }
    }
}

impl From<Status> for Answer {
    fn from(status: Status) -> Answer {
        Answer { status, ..Answer::of(&[]) }
    }
}

impl From<Result<(), Status>> for Answer {
    fn from(result: Result<(), Status>) -> Answer {
        result.err().unwrap_or(Status::Success).into()
    }
}

/// How many arguments and results a call takes; others are a wrong parameter, before anything else is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counts {
    /// Not checked.
    Any,
    /// That many arguments.
    Args(usize),
    /// That many of each.
    Both(usize, usize),
    /// From `.0` to `.1` arguments, and that many results.
    Between(usize, usize, usize),
    /// That many arguments, and from `.1` to `.2` results.
    ResultsBetween(usize, usize, usize),
}

impl Counts {
    fn fit(self, args: &Args) -> bool {
        let (nargs, nret) = (args.len(), args.results());
        match self {
            Counts::Any => true,
            Counts::Args(a) => nargs == a,
            Counts::Both(a, r) => (nargs, nret) == (a, r),
            Counts::Between(from, to, r) => (from..=to).contains(&nargs) && nret == r,
            Counts::ResultsBetween(a, from, to) => nargs == a && (from..=to).contains(&nret),
        }
    }
}

/// Where a call exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needs {
    /// Everywhere.
    Nothing,
    /// On machines that have XICS.
    Xics,
}

/// Carries a call out.
pub type RtasFn = fn(&mut Machine, Caller, &Args) -> Answer;

/// A row of the table.
pub struct RtasCall {
    /// The property of `/rtas` that holds the token.
    pub name: &'static str,
    /// Token − [`TOKEN_BASE`].
    pub number: u32,
    /// Arguments and results.
    pub counts: Counts,
    /// The status of a call with other counts.
    pub miscounted: Status,
    /// Where it exists.
    pub needs: Needs,
    /// Carries it out.
    pub run: RtasFn,
}

impl RtasCall {
    /// What the guest calls it by.
    pub fn token(&self) -> u32 {
        TOKEN_BASE + self.number
    }

    fn exists(&self, spec: &MachineSpec) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Xics => spec.ic.has_xics(),
        }
    }
}

/// Name and token of every call of a machine, for its device tree.
pub fn services(spec: &MachineSpec) -> Vec<(&'static str, u32)> {
    TABLE.iter().filter(|row| row.exists(spec)).map(|row| (row.name, row.token())).collect()
}

fn find(spec: &MachineSpec, token: u32) -> Option<&'static RtasCall> {
    let number = if token == TOKEN_DISPLAY_CHARACTER { 0 } else { token.checked_sub(TOKEN_BASE)? };
    let row = TABLE.binary_search_by_key(&number, |row| row.number).ok()?;
    Some(&TABLE[row]).filter(|row| row.exists(spec))
}

/// KVMPPC_H_RTAS: carries out the call whose argument block is at `at`.
pub fn dispatch(m: &mut Machine, caller: Caller, at: Ra) -> Outcome {
    let Some(block) = Block::read(&m.memory, at) else { return H::Parameter.into() };
    let Some(call) = find(&m.spec, block.token) else {
        block.answer(&m.memory, &Status::Parameter.into());
        return H::Parameter.into();
    };
    let answer = if call.counts.fit(&block.args) { (call.run)(m, caller, &block.args) } else { call.miscounted.into() };
    block.answer(&m.memory, &answer);
    answer.then.unwrap_or(H::Success.into())
}

/// The name of the call whose argument block is at `at`, for traces.
pub fn name(m: &Machine, at: Ra) -> Option<&'static str> {
    find(&m.spec, m.memory.read_u32(at).ok()?).map(|row| row.name)
}
