//! Hypercalls: the guest kernel's requests to the platform.
//!
//! Every call is a row of [`TABLE`] and one function. The row is the truth: dispatch and the `ibm,hypertas-functions` property are
//! read from it, and a golden file prints it. A handler changes the machine, never a vCPU: what is to happen to vCPUs comes back as data
//! ([`Outcome`]) and `vm::run`, which alone may stop threads, does it.
//!
//! A handler runs under the machine's lock, so its work is bounded: counts that a guest gives are refused or, where the interface
//! has no limit, done in portions ([`Outcome::Again`] makes the guest execute the call again with what is left).

mod cpu;
mod firmware;
mod logical;
mod pft;
mod proc_tbl;
mod resize_hpt;
mod splpar;
mod status;
mod table;
mod vio;
mod vty;
mod watchdog;
mod xics;
mod xive;

pub use splpar::Dispatched;
pub use splpar::LogArea;
pub use status::H;
pub use table::TABLE;

use crate::isa::regs::Msr;
use crate::spapr::caps::Cap;
use crate::spapr::machine::Machine;
use crate::spapr::machine::MachineEvent;
use crate::spapr::options::ResizeHpt;
use crate::spapr::spec::MachineSpec;
use crate::units::CpuIndex;

/// Unknown numbers that are logged; a guest that tries them all is not to fill the log.
const UNKNOWN_LOGGED_MAX: usize = 64;

/// Bytes that one execution of a call moves at most (about a millisecond's work under the machine's lock).
const PORTION_BYTES: u64 = 4 << 20;

/// Who calls, as far as a handler may know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caller {
    /// Which vCPU.
    pub cpu: CpuIndex,
    /// Its machine state register.
    pub msr: Msr,
}

/// Registers r4 on, as a call leaves them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Values {
    /// r4 to r11.
    pub regs: [u64; 8],
    /// How many of them are written; the others keep their values.
    pub count: usize,
}

impl Values {
    /// r4 on.
    ///
    /// # Panics
    /// If there are more than eight.
    pub fn of(values: &[u64]) -> Values {
        let mut regs = [0; 8];
        regs[..values.len()].copy_from_slice(values);
        Values { regs, count: values.len() }
    }
}

/// Which vCPUs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// The one that calls.
    Caller,
    /// This one.
    One(CpuIndex),
    /// All, the calling one included.
    All,
    /// All but the calling one.
    Others,
}

/// What is to happen to a vCPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// The bits of `mask` in LPCR become those of `value`.
    Lpcr {
        /// Which bits.
        mask: u64,
        /// Their new values.
        value: u64,
    },
    /// SPRs, by number, get values.
    Sprs([(usize, u64); 2]),
    /// MSR[EE] becomes 1.
    EnableExternal,
    /// RTAS start-cpu: begins at `entry` with `argument` in r3, r1 and r4 zero, MSR = SF|ME, LPCR\[ILE, AIL, UPRT, HR, GTSE\] and the timebase
    /// as the caller's, PSSCR\[EC\] clear, and wakes.
    Start {
        /// First instruction.
        entry: u64,
        /// r3.
        argument: u64,
    },
    /// A system reset interrupt.
    SystemReset,
    /// Compatibility mode: the logical PVR, 0 for none (ibm,client-architecture-support).
    Compat(u32),
}

/// What a call comes to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// r3 and what follows.
    Return(H, Values),
    /// MSR\[EE\] becomes 1; the vCPU sleeps until an interrupt or [`crate::signal::PROD`], which is then lowered; H_SUCCESS.
    Cede,
    /// The vCPU sleeps until [`crate::signal::PROD`], which is then lowered, or a system reset; H_SUCCESS.
    AwaitProd,
    /// The vCPU's thread lets others run; H_SUCCESS.
    Yield,
    /// vCPUs are changed before the call returns `status`.
    OnVcpus {
        /// Which.
        who: Who,
        /// How.
        change: Change,
        /// r3 of the calling one.
        status: H,
    },
    /// RTAS stop-self: the vCPU sleeps until started again (PSSCR\[EC\] set); the call never returns.
    StopSelf,
    /// The guest executes `sc 1` again (NIP goes back by 4, r3 is the number again) with these values in r4 on: there is more to do.
    Again([u64; 8]),
    /// Something happens to the machine as a whole; the call returns `status` if the machine runs on.
    Event(MachineEvent, H),
}

impl Outcome {
    /// A status and no values.
    pub const fn status(status: H) -> Outcome {
        Outcome::Return(status, Values { regs: [0; 8], count: 0 })
    }

    /// H_SUCCESS with r4 on.
    pub fn values(values: &[u64]) -> Outcome {
        Outcome::Return(H::Success, Values::of(values))
    }
}

impl From<H> for Outcome {
    fn from(status: H) -> Outcome {
        Outcome::status(status)
    }
}

/// Carries a call out. `args` are r4 to r12.
pub type HcallFn = fn(&mut Machine, Caller, [u64; 9]) -> Outcome;

/// A row of the table.
pub struct Hcall {
    /// r3.
    pub number: u64,
    /// PAPR's name.
    pub name: &'static str,
    /// Where it is specified.
    pub spec: &'static str,
    /// The entry in `ibm,hypertas-functions` that promises it.
    pub hypertas: Option<&'static str>,
    /// Carries it out.
    pub run: HcallFn,
}

const _: () = assert!(ascending(TABLE), "the table of hcalls must be sorted by number, without repeats");

const fn ascending(table: &[Hcall]) -> bool {
    let mut i = 1;
    while i < table.len() {
        if table[i - 1].number >= table[i].number {
            return false;
        }
        i += 1;
    }
    true
}

/// Carries out the call `number` of a vCPU in privileged state. Unknown numbers give H_FUNCTION.
pub fn dispatch(machine: &mut Machine, caller: Caller, number: u64, args: [u64; 9]) -> Outcome {
    match TABLE.binary_search_by_key(&number, |row| row.number) {
        Ok(row) => (TABLE[row].run)(machine, caller, args),
        Err(_) => {
            if machine.unknown_hcalls.len() < UNKNOWN_LOGGED_MAX && machine.unknown_hcalls.insert(number) {
                log::warn!("the guest made the unknown hypercall {number:#x}");
            }
            H::Function.into()
        }
    }
}

/// The name of a call, for traces.
pub fn name(number: u64) -> Option<&'static str> {
    TABLE.binary_search_by_key(&number, |row| row.number).ok().map(|row| TABLE[row].name)
}

/// The order of `ibm,hypertas-functions` that guests are used to.
const HYPERTAS: [&str; 17] = [
    "hcall-pft",
    "hcall-term",
    "hcall-dabr",
    "hcall-interrupt",
    "hcall-tce",
    "hcall-vio",
    "hcall-splpar",
    "hcall-join",
    "hcall-bulk",
    "hcall-set-mode",
    "hcall-sprg0",
    "hcall-copy",
    "hcall-debug",
    "hcall-vphn",
    "hcall-multi-tce",
    "hcall-hpt-resize",
    "hcall-watchdog",
];

/// The strings of `ibm,hypertas-functions` (PAPR, /rtas).
pub fn hypertas(spec: &MachineSpec) -> Vec<&'static str> {
    let resize = spec.resize_hpt != ResizeHpt::Disabled;
    let ours = HYPERTAS.into_iter().filter(|&set| resize || set != "hcall-hpt-resize");
    // A kernel's alone: emulators refuse the capability.
    ours.chain(spec.caps.on(Cap::RptInvalidate).then_some("hcall-rpt-invalidate")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_has_a_call_and_every_call_a_known_promise() {
        for set in HYPERTAS {
            assert!(TABLE.iter().any(|row| row.hypertas == Some(set)), "{set}");
        }
        for row in TABLE {
            assert!(row.hypertas.is_none_or(|set| HYPERTAS.contains(&set)), "{}", row.name);
        }
    }
}
