//! `flowker migrate`: brings the schema up to date, and nothing else.

use std::sync::Arc;

use flowker_core::ports::Clock;

use crate::config::Config;
use crate::store::Store;
use crate::system::SystemClock;

/// Opens the store, which migrates it, and closes it again.
pub async fn migrate(config: Config) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Store::open(&config, &clock).await?.close().await;
    println!("flowker: the schema is up to date");
    Ok(())
}
