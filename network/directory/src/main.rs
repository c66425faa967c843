//! `chrysalis-directory`: runs a directory of a network, and checks what one publishes.
//!
//! Exit codes: 0 done or in order, 1 the files are not in order, 2 no verdict (usage, files, network). Data goes to stdout, talk to stderr.

#![forbid(unsafe_code)]

mod auditing;
mod options;
mod printable;
mod serving;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{auditing::CheckArguments, printable::printable, serving::ServeArguments};

/// A directory of a network: takes what providers list and enclaves report, checks all of it, and publishes it as files. It opens no
/// connection but to the chain that `--chain` names, and nobody has to trust it.
#[derive(Debug, Parser)]
#[command(name = "chrysalis-directory", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take listings and reports, and publish them
    Serve(Box<ServeArguments>),
    /// Check everything that a directory, or a mirror of one, publishes: each file against the log, and by itself
    Check(CheckArguments),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serving::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Check(arguments) => auditing::run(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {}", printable(&format!("{error:#}")));
        ExitCode::from(2)
    })
}
