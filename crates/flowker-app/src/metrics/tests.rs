use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::*;

/// Every metric once; the stores share some.
fn all() -> BTreeMap<&'static str, &'static Metric> {
    let mut all = BTreeMap::new();
    for metric in LISTS.iter().flat_map(|(_, listed)| *listed) {
        let other = all.insert(metric.name, metric);
        assert!(other.is_none_or(|other| other == metric), "{} means two things", metric.name);
    }
    all
}

#[test]
fn names_say_what_is_measured() {
    for (name, metric) in all() {
        let is_name = |it: &str| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'_');
        assert!(is_name(name), "{name}");
        let is_counter = metric.kind == Kind::Counter;
        assert_eq!(name.ends_with("_total"), is_counter, "{name}: _total is for counters");
        let base = name.strip_suffix("_total").unwrap_or(name);
        for unit in [Unit::Seconds, Unit::Bytes] {
            let is_named = base.ends_with(unit.as_str());
            assert_eq!(is_named, metric.unit == unit, "{name} does not name its unit");
        }
        for label in metric.labels {
            assert!(is_name(label.name), "{name}: {}", label.name);
        }
        assert!(metric.help.ends_with('.'), "{name}: its help is no sentence");
    }
}

/// The page is these lists; `UPDATE_DOCS=1` writes it.
#[test]
fn the_reference_page_is_the_lists() {
    let mut page = String::from(
        "# Metrics\n\n`GET /metrics` tells them in the text format of Prometheus. \
         [Observability](../operations/observability.md) says who may ask, what to look at, and how \
         a scrape is set up.\n\nLabels have few values, and none that a caller can make up: no id, \
         no key, no path. A counter counts from the start of the process.\n",
    );
    let mut told = BTreeSet::new();
    for (part, listed) in LISTS {
        let _ = write!(
            page,
            "\n## {part}\n\n| metric | kind | unit | labels | what it says |\n\
             | --- | --- | --- | --- | --- |\n"
        );
        for metric in listed {
            let Metric { name, kind, unit, labels, help } = metric;
            let labels = labels.iter().map(|it| format!("`{}`: {}", it.name, it.values));
            let labels = labels.collect::<Vec<_>>().join("<br>");
            let (kind, unit) = (kind.as_str(), unit.as_str());
            let _ = writeln!(page, "| `{name}` | {kind} | {unit} | {labels} | {help} |");
            told.insert(*name);
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/metrics.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/reference/metrics.md is old: UPDATE_DOCS=1 cargo test -p flowker-app"
    );
    assert_eq!(told.len(), all().len());
}

/// What a text about metrics names, with the endings of histograms taken off.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |it: char| it.is_ascii_lowercase() || it == '_';
    let words = text.split(|it| !is_part(it));
    let of_metrics = ["flowker_", "http_server_", "process_"];
    let metrics = words.filter(|word| of_metrics.iter().any(|start| word.starts_with(start)));
    let all = all();
    let base = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"].iter();
        let mut of_histogram = ends.filter_map(|end| name.strip_suffix(end));
        of_histogram.find(|it| all.contains_key(it)).unwrap_or(name).to_owned()
    };
    metrics.map(base).collect()
}

#[test]
fn the_dashboard_and_the_alerts_name_metrics_that_there_are() {
    let dashboard = include_str!("../../../../docs/operations/grafana-dashboard.json");
    flowker_core::json::parse(dashboard.as_bytes()).expect("the dashboard is JSON");
    let alerts = include_str!("../../../../docs/operations/alerts.yaml");
    let guide = include_str!("../../../../docs/operations/observability.md");
    let listed = all();
    for (page, text, least) in
        [("dashboard", dashboard, 25), ("alerts", alerts, 9), ("guide", guide, 9)]
    {
        let named = named(text);
        assert!(least <= named.len(), "{page}: {named:?}");
        for name in named {
            assert!(
                listed.contains_key(name.as_str()),
                "the {page} names {name}, which nobody tells"
            );
        }
    }
}
