//! One operation: what it takes, what it answers, and how it is written down.

use std::collections::BTreeMap;

use flowker_core::code::Code;
use http::StatusCode;
use serde_json::{Value, json};

use super::parameter::Parameter;
use crate::access::PLAIN;
use crate::error::{status, transport_statuses};
use crate::problem::{Error, PROBLEM_JSON, Problem};
use crate::shape::{Schemas, Shown};
use crate::show::Shape;

const JSON: &str = "application/json";

/// What one endpoint does, for whoever calls it.
#[derive(Debug)]
pub(super) struct Operation {
    tag: &'static str,
    summary: &'static str,
    parameters: Vec<Parameter>,
    body: Option<Body>,
    answers: Vec<Answer>,
    codes: Vec<Code>,
}

/// What a request may hold.
#[derive(Debug)]
struct Body {
    is_required: bool,
    schema: MakeSchema,
    example: Value,
}

type MakeSchema = fn(&mut Schemas) -> Value;

/// An answer that is no refusal.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    about: &'static str,
    /// Media type and schema.
    content: Option<(&'static str, MakeSchema)>,
    headers: &'static [(&'static str, &'static str)],
}

/// Where an operation is written down.
pub(super) struct Rendering<'a> {
    pub(super) id: String,
    /// Whether it asks for credentials.
    pub(super) is_guarded: bool,
    pub(super) schemas: &'a mut Schemas,
    pub(super) responses: &'a mut Responses,
}

/// The responses that several operations share.
#[derive(Debug, Default)]
pub(super) struct Responses(BTreeMap<String, Value>);

impl Responses {
    pub(super) fn into_value(self) -> Value {
        self.0.into_iter().collect()
    }
}

/// What reading a document can be refused with.
const OF_DOCUMENTS: [Code; 3] = [Code::BodyUnreadable, Code::MediaUnsupported, Code::BodyTooSlow];

/// What any request can be refused with.
const OF_ALL: [Code; 2] = [Code::Overloaded, Code::Internal];

/// What any request with credentials can be refused with.
const OF_GUARDED: [Code; 4] =
    [Code::Unauthorized, Code::Forbidden, Code::StoreUnavailable, Code::IssuerUnavailable];

/// The statuses with which an access manager's word keeps callers out, in plain text.
const DENIALS: [StatusCode; 3] =
    [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::INTERNAL_SERVER_ERROR];

impl Operation {
    pub(super) const fn new(tag: &'static str, summary: &'static str) -> Self {
        Self {
            tag,
            summary,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            codes: Vec::new(),
        }
    }

    pub(super) fn takes(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        self.parameters.extend(parameters);
        self
    }

    /// A JSON document in the request, with one that is good.
    pub(super) fn reads(mut self, schema: MakeSchema, example: Value) -> Self {
        self.body = Some(Body { is_required: true, schema, example });
        self.refuses(&OF_DOCUMENTS)
    }

    /// The same, and it may be left out.
    pub(super) fn may_read(self, schema: MakeSchema, example: Value) -> Self {
        let mut operation = self.reads(schema, example);
        if let Some(body) = &mut operation.body {
            body.is_required = false;
        }
        operation
    }

    pub(super) fn answers<T: Shown>(self, status: StatusCode, about: &'static str) -> Self {
        self.answers_as(status, about, JSON, T::schema)
    }

    pub(super) fn answers_as(
        mut self,
        status: StatusCode,
        about: &'static str,
        media_type: &'static str,
        schema: MakeSchema,
    ) -> Self {
        let content = Some((media_type, schema));
        self.answers.push(Answer { status, about, content, headers: &[] });
        self
    }

    pub(super) fn answers_nothing(mut self, about: &'static str) -> Self {
        let status = StatusCode::NO_CONTENT;
        self.answers.push(Answer { status, about, content: None, headers: &[] });
        self
    }

    /// Headers of all answers so far, each with what it says.
    pub(super) fn with_headers(mut self, headers: &'static [(&'static str, &'static str)]) -> Self {
        for answer in &mut self.answers {
            answer.headers = headers;
        }
        self
    }

    pub(super) fn refuses(mut self, codes: &[Code]) -> Self {
        self.codes.extend(codes);
        self
    }

    pub(super) fn rendered(self, rendering: Rendering<'_>) -> Value {
        let Rendering { id, is_guarded, schemas, responses } = rendering;
        let mut codes = self.codes;
        codes.extend(OF_ALL);
        if is_guarded {
            codes.extend(OF_GUARDED);
        }
        let mut refusals = refusals(&codes);
        let mut answers = BTreeMap::new();
        for answer in self.answers {
            let refused = refusals.remove(&answer.status.as_u16());
            answers.insert(
                answer.status.as_str().to_owned(),
                answer.rendered(refused.as_deref(), schemas),
            );
        }
        for (status, codes) in refusals {
            let refusal = Refusal {
                status,
                codes: &codes,
                is_denial: is_guarded && DENIALS.iter().any(|it| *it == status),
            };
            answers.insert(status.to_string(), refusal.rendered(schemas, responses));
        }
        let parameters: Vec<_> = self.parameters.into_iter().map(Parameter::rendered).collect();
        let body = self.body.map(|body| body.rendered(schemas));
        Shape::new()
            .text("operationId", id)
            .with("tags", vec![self.tag])
            .with("summary", self.summary)
            .maybe("parameters", (!parameters.is_empty()).then_some(parameters))
            .maybe("requestBody", body)
            .maybe("security", (!is_guarded).then(|| json!([])))
            .with("responses", answers.into_iter().collect::<Value>())
            .done()
    }
}

impl Body {
    fn rendered(self, schemas: &mut Schemas) -> Value {
        let schema = (self.schema)(schemas);
        json!({
            "required": self.is_required,
            "content": { JSON: { "schema": schema, "example": self.example } },
        })
    }
}

impl Answer {
    /// `refused`: the codes that the same status stands for otherwise.
    fn rendered(self, refused: Option<&[Value]>, schemas: &mut Schemas) -> Value {
        let content = self.content.map(|(media_type, schema)| {
            let schema = match refused {
                None => schema(schemas),
                Some(codes) => {
                    json!({ "anyOf": [schema(schemas), coded::<Error>(codes, schemas)] })
                }
            };
            let mut content = json!({ media_type: { "schema": schema } });
            if let Some(codes) = refused {
                content[PROBLEM_JSON] = json!({ "schema": coded::<Problem>(codes, schemas) });
            }
            content
        });
        let headers = self.headers.iter().map(|(name, about)| {
            let header = json!({ "description": about, "schema": { "type": "string" } });
            ((*name).to_owned(), header)
        });
        let headers: Option<Value> = (!self.headers.is_empty()).then(|| headers.collect());
        Shape::new()
            .with("description", self.about)
            .maybe("headers", headers)
            .maybe("content", content)
            .done()
    }
}

/// Every status that refuses, with the codes that it stands for.
fn refusals(codes: &[Code]) -> BTreeMap<u16, Vec<Value>> {
    let mut by_status: BTreeMap<u16, Vec<Value>> = BTreeMap::new();
    for code in Code::ALL.iter().filter(|code| codes.contains(code)) {
        by_status.entry(status(*code).as_u16()).or_default().push(code.as_str().into());
    }
    for status in transport_statuses().map(|status| status.as_u16()) {
        let codes = by_status.entry(status).or_default();
        // Where a code says that the body is too large, the transport does not.
        if status != StatusCode::PAYLOAD_TOO_LARGE.as_u16() || codes.is_empty() {
            codes.push(status.into());
        }
    }
    by_status
}

/// How many codes a response may stand for that is written down once and has a name.
const CODES_IN_NAME_MAX: usize = 3;

/// An answer that refuses.
struct Refusal<'a> {
    status: u16,
    codes: &'a [Value],
    /// Whether an access manager may refuse with the same status.
    is_denial: bool,
}

impl Refusal<'_> {
    fn rendered(self, schemas: &mut Schemas, responses: &mut Responses) -> Value {
        let Self { status, codes, is_denial } = self;
        let mut schema = coded::<Error>(codes, schemas);
        if is_denial {
            schema = json!({ "anyOf": [manager_error(schemas), schema] });
        }
        let mut response = json!({
            "description": meanings(codes),
            "content": {
                JSON: { "schema": schema },
                PROBLEM_JSON: { "schema": coded::<Problem>(codes, schemas) },
            },
        });
        if is_denial {
            response["content"][PLAIN] = json!({ "schema": { "type": "string" } });
        }
        if CODES_IN_NAME_MAX < codes.len() {
            return response;
        }
        let mut words = vec![status.to_string()];
        words.extend(codes.iter().map(word));
        if is_denial {
            words.push("denied".to_owned());
        }
        let name = words.join(".");
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.0.insert(name, response);
        reference
    }
}

fn word(code: &Value) -> String {
    code.as_str().map_or_else(|| code.to_string(), str::to_owned)
}

/// What an access manager answers itself, which is passed on.
fn manager_error(schemas: &mut Schemas) -> Value {
    schemas.named("AccessManagerError", |_| {
        json!({
            "type": "object",
            "description": "An error of the access manager, in its own words.",
            "not": { "required": ["requestId"] },
        })
    })
}

/// The schema of a refusal whose code is one of these.
fn coded<T: Shown>(codes: &[Value], schemas: &mut Schemas) -> Value {
    let mut schema = T::schema(schemas);
    schema["properties"] = json!({ "code": { "enum": codes } });
    schema
}

/// What the codes mean, one a line.
fn meanings(codes: &[Value]) -> String {
    let lines = codes.iter().map(|code| {
        let known = Code::ALL.iter().find(|it| Some(it.as_str()) == code.as_str());
        match known {
            Some(known) => format!("`{known}`: {}", known.meaning()),
            None => format!("`{code}`: Refused by the transport."),
        }
    });
    lines.collect::<Vec<_>>().join("\n\n")
}
