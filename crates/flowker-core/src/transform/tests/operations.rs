use serde_json::{Value, json};

use super::{OPERATIONS, Reads, Transforms, roots, shown, with_env};
use crate::json::DEPTH_MAX;
use crate::transform::operation::Operation;
use crate::transform::spec::Spec;

/// Applies one operation; `expected` is the new document.
#[expect(clippy::needless_pass_by_value, reason = "a case reads better without borrowing")]
fn check(document: &Value, operation: &str, spec: Value, expected: Value) {
    assert_eq!(apply(document, operation, &spec, false), Ok(expected), "{operation} {spec}");
}

/// Applies one operation with `require`; `expected` is the error's text.
#[expect(clippy::needless_pass_by_value, reason = "a case reads better without borrowing")]
fn fails(document: &Value, operation: &str, require: bool, spec: Value, expected: &str) {
    let result = apply(document, operation, &spec, require);
    assert_eq!(result, Err(expected.to_owned()), "{operation} {spec}");
}

fn apply(document: &Value, operation: &str, spec: &Value, require: bool) -> Result<Value, String> {
    let list = json!([{"operation": operation, "spec": spec, "require": require}]);
    let transforms = Transforms::parse(&list).map_err(|faults| format!("{faults:?}"))?;
    with_env(|env| transforms.apply(document.clone(), env)).map_err(|error| error.to_string())
}

/// The one fault of one operation, in the second place of its list.
#[expect(clippy::needless_pass_by_value, reason = "a case reads better without borrowing")]
fn refuse(spec: Value, operation: &str, expected: &str) {
    let list = json!([null, {"operation": operation, "spec": spec}]);
    assert_eq!(shown(Transforms::parse(&list)), [expected], "{list}");
}

#[test]
fn shift_makes_a_new_document() {
    let document = json!({"a": {"b": 1}, "l": [{"p": 1}, {"p": 2}, {}], "n": null});
    let check = |spec, expected| check(&document, "shift", spec, expected);
    check(json!({"x.y": "a.b"}), json!({"x": {"y": 1}}));
    check(json!({"x": "l[1].p", "z": "gone"}), json!({"x": 2, "z": null}));
    check(json!({"x": "l[*].p"}), json!({"x": [1, 2, null]}));
    check(json!({"x": "$"}), json!({"x": document}));
    check(json!({"x": ["a.b"]}), json!({"x": [1]}));
    check(json!({"x": ["a.b", "$", "l[0].p"]}), json!({"x": [1]}));
    check(json!({"x[+]": "a.b", "x[-]": "l[1].p"}), json!({"x": [2, 1]}));
    check(json!({"x[2]": "a.b"}), json!({"x": [null, null, 1]}));
    check(json!({"x": "a.b", "x.y": "a.b"}), json!({"x": {"y": 1}}));

    let fails = |spec, expected| fails(&document, "shift", true, spec, expected);
    fails(json!({"x": "gone.too"}), r#"[0] shift at "gone.too": the value is missing"#);
    fails(json!({"x": "l[*].p"}), r#"[0] shift at "l[*].p": the value is missing"#);
    fails(json!({"x": ["gone", "a"]}), r#"[0] shift at "gone": the value is missing"#);
}

#[test]
fn a_null_that_is_there_is_not_missing() {
    let document = json!({"n": null});
    for (operation, spec, expected) in [
        ("shift", json!({"x": "n"}), json!({"x": null})),
        ("extract", json!({"path": "n"}), Value::Null),
        ("delete", json!({"paths": ["n"]}), json!({})),
    ] {
        assert_eq!(apply(&document, operation, &spec, true), Ok(expected), "{operation}");
    }
}

#[test]
fn concat_joins_texts() {
    let document = json!({"a": "x", "n": 1.50, "t": true, "o": {"k": [1]}, "l": ["p", null, 2, []], "e": [], "0": null});
    let joined = |sources: Value, delim: &str, expected: &str| {
        let spec = json!({"sources": sources, "targetPath": "to.text", "delim": delim});
        let mut whole = document.clone();
        whole["to"] = json!({"text": expected});
        check(&document, "concat", spec, whole);
    };
    joined(json!([{"path": "a"}, {"value": "-"}, {"path": "n"}]), "", "x-1.5");
    joined(json!([{"path": "t"}, {"path": "o"}]), ",", r#"true,{"k":[1]}"#);
    joined(json!([{"path": "l"}, {"path": "a"}]), "|", "p|2|[]|x");
    joined(json!([{"path": "e"}, {"path": "a"}]), ",", "x");
    joined(json!([{"path": "gone"}, {"path": "0"}]), " ", "null null");
    joined(json!([]), ",", "");
    check(
        &json!({"l": [1]}),
        "concat",
        json!({"sources": [{"value": "v"}], "targetPath": "l[+]"}),
        json!({"l": [1, "v"]}),
    );
    let spec = json!({"sources": [{"path": "a"}, {"path": "gone"}], "targetPath": "x"});
    fails(&document, "concat", true, spec, r#"[0] concat at "gone": the value is missing"#);
}

#[test]
fn coalesce_takes_the_first_that_counts() {
    let document = json!({"n": null, "e": "", "z": 0.0, "v": "v"});
    let with = |member: &str, value: Value| {
        let mut with = document.clone();
        with[member] = value;
        with
    };
    let check = |spec, expected| check(&document, "coalesce", spec, expected);
    check(json!({"x": ["gone", "n", "e"]}), with("x", json!("")));
    check(json!({"x": ["e", "z", "v"], "ignore": ["", 0]}), with("x", json!("v")));
    check(json!({"v": ["z"]}), with("v", json!(0.0)));
    check(json!({"x": ["n", "gone"]}), document.clone());
}

#[test]
fn default_sets_whatever_is_there() {
    let document = json!({"a": 1});
    let check = |spec, expected| check(&document, "default", spec, expected);
    check(json!({"a": 2, "b.c": [1]}), json!({"a": 2, "b": {"c": [1]}}));
    check(json!({"a": null}), json!({"a": null}));
    check(json!({"l[1]": "x"}), json!({"a": 1, "l": [null, "x"]}));
}

#[test]
fn delete_removes() {
    let document = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
    let check = |spec, expected| check(&document, "delete", spec, expected);
    check(json!({"paths": ["a.b", "gone", "l[0]"]}), json!({"a": {"c": 2}, "l": [2]}));
    check(json!({"paths": ["a", "a.b"]}), json!({"l": [1, 2]}));
    fails(
        &document,
        "delete",
        true,
        json!({"paths": ["a.b", "a.b"]}),
        r#"[0] delete at "a.b": the value is missing"#,
    );
}

#[test]
fn extract_and_pass() {
    let document = json!({"a": {"b": [1, 2]}});
    check(&document, "extract", json!({"path": "a.b[1]"}), json!(2));
    check(&document, "extract", json!({"path": "gone"}), Value::Null);
    check(&document, "pass", json!({"whatever": 1}), document.clone());
    let spec = json!({"path": "gone"});
    fails(&document, "extract", true, spec, r#"[0] extract at "gone": the value is missing"#);
}

#[test]
fn timestamp_rewrites_in_place() {
    let document = json!({
        "t": "2024-02-05T16:07:09Z", "l": ["2024-02-05T16:07:09Z", null], "u": "1700000000", "n": 1_700_000_000,
        "o": [{"t": "2024-12-31T00:00:00Z"}, {}], "z": null, "bad": "yesterday",
    });
    let rewritten = |path: &str, from: &str, to: &str, at: &str, expected: Value| {
        let mut whole = document.clone();
        *whole.pointer_mut(at).expect("a member of the test's document") = expected;
        check(
            &document,
            "timestamp",
            json!({path: {"inputFormat": from, "outputFormat": to}}),
            whole,
        );
    };
    let rfc3339 = "2006-01-02T15:04:05Z07:00";
    rewritten("t", rfc3339, "Jan 2, 2006", "/t", json!("Feb 5, 2024"));
    rewritten("t", rfc3339, "$unix", "/t", json!("1707149229"));
    rewritten("u", "$unix", rfc3339, "/u", json!("2023-11-14T22:13:20Z"));
    rewritten("n", "$unix", rfc3339, "/n", json!("2023-11-14T22:13:20Z"));
    rewritten("l", rfc3339, "06", "/l", json!(["24", null]));
    rewritten("o[*].t", rfc3339, "2006", "/o", json!([{"t": "2024"}, {}]));
    rewritten("z", rfc3339, "06", "/z", Value::Null);
    rewritten("bad", "$now", rfc3339, "/bad", json!("2024-02-05T16:07:09Z"));
    let format = |from: &str| json!({"inputFormat": from, "outputFormat": rfc3339});
    check(&json!({}), "timestamp", json!({"t": format(rfc3339)}), json!({}));
    check(
        &json!({}),
        "timestamp",
        json!({"t": format("$now")}),
        json!({"t": "2024-02-05T16:07:09Z"}),
    );

    let fails = |path: &str, from: &str, require, expected: &str| {
        fails(&document, "timestamp", require, json!({path: format(from)}), expected);
    };
    fails("gone", rfc3339, true, r#"[0] timestamp at "gone": the value is missing"#);
    fails(
        "bad",
        "2006",
        false,
        r#"[0] timestamp at "bad": "yesterday" is not a time in the format "2006""#,
    );
    fails(
        "bad",
        "$unix",
        false,
        r#"[0] timestamp at "bad": "yesterday" is not a time in the format "$unix""#,
    );
    fails(
        "n",
        "2006",
        false,
        r#"[0] timestamp at "n": expected a string, or an array of them, and found a number"#,
    );
    fails(
        "o",
        "2006",
        false,
        r#"[0] timestamp at "o": expected a string, or an array of them, and found an object"#,
    );
}

#[test]
fn uuid_is_random_or_made_of_names() {
    let document = json!({"host": "www.example.com", "n": 7});
    let made = |spec: Value, expected: &str| {
        let mut whole = document.clone();
        whole["id"] = json!(expected);
        check(&document, "uuid", json!({"id": spec}), whole);
    };
    made(json!({"version": 4}), "11112222-3333-4444-8555-666677778888");
    // From RFC 9562, appendix A.
    let host = json!([{"path": "host"}]);
    made(
        json!({"version": 3, "namespace": "DNS", "names": host}),
        "5df41881-3aed-3515-88a7-2f4a814cf09e",
    );
    made(
        json!({"version": 5, "namespace": "DNS", "names": host}),
        "2ed6657d-e927-568b-95e1-2665a8aea6a2",
    );
    let spec = json!({"id": {"version": 5, "namespace": "URL", "names": [{"path": "gone"}]}});
    fails(&document, "uuid", false, spec, r#"[0] uuid at "gone": the value is missing"#);
}

#[test]
fn names_of_a_uuid_are_folded() {
    let id = |namespace: &str, names: Value| {
        let spec = json!({"id": {"version": 5, "namespace": namespace, "names": names}});
        let made = apply(&json!({"a": "x", "n": 7}), "uuid", &spec, false).expect("an id");
        made["id"].as_str().expect("a string").to_owned()
    };
    let first = id("OID", json!([{"path": "a"}]));
    let second = id(&first, json!([{"path": "n"}]));
    assert_eq!(id("OID", json!([{"path": "a"}, {"path": "n"}])), second);
    assert_eq!(id("OID", json!([{"path": "a"}, {"path": "gone", "default": "7"}])), second);
    assert_ne!(id("OID", json!([{"path": "n"}, {"path": "a"}])), second);
}

#[test]
fn text_operations_change_strings_only() {
    let document = json!({"a": {"s": "Straße 1-2", "n": 1}, "l": ["x", 2]});
    let changed = |operation: &str, spec: Value, expected: &str| {
        let mut whole = document.clone();
        whole["a"]["s"] = json!(expected);
        check(&document, operation, spec, whole);
    };
    changed("remove_characters", json!({"path": "a.s", "characters": "- e"}), "Straß12");
    changed("add_prefix", json!({"path": "a.s", "prefix": " "}), " Straße 1-2");
    changed("add_suffix", json!({"path": "a.s", "suffix": "!"}), "Straße 1-2!");
    changed("to_uppercase", json!({"path": "a.s"}), "STRASSE 1-2");
    changed("to_lowercase", json!({"path": "a.s"}), "straße 1-2");
    for path in ["a.n", "gone", "a", "a.s.t", "l"] {
        let spec = json!({"path": path});
        assert_eq!(apply(&document, "to_uppercase", &spec, true), Ok(document.clone()), "{path}");
    }
    check(
        &document,
        "to_uppercase",
        json!({"path": "l[*]"}),
        json!({"a": document["a"], "l": ["X", 2]}),
    );
}

#[test]
fn operations_follow_one_another() {
    let list = json!([
        "skipped",
        {"operation": "concat", "spec": {"sources": [{"path": "a"}, {"path": "b"}], "targetPath": "ab"}},
        {"operation": "shift", "spec": {"x": "ab", "y": "c"}},
        {"operation": "add_prefix", "spec": {"path": "x", "prefix": "#"}},
        {"operation": "delete", "spec": {"paths": ["y"]}, "require": true, "comment": "unknown members are ignored"},
    ]);
    let transforms = Transforms::parse(&list).expect("a sound list");
    let result = with_env(|env| transforms.apply(json!({"a": "1", "b": "2", "c": 3}), env));
    assert_eq!(result, Ok(json!({"x": "#12"})));
    // The index counts what was skipped.
    let list = json!([0, {"operation": "extract", "spec": {"path": "a"}}, {"operation": "extract", "spec": {"path": "b"}, "require": true}]);
    let transforms = Transforms::parse(&list).expect("a sound list");
    let error = with_env(|env| transforms.apply(json!({}), env)).expect_err("nothing is there");
    assert_eq!((error.index, error.operation, error.path.as_str()), (2, "extract", "b"));
}

#[test]
fn knows_what_is_read() {
    let check = |list: Value, expected: Reads| {
        assert_eq!(Transforms::parse(&list).expect("a sound list").reads(), expected, "{list}");
    };
    let shift = json!({"operation": "shift", "spec": {"x": "a.b", "y": ["c", "d[0]"]}});
    let concat =
        json!({"operation": "concat", "spec": {"sources": [{"path": "e"}], "targetPath": "f"}});
    let extract = json!({"operation": "extract", "spec": {"path": "a.b"}});
    check(json!([shift]), roots(&["a", "c", "d"]));
    check(json!([concat, shift]), roots(&["a", "c", "d", "e"]));
    check(json!([extract, concat, shift]), roots(&["a"]));
    check(json!([concat]), Reads::Everything);
    check(json!([]), Reads::Everything);
    check(json!([{"operation": "shift", "spec": {"x": "$", "y": "a"}}]), Reads::Everything);
    check(json!([extract, {"operation": "shift", "spec": {"x": "$"}}]), roots(&["a"]));
}

#[test]
fn faults_name_the_member() {
    refuse(
        json!({"x": 1}),
        "shift",
        r#"[1].spec["x"]: must be a path or an array of paths and is a number"#,
    );
    refuse(
        json!({"x": ["a", 1]}),
        "shift",
        r#"[1].spec["x"][1]: must be a string and is a number"#,
    );
    refuse(json!({"x": []}), "shift", r#"[1].spec["x"]: names no source"#);
    refuse(json!({"x": ""}), "shift", r#"[1].spec["x"]: the path "" has an empty part"#);
    refuse(
        json!({"x": "a[+]"}),
        "shift",
        r#"[1].spec["x"]: the path "a[+]" is read, and [+] and [-] are only for writing; use [n] or [*]"#,
    );
    refuse(
        json!({"x[*]": "a"}),
        "shift",
        r#"[1].spec["x[*]"]: the path "x[*]" is written, and [*] is only for reading; use [n], [+] or [-]"#,
    );
    refuse(
        json!({"x[10001]": "a"}),
        "shift",
        r#"[1].spec["x[10001]"]: the indexes of the path "x[10001]" add up to more than 10000"#,
    );
    refuse(
        json!({"sources": {}, "targetPath": "x"}),
        "concat",
        "[1].spec.sources: must be an array and is an object",
    );
    refuse(
        json!({"targetPath": "x"}),
        "concat",
        "[1].spec.sources: is missing, and it is required",
    );
    refuse(json!({"sources": []}), "concat", "[1].spec.targetPath: is missing, and it is required");
    refuse(
        json!({"sources": [{"value": 1}], "targetPath": "x"}),
        "concat",
        "[1].spec.sources[0].value: must be a string and is a number",
    );
    refuse(
        json!({"sources": [{"path": "a"}, {"path": "b."}], "targetPath": "x"}),
        "concat",
        r#"[1].spec.sources[1].path: the path "b." has an empty part"#,
    );
    refuse(
        json!({"sources": [{"path": "a", "value": "b"}], "targetPath": "x"}),
        "concat",
        "[1].spec.sources[0]: must have either a `path` or a `value`",
    );
    refuse(
        json!({"sources": [], "targetPath": "x", "delim": 1}),
        "concat",
        "[1].spec.delim: must be a string and is a number",
    );
    refuse(json!({"x": "a"}), "coalesce", r#"[1].spec["x"]: must be an array and is a string"#);
    refuse(
        json!({"x": ["$"]}),
        "coalesce",
        r#"[1].spec["x"][0]: `$` is only for the sources of shift; name a member"#,
    );
    refuse(
        json!({"x": ["a"], "ignore": 0}),
        "coalesce",
        "[1].spec.ignore: must be an array and is a number",
    );
    refuse(json!({"a..b": 1}), "default", r#"[1].spec["a..b"]: the path "a..b" has an empty part"#);
}

#[test]
fn faults_name_the_member_of_later_operations() {
    refuse(json!({"path": "a"}), "delete", "[1].spec.paths: is missing, and it is required");
    refuse(
        json!({"paths": ["a[*]"]}),
        "delete",
        r#"[1].spec.paths[0]: the path "a[*]" must name one member; use [n]"#,
    );
    refuse(json!({"path": 1}), "extract", "[1].spec.path: must be a string and is a number");
    refuse(
        json!({"t": "2006"}),
        "timestamp",
        r#"[1].spec["t"]: must be an object and is a string"#,
    );
    refuse(
        json!({"t": {"inputFormat": "2006"}}),
        "timestamp",
        r#"[1].spec["t"].outputFormat: is missing, and it is required"#,
    );
    refuse(
        json!({"t": {"inputFormat": "yyyy-MM", "outputFormat": "2006"}}),
        "timestamp",
        r#"[1].spec["t"].inputFormat: "yyyy-MM" shows no part of a time; write how 2006-01-02T15:04:05Z07:00 would look"#,
    );
    refuse(
        json!({"t": {"inputFormat": "2006", "outputFormat": "$now"}}),
        "timestamp",
        r#"[1].spec["t"].outputFormat: "$now" shows no part of a time; write how 2006-01-02T15:04:05Z07:00 would look"#,
    );
    refuse(
        json!({"id": {"version": 7}}),
        "uuid",
        r#"[1].spec["id"].version: must be the number 3, 4 or 5"#,
    );
    refuse(
        json!({"id": {"version": 5, "namespace": "dns"}}),
        "uuid",
        r#"[1].spec["id"].namespace: must be DNS, URL, OID, X500 or a UUID"#,
    );
    refuse(
        json!({"id": {"version": 5, "namespace": "DNS", "names": []}}),
        "uuid",
        r#"[1].spec["id"].names: names nothing that the UUID could be made of"#,
    );
    refuse(
        json!({"path": "a", "characters": " "}),
        "remove_characters",
        "[1].spec.characters: must hold a character that is not a space",
    );
    refuse(json!({"path": "a", "prefix": ""}), "add_prefix", "[1].spec.prefix: is empty");
    refuse(json!({"path": "a"}), "add_suffix", "[1].spec.suffix: is missing, and it is required");
    refuse(json!({"paths": "a"}), "to_lowercase", "[1].spec.path: is missing, and it is required");
    refuse(json!({}), "pass", "[1].spec: is empty");
    refuse(json!([1]), "pass", "[1].spec: must be an object and is an array");
}

#[test]
fn faults_of_entries() {
    let check = |entry: Value, expected: &str| {
        assert_eq!(shown(Transforms::parse(&json!([entry]))), [expected], "{entry}");
    };
    check(json!({}), "[0].operation: is missing, and it is required");
    check(json!({"operation": 1}), "[0].operation: must be a string and is a number");
    check(json!({"operation": "shift"}), "[0].spec: is missing, and it is required");
    check(
        json!({"operation": "pass", "spec": {"a": 1}, "require": "yes"}),
        "[0].require: must be true or false and is a string",
    );
    check(
        json!({"operation": "coalesce", "spec": {"a": ["b"]}, "require": true}),
        "[0].require: is not for coalesce, which changes nothing if it finds nothing",
    );
    let unknown = shown(Transforms::parse(&json!([{"operation": "Shift", "spec": {"a": "b"}}])));
    assert!(unknown[0].starts_with(
        r#"[0].operation: there is no operation "Shift"; use one of shift, concat, "#
    ));
    // Every entry is reported, not only the first.
    assert_eq!(
        shown(Transforms::parse(&json!([{}, {"operation": "pass", "spec": {"a": 1}}, {}]))).len(),
        2
    );
}

#[test]
fn every_operation_is_known_by_its_name() {
    for &name in OPERATIONS {
        let spec = json!({
            "path": "a", "paths": ["a"], "sources": [], "targetPath": "a",
            "characters": "x", "prefix": "x", "suffix": "x",
        });
        let keyed = match name {
            "shift" => json!({"a": "b"}),
            "coalesce" => json!({"a": ["b"]}),
            "timestamp" => json!({"a": {"inputFormat": "2006", "outputFormat": "06"}}),
            "uuid" => json!({"a": {"version": 4}}),
            _ => spec,
        };
        let spec = Spec::read(&keyed, String::new()).expect("an object");
        let operation = Operation::parse(name, String::new(), &spec).expect(name);
        assert_eq!(operation.name(), name);
    }
}

#[test]
fn what_is_not_a_list_is_absent() {
    for value in [
        json!(null),
        json!({"operation": "shift"}),
        json!("shift"),
        json!([]),
        json!([1, "x", null]),
    ] {
        let transforms = Transforms::parse(&value).expect("nothing to refuse");
        assert!(!transforms.is_effective(), "{value}");
        assert_eq!(with_env(|env| transforms.apply(json!([1]), env)), Ok(json!([1])));
    }
}

#[test]
fn size_and_depth_are_bounded() {
    let twice = json!({"operation": "concat", "spec": {"sources": [{"path": "a"}, {"path": "a"}], "targetPath": "a"}});
    let nest = json!({"operation": "shift", "spec": {"a": "$"}});
    let pad = json!({"operation": "default", "spec": {"a[-][10000]": 1}});
    for (entry, reason) in [
        (twice, "the result would weigh more than 33554432 bytes"),
        (nest, "the result would be nested deeper than 64 levels"),
        (pad, "the result would weigh more than 33554432 bytes"),
    ] {
        let list = Value::Array(vec![entry; 500]);
        let transforms = Transforms::parse(&list).expect("a sound list");
        let error = with_env(|env| transforms.apply(json!({"a": "xx"}), env)).expect_err("a bound");
        assert_eq!(error.reason.to_string(), reason);
    }
    let deepest = vec!["a"; DEPTH_MAX].join(".");
    check(&json!({"b": 1}), "extract", json!({"path": "b"}), json!(1));
    assert!(apply(&json!({"b": 1}), "shift", &json!({&deepest: "b"}), false).is_ok());
    assert!(apply(&json!({"b": []}), "shift", &json!({&deepest: "b"}), false).is_err());
}

#[test]
fn the_number_of_paths_is_bounded() {
    let list = |n_paths: usize| {
        let paths: Vec<_> = (0..n_paths).map(|idx| format!("a{idx}")).collect();
        json!([{"operation": "delete", "spec": {"paths": paths}}])
    };
    assert!(Transforms::parse(&list(2_000)).is_ok());
    assert_eq!(
        shown(Transforms::parse(&list(2_001))),
        ["holds 2001 paths; at most 2000 are allowed"]
    );
}
