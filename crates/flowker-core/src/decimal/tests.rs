use proptest::prelude::*;

use super::*;

fn check(left: &str, expected: &str, right: &str) {
    let parse = |text| Decimal::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let actual = match parse(left).partial_cmp(&parse(right)) {
        Some(Ordering::Less) => "<",
        Some(Ordering::Equal) => "=",
        Some(Ordering::Greater) => ">",
        None => "?",
    };
    assert_eq!(actual, expected, "{left} {expected} {right}");
}

#[test]
fn compares_each_digit() {
    check("9007199254740993", ">", "9007199254740992");
    check("0.1", "<", "0.10000000000000000000000000000000001");
    check("-0.1", ">", "-0.10000000000000000000000000000000001");
    check("12", "<", "123");
    check("12", ">", "1.23");
    check("9", "<", "10");
    check("-9", ">", "-10");
    check("-1", "<", "1");
    check("-1", "<", "0");
    check("0", "<", "1e-1000");
    check("9.99e1000", ">", "9.98e1000");
}

#[test]
fn one_number_has_many_spellings() {
    for text in ["7", "007", "+7", "7.", "7.00", "0.7e1", "70e-1", ".7E+1", "7e-0", "0x7p0"] {
        check("7", "=", text);
    }
    for text in ["0", "-0", "0.00", ".0", "0e0", "0e99999999999999999999", "-0x0p-99999999999999"] {
        check("0", "=", text);
        assert!(Decimal::parse(text).unwrap().is_zero(), "{text}");
    }
    for text in ["1e-1000", "-1", "NaN", "Inf"] {
        assert!(!Decimal::parse(text).unwrap().is_zero(), "{text}");
    }
    check("1e00000000000000000000003", "=", "1000");
}

#[test]
fn reads_hexadecimal_numbers() {
    check("0x1p4", "=", "16");
    check("0X1.8P-1", "=", "0.75");
    check("-0x.8p0", "=", "-0.5");
    check("0xFFp-3", "=", "31.875");
    check("0x1p-1074", "<", "5e-324");
    check("0x1p-1074", ">", "4.94e-324");
}

#[test]
fn infinities_bound_the_numbers_and_nan_is_none_of_them() {
    check("Inf", "=", "+iNFINITY");
    check("inf", ">", "9e1000");
    check("-inf", "<", "-9e1000");
    check("-inf", "<", "inf");
    for text in ["NaN", "1", "-inf"] {
        check("nan", "?", text);
    }
}

#[test]
fn refuses_what_is_not_a_number() {
    for text in [
        "", "+", "-", ".", "e5", "1e", "1e+", "1e5.0", "--1", "+-1", "1_000", "1,5", " 1", "1 ",
        "1.2.3", "0x10", "0x", "0xp1", "0x1p", "0xgp1", "0x1_0p1", "0x+1p1", "infin", "-nan", "١",
        "12a",
    ] {
        assert_eq!(Decimal::parse(text), Err(DecimalError::NotANumber), "{text:?}");
    }
}

#[test]
fn refuses_what_is_out_of_bounds() {
    let zeros = "0".repeat(1001);
    for text in [
        "1e1001",
        "10e1000",
        "1e-1001",
        "0.1e-1000",
        "1e99999999999999999999",
        "-1e-99999999999999999999",
        &format!("1{zeros}"),
        &format!("0.{zeros}1"),
        "0x1p3400",
        "0x1p-3400",
        "0x1p99999999999999999999",
        &format!("0x{}p0", "f".repeat(257)),
    ] {
        assert_eq!(Decimal::parse(text), Err(DecimalError::OutOfBounds), "{text}");
    }
    // Only the value counts: many digits, or a large exponent that they take back, are fine.
    check(&format!("0.{zeros}1e1002"), "=", "1");
    check(&format!("1{zeros}e-1001"), "=", "1");
    check(&format!("1.{zeros}1"), ">", "1");
}

proptest! {
    #[test]
    fn agrees_with_integers(left: i128, right: i128) {
        let (a, b) = (left.to_string(), right.to_string());
        let actual = Decimal::parse(&a).unwrap().partial_cmp(&Decimal::parse(&b).unwrap());
        prop_assert_eq!(actual, left.partial_cmp(&right));
    }

    /// Fractions with few digits collide often, so that equality and prefixes are tried as well.
    #[test]
    fn agrees_with_scaled_integers(left in -500_i64..500, right in -500_i64..500, places in 0_i64..6) {
        let text = |n: i64| format!("{n}e-{places}");
        let actual = Decimal::parse(&text(left)).unwrap().partial_cmp(&Decimal::parse(&text(right)).unwrap());
        prop_assert_eq!(actual, left.partial_cmp(&right));
    }

    /// Every double is a finite decimal, which hexadecimal and decimal digits both tell exactly.
    #[test]
    fn hexadecimal_agrees_with_doubles(mantissa in 1_u64..1 << 53, exponent in -1074_i32..900) {
        let hexadecimal = Decimal::parse(&format!("0x{mantissa:x}p{exponent}")).unwrap();
        #[expect(clippy::cast_precision_loss, reason = "the mantissa has 53 bits")]
        let double = mantissa as f64 * 2_f64.powi(exponent);
        if double.is_normal() {
            prop_assert_eq!(&hexadecimal, &Decimal::parse(&format!("{double:.1100}")).unwrap());
        }
    }

    #[test]
    fn never_panics(text in any::<String>(), near in "[+-]?(0x)?[0-9a-f.]{0,8}([ep][+-]?[0-9]{0,25})?") {
        let _ = Decimal::parse(&text);
        let _ = Decimal::parse(&near);
    }
}
