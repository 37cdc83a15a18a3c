//! The use-cases of management: what the routes besides the webhooks do, on ports alone.
//!
//! Each takes a request's body as a value, names every member that is wrong, and answers a
//! [`Refusal`](crate::refusal::Refusal) whose code says why nothing was done.

mod api_keys;
mod audit;
mod catalog;
mod connectivity;
mod dashboards;
mod executions;
pub mod masking;
mod provider_configs;
mod validate;
mod workflows;

#[cfg(test)]
pub(crate) mod testing;

pub use api_keys::{
    ApiKeys, KEY_PREFIX, KEYS_MAX, KeyText, NewKey, NewKeyOrder, OVERLAP, OVERLAP_MAX,
    RotationOrder,
};
pub use audit::Audit;
pub use catalog::check_executor_config;
pub use connectivity::{ConnectivityReport, StageReport, StageStatus, Verdict};
pub use dashboards::{BUCKETS_MAX, Dashboards, ENDED_MAX, POINTS_MAX, SeriesRequest};
pub use executions::{Executions, NamedStep, StartOptions};
pub use provider_configs::{DESCRIPTION_BYTES_MAX, ProviderConfigs, Users};
pub use workflows::{Workflows, check_document, check_template_params};
