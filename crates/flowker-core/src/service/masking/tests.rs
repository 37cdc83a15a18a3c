use serde_json::json;

use super::*;
use crate::service::testing::members;

#[test]
fn secrets_are_known_by_the_words_in_their_names() {
    let check = |names: &[&str], expected: bool| {
        for name in names {
            assert_eq!(is_secret(name), expected, "{name}");
        }
    };
    check(
        &[
            "api_key",
            "apiKey",
            "API-KEY",
            "APIkey",
            "apikey",
            "key",
            "x_key",
            "signingKey2",
            "secret_access_key",
            "access_key_id",
            "client_id",
            "clientId",
            "clientid",
            "clientSecret",
            "password",
            "newPassword",
            "oldpassword",
            "passwordSalt",
            "dbPasswd",
            "bearer_token",
            "accessToken",
            "accesstoken",
            "token_url",
            "auth",
            "auth_type",
            "Authorization",
            "credential",
            "credentials",
            "private.key",
            "connection_string",
            "databaseUrl",
            "mother_maiden_name",
            "iban",
            "dob",
            "pin",
            "PAN",
            "zip",
            "city",
        ],
        true,
    );
    check(
        &[
            "base_url",
            "username",
            "headers",
            "timeout_seconds",
            "organization_id",
            "ledger_id",
            "issuer_url",
            "scopes",
            "monkey",
            "keyboard",
            "author",
            "pinned",
            "company",
            "tokens",
            "bucket",
            "region",
            "url",
            "string",
            "client",
            "database",
            "",
            "_",
            "1",
        ],
        false,
    );
}

#[test]
fn of_a_secret_its_end_is_shown_and_of_a_short_one_nothing() {
    let check = |secret: Value, expected: &str| {
        let config = members(json!({ "key": secret }));
        assert_eq!(mask(&config)["key"], *expected, "{config:?}");
    };
    check(json!("0123456789"), "****6789");
    check(json!("12345"), "****2345");
    check(json!("1234"), "********");
    check(json!(""), "********");
    // Eight bytes, and yet all that there is.
    check(json!("äöüß"), "********");
    check(json!("äöüßé"), "****öüßé");
    check(json!(123_456), "********");
    check(json!(null), "********");
    check(json!({"client_secret": "0123456789"}), "********");
    check(json!(["0123456789"]), "********");
}

#[test]
fn secrets_are_hidden_however_deep_and_in_headers() {
    let config = json!({
        "base_url": "https://api.test",
        "timeout_seconds": 30,
        "auth": {"issuer_url": "https://login.test"},
        "tenants": [{"name": "a", "password": "0123456789"}, "b"],
        "oauth": {"tokenUrl": "https://login.test/t", "inner": {"client_id": 7}},
        "headers": {"Authorization": "Bearer 0123", "X-Tenant": "acme-7", "Content-Type": "text/plain"},
        "Headers": ["X-Any: value", {"X-Any": "value"}],
    });
    let expected = json!({
        "base_url": "https://api.test",
        "timeout_seconds": 30,
        "auth": "********",
        "tenants": [{"name": "a", "password": "****6789"}, "b"],
        "oauth": {"tokenUrl": "****st/t", "inner": {"client_id": "********"}},
        "headers": {"Authorization": "****0123", "X-Tenant": "****me-7", "Content-Type": "text/plain"},
        "Headers": ["****alue", {"X-Any": "****alue"}],
    });
    assert_eq!(Value::Object(mask(&members(config))), expected);
}

#[test]
fn a_mask_that_comes_back_means_unchanged() {
    let stored = members(json!({
        "base_url": "https://api.test",
        "api_key": "0123456789",
        "auth": {"client_secret": "s"},
        "headers": {"X-A": "value-a", "X-B": "value-b"},
        "list": [{"token": "0123456789", "n": 1}],
    }));
    assert_eq!(unmask(mask(&stored), &stored), stored);

    let check = |pointer: &str, sent: Value, expected: Value| {
        let mut config = Value::Object(mask(&stored));
        *config.pointer_mut(pointer).expect("a member") = sent.clone();
        let unmasked = Value::Object(unmask(members(config), &stored));
        assert_eq!(unmasked.pointer(pointer), Some(&expected), "{pointer} {sent}");
        // And nothing else has changed.
        let mut all = Value::Object(stored.clone());
        *all.pointer_mut(pointer).expect("a member") = expected;
        assert_eq!(unmasked, all);
    };
    check("/base_url", json!("https://b.test"), json!("https://b.test"));
    check("/api_key", json!("new-secret"), json!("new-secret"));
    check("/api_key", json!("****6789"), json!("0123456789"));
    // The mask of another secret is a text like any other.
    check("/api_key", json!("****0000"), json!("****0000"));
    check("/auth", json!({"client_secret": "t"}), json!({"client_secret": "t"}));
    check("/headers/X-A", json!("****ue-b"), json!("****ue-b"));
    check("/headers/X-A", json!("v"), json!("v"));
    check("/list/0/n", json!(2), json!(2));
    check(
        "/list",
        json!([{"token": "****6789"}, {"token": "****6789"}]),
        json!([{"token": "0123456789"}, {"token": "****6789"}]),
    );
}

#[test]
fn members_that_are_not_sent_are_gone() {
    let stored = members(json!({"api_key": "0123456789", "base_url": "u"}));
    let sent = members(json!({"base_url": "u", "password": "********"}));
    assert_eq!(unmask(sent.clone(), &stored), sent);
}

#[test]
fn signing_secrets_are_hidden_and_found_again() {
    let definition = |signature: Value| {
        let data =
            json!({"triggerType": "webhook", "signature": signature, "verify_token": "t0ken"});
        let document = json!({"nodes": [{"id": "in", "type": "trigger", "data": data}]});
        crate::workflow::Definition::from_document(document).expect("a definition")
    };
    let stored =
        definition(json!({"scheme": "github", "secrets": ["first-secret", "other-secret"]}));
    let shown = mask_definition(stored.clone());
    let expected = json!({"scheme": "github", "secrets": ["****cret", "****cret"]});
    assert_eq!(shown.nodes[0].data["signature"], expected);
    assert_eq!(shown.nodes[0].data["verify_token"], "t0ken");
    assert_eq!(unmask_definition(shown, &stored), stored);

    let changed = definition(json!({"scheme": "github", "secret": "a-new-secret"}));
    assert_eq!(unmask_definition(changed.clone(), &stored), changed);
}
