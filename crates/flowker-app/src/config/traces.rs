//! Where traces go, and which.

use std::collections::BTreeMap;

use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::Url;

use super::{Reader, values};

/// How traces are exported.
#[derive(Clone, Debug)]
pub struct Traces {
    /// Of the collector.
    pub endpoint: Url,
    /// For the collector. May hold credentials.
    pub headers: Vec<(String, SecretString)>,
    /// What every trace says about this process, by name.
    pub resource: BTreeMap<String, String>,
    /// The instrumentation scope.
    pub library: String,
    /// Which of them.
    pub sampler: Sampler,
}

/// Reads everything that is about traces. `None` within: none are exported.
#[expect(clippy::option_option, reason = "the outer one is for settings without a valid default")]
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Option<Traces>> {
    let is_enabled = reader.read("ENABLE_TELEMETRY", values::optional(values::boolean))?;
    let endpoint = reader.read("OTEL_EXPORTER_OTLP_ENDPOINT", values::optional(endpoint))?;
    let headers = reader.read("OTEL_EXPORTER_OTLP_HEADERS", pairs)?;
    let library = reader.read("OTEL_LIBRARY_NAME", text)?;
    let resource = resource(reader)?;
    let ratio = reader.read("OTEL_TRACES_SAMPLER_ARG", ratio)?;
    let sampler = reader.read("OTEL_TRACES_SAMPLER", |text| sampler(text, ratio))?;
    if is_enabled == Some(true) && endpoint.is_none() {
        reader.missing("OTEL_EXPORTER_OTLP_ENDPOINT", "ENABLE_TELEMETRY");
    }
    let endpoint = endpoint.filter(|_| is_enabled != Some(false));
    let secret = |(name, value): (String, String)| (name, SecretString::from(value));
    let headers = headers.into_iter().map(secret).collect();
    Some(endpoint.map(|endpoint| Traces { endpoint, headers, resource, library, sampler }))
}

/// What is said about this process: the attributes, and what has a setting of its own in their place.
fn resource(reader: &mut Reader<'_>) -> Option<BTreeMap<String, String>> {
    let named = reader.read("OTEL_RESOURCE_ATTRIBUTES", pairs)?;
    let mut resource: BTreeMap<_, _> = named.into_iter().collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    resource.entry("service.version".to_owned()).or_insert(version);
    resource.entry("service.name".to_owned()).or_insert_with(|| "flowker".to_owned());
    for (setting, attribute) in [
        ("OTEL_RESOURCE_SERVICE_NAME", "service.name"),
        ("OTEL_SERVICE_NAME", "service.name"),
        ("OTEL_RESOURCE_SERVICE_VERSION", "service.version"),
        ("OTEL_RESOURCE_DEPLOYMENT_ENVIRONMENT", "deployment.environment.name"),
    ] {
        if let Some(value) = reader.read(setting, values::optional(text))? {
            resource.insert(attribute.to_owned(), value);
        }
    }
    Some(resource)
}

fn text(text: &str) -> Option<String> {
    let is_text = !text.chars().any(char::is_control);
    is_text.then(|| text.to_owned())
}

fn endpoint(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then_some(url)
}

/// `name=value` by commas, percent-encoded as W3C Baggage has it.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            let (name, value) = item.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
        })
        .collect()
}

fn ratio(text: &str) -> Option<f64> {
    text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))
}

fn sampler(text: &str, ratio: f64) -> Option<Sampler> {
    let by_parent = |root: Sampler| Sampler::ParentBased(Box::new(root));
    Some(match text {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio),
        "parentbased_always_on" => by_parent(Sampler::AlwaysOn),
        "parentbased_always_off" => by_parent(Sampler::AlwaysOff),
        "parentbased_traceidratio" => by_parent(Sampler::TraceIdRatioBased(ratio)),
        _ => return None,
    })
}
