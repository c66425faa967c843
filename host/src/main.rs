//! `chrysalis-host`: the provider's door. Launches the VM, relays bytes to it, brings it what it asks for, and counts.
//!
//! Trusted with nothing: whatever a relying party relies on is measured, signed or refused by somebody else. Where the
//! machine has neither SEV-SNP nor TDX, a part of this program plays the security processor, and says so wherever it appears.

mod cli;
mod clock;
mod console;
mod doctor;
mod gpus;
mod guest;
mod launch;
mod link;
mod metrics;
mod plan;
mod platform;
mod processor;
mod relay;
mod run;
mod services;
mod simulation;
mod staple;
mod state;
mod statements;
mod text;
mod times;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Command, Options};

/// Could not start: usage, a missing file, a port in use.
const COULD_NOT_START: u8 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    // One thread: children die with the thread that spawned them, and moving bytes needs no second one.
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| {
            runtime.block_on(async {
                match options.command {
                    Command::Run(options) => run::run(*options).await,
                    Command::Doctor(options) => doctor::doctor(&options).await,
                }
            })
        });
    ended.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(COULD_NOT_START)
    })
}
