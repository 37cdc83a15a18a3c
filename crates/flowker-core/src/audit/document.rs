//! Events as JSON documents, for stores that keep them until they are sealed.

use serde_json::{Map, Value};

use super::{AuditEvent, EventType};
use crate::actor::{Actor, ActorKind};
use crate::id::AuditEventId;
use crate::members::Members;
use crate::refusal::Fault;

impl AuditEvent {
    /// All of it but the id.
    pub fn to_document(&self) -> Value {
        let text = |text: &str| Value::from(text);
        let mut document = Map::from_iter([
            ("type".to_owned(), text(self.kind.as_str())),
            ("resourceId".to_owned(), text(&self.resource_id)),
            ("actorType".to_owned(), text(self.actor.kind.as_str())),
            ("actorId".to_owned(), text(&self.actor.id)),
            ("actorIp".to_owned(), Value::from(self.actor.ip.to_string())),
        ]);
        for (name, members) in [("context", &self.context), ("metadata", &self.metadata)] {
            if !members.is_empty() {
                document.insert(name.to_owned(), Value::Object(members.clone()));
            }
        }
        Value::Object(document)
    }

    /// Reads what [`to_document`](Self::to_document) wrote.
    ///
    /// # Errors
    ///
    /// Every member that is missing or wrong.
    pub fn from_document(id: AuditEventId, document: Value) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let event = Self::read(id, &mut Members::of(document, "", &mut faults));
        event.filter(|_| faults.is_empty()).ok_or(faults)
    }

    fn read(id: AuditEventId, members: &mut Members<'_>) -> Option<Self> {
        let kind = known(members, "type", EventType::parse);
        let resource_id = members.needed_string("resourceId", "is missing");
        let actor_kind = known(members, "actorType", ActorKind::parse);
        let actor_id = known(members, "actorId", |text| Some(text.to_owned()));
        let address = known(members, "actorIp", |text| text.parse().ok());
        Some(Self {
            id,
            kind: kind?,
            resource_id: resource_id?,
            actor: Actor { kind: actor_kind?, id: actor_id?, ip: address? },
            context: members.object("context").unwrap_or_default(),
            metadata: members.object("metadata").unwrap_or_default(),
        })
    }
}

fn known<T>(
    members: &mut Members<'_>,
    name: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let value = members.string(name).as_deref().and_then(read);
    if value.is_none() {
        members.fault(name, "is missing, or nothing that is known");
    }
    value
}
