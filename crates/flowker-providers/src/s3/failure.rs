//! What S3 says of a request that it did not carry out.

use flowker_core::ports::{CallFailure, FailureKind};

use crate::client::{Answer, SendError};

/// How much of an answer is searched for its code, in bytes.
const SEARCHED_BYTES_MAX: usize = 4096;

/// The codes that are told, and what they mean where that is not what their status means. A code
/// that is not among them is not repeated: nothing of an answer is, but what is known here.
const CODES: &[(&str, Option<FailureKind>)] = &[
    ("AccessDenied", None),
    ("AuthorizationHeaderMalformed", None),
    ("BadDigest", None),
    ("ConditionalRequestConflict", Some(FailureKind::Transient)),
    ("EntityTooLarge", None),
    ("ExpiredToken", None),
    ("InternalError", Some(FailureKind::Transient)),
    ("InvalidAccessKeyId", None),
    ("InvalidBucketName", None),
    ("InvalidObjectState", None),
    ("InvalidRequest", None),
    ("KeyTooLongError", None),
    ("MethodNotAllowed", None),
    ("NoSuchBucket", None),
    ("NoSuchKey", None),
    ("NoSuchVersion", None),
    ("OperationAborted", Some(FailureKind::Transient)),
    ("PermanentRedirect", None),
    ("PreconditionFailed", None),
    ("RequestTimeTooSkewed", None),
    ("RequestTimeout", Some(FailureKind::Transient)),
    ("ServiceUnavailable", Some(FailureKind::Transient)),
    ("SignatureDoesNotMatch", None),
    ("SlowDown", Some(FailureKind::Transient)),
    ("TemporaryRedirect", Some(FailureKind::Transient)),
];

/// The failure that an answer means.
pub(super) fn of_answer(answer: &Answer) -> CallFailure {
    let mut failure = CallFailure::from(SendError::status(answer.status, &answer.headers));
    let Some((code, kind)) = code(&answer.body) else { return failure };
    failure.message = format!("{} ({code})", failure.message);
    failure.kind = kind.unwrap_or(failure.kind);
    failure
}

/// The code in an error document: `<Error><Code>NoSuchKey</Code>…`.
fn code(body: &[u8]) -> Option<&'static (&'static str, Option<FailureKind>)> {
    let text = String::from_utf8_lossy(&body[..body.len().min(SEARCHED_BYTES_MAX)]);
    let (_, rest) = text.split_once("<Code>")?;
    let (found, _) = rest.split_once("</Code>")?;
    CODES.iter().find(|(code, _)| *code == found.trim())
}
