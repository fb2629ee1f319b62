//! A machine in plain words, as far as another machine that is to take over its guest must agree.
//!
//! It is what the rules compare and what a stream's header carries, so it holds names and numbers and no references to tables: a description that came
//! from another version of this program can be read, compared and refused with its own words. Whatever can change while the guest runs (its mode, how it
//! translates, which interrupt controller it chose) has a field of its own that is `None` or the value after a reset until it is known.

use std::borrow::Cow;

use crate::error::Error;
use crate::error::Result;
use crate::intc::Active;
use crate::spapr::caps::CapLevels;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::CpuKind;
use crate::spapr::machine::Machine;
use crate::spapr::machine::MmuMode;
use crate::spapr::options::IcMode;
use crate::spapr::options::MmuModes;
use crate::spapr::options::ResizeHpt;
use crate::spapr::smp::Smp;
use crate::spapr::spec::MachineSpec;
use crate::units::UnitAddress;

/// A name: one of this program's tables, or as it came with a stream.
type Name = Cow<'static, str>;

/// A machine as far as compatibility is concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// Machine version, `pseries-4.1`.
    pub machine: Name,
    /// Processor model, `power9_v2.2`.
    pub cpu: Name,
    /// The processor's version register.
    pub pvr: u32,
    /// Logical PVR of `max-cpu-compat`; `None`: no limit.
    pub max_compat: Option<u32>,
    /// Logical PVR of the compatibility mode that the guest is in; `None`: the processor itself.
    pub compat: Option<u32>,
    /// Topology.
    pub smp: Smp,
    /// Distance between the vcpu ids of neighbouring cores.
    pub vsmt: u32,
    /// vcpu ids by index, of the vcpus present.
    pub vcpu_ids: Vec<u32>,
    /// One more than the highest interrupt server number.
    pub servers: u32,
    /// Interrupt controllers offered.
    pub ic: IcMode,
    /// The one in charge; after a reset the one that a guest finds.
    pub ic_active: Active,
    /// Capability levels.
    pub caps: CapLevels,
    /// How the guest may translate.
    pub mmu: MmuModes,
    /// How it does; `None`: it has not said.
    pub mmu_active: Option<MmuMode>,
    /// Whether the hash table can be resized.
    pub resize_hpt: ResizeHpt,
    /// log2 of the hash table's bytes; `None`: there is none, or it is not known yet.
    pub hpt_shift: Option<u32>,
    /// RAM in bytes.
    pub ram: u64,
    /// RAM that there is room for, in bytes.
    pub maxmem: u64,
    /// NUMA nodes, at least one.
    pub nodes: Vec<Node>,
    /// Distance from node to node.
    pub distances: Vec<Vec<u8>>,
    /// Devices, by address.
    pub devices: Vec<Device>,
    /// The guest's UUID.
    pub uuid: Option<[u8; 16]>,
    /// Whether H_RANDOM answers.
    pub rng: bool,
    /// What runs the guest: `interp`, `tcg`, `kvm`; empty: not chosen yet.
    pub accel: Name,
    /// The host whose rules hold (a name of `spapr.HOSTS`).
    pub host: Name,
    /// The VSMT ruleset.
    pub ruleset: Name,
}

/// A NUMA node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// RAM in bytes.
    pub memory: u64,
    /// Its cores, plugged or not.
    pub cores: Vec<u32>,
}

/// A device that the guest knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// QEMU's name for the section with its state, `spapr_vty`.
    pub kind: Name,
    /// Unit address.
    pub address: u32,
    /// Interrupt source.
    pub irq: u32,
    /// Bytes of state that belong to it, where machines may differ in that (an NVRAM).
    pub bytes: u64,
}

impl Device {
    /// `vty@71000000`, as the device tree has it.
    pub fn name(&self) -> String {
        format!("{}@{:x}", self.kind.strip_prefix("spapr_").unwrap_or(&self.kind), self.address)
    }
}

impl Description {
    /// A machine that has started and whose guest has not run.
    pub fn of(spec: &MachineSpec) -> Description {
        let nvram =
            Device { kind: "spapr_nvram".into(), address: spec.nvram_at.0, irq: spec.vio_irq(spec.nvram_at).0, bytes: spec.nvram_bytes };
        let vty = |&at: &UnitAddress| Device { kind: "spapr_vty".into(), address: at.0, irq: spec.vio_irq(at).0, bytes: 0 };
        let mut devices: Vec<Device> = spec.vtys.iter().map(vty).chain([nvram]).collect();
        devices.sort_by_key(|device| device.address);
        let max_compat = spec.max_compat.map(|mode| mode.pvr);
        Description {
            machine: spec.version.to_string().into(),
            cpu: spec.cpu.name.into(),
            pvr: spec.cpu.pvr,
            max_compat,
            compat: max_compat,
            smp: spec.smp,
            vsmt: spec.vsmt.stride(),
            vcpu_ids: spec.vsmt.vcpu_ids().map(|id| id.0).collect(),
            servers: spec.vsmt.max_server_number(),
            ic: spec.ic,
            ic_active: if spec.ic.has_xics() { Active::Xics } else { Active::Xive },
            caps: spec.caps,
            mmu: spec.mmu,
            mmu_active: None,
            resize_hpt: spec.resize_hpt,
            hpt_shift: None,
            ram: spec.ram,
            maxmem: spec.maxmem,
            nodes: spec.nodes.iter().map(|n| Node { memory: n.memory, cores: n.cpus.iter().map(|c| c.0).collect() }).collect(),
            distances: spec.distances.clone(),
            devices,
            uuid: spec.uuid,
            rng: spec.rng,
            accel: "".into(),
            host: spec.host.name.into(),
            ruleset: spec.ruleset.name().into(),
        }
    }

    /// A machine and what its guest has chosen so far.
    pub fn now(machine: &Machine, accel: &'static str) -> Description {
        Description {
            compat: machine.negotiated.compat.map(|mode| mode.pvr),
            ic_active: machine.intc.active(),
            mmu_active: Some(machine.mmu),
            hpt_shift: machine.partition.hpt().map(|table| table.shift()),
            accel: accel.into(),
            ..Description::of(&machine.spec)
        }
    }

    /// The processor, if this version knows it.
    ///
    /// # Errors
    /// Nobody of that name.
    pub fn processor(&self) -> Result<&'static CpuKind> {
        let cpu = CpuKind::named(&self.cpu)?;
        if cpu.pvr == self.pvr {
            return Ok(cpu);
        }
        let problem = format!("{} has the PVR {:#010x} here and {:#010x} there", cpu.name, cpu.pvr, self.pvr);
        Err(Error::config("cpu", problem, "use the same version of spapr on both sides"))
    }

    /// The mode that the guest is in as people know it: `power8`, or `raw`.
    pub fn mode_name(&self) -> Name {
        compat_name(self.compat, "raw")
    }
}

/// A logical PVR's name, or `none` for none.
pub(super) fn compat_name(pvr: Option<u32>, none: &'static str) -> Name {
    match pvr {
        None => none.into(),
        Some(pvr) => CompatMode::of_pvr(pvr).map_or_else(|| format!("{pvr:#010x}").into(), |mode| mode.name.into()),
    }
}
