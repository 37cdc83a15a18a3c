use mockall::predicate::eq;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::id::WorkflowId;
use crate::ports::MockProviderConfigStore;
use crate::service::testing::{
    NEXT_ID, NOW, actor, answer, block_on, catalog, clock, config, ids, members, put,
};

const ID: ProviderConfigId = ProviderConfigId::from_uuid(Uuid::from_u128(7));

fn provider_configs(store: MockProviderConfigStore) -> ProviderConfigs {
    ProviderConfigs { store: Arc::new(store), catalog: catalog(), clock: clock(), ids: ids() }
}

fn holding(config: Option<ProviderConfig>) -> MockProviderConfigStore {
    let mut store = MockProviderConfigStore::new();
    store.expect_get().with(eq(ID)).returning(move |_| Ok(config.clone()));
    store
}

/// A document without a fault.
fn document() -> Value {
    json!({"name": "n", "providerId": "demo", "config": {"base_url": "https://demo.test"}})
}

fn create(document: Value) -> Result<ProviderConfig, Refusal> {
    let mut store = MockProviderConfigStore::new();
    store.expect_create().returning(|_, _| Ok(ConfigWritten::Done));
    block_on(provider_configs(store).create(document, &actor()))
}

/// What is answered, which must be what is stored.
fn patch(before: ProviderConfig, document: Value) -> Result<ProviderConfig, Refusal> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut store = holding(Some(before));
    store.expect_update().returning(move |config, _| {
        sender.send(config).expect("somebody listens");
        Ok(ConfigWritten::Done)
    });
    let patched = block_on(provider_configs(store).patch(ID, document, &actor()))?;
    assert_eq!(receiver.recv(), Ok(patched.clone()));
    Ok(patched)
}

#[test]
fn a_new_configuration_is_checked_in_order() {
    let check = |edits: &[(&str, Value)], expected: &str| {
        let mut document = document();
        for (pointer, value) in edits {
            put(&mut document, pointer, value.clone());
        }
        assert_eq!(answer(create(document)), expected, "{edits:?}");
    };
    let nameless = || ("/name", json!(""));
    let free = || ("/providerId", json!("free"));
    let wordy = || ("/description", json!("é".repeat(251)));
    let empty = || ("/config", json!({}));
    check(&[], "ok");
    check(&[("/name", json!(1)), ("/config", json!([]))], "FLK-0001 name config");
    check(&[("/providerId", json!(null)), nameless()], "FLK-0294 providerId");
    check(&[("/providerId", json!("nobody")), empty()], "FLK-0294 providerId");
    check(&[("/config/base_url", json!(7)), nameless()], "FLK-0293 config.base_url");
    check(&[empty(), nameless()], "FLK-0293 config");
    check(&[("/config", json!(null))], "FLK-0293 config");
    check(&[free(), nameless(), wordy(), empty()], "FLK-0295 name");
    check(&[("/name", json!("é".repeat(50)))], "ok");
    check(&[("/name", json!("é".repeat(51))), wordy()], "FLK-0296 name");
    check(&[free(), wordy(), empty()], "FLK-0299 description");
    check(&[("/description", json!("é".repeat(250)))], "ok");
    check(&[free(), empty()], "FLK-0298 config");
    assert_eq!(answer(create(json!("n"))), "FLK-0001 ");
}

#[test]
fn a_new_configuration_is_ready_for_use() {
    let mut document = document();
    put(&mut document, "/metadata", json!({"a": 1}));
    let expected = ProviderConfig {
        id: ProviderConfigId::from_uuid(NEXT_ID),
        name: "n".to_owned(),
        description: None,
        provider_id: "demo".to_owned(),
        config: members(json!({"base_url": "https://demo.test"})),
        status: ConfigStatus::Active,
        metadata: members(json!({"a": 1})),
        revision: 1,
        created_at: NOW,
        updated_at: NOW,
    };
    let mut store = MockProviderConfigStore::new();
    let done = |_, _| Ok(ConfigWritten::Done);
    let event = AuditEvent::provider_config_created(NEXT_ID, &expected, &actor());
    store.expect_create().with(eq(expected.clone()), eq(event)).times(1).returning(done);
    let created =
        block_on(provider_configs(store).create(document, &actor())).expect("a configuration");
    assert_eq!(created, expected);
}

#[test]
fn a_patch_changes_what_it_names() {
    let before = config(ID);
    let check = |document: Value, expected: ProviderConfig| {
        let patched = patch(before.clone(), document.clone()).expect("patched");
        let expected = ProviderConfig { revision: 5, updated_at: NOW, ..expected };
        assert_eq!(patched, expected, "{document}");
    };
    let before = || before.clone();
    check(json!({}), before());
    check(json!({"name": null, "description": null, "config": null, "metadata": null}), before());
    check(json!({"name": "new"}), ProviderConfig { name: "new".to_owned(), ..before() });
    let emptied = ProviderConfig { description: Some(String::new()), ..before() };
    check(json!({"description": ""}), emptied);
    // The provider never changes.
    check(json!({"providerId": "free"}), before());
    let metadata = members(json!({"team": "b", "kept": 1, "new": 2}));
    check(json!({"metadata": {"team": "b", "new": 2}}), ProviderConfig { metadata, ..before() });
    let config = members(json!({"base_url": "https://new.test"}));
    check(
        json!({"config": {"base_url": "https://new.test"}}),
        ProviderConfig { config, ..before() },
    );
    // As it was shown, with one member changed.
    let config = members(json!({"base_url": "https://new.test", "api_key": "0123456789"}));
    let mut shown = masking::mask(&config);
    shown.insert("base_url".to_owned(), json!("https://new.test"));
    check(json!({ "config": shown }), ProviderConfig { config, ..before() });

    let disabled = ProviderConfig { status: ConfigStatus::Disabled, ..before() };
    let patched = patch(disabled, json!({"name": "new"})).expect("patched");
    assert_eq!(patched.status, ConfigStatus::Disabled);
}

#[test]
fn a_patch_is_checked_as_a_whole() {
    let check = |document: Value, expected: &str| {
        assert_eq!(answer(patch(config(ID), document.clone())), expected, "{document}");
    };
    check(json!({"name": 1}), "FLK-0001 name");
    check(json!({"config": {"api_key": "k"}, "name": ""}), "FLK-0293 config");
    check(json!({"config": {"base_url": 1}}), "FLK-0293 config.base_url");
    check(json!({"name": ""}), "FLK-0295 name");
    check(json!({"name": "n".repeat(101)}), "FLK-0296 name");
    check(json!({"description": "d".repeat(501)}), "FLK-0299 description");
    let free = ProviderConfig { provider_id: "free".to_owned(), ..config(ID) };
    assert_eq!(answer(patch(free, json!({"config": {}}))), "FLK-0298 config");
    let orphan = ProviderConfig { provider_id: "gone".to_owned(), ..config(ID) };
    assert_eq!(answer(patch(orphan.clone(), json!({"config": {}}))), "FLK-0294 providerId");
    assert_eq!(answer(patch(orphan, json!({"name": "n"}))), "ok");
}

#[test]
fn it_is_switched_off_and_on() {
    let check = |status, on_disable: &str, on_enable: &str| {
        let over = || {
            let before = ProviderConfig { status, ..config(ID) };
            let mut store = holding(Some(before.clone()));
            store.expect_update().returning(move |after, event| {
                let kind = match after.status {
                    ConfigStatus::Active => EventType::ProviderConfigEnabled,
                    ConfigStatus::Disabled => EventType::ProviderConfigDisabled,
                };
                let expected = AuditEvent::of_provider_config(NEXT_ID, kind, &after, &actor());
                assert_eq!(event, expected);
                assert_ne!(after.status, before.status);
                let status = before.status;
                assert_eq!(
                    after,
                    ProviderConfig {
                        revision: 5,
                        updated_at: NOW,
                        status: after.status,
                        ..before.clone()
                    },
                    "{status:?}"
                );
                Ok(ConfigWritten::Done)
            });
            provider_configs(store)
        };
        let disabled = block_on(over().disable(ID, Users::Ignored, &actor()));
        assert_eq!(answer(disabled), on_disable);
        assert_eq!(answer(block_on(over().enable(ID, &actor()))), on_enable);
    };
    check(ConfigStatus::Active, "ok", "FLK-0292");
    check(ConfigStatus::Disabled, "FLK-0292", "ok");
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut store = holding(None);
    store.expect_delete().withf(|id, _| *id == ID).returning(|_, _| Ok(false));
    let unused = store.expect_delete_unused().withf(|id, _| *id == ID);
    unused.returning(|_, _| Ok(UnusedWritten::Stale));
    let configs = provider_configs(store);
    let missing = "FLK-0290";
    assert_eq!(answer(block_on(configs.get(ID))), missing);
    assert_eq!(answer(block_on(configs.patch(ID, json!({}), &actor()))), missing);
    assert_eq!(answer(block_on(configs.disable(ID, Users::Protected, &actor()))), missing);
    assert_eq!(answer(block_on(configs.enable(ID, &actor()))), missing);
    assert_eq!(answer(block_on(configs.delete(ID, Users::Protected, &actor()))), missing);
    assert_eq!(answer(block_on(configs.delete(ID, Users::Ignored, &actor()))), missing);
    let mut store = MockProviderConfigStore::new();
    let event = AuditEvent::provider_config_deleted(NEXT_ID, ID, &actor());
    store.expect_delete().with(eq(ID), eq(event)).returning(|_, _| Ok(true));
    let deleted = block_on(provider_configs(store).delete(ID, Users::Ignored, &actor()));
    assert_eq!(answer(deleted), "ok");
}

#[test]
fn one_that_is_in_use_goes_by_force_only() {
    let user = |n: u128| ConfigUser {
        id: WorkflowId::from_uuid(Uuid::from_u128(n)),
        name: format!("w{n}"),
    };
    let over = |n_users: u128| {
        let written = move || {
            let users = (1..=n_users).map(user).collect();
            if n_users == 0 { UnusedWritten::Done } else { UnusedWritten::InUse(users) }
        };
        let mut store = holding(Some(config(ID)));
        store.expect_update_unused().returning(move |after, event| {
            assert_eq!((after.status, after.revision), (ConfigStatus::Disabled, 5));
            assert_eq!(event.kind, EventType::ProviderConfigDisabled);
            Ok(written())
        });
        store.expect_delete_unused().returning(move |_, event| {
            assert_eq!(event, AuditEvent::provider_config_deleted(NEXT_ID, ID, &actor()));
            Ok(written())
        });
        store.expect_update().returning(|_, _| Ok(ConfigWritten::Done));
        store.expect_delete().returning(|_, _| Ok(true));
        provider_configs(store)
    };
    let check = |n_users: u128, users: Users, wanted: &str| {
        let disabled = block_on(over(n_users).disable(ID, users, &actor()));
        assert_eq!(answer(disabled), wanted, "{n_users} {users:?}");
        assert_eq!(
            answer(block_on(over(n_users).delete(ID, users, &actor()))),
            wanted,
            "{n_users} {users:?}"
        );
    };
    check(0, Users::Protected, "ok");
    check(2, Users::Protected, "FLK-0351 workflows[0] workflows[1]");
    check(2, Users::Ignored, "ok");
    let refusal = block_on(over(2).delete(ID, Users::Protected, &actor())).expect_err("refused");
    let wanted = "The active workflows \"w1\", \"w2\" use the provider configuration.";
    assert!(refusal.message.starts_with(wanted), "{}", refusal.message);
    let told = "00000000-0000-0000-0000-000000000001 \"w1\" uses it";
    assert_eq!(refusal.faults[0].message, told);
    let many = block_on(over(20).delete(ID, Users::Protected, &actor())).expect_err("refused");
    assert!(many.message.contains("\"w20\" and perhaps others use"), "{}", many.message);
}

#[test]
fn names_and_revisions_are_the_store_s_to_judge() {
    let check = |written: ConfigWritten, expected: &str| {
        let mut store = holding(Some(config(ID)));
        store.expect_create().returning(move |_, _| Ok(written));
        store.expect_update().returning(move |_, _| Ok(written));
        let configs = provider_configs(store);
        assert_eq!(answer(block_on(configs.create(document(), &actor()))), expected);
        assert_eq!(answer(block_on(configs.patch(ID, json!({"name": "n"}), &actor()))), expected);
        let disabled = block_on(configs.disable(ID, Users::Ignored, &actor()));
        assert_eq!(answer(disabled), expected);
    };
    check(ConfigWritten::Done, "ok");
    check(ConfigWritten::NameTaken, "FLK-0291 name");
    check(ConfigWritten::Stale, "FLK-0350");
}
