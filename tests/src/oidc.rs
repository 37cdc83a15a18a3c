//! Tokens of a real issuer: node's `oidc-provider`, whose keys change under way.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::http::{self, Request};
use crate::server::{Home, Server};
use crate::wait::until_within;

/// The issuer's program. It has to stand where npm installed what it imports.
const PROGRAM: &str = include_str!("../issuer/issuer.mjs");

/// What the line starts with that says where the issuer is.
const READY: &str = "issuer is ready on http://";

/// How long an unknown key may stay unknown: keys are read at most every 10 s.
const NEW_KEY_MAX: Duration = Duration::from_secs(15);

const RS256: &str = "urn:flowker:RS256";
const ES256: &str = "urn:flowker:ES256";

/// A running issuer. Killed when it is dropped.
struct Issuer {
    process: Child,
    address: SocketAddr,
}

impl Issuer {
    fn start(program: &Path, port: u16) -> Self {
        let mut process = Command::new("node")
            .arg(program)
            .arg(port.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node can be started");
        let output = process.stdout.take().expect("its output is piped");
        let mut lines = BufReader::new(output).lines().map(|line| line.expect("text"));
        let address = lines.find_map(|line| line.strip_prefix(READY).map(str::to_owned));
        let address = address.expect("the issuer says where it is").parse().expect("an address");
        Self { process, address }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token for `resource` with `scope`.
    fn token(&self, resource: &str, scope: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id=robot&client_secret=secret&resource={resource}\
             &scope={scope}"
        );
        let request = Request::post("/token").body("application/x-www-form-urlencoded", form);
        let answer = http::exchange(self.address, &request.to_bytes(self.address));
        answer.expect("the issuer answers").expect(200).text("access_token")
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs the test, and panics unless tokens are treated as they should be. `directory` is where npm
/// has installed the issuer.
pub fn run(directory: &Path) {
    let program: PathBuf = directory.join("issuer.mjs");
    fs::write(&program, PROGRAM).expect("the issuer's program can be written");
    let issuer = Issuer::start(&program, 0);
    let server = Home::new()
        .set("OIDC_ENABLED", "true")
        .set("OIDC_ISSUER_URL", &issuer.url())
        .set("OIDC_AUDIENCE", &format!("{RS256},{ES256}"))
        .start();
    check_scopes(&server, &issuer);
    check_audiences(&server, &issuer);

    let port = issuer.address.port();
    let old = issuer.token(RS256, "read");
    drop(issuer);
    assert_eq!(status(&server, "GET", &old), 200, "its keys are known without it");
    let issuer = Issuer::start(&program, port);
    let new = issuer.token(ES256, "read");
    until_within(NEW_KEY_MAX, "the new keys are known", || {
        (status(&server, "GET", &new) == 200).then_some(())
    });
    assert_eq!(status(&server, "GET", &old), 401, "the old keys were withdrawn");
    server.expect_sound();
}

fn check_scopes(server: &Server, issuer: &Issuer) {
    for resource in [RS256, ES256] {
        let statuses = |scope: &str| {
            let token = issuer.token(resource, scope);
            ["GET", "POST"].map(|method| status(server, method, &token))
        };
        assert_eq!(statuses("read"), [200, 403], "{resource}");
        // 400: it is let in, and brings no workflow along.
        assert_eq!(statuses("manage"), [200, 400], "{resource}");
        assert_eq!(statuses("trigger"), [403, 403], "{resource}");
        assert_eq!(statuses("read%20manage"), [200, 400], "{resource}");
    }
}

fn check_audiences(server: &Server, issuer: &Issuer) {
    let other = issuer.token("urn:other:RS256", "read");
    assert_eq!(status(server, "GET", &other), 401, "it is for somebody else");
    let token = issuer.token(RS256, "read");
    let (head, signature) = token.rsplit_once('.').expect("a token has parts");
    let turned: String = signature.chars().rev().collect();
    for forged in [format!("{head}.{turned}"), format!("{head}."), head.to_owned()] {
        assert_eq!(status(server, "GET", &forged), 401, "{forged}");
    }
}

/// What a bearer is answered at the list of workflows.
fn status(server: &Server, method: &str, token: &str) -> u16 {
    let request = Request::new(method, "/v1/workflows").anonymous();
    server.send(request.header("Authorization", format!("Bearer {token}"))).status
}
