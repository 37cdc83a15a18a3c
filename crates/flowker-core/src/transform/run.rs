//! Taking a document through one operation.

use std::borrow::Cow;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::operation::{
    Edit, Hash, Operation, Piece, Shift, Source, TimeFormat, Timestamp, Version,
};
use super::{Budget, Env, Reason};
use crate::decimal::Decimal;
use crate::json;
use crate::path::{Path, Scope, Target};

/// What could not be done, and with which path.
pub(super) struct Failure {
    pub(super) path: String,
    pub(super) reason: Reason,
}

/// One run over a list of operations.
pub(super) struct Run<'a> {
    pub(super) env: &'a Env<'a>,
    pub(super) budget: Budget,
}

impl Run<'_> {
    /// Takes the document through the operation. `require`: what the operation reads must exist.
    pub(super) fn apply(
        &mut self,
        operation: &Operation,
        require: bool,
        mut document: Value,
    ) -> Result<Value, Failure> {
        let it = &mut document;
        match operation {
            Operation::Shift(shifts) => return self.shift(shifts, require, it),
            Operation::Extract(path) => {
                let value = self.read(path, require, it)?;
                self.budget.charge_value(&value).map_err(|reason| at(path, reason))?;
                return Ok(value.into_owned());
            }
            Operation::Pass => {}
            Operation::Concat { sources, target, delimiter } => {
                let text = self.concat(sources, delimiter, require, it)?;
                self.write(it, target, Cow::Owned(Value::String(text)))?;
            }
            Operation::Coalesce { choices, ignore } => {
                for (target, paths) in choices {
                    if let Some(value) = self.first(paths, ignore, it)? {
                        self.write(it, target, Cow::Owned(value))?;
                    }
                }
            }
            Operation::Default(values) => {
                for (target, value) in values {
                    self.write(it, target, Cow::Borrowed(value))?;
                }
            }
            Operation::Delete(paths) => {
                for path in paths {
                    if !path.remove(it) && require {
                        return Err(at(path, Reason::Missing));
                    }
                }
            }
            Operation::Timestamp(entries) => {
                for entry in entries {
                    self.timestamp(entry, require, it)?;
                }
            }
            Operation::Uuid(entries) => {
                for (target, version) in entries {
                    let id = self.uuid(version, it)?.to_string();
                    self.write(it, target, Cow::Owned(Value::String(id)))?;
                }
            }
            Operation::Text { path, edit } => self.edit(path, edit, it)?,
        }
        Ok(document)
    }

    /// What the path leads to; null if it is missing and need not exist.
    pub(super) fn read<'s>(
        &mut self,
        path: &Path,
        require: bool,
        scope: &'s (impl Scope + ?Sized),
    ) -> Result<Cow<'s, Value>, Failure> {
        let value = match path.read(scope) {
            Some(found) if found.is_complete || !require => found.value,
            None if !require => return Ok(Cow::Owned(Value::Null)),
            _ => return Err(at(path, Reason::Missing)),
        };
        // What `[*]` collects is a copy already, even if it is then not used.
        if let Cow::Owned(collected) = &value {
            self.budget.charge_value(collected).map_err(|reason| at(path, reason))?;
        }
        Ok(value)
    }

    /// Writes a value, which is only copied once it is known to fit.
    pub(super) fn write(
        &mut self,
        document: &mut Value,
        target: &Target,
        value: Cow<'_, Value>,
    ) -> Result<(), Failure> {
        let written = self.budget.write(document, target, value);
        written.map_err(|reason| Failure { path: target.to_string(), reason })
    }

    fn shift(
        &mut self,
        shifts: &[Shift],
        require: bool,
        document: &Value,
    ) -> Result<Value, Failure> {
        let mut shifted = Value::Object(Map::new());
        for Shift { target, sources, is_wrapped } in shifts {
            let mut value = Cow::Owned(Value::Null);
            for source in sources {
                value = match source {
                    Source::Document => Cow::Borrowed(document),
                    Source::Path(path) => self.read(path, require, document)?,
                };
            }
            if *is_wrapped {
                value = Cow::Owned(Value::Array(vec![value.into_owned()]));
            }
            self.write(&mut shifted, target, value)?;
        }
        Ok(shifted)
    }

    fn concat(
        &mut self,
        sources: &[Piece],
        delimiter: &str,
        require: bool,
        document: &Value,
    ) -> Result<String, Failure> {
        let mut joined = String::new();
        let mut is_first = true;
        for source in sources {
            let (path, value) = match source {
                Piece::Text(text) => (None, Cow::Owned(Value::String(text.clone()))),
                Piece::Path(path) => (Some(path), self.read(path, require, document)?),
            };
            let parts = match value.as_ref() {
                Value::Array(items) => items.iter().filter(|it| !it.is_null()).collect(),
                other => vec![other],
            };
            for part in parts {
                let part = plain_text(part);
                let charged = self
                    .budget
                    .charge_text(&part)
                    .and_then(|()| self.budget.charge_text(delimiter));
                charged.map_err(|reason| Failure {
                    path: path.map(Path::to_string).unwrap_or_default(),
                    reason,
                })?;
                if !is_first {
                    joined.push_str(delimiter);
                }
                is_first = false;
                joined.push_str(&part);
            }
        }
        Ok(joined)
    }

    /// The first value that is neither null nor ignored.
    fn first(
        &mut self,
        paths: &[Path],
        ignore: &[Value],
        document: &Value,
    ) -> Result<Option<Value>, Failure> {
        for path in paths {
            let value = self.read(path, false, document)?;
            if !value.is_null() && !is_one_of(ignore, &value) {
                return Ok(Some(value.into_owned()));
            }
        }
        Ok(None)
    }

    fn timestamp(
        &mut self,
        entry: &Timestamp,
        require: bool,
        document: &mut Value,
    ) -> Result<(), Failure> {
        match entry {
            Timestamp::Now { target, to } => {
                let now = Value::String(to.write(self.env.now));
                self.write(document, target, Cow::Owned(now))
            }
            Timestamp::Rewrite { path, from, to } => {
                if require {
                    self.read(path, require, document)?;
                }
                path.change(document, &mut |value| self.rewrite(value, from, to))
                    .map_err(|reason| at(path, reason))
            }
        }
    }

    fn rewrite(
        &mut self,
        value: &mut Value,
        from: &TimeFormat,
        to: &TimeFormat,
    ) -> Result<(), Reason> {
        match value {
            Value::Null => return Ok(()),
            Value::Array(items) => {
                for item in items {
                    if item.is_array() {
                        return Err(Reason::NotText(json::kind(item)));
                    }
                    self.rewrite(item, from, to)?;
                }
                return Ok(());
            }
            _ => {}
        }
        let text = to.write(from.read(value)?);
        self.budget.charge_text(&text)?;
        *value = Value::String(text);
        Ok(())
    }

    fn uuid(&mut self, version: &Version, document: &Value) -> Result<Uuid, Failure> {
        let (hash, namespace, names) = match version {
            Version::Random => return Ok((self.env.new_uuid)()),
            Version::Named { hash, namespace, names } => (hash, namespace, names),
        };
        let mut id = *namespace;
        for (path, default) in names {
            let found = self.read(path, false, document)?;
            let name = match default {
                Some(default) if found.is_null() => plain_text(default),
                // A name that is nothing would give unlike documents the same id.
                None if found.is_null() => return Err(at(path, Reason::Missing)),
                _ => plain_text(&found),
            };
            self.budget.charge_text(&name).map_err(|reason| at(path, reason))?;
            id = match hash {
                Hash::Md5 => Uuid::new_v3(&id, name.as_bytes()),
                Hash::Sha1 => Uuid::new_v5(&id, name.as_bytes()),
            };
        }
        Ok(id)
    }

    fn edit(&mut self, path: &Path, edit: &Edit, document: &mut Value) -> Result<(), Failure> {
        path.change(document, &mut |value| {
            if let Value::String(text) = value {
                *text = edit.apply(text);
                self.budget.charge_text(text)?;
            }
            Ok(())
        })
        .map_err(|reason| at(path, reason))
    }
}

fn at(path: &Path, reason: Reason) -> Failure {
    Failure { path: path.to_string(), reason }
}

/// Whether the value is one of the list, numbers by their value: 0 is 0.0.
fn is_one_of(list: &[Value], value: &Value) -> bool {
    if let Value::Number(number) = value
        && let Ok(number) = Decimal::parse(number.as_str())
    {
        let numbers = list.iter().filter_map(Value::as_number);
        return numbers.filter_map(|it| Decimal::parse(it.as_str()).ok()).any(|it| it == number);
    }
    list.contains(value)
}

/// A value inside text: strings as they are, anything else as compact JSON.
pub(super) fn plain_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(json::to_text(other)),
    }
}

impl TimeFormat {
    fn read(&self, value: &Value) -> Result<OffsetDateTime, Reason> {
        let text = match (self, value) {
            (_, Value::String(text)) => text.as_str(),
            (Self::Unix, Value::Number(seconds)) => seconds.as_str(),
            _ => return Err(Reason::NotText(json::kind(value))),
        };
        let (time, format) = match self {
            Self::Unix => (from_unix(text), "$unix"),
            Self::Layout(layout) => (layout.read(text), layout.text()),
        };
        time.ok_or_else(|| Reason::NotTime {
            text: text.chars().take(64).collect(),
            format: format.to_owned(),
        })
    }

    fn write(&self, time: OffsetDateTime) -> String {
        match self {
            Self::Unix => time.unix_timestamp().to_string(),
            Self::Layout(layout) => layout.format(time),
        }
    }
}

fn from_unix(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok()
}

impl Edit {
    fn apply(&self, text: &str) -> String {
        match self {
            Self::Remove(characters) => {
                text.chars().filter(|it| !characters.contains(it)).collect()
            }
            Self::Prefix(prefix) => format!("{prefix}{text}"),
            Self::Suffix(suffix) => format!("{text}{suffix}"),
            Self::Uppercase => text.to_uppercase(),
            Self::Lowercase => text.to_lowercase(),
        }
    }
}
