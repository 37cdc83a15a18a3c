//! Lists of executions.

use std::sync::Arc;

use flowker_core::execution::{Execution, Failure, FailureCode, Fence, Outcome, Status, Summary};
use flowker_core::id::ExecutionId;
use flowker_core::ports::{Direction, ExecutionQuery, ExecutionSort, NewExecution};
use flowker_core::time::Timestamp;

use super::{accept, adopt, ending};
use crate::contract::DIRECTIONS;
use crate::sample;
use crate::subject::Subject;

/// All executions, oldest first.
pub(in crate::contract) fn everything() -> ExecutionQuery {
    ExecutionQuery {
        workflow_id: None,
        status: None,
        sort: ExecutionSort::StartedAt,
        direction: Direction::Ascending,
        after: None,
        limit: 100,
    }
}

/// Fourteen executions of three workflows, in all statuses, several with the same moments.
pub(in crate::contract) async fn many(subject: &Subject) {
    let executions = &subject.stores.executions;
    let failed = Outcome::Failed(Failure::new(FailureCode::StepFailed, "no answer"));
    for n in 1..=14 {
        let execution = Execution {
            workflow_id: sample::workflow_id(n % 3),
            // Ids and moments do not rise together, and three share each moment.
            accepted_at: sample::moment((20 - n) / 3),
            ..sample::execution(n)
        };
        let owner = (n % 5 != 0).then(|| sample::replica(1));
        let execution = Arc::new(execution);
        let id =
            accept(subject, NewExecution { execution, owner, ..sample::new_execution(n) }).await;
        let at = sample::moment(100 + n / 4);
        match n % 5 {
            1 => {
                let end = ending(id, Fence::FIRST, super::completed("{}"), at);
                executions.append(end).await.expect("append");
            }
            2 => {
                let end = ending(id, Fence::FIRST, failed.clone(), at);
                executions.append(end).await.expect("append");
            }
            3 => {
                executions.cancel(id, at, &sample::actor()).await.expect("cancel");
            }
            _ => {}
        }
    }
    assert_eq!(adopt(subject, sample::replica(1), 1).await.len(), 1, "one pending is running now");
}

fn place(sort: ExecutionSort, it: &Summary) -> (Option<Timestamp>, ExecutionId) {
    match sort {
        ExecutionSort::StartedAt => (Some(it.started_at), it.id),
        ExecutionSort::CompletedAt => (it.completed_at, it.id),
    }
}

/// All pages of a list, each asked for behind the last item of the one before.
async fn all_pages(subject: &Subject, query: &ExecutionQuery) -> Vec<Summary> {
    let mut found: Vec<Summary> = Vec::new();
    loop {
        let after = found.last().map(|it| place(query.sort, it));
        let query = ExecutionQuery { after, ..query.clone() };
        let limit = query.limit;
        let page = subject.stores.executions.list(query).await.expect("list");
        assert!(page.items.len() <= limit, "no more than were asked for");
        assert!(!page.has_more || page.items.len() == limit, "a page is full if more follow");
        assert!(found.is_empty() || !page.items.is_empty(), "there is more if a page says so");
        found.extend(page.items);
        assert!(found.len() <= 100, "the pages come to an end");
        if !page.has_more {
            return found;
        }
    }
}

/// Over all pages every execution comes once, in order, however many share a moment.
pub async fn pages_hold_every_execution_once(subject: Subject) {
    many(&subject).await;
    for sort in [ExecutionSort::StartedAt, ExecutionSort::CompletedAt] {
        for direction in DIRECTIONS {
            for limit in [1, 2, 3, 7, 14, 15] {
                let query = ExecutionQuery { sort, direction, limit, ..everything() };
                let found = all_pages(&subject, &query).await;
                assert_eq!(found.len(), 14, "{query:?}");
                let places: Vec<_> = found
                    .iter()
                    .map(|it| place(sort, it))
                    // What has not ended is later than all that has.
                    .map(|(moment, id)| (moment.is_none(), moment, id))
                    .collect();
                let in_order = match direction {
                    Direction::Ascending => places.is_sorted_by(|a, b| a < b),
                    Direction::Descending => places.is_sorted_by(|a, b| a > b),
                };
                assert!(in_order, "{query:?}: {places:?}");
            }
        }
    }
}

/// An item of a list is the execution as it is read alone.
pub async fn lists_show_what_get_shows(subject: Subject) {
    many(&subject).await;
    for listed in all_pages(&subject, &everything()).await {
        let alone = subject.stores.executions.get(listed.id).await.expect("get");
        assert_eq!(alone, Some(listed));
    }
}

/// A list of one workflow or one status holds all that match, and nothing else, over all pages.
pub async fn filters_hold_over_all_pages(subject: Subject) {
    many(&subject).await;
    let all = all_pages(&subject, &everything()).await;
    let workflows = (0..4).map(|n| Some(sample::workflow_id(n))).chain([None]);
    for workflow_id in workflows {
        for status in Status::ALL.into_iter().map(Some).chain([None]) {
            let expected: Vec<_> = all
                .iter()
                .filter(|it| workflow_id.is_none_or(|id| id == it.workflow_id))
                .filter(|it| status.is_none_or(|status| status == it.status))
                .cloned()
                .collect();
            for limit in [2, 100] {
                let query = ExecutionQuery { workflow_id, status, limit, ..everything() };
                assert_eq!(all_pages(&subject, &query).await, expected, "{query:?}");
            }
        }
    }
}
