//! What a store keeps of an import, so that an interrupted one is neither served nor begun anew.

use super::Digest;

/// What a store holds, as far as an export or an import has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// No record.
    Nothing,
    /// A part of this archive: its import was not finished.
    Part(Digest),
    /// Records, all of them whole.
    Records,
}

/// Whether an import may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportBegun {
    /// The store was empty. It may.
    Now,
    /// An import of the same archive was interrupted. It may go on.
    Before,
    /// The same archive was imported whole. There is nothing to do.
    Finished,
    /// The store holds something else. Nothing may be written.
    NotEmpty,
}

/// The last import into a store. Kept beside the shared values, and no record itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportMark {
    /// Of which archive.
    pub digest: Digest,
    /// Whether it was finished.
    pub is_finished: bool,
}

impl ImportMark {
    /// The name among the shared values that is taken by the mark.
    pub const NAME: &str = "archive_import";

    /// Reads one that was stored. `None` if it is none of ours.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (state, digest) = bytes.split_first()?;
        let digest = Digest::from_bytes(digest.try_into().ok()?);
        match state {
            0 => Some(Self { digest, is_finished: false }),
            1 => Some(Self { digest, is_finished: true }),
            _ => None,
        }
    }

    /// For storing.
    pub fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.is_finished)];
        bytes.extend_from_slice(self.digest.as_bytes());
        bytes
    }

    /// What a store with this mark holds. `is_empty` says whether it has no record.
    pub fn contents(mark: Option<Self>, is_empty: bool) -> Contents {
        match mark {
            Some(Self { digest, is_finished: false }) => Contents::Part(digest),
            None if is_empty => Contents::Nothing,
            Some(_) | None => Contents::Records,
        }
    }

    /// Whether the archive `digest` may be imported into a store with this mark. Answered
    /// [`ImportBegun::Now`], the store has to keep a mark that is not finished.
    pub fn begin(mark: Option<Self>, is_empty: bool, digest: Digest) -> ImportBegun {
        match mark {
            Some(mark) if mark.digest != digest => ImportBegun::NotEmpty,
            Some(Self { is_finished: false, .. }) => ImportBegun::Before,
            Some(_) => ImportBegun::Finished,
            None if is_empty => ImportBegun::Now,
            None => ImportBegun::NotEmpty,
        }
    }
}
