mod vectors;

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use vectors::Vector;

/// A request as a test sends it.
#[derive(Clone, Debug)]
struct Sent {
    config: Value,
    headers: Headers,
    method: String,
    body: Vec<u8>,
    now: i64,
}

#[derive(Clone, Debug, Default)]
struct Headers(BTreeMap<String, Vec<Vec<u8>>>);

impl Headers {
    fn set(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.insert(name.to_owned(), vec![value.into()]);
    }

    fn add(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        self.0.entry(name.to_owned()).or_default().push(value.into());
    }
}

impl HeaderSource for Headers {
    fn values(&self, name: &str) -> HeaderValues<'_> {
        assert_eq!(name, name.to_ascii_lowercase(), "names are looked up in lower case");
        match self.0.get(name).map(Vec::as_slice) {
            None | Some([]) => HeaderValues::Absent,
            Some([one]) => HeaderValues::One(one),
            Some(_) => HeaderValues::Several,
        }
    }
}

impl Sent {
    fn of(vector: &Vector) -> Self {
        let mut headers = Headers::default();
        headers.set(vector.header, format!("{}{}", vector.prefix, vector.mac));
        for (name, value) in &vector.others {
            headers.set(name, *value);
        }
        Self {
            config: vector.config.clone(),
            headers,
            method: vector.method.to_owned(),
            body: vector.body.clone(),
            now: vector.now(),
        }
    }

    fn with(vector: &Vector, change: impl FnOnce(&mut Self)) -> Self {
        let mut sent = Self::of(vector);
        change(&mut sent);
        sent
    }

    /// The vector's request with another text in place of the signature.
    fn signed(vector: &Vector, mac: &str) -> Self {
        Self::with(vector, |it| it.headers.set(vector.header, format!("{}{mac}", vector.prefix)))
    }
}

/// The only caller of the API: what becomes of a request.
fn answer(sent: &Sent) -> Result<Option<String>, SignatureError> {
    let signature = Signature::parse(&sent.config).expect("the configuration is right");
    signature
        .verify(&sent.method, &sent.headers, &sent.body, sent.now)
        .map(|verified| verified.delivery_id)
}

fn check(name: &str, sent: &Sent, expected: &str) {
    let reason = match answer(sent) {
        Ok(_) => "accepted",
        Err(error) => {
            assert!(SignatureError::REASONS.contains(&error.reason()), "{error}");
            error.reason()
        }
    };
    assert_eq!(reason, expected, "{name}: {sent:?}");
}

fn vector(scheme: &str) -> Vector {
    let named = |vector: &Vector| vector.config["scheme"] == scheme;
    vectors::all().into_iter().rfind(named).expect("there is a vector of each scheme")
}

fn faults(config: &Value) -> Vec<String> {
    let faults = Signature::parse(config).err().unwrap_or_default();
    faults.into_iter().map(|fault| fault.path).collect()
}

#[test]
fn accepts_every_vector() {
    for vector in vectors::all() {
        let id = answer(&Sent::of(&vector)).expect(vector.name);
        assert_eq!(id.as_deref(), vector.delivery_id, "{}", vector.name);
    }
}

#[test]
fn every_scheme_has_a_vector() {
    for scheme in Scheme::ALL.into_iter().filter(|it| *it != Scheme::GitLab) {
        vector(scheme.name());
    }
}

#[test]
fn refuses_a_signature_that_is_changed() {
    for vector in vectors::all() {
        let check = |name: &str, mac: &str, expected: &str| {
            check(&format!("{}: {name}", vector.name), &Sent::signed(&vector, mac), expected);
        };
        let mac = vector.mac;
        check("empty", "", "signature_malformed");
        check("half", &mac[..mac.len() / 2], "signature_malformed");
        check("a blank before", &format!(" {mac}"), "signature_malformed");
        check("a digit more", &format!("{mac}0"), "signature_malformed");
        check("not ASCII", &format!("{mac}é"), "signature_malformed");
        let last = mac.trim_end_matches('=').len() - 1;
        check("without the last digit", &mac[..last], "signature_malformed");
        let flipped = if mac.starts_with('0') { "1" } else { "0" };
        check("another first digit", &format!("{flipped}{}", &mac[1..]), "mismatch");
    }
}

#[test]
fn refuses_the_right_bytes_in_another_encoding() {
    for vector in vectors::all() {
        let check = |name: &str, mac: &str, expected: &str| {
            check(&format!("{}: {name}", vector.name), &Sent::signed(&vector, mac), expected);
        };
        if vector.mac.len() == 64 {
            // Case carries no meaning in hexadecimal.
            check("upper case", &vector.mac.to_ascii_uppercase(), "accepted");
            check("a byte more", &format!("{}00", vector.mac), "signature_malformed");
            continue;
        }
        if vector.config["encoding"] == "base64url" {
            let standard = vector.mac.replace('-', "+").replace('_', "/");
            check("standard alphabet", &standard, "signature_malformed");
            continue;
        }
        let mut bytes = STANDARD.decode(vector.mac).unwrap();
        assert_ne!(URL_SAFE.encode(&bytes), vector.mac, "{} shows no difference", vector.name);
        check("URL-safe alphabet", &URL_SAFE.encode(&bytes), "signature_malformed");
        check("no padding", vector.mac.trim_end_matches('='), "signature_malformed");
        check("more padding", &format!("{}=", vector.mac), "signature_malformed");
        bytes.push(0);
        check("a byte more", &STANDARD.encode(&bytes), "signature_malformed");
    }
}

#[test]
fn refuses_a_request_that_is_changed() {
    for vector in vectors::all() {
        let check = |name: &str, expected: &str, change: &dyn Fn(&mut Sent)| {
            let sent = Sent::with(&vector, change);
            check(&format!("{}: {name}", vector.name), &sent, expected);
        };
        check("a newline after the body", "mismatch", &|it| it.body.push(b'\n'));
        check("an empty body", "mismatch", &|it| it.body.clear());
        let signs_method = vector.config["template"].as_str().unwrap_or("").contains("{method}");
        let expected = if signs_method { "mismatch" } else { "accepted" };
        check("another method", expected, &|it| "PUT".clone_into(&mut it.method));
        let prefix = format!("v9,{}", vector.mac);
        let expected = match &vector.config["scheme"] {
            scheme if scheme == "stripe" || scheme == "paddle" => "header_malformed",
            _ if vector.prefix.is_empty() => "signature_malformed",
            _ => "no_candidate",
        };
        check("another prefix", expected, &|it| it.headers.set(vector.header, prefix.clone()));
    }
}

#[test]
fn refuses_other_secrets_and_takes_up_to_three() {
    for vector in vectors::all() {
        let name = vector.name;
        let right = vector.config["secret"].as_str().unwrap();
        let [other, another] =
            ["whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"];
        let with = |secrets: Value| {
            let mut sent = Sent::of(&vector);
            let config = sent.config.as_object_mut().unwrap();
            config.remove("secret");
            config.insert("secrets".to_owned(), secrets);
            sent
        };
        check(name, &with(json!([other])), "mismatch");
        check(name, &with(json!([other, another])), "mismatch");
        check(name, &with(json!([right])), "accepted");
        check(name, &with(json!([other, another, right])), "accepted");
    }
}

#[test]
fn refuses_headers_that_are_missing_repeated_or_too_long() {
    for vector in vectors::all() {
        let names = vector.others.iter().map(|(name, _)| *name).chain([vector.header]);
        for header in names {
            let name = format!("{}: {header}", vector.name);
            let change =
                |change: &dyn Fn(&mut Headers)| Sent::with(&vector, |it| change(&mut it.headers));
            let value = Sent::of(&vector).headers.0[header][0].clone();
            let is_required = vector.delivery_id.is_none()
                || header == vector.header
                || header.contains("time")
                || is_id_signed(&vector);
            let expected = if is_required { "header_missing" } else { "accepted" };
            check(&name, &change(&|it| drop(it.0.remove(header))), expected);
            check(&name, &change(&|it| it.add(header, value.clone())), "header_repeated");
            check(&name, &change(&|it| it.add(header, "")), "header_repeated");
            let long = [value.as_slice(), &[b' '; HEADER_BYTES_MAX]].concat();
            check(&name, &change(&|it| it.set(header, long.clone())), "header_too_long");
        }
    }
}

fn is_id_signed(vector: &Vector) -> bool {
    match vector.config["scheme"].as_str() {
        Some("standard-webhooks" | "svix") => true,
        _ => vector.config["template"].as_str().is_some_and(|it| it.contains("{id}")),
    }
}

#[test]
fn refuses_timestamps_out_of_tolerance_in_either_direction() {
    for vector in vectors::all() {
        let Some((_, tolerance)) = vector.timestamp else { continue };
        let at = |now: i64| Sent::with(&vector, |it| it.now = now);
        let now = vector.now();
        for (now, expected) in [
            (now + tolerance, "accepted"),
            (now - tolerance, "accepted"),
            (now + tolerance + 1, "timestamp_out_of_tolerance"),
            (now - tolerance - 1, "timestamp_out_of_tolerance"),
            (i64::MAX, "timestamp_out_of_tolerance"),
            (i64::MIN, "timestamp_out_of_tolerance"),
        ] {
            check(vector.name, &at(now), expected);
        }
    }
}

#[test]
fn refuses_timestamps_that_are_not_digits() {
    for vector in vectors::all() {
        let Some((right, _)) = vector.timestamp else { continue };
        let digits = "1".repeat(400);
        let blank = format!(" {right}");
        let signed = format!("+{right}");
        let fraction = format!("{right}.0");
        for text in ["1e9", "", "-1", "0x5f", &blank, &signed, &fraction, &digits, "1234567890123"]
        {
            let sent = Sent::with(&vector, |it| {
                for values in it.headers.0.values_mut() {
                    let replaced = String::from_utf8(values[0].clone()).unwrap();
                    values[0] = replaced.replace(right, text).into_bytes();
                }
            });
            check(&format!("{}: {text:?}", vector.name), &sent, "timestamp_malformed");
        }
    }
}

#[test]
fn refuses_ids_that_could_be_read_in_two_ways() {
    let long = "a".repeat(DELIVERY_ID_BYTES_MAX + 1);
    let longest = "a".repeat(DELIVERY_ID_BYTES_MAX);
    for vector in vectors::all() {
        let Some(id) = vector.delivery_id else { continue };
        let (header, _) = vector.others.iter().find(|(_, value)| *value == id).unwrap();
        let with = |text: &str| Sent::with(&vector, |it| it.headers.set(header, text));
        for text in ["", " ", "a b", "é", "a\u{7f}", &long] {
            check(&format!("{}: {text:?}", vector.name), &with(text), "id_malformed");
        }
        let (other, dotted) = if is_id_signed(&vector) {
            ("mismatch", "id_malformed")
        } else {
            ("accepted", "accepted")
        };
        check(vector.name, &with(&longest), other);
        check(vector.name, &with("msg_1.2"), dotted);
        check(vector.name, &with("msg:1"), dotted);
    }
}

#[test]
fn takes_the_right_one_of_several_signatures() {
    let zeros = "0".repeat(64);
    for (scheme, separator, entry) in [("stripe", ",", "v1="), ("paddle", ";", "h1=")] {
        let vector = vector(scheme);
        let right = vector.mac;
        let wrong = format!("{zeros}{separator}{entry}");
        let list = |n: usize| format!("{}{right}", wrong.repeat(n));
        check(scheme, &Sent::signed(&vector, &list(9)), "accepted");
        check(scheme, &Sent::signed(&vector, &list(10)), "too_many_candidates");
        check(scheme, &Sent::signed(&vector, &list(1000)), "header_too_long");
        check(
            scheme,
            &Sent::signed(&vector, &format!("junk{separator}{entry}{right}")),
            "accepted",
        );
        check(scheme, &Sent::signed(&vector, &format!("{right}{separator}v0={zeros}")), "accepted");
        check(scheme, &Sent::signed(&vector, &format!("{right}{separator}x=y=z")), "accepted");
        check(
            scheme,
            &Sent::signed(&vector, &format!("{right}{separator}alone")),
            "header_malformed",
        );
        let time = vector.prefix.split(separator).next().unwrap();
        let twice = format!("{right}{separator}{time}");
        check(scheme, &Sent::signed(&vector, &twice), "header_malformed");
        let with = |value: &str| Sent::with(&vector, |it| it.headers.set(vector.header, value));
        check(scheme, &with(&format!("{entry}{right}")), "header_malformed");
        check(scheme, &with(time), "no_candidate");
        check(scheme, &with(&format!("{time}{separator}v0={right}")), "no_candidate");
    }
}

#[test]
fn reads_the_versions_of_standard_webhooks() {
    let vector = vector("standard-webhooks");
    let wrong = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let right = format!("v1,{}", vector.mac);
    let cases = [
        (format!("{wrong} {right}"), "accepted"),
        (format!("{right} {wrong}"), "accepted"),
        (format!("v1a,junk v2,{} other  {right}", vector.mac), "accepted"),
        (format!("v1,junk {right}"), "accepted"),
        (format!("{}{right}", format!("{wrong} ").repeat(9)), "accepted"),
        (format!("{}{right}", format!("{wrong} ").repeat(10)), "too_many_candidates"),
        (format!("{}{right}", format!("{wrong} ").repeat(1000)), "header_too_long"),
        (wrong.to_owned(), "mismatch"),
        (format!("v1a,{}", vector.mac), "no_candidate"),
        (format!("v1={}", vector.mac), "no_candidate"),
        (vector.mac.to_owned(), "no_candidate"),
        (String::new(), "no_candidate"),
        (format!("{right},"), "signature_malformed"),
    ];
    for (value, expected) in cases {
        let sent = Sent::with(&vector, |it| it.headers.set(vector.header, value.clone()));
        check(&value, &sent, expected);
    }
    let bytes = Sent::with(&vector, |it| it.headers.set(vector.header, *b"v1,\xff"));
    check("not UTF-8", &bytes, "header_malformed");
}

#[test]
fn svix_never_mixes_its_header_families() {
    let named = |it: &Vector| it.name == "svix, the standard's headers";
    let standard = vectors::all().into_iter().find(named).unwrap();
    let (id, time) = (standard.others[0].1, standard.others[1].1);
    for (header, value) in [("svix-id", id), ("svix-timestamp", time), ("svix-signature", "v1,x")] {
        let sent = Sent::with(&standard, |it| it.headers.set(header, value));
        check(header, &sent, "header_missing");
    }
    // The standard itself has one family, and does not look at others.
    let sent = Sent::with(&vector("standard-webhooks"), |it| it.headers.set("svix-id", "x"));
    check("standard-webhooks", &sent, "accepted");
}

#[test]
fn github_ignores_the_sha1_signature() {
    let vector = vector("github");
    let legacy = format!("{}{}", vector.prefix, vector.mac);
    let sent = Sent::with(&vector, |it| {
        it.headers.0.remove(vector.header);
        it.headers.set("x-hub-signature", legacy);
    });
    check("legacy header", &sent, "header_missing");
    check(
        "prefix of SHA-1",
        &Sent::with(&vector, |it| {
            it.headers.set(vector.header, format!("sha1={}", vector.mac));
        }),
        "no_candidate",
    );
}

#[test]
fn gitlab_compares_the_token() {
    let right = "sécret token";
    let sent = |tokens: &[&str], ids: &[&str]| {
        let mut headers = Headers::default();
        for token in tokens {
            headers.add("x-gitlab-token", *token);
        }
        for id in ids {
            headers.add("idempotency-key", *id);
        }
        Sent {
            config: json!({"scheme": "gitlab", "secrets": ["an older one", right]}),
            headers,
            method: "POST".to_owned(),
            body: b"{}".to_vec(),
            now: 0,
        }
    };
    let long = "x".repeat(HEADER_BYTES_MAX + 1);
    for (tokens, ids, expected) in [
        (&[right][..], &[][..], "accepted"),
        (&["an older one"], &[], "accepted"),
        (&[], &[], "header_missing"),
        (&[right, right], &[], "header_repeated"),
        (&[""], &[], "mismatch"),
        (&["sécret"], &[], "mismatch"),
        (&["sécret tokens"], &[], "mismatch"),
        (&["SÉCRET TOKEN"], &[], "mismatch"),
        (&[&long], &[], "header_too_long"),
        (&[right], &["a", "b"], "header_repeated"),
        (&[right], &["a b"], "id_malformed"),
    ] {
        check(&format!("{tokens:?} {ids:?}"), &sent(tokens, ids), expected);
    }
    let id = answer(&sent(&[right], &["f5e5f430-f57b-4e6e-9fac-d9128cd7232f"]));
    assert_eq!(id.unwrap().as_deref(), Some("f5e5f430-f57b-4e6e-9fac-d9128cd7232f"));
}

#[test]
fn a_tolerance_can_be_set() {
    let vector = vector("stripe");
    let sent = |tolerance: i64, away: i64| {
        Sent::with(&vector, |it| {
            it.config["toleranceSeconds"] = json!(tolerance);
            it.now += away;
        })
    };
    check("wider", &sent(86_400, 86_400), "accepted");
    check("narrower", &sent(1, 2), "timestamp_out_of_tolerance");
}

#[test]
fn unknown_members_are_ignored() {
    for vector in vectors::all() {
        let sent = Sent::with(&vector, |it| it.config["note"] = json!({"by": "someone"}));
        check(vector.name, &sent, "accepted");
    }
}

#[test]
fn reports_every_fault_of_a_configuration() {
    let secret = "a secret";
    let standard = |secret: &str| json!({"scheme": "standard-webhooks", "secret": secret});
    let github = |secrets: Value| json!({"scheme": "github", "secrets": secrets});
    let cases = [
        (json!(null), vec![""]),
        (json!("github"), vec![""]),
        (json!({}), vec!["scheme"]),
        (json!({"scheme": "GitHub", "secret": ""}), vec!["scheme"]),
        (json!({"scheme": "twilio", "secret": secret}), vec!["scheme"]),
        (json!({"scheme": 1}), vec!["scheme"]),
        (json!({"scheme": "github"}), vec!["secret"]),
        (json!({"scheme": "github", "secret": null}), vec!["secret"]),
        (json!({"scheme": "github", "secret": ""}), vec!["secret"]),
        (json!({"scheme": "github", "secret": "a secret\n"}), vec!["secret"]),
        (json!({"scheme": "github", "secret": " a secret"}), vec!["secret"]),
        (json!({"scheme": "github", "secret": "a\u{0}b"}), vec!["secret"]),
        (json!({"scheme": "github", "secret": "a".repeat(513)}), vec!["secret"]),
        (json!({"scheme": "github", "secret": "a", "secrets": ["b"]}), vec!["secrets"]),
        (github(json!("a")), vec!["secrets"]),
        (github(json!([])), vec!["secrets"]),
        (github(json!(["a", "b", "c", "d"])), vec!["secrets"]),
        (github(json!(["a", "", 3])), vec!["secrets[1]", "secrets[2]"]),
        (standard("whsec_"), vec!["secret"]),
        (standard("whsec_not base64"), vec!["secret"]),
        (standard("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="), vec!["secret"]),
        (standard("whpk_ZlN4eg7dSSqi0moX9hQUk3orrOouK3QVQSlJa248c/g="), vec!["secret"]),
        (standard("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), vec![]),
        (standard("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), vec![]),
        (json!({"scheme": "square", "secret": secret}), vec!["url"]),
        (json!({"scheme": "square", "secret": secret, "url": "example.com/x"}), vec!["url"]),
        (json!({"scheme": "square", "secret": secret, "url": "file:///x"}), vec!["url"]),
        (json!({"scheme": "square", "url": 1}), vec!["secret", "url"]),
        (
            json!({"scheme": "generic"}),
            vec!["secret", "header", "template", "algorithm", "encoding"],
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(faults(&config), expected, "{config}");
    }
}

#[test]
fn a_tolerance_needs_a_signed_timestamp_and_a_bound() {
    for scheme in ["github", "bitbucket", "gitlab", "shopify", "square"] {
        let config = json!({
            "scheme": scheme, "secret": "s", "url": "https://a.example/", "toleranceSeconds": 300,
        });
        assert_eq!(faults(&config), ["toleranceSeconds"], "{scheme}");
    }
    for tolerance in [json!(0), json!(-1), json!(86_401), json!(1.5), json!("300"), json!(null)] {
        let config = json!({"scheme": "slack", "secret": "s", "toleranceSeconds": tolerance});
        assert_eq!(faults(&config), ["toleranceSeconds"], "{config}");
    }
}

#[test]
fn reports_every_fault_of_a_generic_scheme() {
    let right = &vector("generic").config;
    let cases = [
        ("header", json!(""), vec!["header"]),
        ("header", json!("x signature"), vec!["header"]),
        ("header", json!("x-sïgnature"), vec!["header"]),
        ("header", json!("x".repeat(129)), vec!["header"]),
        ("timestampHeader", json!("x:y"), vec!["timestampHeader"]),
        ("idHeader", json!(7), vec!["idHeader"]),
        ("algorithm", json!("sha1"), vec!["algorithm"]),
        ("algorithm", json!("SHA256"), vec!["algorithm"]),
        ("encoding", json!("ascii"), vec!["encoding"]),
        ("prefix", json!(1), vec!["prefix"]),
        ("prefix", json!("x".repeat(2049)), vec!["prefix"]),
        ("template", json!(""), vec!["template"]),
        ("template", json!("{id}.{timestamp}"), vec!["template"]),
        ("template", json!("{timestamp}.{body}{body}"), vec!["template"]),
        ("template", json!("{timestamp}.{body}.{body}"), vec!["template"]),
        ("template", json!("{timestamp}{body}"), vec!["template"]),
        ("template", json!("{timestamp}-{body}"), vec!["template"]),
        ("template", json!("{timestamp}_x9{body}"), vec!["template"]),
        ("template", json!("{url}.{timestamp}.{body}"), vec!["template"]),
        ("template", json!("{timestamp}.{body"), vec!["template"]),
        ("template", json!("{timestamp}.body}"), vec!["template"]),
        ("template", json!("{{timestamp}}.{body}"), vec!["template"]),
        ("template", json!("{body}"), vec!["template"]),
        ("template", json!("{body}:{timestamp}"), vec![]),
        ("template", json!("v1 {timestamp}|{id}|{body} end"), vec![]),
    ];
    for (member, value, expected) in cases {
        let mut config = right.clone();
        config[member] = value;
        assert_eq!(faults(&config), expected, "{config}");
    }
    let without = |member: &str| {
        let mut config = right.clone();
        config.as_object_mut().unwrap().remove(member);
        faults(&config)
    };
    assert_eq!(without("idHeader"), ["idHeader"]);
    assert_eq!(without("timestampHeader"), ["timestampHeader"]);
}

#[test]
fn nothing_prints_a_secret() {
    let canary = "canary-2f9c";
    let shown = |config: Value| format!("{:?}", Signature::parse(&config));
    let right = shown(json!({"scheme": "github", "secrets": [canary]}));
    assert!(right.contains("[redacted]") && !right.contains(canary), "{right}");
    let key = format!("{:?}", canary.as_bytes());
    assert!(!right.contains(&key), "{right}");
    let blank = shown(json!({"scheme": "github", "secrets": [format!("{canary} ")]}));
    let short = shown(json!({"scheme": "svix", "secrets": [canary]}));
    let beside = shown(json!({"scheme": "github", "secret": canary, "secrets": [canary]}));
    for shown in [blank, short, beside] {
        assert!(shown.starts_with("Err") && !shown.contains(canary), "{shown}");
    }
}

proptest! {
    #[test]
    fn never_panics(
        index in 0..vectors::all().len(),
        value in proptest::collection::vec(any::<u8>(), 0..80),
        now in any::<i64>(),
    ) {
        let vector = &vectors::all()[index];
        for (name, _) in vector.others.iter().copied().chain([(vector.header, "")]) {
            let sent = Sent::with(vector, |it| {
                it.headers.set(name, value.clone());
                it.now = now;
            });
            let _ = answer(&sent);
        }
    }

    #[test]
    fn any_template_is_taken_or_refused(text in r"([a-z.:{}]|\{(id|body|timestamp|method)\}){0,8}") {
        let mut config = vector("generic").config;
        config["template"] = json!(text);
        let signs_body = text.contains("{body}");
        prop_assert!(signs_body || Signature::parse(&config).is_err());
    }
}
