use proptest::prelude::*;
use serde_json::json;

use super::*;

fn check(text: &str, expected: &Value) {
    assert_eq!(parse(text.as_bytes()).as_ref(), Ok(expected), "{text}");
}

/// `expected` is `path: start of the message`.
fn refuse(text: impl AsRef<[u8]>, expected: &str) {
    let error = parse(text.as_ref()).expect_err("this text is to be refused");
    let shown = format!("{}: {error}", error.path);
    assert!(shown.starts_with(expected), "{shown}");
}

#[test]
fn reads_every_kind_of_value() {
    check(r#"{"a":[1,true,null,"x\u00e9"],"b":{}}"#, &json!({"a": [1, true, null, "xé"], "b": {}}));
    check(" 7 ", &json!(7));
    check(r#"{"a":1,"a":2}"#, &json!({"a": 2}));
}

#[test]
fn keeps_every_digit_through_a_round_trip() {
    for text in [
        "12345678901234567890",
        "0.1000000000000000055511151231257827",
        "1e400",
        "-0",
        "1.50",
        "9007199254740993",
    ] {
        let value = parse(text.as_bytes()).expect("a number");
        assert_eq!(to_text(&value), text);
    }
}

#[test]
fn a_member_named_like_a_private_marker_is_data() {
    for name in ["$serde_json::private::Number", "$serde_json::private::RawValue"] {
        let text = format!(r#"{{"{name}":"1"}}"#);
        let value = parse(text.as_bytes()).expect("an object");
        assert_eq!(value.get(name), Some(&json!("1")));
        assert_eq!(to_text(&value), text);
    }
}

#[test]
fn names_the_member_at_fault() {
    refuse(r#"{"order":{"lines":[1,2,nope]}}"#, "order.lines[2]: ");
    refuse(r#"{"a":{"b":"\ud800"}}"#, "a.b: ");
    refuse(r#"{"a":{"b":1 2}}"#, "a: ");
    refuse(b"{\"a\":\"\xff\"}", "a: ");
    refuse("{\"a\":\"\0\"}", "a: ");
}

#[test]
fn refuses_what_is_not_one_text() {
    for text in ["", " ", "{", "[1,]", "{} {}", "{}x", "NaN", "\u{feff}{}", "'a'", "{\"a\" 1}"] {
        assert!(parse(text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn bounds_depth_and_size() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
    let stored = |depth| parse_within(nested(depth).as_bytes(), Limits::STORED);
    assert!(stored(2 * DEPTH_MAX).is_ok());
    assert!(stored(2 * DEPTH_MAX + 1).is_err());
    refuse(
        nested(DEPTH_MAX + 1),
        "[0][0][0][0][0][0][0][0][0][0][0][0]…: arrays and objects are nested deeper than 64",
    );
    refuse("[".repeat(100_000), "[0]");
    refuse(r#"{"a":"#.repeat(100_000), "a.a.a");
    refuse(format!("[{}0]", "0,".repeat(VALUES_MAX)), "[99999]: the text holds more than");
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_json()) {
        prop_assert_eq!(parse(&to_bytes(&value)), Ok(value));
    }

    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = parse(&bytes);
    }

    /// The same texts are accepted as by `serde_json`, which knows nothing of our limits.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the other parser is what this compares with")]
    fn accepts_what_serde_json_accepts(text in r#"[\[\]{}:,"0-9.eE+\- truefalsn\\u]{0,24}"#) {
        let theirs = serde_json::from_str::<Value>(&text);
        prop_assert_eq!(parse(text.as_bytes()).is_ok(), theirs.is_ok(), "{}", text);
    }
}
