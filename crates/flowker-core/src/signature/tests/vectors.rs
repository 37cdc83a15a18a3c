//! Requests with right signatures: the providers' published examples where there are any.

use serde_json::{Value, json};

/// One right request, taken apart so that tests can break each part.
#[derive(Clone, Debug)]
pub struct Vector {
    pub name: &'static str,
    pub config: Value,
    /// The signature's header, what stands before the signature in it, and the signature.
    pub header: &'static str,
    pub prefix: &'static str,
    pub mac: &'static str,
    pub others: Vec<(&'static str, &'static str)>,
    pub method: &'static str,
    pub body: Vec<u8>,
    /// The signed timestamp and the tolerance, if there is one.
    pub timestamp: Option<(&'static str, i64)>,
    pub delivery_id: Option<&'static str>,
}

impl Vector {
    /// A time that is good for every scheme.
    pub fn now(&self) -> i64 {
        self.timestamp.map_or(1_700_000_000, |(text, _)| text.parse().unwrap())
    }
}

const STANDARD_ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn all() -> Vec<Vector> {
    let mut vectors = standard_webhooks();
    vectors.extend(providers());
    vectors.extend(generic());
    vectors
}

fn standard_webhooks() -> Vec<Vector> {
    let specification = Vector {
        name: "standard-webhooks, the specification's example",
        config: json!({"scheme": "standard-webhooks", "secret": STANDARD_SECRET}),
        header: "webhook-signature",
        prefix: "v1,",
        mac: "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        others: vec![("webhook-id", STANDARD_ID), ("webhook-timestamp", "1614265330")],
        method: "POST",
        body: br#"{"test": 2432232314}"#.to_vec(),
        timestamp: Some(("1614265330", 300)),
        delivery_id: Some(STANDARD_ID),
    };
    vec![
        Vector {
            name: "standard-webhooks, the Rust library's own",
            config: json!({
                "scheme": "standard-webhooks",
                "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            }),
            mac: "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            others: vec![
                ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
                ("webhook-timestamp", "1649367553"),
            ],
            body: br#"{"email":"test@example.com","username":"test_user"}"#.to_vec(),
            timestamp: Some(("1649367553", 300)),
            delivery_id: Some("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
            ..specification.clone()
        },
        Vector {
            name: "svix, its own headers",
            config: json!({"scheme": "svix", "secret": STANDARD_SECRET}),
            header: "svix-signature",
            others: vec![("svix-id", STANDARD_ID), ("svix-timestamp", "1614265330")],
            ..specification.clone()
        },
        Vector {
            name: "svix, the standard's headers",
            config: json!({"scheme": "svix", "secret": STANDARD_SECRET}),
            ..specification.clone()
        },
        specification,
    ]
}

fn providers() -> Vec<Vector> {
    let github = Vector {
        name: "github, its documentation's example",
        config: json!({"scheme": "github", "secret": "It's a Secret to Everybody"}),
        header: "x-hub-signature-256",
        prefix: "sha256=",
        mac: "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        others: vec![("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")],
        method: "POST",
        body: b"Hello, World!".to_vec(),
        timestamp: None,
        delivery_id: Some("72d3162e-cc78-11e3-81ab-4c9367dc0958"),
    };
    vec![
        Vector {
            name: "bitbucket, its documentation's example",
            config: json!({"scheme": "bitbucket", "secret": "It's a Secret to Everybody"}),
            header: "x-hub-signature",
            mac: "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
            others: vec![("x-request-uuid", "9a5f3c3e-2f4a-4d0e-8c57-6b1f3c1f1a55")],
            body: b"Hello World!".to_vec(),
            delivery_id: Some("9a5f3c3e-2f4a-4d0e-8c57-6b1f3c1f1a55"),
            ..github.clone()
        },
        Vector {
            name: "stripe",
            config: json!({"scheme": "stripe", "secret": "whsec_test_secret"}),
            header: "stripe-signature",
            prefix: "t=1700000000,v1=",
            mac: "8042376f6ca064adbe037642a718227dfd59047137eb49497a54c49eb0cfb724",
            others: vec![],
            body: br#"{"id":"evt_test","object":"event"}"#.to_vec(),
            timestamp: Some(("1700000000", 300)),
            delivery_id: None,
            ..github.clone()
        },
        slack(&github),
        Vector {
            name: "shopify",
            config: json!({"scheme": "shopify", "secret": "hush"}),
            header: "x-shopify-hmac-sha256",
            prefix: "",
            mac: "VnKUjZsLuN5iZWjn5EntcBVCF9kMN43LglzCE1/GSeY=",
            others: vec![("x-shopify-webhook-id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043")],
            body: br#"{"id":1}"#.to_vec(),
            delivery_id: Some("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
            ..github.clone()
        },
        paddle(&github),
        Vector {
            name: "square, its library's example",
            config: json!({
                "scheme": "square",
                "secret": "Ibxx_5AKakO-3qeNVR61Dw",
                "url": "https://webhook.site/679a4f3a-dcfa-49ee-bac5-9d0edad886b9",
            }),
            header: "x-square-hmacsha256-signature",
            prefix: "",
            mac: "GF4YkrJgGBDZ9NIYbNXBnMzqb2HoL4RW/S6vkZ9/2N4=",
            others: vec![],
            body: concat!(
                r#"{"merchant_id":"MLEFBHHSJGVHD","type":"webhooks.test_notification","#,
                r#""event_id":"ac3ac95b-f97d-458c-a6e6-18981597e05f","#,
                r#""created_at":"2022-07-13T20:30:59.037339943Z","#,
                r#""data":{"type":"webhooks","id":"bc368e64-01aa-407e-b46e-3231809b1129"}}"#,
            )
            .into(),
            delivery_id: None,
            ..github.clone()
        },
        github,
    ]
}

fn slack(base: &Vector) -> Vector {
    Vector {
        name: "slack, its documentation's example",
        config: json!({"scheme": "slack", "secret": "8f742231b10e8888abcd99yyyzzz85a5"}),
        header: "x-slack-signature",
        prefix: "v0=",
        mac: "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        others: vec![("x-slack-request-timestamp", "1531420618")],
        body: concat!(
            "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow",
            "&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner",
            "&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com",
            "%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN",
            "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        )
        .into(),
        timestamp: Some(("1531420618", 300)),
        delivery_id: None,
        ..base.clone()
    }
}

fn paddle(base: &Vector) -> Vector {
    Vector {
        name: "paddle, its library's example",
        config: json!({
            "scheme": "paddle",
            "secret": "pdl_ntfset_01hsdn8d43dt7mezr1ef2jtbaw_hKkRiCGyyRhbFwIUuqiTBgI7gnWoV0Gr",
        }),
        header: "paddle-signature",
        prefix: "ts=1710929255;h1=",
        mac: "6c05ef8fa83c44d751be6d259ec955ce5638e2c54095bf128e408e2fce1589c8",
        others: vec![],
        body: concat!(
            r#"{"data":{"id":"pri_01hsdn96k2hxjzsq5yerecdj9j","name":null,"status":"active","#,
            r#""quantity":{"maximum":999999,"minimum":1},"tax_mode":"account_setting","#,
            r#""product_id":"pro_01hsdn8qp7yydry3x1yeg6a9rv","#,
            r#""unit_price":{"amount":"1000","currency_code":"USD"},"custom_data":null,"#,
            r#""description":"testing","import_meta":null,"trial_period":null,"#,
            r#""billing_cycle":{"interval":"month","frequency":1},"unit_price_overrides":[]},"#,
            r#""event_id":"evt_01hsdn97563968dy0szkmgjwh3","event_type":"price.created","#,
            r#""occurred_at":"2024-03-20T10:07:35.590857Z","#,
            r#""notification_id":"ntf_01hsdn977e920kbgzt6r6c9rqc"}"#,
        )
        .into(),
        timestamp: Some(("1710929255", 30)),
        delivery_id: None,
        ..base.clone()
    }
}

fn generic() -> Vec<Vector> {
    let everything = Vector {
        name: "generic, every field and SHA-512",
        config: json!({
            "scheme": "generic",
            "secret": "generic secret",
            "header": "X-Acme-Signature",
            "algorithm": "sha512",
            "encoding": "base64url",
            "template": "{id}:{timestamp}:{method}\n{body}",
            "timestampHeader": "X-Acme-Time",
            "idHeader": "X-Acme-Event",
            "toleranceSeconds": 10,
        }),
        header: "x-acme-signature",
        prefix: "",
        mac: "N5pSm_KgMaGogbo2DXjDS9j89k9C-Xp1jhI0qUfv1j1dxJo1-1wecQtr0nWg8_jzPVLUXOCqDS-zME3cZSjk_g==",
        others: vec![("x-acme-event", "evt_1"), ("x-acme-time", "1700000000")],
        method: "POST",
        body: br#"{"a":1}"#.to_vec(),
        timestamp: Some(("1700000000", 10)),
        delivery_id: Some("evt_1"),
    };
    vec![
        Vector {
            name: "generic, base64url without padding",
            mac: "N5pSm_KgMaGogbo2DXjDS9j89k9C-Xp1jhI0qUfv1j1dxJo1-1wecQtr0nWg8_jzPVLUXOCqDS-zME3cZSjk_g",
            ..everything.clone()
        },
        Vector {
            name: "generic, prefix and hex",
            config: json!({
                "scheme": "generic",
                "secret": "generic secret",
                "header": "x-acme-signature",
                "algorithm": "sha256",
                "encoding": "hex",
                "prefix": "hmac v0 ",
                "template": "v0:{timestamp}:{body}",
                "timestampHeader": "x-acme-time",
            }),
            prefix: "hmac v0 ",
            mac: "00e47f4cbdbd9410814942c2239b80125624f0cbeabef4bf25e87d82261535c9",
            others: vec![("x-acme-time", "1700000000")],
            timestamp: Some(("1700000000", 300)),
            delivery_id: None,
            ..everything.clone()
        },
        Vector {
            name: "generic, a body that is not text, and an id that is not signed",
            config: json!({
                "scheme": "generic",
                "secret": "generic secret",
                "header": "x-acme-signature",
                "algorithm": "sha256",
                "encoding": "base64",
                "template": "{body}",
                "idHeader": "x-acme-event",
            }),
            mac: "s5xpBG/H/ncYJ0lIssNwDBNCoMKrDSWN0rq26b0RDtA=",
            others: vec![("x-acme-event", "evt:1/2")],
            body: vec![0xff, 0x00, 0xfe],
            timestamp: None,
            delivery_id: Some("evt:1/2"),
            ..everything.clone()
        },
        everything,
    ]
}
