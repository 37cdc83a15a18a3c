//! Exact numbers, for comparing: no digit is lost, and no number takes longer than its text.
//!
//! A number is kept as the digits it was written with, without the zeros on either side, and the
//! place of the first of them. Two numbers compare place first and then digit by digit, so
//! `1e1000 == 1e1000` costs four characters, where big integers would first write out the zeros.

use std::cmp::Ordering;

use num_bigint::BigUint;

/// How far from the point the first digit of a number may stand: numbers lie between `1e-1000` and
/// `9.99…e1000`, or are zero. Some hundred orders of magnitude beyond what a double can hold.
pub const EXPONENT_MAX: i64 = 1000;

/// How many hexadecimal digits a number may have. Turning them into decimal ones takes quadratic
/// time; a double has 14.
const HEX_DIGITS_MAX: usize = 256;

/// How large the exponent of a hexadecimal number may be: beyond this no number of
/// [`HEX_DIGITS_MAX`] digits lies within [`EXPONENT_MAX`].
const BINARY_EXPONENT_MAX: u32 = 5000;

/// A number of any precision, an infinity, or NaN.
///
/// As with doubles, NaN compares with nothing and does not equal itself; unlike doubles, nothing is
/// ever rounded. Zero has no sign.
#[derive(Clone, Debug)]
pub struct Decimal(Option<Real>);

/// Why a text is not a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text does not have the form of a number.
    #[error("this is not a number")]
    NotANumber,
    /// A number, but not within [`EXPONENT_MAX`], or hexadecimal with more than 256 digits.
    #[error("the number is too large or too close to zero: 1e-1000 to 1e1000 are accepted")]
    OutOfBounds,
}

impl Decimal {
    /// Reads `12`, `-1.5`, `+.5e-3`, `0x1.8p3` (a hexadecimal number needs its `p`), `Inf`,
    /// `Infinity` and `NaN`, the words in any case. Nothing may stand around the number, not even a
    /// space.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        if text.eq_ignore_ascii_case("nan") {
            return Ok(Self(None));
        }
        let (negative, unsigned) = split_sign(text);
        let is_infinite = ["inf", "infinity"].iter().any(|it| unsigned.eq_ignore_ascii_case(it));
        let magnitude = if is_infinite {
            Magnitude::Infinite
        } else if let Some(digits) = unsigned.strip_prefix("0x").or(unsigned.strip_prefix("0X")) {
            parse_hexadecimal(digits)?
        } else {
            parse_decimal(unsigned)?
        };
        Ok(Self(Some(Real { negative: negative && magnitude != Magnitude::Zero, magnitude })))
    }

    /// Whether the number is zero, however it is written.
    pub fn is_zero(&self) -> bool {
        self.0.as_ref().is_some_and(|real| real.magnitude == Magnitude::Zero)
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.0.as_ref()?.cmp(other.0.as_ref()?))
    }
}

/// Invariant: zero is not negative.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Real {
    negative: bool,
    magnitude: Magnitude,
}

/// The derived order is that of the numbers: variants and fields stand in the order that decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Magnitude {
    Zero,
    Finite {
        /// The place of the first digit: 0 for units, 1 for tens, -1 for tenths.
        exponent: i64,
        /// Invariant: neither empty, nor with a zero at either end. So `12` is less than `123`
        /// (1.2 and 1.23 of the same place), as texts are.
        digits: String,
    },
    Infinite,
}

impl Ord for Real {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude.cmp(&other.magnitude),
            (true, true) => other.magnitude.cmp(&self.magnitude),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn parse_decimal(text: &str) -> Result<Magnitude, DecimalError> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let (whole, fraction) = split_point(mantissa, |byte| byte.is_ascii_digit())?;
    magnitude(&format!("{whole}{fraction}"), exponent.saturating_sub(len(fraction)))
}

fn parse_hexadecimal(text: &str) -> Result<Magnitude, DecimalError> {
    let (mantissa, exponent) = text.split_once(['p', 'P']).ok_or(DecimalError::NotANumber)?;
    let exponent = parse_exponent(exponent)?;
    let (whole, fraction) = split_point(mantissa, |byte| byte.is_ascii_hexdigit())?;
    let digits = format!("{whole}{fraction}");
    if HEX_DIGITS_MAX < digits.len() {
        return Err(DecimalError::OutOfBounds);
    }
    let mantissa = BigUint::parse_bytes(digits.as_bytes(), 16).ok_or(DecimalError::NotANumber)?;
    if mantissa == BigUint::ZERO {
        return Ok(Magnitude::Zero);
    }
    let exponent = exponent.saturating_sub(4 * len(fraction));
    let shift = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
    if BINARY_EXPONENT_MAX < shift {
        return Err(DecimalError::OutOfBounds);
    }
    if 0 <= exponent {
        return magnitude(&(mantissa << shift).to_string(), 0);
    }
    // m / 2^n is m * 5^n / 10^n.
    magnitude(&(mantissa * BigUint::from(5_u8).pow(shift)).to_string(), exponent)
}

/// The integer `digits` times ten to the power of `exponent`.
fn magnitude(digits: &str, exponent: i64) -> Result<Magnitude, DecimalError> {
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(Magnitude::Zero);
    }
    let exponent = exponent.saturating_add(len(significant) - 1);
    if EXPONENT_MAX < exponent.saturating_abs() {
        return Err(DecimalError::OutOfBounds);
    }
    Ok(Magnitude::Finite { exponent, digits: significant.trim_end_matches('0').to_owned() })
}

/// What stands before and after the point; at least one of them has a digit.
fn split_point(
    mantissa: &str,
    is_digit: impl Fn(u8) -> bool,
) -> Result<(&str, &str), DecimalError> {
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let n_digits = whole.len() + fraction.len();
    if n_digits == 0 || !whole.bytes().chain(fraction.bytes()).all(is_digit) {
        return Err(DecimalError::NotANumber);
    }
    Ok((whole, fraction))
}

/// An exponent too large for an `i64` becomes the largest one, which is out of bounds as well.
fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let (negative, digits) = split_sign(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    let exponent = digits.parse().unwrap_or(i64::MAX);
    Ok(if negative { -exponent } else { exponent })
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn len(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
