//! The same program on the interpreter and on another accelerator: whatever it does, every register, all of RAM, every exit and the count of
//! instructions must be the same.
//!
//! A [`program::Program`] is a few blocks of random instructions that branch to each other on code pages that stores can reach, with pointers to page
//! ends, to pages without rights, to code and outside RAM, in both endiannesses, in real mode and under a radix tree. Interrupt handlers skip what
//! faulted, so that a program goes on. A [`world::World`] runs it. What differs is narrowed down to the first instruction after which it does.

pub mod program;
pub mod world;

use super::input::Input;
use program::Program;
use spapr::accel::AccelKind;
#[cfg(target_arch = "x86_64")]
use spapr::accel::Fp;
#[cfg(target_arch = "x86_64")]
use spapr::accel::Vcpu;
#[cfg(target_arch = "x86_64")]
use spapr::accel::tcg::Options;
#[cfg(target_arch = "x86_64")]
use spapr::accel::tcg::Tcg;
use world::End;
use world::World;

/// An accelerator as it is tested.
pub struct Candidate {
    /// For reports.
    pub name: &'static str,
    /// Makes a world that runs it.
    pub make: fn() -> World,
    /// Instructions that it is given at a time.
    pub step: u64,
}

/// Everything that must do what the interpreter does.
pub const CANDIDATES: &[Candidate] = &[
    Candidate { name: "interpreter, a few instructions at a time", make: || World::new(AccelKind::Interp), step: 7 },
    #[cfg(target_arch = "x86_64")]
    Candidate {
        name: "translator, an instruction a block",
        make: || translating(Options { longest: 1, ..Options::default() }),
        step: BUDGET,
    },
    #[cfg(target_arch = "x86_64")]
    Candidate { name: "translator", make: || World::new(AccelKind::Tcg), step: BUDGET },
    #[cfg(target_arch = "x86_64")]
    Candidate { name: "translator, some instructions at a time", make: || World::new(AccelKind::Tcg), step: 23 },
    #[cfg(target_arch = "x86_64")]
    Candidate {
        name: "translator, floating point by functions",
        make: || translating(Options { fp: Fp::Exact, ..Options::default() }),
        step: BUDGET,
    },
    #[cfg(target_arch = "x86_64")]
    Candidate { name: "translator that checks itself", make: checking, step: BUDGET },
    #[cfg(target_arch = "x86_64")]
    Candidate { name: "translator with little room", make: || translating(Options { buffer: 0, ..Options::default() }), step: BUDGET },
];

/// A world that runs the translator with these options.
#[cfg(target_arch = "x86_64")]
fn translating(options: Options) -> World {
    World::with(move |parts| Box::new(Tcg::new(parts, options).expect("this host has it")))
}

/// A world whose translator compares one block in about two with the interpreter itself.
#[cfg(target_arch = "x86_64")]
fn checking() -> World {
    World::with(|parts| {
        let mut vcpu = Tcg::new(parts, Options::default()).expect("this host has it");
        vcpu.self_check(2);
        Box::new(vcpu)
    })
}

/// The interpreter.
pub fn reference() -> World {
    World::new(AccelKind::Interp)
}

/// Instructions that a program executes.
pub const BUDGET: u64 = 300;

/// What differs after a program, if anything does, with the first instruction after which it does.
pub fn difference(program: &Program, candidate: &Candidate) -> Option<String> {
    compare(program, candidate, BUDGET)?;
    // From an empty world, so that the budget alone decides.
    let mut budget = 1;
    let found = loop {
        if let Some(what) = compare(program, candidate, budget) {
            break what;
        }
        budget += 1;
        if budget > BUDGET {
            return Some(format!("{}: differs only after {BUDGET} instructions at once", candidate.name));
        }
    };
    let mut before = reference();
    let end = before.run(program, budget - 1, budget);
    Some(format!("{} differs after instruction {budget}, {}\n{found}", candidate.name, end.next()))
}

/// Runs a program of a fresh world on both.
fn compare(program: &Program, candidate: &Candidate, budget: u64) -> Option<String> {
    let ours = reference().run(program, budget, budget);
    let theirs = (candidate.make)().run(program, budget, candidate.step);
    ours.difference(&theirs)
}

/// The same on worlds that have run other programs, which cached translations may have survived.
pub fn difference_of_used(program: &Program, reference: &mut World, candidate: &Candidate, theirs: &mut World) -> Option<String> {
    let ours: End = reference.run(program, BUDGET, BUDGET);
    let other = theirs.run(program, BUDGET, candidate.step);
    ours.difference(&other)
}

/// One program on the interpreter and on every candidate.
pub fn run(data: &[u8]) {
    let program = Program::new(&mut Input::new(data));
    for candidate in CANDIDATES {
        if let Some(what) = difference(&program, candidate) {
            panic!("{what}\n{program}");
        }
    }
}

/// Bytes that choose different modes and rows.
pub fn seeds() -> Vec<Vec<u8>> {
    (0..16u8).map(|k| (0..900u32).map(|n| (n.wrapping_mul(0x9e37_79b9 ^ u32::from(k) << 8) >> 13) as u8).collect()).collect()
}
