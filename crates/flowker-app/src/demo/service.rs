//! The sample service that the demo's workflow calls: it approves every charge.

use std::convert::Infallible;
use std::time::Duration;

use flowker_core::json;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::warn;

/// The longest body that it reads, in bytes.
const BODY_BYTES_MAX: usize = 1_048_576;

/// The longest delay that a charge may ask for: below the 30 s that a call may take.
const DELAY_SECONDS_MAX: u64 = 25;

/// Serves until it is dropped, and every connection with it.
pub async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        // Both branches are cancel-safe: an accepted connection is spawned before the next await.
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(
                        hyper::server::conn::http1::Builder::new()
                            .timer(TokioTimer::new())
                            .serve_connection(TokioIo::new(stream), service_fn(charge)),
                    );
                }
                Err(error) => warn!(%error, "the sample service cannot accept a connection"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn charge(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let key = request.headers().get("idempotency-key").and_then(|it| it.to_str().ok());
    let receipt = format!("receipt for {}", key.unwrap_or("nobody"));
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await;
    let charge = body.ok().and_then(|body| json::parse(&body.to_bytes()).ok()).unwrap_or_default();
    let delay = charge.get("delaySeconds").and_then(Value::as_u64).unwrap_or_default();
    tokio::time::sleep(Duration::from_secs(delay.min(DELAY_SECONDS_MAX))).await;
    let mut answer = json!({"approved": true, "receipt": receipt});
    // Not through `json!`: that would serialize the number once more.
    answer["charged"] = charge.get("amount").cloned().unwrap_or_default();
    let response = Response::builder()
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(json::to_bytes(&answer))))
        .unwrap_or_default();
    Ok(response)
}
