//! What programs and people are told of the network.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use hyper::{Response, StatusCode};
use serde_json::json;

use super::{
    known::{Known, price},
    pool::{Class, Pool, State},
    provider::Provider,
    roster::{Roster, Row},
    settings::{Summary, Verified},
};
use crate::{
    network::{Lanes, Trouble},
    proxy::reply::{self, Body},
};

impl Pool {
    /// `GET /v1/models`.
    pub(super) fn models(&self) -> Response<Body> {
        let owner = &self.network.directories.descriptor().name;
        let model = |class: &Class| json!({"id": class.name, "object": "model", "created": 0, "owned_by": owner});
        let models: Vec<_> = self.classes.iter().map(model).collect();
        reply::json_reply(StatusCode::OK, &json!({"object": "list", "data": models}))
    }

    /// Whether the next request would find somebody.
    pub(in crate::proxy) fn health(&self) -> Response<Body> {
        let summary = self.summary();
        let code = (summary.verified == 0).then(|| {
            let mut picked = self.classes.iter().map(|class| self.pick(class, &[]));
            let error = picked.find_map(Result::err);
            error.map_or("no_provider", |error| error.code())
        });
        let status = match code {
            None => StatusCode::OK,
            Some(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let directories = self.network.directories.status();
        let directories = directories
            .iter()
            .map(|it| json!({"url": it.url, "code": it.trouble.as_ref().map(Trouble::code)}));
        let lanes = self.network.lanes.as_ref();
        let body = json!({
            "status": if code.is_none() { "ok" } else { "no_provider" },
            "code": code,
            "network": self.network.directories.descriptor().name,
            "verdict": match (summary.verified, summary.simulated) {
                (0, _) => None,
                (_, true) => Some("trusted-simulated"),
                (_, false) => Some("trusted"),
            },
            "providers_verified": summary.verified,
            "providers_refused": self.refused.load(Relaxed),
            "cheapest": summary.cheapest,
            "lanes": summary.lanes.map(|(open, _)| open),
            "budget_used": lanes.map(Lanes::counted),
            "directories": directories.collect::<Vec<_>>(),
        });
        reply::json_reply(status, &body)
    }

    /// Who is there now.
    pub(super) fn summary(&self) -> Summary {
        let state = self.lock();
        let verified = self.standing_rows(&state);
        let prices = verified.iter().filter_map(|(_, row, _)| {
            let asked = state.known.get(&row.id).and_then(Known::asked);
            asked.or(row.hint)
        });
        let mut providers = verified.iter().map(|(_, _, provider)| &provider.gate);
        Summary {
            verified: verified.len(),
            simulated: providers.any(|gate| gate.standing().is_ok_and(|it| it.simulated)),
            cheapest: prices.min(),
            lanes: self.network.lanes.as_ref().map(Lanes::count),
        }
    }

    /// Each that is verified.
    pub(super) fn verified(&self) -> Vec<Verified> {
        let state = self.lock();
        let verified = self.standing_rows(&state).into_iter();
        let told = verified.map(|(roster, row, _)| Verified {
            id: row.id,
            payee: row.wanted.payee,
            lane_min: row.wanted.lane_min,
            delay_min: row.wanted.delay_min,
            price: price(roster, row, state.known.get(&row.id)),
        });
        told.collect()
    }

    /// The rows whose providers are verified, each with its class's roster.
    fn standing_rows<'a>(&self, state: &'a State) -> Vec<(&'a Roster, &'a Row, &'a Arc<Provider>)> {
        let rows = state.rosters.values();
        let rows = rows.flat_map(|roster| roster.rows.iter().map(move |row| (&**roster, row)));
        rows.filter_map(|(roster, row)| Some((roster, row, self.verified_for(state, row)?)))
            .collect()
    }
}
