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

#[test]
fn collects_from_every_element() {
    let document = json!({"lines": [{"price": 1, "tags": ["a"]}, {"price": 2}, 3], "none": []});
    let read = |path: &str| {
        let found = Path::parse_source(path).expect("a source").read(&document)?;
        Some((found.value.into_owned(), found.is_complete))
    };
    let lines = document["lines"].clone();
    assert_eq!(read("lines[*]"), Some((lines, true)));
    assert_eq!(read("lines[*].price"), Some((json!([1, 2, null]), false)));
    assert_eq!(read("lines[*].tags[*]"), Some((json!([["a"], null, null]), false)));
    assert_eq!(read("none[*].x"), Some((json!([]), true)));
    assert_eq!(read("lines[1].price"), Some((json!(2), true)));
    assert_eq!(read("lines.price"), None);
    assert_eq!(read("lines[0][*]"), None);
    assert_eq!(read("gone[*]"), None);
}

#[test]
fn writes_and_makes_what_is_missing_on_the_way() {
    let check = |document: Value, path: &str, expected: Value| {
        let mut written = document;
        Target::parse(path).expect("a target").write(&mut written, json!("v"));
        assert_eq!(written, expected, "{path}");
    };
    check(json!({}), "a.b", json!({"a": {"b": "v"}}));
    check(json!({"a": {"c": 1}}), "a.b", json!({"a": {"b": "v", "c": 1}}));
    check(json!({"a": [1, 2]}), "a[1]", json!({"a": [1, "v"]}));
    check(json!({"a": [1]}), "a[3]", json!({"a": [1, null, null, "v"]}));
    check(json!({}), "a[1].b[0]", json!({"a": [null, {"b": ["v"]}]}));
    check(json!({"a": [1]}), "a[+]", json!({"a": [1, "v"]}));
    check(json!({"a": [1]}), "a[-]", json!({"a": ["v", 1]}));
    check(json!({}), "a[+].b", json!({"a": [{"b": "v"}]}));
    check(json!({}), "a[-][+]", json!({"a": [["v"]]}));
    // What is in the way gives way.
    check(json!({"a": 1}), "a.b", json!({"a": {"b": "v"}}));
    check(json!({"a": {"b": 1}}), "a[+]", json!({"a": ["v"]}));
    check(json!({"a": [1]}), "a.b", json!({"a": {"b": "v"}}));
    check(json!("text"), "a", json!({"a": "v"}));
}

#[test]
fn removes_one_member() {
    let check = |path: &str, expected: Option<Value>| {
        let document = json!({"a": {"b": 1}, "l": [1, 2, 3], "n": null});
        let mut left = document.clone();
        let was_there = Path::parse(path).expect("a path").remove(&mut left);
        assert_eq!(was_there, expected.is_some(), "{path}");
        assert_eq!(left, expected.unwrap_or(document), "{path}");
    };
    check("a", Some(json!({"l": [1, 2, 3], "n": null})));
    check("a.b", Some(json!({"a": {}, "l": [1, 2, 3], "n": null})));
    check("l[1]", Some(json!({"a": {"b": 1}, "l": [1, 3], "n": null})));
    check("n", Some(json!({"a": {"b": 1}, "l": [1, 2, 3]})));
    for missing in ["x", "a.x", "a.b.c", "l[3]", "l.a", "a[0]", "l[*]", "l[+]", "n.x[0]"] {
        check(missing, None);
    }
}

#[test]
fn refuses_paths_that_cannot_be_used_so() {
    let long = vec!["a"; json::DEPTH_MAX + 1].join(".");
    assert_eq!(Path::parse(&long), Err(PathError::Long(json::DEPTH_MAX + 1)));
    assert!(Path::parse(&vec!["a"; json::DEPTH_MAX].join(".")).is_ok());
    for text in ["a[+]", "a[-].b"] {
        assert_eq!(Path::parse_source(text), Err(PathError::WriteOnly(text.to_owned())));
    }
    for text in ["a[*]", "a[+]", "a[-]"] {
        assert_eq!(Path::parse_single(text), Err(PathError::NotSingle(text.to_owned())));
    }
    assert_eq!(Target::parse("a[*].b"), Err(PathError::ReadOnly("a[*].b".to_owned())));
    assert!(Target::parse("a[10000]").is_ok());
    for text in ["a[10001]", "a[5000].b[5001]", "a[18446744073709551615][1]"] {
        assert_eq!(Target::parse(text), Err(PathError::IndexLarge(text.to_owned())));
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        first in r"[a-c](\.[a-c]|\[[0-3]\]){0,4}",
        second in r"[a-c](\.[a-c]|\[[0-3]\]|\[\+\]|\[-\]){0,4}",
    ) {
        let mut document = json!({});
        Target::parse(&second).expect("a target").write(&mut document, json!(1));
        Target::parse(&first).expect("a target").write(&mut document, json!(2));
        prop_assert_eq!(Path::parse(&first).expect("a path").get(&document), Some(&json!(2)));
    }

    #[test]
    fn what_is_removed_stays_removed(path in r"[a-c](\.[a-c]|\[[0-2]\]){0,2}\.[a-c]") {
        let mut document = json!({});
        Target::parse(&path).expect("a target").write(&mut document, json!(1));
        let path = Path::parse(&path).expect("a path");
        prop_assert!(path.remove(&mut document));
        prop_assert_eq!(path.get(&document), None);
        let once = document.clone();
        prop_assert!(!path.remove(&mut document));
        prop_assert_eq!(document, once);
    }
}
