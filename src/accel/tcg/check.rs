//! Self-check: of the blocks that are executed, one in so many is done by the interpreter too, and what comes of the two is compared.
//!
//! ```text
//!  state before ─→ interpreter, noting what it overwrites ─→ undo ─→ translated code ─→ look ─→ undo ─→ interpreter, as many instructions ─→ compare
//! ```
//!
//! Stores happen twice that way, so nobody else may be storing meanwhile: one vCPU, or vCPUs that take turns. Blocks whose effects are not all in registers and memory (time, chance,
//! invalidations, messages) are left out.

use crate::accel::Exit;
use crate::accel::interp::Interp;
use crate::accel::interp::Trap;
use crate::accel::interp::access::LINE;
use crate::accel::interp::access::Overwritten;
use crate::accel::interp::block::Decoded;
use crate::accel::interp::block::tells_time;
use crate::accel::tcg::Translator;
use crate::cpu::CpuState;
use crate::cpu::interrupt::Interrupt;
use crate::error::Error;
use crate::isa::disasm::disassemble;
use crate::random::Seeded;
use crate::units::Ra;
use std::fmt::Write;

/// Instructions of a block on average, for reckoning in blocks.
const BLOCK: u64 = 8;

/// When to check, and what was found.
pub(super) struct Check {
    every: u64,
    /// Instructions until the next check.
    left: u64,
    chance: Seeded,
    /// Blocks checked.
    pub(super) done: u64,
    /// What differs.
    found: Option<String>,
}

impl Check {
    /// Checks one block in about `every`.
    pub(super) fn new(every: u64) -> Check {
        Check { every: every.max(1), left: 0, chance: Seeded::new(every, 0), done: 0, found: None }
    }

    /// Instructions that may be executed before the next check.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// So many were.
    pub(super) fn executed(&mut self, instructions: u64) {
        self.left = self.left.saturating_sub(instructions);
    }

    /// What was found, as the error that ends the machine.
    pub(super) fn take(&mut self) -> Option<Error> {
        let problem = self.found.take()?;
        let hint = "this is a fault of spapr's translator: please report it with these lines, and use accel=\"interp\" meanwhile".into();
        Some(Error::Accel { accel: "tcg".into(), problem, hint })
    }
}

/// What an execution came to.
struct End {
    state: Box<CpuState>,
    trap: Option<Trap>,
    interrupt: Option<Interrupt>,
    exit: Option<Exit>,
}

impl End {
    /// What `cpu` has come to; takes what it was about to do out of it.
    fn of(cpu: &mut Interp, trap: Option<Trap>) -> End {
        let c = &mut cpu.core;
        End { state: Box::new(c.state.clone()), trap, interrupt: c.interrupt.take(), exit: c.exiting.take() }
    }
}

/// Whether everything that the instruction does can be done twice and compared.
fn repeatable(d: &Decoded) -> bool {
    let name = d.row.map_or("", |r| r.name);
    !tells_time(d) && name != "darn" && !["tlb", "slb", "msg"].iter().any(|kind| name.starts_with(kind))
}

/// Executes `n` instructions at most by the interpreter, without its TLB; what it came to, and what was overwritten.
fn interpret(cpu: &mut Interp, n: u64) -> (End, Overwritten) {
    cpu.core.overwritten = Some(Overwritten::default());
    let mut trap = None;
    for _ in 0..n {
        cpu.core.tlb.select_none();
        if let Err((_, failed)) = cpu.block(1) {
            trap = Some(failed);
            break;
        }
    }
    let log = cpu.core.overwritten.take().unwrap_or_default();
    (End::of(cpu, trap), log)
}

/// What is now where `log` says that something was overwritten.
fn present(cpu: &Interp, log: &Overwritten) -> Overwritten {
    let line = |at: &u64| {
        let mut now = [0; LINE];
        cpu.core.tlb.memory.read(Ra(*at), &mut now).expect("it was stored to, so it is in RAM");
        (*at, now)
    };
    log.keys().map(line).collect()
}

/// Puts back what was overwritten.
fn undo(cpu: &Interp, log: &Overwritten) {
    log.iter().for_each(|(at, old)| cpu.core.tlb.memory.write(Ra(*at), old).expect("it was stored to, so it is in RAM"));
}

impl Translator {
    /// Executes the block at NIP both ways; as [`Translator::burn`], which does it alone where it cannot be compared.
    pub(super) fn checked(&mut self, cpu: &mut Interp, fuel: i64) -> Result<u64, (u64, Trap)> {
        let nip = cpu.core.nip;
        let listing = self.cache.listing(&mut cpu.core, &mut self.counts).map_err(|t| (0, t))?;
        let check = self.check.as_mut().expect("whoever checks has one");
        check.left = 1 + check.chance.next() % (2 * BLOCK * check.every);
        let n = listing.len() as i64;
        if n > fuel || !listing.iter().all(|(_, d)| repeatable(d)) {
            let some = i64::try_from(check.left).unwrap_or(fuel);
            return self.burn(cpu, fuel.min(some));
        }
        check.done += 1;
        let before = Box::new(cpu.core.state.clone());
        let kept = (cpu.core.slice, cpu.core.local);
        let again = |cpu: &mut Interp| {
            cpu.core.state = (*before).clone();
            (cpu.core.slice, cpu.core.local) = kept;
            cpu.core.recontext();
        };
        let (_, log) = interpret(cpu, n as u64);
        undo(cpu, &log);
        again(cpu);
        let translated = self.burn(cpu, n);
        cpu.core.words.given = 0;
        let (done, trap) = match translated {
            Ok(done) => (done, None),
            Err((done, trap)) => (done, Some(trap)),
        };
        let after = (cpu.core.slice, cpu.core.local);
        let (theirs, stored) = (End::of(cpu, trap), present(cpu, &log));
        undo(cpu, &log);
        again(cpu);
        let (ours, _) = interpret(cpu, done);
        let differs = difference(&ours, &theirs) + &memory_difference(&present(cpu, &log), &stored);
        // On as translated code left it; memory is as the interpreter left it, which is the same.
        cpu.core.state = *theirs.state;
        (cpu.core.interrupt, cpu.core.exiting) = (theirs.interrupt, theirs.exit);
        (cpu.core.slice, cpu.core.local) = after;
        cpu.core.recontext();
        if differs.is_empty() {
            return translated;
        }
        let page = nip & !0xfff;
        let line = |(slot, d): &(u16, Decoded)| {
            let at = page + 4 * u64::from(*slot);
            format!("\n  {at:#x}: {}", disassemble(d.op.insn, at))
        };
        let code: String = listing.iter().map(line).collect();
        let check = self.check.as_mut().expect("it was there");
        check.found = Some(format!("translated code does something else than the interpreter in the block at {nip:#x}:{code}{differs}\n"));
        cpu.core.exiting = Some(Exit::Kicked);
        Err((done, Trap::Exit))
    }
}

/// Registers that differ, and how the executions ended, a line each.
fn difference(ours: &End, theirs: &End) -> String {
    let mut text = String::new();
    let mut line = |name: String, a: u64, b: u64| {
        if a != b {
            write!(text, "\n  {name}: {a:#x} by the interpreter, {b:#x} translated").expect("a string takes everything");
        }
    };
    let (a, b) = (&*ours.state, &*theirs.state);
    let named = [
        ("nip", a.nip, b.nip),
        ("msr", a.msr.0, b.msr.0),
        ("cr", u64::from(a.cr.pack()), u64::from(b.cr.pack())),
        ("xer", a.xer.pack(), b.xer.pack()),
        ("lr", a.lr, b.lr),
        ("ctr", a.ctr, b.ctr),
        ("fpscr", a.fpscr.0, b.fpscr.0),
        ("vscr", u64::from(a.vscr), u64::from(b.vscr)),
        ("reservation", a.reservation.map_or(1, |r| r.ea), b.reservation.map_or(1, |r| r.ea)),
    ];
    named.into_iter().for_each(|(name, a, b)| line(name.into(), a, b));
    (0..32).for_each(|n| line(format!("r{n}"), a.gpr[n], b.gpr[n]));
    (0..128).for_each(|n| line(format!("vs{}[{}]", n / 2, n % 2), a.vsr[n / 2].0[n % 2], b.vsr[n / 2].0[n % 2]));
    (0..1024).for_each(|n| line(format!("spr {n}"), a.spr[n], b.spr[n]));
    if (ours.trap, ours.interrupt, ours.exit) != (theirs.trap, theirs.interrupt, theirs.exit) {
        let end = |e: &End| format!("{:?} {:?} {:?}", e.trap, e.interrupt, e.exit);
        write!(text, "\n  end: {} by the interpreter, {} translated", end(ours), end(theirs)).expect("a string takes everything");
    }
    text
}

/// Doublewords of RAM that differ, a line each.
fn memory_difference(ours: &Overwritten, theirs: &Overwritten) -> String {
    let mut text = String::new();
    for ((at, a), b) in ours.iter().zip(theirs.values()).filter(|((_, a), b)| a != b) {
        for k in (0..LINE).step_by(8).filter(|k| a[*k..k + 8] != b[*k..k + 8]) {
            let double = |line: &[u8; LINE]| u64::from_be_bytes(std::array::from_fn(|n| line[k + n]));
            let at = at + k as u64;
            write!(text, "\n  real {at:#x}: {:#x} by the interpreter, {:#x} translated", double(a), double(b))
                .expect("a string takes everything");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::accel::Exit;
    use crate::accel::Parts;
    use crate::accel::Vcpu;
    use crate::accel::interp::block::Decoded;
    use crate::accel::tcg::Options;
    use crate::accel::tcg::Tcg;
    use crate::isa::Insn;
    use crate::isa::cpu_model;
    use crate::isa::regs::Msr;
    use crate::memory::GuestMemory;
    use crate::mmu::partition::Partition;
    use crate::units::Ra;
    use std::sync::Arc;

    const CODE: u64 = 0x1_0000;
    /// addi r3,r3,1; stwu r3,4(r4); lwz r5,0(r4); bdnz; b .
    const LOOP: [u32; 5] = [0x3863_0001, 0x9464_0004, 0x80a4_0000, 0x4200_fff4, 0x4800_0000];

    /// A translator that checks each block and translates `wrong` in place of the instruction `of` of the loop.
    fn spoiled(of: u32, wrong: u32) -> Tcg {
        let memory = Arc::new(GuestMemory::new(1 << 20).unwrap());
        LOOP.iter().enumerate().for_each(|(k, word)| memory.write_u32(Ra(CODE + 4 * k as u64), *word).unwrap());
        let model = cpu_model::by_name("power9_v2.2").unwrap();
        let mut tcg = Tcg::new(Parts::lone(model, Arc::new(Partition::new(memory))), Options::default()).unwrap();
        tcg.self_check(1);
        tcg.translator.cache.spoil(move |block: &mut Vec<(u16, Decoded)>| {
            let bad = block.iter_mut().filter(|(_, d)| d.op.insn.0 == u64::from(of));
            bad.for_each(|(_, d)| d.op.insn = Insn(u64::from(wrong)));
        });
        let s = tcg.state_mut();
        (s.msr, s.nip, s.ctr, s.gpr[4], s.dec_expiry) = (Msr(Msr::SF), CODE, 1000, 0x2_0000, i64::MAX as u64);
        tcg
    }

    #[test]
    fn right_code_passes_and_memory_is_stored_to_once() {
        let mut tcg = spoiled(0, 0);
        assert_eq!(tcg.run(Some(4000)).unwrap(), Exit::Budget);
        assert_eq!((tcg.state().gpr[3], tcg.state().gpr[5], tcg.state().gpr[4]), (1000, 1000, 0x2_0000 + 4000));
        assert!(Vcpu::counts(&tcg).iter().any(|(name, n)| name == "blocks checked" && *n > 20));
    }

    #[test]
    fn a_broken_template_is_caught_and_named() {
        // addi r3,r3,2; stwu r3,8(r4); stw r5 in place of r3, whose words are the same but one
        for (of, wrong, named) in [(LOOP[0], 0x3863_0002, "r3: "), (LOOP[1], 0x9464_0008, "r4: "), (LOOP[1], 0x94a4_0004, "real 0x2000")] {
            let error = spoiled(of, wrong).run(Some(4000)).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("block at 0x10000") && error.contains("stwu r3,4(r4)"), "{named}: {error}");
        }
    }
}
