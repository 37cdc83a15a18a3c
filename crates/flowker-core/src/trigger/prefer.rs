//! The `Prefer` header (RFC 7240), of which only `wait` is known.

use std::time::Duration;

/// How long the caller prefers to wait for the end, from all `Prefer` headers of a request.
///
/// The first `wait` counts (RFC 7240 §2). What is unknown or malformed is ignored, as the RFC asks.
pub fn preferred_wait<'a>(headers: impl IntoIterator<Item = &'a [u8]>) -> Option<Duration> {
    let texts = headers.into_iter().filter_map(|value| std::str::from_utf8(value).ok());
    texts.flat_map(|text| text.split(',')).find_map(|preference| {
        let (name, value) = preference.split(';').next()?.split_once('=')?;
        if !name.trim().eq_ignore_ascii_case("wait") {
            return None;
        }
        let value = value.trim().trim_matches('"');
        // Digits only: `parse` alone would take a sign.
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_wait_among_preferences() {
        let check = |values: &[&str], expected: Option<u64>| {
            let wait = preferred_wait(values.iter().map(|it| it.as_bytes()));
            assert_eq!(wait, expected.map(Duration::from_secs), "{values:?}");
        };
        check(&[], None);
        check(&["wait=10"], Some(10));
        check(&["respond-async, Wait = 5"], Some(5));
        check(&["respond-async", "wait=7;x=y"], Some(7));
        check(&["wait=\"3\""], Some(3));
        check(&["wait=1, wait=2"], Some(1));
        check(&["wait=0"], Some(0));
        check(&["wait"], None);
        check(&["wait=-1"], None);
        check(&["wait=ten"], None);
        check(&["waiting=3"], None);
        check(&["wait=99999999999999999999"], Some(u64::MAX));
    }
}
