//! A function that plays the engine over the socket pair, for tests.

use std::{os::unix::net::UnixStream, path::PathBuf, sync::Arc, time::Duration};

use chrysalis_wire::{
    configuration::Configuration,
    engine::{FinishReason, FromEngine, GenerateError, Message, Prompt, Sampling, ToEngine},
    frame,
};

use super::{Question, Scheduler, worker::Recipe};
use crate::{configuration::Measured, process::Program};

/// Tokens of context that the fake engine has.
pub(crate) const CONTEXT: u32 = 64;

/// A configuration whose known answer is the echo's.
pub(crate) fn configuration() -> String {
    let digest = "ab".repeat(32);
    format!(
        "version = 1\n[model]\nname = \"tiny\"\nsize = 1\nsha256 = \"{digest}\"\nverity_root = \"{digest}\"\n\
         verity_salt = \"{digest}\"\n[engine]\ncontext = {CONTEXT}\nthreads = 1\n\
         [known_answer]\ntext = \"well known\"\ntokens = [1, 2]\n[serving]\nqueue = 2\ndefault_max_tokens = 16\n"
    )
}

/// The same, measured.
pub(crate) fn measured() -> Measured {
    Measured {
        configuration: Configuration::parse(configuration().as_bytes()).unwrap(),
        digest: [3; 32],
        gpus: None,
    }
}

pub(super) fn recipe(play: fn(UnixStream)) -> Recipe {
    Recipe {
        program: Program::Fake(play),
        weights: PathBuf::from("/weights"),
        measured: Arc::new(measured()),
    }
}

/// A scheduler over a fake engine.
pub(crate) async fn scheduler(play: fn(UnixStream)) -> Scheduler {
    let recipe = recipe(play);
    let worker = recipe.launch().await.unwrap();
    Scheduler::new(recipe, worker)
}

/// A question of one message.
pub(crate) fn question(text: &str) -> Question {
    Question {
        prompt: Prompt::Conversation(vec![Message {
            role: "user".into(),
            content: text.into(),
        }]),
        sampling: Sampling {
            max_tokens: 16,
            temperature: 1.0,
            top_p: 1.0,
            seed: 0,
            stop: Vec::new(),
        },
    }
}

/// Repeats the last message, or the text, word by word. Some words do more: `crash` ends the engine, `babble` breaks its protocol,
/// `forever` goes on until it is cancelled, `long` does not fit.
pub(crate) fn echo(mut socket: UnixStream) {
    while let Ok(message) = frame::read(&mut socket) {
        match message {
            ToEngine::Load { .. } => say(&mut socket, &loaded()),
            ToEngine::Generate { id, prompt, .. } => {
                let text = match prompt {
                    Prompt::Conversation(mut messages) => messages.pop().unwrap().content,
                    Prompt::Text(text) => text,
                };
                if answer(&mut socket, id, &text).is_none() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Cannot load.
pub(crate) fn refuses_weights(mut socket: UnixStream) {
    let _: ToEngine = frame::read(&mut socket).unwrap();
    let why = "not a GGUF file".to_owned();
    say(&mut socket, &FromEngine::LoadFailed { why });
}

fn answer(socket: &mut UnixStream, id: u64, text: &str) -> Option<()> {
    let mut made = 0;
    let mut reason = FinishReason::Stop;
    for word in text.split_whitespace() {
        match word {
            "crash" => return None,
            "babble" => {
                let tokens = vec![0; 1000];
                let text = String::new();
                say(socket, &FromEngine::Token { id, tokens, text });
            }
            "forever" => {
                made += until_cancelled(socket, id);
                reason = FinishReason::Cancelled;
            }
            "long" => {
                let error = GenerateError::ContextExceeded {
                    prompt_tokens: 100,
                    context: CONTEXT,
                };
                say(socket, &FromEngine::Failed { id, error });
                return Some(());
            }
            word => {
                made += 1;
                let tokens = vec![made];
                let text = format!("{word} ");
                say(socket, &FromEngine::Token { id, tokens, text });
            }
        }
    }
    let made = u32::try_from(made).unwrap();
    let finished = FromEngine::Finished {
        id,
        reason,
        prompt_tokens: u32::try_from(text.split_whitespace().count()).unwrap(),
        completion_tokens: made,
    };
    say(socket, &finished);
    Some(())
}

/// A piece of no token every few milliseconds, so that it never ends by itself.
fn until_cancelled(socket: &mut UnixStream, id: u64) -> i32 {
    socket
        .set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    loop {
        let text = "on ".to_owned();
        say(
            socket,
            &FromEngine::Token {
                id,
                tokens: Vec::new(),
                text,
            },
        );
        if let Ok(ToEngine::Cancel { id: cancelled }) = frame::read(socket) {
            assert_eq!(cancelled, id);
            socket.set_read_timeout(None).unwrap();
            return 0;
        }
    }
}

fn loaded() -> FromEngine {
    FromEngine::Loaded {
        engine: "fake 1".into(),
        model: "tiny".into(),
        trained_context: CONTEXT,
        template_sha256: "cd".repeat(32),
    }
}

/// The enclave may have gone.
fn say(socket: &mut UnixStream, message: &FromEngine) {
    let _ = frame::write(socket, message);
}
