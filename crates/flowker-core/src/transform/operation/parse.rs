//! Reading an operation's spec, and refusing what could never work.

use std::collections::BTreeSet;

use serde_json::Value;
use uuid::Uuid;

use super::{
    Edit, Hash, OPERATIONS, Operation, Piece, Shift, Source, TimeFormat, Timestamp, Version,
};
use crate::path::Path;
use crate::refusal::Fault;
use crate::transform::layout::Layout;
use crate::transform::spec::{self, Spec};

impl Operation {
    /// Reads the operation called `name`, which has a place of its own for when it is unknown.
    pub(in crate::transform) fn parse(
        name: &str,
        name_place: String,
        spec: &Spec<'_>,
    ) -> Result<Self, Fault> {
        Ok(match name {
            "shift" => Self::Shift(entries(spec, shift)?),
            "concat" => concat(spec)?,
            "coalesce" => coalesce(spec)?,
            "default" => Self::Default(entries(spec, |target, value, place| {
                Ok((spec::target(target, place)?, value.clone()))
            })?),
            "delete" => {
                Self::Delete(spec::paths(spec.need("paths")?, &spec.at("paths"), spec::single)?)
            }
            "extract" => Self::Extract(path(spec)?),
            "pass" => Self::Pass,
            "timestamp" => Self::Timestamp(entries(spec, timestamp)?),
            "uuid" => Self::Uuid(entries(spec, |target, value, place| {
                let version = version(&Spec::read(value, place.clone())?)?;
                Ok((spec::target(target, place)?, version))
            })?),
            "remove_characters" => edit(spec, Edit::Remove(characters(spec)?))?,
            "add_prefix" => edit(spec, Edit::Prefix(affix(spec, "prefix")?))?,
            "add_suffix" => edit(spec, Edit::Suffix(affix(spec, "suffix")?))?,
            "to_uppercase" => edit(spec, Edit::Uppercase)?,
            "to_lowercase" => edit(spec, Edit::Lowercase)?,
            _ => {
                let known = OPERATIONS.join(", ");
                let message = format!("there is no operation {name:?}; use one of {known}");
                return Err(Fault { path: name_place, message });
            }
        })
    }
}

/// Reads a spec whose members are named by paths.
fn entries<T>(
    spec: &Spec<'_>,
    parse: impl Fn(&str, &Value, String) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    spec.members.iter().map(|(path, value)| parse(path, value, spec.at_path(path))).collect()
}

fn path(spec: &Spec<'_>) -> Result<Path, Fault> {
    spec::source(spec.need_text("path")?, spec.at("path"))
}

fn shift(target: &str, value: &Value, place: String) -> Result<Shift, Fault> {
    let source = |text: &str, place| match text {
        "$" => Ok(Source::Document),
        path => spec::source(path, place).map(Source::Path),
    };
    let (sources, is_wrapped) = match value {
        Value::String(text) => (vec![source(text, place.clone())?], false),
        Value::Array(items) if items.is_empty() => {
            return Err(Fault { path: place, message: "names no source".to_owned() });
        }
        Value::Array(_) => (spec::paths(value, &place, source)?, true),
        other => return Err(spec::expected(place, "a path or an array of paths", other)),
    };
    Ok(Shift { target: spec::target(target, place)?, sources, is_wrapped })
}

fn concat(spec: &Spec<'_>) -> Result<Operation, Fault> {
    let mut sources = Vec::new();
    for (idx, item) in spec.need_items("sources")?.iter().enumerate() {
        sources.push(piece(&Spec::read(item, format!("{}[{idx}]", spec.at("sources")))?)?);
    }
    let target = spec::target(spec.need_text("targetPath")?, spec.at("targetPath"))?;
    let delimiter = spec.optional_text("delim")?.unwrap_or_default().to_owned();
    Ok(Operation::Concat { sources, target, delimiter })
}

fn piece(source: &Spec<'_>) -> Result<Piece, Fault> {
    match (source.members.contains_key("path"), source.members.contains_key("value")) {
        (true, false) => path(source).map(Piece::Path),
        (false, true) => Ok(Piece::Text(source.need_text("value")?.to_owned())),
        _ => Err(Fault {
            path: source.place.clone(),
            message: "must have either a `path` or a `value`".to_owned(),
        }),
    }
}

fn coalesce(spec: &Spec<'_>) -> Result<Operation, Fault> {
    let mut choices = Vec::new();
    for (target, paths) in spec.members.iter().filter(|(name, _)| *name != "ignore") {
        let place = spec.at_path(target);
        let paths = spec::paths(paths, &place, spec::source)?;
        choices.push((spec::target(target, place)?, paths));
    }
    let ignore = match spec.optional("ignore") {
        Some(value) => spec::items(value, spec.at("ignore"))?.to_vec(),
        None => Vec::new(),
    };
    Ok(Operation::Coalesce { choices, ignore })
}

fn timestamp(path: &str, value: &Value, place: String) -> Result<Timestamp, Fault> {
    let spec = Spec::read(value, place.clone())?;
    let to = time_format(&spec, "outputFormat")?;
    if spec.need_text("inputFormat")? == "$now" {
        return Ok(Timestamp::Now { target: spec::target(path, place)?, to });
    }
    let from = time_format(&spec, "inputFormat")?;
    Ok(Timestamp::Rewrite { path: spec::source(path, place)?, from, to })
}

fn time_format(spec: &Spec<'_>, name: &str) -> Result<TimeFormat, Fault> {
    let text = spec.need_text(name)?;
    if text == "$unix" {
        return Ok(TimeFormat::Unix);
    }
    Layout::parse(text).map(TimeFormat::Layout).ok_or_else(|| Fault {
        path: spec.at(name),
        message: format!(
            "{text:?} shows no part of a time; write how 2006-01-02T15:04:05Z07:00 would look"
        ),
    })
}

fn version(spec: &Spec<'_>) -> Result<Version, Fault> {
    let hash = match spec.need("version")?.as_u64() {
        Some(3) => Hash::Md5,
        Some(4) => return Ok(Version::Random),
        Some(5) => Hash::Sha1,
        _ => {
            let message = "must be the number 3, 4 or 5".to_owned();
            return Err(Fault { path: spec.at("version"), message });
        }
    };
    let namespace = match spec.need_text("namespace")? {
        "DNS" => Uuid::NAMESPACE_DNS,
        "URL" => Uuid::NAMESPACE_URL,
        "OID" => Uuid::NAMESPACE_OID,
        "X500" => Uuid::NAMESPACE_X500,
        text => Uuid::parse_str(text).map_err(|_| Fault {
            path: spec.at("namespace"),
            message: "must be DNS, URL, OID, X500 or a UUID".to_owned(),
        })?,
    };
    let mut names = Vec::new();
    for (idx, item) in spec.need_items("names")?.iter().enumerate() {
        let name = Spec::read(item, format!("{}[{idx}]", spec.at("names")))?;
        names.push((path(&name)?, name.optional("default").cloned()));
    }
    if names.is_empty() {
        let message = "names nothing that the UUID could be made of".to_owned();
        return Err(Fault { path: spec.at("names"), message });
    }
    Ok(Version::Named { hash, namespace, names })
}

fn edit(spec: &Spec<'_>, edit: Edit) -> Result<Operation, Fault> {
    Ok(Operation::Text { path: path(spec)?, edit })
}

fn characters(spec: &Spec<'_>) -> Result<BTreeSet<char>, Fault> {
    let characters = spec.need_text("characters")?;
    if characters.trim().is_empty() {
        let message = "must hold a character that is not a space".to_owned();
        return Err(Fault { path: spec.at("characters"), message });
    }
    Ok(characters.chars().collect())
}

fn affix(spec: &Spec<'_>, name: &str) -> Result<String, Fault> {
    let affix = spec.need_text(name)?;
    if affix.is_empty() {
        return Err(Fault { path: spec.at(name), message: "is empty".to_owned() });
    }
    Ok(affix.to_owned())
}
