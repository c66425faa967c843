//! `POST /v1/chat/completions`.

use std::sync::Arc;

use chrysalis_wire::configuration::Kind;
use serde_json::{Value, json};

use super::{
    answering::Inquiry,
    choice::Form,
    chunks::{self, Answer},
    error::ApiError,
    format::SCHEMA,
    object::Object,
    question::{Input, Question},
    refusal::Refusal,
    render,
    request::{Chat, Delivery},
    schema::Schema,
    service::Service,
    shape::{self, Envelope, Shape},
    tools::Tools,
};
use crate::engine::{Served, Tenant};

/// Answers a request, the JSON of its body: a `chat.completion`, or a stream of its chunks.
pub(super) async fn chat(
    service: &Service,
    tenant: &Tenant,
    body: Value,
) -> Result<Answer, ApiError> {
    let (inquiry, shape, delivery) = prepare(service, tenant, body)?;
    match delivery {
        Delivery::Whole => chunks::whole(inquiry, shape).await,
        Delivery::Stream { .. } => chunks::stream(inquiry, shape).await,
    }
}

/// Who asks whom, and what every part of the answer repeats.
struct Asked {
    served: Arc<Served>,
    tenant: Tenant,
    salt: String,
    envelope: Envelope,
}

fn prepare(
    service: &Service,
    tenant: &Tenant,
    body: Value,
) -> Result<(Inquiry, Shape, Delivery), ApiError> {
    let request = object(body)?;
    let served = service.served(&request, Kind::Chat)?;
    let chat = Chat::parse(&request, served.model(), service.serving(), service.seed()?)?;
    // The engine gets its own copy; this one is not kept while it answers.
    drop(request);
    let asked = Asked {
        envelope: service.envelope(&served)?,
        salt: service.salt(tenant),
        tenant: *tenant,
        served,
    };
    Ok(plan(chat, asked))
}

fn plan(chat: Chat, asked: Asked) -> (Inquiry, Shape, Delivery) {
    let Chat {
        request,
        messages,
        tools,
        format,
    } = chat;
    let refusal = Refusal {
        prompt: "messages",
        schema: match (&tools, &format) {
            (Some(_), _) => Some("tools"),
            (None, Some(_)) => Some(SCHEMA),
            (None, None) => None,
        },
        names_tokens: !request.sampling.logit_bias.is_empty(),
    };
    let turns = render::turns(messages, tools.as_ref());
    let mut sampling = request.sampling;
    let (form, schema) = form(tools, format, &mut sampling.stop);
    let shape = Shape {
        envelope: asked.envelope,
        kind: shape::Kind::Chat,
        logprobs: request.logprobs,
        with_usage: request.delivery == Delivery::Stream { with_usage: true },
        choices: request.choices,
        begun: Vec::new(),
    };
    let question = Question {
        input: Arc::new(Input::Turns(turns)),
        sampling,
        logprobs: request.logprobs,
        schema,
    };
    let inquiry = Inquiry {
        served: asked.served,
        tenant: asked.tenant,
        salt: asked.salt,
        form,
        refusal,
        questions: vec![question],
        choices: request.choices,
    };
    (inquiry, shape, request.delivery)
}

/// The form of the answer, and the schema that the engine keeps to. Where that is a reply about functions, stop texts are for the
/// answer in it, not for its JSON.
fn form(
    tools: Option<Tools>,
    format: Option<Schema>,
    stop: &mut Vec<String>,
) -> (Form, Option<Value>) {
    match (tools, format) {
        (Some(tools), format) => {
            let answer = format.filter(|_| tools.may_answer);
            let schema = render::reply_schema(&tools, answer.as_ref());
            let form = Form::Reply {
                tools: Arc::new(tools),
                answer,
                stop: std::mem::take(stop),
            };
            (form, Some(schema))
        }
        (None, Some(schema)) => {
            let mut grammar = json!({"$ref": "#/$defs/answer"});
            grammar["$defs"] = json!({"answer": schema.moved("#/$defs/answer")});
            (Form::Json(schema, !stop.is_empty()), Some(grammar))
        }
        (None, None) => (Form::Text, None),
    }
}

/// The object that a body is.
pub(super) fn object(body: Value) -> Result<Object, ApiError> {
    match body {
        Value::Object(request) => Ok(request),
        _ => Err(ApiError::malformed("the body is not a JSON object")),
    }
}

#[cfg(test)]
mod tests;
