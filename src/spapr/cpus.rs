//! Processors as the platform sees them: names, PVRs, and the compatibility modes a guest may be held to.
//!
//! Two tables, one row each per fact. How a processor *executes* is the instruction table's affair (`isa`); here stands only what
//! the device tree, `ibm,client-architecture-support`, the capabilities and VSMT ask about one.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::names::nearest;
use crate::spapr::names::offer;

/// A compatibility mode: the processor a guest is told it runs on (PAPR, logical PVR).
#[derive(PartialEq, Eq, Debug)]
pub struct CompatMode {
    /// The name `max-cpu-compat` takes.
    pub name: &'static str,
    /// Logical PVR.
    pub pvr: u32,
    /// Most threads of a core that a guest in this mode is shown.
    pub max_threads: u32,
    /// Version of the Power ISA, for people.
    pub isa: &'static str,
    /// Age, oldest 0: modes are compared by this and never by PVR (0x0f100003, power7+, is older than 0x0f000004, power8).
    pub rank: u8,
}

/// All compatibility modes, oldest first.
pub static COMPAT_MODES: [CompatMode; 7] = [
    CompatMode { name: "power6", pvr: 0x0f00_0002, max_threads: 2, isa: "2.05", rank: 0 },
    CompatMode { name: "power7", pvr: 0x0f00_0003, max_threads: 4, isa: "2.06", rank: 1 },
    CompatMode { name: "power7+", pvr: 0x0f10_0003, max_threads: 4, isa: "2.06+", rank: 2 },
    CompatMode { name: "power8", pvr: 0x0f00_0004, max_threads: 8, isa: "2.07", rank: 3 },
    CompatMode { name: "power9", pvr: 0x0f00_0005, max_threads: 8, isa: "3.0", rank: 4 },
    CompatMode { name: "power10", pvr: 0x0f00_0006, max_threads: 8, isa: "3.1", rank: 5 },
    CompatMode { name: "power11", pvr: 0x0f00_0007, max_threads: 8, isa: "3.1", rank: 6 },
];

/// A level that capabilities and interrupt controllers ask for; the number is the mode's rank in [`COMPAT_MODES`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Level {
    /// ISA 2.06.
    V2_06 = 1,
    /// ISA 2.06 with POWER7+'s additions.
    V2_06Plus = 2,
    /// ISA 2.07, POWER8.
    V2_07 = 3,
    /// ISA 3.0, POWER9.
    V3_00 = 4,
    /// ISA 3.1, POWER10.
    V3_10 = 5,
}

impl CompatMode {
    /// The mode called `name` (a `max-cpu-compat` value), ASCII case ignored.
    pub fn named(name: &str) -> Result<&'static CompatMode> {
        COMPAT_MODES.iter().find(|m| m.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let problem = format!("Invalid compatibility mode \"{name}\"");
            Error::config("max_cpu_compat", problem, offer(name, COMPAT_MODES.iter().map(|m| m.name)))
        })
    }

    /// The mode with this logical PVR.
    pub fn of_pvr(pvr: u32) -> Option<&'static CompatMode> {
        COMPAT_MODES.iter().find(|m| m.pvr == pvr)
    }
}

/// A processor model.
#[derive(PartialEq, Eq, Debug)]
pub struct CpuKind {
    /// The model's full name, as QEMU spells it.
    pub name: &'static str,
    /// Other names for it; the family's name belongs to its latest model.
    pub aliases: &'static [&'static str],
    /// Processor version register.
    pub pvr: u32,
    /// What stands before `@` in the device tree's cpu node.
    pub node_name: &'static str,
    /// Oldest and newest rank of the modes it can be held to; `None` for processors before logical PVRs.
    pub compat: Option<(u8, u8)>,
    /// Threads per core that RTAS `ibm,get-system-parameter` HostThrs reports.
    pub host_threads: Option<u8>,
    /// Whether VSX exists (POWER7 and newer).
    pub vsx: bool,
    /// Whether decimal floating point exists (here: POWER7 and newer).
    pub dfp: bool,
    /// Whether the radix MMU exists (POWER9 and newer).
    pub radix: bool,
    /// SLB entries.
    pub slb_entries: u32,
    /// Instruction cache, in bytes.
    pub icache_bytes: u32,
    /// Decrementer bits with LPCR[LD] set; 32 where there is no large decrementer.
    pub decrementer_bits: u32,
}

/// The facts of a row that its family shares: POWER7 on.
const P7: CpuKind = CpuKind {
    name: "",
    aliases: &[],
    pvr: 0,
    node_name: "PowerPC,POWER7",
    compat: Some((0, 2)),
    host_threads: None,
    vsx: true,
    dfp: true,
    radix: false,
    slb_entries: 32,
    icache_bytes: 32 << 10,
    decrementer_bits: 32,
};
const P8: CpuKind = CpuKind { node_name: "PowerPC,POWER8", compat: Some((0, 3)), host_threads: Some(8), ..P7 };
const P9: CpuKind =
    CpuKind { node_name: "PowerPC,POWER9", compat: Some((0, 4)), host_threads: Some(4), radix: true, decrementer_bits: 56, ..P7 };
const P10: CpuKind = CpuKind { node_name: "PowerPC,POWER10", compat: Some((0, 5)), host_threads: None, ..P9 };
const P11: CpuKind = CpuKind { node_name: "PowerPC,POWER11", compat: Some((0, 6)), ..P10 };
const P970: CpuKind =
    CpuKind { node_name: "PowerPC,UNKNOWN", compat: None, vsx: false, dfp: false, slb_entries: 64, icache_bytes: 64 << 10, ..P7 };

/// All processor models, newest first.
pub static CPUS: [CpuKind; 13] = [
    CpuKind { name: "power11_v2.0", aliases: &["power11"], pvr: 0x0082_1200, ..P11 },
    CpuKind { name: "power10_v2.0", aliases: &["power10"], pvr: 0x0080_1200, ..P10 },
    CpuKind { name: "power9_v2.2", aliases: &["power9"], pvr: 0x004e_1202, ..P9 },
    CpuKind { name: "power9_v2.0", aliases: &[], pvr: 0x004e_1200, ..P9 },
    CpuKind { name: "power8_v2.0", aliases: &["power8"], pvr: 0x004d_0200, ..P8 },
    CpuKind { name: "power8nvl_v1.0", aliases: &["power8nvl"], pvr: 0x004c_0100, ..P8 },
    CpuKind { name: "power8e_v2.1", aliases: &["power8e"], pvr: 0x004b_0201, ..P8 },
    CpuKind { name: "power7p_v2.1", aliases: &["power7+", "power7p"], pvr: 0x004a_0201, ..P7 },
    CpuKind { name: "power7_v2.3", aliases: &["power7"], pvr: 0x003f_0203, ..P7 },
    CpuKind { name: "power5p_v2.1", aliases: &["power5+", "power5p", "power5gs"], pvr: 0x003b_0201, node_name: "PowerPC,POWER5", ..P970 },
    CpuKind { name: "970mp_v1.1", aliases: &["970mp"], pvr: 0x0044_0101, ..P970 },
    CpuKind { name: "970mp_v1.0", aliases: &[], pvr: 0x0044_0100, ..P970 },
    CpuKind { name: "970_v2.2", aliases: &["970"], pvr: 0x0039_0202, ..P970 },
];

impl CpuKind {
    /// Whether VMX exists (970, POWER7 and newer).
    pub fn vmx(&self) -> bool {
        self.node_name != "PowerPC,POWER5"
    }

    /// The model called `name` or with that alias, ASCII case ignored.
    pub fn named(name: &str) -> Result<&'static CpuKind> {
        let fits = |have: &str| have.eq_ignore_ascii_case(name);
        if let Some(cpu) = CPUS.iter().find(|c| fits(c.name) || c.aliases.iter().any(|a| fits(a))) {
            return Ok(cpu);
        }
        if fits("host") {
            let hint = "use cpu=\"power9\" or another model by name, or accel=\"kvm\" on a POWER host";
            return Err(Error::config("cpu", "\"host\" names the host's own processor, which only KVM can give to a guest", hint));
        }
        if let Some((model, _)) = name.split_once(',') {
            let hint = format!("use cpu={model:?}; to limit the guest, max_cpu_compat=\"power8\"");
            return Err(Error::config("cpu", format!("{name:?} carries a property, which is not supported"), hint));
        }
        let near = nearest(name, CPUS.iter().flat_map(|c| c.aliases.iter().copied().chain([c.name])));
        let near = near.map_or(String::new(), |near| format!("did you mean {near}? "));
        let families: Vec<&str> = CPUS.iter().filter_map(|c| c.aliases.first().copied()).collect();
        let hint = format!("{near}use one of {}", families.join(", "));
        Err(Error::config("cpu", format!("unable to find CPU model '{name}'"), hint))
    }

    /// Whether a guest on this processor can be held to `mode`.
    pub fn can_run_as(&self, mode: &CompatMode) -> bool {
        self.compat.is_some_and(|(oldest, newest)| (oldest..=newest).contains(&mode.rank))
    }

    /// The modes a guest can be held to, oldest first, up to `max`.
    pub fn modes(&self, max: Option<&CompatMode>) -> impl Iterator<Item = &'static CompatMode> {
        let top = max.map_or(u8::MAX, |m| m.rank);
        let range = self.compat;
        COMPAT_MODES.iter().filter(move |m| m.rank <= top && range.is_some_and(|(oldest, newest)| (oldest..=newest).contains(&m.rank)))
    }

    /// Whether the processor, held to `max`, offers `level`. Processors before logical PVRs offer none (they never had the
    /// features that are keyed to one).
    pub fn offers(&self, level: Level, max: Option<&CompatMode>) -> bool {
        self.compat.is_some_and(|(_, newest)| max.map_or(newest, |m| newest.min(m.rank)) >= level as u8)
    }

    /// Most threads of a core a guest is shown when held to `max` (8 when nothing holds it).
    pub fn max_threads(&self, max: Option<&CompatMode>) -> u32 {
        max.map_or(8, |mode| mode.max_threads)
    }
}

impl std::fmt::Display for CpuKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::COMPAT_MODES;
    use super::CPUS;
    use super::CompatMode;
    use super::CpuKind;
    use super::Level;

    #[test]
    fn names_are_unique_and_ranks_follow_the_table() {
        let mut names: Vec<&str> = CPUS.iter().flat_map(|c| c.aliases.iter().copied().chain([c.name])).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(COMPAT_MODES.iter().enumerate().all(|(i, m)| usize::from(m.rank) == i));
    }

    #[test]
    fn families_mean_their_latest_model() {
        assert_eq!(CpuKind::named("POWER9").unwrap().name, "power9_v2.2");
        assert_eq!(CpuKind::named("power7+").unwrap().pvr, 0x004a_0201);
        let refused = CpuKind::named("power99").unwrap_err().to_string();
        assert!(refused.contains("did you mean power9?"), "{refused}");
    }

    #[test]
    fn a_compat_limit_lowers_the_level() {
        let p9 = CpuKind::named("power9").unwrap();
        assert!(p9.offers(Level::V3_00, None) && !p9.offers(Level::V3_10, None));
        assert!(!p9.offers(Level::V3_00, Some(CompatMode::named("power8").unwrap())));
        // Compared by age: power7+ has a larger logical PVR than power8.
        assert!(p9.can_run_as(CompatMode::named("power7+").unwrap()));
        assert!(!CpuKind::named("970").unwrap().offers(Level::V2_06, None));
    }
}
