//! `chrysalis`: the relying party's and the auditor's door.
//!
//! Exit codes: 0 trusted or done, 1 a verdict was reached and it is no, 2 no verdict (usage, files, network). Data goes
//! to stdout, talk to stderr. Decides nothing by itself: chrysalis-client and chrysalis-attestation do.

#![forbid(unsafe_code)]

mod chat;
mod collateral;
mod command;
mod fetch;
mod files;
mod judge;
mod key_server;
mod keys;
mod log;
mod measure;
mod network;
mod options;
mod outcome;
mod pay;
mod policy;
mod printable;
mod progress;
mod proxy;
mod receipt;
mod release;
mod seen;
mod shell;
mod show;
mod spelling;
mod subject;
mod verdict;
mod verify;
mod wish;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::{
    command::{Arguments, Command},
    outcome::Outcome,
    printable::printable,
};

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return unusable(&error),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return no_verdict(&error.into()),
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(Outcome::Yes) => ExitCode::SUCCESS,
        Ok(Outcome::No) => ExitCode::from(1),
        Err(error) => no_verdict(&error),
    }
}

/// Help was asked for, or the command line makes no sense.
fn unusable(error: &clap::Error) -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let words: Vec<_> = words
        .iter()
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    let now = spelling::now(&words).filter(|_| error.use_stderr());
    match now {
        Some(now) => eprintln!("error: {}", printable(&now)),
        // Nothing is left to do where the terminal is gone.
        None => drop(error.print()),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

async fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Verify(arguments) => verify::run(*arguments).await,
        Command::Fetch(arguments) => fetch::run(arguments).await,
        Command::Show(arguments) => show::run(arguments).await,
        Command::Chat(arguments) => chat::run(arguments).await,
        Command::Proxy(arguments) => Box::pin(proxy::run(*arguments)).await,
        Command::Receipt(command) => receipt::run(&command),
        Command::Network(command) => Box::pin(network::run(command)).await,
        Command::Pay(command) => pay::run(command).await,
        Command::Keys(command) => key_server::run(command).await,
        Command::Measure(arguments) => measure::run(&arguments),
        Command::Release(arguments) => release::run(&arguments),
        Command::Audit(arguments) => release::audit::run(&arguments),
        Command::Log(command) => log::run(&command),
        Command::Policy(command) => policy::run(&command),
        Command::Completions(arguments) => shell::completions(&arguments, Arguments::command()),
        Command::Man(arguments) => shell::man(&arguments, Arguments::command()),
    }
}

fn no_verdict(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<chrysalis_client::Error>() {
        Some(known) => {
            eprintln!(
                "error: {} ({})",
                printable(&format!("{error:#}")),
                known.code()
            );
            eprintln!("hint: {}", known.hint());
        }
        None => eprintln!("error: {}", printable(&format!("{error:#}"))),
    }
    ExitCode::from(2)
}
