//! The command line: what a provider may say.

use clap::{Parser, Subcommand};

use crate::{
    cashier::command::Verb, doctor::options::DoctorOptions, relay::alone::AloneOptions,
    run::options::RunOptions,
};

/// Launches Chrysalis VMs and relays bytes to them; trusted with nothing.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    arg_required_else_help = true,
    after_help = "Example:\n  chrysalis-host run build/cpu --configuration build/demo.toml \
                  --disks build/disks"
)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Boot an image and relay TCP connections to it until Ctrl-C
    #[command(
        after_help = "Example:\n  chrysalis-host run build/cpu --configuration build/demo.toml \
                      --disks build/disks\n  chrysalis-host run build/cpu … --platform snp --gpu 0000:41:00.0 --print\n\nExit status: 0 stopped as asked, 1 the guest failed, \
                      2 could not start."
    )]
    Run(Box<RunOptions>),
    /// Relay TCP connections to a Unix socket, as `run` does to its guest: to measure the relay alone
    #[command(
        after_help = "Example:\n  chrysalis-host relay /tmp/sink --listen 127.0.0.1:8443    # to /tmp/sink/tls.sock"
    )]
    Relay(AloneOptions),
    /// Say what this machine has and what is missing, and how to fix it
    #[command(
        after_help = "Example:\n  chrysalis-host doctor --format json\n\nExit status: 0 a simulated run is possible, \
                      1 it is not."
    )]
    Doctor(DoctorOptions),
    /// What clients owe, and claims on it
    #[command(
        subcommand,
        arg_required_else_help = true,
        after_help = "Example:\n  chrysalis-host cashier status\n  chrysalis-host cashier claim --chain https://chain.example/api/v2"
    )]
    Cashier(Verb),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }
}
