//! What every [`ProviderConfigStore`](flowker_core::ports::ProviderConfigStore) promises.

mod in_use;

pub use self::in_use::{
    an_activation_and_a_removal_exclude_each_other, an_activation_needs_its_configurations,
    what_active_workflows_use_stays, what_nobody_uses_goes,
};

use std::sync::Arc;

use flowker_core::ports::{
    ConfigStatus, ConfigWritten, Cursor, Direction, NamedSort, NamedSortKey, ProviderConfig,
    ProviderConfigQuery,
};

use super::workflow::{is_in_order, value_of};
use super::{DIRECTIONS, race};
use crate::sample;
use crate::subject::Subject;

async fn create(subject: &Subject, config: &ProviderConfig) {
    let answer =
        subject.stores.configs.create(config.clone(), sample::event()).await.expect("create");
    assert_eq!(answer, ConfigWritten::Done);
}

async fn get(subject: &Subject, n: u64) -> Option<ProviderConfig> {
    subject.stores.configs.get(sample::config_id(n)).await.expect("get")
}

/// A configuration comes back as it was stored, to the last digit, secrets included.
pub async fn a_configuration_comes_back_exactly(subject: Subject) {
    let hard = ProviderConfig {
        name: "\u{1F600} 'quoted' %_\\".to_owned(),
        description: Some("with\0NUL".to_owned()),
        provider_id: "s3.bucket".to_owned(),
        config: sample::object(sample::HARD_JSON),
        status: ConfigStatus::Disabled,
        metadata: sample::object(sample::HARD_JSON),
        revision: 1,
        created_at: sample::moment(1),
        updated_at: sample::moment(99),
        ..sample::config(2)
    };
    let empty = ProviderConfig {
        description: Some(String::new()),
        config: serde_json::Map::new(),
        ..sample::config(3)
    };
    for config in [sample::config(1), hard, empty] {
        create(&subject, &config).await;
        let found = subject.stores.configs.get(config.id).await.expect("get").expect("stored");
        // `Debug` leaves the settings out, so they are compared by themselves.
        assert_eq!(found.config, config.config);
        assert_eq!(found.metadata, config.metadata);
        assert_eq!(found.description, config.description);
        assert_eq!(found, config);
    }
}

/// Nothing is found, changed or removed under an id that is not there.
pub async fn an_unknown_configuration_is_not_found(subject: Subject) {
    let configs = &subject.stores.configs;
    assert_eq!(get(&subject, 1).await, None);
    let unknown = ProviderConfig { revision: 2, ..sample::config(1) };
    assert_eq!(
        configs.update(unknown, sample::event()).await.expect("update"),
        ConfigWritten::Stale
    );
    assert!(!configs.delete(sample::config_id(1), sample::event()).await.expect("delete"));
    assert_eq!(get(&subject, 1).await, None);
}

/// No two configurations have the same name, and names are compared byte by byte.
pub async fn names_are_unique(subject: Subject) {
    create(&subject, &sample::config(1)).await;
    let named = |n, name: &str| ProviderConfig { name: name.to_owned(), ..sample::config(n) };
    let answer =
        subject.stores.configs.create(named(2, "config 1"), sample::event()).await.expect("create");
    assert_eq!(answer, ConfigWritten::NameTaken);
    assert_eq!(get(&subject, 2).await, None, "nothing was written");
    create(&subject, &named(3, "Config 1")).await;
    create(&subject, &named(4, "config 1 ")).await;
}

/// Of racers with the same name one wins.
pub async fn racers_with_one_name_make_one_configuration(subject: Subject) {
    let answers = race(|idx| {
        let configs = Arc::clone(&subject.stores.configs);
        let config = ProviderConfig { name: "wanted".to_owned(), ..sample::config(idx) };
        async move { configs.create(config, sample::event()).await.expect("create") }
    })
    .await;
    let n_done = answers.iter().filter(|it| **it == ConfigWritten::Done).count();
    let n_taken = answers.iter().filter(|it| **it == ConfigWritten::NameTaken).count();
    assert_eq!((n_done, n_done + n_taken), (1, answers.len()), "{answers:?}");
    assert_eq!(all_pages(&subject, &everything()).await.len(), 1);
}

/// An update replaces what can change.
pub async fn an_update_replaces_the_configuration(subject: Subject) {
    create(&subject, &sample::config(1)).await;
    create(&subject, &sample::config(2)).await;
    let changed = ProviderConfig {
        name: "changed".to_owned(),
        description: Some("new".to_owned()),
        config: sample::object(sample::HARD_JSON),
        status: ConfigStatus::Disabled,
        metadata: sample::object(r#"{"a": 1.0}"#),
        revision: 2,
        updated_at: sample::moment(50),
        ..sample::config(1)
    };
    let answer =
        subject.stores.configs.update(changed.clone(), sample::event()).await.expect("update");
    assert_eq!(answer, ConfigWritten::Done);
    assert_eq!(get(&subject, 1).await.map(|it| it.config), Some(changed.config.clone()));
    assert_eq!(get(&subject, 1).await, Some(changed));
    assert_eq!(get(&subject, 2).await, Some(sample::config(2)), "no other is touched");
}

/// An update that does not follow the stored revision is refused, and nothing is written.
pub async fn a_stale_update_is_refused(subject: Subject) {
    create(&subject, &sample::config(1)).await;
    for revision in [1, 3, 0] {
        let late = ProviderConfig { name: "late".to_owned(), revision, ..sample::config(1) };
        let answer = subject.stores.configs.update(late, sample::event()).await.expect("update");
        assert_eq!(answer, ConfigWritten::Stale, "revision {revision}");
        assert_eq!(get(&subject, 1).await, Some(sample::config(1)));
    }
}

/// Of updates that read the same revision one is written.
pub async fn racing_updates_overtake_each_other_in_turn(subject: Subject) {
    create(&subject, &sample::config(1)).await;
    for revision in 2..5 {
        let answers = race(|idx| {
            let configs = Arc::clone(&subject.stores.configs);
            let description = Some(format!("of racer {idx}"));
            let config = ProviderConfig { description, revision, ..sample::config(1) };
            async move {
                (config.clone(), configs.update(config, sample::event()).await.expect("update"))
            }
        })
        .await;
        let done = answers.iter().filter(|(_, answer)| *answer == ConfigWritten::Done);
        let done: Vec<_> = done.map(|(config, _)| config.clone()).collect();
        assert_eq!(done.len(), 1, "{answers:?}");
        assert_eq!(get(&subject, 1).await.as_ref(), Some(&done[0]));
    }
}

/// An update does not take the name of another.
pub async fn an_update_does_not_take_a_name(subject: Subject) {
    create(&subject, &sample::config(1)).await;
    create(&subject, &sample::config(2)).await;
    let greedy = ProviderConfig { name: "config 2".to_owned(), revision: 2, ..sample::config(1) };
    let answer = subject.stores.configs.update(greedy, sample::event()).await.expect("update");
    assert_eq!(answer, ConfigWritten::NameTaken);
    assert_eq!(get(&subject, 1).await, Some(sample::config(1)));
}

/// A removed configuration is gone, and another may have its name.
pub async fn a_deleted_configuration_is_gone_and_its_name_free(subject: Subject) {
    let configs = &subject.stores.configs;
    create(&subject, &sample::config(1)).await;
    create(&subject, &sample::config(2)).await;
    assert!(configs.delete(sample::config_id(1), sample::event()).await.expect("delete"));
    assert!(!configs.delete(sample::config_id(1), sample::event()).await.expect("delete"), "once");
    assert_eq!(get(&subject, 1).await, None);
    assert_eq!(get(&subject, 2).await, Some(sample::config(2)));
    let heir = ProviderConfig { name: "config 1".to_owned(), ..sample::config(3) };
    create(&subject, &heir).await;
}

fn everything() -> ProviderConfigQuery {
    let sort = NamedSort { key: NamedSortKey::Name, direction: Direction::Ascending };
    ProviderConfigQuery { status: None, provider_id: None, sort, after: None, limit: 100 }
}

async fn many(subject: &Subject) -> Vec<ProviderConfig> {
    let mut made = Vec::new();
    // Upper before lower case, and everything beyond ASCII behind: byte by byte.
    let letters = ["b", "B", "ä", "a"].into_iter().cycle().take(12);
    for (n, letter) in (1..).zip(letters) {
        let config = ProviderConfig {
            name: format!("{letter} {}", 20 - n),
            provider_id: if n % 2 == 0 { "http" } else { "s3" }.to_owned(),
            status: if n % 3 == 0 { ConfigStatus::Disabled } else { ConfigStatus::Active },
            created_at: sample::moment(n / 4),
            updated_at: sample::moment((20 - n) / 3),
            ..sample::config(n)
        };
        create(subject, &config).await;
        made.push(config);
    }
    made
}

async fn all_pages(subject: &Subject, query: &ProviderConfigQuery) -> Vec<ProviderConfig> {
    let mut found: Vec<ProviderConfig> = Vec::new();
    loop {
        let after = found.last().map(|it| {
            let moments = (it.created_at, it.updated_at);
            Cursor { value: value_of(query.sort.key, &it.name, moments), id: *it.id.as_uuid() }
        });
        let query = ProviderConfigQuery { after, ..query.clone() };
        let limit = query.limit;
        let page = subject.stores.configs.list(query).await.expect("list");
        assert!(page.items.len() <= limit, "no more than were asked for");
        assert!(!page.has_more || page.items.len() == limit, "a page is full if more follow");
        assert!(found.is_empty() || !page.items.is_empty(), "there is more if a page says so");
        found.extend(page.items);
        assert!(found.len() <= 100, "the pages come to an end");
        if !page.has_more {
            return found;
        }
    }
}

/// Over all pages every configuration comes once, in order, however many share a moment.
pub async fn pages_hold_every_configuration_once(subject: Subject) {
    let made = many(&subject).await;
    for key in [NamedSortKey::CreatedAt, NamedSortKey::UpdatedAt, NamedSortKey::Name] {
        for direction in DIRECTIONS {
            for limit in [1, 2, 5, 12, 13] {
                let sort = NamedSort { key, direction };
                let query = ProviderConfigQuery { sort, limit, ..everything() };
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

/// A list of one status or provider holds all that match, and nothing else, over all pages.
pub async fn filters_hold_over_all_pages(subject: Subject) {
    many(&subject).await;
    let all = all_pages(&subject, &everything()).await;
    for status in [None, Some(ConfigStatus::Active), Some(ConfigStatus::Disabled)] {
        for provider_id in [None, Some("http"), Some("s3"), Some("htt")] {
            let expected: Vec<_> = all
                .iter()
                .filter(|it| status.is_none_or(|status| status == it.status))
                .filter(|it| provider_id.is_none_or(|id| id == it.provider_id))
                .cloned()
                .collect();
            let provider_id = provider_id.map(str::to_owned);
            for limit in [2, 100] {
                let provider_id = provider_id.clone();
                let query = ProviderConfigQuery { status, provider_id, limit, ..everything() };
                assert_eq!(all_pages(&subject, &query).await, expected, "{query:?}");
            }
        }
    }
}
