//! `completions` and `man`: what shells and `man` know of the command line, made from the same tables that read it.

use std::{fs, io, path::PathBuf};

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::{outcome::Outcome, printable::print};

/// The program's name.
const NAME: &str = "chrysalis";

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis completions bash > ~/.local/share/bash-completion/completions/chrysalis\n  chrysalis completions zsh > ~/.zfunc/_chrysalis\n  chrysalis completions fish > ~/.config/fish/completions/chrysalis.fish"
)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis man ~/.local/share/man/man1\n  man chrysalis-verify")]
pub(crate) struct ManArguments {
    /// The folder to write a page for each verb to; it is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints what the shell reads.
pub(crate) fn completions(
    arguments: &CompletionsArguments,
    mut command: Command,
) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, NAME, &mut script);
    print(&String::from_utf8(script).context("the completions are not text")?)?;
    Ok(Outcome::Yes)
}

/// Writes a page for each verb.
pub(crate) fn man(arguments: &ManArguments, command: Command) -> anyhow::Result<Outcome> {
    let folder = &arguments.folder;
    fs::create_dir_all(folder)
        .and_then(|()| pages(folder, command))
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    Ok(Outcome::Yes)
}

fn pages(folder: &std::path::Path, command: Command) -> io::Result<()> {
    clap_mangen::generate_to(command.disable_help_subcommand(true), folder)
}
