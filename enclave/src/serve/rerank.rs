//! `POST /v1/rerank`: which of these documents answers the query best, in the shape that Jina and Cohere gave it and
//! that llama.cpp and vLLM serve.

use chrysalis_wire::configuration::Kind;
use hyper::Response;
use serde_json::{Value, json};

use super::{
    answer::Body,
    error::ApiError,
    fields::{Fields, wrong},
    misshapen::{self as shape, Misshapen, Unfit},
    service::Service,
    single,
};
use crate::engine::{Call, CallBody, Tenant};

/// The most documents of one request.
const MAX_DOCUMENTS: usize = 2048;
/// What the engine's answer may have, in bytes of text: vLLM repeats the documents.
const MOST_TEXT: usize = 4096;

/// Answers a request, the JSON of its body.
pub(super) async fn rank(
    service: &Service,
    tenant: &Tenant,
    body: Value,
) -> Result<Response<Body>, ApiError> {
    let request = Rerank::parse(&body)?;
    drop(body);
    let served = service.model(&request.model, Kind::Rerank)?;
    let call = Call {
        path: "/v1/rerank",
        body: CallBody::Json(request.question()),
        most_text: MOST_TEXT,
    };
    single::respond(served, tenant, call, "documents", |said| {
        request.answer(said)
    })
    .await
}

/// A request to rank documents, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rerank {
    model: String,
    query: String,
    documents: Vec<String>,
    top: usize,
    returns_documents: bool,
}

impl Rerank {
    /// Reads a request's body.
    fn parse(body: &Value) -> Result<Self, ApiError> {
        let body = Fields::body(body)?;
        body.only(&[
            "model",
            "query",
            "documents",
            "top_n",
            "return_documents",
            "user",
        ])?;
        body.text("user")?;
        let model = body.required_text("model")?.to_owned();
        let query = body.required_text("query")?;
        if query.is_empty() {
            return Err(ApiError::invalid("query", "query is empty; send a text"));
        }
        let documents = documents(body.required("documents", body.list("documents")?)?)?;
        let top = body.whole("top_n", 1)?;
        Ok(Self {
            model,
            query: query.to_owned(),
            top: top.map_or(documents.len(), |top| {
                usize::try_from(top)
                    .unwrap_or(usize::MAX)
                    .min(documents.len())
            }),
            documents,
            returns_documents: body.flag("return_documents")?.unwrap_or(false),
        })
    }

    /// What the engine is asked: to score all of them. The best are chosen here.
    fn question(&self) -> Value {
        json!({"model": self.model, "query": self.query, "documents": self.documents})
    }

    /// The answer from the engine's: the best first, and of equals the one that came first.
    fn answer(&self, said: &Value) -> Result<Value, Unfit> {
        let items = shape::list(said, "results", "results")?;
        let mut scores = Vec::with_capacity(self.documents.len());
        for (index, item) in shape::in_order(items, self.documents.len())?
            .into_iter()
            .enumerate()
        {
            scores.push((
                index,
                shape::number(item, "relevance_score", "relevance_score")?,
            ));
        }
        scores.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let mut results = Vec::with_capacity(self.top);
        for (index, score) in scores.into_iter().take(self.top) {
            results.push(self.result(index, score)?);
        }
        Ok(json!({
            "object": "list",
            "model": self.model,
            "results": results,
            "usage": shape::prompt_usage(said)?,
        }))
    }

    fn result(&self, index: usize, score: f64) -> Result<Value, Misshapen> {
        let mut result = json!({"index": index, "relevance_score": score});
        if self.returns_documents {
            let text = self.documents.get(index).ok_or(Misshapen("index"))?;
            result["document"] = json!({"text": text});
        }
        Ok(result)
    }
}

fn documents(list: &[Value]) -> Result<Vec<String>, ApiError> {
    if list.is_empty() || list.len() > MAX_DOCUMENTS {
        return Err(ApiError::invalid(
            "documents",
            format!(
                "documents has {} entries; send 1 to {MAX_DOCUMENTS}",
                list.len()
            ),
        ));
    }
    list.iter()
        .enumerate()
        .map(|(index, document)| {
            let place = format!("documents[{index}]");
            let text = match document {
                Value::String(text) => text.as_str(),
                Value::Object(_) => {
                    let document = Fields::at(place.as_str(), document)?;
                    document.only(&["text"])?;
                    document.required_text("text")?
                }
                _ => return Err(wrong(&place, "a string or an object with text")),
            };
            if text.is_empty() {
                return Err(ApiError::invalid(
                    place.as_str(),
                    format!("{place} is empty; leave it out"),
                ));
            }
            Ok(text.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::serve::arbitrary::json as any_json;

    fn asked(extra: &[(&str, Value)]) -> Result<Rerank, ApiError> {
        let mut request =
            json!({"model": "m", "query": "q", "documents": ["a", {"text": "b"}, "c"]});
        for (key, value) in extra {
            request[*key] = value.clone();
        }
        Rerank::parse(&request)
    }

    fn said(scores: &[Value]) -> Value {
        let results: Vec<Value> = scores
            .iter()
            .enumerate()
            .map(|(index, score)| json!({"index": index, "relevance_score": score}))
            .collect();
        json!({"results": results, "usage": {"total_tokens": 9}})
    }

    #[test]
    fn the_best_come_first() {
        let request = asked(&[]).unwrap();
        assert_eq!(
            request.question(),
            json!({"model": "m", "query": "q", "documents": ["a", "b", "c"]})
        );
        let answer = request
            .answer(&said(&[json!(-1), json!(0.5), json!(-1)]))
            .unwrap();
        let results = json!([
            {"index": 1, "relevance_score": 0.5},
            {"index": 0, "relevance_score": -1.0},
            {"index": 2, "relevance_score": -1.0},
        ]);
        assert_eq!(answer["results"], results);
        assert_eq!(answer["usage"]["total_tokens"], 9);
    }

    #[test]
    fn as_many_as_are_wanted_with_their_documents() {
        let wishes = [("top_n", json!(1)), ("return_documents", json!(true))];
        let answer = asked(&wishes)
            .unwrap()
            .answer(&said(&[json!(1), json!(3), json!(2)]))
            .unwrap();
        let best = json!([{"index": 1, "relevance_score": 3.0, "document": {"text": "b"}}]);
        assert_eq!(answer["results"], best);
        let all =
            asked(&[("top_n", json!(99))])
                .unwrap()
                .answer(&said(&[json!(1), json!(3), json!(2)]));
        assert_eq!(all.unwrap()["results"].as_array().unwrap().len(), 3);
    }

    #[test]
    fn names_what_is_wrong() {
        for (key, value, parameter, code) in [
            ("model", json!(null), "model", "missing_required_parameter"),
            ("query", json!(null), "query", "missing_required_parameter"),
            ("query", json!(""), "query", "invalid_value"),
            ("query", json!(["q"]), "query", "invalid_value"),
            (
                "documents",
                json!(null),
                "documents",
                "missing_required_parameter",
            ),
            ("documents", json!("a"), "documents", "invalid_value"),
            ("documents", json!([]), "documents", "invalid_value"),
            (
                "documents",
                json!(vec!["a"; MAX_DOCUMENTS + 1]),
                "documents",
                "invalid_value",
            ),
            (
                "documents",
                json!(["a", ""]),
                "documents[1]",
                "invalid_value",
            ),
            ("documents", json!([5]), "documents[0]", "invalid_value"),
            (
                "documents",
                json!([{}]),
                "documents[0].text",
                "missing_required_parameter",
            ),
            (
                "documents",
                json!([{"text": "a", "image": "b"}]),
                "documents[0].image",
                "unsupported_parameter",
            ),
            ("top_n", json!(0), "top_n", "invalid_value"),
            (
                "return_documents",
                json!("yes"),
                "return_documents",
                "invalid_value",
            ),
            (
                "max_chunks_per_doc",
                json!(1),
                "max_chunks_per_doc",
                "unsupported_parameter",
            ),
        ] {
            let error = asked(&[(key, value.clone())]).unwrap_err();
            let named = (error.parameter.as_deref(), error.code);
            assert_eq!(named, (Some(parameter), code), "{key}: {value}");
        }
    }

    #[test]
    fn another_shape_is_not_passed_on() {
        let request = asked(&[]).unwrap();
        let good = [json!(1), json!(2), json!(3)];
        let mut twice = said(&good);
        twice["results"][1]["index"] = json!(0);
        let mut no_usage = said(&good);
        no_usage["usage"] = json!({});
        for wrong in [
            json!([]),
            json!({"results": {}}),
            said(&good[..2]),
            said(&[json!(1), json!(2), json!("3")]),
            said(&[json!(1), json!(2), json!(null)]),
            twice,
            no_usage,
        ] {
            assert!(
                matches!(request.answer(&wrong), Err(Unfit::Misshapen(_))),
                "{wrong}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_request_and_no_answer_panics(request in any_json(), said in any_json()) {
            let _ = Rerank::parse(&request);
            let _ = asked(&[]).unwrap().answer(&said);
        }
    }
}
