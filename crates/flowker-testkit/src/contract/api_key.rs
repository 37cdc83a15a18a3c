//! What every [`ApiKeyStore`](flowker_core::ports::ApiKeyStore) promises.

use std::sync::Arc;

use flowker_core::access::{KeyDigest, Scope, Scopes};
use flowker_core::ports::{
    ApiKey, ApiKeyQuery, ApiKeyWritten, Cursor, NamedSort, NamedSortKey, PreviousKey,
};

use super::workflow::{is_in_order, value_of};
use super::{DIRECTIONS, race};
use crate::sample;
use crate::subject::Subject;

async fn create(subject: &Subject, key: &ApiKey) {
    let answer =
        subject.stores.api_keys.create(key.clone(), sample::event()).await.expect("create");
    assert_eq!(answer, ApiKeyWritten::Done);
}

async fn get(subject: &Subject, n: u64) -> Option<ApiKey> {
    subject.stores.api_keys.get(sample::api_key_id(n)).await.expect("get")
}

/// A key with every member that a key can have.
fn full(n: u64) -> ApiKey {
    ApiKey {
        name: format!("\u{1F600} 'quoted' %_\\ with\0NUL {n}"),
        scopes: Scopes::ALL,
        digest: KeyDigest::from_bytes([0; 32]),
        previous: Some(PreviousKey {
            digest: KeyDigest::from_bytes([0xFF; 32]),
            until: sample::moment(5),
        }),
        updated_at: sample::moment(99),
        rotated_at: Some(sample::moment(98)),
        expires_at: Some(sample::moment(97)),
        revoked_at: Some(sample::moment(96)),
        ..sample::api_key(n)
    }
}

/// A key comes back as it was stored.
pub async fn a_key_comes_back_exactly(subject: Subject) {
    let one =
        |scope: Scope, n| ApiKey { scopes: [scope].into_iter().collect(), ..sample::api_key(n) };
    for key in [full(1), one(Scope::Trigger, 2), one(Scope::Read, 3), one(Scope::Manage, 4)] {
        create(&subject, &key).await;
        assert_eq!(subject.stores.api_keys.get(key.id).await.expect("get"), Some(key));
    }
}

/// Nothing is found or changed under an id that is not there.
pub async fn an_unknown_key_is_not_found(subject: Subject) {
    let keys = &subject.stores.api_keys;
    assert_eq!(get(&subject, 1).await, None);
    let before = keys.keys_revision().await.expect("keys_revision");
    let unknown = ApiKey { revision: 2, ..sample::api_key(1) };
    assert_eq!(keys.update(unknown, sample::event()).await.expect("update"), ApiKeyWritten::Stale);
    assert_eq!(get(&subject, 1).await, None);
    assert_eq!(keys.keys_revision().await.expect("keys_revision"), before);
}

/// No two keys ever have the same name, even if one is revoked; names are compared byte by byte.
pub async fn names_are_unique_for_ever(subject: Subject) {
    let keys = &subject.stores.api_keys;
    create(&subject, &ApiKey { revoked_at: Some(sample::moment(2)), ..sample::api_key(1) }).await;
    let named = |n, name: &str| ApiKey { name: name.to_owned(), ..sample::api_key(n) };
    let before = keys.keys_revision().await.expect("keys_revision");
    let answer = keys.create(named(2, "key 1"), sample::event()).await.expect("create");
    assert_eq!(answer, ApiKeyWritten::NameTaken);
    assert_eq!(get(&subject, 2).await, None);
    assert_eq!(keys.keys_revision().await.expect("keys_revision"), before);
    for (n, name) in [(3, "Key 1"), (4, "key 1 "), (5, "key 1\0")] {
        create(&subject, &named(n, name)).await;
    }
}

/// However many callers race with one name, one key is made.
pub async fn racers_with_one_name_make_one_key(subject: Subject) {
    let answers = race(|idx| {
        let keys = Arc::clone(&subject.stores.api_keys);
        let key = ApiKey { name: "the one".to_owned(), ..sample::api_key(idx) };
        async move { keys.create(key, sample::event()).await.expect("create") }
    })
    .await;
    let n_done = answers.iter().filter(|it| **it == ApiKeyWritten::Done).count();
    let n_taken = answers.iter().filter(|it| **it == ApiKeyWritten::NameTaken).count();
    assert_eq!((n_done, n_taken), (1, answers.len() - 1), "{answers:?}");
}

/// An update replaces the text, its predecessor and the moments; name and scopes stay.
pub async fn an_update_replaces_what_may_change(subject: Subject) {
    create(&subject, &sample::api_key(1)).await;
    create(&subject, &sample::api_key(2)).await;
    let rotated = ApiKey { revision: 2, revoked_at: None, ..full(1) };
    let expected =
        ApiKey { name: "key 1".to_owned(), scopes: sample::api_key(1).scopes, ..rotated.clone() };
    let answer = subject.stores.api_keys.update(rotated, sample::event()).await.expect("update");
    assert_eq!(answer, ApiKeyWritten::Done);
    assert_eq!(get(&subject, 1).await.as_ref(), Some(&expected));
    let plain = ApiKey { revision: 3, ..sample::api_key(1) };
    let answer =
        subject.stores.api_keys.update(plain.clone(), sample::event()).await.expect("update");
    assert_eq!(answer, ApiKeyWritten::Done);
    assert_eq!(get(&subject, 1).await, Some(plain), "members are taken away as well");
    assert_eq!(get(&subject, 2).await, Some(sample::api_key(2)), "no other is touched");
}

/// An update that does not follow the stored revision is refused, and nothing is written.
pub async fn a_stale_update_of_a_key_is_refused(subject: Subject) {
    create(&subject, &sample::api_key(1)).await;
    for revision in [1, 3, 0] {
        let late = ApiKey { revision, ..full(1) };
        let answer = subject.stores.api_keys.update(late, sample::event()).await.expect("update");
        assert_eq!(answer, ApiKeyWritten::Stale, "revision {revision}");
        assert_eq!(get(&subject, 1).await, Some(sample::api_key(1)));
    }
}

/// Of updates that read the same revision one is written.
pub async fn racing_updates_of_a_key_overtake_each_other_in_turn(subject: Subject) {
    create(&subject, &sample::api_key(1)).await;
    for revision in 2..5 {
        let answers = race(|idx| {
            let keys = Arc::clone(&subject.stores.api_keys);
            let digest = KeyDigest::of(&idx.to_be_bytes());
            let key = ApiKey { digest, revision, ..sample::api_key(1) };
            async move { (key.clone(), keys.update(key, sample::event()).await.expect("update")) }
        })
        .await;
        let done = answers.iter().filter(|(_, answer)| *answer == ApiKeyWritten::Done);
        let done: Vec<_> = done.map(|(key, _)| key.clone()).collect();
        assert_eq!(done.len(), 1, "{answers:?}");
        assert_eq!(get(&subject, 1).await.as_ref(), Some(&done[0]));
    }
}

/// A revoked key is still found and listed, and is not among those that callers may present. One
/// that has only expired is: its time is compared when it is presented.
pub async fn a_revoked_key_is_kept_and_not_listed_as_usable(subject: Subject) {
    let keys = &subject.stores.api_keys;
    let expired = ApiKey { expires_at: Some(sample::moment(0)), ..sample::api_key(2) };
    for key in [sample::api_key(1), expired.clone(), sample::api_key(3)] {
        create(&subject, &key).await;
    }
    let revoked = ApiKey { revision: 2, revoked_at: Some(sample::moment(4)), ..sample::api_key(1) };
    let answer = keys.update(revoked.clone(), sample::event()).await.expect("update");
    assert_eq!(answer, ApiKeyWritten::Done);
    assert_eq!(get(&subject, 1).await.as_ref(), Some(&revoked));
    let mut usable = keys.unrevoked().await.expect("unrevoked");
    usable.sort_by_key(|key| key.id);
    assert_eq!(usable, [expired, sample::api_key(3)]);
    assert!(all_pages(&subject, &everything()).await.contains(&revoked));
}

/// Whoever follows the keys learns that they changed.
pub async fn the_keys_revision_grows_with_every_change(subject: Subject) {
    let keys = &subject.stores.api_keys;
    let mut last = keys.keys_revision().await.expect("keys_revision");
    create(&subject, &sample::api_key(1)).await;
    for revision in 2..5 {
        let now = keys.keys_revision().await.expect("keys_revision");
        assert!(last < now, "{last} < {now}");
        last = now;
        let key = ApiKey { revision, ..sample::api_key(1) };
        assert_eq!(keys.update(key, sample::event()).await.expect("update"), ApiKeyWritten::Done);
    }
    assert!(last < keys.keys_revision().await.expect("keys_revision"));
}

fn everything() -> ApiKeyQuery {
    ApiKeyQuery { sort: NamedSort::default(), after: None, limit: 100 }
}

async fn all_pages(subject: &Subject, query: &ApiKeyQuery) -> Vec<ApiKey> {
    let mut found: Vec<ApiKey> = Vec::new();
    loop {
        let after = found.last().map(|it| {
            let moments = (it.created_at, it.updated_at);
            Cursor { value: value_of(query.sort.key, &it.name, moments), id: *it.id.as_uuid() }
        });
        let query = ApiKeyQuery { after, ..query.clone() };
        let limit = query.limit;
        let page = subject.stores.api_keys.list(query).await.expect("list");
        assert!(page.items.len() <= limit, "no more than were asked for");
        assert!(!page.has_more || page.items.len() == limit, "a page is full if more follow");
        found.extend(page.items);
        assert!(found.len() <= 100, "the pages come to an end");
        if !page.has_more {
            return found;
        }
    }
}

/// Over all pages every key comes once, in order, however many share a moment.
pub async fn pages_hold_every_key_once(subject: Subject) {
    let mut made = Vec::new();
    for (n, letter) in (1..).zip(["b", "B", "ä", "a"].into_iter().cycle().take(9)) {
        let key = ApiKey {
            name: format!("{letter} {}", 20 - n),
            created_at: sample::moment(n / 4),
            updated_at: sample::moment((20 - n) / 3),
            ..sample::api_key(n)
        };
        create(&subject, &key).await;
        made.push(key);
    }
    for key in [NamedSortKey::CreatedAt, NamedSortKey::UpdatedAt, NamedSortKey::Name] {
        for direction in DIRECTIONS {
            for limit in [1, 2, 5, 9, 10] {
                let query = ApiKeyQuery { sort: NamedSort { key, direction }, limit, after: None };
                let found = all_pages(&subject, &query).await;
                assert_eq!(found.len(), made.len(), "{query:?}");
                let places = found.iter().map(|it| {
                    let moments = (it.created_at, it.updated_at);
                    (value_of(key, &it.name, moments), *it.id.as_uuid())
                });
                let places: Vec<_> = places.collect();
                assert!(is_in_order(&places, direction), "{query:?}: {places:?}");
                assert!(found.iter().all(|it| made.contains(it)), "whole, as they were stored");
            }
        }
    }
}
