//! Other programs, run for their output.

use std::{
    path::Path,
    process::{Command, Output},
};

use crate::{Error, progress};

/// Lines of a failed build's output that are shown.
const SHOWN_LINES: usize = 20;

/// Runs a program to its end. An error where it does not start; whether it succeeded is for the caller to judge.
pub(crate) fn output(command: &mut Command, hint: &'static str) -> Result<Output, Error> {
    let ended = command.output();
    ended.map_err(|error| failed(command, format!("does not start: {error}"), hint))
}

/// As [`output`], of a program that must succeed; `problem` says what it did wrong, by what it printed about it.
pub(crate) fn run(
    command: &mut Command,
    hint: &'static str,
    problem: impl FnOnce(&str) -> String,
) -> Result<Output, Error> {
    let output = output(command, hint)?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(failed(command, problem(&said), hint))
}

/// What a program did wrong.
pub(crate) fn failed(command: &Command, problem: impl Into<String>, hint: &'static str) -> Error {
    Error::Tool {
        program: command.get_program().to_string_lossy().into_owned(),
        problem: problem.into(),
        hint,
    }
}

/// Runs a step of a build, and counts the objects that it makes in a folder; where it fails, the end of what it printed is shown.
pub(crate) fn step(what: &str, made: &Path, mut command: Command) -> Result<(), Error> {
    let hint = "run `make setup`, which installs what is missing";
    let output = progress::showing(what, progress::objects(made), || output(&mut command, hint))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let start = lines.len().saturating_sub(SHOWN_LINES);
    Err(Error::BuildFailed {
        what: what.into(),
        log: lines.get(start..).unwrap_or_default().join("\n"),
    })
}
