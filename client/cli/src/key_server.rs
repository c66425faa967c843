//! `keys`: whoever owns a model keeps its key and its engine's secrets, and gives them to enclaves that a policy trusts.

use std::{
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Read, Write},
    net::SocketAddr,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use chrysalis_attestation::encoding::digest::{Hex, sha256};
use chrysalis_client::key_server::{
    Addressee, Bounds, KeyFolder, KeyServer, MAX_SECRET, NoAddressee, NotAdded, Outcome as Ended,
    Wiped,
};
use clap::{Args, Subcommand};
use rcgen::{CertificateParams, DnType, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use zeroize::Zeroizing;

use crate::{judge, options::Judging, outcome::Outcome, printable::printable};

/// The server's certificate, and its key, in the folder of keys.
const CERTIFICATE: &str = "server-certificate.der";
const KEY: &str = "server-key.der";

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make the key server's own key and certificate, and print what a configuration says of it
    #[command(
        after_help = "Example:\n  chrysalis keys new --keys keys --address keys.example:8700"
    )]
    New(NewArguments),
    /// Put a secret of a model's engine into the folder, read from standard input
    #[command(
        after_help = "The configuration says which disks the model and its engine are on: an enclave gets the secret for that model on that engine, and for \
                      no other. Every byte of standard input is the secret, a line's end included.\n\nExample:\n  chrysalis keys add licence --keys keys --configuration configuration.toml --model qwen3-8b < licence.key"
    )]
    Add(AddArguments),
    /// Give the keys of sealed models and the secrets of engines to enclaves that a policy trusts, for as long as it does
    #[command(
        after_help = "The policy, the keys and the secrets are read anew for each enclave that asks, in each epoch: change the policy, or take a key or \
                      a secret out of the folder, and the enclaves that have it take the model out of service at their next epoch.\n\nExample:\n  chrysalis keys serve --keys keys --policy policy.toml --listen 0.0.0.0:8700"
    )]
    Serve(ServeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// The folder of keys, which `chrysalis-image seal` fills
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// Where providers' machines reach the server
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
}

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    /// What the configuration calls it: 1 to 64 lower-case letters, digits, -, _ and ., a letter or a digit first
    name: String,
    /// The folder of keys
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// The configuration that names the secret
    #[arg(long, value_name = "FILE")]
    configuration: PathBuf,
    /// The model whose engine gets it, as the configuration calls it; once for each
    #[arg(long = "model", value_name = "NAME", required = true)]
    models: Vec<String>,
    /// Replace the secret of this name, and whom it is for
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The folder of keys: ROOT.key for each sealed disk, NAME.secret for each secret
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// What an enclave has to be, as for a client
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
    /// The most connections at once from one IPv4 address or one IPv6 /64, and eight times as many from all; raise it if many enclaves
    /// share an address
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    connections_per_client: u16,
    #[command(flatten)]
    judging: Judging,
}

pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<Outcome> {
    match command {
        KeysCommand::New(arguments) => new(&arguments),
        KeysCommand::Add(arguments) => add(&arguments),
        KeysCommand::Serve(arguments) => serve(arguments).await,
    }
}

fn new(arguments: &NewArguments) -> anyhow::Result<Outcome> {
    let folder = &arguments.keys;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let certificate = folder.join(CERTIFICATE);
    let der = if certificate.exists() {
        eprintln!(
            "note: {} is there already, and stays",
            certificate.display()
        );
        read(&certificate)?
    } else {
        let key = KeyPair::generate().context("cannot make a key")?;
        let mut parameters = CertificateParams::new(vec!["keys.invalid".to_owned()])?;
        let name = &mut parameters.distinguished_name;
        name.push(DnType::CommonName, "Chrysalis key server");
        let made = parameters.self_signed(&key)?;
        let private = Zeroizing::new(key.serialize_der());
        write(&folder.join(KEY), &private)?;
        write(&certificate, made.der())?;
        made.der().to_vec()
    };
    println!("[keys]");
    println!("address = {:?}", arguments.address);
    println!("certificate_sha256 = \"{}\"", Hex(sha256(&[&der])));
    Ok(Outcome::Yes)
}

fn add(arguments: &AddArguments) -> anyhow::Result<Outcome> {
    let AddArguments {
        name,
        keys,
        configuration,
        models,
        replace,
    } = arguments;
    let text = read(configuration)?;
    let addressees = models.iter().map(|model| addressee(&text, model, name));
    let addressees = addressees.collect::<anyhow::Result<Vec<_>>>()?;
    let value = from_standard_input()?;
    let folder = KeyFolder::new(keys.clone());
    let place = folder.add_secret(name, value, &addressees, *replace);
    let place = place.map_err(|error| match &error {
        NotAdded::There => anyhow::anyhow!("{error}\nhint: pass --replace to replace it"),
        NotAdded::Value(_) => anyhow::anyhow!(
            "{error}\nhint: give 1 to {MAX_SECRET} bytes on standard input, such as `< licence.key`"
        ),
        NotAdded::Io(_) => anyhow::anyhow!(
            "{error}\nhint: make {} with `chrysalis keys new` first",
            keys.display()
        ),
        _ => error.into(),
    })?;
    println!("{}", place.display());
    Ok(Outcome::Yes)
}

fn addressee(configuration: &[u8], model: &str, secret: &str) -> anyhow::Result<Addressee> {
    Addressee::of(configuration, model, secret).map_err(|error| match &error {
        NoAddressee::Unnamed { secret, .. } => anyhow::anyhow!(
            "{error}\nhint: write secrets = [{secret:?}] under that [[model]] of its recipe, and make it again with `chrysalis-image configuration`"
        ),
        _ => error.into(),
    })
}

/// All of it, up to one byte more than a secret may have.
fn from_standard_input() -> anyhow::Result<Wiped> {
    let input = io::stdin();
    ensure!(
        !input.is_terminal(),
        "a secret is not typed in\nhint: give it on standard input, such as `< licence.key`"
    );
    // Room for all at once: what grows leaves copies behind.
    let mut value = Wiped::new(Vec::with_capacity(MAX_SECRET + 2));
    let limit = u64::try_from(MAX_SECRET)?.saturating_add(1);
    let read = input.lock().take(limit).read_to_end(&mut value);
    read.context("cannot read standard input")?;
    Ok(value)
}

async fn serve(arguments: ServeArguments) -> anyhow::Result<Outcome> {
    let ServeArguments {
        keys: folder,
        policy,
        listen,
        connections_per_client,
        judging,
    } = arguments;
    let identity = identity(&folder)?;
    let keys = KeyFolder::new(folder.clone());
    let count = keys
        .count()
        .with_context(|| format!("cannot read {}", folder.display()))?;
    // A policy that is wrong now is a mistake, and not withdrawn.
    judge::relying_party(&policy, &judging)?;
    let wanted = move || {
        judge::relying_party(&policy, &judging)
            .map_err(|_| "the owner of the key has no policy for it now".to_owned())
    };
    let bounds = Bounds::default().with_connections_per_client(connections_per_client);
    let server = KeyServer::new(identity, keys, Arc::new(wanted), Arc::new(tell), bounds)
        .context("the key server's certificate is not usable\nhint: delete it and its key, and run `chrysalis keys new` again")?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let what = match (count, counted(count.0, "key"), counted(count.1, "secret")) {
        ((_, 0), keys, _) => keys,
        ((0, _), _, secrets) => secrets,
        (_, keys, secrets) => format!("{keys} and {secrets}"),
    };
    eprintln!("{what} for enclaves that the policy trusts     {address}");
    Arc::new(server).serve(listener).await;
    Ok(Outcome::Yes)
}

/// The certificate that configurations pin, and its key.
fn identity(folder: &Path) -> anyhow::Result<(CertificateDer<'static>, PrivateKeyDer<'static>)> {
    let path = folder.join(KEY);
    let mode = fs::metadata(&path).map(|found| found.mode());
    if let Err(error) = &mode
        && error.kind() == io::ErrorKind::NotFound
    {
        bail!(
            "there is no {}\nhint: make it with `chrysalis keys new --keys {} --address HOST:PORT`",
            path.display(),
            folder.display()
        );
    }
    ensure!(
        mode?.trailing_zeros() >= 6,
        "{} can be read by others\nhint: run chmod 600 on it",
        path.display()
    );
    let key = PrivatePkcs8KeyDer::from(read(&path)?);
    let certificate = CertificateDer::from(read(&folder.join(CERTIFICATE))?);
    Ok((certificate, key.into()))
}

/// So many of them, in words.
fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A line for each that asked.
fn tell(peer: SocketAddr, ended: &Ended) {
    let line = match ended {
        Ended::Given {
            roots,
            secrets,
            enclave,
        } => {
            let mark = if enclave.simulated() {
                " (simulated)"
            } else {
                ""
            };
            let secrets = secrets
                .iter()
                .map(|it| format!("{} of {}", it.name, it.model));
            let what: Vec<_> = roots.iter().cloned().chain(secrets).collect();
            format!("{peer}  given{mark}  {}", what.join(", "))
        }
        Ended::Refused { code, why } => format!("{peer}  refused  {code}: {why}"),
        Ended::Broken(why) => format!("{peer}  no conversation: {why}"),
        _ => return,
    };
    eprintln!("{}", printable(&line));
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// A new file that only its owner can read.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(bytes))
        .with_context(|| format!("cannot write {}", path.display()))
}
