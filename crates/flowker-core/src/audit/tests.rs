use serde_json::json;

use super::*;
use crate::actor::ActorKind;
use crate::execution::{Failure, FailureCode};
use crate::json;

fn actor(id: &str) -> Actor {
    Actor { kind: ActorKind::ApiKey, id: id.to_owned(), ip: [192, 0, 2, 7].into() }
}

fn event(n: u128) -> AuditEvent {
    let workflow = WorkflowId::from_uuid(Uuid::from_u128(7));
    let kind = EventType::WorkflowUpdated;
    AuditEvent::of_workflow(Uuid::from_u128(n), kind, workflow, "orders", &actor("ops"))
}

fn moment(n: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_123_456 + n)
}

/// The first `n` entries of a chain.
fn chain(n: u128) -> Vec<AuditEntry> {
    let mut head = None;
    let moments = (0..).map(moment);
    (1..=n).zip(moments).map(|(n, at)| Head::seal(&mut head, event(n), at)).collect()
}

fn link(entry: AuditEntry) -> Link {
    Link::Entry(Box::new(entry))
}

/// Checks what is stored, and expects this.
fn check(start: Verification, links: &[Link], first_invalid: Option<u64>, n_checked: u64) {
    let mut verification = start;
    for link in links {
        verification.check(link);
    }
    assert_eq!(verification.verdict(), Verdict { first_invalid, n_checked });
}

#[test]
fn words_come_back_and_are_different() {
    for kind in EventType::ALL {
        assert_eq!(EventType::parse(kind.as_str()), Some(*kind));
        assert_eq!(Action::parse(kind.action().as_str()), Some(kind.action()));
        assert_eq!(AuditResult::parse(kind.result().as_str()), Some(kind.result()));
        let resource = kind.resource_type();
        assert_eq!(ResourceType::parse(resource.as_str()), Some(resource));
    }
    assert_eq!(EventType::parse("workflow_created"), None);
}

#[test]
fn filters_mean_kinds_of_events() {
    let types = |filter: KindFilter| {
        let types = filter.types()?;
        Some(types.into_iter().map(EventType::as_str).collect::<Vec<_>>().join(" "))
    };
    let any = KindFilter::default;
    assert_eq!(types(any()), None);
    let executed = KindFilter { action: Some(Action::Execute), ..any() };
    let all = "EXECUTION_STARTED EXECUTION_COMPLETED EXECUTION_FAILED";
    assert_eq!(types(executed).as_deref(), Some(all));
    let failed = KindFilter { result: Some(AuditResult::Failed), ..executed };
    assert_eq!(types(failed).as_deref(), Some("EXECUTION_FAILED"));
    let deleted = KindFilter {
        action: Some(Action::Delete),
        resource_type: Some(ResourceType::ProviderConfig),
        ..any()
    };
    assert_eq!(types(deleted).as_deref(), Some("PROVIDER_CONFIG_DELETED"));
    let nothing = KindFilter { event_type: Some(EventType::AccessDenied), ..deleted };
    assert_eq!(types(nothing).as_deref(), Some(""));
}

/// The bytes that are hashed are a promise: whoever has an export can compute them.
#[test]
fn the_hash_is_over_the_fields_of_an_entry() {
    let mut head = None;
    let first = Head::seal(&mut head, event(1), moment(0));
    let text = "GENESIS|00000000-0000-0000-0000-000000000001|WORKFLOW_UPDATED|UPDATE|SUCCESS|\
                00000000-0000-0000-0000-000000000007|workflow|api_key|ops|192.0.2.7|{}|\
                {\"workflow.name\": \"orders\"}|2026-01-01T00:00:00.123456Z";
    let expected = Digest::from_bytes(Sha256::digest(text).into());
    assert_eq!((first.sequence, first.previous, first.hash), (1, None, expected));

    let mut hard = event(2);
    hard.actor.id = "auth0|a\\b".to_owned();
    hard.metadata =
        match json::parse(r#"{"bb": [1.50, "a|b"], "a": {"z": null}, "ab": true}"#.as_bytes()) {
            Ok(Value::Object(members)) => members,
            other => panic!("{other:?}"),
        };
    let second = Head::seal(&mut head, hard, moment(1));
    let text = format!(
        "{expected}|00000000-0000-0000-0000-000000000002|WORKFLOW_UPDATED|UPDATE|SUCCESS|\
         00000000-0000-0000-0000-000000000007|workflow|api_key|auth0\\|a\\\\b|192.0.2.7|{{}}|\
         {{\"a\": {{\"z\": null}}, \"ab\": true, \"bb\": [1.50, \"a\\u007cb\"]}}|\
         2026-01-01T00:00:00.123457Z"
    );
    assert_eq!(second.hash, Digest::from_bytes(Sha256::digest(text).into()));
    assert_eq!((second.sequence, second.previous), (2, Some(expected)));
}

#[test]
fn fields_cannot_be_shifted_into_each_other() {
    let hash = |actor_id: &str, resource_id: &str| {
        let mut event = event(1);
        event.actor.id = actor_id.to_owned();
        event.resource_id = resource_id.to_owned();
        Head::seal(&mut None, event, moment(0)).hash
    };
    assert_ne!(hash("a|192.0.2.7", "r"), hash("a", "r"));
    assert_ne!(hash("a\\", "r"), hash("a\\|", "r"));
    assert_ne!(hash("a", "r|workflow|api_key|b"), hash("b", "r"));
}

#[test]
fn a_sound_chain_is_found_to_be() {
    let links: Vec<_> = chain(5).into_iter().map(link).collect();
    check(Verification::from_the_start(), &links, None, 5);
    check(Verification::from_the_start(), &[], None, 0);
    let known = chain(5).remove(2);
    let checkpoint = Checkpoint { sequence: 3, hash: known.hash };
    check(Verification::from_checkpoint(checkpoint), &links[2..], None, 3);
}

#[test]
fn the_first_bad_entry_is_named() {
    let start = Verification::from_the_start;
    let broken = |first_invalid, n_checked, damage: &dyn Fn(&mut Vec<AuditEntry>)| {
        let mut entries = chain(5);
        damage(&mut entries);
        let links: Vec<_> = entries.into_iter().map(link).collect();
        check(start(), &links, Some(first_invalid), n_checked);
    };
    broken(3, 3, &|it| it[2].event.metadata.clear());
    broken(3, 3, &|it| it[2].event.kind = EventType::WorkflowDeleted);
    broken(3, 3, &|it| it[2].event.resource_id.push(' '));
    broken(3, 3, &|it| it[2].event.actor.ip = [192, 0, 2, 8].into());
    broken(3, 3, &|it| it[2].event.id = AuditEventId::from_uuid(Uuid::from_u128(9)));
    broken(3, 3, &|it| it[2].at = moment(9));
    broken(3, 3, &|it| it[2].hash = it[1].hash);
    broken(1, 1, &|it| it[0].previous = Some(it[3].hash));
    broken(3, 2, &|it| drop(it.remove(2)));
    broken(1, 0, &|it| drop(it.remove(0)));
    broken(2, 2, &|it| {
        it.swap(1, 3);
        (it[1].sequence, it[3].sequence) = (2, 4);
    });
    // Removed, and the rest counted anew.
    broken(3, 3, &|it| {
        it.remove(2);
        it[2].sequence = 3;
        it[3].sequence = 4;
    });
    // Changed, and its hash computed again: the next one does not follow it.
    broken(4, 4, &|it| {
        let before = &it[1];
        let mut head = Some(Head { sequence: 2, at: before.at, hash: before.hash });
        let mut event = it[2].event.clone();
        event.metadata.clear();
        it[2] = Head::seal(&mut head, event, it[2].at);
    });
    let mut links: Vec<_> = chain(5).into_iter().map(link).collect();
    links[3] = Link::Unreadable { sequence: 4 };
    check(start(), &links, Some(4), 4);
}

/// Whoever may write everything can compute all hashes again. An older checkpoint tells.
#[test]
fn a_chain_that_was_computed_again_does_not_meet_a_checkpoint() {
    let known = chain(5).remove(3);
    let mut forged = chain(5);
    let mut head = None;
    for (idx, entry) in forged.iter_mut().enumerate() {
        let mut event = entry.event.clone();
        if idx == 1 {
            event.metadata.clear();
        }
        *entry = Head::seal(&mut head, event, entry.at);
    }
    let links: Vec<_> = forged.into_iter().map(link).collect();
    check(Verification::from_the_start(), &links, None, 5);
    let checkpoint = Checkpoint { sequence: 4, hash: known.hash };
    check(Verification::from_checkpoint(checkpoint), &links[3..], Some(4), 1);
}

#[test]
fn moments_are_shown_to_the_microsecond() {
    for (micros, expected) in [
        (1_767_225_600_123_456, "2026-01-01T00:00:00.123456Z"),
        (1_767_225_600_120_000, "2026-01-01T00:00:00.12Z"),
        (1_767_225_600_000_000, "2026-01-01T00:00:00Z"),
    ] {
        let entry = Head::seal(&mut None, event(1), Timestamp::from_micros(micros));
        assert_eq!(entry.moment(), expected);
    }
}

#[test]
fn moments_never_fall_along_the_chain() {
    let mut head = None;
    let moments = [5, 3, 7, 6].map(|n| Head::seal(&mut head, event(1), moment(n)).at);
    assert_eq!(moments, [5, 5, 7, 7].map(moment));
}

#[test]
fn an_execution_begins_and_ends_once() {
    let id = ExecutionId::parse("0193b7f2-5d1e-7c3a-8f00-0123456789ab").expect("an id");
    let other = ExecutionId::parse("0193b7f2-5d1e-7c3a-8f00-0123456789ac").expect("an id");
    let failure = Failure::new(FailureCode::StepFailed, "é".repeat(600));
    let outcomes =
        [Outcome::Completed { output: Map::new() }, Outcome::Failed(failure), Outcome::Cancelled];
    let ends = outcomes.map(|it| AuditEvent::execution_ended(id, &it, &Actor::system()));
    let kinds = ends.each_ref().map(|it| it.kind.as_str());
    assert_eq!(kinds, ["EXECUTION_COMPLETED", "EXECUTION_FAILED", "EXECUTION_CANCELLED"]);
    assert!(ends.iter().all(|it| it.id == ends[0].id), "one end, one id");
    assert_ne!(
        AuditEvent::execution_ended(other, &Outcome::Cancelled, &Actor::system()).id,
        ends[0].id
    );
    let uuid = ends[0].id.as_uuid();
    assert_eq!(uuid.get_version_num(), 7);
    assert_eq!(uuid.as_bytes()[..6], id.as_uuid().as_bytes()[..6], "they are written in order");
    assert_eq!(ends[1].metadata["error"].as_str().map(str::len), Some(ERROR_BYTES_MAX));
    let workflow = WorkflowId::from_uuid(Uuid::from_u128(7));
    let cancelled = ends[2].clone().of_execution_of(workflow);
    assert_eq!(Value::Object(cancelled.metadata), json!({"workflow.id": workflow.to_string()}));
}

#[test]
fn a_denied_attempt_tells_nothing_that_its_caller_chose() {
    let denied = |n_unrecorded| {
        let request = ("GET", "/v1/workflows/{id}");
        let id = Uuid::from_u128(1);
        AuditEvent::access_denied(id, request, "UNAUTHORIZED", n_unrecorded, &actor("nobody"))
    };
    assert_eq!(denied(0).resource_id, "/v1/workflows/{id}");
    let expected = json!({"request.method": "GET", "error.code": "UNAUTHORIZED"});
    assert_eq!(Value::Object(denied(0).metadata), expected);
    assert_eq!(denied(3).metadata["denials.unrecorded"], json!(3));
}

#[test]
fn an_event_comes_back_from_its_document() {
    let mut hard = event(1);
    hard.actor.id = "a\0|".to_owned();
    hard.actor.ip = "2001:db8::1".parse().expect("an address");
    hard.context.insert(String::new(), json!([1, {}]));
    for event in [hard, event(2)] {
        let text = json::to_bytes(&event.to_document());
        let document = json::parse(&text).expect("JSON");
        assert_eq!(AuditEvent::from_document(event.id, document), Ok(event));
    }
    let faults = AuditEvent::from_document(event(1).id, json!({"type": "x", "actorIp": "1"}));
    let faults = faults.expect_err("faults");
    let paths: Vec<_> = faults.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["type", "resourceId", "actorType", "actorId", "actorIp"]);
}
