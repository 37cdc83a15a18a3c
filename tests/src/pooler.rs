//! A pooler before the server that all tests share.

use std::net::Ipv4Addr;

use flowker_testkit::postgres::{Pooler, Target};

use crate::database::Database;

/// How many sessions replicas share: fewer than they ask for.
const SESSIONS: u32 = 8;

/// A fresh database behind a pgbouncer in transaction mode. Both go when this is dropped.
#[derive(Debug)]
pub struct PooledDatabase {
    // In this order: a database with sessions on it is dropped by force.
    pooler: Pooler,
    database: Database,
}

impl PooledDatabase {
    /// Makes one. `None`, and why on stderr, if pgbouncer is not installed.
    #[track_caller]
    pub fn new() -> Option<Self> {
        let database = Database::new();
        let (address, config) = (database.address(), database.config());
        let target = Target {
            host: &address.ip().to_string(),
            port: address.port(),
            user: config.get_user().unwrap_or("postgres"),
            password: config.get_password(),
        };
        Some(Self { pooler: Pooler::start(target, SESSIONS)?, database })
    }

    /// What `DATABASE_URL` is to be.
    pub fn url(&self) -> String {
        self.database.url_at((Ipv4Addr::LOCALHOST, self.pooler.port()).into())
    }
}
