//! The promises of the ports, and random operations against the model of them.

use std::future::{Ready, ready};

use async_trait::async_trait;
use flowker_testkit::{ArchiveSubject, LapseOwner, MemoryStore, Stores, Subject};

use super::*;

/// The lock proves an owner dead, so owners lapse when the store is opened again.
struct Reopen {
    path: PathBuf,
    clock: Arc<TestClock>,
}

impl Reopen {
    fn open(&self) -> SqliteStore {
        let options = Options::new(Arc::clone(&self.clock) as _);
        SqliteStore::open(&self.path, options).expect("open")
    }
}

#[async_trait]
impl LapseOwner for Reopen {
    async fn lapse_owner(&self, stores: Stores, _: ReplicaId) -> Stores {
        drop(stores);
        Stores::of(&Arc::new(self.open()))
    }
}

fn fresh_store() -> Ready<Subject> {
    ready(fresh_archive().into_inner().subject)
}

fn fresh_archive() -> Ready<ArchiveSubject> {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = TestClock::new();
    let path = directory.path().join("flowker.db");
    let lapse = Reopen { path, clock: Arc::clone(&clock) };
    let store = Arc::new(lapse.open());
    let (stores, guard) = (Stores::of(&store), Box::new(directory));
    let subject = Subject { stores, clock, lapse: Box::new(lapse), guard };
    ready(ArchiveSubject { subject, archive: store })
}

fn in_memory() -> Ready<ArchiveSubject> {
    ready(MemoryStore::archive_subject())
}

flowker_testkit::execution_store_contract!(fresh_store);
flowker_testkit::idempotency_store_contract!(fresh_store);
flowker_testkit::workflow_store_contract!(fresh_store);
flowker_testkit::provider_config_store_contract!(fresh_store);
flowker_testkit::api_key_store_contract!(fresh_store);
flowker_testkit::shared_values_contract!(fresh_store);
flowker_testkit::audit_log_contract!(fresh_store);
flowker_testkit::dashboard_store_contract!(fresh_store);
flowker_testkit::archive_contract!(fresh_archive, fresh_archive);

/// From and to a store of another kind.
mod to_another {
    use super::*;

    flowker_testkit::archive_contract!(fresh_archive, in_memory);
}

mod from_another {
    use super::*;

    flowker_testkit::archive_contract!(in_memory, fresh_archive);
}

#[test]
fn agrees_with_the_model() {
    flowker_testkit::model::check(fresh_store, 64);
}
