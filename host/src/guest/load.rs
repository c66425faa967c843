//! How busy the guest says it is: bounded, kept for a minute, and turned into what a person wants to see. Shown and published, and
//! nothing else: no decision rests on it.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Mutex,
    time::{Duration, Instant},
};

use chrysalis_wire::host::{FIRST_TOKEN_BOUNDS_MS, Load, MAX_LOADS, MAX_MODEL_NAME, ModelLoad};

use super::text::{LineBreaks, printable};
use crate::mutex::held;

/// The guest says it every second; more often is ignored.
const PACE: Duration = Duration::from_millis(400);
/// How long what it said is kept: first-token times are of so long.
const KEPT: Duration = Duration::from_mins(1);
/// Tokens per second are of so long.
const RATE_OVER: Duration = Duration::from_secs(10);

/// What it said in the last minute, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Loads(Mutex<VecDeque<Sample>>);

#[derive(Debug)]
struct Sample {
    at: Instant,
    load: Load,
}

/// The newest of it, with what follows from those before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Busy {
    pub(crate) load: Load,
    /// How long ago the guest said so.
    pub(crate) age: Duration,
    /// One for each model of the load.
    pub(crate) pace: Vec<Pace>,
}

/// How fast a model is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    pub(crate) tokens_per_second: f64,
    /// Milliseconds that half, and that 95 of 100, of the last minute's answers took to begin, as upper bounds.
    pub(crate) first_token: [Option<Quantile>; 2],
}

/// Where a quantile lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantile {
    /// At most so many milliseconds.
    Within(u64),
    /// More than the last bound.
    Beyond,
}

impl Loads {
    /// Keeps what the guest said at `now`.
    pub(crate) fn note(&self, load: Load, now: Instant) {
        let mut samples = held(&self.0);
        let since = |at: Instant| now.saturating_duration_since(at);
        if samples.back().is_some_and(|last| since(last.at) < PACE) {
            return;
        }
        samples.retain(|sample| since(sample.at) <= KEPT);
        samples.push_back(Sample {
            at: now,
            load: bounded(load),
        });
    }

    /// What there is to see at `now`, if the guest has said anything yet.
    pub(crate) fn busy(&self, now: Instant) -> Option<Busy> {
        let samples = held(&self.0);
        let newest = samples.back()?;
        let after = |limit| {
            samples
                .iter()
                .find(move |sample| newest.at.saturating_duration_since(sample.at) <= limit)
        };
        let [rate, first] = [RATE_OVER, KEPT].map(|limit| after(limit).unwrap_or(newest));
        let seconds = newest.at.saturating_duration_since(rate.at).as_secs_f64();
        let pace = |model: &ModelLoad| Pace {
            tokens_per_second: match rate.of(&model.name) {
                Some(before) if seconds > 0.0 => {
                    per_second(model.completion_tokens, before.completion_tokens, seconds)
                }
                _ => 0.0,
            },
            first_token: first_token(model, first.of(&model.name)),
        };
        Some(Busy {
            pace: newest.load.models.iter().map(pace).collect(),
            load: newest.load.clone(),
            age: now.saturating_duration_since(newest.at),
        })
    }
}

impl Sample {
    fn of(&self, name: &str) -> Option<&ModelLoad> {
        self.load.models.iter().find(|model| model.name == name)
    }
}

impl Busy {
    /// How old the evidence is that the guest got last.
    pub(crate) fn attestation_age(&self) -> Duration {
        let then = Duration::from_millis(self.load.at_ms.saturating_sub(self.load.attested_at_ms));
        then.saturating_add(self.age)
    }
}

/// What a person and Prometheus may see of it: so many models, each once, with names that do not rewrite a terminal.
fn bounded(mut load: Load) -> Load {
    load.models.truncate(MAX_LOADS);
    let mut seen = BTreeSet::new();
    load.models.retain_mut(|model| {
        model.name = printable(&model.name, MAX_MODEL_NAME, LineBreaks::Replace);
        if model.first_token_ms.len() != FIRST_TOKEN_BOUNDS_MS.len() + 1 {
            model.first_token_ms = Vec::new();
        }
        seen.insert(model.name.clone())
    });
    load
}

// Far beyond any count of tokens, a float loses the last digits.
#[allow(clippy::cast_precision_loss)]
fn per_second(now: u64, before: u64, seconds: f64) -> f64 {
    now.saturating_sub(before) as f64 / seconds
}

/// Half, and 95 of 100, of what began since `before`; of all, if all that is known is one load.
fn first_token(now: &ModelLoad, before: Option<&ModelLoad>) -> [Option<Quantile>; 2] {
    let before = before.map_or(&[][..], |before| &before.first_token_ms);
    let begun: Vec<u64> = now
        .first_token_ms
        .iter()
        .enumerate()
        .map(|(at, count)| count.saturating_sub(before.get(at).copied().unwrap_or(0)))
        .collect();
    let all = begun
        .iter()
        .fold(0_u64, |sum, count| sum.saturating_add(*count));
    [50, 95].map(|percent| {
        let wanted = u128::from(all).saturating_mul(percent).div_ceil(100);
        let mut sum = 0_u128;
        let reached = begun.iter().position(|count| {
            sum = sum.saturating_add(u128::from(*count));
            sum >= wanted
        });
        let at = reached.filter(|_| all > 0)?;
        Some(
            FIRST_TOKEN_BOUNDS_MS
                .get(at)
                .map_or(Quantile::Beyond, |bound| Quantile::Within(*bound)),
        )
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// One model that has answered so often, half of it within 20 ms and the rest within 200.
    pub(crate) fn load(name: &str, requests: u64) -> Load {
        let mut first_token_ms = vec![0; FIRST_TOKEN_BOUNDS_MS.len() + 1];
        let bucket = |ms| {
            FIRST_TOKEN_BOUNDS_MS
                .iter()
                .position(|bound| *bound == ms)
                .unwrap()
        };
        first_token_ms[bucket(20)] = requests / 2;
        first_token_ms[bucket(200)] = requests - requests / 2;
        Load {
            at_ms: 100_000,
            attested_at_ms: 40_000,
            memory_free_kib: 512 << 10,
            memory_total_kib: 2 << 20,
            models: vec![ModelLoad {
                name: name.to_owned(),
                running: 2,
                queued: 1,
                requests,
                refused: 3,
                failed: 4,
                prompt_tokens: requests * 100,
                completion_tokens: requests * 10,
                first_token_ms,
                restarts: 5,
                ready: true,
            }],
        }
    }

    #[test]
    fn rates_are_of_seconds_and_first_tokens_of_a_minute() {
        let (loads, start) = (Loads::default(), Instant::now());
        assert_eq!(loads.busy(start), None);
        loads.note(load("m", 0), start);
        loads.note(load("m", 100), start + Duration::from_secs(20));
        loads.note(load("m", 200), start + Duration::from_secs(30));
        let busy = loads.busy(start + Duration::from_secs(32)).unwrap();
        let pace = busy.pace[0];
        assert!((pace.tokens_per_second - 100.0).abs() < 1e-9, "{pace:?}");
        let [half, most] = [20, 200].map(|bound| Some(Quantile::Within(bound)));
        assert_eq!(pace.first_token, [half, most]);
        assert_eq!(busy.age, Duration::from_secs(2));
        assert_eq!(busy.attestation_age(), Duration::from_secs(62));
        // An hour later nothing has begun.
        loads.note(load("m", 200), start + Duration::from_hours(1));
        loads.note(load("m", 200), start + Duration::from_secs(3601));
        let idle = loads.busy(start + Duration::from_secs(3601)).unwrap().pace[0];
        assert_eq!(idle.first_token, [None, None]);
        assert!(idle.tokens_per_second < 1e-9);
    }

    #[test]
    fn a_guest_that_lies_is_bounded() {
        let (loads, start) = (Loads::default(), Instant::now());
        let one = load(&format!("\x1b[2J{}", "x".repeat(500)), u64::MAX / 1000)
            .models
            .remove(0);
        let other = ModelLoad {
            name: "short".to_owned(),
            first_token_ms: vec![u64::MAX; 3],
            completion_tokens: u64::MAX,
            ..one.clone()
        };
        let models = [vec![one.clone(), one, other.clone()], vec![other; 5000]].concat();
        let lie = Load {
            models,
            attested_at_ms: u64::MAX,
            ..load("m", 1)
        };
        // Faster than it should.
        for ms in 0..5000 {
            loads.note(lie.clone(), start + Duration::from_millis(ms));
        }
        assert!(held(&loads.0).len() < 20);
        let busy = loads.busy(start + Duration::from_secs(5)).unwrap();
        let names: Vec<_> = busy
            .load
            .models
            .iter()
            .map(|model| &model.name[..])
            .collect();
        assert_eq!(
            names,
            [&format!("?[2J{}", "x".repeat(MAX_MODEL_NAME - 4)), "short"]
        );
        assert_eq!(busy.pace[1].first_token, [None, None]);
        assert!(busy.attestation_age() < Duration::from_secs(2));
    }

    #[test]
    fn a_very_slow_answer_is_beyond_the_last_bound() {
        let (loads, start) = (Loads::default(), Instant::now());
        let mut slow = load("m", 0);
        *slow.models[0].first_token_ms.last_mut().unwrap() = 1;
        loads.note(load("m", 0), start);
        loads.note(slow, start + Duration::from_secs(1));
        let busy = loads.busy(start + Duration::from_secs(1)).unwrap();
        assert_eq!(busy.pace[0].first_token, [Some(Quantile::Beyond); 2]);
    }
}
