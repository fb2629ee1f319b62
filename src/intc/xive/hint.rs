//! The H_INT_* hypercalls: how a partition sets XIVE up (PAPR, XIVE exploitation mode).
//!
//! One method per call, arguments as the guest's registers hold them. The order of the checks is part of the interface: a guest
//! that probes sees which parameter was refused. Getters change nothing.

use crate::dev::irq::SourceKind;
use crate::intc::xive::END_ESB_BASE;
use crate::intc::xive::ESB_BASE;
use crate::intc::xive::Xive;
use crate::intc::xive::XiveError;
use crate::intc::xive::XiveResult;
use crate::intc::xive::eas::Eas;
use crate::intc::xive::end::EndState;
use crate::intc::xive::end::Notification;
use crate::intc::xive::end::Queue;
use crate::intc::xive::esb;
use crate::units::Ra;

/// H_INT_GET_SOURCE_INFO: the guest has to use H_INT_ESB.
const SOURCE_ESB_HCALL: u64 = 8;
/// H_INT_GET_SOURCE_INFO: a level source.
const SOURCE_LSI: u64 = 4;
/// H_INT_SET_SOURCE_CONFIG: set the data that is queued.
const CONFIG_SET_EISN: u64 = 2;
/// H_INT_SET_SOURCE_CONFIG: mask.
const CONFIG_MASK: u64 = 1;
/// H_INT_{SET,GET}_QUEUE_CONFIG: notify of each event.
const QUEUE_ALWAYS_NOTIFY: u64 = 1;
/// H_INT_GET_QUEUE_CONFIG: give index and generation, too.
const QUEUE_DEBUG: u64 = 1;
/// Where H_INT_GET_QUEUE_CONFIG gives the generation (departs: QEMU uses bit 1 counted from the other end).
const QUEUE_GENERATION_SHIFT: u32 = 1;
/// H_INT_ESB: store instead of load.
const ESB_STORE: u64 = 1;
/// The priority that masks a source.
const PRIORITY_MASKED: u64 = 0xff;
/// Priorities from here on are the hypervisor's.
const PRIORITY_RESERVED: u64 = 7;
/// log2 of the sizes that a queue may have.
const QUEUE_SIZES: [u64; 4] = [12, 16, 21, 24];

/// What H_INT_GET_SOURCE_INFO answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceInfo {
    /// 8: use H_INT_ESB; 4: level.
    pub flags: u64,
    /// Address of the management page, or all ones.
    pub management: u64,
    /// Address of the trigger page, or all ones.
    pub trigger: u64,
    /// log2 of a page's bytes.
    pub page_shift: u64,
}

/// What H_INT_GET_SOURCE_CONFIG answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SourceConfig {
    /// Server (vcpu id).
    pub target: u64,
    /// ff: masked.
    pub priority: u64,
    /// What is queued.
    pub eisn: u64,
}

/// What H_INT_GET_QUEUE_INFO answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueInfo {
    /// Address of the descriptor's own page (nothing is mapped there).
    pub esb: u64,
    /// log2 of the queue's bytes; 0 for no queue.
    pub log2_bytes: u64,
}

/// What H_INT_GET_QUEUE_CONFIG answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueConfig {
    /// 1: always notify; with debug, 2: the generation.
    pub flags: u64,
    /// Address of the queue, or 0.
    pub page: u64,
    /// log2 of its bytes, or 0.
    pub log2_bytes: u64,
    /// With debug, the entry that is written next; else 0.
    pub index: u64,
}

impl Xive {
    /// H_INT_GET_SOURCE_INFO.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P2`] source.
    pub fn source_info(&self, flags: u64, source: u64) -> XiveResult<SourceInfo> {
        only(flags, 0)?;
        let (s, _) = self.source(source)?;
        let page_shift = u64::from(esb::PAGE_SHIFT);
        Ok(match self.esbs[s].kind {
            Some(SourceKind::Lsi) => {
                SourceInfo { flags: SOURCE_ESB_HCALL | SOURCE_LSI, management: u64::MAX, trigger: u64::MAX, page_shift }
            }
            Some(SourceKind::Msi) | None => {
                let trigger = ESB_BASE.0 + ((s as u64) << esb::SOURCE_SHIFT);
                SourceInfo { flags: 0, management: trigger + (1 << esb::PAGE_SHIFT), trigger, page_shift }
            }
        })
    }

    /// H_INT_SET_SOURCE_CONFIG: sends a source to a server's queue. Priority ff masks it and forgets the rest.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P2`] source, [`XiveError::P4`] priority, [`XiveError::P3`] target, in this order.
    pub fn set_source_config(&mut self, flags: u64, source: u64, target: u64, priority: u64, eisn: u64) -> XiveResult<()> {
        only(flags, CONFIG_SET_EISN | CONFIG_MASK)?;
        let (s, old) = self.source(source)?;
        if priority == PRIORITY_MASKED {
            self.eas[s] = Eas::CLAIMED;
            return Ok(());
        }
        check_priority(priority).ok_or(XiveError::P4)?;
        let end = self.end_index(target, priority).ok_or(XiveError::P3)?;
        let mut eas = if flags & CONFIG_MASK != 0 { old.masked() } else { old.unmasked() };
        eas = eas.with_end(end as u32);
        if flags & CONFIG_SET_EISN != 0 {
            eas = eas.with_eisn(eisn);
        }
        self.eas[s] = eas;
        Ok(())
    }

    /// H_INT_GET_SOURCE_CONFIG.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P2`] source.
    pub fn source_config(&self, flags: u64, source: u64) -> XiveResult<SourceConfig> {
        only(flags, 0)?;
        let (_, eas) = self.source(source)?;
        let end = u64::from(eas.end_index());
        let priority = if eas.is_masked() { PRIORITY_MASKED } else { end & 7 };
        Ok(SourceConfig { target: end >> 3, priority, eisn: u64::from(eas.eisn()) })
    }

    /// H_INT_GET_QUEUE_INFO.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P3`] priority, [`XiveError::P2`] target, in this order.
    pub fn queue_info(&self, flags: u64, target: u64, priority: u64) -> XiveResult<QueueInfo> {
        only(flags, 0)?;
        let end = self.queue_index(target, priority)?;
        let log2_bytes = self.ends[end].queue().map_or(0, |q| u64::from(q.log2_bytes));
        Ok(QueueInfo { esb: END_ESB_BASE.0 + ((end as u64) << esb::SOURCE_SHIFT), log2_bytes })
    }

    /// H_INT_SET_QUEUE_CONFIG: gives a server's priority a queue of `1 << size` bytes at `page`; size 0 takes it away.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P3`] priority, [`XiveError::P2`] target, [`XiveError::P5`] size, [`XiveError::P4`]
    /// page not aligned or not in RAM, in this order.
    pub fn set_queue_config(&mut self, flags: u64, target: u64, priority: u64, page: u64, size: u64) -> XiveResult<()> {
        only(flags, QUEUE_ALWAYS_NOTIFY)?;
        let end = self.queue_index(target, priority)?;
        if size == 0 {
            self.ends[end] = EndState::RESET;
            return Ok(());
        }
        if !QUEUE_SIZES.contains(&size) {
            return Err(XiveError::P5);
        }
        if !page.is_multiple_of(1 << size) || !self.ram.contains(Ra(page), 1 << size) {
            return Err(XiveError::P4);
        }
        let notification = if flags & QUEUE_ALWAYS_NOTIFY != 0 { Notification::Always } else { Notification::Coalesced };
        let queue = Queue { page: Ra(page), log2_bytes: size as u32 };
        self.ends[end] = EndState::new((end >> 3) as u32, (end & 7) as u8, Some(queue), notification);
        Ok(())
    }

    /// H_INT_GET_QUEUE_CONFIG.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P3`] priority, [`XiveError::P2`] target, in this order.
    pub fn queue_config(&self, flags: u64, target: u64, priority: u64) -> XiveResult<QueueConfig> {
        only(flags, QUEUE_DEBUG)?;
        let end = &self.ends[self.queue_index(target, priority)?];
        let (page, log2_bytes) = end.queue().map_or((0, 0), |q| (q.page.0, u64::from(q.log2_bytes)));
        let notify = match end.notification() {
            Notification::Always => QUEUE_ALWAYS_NOTIFY,
            Notification::Coalesced => 0,
        };
        let debug = flags & QUEUE_DEBUG;
        let generation = (u64::from(end.generation()) * debug) << QUEUE_GENERATION_SHIFT;
        Ok(QueueConfig { flags: notify | generation, page, log2_bytes, index: u64::from(end.index()) * debug })
    }

    /// H_INT_ESB: a load or store of eight bytes on a source's management page, for sources whose pages can't be used. A store
    /// answers all ones. (departs: QEMU takes offsets that reach the next source.)
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P2`] source, [`XiveError::P3`] offset beyond the source's pages,
    /// [`XiveError::Hardware`] offset beyond the management page, in this order.
    pub fn esb(&mut self, flags: u64, source: u64, offset: u64, _data: u64) -> XiveResult<u64> {
        only(flags, ESB_STORE)?;
        let (s, _) = self.source(source)?;
        if offset >= 1 << esb::SOURCE_SHIFT {
            return Err(XiveError::P3);
        }
        if offset > (1 << esb::PAGE_SHIFT) - 8 {
            return Err(XiveError::Hardware);
        }
        let (value, notify) = match flags & ESB_STORE {
            0 => self.esbs[s].load(offset),
            _ => (u64::MAX, self.esbs[s].store(offset)),
        };
        self.forward(s, notify);
        Ok(value)
    }

    /// H_INT_SYNC: returns when all events of the source have reached their queue. They always have.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags, [`XiveError::P2`] source.
    pub fn sync(&self, flags: u64, source: u64) -> XiveResult<()> {
        only(flags, 0)?;
        self.source(source).map(|_| ())
    }

    /// H_INT_RESET: all sources off and masked, no queues.
    ///
    /// # Errors
    /// [`XiveError::Parameter`] flags.
    pub fn reset_by_guest(&mut self, flags: u64) -> XiveResult<()> {
        only(flags, 0)?;
        self.reset_routing();
        Ok(())
    }

    /// Index and assignment of a claimed source.
    fn source(&self, source: u64) -> XiveResult<(usize, Eas)> {
        let s = usize::try_from(source).map_err(|_| XiveError::P2)?;
        self.eas.get(s).filter(|eas| eas.is_valid()).map(|eas| (s, *eas)).ok_or(XiveError::P2)
    }

    /// The descriptor of a server that exists and a priority.
    fn end_index(&self, target: u64, priority: u64) -> Option<usize> {
        let target = usize::try_from(target).ok()?;
        self.contexts.get(target)?.as_ref()?;
        Some(target * 8 + priority as usize)
    }

    fn queue_index(&self, target: u64, priority: u64) -> XiveResult<usize> {
        check_priority(priority).ok_or(XiveError::P3)?;
        self.end_index(target, priority).ok_or(XiveError::P2)
    }
}

fn only(flags: u64, known: u64) -> XiveResult<()> {
    if flags & !known != 0 { Err(XiveError::Parameter) } else { Ok(()) }
}

fn check_priority(priority: u64) -> Option<()> {
    (priority < PRIORITY_RESERVED).then_some(())
}
