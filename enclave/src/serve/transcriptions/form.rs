//! The form that audio comes in.

use bytes::Bytes;
use chrysalis_wire::multipart::{self, Malformed, Part};

use super::{
    kind::{self, KINDS},
    language::Language,
    render::{Format, Times},
};
use crate::{
    engine::Api,
    serve::{
        error::{ApiError, quoted},
        fields::wrong,
    },
};

/// The most bytes of a field that is text. Whisper reads the last 224 tokens of a prompt.
const MAX_TEXT: usize = 4096;

/// Of what the times are wanted.
pub(super) const GRANULARITIES: &str = "timestamp_granularities[]";

/// A request for a transcription, checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transcription {
    pub(super) model: String,
    pub(super) file: Bytes,
    pub(super) language: Option<Language>,
    pub(super) prompt: Option<String>,
    pub(super) format: Format,
    pub(super) times: Times,
    pub(super) temperature: Option<f64>,
    pub(super) stream: bool,
}

impl Transcription {
    /// Reads a request's body. `content_type` names the form's boundary.
    pub(super) fn parse(content_type: &str, body: &Bytes) -> Result<Self, ApiError> {
        let boundary = multipart::boundary(content_type).map_err(malformed)?;
        let parts = multipart::parse(boundary, body).map_err(malformed)?;
        let mut form = Form::default();
        for part in &parts {
            form.take(part, body)?;
        }
        form.finish()
    }

    /// Refuses what an engine of this dialect does not know.
    pub(super) fn is_for(&self, api: Api) -> Result<(), ApiError> {
        if self.times.words && api != Api::WhisperCpp {
            return Err(ApiError::unsupported_because(
                GRANULARITIES,
                "this model's engine knows when a segment was said, not when a word was; send segment",
            ));
        }
        Ok(())
    }
}

fn malformed(error: Malformed) -> ApiError {
    ApiError::malformed(format!(
        "the body is no form: {error}; send multipart/form-data with file and model, as curl -F does"
    ))
}

#[derive(Default)]
struct Form {
    file: Option<Bytes>,
    model: Option<String>,
    language: Option<Language>,
    prompt: Option<String>,
    format: Option<Format>,
    temperature: Option<f64>,
    stream: Option<bool>,
    /// Of what the times are asked for.
    times: Option<Times>,
    seen: Vec<String>,
}

impl Form {
    fn take(&mut self, part: &Part<'_>, body: &Bytes) -> Result<(), ApiError> {
        let granularity = part.name.trim_end_matches("[]") == "timestamp_granularities";
        if !granularity && self.seen.iter().any(|name| name == part.name) {
            let message = format!("{} is there twice; send it once", quoted(part.name));
            return Err(ApiError::invalid(quoted(part.name), message));
        }
        self.seen.push(part.name.to_owned());
        if part.name == "file" {
            kind::of(part.data).map_err(no_audio)?;
            self.file = Some(body.slice_ref(part.data));
            return Ok(());
        }
        if granularity {
            return self.granularity(text(part)?);
        }
        match part.name {
            "model" => self.model = Some(text(part)?.to_owned()),
            "language" => self.language = Some(language(text(part)?)?),
            "prompt" => self.prompt = Some(text(part)?.to_owned()),
            "response_format" => self.format = Some(format(text(part)?)?),
            "temperature" => self.temperature = Some(temperature(text(part)?)?),
            "stream" => self.stream = Some(flag(part)?),
            // Who asks: nothing is kept of it.
            "user" => {
                text(part)?;
            }
            name => return Err(ApiError::unsupported(name)),
        }
        Ok(())
    }

    fn granularity(&mut self, word: &str) -> Result<(), ApiError> {
        let times = self.times.get_or_insert_default();
        match word {
            "segment" => times.segments = true,
            "word" => times.words = true,
            _ => return Err(wrong(GRANULARITIES, "\"segment\" or \"word\"")),
        }
        Ok(())
    }

    fn finish(self) -> Result<Transcription, ApiError> {
        let format = self.format.unwrap_or(Format::Json);
        let stream = self.stream.unwrap_or(false);
        if self.times.is_some() && format != Format::VerboseJson {
            return Err(ApiError::unsupported_because(
                GRANULARITIES,
                "it goes with response_format verbose_json",
            ));
        }
        if stream && !matches!(format, Format::Json | Format::Text) {
            return Err(ApiError::unsupported_because(
                "stream",
                "it goes with response_format json or text",
            ));
        }
        Ok(Transcription {
            model: self.model.ok_or_else(|| ApiError::missing("model"))?,
            file: self.file.ok_or_else(|| ApiError::missing("file"))?,
            language: self.language,
            prompt: self.prompt,
            format,
            times: self.times.unwrap_or(Times::SEGMENTS),
            temperature: self.temperature,
            stream,
        })
    }
}

fn no_audio(what: &str) -> ApiError {
    ApiError::invalid("file", format!("file is {what}; send {KINDS}"))
}

/// A field that is text.
fn text<'a>(part: &Part<'a>) -> Result<&'a str, ApiError> {
    let name = quoted(part.name);
    if part.data.len() > MAX_TEXT {
        return Err(wrong(name, &format!("a text of at most {MAX_TEXT} bytes")));
    }
    std::str::from_utf8(part.data)
        .ok()
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| wrong(name, "UTF-8 text"))
}

fn language(code: &str) -> Result<Language, ApiError> {
    if let Some(language) = Language::of(code) {
        return Ok(language);
    }
    let lower = code.to_ascii_lowercase();
    let start = lower.split(['-', '_']).next().unwrap_or_default();
    let near = Language::of(start).or_else(|| Language::named(&lower));
    let hint = near.map_or_else(
        || {
            "send an ISO 639-1 code that Whisper knows, or leave it out to have it detected"
                .to_owned()
        },
        |near| format!("send {:?}", near.code),
    );
    let message = format!(
        "language is {:?}, which is no code of a language here; {hint}",
        quoted(code)
    );
    Err(ApiError::invalid("language", message))
}

fn format(word: &str) -> Result<Format, ApiError> {
    Ok(match word {
        "json" => Format::Json,
        "text" => Format::Text,
        "srt" => Format::Srt,
        "vtt" => Format::Vtt,
        "verbose_json" => Format::VerboseJson,
        "diarized_json" => {
            return Err(ApiError::unsupported_because(
                "response_format",
                "this server's engines do not tell speakers apart; send verbose_json",
            ));
        }
        _ => {
            let words = "\"json\", \"text\", \"srt\", \"vtt\" or \"verbose_json\"";
            return Err(wrong("response_format", words));
        }
    })
}

fn temperature(text: &str) -> Result<f64, ApiError> {
    text.parse()
        .ok()
        .filter(|number| (0.0..=1.0).contains(number))
        .ok_or_else(|| wrong("temperature", "a number from 0 to 1"))
}

/// As the SDKs write it.
fn flag(part: &Part<'_>) -> Result<bool, ApiError> {
    match text(part)? {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        _ => Err(wrong(part.name, "true or false")),
    }
}
