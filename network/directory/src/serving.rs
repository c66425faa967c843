//! `serve`.

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use chrysalis_attestation::{
    Collateral,
    encoding::digest::{Hex, sha256},
    policy::Policy,
    release::MAX_ENVELOPE,
};
use chrysalis_collateral::Store as Collected;
use chrysalis_directory::{
    Bring, Clock, Cuts, Desk, Directory, Judge, Ledger, Origin, Payouts, Publisher,
    server::{self, Limits, Rate, Server},
    store::{Shared, Sqlite, StoreError},
};
use chrysalis_image::publish::{Passphrase, SigningKey, development};
use chrysalis_network::Descriptor;
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::options::{MAX_NETWORK, NetworkOptions, read, refused};

/// The most bytes of a policy.
const MAX_POLICY: usize = 1024 * 1024;
/// The most statements of rebuilders and publishers.
const MAX_STATEMENTS: usize = 64;
/// Open files that everything but connections takes.
const RESERVED: usize = 128;
/// How often it publishes what is due.
const TICK: Duration = Duration::from_secs(1);
/// How long to wait after that failed.
const AGAIN: Duration = Duration::from_secs(10);
/// Where the newest descriptor that was seen is noted.
const SEEN: &str = "network_seen";

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  chrysalis-directory serve --network network.json --network-key network.pub --policy policy.toml --key log.pem --data directory\n  rsync -a --delete directory/public/ mirror.example:/srv/directory/     a mirror, for any server of files"
)]
pub(crate) struct ServeArguments {
    /// The network's descriptor, signed, as `chrysalis-image network sign` makes it
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    #[command(flatten)]
    signers: NetworkOptions,
    /// The policy that the descriptor names, byte for byte
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// The key of this directory's log, as `chrysalis-image key log` makes it: the descriptor names its public half
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file whose first line is the key's passphrase; without it, the terminal is asked
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// A folder for the database, and for what is published (in `public`)
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Keep everything in a PostgreSQL database instead, such as "host=/run/postgresql dbname=directory": several machines may share it
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "WORDS")]
    postgres: Option<String>,
    /// Where to answer; plain HTTP, so put a proxy with TLS in front of it for the world
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Seconds from one epoch of a class's listings to the next
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    cut: u32,
    /// Take listings with addresses that are not on the public internet
    #[arg(long)]
    allow_private: bool,
    /// Only a proxy of yours can connect: believe its `X-Forwarded-For`
    #[arg(long)]
    behind_proxy: bool,
    /// Listings and reports that one client may send in a minute
    #[arg(long, value_name = "N", default_value_t = 1200, value_parser = clap::value_parser!(u32).range(1..))]
    uploads_per_client: u32,
    /// Serve the ledger at `/`: prices, providers, rewards, checked in the reader's browser
    #[arg(long)]
    ledger: bool,
    /// Serve the ledger, and ask this server of the chain, in toncenter's dialect, what operators were paid
    #[arg(long, value_name = "URL")]
    chain: Option<String>,
    /// A file with the key that the chain's server gave you
    #[arg(long, value_name = "FILE", requires = "chain")]
    chain_key_file: Option<PathBuf>,
    /// A folder that `chrysalis fetch` filled, for evidence that carries less than the policy wants
    #[arg(long, value_name = "DIR")]
    collateral: Option<PathBuf>,
    /// What a rebuilder or the publisher signed about the image; the policy names whose statements count
    #[arg(long = "statement", value_name = "FILE")]
    statements: Vec<PathBuf>,
}

pub(crate) fn run(arguments: &ServeArguments) -> Result<()> {
    let public = arguments.data.join("public");
    fs::create_dir_all(&public).with_context(|| format!("cannot make {}", public.display()))?;
    let store = store(arguments)?;
    let clock = Clock::system();
    let (envelope, network) = network(arguments, &store)?;
    let text = read(&arguments.policy, MAX_POLICY)?;
    let policy = policy(&arguments.policy, &text, &network)?;
    let origin = origin(arguments, &network)?;
    whose(&store, &network, &origin)?;
    println!(
        "{}: {} classes, log {}",
        network.name,
        network.classes.len(),
        origin.name
    );
    let directory = Directory {
        network,
        judge: Judge::new(policy, bring(arguments)?),
        private: arguments.allow_private,
        clock,
    };
    let desk = Desk::new(directory, store);
    let cuts = Cuts {
        every: arguments.cut,
    };
    let mut publisher = Publisher::new(Arc::clone(&desk), &public, origin, cuts);
    if arguments.ledger || arguments.chain.is_some() {
        publisher = publisher.with_ledger(Ledger::new(payouts(arguments, &desk)?));
    }
    publisher.introduce(&envelope, &text)?;
    publisher.tick()?;
    let limits = limits(arguments)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = server::listen(arguments.listen).await?;
        println!("http://{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        thread::spawn(move || publish_for_ever(&mut publisher));
        Server::new(desk, &public, limits).serve(listener).await;
        Ok(())
    })
}

/// What fails, a full disk for instance, is told once, and tried again.
fn publish_for_ever(publisher: &mut Publisher) -> ! {
    let mut told = String::new();
    loop {
        match publisher.tick() {
            Ok(()) => {
                told.clear();
                thread::sleep(TICK);
            }
            Err(error) => {
                let error = format!("error: {error}\nhint: nothing is lost; it is tried again");
                if error != told {
                    eprintln!("{error}");
                    told = error;
                }
                thread::sleep(AGAIN);
            }
        }
    }
}

fn store(arguments: &ServeArguments) -> Result<Shared> {
    let told = |error: StoreError| anyhow!("{error}\nhint: {}", error.hint());
    #[cfg(feature = "postgres")]
    if let Some(words) = &arguments.postgres {
        let opened = chrysalis_directory::store::Postgres::open(words).map_err(told)?;
        return Ok(Shared::new(opened));
    }
    let path = arguments.data.join("directory.sqlite");
    Ok(Shared::new(Sqlite::open(&path).map_err(told)?))
}

/// The descriptor, no older than any that was served from here.
fn network(arguments: &ServeArguments, store: &Shared) -> Result<(Vec<u8>, Descriptor)> {
    let envelope = read(&arguments.network, MAX_NETWORK)?;
    let seen = store.change(|change| change.about(SEEN))?;
    let seen = seen.and_then(|it| {
        let (version, digest) = it.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*version), Hex(digest.try_into().ok()?)))
    });
    let now = std::time::SystemTime::now().into();
    let verified = Descriptor::verify(&envelope, &arguments.signers.signers()?, now, |_| seen);
    let (network, digest) = verified.map_err(|rejection| refused(&rejection))?;
    let seen = [&network.version.to_be_bytes()[..], &digest.0].concat();
    store.change(|change| change.set_about(SEEN, &seen))?;
    Ok((envelope, network))
}

fn policy(path: &Path, text: &[u8], network: &Descriptor) -> Result<Policy> {
    let found = Hex(sha256(&[text]));
    if found != network.policy {
        bail!(
            "the policy {} has the SHA-256 {found}; the network's descriptor names {}\nhint: take the file that the network publishes, byte for byte",
            path.display(),
            network.policy
        );
    }
    let text = std::str::from_utf8(text).context("the policy is not text")?;
    Policy::parse(text)
        .map_err(|error| anyhow!("{error}"))
        .with_context(|| format!("the policy {} cannot be used", path.display()))
}

/// The log's name and key: the descriptor must name both.
fn origin(arguments: &ServeArguments, network: &Descriptor) -> Result<Origin> {
    let passphrase = Passphrase::from(arguments.passphrase_file.as_deref());
    let development = development(arguments.signers.development_root);
    let key = SigningKey::read(&arguments.key, &passphrase, development)?;
    let ours = key.public().ed25519();
    let ours = ours.and_then(|key| network.directories.iter().find(|it| it.key.0 == *key));
    let Some(ours) = ours else {
        bail!(
            "the network's descriptor names no directory whose log has the key {}\nhint: have it listed there, under [[directory]], or use another --key",
            arguments.key.display()
        );
    };
    Ok(Origin {
        name: ours.origin().to_owned(),
        key,
    })
}

/// A database belongs to one network and one log.
fn whose(store: &Shared, network: &Descriptor, origin: &Origin) -> Result<()> {
    let whose = format!("{} {}", network.name, origin.name);
    let found = store.change(|change| {
        let found = change.about("whose")?;
        if found.is_none() {
            change.set_about("whose", whose.as_bytes())?;
        }
        Ok::<_, StoreError>(found)
    })?;
    match found {
        Some(found) if found != whose.as_bytes() => bail!(
            "the database is that of `{}`, not of `{whose}`\nhint: name another folder with --data",
            String::from_utf8_lossy(&found)
        ),
        _ => Ok(()),
    }
}

/// What bears on evidence, whatever is in a folder, and what rebuilders say.
fn bring(arguments: &ServeArguments) -> Result<Bring> {
    if arguments.statements.len() > MAX_STATEMENTS {
        bail!(
            "more than {MAX_STATEMENTS} statements\nhint: bring those of the policy's rebuilders"
        );
    }
    let statements = arguments.statements.iter();
    let statements = statements.map(|path| read(path, MAX_ENVELOPE));
    let statements: Vec<Vec<u8>> = statements.collect::<Result<_>>()?;
    let collected = arguments.collateral.as_deref().map(|folder| {
        Collected::open(folder).map_err(|error| anyhow!("{error}\nhint: {}", error.hint()))
    });
    let collected = collected.transpose()?;
    Ok(Arc::new(move |evidence| {
        let found = collected.as_ref().map(|it| it.for_bundle(evidence));
        let found = found.and_then(Result::ok).unwrap_or_default();
        Collateral {
            statements: statements.clone(),
            ..found
        }
    }))
}

/// What operators are paid, if there is a chain to ask.
fn payouts(arguments: &ServeArguments, desk: &Desk) -> Result<Option<Payouts>> {
    let Some(url) = &arguments.chain else {
        return Ok(None);
    };
    let chain = chrysalis_chain::server::open(url, arguments.chain_key_file.as_deref())?;
    let purse = desk.directory().network.chain.purse.0;
    Ok(Some(Payouts::follow(chain, purse)))
}

/// Connections that there are files for: as many as the system allows this process, less what everything else takes.
fn connections(wanted: usize) -> Result<usize> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let asked = (wanted + RESERVED) as u64;
    let allowed = maximum.map_or(asked, |most| asked.min(most));
    if current.is_some_and(|current| current < allowed) {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(allowed),
                maximum,
            },
        )?;
    }
    let room = usize::try_from(allowed)?.saturating_sub(RESERVED);
    if room == 0 {
        bail!("too few open files are allowed\nhint: raise `nofile` for this user");
    }
    Ok(room.min(wanted))
}

fn limits(arguments: &ServeArguments) -> Result<Limits> {
    let per_minute = arguments.uploads_per_client;
    let limits = Limits::default();
    Ok(Limits {
        connections: connections(limits.connections)?,
        per_client: Rate {
            per_minute,
            burst: per_minute.div_ceil(2),
        },
        of_all: Rate {
            per_minute: limits.of_all.per_minute.max(per_minute),
            burst: limits.of_all.burst.max(per_minute.div_ceil(2)),
        },
        behind_proxy: arguments.behind_proxy,
        ..limits
    })
}
