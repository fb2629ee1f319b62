//! Blocks that are loops, and which guest registers live in host registers there.
//!
//! The fixed choice ([`PINNED`](super::PINNED)) is right for most code, but a loop of a big function works on registers that it leaves out. So a block that goes back to its own start is
//! emitted twice if need be: the first time the uses of each guest register are counted, the second time those of them that are used more take the places of others that are
//! used less. They are exchanged in front of the loop, and back on every way out of it: to other blocks, to the interpreter's functions, out for lack of fuel. The way back to the start stays
//! inside. Counts decide about speed alone.

use super::Emitter;
use super::HOST;
use super::PINNED;
use super::branch;
use super::operands::gpr_at;
use dynasmrt::DynasmApi;
use dynasmrt::dynasm;

/// Two guest registers that change places in a loop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// The one that has a host register elsewhere.
    out: usize,
    /// The one that has it here.
    into: usize,
    host: u8,
}

/// Uses that an exchange must save each time round: it costs four moves of its own, and loops go round a few times at least.
const WORTH: u32 = 2;

/// Which registers to exchange, by how often each is used.
pub fn choose(uses: &[u32; 32]) -> Vec<Exchange> {
    let mut pinned = PINNED;
    pinned.sort_by_key(|(n, _)| uses[*n]);
    let mut others: Vec<usize> = (0..32).filter(|n| HOST[*n].is_none()).collect();
    others.sort_by_key(|n| std::cmp::Reverse(uses[*n]));
    let pairs = pinned.into_iter().zip(others);
    pairs.filter(|((out, _), into)| uses[*into] >= uses[*out] + WORTH).map(|((out, host), into)| Exchange { out, into, host }).collect()
}

impl Emitter<'_> {
    /// Whether the block ends with a branch to its start that may stay inside.
    pub fn is_loop(&self) -> bool {
        let (start, last) = (self.block[0].0, &self.block[self.block.len() - 1]);
        last.1.row.is_some_and(|r| r.name == "bc") && branch::closes(start, last.0, last.1.op.insn)
    }

    /// Makes the exchanges.
    pub fn exchange(&mut self, exchanges: Vec<Exchange>) {
        for x in &exchanges {
            self.host[x.out] = None;
            self.host[x.into] = Some(x.host);
        }
        self.exchanges = exchanges;
    }

    /// From the fixed places of the guest's registers to those of this block. The flags and other registers stay.
    pub fn take_over(&mut self) {
        for k in 0..self.exchanges.len() {
            let Exchange { out, into, host } = self.exchanges[k];
            dynasm!(self.a ; mov [BYTE rbp + gpr_at(out)], Rq(host) ; mov Rq(host), [BYTE rbp + gpr_at(into)]);
        }
    }

    /// Back to the fixed places.
    pub fn hand_back(&mut self) {
        for k in 0..self.exchanges.len() {
            let Exchange { out, into, host } = self.exchanges[k];
            dynasm!(self.a ; mov [BYTE rbp + gpr_at(into)], Rq(host) ; mov Rq(host), [BYTE rbp + gpr_at(out)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_registers_take_the_places_of_idle_ones() {
        let mut uses = [0; 32];
        (uses[20], uses[21], uses[22], uses[31], uses[1]) = (9, 1, 5, 0, 7);
        let chosen = choose(&uses);
        assert_eq!(chosen.iter().map(|x| x.into).collect::<Vec<_>>(), [20, 22]);
        assert!(chosen.iter().all(|x| x.out != 1 && HOST[x.out] == Some(x.host)));
        assert!(choose(&[3; 32]).is_empty());
    }
}
