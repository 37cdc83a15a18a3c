//! Several servers over one database.

use std::ops::Index;
use std::thread;

use crate::flow::Flow;
use crate::server::{Client, Home, Server};
use crate::wait::until;

/// Replicas that are ready. Each has a directory of its own, and all have one database and one API
/// key.
#[derive(Debug)]
pub struct Replicas {
    servers: Vec<Server>,
}

impl Replicas {
    /// Starts so many together, as the first ones of an empty database start in production.
    #[track_caller]
    pub fn start(n_replicas: usize, database_url: &str) -> Self {
        Self::start_as(n_replicas, |home| home.set("DATABASE_URL", database_url))
    }

    /// Starts so many with settings of the test's.
    #[track_caller]
    pub fn start_as(n_replicas: usize, set: impl Fn(Home) -> Home) -> Self {
        let servers = thread::scope(|scope| {
            let start = |_| {
                let home = set(Home::new());
                scope.spawn(|| home.start())
            };
            let starting: Vec<_> = (0..n_replicas).map(start).collect();
            starting.into_iter().map(|it| it.join().expect("a replica starts")).collect()
        });
        Self { servers }
    }

    /// Makes a workflow, activates it and returns its id, once it is live on all of them.
    #[track_caller]
    pub fn deploy(&self, flow: &Flow) -> String {
        let workflow_id = self[0].deploy(flow);
        // Refused by whoever knows the route, so that it starts nothing.
        let probe = flow.delivery().body("application/json", "{");
        for server in self.iter() {
            until("the route is live on all replicas", || {
                (server.send(probe.clone()).status != 404).then_some(())
            });
        }
        workflow_id
    }

    /// What sends requests to each of them.
    pub fn clients(&self) -> Vec<Client> {
        self.servers.iter().map(Server::client).collect()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter()
    }

    /// Takes one out, for example to kill it.
    pub fn take(&mut self, replica_idx: usize) -> Server {
        self.servers.remove(replica_idx)
    }

    /// Adds one as the last one.
    pub fn add(&mut self, server: Server) {
        self.servers.push(server);
    }

    /// Fails the test unless all still answer and none has panicked.
    #[track_caller]
    pub fn expect_sound(&self) {
        self.iter().for_each(Server::expect_sound);
    }
}

impl Index<usize> for Replicas {
    type Output = Server;

    fn index(&self, replica_idx: usize) -> &Server {
        &self.servers[replica_idx]
    }
}
