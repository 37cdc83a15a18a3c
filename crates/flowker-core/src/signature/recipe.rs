//! A scheme as a recipe: where the parts of a signature are found, what is signed, and how.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};

use super::encoding::Encoding;
use super::secret::Secret;
use super::{CANDIDATES_MAX, Request, SignatureError, Verified, same_bytes};

/// The most digits of a timestamp: enough for 30,000 years, and far from any overflow.
const TIMESTAMP_DIGITS_MAX: usize = 12;

/// One scheme that signs with HMAC.
///
/// Invariant: `message` holds [`Part::Id`] only if every family names a header for it, and
/// [`Part::Timestamp`] exactly if `tolerance_seconds` is set and the layout or every family has it.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// Header names, most preferred first. All are read from one family, never from a mix.
    pub families: Vec<Family>,
    pub layout: Layout,
    pub message: Vec<Part>,
    pub algorithm: Algorithm,
    pub encoding: Encoding,
    /// How far the timestamp may be from now, either way; `None` if none is signed.
    pub tolerance_seconds: Option<u64>,
}

/// The headers of a scheme, in lower case.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub signature: String,
    pub timestamp: Option<String>,
    pub id: Option<String>,
}

/// How the signature's header is written.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    /// One signature after a prefix, which may be empty: `sha256=<signature>`.
    One { prefix: String },
    /// Any number, separated by spaces: `v1,<signature> v1a,<other>`.
    Versions,
    /// Pairs of names and values, the timestamp among them: `t=<timestamp>,v1=<signature>`.
    Pairs { separator: char, timestamp: &'static str, signature: &'static str },
}

/// A piece of the bytes that are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(String),
    Id,
    Timestamp,
    Method,
    Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha256,
    Sha512,
}

/// What the signature's header says.
struct Offer<'a> {
    /// Signatures as text. The length of the header bounds how many.
    candidates: Vec<&'a str>,
    timestamp: Option<&'a [u8]>,
}

impl Recipe {
    pub(super) fn verify(
        &self,
        secrets: &[Secret],
        request: &Request<'_>,
    ) -> Result<Verified, SignatureError> {
        let family = self.family(request)?;
        let offer = self.offer(&family.signature, request)?;
        let timestamp = match &family.timestamp {
            Some(header) => Some(request.required(header)?),
            None => offer.timestamp,
        };
        if let (Some(text), Some(tolerance)) = (timestamp, self.tolerance_seconds) {
            check_timestamp(text, request.now_unix_seconds, tolerance)?;
        }
        let delivery_id = match &family.id {
            Some(header) if self.message.contains(&Part::Id) => {
                Some(request.signed_id(header)?.to_owned())
            }
            Some(header) => request.unsigned_id(header)?,
            None => None,
        };
        let offered = self.decode(&offer.candidates)?;
        let id = delivery_id.as_deref().unwrap_or_default().as_bytes();
        let message = self.message(request, id, timestamp.unwrap_or_default());
        let is_signed = secrets.iter().any(|secret| {
            let expected = self.algorithm.mac(secret.key(), &message);
            offered.iter().any(|mac| same_bytes(&expected, mac))
        });
        if !is_signed {
            return Err(SignatureError::Mismatch);
        }
        Ok(Verified { delivery_id })
    }

    /// The first family of which the request carries any header; if none, the first, so that what
    /// is missing is reported under the scheme's own name.
    fn family(&self, request: &Request<'_>) -> Result<&Family, SignatureError> {
        for family in &self.families {
            let names = [Some(&family.signature), family.timestamp.as_ref(), family.id.as_ref()];
            for name in names.into_iter().flatten() {
                if request.header(name)?.is_some() {
                    return Ok(family);
                }
            }
        }
        Ok(&self.families[0])
    }

    fn offer<'a>(&self, header: &str, request: &Request<'a>) -> Result<Offer<'a>, SignatureError> {
        let malformed = || SignatureError::HeaderMalformed { header: header.to_owned() };
        let value = request.required(header)?;
        let text = str::from_utf8(value).map_err(|_| malformed())?;
        let offer = self.layout.read(text).ok_or_else(malformed)?;
        match offer.candidates.len() {
            0 => Err(SignatureError::NoCandidate { header: header.to_owned() }),
            1..=CANDIDATES_MAX => Ok(offer),
            _ => Err(SignatureError::TooManyCandidates),
        }
    }

    /// The candidates that decode to a whole MAC. One that does not is no reason to refuse the
    /// others: it may be of a format that a newer sender adds.
    fn decode(&self, candidates: &[&str]) -> Result<Vec<Vec<u8>>, SignatureError> {
        let macs: Vec<Vec<u8>> = candidates
            .iter()
            .filter_map(|text| self.encoding.decode(text))
            .filter(|mac| mac.len() == self.algorithm.mac_bytes())
            .collect();
        if macs.is_empty() {
            return Err(SignatureError::SignatureMalformed);
        }
        Ok(macs)
    }

    fn message<'a>(
        &'a self,
        request: &Request<'a>,
        id: &'a [u8],
        timestamp: &'a [u8],
    ) -> Vec<&'a [u8]> {
        let bytes = |part: &'a Part| match part {
            Part::Text(text) => text.as_bytes(),
            Part::Id => id,
            Part::Timestamp => timestamp,
            Part::Method => request.method.as_bytes(),
            Part::Body => request.body,
        };
        self.message.iter().map(bytes).collect()
    }
}

impl Layout {
    /// Takes the header's text apart; `None` if it cannot be.
    fn read<'a>(&self, text: &'a str) -> Option<Offer<'a>> {
        match self {
            Self::One { prefix } => {
                let candidates = text.strip_prefix(prefix.as_str()).into_iter().collect();
                Some(Offer { candidates, timestamp: None })
            }
            Self::Versions => {
                let candidates = text.split(' ').filter_map(|entry| entry.strip_prefix("v1,"));
                Some(Offer { candidates: candidates.collect(), timestamp: None })
            }
            Self::Pairs { separator, timestamp, signature } => {
                let mut offer = Offer { candidates: Vec::new(), timestamp: None };
                for pair in text.split(*separator) {
                    let (name, value) = pair.split_once('=')?;
                    if name == *signature {
                        offer.candidates.push(value);
                    } else if name == *timestamp
                        && offer.timestamp.replace(value.as_bytes()).is_some()
                    {
                        // Of two timestamps nobody can say which one was signed.
                        return None;
                    }
                }
                offer.timestamp.is_some().then_some(offer)
            }
        }
    }
}

impl Algorithm {
    const fn mac_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn mac(self, key: &[u8], message: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(key, message),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, message),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], message: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in message {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn check_timestamp(text: &[u8], now: i64, tolerance_seconds: u64) -> Result<(), SignatureError> {
    let is_number =
        (1..=TIMESTAMP_DIGITS_MAX).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if !is_number {
        return Err(SignatureError::TimestampMalformed);
    }
    let seconds = text.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
    let seconds_away = now.abs_diff(seconds);
    if tolerance_seconds < seconds_away {
        return Err(SignatureError::TimestampOutOfTolerance { seconds_away });
    }
    Ok(())
}
