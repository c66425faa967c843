//! The command line, as clap reads it. Every verb owns its arguments, and its help ends in an example.

use clap::{Parser, Subcommand};

use crate::{
    chat::ChatArguments,
    fetch::FetchArguments,
    key_server::KeysCommand,
    log::LogCommand,
    measure::MeasureArguments,
    network::NetworkCommand,
    pay::PayCommand,
    policy::PolicyCommand,
    proxy::ProxyArguments,
    receipt::ReceiptCommand,
    release::{AuditArguments, ReleaseCommand},
    shell::{CompletionsArguments, ManArguments},
    show::ShowArguments,
    verify::VerifyArguments,
};

/// Know what answers before a byte of prompt leaves.
#[derive(Debug, Parser)]
#[command(
    name = "chrysalis",
    version = env!("CHRYSALIS_VERSION"),
    arg_required_else_help = true,
    after_help = "Example:\n  chrysalis policy init --release v1/manifest.json --root 1.root.json --keys publication --configuration configuration.toml > policy.toml\n  chrysalis verify https://llm.example --policy policy.toml\n  chrysalis proxy https://llm.example --policy policy.toml --listen 127.0.0.1:8080"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Verify an enclave, or evidence in a file, against a policy
    Verify(Box<VerifyArguments>),
    /// Fetch what evidence needs from its vendors, so that `verify` needs no network
    Fetch(FetchArguments),
    /// Explain evidence field by field, without trusting it
    Show(ShowArguments),
    /// Verify an enclave, then ask it one question and stream the answer
    Chat(ChatArguments),
    /// Serve an OpenAI-compatible endpoint on this machine that forwards over verified connections only
    Proxy(Box<ProxyArguments>),
    /// Verify what the proxy kept: which enclave gave which answer to what
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis receipt verify receipts/0a0b0c0d0e0f00010203040506070809.receipt --policy policy.toml"
    )]
    Receipt(ReceiptCommand),
    /// Look at who is listed in a network, and what they ask
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis network list --network network.json --network-key network.pub"
    )]
    Network(NetworkCommand),
    /// Keep a purse on the chain, and lock money in it for providers
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis pay init --home UQB3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d0x0 --chain http://127.0.0.1:8081/api/v2\n  chrysalis pay lock UQCyu7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7uwAl 0.5\n  chrysalis proxy https://llm.example --policy policy.toml --pay 1795996800"
    )]
    Pay(PayCommand),
    /// Keep the keys of sealed models and the secrets of engines, and give them to enclaves that a policy trusts
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis keys new --keys keys --address keys.example:8700\n  chrysalis keys add licence --keys keys --configuration configuration.toml --model qwen3-8b < licence.key\n  chrysalis keys serve --keys keys --policy policy.toml --listen 0.0.0.0:8700"
    )]
    Keys(KeysCommand),
    /// Compute what the hardware will say about an image you built
    Measure(MeasureArguments),
    /// Sign what an image is, or check what was signed
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis release verify manifest.json --key release.pub"
    )]
    Release(ReleaseCommand),
    /// Rebuild a release and say whether it is the same, or where it differs
    Audit(AuditArguments),
    /// Keep or check a transparency log of releases
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis log verify log/ --key log.pub"
    )]
    Log(LogCommand),
    /// Make policies
    #[command(
        subcommand,
        after_help = "Example:\n  chrysalis policy init --release manifest.json --key release.pub --configuration configuration.toml > policy.toml"
    )]
    Policy(PolicyCommand),
    /// Print what a shell needs to complete this command line
    Completions(CompletionsArguments),
    /// Write manual pages, one for each verb
    Man(ManArguments),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        let mut open = vec![Arguments::command()];
        while let Some(command) = open.pop() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("Example:\n  chrysalis "),
                "{}",
                command.get_name()
            );
            open.extend(command.get_subcommands().cloned());
        }
    }
}
