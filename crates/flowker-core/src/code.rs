//! Every code that a client can meet, in one table.

use std::fmt;

macro_rules! codes {
    ($($name:ident $text:literal $meaning:literal;)+) => {
        /// What went wrong, as clients, alerts and dashboards match on it. Never changes its text.
        ///
        /// `docs/reference/errors.md` has an entry for each, and a test compares the two.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $name,)+
        }

        impl Code {
            /// All of them, in the order of their text.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The text that travels in an error body.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            /// What it means, in a few words.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),+ }
            }
        }
    };
}

codes! {
    BodyUnreadable "FLK-0001" "The body is missing, not JSON, or has a member of the wrong type.";
    IdMalformed "FLK-0002" "An id in the path or the query is not a UUID.";
    WorkflowNotFound "FLK-0100" "There is no such workflow.";
    WorkflowNameTaken "FLK-0101" "Another workflow has this name.";
    TransitionNotAllowed "FLK-0102" "The workflow's status does not allow this transition.";
    WorkflowNotEditable "FLK-0103" "Only a draft can be changed, and an active workflow cannot be deleted.";
    ExecutorUnknown "FLK-0104" "A node names an executor that the catalog lacks.";
    ConditionInvalid "FLK-0105" "A condition of a node or an edge does not parse.";
    WorkflowNameEmpty "FLK-0110" "The workflow's name is empty.";
    WorkflowNameTooLong "FLK-0111" "The workflow's name is longer than 100 bytes.";
    NodesMissing "FLK-0112" "The workflow has no nodes.";
    NodesTooMany "FLK-0113" "The workflow has more than 100 nodes.";
    EdgesTooMany "FLK-0114" "The workflow has more than 200 edges.";
    EdgeDangling "FLK-0115" "An edge names a node that does not exist.";
    TriggerMissing "FLK-0116" "The workflow has no trigger node.";
    GraphCyclic "FLK-0117" "Nodes wait for each other in a circle.";
    IdDuplicate "FLK-0118" "Two nodes or two edges have the same id.";
    NodeInvalid "FLK-0119" "A node has an unknown type or a reserved id.";
    InputMappingInvalid "FLK-0140" "An input mapping cannot be turned into a valid transform.";
    OutputMappingInvalid "FLK-0141" "An output mapping cannot be turned into a valid transform.";
    TransformsInvalid "FLK-0142" "A list of transforms is not valid.";
    ProviderConfigUnusable "FLK-0150" "A node's provider configuration is missing, unknown or not active.";
    ProviderMismatch "FLK-0151" "A node's provider configuration belongs to another provider than its executor.";
    ExecutorNotFound "FLK-0200" "The catalog has no such executor.";
    ConfigRefusedByExecutor "FLK-0201" "The config is refused by the executor's schema.";
    TriggerNotFound "FLK-0210" "The catalog has no such trigger.";
    TriggerInvalid "FLK-0211" "The data of a trigger node is not valid.";
    ProviderNotFound "FLK-0230" "The catalog has no such provider.";
    TemplateNotFound "FLK-0240" "The catalog has no such template.";
    TemplateParamsInvalid "FLK-0242" "The parameters are refused by the template's schema.";
    ProviderConfigNotFound "FLK-0290" "There is no such provider configuration.";
    ProviderConfigNameTaken "FLK-0291" "Another provider configuration has this name.";
    ProviderConfigStatus "FLK-0292" "The provider configuration is already enabled or disabled.";
    ProviderConfigInvalid "FLK-0293" "The config is refused by the provider's schema.";
    ProviderUnknown "FLK-0294" "The catalog lacks the provider that a configuration names.";
    ProviderConfigNameEmpty "FLK-0295" "The provider configuration's name is empty.";
    ProviderConfigNameTooLong "FLK-0296" "The provider configuration's name is longer than 100 bytes.";
    ProviderConfigEmpty "FLK-0298" "The config is empty.";
    ProviderConfigDescriptionTooLong "FLK-0299" "The description is longer than 500 bytes.";
    DashboardFilterInvalid "FLK-0302" "A filter of a dashboard is not valid, or asks for too much.";
    QueryInvalid "FLK-0304" "A query parameter is not valid.";
    DateInvalid "FLK-0305" "A date is not RFC 3339.";
    DateRangeInvalid "FLK-0308" "A range of dates ends before it begins.";
    PageSizeInvalid "FLK-0309" "The page size is outside 1 to 100.";
    SortOrderInvalid "FLK-0310" "The sort order is neither ASC nor DESC.";
    BaseUrlUnusable "FLK-0340" "The provider configuration has no usable base URL.";
    DestinationForbidden "FLK-0341" "The base URL leads to a forbidden destination, or its host cannot be resolved.";
    Conflict "FLK-0350" "The resource changed between the read and the write.";
    ProviderConfigInUse "FLK-0351" "Active workflows use the provider configuration.";
    RouteTaken "FLK-0360" "Another active workflow has this webhook's method and path.";
    RouteNotFound "FLK-0361" "No active workflow has a webhook with this method and path.";
    WebhookTokenWrong "FLK-0362" "The webhook token is missing, repeated or wrong.";
    WebhookBodyTooLarge "FLK-0363" "The webhook's body is larger than 1 MiB.";
    SignatureWrong "FLK-0364" "The webhook's signature is missing or wrong.";
    RateLimited "FLK-0365" "The route's rate limit is reached.";
    PayloadRefused "FLK-0366" "The payload is refused by the trigger's schema.";
    ExecutionNotFound "FLK-0500" "There is no such execution.";
    WorkflowNotActive "FLK-0501" "The workflow is not active.";
    ExecutionNotFinished "FLK-0502" "Results were asked for before the end.";
    ExecuteBodyTooLarge "FLK-0506" "The body of an execution request is larger than 1 MiB.";
    IdempotencyKeyMissing "FLK-0509" "The Idempotency-Key header is missing or blank.";
    IdempotencyKeyReused "FLK-0510" "The idempotency key was used with another request.";
    IdempotencyKeyMalformed "FLK-0511" "The Idempotency-Key header is malformed or repeated.";
    ExecutionState "FLK-0520" "The execution is already terminal, or not yet terminal.";
    AuditEntryNotFound "FLK-0600" "There is no such entry in the audit log.";
    AuditCursorInvalid "FLK-0610" "The cursor of the audit log cannot be used.";
    ApiKeyNotFound "FLK-0700" "There is no such API key.";
    ApiKeyNameTaken "FLK-0701" "Another API key has or had this name.";
    ApiKeyOver "FLK-0702" "The API key is revoked or has expired.";
    ApiKeyInvalid "FLK-0703" "A member of the API key is not valid.";
    ApiKeysTooMany "FLK-0704" "There are 1,000 API keys already.";
    FaultTimeout "FLK-0800" "A timeout that the request asked for.";
    FaultUnavailable "FLK-0801" "An outage that the request asked for.";
    Overloaded "FLK-0900" "The service is overloaded or stopping.";
    StoreUnavailable "FLK-0901" "The store is unavailable, or its answer was lost.";
    BodyTooSlow "FLK-0902" "The body did not arrive in time.";
    MediaUnsupported "FLK-0903" "The content coding or media type is not accepted.";
    IssuerUnavailable "FLK-0904" "The issuer of tokens cannot be asked for its keys.";
    Internal "FLK-9999" "An unexpected failure of the service.";
    Forbidden "FORBIDDEN" "The caller may not do this.";
    CursorInvalid "INVALID_CURSOR" "The cursor cannot be used.";
    Unauthorized "UNAUTHORIZED" "The credentials are missing or wrong.";
    ExecutorConfigInvalid "WORKFLOW_INVALID_EXECUTOR_CONFIG" "An executor node lacks its executor, or its data is refused by the executor's schema.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_has_no_text_twice() {
        assert!(Code::ALL.is_sorted_by(|left, right| left.as_str() < right.as_str()));
    }
}
