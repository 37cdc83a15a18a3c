//! Making, changing and removing workflows.

use std::sync::Arc;

use flowker_core::ports::WorkflowWritten;
use flowker_core::workflow::{Definition, Lifecycle, Workflow};
use serde_json::Map;

use super::get;
use crate::contract::{active_workflow, deactivate, done, draft, race};
use crate::sample;
use crate::subject::Subject;

fn hard_definition() -> Definition {
    let mut definition = sample::definition(
        r#"{"nodes": [
                {"id": "n", "type": "no type", "position": {"x": -9007199254740993, "y": 7},
                 "name": "", "data": {"condition": "a.b"}},
                {"id": "", "type": "", "position": {"x": 0, "y": 0}}],
            "edges": [
                {"id": "e", "source": "gone", "target": "n", "sourceHandle": "", "label": "\u0000",
                 "condition": "x > 1.50"},
                {"id": "e", "source": "n", "target": "n"}],
            "settings": {"executionTimeoutSeconds": 2592000}}"#,
    );
    definition.nodes[0].data = sample::object(sample::HARD_JSON);
    definition
}

/// A workflow comes back as it was stored, to the last digit; a draft need not be able to run.
pub async fn a_workflow_comes_back_exactly(subject: Subject) {
    let hard = Workflow {
        name: "\u{1F600} 'quoted' %_\\".to_owned(),
        description: Some("with\0NUL".to_owned()),
        definition: hard_definition(),
        metadata: sample::object(sample::HARD_JSON),
        updated_at: sample::moment(99),
        ..sample::workflow(2)
    };
    let empty = Workflow {
        description: Some(String::new()),
        definition: Definition::default(),
        metadata: Map::new(),
        ..sample::workflow(3)
    };
    for workflow in [sample::workflow(1), hard, empty] {
        let answer = subject
            .stores
            .workflows
            .create(workflow.clone(), sample::event())
            .await
            .expect("create");
        assert_eq!(answer, WorkflowWritten::Done(workflow.clone()));
        let found = subject.stores.workflows.get(workflow.id).await.expect("get");
        assert_eq!(found, Some(workflow));
    }
}

/// Nothing is found, changed or removed under an id that is not there.
pub async fn an_unknown_workflow_is_not_found(subject: Subject) {
    let workflows = &subject.stores.workflows;
    assert_eq!(get(&subject, 1).await, None);
    let unknown = Workflow { revision: 2, ..sample::workflow(1) };
    assert_eq!(
        workflows.update(unknown, sample::event()).await.expect("update"),
        WorkflowWritten::Stale
    );
    assert!(!workflows.delete(sample::workflow_id(1), 1, sample::event()).await.expect("delete"));
    assert_eq!(workflows.version(sample::workflow_id(1), 1).await.expect("version"), None);
    assert_eq!(get(&subject, 1).await, None);
}

/// No two workflows have the same name, and names are compared byte by byte.
pub async fn names_are_unique(subject: Subject) {
    let workflows = &subject.stores.workflows;
    draft(&subject, 1).await;
    let named = |n, name: &str| Workflow { name: name.to_owned(), ..sample::workflow(n) };
    let answer = workflows.create(named(2, "workflow 1"), sample::event()).await.expect("create");
    assert_eq!(answer, WorkflowWritten::NameTaken);
    assert_eq!(get(&subject, 2).await, None, "nothing was written");
    for (n, name) in [(3, "Workflow 1"), (4, "workflow 1 "), (5, "workflow\u{a0}1")] {
        done(workflows.create(named(n, name), sample::event()).await.expect("create"));
    }
}

/// Of racers with the same name one wins.
pub async fn racers_with_one_name_make_one_workflow(subject: Subject) {
    let answers = race(|idx| {
        let workflows = Arc::clone(&subject.stores.workflows);
        let workflow = Workflow { name: "wanted".to_owned(), ..sample::workflow(idx) };
        async move { workflows.create(workflow, sample::event()).await.expect("create") }
    })
    .await;
    let n_done = answers.iter().filter(|it| matches!(it, WorkflowWritten::Done(_))).count();
    let n_taken = answers.iter().filter(|it| **it == WorkflowWritten::NameTaken).count();
    assert_eq!((n_done, n_done + n_taken), (1, answers.len()), "{answers:?}");
    assert_eq!(super::list::all_pages(&subject, &super::list::everything()).await.len(), 1);
}

/// An update replaces what can be edited, and nothing else.
pub async fn an_update_replaces_what_can_be_edited(subject: Subject) {
    let before = draft(&subject, 1).await;
    let other = draft(&subject, 2).await;
    let sent = Workflow {
        name: "changed".to_owned(),
        description: Some("new".to_owned()),
        definition: hard_definition(),
        metadata: sample::object(sample::HARD_JSON),
        revision: 2,
        updated_at: sample::moment(50),
        // None of these can be edited.
        status: Lifecycle::Active,
        version: 7,
        created_at: sample::moment(70),
        ..before.clone()
    };
    let answer =
        subject.stores.workflows.update(sent.clone(), sample::event()).await.expect("update");
    let expected = Workflow {
        status: before.status,
        version: before.version,
        created_at: before.created_at,
        ..sent
    };
    assert_eq!(answer, WorkflowWritten::Done(expected.clone()));
    assert_eq!(get(&subject, 1).await, Some(expected));
    assert_eq!(get(&subject, 2).await, Some(other), "no other is touched");
}

/// An update that does not follow the stored revision is refused, and nothing is written.
pub async fn a_stale_update_is_refused(subject: Subject) {
    let stored = draft(&subject, 1).await;
    for revision in [1, 3, 0] {
        let late = Workflow { name: "late".to_owned(), revision, ..stored.clone() };
        let answer = subject.stores.workflows.update(late, sample::event()).await.expect("update");
        assert_eq!(answer, WorkflowWritten::Stale, "revision {revision}");
        assert_eq!(get(&subject, 1).await, Some(stored.clone()));
    }
}

/// Of updates that read the same revision one is written.
pub async fn racing_updates_overtake_each_other_in_turn(subject: Subject) {
    draft(&subject, 1).await;
    for revision in 2..5 {
        let answers = race(|idx| {
            let workflows = Arc::clone(&subject.stores.workflows);
            let description = Some(format!("of racer {idx}"));
            let workflow = Workflow { description, revision, ..sample::workflow(1) };
            async move { workflows.update(workflow, sample::event()).await.expect("update") }
        })
        .await;
        let written = answers.iter().filter_map(|it| match it {
            WorkflowWritten::Done(workflow) => Some(workflow.clone()),
            WorkflowWritten::Stale => None,
            other => panic!("done or stale, not {other:?}"),
        });
        let written: Vec<_> = written.collect();
        assert_eq!(written.len(), 1, "{answers:?}");
        assert_eq!(get(&subject, 1).await, written.into_iter().next());
    }
}

/// An update does not take the name of another.
pub async fn an_update_does_not_take_a_name(subject: Subject) {
    let stored = draft(&subject, 1).await;
    draft(&subject, 2).await;
    let greedy = Workflow { name: "workflow 2".to_owned(), revision: 2, ..stored.clone() };
    let answer = subject.stores.workflows.update(greedy, sample::event()).await.expect("update");
    assert_eq!(answer, WorkflowWritten::NameTaken);
    assert_eq!(get(&subject, 1).await, Some(stored.clone()));
    let same_name = Workflow { revision: 2, ..stored };
    done(
        subject
            .stores
            .workflows
            .update(same_name, sample::event())
            .await
            .expect("its own name is not taken"),
    );
}

/// A removed workflow is gone, and another may have its name.
pub async fn a_deleted_workflow_is_gone_and_its_name_free(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let one = draft(&subject, 1).await;
    let other = draft(&subject, 2).await;
    assert!(workflows.delete(one.id, one.revision, sample::event()).await.expect("delete"));
    assert!(
        !workflows.delete(one.id, one.revision, sample::event()).await.expect("delete"),
        "once"
    );
    assert_eq!(get(&subject, 1).await, None);
    assert_eq!(get(&subject, 2).await, Some(other));
    let heir = Workflow { name: one.name, ..sample::workflow(3) };
    done(workflows.create(heir, sample::event()).await.expect("create"));
}

/// An active workflow is not removed; after its deactivation it is.
pub async fn an_active_workflow_is_not_deleted(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let active = active_workflow(&subject, 1).await;
    assert!(!workflows.delete(active.id, active.revision, sample::event()).await.expect("delete"));
    assert_eq!(get(&subject, 1).await, Some(active.clone()));
    assert_eq!(workflows.routes().await.expect("routes").len(), 1);
    let inactive = deactivate(&subject, &active).await;
    assert!(
        workflows.delete(inactive.id, inactive.revision, sample::event()).await.expect("delete")
    );
}

/// A removal that was overtaken is refused.
pub async fn a_stale_deletion_is_refused(subject: Subject) {
    let workflows = &subject.stores.workflows;
    let stored = draft(&subject, 1).await;
    for revision in [0, 2] {
        assert!(!workflows.delete(stored.id, revision, sample::event()).await.expect("delete"));
        assert_eq!(get(&subject, 1).await, Some(stored.clone()));
    }
}
