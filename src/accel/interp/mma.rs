//! Matrix-multiply assist (ISA 3.1): one function per row.
//!
//! Accumulator n is VSRs 4n to 4n+3, as on every processor so far: moving to and from it does nothing. All instructions compute an outer
//! product: row k of the accumulator belongs to element k of XA, column j to element j of XB, and an element of narrow types is a short
//! vector whose inner product counts. The masked forms (prefixed) leave out rows, columns and products; left-out elements become zero.
//!
//! Floating-point forms compute as if no exception were enabled, write the accumulator, and only then interrupt (ISA I 7.6.4).

use crate::accel::interp::Core;
use crate::accel::interp::Run;
use crate::accel::interp::Step;
use crate::accel::interp::fpscr;
use crate::cpu::state::Vsr;
use crate::isa::Insn;
use crate::softfp;
use crate::softfp::Bfloat16;
use crate::softfp::Class;
use crate::softfp::Double;
use crate::softfp::Env;
use crate::softfp::Flags;
use crate::softfp::Format;
use crate::softfp::Fused;
use crate::softfp::Half;
use crate::softfp::Rounded;
use crate::softfp::Single;
use crate::softfp::classify;

/// The functions of this chapter, under the names of the word forms; those of the masked forms are the same.
macro_rules! functions {
    ($($word:literal $masked:literal $run:expr;)*) => {
        /// The functions of this chapter.
        pub const FUNCTIONS: &[(&str, Run)] = &[
            ("xxmfacc", |_, _| Ok(())),
            ("xxmtacc", |_, _| Ok(())),
            ("xxsetaccz", xxsetaccz),
            $(($word, $run), ($masked, $run),)*
        ];
    };
}

functions! {
    "xvi4ger8"     "pmxvi4ger8"     |c, i| integers(c, i, nibbles, New);
    "xvi4ger8pp"   "pmxvi4ger8pp"   |c, i| integers(c, i, nibbles, Added);
    "xvi8ger4"     "pmxvi8ger4"     |c, i| integers(c, i, bytes, New);
    "xvi8ger4pp"   "pmxvi8ger4pp"   |c, i| integers(c, i, bytes, Added);
    "xvi8ger4spp"  "pmxvi8ger4spp"  |c, i| integers(c, i, bytes, AddedSaturating);
    "xvi16ger2"    "pmxvi16ger2"    |c, i| integers(c, i, halves, New);
    "xvi16ger2pp"  "pmxvi16ger2pp"  |c, i| integers(c, i, halves, Added);
    "xvi16ger2s"   "pmxvi16ger2s"   |c, i| integers(c, i, halves, NewSaturating);
    "xvi16ger2spp" "pmxvi16ger2spp" |c, i| integers(c, i, halves, AddedSaturating);
    "xvf16ger2"    "pmxvf16ger2"    |c, i| pairs::<Half>(c, i, None);
    "xvf16ger2pp"  "pmxvf16ger2pp"  |c, i| pairs::<Half>(c, i, PP);
    "xvf16ger2pn"  "pmxvf16ger2pn"  |c, i| pairs::<Half>(c, i, PN);
    "xvf16ger2np"  "pmxvf16ger2np"  |c, i| pairs::<Half>(c, i, NP);
    "xvf16ger2nn"  "pmxvf16ger2nn"  |c, i| pairs::<Half>(c, i, NN);
    "xvbf16ger2"   "pmxvbf16ger2"   |c, i| pairs::<Bfloat16>(c, i, None);
    "xvbf16ger2pp" "pmxvbf16ger2pp" |c, i| pairs::<Bfloat16>(c, i, PP);
    "xvbf16ger2pn" "pmxvbf16ger2pn" |c, i| pairs::<Bfloat16>(c, i, PN);
    "xvbf16ger2np" "pmxvbf16ger2np" |c, i| pairs::<Bfloat16>(c, i, NP);
    "xvbf16ger2nn" "pmxvbf16ger2nn" |c, i| pairs::<Bfloat16>(c, i, NN);
    "xvf32ger"     "pmxvf32ger"     |c, i| singles(c, i, None);
    "xvf32gerpp"   "pmxvf32gerpp"   |c, i| singles(c, i, PP);
    "xvf32gerpn"   "pmxvf32gerpn"   |c, i| singles(c, i, PN);
    "xvf32gernp"   "pmxvf32gernp"   |c, i| singles(c, i, NP);
    "xvf32gernn"   "pmxvf32gernn"   |c, i| singles(c, i, NN);
    "xvf64ger"     "pmxvf64ger"     |c, i| doubles(c, i, None);
    "xvf64gerpp"   "pmxvf64gerpp"   |c, i| doubles(c, i, PP);
    "xvf64gerpn"   "pmxvf64gerpn"   |c, i| doubles(c, i, PN);
    "xvf64gernp"   "pmxvf64gernp"   |c, i| doubles(c, i, NP);
    "xvf64gernn"   "pmxvf64gernn"   |c, i| doubles(c, i, NN);
}

/// Product and accumulator: first letter the product's sign, second the accumulator's. `None`: without accumulator.
const PP: Option<Fused> = Some(Fused::Add);
const PN: Option<Fused> = Some(Fused::Sub);
const NP: Option<Fused> = Some(Fused::NegativeSub);
const NN: Option<Fused> = Some(Fused::NegativeAdd);

use Accumulate::Added;
use Accumulate::AddedSaturating;
use Accumulate::New;
use Accumulate::NewSaturating;

/// What an integer form does with its inner product.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Accumulate {
    New,
    NewSaturating,
    Added,
    AddedSaturating,
}

/// First register of the accumulator.
fn accumulator(i: Insn) -> usize {
    4 * i.bf()
}

/// xxsetaccz: an accumulator of zeros.
fn xxsetaccz(c: &mut Core, i: Insn) -> Step {
    c.vsr[accumulator(i)..accumulator(i) + 4].fill(Vsr::default());
    Ok(())
}

/// Which rows, columns and products count; bit k from the left of each field stands for number k.
struct Masks {
    rows: u32,
    columns: u32,
    products: u32,
}

impl Masks {
    fn of(i: Insn) -> Masks {
        if !i.is_prefixed() {
            return Masks { rows: 0xf, columns: 0xf, products: 0xff };
        }
        Masks { rows: i.prefix_field(24, 27), columns: i.prefix_field(28, 31), products: i.prefix_field(16, 23) }
    }
    fn element(&self, row: usize, column: usize) -> bool {
        self.rows & (8 >> row) != 0 && self.columns & (8 >> column) != 0
    }
    fn product(&self, k: usize) -> bool {
        self.products & (0x80 >> k) != 0
    }
}

/// Element `k` of `bits` bits of a word, sign-extended.
fn signed(word: u32, k: usize, bits: u32) -> i64 {
    i64::from(((word << (bits * k as u32)) as i32) >> (32 - bits))
}

/// Product `k` of signed 4-bit elements; of signed and unsigned bytes; of signed halfwords.
type Product = (usize, fn(u32, u32, usize) -> i64);

const fn nibbles() -> Product {
    (8, |a, b, k| signed(a, k, 4) * signed(b, k, 4))
}
const fn bytes() -> Product {
    (4, |a, b, k| signed(a, k, 8) * i64::from((b >> (24 - 8 * k)) as u8))
}
const fn halves() -> Product {
    (2, |a, b, k| signed(a, k, 16) * signed(b, k, 16))
}

/// The integer forms: exact inner products, then modulo 2^32 or saturated (which sets VSCR\[SAT\]).
fn integers(c: &mut Core, i: Insn, kind: fn() -> Product, how: Accumulate) -> Step {
    let ((count, product), masks) = (kind(), Masks::of(i));
    let (a, b, first) = (c.vsr[i.xa()].words(), c.vsr[i.xb()].words(), accumulator(i));
    let mut saturated = false;
    for (row, left) in a.into_iter().enumerate() {
        let old = c.vsr[first + row].words();
        let new = std::array::from_fn(|column| {
            if !masks.element(row, column) {
                return 0;
            }
            let sum: i64 = (0..count).filter(|k| masks.product(*k)).map(|k| product(left, b[column], k)).sum();
            let sum = match how {
                New | NewSaturating => sum,
                Added | AddedSaturating => sum + i64::from(old[column] as i32),
            };
            if matches!(how, New | Added) {
                return sum as u32;
            }
            let clamped = sum.clamp(i32::MIN.into(), i32::MAX.into());
            saturated |= clamped != sum;
            clamped as u32
        });
        c.vsr[first + row] = Vsr::from_words(new);
    }
    c.vscr |= u32::from(saturated);
    Ok(())
}

/// The environment with no exception enabled.
fn env(c: &Core) -> Env {
    Env::with_rounding(fpscr::env(c).rounding)
}

/// The end of the floating-point forms: the accumulator was written, whatever is enabled.
fn finish(c: &mut Core, flags: Flags) -> Step {
    fpscr::vector(c, flags).finish(c)
}

/// A sign change that leaves NaNs alone.
fn negated<F: Format>(bits: F::Bits) -> F::Bits {
    let nan = matches!(classify::<F>(bits).1, Class::QuietNan | Class::SignallingNan);
    if nan { bits } else { F::narrow(F::widen(bits) ^ (1 << (F::EXPONENT_BITS + F::FRACTION_BITS))) }
}

/// xvf32ger…: fused with the accumulator.
fn singles(c: &mut Core, i: Insn, form: Option<Fused>) -> Step {
    let (masks, env) = (Masks::of(i), env(c));
    let (a, b, first) = (c.vsr[i.xa()].words(), c.vsr[i.xb()].words(), accumulator(i));
    let mut flags = Flags::NONE;
    for (row, left) in a.into_iter().enumerate() {
        let old = c.vsr[first + row].words();
        let new = std::array::from_fn(|column| {
            if !masks.element(row, column) {
                return 0;
            }
            let result = element::<Single>(left, b[column], old[column], form, &env);
            flags |= result.flags;
            result.value
        });
        c.vsr[first + row] = Vsr::from_words(new);
    }
    finish(c, flags)
}

fn element<F: Format>(a: F::Bits, b: F::Bits, old: F::Bits, form: Option<Fused>, env: &Env) -> Rounded<F::Bits> {
    match form {
        Some(form) => softfp::fused::<F, F>(a, b, old, form, env),
        None => softfp::mul::<F, F>(a, b, env),
    }
}

/// xvf64ger…: four rows from the pair XAp, two columns.
fn doubles(c: &mut Core, i: Insn, form: Option<Fused>) -> Step {
    let (masks, env) = (Masks::of(i), env(c));
    let (pair, b, first) = ([c.vsr[i.xa()], c.vsr[i.xa() + 1]], c.vsr[i.xb()], accumulator(i));
    let mut flags = Flags::NONE;
    for row in 0..4 {
        let old = c.vsr[first + row];
        let new = std::array::from_fn(|column| {
            if !masks.element(row, column) {
                return 0;
            }
            let result = element::<Double>(pair[row / 2].0[row % 2], b.0[column], old.0[column], form, &env);
            flags |= result.flags;
            result.value
        });
        c.vsr[first + row] = Vsr(new);
    }
    finish(c, flags)
}

/// xvf16ger2…, xvbf16ger2…: the sum of two exact products is rounded to single, then the accumulator is added to it.
///
/// departs: for bfloat16 the book lets the rounded sum keep an exponent beyond single's range until the accumulator was added; here, as in
/// QEMU, a sum out of range overflows or becomes denormal first.
fn pairs<F: Format<Bits = u16>>(c: &mut Core, i: Insn, form: Option<Fused>) -> Step {
    let (masks, env) = (Masks::of(i), env(c));
    let (a, b, first) = (c.vsr[i.xa()].halves(), c.vsr[i.xb()].halves(), accumulator(i));
    let mut flags = Flags::NONE;
    for row in 0..4 {
        let old = c.vsr[first + row].words();
        let new = std::array::from_fn(|column| {
            if !masks.element(row, column) {
                return 0;
            }
            let mut wide = |half: u16, k: usize| {
                let bits = if masks.product(k) { half } else { 0 };
                let result = softfp::convert::<F, Double>(bits, &env);
                flags |= result.flags;
                result.value
            };
            let [a0, a1] = [wide(a[2 * row], 0), wide(a[2 * row + 1], 1)];
            let [b0, b1] = [wide(b[2 * column], 0), wide(b[2 * column + 1], 1)];
            let first = softfp::mul::<Double, Double>(a0, b0, &env);
            let sum = softfp::fused::<Double, Single>(a1, b1, first.value, Fused::Add, &env);
            flags |= first.flags | sum.flags;
            let result = accumulated(sum.value, old[column], form, &env);
            flags |= result.flags;
            result.value
        });
        c.vsr[first + row] = Vsr::from_words(new);
    }
    finish(c, flags)
}

/// ± sum ± accumulator.
fn accumulated(sum: u32, old: u32, form: Option<Fused>, env: &Env) -> Rounded<u32> {
    let Some(form) = form else { return Rounded::exact(sum) };
    let sum = if matches!(form, Fused::NegativeAdd | Fused::NegativeSub) { negated::<Single>(sum) } else { sum };
    let old = if matches!(form, Fused::Sub | Fused::NegativeAdd) { negated::<Single>(old) } else { old };
    softfp::add::<Single, Single>(sum, old, env)
}

#[cfg(test)]
mod tests;
