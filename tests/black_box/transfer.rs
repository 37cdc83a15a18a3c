//! Everything moves from one database into another, and works on there.

use std::fs;

use flowker_tests::database::ask;
use flowker_tests::{Answer, Database, Finished, Flow, Home, Request, Server, Stub, until};
use rustix::process::Signal;
use serde_json::{Value, json};

const SECOND: &str = "sqlite:second.db";

fn delivery(order: u32) -> Request {
    let request = Request::put("/v1/webhooks/orders/paid").key(format!("order-{order}"));
    request.json(&json!({ "order": order, "nul": "a\0b" }))
}

fn deliver(server: &Server, order: u32) -> String {
    server.send(delivery(order)).expect(201).text("executionId")
}

fn get(server: &Server, path: &str) -> Answer {
    server.send(Request::get(path)).expect(200)
}

/// All lists, as a client sees them.
fn lists(server: &Server) -> Vec<Value> {
    ["/v1/executions", "/v1/workflows", "/v1/provider-configurations"]
        .map(|path| get(server, path).json())
        .into()
}

/// The first three entries of the audit log, if they are sealed.
fn audited(server: &Server) -> Option<Value> {
    let page = get(server, "/v1/audit-events?sortOrder=ASC&limit=3").json();
    (page["items"].as_array()?.len() == 3).then(|| page["items"].clone())
}

fn stop(server: Server) -> Home {
    // What answers also listens to signals.
    server.expect_sound();
    server.signal(Signal::TERM);
    let (finished, home) = server.finish();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    home
}

#[track_caller]
fn succeed(finished: &Finished, told: &str) {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stderr.contains(told), "{told} is not in {finished:?}");
}

#[track_caller]
fn fail(finished: &Finished, told: &str) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains(told), "{told} is not in {finished:?}");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
}

#[test]
fn a_system_moves_from_file_to_file_and_works_on() {
    moves(SECOND);
}

#[test]
fn a_system_moves_from_a_file_to_postgres_and_works_on() {
    let database = Database::new();
    moves(&database.url());
}

/// From a file to another database, and from there into a file.
#[track_caller]
fn moves(second: &str) {
    let stub = Stub::start();
    let server = Home::new().set("DRAIN_TIMEOUT", "1s").start();
    let provider = server.provider(&stub);
    server.deploy(
        &Flow::at("PUT", "orders/paid")
            .call("charge", &provider, "/charge")
            .call("ship", &provider, "/ship")
            .output("o", json!({ "by": "{{ ship.body.nonce }}" })),
    );
    let done: Vec<_> = (1..=3).map(|order| (order, deliver(&server, order))).collect();
    let results: Vec<_> = done.iter().map(|(_, id)| server.complete(id)).collect();
    stub.hold("/ship");
    let in_flight = deliver(&server, 4);
    let n_calls = stub.wait_for_calls(8).len();
    let before = lists(&server);
    let audited = until("the first three changes are listed", || audited(&server));
    let cursor = get(&server, "/v1/executions?limit=2").text("nextCursor");
    let second_page = format!("/v1/executions?limit=2&cursor={cursor}");
    let page_before = get(&server, &second_page).json();
    fail(&server.home().run(&["export", "all.ndjson"]), "another process has this database open");

    let home = stop(server);
    stub.release("/ship");
    stub.next_life();
    stub.hold("/ship");
    succeed(&home.run(&["export", "all.ndjson"]), "4 executions, 4 idempotency keys");
    let import = ["import", "all.ndjson", "--database-url", second];
    succeed(&home.run(&import), "4 executions, 4 idempotency keys");
    succeed(&home.run(&import), "imported before");

    let server = home.set("DATABASE_URL", second).start();
    assert_eq!(lists(&server), before);
    assert_eq!(self::audited(&server), Some(audited), "the chain has moved too");
    assert_eq!(get(&server, &second_page).json(), page_before, "an old cursor still leads on");
    stub.release("/ship");
    server.complete(&in_flight);
    let calls = stub.calls();
    assert_eq!(calls.len(), n_calls + 1, "only the step in flight is called again: {calls:?}");
    assert_eq!(calls[n_calls].key(), format!("{in_flight}:ship"));
    assert_eq!(calls[n_calls].key(), calls[n_calls - 1].key());
    for ((order, id), results) in done.iter().zip(&results) {
        assert_eq!(server.results(id), *results);
        replays(&server, *order, id);
    }
    replays(&server, 4, &in_flight);

    // The workflow accepts what is new, and everything moves back again.
    let latest = deliver(&server, 5);
    server.complete(&latest);
    let before = lists(&server);
    let home = stop(server);
    succeed(&home.run(&["export", "back.ndjson"]), "5 executions");
    let back = ["import", "back.ndjson", "--database-url", "sqlite:third.db"];
    succeed(&home.run(&back), "5 executions");
    let server = home.set("DATABASE_URL", "sqlite:third.db").start();
    assert_eq!(lists(&server), before);
    replays(&server, 5, &latest);
}

fn replays(server: &Server, order: u32, execution_id: &str) {
    let again = server.send(delivery(order)).expect(200);
    assert_eq!(again.header("Idempotent-Replayed"), Some("true"));
    assert_eq!(again.text("executionId"), execution_id);
}

#[test]
fn an_export_is_private_and_replaces_nothing_unasked() {
    let home = stop(Server::start());
    succeed(&home.run(&["export", "all.ndjson"]), "exported 0 workflows");
    let path = home.path().join("all.ndjson");
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    fail(&home.run(&["export", "all.ndjson"]), "--force");
    succeed(&home.run(&["export", "--force", "all.ndjson"]), "exported");

    let to_pipe = home.run(&["export"]);
    succeed(&to_pipe, "exported");
    let lines: Vec<_> = to_pipe.stdout.lines().collect();
    assert!(lines[0].contains(r#""flowker":"export""#), "{lines:?}");
    assert!(lines[lines.len() - 1].contains(r#""sha256""#), "{lines:?}");
}

#[test]
fn what_cannot_be_moved_is_told_and_left_as_it_is() {
    let home = Home::new();
    fail(&home.run(&["export", "all.ndjson"]), "there is no database at flowker.db");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing was made");
    fail(&home.run(&["import", "all.ndjson"]), "all.ndjson cannot be imported");

    let server = home.start();
    server.create(&Flow::at("PUT", "orders/paid"));
    let home = stop(server);
    succeed(&home.run(&["export", "all.ndjson"]), "1 workflows");
    fail(&home.run(&["import", "all.ndjson"]), "not empty");

    let path = home.path().join("all.ndjson");
    let whole = fs::read_to_string(&path).unwrap();
    let (cut, _) = whole.trim_end().rsplit_once('\n').unwrap();
    for (text, told) in [
        (format!("{cut}\n"), "cut short"),
        (whole.replacen("PUT", "GET", 1), "changed"),
        (whole.replacen("\"workflow\"", "\"flow\"", 1), "line 2: is no record of a known kind"),
        ("{}\n".to_owned(), "not an export"),
    ] {
        fs::write(&path, text).unwrap();
        fail(&home.run(&["import", "all.ndjson", "--database-url", SECOND]), told);
        assert!(!home.path().join("second.db").exists(), "{told}: nothing was made");
    }
}

#[test]
fn what_others_use_is_not_exported() {
    let database = Database::new();
    let server = Home::new().set("DATABASE_URL", &database.url()).start();
    fail(&server.home().run(&["export", "all.ndjson"]), "stop flowker first");
    assert!(!server.home().path().join("all.ndjson").exists());
    server.expect_sound();
}

#[test]
fn a_part_of_an_import_is_not_served() {
    let database = Database::new();
    let home = Home::new().set("DATABASE_URL", &database.url());
    assert_eq!(home.run(&["migrate"]).code, Some(0));
    // The mark that a killed import leaves: not finished, of some archive.
    let mark = "INSERT INTO shared_values
                VALUES ('archive_import', decode(repeat('00', 33), 'hex'))";
    ask(&database.url(), mark);
    for command in ["serve", "export"] {
        fail(&home.run(&[command]), "an import into this database was interrupted");
    }
}
