//! The domain of Flowker and the ports through which it meets the world.
//!
//! Nothing here does I/O, reads a clock or needs a runtime: what is asynchronous awaits a port and
//! nothing else, so all of it is tested with mocks in milliseconds.
//!
//! Start with [`trigger`] for how a webhook becomes an execution, with [`execution::advance`] for
//! how an execution goes on, and with [`ports`] to write an adapter.

pub mod access;
pub mod actor;
pub mod archive;
pub mod audit;
pub mod catalog;
pub mod code;
pub mod condition;
pub mod dashboard;
pub mod decimal;
pub mod digest;
pub mod execution;
pub mod id;
pub mod idempotency;
pub mod json;
pub mod members;
pub mod metric;
pub mod net;
pub mod path;
pub mod plans;
pub mod ports;
pub mod refusal;
pub mod routing;
pub mod schema;
pub mod service;
pub mod signature;
pub mod template;
pub mod time;
pub mod trace;
pub mod transform;
pub mod trigger;
pub mod workflow;
