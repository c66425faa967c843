//! `chrysalis`: the relying party's and the auditor's door.
//!
//! Exit codes: 0 trusted or done, 1 a verdict was reached and it is no, 2 no verdict (usage, files, network). Data goes
//! to stdout, talk to stderr. Decides nothing by itself: chrysalis-client and chrysalis-attestation do.

#![forbid(unsafe_code)]

mod arguments;
mod chat;
mod collateral;
mod fetch;
mod files;
mod judge;
mod log;
mod measure;
mod policy;
mod printable;
mod progress;
mod proxy;
mod release;
mod show;
mod subject;
mod verdict;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    arguments::{Arguments, Command, PolicyCommand},
    printable::printable,
};

/// How a command came out, where nothing kept it from coming out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Trusted, or done.
    Yes,
    /// A verdict was reached and it is no.
    No,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
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

async fn run(command: Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Verify(arguments) => verify::run(*arguments).await,
        Command::Fetch(arguments) => fetch::run(arguments).await,
        Command::Show(arguments) => show::run(arguments).await,
        Command::Chat(arguments) => chat::run(arguments).await,
        Command::Proxy(arguments) => proxy::run(arguments).await,
        Command::Measure(arguments) => measure::run(&arguments),
        Command::Release(arguments) => release::run(&arguments),
        Command::Audit(arguments) => release::audit::run(&arguments),
        Command::Log(command) => log::run(&command),
        Command::Policy(PolicyCommand::Init(arguments)) => policy::run(&arguments),
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
