//! Page cursors: opaque to callers, signed so that nobody can make one up.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flowker_core::json;
use flowker_core::ports::Direction;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;
use uuid::Uuid;

/// How much of the HMAC-SHA-256 travels, in bytes. 128 bits: nobody guesses that online.
const TAG_BYTES: usize = 16;

/// A place in a list: behind which item, and in which order the list ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which list. A cursor of one is worth nothing in another.
    pub list: List,
    /// By what the list was sorted.
    pub sort_by: String,
    /// Which way.
    pub direction: Direction,
    /// The item's sort value; `None` for a moment that has not come.
    pub value: Option<String>,
    /// The item's id.
    pub id: Uuid,
}

/// The lists that have cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum List {
    Workflows,
    ProviderConfigs,
    ApiKeys,
    Executions,
    AuditEvents,
}

impl List {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Workflows => "workflows",
            Self::ProviderConfigs => "provider-configurations",
            Self::ApiKeys => "api-keys",
            Self::Executions => "executions",
            Self::AuditEvents => "audit-events",
        }
    }
}

/// The word for a direction in queries and cursors.
pub(crate) const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ascending => "ASC",
        Direction::Descending => "DESC",
    }
}

/// Reads a direction, in any case of letters.
pub(crate) fn read_direction(text: &str) -> Option<Direction> {
    let directions = [Direction::Ascending, Direction::Descending];
    directions.into_iter().find(|it| direction_word(*it).eq_ignore_ascii_case(text))
}

/// The cursor for a place.
pub(crate) fn seal(place: &Place, key: &[u8; 32]) -> String {
    let mut members = Map::from_iter([
        ("list".to_owned(), Value::from(place.list.as_str())),
        ("by".to_owned(), place.sort_by.as_str().into()),
        ("order".to_owned(), direction_word(place.direction).into()),
        ("id".to_owned(), place.id.to_string().into()),
    ]);
    if let Some(value) = &place.value {
        members.insert("value".to_owned(), value.as_str().into());
    }
    let text = json::to_bytes(&Value::Object(members));
    let mut bytes = mac(&text, key).finalize().into_bytes()[..TAG_BYTES].to_vec();
    bytes.extend(text);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor of `list` stands for; `None` if we did not make it.
pub(crate) fn open(cursor: &str, list: List, key: &[u8; 32]) -> Option<Place> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (tag, text) = bytes.split_at_checked(TAG_BYTES)?;
    mac(text, key).verify_truncated_left(tag).ok()?;
    let document = json::parse(text).ok()?;
    let member = |name: &str| document.get(name).and_then(Value::as_str);
    if member("list")? != list.as_str() {
        return None;
    }
    Some(Place {
        list,
        sort_by: member("by")?.to_owned(),
        direction: read_direction(member("order")?)?,
        value: member("value").map(str::to_owned),
        id: Uuid::try_parse(member("id")?).ok()?,
    })
}

fn mac(text: &[u8], key: &[u8; 32]) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn place(value: Option<&str>) -> Place {
        Place {
            list: List::Workflows,
            sort_by: "name".to_owned(),
            direction: Direction::Ascending,
            value: value.map(str::to_owned),
            id: Uuid::from_u128(42),
        }
    }

    #[test]
    fn a_place_comes_back_as_it_went() {
        for value in [None, Some(""), Some("Größe \"7\"")] {
            let cursor = seal(&place(value), &KEY);
            assert_eq!(open(&cursor, List::Workflows, &KEY), Some(place(value)), "{value:?}");
        }
    }

    #[test]
    fn what_was_changed_cut_or_made_for_another_list_is_refused() {
        let cursor = seal(&place(Some("a")), &KEY);
        assert_eq!(open(&cursor, List::Executions, &KEY), None);
        assert_eq!(open(&cursor, List::Workflows, &[8; 32]), None);
        assert_eq!(open(&format!("{cursor}A"), List::Workflows, &KEY), None);
        for idx in 0..cursor.len() {
            assert_eq!(open(&cursor[..idx], List::Workflows, &KEY), None, "cut at {idx}");
            let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
            let byte = idx % bytes.len();
            bytes[byte] ^= 1;
            let changed = URL_SAFE_NO_PAD.encode(bytes);
            assert_eq!(open(&changed, List::Workflows, &KEY), None, "changed at {byte}");
        }
    }
}
