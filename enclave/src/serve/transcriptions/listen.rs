//! Having an engine hear a recording, stretch by stretch: so the first words come early, a client that is gone costs one
//! stretch, other tenants get their turns in between, and no answer takes longer than an engine may be silent.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chrysalis_settle::End;
use chrysalis_wire::multipart::Writer;
use tokio::time::{Instant, sleep_until};

use super::{
    form::{GRANULARITIES, Transcription},
    heard::Heard,
    language::Language,
    wav::Wav,
};
use crate::{
    engine::{Api, Call, CallBody, Served, Tenant},
    serve::{error::ApiError, misshapen::Unfit, receipt::Meter, refusal::Refusal, single::Single},
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
    meter: Meter,
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
            meter: Meter::current(),
        }
    }

    /// What was heard so far.
    pub(super) fn heard(&self) -> &Heard {
        &self.heard
    }

    /// Hears the next stretch. False: there is no more. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<bool, ApiError> {
        let more = self.hear().await;
        self.meter.audio(Wav::milliseconds(self.from));
        match &more {
            Ok(true) => {}
            Ok(false) => self.meter.ended(End::Stop),
            Err(error) => self.meter.failed(error),
        }
        more
    }

    async fn hear(&mut self) -> Result<bool, ApiError> {
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
        Single::ask(&self.served, &self.tenant, call, self.meter.spell())
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
            // No `audio_ctx`, which would make short recordings cheaper: the engine pads its window with what is left of an earlier
            // recording, unless every window is as long as the others.
            "/inference"
        }
        Api::Vllm | Api::LlamaCpp => {
            form.text("model", &request.model);
            if let Some(language) = language {
                form.text("language", language);
            }
            form.text(GRANULARITIES, "segment");
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
    use chrysalis_wire::{configuration::Kind, multipart};
    use serde_json::{Value, json};
    use tokio::sync::Semaphore;

    use super::*;
    use crate::{
        engine::fake::{self, Play, Said},
        serve::{
            sse::Source,
            transcriptions::{
                render::{Format, Times},
                stream::Words,
                wav::tests::file,
            },
        },
    };

    /// Hears one word in each stretch, and French if it is told nothing of what was said before.
    #[expect(clippy::needless_pass_by_value, reason = "as a `Play` takes it")]
    fn play(path: &str, form: Value) -> Vec<Said> {
        assert_eq!(path, "/v1/audio/transcriptions");
        let form = form.as_str().unwrap_or_default();
        let told = form.contains("name=\"language\"\r\n\r\nfr\r\n") && form.contains("\r\n\r\nun");
        let word = if told { "deux" } else { "un" };
        let segments = json!([{"start": 1, "end": 2, "text": word}]);
        vec![Said::Whole(
            json!({"language": "french", "segments": segments}),
        )]
    }

    /// Never hears the language that it is told.
    fn deaf(_: &str, _: Value) -> Vec<Said> {
        vec![Said::Whole(json!({"language": "welsh", "segments": []}))]
    }

    async fn listening(play: Play, recording: Bytes, language: Option<Language>) -> Listening {
        let engines = fake::engines(&[(fake::model("w", Kind::Speech), play)]).await;
        let served = engines.all()[0].clone();
        let request = Transcription {
            prompt: None,
            language,
            ..request()
        };
        let wav = Wav::decoded(&recording).unwrap();
        Listening::new(served, Tenant([1; 32]), request, "0123".into(), wav)
    }

    /// A minute and a half, of which the second half is loud.
    fn recording() -> Bytes {
        file(90 * 16_000, 1000)
    }

    #[tokio::test]
    async fn a_recording_is_heard_stretch_by_stretch() {
        let mut listening = listening(play, recording(), None).await;
        while listening.next().await.unwrap() {}
        let heard = listening.heard();
        assert_eq!(
            (heard.text().as_str(), heard.language),
            ("un deux", Language::of("fr"))
        );
        // The first stretch is the shortest that there may be, where all is as loud.
        let times: Vec<_> = heard.segments.iter().map(|it| it.start).collect();
        assert_eq!(times, [1.0, 46.05]);
    }

    #[tokio::test]
    async fn nothing_is_heard_in_silence() {
        let mut listening = listening(deaf, file(90 * 16_000, 3), None).await;
        assert!(!listening.next().await.unwrap());
        assert_eq!(listening.heard().text(), "");
    }

    #[tokio::test]
    async fn an_engine_that_hears_another_language_than_it_was_told_has_failed() {
        let mut listening = listening(deaf, recording(), Language::of("fr")).await;
        let error = listening.next().await.unwrap_err();
        assert_eq!((error.status.as_u16(), error.code), (502, "engine_failed"));
    }

    #[tokio::test]
    async fn a_stream_has_the_words_of_each_stretch_and_then_all() {
        let seat = Arc::new(Semaphore::new(1));
        let seat = seat.try_acquire_owned().unwrap();
        let listening = listening(play, recording(), None).await;
        let mut words = Words::begin(listening, seat).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = words.next().await {
            let data = event.strip_prefix("data: ").unwrap().trim_end();
            let event: Value = serde_json::from_str(data).unwrap();
            let text = event.get("delta").or(event.get("text")).unwrap();
            events.push((
                event["type"].as_str().unwrap().to_owned(),
                text.as_str().unwrap().to_owned(),
            ));
        }
        let delta = |text: &str| ("transcript.text.delta".to_owned(), text.to_owned());
        let done = ("transcript.text.done".to_owned(), "un deux".to_owned());
        assert_eq!(events, [delta("un"), delta(" deux"), done]);
    }

    fn request() -> Transcription {
        Transcription {
            model: "w".into(),
            file: Bytes::new(),
            language: None,
            prompt: Some("About: Ürümqi.".into()),
            format: Format::Json,
            times: Times::SEGMENTS,
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
