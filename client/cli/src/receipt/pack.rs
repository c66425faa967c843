//! `receipt pack`: one file for somebody who has neither the folder nor the connection.

use std::path::PathBuf;

use anyhow::Context;
use chrysalis_settle::{Kept, MAX_KEPT};
use clap::Args;

use super::evidence;
use crate::{
    files::{read, write_whole},
    outcome::Outcome,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis receipt pack receipts/0a0b0c0d0e0f00010203040506070809.receipt --out packed.receipt"
)]
pub(crate) struct PackArguments {
    /// A receipt that `chrysalis proxy --receipts` kept
    #[arg(value_name = "FILE")]
    pub(crate) receipt: PathBuf,
    /// The evidence that it names, where it is not beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence: Option<PathBuf>,
    /// Where to write both
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

pub(super) fn run(arguments: &PackArguments) -> anyhow::Result<Outcome> {
    let path = &arguments.receipt;
    let mut kept = Kept::decode(&read(path, MAX_KEPT)?)
        .with_context(|| format!("cannot use {}", path.display()))?;
    kept.evidence = Some(evidence::of(&kept, path, arguments.evidence.as_deref())?);
    write_whole(&arguments.out, &kept.encode())?;
    Ok(Outcome::Yes)
}
