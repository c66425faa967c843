//! `chrysalis-host run`: one guest, from its files to its end.

mod disks;
mod drain;
mod end;
mod ending;
mod files;
pub(crate) mod options;
mod plan;
mod ready;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use self::{
    end::{Ended, Stop},
    ending::Ending,
    files::Files,
    options::RunOptions,
    ready::Ready,
};
use crate::{
    accept::listen,
    cashier::Cashier,
    guest::{Guest, State, console::Console},
    launch::{self, VmPlan, platform::Platform},
    listing::{self, Lister},
    metrics::{self, Metrics, counters::Counters},
    relay::Relay,
    screen::Screen,
    services::{Services, endorser::Endorser, statements::Statements},
    simulation::{Roots, Simulation},
    state::{self, StateFolder},
    talk::say,
};

/// Runs one guest until it ends or is stopped.
pub(crate) async fn run(options: RunOptions) -> anyhow::Result<ExitCode> {
    options.log.choose();
    let mut stop = Stop::listen()?;
    let files = Files::open(&options)?;
    let statements = Statements::open(&options.statements)?;
    let platform = match &options.without_vm {
        Some(_) => Platform::Simulated,
        None => Platform::choose(options.platform, Path::new("/")),
    };
    let machine = plan::machine(&options, platform, &files)?;
    if options.print {
        return print(machine, options.state).await;
    }
    platform.check(Path::new("/"))?;
    let state = StateFolder::claim(options.state.clone())?;
    let bounds = options.relay.bounds()?;
    let clients = listen(options.relay.listen, "--listen").await?;
    let scrapers = listen(options.metrics, "--metrics").await?;
    let (listen, scraped) = (clients.local_addr()?, scrapers.local_addr()?);
    let cashier = Cashier::start(&options.payment, &state).await?;
    let network = Lister::start(
        &options.network,
        &options.payment,
        &files.parsed,
        cashier.network(),
        &state,
    )
    .await?;

    let launch_digest = plan::launch_digest(&options, platform, &files.image)?;
    let (endorser, roots) = endorser(&options, platform, launch_digest, &files, &state).await?;
    let console = Console::create(&state.join("console.log"), options.verbose)?;
    let prepared = match &options.without_vm {
        Some(binary) => {
            say("no VM: nothing is isolated");
            launch::process(binary, &files.image, &files.folder, &state)?
        }
        None => launch::vm(machine, &state, &console).await?,
    };

    let questions = prepared.link().listen()?;
    let guest = Arc::new(Guest::new());
    let services = Services::new(
        files.configuration,
        endorser,
        statements,
        Arc::clone(&cashier),
        network.clone(),
        Arc::clone(&guest),
    );
    tokio::spawn(Arc::clone(&services).keep_fresh());
    tokio::spawn(services.serve(questions));
    let counters = Arc::new(Counters::default());
    let presence = network.as_ref().map(|network| network.counts());
    let published = Metrics::new(
        &counters,
        &guest,
        metrics::capacity(&files.parsed),
        cashier.takings(),
        presence.clone(),
        options.metrics_names.clone(),
        options.drain_token_sha256,
    );
    tokio::spawn(published.serve(scrapers));

    let mut running = prepared.start(&console)?;
    let ready = Ready {
        listen,
        metrics: scraped,
        platform: platform.to_string(),
        simulated: platform == Platform::Simulated,
        launch_digest: launch_digest.map(hex::encode),
        roots,
        accelerator: running.way.executed.clone(),
        vsock: running.way.reached.clone(),
        state: state.path().to_owned(),
    };
    let screen = Screen::new(
        &guest,
        &counters,
        presence,
        listen,
        platform.to_string(),
        options.verbose,
    );
    let relay = Relay::new(running.way.link.clone(), counters, bounds, options.verbose);
    let mut serving = Box::pin(async {
        if guest.decided().await == State::Serving {
            ready.announce(&guest, options.ready_file.as_deref())?;
            tokio::join!(relay.serve(clients), screen.show());
        }
        std::future::pending::<anyhow::Result<Ended>>().await
    });
    let mut ending = Ending::of(&guest, &mut running, &mut stop, &console);
    let ended = ending.begins(&mut serving).await?;
    let finishing = ending.finish(ended, serving, options.grace());
    // Nobody should be sent here any more, however it ended.
    let (finished, ()) = tokio::join!(finishing, listing::withdraw(network));
    if guest.is_draining() {
        cashier.claim_the_last().await;
    }
    finished
}

/// Who signs what vendors do; and the roots of the simulated ones.
async fn endorser(
    options: &RunOptions,
    platform: Platform,
    launch_digest: Option<[u8; 48]>,
    files: &Files,
    state: &StateFolder,
) -> anyhow::Result<(Endorser, Option<Roots>)> {
    let Some(digest) = launch_digest.filter(|_| platform == Platform::Simulated) else {
        let store = state.join("collateral");
        let endorser = Endorser::of_this_machine(platform, &store, &options.mirror).await;
        return Ok((endorser, None));
    };
    let launched = plan::launched(options, digest, files);
    let trouble = options.simulated_gpu_trouble.as_deref();
    let simulation = Simulation::launch(state.path(), &launched, &files.parsed, trouble)?;
    let roots = Simulation::publish(state.path())?;
    Ok((Endorser::simulated(simulation), Some(roots)))
}

/// Prints the command that would start the guest.
async fn print(machine: VmPlan<'_>, state: Option<PathBuf>) -> anyhow::Result<ExitCode> {
    let state = state.map_or_else(state::default_path, Ok)?;
    println!("{}", launch::printed(machine, &state).await?);
    Ok(ExitCode::SUCCESS)
}
