//! Habits of our files that no other tool checks.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::run::root;

/// Longer files are split by idea, or listed here with the reason why that would be worse.
const CODE_LINES_MAX: usize = 600;
const LONG_FILES: [(&str, &str); 0] = [];

/// A file of the repository that is text.
#[derive(Debug)]
pub struct File {
    /// From the root, with slashes.
    pub path: String,
    /// What it holds.
    pub text: String,
}

impl File {
    /// Whether the name ends in a dot and this.
    pub fn has_extension(&self, extension: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, it)| it == extension)
    }
}

/// All text files that git knows or would add.
pub fn files() -> Result<Vec<File>> {
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let output = git.output().context("`git ls-files` cannot be started")?;
    ensure!(output.status.success(), "`git ls-files` failed: is this a clone of the repository?");
    let listed = String::from_utf8(output.stdout).context("a file's name is no UTF-8")?;
    let paths = listed.split('\0').filter(|path| !path.is_empty());
    // Deleted files are still listed, and binary ones are none of our business.
    let read = |path: &str| Some((path.to_owned(), fs::read_to_string(root().join(path)).ok()?));
    Ok(paths.filter_map(read).map(|(path, text)| File { path, text }).collect())
}

/// Everything untidy.
pub fn check_all(files: &[File]) -> Vec<String> {
    files.iter().flat_map(check).collect()
}

fn check(file: &File) -> Vec<String> {
    let mut faults = Vec::new();
    if file.has_extension("rs") {
        faults.extend(check_opening(file));
        faults.extend(check_length(file));
    }
    if !file.has_extension("lock") {
        for (idx, line) in file.text.lines().enumerate() {
            let faults_of_line = [check_note(line), check_path(line)];
            let at = |fault| format!("{}:{}: {fault}", file.path, idx + 1);
            faults.extend(faults_of_line.into_iter().flatten().map(at));
        }
    }
    faults
}

/// A module says in a sentence what it is for. One that holds tests is explained by its parent.
fn check_opening(file: &File) -> Option<String> {
    let is_of_tests = file.path.ends_with("/tests.rs") || file.path.contains("/tests/");
    let is_fine = is_of_tests || file.text.starts_with("//!");
    (!is_fine).then(|| format!("{}: begin with `//!` and what the module is for", file.path))
}

fn check_length(file: &File) -> Option<String> {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with("//");
    let n_lines = file.text.lines().filter(is_code).count();
    if n_lines <= CODE_LINES_MAX || LONG_FILES.iter().any(|(path, _)| *path == file.path) {
        return None;
    }
    Some(format!(
        "{}: {n_lines} lines of code; split it by idea, {CODE_LINES_MAX} are enough",
        file.path
    ))
}

/// A note for later is forgotten unless an issue remembers it.
fn check_note(line: &str) -> Option<String> {
    // Spelled so that this file does not find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
    let mark = marks.into_iter().find(|mark| is_word_in(mark, line))?;
    let names_issue = line.split_once(mark).is_some_and(|(_, rest)| {
        let number = rest.strip_prefix("(#").and_then(|rest| rest.split_once(')'));
        number.is_some_and(|(number, _)| number.parse::<u32>().is_ok())
    });
    (!names_issue).then(|| format!("{mark} without an issue: write {mark}(#12), or do it now"))
}

/// A path that exists on one machine only.
fn check_path(line: &str) -> Option<String> {
    let places = [
        concat!("/ho", "me/"),
        concat!("/Us", "ers/"),
        concat!("/ro", "ot/"),
        concat!("/tm", "p/"),
        concat!("/wo", "rk/"),
    ];
    let is_absolute = |place: &str| {
        line.match_indices(place).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|char| !char.is_alphanumeric() && !"-_.})]>*".contains(char))
        })
    };
    let place = places.into_iter().find(|place| is_absolute(place))?;
    Some(format!("{place} is a place of one machine: make the path relative"))
}

fn is_word_in(word: &str, line: &str) -> bool {
    let is_part = |char: char| char.is_alphanumeric() || char == '_';
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        !line[..at].ends_with(is_part) && (word.ends_with(':') || !after.is_some_and(is_part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str, expected: &[&str]) {
        let faults = check(&File { path: path.to_owned(), text: text.to_owned() });
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn modules_say_what_they_are_for() {
        check_text("a/src/b.rs", "//! Does it.\n", &[]);
        check_text("a/src/b.rs", "use std::fs;\n", &["begin with `//!`"]);
        check_text("a/src/b/tests.rs", "use std::fs;\n", &[]);
        check_text("a/src/b/tests/c.rs", "use std::fs;\n", &[]);
    }

    #[test]
    fn long_files_are_split() {
        let line = "let a = 1;\n// Why.\n\n";
        check_text("a.rs", &format!("//! A.\n{}", line.repeat(600)), &[]);
        check_text("a.rs", &format!("//! A.\n{}", line.repeat(601)), &["601 lines of code"]);
        check_text("a.md", &line.repeat(601), &[]);
    }

    #[test]
    fn notes_for_later_name_an_issue() {
        let note = concat!("TO", "DO");
        check_text("a.md", &format!("{note}(#12): more"), &[]);
        check_text("a.md", &format!("{note}: more"), &["without an issue"]);
        check_text("a.md", &format!("{note}(someone): more"), &["without an issue"]);
        check_text("a.md", &format!("MASTO{note}N"), &[]);
    }

    #[test]
    fn places_of_one_machine_are_refused() {
        check_text("a.md", concat!("see /ho", "me/me/a"), &["one machine"]);
        check_text("a.md", concat!("`/tm", "p/a`"), &["one machine"]);
        check_text("a.md", concat!("https://a.example/ho", "me/"), &[]);
    }
}
