//! `chrysalis-fleet`: the operator of fleets in Kubernetes. It watches the resources `ChrysalisFleet` of one namespace and their pods, and has
//! each fleet become what its resource says.
//!
//! Exit codes: 0 done, 2 it could not begin. Data goes to stdout, talk to stderr.

#![forbid(unsafe_code)]

mod host;
mod look;
mod operator;
mod pods;
mod policy;
mod resource;
mod secret;
mod status;
mod watch;
mod wish;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use chrysalis_fleet::Action;
use clap::{Args, Parser, Subcommand};
use kube::{Client, CustomResourceExt, ResourceExt, api::ListParams};

use crate::{
    operator::Operator, policy::PolicyOptions, resource::ChrysalisFleet, secret::Secret,
    watch::Pace,
};

/// Has fleets of confidential machines in Kubernetes be what their resources say: it drains a machine before it goes, replaces one after the
/// other, and starts nothing that the network's policy does not have.
#[derive(Debug, Parser)]
#[command(
    name = "chrysalis-fleet",
    version,
    arg_required_else_help = true,
    after_help = "Examples:\n  chrysalis-fleet crd | kubectl apply -f -\n  \
                  chrysalis-fleet plan --policy policy.toml --network network.json --network-key network.pub --drain-secret-file drain.secret\n  \
                  chrysalis-fleet run --policy policy.toml --network network.json --network-key network.pub --drain-secret-file drain.secret"
)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take care of the fleets of a namespace, until SIGTERM
    #[command(
        after_help = "Example:\n  chrysalis-fleet run --policy policy.toml --drain-secret-file drain.secret --namespace models"
    )]
    Run(RunOptions),
    /// Say what `run` would do next, and do nothing
    #[command(
        after_help = "Example:\n  chrysalis-fleet plan --policy policy.toml --drain-secret-file drain.secret --namespace models"
    )]
    Plan(FleetOptions),
    /// Print the definition of the resource, in YAML
    #[command(after_help = "Example:\n  chrysalis-fleet crd | kubectl apply -f -")]
    Crd,
}

#[derive(Debug, Args)]
struct RunOptions {
    #[command(flatten)]
    fleets: FleetOptions,
    #[command(flatten)]
    pace: Pace,
}

#[derive(Debug, Args)]
struct FleetOptions {
    #[command(flatten)]
    policy: PolicyOptions,
    /// A secret of this operator alone, from which machines' drain tokens are made
    #[arg(long, value_name = "FILE", env = "CHRYSALIS_FLEET_DRAIN_SECRET_FILE")]
    drain_secret_file: PathBuf,
    /// Whose fleets [default: the namespace of the pod, or of the kubeconfig's context]
    #[arg(long, value_name = "NAME", env = "CHRYSALIS_FLEET_NAMESPACE")]
    namespace: Option<String>,
    /// After a pod failed that was younger than this, its place stays empty until it would have been so old
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 60,
        env = "CHRYSALIS_FLEET_BACKOFF"
    )]
    backoff: u32,
}

fn main() -> ExitCode {
    let done = match Options::parse().command {
        Command::Crd => crd(),
        Command::Plan(options) => on_tokio(plan(options)),
        Command::Run(options) => on_tokio(async {
            let operator = open(options.fleets).await?;
            watch::run(operator, &options.pace).await
        }),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn on_tokio(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    // Said, not guessed: where another program of the same build links AWS-LC, rustls would have two to choose from, and panic.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime.context("cannot start")?.block_on(work)
}

fn crd() -> anyhow::Result<()> {
    print!("{}", serde_saphyr::to_string(&ChrysalisFleet::crd())?);
    Ok(())
}

async fn open(options: FleetOptions) -> anyhow::Result<Operator> {
    let secret = Secret::read(&options.drain_secret_file)?;
    let client = Client::try_default()
        .await
        .context("no cluster is known here\nhint: set KUBECONFIG, or run this in a pod with a service account")?;
    let namespace = options
        .namespace
        .unwrap_or_else(|| client.default_namespace().to_owned());
    Ok(Operator::new(
        client,
        namespace,
        options.policy,
        secret,
        options.backoff.into(),
    ))
}

async fn plan(options: FleetOptions) -> anyhow::Result<()> {
    let operator = open(options).await?;
    let fleets = operator.fleets.list(&ListParams::default()).await;
    let fleets = fleets
        .context("the fleets cannot be listed\nhint: chrysalis-fleet crd | kubectl apply -f -")?;
    for fleet in fleets {
        let plan = operator.plan(&fleet).await?;
        println!("fleet {}:", fleet.name_any());
        for action in &plan.actions {
            match action {
                Action::Start(_) => println!("  start a machine"),
                Action::Drain(name) => println!("  drain {name}"),
                Action::Remove(name) => println!("  remove {name}, which has ended"),
            }
        }
        if plan.actions.is_empty() {
            println!("  nothing to do");
        }
        for waits in &plan.waits {
            println!("  waits: {waits}");
        }
    }
    Ok(())
}
