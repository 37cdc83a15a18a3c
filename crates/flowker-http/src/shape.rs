//! Types of answers: each is shown as JSON and described as a schema by one declaration, so that
//! the description of the API cannot say anything else than what is sent.
//!
//! Not serde with a schema derived beside it: a value from outside would pass through another
//! serializer on its way into the answer, which writes numbers anew, and every optional member
//! would have to say twice that it is left out and never `null`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use flowker_core::access::Scope;
use flowker_core::actor::ActorKind;
use flowker_core::audit::{Action, AuditResult, EventType, ResourceType};
use flowker_core::digest::Digest;
use flowker_core::execution::{FailureCode, Status};
use flowker_core::id::{ApiKeyId, AuditEventId, ExecutionId, ProviderConfigId, WorkflowId};
use flowker_core::ports::{ConfigStatus, Probe};
use flowker_core::service::{StageStatus, Verdict as ConnectivityVerdict};
use flowker_core::time::Timestamp;
use flowker_core::workflow::Lifecycle;
use serde_json::{Map, Value, json};

/// The schemas that have a name, as far as they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Schemas(BTreeMap<&'static str, Value>);

impl Schemas {
    /// A reference to the schema of this name, which is made when it is asked for first.
    pub(crate) fn named(
        &mut self,
        name: &'static str,
        make: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        if !self.0.contains_key(name) {
            // Before it is made, so that a type may contain itself.
            self.0.insert(name, Value::Null);
            let schema = make(self);
            self.0.insert(name, schema);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// All of them, by name.
    pub(crate) fn into_value(self) -> Value {
        self.0.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
    }
}

/// What an answer can be, or a part of one.
pub(crate) trait Shown {
    /// As it is sent.
    fn shown(self) -> Value;

    /// What is sent, whatever the value.
    fn schema(schemas: &mut Schemas) -> Value;
}

/// What a member of an object can be: something that is shown, or nothing at all.
pub(crate) trait Member {
    /// Whether the member is always there.
    const IS_REQUIRED: bool;

    /// Adds the member, if there is something to show.
    fn put(self, name: &str, members: &mut Map<String, Value>);

    /// What the member is when it is there.
    fn schema(schemas: &mut Schemas) -> Value;
}

impl<T: Shown> Member for T {
    const IS_REQUIRED: bool = true;

    fn put(self, name: &str, members: &mut Map<String, Value>) {
        members.insert(name.to_owned(), self.shown());
    }

    fn schema(schemas: &mut Schemas) -> Value {
        T::schema(schemas)
    }
}

impl<T: Shown> Member for Option<T> {
    const IS_REQUIRED: bool = false;

    fn put(self, name: &str, members: &mut Map<String, Value>) {
        if let Some(value) = self {
            value.put(name, members);
        }
    }

    fn schema(schemas: &mut Schemas) -> Value {
        T::schema(schemas)
    }
}

/// A member of an object: its name, whether it is always there, and its schema.
pub(crate) type DescribedMember = (&'static str, bool, Value);

/// An object whose members are declared, so that another one can have all of them, too.
pub(crate) trait Object {
    /// Adds the members.
    fn put_all(self, members: &mut Map<String, Value>);

    /// What the members are.
    fn members(schemas: &mut Schemas) -> Vec<DescribedMember>;
}

/// The schema of an object.
pub(crate) fn object(about: &str, members: Vec<DescribedMember>) -> Value {
    let required: Vec<_> = members.iter().filter(|it| it.1).map(|it| it.0).collect();
    let mut schema = json!({ "type": "object", "description": about.trim() });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    let properties = members.into_iter().map(|(name, _, schema)| (name.to_owned(), schema));
    schema["properties"] = properties.collect();
    schema
}

/// A schema with a sentence about what it stands for.
pub(crate) fn about(mut schema: Value, sentence: &str) -> Value {
    schema["description"] = sentence.trim().into();
    schema
}

/// Declares types of answers: a struct whose members have the name under which they travel.
///
/// An `Option` is left out when it is `None`. `Other: One` has all members of `One` besides its own.
/// What is written about types and members stands in the description of the API, too.
macro_rules! shapes {
    ($(
        $(#[doc = $meaning:literal])+
        $name:ident $(: $base:ident)? {
            $($(#[doc = $member_meaning:literal])+ $field:ident $member:literal: $type:ty,)+
        }
    )+) => {$(
        $(#[doc = $meaning])+
        #[allow(clippy::struct_field_names, reason = "members have the names under which they travel")]
        #[derive(Debug)]
        pub(crate) struct $name {
            $(pub(crate) base: $base,)?
            $($(#[doc = $member_meaning])+ pub(crate) $field: $type,)+
        }

        impl $crate::shape::Object for $name {
            fn put_all(self, members: &mut serde_json::Map<String, serde_json::Value>) {
                use $crate::shape::Member;
                $(<$base as $crate::shape::Object>::put_all(self.base, members);)?
                $(Member::put(self.$field, $member, members);)+
            }

            fn members(schemas: &mut $crate::shape::Schemas) -> Vec<$crate::shape::DescribedMember> {
                use $crate::shape::{Member, about};
                let own = vec![$((
                    $member,
                    <$type as Member>::IS_REQUIRED,
                    about(<$type as Member>::schema(schemas), concat!($($member_meaning),+)),
                )),+];
                [$(<$base as $crate::shape::Object>::members(schemas),)? own].concat()
            }
        }

        impl $crate::shape::Shown for $name {
            fn shown(self) -> serde_json::Value {
                let mut members = serde_json::Map::new();
                $crate::shape::Object::put_all(self, &mut members);
                serde_json::Value::Object(members)
            }

            fn schema(schemas: &mut $crate::shape::Schemas) -> serde_json::Value {
                use $crate::shape::{Object, object};
                schemas.named(stringify!($name), |schemas| {
                    object(concat!($($meaning),+), <Self as Object>::members(schemas))
                })
            }
        }
    )+};
}
pub(crate) use shapes;

/// Anything at all.
impl Shown for Value {
    fn shown(self) -> Value {
        self
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({})
    }
}

/// An object with members of the caller's own.
impl Shown for Map<String, Value> {
    fn shown(self) -> Value {
        Value::Object(self)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "object" })
    }
}

/// Output of a step, which is shared.
impl Shown for Arc<Value> {
    fn shown(self) -> Value {
        Arc::unwrap_or_clone(self)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        <Value as Shown>::schema(schemas)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(self) -> Value {
        self.into_iter().map(T::shown).collect()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "array", "items": T::schema(schemas) })
    }
}

/// An object whose members are all of one type.
impl<T: Shown> Shown for BTreeMap<String, T> {
    fn shown(self) -> Value {
        self.into_iter().map(|(name, value)| (name, value.shown())).collect()
    }

    fn schema(schemas: &mut Schemas) -> Value {
        json!({ "type": "object", "additionalProperties": T::schema(schemas) })
    }
}

macro_rules! shown_as {
    ($schema:tt: $($type:ty => $show:expr,)+) => {$(
        impl Shown for $type {
            fn shown(self) -> Value {
                let show: fn(Self) -> Value = $show;
                show(self)
            }

            fn schema(_: &mut Schemas) -> Value {
                json!($schema)
            }
        }
    )+};
}

shown_as!({ "type": "boolean" }: bool => Value::from,);
shown_as!({ "type": "integer" }: i64 => Value::from,);
shown_as!({ "type": "integer", "minimum": 0 }: u16 => Value::from, u32 => Value::from, u64 => Value::from,);
shown_as!({ "type": "string" }: String => Value::from, &'static str => Value::from,);
shown_as!({ "type": "string", "format": "date-time" }: Timestamp => |it| it.to_string().into(),);
shown_as!({ "type": "string", "pattern": "^[0-9a-f]{64}$" }: Digest => |it| it.to_string().into(),);
shown_as!({ "type": "string", "anyOf": [{ "format": "ipv4" }, { "format": "ipv6" }] }:
    IpAddr => |it| it.to_string().into(),
);
shown_as!({ "type": "string", "format": "uuid" }:
    ApiKeyId => |it| it.to_string().into(),
    AuditEventId => |it| it.to_string().into(),
    ExecutionId => |it| it.to_string().into(),
    ProviderConfigId => |it| it.to_string().into(),
    WorkflowId => |it| it.to_string().into(),
);

macro_rules! words {
    ($($type:ident)+) => {$(
        impl Shown for $type {
            fn shown(self) -> Value {
                self.as_str().into()
            }

            fn schema(schemas: &mut Schemas) -> Value {
                schemas.named(stringify!($type), |_| {
                    let words: Vec<_> = $type::ALL.iter().map(|it| it.as_str()).collect();
                    json!({ "type": "string", "enum": words })
                })
            }
        }
    )+};
}

words! {
    Action ActorKind AuditResult ConfigStatus ConnectivityVerdict EventType FailureCode Lifecycle Probe
    ResourceType Scope StageStatus Status
}

/// Members of the caller's own, unless there are none.
pub(crate) fn unless_empty(members: &Map<String, Value>) -> Option<Map<String, Value>> {
    (!members.is_empty()).then(|| members.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    shapes! {
        /// A leaf,
        /// in two lines.
        Leaf {
            /// Its colour.
            colour "colour": String,
            /// Its age.
            age_days "ageDays": Option<u32>,
        }

        /// A leaf that fell.
        Fallen: Leaf {
            /// How far.
            metres "metres": u32,
        }

        /// A tree.
        Tree {
            /// All of them.
            leaves "leaves": Vec<Leaf>,
            /// Anything.
            notes "notes": Value,
        }
    }

    #[test]
    fn a_type_is_shown_and_described_by_one_declaration() {
        let notes = flowker_core::json::parse(b"1E+5").expect("a number");
        let leaf = |age_days| Leaf { colour: "red".to_owned(), age_days };
        let tree = Tree { leaves: vec![leaf(None), leaf(Some(7))], notes };
        let expected = r#"{"leaves":[{"colour":"red"},{"ageDays":7,"colour":"red"}],"notes":1E+5}"#;
        assert_eq!(tree.shown().to_string(), expected);
        let mut schemas = Schemas::default();
        let reference = <Tree as Shown>::schema(&mut schemas);
        assert_eq!(reference, json!({ "$ref": "#/components/schemas/Tree" }));
        let expected = json!({
            "Leaf": {
                "type": "object", "description": "A leaf, in two lines.", "required": ["colour"],
                "properties": {
                    "colour": { "type": "string", "description": "Its colour." },
                    "ageDays": { "type": "integer", "minimum": 0, "description": "Its age." },
                },
            },
            "Tree": {
                "type": "object", "description": "A tree.", "required": ["leaves", "notes"],
                "properties": {
                    "leaves": {
                        "type": "array", "items": { "$ref": "#/components/schemas/Leaf" },
                        "description": "All of them.",
                    },
                    "notes": { "description": "Anything." },
                },
            },
        });
        assert_eq!(schemas.into_value(), expected);
    }

    #[test]
    fn a_type_can_have_all_members_of_another() {
        let base = Leaf { colour: "red".to_owned(), age_days: None };
        let fallen = Fallen { base, metres: 3 };
        assert_eq!(fallen.shown().to_string(), r#"{"colour":"red","metres":3}"#);
        let mut schemas = Schemas::default();
        let _ = <Fallen as Shown>::schema(&mut schemas);
        let expected = json!({
            "Fallen": {
                "type": "object", "description": "A leaf that fell.",
                "required": ["colour", "metres"],
                "properties": {
                    "colour": { "type": "string", "description": "Its colour." },
                    "ageDays": { "type": "integer", "minimum": 0, "description": "Its age." },
                    "metres": { "type": "integer", "minimum": 0, "description": "How far." },
                },
            },
        });
        assert_eq!(schemas.into_value(), expected);
    }
}
