//! `keys`: whoever owns a model keeps its key, and gives it to enclaves that a policy trusts.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    net::SocketAddr,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail, ensure};
use chrysalis_attestation::encoding::digest::{Hex, sha256};
use chrysalis_client::key_server::{KeyFolder, KeyServer, Outcome as Ended};
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
    /// Give the keys of sealed models to enclaves that a policy trusts, for as long as it does
    #[command(
        after_help = "The policy and the keys are read anew for each enclave that asks, in each epoch: change the policy, or take a key out of the \
                      folder, and the enclaves that have it take the model out of service at their next epoch.\n\nExample:\n  chrysalis keys serve --keys keys --policy policy.toml --listen 0.0.0.0:8700"
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
pub(crate) struct ServeArguments {
    /// The folder of keys: ROOT.key for each sealed disk
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
    /// What an enclave has to be, as for a client
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8700")]
    listen: SocketAddr,
    #[command(flatten)]
    judging: Judging,
}

pub(crate) async fn run(command: KeysCommand) -> anyhow::Result<Outcome> {
    match command {
        KeysCommand::New(arguments) => new(&arguments),
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

async fn serve(arguments: ServeArguments) -> anyhow::Result<Outcome> {
    let ServeArguments {
        keys: folder,
        policy,
        listen,
        judging,
    } = arguments;
    let (certificate, key) = identity(&folder)?;
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
    let server = KeyServer::new(certificate, key, keys, Arc::new(wanted), Arc::new(tell))
        .context("the key server's certificate is not usable\nhint: delete it and its key, and run `chrysalis keys new` again")?;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let noun = if count == 1 { "key" } else { "keys" };
    eprintln!("{count} {noun} for enclaves that the policy trusts     {address}");
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

/// A line for each that asked.
fn tell(peer: SocketAddr, ended: &Ended) {
    let line = match ended {
        Ended::Given { roots, enclave } => {
            let mark = if enclave.simulated() {
                " (simulated)"
            } else {
                ""
            };
            format!("{peer}  given{mark}  {}", roots.join(" "))
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
