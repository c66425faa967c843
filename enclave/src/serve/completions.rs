//! `POST /v1/completions`: texts to go on from.

use std::sync::Arc;

use chrysalis_wire::configuration::Kind;
use serde_json::Value;

use super::{
    answering::Inquiry,
    chat::object,
    choice::Form,
    chunks::{self, Answer},
    error::ApiError,
    question::{Input, Question},
    refusal::Refusal,
    request::{Delivery, Text},
    service::Service,
    shape::{self, Shape},
};
use crate::engine::Tenant;

/// Answers a request, the JSON of its body: a `text_completion`, or a stream of them.
pub(super) async fn complete(
    service: &Service,
    tenant: &Tenant,
    body: Value,
) -> Result<Answer, ApiError> {
    let request = object(body)?;
    let served = service.served(&request, Kind::Chat)?;
    let text = Text::parse(&request, served.model(), service.serving(), service.seed()?)?;
    drop(request);
    let Text {
        request,
        prompts,
        echo,
    } = text;
    let shape = Shape {
        envelope: service.envelope(&served)?,
        kind: shape::Kind::Text {
            echo: echo.then(|| prompts.clone()),
        },
        logprobs: request.logprobs,
        with_usage: request.delivery == Delivery::Stream { with_usage: true },
        choices: request.choices,
        begun: Vec::new(),
    };
    let questions = prompts.into_iter().map(|prompt| Question {
        input: Arc::new(Input::Text(prompt)),
        sampling: request.sampling.clone(),
        logprobs: request.logprobs,
        schema: None,
    });
    let inquiry = Inquiry {
        served,
        tenant: *tenant,
        salt: service.salt(tenant),
        form: Form::Text,
        refusal: Refusal {
            prompt: "prompt",
            schema: None,
            names_tokens: !request.sampling.logit_bias.is_empty(),
        },
        questions: questions.collect(),
        choices: request.choices,
    };
    match request.delivery {
        Delivery::Whole => chunks::whole(inquiry, shape).await,
        Delivery::Stream { .. } => chunks::stream(inquiry, shape).await,
    }
}
