//! Moments as values: nothing in the domain asks what time it is.

use std::fmt;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A moment, in microseconds since 1970 in UTC.
///
/// Microseconds, because that is what the stores keep: a finer value would change when it is read
/// back. Shown as RFC 3339 in UTC at millisecond precision, trailing zeros dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// A moment from microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, as webhook signatures count them.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Reads RFC 3339 text. `None` if it is not, or outside the years 1 to 9999.
    pub fn parse(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000)).ok().map(Self)
    }

    /// The moment `duration` later, or the last one there is.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }

    /// The moment `duration` earlier, or the first one there is.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }

    /// How much later this is than `earlier`; zero if it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same moment for calendar arithmetic, clamped to the years that RFC 3339 can say.
    pub fn to_date_time(self) -> OffsetDateTime {
        // 9999-12-31T23:59:59Z and 0001-01-01T00:00:00Z.
        let nanos = i128::from(self.0) * 1_000;
        let clamped = nanos.clamp(-62_135_596_800_000_000_000, 253_402_300_799_000_000_000);
        OffsetDateTime::from_unix_timestamp_nanos(clamped).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = self.to_date_time();
        let (year, month, day) = moment.to_calendar_date();
        let (hour, minute, second) = moment.to_hms();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", u8::from(month))?;
        match moment.millisecond() {
            0 => {}
            ms if ms % 100 == 0 => write!(f, ".{}", ms / 100)?,
            ms if ms % 10 == 0 => write!(f, ".{:02}", ms / 10)?,
            ms => write!(f, ".{ms:03}")?,
        }
        f.write_str("Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_milliseconds_without_trailing_zeros() {
        let show = |micros| Timestamp::from_micros(micros).to_string();
        assert_eq!(show(0), "1970-01-01T00:00:00Z");
        assert_eq!(show(1_700_000_000_123_456), "2023-11-14T22:13:20.123Z");
        assert_eq!(show(1_700_000_000_120_000), "2023-11-14T22:13:20.12Z");
        assert_eq!(show(1_700_000_000_100_999), "2023-11-14T22:13:20.1Z");
        assert_eq!(show(1_700_000_000_000_999), "2023-11-14T22:13:20Z");
        assert_eq!(show(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(show(i64::MAX), "9999-12-31T23:59:59Z");
        assert_eq!(show(i64::MIN), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn reads_what_it_shows_and_other_offsets() {
        let moment = Timestamp::from_micros(1_700_000_000_123_000);
        assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
        assert_eq!(Timestamp::parse("2023-11-14T23:13:20.123+01:00"), Some(moment));
        assert_eq!(Timestamp::parse("2023-11-14"), None);
        assert_eq!(Timestamp::parse(""), None);
    }

    #[test]
    fn arithmetic_does_not_overflow() {
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.plus(Duration::MAX), last);
        let first = Timestamp::from_micros(i64::MIN);
        assert_eq!(first.minus(Duration::MAX), first);
        assert_eq!(Timestamp::from_micros(7).minus(Duration::from_micros(8)).as_micros(), -1);
        assert_eq!(Timestamp::from_micros(i64::MIN).since(last), Duration::ZERO);
    }
}
