//! API keys: made, replaced, revoked.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::access::{ANONYMOUS, ApiKeyTable, CONFIGURED, KeyDigest, Scope, Scopes};
use crate::actor::Actor;
use crate::audit::{AuditEvent, EventType};
use crate::code::Code;
use crate::id::ApiKeyId;
use crate::members::Members;
use crate::ports::{
    ApiKey, ApiKeyPage, ApiKeyQuery, ApiKeyStore, ApiKeyWritten, Clock, IdSource, PreviousKey,
    Secrets,
};
use crate::refusal::{Fault, Refusal};
use crate::time::Timestamp;
use crate::workflow::NAME_BYTES_MAX;

/// What the text of every key begins with, so that scanners for lost secrets know one when they
/// see one.
pub const KEY_PREFIX: &str = "flk_";

/// How many keys may be unrevoked at a time. All of them are kept in memory by every replica.
pub const KEYS_MAX: usize = 1_000;

/// How long a replaced text stays good unless the caller says otherwise: long enough to bring the
/// new one to every client.
pub const OVERLAP: Duration = Duration::from_hours(24);

/// The longest that a replaced text may stay good.
pub const OVERLAP_MAX: Duration = Duration::from_hours(30 * 24);

/// Manages API keys.
#[derive(Debug)]
pub struct ApiKeys {
    /// Keeps them.
    pub store: Arc<dyn ApiKeyStore>,
    /// Learns of changes made here at once; `None` where no requests are served.
    pub table: Option<Arc<ApiKeyTable>>,
    /// When they are changed.
    pub clock: Arc<dyn Clock>,
    /// Their ids.
    pub ids: Arc<dyn IdSource>,
    /// Their texts.
    pub secrets: Arc<dyn Secrets>,
}

/// A key, and its text: told once, to whoever asked for it.
#[derive(Debug)]
pub struct NewKey {
    /// What is kept.
    pub key: ApiKey,
    /// What callers send.
    pub text: KeyText,
}

/// The text of a key. Never logged.
pub struct KeyText(String);

impl KeyText {
    /// The text, for the one who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyText(***)")
    }
}

/// What a key is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKeyOrder {
    /// Its name.
    pub name: String,
    /// What it may be used for.
    pub scopes: Scopes,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// How a key's text is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationOrder {
    /// How long the old text stays good.
    pub overlap: Duration,
    /// When the key ends by itself from now on; `None` leaves that as it is.
    pub expires_at: Option<Timestamp>,
}

impl Default for RotationOrder {
    fn default() -> Self {
        Self { overlap: OVERLAP, expires_at: None }
    }
}

impl NewKeyOrder {
    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// [`Code::BodyUnreadable`] for members of the wrong type, [`Code::ApiKeyInvalid`] for words
    /// and moments that are none. The rest is checked by [`ApiKeys::create`].
    pub fn read(body: Value) -> Result<Self, Refusal> {
        let (mut types, mut values) = (Vec::new(), Vec::new());
        let mut members = Members::of(body, "", &mut types);
        let name = members.string("name").unwrap_or_default();
        let words = members.array("scopes").unwrap_or_default();
        let expires_at = members.string("expiresAt");
        let scopes = read_scopes(&words, &mut values);
        let expires_at = read_moment("expiresAt", expires_at, &mut values);
        refuse(types, values)?;
        Ok(Self { name, scopes, expires_at })
    }
}

impl RotationOrder {
    /// Reads the body of a request; an empty object stands for the defaults.
    ///
    /// # Errors
    ///
    /// As [`NewKeyOrder::read`].
    pub fn read(body: Value) -> Result<Self, Refusal> {
        let (mut types, mut values) = (Vec::new(), Vec::new());
        let mut members = Members::of(body, "", &mut types);
        let seconds = members.integer("overlapSeconds");
        let expires_at = members.string("expiresAt");
        let overlap = seconds.map_or(OVERLAP, |seconds| {
            let overlap = u64::try_from(seconds).map(Duration::from_secs);
            overlap.ok().filter(|it| *it <= OVERLAP_MAX).unwrap_or_else(|| {
                let most = OVERLAP_MAX.as_secs();
                values.push(Fault::new("overlapSeconds", format!("must be from 0 to {most}")));
                OVERLAP
            })
        });
        let expires_at = read_moment("expiresAt", expires_at, &mut values);
        refuse(types, values)?;
        Ok(Self { overlap, expires_at })
    }
}

fn refuse(types: Vec<Fault>, values: Vec<Fault>) -> Result<(), Refusal> {
    if !types.is_empty() {
        return Err(Refusal::of_members(Code::BodyUnreadable, types));
    }
    if values.is_empty() { Ok(()) } else { Err(Refusal::of_members(Code::ApiKeyInvalid, values)) }
}

fn read_scopes(words: &[Value], faults: &mut Vec<Fault>) -> Scopes {
    let known = Scope::ALL.map(Scope::as_str).join(", ");
    let read = words.iter().enumerate().filter_map(|(idx, word)| {
        let scope = word.as_str().and_then(Scope::parse);
        if scope.is_none() {
            faults.push(Fault::new(format!("scopes[{idx}]"), format!("must be one of {known}")));
        }
        scope
    });
    read.collect()
}

fn read_moment(name: &str, text: Option<String>, faults: &mut Vec<Fault>) -> Option<Timestamp> {
    let moment = Timestamp::parse(&text?);
    if moment.is_none() {
        faults.push(Fault::new(name, "must be a time such as 2030-01-31T12:00:00Z"));
    }
    moment
}

impl ApiKeys {
    /// Makes a key.
    pub async fn create(&self, order: NewKeyOrder, actor: &Actor) -> Result<NewKey, Refusal> {
        let now = self.clock.now();
        let NewKeyOrder { name, scopes, expires_at } = order;
        let mut faults = Vec::new();
        // It stands in logs and on terminals.
        let is_plain = !name.contains(char::is_control);
        if !is_plain || !(1..=NAME_BYTES_MAX).contains(&name.len()) {
            let message =
                format!("must have 1 to {NAME_BYTES_MAX} bytes, none of them control codes");
            faults.push(Fault::new("name", message));
        }
        if scopes.is_empty() {
            faults.push(Fault::new("scopes", "must name at least one scope"));
        }
        faults.extend(over(expires_at, now));
        if !faults.is_empty() {
            return Err(Refusal::of_members(Code::ApiKeyInvalid, faults));
        }
        if [CONFIGURED, ANONYMOUS].contains(&name.as_str()) {
            return Err(name_taken());
        }
        if KEYS_MAX <= self.store.unrevoked().await?.len() {
            return Err(Refusal::plain(Code::ApiKeysTooMany));
        }
        let text = self.next_text()?;
        let key = ApiKey {
            id: ApiKeyId::from_uuid(self.ids.next_id()),
            name,
            scopes,
            digest: KeyDigest::of(text.reveal().as_bytes()),
            previous: None,
            revision: 1,
            created_at: now,
            updated_at: now,
            rotated_at: None,
            expires_at,
            revoked_at: None,
        };
        let event = self.event(EventType::ApiKeyCreated, &key, actor);
        self.written(self.store.create(key.clone(), event).await?).await?;
        Ok(NewKey { key, text })
    }

    /// Reads one.
    pub async fn get(&self, id: ApiKeyId) -> Result<ApiKey, Refusal> {
        self.store.get(id).await?.ok_or_else(|| Refusal::plain(Code::ApiKeyNotFound))
    }

    /// Finds one that is not revoked by its name.
    pub async fn find(&self, name: &str) -> Result<ApiKey, Refusal> {
        let keys = self.store.unrevoked().await?;
        let found = keys.into_iter().find(|key| key.name == name);
        found.ok_or_else(|| Refusal::plain(Code::ApiKeyNotFound))
    }

    /// Reads one page of a list.
    pub async fn list(&self, query: ApiKeyQuery) -> Result<ApiKeyPage, Refusal> {
        Ok(self.store.list(query).await?)
    }

    /// Gives a key another text. The one before stays good for a while, one before that does not.
    pub async fn rotate(
        &self,
        id: ApiKeyId,
        order: RotationOrder,
        actor: &Actor,
    ) -> Result<NewKey, Refusal> {
        let now = self.clock.now();
        let before = self.get(id).await?;
        if let Some(fault) = over(order.expires_at, now) {
            return Err(Refusal::of_members(Code::ApiKeyInvalid, vec![fault]));
        }
        let expires_at = order.expires_at.or(before.expires_at);
        if before.revoked_at.is_some() || over(expires_at, now).is_some() {
            return Err(Refusal::plain(Code::ApiKeyOver));
        }
        let text = self.next_text()?;
        let overlaps = !order.overlap.is_zero();
        let key = ApiKey {
            digest: KeyDigest::of(text.reveal().as_bytes()),
            previous: overlaps
                .then(|| PreviousKey { digest: before.digest, until: now.plus(order.overlap) }),
            revision: before.revision + 1,
            updated_at: now,
            rotated_at: Some(now),
            expires_at,
            ..before
        };
        let event = self.event(EventType::ApiKeyRotated, &key, actor);
        self.written(self.store.update(key.clone(), event).await?).await?;
        Ok(NewKey { key, text })
    }

    /// Ends a key for good. Its name stays taken, so that in the record it means this key only.
    pub async fn revoke(&self, id: ApiKeyId, actor: &Actor) -> Result<(), Refusal> {
        let before = self.get(id).await?;
        if before.revoked_at.is_some() {
            return Ok(());
        }
        let now = self.clock.now();
        let key = ApiKey {
            previous: None,
            revision: before.revision + 1,
            updated_at: now,
            revoked_at: Some(now),
            ..before
        };
        let event = self.event(EventType::ApiKeyRevoked, &key, actor);
        self.written(self.store.update(key, event).await?).await
    }

    fn event(&self, kind: EventType, key: &ApiKey, actor: &Actor) -> AuditEvent {
        AuditEvent::of_api_key(self.ids.next_id(), kind, key, actor)
    }

    fn next_text(&self) -> Result<KeyText, Refusal> {
        let secret = self.secrets.next_secret();
        let secret = secret.map_err(|error| Refusal::plain(Code::Internal).caused_by(error))?;
        Ok(KeyText(format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(secret))))
    }

    async fn written(&self, written: ApiKeyWritten) -> Result<(), Refusal> {
        match written {
            ApiKeyWritten::Done => {}
            ApiKeyWritten::NameTaken => return Err(name_taken()),
            ApiKeyWritten::Stale => {
                return Err(Refusal::new(
                    Code::Conflict,
                    "The API key was changed by someone else meanwhile. Read it again.",
                ));
            }
        }
        if let Some(table) = &self.table {
            // The change is stored, and whoever follows the store learns of it: a failure here
            // takes nothing back.
            let _ = table.refresh().await;
        }
        Ok(())
    }
}

fn name_taken() -> Refusal {
    let message = "another API key has or had this name; choose another";
    Refusal::of_member(Code::ApiKeyNameTaken, "name", message)
}

/// The fault of an end that has come already.
fn over(expires_at: Option<Timestamp>, now: Timestamp) -> Option<Fault> {
    let is_over = expires_at.is_some_and(|it| it <= now);
    is_over.then(|| Fault::new("expiresAt", "must be in the future"))
}

#[cfg(test)]
mod tests;
