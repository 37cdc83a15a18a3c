//! API keys.

use flowker_core::id::ApiKeyId;
use flowker_core::ports::{ApiKey, ApiKeyQuery};
use flowker_core::service::{NewKeyOrder, RotationOrder};
use flowker_core::time::Timestamp;
use http::header::CACHE_CONTROL;
use uuid::Uuid;

use super::{Call, Reply};
use crate::cursor::List;
use crate::error::Failure;
use crate::paging::{Named, NamedPage};
use crate::show;

pub(super) async fn create(call: Call) -> Result<Reply, Failure> {
    let (door, actor, document) = call.document().await?;
    let new = door.app.api_keys.create(NewKeyOrder::read(document.value)?, &actor).await?;
    Ok(uncached(Reply::created(show::new_api_key(&new))))
}

pub(super) async fn list(call: Call) -> Result<Reply, Failure> {
    let (query, key) = (call.query(), &call.app().cursor_key);
    let page = NamedPage::read(&query, List::ApiKeys, key)?;
    let query = ApiKeyQuery { sort: page.sort, after: page.after.clone(), limit: page.limit };
    let found = call.app().api_keys.list(query).await?;
    let now = call.app().clock.now();
    let last = found.items.last().filter(|_| found.has_more).map(|it| it as &dyn Named);
    let items = found.items.iter().map(|key| show::api_key(key, now)).collect();
    Ok(Reply::ok(page.envelope(items, last, key)))
}

pub(super) async fn show(call: Call) -> Result<Reply, Failure> {
    let key = call.app().api_keys.get(call.id(ApiKeyId::parse)?).await?;
    Ok(Reply::ok(show::api_key(&key, call.app().clock.now())))
}

pub(super) async fn rotate(call: Call) -> Result<Reply, Failure> {
    let id = call.id(ApiKeyId::parse)?;
    let (door, actor, document) = call.optional_document().await?;
    let new = door.app.api_keys.rotate(id, RotationOrder::read(document)?, &actor).await?;
    Ok(uncached(Reply::ok(show::new_api_key(&new))))
}

pub(super) async fn revoke(call: Call) -> Result<Reply, Failure> {
    call.app().api_keys.revoke(call.id(ApiKeyId::parse)?, &call.actor).await?;
    Ok(Reply::no_content())
}

/// No cache between us and the caller keeps a key's text.
fn uncached(reply: Reply) -> Reply {
    reply.header(CACHE_CONTROL, "no-store")
}

impl Named for ApiKey {
    fn id(&self) -> Uuid {
        *self.id.as_uuid()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn created_at(&self) -> Timestamp {
        self.created_at
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }
}
