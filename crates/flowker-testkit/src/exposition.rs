//! Metrics as they are told, compared with the list of what is told.

use std::collections::{BTreeMap, BTreeSet};

use flowker_core::metric::{Kind, Metric};

/// What is wrong with an exposition in the text format of Prometheus, measured by the list of what
/// may be in it: metrics that are not listed, listed ones that are not there, another kind, another
/// help, other labels.
pub fn faults(text: &str, listed: &[Metric]) -> Vec<String> {
    let listed: BTreeMap<_, _> = listed.iter().map(|metric| (metric.name, metric)).collect();
    let (mut faults, mut told) = (Vec::new(), BTreeSet::new());
    for line in text.lines().filter(|line| !line.is_empty()) {
        let fault = match line.strip_prefix("# ") {
            Some(comment) => check_comment(comment, &listed),
            None => check_sample(line, &listed, &mut told),
        };
        faults.extend(fault.map(|fault| format!("{fault}: {line}")));
    }
    let missing = listed.keys().filter(|name| !told.contains(*name));
    faults.extend(missing.map(|name| format!("{name} is listed and not told")));
    faults
}

type Listed<'a> = BTreeMap<&'static str, &'a Metric>;

fn check_comment(comment: &str, listed: &Listed<'_>) -> Option<&'static str> {
    let mut words = comment.splitn(3, ' ');
    let (what, name, rest) = (words.next()?, words.next()?, words.next().unwrap_or_default());
    let Some(metric) = listed.get(name) else { return Some("it is not listed") };
    match what {
        "TYPE" if rest != metric.kind.as_str() => Some("it is listed with another kind"),
        "HELP" if rest != metric.help => Some("it is listed with another help"),
        _ => None,
    }
}

fn check_sample(
    line: &str,
    listed: &Listed<'_>,
    told: &mut BTreeSet<&'static str>,
) -> Option<&'static str> {
    let (name, labels) = sample(line);
    let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| {
        let metric = listed.get(name.strip_suffix(end)?)?;
        matches!(metric.kind, Kind::Histogram(_)).then_some(metric)
    });
    let Some(metric) = listed.get(name).or(of_histogram) else { return Some("it is not listed") };
    told.insert(metric.name);
    let expected: BTreeSet<_> = metric.labels.iter().map(|label| label.name).collect();
    let labels: BTreeSet<_> = labels.into_iter().filter(|label| *label != "le").collect();
    (labels != expected).then_some("it is listed with other labels")
}

/// The name of a sample and the names of its labels. No label of ours has a value with a quote.
fn sample(line: &str) -> (&str, Vec<&str>) {
    let Some((name, rest)) = line.split_once('{') else {
        return (line.split(' ').next().unwrap_or_default(), Vec::new());
    };
    let labels = rest.split('"').step_by(2);
    let names = labels.filter_map(|it| it.trim_start_matches([',', ' ']).strip_suffix('='));
    (name, names.collect())
}

#[cfg(test)]
mod tests {
    use flowker_core::metric::{Label, SECONDS, Unit};

    use super::*;

    const LISTED: [Metric; 2] = [
        Metric {
            name: "a_total",
            kind: Kind::Counter,
            unit: Unit::Count,
            labels: &[Label { name: "route", values: "any" }, Label { name: "b", values: "any" }],
            help: "It counts.",
        },
        Metric {
            name: "c_seconds",
            kind: Kind::Histogram(SECONDS),
            unit: Unit::Seconds,
            labels: &[],
            help: "It takes.",
        },
    ];

    fn check(lines: &[&str], expected: &[&str]) {
        let faults = faults(&lines.join("\n"), &LISTED);
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault} is not about {expected}");
        }
    }

    #[test]
    fn what_differs_from_the_list_is_a_fault() {
        let counter = r#"a_total{route="/v1/{id}",b=""} 7"#;
        let histogram = r#"c_seconds_bucket{le="+Inf"} 1"#;
        check(&["# HELP a_total It counts.", "# TYPE a_total counter", counter, histogram], &[]);
        check(&[counter], &["c_seconds is listed and not told"]);
        check(&[r#"a_total{route="x"} 7"#, histogram], &["other labels"]);
        check(&[counter, "c_seconds_sum 1", "d 1"], &["not listed: d"]);
        check(&[counter, histogram, "# TYPE c_seconds summary"], &["another kind"]);
        check(&[counter, histogram, "# HELP a_total It runs."], &["another help"]);
        check(&[counter, histogram, "a_total_sum 1"], &["not listed"]);
    }
}
