//! Activation, routes, versions.

use std::sync::Arc;

use flowker_core::execution::Execution;
use flowker_core::ports::{
    Acceptance, Activation, ExecutionQuery, NewExecution, Precondition, WorkflowWritten,
};
use flowker_core::workflow::{Lifecycle, NewRoute, Route, WebhookPath, Workflow};

use super::get;
use crate::contract::{
    activation, active_workflow, deactivate, done, draft, execution, race, transition,
};
use crate::sample;
use crate::subject::Subject;

fn new_route(method: &str, path: &str, node_id: &str) -> NewRoute {
    let path = WebhookPath::registered(path);
    NewRoute { method: method.to_owned(), path, node_id: node_id.to_owned() }
}

async fn routes(subject: &Subject) -> Vec<Route> {
    let mut routes = subject.stores.workflows.routes().await.expect("routes");
    routes.sort_by_key(|it| (it.key.path.clone(), it.key.method.clone()));
    routes
}

/// An activation makes the workflow active and freezes its definition as the next version.
pub async fn an_activation_freezes_the_next_version(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let mut workflow = draft(&subject, 1).await;
    for version in 1..4 {
        assert_eq!(workflows.version(workflow.id, version).await.expect("version"), None);
        let expected = Workflow {
            status: Lifecycle::Active,
            revision: workflow.revision + 1,
            version,
            updated_at: sample::moment(1_000),
            ..workflow.clone()
        };
        let answer =
            workflows.activate(activation(&workflow, 1), sample::event()).await.expect("activate");
        assert_eq!(answer, WorkflowWritten::Done(expected.clone()));
        assert_eq!(get(&subject, 1).await, Some(expected.clone()));
        let frozen = workflows.version(workflow.id, version).await.expect("version");
        assert_eq!(frozen.as_ref(), Some(&expected.definition));
        workflow = deactivate(&subject, &expected).await;
    }
}

/// A frozen version stays what it was, however the workflow is changed or removed.
pub async fn a_frozen_version_never_changes(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let first = sample::definition(&sample::chain("hooks/1", &["call"]));
    let second = sample::definition(&sample::chain("hooks/1", &["call", "again"]));
    let versions = async || {
        let id = sample::workflow_id(1);
        let first = workflows.version(id, 1).await.expect("version");
        (first, workflows.version(id, 2).await.expect("version"))
    };
    let active = active_workflow(&subject, 1).await;
    let inactive = deactivate(&subject, &active).await;
    let back = transition(&inactive, Lifecycle::Draft);
    let draft = done(workflows.transition(back, sample::event()).await.expect("transition"));
    let edited =
        Workflow { definition: second.clone(), revision: draft.revision + 1, ..draft.clone() };
    let edited = done(workflows.update(edited, sample::event()).await.expect("update"));
    assert_eq!(versions().await, (Some(first.clone()), None));
    let active =
        done(workflows.activate(activation(&edited, 1), sample::event()).await.expect("activate"));
    assert_eq!(versions().await, (Some(first.clone()), Some(second.clone())));
    let inactive = deactivate(&subject, &active).await;
    assert!(
        workflows.delete(inactive.id, inactive.revision, sample::event()).await.expect("delete")
    );
    assert_eq!(versions().await, (Some(first), Some(second)));
}

/// The routes of an activation are live for its version, and found by method and path, byte by
/// byte.
pub async fn an_activation_registers_its_routes(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let workflow = draft(&subject, 1).await;
    let keys = vec![
        new_route("POST", "", "a"),
        new_route("GET", "orders/Paid", "b"),
        new_route("POST", "orders/Paid", "c"),
        new_route("POST", "orders/\u{e9}%_/paid", "d"),
    ];
    let activation = Activation { routes: keys.clone(), ..activation(&workflow, 1) };
    done(workflows.activate(activation, sample::event()).await.expect("activate"));
    let expected: Vec<_> =
        keys.into_iter().map(|key| Route { key, workflow_id: workflow.id, version: 1 }).collect();
    assert_eq!(routes(&subject).await, expected);
    for route in &expected {
        let found = workflows.route(&route.key.method, &route.key.path).await.expect("route");
        assert_eq!(found.as_ref(), Some(route));
    }
    for (method, path) in [
        ("PUT", "orders/Paid"),
        ("get", "orders/Paid"),
        ("GET", "orders/paid"),
        ("GET", ""),
        ("GET", "orders"),
        ("POST", "orders/\u{e9}xx/paid"),
    ] {
        let found = workflows.route(method, &WebhookPath::registered(path)).await;
        assert_eq!(found.expect("route"), None, "{method} {path}");
    }
}

/// An activation that was overtaken is refused, and nothing is written.
pub async fn a_stale_activation_is_refused(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let workflow = draft(&subject, 1).await;
    for revision in [0, 2] {
        let late = Activation { revision, ..activation(&workflow, 1) };
        assert_eq!(
            workflows.activate(late, sample::event()).await.expect("activate"),
            WorkflowWritten::Stale
        );
    }
    let unknown = Activation { id: sample::workflow_id(2), ..activation(&workflow, 1) };
    assert_eq!(
        workflows.activate(unknown, sample::event()).await.expect("activate"),
        WorkflowWritten::Stale
    );
    assert_eq!(get(&subject, 1).await, Some(workflow.clone()));
    assert_eq!(workflows.version(workflow.id, 1).await.expect("version"), None);
    assert_eq!(routes(&subject).await, []);
}

/// One route that another workflow holds refuses the whole activation, and its holder is named.
pub async fn a_route_that_is_held_refuses_the_whole_activation(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let holder = active_workflow(&subject, 1).await;
    let workflow = draft(&subject, 2).await;
    let live = routes(&subject).await;
    let held = NewRoute { node_id: "another node".to_owned(), ..sample::route(1) };
    let wanted = vec![sample::route(2), held.clone(), sample::route(3)];
    let activation = Activation { routes: wanted, ..activation(&workflow, 2) };
    let answer = workflows.activate(activation.clone(), sample::event()).await.expect("activate");
    assert_eq!(answer, WorkflowWritten::RouteTaken { route: held, holder: holder.id });
    assert_eq!(get(&subject, 2).await, Some(workflow.clone()));
    assert_eq!(workflows.version(workflow.id, 1).await.expect("version"), None);
    assert_eq!(routes(&subject).await, live);
    // What the holder gives up is free.
    deactivate(&subject, &holder).await;
    done(workflows.activate(activation, sample::event()).await.expect("activate"));
}

/// A route that an activation brings twice refuses the whole activation.
pub async fn a_route_twice_refuses_the_whole_activation(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let workflow = draft(&subject, 1).await;
    let twice = NewRoute { node_id: "another node".to_owned(), ..sample::route(1) };
    let wanted = vec![sample::route(1), sample::route(2), twice];
    let activation = Activation { routes: wanted, ..activation(&workflow, 1) };
    let answer = workflows.activate(activation, sample::event()).await.expect("activate");
    let WorkflowWritten::RouteTaken { route, holder } = answer else {
        panic!("the route is taken, not {answer:?}");
    };
    assert_eq!((route.method, route.path), (sample::route(1).method, sample::route(1).path));
    assert_eq!(holder, workflow.id);
    assert_eq!(get(&subject, 1).await, Some(workflow));
    assert_eq!(routes(&subject).await, []);
}

/// Of workflows that race for one route one gets it.
pub async fn racers_for_one_route_activate_one(subject: Subject) {
    let mut drafts = Vec::new();
    for n in 0..crate::contract::RACERS as u64 {
        drafts.push(draft(&subject, n).await);
    }
    let answers = race(|idx| {
        let workflows = Arc::clone(&subject.stores.workflows);
        let workflow = drafts.iter().find(|it| it.id == sample::workflow_id(idx));
        let activation = activation(workflow.expect("one for each racer"), 1);
        async move { workflows.activate(activation, sample::event()).await.expect("activate") }
    })
    .await;
    let winners = answers.iter().filter_map(|it| match it {
        WorkflowWritten::Done(workflow) => Some(workflow.id),
        _ => None,
    });
    let winners: Vec<_> = winners.collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    for answer in &answers {
        match answer {
            WorkflowWritten::Done(_) => {}
            WorkflowWritten::RouteTaken { route, holder } => {
                assert_eq!((route, holder), (&sample::route(1), &winners[0]));
            }
            other => panic!("done or taken, not {other:?}"),
        }
    }
    let live = routes(&subject).await;
    assert_eq!(live.iter().map(|it| it.workflow_id).collect::<Vec<_>>(), winners);
}

/// Of activations that read the same revision one is carried out.
pub async fn racing_activations_freeze_one_version(subject: Subject) {
    let workflow = draft(&subject, 1).await;
    let answers = race(|idx| {
        let workflows = Arc::clone(&subject.stores.workflows);
        let activation = activation(&workflow, idx);
        async move { workflows.activate(activation, sample::event()).await.expect("activate") }
    })
    .await;
    let n_done = answers.iter().filter(|it| matches!(it, WorkflowWritten::Done(_))).count();
    let n_stale = answers.iter().filter(|it| **it == WorkflowWritten::Stale).count();
    assert_eq!((n_done, n_done + n_stale), (1, answers.len()), "{answers:?}");
    assert_eq!(get(&subject, 1).await.map(|it| it.version), Some(1));
    assert_eq!(routes(&subject).await.len(), 1);
}

/// A change of status removes all routes of the workflow, and those of no other.
pub async fn a_transition_removes_all_routes(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let workflow = draft(&subject, 1).await;
    let both = Activation {
        routes: vec![sample::route(1), sample::route(11)],
        ..activation(&workflow, 1)
    };
    let active = done(workflows.activate(both, sample::event()).await.expect("activate"));
    active_workflow(&subject, 2).await;
    let expected = Workflow {
        status: Lifecycle::Inactive,
        revision: active.revision + 1,
        updated_at: sample::moment(2_000),
        ..active.clone()
    };
    let transition = transition(&active, Lifecycle::Inactive);
    let answer = workflows.transition(transition, sample::event()).await.expect("transition");
    assert_eq!(answer, WorkflowWritten::Done(expected.clone()));
    assert_eq!(get(&subject, 1).await, Some(expected));
    let left: Vec<_> = routes(&subject).await.into_iter().map(|it| it.key).collect();
    assert_eq!(left, [sample::route(2)]);
    let gone = workflows.route("POST", &sample::route(11).path).await.expect("route");
    assert_eq!(gone, None);
}

/// A change of status that was overtaken is refused, and nothing is written.
pub async fn a_stale_transition_is_refused(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let active = active_workflow(&subject, 1).await;
    for revision in [1, 3] {
        let stale = Workflow { revision, ..active.clone() };
        let late = transition(&stale, Lifecycle::Inactive);
        assert_eq!(
            workflows.transition(late, sample::event()).await.expect("transition"),
            WorkflowWritten::Stale
        );
    }
    let unknown = transition(&sample::workflow(2), Lifecycle::Inactive);
    assert_eq!(
        workflows.transition(unknown, sample::event()).await.expect("transition"),
        WorkflowWritten::Stale
    );
    assert_eq!(get(&subject, 1).await, Some(active));
    assert_eq!(routes(&subject).await.len(), 1);
}

/// Once a deactivation is answered, nothing is accepted any more, whatever raced with it.
pub async fn after_a_transition_nothing_is_accepted(subject: Subject) {
    let active = active_workflow(&subject, 1).await;
    let trigger = |n| NewExecution {
        execution: Arc::new(Execution { version: 1, ..sample::execution(n) }),
        precondition: Precondition::VersionActive,
        ..sample::new_execution(n)
    };
    let answers = race(|idx| {
        let stores = subject.stores.clone();
        let transition = transition(&active, Lifecycle::Inactive);
        async move {
            if idx == 16 {
                done(
                    stores
                        .workflows
                        .transition(transition, sample::event())
                        .await
                        .expect("transition"),
                );
                let answer = stores.executions.accept(trigger(1_000)).await.expect("accept");
                assert_eq!(answer, Acceptance::RouteGone, "after the answer");
                return None;
            }
            Some(stores.executions.accept(trigger(idx)).await.expect("accept"))
        }
    })
    .await;
    let n_accepted = answers.iter().flatten().filter(|it| **it == Acceptance::Accepted).count();
    let query = ExecutionQuery { limit: 1_000, ..execution::list::everything() };
    let stored = subject.stores.executions.list(query).await.expect("list").items;
    assert_eq!(stored.len(), n_accepted, "{answers:?}");
    let answer = subject.stores.executions.accept(trigger(2_000)).await.expect("accept");
    assert_eq!(answer, Acceptance::RouteGone);
}

/// The number of the routes grows whenever one comes or goes, so that no follower misses it.
pub async fn the_routes_revision_grows_with_every_change(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let revision = async || workflows.routes_revision().await.expect("routes_revision");
    let start = revision().await;
    let workflow = draft(&subject, 1).await;
    let active = done(
        workflows.activate(activation(&workflow, 1), sample::event()).await.expect("activate"),
    );
    let with_route = revision().await;
    assert!(start < with_route, "{start} < {with_route}");
    let inactive = deactivate(&subject, &active).await;
    let without_route = revision().await;
    assert!(with_route < without_route, "{with_route} < {without_route}");
    done(workflows.activate(activation(&inactive, 1), sample::event()).await.expect("activate"));
    assert!(without_route < revision().await);
}
