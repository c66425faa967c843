//! `chrysalis-host`: the provider's door. Launches the VM, relays bytes to it, brings it what it asks for, and counts.
//!
//! Trusted with nothing: everything a relying party relies on is measured or signed by hardware, or refused by the verifier.
//! On a machine with neither SEV-SNP nor TDX, a part of this program plays the security processor, and says so wherever it
//! appears.
//!
//! [`run`] tells the story of a guest. It [launches](launch) it, [relays](relay) clients to it, [answers](services) what it
//! asks, with [simulated](simulation) hardware if need be, keeps what it [says](guest), [counts](metrics), claims what it is
//! [owed](cashier), and has it [listed](listing).
//! [`doctor`] examines the machine beforehand.

mod accept;
mod cashier;
mod cli;
mod clock;
mod descriptors;
mod doctor;
mod drain;
mod format;
mod guest;
mod launch;
mod listing;
mod metrics;
mod mutex;
mod relay;
mod run;
mod screen;
mod services;
mod settings;
mod simulation;
mod spelling;
mod state;
mod talk;

use std::process::ExitCode;

use clap::Parser;
use serde_json::Value;

use crate::{
    cli::{Command, Options},
    talk::tell,
};

/// Could not start: usage, a missing file, a port in use.
const COULD_NOT_START: u8 = 2;

fn main() -> ExitCode {
    let words = match settings::complete(std::env::args_os(), std::env::vars_os()) {
        Ok(words) => words,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::from(COULD_NOT_START);
        }
    };
    let options = match Options::try_parse_from(words) {
        Ok(options) => options,
        Err(error) => return unusable(&error),
    };
    // One thread: children die with the thread that spawned them, and moving bytes needs no second one.
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            let ended = runtime.block_on(async {
                match options.command {
                    Command::Run(options) => run::run(*options).await,
                    Command::Relay(options) => relay::alone::relay(options).await,
                    Command::Doctor(options) => doctor::doctor(&options).await,
                    Command::Drain(options) => drain::drain(&options).await,
                    Command::Cashier(verb) => cashier::command::run(&verb).await,
                }
            });
            // A question to a vendor or to the chain may still wait for its answer; nothing depends on it any more.
            runtime.shutdown_background();
            ended
        });
    ended.unwrap_or_else(|error| {
        tell("error", &Value::Null, format_args!("error: {error:#}"));
        ExitCode::from(COULD_NOT_START)
    })
}

/// Help was asked for, or the command line makes no sense.
fn unusable(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match spelling::now(&words).filter(|_| error.use_stderr()) {
        Some(now) => eprintln!("error: {now}"),
        // Nothing is left to do where the terminal is gone.
        None => drop(error.print()),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(COULD_NOT_START))
}
