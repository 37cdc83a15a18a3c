use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::*;
use crate::access::{KeyDigest, Scopes};
use crate::actor::{Actor, ActorKind};
use crate::audit::{AuditEntry, AuditEvent, EventType};
use crate::execution::{Entry, Event, Execution, Failure, FailureCode, Fence, Outcome, StepRun};
use crate::id::{ApiKeyId, AuditEventId, ExecutionId, ProviderConfigId, WorkflowId};
use crate::idempotency::{Fingerprint, IdempotencyKey};
use crate::json;
use crate::ports::{ApiKey, ConfigStatus, PreviousKey, ProviderConfig};
use crate::time::Timestamp;
use crate::trace::TraceContext;
use crate::workflow::{Definition, Lifecycle, NewRoute, Route, WebhookPath, Workflow};

/// What a careless format changes: numbers beyond a double, zeros at their end, NUL, names that
/// serializers use, members of the format's own names.
const HARD: &str = r#"{
    "": {}, "$serde_json::private::Number": "1", "end": null, "ID": 1, "id": 2, "flowker": "export",
    "big": 123456789012345678901234567890.12345678901234567890, "exponent": 1E+5, "zero": -0.0,
    "list": [[], {}, null, true, ""], "nul": "a\u0000b", "text": "ü 😀 \u2028 \" \\ \u001f\n"
}"#;

fn value(text: &str) -> Value {
    json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn object(text: &str) -> Map<String, Value> {
    let Value::Object(members) = value(text) else { panic!("{text} is no object") };
    members
}

fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

fn moment(n: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_123_457 + n)
}

fn definition() -> Definition {
    let mut document = value(
        r#"{"nodes": [{"id": "a\u0000", "type": "trigger", "position": {"x": -3, "y": 4}}],
            "edges": [{"id": "e", "source": "a\u0000", "target": "b", "label": ""}],
            "settings": {"executionTimeoutSeconds": 7}}"#,
    );
    document["nodes"][0]["data"] = value(HARD);
    Definition::from_document(document).expect("a definition")
}

fn workflow(description: Option<&str>) -> Record {
    Record::Workflow(Workflow {
        id: WorkflowId::from_uuid(id(1)),
        name: "a\0 b".to_owned(),
        description: description.map(str::to_owned),
        status: Lifecycle::Active,
        revision: 9_007_199_254_740_993,
        version: 3,
        definition: definition(),
        metadata: object(HARD),
        created_at: moment(0),
        updated_at: Timestamp::from_micros(i64::MIN),
    })
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 a=1,b=x y";

fn execution(journal: Vec<Event>, stage: Stage) -> Record {
    let execution = Execution {
        id: ExecutionId::from_uuid(id(7)),
        workflow_id: WorkflowId::from_uuid(id(1)),
        version: u32::MAX,
        start_node: String::new(),
        // Neither sorted nor compact, and with escapes that could be written otherwise.
        input: Bytes::from_static(br#"{"b": 1.50, "a": "\u0041\u0000"}"#),
        total_steps: 2,
        accepted_at: moment(1),
        retry_of: matches!(stage, Stage::Ended { .. }).then(|| ExecutionId::from_uuid(id(8))),
        trace: matches!(stage, Stage::Ended { .. })
            .then(|| TraceContext::from_stored(TRACE).expect("a trace")),
    };
    let entry = |event| Entry { fence: Fence(3), at: moment(2), event };
    Record::Execution(ArchivedExecution {
        execution: Arc::new(execution),
        journal: journal.into_iter().map(entry).collect(),
        stage,
    })
}

fn events() -> Vec<Event> {
    let node = || "n\0".to_owned();
    let message = || "m\0\n".to_owned();
    let run = StepRun { attempt: 5, started_at: moment(3), duration: Duration::from_micros(1) };
    let completed = |output| Event::Completed { node: node(), run, output: Arc::new(output) };
    vec![
        Event::Adopted,
        Event::Started { node: node(), attempt: 1 },
        Event::Interrupted { node: node() },
        Event::RetryAt { node: node(), attempt: 2, due: moment(4), message: message() },
        completed(value(HARD)),
        completed(Value::Null),
        Event::Failed {
            node: node(),
            run,
            failure: Failure::new(FailureCode::Uncertain, message()),
        },
    ]
}

fn api_key() -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_uuid(id(3)),
        name: "k\0".to_owned(),
        scopes: Scopes::ALL,
        digest: KeyDigest::from_bytes([0xA7; 32]),
        previous: None,
        revision: 1,
        created_at: moment(0),
        updated_at: moment(0),
        rotated_at: None,
        expires_at: None,
        revoked_at: None,
    }
}

/// One of every shape that there is.
fn records() -> Vec<Record> {
    let ended = |outcome| Stage::Ended { outcome: Arc::new(outcome), at: moment(9) };
    let failure = Failure::new(FailureCode::TimedOut, "");
    let unfinished = |fence| Stage::Unfinished { fence, due: moment(8) };
    let config = ProviderConfig {
        id: ProviderConfigId::from_uuid(id(2)),
        name: "c".to_owned(),
        description: Some(String::new()),
        provider_id: "http".to_owned(),
        config: object(HARD),
        status: ConfigStatus::Disabled,
        metadata: Map::new(),
        revision: 1,
        created_at: moment(0),
        updated_at: moment(0),
    };
    vec![
        workflow(None),
        workflow(Some("")),
        Record::Version(FrozenVersion {
            workflow_id: WorkflowId::from_uuid(id(1)),
            version: 3,
            frozen_at: moment(5),
            definition: definition(),
        }),
        Record::Route(Route {
            key: NewRoute {
                method: "POST".to_owned(),
                path: WebhookPath::registered("//a//ü"),
                node_id: "a\0".to_owned(),
            },
            workflow_id: WorkflowId::from_uuid(id(1)),
            version: 3,
        }),
        Record::ProviderConfig(config),
        Record::ApiKey(api_key()),
        Record::ApiKey(ApiKey {
            previous: Some(PreviousKey {
                digest: KeyDigest::from_bytes([0xA8; 32]),
                until: moment(3),
            }),
            rotated_at: Some(moment(1)),
            expires_at: Some(moment(4)),
            revoked_at: Some(moment(2)),
            ..api_key()
        }),
        Record::SharedValue(SharedValue { name: "n".to_owned(), value: vec![0xFF, 0, 0xC0] }),
        execution(events(), unfinished(Fence(3))),
        execution(Vec::new(), unfinished(Fence::NONE)),
        execution(events(), ended(Outcome::Completed { output: object(HARD) })),
        execution(Vec::new(), ended(Outcome::Failed(failure))),
        execution(Vec::new(), ended(Outcome::Cancelled)),
        Record::Key(ArchivedKey {
            workflow_id: WorkflowId::from_uuid(id(1)),
            key: IdempotencyKey::from_stored(r#"a "b" ~"#.to_owned()),
            fingerprint: Fingerprint::from_bytes([0xA7; 32]),
            execution_id: ExecutionId::from_uuid(id(7)),
            expires_at: moment(10),
        }),
        audit_entry(),
    ]
}

fn audit_entry() -> Record {
    let event = AuditEvent {
        id: AuditEventId::from_uuid(id(11)),
        kind: EventType::ExecutionFailed,
        resource_id: "a\0|\\".to_owned(),
        actor: Actor {
            kind: ActorKind::User,
            id: String::new(),
            ip: [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(),
        },
        context: object(HARD),
        metadata: object(HARD),
    };
    let (previous, hash) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    Record::AuditEntry(AuditEntry {
        sequence: 9_007_199_254_740_993,
        at: moment(11),
        event,
        previous: Some(previous),
        hash,
    })
}

fn file(records: &[Record]) -> Vec<Vec<u8>> {
    let (mut lines, head) = Lines::begin(moment(0), "0.1.0");
    let mut file = vec![head];
    file.extend(records.iter().map(|record| lines.record(record)));
    file.push(lines.end());
    file
}

fn read(file: &[Vec<u8>]) -> Result<(Vec<Record>, Digest, Tally), FileError> {
    let mut reader = Reader::new();
    let mut records = Vec::new();
    for line in file {
        records.extend(reader.line(line)?);
    }
    let (digest, tally) = reader.end()?;
    Ok((records, digest, tally))
}

#[test]
fn every_record_comes_back_exactly() {
    let expected = records();
    let file = file(&expected);
    for line in &file {
        let end = line.iter().position(|byte| *byte == b'\n');
        assert_eq!(end, Some(line.len() - 1), "a record is one line");
    }
    let (records, _, tally) = read(&file).expect("whole");
    assert_eq!(records, expected);
    let mut again = Tally::new();
    for record in &records {
        again.add(record);
    }
    assert_eq!(again, tally);
    let counts: Vec<_> = Kind::ALL.into_iter().map(|kind| tally.count(kind)).collect();
    assert_eq!(counts, [2, 1, 1, 1, 2, 1, 5, 1, 1]);
}

#[test]
fn a_line_looks_like_this() {
    let file = file(&[records().remove(7)]);
    let text = String::from_utf8(file.concat()).expect("text");
    let (before_digest, _) = text.split_once("\"sha256\":\"").expect("a digest");
    assert_eq!(
        before_digest,
        r#"{"exportedAt":1767225600123457,"flowker":"export","format":1,"release":"0.1.0"}
{"sharedValue":{"name":"n","value":"/wDA"}}
{"end":{"counts":{"apiKey":0,"auditEntry":0,"execution":0,"key":0,"providerConfiguration":0,"route":0,"sharedValue":1,"version":0,"workflow":0},"#
    );
}

#[test]
fn a_file_that_is_not_whole_is_refused() {
    let whole = file(&records());
    let n_lines = whole.len();
    for n_kept in 1..n_lines {
        let lines = u64::try_from(n_kept).expect("few");
        assert_eq!(read(&whole[..n_kept]).err(), Some(FileError::CutShort { lines }));
        let mut cut = whole[..=n_kept].to_vec();
        cut[n_kept].pop();
        assert_eq!(read(&cut).err(), Some(FileError::CutShort { lines }));
    }
    assert_eq!(read(&[]).err(), Some(FileError::NotAnExport));
    let mut longer = whole.clone();
    longer.push(b"\n".to_vec());
    let line = u64::try_from(longer.len()).expect("few");
    assert_eq!(read(&longer).err(), Some(FileError::BehindTheEnd { line }));
}

#[test]
fn a_file_that_was_changed_is_refused() {
    let whole = file(&records());
    for (idx, line) in whole.iter().enumerate().take(whole.len() - 1) {
        let mut changed = whole.clone();
        changed[idx] = [line.strip_suffix(b"\n").expect("a line"), b" \n"].concat();
        assert_eq!(read(&changed).err(), Some(FileError::Changed), "line {idx}");
        if idx != 0 {
            changed.remove(idx);
            assert_eq!(read(&changed).err(), Some(FileError::Changed), "line {idx}");
        }
    }
}

#[test]
fn another_head_is_refused() {
    for (head, expected) in [
        ("", "it is not an export: the first line does not say so"),
        ("{}\n", "it is not an export: the first line does not say so"),
        ("{\"flowker\":\"export\"}\n", "it is not an export: the first line does not say so"),
        (
            "{\"flowker\":\"export\",\"format\":2,\"release\":\"9.0\"}\n",
            "its format is 2, and this release reads 1 only: it was made by Flowker 9.0",
        ),
    ] {
        let error = Reader::new().line(head.as_bytes()).expect_err(head);
        assert_eq!(error.to_string(), expected);
    }
}

/// Changes the second line of a file, which holds `record`, and expects this error.
fn refuse(record: &Record, from: &str, to: &str, expected: &str) {
    let file = file(std::slice::from_ref(record));
    let text = String::from_utf8(file[1].clone()).expect("text");
    assert!(text.contains(from), "{from} is not in {text}");
    let changed = [file[0].clone(), text.replacen(from, to, 1).into_bytes()];
    let error = read(&changed).expect_err(to);
    assert_eq!(error.to_string(), expected, "{from} → {to}");
}

#[test]
fn what_is_wrong_is_named_by_line_and_member() {
    let records = records();
    let [workflow, version, route, api_key, execution, ended, key, entry] =
        [0, 2, 3, 6, 8, 11, 13, 14].map(|idx| &records[idx]);
    for (record, from, to, expected) in [
        (workflow, "{\"workflow\"", "{\"flow\"", "line 2: is no record of a known kind"),
        (workflow, "\"name\"", "\"nam\"", "line 2: workflow.name: is missing"),
        (
            workflow,
            "\"active\"",
            "\"on\"",
            "line 2: workflow.status: must be another word than \"on\"",
        ),
        (version, "\"version\":3", "\"version\":-3", "line 2: version.version: must not be -3"),
        (
            version,
            "\"type\":\"trigger\"",
            "\"type\":7",
            "line 2: version.definition.nodes[0].type: must be a string, not a number",
        ),
        (
            route,
            "0001\"",
            "000\"",
            "line 2: route.workflowId: must be a UUID, not \"00000000-0000-0000-0000-00000000000\"",
        ),
        (
            api_key,
            "\"trigger ",
            "\"admin ",
            "line 2: apiKey.scopes: must be another word than \"admin read manage\"",
        ),
        (api_key, "qKioqK", "qK", "line 2: apiKey.previous.digest: must be 32 bytes"),
        (
            execution,
            "\"event\":\"started\"",
            "\"event\":\"begun\"",
            "line 2: execution.journal[1].event: must be another word than \"begun\"",
        ),
        (
            execution,
            "\"attempt\":5",
            "\"attempt\":\"5\"",
            "line 2: execution.journal[4].attempt: must be an integer, not a string",
        ),
        (execution, "\"unfinished\"", "\"un\"", "line 2: execution.ended: is missing"),
        (
            ended,
            "\"timed_out\"",
            "\"late\"",
            "line 2: execution.ended.failureCode: must be another word than \"late\"",
        ),
        (
            ended,
            "\"status\":\"failed\"",
            "\"status\":\"running\"",
            "line 2: execution.ended.status: must be the status of an end",
        ),
        (key, "~\"", "é\"", "line 2: key.key: must be 1 to 255 printable ASCII characters"),
        (key, "p6enp6", "p6", "line 2: key.fingerprint: must be 32 bytes"),
        (key, "p6enp6", "p6en?", "line 2: key.fingerprint: must be base64"),
        (
            entry,
            "\"actorIp\":\"2001",
            "\"actorIp\":\"x2001",
            "line 2: auditEntry.event: must be an event as it was written",
        ),
        (
            entry,
            "\"previousHash\":\"01",
            "\"previousHash\":\"01x",
            &format!(
                "line 2: auditEntry.previousHash: must be another word than \"01x{}\"",
                "01".repeat(31)
            ),
        ),
    ] {
        refuse(record, from, to, expected);
    }
}

#[test]
fn what_is_no_json_is_named_by_line_and_column() {
    refuse(
        &records()[7],
        "\"name\"",
        "name",
        "line 2 is not JSON: sharedValue: null expected (column 17)",
    );
}

#[test]
fn records_stand_in_the_order_of_their_kinds() {
    let mut expected = records();
    expected.sort_by_key(Record::place);
    let kinds: Vec<_> = expected.iter().map(Record::kind).collect();
    assert!(kinds.is_sorted(), "{kinds:?}");
    assert_eq!(expected.iter().map(|it| it.place().kind()).collect::<Vec<_>>(), kinds);
    let shown: Vec<_> = expected.iter().map(|it| it.place().to_string()).collect();
    let workflow = "workflow 00000000-0000-0000-0000-000000000001";
    assert_eq!(shown[0], workflow);
    assert_eq!(shown[2], format!("version 3 of {workflow}"));
    assert_eq!(shown[3], "route POST /a//ü");
    assert_eq!(shown[13], format!("key a \"b\" ~ of {workflow}"));
    assert_eq!(shown[14], "auditEntry 9007199254740993");
}

#[test]
fn a_mark_says_what_an_import_may_do() {
    let (this, other) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
    let mark = |is_finished| Some(ImportMark { digest: this, is_finished });
    for (mark, is_empty, contents, begun, begun_by_other) in [
        (None, true, Contents::Nothing, ImportBegun::Now, ImportBegun::Now),
        (None, false, Contents::Records, ImportBegun::NotEmpty, ImportBegun::NotEmpty),
        (mark(false), true, Contents::Part(this), ImportBegun::Before, ImportBegun::NotEmpty),
        (mark(false), false, Contents::Part(this), ImportBegun::Before, ImportBegun::NotEmpty),
        (mark(true), false, Contents::Records, ImportBegun::Finished, ImportBegun::NotEmpty),
    ] {
        let stored = mark.map(|mark| ImportMark::from_bytes(&mark.to_bytes()).expect("a mark"));
        assert_eq!(stored, mark);
        assert_eq!(ImportMark::contents(mark, is_empty), contents);
        assert_eq!(ImportMark::begin(mark, is_empty, this), begun);
        assert_eq!(ImportMark::begin(mark, is_empty, other), begun_by_other);
    }
    for bytes in [&[][..], &[0], &[2; 33], &[0; 34]] {
        assert_eq!(ImportMark::from_bytes(bytes), None);
    }
}

#[test]
fn a_digest_is_read_as_it_is_shown() {
    let digest =
        Digest::from_bytes(std::array::from_fn(|idx| u8::try_from(idx).expect("small") * 8));
    assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
    for text in ["", "00", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"+0".repeat(32)] {
        assert_eq!(Digest::parse(text), None, "{text}");
    }
}
