//! The words of the audit log: what can happen, to what, and how it went.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$meaning:meta])* $variant:ident $word:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$meaning])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that travels and is stored.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word. `None` for any other.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text)
            }
        }
    };
}

words! {
    /// What was done.
    Action {
        /// Something was made.
        Create "CREATE";
        /// Something was changed.
        Update "UPDATE";
        /// Something was copied.
        Clone "CLONE";
        /// A workflow went into service.
        Activate "ACTIVATE";
        /// A workflow was taken out of service.
        Deactivate "DEACTIVATE";
        /// A workflow became a draft again.
        Draft "DRAFT";
        /// Something was removed.
        Delete "DELETE";
        /// An execution began or ended by itself.
        Execute "EXECUTE";
        /// An execution was ended on request.
        Cancel "CANCEL";
        /// Something may be used again.
        Enable "ENABLE";
        /// Something may not be used for now.
        Disable "DISABLE";
        /// A secret was replaced.
        Rotate "ROTATE";
        /// A secret became worthless.
        Revoke "REVOKE";
        /// Somebody asked to be let in.
        Access "ACCESS";
    }
}

words! {
    /// How it went.
    AuditResult {
        /// It was done.
        Success "SUCCESS";
        /// It failed, or was denied.
        Failed "FAILED";
    }
}

words! {
    /// To what it was done.
    ResourceType {
        /// A workflow.
        Workflow "workflow";
        /// An execution.
        Execution "execution";
        /// A provider configuration.
        ProviderConfig "provider_config";
        /// An executor configuration.
        ExecutorConfig "executor_config";
        /// An API key.
        ApiKey "api_key";
        /// A route of the HTTP API.
        Route "route";
    }
}

macro_rules! events {
    ($($name:ident $word:literal $action:ident $result:ident $resource:ident;)+) => {
        /// What happened. Decides action, result and kind of resource.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(missing_docs)] // Each is named after the word that the contract has for it.
        pub enum EventType {
            $($name,)+
        }

        impl EventType {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The word that travels and is stored.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),+ }
            }

            /// Reads the word. `None` for any other.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|it| it.as_str() == text)
            }

            /// What was done.
            pub const fn action(self) -> Action {
                match self { $(Self::$name => Action::$action),+ }
            }

            /// How it went.
            pub const fn result(self) -> AuditResult {
                match self { $(Self::$name => AuditResult::$result),+ }
            }

            /// To what it was done.
            pub const fn resource_type(self) -> ResourceType {
                match self { $(Self::$name => ResourceType::$resource),+ }
            }
        }
    };
}

events! {
    WorkflowCreated "WORKFLOW_CREATED" Create Success Workflow;
    WorkflowCloned "WORKFLOW_CLONED" Clone Success Workflow;
    WorkflowUpdated "WORKFLOW_UPDATED" Update Success Workflow;
    WorkflowActivated "WORKFLOW_ACTIVATED" Activate Success Workflow;
    WorkflowDeactivated "WORKFLOW_DEACTIVATED" Deactivate Success Workflow;
    WorkflowDrafted "WORKFLOW_DRAFTED" Draft Success Workflow;
    WorkflowDeleted "WORKFLOW_DELETED" Delete Success Workflow;
    ExecutionStarted "EXECUTION_STARTED" Execute Success Execution;
    ExecutionCompleted "EXECUTION_COMPLETED" Execute Success Execution;
    ExecutionFailed "EXECUTION_FAILED" Execute Failed Execution;
    ExecutionCancelled "EXECUTION_CANCELLED" Cancel Success Execution;
    ProviderConfigCreated "PROVIDER_CONFIG_CREATED" Create Success ProviderConfig;
    ProviderConfigUpdated "PROVIDER_CONFIG_UPDATED" Update Success ProviderConfig;
    ProviderConfigEnabled "PROVIDER_CONFIG_ENABLED" Enable Success ProviderConfig;
    ProviderConfigDisabled "PROVIDER_CONFIG_DISABLED" Disable Success ProviderConfig;
    ProviderConfigDeleted "PROVIDER_CONFIG_DELETED" Delete Success ProviderConfig;
    ExecutorConfigCreated "EXECUTOR_CONFIG_CREATED" Create Success ExecutorConfig;
    ExecutorConfigUpdated "EXECUTOR_CONFIG_UPDATED" Update Success ExecutorConfig;
    ExecutorConfigActivated "EXECUTOR_CONFIG_ACTIVATED" Activate Success ExecutorConfig;
    ExecutorConfigEnabled "EXECUTOR_CONFIG_ENABLED" Enable Success ExecutorConfig;
    ExecutorConfigDisabled "EXECUTOR_CONFIG_DISABLED" Disable Success ExecutorConfig;
    ExecutorConfigDeleted "EXECUTOR_CONFIG_DELETED" Delete Success ExecutorConfig;
    ApiKeyCreated "API_KEY_CREATED" Create Success ApiKey;
    ApiKeyRotated "API_KEY_ROTATED" Rotate Success ApiKey;
    ApiKeyRevoked "API_KEY_REVOKED" Revoke Success ApiKey;
    AccessDenied "ACCESS_DENIED" Access Failed Route;
}

/// Which kinds of events are meant. Empty members mean any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindFilter {
    /// What happened.
    pub event_type: Option<EventType>,
    /// What was done.
    pub action: Option<Action>,
    /// How it went.
    pub result: Option<AuditResult>,
    /// To what it was done.
    pub resource_type: Option<ResourceType>,
}

impl KindFilter {
    /// The kinds that are meant; `None`: all of them.
    pub fn types(self) -> Option<Vec<EventType>> {
        if self == Self::default() {
            return None;
        }
        let is_meant = |it: &EventType| {
            self.event_type.is_none_or(|only| only == *it)
                && self.action.is_none_or(|only| only == it.action())
                && self.result.is_none_or(|only| only == it.result())
                && self.resource_type.is_none_or(|only| only == it.resource_type())
        };
        Some(EventType::ALL.iter().copied().filter(is_meant).collect())
    }
}
