//! What holds for this adapter beyond the contracts of the ports.

mod audit;
mod contract;
mod corrupt;
mod failure;
mod group;
mod lost;
mod measure;
mod metrics;
mod plans;
mod pooler;
mod races;
mod tls;
mod uses;

use flowker_core::ports::{Activation, WorkflowWritten};
use flowker_core::workflow::Workflow;
use flowker_testkit::{Stores, sample};

/// Stores the first sample, and activates it with a route.
async fn active_workflow(stores: &Stores) -> Workflow {
    let workflow = sample::workflow(1);
    stores.workflows.create(workflow.clone(), sample::event()).await.expect("create");
    let (id, revision) = (workflow.id, workflow.revision);
    let routes = vec![sample::route(1)];
    let activation =
        Activation { id, revision, routes, configs: Vec::new(), at: sample::moment(1_000) };
    match stores.workflows.activate(activation, sample::event()).await.expect("activate") {
        WorkflowWritten::Done(workflow) => workflow,
        other => panic!("it is active, not {other:?}"),
    }
}
