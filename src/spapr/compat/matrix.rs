//! A whole matrix of moves at once.
//!
//! A [`Matrix`] is a product of axes over a source and a destination: each value of an axis changes some settings of one side or of both. A cell is a
//! number, the position in the product with the last axis fastest. The work is kept small by what cells share: those with the same values on the axes
//! of both sides form a group, in which each side is settled once for each combination of its own axes and then compared with every partner.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::error::Result;
use crate::spapr::compat::Codes;
use crate::spapr::compat::Judgement;
use crate::spapr::compat::Side;
use crate::spapr::compat::Verdict;
use crate::spapr::compat::judge;
use crate::spapr::compat::weigh;
use crate::spapr::spec::Settings;

/// Most cells of a matrix; a number of a cell then fits wherever Python and numpy keep it.
pub const CELLS_MAX: u64 = 1 << 40;

/// Whose settings an axis changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Both sides'.
    Both,
    /// The source's.
    Source,
    /// The destination's.
    Destination,
}

/// A value of an axis: what it changes.
pub type Change = Box<dyn Fn(&mut Settings) + Send + Sync>;

/// An axis.
pub struct Axis {
    /// Whose settings it changes.
    pub scope: Scope,
    /// Its values.
    pub values: Vec<Change>,
}

/// See the module.
pub struct Matrix {
    source: Settings,
    destination: Settings,
    axes: Vec<Axis>,
    strides: Vec<u64>,
    cells: u64,
}

/// What comes of a cell, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// The number of the first of the weightiest reasons' codes, if there is one.
    pub first: Option<u32>,
    /// The codes of all reasons, a bit each.
    pub codes: u64,
}

/// A cell taken apart: which combination of each scope's axes it is.
#[derive(Clone, Copy)]
struct Place {
    both: u64,
    source: u64,
    destination: u64,
    /// Where its outcome goes.
    at: usize,
}

impl Matrix {
    /// A matrix over two sides.
    ///
    /// # Errors
    /// An axis without values, or more cells than [`CELLS_MAX`].
    pub fn new(source: Settings, destination: Settings, axes: Vec<Axis>) -> Result<Matrix> {
        let mut cells = 1u64;
        let mut strides = vec![0; axes.len()];
        for (axis, stride) in axes.iter().zip(&mut strides).rev() {
            *stride = cells;
            cells = cells.saturating_mul(axis.values.len() as u64);
        }
        if cells == 0 || cells > CELLS_MAX {
            let problem = format!("{cells} cells are {}", if cells == 0 { "none: an axis is empty" } else { "too many" });
            return Err(Error::config("matrix", problem, "use axes with at least one value each, and fewer of them"));
        }
        Ok(Matrix { source, destination, axes, strides, cells })
    }

    /// How many cells there are.
    pub fn cells(&self) -> u64 {
        self.cells
    }

    /// The settings of both sides of a cell.
    ///
    /// # Panics
    /// There is no such cell.
    pub fn sides(&self, cell: u64) -> (Settings, Settings) {
        assert!(cell < self.cells, "cell {cell} of {}", self.cells);
        let (mut source, mut destination) = (self.source.clone(), self.destination.clone());
        for (axis, change) in self.changes(cell) {
            match axis.scope {
                Scope::Both => {
                    change(&mut source);
                    change(&mut destination);
                }
                Scope::Source => change(&mut source),
                Scope::Destination => change(&mut destination),
            }
        }
        (source, destination)
    }

    /// What a cell comes to, in words.
    ///
    /// # Panics
    /// There is no such cell.
    pub fn explain(&self, cell: u64) -> Judgement {
        let (source, destination) = self.sides(cell);
        judge(&Side::of(&source), &Side::of(&destination))
    }

    fn changes(&self, cell: u64) -> impl Iterator<Item = (&Axis, &Change)> {
        self.axes
            .iter()
            .zip(&self.strides)
            .map(move |(axis, stride)| (axis, &axis.values[(cell / stride % axis.values.len() as u64) as usize]))
    }

    fn place(&self, cell: u64, at: usize) -> Place {
        let mut place = Place { both: 0, source: 0, destination: 0, at };
        for (axis, stride) in self.axes.iter().zip(&self.strides) {
            let len = axis.values.len() as u64;
            let key = match axis.scope {
                Scope::Both => &mut place.both,
                Scope::Source => &mut place.source,
                Scope::Destination => &mut place.destination,
            };
            *key = *key * len + cell / stride % len;
        }
        place
    }

    /// The settings with the changes of one scope's axes, its combination taken from `key`.
    fn changed(&self, scope: Scope, mut key: u64, to: &mut Settings) {
        let axes: Vec<&Axis> = self.axes.iter().filter(|axis| axis.scope == scope).collect();
        let mut chosen = vec![0; axes.len()];
        for (axis, which) in axes.iter().zip(&mut chosen).rev() {
            let len = axis.values.len() as u64;
            (*which, key) = ((key % len) as usize, key / len);
        }
        for (axis, which) in axes.iter().zip(chosen) {
            axis.values[which](to);
        }
    }

    /// The outcomes of these cells, in their order, on as many threads as the host has processors.
    ///
    /// # Panics
    /// There is no such cell.
    pub fn check(&self, cells: &[u64]) -> Vec<Outcome> {
        let mut places: Vec<Place> = cells
            .iter()
            .enumerate()
            .map(|(at, &cell)| {
                assert!(cell < self.cells, "cell {cell} of {}", self.cells);
                self.place(cell, at)
            })
            .collect();
        places.sort_unstable_by_key(|place| place.both);
        let groups: Vec<&[Place]> = places.chunk_by(|a, b| a.both == b.both).collect();
        let next = AtomicUsize::new(0);
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).min(groups.len()).max(1);
        let work = || {
            let mut done: Vec<(usize, Outcome)> = Vec::new();
            while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.group(group, &mut done);
            }
            done
        };
        let mut all: Vec<Option<Outcome>> = vec![None; cells.len()];
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                for (at, outcome) in worker.join().expect("the rules do not panic") {
                    all[at] = Some(outcome);
                }
            }
        });
        all.into_iter().map(|outcome| outcome.expect("every cell is in one group")).collect()
    }

    /// The cells that share what both sides share.
    fn group(&self, group: &[Place], done: &mut Vec<(usize, Outcome)>) {
        let both = group[0].both;
        let (mut from, mut to) = (self.source.clone(), self.destination.clone());
        self.changed(Scope::Both, both, &mut from);
        self.changed(Scope::Both, both, &mut to);
        let side = |base: &Settings, scope: Scope, key: u64| {
            let mut settings = base.clone();
            self.changed(scope, key, &mut settings);
            Side::of(&settings)
        };
        let mut sources: HashMap<u64, Side> = HashMap::new();
        let mut destinations: HashMap<u64, Side> = HashMap::new();
        for place in group {
            let source = sources.entry(place.source).or_insert_with(|| side(&from, Scope::Source, place.source));
            let destination = destinations.entry(place.destination).or_insert_with(|| side(&to, Scope::Destination, place.destination));
            let mut codes = Codes::default();
            let verdict = weigh(source, destination, &mut codes);
            done.push((place.at, Outcome { verdict, first: codes.first.map(|(_, code)| code.number()), codes: codes.all }));
        }
    }
}
