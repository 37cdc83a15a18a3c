//! What every [`WorkflowStore`](flowker_core::ports::WorkflowStore) promises.

mod activation;
mod edit;
mod list;

pub use activation::*;
pub use edit::*;
pub use list::*;

use flowker_core::ports::{Direction, NamedSortKey};
use flowker_core::time::Timestamp;
use flowker_core::workflow::Workflow;
use uuid::Uuid;

use crate::sample;
use crate::subject::Subject;

async fn get(subject: &Subject, n: u64) -> Option<Workflow> {
    subject.stores.workflows.get(sample::workflow_id(n)).await.expect("get")
}

/// The sort value of a named resource, as a cursor carries it. `moments` are when it was made and
/// when it was last changed.
pub(super) fn value_of(key: NamedSortKey, name: &str, moments: (Timestamp, Timestamp)) -> String {
    match key {
        NamedSortKey::CreatedAt => moments.0.as_micros().to_string(),
        NamedSortKey::UpdatedAt => moments.1.as_micros().to_string(),
        NamedSortKey::Name => name.to_owned(),
    }
}

/// Whether places rise or fall strictly. The sample moments all have the same number of digits, so
/// their texts sort like the moments.
pub(super) fn is_in_order(places: &[(String, Uuid)], direction: Direction) -> bool {
    match direction {
        Direction::Ascending => places.is_sorted_by(|a, b| a < b),
        Direction::Descending => places.is_sorted_by(|a, b| a > b),
    }
}
