//! `ibm,client-architecture-support`: what the guest can do meets what the machine offers (PAPR, "Client Architecture Support").
//!
//! A pure negotiation: the request's bytes and the machine's offer give either an [`Agreement`] or a refusal. Nothing is changed here; whoever called
//! switches the interrupt controller, resizes the hash table and builds the new tree. The order of the steps, and each message, follows QEMU, except that
//! what makes QEMU exit ends the *guest* here, with the same words.

use crate::intc::Active;
use crate::memory::GuestMemory;
use crate::spapr::cpus::COMPAT_MODES;
use crate::spapr::cpus::CompatMode;
use crate::spapr::cpus::Level;
use crate::spapr::devtree;
use crate::spapr::devtree::IsaKnowledge;
use crate::spapr::options::IcMode;
use crate::spapr::options::ResizeHpt;
use crate::spapr::ovec;
use crate::spapr::ovec::OptionVector;
use crate::spapr::spec::MachineSpec;
use crate::spapr::version::Form1;
use crate::units::Ra;

/// Most (mask, PVR) pairs that are read.
const PVRS_MAX: u64 = 512;

/// Vectors that are read; nobody looks at those behind option vector 5.
const VECTORS: u64 = 5;

/// What both sides settled on.
#[derive(Clone, Debug)]
pub struct Agreement {
    /// Compatibility mode; `None`: the processor itself.
    pub compat: Option<&'static CompatMode>,
    /// Option vector 5, both sides' bits.
    pub ov5: OptionVector,
    /// How new the guest says it is.
    pub knows_isa_3: IsaKnowledge,
    /// The interrupt controller to use from now on.
    pub ic: Active,
    /// Whether the guest will use the radix MMU.
    pub mmu: Mmu,
}

/// Which translation the guest announced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mmu {
    /// Radix trees.
    Radix,
    /// The hashed page table.
    Hash,
}

/// Why there is no agreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The request cannot be read: H_PARAMETER.
    Malformed,
    /// No processor version fits: H_HARDWARE.
    NoPvr,
    /// The guest insists on something the machine lacks. QEMU exits; the guest ends with this text.
    Fatal(String),
}

/// A guest's request, read.
struct Request {
    pvrs: Vec<(u32, u32)>,
    /// The first [`VECTORS`] at most.
    vectors: Vec<OptionVector>,
}

impl Request {
    fn read(memory: &GuestMemory, at: Ra) -> Result<Request, Refusal> {
        let mut at = at.0 & 0x0fff_ffff_ffff_ffff;
        let word = |n: &mut u64| {
            let v = memory.read_u32(Ra(*n)).map_err(|_| Refusal::Malformed);
            *n += 4;
            v
        };
        let mut pvrs = Vec::new();
        loop {
            let (mask, pvr) = (word(&mut at)?, word(&mut at)?);
            pvrs.push((mask, pvr));
            if !mask & pvr != 0 {
                break;
            }
            if pvrs.len() as u64 >= PVRS_MAX {
                return Err(Refusal::Malformed);
            }
        }
        let byte = |n: u64| memory.read_u8(Ra(n)).map_err(|_| Refusal::Malformed);
        let count = u64::from(byte(at)?) + 1;
        at += 1;
        let mut vectors = Vec::new();
        for _ in 0..count.min(VECTORS) {
            let len = u64::from(byte(at)?) + 1;
            let mut bytes = vec![0; len as usize];
            memory.read(Ra(at + 1), &mut bytes).map_err(|_| Refusal::Malformed)?;
            vectors.push(OptionVector::from_bytes(&bytes));
            at += 1 + len;
        }
        Ok(Request { pvrs, vectors })
    }

    /// Option vector `n`, counted from 1.
    fn vector(&self, n: usize) -> Result<&OptionVector, Refusal> {
        self.vectors.get(n - 1).ok_or(Refusal::Malformed)
    }
}

/// Negotiates the request at `at`.
pub fn negotiate(spec: &MachineSpec, memory: &GuestMemory, at: Ra) -> Result<Agreement, Refusal> {
    let request = Request::read(memory, at)?;
    let compat = choose_compat(spec, &request.pvrs)?;
    let (ov1, ov5) = (request.vector(1)?, request.vector(5)?);
    for (bit, what) in [
        (ovec::MMU_BOTH, "guest requested hash and radix MMU, which is invalid."),
        (ovec::XIVE_BOTH, "guest requested both the XICS and XIVE interrupt modes"),
    ] {
        if ov5.has(bit) {
            return Err(Refusal::Fatal(what.into()));
        }
    }
    if spec.resize_hpt == ResizeHpt::Required && !ov5.has(ovec::MMU_RADIX) && !ov5.has(ovec::HPT_RESIZE) {
        return Err(Refusal::Fatal(
            "h_client_architecture_support: Guest doesn't support HPT resizing, but resize-hpt is \"required\"".into(),
        ));
    }
    let guest_radix = ov5.has(ovec::MMU_RADIX);
    let mut agreed = devtree::offered_ov5(spec).and(ov5);
    let isa_3 = spec.cpu.offers(Level::V3_00, compat.or(spec.max_compat));
    if guest_radix && !(isa_3 && spec.mmu.radix) {
        return Err(Refusal::Fatal("Guest requested unavailable MMU mode (radix).".into()));
    }
    if !guest_radix && !spec.mmu.hash {
        return Err(Refusal::Fatal("Guest requested unavailable MMU mode (hash).".into()));
    }
    if !guest_radix {
        agreed.clear(ovec::RADIX_GTSE);
    }
    check_numa(spec, &agreed)?;
    let ic = choose_ic(spec, if ov5.has(ovec::XIVE_EXPLOIT) { Active::Xive } else { Active::Xics })?;
    let knows_isa_3 = if ov1.has(ovec::OV1_PPC_3_00) { IsaKnowledge::Isa3 } else { IsaKnowledge::Older };
    Ok(Agreement { compat, ov5: agreed, knows_isa_3, ic, mmu: if guest_radix { Mmu::Radix } else { Mmu::Hash } })
}

/// The best compatibility mode that guest, processor and max-cpu-compat share; the raw processor only if the guest lists it and no limit is set.
fn choose_compat(spec: &MachineSpec, pvrs: &[(u32, u32)]) -> Result<Option<&'static CompatMode>, Refusal> {
    let names = |record: &(u32, u32), version: u32| {
        let (mask, pvr) = *record;
        !mask & pvr == 0 && version & mask == pvr
    };
    // A record that matches the processor itself says nothing about modes.
    let (own, others): (Vec<_>, Vec<_>) = pvrs.iter().partition(|record| names(record, spec.cpu.pvr));
    let raw = !own.is_empty();
    let offered = |m: &&CompatMode| others.iter().any(|record| names(record, m.pvr));
    let modes: Vec<&'static CompatMode> = spec.cpu.modes(spec.max_compat).collect();
    let best = COMPAT_MODES.iter().rev().find(|m| modes.iter().any(|x| x.pvr == m.pvr) && offered(m));
    match best {
        Some(mode) => Ok(Some(mode)),
        None if raw && spec.max_compat.is_none() => Ok(None),
        None => Err(Refusal::NoPvr),
    }
}

fn check_numa(spec: &MachineSpec, agreed: &OptionVector) -> Result<(), Refusal> {
    if agreed.has(ovec::FORM2) || spec.compat.form1 != Form1::Computed {
        return Ok(());
    }
    for (k, node) in spec.nodes.iter().enumerate() {
        if spec.nodes.len() > 1 && (node.memory == 0 || node.cpus.is_empty()) {
            return Err(Refusal::Fatal(format!("Memory-less/cpu-less nodes are not supported with FORM1 NUMA (node {k})")));
        }
        if (0..k).any(|j| spec.distances[j][k] != spec.distances[k][j]) {
            return Err(Refusal::Fatal("Asymmetrical NUMA topologies aren't supported in the pSeries machine using FORM1 NUMA".into()));
        }
    }
    Ok(())
}

fn choose_ic(spec: &MachineSpec, wanted: Active) -> Result<Active, Refusal> {
    match (spec.ic, wanted) {
        (IcMode::Dual | IcMode::Xics, Active::Xics) => Ok(Active::Xics),
        (IcMode::Dual | IcMode::Xive, Active::Xive) => Ok(Active::Xive),
        (IcMode::Xive, Active::Xics) => Err(Refusal::Fatal(
            "Guest requested unavailable interrupt mode (XICS), try the ic-mode=xics or ic-mode=dual machine property".into(),
        )),
        (IcMode::Xics, Active::Xive) => Err(Refusal::Fatal(
            "Guest requested unavailable interrupt mode (XIVE), try the ic-mode=xive or ic-mode=dual machine property".into(),
        )),
    }
}
