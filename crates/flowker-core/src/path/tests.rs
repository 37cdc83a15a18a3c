use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn reads_keys_and_indexes() {
    let value = json!({"a": {"b-c": [{"d": 1}, [2, 3]]}, "x": null});
    let get = |path: &str| Path::parse(path).expect("a path").get(&value).cloned();
    assert_eq!(get("a.b-c[0].d"), Some(json!(1)));
    assert_eq!(get("a.b-c[1][1]"), Some(json!(3)));
    assert_eq!(get("x"), Some(Value::Null));
    assert_eq!(get("a.b-c[7]"), None);
    assert_eq!(get("a.b-c.0"), None);
    assert_eq!(get("x.y"), None);
    assert_eq!(get("a.b-c[*]"), None);
}

#[test]
fn refuses_what_is_not_a_path() {
    for text in ["", ".", "a.", ".a", "a..b", "[0]", "a.[0]"] {
        assert_eq!(Path::parse(text), Err(PathError::Empty(text.to_owned())), "{text}");
    }
    for text in ["a[", "a[]", "a[-1]", "a[x]", "a[0", "a[0]b", "a[+1]", "a[99999999999999999999]"] {
        assert_eq!(Path::parse(text), Err(PathError::Index(text.to_owned())), "{text}");
    }
}

proptest! {
    #[test]
    fn shows_as_it_was_written(text in r"[a-z]{1,3}(\[([0-9]|\*|\+|-)\]){0,2}(\.[a-z-]{1,3}(\[[1-9]\])?){0,3}") {
        prop_assert_eq!(Path::parse(&text).expect("a path").to_string(), text);
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let _ = Path::parse(&text);
    }
}
