//! The header of a stream: who wrote it, and the machine as far as another machine must agree ([`Description`]). It can be read without anything behind it.

use crate::intc::Active;
use crate::spapr::caps::Cap;
use crate::spapr::caps::CapLevels;
use crate::spapr::compat::Description;
use crate::spapr::compat::Device;
use crate::spapr::compat::MmuModes;
use crate::spapr::compat::Node;
use crate::spapr::machine::MmuMode;
use crate::spapr::options::IcMode;
use crate::spapr::options::ResizeHpt;
use crate::spapr::saved::names::Words;
use crate::spapr::smp::Smp;
use crate::state::Bad;
use crate::state::Bytes;
use crate::state::saved;

saved! {
    /// A complete topology.
    SavedTopology {
        /// vCPUs at the start.
        0 cpus: u32,
        /// Sockets.
        1 sockets: u32,
        /// Cores per socket.
        2 cores: u32,
        /// Threads per core.
        3 threads: u32,
        /// vCPUs that there is room for.
        4 maxcpus: u32,
    }
    /// A capability.
    SavedCap {
        /// Its name, without `cap-`.
        0 name: String,
        /// Its level.
        1 level: u8,
    }
    /// A NUMA node.
    SavedNumaNode {
        /// RAM in bytes.
        0 memory: u64,
        /// Its cores.
        1 cores: Vec<u32>,
    }
    /// A device that the guest knows.
    SavedDevice {
        /// QEMU's name for its section.
        0 kind: String,
        /// Unit address.
        1 address: u32,
        /// Interrupt source.
        2 irq: u32,
        /// Bytes of state, where machines may differ in that.
        3 bytes: u64,
    }
    /// The header.
    Header = "header" version 1 {
        /// The program and its version.
        0 writer: String,
        /// Machine version.
        1 machine: String,
        /// Processor.
        2 cpu: String,
        /// Its version register.
        3 pvr: u32,
        /// Logical PVR of max-cpu-compat.
        4 max_compat: Option<u32>,
        /// Logical PVR of the guest's mode.
        5 compat: Option<u32>,
        /// Topology.
        6 smp: SavedTopology,
        /// Distance between vcpu ids of neighbouring cores.
        7 vsmt: u32,
        /// vcpu ids.
        8 vcpu_ids: Vec<u32>,
        /// One more than the highest server number.
        9 servers: u32,
        /// Interrupt controllers offered.
        10 ic: String,
        /// The one in charge.
        11 ic_active: String,
        /// Capabilities.
        12 caps: Vec<SavedCap>,
        /// Whether the guest may use a hash table.
        13 mmu_hash: bool,
        /// Whether the guest may use radix trees.
        14 mmu_radix: bool,
        /// How the guest translates: `hash`, `radix`.
        15 mmu_active: Option<String>,
        /// Resizing of the hash table.
        16 resize_hpt: String,
        /// log2 of the hash table's bytes.
        17 hpt_shift: Option<u32>,
        /// RAM in bytes.
        18 ram: u64,
        /// RAM that there is room for.
        19 maxmem: u64,
        /// NUMA nodes.
        20 nodes: Vec<SavedNumaNode>,
        /// Distances from node to node.
        21 distances: Vec<Bytes>,
        /// Devices.
        22 devices: Vec<SavedDevice>,
        /// The guest's UUID.
        23 uuid: Option<[u8; 16]>,
        /// Whether H_RANDOM answers.
        24 rng: bool,
        /// What ran the guest.
        25 accel: String,
        /// The host whose rules held.
        26 host: String,
        /// The VSMT ruleset.
        27 ruleset: String,
    }
}

impl Header {
    /// The header that describes a machine.
    pub fn of(d: &Description) -> Header {
        let Smp { cpus, sockets, cores, threads, maxcpus } = d.smp;
        let device = |v: &Device| SavedDevice { kind: v.kind.to_string(), address: v.address, irq: v.irq, bytes: v.bytes };
        Header {
            writer: concat!("spapr ", env!("CARGO_PKG_VERSION")).into(),
            machine: d.machine.to_string(),
            cpu: d.cpu.to_string(),
            pvr: d.pvr,
            max_compat: d.max_compat,
            compat: d.compat,
            smp: SavedTopology { cpus, sockets, cores, threads, maxcpus },
            vsmt: d.vsmt,
            vcpu_ids: d.vcpu_ids.clone(),
            servers: d.servers,
            ic: d.ic.name().into(),
            ic_active: d.ic_active.name().into(),
            caps: Cap::all().map(|cap| SavedCap { name: cap.name().into(), level: d.caps.get(cap) }).collect(),
            mmu_hash: d.mmu.hash,
            mmu_radix: d.mmu.radix,
            mmu_active: d.mmu_active.map(MmuMode::word),
            resize_hpt: d.resize_hpt.name().into(),
            hpt_shift: d.hpt_shift,
            ram: d.ram,
            maxmem: d.maxmem,
            nodes: d.nodes.iter().map(|n| SavedNumaNode { memory: n.memory, cores: n.cores.clone() }).collect(),
            distances: d.distances.iter().map(|row| Bytes(row.clone())).collect(),
            devices: d.devices.iter().map(device).collect(),
            uuid: d.uuid,
            rng: d.rng,
            accel: d.accel.to_string(),
            host: d.host.to_string(),
            ruleset: d.ruleset.to_string(),
        }
    }

    /// The machine that it describes.
    ///
    /// # Errors
    /// A word that this version does not know.
    pub fn describe(self) -> Result<Description, Bad> {
        let known = |field: &str, what: &str, word: &str| {
            Bad::field(field, format!("there is no {what} {word:?} in this version"))
                .advising("use the spapr that wrote it, or a later one")
        };
        let mut caps = CapLevels::newest();
        Cap::all().for_each(|cap| caps.set(cap, 0));
        for (n, cap) in self.caps.iter().enumerate() {
            let of_name = Cap::all().find(|known| known.name() == cap.name);
            caps.set(of_name.ok_or_else(|| known(&format!("caps[{n}]"), "capability", &cap.name))?, cap.level);
        }
        let SavedTopology { cpus, sockets, cores, threads, maxcpus } = self.smp;
        let device = |v: SavedDevice| Device { kind: v.kind.into(), address: v.address, irq: v.irq, bytes: v.bytes };
        let resize = ResizeHpt::parse(&self.resize_hpt).ok().flatten();
        Ok(Description {
            pvr: self.pvr,
            max_compat: self.max_compat,
            compat: self.compat,
            smp: Smp { cpus, sockets, cores, threads, maxcpus },
            vsmt: self.vsmt,
            vcpu_ids: self.vcpu_ids,
            servers: self.servers,
            ic: IcMode::parse(&self.ic).map_err(|_| known("ic", "ic-mode", &self.ic))?,
            ic_active: Active::named(&self.ic_active).map_err(|bad| bad.within("ic_active"))?,
            caps,
            mmu: MmuModes { hash: self.mmu_hash, radix: self.mmu_radix },
            mmu_active: self.mmu_active.as_deref().map(Words::of).transpose().map_err(|bad: Bad| bad.within("mmu_active"))?,
            resize_hpt: resize.ok_or_else(|| known("resize_hpt", "resize-hpt", &self.resize_hpt))?,
            hpt_shift: self.hpt_shift,
            ram: self.ram,
            maxmem: self.maxmem,
            nodes: self.nodes.into_iter().map(|n| Node { memory: n.memory, cores: n.cores }).collect(),
            distances: self.distances.into_iter().map(|row| row.0).collect(),
            devices: self.devices.into_iter().map(device).collect(),
            uuid: self.uuid,
            rng: self.rng,
            machine: self.machine.into(),
            cpu: self.cpu.into(),
            accel: self.accel.into(),
            host: self.host.into(),
            ruleset: self.ruleset.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spapr::spec::Settings;
    use crate::spapr::spec::check;
    use crate::state::Packed;

    #[test]
    fn a_description_survives() {
        let settings = Settings { machine: "pseries-4.1".into(), cpu: Some("power8".into()), maxmem: Some(1 << 30), ..Settings::default() };
        let d = Description::of(&check(&settings).unwrap());
        let header: Header = Packed::new(0, &Header::of(&d)).unpack().unwrap();
        assert_eq!(header.describe(), Ok(d.clone()));
        let wrong = Header { caps: vec![SavedCap { name: "teleport".into(), level: 1 }], ..Header::of(&d) };
        assert!(wrong.describe().is_err_and(|bad| bad.field == "caps[0]" && bad.problem.contains("teleport")));
    }
}
