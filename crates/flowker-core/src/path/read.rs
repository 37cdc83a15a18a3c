//! Reading many values through one path, and changing what is there.

use std::borrow::Cow;

use serde_json::Value;

use super::{Path, PathError, Scope, Segment};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// The value; of a path with `[*]` an array with one entry for each element.
    pub value: Cow<'a, Value>,
    /// Whether every element that `[*]` went through had the rest of the path. Where one had not,
    /// its entry is null.
    pub is_complete: bool,
}

impl Path {
    /// Reads a path that is going to be read: one without `[+]` and `[-]`.
    pub fn parse_source(text: &str) -> Result<Self, PathError> {
        let path = Self::parse(text)?;
        if path.rest.iter().any(|it| matches!(it, Segment::Append | Segment::Prepend)) {
            return Err(PathError::WriteOnly(text.to_owned()));
        }
        Ok(path)
    }

    /// Reads a path to one existing member: one of keys and numbers.
    pub fn parse_single(text: &str) -> Result<Self, PathError> {
        let path = Self::parse(text)?;
        if path.is_single() { Ok(path) } else { Err(PathError::NotSingle(text.to_owned())) }
    }

    /// What the path leads to. `None` if it is missing: a key or an index is not there, or
    /// something else than an array stands before an index.
    ///
    /// A path without `[*]` borrows, one with it collects copies, which together are never larger
    /// than the scope plus a null for each element.
    pub fn read<'a>(&self, scope: &'a (impl Scope + ?Sized)) -> Option<Found<'a>> {
        read(scope.member(&self.root)?, &self.rest)
    }

    /// Calls `change` on each value that the path leads to, until it fails.
    pub fn change<E>(
        &self,
        document: &mut Value,
        change: &mut impl FnMut(&mut Value) -> Result<(), E>,
    ) -> Result<(), E> {
        match document.get_mut(&self.root) {
            Some(value) => change_each(value, &self.rest, change),
            None => Ok(()),
        }
    }

    /// Removes the one member that the path leads to, and says whether there was one. Of an array
    /// the later elements move up. A path that is not [single](Self::is_single) removes nothing.
    pub fn remove(&self, document: &mut Value) -> bool {
        let Some((last, between)) = self.rest.split_last() else {
            return remove_key(document, &self.root);
        };
        let root = document.get_mut(&self.root);
        let parent = between.iter().try_fold(root, |value, segment| {
            let value = value?;
            match segment {
                Segment::Key(key) => Some(value.get_mut(key)),
                Segment::Index(index) => Some(value.get_mut(index)),
                Segment::Each | Segment::Append | Segment::Prepend => None,
            }
        });
        match (parent.flatten(), last) {
            (Some(parent), Segment::Key(key)) => remove_key(parent, key),
            (Some(Value::Array(items)), Segment::Index(index)) if *index < items.len() => {
                items.remove(*index);
                true
            }
            _ => false,
        }
    }
}

fn read<'a>(value: &'a Value, segments: &[Segment]) -> Option<Found<'a>> {
    let Some((first, rest)) = segments.split_first() else {
        return Some(Found { value: Cow::Borrowed(value), is_complete: true });
    };
    match first {
        Segment::Key(key) => read(value.get(key)?, rest),
        Segment::Index(index) => read(value.get(index)?, rest),
        Segment::Each => {
            let items = value.as_array()?;
            let mut is_complete = true;
            let mut collected = Vec::with_capacity(items.len());
            for item in items {
                let found = read(item, rest);
                is_complete &= found.as_ref().is_some_and(|it| it.is_complete);
                collected.push(found.map_or(Value::Null, |it| it.value.into_owned()));
            }
            Some(Found { value: Cow::Owned(Value::Array(collected)), is_complete })
        }
        Segment::Append | Segment::Prepend => None,
    }
}

fn change_each<E>(
    value: &mut Value,
    segments: &[Segment],
    change: &mut impl FnMut(&mut Value) -> Result<(), E>,
) -> Result<(), E> {
    let Some((first, rest)) = segments.split_first() else {
        return change(value);
    };
    match (first, value) {
        (Segment::Each, Value::Array(items)) => {
            items.iter_mut().try_for_each(|item| change_each(item, rest, change))
        }
        (Segment::Key(key), value) => match value.get_mut(key) {
            Some(member) => change_each(member, rest, change),
            None => Ok(()),
        },
        (Segment::Index(index), value) => match value.get_mut(index) {
            Some(element) => change_each(element, rest, change),
            None => Ok(()),
        },
        (Segment::Each | Segment::Append | Segment::Prepend, _) => Ok(()),
    }
}

fn remove_key(value: &mut Value, key: &str) -> bool {
    value.as_object_mut().is_some_and(|members| members.remove(key).is_some())
}
