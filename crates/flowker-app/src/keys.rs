//! `flowker keys`: API keys, in the database itself.

use std::sync::Arc;
use std::time::Duration;

use flowker_core::access::Scopes;
use flowker_core::actor::Actor;
use flowker_core::id::ApiKeyId;
use flowker_core::ports::{ApiKey, ApiKeyQuery, Clock, Cursor, Direction, NamedSort, NamedSortKey};
use flowker_core::service::{ApiKeys, NewKey, NewKeyOrder, OVERLAP, RotationOrder};
use flowker_core::time::Timestamp;

use crate::config::Config;
use crate::store::Store;
use crate::system::{RisingIds, SystemClock, SystemSecrets};
use crate::transfer;

/// How many keys are read at a time.
const PAGE: usize = 100;

/// What is to be done with keys.
#[derive(Debug)]
pub enum KeysOrder {
    /// Make one.
    Create {
        /// What it is called.
        name: String,
        /// What it may do.
        scopes: Scopes,
        /// When it ends by itself.
        expires_in: Option<Duration>,
    },
    /// Show all.
    List,
    /// Give one another text.
    Rotate {
        /// A name or an id.
        key: String,
        /// How long the text before stays good.
        overlap: Option<Duration>,
    },
    /// End one.
    Revoke {
        /// A name or an id.
        key: String,
    },
}

/// Carries an order out. Processes that serve notice it within a second.
pub async fn keys(config: Config, order: KeysOrder) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = Store::open(&config, &clock).await?;
    transfer::expect_whole(&*store.archive()).await?;
    let keys = ApiKeys {
        store: store.ports().api_keys,
        table: None,
        clock,
        ids: Arc::new(RisingIds),
        secrets: Arc::new(SystemSecrets),
    };
    let done = carry_out(&keys, order).await;
    store.close().await;
    done
}

async fn carry_out(keys: &ApiKeys, order: KeysOrder) -> anyhow::Result<()> {
    // Whoever may run this on the database proves nothing to us.
    let actor = Actor::system();
    match order {
        KeysOrder::Create { name, scopes, expires_in } => {
            let expires_at = expires_in.map(|it| keys.clock.now().plus(it));
            tell(&keys.create(NewKeyOrder { name, scopes, expires_at }, &actor).await?);
        }
        KeysOrder::List => list(keys).await?,
        KeysOrder::Rotate { key, overlap } => {
            let id = find(keys, &key).await?;
            let overlap = overlap.unwrap_or(OVERLAP);
            tell(&keys.rotate(id, RotationOrder { overlap, expires_at: None }, &actor).await?);
        }
        KeysOrder::Revoke { key } => {
            keys.revoke(find(keys, &key).await?, &actor).await?;
            eprintln!("flowker: {key} is revoked");
        }
    }
    Ok(())
}

async fn find(keys: &ApiKeys, key: &str) -> anyhow::Result<ApiKeyId> {
    match ApiKeyId::parse(key) {
        Ok(id) => Ok(id),
        Err(_) => Ok(keys.find(key).await?.id),
    }
}

/// The text alone goes to standard output, for scripts.
fn tell(new: &NewKey) {
    let ApiKey { id, name, scopes, .. } = &new.key;
    eprintln!("flowker: {name} ({id}) may {scopes}; its text is shown this once");
    println!("{}", new.text.reveal());
}

async fn list(keys: &ApiKeys) -> anyhow::Result<()> {
    let sort = NamedSort { key: NamedSortKey::Name, direction: Direction::Ascending };
    let mut after = None;
    let now = keys.clock.now();
    loop {
        let query = ApiKeyQuery { sort, after, limit: PAGE };
        let page = keys.list(query).await?;
        for key in &page.items {
            println!("{}", line(key, now));
        }
        let Some(last) = page.items.last().filter(|_| page.has_more) else { return Ok(()) };
        after = Some(Cursor { value: last.name.clone(), id: *last.id.as_uuid() });
    }
}

fn line(key: &ApiKey, now: Timestamp) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) if at <= now => format!("expired {at}"),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "active".to_owned(),
    };
    format!("{}  {:24}  {:19}  {state}", key.id, key.name, key.scopes.to_string())
}
