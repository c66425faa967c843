//! What the provider is told of how busy the machine is, once a second: totals of whole models, rounded, and nothing of a client
//! or a request ([`Load`]).

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrysalis_wire::host::{Load, ModelLoad};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    console::{Progress, since_boot_ms},
    engine::{Engines, Served},
    machine::Memory,
};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Tells the host for as long as the enclave serves. `attested_at` is when the hardware last signed, in milliseconds since boot.
pub(crate) async fn report(progress: &Progress, engines: &Engines, attested_at: Arc<AtomicU64>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let load = now(engines, attested_at.load(Ordering::Relaxed));
        progress.load(load.rounded()).await;
    }
}

fn now(engines: &Engines, attested_at_ms: u64) -> Load {
    let memory = Memory::now().unwrap_or_default();
    Load {
        at_ms: since_boot_ms(),
        attested_at_ms,
        memory_free_kib: memory.available_kib,
        memory_total_kib: memory.total_kib,
        models: engines.all().iter().map(|served| of(served)).collect(),
    }
}

fn of(served: &Served) -> ModelLoad {
    let counters = served.counters();
    let total = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let (running, queued) = served.load();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    ModelLoad {
        name: served.model().name.clone(),
        running: number(running),
        queued: number(queued),
        requests: total(&counters.requests),
        refused: total(&counters.refused),
        failed: total(&counters.failed),
        prompt_tokens: total(&counters.prompt_tokens),
        completion_tokens: total(&counters.completion_tokens),
        first_token_ms: counters.first_token.iter().map(total).collect(),
        restarts: total(&counters.restarts),
        ready: served.ready(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;
    use chrysalis_wire::{configuration::Kind, host::FIRST_TOKEN_BOUNDS_MS};

    #[tokio::test]
    async fn a_load_says_what_was_counted() {
        let engines = fake::engines(&[(fake::model("tiny", Kind::Chat), fake::echo)]).await;
        engines.all()[0].counters().tokens(3, 5);
        let load = now(&engines, 7);
        assert_eq!(load.attested_at_ms, 7);
        assert!(load.memory_free_kib > 0 && load.memory_free_kib <= load.memory_total_kib);
        let model = &load.models[0];
        assert_eq!((model.name.as_str(), model.ready), ("tiny", true));
        assert_eq!((model.prompt_tokens, model.completion_tokens), (3, 5));
        assert_eq!(model.first_token_ms.len(), FIRST_TOKEN_BOUNDS_MS.len() + 1);
    }
}
