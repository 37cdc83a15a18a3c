//! What an engine does, seen from its ports: a store in memory, a provider that records.

mod bounds;
mod breakers;
mod chaos;
mod crashes;
mod deadlines;
mod drains;
mod graphs;
mod metrics;
mod outages;
mod reconciliation;
mod requests;
mod retries;
mod waits;
mod world;
