//! What a store costs when it has grown: a server over an empty store and one over a store with many
//! finished executions take turns, on the same machine in the same run.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use flowker_core::archive::{ArchivedExecution, Lines, Reader, Record, Stage};
use flowker_core::execution::{Entry, Event, Execution, Fence, Outcome, StepRun};
use flowker_core::id::{ExecutionId, WorkflowId};
use flowker_core::time::Timestamp;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use uuid::{NoContext, Uuid};

use crate::crash::Store;
use crate::database::Database;
use crate::flow::Flow;
use crate::http::Request;
use crate::server::{Client, Home, Server};
use crate::wait::now;

/// How often each server has its turn; medians count.
const ROUNDS: usize = 7;

/// How many callers send at once, and how many requests each of them sends in a round.
const CALLERS: usize = 16;
const REQUESTS: usize = 60;

/// How many lists of each kind are read in a round.
const LISTS: usize = 40;

/// How long the import may take.
const IMPORT_MAX: Duration = Duration::from_mins(20);

/// How long the grown store has been used, in milliseconds: its executions are spread over it.
const PAST_MILLIS: i64 = 3 * 24 * 60 * 60 * 1000;

/// What two servers were asked, and how much longer the one with the grown store took.
#[derive(Clone, Debug)]
pub struct Report {
    /// How many finished executions the grown store began with.
    pub n_executions: usize,
    /// How long it took to import them.
    pub imported_in: Duration,
    /// What was asked, with the medians of the empty and of the grown store.
    pub rows: Vec<(&'static str, Duration, Duration)>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { n_executions, imported_in, rows } = self;
        writeln!(f, "{n_executions} executions imported in {:.1} s", imported_in.as_secs_f64())?;
        writeln!(f, "{:<44} {:>10} {:>10} {:>6}", "median of rounds", "empty", "grown", "ratio")?;
        for (name, empty, grown) in rows {
            let ratio = grown.as_secs_f64() / empty.as_secs_f64();
            let [empty, grown] = [empty, grown].map(|it| it.as_secs_f64() * 1_000.0);
            writeln!(f, "{name:<44} {empty:>7.2} ms {grown:>7.2} ms {ratio:>6.2}")?;
        }
        Ok(())
    }
}

/// Measures a store with `n_executions` against an empty one.
pub fn run(store: Store, n_executions: usize) -> Report {
    let databases = [place(store), place(store)];
    let [empty, grown] = databases.each_ref().map(|database| home(database.as_ref()));
    let server = empty.start();
    let flow = Flow::at("PUT", "orders/paid").output("o", json!({ "by": "{{ workflow.order }}" }));
    let workflow_id = server.deploy(&flow);
    server.signal(Signal::INT);
    let (_, empty) = server.finish();
    let seed = empty.path().join("seed.ndjson");
    assert_eq!(empty.run(&["export", "seed.ndjson"]).code, Some(0));
    let file = grow(&seed, grown.path(), &workflow_id, n_executions);
    let began = now();
    let imported = grown.run_within(IMPORT_MAX, &["import", &file.display().to_string()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let imported_in = began.elapsed();
    fs::remove_file(file).expect("it was just read");

    let servers = [empty.start(), grown.start()];
    let mut figures = [Figures::default(), Figures::default()];
    // The first round only warms caches.
    for round in 0..=ROUNDS {
        for (server, figures) in servers.iter().zip(&mut figures) {
            let measured = measure(server, &workflow_id, round);
            if 0 < round {
                figures.push(measured);
            }
        }
        println!("growth: round {round} of {ROUNDS}");
    }
    let [empty, grown] = figures.map(Figures::medians);
    let rows = NAMES.into_iter().zip(empty.into_iter().zip(grown));
    let rows = rows.map(|(name, (empty, grown))| (name, empty, grown)).collect();
    Report { n_executions, imported_in, rows }
}

fn place(store: Store) -> Option<Database> {
    match store {
        Store::Sqlite => None,
        Store::Postgres => Some(Database::new()),
    }
}

fn home(database: Option<&Database>) -> Home {
    let home = Home::new().set("LOG_LEVEL", "warn");
    match database {
        None => home,
        Some(database) => home.set("DATABASE_URL", &database.url()),
    }
}

/// Writes an archive like `seed` with `n` more executions, all of them finished.
fn grow(seed: &Path, directory: &Path, workflow_id: &str, n: usize) -> PathBuf {
    let file = directory.join("grown.ndjson");
    let mut out = BufWriter::new(File::create(&file).expect("a file can be made"));
    let millis = now_millis();
    let (mut lines, head) = Lines::begin(Timestamp::from_micros(millis * 1000), "growth");
    out.write_all(&head).expect("there is room");
    let mut reader = Reader::new();
    for line in BufReader::new(File::open(seed).expect("the seed is there")).split(b'\n') {
        let mut line = line.expect("the seed can be read");
        line.push(b'\n');
        if let Some(record) = reader.line(&line).expect("the seed is an archive") {
            out.write_all(&lines.record(&record)).expect("there is room");
        }
    }
    let workflow_id = WorkflowId::parse(workflow_id).expect("the server gave it");
    for k in 0..n {
        let share = i64::try_from(k).expect("few") * PAST_MILLIS / i64::try_from(n).expect("few");
        let record = Record::Execution(finished(workflow_id, millis - PAST_MILLIS + share));
        out.write_all(&lines.record(&record)).expect("there is room");
    }
    out.write_all(&lines.end()).and_then(|()| out.flush()).expect("there is room");
    file
}

/// The present moment in milliseconds since 1970.
fn now_millis() -> i64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().expect("it is after 1970");
    i64::try_from(since.as_millis()).expect("it is long before the end of the range")
}

/// An execution that was accepted at a moment and completed soon after.
fn finished(workflow_id: WorkflowId, millis: i64) -> ArchivedExecution {
    let at = Timestamp::from_micros(millis * 1000);
    let seconds = u64::try_from(millis / 1000).expect("after 1970");
    let nanos = u32::try_from(millis % 1000).expect("below a second") * 1_000_000;
    let id = Uuid::new_v7(uuid::Timestamp::from_unix(NoContext, seconds, nanos));
    let output = json!({ "by": id.to_string() });
    let input = json!({ "order": id.to_string(), "amount": 12.5, "_webhook": { "method": "PUT" } });
    let run = StepRun { attempt: 1, started_at: at, duration: Duration::from_millis(1) };
    let completed =
        Event::Completed { node: "o".to_owned(), run, output: Arc::new(output.clone()) };
    let output = match output {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    ArchivedExecution {
        execution: Arc::new(Execution {
            id: ExecutionId::from_uuid(id),
            workflow_id,
            version: 1,
            start_node: "trigger".to_owned(),
            input: input.to_string().into(),
            total_steps: 1,
            accepted_at: at,
            retry_of: None,
            trace: None,
        }),
        journal: vec![Entry { fence: Fence::FIRST, at, event: completed }],
        stage: Stage::Ended { outcome: Arc::new(Outcome::Completed { output }), at },
    }
}

const NAMES: [&str; 5] = [
    "acceptance with a key, 16 callers",
    "list, first page",
    "list, completed, by completion",
    "list, one workflow, failed",
    "list, one workflow, oldest first",
];

/// The medians of each round, by what was asked.
#[derive(Debug, Default)]
struct Figures(Vec<[Duration; NAMES.len()]>);

impl Figures {
    fn push(&mut self, round: [Duration; NAMES.len()]) {
        self.0.push(round);
    }

    fn medians(self) -> [Duration; NAMES.len()] {
        std::array::from_fn(|idx| median(self.0.iter().map(|round| round[idx]).collect()))
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn measure(server: &Server, workflow_id: &str, round: usize) -> [Duration; NAMES.len()] {
    let page = "/v1/executions?limit=20";
    let by_workflow = format!("{page}&workflowId={workflow_id}");
    [
        accept(server, round),
        list(server, page),
        list(server, &format!("{page}&status=completed&sortBy=completedAt")),
        list(server, &format!("{by_workflow}&status=failed")),
        list(server, &format!("{by_workflow}&sortOrder=ASC")),
    ]
}

fn accept(server: &Server, round: usize) -> Duration {
    let send = |client: Client, caller: usize| {
        let took = (0..REQUESTS).map(|n| {
            let key = format!("{round}-{caller}-{n}");
            let body = json!({ "order": key, "amount": 12.5 });
            let request = Request::put("/v1/webhooks/orders/paid").key(&key).json(&body);
            let began = now();
            let answer = client.send(request).expect("the server answers");
            assert_eq!(answer.status, 201, "{answer:?}");
            began.elapsed()
        });
        took.collect::<Vec<_>>()
    };
    let took = thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let client = server.client();
                scope.spawn(move || send(client, caller))
            })
            .collect();
        callers.into_iter().flat_map(|it| it.join().expect("no caller panics")).collect()
    });
    median(took)
}

fn list(server: &Server, target: &str) -> Duration {
    let took = (0..LISTS).map(|_| {
        let began = now();
        let _ = server.send(Request::get(target)).expect(200);
        began.elapsed()
    });
    median(took.collect())
}
