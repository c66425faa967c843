//! What programs and people are told of the network.

use std::sync::atomic::Ordering::Relaxed;

use hyper::{Response, StatusCode};
use serde_json::json;

use super::{
    known::{Known, price},
    pool::{Class, Pool},
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
        let found = self.classes.iter().map(|class| self.pick(class, &[]));
        let code = found
            .filter_map(Result::err)
            .map(|error| error.code())
            .next();
        let code = if summary.verified > 0 {
            None
        } else {
            Some(code.unwrap_or("no_provider"))
        };
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
        let standing: Vec<_> = self
            .classes
            .iter()
            .flat_map(|class| self.standing_of(class))
            .collect();
        let state = self.lock();
        let rows = state.rosters.values();
        let rows = rows.flat_map(|roster| roster.rows.iter().map(move |row| (roster, row)));
        let verified = rows.filter(|(_, row)| standing.iter().any(|it| it.id == row.id));
        let prices = verified.filter_map(|(_, row)| {
            let asked = state.known.get(&row.id).and_then(Known::asked);
            asked.or(row.hint)
        });
        Summary {
            verified: standing.len(),
            simulated: standing
                .iter()
                .any(|it| it.gate.standing().is_ok_and(|it| it.simulated)),
            cheapest: prices.min(),
            lanes: self.network.lanes.as_ref().map(Lanes::count),
        }
    }

    /// Each that is verified.
    pub(super) fn verified(&self) -> Vec<Verified> {
        let standing: Vec<_> = self
            .classes
            .iter()
            .flat_map(|class| self.standing_of(class))
            .collect();
        let state = self.lock();
        let rows = state.rosters.values();
        let rows = rows.flat_map(|roster| roster.rows.iter().map(move |row| (roster, row)));
        let verified = rows.filter(|(_, row)| standing.iter().any(|it| it.id == row.id));
        let told = verified.map(|(roster, row)| Verified {
            id: row.id,
            payee: row.wanted.payee,
            lane_min: row.wanted.lane_min,
            delay_min: row.wanted.delay_min,
            price: price(roster, row, state.known.get(&row.id)),
        });
        told.collect()
    }
}
