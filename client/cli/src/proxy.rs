//! The local endpoint: verified before it listens, and for as long as it does.

use std::{
    io::Read,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use chrysalis_chain::amount;
use chrysalis_client::{
    Error, Payer, Relay, Target,
    network::{Budget, Lanes},
    proxy::{
        Access, Door, DoorError, HostName, Network, NetworkProxy, Origin, Proxy, ReceiptFolder,
        Summary, Token,
    },
};
use clap::Args;
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::{
    judge, network,
    options::{Judging, duration},
    outcome::Outcome,
    pay,
    printable::printable,
    progress, verdict,
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
                  By whoever of a network is verified, cheap and well, paid from lanes that are locked as needed:\n  chrysalis proxy \
                  --network network.json --network-key network.pub --model smollm2-135m-instruct --max-price 0.05 --budget 5\n\n\
                  Paid from a lane of your purse:\n  chrysalis proxy https://llm.example --policy policy.toml --pay 1795996800 --max-job 0.001"
)]
pub(crate) struct ProxyArguments {
    /// The enclave, as https://HOST:PORT
    #[arg(
        value_name = "URL",
        required_unless_present = "network",
        conflicts_with = "network"
    )]
    pub(crate) target: Option<Target>,
    /// What you require of the enclave; in a network, instead of the network's own policy
    #[arg(long, value_name = "FILE", required_unless_present = "network")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: network::Named,
    #[command(flatten)]
    pub(crate) routing: Routing,
    #[command(flatten)]
    pub(crate) judging: Judging,
    /// Send requests through a relay (RFC 9458) that forwards to this enclave's /v1/ohttp, so that its host does not see who asks
    #[arg(long, value_name = "URL", conflicts_with = "network")]
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
    #[arg(long, value_name = "LANE", conflicts_with_all = ["relay", "network"])]
    pub(crate) pay: Option<u32>,
    /// The most that one request may cost, in GRAM: no enclave can take more without an answer
    #[arg(long, value_name = "GRAM", default_value = "0.01", value_parser = pay::nano)]
    pub(crate) max_job: u64,
    /// Where several proxies pay from one lane: the first branch of this one, such as 0, 1000, 2000
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) branch: u16,
    #[command(flatten)]
    pub(crate) purse: pay::Ordering,
    /// How long to wait before verifying again, such as 30s, 5m or 1h
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub(crate) reverify: Duration,
}

/// How a network is used.
#[derive(Debug, Args)]
pub(crate) struct Routing {
    /// A model that programs may ask for, by the network's name for it; may be repeated [default: all of them]
    #[arg(long = "model", value_name = "NAME", requires = "network")]
    pub(crate) models: Vec<String>,
    /// The most that 1,000,000 units may cost, in GRAM [default: one and a half times what the model costs in the network]
    #[arg(long, value_name = "GRAM", value_parser = pay::nano, requires = "network")]
    pub(crate) max_price: Option<u64>,
    /// How many providers of each model to keep verified
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = at_least_one)]
    pub(crate) warm: usize,
    /// Ask a second provider where the first takes longer than it usually does until a stream begins; the one that begins first answers
    #[arg(long, requires = "network")]
    pub(crate) hedge: bool,
    /// The most money that lanes may hold, in GRAM: what they hold at the start and what is locked from then on. Without it, nothing is
    /// locked and nobody is paid
    #[arg(long, value_name = "GRAM", value_parser = pay::nano, requires = "network")]
    pub(crate) budget: Option<u64>,
    /// The most lanes: one for each operator that is asked
    #[arg(long, value_name = "NUMBER", default_value_t = 3, value_parser = at_least_one)]
    pub(crate) lanes: usize,
    /// What to lock in a lane, and again when less than a fifth of that is left, in GRAM
    #[arg(long, value_name = "GRAM", default_value = "0.5", value_parser = pay::nano)]
    pub(crate) lane: u64,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=64).contains(number));
    number.ok_or_else(|| "write a number from 1 to 64".to_owned())
}

pub(crate) async fn run(arguments: ProxyArguments) -> anyhow::Result<Outcome> {
    let (token, made_up) = token(&arguments)?;
    let opened = match arguments.network.network {
        Some(_) => match network::Opened::of(&arguments.network).await {
            Ok(opened) => Some(opened),
            Err(error) => return network::told(Err(error)),
        },
        None => None,
    };
    // Taken before verifying: a port in use is found out first, and no request is answered yet.
    let listener = TcpListener::bind(arguments.listen).await.with_context(|| {
        format!(
            "cannot listen on {}; --listen ADDRESS names another",
            arguments.listen
        )
    })?;
    let address = listener.local_addr()?;
    let access = Access {
        host_names: arguments.host_names.clone(),
        origins: arguments.origins.clone(),
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
    let started = match &opened {
        Some(opened) => Box::pin(of_network(&arguments, opened)).await,
        None => Box::pin(of_one(&arguments)).await,
    };
    let started = match started {
        Ok(started) => started,
        Err(error) => return verdict::refuse(error.downcast::<Error>()?),
    };
    if let Started::One(proxy) = &started {
        eprint!("{}", verdict::text(proxy.trusted()));
    }
    if !address.ip().to_canonical().is_loopback() {
        eprintln!(
            "warning: {address} is open to the network, and what reaches it there is not encrypted"
        );
    }
    if let Some(token) = made_up {
        eprintln!("token: {} (OPENAI_API_KEY)", token.as_str());
    }
    match started {
        Started::One(proxy) => {
            eprintln!(
                "listening on http://{address}/v1 (OPENAI_BASE_URL), verifying again every {} s",
                arguments.reverify.as_secs()
            );
            proxy.serve(door, arguments.reverify).await;
        }
        Started::Network(proxy) => {
            eprintln!("{}     http://{address}/v1", summary(proxy.summary()));
            proxy.serve(door).await;
        }
    }
    Ok(Outcome::Yes)
}

/// What answers.
enum Started {
    One(Box<Proxy>),
    Network(NetworkProxy),
}

async fn of_one(arguments: &ProxyArguments) -> anyhow::Result<Started> {
    let (Some(target), Some(policy)) = (&arguments.target, &arguments.policy) else {
        bail!("no enclave\nhint: name it as https://HOST:PORT, or a network with --network");
    };
    let relying_party = judge::relying_party(policy, &arguments.judging)?;
    let mut relying_party = relying_party.dialing(arguments.network.dial());
    if let Some(relay) = &arguments.relay {
        relying_party = relying_party.through(relay.clone());
    }
    if let Some(lane) = arguments.pay {
        let lane = arguments.purse.asking.which.open()?.lane(lane)?;
        relying_party = relying_party.paying(Payer::new(lane, arguments.max_job, arguments.branch));
    }
    let receipts = receipts(arguments)?;
    let starting = Box::pin(Proxy::start_keeping(
        target.clone(),
        relying_party,
        receipts,
    ));
    let proxy = progress::during("verifying the enclave", starting).await?;
    Ok(Started::One(Box::new(proxy)))
}

async fn of_network(
    arguments: &ProxyArguments,
    opened: &network::Opened,
) -> anyhow::Result<Started> {
    let (which, routing) = (&arguments.network, &arguments.routing);
    let models = opened.models(&routing.models)?;
    let policy = arguments.policy.as_deref();
    let party = opened.relying_party(policy, &arguments.judging, which);
    let relying_party = party.await?;
    let lanes = match routing.budget {
        None => None,
        Some(most) => {
            let vault = pay::Vault::open(&arguments.purse, &opened.descriptor.chain)?;
            let budget = Budget {
                lanes: routing.lanes,
                lane: routing.lane,
                most,
                job: arguments.max_job,
                branch: arguments.branch,
            };
            let lanes = progress::during("asking the chain", Lanes::open(vault, budget)).await;
            Some(lanes.map_err(anyhow::Error::msg)?)
        }
    };
    let directories = opened.directories(&models).await?;
    for status in directories.status() {
        if let Some(trouble) = &status.trouble {
            eprintln!("{}", printable(&network::warning(&status.url, trouble)));
        }
    }
    let network = Network {
        directories,
        models,
        relying_party,
        receipts: receipts(arguments)?,
        lanes,
        max_price: routing.max_price,
        warm: routing.warm,
        hedge: routing.hedge,
        allow_private: which.allow_private,
        reverify: arguments.reverify,
    };
    let starting = NetworkProxy::start(network);
    let proxy = progress::during("verifying providers", starting).await?;
    Ok(Started::Network(proxy))
}

/// `3 providers verified (simulated), cheapest 0.021, lanes 2 of 3`.
fn summary(summary: Summary) -> String {
    let Summary {
        verified,
        simulated,
        cheapest,
        lanes,
    } = summary;
    let providers = if verified == 1 {
        "provider"
    } else {
        "providers"
    };
    let mark = if simulated { " (simulated)" } else { "" };
    let price = cheapest.map_or_else(String::new, |nano| {
        format!(", cheapest {}", amount::write(nano))
    });
    let lanes = lanes.map_or_else(String::new, |(open, most)| {
        format!(", lanes {open} of {most}")
    });
    format!("{verified} {providers} verified{mark}{price}{lanes}")
}

fn receipts(arguments: &ProxyArguments) -> anyhow::Result<Option<ReceiptFolder>> {
    let folder = arguments.receipts.as_deref();
    folder.map(receipt_folder).transpose()
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
