//! The outbound adapter: calls the services that workflows name, and those that say who a caller is.
//!
//! [`HttpClient`] is the only way out of the process: it checks every address it dials, bounds
//! time and size, and says of each failure what it means for another attempt. [`Caller`] makes of a
//! node's settings and a provider configuration one HTTP request, credentials included. A provider
//! is a [`ProviderDescriptor`](flowker_core::ports::ProviderDescriptor) on top of it:
//! `docs/guides/write-a-provider.md` shows how to add one.

mod access;
mod auth;
mod caller;
mod client;
mod envelope;
mod fields;
mod http;
mod metrics;
mod midaz;
mod s3;
mod tracer;

use std::sync::Arc;

use flowker_core::ports::Provider;

pub use self::access::{
    AccessManager, IssuerTokens, SigningAlgorithm, TokenSettings, access_client,
};
pub use self::caller::Caller;
pub use self::client::{
    Answer, ClientLimits, ConnectError, Deadline, HttpClient, Outgoing, Resolve, SendError,
    SystemResolver, native_roots,
};
pub use self::envelope::envelope;
pub use self::http::HttpProvider;
pub use self::metrics::METRICS;
pub use self::midaz::MidazProvider;
pub use self::s3::S3Provider;
pub use self::tracer::TracerProvider;

/// The providers that come with Flowker: `http`, `midaz`, `s3` and `tracer`.
pub fn providers(client: Arc<HttpClient>) -> Vec<Arc<dyn Provider>> {
    let caller = Arc::new(Caller::new(client));
    vec![
        Arc::new(HttpProvider::new(Arc::clone(&caller))),
        Arc::new(MidazProvider::new(Arc::clone(&caller))),
        Arc::new(S3Provider::new(Arc::clone(&caller))),
        Arc::new(TracerProvider::new(caller)),
    ]
}

/// Compiles and runs the guide's example.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guides/write-a-provider.md")]
struct Guide;

#[cfg(test)]
mod certificates;
#[cfg(test)]
mod downstream;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
