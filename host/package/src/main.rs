//! Packs the provider's programs, once they are built: a Debian package with its systemd units, and an OCI image.
//!
//! The same programs give the same bytes, whoever packs them and when: names are sorted, owners are root, and every time is that of the
//! release.

mod archive;
mod contents;
mod deb;
mod oci;
mod program;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use crate::contents::Contents;

/// When the files of a package were made unless --date says otherwise: 2026-11-29, the day of the release, in Unix seconds.
const RELEASED: u64 = 1_795_910_400;

/// Packs chrysalis-host for Debian and for containers.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    arg_required_else_help = true,
    after_help = "Example:\n  chrysalis-package deb target/release/chrysalis-host --out chrysalis-host.deb"
)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a Debian package: the programs, their systemd units, and the user they run as
    #[command(
        after_help = "Example:\n  chrysalis-package deb target/release/chrysalis-host target/release/chrysalis-directory \\\n    --out chrysalis-host.deb"
    )]
    Deb(DebOptions),
    /// Write an OCI image as a folder, which skopeo and podman read
    #[command(
        after_help = "Example:\n  chrysalis-package oci target/release/chrysalis-host --root debian --out chrysalis-host.oci"
    )]
    Oci(OciOptions),
}

#[derive(Debug, Args)]
struct What {
    /// The programs: chrysalis-host; chrysalis-directory where a directory runs as well, and chrysalis-fleet for its operator in Kubernetes
    #[arg(value_name = "PROGRAM", required = true)]
    programs: Vec<PathBuf>,
    /// When all files were made, in Unix seconds [default: the day of the release]
    #[arg(long, value_name = "SECONDS", default_value_t = RELEASED, hide_default_value = true)]
    date: u64,
}

#[derive(Debug, Args)]
struct DebOptions {
    #[command(flatten)]
    what: What,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
struct OciOptions {
    #[command(flatten)]
    what: What,
    /// A folder with what the programs need: a C library where they are not static, and QEMU to start VMs. It becomes the lower layer
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The folder to write; it must not be there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match pack(&Options::parse().command) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Packs, and says what was written.
fn pack(command: &Command) -> anyhow::Result<String> {
    match command {
        Command::Deb(options) => {
            let contents = Contents::of(&options.what.programs)?;
            deb::write(&contents, options.what.date, &options.out)
        }
        Command::Oci(options) => {
            let contents = Contents::of(&options.what.programs)?;
            oci::write(
                &contents,
                options.root.as_deref(),
                options.what.date,
                &options.out,
            )
        }
    }
}
