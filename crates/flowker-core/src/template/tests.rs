use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::refusal::Fault;

fn scope() -> Value {
    let text = br#"{"s": "a b", "n": 12345678901234567890.10, "t": true, "z": null, "o": {"k": [1, "x"]}, "r": "{{ s }}", "l": [{"p": 1}, {}]}"#;
    json::parse(text).expect("the test's document")
}

fn check(text: &str, expected: &str) {
    let template = Template::parse(text).expect(text);
    assert_eq!(template.render(&scope()).as_deref(), Ok(expected), "{text}");
}

#[test]
fn puts_values_into_text() {
    check("", "");
    check("plain", "plain");
    check("{{ s }}", "a b");
    check("{{s}}-{{  n  }}", "a b-12345678901234567890.10");
    check("{{ t }}{{ o.k[0] }}", "true1");
    check("{{ o }} {{ o.k }}", r#"{"k":[1,"x"]} [1,"x"]"#);
    check("{{ l[*].p }}", "[1,null]");
    check(r#"{"a":{{ n }}}"#, r#"{"a":12345678901234567890.10}"#);
    check("} }} { a", "} }} { a");
    // What is put in is not looked at again.
    check("{{ r }}", "{{ s }}");
}

#[test]
fn braces_can_be_written() {
    check(r#"{{ "{{" }} s }}"#, "{{ s }}");
    check(r#"{{"{{ s }}"}}"#, "{{ s }}");
    check(r#"{{ "{" }}{{ s }}"#, "{a b");
    check(r#"{{ "\"}}\\" }}{{ s }}"#, r#""}}\a b"#);
    check(r#"{{ "é\u00e9" }}"#, "éé");
    assert_eq!(Template::parse(r#"a{{ "{{" }}"#).expect("a template").as_literal(), Some("a{{"));
    assert_eq!(Template::parse("").expect("a template").as_literal(), Some(""));
    assert_eq!(Template::parse("{{ s }}").expect("a template").as_literal(), None);
}

#[test]
fn refuses_what_is_not_a_template() {
    let check = |text: &str, expected: &str| {
        let error = Template::parse(text).expect_err(text);
        assert_eq!(error.to_string(), expected, "{text}");
    };
    check(
        "a {{ s",
        r#"`{{` is not closed before " s"; write `{{ "{{" }}` for the braces themselves"#,
    );
    check(
        "{{ s }",
        r#"`{{` is not closed before " s }"; write `{{ "{{" }}` for the braces themselves"#,
    );
    check(
        r#"{{ "s }}"#,
        r#"`{{` is not closed before " \"s }}"; write `{{ "{{" }}` for the braces themselves"#,
    );
    check(
        r#"{{ "s" x }}"#,
        r#"`{{` is not closed before " \"s\" x }}"; write `{{ "{{" }}` for the braces themselves"#,
    );
    check("{{}}", "`{{}}` is no reference; write `{{ path }}`");
    check("{{{ s }}}", "`{{{ s }}` is no reference; write `{{ path }}`");
    check("{{ a {{ b }}", "`{{ a {{ b }}` is no reference; write `{{ path }}`");
    check(r#"{{ s ?? "x" }}"#, r#"`{{ s ?? "x" }}` is no reference; write `{{ path }}`"#);
    check("{{ a..b }}", r#"the path "a..b" has an empty part"#);
    check(
        "{{ a[+] }}",
        r#"the path "a[+]" is read, and [+] and [-] are only for writing; use [n] or [*]"#,
    );
}

#[test]
fn says_what_cannot_be_put_in() {
    let check = |text: &str, expected: &str| {
        let error = Template::parse(text).expect(text).render(&scope()).expect_err(text);
        assert_eq!(error.to_string(), expected);
    };
    check("{{ s }} {{ o.gone }}", "{{ o.gone }}: the value is missing");
    check("{{ z }}", "{{ z }}: the value is null, which has no text");
    let huge = json!({"a": "x".repeat(1_000_000)});
    let error = Template::parse(&"{{ a }}".repeat(40)).expect("a template").render(&huge);
    assert_eq!(error.expect_err("too much").reason, Reason::TooLarge);
}

#[test]
fn escapes_only_what_is_put_in() {
    let template = Template::parse("/a/{{ s }}/{{ n }}").expect("a template");
    let escaped = template.render_with(&scope(), |text| text.replace([' ', '.'], "_").into());
    assert_eq!(escaped.as_deref(), Ok("/a/a_b/12345678901234567890_10"));
}

#[test]
fn puts_values_into_values() {
    let check = |value: Value, expected: Value| {
        let template = ValueTemplate::parse(&value).expect("a template");
        assert_eq!(template.render(&scope()), Ok(expected), "{value}");
    };
    let scope = scope();
    check(json!({"a": [1, true, null, "x"]}), json!({"a": [1, true, null, "x"]}));
    check(json!("{{ n }}"), scope["n"].clone());
    check(json!(["{{o}}", "{{ t }}", "{{ z }}"]), json!([scope["o"], true, null]));
    check(json!({"a": {"b": "n={{ t }}"}}), json!({"a": {"b": "n=true"}}));
    check(json!(" {{ t }}"), json!(" true"));
    check(json!({"{{ s }}": r#"{{ "{{" }}"#}), json!({"{{ s }}": "{{"}));
    check(json!("{{ r }}"), json!("{{ s }}"));
}

#[test]
fn faults_of_values_name_the_member() {
    let value = json!({"a": [{"b": "{{"}, "{{ x }}", "{{ x. }}"], "c": "{{ d }}"});
    let faults = ValueTemplate::parse(&value).expect_err("two mistakes");
    let shown: Vec<_> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(
        shown,
        [
            r#"a[0].b: `{{` is not closed before ""; write `{{ "{{" }}` for the braces themselves"#,
            r#"a[2]: the path "x." has an empty part"#,
        ]
    );
}

#[test]
fn values_that_are_missing_or_have_no_room() {
    let render = |value: Value, scope: &Value| {
        let template = ValueTemplate::parse(&value).expect("a template");
        template.render(scope).map_err(|error| error.to_string())
    };
    assert_eq!(
        render(json!(["{{ o.gone }}"]), &scope()),
        Err("{{ o.gone }}: the value is missing".to_owned())
    );
    assert_eq!(
        render(json!("a{{ z }}"), &scope()),
        Err("{{ z }}: the value is null, which has no text".to_owned())
    );
    let deep = (0..json::DEPTH_MAX - 1).fold(json!([]), |inner, _| json!([inner]));
    let scope = json!({"deep": deep});
    assert_eq!(render(json!("{{ deep }}"), &scope), Ok(deep));
    assert_eq!(
        render(json!(["{{ deep }}"]), &scope),
        Err("{{ deep }}: the result would be nested deeper than 64 levels".to_owned())
    );
}

#[test]
fn knows_what_is_read() {
    let value = json!({"a": "{{ x.y }} {{ z }}", "b": ["{{ x }}", "plain"]});
    let template = ValueTemplate::parse(&value).expect("a template");
    let paths: Vec<_> = template.paths().map(Path::to_string).collect();
    assert_eq!(paths, ["x.y", "z", "x"]);
}

proptest! {
    #[test]
    fn never_panics(text in r#"([{}"\\. sno\[\]*]|\{\{|\}\}|\PC){0,16}"#) {
        if let Ok(template) = Template::parse(&text) {
            let _ = template.render(&scope());
        }
        if let Ok(template) = ValueTemplate::parse(&json!({"a": [text]})) {
            let _ = template.render(&scope());
        }
    }

    #[test]
    fn text_without_braces_stays_as_it_is(text in r"[^{]*") {
        let template = Template::parse(&text).expect("a template");
        prop_assert_eq!(template.render(&scope()), Ok(text));
    }

    #[test]
    fn payload_is_never_a_template(text in any::<String>()) {
        let scope = json!({"s": text});
        let template = Template::parse("<{{ s }}>").expect("a template");
        prop_assert_eq!(template.render(&scope), Ok(format!("<{text}>")));
    }
}
