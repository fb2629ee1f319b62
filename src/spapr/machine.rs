//! The machine: what it owns, how it is built, how it is reset.
//!
//! All of it stands under one lock, which `vm` takes for each exit. Behaviour is elsewhere: hypercalls in `hcall`, firmware calls in
//! `rtas` and `vof`, devices in their own modules. What is shared with running vCPUs (RAM, page tables, signals, the clock) is
//! behind `Arc`s that the machine only uses.

use crate::accel::Kept;
use crate::clock::VirtualClock;
use crate::dev::Device;
use crate::dev::ResetKind;
use crate::dev::bus::Bus;
use crate::dev::bus::BusError;
use crate::dev::bus::Widths;
use crate::dev::chardev::Chardev;
use crate::dev::irq::IrqLine;
use crate::dev::irq::SourceKind;
use crate::error::Error;
use crate::error::Result;
use crate::fdt::Tree;
use crate::intc::Active;
use crate::intc::Intc;
use crate::intc::IntcConfig;
use crate::intc::IntcMode;
use crate::intc::xive;
use crate::isa::regs::Lpcr;
use crate::memory::GuestMemory;
use crate::mmu::hpt;
use crate::mmu::hpt::Hpt;
use crate::mmu::partition::Partition;
use crate::mmu::partition::Translation;
use crate::random;
use crate::random::Seeded;
use crate::random::Source;
use crate::signal;
use crate::signal::Signals;
use crate::spapr::devtree;
use crate::spapr::devtree::IsaKnowledge;
use crate::spapr::devtree::Loaded;
use crate::spapr::devtree::Negotiated;
use crate::spapr::devtree::Services;
use crate::spapr::devtree::memory::device_memory_base;
use crate::spapr::devtree::memory::device_memory_end;
use crate::spapr::drc;
use crate::spapr::drc::Connectors;
use crate::spapr::drc::Plugged;
use crate::spapr::events::Class;
use crate::spapr::events::Events;
use crate::spapr::events::What;
use crate::spapr::hcall;
use crate::spapr::hcall::LogArea;
use crate::spapr::layout;
use crate::spapr::numa;
use crate::spapr::numa::Form;
use crate::spapr::options::IcMode;
use crate::spapr::options::ResizeHpt;
use crate::spapr::ovec;
use crate::spapr::ovec::OptionVector;
use crate::spapr::rtas;
use crate::spapr::rtc::Rtc;
use crate::spapr::spec::LMB_BYTES;
use crate::spapr::spec::MachineSpec;
use crate::spapr::version::IrqNumbers;
use crate::spapr::vof::Vof;
use crate::spapr::watchdog::Action;
use crate::spapr::watchdog::Watchdog;
use crate::units::CoreId;
use crate::units::CpuIndex;
use crate::units::Lisn;
use crate::units::Ra;
use crate::units::UnitAddress;
use crate::units::VcpuId;
use crate::units::Width;
use crate::vio::nvram::Nvram;
use crate::vio::vty::Vty;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Device sources of machine versions up to 3.0.
const LEGACY_SOURCES: u32 = 0x400;

/// Who ended the machine, or restarted it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The guest, by a firmware call.
    Guest,
    /// A watchdog that expired.
    Watchdog,
}

/// Something that happens to the machine as a whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MachineEvent {
    /// It is switched off.
    Shutdown(Cause),
    /// It restarts.
    Reset(Cause),
    /// The guest gave up, with its last words.
    Panicked(String),
    /// The guest suspended itself (RTAS ibm,suspend-me).
    Suspended,
    /// A system reset interrupt on all vCPUs.
    SystemReset,
}

/// What a vCPU does, as far as the platform's calls tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunState {
    /// Waits for RTAS start-cpu.
    Stopped,
    /// Runs, or sleeps where an interrupt wakes it.
    Running,
    /// Called H_JOIN, and waits for H_PROD with interrupts off.
    Joined,
}

/// The platform's state of one vCPU.
#[derive(Debug)]
pub struct VcpuPlatform {
    /// What the guest calls it.
    pub id: VcpuId,
    /// What it does.
    pub run: RunState,
    /// How to reach it.
    pub signals: Arc<Signals>,
    /// Virtual processor area.
    pub vpa: Option<Ra>,
    /// SLB shadow buffer.
    pub slb_shadow: Option<LogArea>,
    /// Dispatch trace log.
    pub dtl: Option<LogArea>,
}

impl VcpuPlatform {
    /// The areas, for an accelerator that fills them.
    pub fn kept(&self) -> Kept {
        let area = |a: &LogArea| (a.at, a.bytes);
        let (slb_shadow, dtl) = (self.slb_shadow.as_ref().map(area), self.dtl.as_ref().map(area));
        Kept { vpa: self.vpa, slb_shadow, dtl, doorbell: false }
    }

    /// The areas, as an accelerator that answers H_REGISTER_VPA knows them.
    pub fn set_kept(&mut self, kept: &Kept) {
        let area = |(at, bytes)| LogArea { at, bytes };
        (self.vpa, self.slb_shadow, self.dtl) = (kept.vpa, kept.slb_shadow.map(area), kept.dtl.map(area));
    }
}

/// How the guest translates addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MmuMode {
    /// Hashed page table.
    Hash,
    /// Radix trees.
    Radix,
}

/// A hash table that waits for H_RESIZE_HPT_COMMIT.
pub struct PreparedHpt {
    /// log2 of its bytes.
    pub shift: u32,
    /// The table; `None` if there was no memory for it.
    pub table: Option<Hpt>,
}

/// Handlers that the guest registered by RTAS ibm,nmi-register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NmiHandlers {
    /// Entry for system resets.
    pub system_reset: Ra,
    /// Entry for machine checks.
    pub machine_check: Ra,
}

/// The machine.
pub struct Machine {
    /// What it is.
    pub spec: MachineSpec,
    /// RAM.
    pub memory: Arc<GuestMemory>,
    /// Page tables.
    pub partition: Arc<Partition>,
    /// Virtual time.
    pub clock: Arc<VirtualClock>,
    /// Interrupt controller.
    pub intc: Intc,
    /// Virtual terminals by unit address.
    pub vtys: BTreeMap<UnitAddress, Vty>,
    /// Non-volatile memory.
    pub nvram: Nvram,
    /// By CPU index.
    pub vcpus: Vec<VcpuPlatform>,
    /// Events that the guest has not fetched.
    pub events: Events,
    /// Dynamic-reconfiguration connectors.
    pub connectors: Connectors,
    /// Time of day.
    pub rtc: Rtc,
    /// Watchdog timers.
    pub watchdog: Watchdog,
    /// How the guest translates.
    pub mmu: MmuMode,
    /// Set by H_RESIZE_HPT_PREPARE.
    pub prepared_hpt: Option<PreparedHpt>,
    /// Set by ibm,nmi-register.
    pub nmi: Option<NmiHandlers>,
    /// What the guest has negotiated.
    pub negotiated: Negotiated,
    /// What was loaded for the guest; whoever loads it says so here.
    pub loaded: Loaded,
    /// Open Firmware, for guests that boot through it.
    pub vof: Option<Vof>,
    /// The tree that firmware handed back (KVMPPC_H_UPDATE_DT).
    pub guest_tree: Option<Tree>,
    /// Bytes of the flattened tree that the guest last got; 0: none.
    pub tree_bytes: u64,
    /// Unknown hypercalls that were logged.
    pub(in crate::spapr) unknown_hcalls: BTreeSet<u64>,
    bus: Bus<xive::Region>,
    random: Source,
}

fn intc_config(spec: &MachineSpec) -> IntcConfig {
    let mode = match spec.ic {
        IcMode::Xics => IntcMode::Xics,
        IcMode::Xive => IntcMode::Xive,
        IcMode::Dual => IntcMode::Dual,
    };
    let sources = match spec.compat.irq_numbers {
        IrqNumbers::Legacy => LEGACY_SOURCES,
        IrqNumbers::Fixed => crate::intc::SOURCES_MAX,
    };
    IntcConfig { mode, servers: spec.vsmt.max_server_number(), sources }
}

/// The connectors of a machine, with what is in them at the start.
pub(in crate::spapr) fn connectors(spec: &MachineSpec) -> Connectors {
    let mut all = Connectors::default();
    if spec.compat.cpu_hotplug {
        for core in 0..spec.smp.max_cores() {
            let plugged = if core < spec.smp.boot_cores() { Plugged::Yes } else { Plugged::No };
            all.add(drc::Kind::Cpu, spec.vsmt.drc(CoreId(core)), plugged);
        }
    }
    if spec.compat.lmb && spec.maxmem > spec.ram {
        for at in (device_memory_base(spec)..device_memory_end(spec)).step_by(LMB_BYTES as usize) {
            all.add(drc::Kind::Lmb, drc::Kind::Lmb.index((at / LMB_BYTES) as u32), Plugged::No);
        }
    }
    if spec.compat.phb_hotplug {
        for phb in 0..layout::PHBS {
            all.add(drc::Kind::Phb, drc::Kind::Phb.index(phb), Plugged::No);
        }
    }
    all
}

/// What holds before the guest has said anything.
fn nothing_negotiated(spec: &MachineSpec, ic: Active, hpt_shift: u32) -> Negotiated {
    let compat = spec.max_compat;
    Negotiated { ic, ov5: OptionVector::default(), compat, knows_isa_3: IsaKnowledge::Isa3, hpt_shift, rng_seed: [0; 32] }
}

impl Machine {
    /// Builds a machine as after power-on. `signals` are those of the vCPUs, by CPU index.
    ///
    /// # Errors
    /// The interrupt controller cannot serve the vcpu ids, two devices want one interrupt, or the host has no memory.
    pub fn new(
        spec: MachineSpec,
        memory: Arc<GuestMemory>,
        partition: Arc<Partition>,
        signals: Vec<Arc<Signals>>,
        clock: Arc<VirtualClock>,
    ) -> Result<Machine> {
        let mut intc = Intc::new(intc_config(&spec), Arc::clone(&memory))?;
        let vcpu = |(id, signals)| VcpuPlatform { id, run: RunState::Stopped, signals, vpa: None, slb_shadow: None, dtl: None };
        let vcpus: Vec<VcpuPlatform> = spec.vsmt.vcpu_ids().zip(signals).map(vcpu).collect();
        assert_eq!(vcpus.len(), spec.smp.cpus as usize, "every vCPU has its signals");
        for v in &vcpus {
            intc.connect(v.id, &v.signals)?;
        }
        intc.claim(layout::EPOW, SourceKind::Msi)?;
        if spec.compat.hotplug_events {
            intc.claim(layout::HOTPLUG, SourceKind::Msi)?;
        }
        let mut vtys = BTreeMap::new();
        for &unit in &spec.vtys {
            let irq = spec.vio_irq(unit);
            intc.claim(irq, SourceKind::Msi)?;
            vtys.insert(unit, Vty::new(format!("vty@{:x}", unit.0), IrqLine(irq), Arc::new(Chardev::new())));
        }
        intc.claim(spec.vio_irq(spec.nvram_at), SourceKind::Msi)?;
        let mut bus = Bus::default();
        if spec.ic.has_xive() {
            bus.map("XIVE sources", xive::ESB_BASE, xive::ESB_BYTES, Widths::ALL, xive::Region::Esb)?;
            bus.map("XIVE thread contexts", xive::TIMA_BASE, xive::TIMA_BYTES, Widths::ALL, xive::Region::Tima)?;
        }
        let random = Source::host().map_err(|e| Error::Host { doing: format!("open {}", random::HOST), source: e })?;
        let mut machine = Machine {
            nvram: Nvram::new(vec![0; spec.nvram_bytes as usize])?,
            connectors: connectors(&spec),
            rtc: Rtc::new(spec.rtc_base, &clock),
            negotiated: nothing_negotiated(&spec, intc.active(), hpt::SHIFT_MIN),
            events: Events::default(),
            watchdog: Watchdog::default(),
            mmu: MmuMode::Hash,
            prepared_hpt: None,
            nmi: None,
            loaded: Loaded::default(),
            vof: None,
            guest_tree: None,
            tree_bytes: 0,
            unknown_hcalls: BTreeSet::new(),
            spec,
            memory,
            partition,
            clock,
            intc,
            vtys,
            vcpus,
            bus,
            random,
        };
        machine.reset(ResetKind::Cold)?;
        Ok(machine)
    }

    /// Brings everything but RAM, vCPU registers and loaded images into the power-on state. No vCPU may be running.
    ///
    /// # Errors
    /// The host has no memory for a hash table.
    pub fn reset(&mut self, kind: ResetKind) -> Result<()> {
        let shift = self.hpt_shift_of(self.boot_hpt_ram());
        self.partition.set_process_table(0);
        self.mmu = self.first_mmu();
        match self.mmu {
            MmuMode::Hash => self.partition.new_hpt(shift)?,
            MmuMode::Radix => self.configure_host(Translation::Radix, 0)?,
        }
        self.prepared_hpt = None;
        for (i, v) in self.vcpus.iter_mut().enumerate() {
            v.run = if i == 0 { RunState::Running } else { RunState::Stopped };
            (v.vpa, v.slb_shadow, v.dtl) = (None, None, None);
            v.signals.lower(signal::PROD | signal::SYSTEM_RESET | signal::DOORBELL);
        }
        self.intc.reset();
        for vty in self.vtys.values_mut() {
            vty.reset(kind);
        }
        self.nvram.reset(kind);
        self.connectors.reset();
        self.events.reset();
        self.watchdog.stop_all();
        (self.nmi, self.guest_tree, self.vof, self.tree_bytes) = (None, None, None, 0);
        self.negotiated = nothing_negotiated(&self.spec, self.intc.active(), shift);
        let mut seed = [0; 32];
        self.random_bytes(&mut seed)?;
        self.negotiated.rng_seed = seed;
        self.poll_input();
        Ok(())
    }

    /// How a guest translates that has not said anything: by hash, except on hosts that cannot.
    fn first_mmu(&self) -> MmuMode {
        if self.partition.host().is_none_or(|host| host.can_hash()) { MmuMode::Hash } else { MmuMode::Radix }
    }

    /// Tells a host that keeps the page tables how the guest translates.
    ///
    /// # Errors
    /// The host cannot do that.
    pub fn configure_host(&self, by: Translation, process_table: u64) -> Result<()> {
        self.partition.host().map_or(Ok(()), |host| host.configure(by, process_table))
    }

    /// Tells a host that keeps the page tables how a guest translates that was loaded, whose vCPUs have this `lpcr`.
    ///
    /// # Errors
    /// The host cannot do that.
    pub fn configure_loaded(&self, lpcr: u64) -> Result<()> {
        let by = match (self.mmu, lpcr & Lpcr::GTSE != 0) {
            (MmuMode::Hash, _) => Translation::Hash,
            (MmuMode::Radix, true) => Translation::RadixGtse,
            (MmuMode::Radix, false) => Translation::Radix,
        };
        self.configure_host(by, self.partition.process_table())
    }

    /// RAM that the first hash table is sized for: all there may ever be, where it cannot grow.
    fn boot_hpt_ram(&self) -> u64 {
        match self.spec.resize_hpt {
            ResizeHpt::Disabled => self.spec.maxmem,
            ResizeHpt::Enabled | ResizeHpt::Required => self.spec.ram,
        }
    }

    /// log2 of the bytes of a hash table for that much RAM: one 128th of it, rounded up (PAPR).
    pub fn hpt_shift_of(&self, ram: u64) -> u32 {
        (ram.next_power_of_two().ilog2().saturating_sub(7)).clamp(hpt::SHIFT_MIN, hpt::SHIFT_MAX)
    }

    /// Changes how the guest translates; a hash guest has a table, a radix guest none.
    ///
    /// # Errors
    /// The host has no memory for a hash table; nothing is changed.
    pub fn set_mmu(&mut self, to: MmuMode) -> Result<()> {
        match (self.mmu, to) {
            (MmuMode::Hash, MmuMode::Radix) => {
                self.partition.set_hpt(None);
                self.prepared_hpt = None;
            }
            (MmuMode::Radix, MmuMode::Hash) => {
                let shift = self.hpt_shift_of(self.boot_hpt_ram());
                self.partition.new_hpt(shift)?;
            }
            (MmuMode::Hash, MmuMode::Hash) | (MmuMode::Radix, MmuMode::Radix) => {}
        }
        self.mmu = to;
        Ok(())
    }

    /// Gives a guest that cannot resize its hash table one that is large enough for `ram`, before it has entered anything.
    ///
    /// # Errors
    /// The host has no memory for it; nothing is changed.
    pub fn grow_empty_hpt(&mut self, ram: u64) -> Result<()> {
        let shift = self.hpt_shift_of(ram);
        if self.mmu == MmuMode::Hash && self.negotiated.hpt_shift < shift {
            self.partition.new_hpt(shift)?;
            self.negotiated.hpt_shift = shift;
        }
        Ok(())
    }

    /// A vCPU's platform state.
    pub fn vcpu(&self, cpu: CpuIndex) -> &VcpuPlatform {
        &self.vcpus[cpu.0 as usize]
    }

    /// The same, to change.
    pub fn vcpu_mut(&mut self, cpu: CpuIndex) -> &mut VcpuPlatform {
        &mut self.vcpus[cpu.0 as usize]
    }

    /// Whether `at` is where RAM is or may be plugged.
    pub fn is_ram_space(&self, at: u64) -> bool {
        at < self.spec.ram || (device_memory_base(&self.spec)..device_memory_end(&self.spec)).contains(&at)
    }

    /// A vCPU's place among the NUMA nodes, without the array's length (PAPR, ibm,associativity).
    pub fn associativity(&self, cpu: CpuIndex) -> Vec<u32> {
        let (core, id) = (self.spec.vsmt.core_of(cpu), self.vcpu(cpu).id);
        let mut cells = numa::cpu_associativity(&self.spec, Form::of(&self.negotiated), core, id);
        cells.remove(0);
        cells
    }

    /// Random bytes, from the host unless a sequence was chosen.
    ///
    /// # Errors
    /// The host has none.
    pub fn random_bytes(&mut self, to: &mut [u8]) -> Result<()> {
        self.random.fill(to).map_err(|e| Error::Host { doing: format!("read {}", random::HOST), source: e })
    }

    /// Has randomness come from `sequence` from now on, what the guest's firmware has of it too.
    ///
    /// # Errors
    /// None: a sequence has always more.
    pub fn seed(&mut self, sequence: Seeded) -> Result<()> {
        self.random = Source::Seeded(sequence);
        let mut seed = [0; 32];
        self.random_bytes(&mut seed)?;
        self.negotiated.rng_seed = seed;
        Ok(())
    }

    /// The same, for a machine whose guest has begun: its firmware's part stays.
    pub fn go_on_from(&mut self, sequence: Seeded) {
        self.random = Source::Seeded(sequence);
    }

    /// A load by a vCPU from outside RAM.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn mmio_read(&mut self, cpu: CpuIndex, at: Ra, width: Width) -> std::result::Result<u64, BusError> {
        let (region, offset) = self.bus.find(at, width)?;
        let id = self.vcpu(cpu).id;
        self.intc.mmio_read(region, id, offset, width)
    }

    /// A store by a vCPU outside RAM.
    ///
    /// # Errors
    /// Nothing answers there.
    pub fn mmio_write(&mut self, cpu: CpuIndex, at: Ra, width: Width, value: u64) -> std::result::Result<(), BusError> {
        let (region, offset) = self.bus.find(at, width)?;
        let id = self.vcpu(cpu).id;
        self.intc.mmio_write(region, id, offset, width, value)
    }

    /// The host ends of the terminals, in the order of the spec.
    pub fn consoles(&self) -> Vec<Arc<Chardev>> {
        self.spec.vtys.iter().filter_map(|unit| self.vtys.get(unit)).map(|vty| Arc::clone(vty.chardev())).collect()
    }

    /// The terminals take what was typed. To be called after input was given to a console.
    pub fn poll_input(&mut self) {
        for vty in self.vtys.values_mut() {
            vty.poll_input(&mut self.intc);
        }
    }

    /// The user asks the guest to shut down.
    pub fn system_powerdown(&mut self) {
        self.events.push(What::PowerDown, Class::Epow, self.rtc.now());
        self.intc.trigger(self.event_source(Class::Epow));
    }

    /// The interrupt of a class of events.
    pub fn event_source(&self, class: Class) -> Lisn {
        match class {
            Class::HotPlug if self.negotiated.ov5.has(ovec::HP_EVT) => layout::HOTPLUG,
            Class::HotPlug | Class::Epow => layout::EPOW,
        }
    }

    /// When [`Machine::tick`] is next wanted, in virtual time.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.watchdog.next_deadline()
    }

    /// Does what is due by now; to be called until it gives nothing.
    pub fn tick(&mut self) -> Option<MachineEvent> {
        let action = self.watchdog.expire(self.clock.now())?;
        log::warn!("a watchdog of the guest expired: {action:?}");
        Some(match action {
            Action::PowerOff => MachineEvent::Shutdown(Cause::Watchdog),
            Action::Restart => MachineEvent::Reset(Cause::Watchdog),
            Action::DumpRestart => MachineEvent::SystemReset,
        })
    }

    /// The device tree as the guest would get it now.
    pub fn device_tree(&self) -> Tree {
        let services = Services { rtas: rtas::services(&self.spec), hypertas: hcall::hypertas(&self.spec) };
        devtree::build(&self.spec, &self.negotiated, &self.loaded, &services)
    }
}
