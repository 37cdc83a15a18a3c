//! Lists: page sizes, orders, cursors.

use std::sync::{Arc, Mutex};

use flowker_core::execution::{Status, Summary};
use flowker_core::ports::{
    Direction, ExecutionPage, ExecutionQuery, ExecutionSort, MockExecutionStore, NamedSort,
    NamedSortKey, ProviderConfigPage, WorkflowPage, WorkflowQuery,
};
use flowker_core::workflow::Lifecycle;

use super::wire::{Answer, ask};
use super::world::{EXECUTION, NOW, WORKFLOW, World, summary, workflow};
use crate::answer::Door;

/// A door behind which each list has one item and more behind it, and what is asked of the lists.
struct Lists {
    door: Arc<Door>,
    workflows: Arc<Mutex<Vec<WorkflowQuery>>>,
    executions: Arc<Mutex<Vec<ExecutionQuery>>>,
}

impl Lists {
    fn of(item: Summary) -> Self {
        let mut world = World::new();
        let (workflows, executions) = (Arc::default(), Arc::default());
        let asked: Arc<Mutex<Vec<WorkflowQuery>>> = Arc::clone(&workflows);
        world.workflows.expect_list().returning(move |query| {
            asked.lock().unwrap().push(query);
            Ok(WorkflowPage { items: vec![workflow(5)], has_more: true })
        });
        world.executions = MockExecutionStore::new();
        let asked: Arc<Mutex<Vec<ExecutionQuery>>> = Arc::clone(&executions);
        world.executions.expect_list().returning(move |query| {
            asked.lock().unwrap().push(query);
            Ok(ExecutionPage { items: vec![item.clone()], has_more: true })
        });
        let nothing = |_| Ok(ProviderConfigPage { items: Vec::new(), has_more: false });
        world.configs.expect_list().returning(nothing);
        Self { door: world.door(), workflows, executions }
    }

    async fn get(&self, path: &str) -> Answer {
        ask(&self.door, &format!("GET /v1/{path}"), &[], "").await
    }

    async fn refused(&self, path: &str, expected: &str) {
        let answer = self.get(path).await;
        let body = answer.json();
        let (code, title) = (body["code"].as_str(), body["title"].as_str());
        let shown = format!("{} {} {}", answer.status, code.unwrap_or("?"), title.unwrap_or("?"));
        assert_eq!(shown, expected, "{path}");
    }

    async fn cursor(&self, path: &str) -> String {
        let body = self.get(path).await.json();
        assert_eq!(body["hasMore"], true, "{body}");
        body["nextCursor"].as_str().expect("a cursor").to_owned()
    }
}

fn last<T: Clone>(asked: &Mutex<Vec<T>>) -> T {
    asked.lock().unwrap().last().cloned().expect("the list was asked for")
}

#[tokio::test(start_paused = true)]
async fn a_page_tells_where_the_next_one_begins() {
    let lists = Lists::of(summary(Status::Running));
    for (path, key, direction, value) in [
        ("workflows?", NamedSortKey::CreatedAt, Direction::Descending, NOW.as_micros().to_string()),
        (
            "workflows?sortBy=name&sortOrder=asc&",
            NamedSortKey::Name,
            Direction::Ascending,
            "workflow 5".to_owned(),
        ),
        (
            "workflows?sortBy=updatedAt&",
            NamedSortKey::UpdatedAt,
            Direction::Descending,
            NOW.as_micros().to_string(),
        ),
    ] {
        let cursor = lists.cursor(path).await;
        // With or without the sort parameters again.
        for path in [path, "workflows?"] {
            lists.get(&format!("{path}limit=7&status=draft&cursor={cursor}")).await;
            let query = last(&lists.workflows);
            let after = query.after.expect("a place");
            assert_eq!((query.sort, query.limit), (NamedSort { key, direction }, 7), "{path}");
            assert_eq!((after.value, after.id), (value.clone(), *workflow(5).id.as_uuid()));
            assert_eq!(query.status, Some(Lifecycle::Draft));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_of_executions_carries_its_order() {
    for (status, sort_by, sort, moment) in [
        (Status::Running, "startedAt", ExecutionSort::StartedAt, Some(NOW)),
        (Status::Running, "completedAt", ExecutionSort::CompletedAt, None),
        (Status::Failed, "completedAt", ExecutionSort::CompletedAt, Some(NOW)),
    ] {
        let lists = Lists::of(summary(status));
        let cursor = lists.cursor(&format!("executions?sortBy={sort_by}&sortOrder=asc")).await;
        let path = format!("executions?cursor={cursor}&status=cancelled&workflowId={WORKFLOW}");
        assert_eq!(lists.get(&path).await.status, 200);
        let expected = ExecutionQuery {
            workflow_id: Some(WORKFLOW),
            status: Some(Status::Cancelled),
            sort,
            direction: Direction::Ascending,
            after: Some((moment, EXECUTION)),
            limit: 10,
        };
        assert_eq!(last(&lists.executions), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_page_has_no_cursor() {
    let answer = Lists::of(summary(Status::Running)).get("provider-configurations").await;
    assert_eq!(answer.json().to_string(), r#"{"hasMore":false,"items":[],"nextCursor":""}"#);
}

#[tokio::test(start_paused = true)]
async fn named_lists_refuse_what_they_do_not_know() {
    let lists = Lists::of(summary(Status::Running));
    let query = "400 FLK-0304 Bad Request";
    for list in ["workflows", "provider-configurations"] {
        for parameter in [
            "limit=0",
            "limit=101",
            "limit=-1",
            "limit=x",
            "sortBy=nothing",
            "sortBy=NAME",
            "sortOrder=up",
            "status=nothing",
        ] {
            lists.refused(&format!("{list}?{parameter}"), query).await;
        }
        lists.refused(&format!("{list}?cursor=x"), "400 INVALID_CURSOR Bad Request").await;
    }
    let cursor = lists.cursor("workflows?sortBy=name").await;
    let bad = "400 INVALID_CURSOR Bad Request";
    lists.refused(&format!("workflows?cursor={cursor}&sortBy=createdAt"), bad).await;
    lists.refused(&format!("workflows?cursor={cursor}&sortOrder=ASC"), bad).await;
    lists.refused(&format!("provider-configurations?cursor={cursor}"), bad).await;
    let mut changed = cursor.into_bytes();
    changed[30] ^= 1;
    let changed = String::from_utf8(changed).expect("text");
    lists.refused(&format!("workflows?cursor={changed}"), bad).await;
    assert_eq!(lists.get("workflows?limit=100&sortBy=&cursor=").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn the_list_of_executions_has_its_own_codes_and_titles() {
    let lists = Lists::of(summary(Status::Running));
    for (parameters, expected) in [
        ("limit=0", "400 FLK-0309 Invalid Limit"),
        ("limit=-1", "400 FLK-0309 Invalid Limit"),
        ("limit=x", "400 FLK-0309 Invalid Limit"),
        ("limit=101", "400 FLK-0309 Pagination Limit Exceeded"),
        ("status=nothing", "400 FLK-0304 Invalid Status Filter"),
        ("sortBy=name", "400 FLK-0304 Invalid Sort Field"),
        ("sortOrder=up", "400 FLK-0310 Invalid Sort Order"),
        ("workflowId=x", "400 FLK-0002 Bad Request"),
        ("cursor=x", "400 INVALID_CURSOR "),
        ("cursor=x&sortBy=startedAt", "400 FLK-0304 Invalid Pagination Parameters"),
        ("cursor=x&sortOrder=ASC", "400 FLK-0304 Invalid Pagination Parameters"),
    ] {
        lists.refused(&format!("executions?{parameters}"), expected).await;
    }
}
