//! Why somebody who is listed is not asked, and what a program reads if that is so of all.

use super::roster::Roster;
use crate::Error;

/// Why somebody who is listed is not asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Expired,
    Refused,
    TooDear,
    NoPrice,
    NoLane,
    /// There will be one.
    LaneToCome,
}

pub(super) fn nobody_of(roster: &Roster, out: &[Why]) -> Error {
    let count = |why: Why| out.iter().filter(|it| **it == why).count();
    let expired = count(Why::Expired).saturating_add(roster.expired);
    let reasons = [
        (count(Why::LaneToCome), "without a lane yet"),
        (count(Why::TooDear), "over the price limit"),
        (count(Why::NoPrice), "at a price that nobody knows"),
        (count(Why::NoLane), "without a lane, and none may be locked"),
        (count(Why::Refused), "refused"),
        (expired, "with listings that are over"),
        (
            roster.unusable,
            "at no usable address, or with another name for the model",
        ),
    ];
    let told = reasons.iter().filter(|(count, _)| *count > 0);
    let told: Vec<_> = told.map(|(count, why)| format!("{count} {why}")).collect();
    let code = match () {
        () if count(Why::LaneToCome) > 0 => "lane_to_come",
        () if out.is_empty() && roster.rows.is_empty() && expired > 0 => "listings_expired",
        () if !out.is_empty() && count(Why::Expired) == out.len() => "listings_expired",
        () if count(Why::NoPrice) > 0 => "price_unknown",
        () if count(Why::TooDear) > 0 => "price_over_ceiling",
        () if count(Why::NoLane) > 0 => "budget_spent",
        () => "no_provider",
    };
    let why = if told.is_empty() {
        "nobody else is listed".to_owned()
    } else {
        told.join(", ")
    };
    nobody(code, &why)
}

/// The error.
pub(super) fn nobody(code: &'static str, why: &str) -> Error {
    Error::NoProvider {
        code,
        why: why.to_owned(),
    }
}
