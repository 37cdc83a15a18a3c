//! Time formats written as the reference time, `Mon Jan 2 15:04:05.000 MST 2006`.
//!
//! A format shows how that one moment would look: `02/01/2006 15:04` is day, month, year, and a
//! 24-hour clock. No crate reads this notation, and the `time` crate's own descriptions lack the
//! `Z`-or-offset zone and the trimmed fraction, so elements are matched here and the calendar
//! is left to `time`.

mod read;

use std::fmt::Write as _;

use time::{OffsetDateTime, UtcOffset};

/// A format of the reference notation, ready to read and write times.
///
/// Invariant: it holds at least one [`Element`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    text: String,
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Literal(String),
    Element(Element),
}

/// How a number is filled up to its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pad {
    None,
    Space,
    Zero,
}

/// How a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Full,
    /// Its first three letters.
    Short,
}

/// How an offset from UTC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Offset {
    /// UTC itself is `Z`.
    z: bool,
    colon: bool,
    /// 1: hours, 2: and minutes, 3: and seconds.
    n_parts: usize,
}

/// One part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Year,
    YearOfCentury,
    MonthName(Name),
    Month(Pad),
    WeekdayName(Name),
    Day(Pad),
    DayOfYear(Pad),
    Hour,
    HourOfHalf(Pad),
    HalfUpper,
    HalfLower,
    Minute(Pad),
    Second(Pad),
    /// `.000` keeps its zeros at the end, `.999` drops them.
    Fraction {
        mark: char,
        n_digits: usize,
        trim: bool,
    },
    Zone,
    Offset(Offset),
}

const fn offset(z: bool, colon: bool, n_parts: usize) -> Element {
    Element::Offset(Offset { z, colon, n_parts })
}

/// Of spellings that begin alike, the longer one stands first.
const ELEMENTS: &[(&str, Element)] = &[
    ("January", Element::MonthName(Name::Full)),
    ("Jan", Element::MonthName(Name::Short)),
    ("Monday", Element::WeekdayName(Name::Full)),
    ("Mon", Element::WeekdayName(Name::Short)),
    ("MST", Element::Zone),
    ("002", Element::DayOfYear(Pad::Zero)),
    ("01", Element::Month(Pad::Zero)),
    ("02", Element::Day(Pad::Zero)),
    ("03", Element::HourOfHalf(Pad::Zero)),
    ("04", Element::Minute(Pad::Zero)),
    ("05", Element::Second(Pad::Zero)),
    ("06", Element::YearOfCentury),
    ("15", Element::Hour),
    ("1", Element::Month(Pad::None)),
    ("2006", Element::Year),
    ("2", Element::Day(Pad::None)),
    ("__2", Element::DayOfYear(Pad::Space)),
    ("_2", Element::Day(Pad::Space)),
    ("3", Element::HourOfHalf(Pad::None)),
    ("4", Element::Minute(Pad::None)),
    ("5", Element::Second(Pad::None)),
    ("PM", Element::HalfUpper),
    ("pm", Element::HalfLower),
    ("-07:00:00", offset(false, true, 3)),
    ("-07:00", offset(false, true, 2)),
    ("-070000", offset(false, false, 3)),
    ("-0700", offset(false, false, 2)),
    ("-07", offset(false, false, 1)),
    ("Z07:00:00", offset(true, true, 3)),
    ("Z07:00", offset(true, true, 2)),
    ("Z070000", offset(true, false, 3)),
    ("Z0700", offset(true, false, 2)),
    ("Z07", offset(true, false, 1)),
];

impl Layout {
    /// Reads a format. `None` if it shows no part of a time, as `YYYY-MM-DD` does not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut items = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((element, after)) = element(rest) {
                if !literal.is_empty() {
                    items.push(Item::Literal(std::mem::take(&mut literal)));
                }
                items.push(Item::Element(element));
                rest = after;
            } else {
                literal.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        let shows_time = items.iter().any(|it| matches!(it, Item::Element(_)));
        if !literal.is_empty() {
            items.push(Item::Literal(literal));
        }
        shows_time.then(|| Self { text: text.to_owned(), items })
    }

    /// The format as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Writes a time, in the offset it has.
    pub(super) fn format(&self, time: OffsetDateTime) -> String {
        let mut text = String::new();
        for item in &self.items {
            match item {
                Item::Literal(literal) => text.push_str(literal),
                Item::Element(element) => element.format(time, &mut text),
            }
        }
        text
    }
}

/// The element that the text begins with, and what follows it.
fn element(text: &str) -> Option<(Element, &str)> {
    // `_2006` is an underscore and a year, not a day and `006`.
    if text.starts_with("_2006") {
        return None;
    }
    let found = ELEMENTS.iter().find_map(|(spelling, element)| {
        let after = text.strip_prefix(spelling)?;
        // `Month` and `Janitor` are words.
        let is_word = matches!(*spelling, "Jan" | "Mon") && after.starts_with(char::is_lowercase);
        (!is_word).then_some((*element, after))
    });
    found.or_else(|| fraction(text))
}

fn fraction(text: &str) -> Option<(Element, &str)> {
    let mark = text.chars().next().filter(|it| matches!(it, '.' | ','))?;
    let digits = &text[1..];
    let digit = digits.chars().next().filter(|it| matches!(it, '0' | '9'))?;
    let after = digits.trim_start_matches(digit);
    if after.starts_with(|next: char| next.is_ascii_digit()) {
        return None;
    }
    // 9: nanoseconds, the finest that a time holds.
    let n_digits = (digits.len() - after.len()).min(9);
    Some((Element::Fraction { mark, n_digits, trim: digit == '9' }, after))
}

impl Element {
    fn format(self, time: OffsetDateTime, text: &mut String) {
        let half_hour = |hour: u8| if hour.is_multiple_of(12) { 12 } else { hour % 12 };
        let half = if time.hour() < 12 { "AM" } else { "PM" };
        match self {
            Self::Year => number(text, time.year(), 4, Pad::Zero),
            Self::YearOfCentury => number(text, time.year().rem_euclid(100), 2, Pad::Zero),
            Self::MonthName(name) => text.push_str(name.cut(&time.month().to_string())),
            Self::Month(pad) => number(text, u8::from(time.month()), 2, pad),
            Self::WeekdayName(name) => text.push_str(name.cut(&time.weekday().to_string())),
            Self::Day(pad) => number(text, time.day(), 2, pad),
            Self::DayOfYear(pad) => number(text, time.ordinal(), 3, pad),
            Self::Hour => number(text, time.hour(), 2, Pad::Zero),
            Self::HourOfHalf(pad) => number(text, half_hour(time.hour()), 2, pad),
            Self::HalfUpper => text.push_str(half),
            Self::HalfLower => text.push_str(&half.to_lowercase()),
            Self::Minute(pad) => number(text, time.minute(), 2, pad),
            Self::Second(pad) => number(text, time.second(), 2, pad),
            Self::Fraction { mark, n_digits, trim } => {
                let digits = format!("{:09}", time.nanosecond());
                let shown = &digits[..n_digits];
                let shown = if trim { shown.trim_end_matches('0') } else { shown };
                if !shown.is_empty() {
                    text.push(mark);
                    text.push_str(shown);
                }
            }
            Self::Zone if time.offset() == UtcOffset::UTC => text.push_str("UTC"),
            // A time has an offset and no zone, so there is no name to show.
            Self::Zone => Offset { z: false, colon: false, n_parts: 2 }.format(time.offset(), text),
            Self::Offset(style) => style.format(time.offset(), text),
        }
    }
}

impl Name {
    fn cut(self, name: &str) -> &str {
        match self {
            Self::Full => name,
            Self::Short => &name[..3],
        }
    }
}

impl Offset {
    fn format(self, offset: UtcOffset, text: &mut String) {
        if self.z && offset == UtcOffset::UTC {
            text.push('Z');
            return;
        }
        let (hours, minutes, seconds) = offset.as_hms();
        text.push(if offset.is_negative() { '-' } else { '+' });
        for (part_idx, part) in [hours, minutes, seconds].into_iter().take(self.n_parts).enumerate()
        {
            if self.colon && 0 < part_idx {
                text.push(':');
            }
            number(text, part.unsigned_abs(), 2, Pad::Zero);
        }
    }
}

fn number(text: &mut String, number: impl Into<i32>, width: usize, pad: Pad) {
    let number = number.into();
    let written = match pad {
        Pad::None => write!(text, "{number}"),
        Pad::Space => write!(text, "{number:width$}"),
        Pad::Zero => write!(text, "{number:0width$}"),
    };
    written.expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests;
