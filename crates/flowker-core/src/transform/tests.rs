mod mapping;
mod operations;

use proptest::prelude::*;
use serde_json::{Value, json};
use time::macros::datetime;

use super::*;
use crate::path::Path;
use crate::refusal::Fault;

fn with_env<T>(run: impl FnOnce(&Env<'_>) -> T) -> T {
    let new_uuid = || Uuid::from_u128(0x1111_2222_3333_4444_8555_6666_7777_8888);
    run(&Env { now: datetime!(2024-02-05 16:07:09 UTC), new_uuid: &new_uuid })
}

/// Faults and errors as a person reads them.
fn shown<T>(faults: Result<T, Vec<Fault>>) -> Vec<String> {
    faults.err().unwrap_or_default().iter().map(Fault::to_string).collect()
}

fn roots(names: &[&str]) -> Reads {
    Reads::Roots(names.iter().map(|&it| it.to_owned()).collect())
}

/// Documents with few names, so that paths hit them.
fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        r"\PC{0,6}".prop_map(Value::String),
        "(2024-01-01|Feb 2, 10PM)".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[ab]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn path() -> impl Strategy<Value = String> {
    r"[ab](\.[ab]|\[[012*+-]\]){0,3}|\$|"
}

/// Anything that a careless author could write as a spec.
fn spec() -> impl Strategy<Value = Value> {
    let names = "path|paths|sources|targetPath|value|delim|ignore|prefix|suffix|characters|version\
                 |namespace|names|default|inputFormat|outputFormat|[ab](\\[[0*+-]\\])?";
    let leaf = prop_oneof![
        document(),
        path().prop_map(Value::String),
        r"\$unix|\$now|2006-01-02|Jan 2, 3PM|DNS".prop_map(Value::String),
        (3..6).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map(names, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn operation() -> impl Strategy<Value = Value> {
    (prop::sample::select(OPERATIONS), spec(), any::<bool>())
        .prop_map(|(operation, spec, require)| json!({"operation": operation, "spec": spec, "require": require}))
}

/// Specs that are right in form, so that what they do to documents is tried too.
fn sound_operation() -> impl Strategy<Value = Value> {
    let named = |operation: &'static str| move |spec| json!({"operation": operation, "spec": spec});
    let formats = prop::sample::select(&["2006-01-02", "Jan 2, 3PM", "$unix", "$now"][..]);
    prop_oneof![
        (path(), path()).prop_map(|(target, source)| json!({target: source})).prop_map(named("shift")),
        (path(), path(), path())
            .prop_map(|(a, b, target)| json!({"sources": [{"path": a}, {"value": "-"}, {"path": b}], "targetPath": target, "delim": ","}))
            .prop_map(named("concat")),
        (path(), path(), path()).prop_map(|(target, a, b)| json!({target: [a, b], "ignore": [0, ""]})).prop_map(named("coalesce")),
        (path(), document()).prop_map(|(target, value)| json!({target: value})).prop_map(named("default")),
        path().prop_map(|path| json!({"paths": [path]})).prop_map(named("delete")),
        path().prop_map(|path| json!({"path": path})).prop_map(named("extract")),
        (path(), formats).prop_map(|(path, format)| json!({path: {"inputFormat": format, "outputFormat": "02.01.2006"}})).prop_map(named("timestamp")),
        (path(), path()).prop_map(|(target, name)| json!({target: {"version": 5, "namespace": "DNS", "names": [{"path": name}]}})).prop_map(named("uuid")),
        path().prop_map(|path| json!({"path": path})).prop_map(named("to_uppercase")),
    ]
}

proptest! {
    #[test]
    fn no_spec_and_no_document_makes_it_panic(
        list in prop::collection::vec(prop_oneof![operation(), sound_operation(), spec()], 0..4),
        document in document(),
    ) {
        if let Ok(transforms) = Transforms::parse(&Value::Array(list)) {
            let _ = with_env(|env| transforms.apply(document, env));
        }
    }

    #[test]
    fn no_sound_operations_panic(
        list in prop::collection::vec(sound_operation(), 0..6),
        document in document(),
    ) {
        // One fault refuses the whole list, so only entries that are sound alone are kept.
        let sound = list.into_iter().filter(|it| Transforms::parse(&json!([it])).is_ok());
        let transforms = Transforms::parse(&sound.collect()).expect("entries that are sound alone");
        let _ = with_env(|env| transforms.apply(document, env));
    }

    #[test]
    fn no_mapping_makes_it_panic(
        list in prop::collection::vec((path(), path(), any::<bool>(), spec()), 0..4),
        document in document(),
    ) {
        let list = list.into_iter().map(|(source, target, required, transformation)| {
            json!({"source": source, "target": target, "required": required, "transformation": transformation})
        });
        if let Ok(mapping) = Mapping::parse(&list.collect(), MappingKind::Output) {
            let result = with_env(|env| mapping.apply(&document, env));
            prop_assert!(!mapping.is_effective() || result.is_err() || result.is_ok_and(|it| it.is_object()));
        }
    }

    #[test]
    fn what_is_shifted_is_read_again(
        source in r"[ab](\.[ab]|\[[0-2]\]){0,2}",
        target in r"[ab](\.[ab]|\[[0-2]\]){0,3}",
        document in document(),
    ) {
        let transforms = Transforms::parse(&json!([{"operation": "shift", "spec": {&target: &source}}])).expect("a shift");
        let expected = Path::parse(&source).expect("a path").get(&document).cloned();
        let shifted = with_env(|env| transforms.apply(document, env)).expect("no more than before");
        let found = Path::parse(&target).expect("a path").get(&shifted).cloned();
        prop_assert_eq!(found, Some(expected.unwrap_or_default()));
    }

    #[test]
    fn cases_change_once(text in any::<String>()) {
        for operation in ["to_uppercase", "to_lowercase"] {
            let once = json!([{"operation": operation, "spec": {"path": "a"}}]);
            let changed = with_env(|env| {
                let transforms = Transforms::parse(&once).expect("an operation");
                transforms.apply(json!({"a": text}), env)
            });
            let expected = if operation == "to_uppercase" { text.to_uppercase() } else { text.to_lowercase() };
            prop_assert_eq!(changed, Ok(json!({"a": expected})));
        }
    }

    #[test]
    fn only_what_is_read_matters(
        list in prop::collection::vec(sound_operation(), 1..4),
        document in document(),
        other in document(),
    ) {
        let sound = list.into_iter().filter(|it| Transforms::parse(&json!([it])).is_ok());
        let transforms = Transforms::parse(&sound.collect()).expect("entries that are sound alone");
        if let Reads::Roots(roots) = transforms.reads()
            && let Value::Object(members) = &document
        {
            // A member that is not read may be anything, or not there.
            let mut changed = members.clone();
            changed.retain(|name, _| roots.contains(name));
            if !roots.contains("a") {
                changed.insert("a".to_owned(), other);
            }
            let (before, after) = with_env(|env| {
                (transforms.apply(document.clone(), env), transforms.apply(Value::Object(changed), env))
            });
            prop_assert_eq!(before, after);
        }
    }
}
