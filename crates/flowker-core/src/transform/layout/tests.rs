use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn layout(text: &str) -> Layout {
    Layout::parse(text).expect("a format")
}

#[test]
fn writes_every_element() {
    let time = datetime!(2024-02-05 16:07:09.012_300 +05:30);
    let check = |format: &str, expected: &str| {
        assert_eq!(layout(format).format(time), expected, "{format}");
    };
    check("2006-01-02T15:04:05Z07:00", "2024-02-05T16:07:09+05:30");
    check("2006-01-02T15:04:05.999999999Z07:00", "2024-02-05T16:07:09.0123+05:30");
    check("Mon Jan _2 15:04:05 2006", "Mon Feb  5 16:07:09 2024");
    check("Monday, 2. January 06", "Monday, 5. February 24");
    check("02/01/06 03:04PM", "05/02/24 04:07PM");
    check("3:4:5 pm on 1/2", "4:7:9 pm on 2/5");
    check("002 __2", "036  36");
    check("05.000,000", "09.012,012");
    check("05.0000 05.99", "09.0123 09.01");
    check("05.9", "09");
    check("-0700 -07:00 -07 -070000 -07:00:00", "+0530 +05:30 +05 +053000 +05:30:00");
    check("15 MST", "16 +0530");
    check("20060102_2006", "20240205_2024");
    check("Month of Jan, Janitor 05", "Month of Feb, Janitor 09");
}

#[test]
fn writes_utc_and_the_edges_of_the_clock() {
    let midnight = datetime!(1969-01-01 0:00 UTC);
    assert_eq!(layout("06 3PM Z07:00 Z0700 MST").format(midnight), "69 12AM Z Z UTC");
    assert_eq!(layout("3PM -07:00").format(datetime!(1-01-01 12:30 -09:30)), "12PM -09:30");
    assert_eq!(layout("2006").format(datetime!(33-01-01 0:00 UTC)), "0033");
}

#[test]
fn reads_times() {
    let check = |format: &str, text: &str, expected: OffsetDateTime| {
        assert_eq!(layout(format).read(text), Some(expected), "{format}: {text}");
    };
    let rfc3339 = "2006-01-02T15:04:05Z07:00";
    check(rfc3339, "2024-02-29T23:59:59Z", datetime!(2024-02-29 23:59:59 UTC));
    check(rfc3339, "2024-02-29T23:59:59-03:30", datetime!(2024-02-29 23:59:59 -03:30));
    // A fraction need not be announced.
    check(rfc3339, "2024-02-29T23:59:59.25Z", datetime!(2024-02-29 23:59:59.25 UTC));
    check("05.000", "07.125", datetime!(0-01-01 0:00:07.125 UTC));
    check("05.999", "07", datetime!(0-01-01 0:00:07 UTC));
    check("05,999999999", "07.1234567891", datetime!(0-01-01 0:00:07.123_456_789 UTC));
    check("_2 Jan 2006", " 9 mar 1998", datetime!(1998-03-09 0:00 UTC));
    check(
        "Monday, 02-Jan-06 15:04:05 MST",
        "Friday, 09-Mar-68 4:05:06 UTC",
        datetime!(2068-03-09 4:05:06 UTC),
    );
    check("2.1.06", "9.12.69", datetime!(1969-12-09 0:00 UTC));
    check("2006 002", "2024 366", datetime!(2024-12-31 0:00 UTC));
    check("3PM", "12AM", datetime!(0-01-01 0:00 UTC));
    check("3PM", "12PM", datetime!(0-01-01 12:00 UTC));
    check("3 pm", "1 pm", datetime!(0-01-01 13:00 UTC));
    check("15:04 -0700 (MST)", "15:04 +0200 (CEST)", datetime!(0-01-01 15:04 +02:00));
    check("2 Jan  2006", "2 Jan     2006", datetime!(2006-01-02 0:00 UTC));
}

#[test]
fn refuses_other_times() {
    for (format, text) in [
        ("2006-01-02", "2023-02-29"),
        ("2006-01-02", "2023-2-28"),
        ("2006-01-02", "2023-02-28 "),
        ("2006-01-02", "2023-02-2é"),
        ("2006-01-02", ""),
        ("15:04", "24:00"),
        ("3PM", "13PM"),
        ("3PM", "3pm"),
        ("05", "60"),
        ("05", "05."),
        ("05.000", "05.12"),
        ("Jan", "Foo"),
        ("Z07:00", "+2:00"),
        ("Z07:00", "z"),
        ("-07", "+99"),
        ("-07:00", "Z"),
        // Several zones have this name.
        ("15:04 MST", "15:04 CST"),
        ("15:04 MST", "15:04 utc"),
    ] {
        assert_eq!(layout(format).read(text), None, "{format}: {text}");
    }
}

#[test]
fn a_format_shows_a_part_of_a_time() {
    for text in ["", "yyyy-MM-dd", "%Y-%m-%d", "ISO", "Month", ".0x"] {
        let parsed = Layout::parse(text);
        assert_eq!(parsed.is_some(), text == ".0x", "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        seconds in -62_000_000_000_i64..250_000_000_000,
        nanoseconds in 0_i64..1_000_000_000,
        offset_minutes in -1_439_i32..1_440,
    ) {
        let offset = UtcOffset::from_whole_seconds(offset_minutes * 60).expect("less than a day");
        let time = OffsetDateTime::from_unix_timestamp(seconds).expect("a year of four digits")
            + time::Duration::nanoseconds(nanoseconds);
        let time = time.to_offset(offset);
        for format in [
            "2006-01-02T15:04:05.999999999Z07:00",
            "Monday, _2 January 2006 03:04:05.000000000 PM -0700",
            "002/2006 3:4:5.999999999pm -07:00",
        ] {
            let layout = layout(format);
            prop_assert_eq!(layout.read(&layout.format(time)), Some(time), "{}", format);
        }
    }

    #[test]
    fn never_panics(format in r"([0-9JanMoPpTZ+:.,_ -]|January|Monday|2006|\PC){0,12}", text in r"([0-9JanMoZ+:.,_ -]|\PC){0,20}") {
        if let Some(layout) = Layout::parse(&format) {
            if let Some(time) = layout.read(&text) {
                layout.format(time);
            }
            layout.format(OffsetDateTime::UNIX_EPOCH);
        }
    }
}
