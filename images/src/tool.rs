//! Other programs, run for their output.

use std::process::{Command, Output};

use crate::Error;

/// Runs a program to its end. An error where it does not start; whether it succeeded is for the caller to judge.
pub(crate) fn output(command: &mut Command, hint: &'static str) -> Result<Output, Error> {
    let ended = command.output();
    ended.map_err(|error| failed(command, format!("does not start: {error}"), hint))
}

/// What a program did wrong.
pub(crate) fn failed(command: &Command, problem: impl Into<String>, hint: &'static str) -> Error {
    Error::Tool {
        program: command.get_program().to_string_lossy().into_owned(),
        problem: problem.into(),
        hint,
    }
}
