//! What a provider may say about being listed.

use std::path::PathBuf;

use chrysalis_network::Endpoint;
use clap::Args;

/// Options of a run that a network's directories list.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NetworkOptions {
    /// List what is served in the directories of this network: its descriptor, as whoever runs the network publishes it
    #[arg(long, value_name = "FILE|URL", requires_all = ["network_keys", "operator_key", "endpoints"])]
    pub(crate) network: Option<String>,
    /// The public half of a key that signs the network's descriptor; may be repeated
    #[arg(long = "network-key", value_name = "FILE", requires = "network")]
    pub(crate) network_keys: Vec<PathBuf>,
    /// How many of the keys must have signed the descriptor [default: all that are named]
    #[arg(long, value_name = "N", requires = "network")]
    pub(crate) network_at_least: Option<usize>,
    /// Your key, which signs what is listed, as `chrysalis-image key operator` makes it
    #[arg(long, value_name = "FILE", requires = "network")]
    pub(crate) operator_key: Option<PathBuf>,
    /// Where clients reach this machine, as the internet sees it; up to four times
    #[arg(long = "endpoint", value_name = "HOST:PORT", requires = "network", value_parser = endpoint)]
    pub(crate) endpoints: Vec<Endpoint>,
    /// Where it stands, such as eu-west: a hint that nobody checks
    #[arg(long, value_name = "NAME", requires = "network", value_parser = region)]
    pub(crate) region: Option<String>,
    /// Allow addresses, and directories without TLS, that only exist in a network of your own
    #[arg(long, requires = "network")]
    pub(crate) allow_private: bool,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).ok_or_else(|| {
        "give a name in lower case or an IP address, and a port, such as llm.example:443".to_owned()
    })
}

fn region(text: &str) -> Result<String, String> {
    let is_word =
        (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_word
        .then(|| text.to_owned())
        .ok_or_else(|| "give a word of at most 32 characters, such as eu-west".to_owned())
}
