//! The command line: what a provider may say.

use clap::{Parser, Subcommand};

use crate::{
    cashier::command::Verb, doctor::options::DoctorOptions, drain::DrainOptions,
    relay::alone::AloneOptions, run::options::RunOptions,
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
    /// Boot an image and relay TCP connections to it until Ctrl-C, or until SIGTERM or `drain` has it finish what it does
    ///
    /// Every option may also stand in a file (--settings) or in the environment: --grace is `grace = 300` in the file, and
    /// `CHRYSALIS_RUN_GRACE=300`. The command line goes before the environment, and that before the file.
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
    /// Have a run on this machine finish what it does and end, and wait for that
    #[command(
        after_help = "Example:\n  chrysalis-host drain 127.0.0.1:9443\n\nExit status: 0 it has ended, 1 it goes on, 2 there is no run."
    )]
    Drain(DrainOptions),
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

    #[test]
    fn options_of_a_network_are_refused_without_each_other() {
        let run = [
            "chrysalis-host",
            "run",
            "image",
            "--configuration",
            "c",
            "--disks",
            "d",
        ];
        let all = [
            ["--network", "network.json"],
            ["--network-key", "alice.pub"],
            ["--operator-key", "operator.pem"],
            ["--endpoint", "llm.example:443"],
        ];
        let parse = |given: &[[&str; 2]]| {
            let words = run.into_iter().chain(given.iter().flatten().copied());
            Options::try_parse_from(words)
        };
        parse(&all).unwrap();
        parse(&[]).unwrap();
        for missing in all {
            let given: Vec<_> = all.into_iter().filter(|it| *it != missing).collect();
            let refused = parse(&given).unwrap_err().to_string();
            assert!(refused.contains(missing[0]), "{missing:?}: {refused}");
        }
        for [name, value] in [["--region", "eu-west"], ["--network-at-least", "1"]] {
            let refused = parse(&[[name, value]]).unwrap_err().to_string();
            assert!(
                refused.contains("--network <FILE|URL>"),
                "{name}: {refused}"
            );
            parse(&[&all[..], &[[name, value]]].concat()).unwrap();
        }
        for wrong in [["--endpoint", "LLM.example:443"], ["--region", "eu west"]] {
            parse(&[&all[..], &[wrong]].concat()).unwrap_err();
        }
    }
}
