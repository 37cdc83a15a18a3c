//! Reading a time by a format.

use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset, Weekday};

use super::{Element, Item, Layout, Name, Offset, Pad};

impl Layout {
    /// Reads a time that is written exactly in this format. What the format does not show is the
    /// first moment of the year 0, UTC.
    ///
    /// Three things are read that the format need not show: one digit for `15`, names in any case,
    /// and a fraction after the seconds.
    pub(in crate::transform) fn read(&self, text: &str) -> Option<OffsetDateTime> {
        let mut parts = Parts::default();
        let mut rest = text;
        for (item_idx, item) in self.items.iter().enumerate() {
            rest = match item {
                Item::Literal(literal) => skip(rest, literal)?,
                Item::Element(element) => {
                    let after = parts.read(*element, rest)?;
                    let next = self.items.get(item_idx + 1);
                    let fraction_follows =
                        matches!(next, Some(Item::Element(Element::Fraction { .. })));
                    if matches!(element, Element::Second(_)) && !fraction_follows {
                        parts.read_fraction(after, None)?
                    } else {
                        after
                    }
                }
            };
        }
        if rest.is_empty() { parts.time() } else { None }
    }
}

/// What was read so far.
#[derive(Default)]
struct Parts {
    year: i32,
    month: Option<u8>,
    day: Option<u8>,
    day_of_year: Option<u16>,
    hour: u8,
    is_second_half: Option<bool>,
    minute: u8,
    second: u8,
    nanosecond: u32,
    offset: Option<UtcOffset>,
    /// A zone was named whose offset is not known.
    is_zone_unknown: bool,
}

impl Parts {
    /// Takes one element from the start of the text and returns what follows it.
    fn read<'a>(&mut self, element: Element, text: &'a str) -> Option<&'a str> {
        let rest = match element {
            Element::Year => {
                let (year, rest) = digits(text, 4, 4)?;
                self.year = year.into();
                rest
            }
            Element::YearOfCentury => {
                let (year, rest) = digits(text, 2, 2)?;
                let year = i32::from(year);
                // 69: as POSIX splits the centuries.
                self.year = if year < 69 { 2000 + year } else { 1900 + year };
                rest
            }
            Element::MonthName(name) => {
                let months = (1..=12).filter_map(|it| Month::try_from(it).ok());
                let (month, rest) = months
                    .into_iter()
                    .find_map(|it| Some((it, read_name(text, name, &it.to_string())?)))?;
                self.month = Some(month.into());
                rest
            }
            Element::WeekdayName(name) => {
                let monday = Weekday::Monday;
                // A weekday says nothing that the date does not.
                (0..7).find_map(|it| read_name(text, name, &monday.nth_next(it).to_string()))?
            }
            Element::Month(pad) => set(&mut self.month, padded(text, 2, pad)?)?,
            Element::Day(pad) => set(&mut self.day, padded(text, 2, pad)?)?,
            Element::DayOfYear(pad) => {
                let (day, rest) = padded(text, 3, pad)?;
                self.day_of_year = Some(day);
                rest
            }
            Element::Hour => set(&mut self.hour, digits(text, 1, 2)?)?,
            Element::HourOfHalf(pad) => {
                let rest = set(&mut self.hour, padded(text, 2, pad)?)?;
                if 12 < self.hour {
                    return None;
                }
                rest
            }
            Element::HalfUpper => self.read_half(text, "AM", "PM")?,
            Element::HalfLower => self.read_half(text, "am", "pm")?,
            Element::Minute(pad) => set(&mut self.minute, padded(text, 2, pad)?)?,
            Element::Second(pad) => set(&mut self.second, padded(text, 2, pad)?)?,
            Element::Fraction { n_digits, trim, .. } => {
                self.read_fraction(text, (!trim).then_some(n_digits))?
            }
            Element::Zone => self.read_zone(text)?,
            Element::Offset(style) => {
                let (offset, rest) = read_offset(text, style)?;
                self.offset = Some(offset);
                rest
            }
        };
        Some(rest)
    }

    fn read_half<'a>(&mut self, text: &'a str, first: &str, second: &str) -> Option<&'a str> {
        let (half, rest) = text.split_at_checked(2)?;
        self.is_second_half = Some(half == second);
        (half == first || half == second).then_some(rest)
    }

    /// Takes a fraction of a second: of exactly `n_digits`, or of any length or none at all.
    fn read_fraction<'a>(&mut self, text: &'a str, n_digits: Option<usize>) -> Option<&'a str> {
        let shown = text.strip_prefix(['.', ',']).unwrap_or_default();
        let rest = shown.trim_start_matches(|it: char| it.is_ascii_digit());
        let fraction = &shown[..shown.len() - rest.len()];
        if let Some(n_digits) = n_digits
            && n_digits != fraction.len()
        {
            return None;
        }
        if fraction.is_empty() {
            return Some(text);
        }
        // What is finer than nanoseconds is cut off.
        let nanoseconds = format!("{fraction:0<9}");
        self.nanosecond = nanoseconds[..9].parse().ok()?;
        Some(rest)
    }

    fn read_zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        let rest = text.trim_start_matches(|it: char| it.is_ascii_uppercase());
        match &text[..text.len() - rest.len()] {
            "UTC" | "GMT" => self.offset = self.offset.or(Some(UtcOffset::UTC)),
            zone if (3..=5).contains(&zone.len()) => self.is_zone_unknown = true,
            _ => return None,
        }
        Some(rest)
    }

    fn time(self) -> Option<OffsetDateTime> {
        // Names of zones are ambiguous (`CST` is three of them), so only an offset beside it helps.
        if self.is_zone_unknown && self.offset.is_none() {
            return None;
        }
        let date = match self.day_of_year {
            Some(day) if self.month.is_none() && self.day.is_none() => {
                Date::from_ordinal_date(self.year, day).ok()?
            }
            _ => {
                let month = Month::try_from(self.month.unwrap_or(1)).ok()?;
                Date::from_calendar_date(self.year, month, self.day.unwrap_or(1)).ok()?
            }
        };
        let hour = match self.is_second_half {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let time = Time::from_hms_nano(hour, self.minute, self.second, self.nanosecond).ok()?;
        let offset = self.offset.unwrap_or(UtcOffset::UTC);
        Some(PrimitiveDateTime::new(date, time).assume_offset(offset))
    }
}

/// Takes the literal off the text; a run of spaces stands for a run of any length.
fn skip<'a>(text: &'a str, literal: &str) -> Option<&'a str> {
    let mut rest = text;
    let mut literal = literal;
    while let Some(first) = literal.chars().next() {
        rest = rest.strip_prefix(first)?;
        literal = &literal[first.len_utf8()..];
        if first == ' ' {
            rest = rest.trim_start_matches(' ');
            literal = literal.trim_start_matches(' ');
        }
    }
    Some(rest)
}

/// Takes a number of `min` to `max` digits. At most 4 of them, so it always fits.
fn digits(text: &str, min: usize, max: usize) -> Option<(u16, &str)> {
    let n_digits = text.bytes().take(max).take_while(u8::is_ascii_digit).count();
    if n_digits < min {
        return None;
    }
    let (number, rest) = text.split_at(n_digits);
    Some((number.parse().ok()?, rest))
}

fn padded(text: &str, width: usize, pad: Pad) -> Option<(u16, &str)> {
    match pad {
        Pad::Zero => digits(text, width, width),
        Pad::None => digits(text, 1, width),
        Pad::Space => digits(text.trim_start_matches(' '), 1, width),
    }
}

/// Stores a number and returns what follows it.
fn set<'a, T: From<u8>>(place: &mut T, (number, rest): (u16, &'a str)) -> Option<&'a str> {
    *place = T::from(u8::try_from(number).ok()?);
    Some(rest)
}

fn read_name<'a>(text: &'a str, style: Name, name: &str) -> Option<&'a str> {
    let name = style.cut(name);
    let (start, rest) = text.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(rest)
}

fn read_offset(text: &str, style: Offset) -> Option<(UtcOffset, &str)> {
    if style.z
        && let Some(rest) = text.strip_prefix('Z')
    {
        return Some((UtcOffset::UTC, rest));
    }
    let is_negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['+', '-'])?;
    let mut parts = [0_i8; 3];
    for (part_idx, part) in parts.iter_mut().take(style.n_parts).enumerate() {
        if style.colon && 0 < part_idx {
            rest = rest.strip_prefix(':')?;
        }
        let (number, after) = digits(rest, 2, 2)?;
        let number = i8::try_from(number).ok()?;
        *part = if is_negative { -number } else { number };
        rest = after;
    }
    let [hours, minutes, seconds] = parts;
    Some((UtcOffset::from_hms(hours, minutes, seconds).ok()?, rest))
}
