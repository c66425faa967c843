#![allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are used"
)]

use super::*;

pub(super) fn text_with(key: &str, value: Value) -> Result<Text, ApiError> {
    let mut request = json!({"model": "tiny", "prompt": "Once"});
    request[key] = value;
    parse_text(&request)
}

#[test]
fn a_text_completion_takes_one_text_or_several() {
    let text = text_with("logprobs", json!(5)).unwrap();
    assert_eq!(
        (text.prompts, text.request.logprobs, text.echo),
        (vec!["Once".to_owned()], Some(5), false)
    );
    let text = text_with("prompt", json!(["a", ""])).unwrap();
    assert_eq!(text.prompts, ["a", ""]);
    assert!(text_with("echo", json!(true)).unwrap().echo);
    assert_eq!(
        text_with("logprobs", json!(false))
            .unwrap()
            .request
            .logprobs,
        None
    );
}

#[test]
fn names_what_is_wrong_with_a_text_completion() {
    for (key, value, code) in [
        ("prompt", json!(null), "missing_required_parameter"),
        ("prompt", json!([]), "invalid_value"),
        ("prompt", json!([1, 2]), "invalid_value"),
        ("prompt", json!([[1, 2]]), "invalid_value"),
        ("prompt", json!(["a", {}]), "invalid_value"),
        ("prompt", json!(vec!["a"; 129]), "invalid_value"),
        ("prompt", json!({}), "invalid_value"),
        ("logprobs", json!(6), "invalid_value"),
        ("logprobs", json!(true), "invalid_value"),
        ("echo", json!("yes"), "invalid_value"),
        ("suffix", json!("end"), "unsupported_parameter"),
        ("best_of", json!(2), "unsupported_parameter"),
        ("messages", json!([]), "unsupported_parameter"),
        ("tools", json!([]), "unsupported_parameter"),
    ] {
        let error = text_with(key, value.clone()).unwrap_err();
        assert_eq!(
            (error.parameter.as_deref(), error.code),
            (Some(key), code),
            "{value}"
        );
    }
    let both = json!({"model": "tiny", "prompt": "a", "echo": true, "logprobs": 1});
    assert_eq!(
        parse_text(&both).unwrap_err().parameter.as_deref(),
        Some("echo")
    );
}
