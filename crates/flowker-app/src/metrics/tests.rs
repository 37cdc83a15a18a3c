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
