//! The archive of a store in memory.

use async_trait::async_trait;
use flowker_core::archive::{
    ArchivedKey, Contents, Digest, ImportBegun, ImportMark, Place, Record, SharedValue,
};
use flowker_core::ports::{Archive, StoreError};
use flowker_core::time::Timestamp;
use flowker_core::workflow::Lifecycle;

use super::{MemoryStore, State, executions, keys};

/// Something else is at the place of a record, or has its name.
#[derive(Debug, thiserror::Error)]
#[error("something else is there")]
struct Taken;

impl State {
    /// Everything, in order.
    fn records(&self, now: Timestamp) -> Vec<Record> {
        let mut records = Vec::new();
        records.extend(self.workflows.values().cloned().map(Record::Workflow));
        records.extend(self.versions.values().cloned().map(Record::Version));
        records.extend(self.routes.values().cloned().map(Record::Route));
        records.extend(self.configs.values().cloned().map(Record::ProviderConfig));
        records.extend(self.api_keys.values().cloned().map(Record::ApiKey));
        records.extend(self.shared.iter().filter(|(name, _)| *name != ImportMark::NAME).map(
            |(name, value)| {
                Record::SharedValue(SharedValue { name: name.clone(), value: value.clone() })
            },
        ));
        records.extend(self.executions.values().map(|row| Record::Execution(row.archived(now))));
        records.extend(self.keys.iter().map(|((workflow_id, key), row)| {
            Record::Key(ArchivedKey {
                workflow_id: *workflow_id,
                key: key.clone(),
                fingerprint: row.fingerprint,
                execution_id: row.execution,
                expires_at: row.expires_at,
            })
        }));
        records.extend(self.audit.entries.iter().cloned().map(Record::AuditEntry));
        records
    }

    fn is_empty(&self, now: Timestamp) -> bool {
        self.records(now).is_empty() && self.audit.is_empty()
    }

    fn mark(&self) -> Option<ImportMark> {
        ImportMark::from_bytes(self.shared.get(ImportMark::NAME)?)
    }

    fn set_mark(&mut self, mark: ImportMark) {
        self.shared.insert(ImportMark::NAME.to_owned(), mark.to_bytes());
    }

    fn put(&mut self, record: Record) {
        match record {
            Record::Workflow(it) => {
                if it.status == Lifecycle::Active {
                    let configs = it.definition.provider_configs().into_iter();
                    self.config_uses.extend(configs.map(|config| (config, it.id)));
                }
                self.workflows.insert(it.id, it);
            }
            Record::Version(it) => {
                self.versions.insert((it.workflow_id, it.version), it);
            }
            Record::Route(it) => {
                self.routes_revision += 1;
                self.routes.insert((it.key.method.clone(), it.key.path.clone()), it);
            }
            Record::ProviderConfig(it) => {
                self.configs.insert(it.id, it);
            }
            Record::ApiKey(it) => self.put_api_key(it),
            Record::SharedValue(it) => {
                self.shared.insert(it.name, it.value);
            }
            Record::Execution(it) => {
                self.executions.insert(it.execution.id, executions::Row::of(it));
            }
            Record::Key(it) => {
                let row = keys::Row {
                    fingerprint: it.fingerprint,
                    execution: it.execution_id,
                    expires_at: it.expires_at,
                };
                self.keys.insert((it.workflow_id, it.key), row);
            }
            Record::AuditEntry(it) => self.audit.entries.push(it),
        }
    }
}

/// Whether two different records cannot be in one store.
fn exclude_each_other(left: &Record, right: &Record) -> bool {
    match (left, right) {
        (Record::Workflow(left), Record::Workflow(right)) => {
            left.id == right.id || left.name == right.name
        }
        (Record::ProviderConfig(left), Record::ProviderConfig(right)) => {
            left.id == right.id || left.name == right.name
        }
        (Record::ApiKey(left), Record::ApiKey(right)) => {
            left.id == right.id || left.name == right.name
        }
        _ => left.place() == right.place(),
    }
}

#[async_trait]
impl Archive for MemoryStore {
    async fn contents(&self) -> Result<Contents, StoreError> {
        let state = self.lock();
        Ok(ImportMark::contents(state.mark(), state.is_empty(self.clock.now())))
    }

    async fn read(&self, after: Option<Place>, limit: usize) -> Result<Vec<Record>, StoreError> {
        let records = self.lock().records(self.clock.now()).into_iter();
        let behind = records.filter(|it| after.as_ref().is_none_or(|after| *after < it.place()));
        Ok(behind.take(limit).collect())
    }

    async fn begin_import(&self, digest: Digest) -> Result<ImportBegun, StoreError> {
        let mut state = self.lock();
        let is_empty = state.is_empty(self.clock.now());
        let begun = ImportMark::begin(state.mark(), is_empty, digest);
        if begun == ImportBegun::Now {
            state.set_mark(ImportMark { digest, is_finished: false });
        }
        Ok(begun)
    }

    async fn write(&self, records: Vec<Record>) -> Result<bool, StoreError> {
        let mut state = self.lock();
        if state.mark().is_none_or(|mark| mark.is_finished) {
            return Ok(false);
        }
        let mut there = state.records(self.clock.now());
        let n_before = there.len();
        for record in records {
            if there.contains(&record) {
                continue;
            }
            if there.iter().any(|it| exclude_each_other(it, &record)) {
                return Err(StoreError::corrupt(record.place().to_string(), Taken));
            }
            there.push(record);
        }
        for record in there.split_off(n_before) {
            state.put(record);
        }
        Ok(true)
    }

    async fn finish_import(&self) -> Result<(), StoreError> {
        let mut state = self.lock();
        if let Some(mark) = state.mark() {
            state.set_mark(ImportMark { is_finished: true, ..mark });
        }
        Ok(())
    }
}
