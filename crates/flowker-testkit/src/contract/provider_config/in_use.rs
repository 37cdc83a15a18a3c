//! What the active workflows that use a configuration keep from happening to it.

use std::sync::Arc;

use flowker_core::ports::{
    Activation, ConfigStatus, ConfigUser, ProviderConfig, UnusedWritten, WorkflowWritten,
};
use flowker_core::workflow::{Lifecycle, Workflow};
use tokio::task::JoinSet;

use super::{create, get};
use crate::contract::{activation, deactivate, done, draft};
use crate::sample;
use crate::subject::Subject;

/// How many activations and removals race, in pairs.
const ROUNDS: u64 = 16;

fn using(workflow: &Workflow, n: u64, configs: &[u64]) -> Activation {
    let configs = configs.iter().map(|n| sample::config_id(*n)).collect();
    Activation { configs, ..activation(workflow, n) }
}

async fn activate(subject: &Subject, n: u64, configs: &[u64]) -> Workflow {
    let activation = using(&draft(subject, n).await, n, configs);
    done(subject.stores.workflows.activate(activation, sample::event()).await.expect("activate"))
}

fn disabled(n: u64) -> ProviderConfig {
    ProviderConfig { status: ConfigStatus::Disabled, revision: 2, ..sample::config(n) }
}

/// One that active workflows use is neither changed nor removed, unless it does not matter that they
/// do. Those that use it are told, by id.
pub async fn what_active_workflows_use_stays(subject: Subject) {
    let configs = &subject.stores.configs;
    for n in 1..=3 {
        create(&subject, &sample::config(n)).await;
    }
    activate(&subject, 2, &[1]).await;
    activate(&subject, 1, &[1, 2]).await;
    let users = |numbers: &[u64]| {
        let user = |n: &u64| {
            let workflow = sample::workflow(*n);
            ConfigUser { id: workflow.id, name: workflow.name }
        };
        UnusedWritten::InUse(numbers.iter().map(user).collect())
    };
    for (n, wanted) in [(1, users(&[1, 2])), (2, users(&[1]))] {
        let answer =
            configs.update_unused(disabled(n), sample::event()).await.expect("update_unused");
        assert_eq!(answer, wanted, "configuration {n}");
        let answer = configs
            .delete_unused(sample::config_id(n), sample::event())
            .await
            .expect("delete_unused");
        assert_eq!(answer, wanted, "configuration {n}");
        assert_eq!(get(&subject, n).await, Some(sample::config(n)), "nothing was written");
    }
    let answer =
        configs.delete_unused(sample::config_id(3), sample::event()).await.expect("delete_unused");
    assert_eq!(answer, UnusedWritten::Done, "nobody uses it");
    configs.update(disabled(1), sample::event()).await.expect("update");
    assert_eq!(get(&subject, 1).await, Some(disabled(1)));
    assert!(configs.delete(sample::config_id(1), sample::event()).await.expect("delete"));
}

/// One that no active workflow uses is changed and removed like any other.
pub async fn what_nobody_uses_goes(subject: Subject) {
    let configs = &subject.stores.configs;
    create(&subject, &sample::config(1)).await;
    let active = activate(&subject, 1, &[1]).await;
    let inactive = deactivate(&subject, &active).await;
    for revision in [0, 1, 3] {
        let late = ProviderConfig { revision, ..disabled(1) };
        let answer = configs.update_unused(late, sample::event()).await.expect("update_unused");
        assert_eq!(answer, UnusedWritten::Stale, "revision {revision}");
    }
    let answer = configs.update_unused(disabled(1), sample::event()).await.expect("update_unused");
    assert_eq!(answer, UnusedWritten::Done);
    assert_eq!(get(&subject, 1).await, Some(disabled(1)));
    assert_eq!(inactive.status, Lifecycle::Inactive);
    let delete = || configs.delete_unused(sample::config_id(1), sample::event());
    assert_eq!(delete().await.expect("delete_unused"), UnusedWritten::Done);
    assert_eq!(get(&subject, 1).await, None);
    assert_eq!(delete().await.expect("delete_unused"), UnusedWritten::Stale);
}

/// A workflow whose configurations are not all there and active is not activated.
pub async fn an_activation_needs_its_configurations(subject: Subject) {
    let workflows = &subject.stores.workflows;
    create(&subject, &sample::config(1)).await;
    create(&subject, &ProviderConfig { revision: 1, ..disabled(2) }).await;
    let workflow = draft(&subject, 1).await;
    for (configs, missing) in [([1, 2], 2), ([1, 3], 3)] {
        let answer = workflows
            .activate(using(&workflow, 1, &configs), sample::event())
            .await
            .expect("activate");
        assert_eq!(answer, WorkflowWritten::ConfigUnusable(sample::config_id(missing)));
        let stored = workflows.get(workflow.id).await.expect("get");
        assert_eq!(stored, Some(workflow.clone()), "nothing was written");
        assert_eq!(workflows.routes().await.expect("routes"), []);
    }
    let answer = subject.stores.configs.delete_unused(sample::config_id(1), sample::event()).await;
    assert_eq!(answer.expect("delete_unused"), UnusedWritten::Done, "no use was written");
}

/// Of an activation and a removal that race one comes first, and the other is refused.
pub async fn an_activation_and_a_removal_exclude_each_other(subject: Subject) {
    for n in 1..=ROUNDS {
        create(&subject, &sample::config(n)).await;
        let activation = using(&draft(&subject, n).await, n, &[n]);
        let (workflows, configs) =
            (Arc::clone(&subject.stores.workflows), Arc::clone(&subject.stores.configs));
        let (mut activating, mut removing) = (JoinSet::new(), JoinSet::new());
        activating.spawn(async move { workflows.activate(activation, sample::event()).await });
        removing.spawn(async move {
            if n % 2 == 0 {
                configs.delete_unused(sample::config_id(n), sample::event()).await
            } else {
                configs.update_unused(disabled(n), sample::event()).await
            }
        });
        let activated = activating.join_all().await.remove(0).expect("activate");
        let removed = removing.join_all().await.remove(0).expect("a write");
        match (&activated, &removed) {
            (WorkflowWritten::Done(_), UnusedWritten::InUse(users)) => assert_eq!(users.len(), 1),
            (WorkflowWritten::ConfigUnusable(_), UnusedWritten::Done) => {}
            other => panic!("one of the two is refused, not {other:?}"),
        }
    }
}
