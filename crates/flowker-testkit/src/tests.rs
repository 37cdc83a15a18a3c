//! The fakes keep the promises that they stand in for, and every promise is on its list.

mod acceptance;
mod doubles;

use std::collections::BTreeSet;
use std::future::{Ready, ready};

use crate::faulty::FaultyStore;
use crate::memory::MemoryStore;
use crate::subject::{ArchiveSubject, Stores, Subject};

fn memory() -> Ready<Subject> {
    ready(MemoryStore::subject())
}

fn archived() -> Ready<ArchiveSubject> {
    ready(MemoryStore::archive_subject())
}

/// A faulty store without a script is no different from the store behind it.
fn without_faults() -> Ready<Subject> {
    let subject = MemoryStore::subject();
    let stores = Stores::of(&FaultyStore::new(subject.stores));
    ready(Subject { stores, ..subject })
}

mod in_memory {
    use super::{archived, memory};

    crate::execution_store_contract!(memory);
    crate::idempotency_store_contract!(memory);
    crate::workflow_store_contract!(memory);
    crate::provider_config_store_contract!(memory);
    crate::api_key_store_contract!(memory);
    crate::shared_values_contract!(memory);
    crate::audit_log_contract!(memory);
    crate::dashboard_store_contract!(memory);
    crate::archive_contract!(archived, archived);

    #[test]
    fn agrees_with_the_model() {
        crate::model::check(memory, 256);
    }
}

mod behind_faults {
    use super::without_faults;

    crate::execution_store_contract!(without_faults);
    crate::idempotency_store_contract!(without_faults);
    crate::workflow_store_contract!(without_faults);
    crate::provider_config_store_contract!(without_faults);
    crate::api_key_store_contract!(without_faults);
    crate::shared_values_contract!(without_faults);
    crate::audit_log_contract!(without_faults);
    crate::dashboard_store_contract!(without_faults);
}

/// What is not on a list is not run by anybody.
#[test]
fn every_promise_is_on_its_list() {
    let written = [
        include_str!("contract/api_key.rs"),
        include_str!("contract/archive/import.rs"),
        include_str!("contract/archive/moved.rs"),
        include_str!("contract/audit/sealed.rs"),
        include_str!("contract/audit/written.rs"),
        include_str!("contract/dashboard.rs"),
        include_str!("contract/execution/accept.rs"),
        include_str!("contract/execution/cancel.rs"),
        include_str!("contract/execution/journal.rs"),
        include_str!("contract/execution/list.rs"),
        include_str!("contract/execution/ownership.rs"),
        include_str!("contract/idempotency.rs"),
        include_str!("contract/provider_config.rs"),
        include_str!("contract/provider_config/in_use.rs"),
        include_str!("contract/shared_values.rs"),
        include_str!("contract/workflow/activation.rs"),
        include_str!("contract/workflow/edit.rs"),
        include_str!("contract/workflow/list.rs"),
    ];
    let written: BTreeSet<_> = written
        .iter()
        .flat_map(|file| file.lines())
        .filter_map(|line| line.strip_prefix("pub async fn ")?.split('(').next())
        .collect();
    let lists = include_str!("contract.rs");
    let is_promise = |line: &&str| line.contains('_') && !line.contains(|c| "#:!({ ".contains(c));
    let listed: BTreeSet<_> = lists.lines().map(str::trim).filter(is_promise).collect();
    assert_eq!(written, listed);
    assert!(80 < listed.len(), "the lists were read: {listed:?}");
}
