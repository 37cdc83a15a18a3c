//! The bucket that a configuration names, and requests to it that are signed.

use std::fmt;
use std::time::Duration;

use flowker_core::ports::{Call, CallFailure};
use rusty_s3::{Bucket, BucketError, Credentials, S3Action, UrlStyle};
use serde_json::{Map, Value};
use url::Url;

use super::permanent;
use crate::caller::{base_url, text};

/// How long a signature is good for: longer than the longest call, and no longer than Amazon lets
/// the two clocks differ.
const SIGNED_FOR: Duration = Duration::from_mins(15);

/// A bucket, and the credentials for it.
pub(super) struct Target {
    bucket: Bucket,
    credentials: Credentials,
}

impl fmt::Debug for Target {
    /// Leaves out the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// A request that is signed.
pub(super) struct Signed {
    /// With the signature in its query.
    pub(super) url: Url,
    /// Without: what may be stored and shown.
    pub(super) shown_url: Url,
    /// What has to be sent as it stands, in lower case.
    pub(super) headers: Vec<(String, String)>,
}

impl Signed {
    /// Whether a header is among those that are signed.
    pub(super) fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name))
    }
}

impl Target {
    /// Reads what a configuration says.
    pub(super) fn read(config: &Map<String, Value>) -> Result<Self, CallFailure> {
        let required = |member: &str| {
            let missing = || permanent(format!("the provider configuration has no {member}"));
            text(config, member).map(str::to_owned).ok_or_else(missing)
        };
        let (region, name) = (required("region")?, required("bucket")?);
        let (key, secret) = (required("access_key_id")?, required("secret_access_key")?);
        let own = text(config, "endpoint");
        let amazons = format!("https://s3.{region}.amazonaws.com");
        let endpoint = base_url(own.unwrap_or(&amazons)).ok_or_else(|| {
            permanent("the provider configuration's endpoint is no absolute http or https URL")
        })?;
        let is_path_style = config.get("path_style").and_then(Value::as_bool);
        let is_path_style = is_path_style.unwrap_or(own.is_some());
        let style = if is_path_style { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let bucket = Bucket::new(endpoint, style, name, region).map_err(|error| match error {
            BucketError::ParseError(_) => permanent(
                "the provider configuration's bucket cannot stand in a host's name; set path_style",
            ),
            BucketError::UnsupportedScheme | BucketError::MissingHost => {
                permanent("the provider configuration's endpoint is no absolute http or https URL")
            }
        })?;
        let credentials = match text(config, "session_token") {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        };
        Ok(Self { bucket, credentials })
    }

    /// Where the bucket is.
    pub(super) const fn address(&self) -> &Url {
        self.bucket.base_url()
    }

    /// A request that writes an object.
    pub(super) fn put(&self, key: &str, content_type: &str, call: &Call) -> Signed {
        let mut action = self.bucket.put_object(Some(&self.credentials), key);
        let content_type = ("content-type".to_owned(), content_type.to_owned());
        self.sign(&mut action, key, call, vec![content_type])
    }

    /// A request that reads an object.
    pub(super) fn get(&self, key: &str, call: &Call) -> Signed {
        let mut action = self.bucket.get_object(Some(&self.credentials), key);
        self.sign(&mut action, key, call, Vec::new())
    }

    /// A request for the first key of the bucket: the smallest that only its readers may make.
    pub(super) fn signed_list(&self) -> Url {
        // No key: the bucket itself.
        let mut action = self.bucket.get_object(Some(&self.credentials), "");
        action.query_mut().insert("list-type", "2");
        action.query_mut().insert("max-keys", "1");
        action.sign(SIGNED_FOR)
    }

    /// Signs an action with the node's query, those of the node's headers that S3 wants to be signed,
    /// and `headers`.
    fn sign<'a>(
        &self,
        action: &mut impl S3Action<'a>,
        key: &str,
        call: &Call,
        mut headers: Vec<(String, String)>,
    ) -> Signed {
        let own = call.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
        let own = own.filter(|(name, _)| name.starts_with("x-amz-"));
        headers.extend(own.map(|(name, value)| (name, value.trim().to_owned())));
        for (name, value) in &headers {
            action.headers_mut().insert(name.clone(), value.clone());
        }
        for (name, value) in &call.query {
            action.query_mut().insert(name.clone(), value.clone());
        }
        let url = action.sign(SIGNED_FOR);
        Signed { url, shown_url: self.bucket.object_url(key), headers }
    }
}
