//! The door as callers see it, over streams in memory and a clock that stands still.

mod access;
mod answers;
mod audit;
mod browsers;
mod catalog;
mod connections;
mod corpus;
mod dashboards;
mod description;
mod endpoints;
mod lists;
mod management;
mod metrics;
mod stopping;
mod webhooks;
mod wire;
mod world;
