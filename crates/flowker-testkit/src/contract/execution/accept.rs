//! Acceptance.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowker_core::execution::{Execution, Fence, Status, Summary};
use flowker_core::id::WorkflowId;
use flowker_core::ports::{Acceptance, Claim, ExecutionQuery, NewExecution, Precondition};

use super::{accept, append, ending};
use crate::contract::{activate, active_workflow, deactivate, draft, race};
use crate::sample;
use crate::subject::Subject;

fn keyed(n: u64, claim: Claim) -> NewExecution {
    NewExecution { claim: Some(claim), ..sample::new_execution(n) }
}

fn triggered(n: u64, workflow_id: WorkflowId, version: u32) -> NewExecution {
    let execution = Execution { workflow_id, version, ..sample::execution(n) };
    NewExecution {
        execution: Arc::new(execution),
        precondition: Precondition::VersionActive,
        ..sample::new_execution(n)
    }
}

async fn n_executions(subject: &Subject) -> usize {
    let query = ExecutionQuery { limit: 1000, ..super::list::everything() };
    subject.stores.executions.list(query).await.expect("list").items.len()
}

/// What was accepted comes back as it was sent, to the last byte of the input.
pub async fn what_was_accepted_comes_back_exactly(subject: Subject) {
    let repeated = accept(&subject, sample::new_execution(1)).await;
    let sent = Execution {
        version: u32::MAX,
        start_node: "a node \u{1F600} \"quoted\" \0".to_owned(),
        input: Bytes::from(sample::HARD_JSON),
        total_steps: u32::MAX,
        retry_of: Some(repeated),
        trace: Some(sample::trace()),
        ..sample::execution(2)
    };
    let execution = Arc::new(sent.clone());
    let id = accept(&subject, NewExecution { execution, ..sample::new_execution(2) }).await;
    let executions = &subject.stores.executions;
    assert_eq!(executions.execution(id).await.expect("execution"), Some(sent.clone()));
    let expected = Summary {
        id,
        workflow_id: sent.workflow_id,
        status: Status::Pending,
        current_step: 0,
        total_steps: u32::MAX,
        started_at: sent.accepted_at,
        completed_at: None,
        outcome: None,
        retry_of: Some(repeated),
    };
    assert_eq!(executions.get(id).await.expect("get"), Some(expected));
    assert_eq!(executions.journal(id).await.expect("journal"), []);
}

/// Nothing is found under an id that was never accepted.
pub async fn an_unknown_execution_is_not_found(subject: Subject) {
    accept(&subject, sample::new_execution(1)).await;
    let (executions, unknown) = (&subject.stores.executions, sample::execution_id(2));
    assert_eq!(executions.get(unknown).await.expect("get"), None);
    assert_eq!(executions.execution(unknown).await.expect("execution"), None);
    assert_eq!(executions.journal(unknown).await.expect("journal"), []);
}

/// With an owner an execution is running, without one it is pending.
pub async fn an_owner_makes_an_execution_running(subject: Subject) {
    let owned = super::accept_owned(&subject, 1, sample::replica(1)).await;
    let unowned = accept(&subject, sample::new_execution(2)).await;
    assert_eq!(super::status(&subject, owned).await, Status::Running);
    assert_eq!(super::status(&subject, unowned).await, Status::Pending);
}

/// A known key answers what it started, as it stands now, and writes nothing.
pub async fn a_known_key_replays_what_it_started(subject: Subject) {
    let executions = &subject.stores.executions;
    let owner = Some(sample::replica(1));
    let new = NewExecution { owner, ..keyed(1, sample::claim("order-42", "a")) };
    let id = accept(&subject, new).await;
    for n in 2..4 {
        let now = executions.get(id).await.expect("get").expect("it was accepted");
        let answer = executions.accept(keyed(n, sample::claim("order-42", "a"))).await;
        assert_eq!(answer.expect("accept"), Acceptance::Replayed(now));
        let end = super::completed(r#"{"done": true}"#);
        // The second time round the execution has ended, and the answer says so.
        if n == 2 {
            let end = ending(id, Fence::FIRST, end, sample::moment(3));
            executions.append(end).await.expect("append");
        }
    }
    assert_eq!(n_executions(&subject).await, 1);
}

/// A known key with another fingerprint is refused, writes nothing and stays what it was.
pub async fn a_key_with_another_request_is_refused(subject: Subject) {
    let executions = &subject.stores.executions;
    let id = accept(&subject, keyed(1, sample::claim("order-42", "a"))).await;
    let answer = executions.accept(keyed(2, sample::claim("order-42", "b"))).await;
    assert_eq!(answer.expect("accept"), Acceptance::KeyReused);
    assert_eq!(n_executions(&subject).await, 1);
    let answer = executions.accept(keyed(3, sample::claim("order-42", "a"))).await;
    assert!(matches!(answer, Ok(Acceptance::Replayed(it)) if it.id == id), "still of `a`");
}

/// Keys are compared byte by byte.
pub async fn keys_that_differ_in_a_byte_are_different_keys(subject: Subject) {
    for (n, key) in (1..).zip(["order", "Order", "order-", "order%", "order_", "ordeR", "o rder"]) {
        accept(&subject, keyed(n, sample::claim(key, "a"))).await;
    }
}

/// The scope of a key is its workflow.
pub async fn a_key_of_one_workflow_means_nothing_to_another(subject: Subject) {
    accept(&subject, keyed(1, sample::claim("order-42", "a"))).await;
    let other = NewExecution {
        precondition: Precondition::None,
        claim: Some(sample::claim("order-42", "b")),
        ..triggered(2, sample::workflow_id(2), 1)
    };
    accept(&subject, other).await;
}

/// A known key answers before anybody asks whether the workflow is active.
pub async fn a_known_key_answers_before_the_workflow_is_looked_at(subject: Subject) {
    let executions = &subject.stores.executions;
    let workflow = active_workflow(&subject, 1).await;
    let claim = |request| Some(sample::claim("order-42", request));
    let new = |n, request| NewExecution {
        claim: claim(request),
        ..triggered(n, workflow.id, workflow.version)
    };
    let id = accept(&subject, new(1, "a")).await;
    deactivate(&subject, &workflow).await;
    let answer = executions.accept(new(2, "a")).await.expect("accept");
    assert!(matches!(&answer, Acceptance::Replayed(it) if it.id == id), "{answer:?}");
    let answer = executions.accept(new(3, "b")).await.expect("accept");
    assert_eq!(answer, Acceptance::KeyReused);
    assert_eq!(n_executions(&subject).await, 1);
}

/// What is not the active version of an active workflow accepts nothing, and keeps no key.
pub async fn only_the_active_version_accepts(subject: Subject) {
    let executions = &subject.stores.executions;
    let refused = async |n, workflow_id, version| {
        let new = triggered(n, workflow_id, version);
        let new = NewExecution { claim: Some(sample::claim("order-42", "a")), ..new };
        let answer = executions.accept(new).await.expect("accept");
        assert_eq!(answer, Acceptance::RouteGone, "version {version}");
        assert_eq!(executions.get(sample::execution_id(n)).await.expect("get"), None);
        let key = sample::key("order-42");
        let known = subject.stores.keys.find(workflow_id, &key).await.expect("find");
        assert_eq!(known, None, "a refused acceptance keeps no key");
    };
    refused(1, sample::workflow_id(1), 1).await;
    let id = draft(&subject, 1).await.id;
    refused(2, id, 0).await;
    refused(3, id, 1).await;
    let first = activate(&subject, &sample::workflow(1)).await;
    refused(4, id, 2).await;
    let inactive = deactivate(&subject, &first).await;
    refused(5, id, 1).await;
    let second = activate(&subject, &inactive).await;
    refused(6, id, 1).await;
    accept(&subject, triggered(7, id, second.version)).await;
}

/// Without a precondition nothing is asked of the workflow: it may be gone.
pub async fn without_a_precondition_no_workflow_is_needed(subject: Subject) {
    accept(&subject, sample::new_execution(1)).await;
}

/// However many callers race with one key, one execution comes of it, and all learn which.
pub async fn racers_with_one_key_get_one_execution(subject: Subject) {
    let answers = race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        async move {
            let new = keyed(idx, sample::claim("order-42", "a"));
            (new.execution.id, executions.accept(new).await.expect("accept"))
        }
    })
    .await;
    let accepted = answers.iter().filter(|(_, it)| *it == Acceptance::Accepted);
    let accepted: Vec<_> = accepted.map(|(id, _)| *id).collect();
    assert_eq!(accepted.len(), 1, "{answers:?}");
    for (id, answer) in &answers {
        match answer {
            Acceptance::Accepted => {}
            Acceptance::Replayed(it) => assert_eq!(it.id, accepted[0], "the winner of {id}"),
            other => panic!("accepted or replayed, not {other:?}"),
        }
    }
    assert_eq!(n_executions(&subject).await, 1);
}

/// When two requests race with one key, one is carried out, once, and the other refused.
pub async fn racers_with_one_key_and_two_requests_carry_out_one(subject: Subject) {
    let answers = race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        let request = if idx % 2 == 0 { "even" } else { "odd" };
        async move {
            let new = keyed(idx, sample::claim("order-42", request));
            (request, executions.accept(new).await.expect("accept"))
        }
    })
    .await;
    let winners: Vec<_> =
        answers.iter().filter(|(_, it)| *it == Acceptance::Accepted).map(|(it, _)| *it).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    for (request, answer) in &answers {
        let refused = *answer == Acceptance::KeyReused;
        assert_eq!(refused, *request != winners[0], "{request} against {winners:?}: {answer:?}");
    }
    assert_eq!(n_executions(&subject).await, 1);
}

/// Racers with a key each, or none, all get their own execution.
pub async fn racers_with_different_keys_do_not_meet(subject: Subject) {
    let answers = race(|idx| {
        let executions = Arc::clone(&subject.stores.executions);
        let claim = (idx % 4 != 0).then(|| sample::claim(&format!("order-{idx}"), "a"));
        async move { executions.accept(NewExecution { claim, ..sample::new_execution(idx) }).await }
    })
    .await;
    for answer in &answers {
        assert!(matches!(answer, Ok(Acceptance::Accepted)), "{answer:?}");
    }
    assert_eq!(n_executions(&subject).await, answers.len());
}

/// Once its retention is over and its execution has ended, a key starts something new.
pub async fn a_key_is_free_after_its_retention_and_the_end(subject: Subject) {
    let executions = &subject.stores.executions;
    let first = accept(&subject, keyed(1, sample::claim("order-42", "a"))).await;
    executions.cancel(first, sample::moment(3), &sample::actor()).await.expect("cancel");
    subject.clock.advance(sample::RETENTION + Duration::from_secs(1));
    let second = accept(&subject, keyed(2, sample::claim("order-42", "b"))).await;
    let answer = executions.accept(keyed(3, sample::claim("order-42", "b"))).await;
    assert!(
        matches!(&answer, Ok(Acceptance::Replayed(it)) if it.id == second),
        "the key is kept anew: {answer:?}"
    );
    assert!(executions.get(first).await.expect("get").is_some(), "only the key was forgotten");
}

/// A key is kept to the end of its retention, however early its execution ended.
pub async fn a_key_is_kept_for_its_retention(subject: Subject) {
    let executions = &subject.stores.executions;
    let first = accept(&subject, keyed(1, sample::claim("order-42", "a"))).await;
    executions.cancel(first, sample::moment(3), &sample::actor()).await.expect("cancel");
    subject.clock.advance(sample::RETENTION.saturating_sub(Duration::from_secs(1)));
    let answer = executions.accept(keyed(2, sample::claim("order-42", "a"))).await;
    assert!(matches!(&answer, Ok(Acceptance::Replayed(it)) if it.id == first), "{answer:?}");
}

/// While its execution has not ended, a key is kept beyond its retention.
pub async fn a_key_outlives_its_retention_until_the_end(subject: Subject) {
    let executions = &subject.stores.executions;
    let owner = Some(sample::replica(1));
    let new = NewExecution { owner, ..keyed(1, sample::claim("order-42", "a")) };
    let id = accept(&subject, new).await;
    subject.clock.advance(sample::RETENTION * 3);
    let answer = executions.accept(keyed(2, sample::claim("order-42", "a"))).await;
    assert!(matches!(&answer, Ok(Acceptance::Replayed(it)) if it.id == id), "{answer:?}");
    let answer = executions.accept(keyed(3, sample::claim("order-42", "b"))).await;
    assert!(matches!(answer, Ok(Acceptance::KeyReused)), "{answer:?}");
    let fence = Fence::FIRST;
    let entries = vec![sample::entry(fence, sample::completed("call", sample::value("1")))];
    executions.append(append(id, fence, 0, entries)).await.expect("the owner was not disturbed");
}

/// Whoever lost the answer asks again, whatever became of the workflow, of the execution and of its
/// key meanwhile: `Accepted`, and nothing is written.
pub async fn the_same_acceptance_again_is_accepted(subject: Subject) {
    let workflow = active_workflow(&subject, 1).await;
    let owner = Some(sample::replica(1));
    let claim = Some(sample::claim("order-42", "a"));
    let news = [
        NewExecution { claim, owner, ..triggered(1, workflow.id, workflow.version) },
        NewExecution { owner, ..triggered(2, workflow.id, workflow.version) },
        triggered(3, workflow.id, workflow.version),
        NewExecution { claim: Some(sample::claim("order-43", "a")), ..sample::new_execution(4) },
    ];
    subject.stores.executions.keep_alive(sample::replica(1)).await.expect("keep_alive");
    for new in &news {
        accept(&subject, new.clone()).await;
    }
    let again = async |subject: &Subject| {
        let executions = &subject.stores.executions;
        let read = async || {
            let mut all = Vec::new();
            for new in &news {
                let id = new.execution.id;
                let journal = executions.journal(id).await.expect("journal");
                all.push((executions.get(id).await.expect("get"), journal));
            }
            let mut mine = executions.owned(sample::replica(1)).await.expect("owned");
            mine.sort_unstable();
            (all, mine)
        };
        let before = read().await;
        for new in &news {
            accept(subject, new.clone()).await;
        }
        assert_eq!(read().await, before, "nothing was written");
        assert_eq!(n_executions(subject).await, news.len());
    };
    again(&subject).await;
    deactivate(&subject, &workflow).await;
    again(&subject).await;
    let executions = &subject.stores.executions;
    let ended = sample::execution_id(1);
    let end = ending(ended, Fence::FIRST, super::completed("{}"), sample::moment(8));
    executions.append(end).await.expect("append");
    again(&subject).await;

    // The key is another one's now, and stays it.
    subject.clock.advance(sample::RETENTION + Duration::from_secs(1));
    let claim = || Some(sample::claim("order-42", "b"));
    let next = NewExecution { claim: claim(), ..sample::new_execution(5) };
    let workflow_id = workflow.id;
    let next_execution = Execution { workflow_id, ..sample::execution(5) };
    let next = NewExecution { execution: Arc::new(next_execution), ..next };
    accept(&subject, next.clone()).await;
    accept(&subject, news[0].clone()).await;
    let known = subject.stores.keys.find(workflow.id, &sample::key("order-42")).await;
    assert_eq!(known.expect("find").map(|it| it.execution.id), Some(next.execution.id));

    // Another owner has taken over: its fence stays.
    let subject = subject.lapse_owner(sample::replica(1)).await;
    super::adopt(&subject, sample::replica(2), 10).await;
    let executions = &subject.stores.executions;
    let taken = sample::execution_id(2);
    accept(&subject, news[1].clone()).await;
    assert_eq!(executions.load(taken, Fence::FIRST).await.expect("load"), None);
    let current = executions.load(taken, Fence::FIRST.next()).await.expect("load");
    assert!(current.is_some(), "it is still its new owner's");
    assert_eq!(n_executions(&subject).await, news.len() + 1);
}

/// What was acknowledged is still there when another owner goes on after a lapse.
pub async fn what_was_acknowledged_outlives_its_owner(subject: Subject) {
    let workflow = active_workflow(&subject, 1).await;
    let new = NewExecution {
        claim: Some(sample::claim("order-42", "a")),
        owner: Some(sample::replica(1)),
        ..triggered(1, workflow.id, workflow.version)
    };
    let sent = Execution::clone(&new.execution);
    let id = accept(&subject, new).await;
    let fence = Fence::FIRST;
    let entry = sample::entry(fence, sample::completed("call", sample::value(sample::HARD_JSON)));
    let executions = &subject.stores.executions;
    executions.append(append(id, fence, 0, vec![entry.clone()])).await.expect("append");

    let subject = subject.lapse_owner(sample::replica(1)).await;
    let stores = &subject.stores;
    assert_eq!(stores.executions.execution(id).await.expect("execution"), Some(sent));
    assert_eq!(stores.executions.journal(id).await.expect("journal"), [entry]);
    let key = sample::key("order-42");
    let known = stores.keys.find(workflow.id, &key).await.expect("find");
    assert_eq!(known.map(|it| it.execution.id), Some(id));
    assert_eq!(stores.workflows.get(workflow.id).await.expect("get"), Some(workflow));
    let routes = stores.workflows.routes().await.expect("routes");
    assert_eq!(routes.into_iter().map(|it| it.key).collect::<Vec<_>>(), [sample::route(1)]);
}
