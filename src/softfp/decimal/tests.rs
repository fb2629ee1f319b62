//! What is only true of decimal: declets, ideal exponents, and the eight roundings.

use super::*;

const ENV: Env = Env { rounding: Rounding::NearestEven, oe: false, ue: false };

fn number(exponent: i32, coefficient: u128) -> Datum {
    Datum::finite(Sign::Positive, exponent, coefficient)
}

#[test]
fn formats_have_the_limits_of_the_book() {
    let of = |l: &Layout| (l.bias(), l.max_biased(), l.emax(), l.emin());
    assert_eq!([of(&SHORT), of(&LONG), of(&EXTENDED)], [(101, 191, 96, -95), (398, 767, 384, -383), (6176, 12287, 6144, -6143)]);
}

#[test]
fn known_images_decode_and_come_back() {
    // 1, 0, 9.999999999999999E384 and a negative infinity in DFP Long.
    for (bits, datum) in [
        (0x2238_0000_0000_0001, number(0, 1)),
        (0x2238_0000_0000_0000, number(0, 0)),
        (0x77fc_ff3f_cff3_fcff, number(369, 9_999_999_999_999_999)),
        (0xf800_0000_0000_0000, Datum::infinity(Sign::Negative)),
    ] {
        assert_eq!(decode(bits, &LONG), datum, "{bits:x}");
        assert_eq!(encode(&datum, &LONG), bits);
    }
    for n in 0..1000 {
        let image = encode(&number(0, n), &EXTENDED);
        assert_eq!(decode(image, &EXTENDED).coefficient, n);
    }
}

#[test]
fn exact_results_go_to_the_ideal_exponent() {
    assert_eq!(add(&number(-1, 10), &number(-2, 200), &LONG, &ENV).value, number(-2, 300));
    assert_eq!(div(&number(0, 12), &number(0, 3), &LONG, &ENV).value, number(0, 4));
    assert_eq!(div(&number(0, 1), &number(0, 8), &LONG, &ENV).value, number(-3, 125));
    assert_eq!(mul(&number(-2, 120), &number(-1, 30), &LONG, &ENV).value, number(-3, 3600));
}

#[test]
fn distant_operands_leave_their_trace() {
    let (one, tiny) = (number(0, 1), Datum::finite(Sign::Negative, -300, 1));
    let down = Env { rounding: Rounding::TowardZero, ..ENV };
    let result = add(&one, &tiny, &LONG, &down);
    assert_eq!(result.value, number(-16, 9_999_999_999_999_999));
    assert!(result.flags.has(Flags::INEXACT));
    assert_eq!(add(&one, &tiny, &LONG, &ENV).value, number(-15, 1_000_000_000_000_000));
}

#[test]
fn each_rounding_decides_ties_its_own_way() {
    let rounded = |n: u128, drn| quantize(&number(-1, n), 0, &LONG, Rounding::from_drn(drn)).value.coefficient;
    assert_eq!((0..8).map(|drn| rounded(25, drn)).collect::<Vec<_>>(), [2, 2, 3, 2, 3, 2, 3, 2]);
    assert_eq!((0..8).map(|drn| rounded(51, drn)).collect::<Vec<_>>(), [5, 5, 6, 5, 5, 5, 6, 6]);
    let below = Datum::finite(Sign::Negative, -1, 21);
    assert_eq!(quantize(&below, 0, &LONG, Rounding::Down).value.coefficient, 3);
}

#[test]
fn overflow_and_underflow_adjust_exponents_when_enabled() {
    let trapping = Env { oe: true, ue: true, ..ENV };
    let (big, small) = (number(369, 1), number(-398, 1));
    assert_eq!(mul(&big, &big, &LONG, &trapping).value.exponent, 738 - 576);
    let product = mul(&small, &small, &LONG, &trapping);
    assert_eq!((product.value.exponent, product.flags), (-796 + 576, Flags::UNDERFLOW));
    assert_eq!(mul(&small, &small, &LONG, &ENV).value, number(-398, 0));
    assert_eq!(mul(&big, &big, &LONG, &ENV).value, Datum::infinity(Sign::Positive));
}
