//! One engine process and the conversation with it. The form of every message is checked; a wrong one ends the process.
//!
//! Nothing that it says is logged, not even its errors: they may quote a prompt.

use std::{fmt, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use chrysalis_wire::{
    engine::{FromEngine, Prompt, Sampling, ToEngine},
    frame::{self, FrameError},
};
use tokio::{
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc::{self, error::TrySendError},
    time::{Instant, sleep_until, timeout},
};

use super::{Cut, Event, Question};
use crate::{
    configuration::Measured,
    failure::Failure,
    process::{Process, Program},
};

/// How long the engine may be silent: loading, or reading a long prompt on a slow machine.
const ENGINE_PATIENCE: Duration = Duration::from_mins(10);
/// How long it may take to end once it was told to stop.
const STOP_PATIENCE: Duration = Duration::from_mins(1);
/// The most pieces of an answer that are kept for a client: the engine never waits for a client, so an answer with more
/// unread pieces is stopped.
pub(super) const PIECES: usize = 2048;
/// The most bytes of text in a token. In common vocabularies the longest have 128 to 256.
const MAX_TOKEN_TEXT: usize = 1024;
/// The most tokens in a piece.
const MAX_PIECE_TOKENS: usize = 16;
/// The most bytes in a piece: its tokens' text, and what was held back while it might have become a stop text.
const MAX_PIECE_TEXT: usize = 4096;
/// The most bytes in an answer.
const MAX_ANSWER_TEXT: usize = 16 << 20;
/// The most bytes in the engine's name, and in its reason for not loading.
const MAX_WORDS: usize = 512;

/// How to make a worker, at boot and whenever one has failed.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) program: Program,
    pub(super) weights: PathBuf,
    pub(super) measured: Arc<Measured>,
}

/// What the engine said about itself once it had loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// The engine and its version.
    pub(crate) engine: String,
    /// SHA-256 of the chat template.
    pub(crate) template: [u8; 32],
}

/// A loaded engine that has given the known answer.
pub(super) struct Worker {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    next_id: u64,
    description: Description,
    /// How long it may take to end once it was told to stop.
    stop_patience: Duration,
    /// Last, so that the socket closes before the process is ended.
    _process: Option<Process>,
}

/// The worker can no longer be used. Says no more than that: see above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// It ended, or closed its socket.
    Ended,
    /// It said nothing for [`ENGINE_PATIENCE`], or did not end within [`STOP_PATIENCE`].
    Stalled,
    /// It sent a message that is not allowed.
    Misspoke,
    /// It sent more than was asked for: tokens, or pieces without any.
    TooManyTokens,
    /// It sent more text than its tokens can contain.
    TooMuchText,
}

impl fmt::Display for Lost {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Ended => "it ended",
            Self::Stalled => "it fell silent",
            Self::Misspoke => "it broke its protocol",
            Self::TooManyTokens => "it sent more tokens than it was asked for",
            Self::TooMuchText => "it sent more text than its tokens can contain",
        })
    }
}

impl From<FrameError> for Lost {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::Ended,
            _ => Self::Misspoke,
        }
    }
}

impl Recipe {
    /// Starts a worker, loads the weights and has it give the known answer.
    pub(super) async fn launch(&self) -> Result<Worker, Failure> {
        let mut worker = self.load().await?;
        self.require_known_answer(&mut worker).await?;
        Ok(worker)
    }

    /// Starts a worker that loads the weights. It may not be used before it has given the known answer.
    pub(super) async fn load(&self) -> Result<Worker, Failure> {
        let (process, socket) = self
            .program
            .start()
            .map_err(|error| Failure::Engine(error.to_string()))?;
        let (mut reader, mut writer) = socket.into_split();
        let load = ToEngine::Load {
            path: self.weights.to_string_lossy().into_owned(),
            context: self.measured.configuration.engine.context,
            threads: self.measured.configuration.engine.threads,
        };
        let loading = async {
            frame::write_async(&mut writer, &load).await?;
            Ok::<FromEngine, Lost>(frame::read_async(&mut reader).await?)
        };
        let description = match timeout(ENGINE_PATIENCE, loading).await {
            Ok(Ok(FromEngine::Loaded {
                engine,
                template_sha256,
                ..
            })) if engine.len() <= MAX_WORDS => Description {
                engine,
                template: digest(&template_sha256).ok_or_else(|| unloaded(Lost::Misspoke))?,
            },
            Ok(Ok(FromEngine::LoadFailed { why })) => return Err(Failure::Engine(shortened(why))),
            Ok(Ok(FromEngine::Unconfined { why })) => {
                return Err(Failure::Unconfined(shortened(why)));
            }
            Ok(Ok(_)) => return Err(unloaded(Lost::Misspoke)),
            Ok(Err(lost)) => return Err(unloaded(lost)),
            Err(_) => return Err(unloaded(Lost::Stalled)),
        };
        tracing::info!(engine = description.engine, "engine loaded");
        Ok(Worker {
            reader,
            writer,
            next_id: 0,
            description,
            stop_patience: STOP_PATIENCE,
            _process: process,
        })
    }

    /// The same weights, engine, thread count and processor give the same greedy tokens; anything else is not what was
    /// measured.
    pub(super) async fn require_known_answer(&self, worker: &mut Worker) -> Result<(), Failure> {
        let known = &self.measured.configuration.known_answer;
        let question = Question {
            prompt: Prompt::Text(known.text.clone()),
            sampling: Sampling {
                max_tokens: u32::try_from(known.tokens.len()).unwrap_or(u32::MAX),
                temperature: 0.0,
                top_p: 1.0,
                seed: 0,
                stop: Vec::new(),
            },
        };
        let (events, mut answer) = mpsc::channel(PIECES);
        let collect = async {
            let mut given = Vec::new();
            while let Some(event) = answer.recv().await {
                match event {
                    Event::Piece { tokens, .. } => given.extend(tokens),
                    Event::Finished { .. } => {}
                    Event::Refused(error) => {
                        return Err(Failure::Engine(shortened(format!("{error:?}"))));
                    }
                    Event::NoEngine | Event::Cut(_) => return Err(unloaded(Lost::Misspoke)),
                }
            }
            Ok(given)
        };
        let (generated, given) = tokio::join!(worker.generate(question, events), collect);
        generated.map_err(unloaded)?;
        let given = given?;
        if given == known.tokens {
            return Ok(());
        }
        Err(Failure::KnownAnswerWrong {
            given,
            known: known.tokens.clone(),
        })
    }
}

impl Worker {
    /// What the engine said about itself.
    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    /// Asks one question and passes the answer on, never waiting for the client. A client that is gone, or leaves too much
    /// unread, ends the generation, and the worker is ready for the next question.
    pub(super) async fn generate(
        &mut self,
        question: Question,
        events: mpsc::Sender<Event>,
    ) -> Result<(), Lost> {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut said = Said::nothing(question.sampling.max_tokens);
        let generate = ToEngine::Generate {
            id,
            prompt: question.prompt,
            sampling: question.sampling,
        };
        frame::write_async(&mut self.writer, &generate).await?;
        let mut client = Client::new(events, self.stop_patience);
        loop {
            match self.hear(id, &mut client).await? {
                FromEngine::Token {
                    id: of,
                    tokens,
                    text,
                } if of == id => {
                    if let Err(lost) = said.count(&tokens, &text) {
                        client.end(Event::Cut(Cut::TooLong));
                        return Err(lost);
                    }
                    if client.take(Event::Piece { tokens, text }).is_err() {
                        self.cancel(id, &mut client).await?;
                    }
                }
                FromEngine::Finished {
                    id: of,
                    reason,
                    prompt_tokens,
                    completion_tokens,
                } if of == id => {
                    client.end(Event::Finished {
                        reason,
                        prompt_tokens,
                        completion_tokens,
                    });
                    return Ok(());
                }
                FromEngine::Failed { id: of, error } if of == id => {
                    client.end(Event::Refused(error));
                    return Ok(());
                }
                _ => return Err(Lost::Misspoke),
            }
        }
    }

    /// The engine's next message. Meanwhile the client may go away.
    async fn hear(&mut self, id: u64, client: &mut Client) -> Result<FromEngine, Lost> {
        // A read that is dropped half-way through a frame loses its place, so one read lasts as long as the message takes.
        let mut reading = pin!(frame::read_async(&mut self.reader));
        let end = client
            .stop_by
            .unwrap_or_else(|| Instant::now() + ENGINE_PATIENCE);
        let mut silence = pin!(sleep_until(end));
        loop {
            tokio::select! {
                heard = &mut reading => return Ok(heard?),
                () = &mut silence => return Err(Lost::Stalled),
                () = client.events.closed(), if client.stop_by.is_none() => {
                    silence.as_mut().reset(client.stop());
                    frame::write_async(&mut self.writer, &ToEngine::Cancel { id }).await?;
                }
            }
        }
    }

    async fn cancel(&mut self, id: u64, client: &mut Client) -> Result<(), Lost> {
        if client.stop_by.is_none() {
            client.stop();
            frame::write_async(&mut self.writer, &ToEngine::Cancel { id }).await?;
        }
        Ok(())
    }
}

/// What the engine has sent of an answer, and what it may still send.
struct Said {
    tokens_left: usize,
    /// Bytes of text that its tokens allow and that have not come.
    text_left: usize,
    /// Bytes of text that an answer may still have.
    answer_left: usize,
    /// Whether the text without tokens has come, at the end: what might have become a stop text.
    rest: bool,
}

impl Said {
    fn nothing(max_tokens: u32) -> Self {
        Self {
            tokens_left: usize::try_from(max_tokens).unwrap_or(usize::MAX),
            text_left: 0,
            answer_left: MAX_ANSWER_TEXT,
            rest: false,
        }
    }

    fn count(&mut self, tokens: &[i32], text: &str) -> Result<(), Lost> {
        if self.rest || tokens.len() > MAX_PIECE_TOKENS {
            return Err(Lost::TooManyTokens);
        }
        self.rest = tokens.is_empty();
        self.tokens_left = self
            .tokens_left
            .checked_sub(tokens.len())
            .ok_or(Lost::TooManyTokens)?;
        if text.len() > MAX_PIECE_TEXT {
            return Err(Lost::TooMuchText);
        }
        let stand_for = tokens.len().saturating_mul(MAX_TOKEN_TEXT);
        self.text_left = self
            .text_left
            .saturating_add(stand_for)
            .checked_sub(text.len())
            .ok_or(Lost::TooMuchText)?;
        self.answer_left = self
            .answer_left
            .checked_sub(text.len())
            .ok_or(Lost::TooMuchText)?;
        Ok(())
    }
}

/// The client that waits for an answer.
struct Client {
    events: mpsc::Sender<Event>,
    /// A place that is kept for the last message, however much is unread before it.
    last_word: Option<mpsc::OwnedPermit<Event>>,
    /// When the engine must have stopped, once told to. What it still sends is dropped.
    stop_by: Option<Instant>,
    stop_patience: Duration,
}

impl Client {
    fn new(events: mpsc::Sender<Event>, stop_patience: Duration) -> Self {
        Self {
            last_word: events.clone().try_reserve_owned().ok(),
            events,
            stop_by: None,
            stop_patience,
        }
    }

    /// Keeps a piece for the client, which may have gone away, or left too many unread.
    fn take(&mut self, piece: Event) -> Result<(), Gone> {
        if self.stop_by.is_some() {
            return Ok(());
        }
        match self.events.try_send(piece) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Gone),
            Err(TrySendError::Full(_)) => {
                self.end(Event::Cut(Cut::NotRead));
                Err(Gone)
            }
        }
    }

    /// The last message; a second one is dropped.
    fn end(&mut self, event: Event) {
        if let Some(place) = self.last_word.take() {
            place.send(event);
        }
    }

    /// The engine is told to stop: the time by which it must have.
    fn stop(&mut self) -> Instant {
        *self.stop_by.insert(Instant::now() + self.stop_patience)
    }
}

/// A client that went away, or reads too slowly.
struct Gone;

fn shortened(mut why: String) -> String {
    why.truncate(why.floor_char_boundary(MAX_WORDS));
    why
}

fn unloaded(lost: Lost) -> Failure {
    Failure::Engine(format!("{lost} before it could answer"))
}

fn digest(hexadecimal: &str) -> Option<[u8; 32]> {
    hex::decode(hexadecimal).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;
    use chrysalis_wire::engine::FinishReason;

    async fn answer(
        play: fn(std::os::unix::net::UnixStream),
        text: &str,
    ) -> (Result<(), Lost>, Vec<Event>) {
        let mut worker = fake::recipe(play).launch().await.unwrap();
        let (events, mut heard) = mpsc::channel(PIECES);
        let outcome = worker.generate(fake::question(text), events).await;
        let mut all = Vec::new();
        while let Some(event) = heard.recv().await {
            all.push(event);
        }
        (outcome, all)
    }

    #[tokio::test]
    async fn passes_on_the_answer() {
        let (outcome, events) = answer(fake::echo, "one two").await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            events,
            [
                Event::Piece {
                    tokens: vec![1],
                    text: "one ".into()
                },
                Event::Piece {
                    tokens: vec![2],
                    text: "two ".into()
                },
                Event::Finished {
                    reason: FinishReason::Stop,
                    prompt_tokens: 2,
                    completion_tokens: 2
                },
            ]
        );
    }

    #[tokio::test]
    async fn a_wrong_known_answer_stops_the_boot() {
        let mut recipe = fake::recipe(fake::echo);
        let measured = Arc::get_mut(&mut recipe.measured).unwrap();
        measured.configuration.known_answer.tokens = vec![1, 3];
        let refused = recipe.launch().await.err().unwrap();
        assert_eq!(refused.code(), "known_answer_wrong");
        assert!(
            refused.to_string().contains("[1, 2], not [1, 3]"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn weights_that_do_not_load_stop_the_boot() {
        let refused = fake::recipe(fake::refuses_weights)
            .launch()
            .await
            .err()
            .unwrap();
        assert_eq!(
            refused.to_string(),
            "the engine did not start: not a GGUF file"
        );
    }

    #[tokio::test]
    async fn an_engine_that_is_not_confined_stops_the_boot() {
        let refused = fake::recipe(fake::is_not_confined).launch().await;
        let refused = refused.err().unwrap();
        assert_eq!(refused.code(), "worker_not_confined");
        assert!(refused.to_string().contains("no Landlock"), "{refused}");
    }

    #[tokio::test]
    async fn an_engine_that_ends_in_mid_answer_is_lost() {
        let (outcome, events) = answer(fake::echo, "one crash").await;
        assert_eq!(outcome, Err(Lost::Ended));
        assert_eq!(
            events,
            [Event::Piece {
                tokens: vec![1],
                text: "one ".into()
            }]
        );
    }

    #[tokio::test]
    async fn an_engine_that_says_more_than_it_may_is_lost_and_named() {
        for (lie, why) in [
            ("babble", Lost::TooManyTokens),
            (
                "one two three four five six seven eight nine ten a b c d e f g",
                Lost::TooManyTokens,
            ),
            ("void", Lost::TooManyTokens),
            ("novel", Lost::TooMuchText),
            ("library", Lost::TooMuchText),
        ] {
            let (outcome, events) = answer(fake::echo, lie).await;
            assert_eq!(outcome, Err(why), "{lie}");
            assert_eq!(events.last(), Some(&Event::Cut(Cut::TooLong)), "{lie}");
        }
    }

    #[test]
    fn an_answer_has_a_bounded_text_however_many_its_tokens() {
        let piece = "x".repeat(MAX_TOKEN_TEXT);
        let mut said = Said::nothing(u32::MAX);
        for _ in 0..MAX_ANSWER_TEXT / MAX_TOKEN_TEXT {
            assert_eq!(said.count(&[0], &piece), Ok(()));
        }
        assert_eq!(said.count(&[0], "x"), Err(Lost::TooMuchText));
    }

    #[test]
    fn text_may_be_held_back_until_it_is_no_stop_text() {
        let mut said = Said::nothing(16);
        assert_eq!(said.count(&[1], ""), Ok(()));
        assert_eq!(said.count(&[2], &"x".repeat(2 * MAX_TOKEN_TEXT)), Ok(()));
        assert_eq!(said.count(&[3, 4], "y"), Ok(()));
        assert_eq!(said.count(&[], "the rest"), Ok(()));
        assert_eq!(said.count(&[5], ""), Err(Lost::TooManyTokens));
    }

    #[tokio::test]
    async fn an_engine_that_goes_on_when_it_is_told_to_stop_is_lost() {
        let mut worker = fake::recipe(fake::echo).launch().await.unwrap();
        worker.stop_patience = Duration::from_millis(50);
        let mut question = fake::question("deaf");
        question.sampling.max_tokens = u32::MAX;
        let (events, heard) = mpsc::channel(PIECES);
        drop(heard);
        let outcome = timeout(Duration::from_secs(30), worker.generate(question, events)).await;
        assert_eq!(outcome.expect("an end"), Err(Lost::Stalled));
    }

    #[tokio::test]
    async fn a_client_that_goes_stops_the_generation() {
        let mut worker = fake::recipe(fake::echo).launch().await.unwrap();
        let (events, mut heard) = mpsc::channel(PIECES);
        let leave = async move {
            heard.recv().await.unwrap();
        };
        let (outcome, ()) = tokio::join!(worker.generate(fake::question("forever"), events), leave);
        assert_eq!(outcome, Ok(()));
        let (events, _heard) = mpsc::channel(PIECES);
        assert_eq!(
            worker.generate(fake::question("next"), events).await,
            Ok(())
        );
    }
}
