//! The local endpoint: verified before it listens, and for as long as it does.

use std::{
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use chrysalis_client::{
    Payer, Relay, Target,
    proxy::{Access, Door, DoorError, HostName, Origin, Proxy, ReceiptFolder, Token},
};
use clap::Args;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::{
    judge,
    options::{Judging, duration},
    outcome::Outcome,
    pay, progress, verdict,
};

/// The most bytes that are read of a token's file: no token is as long.
const MAX_TOKEN_FILE: u64 = 4096;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis proxy https://llm.example --policy policy.toml\n  curl http://127.0.0.1:8080/v1/models\n\n\
                  For an app that is a page:\n  chrysalis proxy https://llm.example --policy policy.toml --allow-origin app://obsidian.md\n\n\
                  For other machines, which show the token as their API key:\n  chrysalis proxy https://llm.example --policy policy.toml \
                  --listen 192.168.1.5:8080 --allow-remote --token-file token\n\n\
                  Through a relay, so that the enclave's host does not see who asks:\n  chrysalis proxy https://llm.example --policy policy.toml \
                  --relay https://relay.example/llm\n\n\
                  Paid from a lane of your purse:\n  chrysalis proxy https://llm.example --policy policy.toml --pay 1795996800 --max-job 0.001"
)]
pub(crate) struct ProxyArguments {
    /// The enclave, as https://HOST:PORT
    #[arg(value_name = "URL")]
    pub(crate) target: Target,
    /// What you require of the enclave
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: PathBuf,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Send requests through a relay (RFC 9458) that forwards to this enclave's /v1/ohttp, so that its host does not see who asks
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<Relay>,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub(crate) listen: SocketAddr,
    /// Let other machines in, where --listen names an address that they can reach: every request must then show the token
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// The token that every request shows as its API key, at least 16 characters; without a file, --allow-remote makes one
    /// up and prints it
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A name under which programs reach the proxy, such as host.docker.internal, in addition to localhost and its own address; may
    /// be repeated
    #[arg(long = "host-name", value_name = "NAME[:PORT]")]
    pub(crate) host_names: Vec<HostName>,
    /// An app that is a web page, by its origin as the browser writes it (`app://obsidian.md`, `http://localhost:3000`); may
    /// be repeated. Other pages are refused
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    pub(crate) origins: Vec<Origin>,
    /// Keep each answer's receipt in this folder, for `chrysalis receipt verify`; without it they are checked and dropped. Through a
    /// relay there are none: a receipt belongs to a connection
    #[arg(long, value_name = "DIR", conflicts_with = "relay")]
    pub(crate) receipts: Option<PathBuf>,
    /// Pay for answers from this lane of a purse (`chrysalis pay lock` says its number). Not through a relay: a receipt belongs to a
    /// connection
    #[arg(long, value_name = "LANE", conflicts_with = "relay")]
    pub(crate) pay: Option<u32>,
    /// The most that one request may cost, in GRAM: no enclave can take more without an answer
    #[arg(long, value_name = "GRAM", default_value = "0.01", value_parser = pay::nano, requires = "pay")]
    pub(crate) max_job: u64,
    /// Where several proxies pay from one lane: the first branch of this one, such as 0, 1000, 2000
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "pay")]
    pub(crate) branch: u16,
    #[command(flatten)]
    pub(crate) purse: pay::Which,
    /// How long to wait before verifying again, such as 30s, 5m or 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) reverify: Duration,
}

pub(crate) async fn run(arguments: ProxyArguments) -> anyhow::Result<Outcome> {
    let (token, made_up) = token(&arguments)?;
    let mut relying_party = judge::relying_party(&arguments.policy, &arguments.judging)?;
    if let Some(relay) = arguments.relay {
        relying_party = relying_party.through(relay);
    }
    if let Some(lane) = arguments.pay {
        let lane = arguments.purse.open()?.lane(lane)?;
        relying_party = relying_party.paying(Payer::new(lane, arguments.max_job, arguments.branch));
    }
    let receipts = arguments
        .receipts
        .as_deref()
        .map(receipt_folder)
        .transpose()?;
    // Taken before verifying: a port in use is found out first, and no request is answered yet.
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; --listen ADDRESS names another",
            arguments.listen
        )
    })?;
    let address = listener.local_addr()?;
    let access = Access {
        host_names: arguments.host_names,
        origins: arguments.origins,
        remote: arguments.allow_remote,
        token,
    };
    let door = Door::open(listener, access).map_err(|error| match error {
        DoorError::BeyondLoopback(_) => anyhow::anyhow!(
            "{address} can be reached from other machines\nhint: listen on 127.0.0.1, or allow it with --allow-remote"
        ),
        error => error.into(),
    })?;
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_target(false)
        .init();
    let starting = Box::pin(Proxy::start_keeping(
        arguments.target,
        relying_party,
        receipts,
    ));
    let proxy = match progress::during("verifying the enclave", starting).await {
        Ok(proxy) => proxy,
        Err(error) => return verdict::refuse(error),
    };
    eprint!("{}", verdict::text(proxy.trusted()));
    if !address.ip().to_canonical().is_loopback() {
        eprintln!(
            "warning: {address} is open to the network, and what reaches it there is not encrypted"
        );
    }
    if let Some(token) = made_up {
        eprintln!("token: {} (OPENAI_API_KEY)", token.as_str());
    }
    eprintln!(
        "listening on http://{address}/v1 (OPENAI_BASE_URL), verifying again every {} s",
        arguments.reverify.as_secs()
    );
    proxy.serve(door, arguments.reverify).await;
    Ok(Outcome::Yes)
}

/// The token that requests have to show, if any, and its text where it was made up here.
fn token(arguments: &ProxyArguments) -> anyhow::Result<(Option<Token>, Option<Zeroizing<String>>)> {
    if let Some(file) = &arguments.token_file {
        return Ok((Some(read_token(file)?), None));
    }
    if !arguments.allow_remote {
        return Ok((None, None));
    }
    let (token, text) = Token::generate()?;
    Ok((Some(token), Some(Zeroizing::new(text))))
}

fn receipt_folder(path: &Path) -> anyhow::Result<ReceiptFolder> {
    ReceiptFolder::open(path).with_context(|| {
        format!(
            "cannot keep receipts in {}; --receipts names a folder of yours",
            path.display()
        )
    })
}

fn read_token(file: &Path) -> anyhow::Result<Token> {
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(file)
        .and_then(|open| open.take(MAX_TOKEN_FILE).read_to_string(&mut text))
        .with_context(|| {
            format!(
                "cannot read the token in {}; `openssl rand -hex 32 > {}` makes one",
                file.display(),
                file.display()
            )
        })?;
    match Token::new(text.trim()) {
        Ok(token) => Ok(token),
        Err(error) => bail!("{}: {error}", file.display()),
    }
}
