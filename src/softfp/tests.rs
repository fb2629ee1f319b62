//! The host's arithmetic as oracle for values to nearest, `rustc_apfloat` for quads, other roundings and inexactness, and cases by hand for
//! what only Power has.

use rustc_apfloat::Float;
use rustc_apfloat::FloatConvert;
use rustc_apfloat::Round;
use rustc_apfloat::Status;
use rustc_apfloat::StatusAnd;
use rustc_apfloat::ieee;

use super::*;

const ROUNDS: usize = 150_000;

/// Random numbers that love edges: special exponents, long runs of equal bits, neighbours of powers of two.
struct Patterns(u64);

impl Patterns {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn next<F: Format>(&mut self) -> u128 {
        let choice = self.word();
        let random = (u128::from(self.word()) << 64) | u128::from(self.word());
        let fraction_mask = (1u128 << F::FRACTION_BITS) - 1;
        let exponent_mask = (1u128 << F::EXPONENT_BITS) - 1;
        let bias = exponent_mask >> 1;
        let fraction = match choice & 7 {
            0 => 0,
            1 => fraction_mask,
            2 => random & fraction_mask & (u128::MAX << ((choice >> 8) % u64::from(F::FRACTION_BITS))),
            3 => 1 << ((choice >> 8) % u64::from(F::FRACTION_BITS)),
            4 => random & 0xf,
            _ => random & fraction_mask,
        };
        let near = u128::from((choice >> 16) & 0x7f);
        let exponent = match (choice >> 3) & 7 {
            0 => [0, 1, exponent_mask, exponent_mask - 1][(choice >> 32) as usize & 3],
            1..=4 => (bias + near).saturating_sub(64).min(exponent_mask),
            5 => near & exponent_mask & 0x3f,
            6 => exponent_mask - (near & 0x1f),
            _ => (random >> 100) & exponent_mask,
        };
        let sign = u128::from(choice >> 63);
        (sign << (F::EXPONENT_BITS + F::FRACTION_BITS)) | (exponent << F::FRACTION_BITS) | fraction
    }
}

const MODES: [(Rounding, Round); 5] = [
    (Rounding::NearestEven, Round::NearestTiesToEven),
    (Rounding::TowardZero, Round::TowardZero),
    (Rounding::Up, Round::TowardPositive),
    (Rounding::Down, Round::TowardNegative),
    (Rounding::NearestAway, Round::NearestTiesToAway),
];

fn same<D: Format, A: Float>(got: Rounded<D::Bits>, want: StatusAnd<A>, what: &str) {
    let nan = matches!(classify::<D>(got.value).1, Class::QuietNan | Class::SignallingNan);
    if nan {
        assert!(want.value.is_nan(), "{what}: {got:x?}, not {:x}", want.value.to_bits());
        return;
    }
    assert_eq!(D::widen(got.value), want.value.to_bits(), "{what}: {got:x?}, not {:x}", want.value.to_bits());
    assert_eq!(got.flags.has(Flags::INEXACT), want.status.contains(Status::INEXACT), "{what}: {got:x?}");
    // apfloat calls an overflow that rounds to the largest number merely inexact.
    assert!(got.flags.has(Flags::OVERFLOW) || !want.status.contains(Status::OVERFLOW), "{what}: {got:x?}");
    assert_eq!(got.flags.has(Flags::ZERO_DIVIDE), want.status.contains(Status::DIV_BY_ZERO), "{what}: {got:x?}");
}

/// All of add, sub, mul, div, fused of one format against apfloat in the five IEEE modes.
fn against_apfloat<F: Format, A: Float>(seed: u64, rounds: usize) {
    let mut patterns = Patterns(seed);
    for _ in 0..rounds {
        let [a, b, c] = std::array::from_fn(|_| patterns.next::<F>());
        let [x, y, z] = [a, b, c].map(A::from_bits);
        let [a, b, c] = [a, b, c].map(F::narrow);
        for (mode, round) in MODES {
            let env = Env::with_rounding(mode);
            let what = |op: &str| format!("{op} {a:x} {b:x} {c:x} {mode:?}");
            same::<F, A>(add::<F, F>(a, b, &env), x.add_r(y, round), &what("add"));
            same::<F, A>(sub::<F, F>(a, b, &env), x.sub_r(y, round), &what("sub"));
            same::<F, A>(mul::<F, F>(a, b, &env), x.mul_r(y, round), &what("mul"));
            same::<F, A>(div::<F, F>(a, b, &env), x.div_r(y, round), &what("div"));
            same::<F, A>(fused::<F, F>(a, b, c, Fused::Add, &env), x.mul_add_r(y, z, round), &what("fma"));
            same::<F, A>(round_to_integral::<F>(a, mode), x.round_to_integral(round), &what("rint"));
        }
    }
}

#[test]
fn single_agrees_with_apfloat() {
    against_apfloat::<Single, ieee::Single>(1, ROUNDS / 10);
}

#[test]
fn double_agrees_with_apfloat() {
    against_apfloat::<Double, ieee::Double>(2, ROUNDS / 10);
}

#[test]
fn quad_agrees_with_apfloat() {
    against_apfloat::<Quad, ieee::Quad>(3, ROUNDS / 10);
}

#[test]
fn nearest_agrees_with_the_host() {
    let env = Env::default();
    let mut patterns = Patterns(4);
    let check = |got: u64, want: f64, what: &str, operands: [u64; 3]| {
        assert!(
            got == want.to_bits() || (want.is_nan() && f64::from_bits(got).is_nan()),
            "{what} {operands:x?}: {got:x} {:x}",
            want.to_bits()
        );
    };
    for _ in 0..ROUNDS {
        let bits @ [a, b, c] = std::array::from_fn(|_| patterns.next::<Double>() as u64);
        let [x, y, z] = bits.map(f64::from_bits);
        check(add::<Double, Double>(a, b, &env).value, x + y, "add", bits);
        check(mul::<Double, Double>(a, b, &env).value, x * y, "mul", bits);
        check(div::<Double, Double>(a, b, &env).value, x / y, "div", bits);
        check(sqrt::<Double, Double>(a, &env).value, x.sqrt(), "sqrt", bits);
        check(fused::<Double, Double>(a, b, c, Fused::Add, &env).value, x.mul_add(y, z), "fma", bits);
        check(load_single((x as f32).to_bits()), f64::from(x as f32), "load", bits);
        check(convert::<Double, SingleInDouble>(a, &env).value, f64::from(x as f32), "frsp", bits);
    }
}

#[test]
fn singles_agree_with_the_host() {
    let env = Env::default();
    let mut patterns = Patterns(5);
    for _ in 0..ROUNDS {
        let [a, b, c] = std::array::from_fn(|_| patterns.next::<Single>() as u32);
        let [x, y, z] = [a, b, c].map(f32::from_bits);
        let [wa, wb, wc] = [a, b, c].map(load_single);
        let pairs = [
            (add::<Single, Single>(a, b, &env).value, add::<Double, SingleInDouble>(wa, wb, &env).value, x + y),
            (div::<Single, Single>(a, b, &env).value, div::<Double, SingleInDouble>(wa, wb, &env).value, x / y),
            (sqrt::<Single, Single>(a, &env).value, sqrt::<Double, SingleInDouble>(wa, &env).value, x.sqrt()),
            (
                fused::<Single, Single>(a, b, c, Fused::Add, &env).value,
                fused::<Double, SingleInDouble>(wa, wb, wc, Fused::Add, &env).value,
                x.mul_add(y, z),
            ),
        ];
        for (single, double, want) in pairs {
            assert_eq!(load_single(single), double, "{a:x} {b:x} {c:x}");
            assert_eq!(store_single(double), single, "{a:x} {b:x} {c:x}");
            assert!(single == want.to_bits() || want.is_nan(), "{a:x} {b:x} {c:x}: {single:x} {:x}", want.to_bits());
        }
    }
}

#[test]
fn conversions_agree_with_apfloat() {
    let mut patterns = Patterns(6);
    let mut loses = false;
    for _ in 0..ROUNDS / 3 {
        let quad = patterns.next::<Quad>();
        let double = patterns.next::<Double>() as u64;
        for (mode, round) in MODES {
            let env = Env::with_rounding(mode);
            let want: StatusAnd<ieee::Double> = ieee::Quad::from_bits(quad).convert_r(round, &mut loses);
            same::<Double, _>(convert::<Quad, Double>(quad, &env), want, "quad to double");
            let want: StatusAnd<ieee::Half> = ieee::Double::from_bits(double.into()).convert_r(round, &mut loses);
            same::<Half, _>(convert::<Double, Half>(double, &env), want, "double to half");
            let want: StatusAnd<ieee::Quad> = ieee::Double::from_bits(double.into()).convert_r(round, &mut loses);
            same::<Quad, _>(convert::<Double, Quad>(double, &env), want, "double to quad");
            let want: StatusAnd<ieee::BFloat> = ieee::Double::from_bits(double.into()).convert_r(round, &mut loses);
            same::<Bfloat16, _>(convert::<Double, Bfloat16>(double, &env), want, "double to bfloat16");
        }
    }
}

#[test]
fn integers_agree_with_apfloat() {
    let mut patterns = Patterns(7);
    for _ in 0..ROUNDS {
        let bits = patterns.next::<Double>() as u64;
        let x = ieee::Double::from_bits(bits.into());
        for (mode, round) in MODES {
            let mut exact = false;
            let want = x.to_i128_r(64, round, &mut exact);
            let got = to_integer::<Double>(bits, Integer::I64, mode);
            let invalid = want.status.contains(Status::INVALID_OP);
            assert_eq!(got.flags.has(Flags::VXCVI), invalid, "{bits:x} {mode:?} {got:x?}");
            assert!(invalid || got.value as i128 == want.value, "{bits:x} {mode:?} {got:x?}");
            assert!(invalid || got.flags.has(Flags::INEXACT) != exact, "{bits:x} {mode:?} {got:x?}");
            let want = x.to_u128_r(32, round, &mut exact);
            let got = to_integer::<Double>(bits, Integer::U32, mode);
            let invalid = want.status.contains(Status::INVALID_OP);
            assert_eq!(got.flags.has(Flags::VXCVI), invalid, "{bits:x} {mode:?} {got:x?}");
            assert!(invalid || got.value == want.value, "{bits:x} {mode:?} {got:x?}");
        }
        let (integer, env) = (patterns.word() >> (bits & 63), Env::default());
        assert_eq!(from_unsigned::<Double>(integer.into(), &env).value, (integer as f64).to_bits());
        assert_eq!(from_signed::<Double>((integer as i64).into(), &env).value, (integer as i64 as f64).to_bits());
        assert_eq!(from_signed::<Single>((integer as i64).into(), &env).value, (integer as i64 as f32).to_bits());
    }
}

#[test]
fn the_root_of_a_quad_is_the_nearest() {
    let mut patterns = Patterns(8);
    let down = Env::with_rounding(Rounding::Down);
    for _ in 0..2000 {
        let a = patterns.next::<Quad>() & !(1 << 127);
        let root = sqrt::<Quad, Quad>(a, &down);
        if !matches!(classify::<Quad>(a).1, Class::Normal | Class::Denormal) {
            continue;
        }
        let too_much = fused::<Quad, Quad>(root.value, root.value, a, Fused::Sub, &Env::with_rounding(Rounding::Odd)).value;
        let enough = fused::<Quad, Quad>(root.value + 1, root.value + 1, a, Fused::Sub, &Env::with_rounding(Rounding::Odd)).value;
        assert!(too_much >> 127 == 1 || too_much == 0, "{a:x}");
        assert!(enough >> 127 == 0 && enough != 0, "{a:x}");
        assert_eq!(root.flags.has(Flags::INEXACT), too_much != 0, "{a:x}");
    }
}

#[test]
fn odd_then_nearest_is_one_rounding() {
    let mut patterns = Patterns(9);
    let (odd, nearest) = (Env::with_rounding(Rounding::Odd), Env::default());
    for _ in 0..ROUNDS {
        let [a, b] = std::array::from_fn(|_| patterns.next::<Double>() as u64);
        let twice = convert::<Double, SingleInDouble>(mul::<Double, Double>(a, b, &odd).value, &nearest).value;
        let once = mul::<Double, SingleInDouble>(a, b, &nearest).value;
        assert_eq!(twice, once, "{a:x} {b:x}");
    }
}

#[test]
fn comparison_agrees_with_the_host() {
    let mut patterns = Patterns(10);
    for _ in 0..ROUNDS {
        let a = patterns.next::<Double>() as u64;
        let b = if patterns.word() & 7 == 0 { a } else { patterns.next::<Double>() as u64 };
        let want = match f64::from_bits(a).partial_cmp(&f64::from_bits(b)) {
            Some(std::cmp::Ordering::Less) => Relation::Less,
            Some(std::cmp::Ordering::Equal) => Relation::Equal,
            Some(std::cmp::Ordering::Greater) => Relation::Greater,
            None => Relation::Unordered,
        };
        assert_eq!(compare::<Double>(a, b, Signals::OnSignalling).value, want, "{a:x} {b:x}");
    }
}

const ONE: u64 = 0x3ff0_0000_0000_0000;
const INF: u64 = 0x7ff0_0000_0000_0000;
const QNAN: u64 = 0x7ff8_0000_0000_0000;
const SNAN: u64 = 0xfff0_0000_0000_0123;
const MINUS: u64 = 1 << 63;
const MAX: u64 = 0x7fef_ffff_ffff_ffff;

#[test]
fn each_invalid_cause_is_told_apart() {
    let env = Env::default();
    let invalid = |cause| Rounded { value: QNAN, flags: cause };
    assert_eq!(sub::<Double, Double>(INF, INF, &env), invalid(Flags::VXISI));
    assert_eq!(div::<Double, Double>(INF, MINUS | INF, &env), invalid(Flags::VXIDI));
    assert_eq!(div::<Double, Double>(0, 0, &env), invalid(Flags::VXZDZ));
    assert_eq!(mul::<Double, Double>(MINUS, INF, &env), invalid(Flags::VXIMZ));
    assert_eq!(sqrt::<Double, Double>(MINUS | ONE, &env), invalid(Flags::VXSQRT));
    assert_eq!(fused::<Double, Double>(INF, ONE, INF, Fused::NegativeSub, &env), invalid(Flags::VXISI));
    assert_eq!(to_integer::<Double>(SNAN, Integer::I32, Rounding::Up).flags, Flags::VXCVI | Flags::VXSNAN);
    assert_eq!(compare::<Double>(SNAN, ONE, Signals::OnAny).flags, Flags::VXSNAN | Flags::VXVC);
    assert_eq!(div::<Double, Double>(MINUS | ONE, 0, &env), Rounded { value: MINUS | INF, flags: Flags::ZERO_DIVIDE });
    assert_eq!(reciprocal_square_root::<Double, Double>(MINUS, &env), Rounded { value: MINUS | INF, flags: Flags::ZERO_DIVIDE });
    assert_eq!(reciprocal_square_root::<Double, Double>(MINUS | ONE, &env), invalid(Flags::VXSQRT));
}

#[test]
fn nans_propagate_in_the_order_a_b_c() {
    let env = Env::default();
    let (qa, qb, qc) = (QNAN | 1, QNAN | MINUS | 2, QNAN | 3);
    assert_eq!(fused::<Double, Double>(qa, qc, qb, Fused::Add, &env), Rounded::exact(qa));
    assert_eq!(fused::<Double, Double>(ONE, qc, qb, Fused::NegativeSub, &env), Rounded::exact(qb));
    assert_eq!(fused::<Double, Double>(ONE, qc, ONE, Fused::NegativeAdd, &env), Rounded::exact(qc));
    let quiet = SNAN | (1 << 51);
    assert_eq!(add::<Double, Double>(ONE, SNAN, &env), Rounded { value: quiet, flags: Flags::VXSNAN });
    assert_eq!(sub::<Double, Double>(qa, SNAN, &env), Rounded { value: qa, flags: Flags::VXSNAN });
    assert_eq!(fused::<Double, Double>(0, INF, SNAN, Fused::Add, &env), Rounded { value: quiet, flags: Flags::VXSNAN | Flags::VXIMZ });
    assert_eq!(convert::<Double, SingleInDouble>(SNAN, &env).value, 0xfff8_0000_0000_0000);
    assert_eq!(convert::<Single, Double>(0xffc1_2345, &env).value, 0xfff8_2468_a000_0000);
}

#[test]
fn enabled_overflow_and_underflow_adjust_the_exponent() {
    let mut env = Env { rounding: Rounding::NearestEven, oe: true, ue: true };
    let two_to = |e: i32| ((e + 1023) as u64) << 52;
    let inexact = Flags::INEXACT | Flags::OVERFLOW;
    assert_eq!(mul::<Double, Double>(MAX, MAX, &env), Rounded { value: two_to(2048 - 1536) - 2, flags: inexact });
    assert_eq!(
        mul::<Double, Double>(two_to(-1000), two_to(-1000), &env),
        Rounded { value: two_to(-2000 + 1536), flags: Flags::TINY | Flags::UNDERFLOW }
    );
    assert_eq!(convert::<Double, SingleInDouble>(two_to(200), &env), Rounded { value: two_to(200 - 192), flags: Flags::OVERFLOW });
    assert_eq!(
        add::<Double, Double>(1, 2, &env),
        Rounded { value: two_to(-1073 + 1536) + (1 << 51), flags: Flags::TINY | Flags::UNDERFLOW }
    );
    env = Env::with_rounding(Rounding::TowardZero);
    assert_eq!(mul::<Double, Double>(MAX, MAX, &env), Rounded { value: MAX, flags: inexact });
    assert_eq!(add::<Double, Double>(1, 2, &env), Rounded { value: 3, flags: Flags::TINY });
}

#[test]
fn tininess_is_seen_before_rounding() {
    // (1 - 2^-53) * 2^-1022 rounds up to the smallest normal number, yet it was tiny: UX on Power, none on x86.
    let (below_one, smallest) = (ONE - 1, 1u64 << 52);
    let got = mul::<Double, Double>(below_one, smallest, &Env::default());
    assert_eq!(got.value, smallest);
    assert_eq!(got.flags, Flags::TINY | Flags::UNDERFLOW | Flags::INEXACT | Flags::ROUNDED_UP);
}

#[test]
fn stores_of_singles_cut_off() {
    assert_eq!(store_single(0x3690_0000_0000_0000), 0);
    assert_eq!(store_single(0x36a0_0000_0000_0000), 1);
    assert_eq!(store_single(0xbff0_0000_3fff_ffff), 0xbf80_0001);
    assert_eq!(store_single(SNAN | (1 << 50)), 0xffa0_0000);
    assert_eq!(load_single(0xffa0_0001), 0xfff4_0000_2000_0000);
    assert_eq!(load_single(0x8000_0001), 0xb6a0_0000_0000_0000);
}

#[test]
fn tests_for_software_division() {
    assert_eq!(test_divide::<Double>(ONE, ONE), 8);
    assert_eq!(test_divide::<Double>(0, ONE), 8);
    assert_eq!(test_divide::<Double>(ONE, 0), 0b1110);
    assert_eq!(test_divide::<Double>(QNAN, ONE), 0b1010);
    assert_eq!(test_divide::<Double>(ONE, 1), 0b1110);
    assert_eq!(test_square_root::<Double>(ONE), 8);
    assert_eq!(test_square_root::<Double>(MINUS | ONE), 0b1010);
    assert_eq!(test_square_root::<Double>(1), 0b1110);
    assert_eq!(test_square_root::<Double>(INF), 0b1110);
}
