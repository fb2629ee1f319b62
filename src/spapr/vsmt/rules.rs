//! The rulesets: how each code base chooses the default and what it refuses.
//!
//! QEMU changed its mind four times, once with the patch that this project grew from (`seed`: the default becomes 8 everywhere).
//! All of them are kept, one row each, because a guest that started under one rule migrates only to where the same rule, or the
//! same number given explicitly, holds.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::names::offer;
use crate::spapr::version::Version;

/// A code base whose rules can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
#[repr(u8)]
pub enum Ruleset {
    /// Up to QEMU 2.10: the kernel's own spacing, not settable.
    Qemu2_10,
    /// QEMU 2.11: settable; the default still depends on the host.
    Qemu2_11,
    /// January 2018, before 2.12: 8 in every case.
    Seed,
    /// QEMU 2.12 to 4.1: 8, or the guest's threads if there are more.
    Qemu2_12,
    /// QEMU 4.2 to 10.1: by machine version.
    Qemu4_2,
    /// QEMU 10.2: the guest's threads.
    Qemu10_2,
}

/// How a default is chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Default {
    /// The kernel's.
    Host,
    /// The kernel's, or the guest's threads if there are more.
    HostOrThreads,
    /// 8, whatever the guest has.
    Eight,
    /// 8, or the guest's threads if there are more.
    EightOrThreads,
    /// The guest's threads.
    Threads,
    /// [`Default::Threads`] or [`Default::EightOrThreads`], as the machine version says.
    ByVersion,
}

/// What becomes of a start when the kernel refuses the mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnRefusal {
    /// It always ends.
    Stop,
    /// It goes on with a warning if the kernel's own mode still keeps the guest's cores whole.
    Tolerate,
}

/// Which number the interrupt server ranges in the device tree follow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Servers {
    /// The kernel's spacing, even where the ids do not: a fault, mended in 2.12.
    Kernel,
    /// The spacing of the ids.
    Stride,
}

/// A row of the ruleset table.
#[derive(Debug)]
pub struct Rules {
    /// Which ruleset.
    pub ruleset: Ruleset,
    /// Its name.
    pub name: &'static str,
    /// Oldest and newest machine version that it knows.
    pub versions: (Version, Version),
    /// How a default is chosen.
    pub default: Default,
    /// Whether the machine has the property `vsmt`.
    pub settable: bool,
    /// Whether the machine has the property `ic-mode`.
    pub ic_settable: bool,
    /// What a kernel's refusal comes to.
    pub on_refusal: OnRefusal,
    /// What the device tree's server ranges follow.
    pub servers: Servers,
    /// Largest `maxcpus`.
    pub max_cpus: u32,
    /// What stands between "requires" and "the use" in the hint on a default that was refused.
    pub blanks: &'static str,
}

const OLDEST: Version = Version::new(2, 1);

/// The rulesets, oldest first.
pub static RULES: [Rules; 6] = [
    Rules {
        ruleset: Ruleset::Qemu2_10,
        name: "qemu-2.10",
        versions: (OLDEST, Version::new(2, 10)),
        default: Default::Host,
        settable: false,
        ic_settable: false,
        on_refusal: OnRefusal::Stop,
        servers: Servers::Kernel,
        max_cpus: 1024,
        blanks: " ",
    },
    Rules {
        ruleset: Ruleset::Qemu2_11,
        name: "qemu-2.11",
        versions: (OLDEST, Version::new(2, 11)),
        default: Default::HostOrThreads,
        settable: true,
        ic_settable: false,
        on_refusal: OnRefusal::Stop,
        servers: Servers::Kernel,
        max_cpus: 1024,
        blanks: "  ",
    },
    Rules {
        ruleset: Ruleset::Seed,
        name: "seed",
        versions: (OLDEST, Version::new(2, 12)),
        default: Default::Eight,
        settable: true,
        ic_settable: false,
        on_refusal: OnRefusal::Tolerate,
        servers: Servers::Kernel,
        max_cpus: 1024,
        blanks: " ",
    },
    Rules {
        ruleset: Ruleset::Qemu2_12,
        name: "qemu-2.12",
        versions: (OLDEST, Version::new(4, 1)),
        default: Default::EightOrThreads,
        settable: true,
        ic_settable: true,
        on_refusal: OnRefusal::Tolerate,
        servers: Servers::Stride,
        max_cpus: 1024,
        blanks: " ",
    },
    Rules {
        ruleset: Ruleset::Qemu4_2,
        name: "qemu-4.2",
        versions: (OLDEST, Version::new(10, 1)),
        default: Default::ByVersion,
        settable: true,
        ic_settable: true,
        on_refusal: OnRefusal::Tolerate,
        servers: Servers::Stride,
        max_cpus: 4096,
        blanks: " ",
    },
    Rules {
        ruleset: Ruleset::Qemu10_2,
        name: "qemu-10.2",
        versions: (Version::new(5, 0), Version::new(10, 2)),
        default: Default::Threads,
        settable: true,
        ic_settable: true,
        on_refusal: OnRefusal::Tolerate,
        servers: Servers::Stride,
        max_cpus: 4096,
        blanks: " ",
    },
];

const _: () = {
    let mut i = 0;
    while i < RULES.len() {
        assert!(RULES[i].ruleset as usize == i, "RULES is in the order of Ruleset");
        i += 1;
    }
};

impl Ruleset {
    /// The ruleset called `name`.
    pub fn named(name: &str) -> Result<Ruleset> {
        RULES
            .iter()
            .find(|r| r.name.eq_ignore_ascii_case(name))
            .map(|r| r.ruleset)
            .ok_or_else(|| Error::config("ruleset", format!("there is no ruleset {name:?}"), offer(name, RULES.iter().map(|r| r.name))))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.rules().name
    }

    /// Its row.
    pub fn rules(self) -> &'static Rules {
        &RULES[self as usize]
    }
}

impl Rules {
    /// Whether this code base has the machine version (2.12's side branch counts as 2.12).
    pub fn knows(&self, version: Version) -> bool {
        let (oldest, newest) = self.versions;
        version.is_within(oldest, newest)
    }
}
