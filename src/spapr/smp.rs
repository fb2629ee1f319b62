//! The guest's topology: sockets, cores, threads.
//!
//! Users give any of five numbers and the rest follows by QEMU's rules, which differ between machine versions: since 6.2 a bare
//! count becomes cores of one socket, before it became sockets. Only what has nothing to do with VSMT is checked here; the
//! number of threads is VSMT's business, since its refusals depend on the ruleset.

use crate::error::Error;
use crate::error::Result;
use crate::spapr::version::Compat;
use crate::spapr::version::Prefer;
use crate::spapr::version::Version;
use crate::units::CoreId;

/// Most vCPUs that a topology may multiply up to before it is even compared with the machine's limit.
const PRODUCT_MAX: u64 = 1 << 31;

/// What the user gave of `-smp`; everything may be left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SmpSettings {
    /// vCPUs at the start.
    pub cpus: Option<u32>,
    /// Sockets.
    pub sockets: Option<u32>,
    /// Cores per socket.
    pub cores: Option<u32>,
    /// Threads per core.
    pub threads: Option<u32>,
    /// vCPUs that the machine has room for.
    pub maxcpus: Option<u32>,
}

/// A complete topology: `sockets * cores * threads == maxcpus >= cpus >= 1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Smp {
    /// vCPUs at the start.
    pub cpus: u32,
    /// Sockets.
    pub sockets: u32,
    /// Cores per socket.
    pub cores: u32,
    /// Threads per core.
    pub threads: u32,
    /// vCPUs that the machine has room for.
    pub maxcpus: u32,
}

impl SmpSettings {
    /// Reads QEMU's form: `8`, `cpus=8,cores=2,threads=4`, `8,maxcpus=16`.
    pub fn parse(text: &str) -> Result<SmpSettings> {
        let mut smp = SmpSettings::default();
        for (i, part) in text.split(',').enumerate() {
            let (key, value) = match part.split_once('=') {
                Some(pair) => pair,
                None if i == 0 => ("cpus", part),
                None => return Err(bad(format!("{part:?} has no value"), format!("write {part}=1 or leave it out"))),
            };
            let number =
                value.trim().parse::<u32>().map_err(|_| bad(format!("{key}={value} is not a whole number"), format!("write {key}=1")))?;
            let field = match key.trim() {
                "cpus" => &mut smp.cpus,
                "sockets" => &mut smp.sockets,
                "cores" => &mut smp.cores,
                "threads" => &mut smp.threads,
                "maxcpus" => &mut smp.maxcpus,
                other => {
                    return Err(bad(format!("{other:?} is no level of a pseries machine"), "use cpus, sockets, cores, threads, maxcpus"));
                }
            };
            *field = Some(number);
        }
        Ok(smp)
    }

    /// Fills in what was left out and checks the whole.
    pub fn complete(&self, version: Version, compat: &Compat) -> Result<Smp> {
        let fields =
            [("cpus", self.cpus), ("sockets", self.sockets), ("cores", self.cores), ("threads", self.threads), ("maxcpus", self.maxcpus)];
        if let Some((name, _)) = fields.iter().find(|(_, value)| *value == Some(0)) {
            return Err(bad(format!("Invalid CPU topology: {name}=0"), format!("use {name}=1 or more, or leave it out")));
        }
        let smp = self.fill(compat.prefer)?;
        smp.check(version, compat)?;
        Ok(smp)
    }

    fn fill(&self, prefer: Prefer) -> Result<Smp> {
        let goal = self.maxcpus.or(self.cpus);
        let [mut sockets, mut cores, mut threads] = [self.sockets, self.cores, self.threads];
        let share = |a: Option<u32>, b: Option<u32>| {
            let each = u64::from(a.unwrap_or(1)) * u64::from(b.unwrap_or(1));
            goal.map_or(1, |all| (u64::from(all) / each) as u32)
        };
        // One level takes what the others leave; threads only when both others were given.
        match (prefer, sockets, cores) {
            (_, Some(_), Some(_)) => {}
            (Prefer::Sockets, None, _) | (Prefer::Cores, None, Some(_)) => sockets = Some(share(cores, threads)),
            (Prefer::Sockets | Prefer::Cores, _, None) => cores = Some(share(sockets, threads)),
        }
        if threads.is_none() && self.sockets.is_some() && self.cores.is_some() {
            threads = Some(share(sockets, cores));
        }
        let [sockets, cores, threads] = [sockets, cores, threads].map(|n| n.unwrap_or(1));
        let product = u64::from(sockets).saturating_mul(u64::from(cores)).saturating_mul(u64::from(threads));
        let maxcpus = u64::from(goal.map_or(product.min(PRODUCT_MAX) as u32, |n| n));
        if product != maxcpus {
            let problem = format!(
                "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets ({sockets}) * cores ({cores}) * threads ({threads}) \
                 != maxcpus ({maxcpus})"
            );
            let hint = match product {
                0 => format!(
                    "use cpus={0} or a multiple of the threads and cores given",
                    self.threads.unwrap_or(1).max(self.cores.unwrap_or(1))
                ),
                _ => format!("use cpus={product}, or leave sockets, cores or threads out"),
            };
            return Err(bad(problem, hint));
        }
        let maxcpus = maxcpus as u32;
        Ok(Smp { cpus: self.cpus.unwrap_or(maxcpus), sockets, cores, threads, maxcpus })
    }
}

impl Smp {
    fn check(&self, version: Version, compat: &Compat) -> Result<()> {
        let Smp { cpus, threads, maxcpus, .. } = *self;
        if maxcpus < cpus {
            return Err(bad(
                format!("Invalid CPU topology: maxcpus ({maxcpus}) is below cpus ({cpus})"),
                format!("use maxcpus={cpus} or more"),
            ));
        }
        if maxcpus > compat.max_cpus {
            let problem = format!("Invalid SMP CPUs {maxcpus}. The max CPUs supported by machine '{version}' is {}", compat.max_cpus);
            return Err(bad(problem, format!("use maxcpus={} or less", compat.max_cpus)));
        }
        if compat.cpu_hotplug {
            for (name, number) in [("cpus", cpus), ("maxcpus", maxcpus)] {
                if !number.is_multiple_of(threads) {
                    let problem = format!("{name} ({number}) must be multiple of threads ({threads})");
                    let above = number.next_multiple_of(threads);
                    return Err(bad(problem, format!("use {name}={above}, whole cores only")));
                }
            }
        }
        Ok(())
    }

    /// Cores that the machine has room for.
    pub fn max_cores(&self) -> u32 {
        self.maxcpus.div_ceil(self.threads)
    }

    /// Cores present at the start; the last may be incomplete on machines without hot plug.
    pub fn boot_cores(&self) -> u32 {
        self.cpus.div_ceil(self.threads)
    }

    /// The socket that a core is in.
    pub fn socket_of(&self, core: CoreId) -> u32 {
        core.0 / self.cores
    }
}

fn bad(problem: impl Into<String>, hint: impl Into<String>) -> Error {
    Error::config("smp", problem, hint)
}

#[cfg(test)]
mod tests {
    use super::Smp;
    use super::SmpSettings;
    use crate::spapr::version::Version;

    fn smp(machine: &str, text: &str) -> Result<[u32; 5], String> {
        let version = Version::parse(machine).unwrap();
        let done = SmpSettings::parse(text).and_then(|s| s.complete(version, &version.compat()));
        done.map(|Smp { cpus, sockets, cores, threads, maxcpus }| [cpus, sockets, cores, threads, maxcpus]).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_left_out_follows() {
        assert_eq!(smp("10.2", "4"), Ok([4, 1, 4, 1, 4]));
        assert_eq!(smp("6.1", "4"), Ok([4, 4, 1, 1, 4]));
        assert_eq!(smp("10.2", "4,threads=4"), Ok([4, 1, 1, 4, 4]));
        assert_eq!(smp("2.12", "8,cores=2,threads=4"), Ok([8, 1, 2, 4, 8]));
        assert_eq!(smp("10.2", "16,threads=4,cores=2,sockets=2"), Ok([16, 2, 2, 4, 16]));
        assert_eq!(smp("10.2", "16,cores=2,sockets=2"), Ok([16, 2, 2, 4, 16]));
        assert_eq!(smp("10.2", "cores=2,threads=2"), Ok([4, 1, 2, 2, 4]));
        assert_eq!(smp("10.2", "2,maxcpus=8,threads=2"), Ok([2, 1, 4, 2, 8]));
        assert_eq!(smp("2.6", "3,maxcpus=4,threads=2"), Ok([3, 2, 1, 2, 4]));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, says) in [
            ("0", "cpus=0"),
            ("3,threads=2", "use cpus=2"),
            ("8,maxcpus=4", "use maxcpus=8"),
            ("3,maxcpus=4,threads=2", "use cpus=4, whole cores only"),
            ("4097", "Invalid SMP CPUs 4097. The max CPUs supported by machine 'pseries-10.2' is 4096"),
            ("1,threads=2", "product of the hierarchy"),
            ("sockets=4294967295,cores=4294967295,threads=4294967295", "product of the hierarchy"),
            ("4,dies=2", "dies"),
            ("four", "not a whole number"),
        ] {
            let refused = smp("10.2", text).unwrap_err();
            assert!(refused.contains(says), "{text}: {refused}");
        }
    }
}
