//! Tokens of an issuer that the tests are themselves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flowker_core::ports::{Clock, TokenError, TokenVerifier as _};
use flowker_core::time::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
    RsaPublicKeyComponents,
};
use serde_json::{Value, json};

use crate::access::{IssuerTokens, SigningAlgorithm, TokenSettings};
use crate::downstream::{Downstream, Reply, client};

/// Made for these tests and used nowhere else, since ring makes no RSA keys. PKCS #1.
const RSA_KEY: &str = "\
    MIIEpAIBAAKCAQEAwVNLB2podCIH3L0Ez694IcjQ9XIjtV4GIViI/SfvMof+r4hH3eCefm4jLF/pIJbSvbZIdukAlsWg\
    YIFVl2A4e/LCO+D7QQeGUr01sG9fuXEa6BBMbZNNmCqvUaWKlSL/ca01YyL56Yw0NIILIvHk5OBIi3DUFSfkjSOkJEcr\
    I5+D+cdbTxKcZSYC9fwxrAkrFKyB1Z0OknOjvRpHRgcCLm9WPC2oJ9KxH+4azGMd9MQobZxcqzfXfar/uqzAFHnfjKph\
    OnHrVGR59Hjfb8MBHSRNRNcdID0jSYBurLiXL7ztCnDFxIrWJ8kEKEZsOOiDdm2P+d9YgMqVkdkePJ3vCQIDAQABAoIB\
    ABOavJisitnfAxTYgqrEcJ5dcMo5GEOpvJ2oTqD8ahph1dsLSv1mLDBmPxEei0Oro8SK/ft3+qAve4lZyDoU7vlrx1Re\
    5t/D8XRFvXJuQuLpZDj9ASEZ/1QDXRq+mqhvv39xuQCcAQOU3QznlJVHOibXEyg3yXv5OwkwgHJQ2MAwfQeJYMKc9+dh\
    4enmiCKCBP0xGlSzrKU3GzgQqsBJDPeF+HU5pZ4l5twqQ5j2E/IKWSbjZJnK8GKxaexSzTVuvA/JZ9UP8IYJVoCDtrFS\
    C+pyLAbm6aJxDk40sGiFNsTXjIr+oUO4/7pEJ5rr1UNdwCEl0/jSrJQH1yN2ihSiMSECgYEA/VOJ0FMnUvnqGo0n83cx\
    crvLcHsGk3kn/QyRpvcwYxUyVQDFhniFK+9PoYWXTOFwWE7ErYacdl/7+CLa3tBYRMTnPgfrXsS3BPTDq2RR0zRDYr1V\
    4HxE5bV7gIRXenvBRCJXU0aqL1UOFHYOj7nYe1VFk0TCNJZWNRfhGLiIxWECgYEAw12jaZPrnRIz9NwfN1zdK7sdzbSg\
    4KbaJPsaeuqXsGpUla0iJ/soZ+NRnHOBp5M7WGQKzjxs4PHbA+LPVOFPXx8WspDTrDYVxxdIkYvTR/Cgm5lFDrEMsKWj\
    Oq32Y/y7A1N/Gzhrn+TONgHGOEXDbgicYrP2VItgJu9Xq5CU4qkCgYEA43GSpZlTEDvUBVzBBuX4XpPflzDN+bBox9j2\
    GNuM9Rj95LXZot8oagbmDxZbfqpV7ONj0Iywg9Ov7dyVeEHFTpEfMWF44NBrpiaAW6ypjqA49DkcFn5ceYWUyhGIXS8p\
    mZvfnaQvfmm2R4arkj2A8VLhMdUlLIPiCK9U6ZYdLmECgYEAsbEBaI25x2s/Bn8PhXNZVuUh/m9DxBD+aJRbSWEGBtcv\
    h9OpNWQjJBqFqB8G1jv7xjF4AozDGvXflnE80p77ajEEm/VOEVxAAo0S3A6pZM1fxyZowSwXtrNw+3YunFLKZgQTn9Z5\
    TTz2sfh7KcOKNRJv6vZ0HgGGuuMGgm1GfcECgYB+WlbXxJM/+zP1g0bqRfSpyVOuKUlWiWkgo+qn73iYLX9tmd/ozLw3\
    qkfYoc1s3BUrUWJss7y/+l3z71VBR2gYQZwX+x4rXqbb3ooEGycxDbPSheVHeyjH7e23vioOnArqLvg0SVqklUrN7sbQ\
    xrTj5HoADUhLhXZ92y7DTQo2Rg==";

/// 2030-01-01, in seconds since 1970.
const NOW: i64 = 1_893_456_000;

#[derive(Debug)]
struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(NOW * 1_000_000)
    }
}

/// A key that signs.
enum Key {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    fn rsa() -> Self {
        let bytes = STANDARD.decode(RSA_KEY).expect("base64");
        Self::Rsa(RsaKeyPair::from_der(&bytes).expect("a key"))
    }

    fn p256() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let bytes = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, bytes.as_ref(), &random);
        Self::P256(pair.expect("a key"))
    }

    fn ed25519() -> Self {
        let bytes = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(bytes.as_ref()).expect("a key"))
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    fn jwk(&self, id: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match self {
            Self::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({"kty": "RSA", "n": text(&public.n), "e": text(&public.e)})
            }
            Self::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": text(&point[1..33]), "y": text(&point[33..])})
            }
            Self::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref())})
            }
        };
        jwk["kid"] = id.into();
        jwk["use"] = "sig".into();
        jwk
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signed = vec![0; pair.public().modulus_len()];
                pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut signed)
                    .expect("signed");
                signed
            }
            Self::P256(pair) => pair.sign(&random, message).expect("signed").as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims.
    fn token(&self, header: &Value, claims: &Value) -> String {
        let message = unsigned(header, claims);
        let signed = URL_SAFE_NO_PAD.encode(self.sign(message.as_bytes()));
        format!("{message}.{signed}")
    }

    /// A token that is as it should be, and names this key.
    fn good_token(&self, id: &str, issuer: &Issuer) -> String {
        self.token(&json!({"alg": self.algorithm(), "kid": id}), &issuer.claims())
    }
}

fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Publishes keys, which a test may replace.
struct Issuer {
    downstream: Downstream,
    keys: Arc<Mutex<Option<Value>>>,
}

impl Issuer {
    async fn start(keys: Vec<Value>) -> Self {
        let keys = Arc::new(Mutex::new(Some(Value::from(keys))));
        let published = Arc::clone(&keys);
        let downstream = Downstream::start(move |request| {
            let host = request.header("host").expect("a host");
            let Some(keys) = published.lock().unwrap().clone() else {
                return Reply::answer("503 Unavailable", "");
            };
            let document = match request.target.as_str() {
                "/keys" => json!({ "keys": keys }),
                // It speaks for one issuer only, wherever it is asked for.
                target if target.ends_with("/.well-known/openid-configuration") => json!({
                    "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/keys"),
                }),
                _ => return Reply::answer("404 Not Found", ""),
            };
            Reply::json(&document.to_string())
        })
        .await;
        Self { downstream, keys }
    }

    fn publish(&self, keys: Option<Vec<Value>>) {
        *self.keys.lock().unwrap() = keys.map(Value::from);
    }

    fn n_asked(&self) -> usize {
        self.downstream.received().iter().filter(|it| it.target == "/keys").count()
    }

    fn settings(&self) -> TokenSettings {
        TokenSettings {
            issuer: self.downstream.url(""),
            jwks_url: None,
            audiences: vec!["flowker".to_owned(), "https://flowker.test".to_owned()],
            algorithms: SigningAlgorithm::ALL.to_vec(),
        }
    }

    fn tokens(&self) -> IssuerTokens {
        IssuerTokens::new(Arc::new(client()), self.settings(), Arc::new(Fixed))
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.downstream.url(""), "aud": "flowker", "sub": "u-1", "exp": NOW + 300,
            "scope": "openid read flowker:trigger",
        })
    }
}

/// What comes of a token: whose it is and what it may do, or why it is refused.
async fn shown(tokens: &IssuerTokens, token: &str) -> String {
    match tokens.verify(token).await {
        Ok(bearer) => format!("{}: {}", bearer.subject, bearer.scopes),
        Err(TokenError::Invalid { reason }) => reason.to_owned(),
        Err(TokenError::Unavailable { source }) => format!("unavailable: {source}"),
    }
}

const GOOD: &str = "u-1: trigger read";

/// Lets time pass for the cache, and for nothing else: sockets do not wait for a paused clock.
async fn later(duration: Duration) {
    tokio::time::pause();
    tokio::time::advance(duration).await;
    tokio::time::resume();
}

#[tokio::test]
async fn every_kind_of_key_signs() {
    let keys = [Key::rsa(), Key::p256(), Key::ed25519()];
    let ids = ["a", "b", "c"];
    let published = keys.iter().zip(ids).map(|(key, id)| key.jwk(id)).collect();
    let issuer = Issuer::start(published).await;
    let tokens = issuer.tokens();
    for (key, id) in keys.iter().zip(ids) {
        assert_eq!(shown(&tokens, &key.good_token(id, &issuer)).await, GOOD, "{id}");
        // A token need not name its key.
        let nameless = key.token(&json!({"alg": key.algorithm()}), &issuer.claims());
        assert_eq!(shown(&tokens, &nameless).await, GOOD, "{id}");
    }
    let crossed = keys[1].good_token("c", &issuer);
    assert_eq!(shown(&tokens, &crossed).await, "no key of the issuer has signed it");
    assert_eq!(issuer.n_asked(), 1, "keys are kept");
}

#[tokio::test]
async fn only_allowed_algorithms_count() {
    let key = Key::rsa();
    let issuer = Issuer::start(vec![key.jwk("a")]).await;
    let tokens = issuer.tokens();
    let refused = "its algorithm is not allowed";
    let none = format!("{}.", unsigned(&json!({"alg": "none"}), &issuer.claims()));
    assert_eq!(shown(&tokens, &none).await, refused);
    for algorithm in ["HS256", "none", "None", "rs256", "ES256K", "dir"] {
        let token = key.token(&json!({"alg": algorithm, "kid": "a"}), &issuer.claims());
        assert_eq!(shown(&tokens, &token).await, refused, "{algorithm}");
    }
    // What everybody can read, used as a shared secret.
    let Key::Rsa(pair) = &key else { unreachable!("it is made so") };
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, pair.public().as_ref());
    let message = unsigned(&json!({"alg": "HS256", "kid": "a"}), &issuer.claims());
    let signed = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, message.as_bytes()));
    assert_eq!(shown(&tokens, &format!("{message}.{signed}")).await, refused);
    assert_eq!(issuer.n_asked(), 0, "nobody is asked for what cannot count");

    let settings = TokenSettings { algorithms: vec![SigningAlgorithm::Es256], ..issuer.settings() };
    let strict = IssuerTokens::new(Arc::new(client()), settings, Arc::new(Fixed));
    assert_eq!(shown(&strict, &key.good_token("a", &issuer)).await, refused);
}

#[tokio::test]
async fn claims_are_checked() {
    let key = Key::p256();
    let issuer = Issuer::start(vec![key.jwk("a")]).await;
    let tokens = issuer.tokens();
    let check = async |changes: Value, expected: &str| {
        let mut claims = issuer.claims();
        for (name, value) in changes.as_object().expect("an object") {
            match value {
                Value::Null => drop(claims.as_object_mut().expect("claims").remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        let token = key.token(&json!({"alg": "ES256", "kid": "a"}), &claims);
        assert_eq!(shown(&tokens, &token).await, expected, "{changes}");
    };
    check(json!({}), GOOD).await;
    let other = "it comes from another issuer";
    for issuer in [json!("https://evil.test"), json!(null), json!([issuer.downstream.url("")])] {
        check(json!({ "iss": issuer }), other).await;
    }
    let audience = "it is for another audience";
    check(json!({"aud": ["other", "https://flowker.test"]}), GOOD).await;
    for aud in [json!("other"), json!(null), json!([]), json!(7), json!("flowker.evil")] {
        check(json!({ "aud": aud }), audience).await;
    }
    // The issuer's clock may be a minute off.
    check(json!({"exp": NOW - 59}), GOOD).await;
    check(json!({"exp": NOW - 60}), "it has expired").await;
    check(json!({"exp": 1_893_456_000.5}), GOOD).await;
    check(json!({"exp": null}), "it never expires").await;
    check(json!({"nbf": NOW + 60}), GOOD).await;
    check(json!({"nbf": NOW + 61}), "it is not good yet").await;
    for moment in [json!("2030"), json!(-1), json!(true), json!(1e300)] {
        for name in ["exp", "nbf"] {
            check(json!({ name: moment.clone() }), "one of its moments is no number of seconds")
                .await;
        }
    }
    for subject in [json!(null), json!(""), json!(7), json!("s".repeat(256))] {
        check(json!({ "sub": subject }), "it has no subject").await;
    }
    check(json!({"scope": null}), "u-1: ").await;
    check(json!({"scope": ["manage", "x"], "roles": ["flowker:trigger"]}), "u-1: trigger manage")
        .await;
    check(json!({"scope": "Read flowker:other", "roles": "manage"}), "u-1: manage").await;
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let key = Key::p256();
    let issuer = Issuer::start(vec![key.jwk("a")]).await;
    let tokens = issuer.tokens();
    let good = key.good_token("a", &issuer);
    let (message, signed) = good.rsplit_once('.').expect("three parts");
    let (header, _) = message.split_once('.').expect("two parts");
    for text in [
        String::new(),
        "a.b".to_owned(),
        format!("{good}.x.y"),
        format!("{message}.{signed}="),
        format!("!.{message}.{signed}"),
        format!("{}.e30.{signed}", URL_SAFE_NO_PAD.encode("[]")),
        format!("{}.e30.{signed}", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","kid":1}"#)),
    ] {
        assert_eq!(shown(&tokens, &text).await, "it is no signed token", "{text}");
    }
    let crit = key.token(&json!({"alg": "ES256", "kid": "a", "crit": ["x"]}), &issuer.claims());
    assert_eq!(shown(&tokens, &crit).await, "it asks for an extension");
    let unsigned = "no key of the issuer has signed it";
    for text in [format!("{message}."), format!("{header}.e30.{signed}")] {
        assert_eq!(shown(&tokens, &text).await, unsigned, "{text}");
    }
    let empty = key.token(&json!({"alg": "ES256", "kid": "a"}), &json!([]));
    assert_eq!(shown(&tokens, &empty).await, "its claims are no JSON object");
}

#[tokio::test]
async fn keys_rotate() {
    let (old, new) = (Key::rsa(), Key::p256());
    let issuer = Issuer::start(vec![old.jwk("old")]).await;
    let tokens = issuer.tokens();
    let (old_token, new_token) = (old.good_token("old", &issuer), new.good_token("new", &issuer));
    assert_eq!(shown(&tokens, &old_token).await, GOOD);
    issuer.publish(Some(vec![old.jwk("old"), new.jwk("new")]));
    // Asked a moment ago: whoever makes up names of keys gets nobody asked again and again.
    for _ in 0..5 {
        assert_eq!(shown(&tokens, &new_token).await, "no key of the issuer has signed it");
    }
    assert_eq!(issuer.n_asked(), 1);
    later(Duration::from_secs(10)).await;
    assert_eq!(shown(&tokens, &new_token).await, GOOD);
    assert_eq!(shown(&tokens, &old_token).await, GOOD);
    assert_eq!(issuer.n_asked(), 2);
    // What was withdrawn is believed until keys are read again.
    issuer.publish(Some(vec![new.jwk("new")]));
    assert_eq!(shown(&tokens, &old_token).await, GOOD);
    later(Duration::from_mins(5)).await;
    assert_eq!(shown(&tokens, &old_token).await, "no key of the issuer has signed it");
    assert_eq!(shown(&tokens, &new_token).await, GOOD);
}

#[tokio::test]
async fn an_outage_of_the_issuer_is_bridged() {
    let key = Key::p256();
    let issuer = Issuer::start(vec![key.jwk("a")]).await;
    let (tokens, token) = (issuer.tokens(), key.good_token("a", &issuer));
    issuer.publish(None);
    let unavailable = "unavailable: the request to 127.0.0.1 failed";
    assert_eq!(shown(&tokens, &token).await, unavailable);
    let paused = "unavailable: they could not be read a moment ago either";
    assert_eq!(shown(&tokens, &token).await, paused);
    issuer.publish(Some(vec![key.jwk("a")]));
    later(Duration::from_secs(10)).await;
    assert_eq!(shown(&tokens, &token).await, GOOD);
    issuer.publish(None);
    later(Duration::from_hours(23)).await;
    assert_eq!(shown(&tokens, &token).await, GOOD);
    later(Duration::from_hours(1)).await;
    assert_eq!(shown(&tokens, &token).await, unavailable);
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let key = Key::p256();
    let issuer = Issuer::start(vec![key.jwk("a")]).await;
    let (tokens, token) = (Arc::new(issuer.tokens()), key.good_token("a", &issuer));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let (tokens, token) = (Arc::clone(&tokens), token.clone());
        callers.spawn(async move { shown(&tokens, &token).await });
    }
    assert_eq!(callers.join_all().await, vec![GOOD.to_owned(); 32]);
    assert_eq!(issuer.n_asked(), 1);
}

#[tokio::test]
async fn keys_are_read_from_where_they_are_said_to_be() {
    let key = Key::p256();
    let issuer = Issuer::start(vec![key.jwk("a")]).await;
    let given = TokenSettings {
        // Not below the issuer, which then is not asked for its document.
        jwks_url: Some(issuer.downstream.url("/keys").parse().expect("a URL")),
        ..issuer.settings()
    };
    let tokens = IssuerTokens::new(Arc::new(client()), given, Arc::new(Fixed));
    assert_eq!(shown(&tokens, &key.good_token("a", &issuer)).await, GOOD);
    assert_eq!(issuer.downstream.received().len(), 1);
    // A document that speaks for another issuer.
    let other = TokenSettings { issuer: issuer.downstream.url("/other"), ..issuer.settings() };
    let tokens = IssuerTokens::new(Arc::new(client()), other, Arc::new(Fixed));
    let answer = shown(&tokens, &key.good_token("a", &issuer)).await;
    assert!(answer.ends_with("its discovery document is that of another issuer"), "{answer}");
}

#[tokio::test]
async fn keys_of_other_kinds_are_passed_over() {
    let key = Key::p256();
    let changed = |changes: Value| {
        let mut jwk = key.jwk("a");
        for (name, value) in changes.as_object().expect("an object") {
            jwk[name] = value.clone();
        }
        jwk
    };
    let check = async |changes: Value, expected: &str| {
        let issuer =
            Issuer::start(vec![json!({"kty": "oct", "k": "c2VjcmV0"}), changed(changes.clone())])
                .await;
        let token = key.good_token("a", &issuer);
        assert_eq!(shown(&issuer.tokens(), &token).await, expected, "{changes}");
    };
    let unsigned = "no key of the issuer has signed it";
    check(json!({"key_ops": ["verify"], "alg": "ES256"}), GOOD).await;
    check(json!({"use": "enc"}), unsigned).await;
    check(json!({"key_ops": ["sign"]}), unsigned).await;
    check(json!({"alg": "ES384"}), unsigned).await;
    check(json!({"alg": "HS256"}), unsigned).await;
    check(json!({"kid": "b"}), unsigned).await;
    check(json!({"x": "AAAA"}), unsigned).await;
    check(json!({"crv": "P-384"}), unsigned).await;
    check(json!({"kty": "RSA"}), unsigned).await;
}
