//! A store that fails on demand.

mod ports;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flowker_core::ports::StoreError;

use crate::gate::Gate;
use crate::subject::Stores;

/// A method of a store port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is named after its method")]
pub enum Method {
    Accept,
    Append,
    Adopt,
    Release,
    KeepAlive,
    Owned,
    Backlog,
    Load,
    Cancel,
    GetExecution,
    Execution,
    Journal,
    ListExecutions,
    FindKey,
    PurgeExpired,
    CreateWorkflow,
    GetWorkflow,
    ListWorkflows,
    UpdateWorkflow,
    Activate,
    Transition,
    DeleteWorkflow,
    Version,
    Routes,
    Route,
    RoutesRevision,
    CreateConfig,
    GetConfig,
    ListConfigs,
    UpdateConfig,
    UpdateUnusedConfig,
    DeleteUnusedConfig,
    DeleteConfig,
    CreateApiKey,
    GetApiKey,
    ListApiKeys,
    UpdateApiKey,
    UnrevokedApiKeys,
    ApiKeysRevision,
    KeepShared,
    ReadShared,
    AppendAudit,
    SealAudit,
    GetAudit,
    SearchAudit,
    AuditSequence,
    AuditChain,
    WorkflowsByStatus,
    CountExecutions,
    Series,
}

/// Which calls of a method a fault meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The next one.
    Next,
    /// This one only, counted from 1 since the store was made.
    Call(u64),
    /// This one, counted from 1, and all that follow.
    From(u64),
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Not applied, and answered with [`StoreError::Unavailable`].
    Unavailable,
    /// Not applied, and answered with [`StoreError::Full`].
    Full,
    /// Not applied, and answered with [`StoreError::Superseded`].
    Superseded,
    /// Not applied, and answered with [`StoreError::Unknown`].
    CallLost,
    /// Applied, and answered with [`StoreError::Unknown`].
    AnswerLost,
    /// Held at the gate, then applied.
    HeldBefore(Gate),
    /// Applied, then held at the gate.
    HeldAfter(Gate),
}

/// The source of every error that was injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a test injected this fault")]
pub struct InjectedFault;

/// Passes every call on to other stores, but for the faults of its script, and counts them.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Stores,
    script: Mutex<Script>,
}

#[derive(Debug, Default)]
struct Script {
    rules: Vec<(Method, Calls, Fault)>,
    counts: HashMap<Method, u64>,
}

#[derive(Clone, Copy, Debug)]
struct Calls {
    first: u64,
    last: u64,
}

impl Script {
    fn count(&self, method: Method) -> u64 {
        self.counts.get(&method).copied().unwrap_or(0)
    }
}

impl FaultyStore {
    /// Passes everything on to `inner`.
    pub fn new(inner: Stores) -> Arc<Self> {
        Arc::new(Self { inner, script: Mutex::default() })
    }

    /// Adds a fault. Of several for one call, the one that was added first counts.
    pub fn inject(&self, method: Method, when: When, fault: Fault) {
        let mut script = self.lock();
        let (first, last) = match when {
            When::Next => (script.count(method) + 1, script.count(method) + 1),
            When::Call(nth) => (nth, nth),
            When::From(nth) => (nth, u64::MAX),
        };
        script.rules.push((method, Calls { first, last }, fault));
    }

    /// Holds the next call of a method before it is applied, until the answered gate is opened.
    pub fn hold_next(&self, method: Method) -> Gate {
        let gate = Gate::new();
        self.inject(method, When::Next, Fault::HeldBefore(gate.clone()));
        gate
    }

    /// Removes all faults. Calls that are held stay held.
    pub fn heal(&self) {
        self.lock().rules.clear();
    }

    /// How often a method was called, faults included.
    pub fn n_calls(&self, method: Method) -> u64 {
        self.lock().count(method)
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fault(&self, method: Method) -> Option<Fault> {
        let mut script = self.lock();
        let nth = script.count(method) + 1;
        script.counts.insert(method, nth);
        let meets = |calls: &Calls| calls.first <= nth && nth <= calls.last;
        let mut rules = script.rules.iter();
        rules
            .find(|(on, calls, _)| *on == method && meets(calls))
            .map(|(_, _, fault)| fault.clone())
    }

    async fn pass_on<T>(
        &self,
        method: Method,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        match self.next_fault(method) {
            None => call.await,
            Some(Fault::Unavailable) => Err(StoreError::unavailable(InjectedFault)),
            Some(Fault::Full) => Err(StoreError::Full),
            Some(Fault::Superseded) => Err(StoreError::Superseded),
            Some(Fault::CallLost) => Err(StoreError::unknown(InjectedFault)),
            Some(Fault::AnswerLost) => {
                call.await?;
                Err(StoreError::unknown(InjectedFault))
            }
            Some(Fault::HeldBefore(gate)) => {
                gate.pass().await;
                call.await
            }
            Some(Fault::HeldAfter(gate)) => {
                let answer = call.await;
                gate.pass().await;
                answer
            }
        }
    }
}
