//! What the user wrote, stored: a checkpoint is loaded into a machine that is built from it. Every word of it is checked again as if a user had just written it.

use crate::spapr::smp::SmpSettings;
use crate::spapr::spec::NodeSettings;
use crate::spapr::spec::Settings;
use crate::state::Bytes;
use crate::state::saved;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::path::PathBuf;

saved! {
    /// Topology; what is nothing follows from the rest.
    SavedSmp {
        /// vCPUs at the start.
        0 cpus: Option<u32>,
        /// Sockets.
        1 sockets: Option<u32>,
        /// Cores per socket.
        2 cores: Option<u32>,
        /// Threads per core.
        3 threads: Option<u32>,
        /// vCPUs that there is room for.
        4 maxcpus: Option<u32>,
    }
    /// A NUMA node.
    SavedNodeSettings {
        /// RAM in bytes.
        0 memory: Option<u64>,
        /// Its cores.
        1 cores: Vec<u32>,
    }
    /// A distance between NUMA nodes.
    SavedDistance {
        /// From this node.
        0 from: u32,
        /// To this one.
        1 to: u32,
        /// So far.
        2 distance: u8,
    }
    /// A capability.
    SavedCapSetting {
        /// Its name.
        0 name: String,
        /// Its level as text.
        1 level: String,
    }
    /// A terminal.
    SavedVtySetting {
        /// Unit address; nothing: the next free one.
        0 at: Option<u32>,
    }
    /// The settings of a machine.
    SavedSettings = "settings" version 1 {
        /// Machine version.
        0 machine: String,
        /// Processor.
        1 cpu: Option<String>,
        /// Topology.
        2 smp: SavedSmp,
        /// RAM in bytes.
        3 memory: u64,
        /// RAM that there is room for, in bytes.
        4 maxmem: Option<u64>,
        /// NUMA nodes.
        5 nodes: Vec<SavedNodeSettings>,
        /// NUMA distances.
        6 distances: Vec<SavedDistance>,
        /// Distance between vcpu ids of neighbouring cores.
        7 vsmt: Option<i64>,
        /// VSMT ruleset.
        8 ruleset: Option<String>,
        /// Host profile.
        9 host: Option<String>,
        /// Capabilities.
        10 caps: Vec<SavedCapSetting>,
        /// Interrupt controllers.
        11 ic_mode: Option<String>,
        /// Newest compatibility mode.
        12 max_cpu_compat: Option<String>,
        /// Resizing of the hash table.
        13 resize_hpt: Option<String>,
        /// Where the kernel goes.
        14 kernel_addr: Option<u64>,
        /// Its file's path, as bytes.
        15 kernel: Option<Bytes>,
        /// The RAM disk's.
        16 initrd: Option<Bytes>,
        /// Kernel command line.
        17 append: String,
        /// The guest's name.
        18 name: Option<String>,
        /// UUID.
        19 uuid: Option<String>,
        /// `host-model`.
        20 host_model: Option<String>,
        /// `host-serial`.
        21 host_serial: Option<String>,
        /// Terminals.
        22 vtys: Vec<SavedVtySetting>,
        /// Size of the NVRAM.
        23 nvram_bytes: Option<u64>,
        /// Start of the clock in seconds since 1970.
        24 rtc_base: Option<i64>,
        /// Whether H_RANDOM answers.
        25 rng: bool,
    }
}

fn path_bytes(path: &Option<PathBuf>) -> Option<Bytes> {
    path.as_ref().map(|p| Bytes(p.as_os_str().as_bytes().to_vec()))
}

fn path(bytes: &Option<Bytes>) -> Option<PathBuf> {
    bytes.as_ref().map(|b| Path::new(std::ffi::OsStr::from_bytes(&b.0)).to_path_buf())
}

impl From<&Settings> for SavedSettings {
    fn from(s: &Settings) -> SavedSettings {
        let SmpSettings { cpus, sockets, cores, threads, maxcpus } = s.smp;
        SavedSettings {
            machine: s.machine.clone(),
            cpu: s.cpu.clone(),
            smp: SavedSmp { cpus, sockets, cores, threads, maxcpus },
            memory: s.memory,
            maxmem: s.maxmem,
            nodes: s.nodes.iter().map(|n| SavedNodeSettings { memory: n.memory, cores: n.cores.clone() }).collect(),
            distances: s.distances.iter().map(|&(from, to, distance)| SavedDistance { from, to, distance }).collect(),
            vsmt: s.vsmt,
            ruleset: s.ruleset.clone(),
            host: s.host.clone(),
            caps: s.caps.iter().map(|(name, level)| SavedCapSetting { name: name.clone(), level: level.clone() }).collect(),
            ic_mode: s.ic_mode.clone(),
            max_cpu_compat: s.max_cpu_compat.clone(),
            resize_hpt: s.resize_hpt.clone(),
            kernel_addr: s.kernel_addr,
            kernel: path_bytes(&s.kernel),
            initrd: path_bytes(&s.initrd),
            append: s.append.clone(),
            name: s.name.clone(),
            uuid: s.uuid.clone(),
            host_model: s.host_model.clone(),
            host_serial: s.host_serial.clone(),
            vtys: s.vtys.iter().map(|at| SavedVtySetting { at: *at }).collect(),
            nvram_bytes: s.nvram_bytes,
            rtc_base: s.rtc_base,
            rng: s.rng,
        }
    }
}

impl From<SavedSettings> for Settings {
    fn from(s: SavedSettings) -> Settings {
        let SavedSmp { cpus, sockets, cores, threads, maxcpus } = s.smp;
        Settings {
            kernel: path(&s.kernel),
            initrd: path(&s.initrd),
            machine: s.machine,
            cpu: s.cpu,
            smp: SmpSettings { cpus, sockets, cores, threads, maxcpus },
            memory: s.memory,
            maxmem: s.maxmem,
            nodes: s.nodes.into_iter().map(|n| NodeSettings { memory: n.memory, cores: n.cores }).collect(),
            distances: s.distances.into_iter().map(|d| (d.from, d.to, d.distance)).collect(),
            vsmt: s.vsmt,
            ruleset: s.ruleset,
            host: s.host,
            caps: s.caps.into_iter().map(|c| (c.name, c.level)).collect(),
            ic_mode: s.ic_mode,
            max_cpu_compat: s.max_cpu_compat,
            resize_hpt: s.resize_hpt,
            kernel_addr: s.kernel_addr,
            append: s.append,
            name: s.name,
            uuid: s.uuid,
            host_model: s.host_model,
            host_serial: s.host_serial,
            vtys: s.vtys.into_iter().map(|v| v.at).collect(),
            nvram_bytes: s.nvram_bytes,
            rtc_base: s.rtc_base,
            rng: s.rng,
        }
    }
}
