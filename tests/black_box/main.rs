//! What a caller, a sender of webhooks and an operator see of the real executable.
//!
//! Each test has a server of its own, on a free port and in a directory of its own.

mod access;
mod activation;
mod audit;
mod catalog;
mod command_line;
mod crash;
mod dashboards;
mod door;
mod hostile;
mod idempotency;
mod losses;
mod numbers;
mod observability;
mod outages;
mod pooler;
mod replicas;
mod restart;
mod runs;
mod steps;
mod traces;
mod transfer;
