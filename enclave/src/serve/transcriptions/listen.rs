//! Having an engine hear a recording, stretch by stretch: so the first words come early, a client that is gone costs one
//! stretch, other tenants get their turns in between, and no answer takes longer than an engine may be silent.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrysalis_wire::multipart::Writer;
use tokio::time::{Instant, sleep_until};

use super::{Transcription, heard::Heard, language::Language, wav::Wav};
use crate::{
    engine::{Api, Call, CallBody, Served, Tenant},
    serve::{error::ApiError, misshapen::Unfit, refusal::Refusal, single::Single},
};

/// How often a stretch is asked about again if the queue is full. The first is not: the client can ask itself.
const MAX_TRIES: u32 = 60;
/// How long it waits before that.
const PAUSE: Duration = Duration::from_secs(5);
/// The most bytes of what was said before that the next stretch is told of.
const MAX_PROMPT: usize = 256;
/// What an engine may refuse in a question that was checked: nothing that the client could change.
const REFUSAL: Refusal = Refusal {
    prompt: "file",
    schema: None,
    names_tokens: false,
};

/// A recording that is being heard.
pub(super) struct Listening {
    served: Arc<Served>,
    tenant: Tenant,
    request: Transcription,
    boundary: String,
    wav: Wav,
    /// How many samples are behind it.
    from: usize,
    /// The stretch that is being heard.
    asked: Option<Asked>,
    tries: u32,
    heard: Heard,
}

struct Asked {
    stretch: Wav,
    answer: Option<Single>,
    /// When to ask again, where there is no answer to wait for.
    again: Instant,
}

impl Listening {
    /// Begins. `boundary` separates the parts of a form, and is random.
    pub(super) fn new(
        served: Arc<Served>,
        tenant: Tenant,
        request: Transcription,
        boundary: String,
        wav: Wav,
    ) -> Self {
        Self {
            heard: Heard::nothing(request.language, wav.seconds()),
            served,
            tenant,
            request,
            boundary,
            wav,
            from: 0,
            asked: None,
            tries: 0,
        }
    }

    /// What was heard so far.
    pub(super) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Hears the next stretch. False: there is no more. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<bool, ApiError> {
        if self.asked.is_none() && !self.ask()? {
            return Ok(false);
        }
        self.retry().await?;
        let Some(Asked {
            stretch,
            answer: Some(answer),
            ..
        }) = &mut self.asked
        else {
            return Err(ApiError::broken());
        };
        let (language, seconds) = (language(&self.request, &self.heard), stretch.seconds());
        let read = |said: &_| Heard::read(said, language, seconds).map_err(Unfit::from);
        let heard = answer.answer(REFUSAL, read).await?;
        self.heard.add(heard, Wav::at(self.from));
        self.from = self.from.saturating_add(stretch.samples());
        self.asked = None;
        Ok(true)
    }

    /// Asks about the next stretch in which there is something to hear. Whisper makes up words for silence.
    fn ask(&mut self) -> Result<bool, ApiError> {
        while let Some(stretch) = self.wav.stretch(self.from) {
            if !stretch.is_silent() {
                let answer = match self.question(&stretch) {
                    Ok(answer) => Some(answer),
                    Err(error) if self.from == 0 => return Err(error),
                    Err(_) => None,
                };
                self.tries = 0;
                self.asked = Some(Asked {
                    stretch,
                    answer,
                    again: Instant::now() + PAUSE,
                });
                return Ok(true);
            }
            self.from = self.from.saturating_add(stretch.samples());
        }
        Ok(false)
    }

    /// Asks again, until the queue has room: what was heard already would be lost.
    async fn retry(&mut self) -> Result<(), ApiError> {
        while let Some(Asked {
            stretch,
            answer: None,
            again,
        }) = &self.asked
        {
            sleep_until(*again).await;
            let (stretch, answer) = (stretch.clone(), self.question(stretch));
            self.tries = self.tries.saturating_add(1);
            let answer = match answer {
                Err(error) if self.tries >= MAX_TRIES => return Err(error),
                answer => answer.ok(),
            };
            self.asked = Some(Asked {
                stretch,
                answer,
                again: Instant::now() + PAUSE,
            });
        }
        Ok(())
    }

    fn question(&self, stretch: &Wav) -> Result<Single, ApiError> {
        let (path, bytes) = form(
            &self.request,
            &self.heard,
            stretch,
            &self.boundary,
            self.served.engine().api,
        );
        let call = Call {
            path,
            body: CallBody::Multipart {
                boundary: self.boundary.clone(),
                bytes,
            },
            most_text: Heard::most_text(stretch.seconds()),
        };
        Single::ask(&self.served, &self.tenant, call)
    }
}

/// The language to hear: what was asked for, or what was heard before.
fn language(request: &Transcription, heard: &Heard) -> Option<Language> {
    request.language.or(heard.language)
}

/// The engine's path, and the form that it takes.
pub(super) fn form(
    request: &Transcription,
    heard: &Heard,
    stretch: &Wav,
    boundary: &str,
    api: Api,
) -> (&'static str, Bytes) {
    let (header, samples) = stretch.file();
    let room = samples.len().saturating_add(8192);
    let mut form = Writer::new(boundary.to_owned(), room);
    let language = language(request, heard).map(|language| language.code);
    let path = match api {
        Api::WhisperCpp => {
            form.text("language", language.unwrap_or("auto"));
            // They cost as much as the answer, and nobody reads them.
            form.text("no_language_probabilities", "true");
            "/inference"
        }
        Api::Vllm | Api::LlamaCpp => {
            form.text("model", &request.model);
            if let Some(language) = language {
                form.text("language", language);
            }
            form.text("timestamp_granularities[]", "segment");
            "/v1/audio/transcriptions"
        }
    };
    form.text("response_format", "verbose_json");
    form.text(
        "temperature",
        &request.temperature.unwrap_or(0.0).to_string(),
    );
    let prompt = prompt(request.prompt.as_deref(), &heard.text());
    if !prompt.is_empty() {
        form.text("prompt", &prompt);
    }
    form.file("file", "audio.wav", "audio/wav", &[&header, samples]);
    (path, form.finish().1.into())
}

/// What the client says it is about, and the last of what was said before: so a sentence goes on.
fn prompt(given: Option<&str>, said: &str) -> String {
    let start = said.ceil_char_boundary(said.len().saturating_sub(MAX_PROMPT));
    let last = said.get(start..).unwrap_or_default();
    match given {
        Some(given) if last.is_empty() => given.to_owned(),
        Some(given) => format!("{given} {last}"),
        None => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use chrysalis_wire::multipart;

    use super::*;
    use crate::serve::transcriptions::{render::Format, wav::tests::file};

    fn request() -> Transcription {
        Transcription {
            model: "w".into(),
            file: Bytes::new(),
            language: None,
            prompt: Some("About: Ürümqi.".into()),
            format: Format::Json,
            temperature: Some(0.2),
            stream: false,
        }
    }

    fn fields(
        request: &Transcription,
        heard: &Heard,
        api: Api,
    ) -> (&'static str, Vec<(String, String)>) {
        let wav = Wav::decoded(&file(4, 9)).unwrap();
        let (path, body) = form(request, heard, &wav, "0123", api);
        let parts = multipart::parse("0123", &body).unwrap();
        let fields = parts.iter().map(|part| {
            let text = String::from_utf8_lossy(part.data);
            let text = if part.name == "file" {
                text[..4].to_owned()
            } else {
                text.into_owned()
            };
            (part.name.to_owned(), text)
        });
        (path, fields.collect())
    }

    fn listed(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect()
    }

    #[test]
    fn whisper_cpp_is_asked_in_its_words() {
        let wanted = listed(&[
            ("language", "auto"),
            ("no_language_probabilities", "true"),
            ("response_format", "verbose_json"),
            ("temperature", "0.2"),
            ("prompt", "About: Ürümqi."),
            ("file", "RIFF"),
        ]);
        let found = fields(&request(), &Heard::nothing(None, 9.0), Api::WhisperCpp);
        assert_eq!(found, ("/inference", wanted));
    }

    #[test]
    fn the_next_stretch_is_told_of_the_last() {
        let said = serde_json::json!({"language": "german", "segments": [
            {"start": 0, "end": 1, "text": format!("{}ö{}", "x".repeat(300), "y".repeat(255))},
        ]});
        let heard = Heard::read(&said, None, 9.0).unwrap();
        let mut request = request();
        request.prompt = None;
        let wanted = listed(&[
            ("model", "w"),
            ("language", "de"),
            ("timestamp_granularities[]", "segment"),
            ("response_format", "verbose_json"),
            ("temperature", "0.2"),
            ("prompt", &"y".repeat(255)),
            ("file", "RIFF"),
        ]);
        let found = fields(&request, &heard, Api::Vllm);
        assert_eq!(found, ("/v1/audio/transcriptions", wanted));
        assert_eq!(prompt(Some("a"), "b"), "a b");
    }
}
