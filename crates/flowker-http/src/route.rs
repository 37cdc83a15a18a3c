//! The surface: one table of every route.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use http::Method;
use matchit::Router;
use percent_encoding::percent_decode_str;

use crate::error::Transport;

/// What a route does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // Each name says what the route's handler does.
pub enum Endpoint {
    Webhook,
    CreateWorkflow,
    CreateFromTemplate,
    ListWorkflows,
    ShowWorkflow,
    UpdateWorkflow,
    DeleteWorkflow,
    CloneWorkflow,
    ActivateWorkflow,
    DeactivateWorkflow,
    DraftWorkflow,
    Execute,
    ListExecutions,
    ShowExecution,
    ShowResults,
    CancelExecution,
    RetryExecution,
    ListExecutors,
    ShowExecutor,
    ValidateExecutor,
    ListTriggers,
    ShowTrigger,
    ListProviders,
    ShowProvider,
    ListExecutorsOfProvider,
    ListTemplates,
    ShowTemplate,
    ValidateTemplate,
    CreateProviderConfig,
    ListProviderConfigs,
    ShowProviderConfig,
    PatchProviderConfig,
    DeleteProviderConfig,
    DisableProviderConfig,
    EnableProviderConfig,
    CreateApiKey,
    ListApiKeys,
    ShowApiKey,
    RotateApiKey,
    RevokeApiKey,
    TestProviderConfig,
    ListAuditEvents,
    ExportAuditEvents,
    ShowAuditEvent,
    VerifyAuditEvent,
    WorkflowsSummary,
    ExecutionsSummary,
    Timeseries,
    Health,
    Ready,
    Version,
    Metrics,
    Description,
    Explorer,
    ExplorerScript,
    ExplorerStyle,
}

impl Endpoint {
    /// The path of its first row, as metrics and spans name it.
    pub(crate) fn template(self) -> &'static str {
        let row = ROUTES.iter().find(|(_, _, endpoint)| *endpoint == self);
        row.map_or("none", |(_, template, _)| template)
    }

    /// Whether it is there to start an execution.
    pub(crate) const fn starts_execution(self) -> bool {
        matches!(self, Self::Webhook | Self::Execute | Self::RetryExecution)
    }
}

/// Every route: method, path, what it does. `HEAD` is answered wherever `GET` is.
pub static ROUTES: &[(Method, &str, Endpoint)] = &[
    (Method::GET, WEBHOOKS, Endpoint::Webhook),
    (Method::POST, WEBHOOKS, Endpoint::Webhook),
    (Method::PUT, WEBHOOKS, Endpoint::Webhook),
    (Method::PATCH, WEBHOOKS, Endpoint::Webhook),
    (Method::DELETE, WEBHOOKS, Endpoint::Webhook),
    (Method::POST, "/v1/workflows", Endpoint::CreateWorkflow),
    (Method::POST, FROM_TEMPLATE, Endpoint::CreateFromTemplate),
    (Method::GET, "/v1/workflows", Endpoint::ListWorkflows),
    (Method::GET, "/v1/workflows/{id}", Endpoint::ShowWorkflow),
    (Method::PUT, "/v1/workflows/{id}", Endpoint::UpdateWorkflow),
    (Method::DELETE, "/v1/workflows/{id}", Endpoint::DeleteWorkflow),
    (Method::POST, "/v1/workflows/{id}/clone", Endpoint::CloneWorkflow),
    (Method::POST, "/v1/workflows/{id}/activate", Endpoint::ActivateWorkflow),
    (Method::POST, "/v1/workflows/{id}/deactivate", Endpoint::DeactivateWorkflow),
    (Method::POST, "/v1/workflows/{id}/draft", Endpoint::DraftWorkflow),
    (Method::POST, "/v1/workflows/{id}/executions", Endpoint::Execute),
    (Method::GET, "/v1/executions", Endpoint::ListExecutions),
    (Method::GET, "/v1/executions/{id}", Endpoint::ShowExecution),
    (Method::GET, "/v1/executions/{id}/results", Endpoint::ShowResults),
    (Method::POST, "/v1/executions/{id}/cancel", Endpoint::CancelExecution),
    (Method::POST, "/v1/executions/{id}/retry", Endpoint::RetryExecution),
    (Method::GET, "/v1/catalog/executors", Endpoint::ListExecutors),
    (Method::GET, "/v1/catalog/executors/{id}", Endpoint::ShowExecutor),
    (Method::POST, "/v1/catalog/executors/{id}/validate", Endpoint::ValidateExecutor),
    (Method::GET, "/v1/catalog/triggers", Endpoint::ListTriggers),
    (Method::GET, "/v1/catalog/triggers/{id}", Endpoint::ShowTrigger),
    (Method::GET, "/v1/catalog/providers", Endpoint::ListProviders),
    (Method::GET, "/v1/catalog/providers/{id}", Endpoint::ShowProvider),
    (Method::GET, "/v1/catalog/providers/{id}/executors", Endpoint::ListExecutorsOfProvider),
    (Method::GET, "/v1/catalog/templates", Endpoint::ListTemplates),
    (Method::GET, "/v1/catalog/templates/{id}", Endpoint::ShowTemplate),
    (Method::POST, "/v1/catalog/templates/{id}/validate", Endpoint::ValidateTemplate),
    (Method::POST, "/v1/provider-configurations", Endpoint::CreateProviderConfig),
    (Method::GET, "/v1/provider-configurations", Endpoint::ListProviderConfigs),
    (Method::GET, "/v1/provider-configurations/{id}", Endpoint::ShowProviderConfig),
    (Method::PATCH, "/v1/provider-configurations/{id}", Endpoint::PatchProviderConfig),
    (Method::DELETE, "/v1/provider-configurations/{id}", Endpoint::DeleteProviderConfig),
    (Method::POST, "/v1/provider-configurations/{id}/disable", Endpoint::DisableProviderConfig),
    (Method::POST, "/v1/provider-configurations/{id}/enable", Endpoint::EnableProviderConfig),
    (Method::POST, "/v1/api-keys", Endpoint::CreateApiKey),
    (Method::GET, "/v1/api-keys", Endpoint::ListApiKeys),
    (Method::GET, "/v1/api-keys/{id}", Endpoint::ShowApiKey),
    (Method::POST, "/v1/api-keys/{id}/rotate", Endpoint::RotateApiKey),
    (Method::DELETE, "/v1/api-keys/{id}", Endpoint::RevokeApiKey),
    (Method::POST, "/v1/provider-configurations/{id}/test", Endpoint::TestProviderConfig),
    (Method::GET, "/v1/audit-events", Endpoint::ListAuditEvents),
    (Method::GET, "/v1/audit-events/export", Endpoint::ExportAuditEvents),
    (Method::GET, "/v1/audit-events/{id}", Endpoint::ShowAuditEvent),
    (Method::GET, "/v1/audit-events/{id}/verify", Endpoint::VerifyAuditEvent),
    (Method::GET, "/v1/dashboards/workflows/summary", Endpoint::WorkflowsSummary),
    (Method::GET, "/v1/dashboards/executions", Endpoint::ExecutionsSummary),
    (Method::GET, "/v1/dashboards/timeseries", Endpoint::Timeseries),
    (Method::GET, "/health", Endpoint::Health),
    (Method::GET, "/health/live", Endpoint::Health),
    (Method::GET, "/readyz", Endpoint::Ready),
    (Method::GET, "/health/ready", Endpoint::Ready),
    (Method::GET, "/version", Endpoint::Version),
    (Method::GET, METRICS, Endpoint::Metrics),
    (Method::GET, "/openapi.json", Endpoint::Description),
    (Method::GET, "/swagger/doc.json", Endpoint::Description),
    (Method::GET, "/swagger", Endpoint::Explorer),
    (Method::GET, "/swagger/index.html", Endpoint::Explorer),
    (Method::GET, "/swagger/explorer.js", Endpoint::ExplorerScript),
    (Method::GET, "/swagger/explorer.css", Endpoint::ExplorerStyle),
];

/// Webhooks are found by this prefix and not by the router: any method and any path may reach
/// them, empty and doubled segments included.
const WEBHOOKS: &str = "/v1/webhooks/{*path}";
const WEBHOOKS_PREFIX: &str = "/v1/webhooks";

/// The one path that is a place of its own for one method, and for the others the id of a workflow
/// that there is not. So the router does not know it.
const FROM_TEMPLATE: &str = "/v1/workflows/from-template";

/// What the process tells about itself.
const METRICS: &str = "/metrics";

/// What `Allow` says where any method may be registered.
pub(crate) const ANY_METHOD: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Where a request leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// What is to be done.
    pub endpoint: Endpoint,
    /// The path of a webhook, still encoded; else the segment that stands for `{id}`, decoded.
    pub argument: String,
}

/// Whether a path leads to webhooks.
pub(crate) fn is_webhook(path: &str) -> bool {
    strip_prefix(path, WEBHOOKS_PREFIX).is_some()
}

/// To which family a route belongs: its first segment behind `/v1`, but for what a workflow is
/// executed with and for metrics. Empty for what needs no credentials.
pub(crate) fn family(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Execute => return "executions",
        Endpoint::Metrics => return "metrics",
        _ => {}
    }
    let row = ROUTES.iter().find(|(_, _, it)| *it == endpoint);
    let path = row.and_then(|(_, template, _)| template.strip_prefix("/v1/"));
    path.and_then(|path| path.split('/').next()).unwrap_or_default()
}

/// Whether a path belongs to the part that takes room, be there something or not.
pub(crate) fn is_guarded(path: &str) -> bool {
    strip_prefix(path, "/v1").is_some()
}

/// Whether a path asks for an API key: the guarded part, and the metrics, which take no room so that
/// they are told when there is none.
pub(crate) fn needs_key(path: &str) -> bool {
    is_guarded(path) || strip_prefix(path, METRICS).is_some()
}

/// The template of a path, without anything that its caller chose.
pub(crate) fn template(path: &str) -> &'static str {
    if strip_prefix(path, WEBHOOKS_PREFIX).is_some() {
        return WEBHOOKS;
    }
    let lower = path.strip_suffix('/').unwrap_or(path).to_ascii_lowercase();
    ROUTER.at(&lower).map_or("unknown", |found| *found.value)
}

/// Finds out where a request leads.
pub(crate) fn resolve(method: &Method, path: &str) -> Result<Found, Transport> {
    if let Some(rest) = strip_prefix(path, WEBHOOKS_PREFIX) {
        // It asks for an echo of the request, credentials included, and for nothing else.
        if *method == Method::TRACE {
            return Err(Transport::MethodNotAllowed { allow: ANY_METHOD.to_owned() });
        }
        let argument = rest.strip_prefix('/').unwrap_or(rest).to_owned();
        return Ok(Found { endpoint: Endpoint::Webhook, argument });
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let lower = path.to_ascii_lowercase();
    let template = *ROUTER.at(&lower).map_err(|_| Transport::NotFound)?.value;
    let asked = if *method == Method::HEAD { &Method::GET } else { method };
    let mut rows = ROUTES.iter().filter(|(_, it, _)| *it == template || *it == lower);
    match rows.clone().find(|(method, _, _)| method == asked) {
        Some(&(_, row, endpoint)) => Ok(Found { endpoint, argument: argument(row, path) }),
        None => Err(Transport::MethodNotAllowed { allow: allow(&mut rows) }),
    }
}

/// What is left of `path` behind `prefix`, if whole segments match. In any case of letters.
fn strip_prefix<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = path.split_at_checked(prefix.len())?;
    let is_whole = rest.is_empty() || rest.starts_with('/');
    (is_whole && start.eq_ignore_ascii_case(prefix)).then_some(rest)
}

/// The segment that stands for the template's parameter, in its own case.
fn argument(template: &str, path: &str) -> String {
    let position = template.split('/').position(|segment| segment.starts_with('{'));
    let segment = position.and_then(|position| path.split('/').nth(position)).unwrap_or_default();
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

fn allow<'a>(rows: &mut impl Iterator<Item = &'a (Method, &'a str, Endpoint)>) -> String {
    let mut methods: BTreeSet<&str> = rows.map(|(method, _, _)| method.as_str()).collect();
    if methods.contains("GET") {
        methods.insert("HEAD");
    }
    methods.into_iter().collect::<Vec<_>>().join(", ")
}

static ROUTER: LazyLock<Router<&'static str>> = LazyLock::new(|| {
    let templates: BTreeSet<_> = ROUTES.iter().map(|(_, template, _)| *template).collect();
    let mut router = Router::new();
    let routed = |template: &&str| ![WEBHOOKS, FROM_TEMPLATE].contains(template);
    for template in templates.into_iter().filter(routed) {
        router.insert(template, template).expect("no two templates of the table collide");
    }
    router
});

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, path: &str, expected: &str) {
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let shown = match resolve(&method, path) {
            Ok(found) => format!("{:?} {}", found.endpoint, found.argument).trim().to_owned(),
            Err(Transport::MethodNotAllowed { allow }) => format!("405 {allow}"),
            Err(Transport::NotFound) => "404".to_owned(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(shown, expected, "{method} {path}");
    }

    #[test]
    fn paths_lead_where_the_table_says() {
        check("GET", "/v1/workflows", "ListWorkflows");
        check("HEAD", "/V1/Workflows/", "ListWorkflows");
        check("GET", "/v1/workflows//", "404");
        check("GET", "/v1//workflows", "404");
        check("GET", "/v1/workflows/AbC", "ShowWorkflow AbC");
        check("GET", "/v1/workflows/from-template", "ShowWorkflow from-template");
        check("POST", "/V1/workflows/From-Template/", "CreateFromTemplate");
        check("POST", "/v1/Workflows/x/ACTIVATE/", "ActivateWorkflow x");
        check("GET", "/v1/catalog/executors/a%2Eb", "ShowExecutor a.b");
        check("GET", "/v1/catalog/providers/P/Executors", "ListExecutorsOfProvider P");
        check("GET", "/Health/Live", "Health");
        check("GET", "/", "404");
        check("GET", "", "404");
        check("GET", "/v1/nothing", "404");
    }

    #[test]
    fn a_wrong_method_learns_the_right_ones() {
        check("PATCH", "/v1/workflows", "405 GET, HEAD, POST");
        check("get", "/v1/workflows", "405 GET, HEAD, POST");
        check("OPTIONS", "/v1/workflows/x", "405 DELETE, GET, HEAD, PUT");
        check("PATCH", "/v1/workflows/from-template", "405 DELETE, GET, HEAD, POST, PUT");
        check("TRACE", "/health", "405 GET, HEAD");
        check("GET", "/v1/workflows/x/clone", "405 POST");
        check("TRACE", "/v1/webhooks/a", &format!("405 {ANY_METHOD}"));
    }

    #[test]
    fn webhooks_take_any_method_and_keep_their_path() {
        check("POST", "/v1/webhooks", "Webhook");
        check("BREW", "/V1/WebHooks/A//b%2Fc/", "Webhook A//b%2Fc/");
        check("POST", "/v1/webhooksx", "404");
    }

    #[test]
    fn every_guarded_row_has_a_family() {
        for (_, template, endpoint) in ROUTES {
            assert_eq!(family(*endpoint).is_empty(), !needs_key(template), "{template}");
        }
        assert!(is_webhook("/V1/Webhooks") && is_webhook("/v1/webhooks//a"));
        assert!(!is_webhook("/v1/webhooksx") && !is_webhook("/v1"));
    }

    #[test]
    fn all_below_v1_is_guarded() {
        for path in ["/v1", "/v1/", "/V1/x", "/v1/webhooks"] {
            assert!(is_guarded(path), "{path}");
        }
        for path in ["/", "/v11", "/health", "/v", "", "/\u{e9}1/x"] {
            assert!(!is_guarded(path), "{path}");
        }
    }

    #[test]
    fn every_row_is_reached() {
        for (method, template, endpoint) in ROUTES {
            let path = template.replace("{id}", "x").replace("{*path}", "x");
            let found = resolve(method, &path).map(|found| found.endpoint);
            assert_eq!(found, Ok(*endpoint), "{method} {template}");
        }
    }

    #[test]
    fn the_reference_has_every_row() {
        let reference = include_str!("../../../docs/reference/http-api.md");
        for (method, template, endpoint) in ROUTES {
            let row = match endpoint {
                Endpoint::Webhook => "`/v1/webhooks/{path}`".to_owned(),
                _ => format!("`{method} {template}`"),
            };
            assert!(reference.contains(&row), "docs/reference/http-api.md lacks {row}");
        }
    }
}
