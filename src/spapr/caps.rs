//! sPAPR capabilities: features that a guest sees and that accelerator or CPU may lack.
//!
//! One row per capability: its levels by name, what it is worth on an older CPU, and its check. The number of a row is its
//! identity in QEMU's migration stream, so rows are never reordered. A check compares a level with what an *emulator* offers;
//! what KVM offers depends on the host and is asked of the accelerator.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::CpuKind;
use crate::spapr::cpus::Level;
use crate::spapr::host::HostProfile;
use crate::spapr::host::grants;
use crate::spapr::names::nearest;
use crate::spapr::names::offer;

/// A capability; the discriminant is its row and its index in QEMU's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Cap {
    /// Hardware transactional memory.
    Htm,
    /// Vector-scalar extension.
    Vsx,
    /// Decimal floating point.
    Dfp,
    /// Cache flush on privilege change (Meltdown).
    Cfpc,
    /// Speculation barrier on bounds checks (Spectre variant 1).
    Sbbc,
    /// Serialisation of indirect branches (Spectre variant 2).
    Ibs,
    /// Largest page of a hash guest; the level is the page shift.
    HptMaxPageSize,
    /// Nested HV guests, first interface.
    NestedHv,
    /// Decrementer of more than 32 bits.
    LargeDecr,
    /// Count cache flush assist.
    CcfAssist,
    /// `ibm,nmi-register` and machine checks to the guest.
    Fwnmi,
    /// H_RPT_INVALIDATE.
    RptInvalidate,
    /// Interrupts with relocation on (AIL 3).
    AilMode3,
    /// Nested guests, PAPR interface.
    NestedPapr,
    /// Second data breakpoint.
    Dawr1,
}

/// How a capability's value is written.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// `on` or `off`.
    Switch,
    /// One of these names; the level is the index.
    Names(&'static [&'static str]),
    /// A page size; the level is its shift.
    PageSize,
}

/// A row of the capability table.
#[derive(Debug)]
pub struct CapRow {
    /// Which capability.
    pub cap: Cap,
    /// The option's name, without `cap-`.
    pub name: &'static str,
    /// The feature in words.
    pub what: &'static str,
    /// How its value is written.
    pub values: Values,
    /// Level in the newest machine version, before the CPU's adjustment.
    pub newest: u8,
    /// The default falls to 0 on CPUs that do not offer this level.
    pub needs: Option<Level>,
    /// What an emulator says to a level.
    check: Check,
}

/// What an emulator says to a level.
type Check = fn(&Asked<'_>) -> Verdict;

/// What a check looks at.
struct Asked<'a> {
    level: u8,
    cpu: &'a CpuKind,
    max_compat: Option<&'a CompatMode>,
    threads: u32,
    all: &'a CapLevels,
}

/// What a check says.
enum Verdict {
    Fits,
    /// Goes, without the feature's effect.
    Warn(String),
    /// Does not go; QEMU's words, and the value that does.
    Refuse(String, &'static str),
}

/// The level of `cap-hpt-max-page-size` that is every page size, which versions up to 2.12 have wherever the host does not mind.
const ANY_PAGE: u8 = 34;
const SMALL_PAGE: &str = "Many guests require at least 64kiB hpt-max-page-size";
const GUARDS: Values = Values::Names(&["broken", "workaround", "fixed"]);
const BRANCHES: Values = Values::Names(&["broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"]);

/// One row: which, name, in words, values, level in the newest version, what a CPU must offer, check.
const fn row(cap: Cap, name: &'static str, what: &'static str, values: Values, newest: u8, needs: Option<Level>, check: Check) -> CapRow {
    CapRow { cap, name, what, values, newest, needs, check }
}

/// The capabilities, in stream order.
pub static CAPS: [CapRow; Cap::COUNT] = [
    row(Cap::Htm, "htm", "transactional memory", Values::Switch, 0, Some(Level::V2_07), htm),
    row(Cap::Vsx, "vsx", "VSX", Values::Switch, 1, Some(Level::V2_06), vsx),
    row(Cap::Dfp, "dfp", "decimal floating point", Values::Switch, 1, Some(Level::V2_06), dfp),
    row(Cap::Cfpc, "cfpc", "cache flush on privilege change", GUARDS, 1, Some(Level::V2_07), cfpc),
    row(Cap::Sbbc, "sbbc", "speculation barrier on bounds checks", GUARDS, 1, Some(Level::V2_06Plus), sbbc),
    row(Cap::Ibs, "ibs", "serialised indirect branches", BRANCHES, 1, Some(Level::V2_06), ibs),
    row(Cap::HptMaxPageSize, "hpt-max-page-size", "largest page of a hash guest", Values::PageSize, 16, None, hpt_page),
    row(Cap::NestedHv, "nested-hv", "nested HV guests", Values::Switch, 0, None, nested_hv),
    row(Cap::LargeDecr, "large-decr", "large decrementer", Values::Switch, 1, Some(Level::V3_00), large_decr),
    row(Cap::CcfAssist, "ccf-assist", "count cache flush assist", Values::Switch, 1, None, ccf_assist),
    row(Cap::Fwnmi, "fwnmi", "machine checks to the guest (FWNMI)", Values::Switch, 1, None, fits),
    row(Cap::RptInvalidate, "rpt-invalidate", "H_RPT_INVALIDATE", Values::Switch, 0, None, rpt_invalidate),
    row(Cap::AilMode3, "ail-mode-3", "interrupts with relocation on", Values::Switch, 1, Some(Level::V2_07), ail_mode_3),
    row(Cap::NestedPapr, "nested-papr", "nested guests, PAPR interface", Values::Switch, 0, None, nested_papr),
    row(Cap::Dawr1, "dawr1", "second data breakpoint", Values::Switch, 1, Some(Level::V3_10), dawr1),
];

const _: () = {
    let mut i = 0;
    while i < Cap::COUNT {
        assert!(CAPS[i].cap as usize == i, "CAPS is in the order of Cap");
        i += 1;
    }
};

impl Cap {
    /// How many there are.
    pub const COUNT: usize = 15;

    /// All capabilities, in stream order.
    pub fn all() -> impl Iterator<Item = Cap> {
        CAPS.iter().map(|row| row.cap)
    }

    /// The capability's row.
    pub fn row(self) -> &'static CapRow {
        &CAPS[self as usize]
    }

    /// The option's name, without `cap-`.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The capability called `name`, with or without `cap-`.
    pub fn named(name: &str) -> Result<Cap> {
        let bare = name.strip_prefix("cap-").unwrap_or(name);
        match CAPS.iter().find(|row| row.name == bare) {
            Some(row) => Ok(row.cap),
            None => Err(Error::config("caps", format!("there is no capability {name:?}"), offer(bare, CAPS.iter().map(|r| r.name)))),
        }
    }

    /// Reads a value of this capability.
    pub fn parse(self, text: &str) -> Result<u8> {
        let row = self.row();
        match row.values {
            Values::Switch => match text {
                "on" | "yes" | "true" | "y" => Ok(1),
                "off" | "no" | "false" | "n" => Ok(0),
                other => Err(self.refusal(format!("Parameter 'cap-{}' expects 'on' or 'off', not {other:?}", row.name), "on")),
            },
            Values::Names(names) => {
                names.iter().zip(0u8..).find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, level)| level).ok_or_else(|| {
                    let near = nearest(text, names.iter().copied()).map_or(String::new(), |n| format!("did you mean {n:?}? "));
                    let hint = format!("{near}use caps={{{:?}: …}} with one of {}", row.name, names.join(", "));
                    Error::config(self.setting(), format!("Invalid capability mode \"{text}\" for cap-{}", row.name), hint)
                })
            }
            Values::PageSize => page_shift(text)
                .ok_or_else(|| self.refusal(format!("cap-{} must be a power of 2 of at least 4K, not {text:?}", row.name), "64K")),
        }
    }

    /// How a level is written.
    pub fn text(self, level: u8) -> String {
        match self.row().values {
            Values::Switch => if level == 0 { "off" } else { "on" }.to_string(),
            Values::Names(names) => names.get(usize::from(level)).map_or_else(|| level.to_string(), |name| (*name).to_string()),
            Values::PageSize => match level {
                0..20 => format!("{}K", 1u64 << level.saturating_sub(10)),
                20..30 => format!("{}M", 1u64 << (level - 20)),
                _ => format!("{}G", 1u64 << (level - 30).min(33)),
            },
        }
    }

    /// The setting as users write it.
    fn setting(self) -> String {
        format!("caps[\"{}\"]", self.name())
    }

    fn refusal(self, problem: String, instead: &str) -> Error {
        Error::config(self.setting(), problem, format!("use caps={{\"{}\": \"{instead}\"}}", self.name()))
    }
}

/// The shift of a page size written `64K`, `0x10000`, `16M`, …; a bare number is bytes.
fn page_shift(text: &str) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    let lower = lower.strip_suffix("ib").or(lower.strip_suffix('b')).unwrap_or(&lower);
    let unit = |c: char| [('k', 10), ('m', 20), ('g', 30)].iter().find(|(letter, _)| *letter == c).map(|&(_, shift)| shift);
    let (digits, shift) = match lower.chars().last().and_then(unit) {
        Some(shift) => (&lower[..lower.len() - 1], shift),
        None => (lower, 0),
    };
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    };
    let bytes = number.checked_mul(1 << shift)?;
    (bytes.is_power_of_two() && bytes >= 4096).then(|| bytes.trailing_zeros() as u8)
}

/// A level for every capability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CapLevels([u8; Cap::COUNT]);

impl CapLevels {
    /// The defaults of the newest machine version.
    pub fn newest() -> CapLevels {
        CapLevels(std::array::from_fn(|i| CAPS[i].newest))
    }

    /// The level of one capability.
    pub fn get(&self, cap: Cap) -> u8 {
        self.0[cap as usize]
    }

    /// Whether a capability is on at all (level above 0).
    pub fn on(&self, cap: Cap) -> bool {
        self.get(cap) > 0
    }

    /// Sets the level of one capability.
    pub fn set(&mut self, cap: Cap, level: u8) {
        self.0[cap as usize] = level;
    }

    /// The level as it is written.
    pub fn text(&self, cap: Cap) -> String {
        cap.text(self.get(cap))
    }

    /// The defaults on `cpu` held to `max_compat`: what it does not offer is off. (QEMU 10 compares logical PVRs as numbers, so
    /// its cap-sbbc is `broken` on every POWER8 and later; not copied.)
    pub fn for_cpu(mut self, cpu: &CpuKind, max_compat: Option<&CompatMode>) -> CapLevels {
        for row in &CAPS {
            if row.needs.is_some_and(|level| !cpu.offers(level, max_compat)) {
                self.set(row.cap, 0);
            }
        }
        self
    }

    /// The defaults on a host: the largest page of a hash guest, where the version leaves it to the host, is the host's own.
    pub fn for_host(mut self, host: &HostProfile) -> CapLevels {
        if let Some(pages) = host.grants.pages.filter(|_| self.get(Cap::HptMaxPageSize) == ANY_PAGE) {
            self.set(Cap::HptMaxPageSize, pages);
        }
        self
    }

    /// Checks every level against what a host's KVM grants, as [`CapLevels::check_emulated`].
    pub fn check_kvm(&self, host: &HostProfile, cpu: &CpuKind, max_compat: Option<&CompatMode>) -> Result<Vec<(Cap, String, String)>> {
        let asked = grants::Asked { host, cpu, max_compat, all: self };
        for cap in Cap::all() {
            if let Some((message, instead)) = grants::refusal(&asked, cap) {
                return Err(cap.refusal(message, &instead));
            }
        }
        let small = (Cap::HptMaxPageSize, SMALL_PAGE.to_string(), cap_hint(Cap::HptMaxPageSize, "64K"));
        Ok(Vec::from_iter((self.get(Cap::HptMaxPageSize) < 16).then_some(small)))
    }

    /// Checks every level against what an emulator offers, in stream order: the first that cannot work is refused, those that
    /// merely have no effect are returned as warnings (`message`, `hint`).
    pub fn check_emulated(&self, cpu: &CpuKind, max_compat: Option<&CompatMode>, threads: u32) -> Result<Vec<(Cap, String, String)>> {
        let mut warnings = Vec::new();
        for row in &CAPS {
            let asked = Asked { level: self.get(row.cap), cpu, max_compat, threads, all: self };
            match (row.check)(&asked) {
                Verdict::Fits => {}
                Verdict::Warn(message) => {
                    let silent = match row.values {
                        Values::Switch => "off",
                        Values::Names(names) => names[0],
                        Values::PageSize => "64K",
                    };
                    warnings.push((row.cap, message, cap_hint(row.cap, silent)));
                }
                Verdict::Refuse(message, instead) => return Err(row.cap.refusal(message, instead)),
            }
        }
        Ok(warnings)
    }
}

/// What a warning offers.
fn cap_hint(cap: Cap, silent: &str) -> String {
    format!("use caps={{\"{}\": \"{silent}\"}} to say so to the guest", cap.name())
}

fn fits(_: &Asked<'_>) -> Verdict {
    Verdict::Fits
}

/// Refuses an asked-for switch when `missing`.
fn refuse_if(missing: Option<&str>) -> Verdict {
    missing.map_or(Verdict::Fits, |words| Verdict::Refuse(words.to_string(), "off"))
}

/// Warns of an asked-for level that an emulator has no use for.
fn without_effect(a: &Asked<'_>, cap: Cap) -> Verdict {
    if a.level == 0 {
        Verdict::Fits
    } else {
        Verdict::Warn(format!("TCG doesn't support requested feature, cap-{}={}", cap.name(), cap.text(a.level)))
    }
}

fn htm(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0).then_some("No Transactional Memory support in TCG"))
}

fn vsx(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0 && !a.cpu.vsx).then_some("VSX support not available"))
}

fn dfp(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0 && !a.cpu.dfp).then_some("DFP support not available"))
}

fn cfpc(a: &Asked<'_>) -> Verdict {
    without_effect(a, Cap::Cfpc)
}

fn sbbc(a: &Asked<'_>) -> Verdict {
    without_effect(a, Cap::Sbbc)
}

fn ibs(a: &Asked<'_>) -> Verdict {
    without_effect(a, Cap::Ibs)
}

fn ccf_assist(a: &Asked<'_>) -> Verdict {
    without_effect(a, Cap::CcfAssist)
}

fn hpt_page(a: &Asked<'_>) -> Verdict {
    match a.level {
        ..12 => Verdict::Refuse("Require at least 4kiB hpt-max-page-size".to_string(), "64K"),
        12..16 => Verdict::Warn(SMALL_PAGE.to_string()),
        _ => Verdict::Fits,
    }
}

fn nested_hv(a: &Asked<'_>) -> Verdict {
    let missing = if a.level == 0 {
        None
    } else if a.all.on(Cap::NestedPapr) {
        Some("Nested-HV APIs are mutually exclusive (nested-hv and nested-papr are both on)")
    } else if !a.cpu.offers(Level::V3_00, None) {
        Some("Nested-HV only supported on POWER9 and later")
    } else if a.threads > 1 {
        Some("TCG does not support nested-HV with SMT")
    } else {
        None
    };
    refuse_if(missing)
}

fn large_decr(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0 && !a.cpu.offers(Level::V3_00, a.max_compat)).then_some("Large decrementer only supported on POWER9"))
}

fn rpt_invalidate(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0).then_some("No H_RPT_INVALIDATE support in TCG"))
}

fn ail_mode_3(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0 && !a.cpu.offers(Level::V2_07, None)).then_some("TCG only supports cap-ail-mode-3 on POWER8 and later CPUs"))
}

fn nested_papr(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0 && !a.cpu.offers(Level::V3_00, None)).then_some("Nested-PAPR only supported on POWER9 and later"))
}

fn dawr1(a: &Asked<'_>) -> Verdict {
    refuse_if((a.level > 0 && !a.cpu.offers(Level::V3_10, a.max_compat)).then_some("DAWR1 supported only on POWER10 and later CPUs"))
}

#[cfg(test)]
mod tests {
    use super::Cap;
    use super::CapLevels;
    use crate::spapr::cpus::CompatMode;
    use crate::spapr::cpus::CpuKind;

    fn cpu(name: &str) -> &'static CpuKind {
        CpuKind::named(name).unwrap()
    }

    #[test]
    fn defaults_follow_the_cpu() {
        let on = |name: &str, cap| CapLevels::newest().for_cpu(cpu(name), None).get(cap);
        assert_eq!((on("power10", Cap::Dawr1), on("power9", Cap::Dawr1)), (1, 0));
        assert_eq!((on("power9", Cap::LargeDecr), on("power8", Cap::LargeDecr)), (1, 0));
        assert_eq!((on("power8", Cap::Cfpc), on("power7", Cap::Cfpc), on("power7", Cap::Sbbc)), (1, 0, 1));
        assert_eq!((on("power7", Cap::Vsx), on("970", Cap::Vsx)), (1, 0));
        let held = CapLevels::newest().for_cpu(cpu("power10"), Some(CompatMode::named("power8").unwrap()));
        assert_eq!((held.get(Cap::Dawr1), held.get(Cap::LargeDecr), held.get(Cap::AilMode3)), (0, 0, 1));
    }

    #[test]
    fn every_default_of_every_cpu_passes_or_warns() {
        for kind in &crate::spapr::cpus::CPUS {
            CapLevels::newest().for_cpu(kind, None).check_emulated(kind, None, 1).unwrap();
        }
    }

    #[test]
    fn values_read_as_they_are_written() {
        assert_eq!(Cap::Ibs.parse("Fixed-CCD").unwrap(), 3);
        assert_eq!(Cap::HptMaxPageSize.parse("64K").unwrap(), 16);
        assert_eq!(Cap::HptMaxPageSize.parse("16777216").unwrap(), 24);
        assert_eq!(Cap::HptMaxPageSize.text(34), "16G");
        let refused = Cap::Cfpc.parse("workarond").unwrap_err().to_string();
        assert!(refused.contains("Invalid capability mode \"workarond\" for cap-cfpc") && refused.contains("workaround"), "{refused}");
        assert!(Cap::named("cap-hmt").unwrap_err().to_string().contains("did you mean htm?"));
        assert!(Cap::HptMaxPageSize.parse("65537").is_err() && Cap::HptMaxPageSize.parse("99999999999999999G").is_err());
    }

    #[test]
    fn contradictions_are_refused_with_what_to_write() {
        let refuse = |name: &str, caps: &[(Cap, u8)], threads| {
            let mut levels = CapLevels::newest().for_cpu(cpu(name), None);
            caps.iter().for_each(|&(cap, level)| levels.set(cap, level));
            levels.check_emulated(cpu(name), None, threads).unwrap_err().to_string()
        };
        assert!(
            refuse("power8", &[(Cap::LargeDecr, 1)], 1)
                .contains("Large decrementer only supported on POWER9; use caps={\"large-decr\": \"off\"}")
        );
        assert!(refuse("power9", &[(Cap::NestedHv, 1), (Cap::NestedPapr, 1)], 1).contains("mutually exclusive"));
        assert!(refuse("power9", &[(Cap::NestedHv, 1)], 2).contains("SMT"));
        assert!(refuse("power9", &[(Cap::Htm, 1)], 1).contains("No Transactional Memory support in TCG"));
    }
}
