//! Which of our crates may depend on which, compared with what cargo says.

use std::collections::{BTreeSet, HashMap};
use std::fs;

use cargo_metadata::{DependencyKind, Metadata, Package, PackageId};

/// Our crates, and the crates of ours that each may depend on. A new crate gets a line here.
const LAYERS: [(&str, &[&str]); 10] = [
    ("flowker-core", &[]),
    ("flowker-engine", &["flowker-core"]),
    ("flowker-http", &["flowker-core"]),
    ("flowker-postgres", &["flowker-core"]),
    ("flowker-providers", &["flowker-core"]),
    ("flowker-sqlite", &["flowker-core"]),
    ("flowker-testkit", &["flowker-core"]),
    (
        "flowker-app",
        &[
            "flowker-core",
            "flowker-engine",
            "flowker-http",
            "flowker-postgres",
            "flowker-providers",
            "flowker-sqlite",
        ],
    ),
    ("flowker-tests", &["flowker-core", "flowker-testkit"]),
    ("xtask", &[]),
];

/// What tests of any crate may use besides: the core with its mocks, and the testkit.
const FOR_TESTS: [&str; 2] = ["flowker-core", "flowker-testkit"];

/// What must not be found anywhere below the core: runtimes, sockets, databases, TLS.
const NOT_IN_CORE: [&str; 20] = [
    "async-std",
    "diesel",
    "h2",
    "hyper",
    "hyper-util",
    "libsqlite3-sys",
    "mio",
    "native-tls",
    "openssl",
    "postgres",
    "redis",
    "reqwest",
    "ring",
    "rusqlite",
    "rustls",
    "smol",
    "socket2",
    "sqlx",
    "tokio",
    "tokio-postgres",
];

/// Everything that breaks the layering.
pub fn check(metadata: &Metadata) -> Vec<String> {
    let members = metadata.workspace_packages();
    let ours: BTreeSet<&str> = members.iter().map(|it| it.name.as_str()).collect();
    let mut faults = Vec::new();
    for package in &members {
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == package.name.as_str())
        else {
            faults.push(format!(
                "{}: say in xtask/src/lint/layers.rs what it may depend on",
                package.name
            ));
            continue;
        };
        faults.extend(check_arrows(package, allowed, &ours));
        faults.extend(check_manifest(package));
    }
    faults.extend(check_core(metadata));
    faults
}

fn check_arrows(package: &Package, allowed: &[&str], ours: &BTreeSet<&str>) -> Vec<String> {
    let of_ours = package.dependencies.iter().filter(|it| ours.contains(it.name.as_str()));
    let is_allowed = |name: &str, kind| {
        allowed.contains(&name) || kind == DependencyKind::Development && FOR_TESTS.contains(&name)
    };
    of_ours
        .filter(|it| !is_allowed(&it.name, it.kind))
        .map(|it| {
            format!(
                "{}: must not depend on {}; put what both need into flowker-core, as a port if it does I/O",
                package.name, it.name
            )
        })
        .collect()
}

/// Without this line a crate has no lints at all, and nothing says so.
fn check_manifest(package: &Package) -> Option<String> {
    let text = fs::read_to_string(&package.manifest_path).unwrap_or_default();
    let fault = format!("{}: add `[lints]` with `workspace = true`", package.manifest_path);
    (!has_workspace_lints(&text)).then_some(fault)
}

fn has_workspace_lints(manifest: &str) -> bool {
    let lines = manifest.lines().map(str::trim);
    let mut section = lines.skip_while(|line| *line != "[lints]").skip(1);
    section.find(|line| !line.is_empty()).is_some_and(|line| line == "workspace = true")
}

/// Walks what the core needs in a build that ships.
fn check_core(metadata: &Metadata) -> Vec<String> {
    let Some(resolve) = &metadata.resolve else {
        return vec!["cargo metadata tells no dependency tree".to_owned()];
    };
    let nodes: HashMap<&PackageId, _> = resolve.nodes.iter().map(|it| (&it.id, it)).collect();
    let core =
        metadata.workspace_packages().into_iter().find(|it| it.name.as_str() == "flowker-core");
    let mut open: Vec<&PackageId> = core.map(|it| &it.id).into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        let below = nodes.get(id).map(|it| it.deps.as_slice()).unwrap_or_default();
        let ships = |it: &&cargo_metadata::NodeDep| {
            it.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
        };
        open.extend(below.iter().filter(ships).map(|it| &it.pkg));
    }
    let names = seen.into_iter().map(|id| metadata[id].name.as_str());
    names
        .filter(|name| NOT_IN_CORE.contains(name))
        .map(|name| {
            format!("flowker-core: {name} is among its dependencies; see `cargo tree -p flowker-core -i {name}`")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build;

    #[test]
    fn lints_are_inherited_or_missed() {
        assert!(has_workspace_lints("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n"));
        assert!(!has_workspace_lints("[package]\nname = \"a\"\n"));
        assert!(!has_workspace_lints(
            "[lints]\nrust.unsafe_code = \"allow\"\n[x]\nworkspace = true\n"
        ));
    }

    #[test]
    fn an_arrow_between_adapters_is_refused() {
        let metadata = build::metadata().unwrap();
        let members = metadata.workspace_packages();
        let ours: BTreeSet<&str> = members.iter().map(|it| it.name.as_str()).collect();
        let app = members.iter().find(|it| it.name.as_str() == "flowker-app").unwrap();
        let faults = check_arrows(app, &["flowker-core"], &ours);
        assert!(
            faults.iter().any(|it| it.contains("must not depend on flowker-http")),
            "{faults:?}"
        );
        assert!(!faults.iter().any(|it| it.contains("flowker-testkit")), "for tests: {faults:?}");
    }
}
