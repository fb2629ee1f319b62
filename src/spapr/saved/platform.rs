//! The stored form of the platform's own state: what the guest registered and negotiated, events, connectors, clock, watchdogs.

use crate::intc::Active;
use crate::spapr::cpus::CompatMode;
use crate::spapr::devtree::Negotiated;
use crate::spapr::drc;
use crate::spapr::drc::Item;
use crate::spapr::events::LOG_BYTES;
use crate::spapr::events::WAITING_MAX;
use crate::spapr::events::Waiting;
use crate::spapr::hcall::LogArea;
use crate::spapr::machine::Machine;
use crate::spapr::machine::NmiHandlers;
use crate::spapr::machine::connectors;
use crate::spapr::ovec::OptionVector;
use crate::spapr::saved::names::Words;
use crate::spapr::watchdog::TIMERS;
use crate::spapr::watchdog::Timer;
use crate::state::Bad;
use crate::state::Bytes;
use crate::state::saved;
use crate::units::DrcIndex;
use crate::units::Ra;
use std::time::Duration;

/// Bytes of a virtual processor area that are read without asking again.
const VPA_BYTES: u64 = 640;
/// Most bytes of an option vector.
const VECTOR_MAX: usize = 256;

saved! {
    /// An area that a guest registered.
    SavedArea {
        /// Its first byte.
        0 at: u64,
        /// Its size as the guest wrote it.
        1 bytes: u32,
    }
    /// What the platform knows of a vCPU.
    SavedVcpuPlatform {
        /// vcpu id.
        0 id: u32,
        /// `stopped`, `running`, `joined`.
        1 run: String,
        /// Virtual processor area.
        2 vpa: Option<u64>,
        /// SLB shadow buffer.
        3 slb_shadow: Option<SavedArea>,
        /// Dispatch trace log.
        4 dtl: Option<SavedArea>,
    }
    /// An event that waits.
    SavedEvent {
        /// `epow` or `hot-plug`.
        0 class: String,
        /// The log as the guest gets it.
        1 log: Bytes,
    }
    /// A running watchdog.
    SavedTimer {
        /// Counted from 0.
        0 number: u32,
        /// Virtual time at which it expires, in nanoseconds.
        1 deadline_ns: i128,
        /// `power-off`, `restart`, `dump-restart`.
        2 action: String,
    }
    /// Handlers of ibm,nmi-register.
    SavedNmi {
        /// Of system resets.
        0 system_reset: u64,
        /// Of machine checks.
        1 machine_check: u64,
    }
    /// A hash table that waits for H_RESIZE_HPT_COMMIT; its entries are large memory.
    SavedPrepared {
        /// log2 of its bytes.
        0 shift: u32,
        /// Whether there was memory for it.
        1 exists: bool,
    }
    /// The platform.
    SavedPlatform = "platform" version 1 {
        /// How the guest translates: `hash` or `radix`.
        0 mmu: String,
        /// By index.
        1 vcpus: Vec<SavedVcpuPlatform>,
        /// Oldest first.
        2 events: Vec<SavedEvent>,
        /// How many logs were made.
        3 last_event_id: u32,
        /// What the guest set the time of day to is ahead of the host by this.
        4 rtc_offset_ns: i128,
        /// Running ones.
        5 watchdogs: Vec<SavedTimer>,
        /// If registered.
        6 nmi: Option<SavedNmi>,
        /// If the guest asked for another hash table.
        7 prepared_hpt: Option<SavedPrepared>,
    }
    /// What the guest negotiated (ibm,client-architecture-support).
    SavedNegotiated = "negotiated" version 1 {
        /// The interrupt controller: `xics` or `xive`.
        0 ic: String,
        /// Option vector 5.
        1 ov5: Bytes,
        /// Logical PVR of the compatibility mode.
        2 compat_pvr: Option<u32>,
        /// `3.0` or `older`.
        3 guest_isa: String,
        /// log2 of the hash table's bytes, as the tree says.
        4 hpt_shift: u32,
        /// The guest's seed.
        5 rng_seed: [u8; 32],
    }
    /// An item that configure-connector has still to give.
    SavedItem {
        /// 1 child, 2 property, 3 parent, 4 complete.
        0 kind: u8,
        /// Of the node or property.
        1 name: String,
        /// Of the property.
        2 value: Bytes,
    }
    /// A connector that is not as at the start.
    SavedConnector {
        /// PAPR's index.
        0 index: u32,
        /// `unusable`, `available`, `unisolated`, `configured`.
        1 state: String,
        /// `no`, `yes`, `unplug-requested`.
        2 plugged: String,
        /// The last item first.
        3 walk: Vec<SavedItem>,
    }
    /// Dynamic-reconfiguration connectors.
    SavedConnectors = "connectors" version 1 {
        /// By index.
        0 all: Vec<SavedConnector>,
    }
}

impl SavedPlatform {
    pub(super) fn of(m: &Machine) -> SavedPlatform {
        let area = |a: &LogArea| SavedArea { at: a.at.0, bytes: a.bytes };
        let timer = |(n, t): (usize, &Option<Timer>)| {
            let t = (*t)?;
            Some(SavedTimer { number: n as u32, deadline_ns: t.deadline.as_nanos() as i128, action: t.action.word() })
        };
        SavedPlatform {
            mmu: m.mmu.word(),
            vcpus: (m.vcpus.iter())
                .map(|v| SavedVcpuPlatform {
                    id: v.id.0,
                    run: v.run.word(),
                    vpa: v.vpa.map(|at| at.0),
                    slb_shadow: v.slb_shadow.as_ref().map(area),
                    dtl: v.dtl.as_ref().map(area),
                })
                .collect(),
            events: m.events.waiting.iter().map(|w| SavedEvent { class: w.class.word(), log: Bytes(w.log.to_vec()) }).collect(),
            last_event_id: m.events.last_id,
            rtc_offset_ns: m.rtc.offset_ns,
            watchdogs: m.watchdog.timers.iter().enumerate().filter_map(timer).collect(),
            nmi: m.nmi.map(|h| SavedNmi { system_reset: h.system_reset.0, machine_check: h.machine_check.0 }),
            prepared_hpt: m.prepared_hpt.as_ref().map(|p| SavedPrepared { shift: p.shift, exists: p.table.is_some() }),
        }
    }

    /// Makes all but the hash tables a machine's.
    pub(super) fn restore(&self, m: &mut Machine) -> Result<(), Bad> {
        if self.vcpus.len() != m.vcpus.len() {
            let bad = Bad::field("vcpus", format!("there are {}, and this machine has {}", self.vcpus.len(), m.vcpus.len()));
            return Err(bad.advising("use the topology (smp) of the machine that was saved"));
        }
        for (n, from) in self.vcpus.iter().enumerate() {
            self.restore_vcpu(m, n, from).map_err(|bad| bad.within(&format!("vcpus[{n}]")))?;
        }
        if self.events.len() > WAITING_MAX {
            return Err(Bad::field("events", format!("{} events are more than {WAITING_MAX}", self.events.len())));
        }
        m.events.waiting.clear();
        for (n, event) in self.events.iter().enumerate() {
            let log = <[u8; LOG_BYTES]>::try_from(event.log.0.as_slice());
            let log = log.map_err(|_| Bad::field(format!("events[{n}].log"), format!("it has not {LOG_BYTES} bytes")))?;
            let class = Words::of(&event.class).map_err(|bad: Bad| bad.within(&format!("events[{n}].class")))?;
            m.events.waiting.push_back(Waiting { class, log });
        }
        m.events.last_id = self.last_event_id;
        // Further than any year lies nothing; sums stay far from overflow.
        m.rtc.offset_ns = self.rtc_offset_ns.clamp(-(1 << 100), 1 << 100);
        m.watchdog.stop_all();
        for (n, timer) in self.watchdogs.iter().enumerate() {
            let at = u64::try_from(timer.deadline_ns / 1_000_000_000).ok();
            let at = at.map(|s| Duration::new(s, (timer.deadline_ns % 1_000_000_000) as u32)).filter(|_| timer.deadline_ns >= 0);
            let deadline = at.ok_or_else(|| Bad::field(format!("watchdogs[{n}].deadline_ns"), "there is no such time"))?;
            let action = Words::of(&timer.action).map_err(|bad: Bad| bad.within(&format!("watchdogs[{n}].action")))?;
            let to = m.watchdog.timers.get_mut(timer.number as usize);
            *to.ok_or_else(|| Bad::field(format!("watchdogs[{n}].number"), format!("there are {TIMERS}")))? =
                Some(Timer { deadline, action });
        }
        m.nmi = self.nmi.as_ref().map(|h| NmiHandlers { system_reset: Ra(h.system_reset), machine_check: Ra(h.machine_check) });
        m.mmu = Words::of(&self.mmu).map_err(|bad: Bad| bad.within("mmu"))?;
        Ok(())
    }

    fn restore_vcpu(&self, m: &mut Machine, n: usize, from: &SavedVcpuPlatform) -> Result<(), Bad> {
        let v = &m.vcpus[n];
        if from.id != v.id.0 {
            let bad = Bad::field("id", format!("it is {}, and this machine's is {}", from.id, v.id.0));
            return Err(bad.advising("use the vsmt of the machine that was saved"));
        }
        let inside = |field: &str, at: u64, bytes: u64| match m.memory.contains(Ra(at), bytes) {
            true => Ok(()),
            false => Err(Bad::field(field, format!("{bytes} bytes at {at:#x} are not in RAM"))),
        };
        if let Some(at) = from.vpa {
            inside("vpa", at, VPA_BYTES)?;
        }
        for (field, area) in [("slb_shadow", &from.slb_shadow), ("dtl", &from.dtl)] {
            if let Some(a) = area {
                inside(field, a.at, a.bytes.into())?;
            }
        }
        let area = |a: &SavedArea| LogArea { at: Ra(a.at), bytes: a.bytes };
        let run = Words::of(&from.run).map_err(|bad: Bad| bad.within("run"))?;
        let v = &mut m.vcpus[n];
        (v.run, v.vpa, v.slb_shadow, v.dtl) = (run, from.vpa.map(Ra), from.slb_shadow.as_ref().map(area), from.dtl.as_ref().map(area));
        Ok(())
    }
}

impl SavedNegotiated {
    pub(super) fn of(now: &Negotiated) -> SavedNegotiated {
        SavedNegotiated {
            ic: now.ic.name().into(),
            ov5: Bytes(now.ov5.bytes().to_vec()),
            compat_pvr: now.compat.map(|mode| mode.pvr),
            guest_isa: now.knows_isa_3.word(),
            hpt_shift: now.hpt_shift,
            rng_seed: now.rng_seed,
        }
    }

    pub(super) fn restore(&self, m: &mut Machine) -> Result<(), Bad> {
        let compat = match self.compat_pvr {
            None => None,
            Some(pvr) => {
                let mode = CompatMode::of_pvr(pvr).filter(|mode| m.spec.cpu.can_run_as(mode));
                let bad = || Bad::field("compat_pvr", format!("{:#010x} is no mode of {}", pvr, m.spec.cpu.name));
                Some(mode.ok_or_else(bad)?)
            }
        };
        if self.ov5.0.len() > VECTOR_MAX {
            return Err(Bad::field("ov5", format!("{} bytes are more than {VECTOR_MAX}", self.ov5.0.len())));
        }
        let ic = Active::named(&self.ic).map_err(|bad| bad.within("ic"))?;
        if ic != m.intc.active() {
            return Err(Bad::field("ic", format!("{} was negotiated and {} is in charge", self.ic, m.intc.active().name())));
        }
        m.negotiated = Negotiated {
            ic,
            ov5: OptionVector::from_bytes(&self.ov5.0),
            compat,
            knows_isa_3: Words::of(&self.guest_isa).map_err(|bad: Bad| bad.within("guest_isa"))?,
            hpt_shift: self.hpt_shift.min(crate::mmu::hpt::SHIFT_MAX),
            rng_seed: self.rng_seed,
        };
        Ok(())
    }
}

impl From<&Item> for SavedItem {
    fn from(item: &Item) -> SavedItem {
        let (kind, name, value) = match item {
            Item::Child(name) => (1, name.clone(), vec![]),
            Item::Property(name, value) => (2, name.clone(), value.clone()),
            Item::Parent => (3, String::new(), vec![]),
            Item::Complete => (4, String::new(), vec![]),
        };
        SavedItem { kind, name, value: Bytes(value) }
    }
}

impl SavedItem {
    fn to_item(&self) -> Result<Item, Bad> {
        match self.kind {
            1 => Ok(Item::Child(self.name.clone())),
            2 => Ok(Item::Property(self.name.clone(), self.value.0.clone())),
            3 => Ok(Item::Parent),
            4 => Ok(Item::Complete),
            other => Err(Bad::field("kind", format!("{other} is no kind of item"))),
        }
    }
}

impl SavedConnectors {
    pub(super) fn of(m: &Machine) -> SavedConnectors {
        let mut fresh = connectors(&m.spec);
        let one = |(index, c): (DrcIndex, &drc::Connector)| {
            let same = fresh.get_mut(index).is_some_and(|f| (f.state, f.plugged) == (c.state, c.plugged) && c.walk.is_empty());
            let walk = || c.walk.iter().map(SavedItem::from).collect();
            (!same).then(|| SavedConnector { index: index.0, state: c.state.word(), plugged: c.plugged.word(), walk: walk() })
        };
        SavedConnectors { all: m.connectors.iter().filter_map(one).collect() }
    }

    pub(super) fn restore(&self, m: &mut Machine) -> Result<(), Bad> {
        let mut all = connectors(&m.spec);
        for (n, from) in self.all.iter().enumerate() {
            let within = |bad: Bad, field: &str| bad.within(&format!("all[{n}].{field}"));
            let Some(to) = all.get_mut(DrcIndex(from.index)) else {
                let bad = Bad::field(format!("all[{n}].index"), format!("there is no connector {:#x}", from.index));
                return Err(bad.advising("use the topology (smp, maxmem) of the machine that was saved"));
            };
            to.state = Words::of(&from.state).map_err(|bad| within(bad, "state"))?;
            to.plugged = Words::of(&from.plugged).map_err(|bad| within(bad, "plugged"))?;
            to.walk = from.walk.iter().map(SavedItem::to_item).collect::<Result<_, _>>().map_err(|bad| within(bad, "walk"))?;
        }
        m.connectors = all;
        Ok(())
    }
}
