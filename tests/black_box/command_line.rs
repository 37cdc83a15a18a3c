//! What an operator sees of the commands, the settings and their mistakes.

use std::fs;

use flowker_tests::{Finished, Flow, Home, Request, until};
use serde_json::json;

/// The exit code of a wrong configuration.
const CONFIGURATION: Option<i32> = Some(64);

#[test]
fn a_key_is_made_at_the_first_start_and_shown_once() {
    let server = Home::new().unset("API_KEY").start();
    let _ = server.send(Request::get("/v1/workflows").anonymous()).expect(401);
    let output = server.output();
    let fits = |word: &&str| {
        let request = Request::get("/v1/workflows").anonymous().header("X-API-Key", word);
        24 <= word.len() && server.send(request).status == 200
    };
    let words = output.split(|char: char| char.is_whitespace() || "\"'`=,".contains(char));
    let key = words.filter(|word| word.is_ascii()).find(fits);
    let key = key.unwrap_or_else(|| panic!("no key is shown: {output}")).to_owned();

    let server = server.kill().start();
    let request = Request::get("/v1/workflows").anonymous().header("X-API-Key", &key);
    let _ = server.send(request).expect(200);
    assert!(!server.output().contains(&key), "the key is shown again");
    for file in fs::read_dir(server.home().path()).unwrap() {
        let bytes = fs::read(file.unwrap().path()).unwrap();
        let is_stored = bytes.windows(key.len()).any(|window| window == key.as_bytes());
        assert!(!is_stored, "the key is stored as it is");
    }
}

#[test]
fn the_api_can_be_opened() {
    let server = Home::new().unset("API_KEY").set("API_KEY_ENABLED", "false").start();
    let _ = server.send(Request::get("/v1/workflows").anonymous()).expect(200);
}

#[test]
fn all_mistakes_of_the_configuration_are_told_at_once() {
    let home = Home::new()
        .set("SERVER_ADDRESS", "nonsense")
        .set("DRAIN_TIMEOUT", "soon")
        .set("LOG_FORMAT", "xml")
        .set("API_KEY_ENABLED", "perhaps")
        .set("DATABASE_URL", "mysql://localhost");
    let finished = home.run(&["serve"]);
    assert_eq!(finished.code, CONFIGURATION, "{finished:?}");
    for name in ["SERVER_ADDRESS", "DRAIN_TIMEOUT", "LOG_FORMAT", "API_KEY_ENABLED", "DATABASE_URL"]
    {
        assert!(finished.stderr.contains(name), "{name} is not named: {}", finished.stderr);
    }
    assert!(finished.stderr.contains("soon"), "the value is shown: {}", finished.stderr);
}

#[test]
fn settings_are_flags_too() {
    let finished = Home::new().run(&["serve", "--drain-timeout", "soon"]);
    assert_eq!(finished.code, CONFIGURATION, "{finished:?}");
    let finished = Home::new().run(&["serve", "--no-such-flag"]);
    assert!(!matches!(finished.code, Some(0) | None), "{finished:?}");
}

#[test]
fn help_names_the_commands_and_every_setting() {
    let home = Home::new();
    let help = home.run(&["--help"]);
    assert_eq!(help.code, Some(0), "{help:?}");
    for command in ["serve", "demo", "check", "migrate", "doctor", "openapi"] {
        assert!(help.stdout.contains(command), "{command} is not in {}", help.stdout);
    }
    let help = home.run(&["serve", "--help"]);
    assert_eq!(help.code, Some(0), "{help:?}");
    for setting in [
        "SERVER_ADDRESS",
        "DATABASE_URL",
        "API_KEY",
        "API_KEY_ENABLED",
        "SSRF_ALLOW_PRIVATE",
        "OUTBOUND_ALLOW",
        "LOG_LEVEL",
        "LOG_FORMAT",
        "DRAIN_GRACE",
        "DRAIN_TIMEOUT",
        "IDEMPOTENCY_RETENTION",
    ] {
        let flag = format!("--{}", setting.to_lowercase().replace('_', "-"));
        assert!(help.stdout.contains(setting), "{setting} is not in {}", help.stdout);
        assert!(help.stdout.contains(&flag), "{flag} is not in {}", help.stdout);
    }
}

#[test]
fn the_description_is_printed_as_it_is_served() {
    let home = Home::new();
    let printed = home.run(&["openapi"]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    let served = home.start().send(Request::get("/openapi.json").anonymous()).expect(200);
    assert!(served.body == printed.stdout.as_bytes(), "they differ");
    assert!(served.body == include_bytes!("../../docs/reference/openapi.json"), "it is stale");
}

#[test]
fn a_workflow_file_is_checked_without_a_server() {
    let home = Home::new();
    let check = |text: &str| -> Finished {
        fs::write(home.path().join("workflow.json"), text).unwrap();
        home.run(&["check", "workflow.json"])
    };
    let good = Flow::at("PUT", "orders/paid").condition("ask", "workflow.amount > 1");
    let finished = check(&good.to_json().to_string());
    assert_eq!(finished.code, Some(0), "{finished:?}");

    let bad = Flow::at("PUT", "orders/paid").condition("ask", "workflow.amount >");
    for (text, named) in [
        (bad.to_json().to_string(), "nodes[1].data.condition"),
        (
            bad.condition("next", "").edge("next", "ask", None).to_json().to_string(),
            "nodes[2].data.condition",
        ),
        (json!({ "name": "w", "nodes": [{ "id": 7 }] }).to_string(), "nodes[0].id"),
        ("{\"name\": \"w\", \"nodes\": [".to_owned(), "nodes"),
    ] {
        let finished = check(&text);
        assert!(matches!(finished.code, Some(code) if code != 0), "{finished:?}");
        assert!(finished.output().contains(named), "{named} is not named: {}", finished.output());
        assert!(!finished.output().contains("panicked"), "{finished:?}");
    }
    let finished = home.run(&["check", "nowhere.json"]);
    assert!(matches!(finished.code, Some(code) if code != 0), "{finished:?}");
    assert!(finished.output().contains("nowhere.json"), "{finished:?}");
}

#[test]
fn the_doctor_finds_a_fresh_start_in_order_and_changes_nothing() {
    let home = Home::new();
    let finished = home.run(&["doctor"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("flowker.db is made by the first start"), "{finished:?}");
    let n_files = fs::read_dir(home.path()).unwrap().count();
    assert_eq!(n_files, 0, "a look makes no files");

    let finished = home.run(&["migrate"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let finished = home.run(&["doctor"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("as this release needs"), "{finished:?}");

    let server = home.start();
    let finished = server.home().run(&["doctor"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("which a process has open"), "{finished:?}");
    let finished = server.home().run(&["migrate"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("another process has this database open"), "{finished:?}");
    server.expect_sound();
}

#[test]
fn the_doctor_says_what_is_wrong_and_what_to_do() {
    let unreachable = "postgres://me:hidden@127.0.0.1:1/flowker";
    for (setting, value, named) in [
        ("DATABASE_URL", unreachable, "cannot be reached"),
        ("DATABASE_URL", "sqlite:notes.txt", "notes.txt"),
        ("DRAIN_TIMEOUT", "soon", "DRAIN_TIMEOUT"),
    ] {
        let home = Home::new().set(setting, value);
        fs::write(home.path().join("notes.txt"), "no database, and not a short text either")
            .unwrap();
        let finished = home.run(&["doctor"]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        let fault = finished.stdout.lines().skip_while(|line| !line.starts_with("FAULT"));
        let fault: Vec<_> = fault.take(2).collect();
        assert!(fault.first().is_some_and(|it| it.contains(named)), "{finished:?}");
        assert!(fault.get(1).is_some_and(|it| it.contains('→')), "{finished:?}");
        assert!(!finished.output().contains("hidden"), "{finished:?}");
    }
}

#[test]
fn the_demo_does_what_the_readme_shows() {
    let server = Home::new().start_as("demo");
    until("a command to paste is shown", || {
        let output = server.output();
        (output.contains("curl") && output.contains("/v1/webhooks/orders%2Fpaid")).then_some(())
    });

    let delivery = |key: &str, body: &str, wait: u32| {
        let request = Request::put("/v1/webhooks/orders%2Fpaid").key(key);
        request.header("Prefer", format!("wait={wait}")).body("application/json", body)
    };
    let paid = r#"{"orderId": "42", "amount": 12345678901234567890.10}"#;
    let answer = server.send(delivery("order-42", paid, 10)).expect(200);
    assert_eq!(answer.text("status"), "completed");
    let output = &answer.json()["finalOutput"];
    assert_eq!(output["orderId"], "42");
    assert_eq!(output["charged"].to_string(), "12345678901234567890.10");
    let again = server.send(delivery("order-42", paid, 10)).expect(200);
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));

    // Killed while the sample service takes its time, and started again.
    let slow = r#"{"orderId": "43", "amount": 1, "delaySeconds": 2}"#;
    let accepted = server.send(delivery("order-43", slow, 0)).expect(201);
    let server = server.kill().start_as("demo");
    let results = server.complete(&accepted.text("executionId"));
    assert_eq!(results["finalOutput"]["orderId"], "43");
}
