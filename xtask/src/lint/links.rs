//! Links between our documents: every file and every heading that is named is there.

use std::collections::HashMap;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::tidy::File;
use crate::run::root;

/// Every link of a document that leads nowhere. Addresses elsewhere are not asked for.
pub fn check_all(files: &[File]) -> Vec<String> {
    let is_document = |file: &&File| file.has_extension("md");
    let documents: HashMap<&str, Document> = files
        .iter()
        .filter(is_document)
        .map(|file| (file.path.as_str(), Document::read(&file.text)))
        .collect();
    let mut faults = Vec::new();
    for file in files.iter().filter(is_document) {
        let links = documents.get(file.path.as_str()).map(|it| it.links.as_slice());
        for link in links.unwrap_or_default() {
            let exists = |path: &str| root().join(path).exists();
            if let Some(fault) = check(&file.path, link, &documents, exists) {
                faults.push(format!("{}: the link {link} {fault}", file.path));
            }
        }
    }
    faults
}

/// What other documents can point at, and where this one points.
#[derive(Debug, Default)]
struct Document {
    anchors: Vec<String>,
    links: Vec<String>,
}

impl Document {
    fn read(text: &str) -> Self {
        let mut document = Self::default();
        let mut heading: Option<String> = None;
        for event in Parser::new(text) {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push(dest_url.into_string());
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    document.add_anchor(&slug(&heading.take().unwrap_or_default()));
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        document
    }

    /// Equal headings are numbered, as GitHub does it.
    fn add_anchor(&mut self, slug: &str) {
        let mut anchor = slug.to_owned();
        let mut n_before = 0;
        while self.anchors.contains(&anchor) {
            n_before += 1;
            anchor = format!("{slug}-{n_before}");
        }
        self.anchors.push(anchor);
    }
}

/// The anchor that GitHub gives a heading.
fn slug(heading: &str) -> String {
    let kept =
        heading.trim().chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}

fn check(
    from: &str,
    link: &str,
    documents: &HashMap<&str, Document>,
    exists: impl Fn(&str) -> bool,
) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let path = if path.is_empty() { from.to_owned() } else { resolve(from, path)? };
    if !exists(&path) {
        return Some(format!("leads nowhere: there is no {path}"));
    }
    let document = documents.get(path.as_str()).filter(|_| !anchor.is_empty())?;
    let is_there = document.anchors.iter().any(|it| it == anchor);
    (!is_there).then(|| format!("leads nowhere: {path} has no heading #{anchor}"))
}

/// A path as seen from the root, given as seen from a document. `None`: it leads out of the
/// repository, to a page of the site that shows it.
fn resolve(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_link(link: &str, expected: Option<&str>) {
        let files = [
            ("README.md", "# A"),
            ("docs/a.md", "# The `same` name\n## The same name\n[x](b.md)\n```\n[no](link)\n```"),
        ];
        let documents = files.map(|(path, text)| (path, Document::read(text))).into();
        let exists = |path: &str| path == "docs" || files.iter().any(|it| it.0 == path);
        let fault = check("docs/b.md", link, &documents, exists);
        match expected {
            None => assert_eq!(fault, None, "{link}"),
            Some(text) => {
                assert!(fault.as_ref().is_some_and(|it| it.contains(text)), "{link}: {fault:?}");
            }
        }
    }

    #[test]
    fn links_lead_to_files_and_headings() {
        check_link("a.md", None);
        check_link("./a.md#the-same-name", None);
        check_link("a.md#the-same-name-1", None);
        check_link("../README.md#a", None);
        check_link("../docs", None);
        check_link("https://example.com/nowhere", None);
        check_link("c.md", Some("there is no docs/c.md"));
        check_link("a.md#other", Some("no heading #other"));
        check_link("../README.md#b", Some("no heading #b"));
    }

    #[test]
    fn code_holds_no_links() {
        let document = Document::read("```\n[no](link)\n```\n`[no](link)` [yes](link)");
        assert_eq!(document.links, ["link"]);
    }
}
