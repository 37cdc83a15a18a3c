//! Deliveries.

use flowker_core::code::Code;
use serde_json::json;

use super::{CREATED, OK, Operation};
use crate::openapi::parameter::{idempotency_key, prefer, webhook_path, webhook_token};
use crate::openapi::requests;
use crate::show::ExecutionStarted;

pub(super) fn receive() -> Operation {
    Operation::new(
        "Webhooks",
        "Starts an execution of the workflow whose trigger has this method and path",
    )
    .takes([webhook_path(), idempotency_key(false), prefer(), webhook_token()])
    .may_read(requests::delivery, json!({ "order": { "id": "A-17", "total": 99.5 } }))
    .answers::<ExecutionStarted>(CREATED, "Durable, and runs on.")
    .answers::<ExecutionStarted>(OK, "It has ended: a repetition, or its end was waited for.")
    .with_headers(&[
        super::OF_STARTS[0],
        super::OF_STARTS[1],
        ("X-Webhook-Workflow-ID", "The workflow."),
        ("X-Webhook-Execution-ID", "The execution."),
    ])
    .refuses(&[
        Code::RouteNotFound,
        Code::WebhookTokenWrong,
        Code::RateLimited,
        Code::WebhookBodyTooLarge,
        Code::SignatureWrong,
        Code::PayloadRefused,
        Code::IdempotencyKeyMalformed,
        Code::IdempotencyKeyReused,
    ])
}
