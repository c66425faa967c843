//! Who of a class could be asked at all, worked out once for each word of the directories.

use std::sync::Arc;

use chrysalis_attestation::Time;
use chrysalis_network::{Descriptor, ProviderId, Rejection, SignedListing};

use crate::{
    Target,
    network::{ClassView, Wanted},
};

/// One that could be.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) id: ProviderId,
    pub(super) listing: Arc<SignedListing>,
    pub(super) targets: Vec<Target>,
    /// What it asks, as directories say.
    pub(super) hint: Option<u64>,
    pub(super) until: Time,
    pub(super) wanted: Wanted,
}

/// All of them, and why the others are not.
#[derive(Debug, Default)]
pub(super) struct Roster {
    pub(super) rows: Vec<Row>,
    pub(super) index: Option<u64>,
    /// Their listings are over.
    pub(super) expired: usize,
    /// They are on no public address, or not of this network, or have another name for the model.
    pub(super) unusable: usize,
}

impl Roster {
    /// Those of a view that this network's descriptor allows.
    pub(super) fn of(
        view: &ClassView,
        network: &Descriptor,
        model: &str,
        allow_private: bool,
        now: Time,
    ) -> Self {
        let mut roster = Self {
            index: view.index,
            ..Self::default()
        };
        for (id, listed) in &view.listed {
            let listing = &listed.listing;
            match listing.check(network, now) {
                Err(Rejection::ListingExpired { .. }) => {
                    roster.expired = roster.expired.saturating_add(1);
                    continue;
                }
                Err(_) => {
                    roster.unusable = roster.unusable.saturating_add(1);
                    continue;
                }
                Ok(()) => {}
            }
            let said = listing.listing();
            let endpoints = said.endpoints.iter();
            let endpoints = endpoints.filter(|it| allow_private || it.check_public().is_ok());
            let targets = endpoints.filter_map(|it| format!("https://{it}").parse().ok());
            let targets: Vec<Target> = targets.collect();
            if targets.is_empty() || listing.offer().model != model {
                roster.unusable = roster.unusable.saturating_add(1);
                continue;
            }
            roster.rows.push(Row {
                id: *id,
                targets,
                hint: listed.entry.map(|entry| entry.price),
                until: Time(said.until),
                wanted: Wanted {
                    payee: said.payee,
                    lane_min: said.lane_min,
                    delay_min: said.delay_min,
                },
                listing: Arc::clone(listing),
            });
        }
        roster
    }
}
