//! Lists of workflows.

use flowker_core::ports::{Cursor, Direction, NamedSort, NamedSortKey, WorkflowQuery};
use flowker_core::workflow::{Lifecycle, Workflow};

use super::{is_in_order, value_of};
use crate::contract::{DIRECTIONS, activation, done, transition};
use crate::sample;
use crate::subject::Subject;

/// All workflows by name.
pub(super) fn everything() -> WorkflowQuery {
    let sort = NamedSort { key: NamedSortKey::Name, direction: Direction::Ascending };
    WorkflowQuery { status: None, sort, after: None, limit: 100 }
}

async fn many(subject: &Subject) {
    let workflows = &subject.stores.workflows;
    // Upper before lower case, and everything beyond ASCII behind: byte by byte.
    let letters = ["b", "B", "ä", "a"].into_iter().cycle().take(12);
    for (n, letter) in (1..).zip(letters) {
        let workflow = Workflow {
            name: format!("{letter} {}", 20 - n),
            created_at: sample::moment(n / 4),
            updated_at: sample::moment((20 - n) / 3),
            ..sample::workflow(n)
        };
        let mut workflow = done(workflows.create(workflow, sample::event()).await.expect("create"));
        if n % 3 != 0 {
            let activation = activation(&workflow, n);
            workflow =
                done(workflows.activate(activation, sample::event()).await.expect("activate"));
        }
        if n % 3 == 2 {
            let transition = transition(&workflow, Lifecycle::Inactive);
            done(workflows.transition(transition, sample::event()).await.expect("transition"));
        }
    }
}

/// All pages of a list, each asked for behind the last item of the one before.
pub(super) async fn all_pages(subject: &Subject, query: &WorkflowQuery) -> Vec<Workflow> {
    let mut found: Vec<Workflow> = Vec::new();
    loop {
        let after = found.last().map(|it| {
            let moments = (it.created_at, it.updated_at);
            Cursor { value: value_of(query.sort.key, &it.name, moments), id: *it.id.as_uuid() }
        });
        let query = WorkflowQuery { after, ..query.clone() };
        let limit = query.limit;
        let page = subject.stores.workflows.list(query).await.expect("list");
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

/// Over all pages every workflow comes once, in order, however many share a moment.
pub async fn pages_hold_every_workflow_once(subject: Subject) {
    many(&subject).await;
    for key in [NamedSortKey::CreatedAt, NamedSortKey::UpdatedAt, NamedSortKey::Name] {
        for direction in DIRECTIONS {
            for limit in [1, 2, 5, 12, 13] {
                let sort = NamedSort { key, direction };
                let query = WorkflowQuery { sort, limit, ..everything() };
                let found = all_pages(&subject, &query).await;
                assert_eq!(found.len(), 12, "{query:?}");
                let places = found.iter().map(|it| {
                    let moments = (it.created_at, it.updated_at);
                    (value_of(key, &it.name, moments), *it.id.as_uuid())
                });
                let places: Vec<_> = places.collect();
                assert!(is_in_order(&places, direction), "{query:?}: {places:?}");
                for listed in found {
                    let alone = subject.stores.workflows.get(listed.id).await.expect("get");
                    assert_eq!(alone, Some(listed));
                }
            }
        }
    }
}

/// A list of one status holds all that match, and nothing else, over all pages.
pub async fn filters_hold_over_all_pages(subject: Subject) {
    many(&subject).await;
    let all = all_pages(&subject, &everything()).await;
    for status in Lifecycle::ALL {
        let expected: Vec<_> = all.iter().filter(|it| it.status == status).cloned().collect();
        assert_eq!(expected.len(), 4, "four of each");
        for limit in [1, 3, 100] {
            let query = WorkflowQuery { status: Some(status), limit, ..everything() };
            assert_eq!(all_pages(&subject, &query).await, expected, "{query:?}");
        }
    }
}
