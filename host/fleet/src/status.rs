//! What the operator answers: `status` of the custom resource.

use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use kube::{ResourceExt, api::DynamicObject};

use crate::{
    look::{Seen, rounded},
    pods::{Life, selector},
    resource::FleetStatus,
};
use chrysalis_fleet::{Image, State};

/// The one condition.
const READY: &str = "Ready";
/// The most that a message says.
const MAX_MESSAGE: usize = 1000;

/// Why a fleet is as it is, in a word for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    AsWanted,
    Progressing,
    Malformed,
    PolicyUnreadable,
    NotInPolicy,
}

impl Reason {
    fn name(self) -> &'static str {
        match self {
            Self::AsWanted => "AsWanted",
            Self::Progressing => "Progressing",
            Self::Malformed => "Malformed",
            Self::PolicyUnreadable => "PolicyUnreadable",
            Self::NotInPolicy => "NotInPolicy",
        }
    }
}

/// What was said last.
pub(crate) fn of(fleet: &DynamicObject) -> FleetStatus {
    let status = fleet.data.get("status").cloned().unwrap_or_default();
    serde_json::from_value(status).unwrap_or_default()
}

/// The message of the last status.
pub(crate) fn message(status: &FleetStatus) -> &str {
    status
        .conditions
        .first()
        .map_or("", |it| it.message.as_str())
}

/// The counts.
pub(crate) fn count(
    before: &FleetStatus,
    fleet: &DynamicObject,
    seen: &[Seen],
    wanted: &Image,
) -> FleetStatus {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let states = || seen.iter().map(Seen::machine);
    let serving: Vec<_> = states()
        .filter(|it| matches!(it.state, State::Serving { .. }))
        .collect();
    let loads: Vec<u32> = serving
        .iter()
        .filter_map(|it| match it.state {
            State::Serving { load } => Some(load),
            _ => None,
        })
        .collect();
    let total: u64 = loads.iter().copied().map(u64::from).sum();
    let mean = total.checked_div(loads.len() as u64);
    let numbers = || seen.iter().filter_map(Seen::numbers);
    let listing: Vec<u64> = numbers().filter_map(|it| it.listing).collect();
    let due: Vec<u64> = numbers().filter_map(|it| it.due).collect();
    FleetStatus {
        observed_generation: fleet.metadata.generation.unwrap_or_default(),
        replicas: number(
            seen.iter()
                .filter(|it| !matches!(it.life, Life::Ended | Life::Failed))
                .count(),
        ),
        selector: selector(&fleet.name_any()),
        serving: number(serving.len()),
        updated: number(serving.iter().filter(|it| it.image == *wanted).count()),
        draining: number(states().filter(|it| it.state == State::Draining).count()),
        listed: (!listing.is_empty()).then(|| number(listing.iter().filter(|it| **it > 0).count())),
        utilisation: mean.map(|mean| rounded(u32::try_from(mean).unwrap_or(u32::MAX))),
        unclaimed: (!due.is_empty())
            .then(|| due.iter().fold(0_u64, |sum, it| sum.saturating_add(*it))),
        network: before.network.clone(),
        conditions: before.conditions.clone(),
    }
}

/// Sets the condition; its time stays while nothing changes but the words.
pub(crate) fn conclude(
    status: &mut FleetStatus,
    generation: Option<i64>,
    reason: Reason,
    waits: &[String],
    now: Timestamp,
) {
    let is = if reason == Reason::AsWanted {
        "True"
    } else {
        "False"
    };
    let mut message = waits.join("; ");
    if message.chars().count() > MAX_MESSAGE {
        message = message.chars().take(MAX_MESSAGE - 1).chain(['…']).collect();
    }
    let before = status.conditions.iter().find(|it| it.type_ == READY);
    let since = before
        .filter(|it| it.status == is)
        .map_or(Time(now), |it| it.last_transition_time.clone());
    status.conditions = vec![Condition {
        type_: READY.to_owned(),
        status: is.to_owned(),
        reason: reason.name().to_owned(),
        message,
        observed_generation: generation,
        last_transition_time: since,
    }];
}
