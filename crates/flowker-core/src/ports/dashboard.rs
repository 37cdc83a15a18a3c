//! Figures: counts and series over everything that is kept.

use std::fmt;

use async_trait::async_trait;

use super::StoreError;
use crate::dashboard::{Counts, Series, SeriesQuery, Span};
use crate::workflow::Lifecycle;

/// Answers figures about everything that is kept.
///
/// Each answer is one state of the store. Proved by `flowker_testkit::dashboard_store_contract!`.
#[cfg_attr(feature = "mocks", mockall::automock)]
#[async_trait]
pub trait DashboardStore: fmt::Debug + Send + Sync {
    /// How many workflows there are in each status that occurs, in any order.
    async fn workflows_by_status(&self) -> Result<Vec<(Lifecycle, u64)>, StoreError>;

    /// How many executions were accepted in a span of time, by where they stand now.
    ///
    /// - MUST count every execution once.
    async fn count_executions(&self, span: Span) -> Result<Counts, StoreError>;

    /// Counts and latencies in equal parts of a span.
    ///
    /// - MUST answer the same figures as every other store does for the same executions.
    /// - MUST answer `TooManyExecutions` instead of looking at more than `query.ended_max`
    ///   executions that have ended, and `TooManyPoints` instead of more than `query.points_max`.
    async fn series(&self, query: SeriesQuery) -> Result<Series, StoreError>;
}
