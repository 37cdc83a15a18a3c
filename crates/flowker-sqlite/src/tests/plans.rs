//! Plans: every hot statement finds its rows through an index, however many there are.

use rusqlite::Connection;

use super::*;
use crate::execution::list;
use crate::named::{Pages, Ways};
use crate::{
    api_key, archive, audit, dashboard, execution as executions, idempotency, provider_config,
    workflow as workflows,
};

fn plan(db: &Connection, statement: &str) -> Vec<String> {
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {statement}")).expect(statement);
    let steps = statement.raw_query().mapped(|row| row.get("detail"));
    steps.collect::<Result<_, _>>().expect("a plan")
}

fn check(db: &Connection, statement: &str) {
    for step in plan(db, statement) {
        let is_index =
            ["SEARCH", "CORRELATED", "LIST SUBQUERY"].iter().any(|it| step.starts_with(it));
        assert!(is_index, "{step}: {statement}");
    }
}

fn each(ways: &Ways) -> [&'static str; 2] {
    [ways.ascending, ways.descending]
}

#[test]
fn hot_statements_use_indexes() {
    let database = Database::new();
    drop(database.open());
    let db = look(&database.path());
    for statement in executions::STATEMENTS {
        check(&db, statement);
    }
    for statement in audit::STATEMENTS {
        check(&db, statement);
    }
    for statement in [idempotency::FIND, idempotency::WRITE, idempotency::PURGE] {
        check(&db, statement);
    }
}

#[test]
fn figures_use_indexes() {
    let database = Database::new();
    drop(database.open());
    let db = look(&database.path());
    for statement in [
        dashboard::COUNT_ENDED,
        dashboard::UNFINISHED,
        dashboard::UNFINISHED_OF_WORKFLOW,
        dashboard::ENDED,
        dashboard::ENDED_OF_WORKFLOW,
    ] {
        check(&db, statement);
    }
    let counting = plan(&db, dashboard::COUNT_UNFINISHED);
    assert!(counting[0].starts_with("SEARCH ready USING INDEX"), "{counting:?}");
}

#[test]
fn archives_are_read_in_their_order() {
    let database = Database::new();
    drop(database.open());
    let db = look(&database.path());
    for statement in archive::statements() {
        check(&db, statement);
    }
}

#[test]
fn lists_are_read_in_their_order() {
    let database = Database::new();
    drop(database.open());
    let db = look(&database.path());
    let sources =
        [list::UNFINISHED, list::UNFINISHED_BY_ID, list::ENDED, list::ENDED_BY_COMPLETION];
    for statement in sources.iter().flat_map(|it| [&it.of_all, &it.of_workflow]).flat_map(each) {
        check(&db, statement);
    }
    for statement in audit::SEARCHES.into_iter().flat_map(each) {
        check(&db, statement);
    }
    let by_key = |pages: &'static Pages| [&pages.by_creation, &pages.by_update, &pages.by_name];
    let pages = [&workflows::PAGES, &provider_config::PAGES, &api_key::PAGES];
    for statement in pages.into_iter().flat_map(by_key).flat_map(each) {
        check(&db, statement);
    }
}
