//! `chrysalis-host run`: one guest, from its files to its end.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, bail};
use chrysalis_attestation::evidence::binding::host_data;
use chrysalis_measure::Image;
use chrysalis_wire::configuration::{Configuration, Model};
use serde::Serialize;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::sleep,
};

use crate::{
    cli::RunOptions,
    console::Console,
    guest::{Guest, State},
    launch::{self, End, Running},
    metrics::{Counters, Metrics},
    plan,
    platform::Platform,
    processor::Launched,
    relay::{Bounds, Relay},
    services::{Endorser, Services},
    simulation::Simulation,
    staple,
    state::{self, StateFolder},
    statements::Statements,
    times::Times,
};

/// The guest failed, or would not stop when asked.
const GUEST_FAILED: u8 = 1;
/// The longest that a guest may take to power off once it was asked, or has given up.
const POWER_OFF_PATIENCE: Duration = Duration::from_secs(10);
/// Lines of the console that are shown when a guest failed.
const SHOWN_LINES: usize = 40;
/// Hashes in a block of a dm-verity tree.
const HASHES_PER_BLOCK: u64 = Model::BLOCK / 32;

/// Runs one guest until it ends or is stopped.
pub(crate) async fn run(options: RunOptions) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let image = Image::open(&options.image)
        .map_err(|error| anyhow::anyhow!("{error}\nhint: `make image` builds build/cpu"))?;
    let (configuration, parsed, weights) = configuration_and_weights(&options)?;
    let statements = Statements::open(&options.statements)?;
    let platform = match &options.without_vm {
        Some(_) => Platform::Simulated,
        None => Platform::choose(options.platform, Path::new("/")),
    };
    let machine = plan::machine(&options, platform, &image, &weights, &configuration)?;
    if options.print {
        let state = options.state.clone().map_or_else(state::default_path, Ok)?;
        println!("{}", launch::printed(machine, &state).await?);
        return Ok(ExitCode::SUCCESS);
    }
    platform.check(Path::new("/"))?;
    let state = StateFolder::claim(options.state.clone())?;
    let clients = listen(options.listen, "--listen").await?;
    let scrapers = listen(options.metrics, "--metrics").await?;

    let launch_digest = plan::launch_digest(&options, platform, &image)?;
    let simulation = match (platform, launch_digest) {
        (Platform::Simulated, Some(launch_digest)) => {
            let launched = Launched {
                launch_digest,
                host_data: host_data(&configuration),
                policy: options.guest_policy,
                tcb: options.simulated_tcb.map(|levels| levels.0),
            };
            let simulation = Simulation::launch(state.path(), &launched, &parsed)?;
            Some((simulation, Simulation::publish(state.path())?))
        }
        _ => None,
    };
    let (simulation, roots) = simulation.unzip();

    let console = Console::create(&state.join("console.log"), options.verbose)?;
    let prepared = match &options.without_vm {
        Some(binary) => {
            eprintln!("no VM: nothing is isolated");
            launch::process(binary, &image, &weights, &state)?
        }
        None => launch::vm(machine, &state, &console).await?,
    };
    let guest = Arc::new(Guest::new());
    let counters = Arc::new(Counters::default());
    let ready = Ready {
        listen: clients.local_addr()?,
        metrics: scrapers.local_addr()?,
        platform: platform.to_string(),
        simulated: platform == Platform::Simulated,
        launch_digest: launch_digest.map(hex::encode),
        roots: roots.map(|roots| Roots {
            root_path: roots.path,
            root_sha256: roots.sha256,
        }),
        accelerator: String::new(),
        vsock: String::new(),
        state: state.path().to_owned(),
    };
    let questions = prepared.link().listen()?;
    let endorser = match (simulation, platform) {
        (Some(simulation), _) => Endorser::Simulated(Box::new(Mutex::new(simulation))),
        (None, platform) => {
            let store = state.join("collateral");
            staple::of_this_machine(platform, &store, &options.mirror).await
        }
    };
    let services = Services::new(configuration, endorser, statements, Arc::clone(&guest));
    tokio::spawn(Arc::clone(&services).keep_fresh());
    tokio::spawn(services.serve(questions));
    let metrics = Metrics::new(&counters, &guest, options.metrics_names);
    tokio::spawn(metrics.serve(scrapers));
    let mut running = prepared.start(&console)?;
    let ready = Ready {
        accelerator: running.executed.clone(),
        vsock: running.reached.clone(),
        ..ready
    };

    let bounds = Bounds::for_clients_of(options.connections_per_client);
    let relay = Relay::new(running.link.clone(), counters, bounds, options.verbose);
    let serving = async {
        if guest.decided().await == State::Serving {
            ready.announce(&guest, options.ready_file.as_deref())?;
            relay.serve(clients).await;
        }
        std::future::pending::<anyhow::Result<Ended>>().await
    };
    let ended = tokio::select! {
        biased;
        end = running.ended() => Ended::ByItself(end?),
        () = guest.gave_up() => Ended::GaveUp,
        () = stop.asked() => Ended::Asked,
        failed = serving => failed?,
    };
    finish(ended, &guest, &mut running, &mut stop, &console).await
}

/// Why a run is over.
enum Ended {
    /// The guest, or what it needs, is gone.
    ByItself(End),
    /// The guest said that it gives up, and powers off.
    GaveUp,
    /// The provider wants it to stop.
    Asked,
}

async fn finish(
    ended: Ended,
    guest: &Guest,
    running: &mut Running,
    stop: &mut Stop,
    console: &Console,
) -> anyhow::Result<ExitCode> {
    let reason = match ended {
        Ended::ByItself(end) => end.to_string(),
        Ended::GaveUp => {
            if tokio::time::timeout(POWER_OFF_PATIENCE, running.ended())
                .await
                .is_err()
            {
                running.kill().await;
            }
            "the guest gave up".to_owned()
        }
        Ended::Asked => {
            if !guest.ask_to_stop() {
                running.kill().await;
                eprintln!("stopped, before the guest listened for that");
                return Ok(ExitCode::SUCCESS);
            }
            eprintln!("stopping: the guest was asked to power off (Ctrl-C again ends it at once)");
            tokio::select! {
                biased;
                end = running.ended() => {
                    end?;
                    eprintln!("stopped: the guest powered off");
                    return Ok(ExitCode::SUCCESS);
                }
                () = stop.asked() => "the guest was ended at once, as asked".to_owned(),
                () = sleep(POWER_OFF_PATIENCE) => format!("the guest did not power off in {POWER_OFF_PATIENCE:?}"),
            }
        }
    };
    running.kill().await;
    for line in console.newest(SHOWN_LINES) {
        eprintln!("console: {line}");
    }
    match guest.state() {
        State::Failed(failure) => eprintln!(
            "error: the enclave failed: {}: {}",
            failure.code, failure.message
        ),
        State::Booting | State::Serving => eprintln!(
            "error: {reason}\nhint: above are the console's last lines; all of them are in console.log in the state folder"
        ),
    }
    Ok(ExitCode::from(GUEST_FAILED))
}

/// Reads the configuration, for a clear message before anything boots; the enclave decides for itself.
fn configuration_and_weights(
    options: &RunOptions,
) -> anyhow::Result<(Vec<u8>, Configuration, PathBuf)> {
    let path = &options.configuration;
    let bytes = fs::read(path).with_context(|| {
        format!(
            "the configuration {} cannot be read; `make image` makes one",
            path.display()
        )
    })?;
    let configuration = Configuration::parse(&bytes).map_err(|error| {
        anyhow::anyhow!(
            "{}: {error}\nhint: correct it, or make it anew by `make image`",
            path.display()
        )
    })?;
    let path = &options.weights;
    let cannot = || {
        format!(
            "the weights {} cannot be read; `make image` makes them",
            path.display()
        )
    };
    let weights = fs::canonicalize(path).with_context(cannot)?;
    let size = fs::metadata(&weights).with_context(cannot)?.len();
    let wanted = disk_size(&configuration.model);
    if size != wanted {
        bail!(
            "the weights {} have {size} bytes; those of {} and their hash tree have {wanted}\n\
             hint: give the file that was made together with the configuration",
            path.display(),
            configuration.model.name
        );
    }
    Ok((bytes, configuration, weights))
}

/// Bytes of the weights, padded to whole blocks, and of the dm-verity tree behind them.
fn disk_size(model: &Model) -> u64 {
    let mut level = model.data_blocks();
    let mut blocks = level;
    while level > 1 {
        level = level.div_ceil(HASHES_PER_BLOCK);
        blocks = blocks.saturating_add(level);
    }
    blocks.saturating_mul(Model::BLOCK)
}

async fn listen(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!(
            "cannot listen on {address}: {error}\nhint: stop what uses it, or choose another with {option}"
        )
    })
}

/// What is served, and where: printed for people, written for programs.
#[derive(Debug, Serialize)]
struct Ready {
    listen: SocketAddr,
    metrics: SocketAddr,
    platform: String,
    simulated: bool,
    launch_digest: Option<String>,
    #[serde(flatten)]
    roots: Option<Roots>,
    accelerator: String,
    vsock: String,
    state: PathBuf,
}

/// The simulated roots, for a policy to name.
#[derive(Debug, Serialize)]
struct Roots {
    root_path: PathBuf,
    root_sha256: Vec<String>,
}

/// The same for programs, with how long it took to come so far.
#[derive(Debug, Serialize)]
struct Announced<'a> {
    #[serde(flatten)]
    ready: &'a Ready,
    boot: Times,
}

impl Ready {
    fn announce(&self, guest: &Guest, file: Option<&Path>) -> anyhow::Result<()> {
        let boot = Times::of(guest.stages());
        eprintln!("{boot}");
        println!("platform: {}", self.platform);
        if let Some(digest) = &self.launch_digest {
            println!("launch digest: {digest}");
        }
        if let Some(roots) = &self.roots {
            println!("simulated roots: {}", roots.root_path.display());
            for sha256 in &roots.root_sha256 {
                println!("  sha256: {sha256}");
            }
        }
        println!("metrics: http://{}/metrics", self.metrics);
        println!("serving: https://{}", self.listen);
        let Some(file) = file else { return Ok(()) };
        // Whole or absent: whoever waits for it reads it as soon as it is there.
        let mut draft = file.to_owned().into_os_string();
        draft.push(".new");
        let announced = Announced { ready: self, boot };
        fs::write(&draft, serde_json::to_string_pretty(&announced)? + "\n")
            .and_then(|()| fs::rename(&draft, file))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

/// The provider's wish to stop: Ctrl-C or SIGTERM.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(size: u64) -> Model {
        let digest = "00".repeat(32);
        Model {
            name: "m".to_owned(),
            size,
            sha256: digest.clone(),
            verity_root: digest.clone(),
            verity_salt: digest,
        }
    }

    #[test]
    fn knows_the_size_of_a_disk_with_its_tree() {
        // As `veritysetup format --no-superblock` makes them.
        assert_eq!(disk_size(&model(1)), 4096);
        assert_eq!(disk_size(&model(4097)), (2 + 1) * 4096);
        assert_eq!(disk_size(&model(128 * 4096)), (128 + 1) * 4096);
        assert_eq!(disk_size(&model(129 * 4096)), (129 + 2 + 1) * 4096);
    }

    #[tokio::test]
    async fn names_a_port_in_use() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let refused = listen(address, "--listen").await.unwrap_err().to_string();
        assert!(
            refused.contains(&address.to_string()) && refused.contains("--listen"),
            "{refused}"
        );
    }
}
