//! The provider `midaz`: accounts, balances and transactions of a ledger.

mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use flowker_core::ports::{
    Call, CallFailure, ExecutorDescriptor, FailureKind, Probe, ProbeFailure, Probed, Provider,
    ProviderConfig, ProviderDescriptor,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use url::Url;

use crate::caller::{Caller, base_url, text};
use crate::fields;

/// Calls Midaz. Which address, path and method an operation has is fixed: of a node's settings,
/// `method`, `path` and `endpointName` play no part.
#[derive(Debug)]
pub struct MidazProvider {
    caller: Arc<Caller>,
}

/// One operation of the service.
#[derive(Debug)]
struct Operation {
    id: &'static str,
    name: &'static str,
    schema: fn() -> Value,
    method: &'static str,
    /// The configuration's member that holds the address.
    base: &'static str,
    path: &'static str,
    sends_document: bool,
    /// Fields that go into the query.
    query: &'static [&'static str],
}

const ONBOARDING: &str = "onboarding_base_url";
const TRANSACTION: &str = "transaction_base_url";

static OPERATIONS: [Operation; 4] = [
    Operation {
        id: "midaz.create-account",
        name: "Create Account",
        schema: schema::create_account,
        method: "POST",
        base: ONBOARDING,
        path: "/v1/organizations/{organization_id}/ledgers/{ledger_id}/accounts",
        sends_document: true,
        query: &[],
    },
    Operation {
        id: "midaz.create-transaction",
        name: "Create Transaction",
        schema: schema::create_transaction,
        method: "POST",
        base: TRANSACTION,
        path: "/v1/organizations/{organization_id}/ledgers/{ledger_id}/transactions/json",
        sends_document: true,
        query: &[],
    },
    Operation {
        id: "midaz.get-account",
        name: "Get Account",
        schema: schema::get_account,
        method: "GET",
        base: ONBOARDING,
        path: "/v1/organizations/{organization_id}/ledgers/{ledger_id}/accounts/{accountId}",
        sends_document: false,
        query: &[],
    },
    Operation {
        id: "midaz.get-account-balance",
        name: "Get Account Balance",
        schema: schema::get_account_balance,
        method: "GET",
        base: TRANSACTION,
        path: "/v1/organizations/{organization_id}/ledgers/{ledger_id}/accounts/{accountId}/balances",
        sends_document: false,
        query: &["limit", "cursor"],
    },
];

impl MidazProvider {
    /// The provider, calling through `caller`.
    pub const fn new(caller: Arc<Caller>) -> Self {
        Self { caller }
    }
}

#[async_trait]
impl Provider for MidazProvider {
    fn descriptor(&self) -> ProviderDescriptor {
        let executors = OPERATIONS.iter().map(|operation| ExecutorDescriptor {
            id: operation.id,
            name: operation.name,
            category: "Midaz",
            version: "v1",
            schema: (operation.schema)(),
        });
        ProviderDescriptor {
            id: "midaz",
            name: "Midaz",
            description: "Keeps accounts, balances and transactions in a ledger",
            version: "v1",
            config_schema: schema::config(),
            executors: executors.collect(),
        }
    }

    async fn call(&self, mut call: Call) -> Result<Value, CallFailure> {
        let operation = OPERATIONS.iter().find(|it| it.id == call.executor_id);
        let operation = operation
            .ok_or_else(|| permanent(format!("midaz has no operation {:?}", call.executor_id)))?;
        let url = url(operation, &call)?;
        let body = if operation.sends_document { Caller::body(&call) } else { None };
        fields::add_to_query(&mut call, operation.query);
        call.method = Some(operation.method.to_owned());
        call.config = Arc::new(effective(&call.config));
        self.caller.call_url(&call, url, body).await
    }

    async fn probe(&self, config: &ProviderConfig, probe: Probe) -> Result<Probed, ProbeFailure> {
        let address = [ONBOARDING, TRANSACTION].iter().find_map(|it| text(&config.config, it));
        self.caller.probe(address, &effective(config).config, probe).await
    }
}

/// What stands for itself in a segment of a path (RFC 3986, unreserved).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The operation's address, its parameters filled in.
fn url(operation: &Operation, call: &Call) -> Result<Url, CallFailure> {
    let base = operation.base;
    let address = text(&call.config.config, base)
        .ok_or_else(|| permanent(format!("the provider configuration has no {base}")))?;
    let mut url = base_url(address).ok_or_else(|| {
        permanent(format!("the provider configuration's {base} is no absolute http or https URL"))
    })?;
    let mut path = url.path().trim_end_matches('/').to_owned();
    for segment in operation.path.split('/').skip(1) {
        path.push('/');
        match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => path.extend(utf8_percent_encode(parameter(call, name)?, SEGMENT)),
            None => path.push_str(segment),
        }
    }
    url.set_path(&path);
    Ok(url)
}

/// A part of the path: from the configuration, else from the node's data, else from the request
/// document.
fn parameter<'a>(call: &'a Call, name: &str) -> Result<&'a str, CallFailure> {
    let found = call.config.config.get(name).and_then(Value::as_str);
    let found = found.or_else(|| fields::field(call, name).and_then(Value::as_str));
    let found = found.ok_or_else(|| {
        permanent(format!(
            "{name} is no text in the provider configuration, the node's data or the request document"
        ))
    })?;
    // A URL resolves such parts, however they are encoded: the payload would choose the endpoint.
    if matches!(found, "" | "." | "..") {
        return Err(permanent(format!("{name} is {found:?}, which no path can hold")));
    }
    Ok(found)
}

/// The configuration as the generic call reads it: `auth` signs in, and `headers` are not sent.
fn effective(config: &ProviderConfig) -> ProviderConfig {
    let mut members = match config.config.get("auth") {
        Some(Value::Object(auth)) if !auth.is_empty() => {
            let mut members = auth.clone();
            members.insert("auth_type".to_owned(), Value::from("oidc_client_credentials"));
            members
        }
        _ => Map::new(),
    };
    members.remove("headers");
    for name in ["timeout_seconds", "timeout_ms"] {
        match config.config.get(name) {
            Some(value) => members.insert(name.to_owned(), value.clone()),
            None => members.remove(name),
        };
    }
    ProviderConfig { config: members, ..config.clone() }
}

fn permanent(message: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureKind::Permanent, message)
}

#[cfg(test)]
mod tests;
