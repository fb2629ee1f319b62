//! mfspr and mtspr (ISA III, special purpose registers).
//!
//! `isa::spr` says which registers there are and who may use them; most are then plain storage. The ones that are more than storage have a
//! row in [`HOOKS`], with a function to read and one to write. Both are joined once, into an array by number.

use crate::accel::interp::Core;
use crate::accel::interp::Step;
use crate::accel::interp::Trap;
use crate::bits::ibm;
use crate::cpu::Xer;
use crate::cpu::interrupt::Interrupt;
use crate::cpu::timebase;
use crate::isa::Insn;
use crate::isa::regs::Fscr;
use crate::isa::regs::Lpcr;
use crate::isa::spr;
use crate::isa::spr::Spr;
use crate::isa::spr::Who;
use crate::isa::vectors::Vector;
use crate::signal;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Reads an SPR.
type Read = fn(&mut Core, usize) -> Result<u64, Trap>;
/// Writes an SPR.
type Write = fn(&mut Core, usize, u64) -> Step;

/// The registers that are more than storage.
#[rustfmt::skip] // One register per line.
static HOOKS: &[(usize, Read, Write)] = &[
    (spr::XER,      |c, _| Ok(c.xer.pack()),                  |c, _, v| { c.xer = Xer::unpack(v); Ok(()) }),
    (spr::LR,       |c, _| Ok(c.lr),                          |c, _, v| { c.lr = v; Ok(()) }),
    (spr::CTR,      |c, _| Ok(c.ctr),                         |c, _, v| { c.ctr = v; Ok(()) }),
    (spr::DSCR_U,   |c, _| { check(c, Fscr::DSCR, Fscr::IC_DSCR)?; Ok(c.spr[spr::DSCR]) },
                    |c, _, v| { check(c, Fscr::DSCR, Fscr::IC_DSCR)?; store(c, spr::DSCR, v) }),
    (spr::AMR_U,    |c, _| Ok(c.spr[spr::AMR]),               write_amr),
    (spr::AMR,      plain,                                    write_amr),
    (spr::IAMR,     plain,                                    write_under_amor),
    (spr::UAMOR,    plain,                                    write_under_amor),
    (spr::DEC,      read_dec,                                 write_dec),
    (spr::PIDR,     plain,                                    |c, n, v| context(c, n, v & 0xffff_ffff)),
    (spr::FSCR,     plain,                                    context),
    (spr::CTRL_R,   read_ctrl,                                store),
    (spr::CTRL_W,   plain,                                    |c, n, v| store(c, n, v & 1)),
    (spr::USPRG3,   |c, _| Ok(c.spr[spr::SPRG3]),             store),
    (spr::TB,       |c, _| Ok(c.timebase()),                  store),
    (spr::TBU,      |c, _| Ok(c.timebase() >> 32),            store),
    (spr::PURR,     |c, _| Ok(c.timebase()),                  store),
    (spr::SPURR,    |c, _| Ok(c.timebase()),                  store),
    (spr::VTB,      |c, _| Ok(c.clock_ticks().wrapping_add(c.vtb_offset)), store),
    (spr::IC,       |c, _| Ok(c.instructions),                store),
    (spr::PVR,      |c, _| Ok(u64::from(c.model.pvr)),        store),
    (spr::PIR,      |c, _| Ok(u64::from(c.id.0)),             store),
    (spr::DPDES,    read_dpdes,                               store),
    (spr::TFHAR,    no_tm,                                    |c, n, _| no_tm(c, n).map(|_| ())),
    (spr::TFIAR,    no_tm,                                    |c, n, _| no_tm(c, n).map(|_| ())),
    (spr::TEXASR,   no_tm,                                    |c, n, _| no_tm(c, n).map(|_| ())),
    (spr::TEXASRU,  no_tm,                                    |c, n, _| no_tm(c, n).map(|_| ())),
    (spr::PPR32,    |c, _| Ok(c.spr[spr::PPR] >> 32),         |c, _, v| store(c, spr::PPR, v << 32)),
    (spr::TAR,      |c, n| { check(c, Fscr::TAR, Fscr::IC_TAR)?; plain(c, n) },
                    |c, n, v| { check(c, Fscr::TAR, Fscr::IC_TAR)?; store(c, n, v) }),
    (spr::BESCR,    read_ebb,                                 |c, _, v| write_bescr(c, |_| v)),
    (spr::BESCRS,   |c, _| read_ebb(c, spr::BESCR),           |c, _, v| write_bescr(c, |old| old | v)),
    (spr::BESCRSU,  |c, _| Ok(read_ebb(c, spr::BESCR)? >> 32), |c, _, v| write_bescr(c, |old| old | (v << 32))),
    (spr::BESCRR,   |c, _| read_ebb(c, spr::BESCR),           |c, _, v| write_bescr(c, |old| old & !v)),
    (spr::BESCRRU,  |c, _| Ok(read_ebb(c, spr::BESCR)? >> 32), |c, _, v| write_bescr(c, |old| old & !(v << 32))),
    (spr::EBBHR,    read_ebb,                                 write_ebb),
    (spr::EBBRR,    read_ebb,                                 write_ebb),
    (spr::UMMCR0,   read_ummcr0,                              |c, n, v| write_pmu_masked(c, n, v, UMMCR0)),
    (spr::UMMCR2,   |c, n| Ok(read_pmu(c, n)? & UMMCR2),      |c, n, v| write_pmu_masked(c, n, v, UMMCR2)),
    (spr::UMMCRA,   read_pmu,                                 write_pmu),
    (spr::UMMCR3,   read_pmu,                                 write_pmu),
    (spr::UMMCR1,   read_pmu,                                 write_pmu),
    (spr::UPMC1,    read_pmu,                                 write_pmu),
    (spr::UPMC2,    read_pmu,                                 write_pmu),
    (spr::UPMC3,    read_pmu,                                 write_pmu),
    (spr::UPMC4,    read_pmu,                                 write_pmu),
    (spr::UPMC5,    read_pmu56,                               write_pmu56),
    (spr::UPMC6,    read_pmu56,                               write_pmu56),
    (spr::USIAR,    read_pmu,                                 write_pmu),
    (spr::USDAR,    read_pmu,                                 write_pmu),
    (spr::USIER,    read_pmu,                                 write_pmu),
    (spr::USIER2,   read_pmu,                                 write_pmu),
    (spr::USIER3,   read_pmu,                                 write_pmu),
];

/// One SPR number: its row and what to do.
#[derive(Clone, Copy)]
struct Slot {
    row: Option<&'static Spr>,
    read: Read,
    write: Write,
}

fn slots() -> &'static [Slot; 1024] {
    static SLOTS: OnceLock<Box<[Slot; 1024]>> = OnceLock::new();
    SLOTS.get_or_init(|| {
        let mut slots = Box::new([Slot { row: None, read: plain, write: store }; 1024]);
        spr::TABLE.iter().for_each(|row| slots[usize::from(row.number)].row = Some(row));
        for (number, read, write) in HOOKS {
            (slots[*number].read, slots[*number].write) = (*read, *write);
        }
        slots
    })
}

fn plain(c: &mut Core, n: usize) -> Result<u64, Trap> {
    Ok(c.spr[n])
}

fn store(c: &mut Core, n: usize, v: u64) -> Step {
    c.spr[n] = v;
    Ok(())
}

/// Stores what translation or decoding depends on. The block goes on: such a change need not be seen before a context synchronising
/// instruction, which ends one (ISA III, synchronisation requirements).
fn context(c: &mut Core, n: usize, v: u64) -> Step {
    c.spr[n] = v;
    c.recontext();
    Ok(())
}

/// A facility unavailable interrupt for `cause`, which FSCR\[IC\] will say (ISA III, facility unavailable).
#[cold]
pub(super) fn facility(c: &mut Core, cause: u64) -> Trap {
    let status = c.spr[spr::FSCR] & !Fscr::IC;
    c.spr[spr::FSCR] = status | (cause << 56);
    c.raise(Interrupt::new(Vector::FacilityUnavailable, 0))
}

/// Whether FSCR lets problem state use a facility.
fn check(c: &mut Core, bit: u64, cause: u64) -> Step {
    if c.problem_state() && !Fscr(c.spr[spr::FSCR]).has(bit) { Err(facility(c, cause)) } else { Ok(()) }
}

/// AMR: problem state changes only what UAMOR allows, the operating system what AMOR does (ISA III, AMR).
fn write_amr(c: &mut Core, _: usize, v: u64) -> Step {
    let mask = c.spr[if c.problem_state() { spr::UAMOR } else { spr::AMOR }];
    let new = (c.spr[spr::AMR] & !mask) | (v & mask);
    context(c, spr::AMR, new)
}

/// IAMR and UAMOR: what AMOR allows (ISA III, IAMR, UAMOR).
fn write_under_amor(c: &mut Core, n: usize, v: u64) -> Step {
    let mask = c.spr[spr::AMOR];
    let new = (c.spr[n] & !mask) | (v & mask);
    context(c, n, new)
}

/// Bits of the decrementer: 32, or more with LPCR\[LD\] (ISA III, DEC).
fn dec_bits(c: &Core) -> u32 {
    if Lpcr(c.spr[spr::LPCR]).has(Lpcr::LD) { c.model.decrementer_bits } else { 32 }
}

fn read_dec(c: &mut Core, _: usize) -> Result<u64, Trap> {
    let bits = dec_bits(c);
    let v = timebase::decrementer(c, c.now(), bits);
    Ok(if bits == 32 { v & 0xffff_ffff } else { v })
}

fn write_dec(c: &mut Core, _: usize, v: u64) -> Step {
    let (bits, now) = (dec_bits(c), c.now());
    timebase::set_decrementer(c, now, bits, v);
    c.rearm_decrementer();
    Ok(())
}

/// CTRL: the run latch, and the same as seen among the threads of the core (ISA III, CTRL).
fn read_ctrl(c: &mut Core, _: usize) -> Result<u64, Trap> {
    let run = c.spr[spr::CTRL_W] & 1;
    Ok(run | (run << (8 + (c.spr[spr::TIR] & 7))))
}

/// DPDES: this thread's own doorbell (ISA III, DPDES; departs: the core's other threads read 0).
fn read_dpdes(c: &mut Core, _: usize) -> Result<u64, Trap> {
    let pending = u64::from(c.signals.pending() & signal::DOORBELL != 0);
    Ok(pending << (c.spr[spr::TIR] & 63))
}

/// The registers of transactional memory: MSR\[TM\] is off (ISA III, facility unavailable).
fn no_tm(c: &mut Core, _: usize) -> Result<u64, Trap> {
    Err(facility(c, Fscr::IC_TM))
}

fn read_ebb(c: &mut Core, n: usize) -> Result<u64, Trap> {
    check(c, Fscr::EBB, Fscr::IC_EBB)?;
    plain(c, n)
}

fn write_ebb(c: &mut Core, n: usize, v: u64) -> Step {
    check(c, Fscr::EBB, Fscr::IC_EBB)?;
    store(c, n, v)
}

fn write_bescr(c: &mut Core, new: impl Fn(u64) -> u64) -> Step {
    let old = c.spr[spr::BESCR];
    write_ebb(c, spr::BESCR, new(old))
}

/// What problem state sees and changes of MMCR0: FC, PMAE, PMAO (ISA III, MMCR0).
const UMMCR0: u64 = ibm(32) | ibm(37) | ibm(56);
/// What problem state sees and changes of MMCR2: FCnP0 of the six counters (ISA III, MMCR2).
const UMMCR2: u64 = ibm(1) | ibm(10) | ibm(19) | ibm(28) | ibm(37) | ibm(46);

/// MMCR0\[PMCC\] (ISA III, MMCR0).
fn pmcc(c: &Core) -> u64 {
    (c.spr[spr::MMCR0] >> 18) & 3
}

/// The number of the register of which problem-state register `n` is a view.
const fn of_user(n: usize) -> usize {
    n + 16
}

/// A performance monitor register from problem state: PMCC 01 hides it.
fn read_pmu(c: &mut Core, n: usize) -> Result<u64, Trap> {
    if c.problem_state() && pmcc(c) == 1 { Err(facility(c, Fscr::IC_PMU)) } else { plain(c, of_user(n)) }
}

fn read_ummcr0(c: &mut Core, n: usize) -> Result<u64, Trap> {
    Ok(read_pmu(c, n)? & UMMCR0)
}

/// PMC5 and PMC6 are no part of the monitor with PMCC 11.
fn read_pmu56(c: &mut Core, n: usize) -> Result<u64, Trap> {
    if c.problem_state() && pmcc(c) == 3 { Err(facility(c, Fscr::IC_PMU)) } else { read_pmu(c, n) }
}

/// Problem state writes only with PMCC 10 or 11.
fn write_pmu(c: &mut Core, n: usize, v: u64) -> Step {
    write_pmu_masked(c, n, v, u64::MAX)
}

fn write_pmu56(c: &mut Core, n: usize, v: u64) -> Step {
    if c.problem_state() && pmcc(c) == 3 { Err(facility(c, Fscr::IC_PMU)) } else { write_pmu(c, n, v) }
}

fn write_pmu_masked(c: &mut Core, n: usize, v: u64, mask: u64) -> Step {
    if c.problem_state() {
        match pmcc(c) {
            0 => return c.illegal(),
            1 => return Err(facility(c, Fscr::IC_PMU)),
            _ => {}
        }
    }
    let n = of_user(n);
    let new = (c.spr[n] & !mask) | (v & mask);
    store(c, n, new)
}

/// What comes of an access by mfspr or mtspr, by the register's row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// A no-operation.
    Nothing,
    Privileged,
    Illegal,
}

fn verdict(c: &Core, n: usize, who: fn(&Spr) -> Who) -> Verdict {
    let isa = c.model.isa;
    let row = slots()[n].row.filter(|r| r.since <= isa && r.until.is_none_or(|end| isa < end));
    let problem = c.problem_state();
    match row.map_or(Who::Nobody, who) {
        Who::Problem => Verdict::Allowed,
        Who::Privileged if !problem => Verdict::Allowed,
        // Numbers with bit 0x10 are privileged whether they exist or not; of the others, a few are illegal in every state.
        Who::Privileged | Who::Hypervisor | Who::Nobody if problem && n & 0x10 != 0 => Verdict::Privileged,
        Who::Privileged | Who::Hypervisor | Who::Nobody if problem || matches!(n, 0 | 4..=6) => Verdict::Illegal,
        Who::Privileged | Who::Hypervisor | Who::Nobody => Verdict::Nothing,
    }
}

/// What is done with a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// mfspr.
    Read,
    /// mtspr.
    Write,
}

/// Whether register `n` may be accessed so in the present state, and is then storage and nothing else: for code that does it without asking.
pub fn is_storage(c: &Core, n: usize, to: Use) -> bool {
    let slot = &slots()[n];
    match to {
        Use::Read => std::ptr::fn_addr_eq(slot.read, plain as Read) && verdict(c, n, |r| r.read) == Verdict::Allowed,
        Use::Write => std::ptr::fn_addr_eq(slot.write, store as Write) && verdict(c, n, |r| r.write) == Verdict::Allowed,
    }
}

/// Names in the log, once for each, an SPR that an instruction touched in vain.
#[cold]
fn name_once(c: &Core, n: usize, doing: &str) {
    static NAMED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];
    if NAMED[n / 64].fetch_or(1 << (n % 64), Ordering::Relaxed) & (1 << (n % 64)) == 0 {
        let name = slots()[n].row.map_or("undefined", |r| r.name);
        log::debug!(target: "spapr.cpu", "{doing} SPR {n} ({name}) at {:#x} does nothing on {}", c.cia, c.model.name);
    }
}

/// mfspr (ISA III 5.4.4). A register that a partition does not have leaves RT as it was.
pub(super) fn mfspr(c: &mut Core, i: Insn) -> Step {
    let n = i.spr() as usize;
    match verdict(c, n, |r| r.read) {
        Verdict::Allowed => {
            let v = (slots()[n].read)(c, n)?;
            c.gpr[i.rt()] = v;
            Ok(())
        }
        Verdict::Nothing => {
            name_once(c, n, "mfspr of");
            Ok(())
        }
        Verdict::Privileged => c.privileged(),
        Verdict::Illegal => c.illegal(),
    }
}

/// mftb: mfspr of the timebase under its old name (ISA II 6.2.1).
pub(super) fn mftb(c: &mut Core, i: Insn) -> Step {
    match i.spr() as usize {
        spr::TB | spr::TBU => mfspr(c, i),
        _ => c.illegal(),
    }
}

/// mtspr (ISA III 5.4.4). A register that a partition does not have swallows the value.
pub(super) fn mtspr(c: &mut Core, i: Insn) -> Step {
    let (n, v) = (i.spr() as usize, c.gpr[i.rt()]);
    match verdict(c, n, |r| r.write) {
        Verdict::Allowed => (slots()[n].write)(c, n, v),
        Verdict::Nothing => {
            name_once(c, n, "mtspr to");
            Ok(())
        }
        Verdict::Privileged => c.privileged(),
        Verdict::Illegal => c.illegal(),
    }
}

#[cfg(test)]
#[path = "spr_tests.rs"]
mod tests;
