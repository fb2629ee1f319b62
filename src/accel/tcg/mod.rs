//! The translator: guest code becomes host code, a block at a time.
//!
//! ```text
//!  NIP ─→ cache: real page + mode + word ─→ block ─→ enter ─→ host code ─→ why it came back ─┐
//!            └─ decode (interp::block) ─→ emit (templates) ─→ buffer          links, jumps   │
//!  interp::run: signals, time, exits, single steps ←──────────────────────────────────────────┘
//! ```
//!
//! It is an [`Engine`] of the interpreter's run loop, on the interpreter's registers, TLB and rules: an instruction without a template calls its interpreter function,
//! an access that the TLB does not know is done by it, and where instructions are to be executed one by one the loop interprets. So the translator is complete from
//! its first template on, and what it adds can be compared with the interpreter at every instruction.
//!
//! * `emit` makes the code (how to add a template is told in `emit/x64/mod.rs`), one pass, no intermediate representation;
//! * `cache` finds, links and drops blocks; each vCPU has its own, so that nothing in it needs a lock;
//! * `buffer` is the memory for code, `exec` the border between Rust and translated code.
//!
//! **Interrupts.** A block takes as many instructions off its *fuel* as it has, and leaves when there are not enough; fuel is given out in slices, after each of which the run
//! loop looks at signals and time. Nothing else is polled in translated code. What cannot wait (an instruction that may enable interrupts, an invalidation) leaves at once, or takes
//! the fuel away ([`Core::look_soon`](crate::accel::interp::Core::look_soon)).
//!
//! **Precise state.** Pinned registers have fixed places at every host instruction; the address of an instruction is known at each call that may fail. So there is nothing to
//! unwind: what fails goes through `step`, which has everything in the vCPU before it calls.
//!
//! Only 64-bit mode is translated; in 32-bit mode the interpreter runs.

mod buffer;
mod cache;
mod check;
mod emit;
mod exec;
mod fp;
mod sites;

use crate::accel::Exit;
use crate::accel::Fp;
use crate::accel::Parts;
use crate::accel::Reply;
use crate::accel::Vcpu;
use crate::accel::Watch;
use crate::accel::interp::Interp;
use crate::accel::interp::Trap;
use crate::accel::interp::function;
use crate::accel::interp::run::Engine;
use crate::accel::tcg::buffer::CodeBuffer;
use crate::accel::tcg::cache::Cache;
use crate::accel::tcg::check::Check;
use crate::cpu::CpuState;
use crate::error::Error;
use crate::error::Result;
use crate::isa::regs::Msr;
use crate::isa::vectors::Vector;
use crate::random::Seeded;
use crate::signal::Signals;
use crate::units::CpuIndex;
use crate::units::VcpuId;
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of code that a vCPU keeps, unless told otherwise.
const BUFFER_BYTES: usize = 64 << 20;
/// Least bytes of code.
const BUFFER_LEAST: usize = 256 << 10;
/// Settings of the translator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Bytes of code that a vCPU keeps; when they are full, all is translated anew.
    pub buffer: usize,
    /// How floating-point instructions are computed.
    pub fp: Fp,
    /// Instructions of a block at most: with 1, a test of single instructions sees each of them translated.
    pub longest: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options { buffer: BUFFER_BYTES, fp: Fp::default(), longest: cache::BLOCK_MAX }
    }
}

/// What the translator did so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Blocks translated.
    pub blocks: u64,
    /// Instructions translated.
    pub translated: u64,
    /// Those of them that have no template.
    pub without_template: u64,
    /// Bytes of code made.
    pub bytes: u64,
    /// Links made.
    pub links: u64,
    /// Indirect branches that the jump cache did not know.
    pub lookups: u64,
    /// How often translated code was entered.
    pub entries: u64,
    /// Instructions that translated code had executed by their interpreter functions.
    pub steps: u64,
    /// How often there was no room for more code, and all was translated anew.
    pub clears: u64,
}

/// Why the translator cannot be used on this host, as the error that refuses it.
pub fn refusal() -> Option<Error> {
    // What templates use beyond the architecture's first version.
    let has = [
        ("avx2", std::arch::is_x86_feature_detected!("avx2")),
        ("bmi2", std::arch::is_x86_feature_detected!("bmi2")),
        ("fma", std::arch::is_x86_feature_detected!("fma")),
        ("lzcnt", std::arch::is_x86_feature_detected!("lzcnt")),
        ("movbe", std::arch::is_x86_feature_detected!("movbe")),
        ("popcnt", std::arch::is_x86_feature_detected!("popcnt")),
        ("tzcnt", std::arch::is_x86_feature_detected!("bmi1")),
    ];
    let missing: Vec<&str> = has.iter().filter(|(_, has)| !has).map(|(name, _)| *name).collect();
    (!missing.is_empty()).then(|| Error::Accel {
        accel: "tcg".into(),
        problem: format!("this host's processor lacks {}", missing.join(", ")),
        hint: "use accel=\"interp\", or leave it out".into(),
    })
}

/// A translating vCPU.
pub struct Tcg {
    interp: Interp,
    translator: Translator,
}

/// The engine.
struct Translator {
    cache: Cache,
    counts: Counts,
    check: Option<Check>,
}

impl Tcg {
    /// A vCPU with all registers zero.
    ///
    /// # Errors
    /// The host's processor is too old, or gives no memory for code.
    pub fn new(parts: Parts, options: Options) -> Result<Tcg> {
        if let Some(refused) = refusal() {
            return Err(refused);
        }
        let bytes = options.buffer.max(BUFFER_LEAST).next_multiple_of(BUFFER_LEAST);
        let buffer =
            CodeBuffer::new(bytes, bytes / 4).map_err(|source| Error::Host { doing: "map memory for translated code".into(), source })?;
        let mut tcg = Tcg {
            interp: Interp::new(parts),
            translator: Translator { cache: Cache::new(buffer, options.longest), counts: Counts::default(), check: None },
        };
        let c = &mut tcg.interp.core;
        c.words.constants = fp::CONSTANTS;
        c.words.host_fp = options.fp == Fp::Host;
        tcg.translator.cache.attach(c);
        c.words.flags = (c.tlb.memory.flags().as_ptr() as u64).wrapping_sub(c.tlb.memory.base() as u64 >> crate::memory::FLAG_SHIFT);
        Ok(tcg)
    }

    /// What the translator did so far.
    pub fn counts(&self) -> Counts {
        Counts { clears: self.translator.cache.clears(), steps: self.interp.core.words.steps, ..self.translator.counts }
    }
}

impl Tcg {
    /// What the interpreter's functions did for translated code, by mnemonics ("step addo"; several that share a function are named together), the most frequent first. A load or a store
    /// is there when the TLB did not know its page.
    fn steps(&self) -> Vec<(String, u64)> {
        let mut names: HashMap<usize, String> = HashMap::new();
        for row in crate::isa::table::rows() {
            if let Some(run) = function(row) {
                let name = names.entry(run as *const () as usize).or_insert_with(|| "step".into());
                *name += " ";
                *name += row.name;
            }
        }
        let counted = self.interp.core.words.steps_of.iter().filter(|(_, n)| *n != 0);
        let mut list: Vec<_> = counted.map(|(run, n)| (names.get(run).cloned().unwrap_or_else(|| "step refused".into()), *n)).collect();
        list.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        list
    }
}

impl Engine for Translator {
    const SLICE: i64 = 16 << 10;

    fn stretch(&mut self, cpu: &mut Interp, limit: u64) -> std::result::Result<u64, (u64, Trap)> {
        if !cpu.core.msr.has(Msr::SF) {
            return cpu.block(limit);
        }
        let fuel = cpu.core.slice.min(i64::try_from(limit).unwrap_or(i64::MAX));
        let done = match self.check.as_ref().map(Check::left) {
            None => self.burn(cpu, fuel),
            Some(0) => self.checked(cpu, fuel),
            Some(left) => self.burn(cpu, fuel.min(i64::try_from(left).unwrap_or(fuel))),
        };
        if let Some(check) = &mut self.check {
            check.executed(match done {
                Ok(n) | Err((n, _)) => n,
            });
        }
        cpu.core.words.given = 0;
        done
    }
}

impl Translator {
    /// Runs translated code for `fuel` instructions at most, whole blocks alone.
    fn burn(&mut self, cpu: &mut Interp, fuel: i64) -> std::result::Result<u64, (u64, Trap)> {
        let c = &mut cpu.core;
        self.cache.follow(c);
        let mut block = self.cache.find(c, &mut self.counts).map_err(|t| (0, t))?;
        (c.words.fuel, c.words.cut, c.words.given) = (fuel, 0, fuel);
        loop {
            let c = &mut cpu.core;
            self.cache.follow_flags(c);
            c.words.page = c.nip & !0xfff;
            let why = exec::enter(c, self.cache.enter(), self.cache.code(block));
            self.counts.entries += 1;
            let done = (fuel - c.words.fuel - c.words.cut) as u64;
            let found = match why {
                exec::FUEL if done == 0 && c.words.cut == 0 && fuel < c.slice => {
                    // Not enough for one block.
                    c.words.given = 0;
                    return cpu.block(fuel as u64);
                }
                exec::FUEL => {
                    c.slice = if fuel < c.slice { c.slice } else { 0 };
                    return Ok(done);
                }
                exec::INTERRUPT => return Err((done, Trap::Interrupt)),
                exec::EXIT => return Err((done, Trap::Exit)),
                exec::LOOK => return Ok(done),
                // The next block is not even fetched.
                exec::INDIRECT if c.words.fuel <= 0 => return Ok(done),
                exec::INDIRECT => {
                    self.counts.lookups += 1;
                    self.cache.find(c, &mut self.counts).inspect(|b| self.cache.remember(c, *b))
                }
                link => {
                    let number = (link - exec::LINK) as usize;
                    if c.words.fuel <= 0 {
                        self.cache.aim(c, number);
                        return Ok(done);
                    }
                    self.counts.links += 1;
                    self.cache.follow_link(c, number, &mut self.counts)
                }
            };
            block = found.map_err(|t| (done, t))?;
        }
    }
}

// Each call of the guest takes sixteen bytes of the host's stack until translated code is left.
const _: () = assert!(<Translator as Engine>::SLICE <= 16 << 10, "calls that do not return fit into the stack of a thread");

impl Vcpu for Tcg {
    fn index(&self) -> CpuIndex {
        self.interp.index()
    }

    fn id(&self) -> VcpuId {
        self.interp.id()
    }

    fn run(&mut self, budget: Option<u64>) -> Result<Exit> {
        let exit = self.interp.run_with(&mut self.translator, budget);
        self.translator.check.as_mut().and_then(Check::take).map_or(Ok(exit), Err)
    }

    fn complete(&mut self, reply: Reply) {
        self.interp.complete(reply);
    }

    fn half_done(&self) -> bool {
        self.interp.half_done()
    }

    fn abandon(&mut self) {
        self.interp.abandon();
    }

    fn take(&mut self, vector: Vector) {
        self.interp.take(vector);
    }

    fn state(&self) -> &CpuState {
        self.interp.state()
    }

    fn state_mut(&mut self) -> &mut CpuState {
        self.interp.state_mut()
    }

    fn instructions(&self) -> u64 {
        self.interp.instructions()
    }

    fn signals(&self) -> &Arc<Signals> {
        self.interp.signals()
    }

    fn ticks_until_decrementer(&self) -> u64 {
        self.interp.ticks_until_decrementer()
    }

    fn timebase(&self) -> u64 {
        self.interp.timebase()
    }

    fn counts(&self) -> Vec<(String, u64)> {
        let c = self.counts();
        let mut list: Vec<(String, u64)> = [
            ("blocks translated", c.blocks),
            ("instructions translated", c.translated),
            ("instructions translated without a template", c.without_template),
            ("bytes of code", c.bytes),
            ("times the code was full", c.clears),
            ("links made", c.links),
            ("lookups of indirect branches", c.lookups),
            ("entries into translated code", c.entries),
            ("instructions by the interpreter's function", c.steps),
        ]
        .map(|(name, n)| (name.to_string(), n))
        .into();
        list.extend(self.translator.check.as_ref().map(|check| ("blocks checked".to_string(), check.done)));
        list.extend(self.steps());
        list
    }

    fn self_check(&mut self, every: u64) {
        self.translator.check = Some(Check::new(every));
    }

    fn seed(&mut self, sequence: Seeded) {
        self.interp.seed(sequence);
    }

    fn set_breakpoints(&mut self, at: &[u64]) {
        self.interp.set_breakpoints(at);
        self.translator.cache.clear(&mut self.interp.core);
    }

    fn set_watches(&mut self, watches: &[Watch]) {
        self.interp.set_watches(watches);
    }
}
