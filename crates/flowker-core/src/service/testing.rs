//! What the tests of the use-cases share.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::actor::{Actor, ActorKind};
use crate::catalog::Catalog;
use crate::id::ProviderConfigId;
use crate::ports::{
    ConfigStatus, ExecutorDescriptor, MockClock, MockIdSource, MockProvider, Provider,
    ProviderConfig, ProviderDescriptor,
};
use crate::refusal::Refusal;
use crate::time::Timestamp;

/// What the clock says.
pub(super) const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

/// What the source of ids gives.
pub(super) const NEXT_ID: Uuid = Uuid::from_u128(0x99);

/// Who asks.
pub(super) fn actor() -> Actor {
    Actor { kind: ActorKind::ApiKey, id: "ops".to_owned(), ip: [192, 0, 2, 7].into() }
}

/// Runs a future that waits for mocks only, which never make it wait.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("mocks are always ready"),
    }
}

/// `ok`, or the code and the members at fault: `FLK-0110 name`.
pub(super) fn answer<T>(result: Result<T, Refusal>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(refusal) => {
            let paths = refusal.faults.into_iter().map(|fault| format!(" {}", fault.path));
            format!("{}{}", refusal.code, paths.collect::<String>())
        }
    }
}

/// Puts a value where a JSON pointer leads to; null takes away what is there.
pub(super) fn put(document: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer has a slash");
    match document.pointer_mut(parent).expect("the parent is there") {
        Value::Object(members) if value.is_null() => {
            members.remove(name);
        }
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) => {
            let idx: usize = name.parse().expect("an index");
            if idx == items.len() { items.push(value) } else { items[idx] = value }
        }
        other => panic!("{other} has no members"),
    }
}

/// The members of an object.
pub(super) fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        other => panic!("{other} is no object"),
    }
}

pub(super) fn clock() -> Arc<MockClock> {
    let mut clock = MockClock::new();
    clock.expect_now().return_const(NOW);
    Arc::new(clock)
}

pub(super) fn ids() -> Arc<MockIdSource> {
    let mut ids = MockIdSource::new();
    ids.expect_next_id().return_const(NEXT_ID);
    Arc::new(ids)
}

/// Two providers: `demo`, which asks for something everywhere, and `free`, which does not.
pub(super) fn catalog() -> Arc<Catalog> {
    let asks = |name: &str, kind: &str| json!({"type": "object", "required": [name], "properties": {name: {"type": kind}}});
    let demo = provider("demo", "demo.call", asks("base_url", "string"), asks("account", "string"));
    let free = provider("free", "free.call", json!({}), json!({}));
    Arc::new(Catalog::new([demo, free]).expect("a catalog"))
}

/// A provider with one operation, that is never called.
pub(super) fn provider(
    id: &'static str,
    executor_id: &'static str,
    config_schema: Value,
    schema: Value,
) -> Arc<dyn Provider> {
    let executor = ExecutorDescriptor {
        id: executor_id,
        name: executor_id,
        category: "Test",
        version: "v1",
        schema,
    };
    let descriptor = ProviderDescriptor {
        id,
        name: id,
        description: id,
        version: "v1",
        config_schema,
        executors: vec![executor],
    };
    let mut provider = MockProvider::new();
    provider.expect_descriptor().return_const(descriptor);
    Arc::new(provider)
}

/// A stored configuration of the provider `demo`.
pub(super) fn config(id: ProviderConfigId) -> ProviderConfig {
    ProviderConfig {
        id,
        name: "demo".to_owned(),
        description: Some("as it was".to_owned()),
        provider_id: "demo".to_owned(),
        config: members(json!({"base_url": "https://demo.test", "api_key": "0123456789"})),
        status: ConfigStatus::Active,
        metadata: members(json!({"team": "a", "kept": 1})),
        revision: 4,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    }
}
