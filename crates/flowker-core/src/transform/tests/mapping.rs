use serde_json::{Value, json};

use super::{Mapping, MappingKind, Reads, roots, shown, with_env};

fn apply(document: &Value, list: &Value, kind: MappingKind) -> Result<Value, String> {
    let mapping = Mapping::parse(list, kind).map_err(|faults| format!("{faults:?}"))?;
    with_env(|env| mapping.apply(document, env)).map_err(|error| error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "a case reads better without borrowing")]
fn check(document: &Value, list: Value, expected: Value) {
    assert_eq!(apply(document, &list, MappingKind::Input), Ok(expected), "{list}");
}

#[test]
fn copies_values() {
    let document = json!({"a": {"b": [1, {"c": 1.50}]}, "n": null});
    let check = |list, expected| check(&document, list, expected);
    check(json!([{"source": "a.b[1].c", "target": "x.y"}]), json!({"x": {"y": 1.50}}));
    check(json!([{"source": "a.b[*].c", "target": "x"}]), json!({"x": [null, 1.50]}));
    check(json!([{"source": "gone", "target": "x"}]), json!({"x": null}));
    check(json!([{"source": "n", "target": "x", "required": true}]), json!({"x": null}));
    check(json!([{"source": "a.b[0]", "target": "x[1]"}]), json!({"x": [null, 1]}));
    check(
        json!([{"source": "a.b[0]", "target": "x[+]"}, {"source": "n", "target": "x[-]"}, {"source": "a.b[0]", "target": "x[+]"}]),
        json!({"x": [null, 1, 1]}),
    );
}

#[test]
fn the_later_target_wins() {
    let document = json!({"a": 1, "b": {"k": 2}});
    let check = |list, expected| check(&document, list, expected);
    check(
        json!([{"source": "a", "target": "x"}, {"source": "b", "target": "x"}]),
        json!({"x": {"k": 2}}),
    );
    check(
        json!([{"source": "a", "target": "x"}, {"source": "a", "target": "x.y"}]),
        json!({"x": {"y": 1}}),
    );
    check(
        json!([{"source": "a", "target": "x.y"}, {"source": "a", "target": "x"}]),
        json!({"x": 1}),
    );
    check(
        json!([{"source": "b", "target": "x"}, {"source": "a", "target": "x.y"}]),
        json!({"x": {"k": 2, "y": 1}}),
    );
}

#[test]
fn only_a_required_source_has_to_be_there() {
    let document = json!({"a": 1, "l": [{"k": 1}, {}]});
    check(
        &document,
        json!([{"source": "gone", "target": "x"}, {"source": "a", "target": "y", "required": true}]),
        json!({"x": null, "y": 1}),
    );
    let fails = |source: &str, expected: &str| {
        let list = json!([null, {"source": "a", "target": "y"}, {"source": source, "target": "x", "required": true}]);
        assert_eq!(apply(&document, &list, MappingKind::Input), Err(expected.to_owned()));
    };
    fails("gone.too", r#"[2] mapping at "gone.too": the value is missing"#);
    fails("l[*].k", r#"[2] mapping at "l[*].k": the value is missing"#);
}

#[test]
fn transforms_what_was_copied() {
    let document = json!({"name": "a-b", "n": 1});
    let check = |list, expected| check(&document, list, expected);
    check(
        json!([{"source": "name", "target": "x.y", "transformation": {"type": "to_uppercase"}}]),
        json!({"x": {"y": "A-B"}}),
    );
    check(
        json!([
            {"source": "name", "target": "x", "transformation": {"type": "remove_characters", "config": {"characters": "-"}}},
            {"source": "n", "target": "n", "transformation": {"type": "add_prefix", "config": {"prefix": "#", "path": "x"}}},
        ]),
        json!({"x": "#ab", "n": 1}),
    );
    check(
        json!([{"source": "name", "target": "x[0]", "transformation": {"type": "to_uppercase", "config": {}}}]),
        json!({"x": ["A-B"]}),
    );
    check(
        json!([{"source": "name", "target": "x", "transformation": {"type": "extract", "config": null}}]),
        json!("a-b"),
    );
}

#[test]
fn an_output_is_an_object() {
    let list = json!([{"source": "a", "target": "x", "transformation": {"type": "extract"}}]);
    let output = |a: Value| apply(&json!({"a": a}), &list, MappingKind::Output);
    assert_eq!(output(json!({"k": 1})), Ok(json!({"k": 1})));
    assert_eq!(
        output(json!([1])),
        Err(r#"[0] extract at "x": the result must be an object and is an array"#.to_owned())
    );
}

#[test]
fn passes_through_if_nothing_is_mapped() {
    for list in [
        json!(null),
        json!({"source": "a", "target": "b"}),
        json!([]),
        json!([1, "x", null, []]),
        json!([{}, {"source": "", "target": "x"}, {"source": "a", "target": null}]),
    ] {
        let mapping = Mapping::parse(&list, MappingKind::Input).expect("nothing to refuse");
        assert!(!mapping.is_effective(), "{list}");
        assert_eq!(mapping.reads(), Reads::Everything);
        check(&json!({"a": 1}), list, json!({"a": 1}));
    }
}

#[test]
fn knows_what_is_read() {
    let list = json!([
        {"source": "a.b", "target": "x", "transformation": {"type": "to_uppercase", "config": {"path": "y"}}},
        {"source": "c[*].d", "target": "a"},
    ]);
    let mapping = Mapping::parse(&list, MappingKind::Input).expect("a sound list");
    assert_eq!(mapping.reads(), roots(&["a", "c"]));
    let paths: Vec<_> = mapping.paths().map(ToString::to_string).collect();
    assert_eq!(paths, ["a.b", "c[*].d"]);
}

#[test]
fn faults_name_the_member() {
    let check = |entry: Value, expected: &str| {
        let faults = shown(Mapping::parse(&json!([0, entry]), MappingKind::Input));
        assert_eq!(faults, [expected], "{entry}");
    };
    check(json!({"source": 1, "target": "x"}), "[1].source: must be a string and is a number");
    check(json!({"source": "a", "target": []}), "[1].target: must be a string and is an array");
    check(
        json!({"source": "a..b", "target": "x"}),
        r#"[1].source: the path "a..b" has an empty part"#,
    );
    check(
        json!({"source": "$", "target": "x"}),
        "[1].source: `$` is only for the sources of shift; name a member",
    );
    check(
        json!({"source": "a", "target": "x[-1]"}),
        r#"[1].target: the path "x[-1]" has an index that is none of a number, *, + and -"#,
    );
    check(
        json!({"source": "a", "target": "x", "required": 1}),
        "[1].required: must be true or false and is a number",
    );
    let transformation = |value: Value, expected: &str| {
        check(json!({"source": "a", "target": "x[+]", "transformation": value}), expected);
    };
    transformation(json!("to_uppercase"), "[1].transformation: must be an object and is a string");
    transformation(json!({}), "[1].transformation: is empty");
    transformation(
        json!({"config": {}}),
        "[1].transformation.type: is missing, and it is required",
    );
    transformation(
        json!({"type": "pass", "config": []}),
        "[1].transformation.config: must be an object and is an array",
    );
    transformation(
        json!({"type": "add_prefix", "config": {"path": "x"}}),
        "[1].transformation.config.prefix: is missing, and it is required",
    );
    transformation(
        json!({"type": "to_uppercase"}),
        r#"[1].transformation.config.path: the path "x[+]" is read, and [+] and [-] are only for writing; use [n] or [*]"#,
    );
}

#[test]
fn the_number_of_mappings_is_bounded() {
    let list = Value::Array(vec![json!({"source": "a", "target": "b"}); 1_001]);
    assert_eq!(
        shown(Mapping::parse(&list, MappingKind::Input)),
        ["holds 2002 paths; at most 2000 are allowed"]
    );
}
