//! The cashier of a fleet.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    accept,
    cashier::{Cashier, fleet, fleet::Secret, options::FleetOptions},
    state::StateFolder,
    talk::{LogFormat, say},
};

#[derive(Debug, Args)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    fleet: FleetOptions,
    /// Read options that are not given here from this file: TOML, each under its name
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Where the fleet's hosts ask; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9444")]
    listen: SocketAddr,
    /// A file with the secret that all hosts of the fleet share, of 32 characters or more
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// Keeps the database, if none is named [default: as `run`]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Whom the log on stderr is for: people, or programs
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log: LogFormat,
}

/// Serves until it is ended: what is noted by then is on the disk.
pub(crate) async fn serve(options: &ServeOptions) -> anyhow::Result<ExitCode> {
    options.log.choose();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let secret = Secret::read(&options.secret_file)?;
    let state = StateFolder::claim(options.state.clone())?;
    let listener = accept::listen(options.listen, "--listen").await?;
    let cashier = Arc::new(Cashier::of_fleet(&options.fleet, &state).await?);
    let Some(answers) = cashier.answers() else {
        return Ok(ExitCode::SUCCESS);
    };
    say(format_args!("cashier: {}", listener.local_addr()?));
    tokio::select! {
        () = fleet::serve(listener, secret, answers) => {}
        () = Arc::clone(&cashier).keep() => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    say("stopped: what is noted is on the disk");
    // A connection to PostgreSQL cannot be closed from here without waiting for it, and nothing is left to do.
    std::process::exit(0)
}
