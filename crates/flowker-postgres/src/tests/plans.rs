//! Plans: every hot statement finds its rows through an index, however little the planner knows.

use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::archive;
use crate::audit;
use crate::dashboard;
use crate::db::SETTINGS;
use crate::execution as executions;
use crate::execution::list;
use crate::idempotency;
use crate::named::Ways;
use crate::statement::Statement;
use crate::testing::TestDatabase;

/// A value of a type, as a literal.
fn literal(ty: &Type) -> &'static str {
    match *ty {
        Type::UUID => "'0192d3a0-0000-7000-8000-000000000001'",
        Type::UUID_ARRAY => {
            "'{0192d3a0-0000-7000-8000-000000000001,0192d3a0-0000-7000-8000-000000000002}'"
        }
        Type::INT8 => "1",
        Type::INT8_ARRAY => "'{1,1}'",
        Type::TEXT => "'a'",
        Type::TEXT_ARRAY => "'{a,b}'",
        Type::BOOL_ARRAY => "'{t,f}'",
        Type::BYTEA => r"'\x00'",
        Type::BYTEA_ARRAY => r#"'{"\\x00","\\x01"}'"#,
        Type::TIMESTAMPTZ => "'2026-01-01'",
        Type::TIMESTAMPTZ_ARRAY => "'{2026-01-01,2026-01-01}'",
        _ => panic!("no literal for {ty}"),
    }
}

async fn plan(client: &Client, statement: &Statement) -> String {
    let types: Vec<_> = statement.types.iter().map(Type::name).collect();
    let types = types.join(", ");
    let prepare = format!("PREPARE it ({types}) AS {}", statement.text);
    client.batch_execute(&prepare).await.expect(statement.text);
    let values: Vec<_> = statement.types.iter().map(literal).collect();
    let explain = format!("EXPLAIN (COSTS OFF) EXECUTE it ({})", values.join(", "));
    let rows = client.simple_query(&explain).await.expect(&explain);
    client.batch_execute("DEALLOCATE it").await.expect("it was prepared");
    let lines = rows.iter().filter_map(|row| match row {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Of joins only nested loops do not have to read all of a side.
const BAD: [&str; 6] =
    ["Seq Scan", "Hash Join", "Hash Semi", "Hash Anti", "Hash Left", "Merge Join"];

fn check(statement: &Statement, plan: &str, also_bad: &[&str]) {
    for bad in BAD.iter().chain(also_bad) {
        assert!(!plan.contains(bad), "{bad}: {}\n{plan}", statement.text);
    }
}

fn each(ways: &'static Ways) -> [&'static Statement; 2] {
    [&ways.ascending, &ways.descending]
}

fn lists() -> impl Iterator<Item = &'static Statement> {
    let sources =
        [&list::UNFINISHED, &list::UNFINISHED_BY_ID, &list::ENDED, &list::ENDED_BY_COMPLETION];
    sources.into_iter().flat_map(|it| [&it.of_all, &it.of_workflow]).flat_map(each)
}

fn others() -> impl Iterator<Item = &'static Statement> {
    let keys = [&idempotency::FIND, &idempotency::PURGE];
    let merged = audit::MERGED.iter().copied().flat_map(each);
    let audited = audit::STATEMENTS.iter().copied().chain(merged);
    executions::STATEMENTS.iter().copied().chain(keys).chain(audited).chain(dashboard::STATEMENTS)
}

/// Checks all plans over a database that `setup` has filled.
async fn check_all(setup: &str) {
    let database = TestDatabase::new().await;
    let client = database.client().await;
    client.batch_execute(setup).await.expect("rows");
    for (name, value) in SETTINGS {
        client.batch_execute(&format!("SET {name} = '{value}'")).await.expect(name);
    }
    for mode in ["force_generic_plan", "force_custom_plan"] {
        client.batch_execute(&format!("SET plan_cache_mode = {mode}")).await.expect(mode);
        for statement in others() {
            check(statement, &plan(&client, statement).await, &["Bitmap"]);
        }
        let ordered = audit::ORDERED.iter().copied();
        for statement in lists().chain(archive::statements()).chain(ordered) {
            // They are read in their order, as far as a page goes.
            check(statement, &plan(&client, statement).await, &["Bitmap", "->  Sort"]);
        }
    }
}

#[tokio::test]
async fn empty_tables_are_not_scanned() {
    check_all("").await;
}

/// `n` executions, some of which have ended, of which the planner has no statistics.
fn filled(n: usize) -> String {
    format!(
        "CREATE TEMPORARY TABLE made AS
         SELECT n, ('0192d3a0-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id,
                ('0192d3a0-0000-7000-8000-' || lpad(to_hex(n % 10), 12, '0'))::uuid AS workflow_id
           FROM generate_series(1, {n}) AS n;
         INSERT INTO workflows
         SELECT DISTINCT workflow_id, workflow_id::text, 'active', 1, 1, now(), now(), NULL, '{{}}',
                '{{}}'
           FROM made;
         INSERT INTO replicas SELECT DISTINCT workflow_id, now() FROM made;
         INSERT INTO executions SELECT id, workflow_id, 1, 1, now(), NULL, 'start', '{{}}' FROM made;
         INSERT INTO ready SELECT id, workflow_id, now(), CASE WHEN n % 3 = 0 THEN workflow_id END, 1,
                now() FROM made WHERE n % 2 = 0;
         INSERT INTO outcomes SELECT id, workflow_id, 'completed', now(), now() FROM made
          WHERE n % 2 = 1;
         INSERT INTO journal (execution_id, seq, fence, at, kind)
         SELECT id, 1, 1, now(), 'started' FROM made;
         INSERT INTO idempotency_keys SELECT workflow_id, n::text, '', id, now() FROM made;"
    )
}

#[tokio::test]
async fn young_tables_are_not_scanned() {
    check_all(&filled(10)).await;
}

#[tokio::test]
async fn large_tables_without_statistics_are_not_scanned() {
    check_all(&filled(100_000)).await;
}

#[tokio::test]
async fn large_tables_with_statistics_are_not_scanned() {
    check_all(&(filled(100_000) + "ANALYZE")).await;
}
