//! The promises of the ports, with and without a pooler's restrictions.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use flowker_core::id::ReplicaId;
use flowker_testkit::{ArchiveSubject, LapseOwner, MemoryStore, Stores, Subject, TestClock};

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

async fn subject(options: Options) -> ArchiveSubject {
    let database = TestDatabase::new().await;
    let store = Arc::new(database.store(&options));
    let (stores, clock) = (Stores::of(&store), Arc::clone(&database.clock));
    let lapse = Box::new(Silence { clock: Arc::clone(&clock), lapse: options.lapse });
    let subject = Subject { stores, clock, lapse, guard: Box::new(database) };
    ArchiveSubject { subject, archive: store }
}

async fn fresh_archive() -> ArchiveSubject {
    subject(Options::default()).await
}

async fn fresh_pooled_archive() -> ArchiveSubject {
    subject(Options { pooled: true, ..Options::default() }).await
}

fn in_memory() -> Ready<ArchiveSubject> {
    ready(MemoryStore::archive_subject())
}

async fn fresh_store() -> Subject {
    fresh_archive().await.subject
}

async fn fresh_pooled_store() -> Subject {
    fresh_pooled_archive().await.subject
}

flowker_testkit::execution_store_contract!(fresh_store);
flowker_testkit::idempotency_store_contract!(fresh_store);
flowker_testkit::workflow_store_contract!(fresh_store);
flowker_testkit::provider_config_store_contract!(fresh_store);
flowker_testkit::api_key_store_contract!(fresh_store);
flowker_testkit::shared_values_contract!(fresh_store);
flowker_testkit::audit_log_contract!(fresh_store);
flowker_testkit::dashboard_store_contract!(fresh_store);
flowker_testkit::archive_contract!(in_memory, fresh_archive);

/// From this kind of store to another.
mod to_another {
    use super::{fresh_archive, in_memory};

    flowker_testkit::archive_contract!(fresh_archive, in_memory);
}

mod pooled {
    use super::{fresh_pooled_archive, fresh_pooled_store};

    flowker_testkit::execution_store_contract!(fresh_pooled_store);
    flowker_testkit::idempotency_store_contract!(fresh_pooled_store);
    flowker_testkit::workflow_store_contract!(fresh_pooled_store);
    flowker_testkit::provider_config_store_contract!(fresh_pooled_store);
    flowker_testkit::api_key_store_contract!(fresh_pooled_store);
    flowker_testkit::shared_values_contract!(fresh_pooled_store);
    flowker_testkit::audit_log_contract!(fresh_pooled_store);
    flowker_testkit::dashboard_store_contract!(fresh_pooled_store);
    flowker_testkit::archive_contract!(fresh_pooled_archive, fresh_pooled_archive);
}

#[test]
fn agrees_with_the_model() {
    flowker_testkit::model::check(fresh_store, 24);
}
