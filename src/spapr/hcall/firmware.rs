//! Entries to firmware: RTAS, Open Firmware's client interface, client-architecture-support, and the tree that firmware hands
//! back (QEMU's private hypercalls F000 to F005).

use crate::fdt::Tree;
use crate::spapr::cas;
use crate::spapr::cas::Agreement;
use crate::spapr::cas::Refusal;
use crate::spapr::events::Class;
use crate::spapr::hcall::Caller;
use crate::spapr::hcall::Change;
use crate::spapr::hcall::H;
use crate::spapr::hcall::Outcome;
use crate::spapr::hcall::Who;
use crate::spapr::machine::Cause;
use crate::spapr::machine::Machine;
use crate::spapr::machine::MachineEvent;
use crate::spapr::machine::MmuMode;
use crate::spapr::machine::RunState;
use crate::spapr::ovec;
use crate::spapr::rtas;
use crate::spapr::version::UpdateDt;
use crate::spapr::vof::Ask;
use crate::units::Ra;

/// The top nibble of an address from real-mode firmware code does not count.
const ADDRESS: u64 = 0x0fff_ffff_ffff_ffff;
const FDT_MAGIC: u32 = 0xd00d_feed;
/// Largest flattened tree taken from a guest, in bytes.
const FDT_BYTES_MAX: u64 = 2 << 20;
/// Offset of the size in a flattened tree.
const FDT_SIZE_AT: u64 = 4;
/// Version word before the tree in client-architecture-support's reply.
const CAS_REPLY_VERSION: u32 = 1;
const CAS_REPLY_HEADER: u64 = 4;
/// What a client method answers when it failed.
const MINUS_ONE: u32 = u32::MAX;

/// KVMPPC_H_RTAS: address of the argument block.
pub fn rtas(m: &mut Machine, caller: Caller, [block, ..]: [u64; 9]) -> Outcome {
    rtas::dispatch(m, caller, Ra(block & ADDRESS))
}

/// Why there is no new tree.
enum CasFailure {
    Status(H),
    /// The guest cannot run here.
    Fatal(String),
}

/// ibm,client-architecture-support: settles what guest and machine have in common and gives the tree that says so. The vCPUs' new
/// compatibility mode is the caller's affair.
fn negotiate(m: &mut Machine, caller: Caller, request: Ra) -> Result<(Agreement, Tree), CasFailure> {
    let others = m.vcpus.iter().enumerate().filter(|(i, _)| *i != caller.cpu.0 as usize);
    if others.map(|(_, v)| v.run).any(|run| run != RunState::Stopped) {
        log::warn!("ibm,client-architecture-support was called while several vCPUs run");
        return Err(CasFailure::Status(H::MultiThreadsActive));
    }
    let agreed = cas::negotiate(&m.spec, &m.memory, request).map_err(|refusal| match refusal {
        Refusal::Malformed => CasFailure::Status(H::Parameter),
        Refusal::NoPvr => {
            log::warn!("Couldn't negotiate a suitable PVR during CAS");
            CasFailure::Status(H::Hardware)
        }
        Refusal::Fatal(text) => CasFailure::Fatal(text),
    })?;
    if agreed.mmu == cas::Mmu::Hash {
        let room = if agreed.ov5.has(ovec::HPT_RESIZE) { m.spec.ram } else { m.spec.maxmem };
        m.set_mmu(MmuMode::Hash).and_then(|()| m.grow_empty_hpt(room)).map_err(|_| CasFailure::Status(H::NoMem))?;
    }
    m.negotiated.ov5 = agreed.ov5.clone();
    m.negotiated.compat = agreed.compat;
    m.negotiated.knows_isa_3 = agreed.knows_isa_3;
    if m.intc.active() != agreed.ic {
        m.intc.switch(agreed.ic);
    }
    m.negotiated.ic = agreed.ic;
    m.connectors.reset();
    m.events.forget(Class::HotPlug);
    Ok((agreed, m.device_tree()))
}

/// The end of a client-architecture-support that agreed on something.
fn with_compat(agreed: &Agreement) -> Outcome {
    let change = Change::Compat(agreed.compat.map_or(0, |mode| mode.pvr));
    Outcome::OnVcpus { who: Who::All, change, status: H::Success }
}

fn guest_cannot_go_on(text: String) -> Outcome {
    Outcome::Event(MachineEvent::Panicked(text), H::Hardware)
}

/// KVMPPC_H_CAS: option vectors, buffer for the tree, its size.
pub fn cas(m: &mut Machine, caller: Caller, [request, to, room, ..]: [u64; 9]) -> Outcome {
    let to = Ra(to & ADDRESS);
    // (departs: QEMU ends at a buffer that is too small)
    if room < CAS_REPLY_HEADER || !m.memory.contains(to, room) {
        return H::Parameter.into();
    }
    match negotiate(m, caller, Ra(request & ADDRESS)) {
        Err(CasFailure::Status(status)) => status.into(),
        Err(CasFailure::Fatal(text)) => guest_cannot_go_on(text),
        Ok((agreed, mut tree)) => {
            cas_only(&mut tree);
            let mut reply = CAS_REPLY_VERSION.to_be_bytes().to_vec();
            reply.extend(tree.to_dtb());
            if reply.len() as u64 > room || m.memory.write(to, &reply).is_err() {
                let text = format!("the device tree of {} bytes does not fit into the guest's buffer of {room}", reply.len());
                return guest_cannot_go_on(text);
            }
            m.tree_bytes = reply.len() as u64 - CAS_REPLY_HEADER;
            with_compat(&agreed)
        }
    }
}

/// Takes away what firmware that merges trees does not get anew: most of /chosen, and the reservations.
fn cas_only(tree: &mut Tree) {
    tree.reservations.clear();
    if let Some(chosen) = tree.root.child_mut("chosen") {
        chosen.properties.retain(|(name, _)| name == "rng-seed" || name == "ibm,architecture-vec-5");
    }
}

/// KVMPPC_H_VOF_CLIENT: address of the client interface's argument block.
pub fn vof_client(m: &mut Machine, caller: Caller, [block, ..]: [u64; 9]) -> Outcome {
    let Some(vof) = &mut m.vof else { return H::Function.into() };
    match vof.call(&m.memory, Ra(block & ADDRESS)) {
        Err(_) => H::Parameter.into(),
        Ok(None) => H::Success.into(),
        Ok(Some(Ask::Console(bytes))) => {
            if let Some(vty) = m.vtys.values_mut().next() {
                vty.put_chars(&bytes);
            }
            H::Success.into()
        }
        Ok(Some(Ask::Quiesce)) => {
            vof.answer(&m.memory, &[]);
            H::Success.into()
        }
        Ok(Some(Ask::Exit)) => Outcome::Event(MachineEvent::Shutdown(Cause::Guest), H::Success),
        Ok(Some(Ask::Cas(request))) => {
            let (rets, outcome) = match negotiate(m, caller, request) {
                Ok((agreed, tree)) => {
                    if let Some(vof) = &mut m.vof {
                        vof.renew(tree);
                    }
                    ([0, 0], with_compat(&agreed))
                }
                Err(CasFailure::Status(_)) => ([0, MINUS_ONE], H::Success.into()),
                Err(CasFailure::Fatal(text)) => ([0, MINUS_ONE], guest_cannot_go_on(text)),
            };
            if let Some(vof) = &mut m.vof {
                vof.answer(&m.memory, &rets);
            }
            outcome
        }
    }
}

/// KVMPPC_H_UPDATE_DT: address of firmware's final tree.
pub fn update_dt(m: &mut Machine, _: Caller, [at, ..]: [u64; 9]) -> Outcome {
    match m.spec.compat.update_dt {
        UpdateDt::Ignored => H::Success.into(),
        UpdateDt::Kept => match read_tree(m, Ra(at & ADDRESS)) {
            Some(tree) => {
                m.guest_tree = Some(tree);
                H::Success.into()
            }
            None => H::Parameter.into(),
        },
    }
}

/// The flattened tree at `at`, if that is what is there.
fn read_tree(m: &Machine, at: Ra) -> Option<Tree> {
    let magic = m.memory.read_u32(at).ok()?;
    let bytes = u64::from(m.memory.read_u32(Ra(at.0.checked_add(FDT_SIZE_AT)?)).ok()?);
    let most = if m.tree_bytes == 0 { FDT_BYTES_MAX } else { FDT_BYTES_MAX.min(2 * m.tree_bytes) };
    if magic != FDT_MAGIC || bytes > most {
        return None;
    }
    let mut tree = vec![0; bytes as usize];
    m.memory.read(at, &mut tree).ok()?;
    Tree::parse(&tree).ok()
}

impl Machine {
    /// Where the guest put its RTAS, as its tree says.
    pub fn rtas_base(&self) -> Option<u64> {
        let tree = self.guest_tree.as_ref().or(self.vof.as_ref().map(|vof| vof.tree()))?;
        tree.root.child("rtas")?.get_u32("linux,rtas-base").map(u64::from)
    }
}
