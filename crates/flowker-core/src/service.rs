//! The use-cases of management: what the routes besides the webhooks do, on ports alone.
//!
//! Each takes a request's body as a value, names every member that is wrong, and answers a
//! [`Refusal`](crate::refusal::Refusal) whose code says why nothing was done.

mod executions;
pub mod masking;
mod provider_configs;
mod validate;
mod workflows;

#[cfg(test)]
mod testing;

pub use executions::{Executions, NamedStep};
pub use provider_configs::{DESCRIPTION_BYTES_MAX, ProviderConfigs};
pub use workflows::{Workflows, check_document};
