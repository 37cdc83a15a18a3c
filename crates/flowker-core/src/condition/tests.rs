use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::decimal::DecimalError;
use crate::json;
use crate::path::PathError;

const REFERENCE: &str = include_str!("../../../../docs/reference/conditions.md");

/// What a condition answers, as text: `true`, `false`, or the error.
fn answer(text: &str, scope: &dyn Scope) -> String {
    match Condition::parse(text) {
        Ok(condition) => {
            condition.eval(scope).map_or_else(|error| error.to_string(), |it| it.to_string())
        }
        Err(error) => error.to_string(),
    }
}

/// Evaluates within `{"workflow": {"x": …}}`.
fn check(x: &str, condition: &str, expected: &str) {
    let scope = json::parse(format!(r#"{{"workflow": {{"x": {x}}}, "a-b": 1}}"#).as_bytes())
        .unwrap_or_else(|error| panic!("{x}: {error}"));
    assert_eq!(answer(condition, &scope), expected, "{condition} with x = {x}");
}

/// Evaluates what needs no values.
fn check_constant(condition: &str, expected: &str) {
    assert_eq!(answer(condition, &Map::new()), expected, "{condition}");
}

fn check_refused(text: &str, column: usize, mistake: &Mistake) {
    let error = Condition::parse(text).expect_err(text);
    assert_eq!((error.column, &error.mistake), (column, mistake), "{text}");
}

#[test]
fn compares_numbers_and_texts_that_spell_them() {
    check("1500", "workflow.x > 1000", "true");
    check("1500", "workflow.x>1000", "true");
    check("1500", "1e3 <= workflow.x", "true");
    check("\"1500\"", "workflow.x == 1500.0", "true");
    check("\"007\"", "workflow.x == \"7\"", "true");
    check("\"007\"", "workflow.x != '7'", "false");
    check("\" 7\"", "workflow.x == 7", "false");
    check("\"0x1p4\"", "workflow.x == 16", "true");
    check("-5", "workflow.x < -4.5", "true");
    check("-5", "workflow.x >= +5", "false");
    check("1.50", "workflow.x == 1.5", "true");
}

#[test]
fn compares_numbers_exactly() {
    check("9007199254740993", "workflow.x == 9007199254740992", "false");
    check("9007199254740993", "workflow.x > \"9007199254740992\"", "true");
    check("0.30000000000000001", "workflow.x == 0.3", "false");
    check_constant("1e1000 == 1e1000", "true");
    check_constant("1e1000 > 9.999e999", "true");
    check_constant("1e-1000 > 0", "true");
}

#[test]
fn compares_the_rest_as_text() {
    check("\"active\"", "workflow.x == \"active\"", "true");
    check("\"active\"", "workflow.x == 'Active'", "false");
    check("\"5 apples\"", "workflow.x != 5", "true");
    check("true", "workflow.x == true", "true");
    check("true", "workflow.x == TRUE", "true");
    check("true", "workflow.x == \"true\"", "true");
    check("true", "workflow.x == \"TRUE\"", "false");
    check("true", "workflow.x == 1", "false");
    check("\"\"", "workflow.x == \"\"", "true");
    check("[1, \"a\"]", "workflow.x == '[1,\"a\"]'", "true");
    check("{\"b\": 1, \"a\": {}}", "workflow.x == '{\"a\":{},\"b\":1}'", "true");
    check("{\"a\": 1}", "workflow.x == workflow.x", "true");
    check("{\"a\": 1}", "workflow.x == 1", "false");
}

#[test]
fn null_equals_only_null() {
    check("null", "workflow.x == null", "true");
    check("null", "workflow.x != NULL", "false");
    check("null", "workflow.x == \"null\"", "false");
    check("null", "workflow.x == \"\"", "false");
    check("null", "workflow.x == 0", "false");
    check("null", "workflow.x == false", "false");
    check("0", "workflow.x == null", "false");
    check("\"null\"", "workflow.x == null", "false");
}

#[test]
fn infinities_and_nan_are_numbers() {
    check("\"Infinity\"", "workflow.x == +inf", "true");
    check("1e1000", "workflow.x < Inf AND workflow.x > -Inf", "true");
    check("\"Nan\"", "workflow.x == \"Nan\"", "false");
    check("\"Nan\"", "workflow.x != NaN", "true");
    check("5", "workflow.x < NaN OR workflow.x > NaN OR workflow.x == NaN", "false");
    check_constant("NaN", "true");
}

#[test]
fn orders_numbers_only() {
    let error =
        |what: &str, operator: &str| format!("{what}, and {operator} compares numbers only");
    let text = "workflow.x is a text that is not a number";
    check("\"b\"", "workflow.x > \"a\"", &error(text, ">"));
    check("\"b\"", "5 <= workflow.x", &error(text, "<="));
    check("true", "workflow.x > true", &error("workflow.x is a boolean", ">"));
    check("null", "workflow.x < 5", &error("workflow.x is null", "<"));
    check("[]", "workflow.x >= 5", &error("workflow.x is an array", ">="));
    check("{}", "workflow.x >= 5", &error("workflow.x is an object", ">="));
    check("5", "workflow.x < \"a b\"", &error("\"a b\" is a text that is not a number", "<"));
    check("5", "workflow.x < false", &error("false is a boolean", "<"));
}

#[test]
fn numbers_out_of_bounds_are_errors_and_texts_that_spell_them_are_texts() {
    let error = "the number at workflow.x cannot be compared";
    check("1e1001", "workflow.x == 1e1000", error);
    check("-1e-1001", "workflow.x", error);
    check("1e99999999999999999999", "workflow.x != \"a\"", error);
    check("0e99999999999999999999", "workflow.x == 0", "true");
    check("\"1e1001\"", "workflow.x == \"1e1001\"", "true");
    check("\"1e1001\"", "workflow.x == \"10e1000\"", "false");
    check(
        "\"1e1001\"",
        "workflow.x < 5",
        "workflow.x is a text that is not a number, and < compares numbers only",
    );
    check_refused("1 < 1e1001", 5, &Mistake::Number(DecimalError::OutOfBounds));
}

#[test]
fn an_operand_alone_is_its_truthiness() {
    for (x, expected) in [
        ("true", "true"),
        ("false", "false"),
        ("\"a\"", "true"),
        ("\"\"", "false"),
        ("\"FALSE\"", "false"),
        ("\"0\"", "true"),
        ("\" \"", "true"),
        ("1", "true"),
        ("-0.0", "false"),
        ("0e5", "false"),
        ("1e-400", "true"),
        ("null", "false"),
        ("[]", "true"),
        ("{}", "true"),
    ] {
        check(x, "workflow.x", expected);
    }
    check_constant("\"anything\"", "true");
    check_constant("'false'", "false");
    check_constant("0.0", "false");
    check_constant("False", "false");
    check_constant("null", "false");
}

#[test]
fn reads_paths() {
    check("0", "a-b == 1", "true");
    check("0", "a-b", "true");
    check(
        "{\"y\": [[1], {\"z\": 2}]}",
        "workflow.x.y[0][0] == 1 AND workflow.x.y[1].z == 2",
        "true",
    );
    check("{\"0\": 5}", "workflow.x.0 == 5", "true");
    check("{\"über\": {\"@id\": 5}}", "workflow.x.über.@id == 5", "true");
    // Only whole words have a meaning of their own.
    check("{\"null\": 5}", "workflow.x.null == 5", "true");
    check_constant(
        "exists == 1",
        "there is no value at exists: where it may be missing, ask exists(exists) first",
    );
}

#[test]
fn a_missing_path_is_an_error_except_in_exists() {
    let error = |path: &str| {
        format!("there is no value at {path}: where it may be missing, ask exists({path}) first")
    };
    check("1", "workflow.y == null", &error("workflow.y"));
    check("1", "workflow.x.y", &error("workflow.x.y"));
    check("[1]", "workflow.x[1] != 1", &error("workflow.x[1]"));
    check("1", "NOT nowhere", &error("nowhere"));
    check("1", "exists(workflow.y)", "false");
    check("1", "exists(workflow.x)", "true");
    check("null", "exists ( workflow.x )", "true");
    check("[1]", "exists(workflow.x[1]) OR exists(workflow.x[0])", "true");
    check("1", "NOT exists(workflow.y) AND NOT(exists(workflow.x.y))", "true");
}

#[test]
fn stops_when_the_answer_is_known() {
    check_constant("false AND nowhere", "false");
    check_constant("true OR nowhere > \"a\"", "true");
    check_constant("false AND nowhere OR true", "true");
    check_constant(
        "false OR nowhere",
        "there is no value at nowhere: where it may be missing, ask exists(nowhere) first",
    );
    check_constant("exists(nowhere) AND nowhere == 1", "false");
}

#[test]
fn joins_by_precedence() {
    check_constant("true OR true AND false", "true");
    check_constant("(true OR true) AND false", "false");
    check_constant("NOT true OR true", "true");
    check_constant("NOT (true OR true)", "false");
    check_constant("NOT false AND false", "false");
    check_constant("NOT NOT 1 == 1", "true");
    check_constant("NOT 1 == 2", "true");
    check_constant("((1 == 1))AND(2 == 2)", "true");
    check_constant("  true\tAND\n true  ", "true");
}

#[test]
fn what_is_in_quotes_is_text() {
    check("\"a AND b\"", "workflow.x == \"a AND b\"", "true");
    check("\" AND \"", "workflow.x == \" AND \"", "true");
    check("\"a>=b\"", "workflow.x == 'a>=b' AND \"a>=b\" == workflow.x", "true");
    check("\"(NOT)\"", "workflow.x==\"(NOT)\"", "true");
    check("\"it's\"", "workflow.x == \"it's\"", "true");
    check("\"it's\"", "workflow.x == 'it's'", "true");
    check("\"say \\\"hi\\\"\"", "workflow.x == \"say \"hi\"\"", "true");
    check("\"\\\\n\"", "workflow.x == \"\\n\"", "true");
    check("\"true\"", "workflow.x == \"true\" AND \"5\" == 5", "true");
}

#[test]
fn refuses_what_is_not_a_condition() {
    use Mistake as M;
    let missing = |found: &str| M::OperandMissing { found: found.to_owned() };
    let unexpected = |found: &str| M::Unexpected { found: found.to_owned() };
    let exists = |found: &str| M::ExistsNeedsPath { found: found.to_owned() };

    check_refused("", 1, &M::Empty);
    check_refused(" \t\n", 1, &M::Empty);
    check_refused("\"", 1, &M::OpenQuote { quote: '"' });
    check_refused("é == 'a", 6, &M::OpenQuote { quote: '\'' });
    check_refused("x == \"a\"b", 6, &M::OpenQuote { quote: '"' });
    check_refused("==", 1, &missing("`==`"));
    check_refused("== 5", 1, &missing("`==`"));
    check_refused("x ==", 5, &missing("the end"));
    check_refused("x == AND y", 6, &missing("`AND`"));
    check_refused("x AND", 6, &missing("the end"));
    check_refused("OR x", 1, &missing("`OR`"));
    check_refused("NOT", 4, &missing("the end"));
    check_refused("x == NOT y", 6, &missing("`NOT`"));
    check_refused("x == (y)", 6, &missing("`(`"));
    check_refused("()", 2, &missing("`)`"));
    check_refused("x y", 3, &unexpected("`y`"));
    check_refused("x == 1 y == 2", 8, &unexpected("`y`"));
    check_refused("x == \"a\" \"b\"", 10, &unexpected("a text in quotes"));
    check_refused("x(y)", 2, &unexpected("`(`"));
    check_refused("(x y)", 4, &unexpected("`y`"));
    check_refused("x and y", 3, &M::LogicalWord { found: "and".to_owned(), word: "AND" });
    check_refused("x || y", 3, &M::LogicalWord { found: "||".to_owned(), word: "OR" });
    check_refused("x = 1", 3, &M::LoneSign { sign: '=', instead: "`==`" });
    check_refused("x === 1", 5, &M::LoneSign { sign: '=', instead: "`==`" });
    check_refused("!x", 1, &M::LoneSign { sign: '!', instead: "`!=`, or NOT in front of a term" });
    check_refused("1 < x < 3", 7, &M::Chained { operator: "<" });
    check_refused("(x) == 1", 5, &M::Chained { operator: "==" });
    check_refused("exists(x) == true", 11, &M::Chained { operator: "==" });
    check_refused("NOT (x AND (y)", 5, &M::OpenParenthesis);
    check_refused("exists(x", 7, &M::OpenParenthesis);
    check_refused("x)", 2, &M::StrayParenthesis);
    check_refused("exists()", 8, &exists("`)`"));
    check_refused("exists('x')", 8, &exists("a text in quotes"));
    check_refused("exists(null)", 8, &exists("`null`"));
    check_refused("exists(x y)", 10, &unexpected("`y`"));
    check_refused("a..b", 1, &M::Path(PathError::Empty("a..b".to_owned())));
    check_refused("1 == a[x]", 6, &M::Path(PathError::Index("a[x]".to_owned())));
    for text in ["a[*]", "a[+].b", "a[-]"] {
        check_refused(text, 1, &M::ManyValues { path: Path::parse(text).unwrap() });
    }
}

#[test]
fn tells_bytes_and_columns_apart() {
    let error = Condition::parse("'é€' = 1").unwrap_err();
    assert_eq!((error.offset, error.column), (8, 6));
    assert_eq!(error.to_string(), "`=` is not an operator: write `==` (column 6)");
}

#[test]
fn bounds_length_and_depth() {
    let n_bytes = Condition::TEXT_BYTES_MAX + 1;
    assert!(Condition::parse(&"x".repeat(n_bytes - 1)).is_ok());
    check_refused(&"x".repeat(n_bytes), 1, &Mistake::TooLong { n_bytes });

    let nested = |open: &str, depth: usize, close: &str| {
        format!("{}true{}", open.repeat(depth), close.repeat(depth))
    };
    let max = Condition::DEPTH_MAX;
    check_constant(&nested("(", max, ")"), "true");
    check_constant(&nested("NOT ", max, ""), "true");
    check_refused(&nested("(", max + 1, ")"), max + 1, &Mistake::TooDeep);
    check_refused(&nested("NOT (", max, ")"), 1 + 5 * max / 2, &Mistake::TooDeep);
    // Side by side is not deep.
    check_constant(&["(true)"; 300].join(" AND "), "true");
}

#[test]
fn lists_the_paths_it_reads() {
    let condition =
        Condition::parse("a.b > 1 AND (NOT exists(c) OR d[0].e == \"f.g\") AND 1.5 AND h != a.b");
    let paths: Vec<String> = condition.unwrap().paths().map(ToString::to_string).collect();
    assert_eq!(paths, ["a.b", "c", "d[0].e", "h", "a.b"]);
}

#[test]
fn the_reference_tells_the_truth() {
    let (_, after) = REFERENCE.split_once("```json\n").expect("an example input");
    let (input, after) = after.split_once("```").expect("the end of the input");
    let scope = json::parse(input.as_bytes()).expect("the input is JSON");
    let examples = after.split_once("\n## ").expect("a chapter after the examples").0;
    let rows: Vec<(&str, &str)> = examples
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    assert!(20 <= rows.len(), "{rows:?}");
    for (condition, expected) in rows {
        assert_eq!(answer(condition, &scope), expected, "{condition}");
    }
}

#[test]
fn the_reference_has_the_grammar_of_the_module() {
    let grammar = |text: &str| -> Vec<String> {
        let lines =
            text.lines().map(|line| line.strip_prefix("//!").unwrap_or(line).trim().to_owned());
        lines.skip_while(|line| line != "```ebnf").take_while(|line| line != "```").collect()
    };
    let reference = grammar(REFERENCE);
    assert!(10 < reference.len(), "{reference:?}");
    assert_eq!(reference, grammar(include_str!("../condition.rs")));
}

/// Texts that are conditions, or nearly so.
fn near_condition() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "AND", "OR", "NOT", "(", ")", "exists(", "==", "!=", "<", ">=", "true", "null", "a", "a.b",
        "a[0]", "b.c[1].a", "1", "-2.5e3", "0x1p2", "NaN", "\"x\"", "'1'", "\"", "'", "=", "!",
        "é",
    ]);
    prop::collection::vec((piece, " ?"), 0..16).prop_map(|pieces| {
        pieces.into_iter().flat_map(|(piece, space)| [piece.to_owned(), space]).collect()
    })
}

fn condition() -> impl Strategy<Value = String> {
    let operand = prop::sample::select(vec![
        "a", "a.b", "a[0]", "b.c[1].a", "c", "null", "true", "0", "1e1000", "NaN", "'x'", "\"-7\"",
        "''",
    ]);
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let leaf = prop_oneof![
        (operand.clone(), operator, operand.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        operand.prop_map(str::to_owned),
        Just("exists(a.b)".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(a, b)| format!("{a} AND {b}")),
            pair.prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("NOT ({a})")),
        ]
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "false",
        "0",
        "-7.0",
        "1e1000",
        "1e1001",
        "\"\"",
        "\"x\"",
        "\"-7\"",
        "\"nan\"",
        "\"1e1001\"",
    ])
    .prop_map(|text| json::parse(text.as_bytes()).expect("a value"));
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn parsing_never_panics(text in any::<String>(), near in near_condition()) {
        let _ = Condition::parse(&text);
        if let Err(error) = Condition::parse(&near) {
            prop_assert!(near.is_char_boundary(error.offset), "{:?}", error);
            prop_assert!(error.column <= near.chars().count() + 1, "{:?}", error);
        }
    }

    #[test]
    fn evaluating_never_panics(text in condition(), scope in value()) {
        let condition = Condition::parse(&text).expect("a condition");
        let _ = condition.eval(&scope);
    }

    #[test]
    fn a_text_in_quotes_equals_itself(text in "[^\"]*", quote_free in "(AND|OR|NOT|[ ()=<>!a'])*") {
        for text in [text, quote_free] {
            // As a number, NaN does not.
            prop_assume!(!text.eq_ignore_ascii_case("nan") && text.len() < 4000);
            let scope = Map::from_iter([("x".to_owned(), Value::String(text.clone()))]);
            prop_assert_eq!(answer(&format!("x == \"{text}\""), &scope), "true");
        }
    }

    #[test]
    fn and_binds_tighter_than_or(values: [bool; 5], joins: [bool; 4]) {
        let mut text = values[0].to_string();
        for (value, is_and) in values[1..].iter().zip(joins) {
            text += if is_and { " AND " } else { " OR " };
            text += if *value { "true" } else { "false" };
        }
        let mut groups = vec![values[0]];
        for (value, is_and) in values[1..].iter().zip(joins) {
            match groups.last_mut() {
                Some(last) if is_and => *last &= value,
                _ => groups.push(*value),
            }
        }
        let expected = groups.contains(&true).to_string();
        prop_assert_eq!(answer(&text, &Map::new()), expected);
    }

    #[test]
    fn numbers_compare_as_integers_do(left: i128, right: i128) {
        for (operator, expected) in [
            ("==", left == right), ("!=", left != right), ("<", left < right),
            ("<=", left <= right), (">", left > right), (">=", left >= right),
        ] {
            let text = format!("{left} {operator} \"{right}\"");
            prop_assert_eq!(answer(&text, &Map::new()), expected.to_string(), "{}", text);
        }
    }

    #[test]
    fn white_space_around_operators_changes_nothing(text in condition(), scope in value()) {
        let tight = ["==", "!=", "<=", ">="].iter().fold(text.clone(), |text, operator| {
            text.replace(&format!(" {operator} "), operator)
        });
        prop_assert_eq!(answer(&tight, &scope), answer(&text, &scope));
    }
}
