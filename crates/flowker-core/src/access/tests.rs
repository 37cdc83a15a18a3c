use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::id::ApiKeyId;
use crate::ports::{ApiKey, MockApiKeyStore, PreviousKey, StoreError};
use crate::service::testing::block_on;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_micros(1_000_000);

fn key(name: &str) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_uuid(Uuid::from_u128(1)),
        name: name.to_owned(),
        scopes: [Scope::Trigger].into_iter().collect(),
        digest: KeyDigest::of(name.as_bytes()),
        previous: None,
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
        rotated_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

#[test]
fn who_may_change_may_look() {
    let check = |words: &str, expected: &str| {
        let scopes = Scopes::parse(words).expect("words of ours");
        let allowed: Scopes = Scope::ALL.into_iter().filter(|it| scopes.allow(*it)).collect();
        assert_eq!(allowed.to_string(), expected, "{words}");
    };
    check("", "");
    check("trigger", "trigger");
    check("read", "read");
    check("manage", "read manage");
    check("manage trigger", "trigger read manage");
    assert_eq!(Scopes::parse("read admin"), None);
    assert_eq!(Scopes::ALL.to_string(), "trigger read manage");
    assert!(Scopes::default().is_empty() && !Scopes::ALL.is_empty());
}

#[test]
fn a_digest_shows_nothing() {
    let digest = KeyDigest::of(b"key");
    assert_eq!(format!("{digest:?}"), "KeyDigest(***)");
    assert_eq!(KeyDigest::from_bytes(*digest.as_bytes()), digest);
    assert_ne!(KeyDigest::of(b"key "), digest);
}

#[test]
fn keys_are_good_for_their_time() {
    let until = NOW.plus(Duration::from_secs(10));
    let previous =
        |text: &str, until| Some(PreviousKey { digest: KeyDigest::of(text.as_bytes()), until });
    let keys = [
        key("plain"),
        ApiKey { expires_at: Some(until), ..key("expiring") },
        ApiKey { previous: previous("before", until), ..key("rotated") },
        ApiKey {
            previous: previous("outlived", NOW.plus(Duration::from_secs(20))),
            expires_at: Some(until),
            ..key("both")
        },
    ];
    let mut store = MockApiKeyStore::new();
    store.expect_keys_revision().returning(|| Ok(1));
    store.expect_unrevoked().times(1).returning(move || Ok(keys.to_vec()));
    let table = ApiKeyTable::new(std::sync::Arc::new(store), [KeyDigest::of(b"configured")]);
    let find = |text: &str, now| table.find(text.as_bytes(), now).map(|it| it.name.clone());
    assert_eq!(find("plain", NOW), None, "nothing was read yet");
    assert_eq!(find("configured", NOW).as_deref(), Some(CONFIGURED));
    for _ in 0..2 {
        block_on(table.refresh()).expect("refresh");
    }
    let before = NOW.plus(Duration::from_micros(9_999_999));
    for (text, now, name) in [
        ("plain", until, Some("plain")),
        ("plain ", NOW, None),
        ("", NOW, None),
        ("expiring", before, Some("expiring")),
        ("expiring", until, None),
        ("before", before, Some("rotated")),
        ("before", until, None),
        ("rotated", until, Some("rotated")),
        ("outlived", before, Some("both")),
        ("outlived", until, None),
        ("configured", until, Some(CONFIGURED)),
    ] {
        assert_eq!(find(text, now).as_deref(), name, "{text:?}");
    }
    let scopes = |text: &str| table.find(text.as_bytes(), NOW).map(|it| it.scopes);
    assert_eq!(scopes("plain"), Scopes::parse("trigger"));
    assert_eq!(scopes("configured"), Some(Scopes::ALL));
}

#[test]
fn a_revoked_key_is_gone_with_the_next_look() {
    let mut store = MockApiKeyStore::new();
    let revision = std::sync::atomic::AtomicU64::new(0);
    store
        .expect_keys_revision()
        .returning(move || Ok(revision.fetch_add(1, std::sync::atomic::Ordering::Relaxed)));
    let mut sets = vec![Vec::new(), vec![key("a")]];
    store.expect_unrevoked().returning(move || Ok(sets.pop().expect("two looks")));
    let table = ApiKeyTable::new(std::sync::Arc::new(store), []);
    block_on(table.refresh()).expect("refresh");
    assert!(table.find(b"a", NOW).is_some());
    block_on(table.refresh()).expect("refresh");
    assert!(table.find(b"a", NOW).is_none());
}

#[test]
fn while_the_store_is_away_the_last_keys_stay() {
    let mut store = MockApiKeyStore::new();
    let mut looks = vec![Err(StoreError::Full), Ok(2), Ok(1)];
    store.expect_keys_revision().returning(move || looks.pop().expect("three looks"));
    let mut sets = vec![Err(StoreError::Full), Ok(vec![key("a")])];
    store.expect_unrevoked().returning(move || sets.pop().expect("two looks"));
    let table = ApiKeyTable::new(std::sync::Arc::new(store), []);
    block_on(table.refresh()).expect("refresh");
    for _ in 0..2 {
        block_on(table.refresh()).expect_err("the store is away");
        assert!(table.find(b"a", NOW).is_some());
    }
}
