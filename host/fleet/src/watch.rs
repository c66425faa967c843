//! When to look: whenever a fleet or one of its pods changes, and every few seconds, because hosts tell nobody that they serve.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    ResourceExt,
    api::DynamicObject,
    runtime::{
        Controller,
        controller::{Action, Config, Error},
        watcher,
    },
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    operator::{Operator, Trouble, say},
    resource::GROUP,
};

/// The most fleets that are looked at at once.
const AT_ONCE: u16 = 8;
/// The least time between two looks at a fleet: one look answers many changes, and the operator's own words are changes as well.
const BETWEEN: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct Pace {
    /// How often hosts are asked how they are
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=3600),
        env = "CHRYSALIS_FLEET_INTERVAL"
    )]
    interval: u64,
}

struct Work {
    operator: Operator,
    interval: Duration,
    /// When each fleet was looked at last.
    looked: Mutex<BTreeMap<String, Instant>>,
}

/// Takes care of all fleets, until it is told to stop.
pub(crate) async fn run(operator: Operator, pace: &Pace) -> anyhow::Result<()> {
    let interval = Duration::from_secs(pace.interval);
    let mut terminated = signal(SignalKind::terminate()).context("no signals")?;
    let mut interrupted = signal(SignalKind::interrupt()).context("no signals")?;
    let stopped = async move {
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
        }
        eprintln!("stops: what is under way is finished");
    };
    let (fleets, pods) = (operator.fleets.clone(), operator.pods.clone());
    let resource = operator.resource.clone();
    eprintln!("takes care of the fleets in {}", operator.namespace);
    let context = Arc::new(Work {
        operator,
        interval,
        looked: Mutex::default(),
    });
    let controller = Controller::new_with(fleets, watcher::Config::default(), resource)
        .with_config(Config::default().concurrency(AT_ONCE))
        .owns::<Pod>(
            pods,
            watcher::Config::default().labels(&format!("{GROUP}/fleet")),
        )
        .graceful_shutdown_on(stopped);
    let said = Mutex::new(String::new());
    let looks = controller.run(tend, failed, context);
    looks
        .for_each(|look| {
            match look {
                Ok(_) => once(&said, ""),
                // Said by `failed`; and a fleet that is gone while its turn comes.
                Err(Error::ReconcilerFailed(..) | Error::ObjectNotFound(_)) => {}
                Err(error) => once(
                    &said,
                    &format!("the cluster cannot be watched: {error}; it is tried again"),
                ),
            }
            std::future::ready(())
        })
        .await;
    eprintln!("stopped: every machine goes on as it is");
    Ok(())
}

async fn tend(fleet: Arc<DynamicObject>, work: Arc<Work>) -> Result<Action, Trouble> {
    let name = fleet.name_any();
    if let Some(left) = work.too_soon(&name) {
        return Ok(Action::requeue(left));
    }
    work.operator.tend(&name).await?;
    Ok(Action::requeue(work.interval))
}

impl Work {
    /// How long a fleet has to wait for another look, which otherwise begins now. Waiting is not put off by what happens meanwhile, as the
    /// controller's own debouncing would: a pod that crashes all the time must not keep its fleet from being looked at.
    fn too_soon(&self, name: &str) -> Option<Duration> {
        let mut looked = self.looked.lock().ok()?;
        let since = looked.get(name).map(Instant::elapsed);
        let left = since.and_then(|since| BETWEEN.checked_sub(since));
        if left.is_none() {
            looked.insert(name.to_owned(), Instant::now());
        }
        left
    }
}

#[allow(
    clippy::needless_pass_by_value,
    reason = "the controller hands them over"
)]
fn failed(fleet: Arc<DynamicObject>, trouble: &Trouble, context: Arc<Work>) -> Action {
    say(
        &fleet,
        &format!(
            "{trouble}; it is tried again in {} s",
            context.interval.as_secs()
        ),
    );
    Action::requeue(context.interval)
}

/// Says a trouble of the watches when it is another one than before.
fn once(said: &Mutex<String>, trouble: &str) {
    if let Ok(mut said) = said.lock()
        && *said != trouble
    {
        if !trouble.is_empty() {
            eprintln!("{trouble}");
        }
        trouble.clone_into(&mut said);
    }
}
