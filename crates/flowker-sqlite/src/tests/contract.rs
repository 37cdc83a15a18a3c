//! The promises of the ports, and random operations against the model of them.

use async_trait::async_trait;
use flowker_testkit::{LapseOwner, Stores, Subject};

use super::*;

/// The lock proves an owner dead, so owners lapse when the store is opened again.
struct Reopen {
    path: PathBuf,
    clock: Arc<TestClock>,
}

impl Reopen {
    fn open(&self) -> Stores {
        let options = Options::new(Arc::clone(&self.clock) as _);
        Stores::of(&Arc::new(SqliteStore::open(&self.path, options).expect("open")))
    }
}

#[async_trait]
impl LapseOwner for Reopen {
    async fn lapse_owner(&self, stores: Stores, _: ReplicaId) -> Stores {
        drop(stores);
        self.open()
    }
}

async fn fresh_store() -> Subject {
    let directory = tempfile::tempdir().expect("a directory");
    let clock = TestClock::new();
    let path = directory.path().join("flowker.db");
    let lapse = Box::new(Reopen { path, clock: Arc::clone(&clock) });
    Subject { stores: lapse.open(), clock, lapse, guard: Box::new(directory) }
}

flowker_testkit::execution_store_contract!(fresh_store);
flowker_testkit::idempotency_store_contract!(fresh_store);
flowker_testkit::workflow_store_contract!(fresh_store);
flowker_testkit::provider_config_store_contract!(fresh_store);
flowker_testkit::shared_values_contract!(fresh_store);

#[test]
fn agrees_with_the_model() {
    flowker_testkit::model::check(fresh_store, 64);
}
