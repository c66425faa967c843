//! `GET /v1/models`: the models as OpenAI describes them, with what each is made of, and where the proof is.

use chrysalis_wire::api;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    answer::{self, Body},
    error::ApiError,
    service::Service,
};
use crate::engine::Served;

/// All of them.
pub(super) fn list(service: &Service) -> Response<Body> {
    let all = service.engines.all().iter();
    let all: Vec<Value> = all.map(|served| describe(served)).collect();
    answer::json(StatusCode::OK, &json!({"object": "list", "data": all}))
}

/// One, by name.
pub(super) fn one(service: &Service, name: &str) -> Result<Response<Body>, ApiError> {
    let served = service.find(name)?;
    Ok(answer::json(StatusCode::OK, &describe(served)))
}

fn describe(served: &Served) -> Value {
    let (model, engine) = (served.model(), served.engine());
    json!({
        "id": model.name,
        "object": "model",
        "created": 0,
        "owned_by": "chrysalis",
        "kind": model.kind.name(),
        "context": model.context,
        "context_length": model.context,
        "weights": model.weights,
        "tokenizer": model.tokenizer,
        "template": model.template,
        "disk": model.disk.root,
        "engine": {"name": engine.name, "version": engine.version, "disk": engine.disk.root},
        "attestation": api::ATTESTATION,
    })
}
