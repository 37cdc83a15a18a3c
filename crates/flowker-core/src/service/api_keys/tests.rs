use mockall::predicate::eq;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::ports::{MockApiKeyStore, MockSecrets};
use crate::service::testing::{NEXT_ID, NOW, actor, answer, block_on, clock, ids};

const ID: ApiKeyId = ApiKeyId::from_uuid(Uuid::from_u128(7));

/// What 32 bytes of 7 are as the text of a key.
const TEXT: &str = "flk_BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";

fn api_keys(store: MockApiKeyStore) -> ApiKeys {
    let mut secrets = MockSecrets::new();
    secrets.expect_next_secret().returning(|| Ok([7; 32]));
    let (clock, ids, secrets) = (clock(), ids(), Arc::new(secrets));
    ApiKeys { store: Arc::new(store), table: None, clock, ids, secrets }
}

fn stored() -> ApiKey {
    ApiKey {
        id: ID,
        name: "billing".to_owned(),
        scopes: [Scope::Read].into_iter().collect(),
        digest: KeyDigest::of(b"old"),
        previous: Some(PreviousKey { digest: KeyDigest::of(b"older"), until: NOW }),
        revision: 4,
        created_at: NOW,
        updated_at: NOW,
        rotated_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

fn event(kind: EventType, key: &ApiKey) -> AuditEvent {
    AuditEvent::of_api_key(NEXT_ID, kind, key, &actor())
}

fn create(body: Value, n_keys: usize) -> Result<NewKey, Refusal> {
    let mut store = MockApiKeyStore::new();
    store.expect_unrevoked().returning(move || Ok(vec![stored(); n_keys]));
    store.expect_create().returning(|key, event| {
        assert_eq!(event, self::event(EventType::ApiKeyCreated, &key));
        Ok(ApiKeyWritten::Done)
    });
    block_on(api_keys(store).create(NewKeyOrder::read(body)?, &actor()))
}

#[test]
fn a_new_key_is_checked_and_told_once() {
    let check = |body: Value, expected: &str| {
        assert_eq!(answer(create(body.clone(), 0)), expected, "{body}");
    };
    let future = NOW.plus(Duration::from_secs(1)).to_string();
    check(json!({"name": "n", "scopes": ["trigger"]}), "ok");
    check(json!({"name": "n", "scopes": ["read"], "expiresAt": future}), "ok");
    check(json!({"name": 1, "scopes": "read"}), "FLK-0001 name scopes");
    check(json!(null), "FLK-0703 name scopes");
    check(json!({"name": "é".repeat(51), "scopes": []}), "FLK-0703 name scopes");
    check(json!({"name": "a\nb", "scopes": ["read"]}), "FLK-0703 name");
    check(json!({"name": "n", "scopes": ["read", "admin", 1]}), "FLK-0703 scopes[1] scopes[2]");
    check(json!({"name": "n", "scopes": ["read"], "expiresAt": "soon"}), "FLK-0703 expiresAt");
    let past = json!({"name": "n", "scopes": ["read"], "expiresAt": NOW.to_string()});
    check(past, "FLK-0703 expiresAt");
    for reserved in [CONFIGURED, ANONYMOUS] {
        check(json!({"name": reserved, "scopes": ["read"]}), "FLK-0701 name");
    }
    let body = json!({"name": "n", "scopes": ["manage", "trigger"]});
    assert_eq!(answer(create(body.clone(), KEYS_MAX)), "FLK-0704");
    let NewKey { key, text } = create(body, KEYS_MAX - 1).expect("a key");
    assert_eq!(text.reveal(), TEXT);
    assert_eq!(format!("{text:?}"), "KeyText(***)");
    let expected = ApiKey {
        id: ApiKeyId::from_uuid(NEXT_ID),
        name: "n".to_owned(),
        scopes: [Scope::Trigger, Scope::Manage].into_iter().collect(),
        digest: KeyDigest::of(TEXT.as_bytes()),
        previous: None,
        revision: 1,
        ..stored()
    };
    assert_eq!(key, expected);
}

fn rotate(before: ApiKey, body: Value, written: ApiKeyWritten) -> Result<NewKey, Refusal> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut store = MockApiKeyStore::new();
    store.expect_get().with(eq(ID)).returning(move |_| Ok(Some(before.clone())));
    store.expect_update().returning(move |key, event| {
        assert_eq!(event, self::event(EventType::ApiKeyRotated, &key));
        sender.send(key).expect("somebody listens");
        Ok(written)
    });
    let rotated = block_on(api_keys(store).rotate(ID, RotationOrder::read(body)?, &actor()))?;
    assert_eq!(receiver.recv(), Ok(rotated.key.clone()), "what is answered is stored");
    Ok(rotated)
}

#[test]
fn a_rotation_keeps_the_text_before_for_a_while() {
    let check = |body: Value, previous: Option<Timestamp>, expires_at: Option<Timestamp>| {
        let NewKey { key, text } =
            rotate(stored(), body, ApiKeyWritten::Done).expect("a rotated key");
        assert_eq!(text.reveal(), TEXT);
        let digest = KeyDigest::of(b"old");
        let expected = ApiKey {
            digest: KeyDigest::of(TEXT.as_bytes()),
            previous: previous.map(|until| PreviousKey { digest, until }),
            revision: 5,
            rotated_at: Some(NOW),
            expires_at,
            ..stored()
        };
        assert_eq!(key, expected);
    };
    let later = NOW.plus(Duration::from_mins(1));
    check(json!({}), Some(NOW.plus(OVERLAP)), None);
    check(json!({"overlapSeconds": 60}), Some(later), None);
    check(json!({"overlapSeconds": 0}), None, None);
    check(json!({"expiresAt": later.to_string()}), Some(NOW.plus(OVERLAP)), Some(later));
}

#[test]
fn what_is_over_is_not_rotated() {
    let check = |before: ApiKey, body: Value, written: ApiKeyWritten, expected: &str| {
        assert_eq!(answer(rotate(before, body.clone(), written)), expected, "{body}");
    };
    let done = ApiKeyWritten::Done;
    let revoked = || ApiKey { revoked_at: Some(NOW), ..stored() };
    let expired = || ApiKey { expires_at: Some(NOW), ..stored() };
    let later = NOW.plus(Duration::from_mins(1)).to_string();
    check(revoked(), json!({}), done, "FLK-0702");
    check(revoked(), json!({"expiresAt": later}), done, "FLK-0702");
    check(expired(), json!({}), done, "FLK-0702");
    check(expired(), json!({"expiresAt": later}), done, "ok");
    check(stored(), json!({"expiresAt": NOW.to_string()}), done, "FLK-0703 expiresAt");
    check(stored(), json!({"overlapSeconds": -1}), done, "FLK-0703 overlapSeconds");
    check(stored(), json!({"overlapSeconds": 2_592_001}), done, "FLK-0703 overlapSeconds");
    check(stored(), json!({"overlapSeconds": "1"}), done, "FLK-0001 overlapSeconds");
    check(stored(), json!({}), ApiKeyWritten::Stale, "FLK-0350");
}

#[test]
fn a_revoked_key_stays_revoked() {
    let check = |before: Option<ApiKey>, n_writes: usize, expected: &str| {
        let mut store = MockApiKeyStore::new();
        store.expect_get().returning(move |_| Ok(before.clone()));
        store.expect_update().times(n_writes).returning(|key, event| {
            let expected =
                ApiKey { previous: None, revision: 5, revoked_at: Some(NOW), ..stored() };
            assert_eq!(key, expected);
            assert_eq!(event, self::event(EventType::ApiKeyRevoked, &key));
            Ok(ApiKeyWritten::Done)
        });
        assert_eq!(answer(block_on(api_keys(store).revoke(ID, &actor()))), expected);
    };
    check(Some(stored()), 1, "ok");
    check(Some(ApiKey { revoked_at: Some(NOW), ..stored() }), 0, "ok");
    check(None, 0, "FLK-0700");
}

#[test]
fn a_key_is_found_by_its_name() {
    let find = |name: &str| {
        let mut store = MockApiKeyStore::new();
        store.expect_unrevoked().returning(|| Ok(vec![stored()]));
        answer(block_on(api_keys(store).find(name)))
    };
    assert_eq!(find("billing"), "ok");
    assert_eq!(find("Billing"), "FLK-0700");
}

#[test]
fn without_randomness_there_is_no_key() {
    let mut store = MockApiKeyStore::new();
    store.expect_unrevoked().returning(|| Ok(Vec::new()));
    let mut secrets = MockSecrets::new();
    secrets.expect_next_secret().returning(|| Err("none".into()));
    let keys = ApiKeys { secrets: Arc::new(secrets), ..api_keys(store) };
    let order = NewKeyOrder::read(json!({"name": "n", "scopes": ["read"]})).expect("an order");
    assert_eq!(answer(block_on(keys.create(order, &actor()))), "FLK-9999");
}
