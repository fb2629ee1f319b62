//! The stored form of the interrupt controllers.
//!
//! What is claimed follows from the machine, so it is compared and not loaded. Of two controllers the one that is not in charge is in its reset state and is left out.
//! Interrupt lines of the vCPUs, and which XICS sources wait, follow from the rest and are derived anew.

use crate::dev::irq::Level;
use crate::dev::irq::SourceKind;
use crate::intc::Active;
use crate::intc::Intc;
use crate::intc::IntcMode;
use crate::intc::SOURCE_BASE;
use crate::intc::xics::Xics;
use crate::intc::xics::icp::IcpState;
use crate::intc::xics::ics::SourceState;
use crate::intc::xive::Xive;
use crate::intc::xive::eas::Eas;
use crate::intc::xive::end::EndState;
use crate::intc::xive::esb::EsbState;
use crate::intc::xive::esb::Pq;
use crate::intc::xive::tima::RingState;
use crate::state::Bad;
use crate::state::Packed;
use crate::state::Sections;
use crate::state::saved;
use crate::units::Lisn;
use crate::units::VcpuId;

saved! {
    /// A claimed device source.
    SavedClaim {
        /// Its number.
        0 source: u32,
        /// `msi` or `lsi`.
        1 kind: String,
        /// Whether its line is high.
        2 high: bool,
    }
    /// What the controllers have in common.
    SavedIntc = "intc" version 1 {
        /// The controller in charge: `xics` or `xive`.
        0 active: String,
        /// Device sources.
        1 sources: Vec<SavedClaim>,
    }
    /// A presentation controller.
    SavedIcp {
        /// Server number.
        0 server: u32,
        /// CPPR and XISR.
        1 xirr: u32,
        /// Priority of what is pending.
        2 pending_priority: u8,
        /// Priority of the inter-processor interrupt.
        3 mfrr: u8,
    }
    /// A source.
    SavedIcs {
        /// Its number.
        0 source: u32,
        /// Where it goes.
        1 server: u32,
        /// With which priority.
        2 priority: u8,
        /// What ibm,int-on restores.
        3 saved_priority: u8,
        /// 1 asserted, 2 sent, 4 rejected, 8 pending while masked.
        4 status: u8,
        /// 1 level, 2 edge.
        5 flags: u8,
    }
    /// XICS in charge.
    SavedXics = "xics" version 1 {
        /// One for each vCPU.
        0 presenters: Vec<SavedIcp>,
        /// Claimed ones.
        1 sources: Vec<SavedIcs>,
    }
    /// A XIVE source.
    SavedEsb {
        /// Its number.
        0 source: u32,
        /// P and Q.
        1 pq: u8,
        /// Whether the line of a level source is high.
        2 high: bool,
        /// Its assignment, in the layout of the book.
        3 eas: u64,
    }
    /// An event notification descriptor.
    SavedEnd {
        /// vcpu id * 8 + priority.
        0 index: u32,
        /// In the layout of the book.
        1 words: [u32; 8],
    }
    /// The OS ring of a thread context.
    SavedRing {
        /// vcpu id.
        0 vcpu: u32,
        /// Notification source.
        1 nsr: u8,
        /// Current priority.
        2 cppr: u8,
        /// Pending priorities.
        3 ipb: u8,
        /// Logical server's most favoured backlog.
        4 lsmfb: u8,
        /// Acknowledge count.
        5 ack_cnt: u8,
        /// Increment.
        6 inc: u8,
        /// Age.
        7 age: u8,
        /// Most urgent pending priority.
        8 pipr: u8,
        /// Word 2.
        9 word2: u32,
    }
    /// XIVE in charge.
    SavedXive = "xive" version 1 {
        /// Those that are not in the state of a reset.
        0 sources: Vec<SavedEsb>,
        /// Those that are not in the state of a reset.
        1 ends: Vec<SavedEnd>,
        /// One for each vCPU.
        2 contexts: Vec<SavedRing>,
    }
}

fn kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Msi => "msi",
        SourceKind::Lsi => "lsi",
    }
}

/// The level of a line that is [`Level::High`] or not, by index.
const LEVELS: [Level; 2] = [Level::Low, Level::High];

impl Active {
    /// Its name in saved state.
    pub fn name(self) -> &'static str {
        match self {
            Active::Xics => "xics",
            Active::Xive => "xive",
        }
    }

    /// The one of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn named(name: &str) -> Result<Active, Bad> {
        [Active::Xics, Active::Xive]
            .into_iter()
            .find(|a| a.name() == name)
            .ok_or_else(|| Bad::new(format!("there is no interrupt controller {name:?}")))
    }
}

/// All of an interrupt controller.
#[derive(Clone, PartialEq, Debug)]
pub struct Saved {
    common: SavedIntc,
    xics: Option<SavedXics>,
    xive: Option<SavedXive>,
}

impl Saved {
    /// Takes the sections.
    ///
    /// # Errors
    /// One is missing or cannot be read.
    pub fn take(from: &Sections) -> crate::error::Result<Saved> {
        let common: SavedIntc = from.take(0)?;
        let active = Active::named(&common.active).map_err(|bad| crate::state::refusal("intc", bad.within("active")))?;
        let (xics, xive) = match active {
            Active::Xics => (Some(from.take(0)?), None),
            Active::Xive => (None, Some(from.take(0)?)),
        };
        Ok(Saved { common, xics, xive })
    }

    /// The sections.
    pub fn pack(&self) -> Vec<Packed> {
        let common = std::iter::once(Packed::new(0, &self.common));
        common.chain(self.xics.iter().map(|x| Packed::new(0, x))).chain(self.xive.iter().map(|x| Packed::new(0, x))).collect()
    }
}

impl Intc {
    /// A copy of all state.
    pub fn save(&self) -> Saved {
        let claim = |(n, kind): (usize, &Option<SourceKind>)| {
            let kind = kind_name((*kind)?).to_string();
            Some(SavedClaim { source: SOURCE_BASE + n as u32, kind, high: self.lines[n] == Level::High })
        };
        let sources = self.claimed.iter().enumerate().filter_map(claim).collect();
        let (xics, xive) = match self.active {
            Active::Xics => (self.xics.as_ref().map(Xics::save), None),
            Active::Xive => (None, self.xive.as_ref().map(Xive::save)),
        };
        Saved { common: SavedIntc { active: self.active.name().into(), sources }, xics, xive }
    }

    /// Becomes what was saved.
    ///
    /// # Errors
    /// The section at fault, and what does not fit this controller; the state is then that of a reset, or part of what was saved.
    pub fn restore(&mut self, saved: &Saved) -> Result<(), (&'static str, Bad)> {
        let active = Active::named(&saved.common.active).map_err(|bad| ("intc", bad.within("active")))?;
        let possible = match self.config.mode {
            IntcMode::Xics => active == Active::Xics,
            IntcMode::Xive => active == Active::Xive,
            IntcMode::Dual => true,
        };
        if !possible {
            let bad = Bad::field("active", format!("this machine has no {}", active.name().to_uppercase()));
            return Err(("intc", bad.advising("use the ic-mode of the machine that was saved")));
        }
        let here = self.save().common.sources;
        let claims = |list: &[SavedClaim]| list.iter().map(|c| (c.source, c.kind.clone())).collect::<Vec<_>>();
        if claims(&here) != claims(&saved.common.sources) {
            let bad = Bad::field("sources", "this machine's devices use other interrupts");
            return Err(("intc", bad.advising("use the devices of the machine that was saved")));
        }
        self.switch(active);
        for claim in &saved.common.sources {
            self.lines[(claim.source - SOURCE_BASE) as usize] = LEVELS[usize::from(claim.high)];
        }
        if let (Active::Xics, Some(to), Some(from)) = (active, &mut self.xics, &saved.xics) {
            to.restore(from).map_err(|bad| ("xics", bad))?;
        }
        if let (Active::Xive, Some(to), Some(from)) = (active, &mut self.xive, &saved.xive) {
            to.restore(from).map_err(|bad| ("xive", bad))?;
        }
        Ok(())
    }
}

/// Refuses lists that are not about the same things, by number.
fn same(field: &str, here: &[u32], saved: &[u32]) -> Result<(), Bad> {
    if here == saved {
        return Ok(());
    }
    let bad = Bad::field(field, format!("they are {saved:?}, and this machine's are {here:?}"));
    Err(bad.advising("use the topology (smp, vsmt) of the machine that was saved"))
}

impl Xics {
    fn save(&self) -> SavedXics {
        let state = self.state();
        let presenter = |(server, s): (VcpuId, IcpState)| SavedIcp {
            server: server.0,
            xirr: s.xirr,
            pending_priority: s.pending_priority,
            mfrr: s.mfrr,
        };
        let source = |(n, s): (usize, SourceState)| SavedIcs {
            source: SOURCE_BASE + n as u32,
            server: s.server,
            priority: s.priority,
            saved_priority: s.saved_priority,
            status: s.status,
            flags: s.flags,
        };
        SavedXics {
            presenters: state.presenters.into_iter().map(presenter).collect(),
            sources: state.sources.into_iter().enumerate().filter(|(_, s)| s.flags != 0).map(source).collect(),
        }
    }

    fn restore(&mut self, from: &SavedXics) -> Result<(), Bad> {
        let here = self.save();
        let servers = |list: &[SavedIcp]| list.iter().map(|p| p.server).collect::<Vec<_>>();
        same("presenters", &servers(&here.presenters), &servers(&from.presenters))?;
        let sources = |list: &[SavedIcs]| list.iter().flat_map(|s| [s.source, s.flags.into()]).collect::<Vec<_>>();
        same("sources", &sources(&here.sources), &sources(&from.sources))?;
        for s in &from.sources {
            let state =
                SourceState { server: s.server, priority: s.priority, saved_priority: s.saved_priority, status: s.status, flags: s.flags };
            self.ics.set(s.source.saturating_sub(SOURCE_BASE) as usize, state);
        }
        for p in &from.presenters {
            let state = IcpState { xirr: p.xirr, pending_priority: p.pending_priority, mfrr: p.mfrr };
            if let Some(icp) = self.icps.get_mut(p.server as usize).and_then(Option::as_mut) {
                icp.set(state);
            }
        }
        Ok(())
    }
}

impl Xive {
    fn save(&self) -> SavedXive {
        let state = self.state();
        let source = |(n, (esb, eas)): (usize, (&EsbState, &Eas))| {
            let reset = EsbState { kind: esb.kind, ..EsbState::RESET } == *esb && (*eas == Eas::default() || *eas == Eas::CLAIMED);
            (!reset).then(|| SavedEsb { source: n as u32, pq: esb.pq as u8, high: esb.line == Level::High, eas: eas.0 })
        };
        let end = |(n, e): (usize, &EndState)| (*e != EndState::RESET).then_some(SavedEnd { index: n as u32, words: e.w });
        let ring = |(vcpu, r): &(VcpuId, RingState)| SavedRing {
            vcpu: vcpu.0,
            nsr: r.nsr,
            cppr: r.cppr,
            ipb: r.ipb,
            lsmfb: r.lsmfb,
            ack_cnt: r.ack_cnt,
            inc: r.inc,
            age: r.age,
            pipr: r.pipr,
            word2: r.word2,
        };
        SavedXive {
            sources: state.sources.iter().zip(&state.assignments).enumerate().filter_map(source).collect(),
            ends: state.ends.iter().enumerate().filter_map(end).collect(),
            contexts: state.contexts.iter().map(ring).collect(),
        }
    }

    fn restore(&mut self, from: &SavedXive) -> Result<(), Bad> {
        let here = self.save();
        let ids = |list: &[SavedRing]| list.iter().map(|r| r.vcpu).collect::<Vec<_>>();
        same("contexts", &ids(&here.contexts), &ids(&from.contexts))?;
        for (n, s) in from.sources.iter().enumerate() {
            let place = Lisn(s.source).0 as usize;
            let (Some(esb), Some(eas)) = (self.esbs.get_mut(place), self.eas.get_mut(place)) else {
                return Err(Bad::field(format!("sources[{n}].source"), format!("there is no source {:#x}", s.source)));
            };
            if s.pq > 3 || Eas(s.eas).is_valid() != eas.is_valid() {
                let problem = format!("P and Q {:#x} and assignment {:#x} cannot be those of source {:#x}", s.pq, s.eas, s.source);
                return Err(Bad::field(format!("sources[{n}]"), problem));
            }
            (esb.pq, esb.line) = (Pq::of_bits(s.pq.into()), LEVELS[usize::from(s.high)]);
            *eas = Eas(s.eas);
        }
        for (n, e) in from.ends.iter().enumerate() {
            let end = self.ends.get_mut(e.index as usize);
            *end.ok_or_else(|| Bad::field(format!("ends[{n}].index"), format!("there is no descriptor {}", e.index)))? =
                EndState { w: e.words };
        }
        for r in &from.contexts {
            if let Some(context) = self.contexts.get_mut(r.vcpu as usize).and_then(Option::as_mut) {
                context.set(RingState {
                    nsr: r.nsr,
                    cppr: r.cppr,
                    ipb: r.ipb,
                    lsmfb: r.lsmfb,
                    ack_cnt: r.ack_cnt,
                    inc: r.inc,
                    age: r.age,
                    pipr: r.pipr,
                    word2: r.word2,
                });
            }
        }
        Ok(())
    }
}
