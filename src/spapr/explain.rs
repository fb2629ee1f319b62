//! The question "what would happen?", answered without starting anything.
//!
//! A thin face over [`decide`]: names instead of values, and whatever is left out filled in as the command line would. It is a
//! pure function, so a whole matrix of machines, hosts and rulesets can be asked in a loop.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::CpuKind;
use crate::spapr::host::HostProfile;
use crate::spapr::options::IcMode;
use crate::spapr::version::Version;
use crate::spapr::vsmt::Asked;
use crate::spapr::vsmt::Decision;
use crate::spapr::vsmt::Vsmt;
use crate::spapr::vsmt::decide;
use crate::spapr::vsmt::rules::Ruleset;
use crate::units::VcpuId;

/// Most threads per core that may be asked about; beyond, the question is a typo.
const THREADS_MAX: u32 = 1 << 16;

/// What is asked. Only `machine`, `host` and `threads` must be given.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Whose rules; `None`: those of the release in which the machine version was the newest.
    pub ruleset: Option<&'a str>,
    /// Machine version.
    pub machine: &'a str,
    /// Host profile.
    pub host: &'a str,
    /// Threads per core.
    pub threads: u32,
    /// The user's `vsmt`.
    pub vsmt: Option<i64>,
    /// vCPUs; `None`: two cores.
    pub cpus: Option<u32>,
    /// Room for vCPUs; `None`: as many as `cpus`.
    pub max_cpus: Option<u32>,
    /// The user's `ic-mode`.
    pub ic_mode: Option<&'a str>,
    /// The user's CPU.
    pub cpu: Option<&'a str>,
    /// The user's `max-cpu-compat`.
    pub max_cpu_compat: Option<&'a str>,
}

impl Default for Question<'static> {
    fn default() -> Self {
        Question {
            ruleset: None,
            machine: "pseries",
            host: "tcg",
            threads: 1,
            vsmt: None,
            cpus: None,
            max_cpus: None,
            ic_mode: None,
            cpu: None,
            max_cpu_compat: None,
        }
    }
}

/// What comes of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The ruleset that answered.
    pub ruleset: &'static str,
    /// What spapr does: `starts`, `starts-with-warning`, `fatal`.
    pub outcome: &'static str,
    /// What QEMU does: also `aborts`, where an assertion of its own fails.
    pub qemu_outcome: &'static str,
    /// The mode; `None` if it was stopped before one was chosen.
    pub vsmt: Option<u32>,
    /// Who chose it: `user`, `default: …`, `none`.
    pub origin: &'static str,
    /// The ids of the vcpus, by index; empty unless it starts.
    pub vcpu_ids: Vec<u32>,
    /// One more than the highest interrupt server number.
    pub max_server_number: Option<u32>,
    /// What that code base put in the device tree; before 2.12 it followed the kernel, not the ids.
    pub advertised_servers: Option<u32>,
    /// The interrupt controller in effect.
    pub ic: Option<IcMode>,
    /// The mode the kernel is left in.
    pub kernel_mode: Option<u32>,
    /// QEMU's text, hint lines joined with "; ".
    pub message: String,
    /// What to change.
    pub hint: String,
}

/// Answers a question. An `Err` is an unknown name or a number that no machine has; a refusal by the rules is an [`Answer`].
pub fn explain(question: &Question<'_>) -> Result<Answer> {
    let version = Version::parse(question.machine)?;
    let ruleset = question.ruleset.map_or(Ok(version.compat().ruleset), Ruleset::named)?;
    let threads = in_range("threads", question.threads, THREADS_MAX)?;
    let cpus = question.cpus.map_or(Ok(2 * threads), |n| in_range("cpus", n, u32::MAX))?;
    let max_cpus = question.max_cpus.map_or(Ok(cpus), |n| in_range("max_cpus", n, u32::MAX))?;
    if max_cpus < cpus {
        return Err(Error::config("max_cpus", format!("{max_cpus} is below cpus={cpus}"), format!("use max_cpus={cpus} or more")));
    }
    let asked = Asked {
        ruleset,
        version,
        host: HostProfile::named(question.host)?,
        threads,
        vsmt: question.vsmt.map(vsmt_number).transpose()?,
        cpus,
        max_cpus,
        ic: question.ic_mode.map(IcMode::parse).transpose()?,
        cpu: question.cpu.map(CpuKind::named).transpose()?,
        max_compat: question.max_cpu_compat.filter(|name| !name.is_empty()).map(CompatMode::named).transpose()?,
    };
    Ok(answer(ruleset, decide(&asked)))
}

/// The user's `vsmt` as the property takes it.
pub fn vsmt_number(given: i64) -> Result<u32> {
    u32::try_from(given).map_err(|_| {
        Error::config(
            "vsmt",
            format!("Parameter 'vsmt' expects uint32_t, not {given}"),
            "use vsmt=8 or another power of two, or leave it out",
        )
    })
}

fn in_range(setting: &str, value: u32, most: u32) -> Result<u32> {
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(Error::config(setting, format!("{value} is not possible"), format!("use {setting}=1 or more")))
}

fn answer(ruleset: Ruleset, decision: Decision) -> Answer {
    let ids = |vsmt: &Vsmt| vsmt.vcpu_ids().map(|VcpuId(id)| id).collect();
    Answer {
        ruleset: ruleset.name(),
        outcome: decision.outcome.text(),
        qemu_outcome: decision.qemu_outcome.text(),
        vsmt: decision.stride,
        origin: decision.origin.text(),
        vcpu_ids: decision.vsmt.as_ref().map(ids).unwrap_or_default(),
        max_server_number: decision.max_server_number,
        advertised_servers: decision.advertised_servers,
        ic: decision.ic,
        kernel_mode: decision.kernel_mode,
        message: decision.message,
        hint: decision.hint,
    }
}
