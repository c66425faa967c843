//! How busy the guest says it is.

use std::{collections::BTreeMap, time::Duration};

use chrysalis_wire::{
    configuration::Configuration,
    host::{FIRST_TOKEN_BOUNDS_MS, ModelLoad},
};

use super::page::{Page, quoted};
use crate::guest::load::Busy;

/// A number of a model.
type Number = fn(&ModelLoad) -> u64;

/// Every number of a model but its tokens and times, as a family of its own.
const FAMILIES: [(&str, &str, &str, Number); 7] = [
    (
        "requests_running",
        "gauge",
        "Requests that the engine computes.",
        |model| model.running.into(),
    ),
    (
        "requests_queued",
        "gauge",
        "Requests that wait for the engine.",
        |model| model.queued.into(),
    ),
    ("requests_total", "counter", "Requests admitted.", |model| {
        model.requests
    }),
    (
        "requests_refused_total",
        "counter",
        "Requests answered 429.",
        |model| model.refused,
    ),
    (
        "requests_failed_total",
        "counter",
        "Requests that the engine failed.",
        |model| model.failed,
    ),
    (
        "engine_restarts_total",
        "counter",
        "Times that the model's engine was replaced because it failed.",
        |model| model.restarts,
    ),
    (
        "model_ready",
        "gauge",
        "Whether the model can answer.",
        |model| model.ready.into(),
    ),
];

/// Requests of each model that are computed at once.
pub(crate) type Capacity = BTreeMap<String, u32>;

/// Of a configuration.
pub(crate) fn capacity(configuration: &Configuration) -> Capacity {
    let models = configuration.models.iter();
    models
        .map(|model| (model.name.clone(), model.parallel))
        .collect()
}

/// How much of the fullest model is used, by requests that run or wait: 1 is all of it, and more is a queue. What a fleet grows by.
#[allow(clippy::cast_precision_loss)]
fn utilisation(busy: &Busy, capacity: &Capacity) -> f64 {
    let used = busy.load.models.iter().filter_map(|model| {
        let capacity = capacity.get(&model.name).filter(|most| **most > 0)?;
        let asked = u64::from(model.running).saturating_add(model.queued.into());
        Some(asked as f64 / f64::from(*capacity))
    });
    used.fold(0.0, f64::max)
}

/// Adds all of it to the page.
pub(super) fn publish(page: &mut Page, busy: &Busy, capacity: &Capacity) {
    let help =
        "Requests that run or wait in the fullest model, in parts of what it computes at once.";
    page.one("utilisation", "gauge", help, utilisation(busy, capacity));
    let models: Vec<_> = busy
        .load
        .models
        .iter()
        .map(|model| (format!(r#"model="{}""#, quoted(&model.name)), model))
        .collect();
    for (name, kind, help, number) in FAMILIES {
        page.family(name, kind, help);
        for (label, model) in &models {
            page.sample(name, &format!("{{{label}}}"), number(model));
        }
    }
    let name = "tokens_total";
    page.family(
        name,
        "counter",
        "Tokens read and generated, rounded down to 64.",
    );
    for (label, model) in &models {
        for (kind, tokens) in [
            ("prompt", model.prompt_tokens),
            ("completion", model.completion_tokens),
        ] {
            page.sample(name, &format!(r#"{{{label},kind="{kind}"}}"#), tokens);
        }
    }
    first_token(page, &models);
    let (help, age) = ("Since the hardware last signed.", busy.attestation_age());
    page.one("attestation_age_seconds", "gauge", help, age.as_secs());
    let name = "guest_memory_bytes";
    page.family(name, "gauge", "The guest's memory.");
    for (state, kib) in [
        ("available", busy.load.memory_free_kib),
        ("total", busy.load.memory_total_kib),
    ] {
        page.sample(
            name,
            &format!(r#"{{state="{state}"}}"#),
            kib.saturating_mul(1024),
        );
    }
    let help = "Since the guest last said how busy it is.";
    page.one("load_age_seconds", "gauge", help, busy.age.as_secs());
}

/// A histogram without a sum: the guest says none.
fn first_token(page: &mut Page, models: &[(String, &ModelLoad)]) {
    let name = "first_token_seconds";
    page.family(
        name,
        "histogram",
        "From a request to its answer's first token.",
    );
    let bounds =
        FIRST_TOKEN_BOUNDS_MS.map(|ms| Duration::from_millis(ms).as_secs_f64().to_string());
    let infinity = "+Inf".to_owned();
    for (label, model) in models {
        let mut sum = 0_u64;
        for (bound, count) in bounds.iter().chain([&infinity]).zip(&model.first_token_ms) {
            sum = sum.saturating_add(*count);
            page.sample(
                "first_token_seconds_bucket",
                &format!(r#"{{{label},le="{bound}"}}"#),
                sum,
            );
        }
        page.sample("first_token_seconds_count", &format!("{{{label}}}"), sum);
    }
}
