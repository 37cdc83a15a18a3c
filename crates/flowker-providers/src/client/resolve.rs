//! Names to addresses.

use std::net::IpAddr;
use std::{fmt, io};

use async_trait::async_trait;

/// Resolves host names.
#[async_trait]
pub trait Resolve: fmt::Debug + Send + Sync {
    /// All addresses of a host, best first. Who asks bounds the time.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Resolves names as the system does (`getaddrinfo`), and caches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((host, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}
