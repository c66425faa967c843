use chrysalis_wire::multipart::Writer;

use bytes::Bytes;

use super::{language::Language, render::Times, *};
use crate::engine::Api;

const KIND: &str = "multipart/form-data; boundary=0123";

fn form(fields: &[(&'static str, &str)], file: Option<&[u8]>) -> Bytes {
    let mut writer = Writer::new("0123".into(), 0);
    for (name, text) in fields {
        writer.text(name, text);
    }
    if let Some(file) = file {
        writer.file("file", "a", "audio/ogg", &[file]);
    }
    writer.finish().1.into()
}

fn with(fields: &[(&'static str, &str)]) -> Result<Transcription, ApiError> {
    let fields = [&[("model", "w")], fields].concat();
    Transcription::parse(KIND, &form(&fields, Some(b"ID3\x04audio")))
}

#[test]
fn a_small_form_gets_the_defaults() {
    assert_eq!(
        with(&[]).unwrap(),
        Transcription {
            model: "w".into(),
            file: Bytes::from_static(b"ID3\x04audio"),
            language: None,
            prompt: None,
            format: Format::Json,
            times: Times::SEGMENTS,
            temperature: None,
            stream: false,
        }
    );
}

#[test]
fn reads_every_field() {
    let request = with(&[
        ("language", "de"),
        ("prompt", "Über"),
        ("response_format", "verbose_json"),
        ("temperature", "0.5"),
        ("timestamp_granularities[]", "segment"),
        ("stream", "false"),
        ("user", "u"),
    ])
    .unwrap();
    assert_eq!(request.language, Language::of("de"));
    assert_eq!(request.prompt.as_deref(), Some("Über"));
    assert_eq!(
        (request.format, request.temperature),
        (Format::VerboseJson, Some(0.5))
    );
    assert_eq!(request.times, Times::SEGMENTS);
    let words = with(&[
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
    ]);
    let words = words.unwrap();
    assert!(words.times.words && !words.times.segments);
    assert!(words.is_for(Api::WhisperCpp).is_ok() && request.is_for(Api::Vllm).is_ok());
    let error = words.is_for(Api::Vllm).unwrap_err();
    assert_eq!(
        error.parameter.as_deref(),
        Some("timestamp_granularities[]")
    );
    assert!(error.message.ends_with("send segment"), "{}", error.message);
    assert!(
        with(&[("stream", "true"), ("response_format", "text")])
            .unwrap()
            .stream
    );
}

#[test]
fn names_the_field_at_fault() {
    let invalid = "invalid_value";
    let unsupported = "unsupported_parameter";
    let long = "x".repeat(4097);
    let granularity = "timestamp_granularities[]";
    for (fields, parameter, code) in [
        (&[("language", "de-DE")][..], "language", invalid),
        (&[("language", "German")], "language", invalid),
        (&[("language", "xx")], "language", invalid),
        (&[("language", "auto")], "language", invalid),
        (&[("language", "")], "language", invalid),
        (&[("prompt", &long)], "prompt", invalid),
        (&[("prompt", "a\0b")], "prompt", invalid),
        (&[("response_format", "xml")], "response_format", invalid),
        (
            &[("response_format", "diarized_json")],
            "response_format",
            unsupported,
        ),
        (&[("temperature", "1.1")], "temperature", invalid),
        (&[("temperature", "NaN")], "temperature", invalid),
        (&[("temperature", "warm")], "temperature", invalid),
        (&[("stream", "yes")], "stream", invalid),
        (
            &[("stream", "true"), ("response_format", "srt")],
            "stream",
            unsupported,
        ),
        (&[(granularity, "letter")], granularity, invalid),
        (&[(granularity, "segment")], granularity, unsupported),
        (&[("model", "again")], "model", invalid),
        (
            &[("chunking_strategy", "auto")],
            "chunking_strategy",
            unsupported,
        ),
        (&[("include[]", "logprobs")], "include[]", unsupported),
    ] {
        let error = with(fields).unwrap_err();
        let named = (error.parameter.as_deref(), error.code);
        assert_eq!(named, (Some(parameter), code), "{fields:?}");
    }
    let error = with(&[("language", "de-DE")]).unwrap_err();
    assert!(error.message.ends_with("send \"de\""), "{}", error.message);
    let error = with(&[("language", "German")]).unwrap_err();
    assert!(error.message.ends_with("send \"de\""), "{}", error.message);
}

#[test]
fn what_is_missing_is_named() {
    let missing = |body: &Bytes| {
        let error = Transcription::parse(KIND, body).unwrap_err();
        (error.parameter.unwrap_or_default(), error.code)
    };
    let code = "missing_required_parameter";
    assert_eq!(missing(&form(&[], Some(b"ID3"))), ("model".into(), code));
    assert_eq!(
        missing(&form(&[("model", "w")], None)),
        ("file".into(), code)
    );
}

#[test]
fn what_is_no_audio_is_refused_by_name() {
    for (file, what) in [
        (&b""[..], "file is empty"),
        (b"PK\x03\x04", "file is a ZIP archive"),
        (b"hello", "file is text"),
    ] {
        let body = form(&[("model", "w")], Some(file));
        let error = Transcription::parse(KIND, &body).unwrap_err();
        assert_eq!(
            (error.status.as_u16(), error.parameter.as_deref()),
            (400, Some("file"))
        );
        assert!(error.message.starts_with(what), "{}", error.message);
        assert!(error.message.contains("send OGG"), "{}", error.message);
    }
}

#[test]
fn what_is_no_form_is_refused() {
    let body = form(&[("model", "w")], Some(b"ID3"));
    for (kind, body) in [
        ("application/json", body.clone()),
        ("multipart/form-data", body.clone()),
        (KIND, body.slice(..body.len() - 8)),
    ] {
        let error = Transcription::parse(kind, &body).unwrap_err();
        assert_eq!((error.status.as_u16(), error.code), (400, "invalid_json"));
        assert!(error.message.contains("curl -F"), "{}", error.message);
    }
}
