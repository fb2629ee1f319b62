//! The table that is printed: a row, both figures, how many times faster we are, what must be reached, and whether it is.

use crate::common::median;

/// A line in the making.
#[derive(Default)]
pub struct Line {
    /// What was measured.
    pub name: String,
    /// Ours and QEMU's, for each pair of runs.
    pub pairs: Vec<(f64, Option<f64>)>,
    /// How many times faster than QEMU we must be.
    pub target: Option<f64>,
    /// The most that ours may be.
    pub limit: Option<f64>,
    /// The most that ours may be as a share of QEMU's.
    pub share: Option<f64>,
}

impl Line {
    /// A line without a goal.
    pub fn of(name: &str, pairs: Vec<(f64, Option<f64>)>) -> Line {
        Line { name: name.into(), pairs, ..Line::default() }
    }

    /// Median of the pairs' ratios, QEMU's cost in ours.
    pub fn ratio(&self) -> Option<f64> {
        let ratios: Vec<f64> = self.pairs.iter().filter_map(|(ours, theirs)| Some((*theirs)? / ours)).collect();
        (!ratios.is_empty()).then(|| median(ratios))
    }
}

/// Prints lines as they come.
pub struct Table;

fn shown(v: Option<f64>) -> String {
    v.map_or("-".into(), |v| if v >= 100.0 { format!("{v:.0}") } else { format!("{v:.3}") })
}

impl Table {
    /// The head.
    pub fn begin() -> Table {
        println!("| row | spapr | QEMU | QEMU ÷ spapr | must reach | reached |");
        println!("|---|---|---|---|---|---|");
        Table
    }

    fn print(&mut self, name: &str, figures: [Option<f64>; 2], ratio: Option<f64>, goal: Option<(String, bool)>) {
        let ratio = ratio.map_or("-".into(), |r| format!("{r:.2}"));
        let (goal, reached) = goal.map_or((String::new(), ""), |(goal, reached)| (goal, if reached { "yes" } else { "no" }));
        println!("| {name} | {} | {} | {ratio} | {goal} | {reached} |", shown(figures[0]), shown(figures[1]));
    }

    /// A measured line.
    pub fn add(&mut self, line: &Line) {
        let ours = median(line.pairs.iter().map(|p| p.0));
        let theirs: Vec<f64> = line.pairs.iter().filter_map(|p| p.1).collect();
        let theirs = (!theirs.is_empty()).then(|| median(theirs));
        let ratio = line.ratio();
        let by_ratio = |goal: String, least: f64| ratio.map(|r| (goal, r >= least));
        let goal = line
            .target
            .and_then(|t| by_ratio(format!("{t}"), t))
            .or(line.share.and_then(|s| by_ratio(format!("{:.2} ({s} of QEMU's)", 1.0 / s), 1.0 / s)))
            .or(line.limit.map(|l| (format!("≤ {l}"), ours <= l)));
        self.print(&line.name, [Some(ours), theirs], ratio, goal);
    }

    /// The geometric mean of some ratios.
    pub fn mean(&mut self, name: &str, ratios: &[f64], target: f64) {
        let mean = (ratios.iter().map(|r| r.ln()).sum::<f64>() / ratios.len() as f64).exp();
        self.print(&format!("**{name}**, geometric mean"), [None, None], Some(mean), Some((format!("{target}"), mean >= target)));
    }

    /// A factor that is not a cost: more is better, and it is not divided by QEMU's.
    pub fn factor(&mut self, name: &str, ours: f64, theirs: Option<f64>, target: Option<f64>) {
        self.print(name, [Some(ours), theirs], None, target.map(|t| (format!("{t}"), ours >= t)));
    }
}
