//! Members of a record: they have to be there, and have types of the domain.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::id::IdError;
use crate::members::Members;
use crate::time::Timestamp;

/// The members of one object of a record.
pub(super) struct Fields<'f>(pub(super) Members<'f>);

impl Fields<'_> {
    /// Whether a member is there. If not, it is at fault.
    pub(super) fn needed(&mut self, name: &str) -> Option<()> {
        if self.0.has(name) {
            return Some(());
        }
        self.0.fault(name, "is missing");
        None
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.needed(name)?;
        self.0.string(name)
    }

    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        self.needed(name)?;
        self.0.object(name)
    }

    pub(super) fn nested(&mut self, name: &str) -> Option<Fields<'_>> {
        self.needed(name)?;
        self.0.nested(name).map(Fields)
    }

    pub(super) fn moment(&mut self, name: &str) -> Option<Timestamp> {
        self.needed(name)?;
        self.0.integer(name).map(Timestamp::from_micros)
    }

    /// A number of a type that does not hold every integer.
    pub(super) fn number<T: TryFrom<i64>>(&mut self, name: &str) -> Option<T> {
        self.needed(name)?;
        let integer = self.0.integer(name)?;
        self.known(name, T::try_from(integer).ok(), &format!("must not be {integer}"))
    }

    pub(super) fn id<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, IdError>,
    ) -> Option<T> {
        let text = self.text(name)?;
        self.known(name, parse(&text).ok(), &format!("must be a UUID, not {text:?}"))
    }

    /// An id that may be absent.
    pub(super) fn optional_id<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, IdError>,
    ) -> Option<T> {
        if self.0.has(name) { self.id(name, parse) } else { None }
    }

    /// One of a closed set of words.
    pub(super) fn word<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        self.known(name, parse(&text), &format!("must be another word than {text:?}"))
    }

    pub(super) fn bytes(&mut self, name: &str) -> Option<Vec<u8>> {
        let text = self.text(name)?;
        self.known(name, STANDARD.decode(text).ok(), "must be base64")
    }

    /// The value, or a fault if there is none.
    pub(super) fn known<T>(&mut self, name: &str, value: Option<T>, message: &str) -> Option<T> {
        if value.is_none() {
            self.0.fault(name, message);
        }
        value
    }
}

/// An object under construction.
///
/// Not through `json!`: that would serialize every value once more, and write `1E+5` anew.
#[derive(Default)]
pub(super) struct Object(Map<String, Value>);

impl Object {
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(super) fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn with_moment(self, name: &str, moment: Timestamp) -> Self {
        self.with(name, moment.as_micros())
    }

    pub(super) fn with_bytes(self, name: &str, bytes: &[u8]) -> Self {
        self.with(name, STANDARD.encode(bytes))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}
