//! Which model a request asks.

use chrysalis_wire::multipart;
use hyper::{Request, header::CONTENT_TYPE};

/// The `model` of a JSON body or of a form, as far as it can be read. What the enclave makes of the request is the enclave's business.
pub(crate) fn of<B: AsRef<[u8]>>(request: &Request<B>) -> Option<String> {
    let body = request.body().as_ref();
    let kind = request.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if let Ok(boundary) = multipart::boundary(kind) {
        let parts = multipart::parse(boundary, body).ok()?;
        let model = parts.iter().find(|part| part.name == "model")?;
        return String::from_utf8(model.data.to_vec()).ok();
    }
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body["model"].as_str().map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_found_in_json_and_in_forms() {
        let request = |kind: &str, body: &str| {
            let request = Request::builder().header(CONTENT_TYPE, kind);
            request.body(body.as_bytes().to_vec()).unwrap()
        };
        let json = request("application/json", r#"{"messages": [], "model": "m"}"#);
        assert_eq!(of(&json).as_deref(), Some("m"));
        let form = "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nw\r\n--b--\r\n";
        let form = request("multipart/form-data; boundary=b", form);
        assert_eq!(of(&form).as_deref(), Some("w"));
        for none in ["", "[]", r#"{"model": 7}"#, "{"] {
            assert_eq!(of(&request("application/json", none)), None, "{none}");
        }
    }
}
