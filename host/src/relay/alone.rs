//! The relay without a guest: to a Unix socket in a folder, as to an enclave that is a process. It is there to be measured.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::Args;

use super::{Relay, options::RelayOptions};
use crate::{accept, guest::link::Link, metrics::counters::Counters};

#[derive(Debug, Args)]
pub(crate) struct AloneOptions {
    /// The folder with the Unix socket `tls.sock`, where bytes go
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    relay: RelayOptions,
    /// Show every broken connection
    #[arg(short, long)]
    verbose: bool,
}

/// Relays until it is ended.
pub(crate) async fn relay(options: AloneOptions) -> anyhow::Result<ExitCode> {
    let bounds = options.relay.bounds()?;
    let listener = accept::listen(options.relay.listen, "--listen").await?;
    println!("relaying: {}", listener.local_addr()?);
    let link = Link::Folder(options.folder);
    let relay = Relay::new(link, Arc::new(Counters::default()), bounds, options.verbose);
    relay.serve(listener).await;
    Ok(ExitCode::SUCCESS)
}
