//! The promises of the ports, with and without a pooler's restrictions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::id::ReplicaId;
use flowker_testkit::{LapseOwner, Stores, Subject, TestClock};

use crate::Options;
use crate::testing::TestDatabase;

/// An owner lapses by being silent for long enough.
pub(crate) struct Silence {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) lapse: Duration,
}

#[async_trait]
impl LapseOwner for Silence {
    async fn lapse_owner(&self, stores: Stores, _: ReplicaId) -> Stores {
        self.clock.advance(self.lapse + Duration::from_millis(1));
        stores
    }
}

async fn subject(options: Options) -> Subject {
    let database = TestDatabase::new().await;
    let stores = Stores::of(&Arc::new(database.store(&options)));
    let clock = Arc::clone(&database.clock);
    let lapse = Box::new(Silence { clock: Arc::clone(&clock), lapse: options.lapse });
    Subject { stores, clock, lapse, guard: Box::new(database) }
}

async fn fresh_store() -> Subject {
    subject(Options::default()).await
}

async fn fresh_pooled_store() -> Subject {
    subject(Options { pooled: true, ..Options::default() }).await
}

flowker_testkit::execution_store_contract!(fresh_store);
flowker_testkit::idempotency_store_contract!(fresh_store);
flowker_testkit::workflow_store_contract!(fresh_store);
flowker_testkit::provider_config_store_contract!(fresh_store);
flowker_testkit::shared_values_contract!(fresh_store);

mod pooled {
    use super::fresh_pooled_store;

    flowker_testkit::execution_store_contract!(fresh_pooled_store);
    flowker_testkit::idempotency_store_contract!(fresh_pooled_store);
    flowker_testkit::workflow_store_contract!(fresh_pooled_store);
    flowker_testkit::provider_config_store_contract!(fresh_pooled_store);
    flowker_testkit::shared_values_contract!(fresh_pooled_store);
}

#[test]
fn agrees_with_the_model() {
    flowker_testkit::model::check(fresh_store, 24);
}
