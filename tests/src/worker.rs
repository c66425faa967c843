//! The engine worker alone, at the other end of a socket pair, as the enclave holds it.

use std::{
    io::{Read, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use chrysalis_wire::{
    engine::{FinishReason, FromEngine, GenerateError, Message, Prompt, Sampling, ToEngine},
    frame::{self, FrameError},
};

use crate::paths;

/// A worker, killed when dropped.
pub struct Worker {
    process: Child,
    socket: UnixStream,
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// All tokens.
    pub tokens: Vec<i32>,
    /// All text.
    pub text: String,
    /// Why it ended.
    pub reason: FinishReason,
    /// Tokens of the prompt.
    pub prompt_tokens: u32,
    /// Tokens made, as the worker counts them.
    pub completion_tokens: u32,
}

impl Worker {
    /// The worker's program and its weights; says what is missing and how to make it.
    pub fn built() -> Option<(PathBuf, PathBuf)> {
        let built = (paths::measured("chrysalis-engine-llama"), paths::weights());
        if built.0.exists() && built.1.exists() {
            return Some(built);
        }
        chrysalis_test_support::skip("no engine or no weights: make image");
        None
    }

    /// Starts a worker on whatever kernel this machine has; nothing is loaded.
    pub fn start(program: &Path) -> Self {
        Self::start_with(program, &["--dangerous-partial-walls"])
    }

    /// Starts a worker with these arguments.
    pub fn start_with(program: &Path, arguments: &[&str]) -> Self {
        let (socket, theirs) = UnixStream::pair().expect("a socket pair");
        let process = Command::new(program)
            .args(arguments)
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a worker");
        Self { process, socket }
    }

    /// Loads weights: the worker's answer.
    pub fn load(&mut self, weights: &Path, context: u32, threads: u32) -> FromEngine {
        let path = weights.to_string_lossy().into_owned();
        self.send(&ToEngine::Load {
            path,
            context,
            threads,
        });
        self.receive().expect("an answer to Load")
    }

    /// Sends one message.
    pub fn send(&mut self, message: &ToEngine) {
        frame::write(&mut self.socket, message).expect("a worker that listens");
    }

    /// Sends bytes that are no message.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("a worker that listens");
    }

    /// Receives one message.
    pub fn receive(&mut self) -> Result<FromEngine, FrameError> {
        frame::read(&mut self.socket)
    }

    /// Asks for a generation in a conversation of these roles and contents.
    pub fn ask(&mut self, id: u64, messages: &[(&str, &str)], sampling: Sampling) {
        let messages = messages
            .iter()
            .map(|(role, content)| Message {
                role: (*role).to_owned(),
                content: (*content).to_owned(),
            })
            .collect();
        self.generate(id, Prompt::Conversation(messages), sampling);
    }

    /// Asks, and collects the answer to its end.
    pub fn answer(
        &mut self,
        messages: &[(&str, &str)],
        sampling: Sampling,
    ) -> Result<Answer, GenerateError> {
        self.ask(7, messages, sampling);
        self.collect()
    }

    /// Has a text continued, to the end.
    pub fn continued(&mut self, text: &str, sampling: Sampling) -> Result<Answer, GenerateError> {
        self.generate(7, Prompt::Text(text.to_owned()), sampling);
        self.collect()
    }

    fn generate(&mut self, id: u64, prompt: Prompt, sampling: Sampling) {
        self.send(&ToEngine::Generate {
            id,
            prompt,
            sampling,
        });
    }

    /// Collects the rest of generation 7.
    pub fn collect(&mut self) -> Result<Answer, GenerateError> {
        let mut all = (Vec::new(), String::new());
        loop {
            match self.receive().expect("a worker that lives") {
                FromEngine::Token {
                    id: 7,
                    tokens,
                    text,
                } => {
                    all.0.extend(tokens);
                    all.1.push_str(&text);
                }
                FromEngine::Finished {
                    id: 7,
                    reason,
                    prompt_tokens,
                    completion_tokens,
                } => {
                    let (tokens, text) = all;
                    return Ok(Answer {
                        tokens,
                        text,
                        reason,
                        prompt_tokens,
                        completion_tokens,
                    });
                }
                FromEngine::Failed { id: 7, error } => return Err(error),
                other => panic!("not an answer to generation 7: {other:?}"),
            }
        }
    }

    /// A line of the kernel's description of the process, such as `Seccomp`.
    pub fn status(&self, key: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))
            .expect("a live worker");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.expect("a key of /proc/PID/status").trim().to_owned()
    }

    /// Closes the socket and waits: how the worker ended, and all it ever printed.
    pub fn end(mut self) -> (ExitStatus, String) {
        self.socket.shutdown(std::net::Shutdown::Both).ok();
        let status = self.process.wait().expect("an end");
        let mut printed = String::new();
        self.process
            .stdout
            .take()
            .expect("piped")
            .read_to_string(&mut printed)
            .expect("text");
        self.process
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut printed)
            .expect("text");
        (status, printed)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
