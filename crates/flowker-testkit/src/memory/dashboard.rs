//! Figures in memory.

use async_trait::async_trait;
use flowker_core::dashboard::{Counts, Series, SeriesBuilder, SeriesQuery, Span};
use flowker_core::execution::Summary;
use flowker_core::ports::{DashboardStore, StoreError};
use flowker_core::workflow::Lifecycle;

use super::MemoryStore;
use super::executions::Row;

impl MemoryStore {
    fn accepted_in(&self, span: Span) -> Vec<Summary> {
        let summaries = self.lock().executions.values().map(Row::summary).collect::<Vec<_>>();
        summaries.into_iter().filter(|it| span.contains(it.started_at)).collect()
    }
}

#[async_trait]
impl DashboardStore for MemoryStore {
    async fn workflows_by_status(&self) -> Result<Vec<(Lifecycle, u64)>, StoreError> {
        let statuses: Vec<_> = self.lock().workflows.values().map(|it| it.status).collect();
        let count = |status| statuses.iter().map(|it| u64::from(*it == status)).sum();
        let counts = Lifecycle::ALL.map(|status| (status, count(status)));
        Ok(counts.into_iter().filter(|(_, n)| 0 < *n).collect())
    }

    async fn count_executions(&self, span: Span) -> Result<Counts, StoreError> {
        let mut counts = Counts::default();
        for it in self.accepted_in(span) {
            counts.add(it.status, 1);
        }
        Ok(counts)
    }

    async fn series(&self, query: SeriesQuery) -> Result<Series, StoreError> {
        let mut found = self.accepted_in(query.span);
        found.retain(|it| query.workflow_id.is_none_or(|id| id == it.workflow_id));
        if query.ended_max < found.iter().filter(|it| it.status.is_terminal()).count() {
            return Ok(Series::TooManyExecutions);
        }
        let mut builder = SeriesBuilder::new(query);
        for it in found {
            builder.add(it.workflow_id, it.status, it.started_at, it.completed_at);
        }
        Ok(builder.finish())
    }
}
